/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A keeper whose disk or appraiser fails: what is in doubt ends it, what was plainly refused does
 * not, and a log that the appraiser hangs on holds up nobody but those who send logs.
 */
#include "keeper_fixture_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum store_status __real_store_commit(struct store *store, struct store_batch *batch,
				      struct store_error *err);
enum store_status __wrap_store_commit(struct store *store, struct store_batch *batch,
				      struct store_error *err);

enum store_status __real_store_rotate(struct store *store, struct store_error *err);
enum store_status __wrap_store_rotate(struct store *store, struct store_error *err);

/* Of the keeper's next commit, and next rotation. */
static struct {
	atomic_bool due;
	bool durable; /* it is on the disk all the same */
	enum store_status status;
	atomic_bool rotates_in_doubt;
} failure;

enum store_status
__wrap_store_rotate(struct store *store, struct store_error *err)
{
	if (!atomic_exchange(&failure.rotates_in_doubt, false))
		return __real_store_rotate(store, err);
	*err = (struct store_error){.status = STORE_UNSURE, .message = "as planned"};
	return STORE_UNSURE;
}

enum store_status
__wrap_store_commit(struct store *store, struct store_batch *batch, struct store_error *err)
{
	if (house_own_thread || !atomic_exchange(&failure.due, false))
		return __real_store_commit(store, batch, err);
	if (failure.durable)
		assert_int_equal(__real_store_commit(store, batch, err), STORE_OK);
	*err = (struct store_error){.status = failure.status, .message = "as planned"};
	return failure.status;
}

static void
fail_next(enum store_status status, bool durable)
{
	failure.status = status;
	failure.durable = durable;
	atomic_store(&failure.due, true);
}

static int
set_up(void **state)
{
	house_own_thread = true;
	house_put(house_set_up(state, SCENE_RULES), "web/key", text_bytes("value"));
	return 0;
}

static int
tear_down(void **state)
{
	struct house *house = *state;

	atomic_store(&house->hangs, false);
	return house_tear_down(state);
}

static enum operation_outcome
suspend(struct house *house, const struct guest *guest)
{
	struct operation_request request = {.operation = OPERATION_MACHINE_SUSPEND};

	operation_set_text(&request, FIELD_MACHINE, guest->id);
	operation_set_text(&request, FIELD_REASON, "a test");
	struct house_answer answer = house_operate(house, &house->alice, &request);
	assert_int_equal(answer.status, WIRE_OK);
	free(answer.json);
	return answer.outcome;
}

/* The keeper has ended by itself: the socket takes nothing more. */
static void
assert_given_up(struct house *house)
{
	struct frame frame = {FRAME_HEALTH, 0, {0}, -1};

	assert_int_not_equal(channel_send(house->gateway, &frame), CHANNEL_OK);
	house_await_end(house);
}

static void
start_again(struct house *house)
{
	char problem[KEEPER_PROBLEM_SIZE] = "";

	house_stop(house);
	assert_true(house_start(house, problem));
}

/* ---- the disk ---- */

static void
test_a_commit_in_doubt_ends_the_keeper(void **state)
{
	struct house *house = *state;
	struct guest guest;

	guest_open(&guest);
	guest_admit(house, &guest, "first");
	fail_next(STORE_UNSURE, false);
	assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL),
			 WIRE_FAILED);
	assert_given_up(house);
	start_again(house);
	assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL), WIRE_OK);
	guest_close(&guest);
}

static void
test_a_rotation_in_doubt_ends_the_keeper(void **state)
{
	struct operation_request request = {.operation = OPERATION_ROTATE};
	struct house *house = *state;
	struct house_control control;

	atomic_store(&failure.rotates_in_doubt, true);
	struct house_answer answer = house_operate(house, &house->alice, &request);
	assert_int_equal(answer.outcome, OUTCOME_FAILED);
	free(answer.json);
	assert_given_up(house);
	start_again(house);
	control_open(house, &control);
	atomic_store(&failure.rotates_in_doubt, true);
	int status = control_ask(&control, FRAME_CONTROL_ROTATE, (struct bytes){0});
	assert_true(status == CONTROL_FAILED || status == -1);
	assert_given_up(house);
	control_close(&control);
	start_again(house);
}

