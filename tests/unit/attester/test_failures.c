/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM that is not there, says no, stalls, moves, or goes away. */
#include "fixture.h"
#include "spoiled_tcti.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- opening ---- */

static void
open_says_why_not(void **state)
{
	static const struct {
		const char *tcti, *want;
	} rows[] = {
		{"device:/dev/no-such-tpm", "has this machine a TPM"},
		{"device:/dev/null/tpm", "has this machine a TPM"},
		{"device:/tmp", "another program"},
		{"swtpm:path=/tmp/no-such-folder/tpm", "is it running"},
		{"no-such-tcti:", "installed"},
		{"", "is it running"},
		{"swtpm:nonsense=1", "is it running"},
	};
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct attester *attester = NULL;
		struct attester_error err = {0};

		assert_int_equal(attester_open(rows[i].tcti, &attester, &err),
				 ATTESTER_UNAVAILABLE);
		assert_null(attester);
		assert_int_equal(err.status, ATTESTER_UNAVAILABLE);
		if (strstr(err.message, rows[i].want) == NULL)
			fail_msg("\"%s\": %s", rows[i].tcti, err.message);
	}
}

/* The commonest one: the device is there, and the user is not in its group. */
static void
open_names_a_missing_permission(void **state)
{
	char device[] = "/tmp/postern-device-XXXXXX";
	char tcti[64];
	struct attester *attester = NULL;
	struct attester_error err = {0};
	const uid_t user = geteuid();
	int fd = mkstemp(device);
	(void)state;

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0), 0);
	close(fd);
	snprintf(tcti, sizeof(tcti), "device:%s", device);
	if (user == 0)
		assert_int_equal(seteuid(65534), 0);
	enum attester_status status = attester_open(tcti, &attester, &err);
	assert_int_equal(seteuid(user), 0);
	unlink(device);
	assert_int_equal(status, ATTESTER_UNAVAILABLE);
	assert_non_null(strstr(err.message, "group tss"));
}

static void
open_leaves_the_user_his_log_level(void **state)
{
	(void)state;
	assert_string_equal(getenv("TSS2_LOG"), "all+NONE");
	assert_int_equal(setenv("TSS2_LOG", "all+ERROR", 1), 0);
	attester_close(open_tpm());
	assert_string_equal(getenv("TSS2_LOG"), "all+ERROR");
	assert_int_equal(setenv("TSS2_LOG", "all+NONE", 1), 0);
}

/* ---- what a TPM answers, as a status ---- */

static void
answers_become_statuses(void **state)
{
	static const struct {
		const char *name;
		TSS2_RC rc;
		enum attester_status want;
		const char *word;
	} rows[] = {
		{"lockout", TPM2_RC_LOCKOUT, ATTESTER_UNAVAILABLE, "locked out"},
		{"not started", TPM2_RC_INITIALIZE, ATTESTER_UNAVAILABLE, "tpm2_startup"},
		{"no room", TPM2_RC_OBJECT_MEMORY, ATTESTER_UNAVAILABLE, "tpmrm0"},
		{"no room, from the kernel's resource manager",
		 TSS2_RESMGR_TPM_RC_LAYER | TPM2_RC_OBJECT_MEMORY, ATTESTER_UNAVAILABLE, "tpmrm0"},
		{"busy", TPM2_RC_RETRY, ATTESTER_UNAVAILABLE, "busy"},
		{"wrong password, session 1", TPM2_RC_BAD_AUTH | TPM2_RC_S | TPM2_RC_1,
		 ATTESTER_REFUSED, "empty"},
		{"wrong auth, session 2", TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_2,
		 ATTESTER_REFUSED, "empty"},
		{"hierarchy off, handle 1", TPM2_RC_HIERARCHY | TPM2_RC_1, ATTESTER_REFUSED,
		 "disabled"},
		{"credential spoiled, parameter 1", TPM2_RC_INTEGRITY | TPM2_RC_P | TPM2_RC_1,
		 ATTESTER_REFUSED, "not made for"},
		{"curve, parameter 2", TPM2_RC_CURVE | TPM2_RC_P | TPM2_RC_2, ATTESTER_UNSUPPORTED,
		 "curve"},
		{"anything else of the TPM", TPM2_RC_POLICY_FAIL | TPM2_RC_S | TPM2_RC_1,
		 ATTESTER_REFUSED, "0x99d"},
		{"line cut", TSS2_TCTI_RC_IO_ERROR, ATTESTER_UNAVAILABLE, "does not answer"},
		{"answer garbled", TSS2_ESYS_RC_MALFORMED_RESPONSE, ATTESTER_UNAVAILABLE,
		 "does not answer"},
		{"no memory", TSS2_ESYS_RC_MEMORY, ATTESTER_MEMORY, "memory"},
	};
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct attester_error err;

		if (attester_fail_tss(&err, rows[i].rc, "x") != rows[i].want ||
		    err.status != rows[i].want || strstr(err.message, rows[i].word) == NULL)
			fail_msg("%s: %d, %s", rows[i].name, err.status, err.message);
	}
}

