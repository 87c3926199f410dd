/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing and counting by a TPM that fails, and what passes on the way to it. */
#include "attest/host.h"
#include "fixture.h"
#include "spoiled_tcti.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define INDEX 0x01800042U
#define PCRS  (1U << 7)

static const uint8_t some_key[HOST_KEY_SIZE] = "a root key of thirty-two bytes!";

static enum attester_status
ask_all(struct attester *attester, struct attester_error *err)
{
	uint8_t file[HOST_SEALED_MAX], key[HOST_KEY_SIZE];
	uint64_t value;
	size_t size = 0;

	enum attester_status status = host_seal(attester, some_key, PCRS, file, &size, err);
	if (status == ATTESTER_OK)
		status = host_unseal(attester, file, size, key, err);
	if (status == ATTESTER_OK)
		status = host_counter_define(attester, INDEX, &value, err);
	if (status == ATTESTER_OK)
		status = host_counter_increment(attester, INDEX, &value, err);
	if (status == ATTESTER_OK)
		status = host_counter_read(attester, INDEX, &value, err);
	return status;
}

/* Each command in turn fails; whatever was loaded before it is flushed. */
static void
each_failure_leaves_nothing(void **state)
{
	static const TSS2_RC codes[] = {TPM2_RC_FAILURE, TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_1,
					TPM2_RC_COMMAND_CODE};
	struct spoiled_tcti spoiled;
	struct attester *attester = open_spoiled(&spoiled);
	struct attester_error err = {0};
	(void)state;

	if (ask_all(attester, &err) != ATTESTER_OK)
		fail_msg("%s", err.message);
	spoiled.commands = 0;
	assert_int_equal(ask_all(attester, &err), ATTESTER_OK);
	const unsigned commands = spoiled.commands;
	unsigned survived = 0;
	assert_in_range(commands, 25, 80);
	for (size_t row = 0; row < COUNT(codes); row++) {
		for (unsigned i = 1; i <= commands; i++) {
			spoiled.commands = 0;
			spoiled.fail_first = i;
			spoiled.fail_count = 1;
			spoiled.fail_with = codes[row];
			err.message[0] = '\0';
			enum attester_status status = ask_all(attester, &err);
			spoiled.fail_first = 0;
			survived += status == ATTESTER_OK;
			if (status != ATTESTER_OK && err.message[0] == '\0')
				fail_msg("0x%x at %u: no word", codes[row], i);
			assert_nothing_left(attester);
		}
	}
	/* What only washes memory may fail: once for each opening. */
	assert_int_equal(survived, 2 * COUNT(codes));
	close_spoiled(attester, &spoiled);
}

/* Who listens on the line learns neither half of the key. */
static void
the_key_does_not_cross_the_line_in_clear(void **state)
{
	static const uint8_t public_value[] = {0, 0, 0, 0, 0x01, 0x80, 0, 0x42};
	struct spoiled_tcti spoiled;
	struct attester *attester = open_spoiled(&spoiled);
	struct attester_error err;
	(void)state;

	spoiled.needle = some_key;
	spoiled.needle_size = sizeof(some_key) / 2;
	assert_int_equal(ask_all(attester, &err), ATTESTER_OK);
	assert_int_equal(spoiled.needle_seen, 0);
	spoiled.needle = some_key + sizeof(some_key) / 2;
	assert_int_equal(ask_all(attester, &err), ATTESTER_OK);
	assert_int_equal(spoiled.needle_seen, 0);
	spoiled.needle = public_value + 4; /* the ear hears: an index is no secret */
	spoiled.needle_size = 4;
	assert_int_equal(ask_all(attester, &err), ATTESTER_OK);
	assert_true(spoiled.needle_seen > 0);
	close_spoiled(attester, &spoiled);
}

/* Whoever sits on the line alters what it takes for the counter. */
static void
an_altered_answer_is_not_believed(void **state)
{
	struct spoiled_tcti spoiled;
	struct attester *attester = open_spoiled(&spoiled);
	struct attester_error err = {0};
	uint64_t value = 4711;
	(void)state;

	assert_int_equal(ask_all(attester, &err), ATTESTER_OK);
	spoiled.flip_nv_read = true;
	assert_int_equal(host_counter_read(attester, INDEX, &value, &err), ATTESTER_UNAVAILABLE);
	assert_int_equal(value, 4711);
	/* The stack answers nothing after that: another one does. */
	close_spoiled(attester, &spoiled);
	assert_true(private_tpm_restart(&tpm));
	attester = open_tpm();
	assert_int_equal(host_counter_read(attester, INDEX, &value, &err), ATTESTER_OK);
	undefine_nv(attester, INDEX, ESYS_TR_RH_OWNER);
	close_tpm(attester);
}

/* PCRs that move between the reading and the sealing make no file that nothing opens. */
static void
pcrs_that_move_meanwhile_are_said_to(void **state)
{
	struct spoiled_tcti spoiled;
	struct attester *attester = open_spoiled(&spoiled);
	struct attester_error err = {0};
	uint8_t file[HOST_SEALED_MAX];
	size_t size = 4711;
	(void)state;

	spoiled.move_after = TPM2_CC_PCR_Read;
	assert_int_equal(host_seal(attester, some_key, 1U << 10, file, &size, &err),
			 ATTESTER_MOVED);
	assert_non_null(strstr(err.message, "settled"));
	assert_int_equal(size, 4711);
	spoiled.move_count =
		1000; /* before each of the two commands that more than eight PCRs take */
	assert_int_equal(host_seal(attester, some_key, 0xffff, file, &size, &err), ATTESTER_MOVED);
	spoiled.move_count = 0;
	assert_int_equal(host_seal(attester, some_key, 0xffff, file, &size, &err), ATTESTER_OK);
	assert_nothing_left(attester);
	close_spoiled(attester, &spoiled);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_failure_leaves_nothing),
		cmocka_unit_test(the_key_does_not_cross_the_line_in_clear),
		cmocka_unit_test(an_altered_answer_is_not_believed),
		cmocka_unit_test(pcrs_that_move_meanwhile_are_said_to),
	};

	if (!private_tpm_possible()) {
		fprintf(stderr, "skipped: swtpm is not installed\n");
		return PRIVATE_TPM_SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, stop_tpm);
}