/* Who fills the disk must not keep it open. */
static void
test_a_disk_that_takes_no_entry_does_not_keep_it_from_being_sealed(void **state)
{
	struct house *house = *state;
	struct house_control control;

	control_open(house, &control);
	fail_next(STORE_SPACE, false);
	assert_int_equal(control_ask(&control, FRAME_CONTROL_SEAL, (struct bytes){0}), CONTROL_OK);
	assert_non_null(strstr(control.text, "could not be told"));
	house_await_seal(house);
	control_close(&control);
	start_again(house);
	struct operation_request request = {.operation = OPERATION_SEAL};
	fail_next(STORE_SPACE, false);
	struct house_answer answer = house_operate(house, &house->alice, &request);
	assert_int_equal(answer.outcome, OUTCOME_OK);
	free(answer.json);
	house_await_seal(house);
	start_again(house);
}

static void
test_an_act_in_doubt_ends_the_keeper_and_counts_from_its_next_start(void **state)
{
	/* The second says that nothing was changed, and it can be seen that it was. */
	static const enum store_status statuses[] = {STORE_UNSURE, STORE_SPACE};
	struct house *house = *state;

	for (size_t i = 0; i < 2; i++) {
		struct guest guest;
		guest_open(&guest);
		guest_admit(house, &guest, i == 0 ? "first" : "second");
		fail_next(statuses[i], true);
		assert_int_equal(suspend(house, &guest), OUTCOME_FAILED);
		assert_given_up(house);
		start_again(house);
		assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL),
				 WIRE_IDENTITY);
		guest_close(&guest);
	}
}

static void
assert_refused_cleanly(struct house *house, enum store_status status, const char *words)
{
	struct operation_request request = {.operation = OPERATION_MACHINE_SUSPEND};
	struct guest guest;
	char name[32];

	guest_open(&guest);
	snprintf(name, sizeof(name), "machine-%d", (int)status);
	guest_admit(house, &guest, name);
	fail_next(status, false);
	assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL),
			 WIRE_STORE);
	operation_set_text(&request, FIELD_MACHINE, guest.id);
	operation_set_text(&request, FIELD_REASON, "a test");
	fail_next(status, false);
	struct house_answer answer = house_operate(house, &house->alice, &request);
	assert_int_equal(answer.outcome, OUTCOME_FAILED);
	assert_non_null(strstr(answer.json, words));
	free(answer.json);
	/* The act was not applied, and with the cause it is over. */
	assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL), WIRE_OK);
	assert_int_equal(atomic_load(&house->keeper.trouble), STORE_OK);
	assert_int_equal(suspend(house, &guest), OUTCOME_OK);
	guest_close(&guest);
	/* Of an enrolment that was refused nothing stays. */
	guest_open(&guest);
	size_t count = house->keeper.trust.machine_count;
	fail_next(status, false);
	assert_int_equal(guest_enroll(house, &guest, NULL), WIRE_STORE);
	assert_int_equal(house->keeper.trust.machine_count, count);
	assert_int_equal(guest_enroll(house, &guest, NULL), WIRE_OK);
	assert_int_equal(house->keeper.trust.machine_count, count + 1);
	guest_close(&guest);
}

static void
test_a_disk_that_takes_nothing_refuses_and_the_keeper_goes_on(void **state)
{
	assert_refused_cleanly(*state, STORE_SPACE, "no room on the broker's disk");
	assert_refused_cleanly(*state, STORE_READONLY, "may not be written");
	assert_refused_cleanly(*state, STORE_IO, "disk fails");
}

