/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks that go back or overtake each other, suspension, and what a keeper finds when it starts.
 */
#include "keeper_fixture_web.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void
about_machine(struct house *house, const struct guest *guest, enum operation operation)
{
	struct operation_request request = {.operation = (uint16_t)operation};

	operation_set_text(&request, FIELD_MACHINE, guest->id);
	operation_set_text(&request, FIELD_REASON, "a test");
	house_must(house, &request);
}

/* ---- clocks ---- */

static void
test_a_clock_that_goes_back_suspends_until_readmitted(void **state)
{
	struct house *house = *state;
	struct guest_release how = {0};
	char problem[KEEPER_PROBLEM_SIZE];
	struct guest guest;

	guest_open(&guest);
	guest_admit(house, &guest, "first");
	assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_OK);
	usleep(2000); /* the next challenge is from after that */
	guest.tpm.clock.clock -= 1;
	assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_QUOTE);
	assert_state(house, &guest, "suspended");
	guest.tpm.clock.clock += 1000;
	assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_IDENTITY);
	assert_explained(house, &guest, "clock went back");
	house_stop(house); /* and it stays so */
	assert_true(house_start(house, problem));
	assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_IDENTITY);
	about_machine(house, &guest, OPERATION_MACHINE_READMIT);
	house_stop(house); /* the readmission is durable, and the clock forgotten on the disk too */
	assert_true(house_start(house, problem));
	guest.tpm.clock = (struct attest_clock){0, 0, 5}; /* as after TPM2_Clear */
	assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_OK);
	house_stop(house); /* the new clock is durable too */
	assert_true(house_start(house, problem));
	guest.tpm.clock.clock = 4;
	assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_QUOTE);
	guest_close(&guest);
}

static void
test_releases_that_overtake_each_other_suspend_nobody(void **state)
{
	struct house *house = *state;
	uint8_t first[WIRE_CHALLENGE_SIZE], second[WIRE_CHALLENGE_SIZE];
	struct guest guest;

	guest_open(&guest);
	guest_admit(house, &guest, "first");
	guest_challenge(house, &guest, first);
	guest_challenge(house, &guest, second);
	guest.tpm.clock.clock += 2000;
	assert_int_equal(guest_release(house, &guest,
				       &(struct guest_release){.challenge = BYTES_OF(second)},
				       NULL),
			 WIRE_OK);
	guest.tpm.clock.clock -= 1000;
	assert_int_equal(guest_release(house, &guest,
				       &(struct guest_release){.challenge = BYTES_OF(first)}, NULL),
			 WIRE_OK);
	/* The newest clock has stayed: a quote for a challenge from after it must not be below. */
	usleep(2000);
	guest.tpm.clock.clock += 500;
	assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL),
			 WIRE_QUOTE);
	assert_state(house, &guest, "suspended");
	guest_close(&guest);
}

/* A quote of before a reboot that comes after one of after it: refused, and no proof of a rollback. */
static void
test_a_quote_held_back_over_a_reboot_suspends_nobody(void **state)
{
	struct house *house = *state;
	uint8_t first[WIRE_CHALLENGE_SIZE], second[WIRE_CHALLENGE_SIZE];
	struct guest_release before = {.challenge = BYTES_OF(first)};
	struct guest_release after = {.challenge = BYTES_OF(second)};
	struct guest guest;

	guest_open(&guest);
	guest_admit(house, &guest, "first");
	guest_challenge(house, &guest, first);
	guest_challenge(house, &guest, second);
	guest.tpm.clock.reset_count += 1;
	assert_int_equal(guest_release(house, &guest, &after, NULL), WIRE_OK);
	guest.tpm.clock.reset_count -= 1;
	assert_int_equal(guest_release(house, &guest, &before, NULL), WIRE_QUOTE);
	assert_explained(house, &guest, "\"quote.clock.reset\",\"ok\":false");
	assert_state(house, &guest, "admitted");
	assert_int_equal(guest_release(house, &guest, &before, NULL), WIRE_CHALLENGE);
	guest.tpm.clock.reset_count += 1;
	assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL), WIRE_OK);
	guest_close(&guest);
}

static void
test_a_suspended_machine_waits_for_its_readmission(void **state)
{
	struct house *house = *state;
	struct guest guest;

	guest_open(&guest);
	guest_admit(house, &guest, "first");
	about_machine(house, &guest, OPERATION_MACHINE_SUSPEND);
	assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL),
			 WIRE_IDENTITY);
	about_machine(house, &guest, OPERATION_MACHINE_READMIT);
	assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL), WIRE_OK);
	guest_close(&guest);
}

/* ---- starting ---- */

typedef void tamper(struct store_batch *batch, struct store *store);