static void
no_sha256_bank_is_unsupported(void **state)
{
	struct private_tpm other;
	struct attester *attester = NULL;
	struct attester_error err;
	struct attester_quote quote;
	(void)state;

	if (!private_tpm_possible())
		skip();
	assert_true(private_tpm_start(&other, "sha1"));
	assert_int_equal(attester_open(other.tcti, &attester, &err), ATTESTER_OK);
	assert_int_equal(attester_quote(attester, some_nonce, &quote, &err), ATTESTER_UNSUPPORTED);
	assert_non_null(strstr(err.message, "SHA-256"));
	close_tpm(attester);
	private_tpm_stop(&other);
}

/* ---- a TPM that says no, stalls, or goes away ---- */

static void
owned_endorsement_hierarchy_is_refused(void **state)
{
	const TPM2B_AUTH password = {.size = 1, .buffer = {'x'}};
	const TPM2B_AUTH none = {.size = 0};
	struct attester *attester = open_tpm();
	struct attester_error err = {0};
	struct attester_ek ek;
	struct attester_ak ak;
	struct attester_quote quote;
	(void)state;

	assert_int_equal(Esys_HierarchyChangeAuth(attester->esys, ESYS_TR_RH_ENDORSEMENT,
						  ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
						  &password),
			 TSS2_RC_SUCCESS);
	attester_close(attester);
	attester = open_tpm(); /* anew: ESYS remembers the password that it set */
	assert_int_equal(attester_ek(attester, ATTESTER_EK_ANY, &ek, &err), ATTESTER_REFUSED);
	assert_non_null(strstr(err.message, "endorsement hierarchy's to be empty"));
	assert_int_equal(attester_ak(attester, &ak, &err), ATTESTER_REFUSED);
	assert_int_equal(attester_quote(attester, some_nonce, &quote, &err), ATTESTER_REFUSED);
	assert_nothing_left(attester);
	assert_int_equal(Esys_TR_SetAuth(attester->esys, ESYS_TR_RH_ENDORSEMENT, &password),
			 TSS2_RC_SUCCESS);
	assert_int_equal(Esys_HierarchyChangeAuth(attester->esys, ESYS_TR_RH_ENDORSEMENT,
						  ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
						  &none),
			 TSS2_RC_SUCCESS);
	close_tpm(attester);
}

/* Everything the attester can be asked, one after the other, until something fails. */
static enum attester_status
ask_all(struct attester *attester, const struct attest_credential *credential,
	struct attester_error *err)
{
	struct attester_ek ek;
	struct attester_ak ak;
	struct attester_quote quote;
	uint8_t secret[64];
	size_t size;

	enum attester_status status = attester_ek(attester, ATTESTER_EK_P384, &ek, err);
	if (status == ATTESTER_OK)
		status = attester_ak(attester, &ak, err);
	if (status == ATTESTER_OK)
		status = attester_activate(attester, credential, secret, &size, err);
	if (status == ATTESTER_OK)
		status = attester_quote(attester, some_nonce, &quote, err);
	return status;
}

/* Each command in turn fails; whatever was loaded before it is flushed. */
static void
each_failure_leaves_nothing(void **state)
{
	static const struct {
		TSS2_RC rc;
		enum attester_status want;
	} rows[] = {
		{TPM2_RC_FAILURE, ATTESTER_UNAVAILABLE},
		{TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_1, ATTESTER_REFUSED},
		{TPM2_RC_COMMAND_CODE, ATTESTER_UNSUPPORTED},
	};
	struct spoiled_tcti spoiled;
	struct attester *attester = open_spoiled(&spoiled);
	struct attester_error err;
	struct attester_ek ek;
	(void)state;

	assert_int_equal(attester_ek(attester, ATTESTER_EK_P384, &ek, &err), ATTESTER_OK);
	const struct attest_credential credential = make_credential(attester, &ek, some_secret);
	spoiled.commands = 0;
	assert_int_equal(ask_all(attester, &credential, &err), ATTESTER_OK);
	const unsigned commands = spoiled.commands;
	assert_in_range(commands, 15, 40);
	for (size_t row = 0; row < COUNT(rows); row++) {
		for (unsigned i = 1; i <= commands; i++) {
			spoiled.commands = 0;
			spoiled.fail_first = i;
			spoiled.fail_count = 1;
			spoiled.fail_with = rows[row].rc;
			enum attester_status status = ask_all(attester, &credential, &err);
			spoiled.fail_first = 0;
			if (status != rows[row].want)
				fail_msg("0x%x at %u: %d, %s", rows[row].rc, i, status,
					 err.message);
			assert_nothing_left(attester);
		}
	}
	close_spoiled(attester, &spoiled);
}