static void
test_a_start_on_a_disk_that_takes_nothing_serves_readings(void **state)
{
	struct house *house = *state;
	char problem[KEEPER_PROBLEM_SIZE] = "";

	house_stop(house);
	fail_next(STORE_SPACE, false);
	assert_true(house_start(house, problem));
	assert_int_equal(house_call(house, FRAME_HEALTH, (struct bytes){0}, NULL), WIRE_OK);
	/* What was due is written when it can be. */
	for (size_t i = 0; atomic_load(&house->keeper.trouble) != STORE_OK; i++) {
		assert_true(i < 500);
		usleep(10000);
	}
	char *log = house_audit(house);
	size_t starts = 0;
	for (const char *at = log; (at = strstr(at, "\\\"kind\\\":\\\"start\\\"")); at++)
		starts++;
	assert_int_equal(starts, 2);
	free(log);
}

/* ---- the appraiser ---- */

static void
test_a_log_that_hangs_the_appraiser_holds_up_nobody_else(void **state)
{
	struct house *house = *state;
	struct guest_release with_log = {0};
	struct software_log log;
	struct guest guest;

	house->keeper.appraisers.timeout_ms = 1000;
	guest_open(&guest);
	software_log_boot(&log, 10, true);
	with_log.event_log = (struct bytes){log.data, log.size};
	guest_admit(house, &guest, "first");
	atomic_store(&house->hangs, true);
	assert_int_equal(guest_release(house, &guest, &with_log, NULL), WIRE_BUSY);
	int64_t begun = monotonic_milliseconds();
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(guest_release(house, &guest, &with_log, NULL), WIRE_BUSY);
	assert_true(monotonic_milliseconds() - begun < 4000); /* not each a second */
	assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL), WIRE_OK);
	/* What comes too late is of no use to those after it, and they are served again. */
	atomic_store(&house->hangs, false);
	for (size_t i = 0; i < 1000; i++) {
		if (guest_release(house, &guest, &with_log, NULL) == WIRE_OK)
			break;
		usleep(1000);
	}
	assert_int_equal(guest_release(house, &guest, &with_log, NULL), WIRE_OK);
	software_log_free(&log);
	guest_close(&guest);
}

static void
test_an_appraiser_that_never_answers_ends_the_keeper(void **state)
{
	struct house *house = *state;
	struct guest_release with_log = {0};
	struct software_log log;
	struct guest guest;

	house->keeper.appraisers.timeout_ms = 50;
	house->keeper.appraisers.hung_ms = 200;
	guest_open(&guest);
	software_log_boot(&log, 10, true);
	with_log.event_log = (struct bytes){log.data, log.size};
	guest_admit(house, &guest, "first");
	atomic_store(&house->hangs, true);
	assert_int_equal(guest_release(house, &guest, &with_log, NULL), WIRE_BUSY);
	usleep(300 * 1000);
	assert_int_equal(guest_release(house, &guest, &with_log, NULL), WIRE_BUSY);
	atomic_store(&house->hangs, false);
	assert_given_up(house);
	start_again(house);
	assert_int_equal(guest_release(house, &guest, &with_log, NULL), WIRE_OK);
	software_log_free(&log);
	guest_close(&guest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_a_commit_in_doubt_ends_the_keeper),
		TEST(test_a_rotation_in_doubt_ends_the_keeper),
		TEST(test_a_disk_that_takes_no_entry_does_not_keep_it_from_being_sealed),
		TEST(test_an_act_in_doubt_ends_the_keeper_and_counts_from_its_next_start),
		TEST(test_a_disk_that_takes_nothing_refuses_and_the_keeper_goes_on),
		TEST(test_a_start_on_a_disk_that_takes_nothing_serves_readings),
		TEST(test_a_log_that_hangs_the_appraiser_holds_up_nobody_else),
		TEST(test_an_appraiser_that_never_answers_ends_the_keeper),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