static void
act_beyond(struct store_batch *batch, struct store *store)
{
	struct secret *act = NULL;
	struct store_error err;
	uint64_t revision;

	assert_int_equal(store_get(store, "act/0000000000000002", &act, &revision, &err), STORE_OK);
	store_batch_put(batch, "act/0000000000000004", (struct store_bytes){act->bytes, act->size});
	secret_free(act);
}

static void
act_missing(struct store_batch *batch, struct store *store)
{
	(void)store;
	store_batch_delete(batch, "act/0000000000000002");
}

static void
act_of_before(struct store_batch *batch, struct store *store)
{
	struct secret *act = NULL;
	struct store_error err;
	uint64_t revision;

	assert_int_equal(store_get(store, "act/0000000000000002", &act, &revision, &err), STORE_OK);
	store_batch_put(batch, "act/0000000000000003", (struct store_bytes){act->bytes, act->size});
	secret_free(act);
}

static void
act_unsigned(struct store_batch *batch, struct store *store)
{
	struct secret *act = NULL;
	struct store_error err;
	uint64_t revision;

	assert_int_equal(store_get(store, "act/0000000000000003", &act, &revision, &err), STORE_OK);
	act->bytes[act->size - 1] ^= 1;
	store_batch_put(batch, "act/0000000000000003", (struct store_bytes){act->bytes, act->size});
	secret_free(act);
}

static void
trust_cut(struct store_batch *batch, struct store *store)
{
	struct secret *act = NULL;
	struct store_error err;
	struct trust_record record = {.revision = 2};
	uint8_t memory[RECORD_TRUST_SIZE];
	struct writer w = writer_of(memory, sizeof(memory));
	uint64_t revision;

	assert_int_equal(store_get(store, "act/0000000000000002", &act, &revision, &err), STORE_OK);
	crypto_hash_sha256(record.head, act->bytes, act->size);
	trust_record_write(&w, &record);
	store_batch_put(batch, "trust", (struct store_bytes){memory, w.size});
	secret_free(act);
}

/* All of act 3 taken back, as by one who has the root key too: only the log still knows of it. */
static void
act_taken_back(struct store_batch *batch, struct store *store)
{
	trust_cut(batch, store);
	store_batch_delete(batch, "act/0000000000000003");
}

static void
trust_hash(struct store_batch *batch, struct store *store)
{
	struct trust_record record = {.revision = 3, .head = {1}};
	uint8_t memory[RECORD_TRUST_SIZE];
	struct writer w = writer_of(memory, sizeof(memory));

	(void)store;
	trust_record_write(&w, &record);
	store_batch_put(batch, "trust", (struct store_bytes){memory, w.size});
}

static void
machine_garbage(struct store_batch *batch, struct store *store)
{
	(void)store;
	store_batch_put(batch, "machine/m-0000000000000000",
			(struct store_bytes){(const uint8_t *)"x", 1});
}

static void
key_missing(struct store_batch *batch, struct store *store)
{
	(void)store;
	store_batch_delete(batch, "key/answer");
}

static void
test_a_store_that_was_meddled_with_is_refused(void **state)
{
	static const struct {
		tamper *tamper;
		const char *named;
	} cases[] = {
		{act_beyond, "act/0000000000000004"},
		{act_missing, "act/0000000000000002"},
		{act_of_before, "act/0000000000000003"},
		{act_unsigned, "act/0000000000000003: its signature"},
		{trust_cut, "act/0000000000000003"},
		{act_taken_back, "revision 2, and the audit log has come to 3"},
		{trust_hash, "trust"},
		{machine_garbage, "machine/m-0000000000000000"},
		{key_missing, "key/answer"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct house house;
		struct guest guest;
		struct store *store = NULL;
		struct store_error err;
		char problem[KEEPER_PROBLEM_SIZE] = "";
		house_open(&house, WEB_RULES);
		guest_open(&guest);
		guest_admit(&house, &guest, "first");			  /* act 2 */
		about_machine(&house, &guest, OPERATION_MACHINE_SUSPEND); /* act 3 */
		house_stop(&house);
		assert_true(house_start(&house, problem));
		house_stop(&house);
		assert_int_equal(store_open(house.options.store, house.root_key, &store, &err),
				 STORE_OK);
		struct store_batch *batch = store_batch_new();
		cases[i].tamper(batch, store);
		assert_int_equal(store_commit(store, batch, &err), STORE_OK);
		store_batch_free(batch);
		store_close(store);
		assert_false(house_start(&house, problem));
		if (!strstr(problem, cases[i].named))
			fail_msg("%s is not in: %s", cases[i].named, problem);
		guest_close(&guest);
		house_close(&house);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, web_set_up, web_tear_down)
		TEST(test_a_clock_that_goes_back_suspends_until_readmitted),
		TEST(test_releases_that_overtake_each_other_suspend_nobody),
		TEST(test_a_quote_held_back_over_a_reboot_suspends_nobody),
		TEST(test_a_suspended_machine_waits_for_its_readmission),
#undef TEST
		cmocka_unit_test(test_a_store_that_was_meddled_with_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