/* ESYS cannot send anything after its line failed: the attester stays unavailable, and a new one
 * works. */
static void
cut_line_ends_this_attester_alone(void **state)
{
	struct attester_error err;
	struct attester_quote quote;
	(void)state;

	for (unsigned i = 1; i <= 4; i++) {
		struct spoiled_tcti spoiled;
		struct attester *attester = open_spoiled(&spoiled);

		spoiled.fail_first = i;
		spoiled.fail_count = 1;
		spoiled.fail_with = TSS2_TCTI_RC_IO_ERROR;
		for (int tries = 0; tries < 3; tries++)
			assert_int_equal(attester_quote(attester, some_nonce, &quote, &err),
					 ATTESTER_UNAVAILABLE);
		close_spoiled(attester, &spoiled);
		assert_true(private_tpm_restart(&tpm)); /* there is no resource manager to flush */
	}
	struct attester *attester = open_tpm();
	assert_int_equal(attester_quote(attester, some_nonce, &quote, &err), ATTESTER_OK);
	close_tpm(attester);
}

static void
busy_tpm_is_asked_again_but_not_forever(void **state)
{
	static const TSS2_RC rows[] = {TPM2_RC_RETRY, TPM2_RC_TESTING, TPM2_RC_YIELDED};
	struct spoiled_tcti spoiled;
	struct attester *attester = open_spoiled(&spoiled);
	struct attester_error err;
	struct attester_quote quote;
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		spoiled.commands = 0;
		spoiled.fail_first = 2;	 /* TPM2_Quote */
		spoiled.fail_count = 12; /* more often than ESYS repeats it by itself */
		spoiled.fail_with = rows[i];
		assert_int_equal(attester_quote(attester, some_nonce, &quote, &err), ATTESTER_OK);
		assert_in_range(spoiled.commands, 12, 30);
	}
	spoiled.commands = 0;
	spoiled.fail_count = 10000;
	assert_int_equal(attester_quote(attester, some_nonce, &quote, &err), ATTESTER_UNAVAILABLE);
	assert_non_null(strstr(err.message, "busy"));
	assert_in_range(spoiled.commands, 12, 100);
	spoiled.fail_first = 0;
	assert_nothing_left(attester);
	close_spoiled(attester, &spoiled);
}

static void
moved_pcrs_are_read_again_but_not_forever(void **state)
{
	struct spoiled_tcti spoiled;
	struct attester *attester = open_spoiled(&spoiled);
	struct attester_error err;
	struct attester_quote quote = {.message_size = 4711};
	(void)state;

	spoiled.move_count = 1000;
	assert_int_equal(attester_quote(attester, some_nonce, &quote, &err), ATTESTER_MOVED);
	assert_int_equal(quote.message_size, 4711);
	assert_int_equal(spoiled.move_count, 1000 - 5 * 2); /* five quotes, two readings each */
	spoiled.move_count = 4 * 2;
	assert_int_equal(attester_quote(attester, some_nonce, &quote, &err), ATTESTER_OK);
	assert_quote_holds(attester, &quote);
	assert_nothing_left(attester);
	close_spoiled(attester, &spoiled);
}

/* Some TPMs hand out less of an NV index at a time than a certificate is long. */
static void
small_nv_buffer_is_respected(void **state)
{
	static const uint32_t limits[] = {1, 64, 511, 512, 4096};
	static struct attester_ek whole, parts;
	struct spoiled_tcti spoiled;
	struct attester *attester = open_spoiled(&spoiled);
	struct attester_error err;
	(void)state;

	assert_int_equal(attester_ek(attester, ATTESTER_EK_P384, &whole, &err), ATTESTER_OK);
	for (size_t i = 0; i < COUNT(limits); i++) {
		size_t limit = limits[i] < 512 ? limits[i] : 512;

		spoiled.nv_buffer = limits[i];
		spoiled.nv_reads = 0;
		assert_int_equal(attester_ek(attester, ATTESTER_EK_P384, &parts, &err),
				 ATTESTER_OK);
		assert_int_equal(spoiled.nv_reads,
				 (whole.certificates[0].size + limit - 1) / limit);
		assert_memory_equal(&parts, &whole, sizeof(whole));
	}
	close_spoiled(attester, &spoiled);
}

