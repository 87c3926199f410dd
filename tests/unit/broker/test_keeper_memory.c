/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper without memory: each allocation of a release, an enrolment, a reading and a change of
 * a secret fails once. Whatever fails is refused, never released by half and never a crash; and the
 * next request works. (An act that cannot be applied ends the process: keeper/operations_acts.c.)
 */
#include "keeper_fixture_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALLOCATIONS_MAX 2000

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static atomic_int left; /* until one fails; below 1: none does */
static int planned;

/* Only while the keeper handles what is tried, not while the fixture gets its challenge. */
static void
arm(enum frame_type type)
{
	if (type == FRAME_RELEASE || type == FRAME_ACTIVATE || type == FRAME_OPERATOR_REQUEST)
		atomic_store(&left, planned);
}

static bool
fails(void)
{
	return !house_own_thread && atomic_load(&left) > 0 && atomic_fetch_sub(&left, 1) == 1;
}

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *memory, size_t size)
{
	return fails() ? NULL : __real_realloc(memory, size);
}

static bool
try_release(struct house *house, struct guest *guest)
{
	char *value = NULL;
	enum wire_status status = guest_release(house, guest, &(struct guest_release){0}, &value);

	if (status == WIRE_OK)
		assert_string_equal(value, "value");
	free(value);
	return status == WIRE_OK;
}

static bool
try_enroll(struct house *house, struct guest *guest)
{
	return guest_enroll(house, guest, NULL) == WIRE_OK;
}

static bool
try_reading(struct house *house, struct guest *guest)
{
	struct operation_request request = {.operation = OPERATION_EXPLAIN};

	operation_set_text(&request, FIELD_MACHINE, guest->id);
	struct house_answer answer = house_operate(house, &house->alice, &request);
	bool good = answer.status == WIRE_OK && answer.outcome == OUTCOME_OK;
	free(answer.json);
	return good;
}

static bool
try_put(struct house *house, struct guest *guest)
{
	(void)guest;
	struct house_answer answer =
		house_put_as(house, "web/key", UINT64_MAX, text_bytes("value"));
	bool good = answer.status == WIRE_OK && answer.outcome == OUTCOME_OK;
	free(answer.json);
	return good;
}

/* Deletes a version, and brings it back at the next call. */
static bool
try_versions(struct house *house, struct guest *guest)
{
	static const uint8_t first[] = {0, 0, 0, 1};
	static bool back;
	struct operation_request request = {.operation = back ? OPERATION_SECRET_UNDELETE
							      : OPERATION_SECRET_DELETE};

	(void)guest;
	back = !back;
	operation_set_text(&request, FIELD_PATH, "web/kept");
	operation_set(&request, FIELD_VERSIONS, BYTES_OF(first));
	struct house_answer answer = house_operate(house, &house->alice, &request);
	bool good = answer.status == WIRE_OK && answer.outcome == OUTCOME_OK;
	free(answer.json);
	return good;
}

static bool
try_settings(struct house *house, struct guest *guest)
{
	static const uint8_t custom[] = {0, 1, 0, 0, 0, 1, 'a', 0, 0, 0, 1, 'b'};
	struct operation_request request = {.operation = OPERATION_SECRET_SETTINGS};

	(void)guest;
	operation_set_text(&request, FIELD_PATH, "web/kept");
	operation_set(&request, FIELD_CUSTOM, BYTES_OF(custom));
	struct house_answer answer = house_operate(house, &house->alice, &request);
	bool good = answer.status == WIRE_OK && answer.outcome == OUTCOME_OK;
	free(answer.json);
	return good;
}

static void
test_each_allocation_fails_once(void **state)
{
	static bool (*const tries[])(struct house * house, struct guest * guest) = {
		try_release, try_enroll, try_reading, try_put, try_versions, try_settings};
	struct house house;
	struct guest guest;

	(void)state;
	house_own_thread = true;
	house_open(&house, SCENE_RULES);
	house_put(&house, "web/key", text_bytes("value"));
	house_put(&house, "web/kept", text_bytes("value"));
	guest_open(&guest);
	guest_admit(&house, &guest, "first");
	house.before = arm;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int refused = 0;
		bool whole = false;
		for (int n = 1; n < ALLOCATIONS_MAX && !whole; n++) {
			planned = n;
			bool good = tries[i](&house, &guest);
			whole = atomic_load(&left) > 0; /* it asked fewer times than that */
			atomic_store(&left, 0);
			planned = 0;
			refused += !good;
			assert_true(good || !whole);
			assert_true(tries[i](&house, &guest));
		}
		assert_true(whole);
		assert_true(refused > 0);
	}
	guest_close(&guest);
	house_close(&house);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_allocation_fails_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