#define LIST_OFFSET 19 /* of an answer to TPM2_GetCapability, up to what its list holds */

/* A TPM that is none: the stack unmarshals what it answers, and does not hold it against the
 * question. */
static void
strange_lists_of_handles_are_not_believed(void **state)
{
	static const struct {
		const char *name;
		uint32_t capability, count, each, first;
		enum attester_status want;
	} rows[] = {
		{"more curves than there is room for handles", TPM2_CAP_ECC_CURVES,
		 TPM2_MAX_ECC_CURVES, 2, 0, ATTESTER_UNAVAILABLE},
		{"a command that reads as a handle", TPM2_CAP_COMMANDS, 1, 4, UINT32_MAX,
		 ATTESTER_UNAVAILABLE},
		{"below what was asked for", TPM2_CAP_HANDLES, 1, 4, 0x01000000,
		 ATTESTER_UNAVAILABLE},
		{"the greatest handle, and more to come", TPM2_CAP_HANDLES, 1, 4, UINT32_MAX,
		 ATTESTER_OK},
		{"none, and more to come", TPM2_CAP_HANDLES, 0, 4, 0, ATTESTER_OK},
	};
	struct spoiled_tcti spoiled;
	struct attester *attester = open_spoiled(&spoiled);
	struct attester_error err;
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		static struct attester_ek ek;
		const size_t size = LIST_OFFSET + (size_t)rows[i].count * rows[i].each;
		uint8_t answer[LIST_OFFSET + 4 * TPM2_MAX_ECC_CURVES] = {
			0x80,
			0x01,
			[4] = (uint8_t)(size >> 8),
			[5] = (uint8_t)size,
			[10] = 1, /* more to come */
			[14] = (uint8_t)rows[i].capability,
			[17] = (uint8_t)(rows[i].count >> 8),
			[18] = (uint8_t)rows[i].count,
		};

		for (int byte = 0; byte < 4; byte++)
			answer[LIST_OFFSET + byte] = (uint8_t)(rows[i].first >> (24 - 8 * byte));
		spoiled.handles = answer;
		spoiled.handles_size = size;
		if (attester_ek(attester, ATTESTER_EK_P384, &ek, &err) != rows[i].want)
			fail_msg("%s: %s", rows[i].name, err.message);
		assert_int_equal(ek.certificate_count, 0);
	}
	spoiled.handles = NULL;
	assert_nothing_left(attester);
	close_spoiled(attester, &spoiled);
}

static void
a_dead_tpm_is_unavailable(void **state)
{
	struct attester *attester = open_tpm();
	struct attester_error err = {0};
	struct attester_quote quote;
	struct attester *again = NULL;
	(void)state;

	private_tpm_kill(&tpm);
	assert_int_equal(attester_quote(attester, some_nonce, &quote, &err), ATTESTER_UNAVAILABLE);
	attester_close(attester);
	assert_int_equal(attester_open(tpm.tcti, &again, &err), ATTESTER_UNAVAILABLE);
	assert_null(again);
	attester_close(NULL);
}

static void
a_tpm_that_was_not_started_is_unavailable(void **state)
{
	struct attester *attester = NULL;
	struct attester_error err = {0};
	(void)state;

	close_tpm(open_tpm());
	assert_true(private_tpm_restart_unstarted(&tpm));
	assert_int_equal(attester_open(tpm.tcti, &attester, &err), ATTESTER_UNAVAILABLE);
	assert_null(attester);
	assert_non_null(strstr(err.message, "tpm2_startup"));
	assert_true(private_tpm_restart(&tpm));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_says_why_not),
		cmocka_unit_test(open_names_a_missing_permission),
		cmocka_unit_test(answers_become_statuses),
		cmocka_unit_test(no_sha256_bank_is_unsupported),
		cmocka_unit_test(owned_endorsement_hierarchy_is_refused),
		cmocka_unit_test(each_failure_leaves_nothing),
		cmocka_unit_test(cut_line_ends_this_attester_alone),
		cmocka_unit_test(busy_tpm_is_asked_again_but_not_forever),
		cmocka_unit_test(small_nv_buffer_is_respected),
		cmocka_unit_test(strange_lists_of_handles_are_not_believed),
		cmocka_unit_test(moved_pcrs_are_read_again_but_not_forever),
		cmocka_unit_test(open_leaves_the_user_his_log_level),
		cmocka_unit_test(a_tpm_that_was_not_started_is_unavailable),
		cmocka_unit_test(a_dead_tpm_is_unavailable),
	};

	if (!private_tpm_possible())
		fprintf(stderr, "swtpm is not installed: what needs a TPM is skipped\n");
	return cmocka_run_group_tests(tests, NULL, stop_tpm);
}
