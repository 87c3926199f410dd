/* SPDX-License-Identifier: Apache-2.0 */
#include "quoted.h"
#include "software_tpm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EV_NO_ACTION 3U
#define EV_SEPARATOR 4U
#define EV_ACTION    5U
#define EV_IPL	     13U
#define EV_VARIABLE  0x80000001U
#define EV_AUTHORITY 0x800000e0U

static const uint8_t KEY[16] = {0x30, 0x82};

static enum attest_status
examine(const struct software_log *log, struct attest_report *ret_report, struct attest_error *err)
{
	return attest_eventlog_examine((struct bytes){log->data, log->size}, quoted(log->pcrs),
				       ret_report, err);
}

enum step {
	END,
	SB_ON,
	SB_OFF,
	SB_EMPTY,
	SB_TWO_BYTES,
	SB_STRANGE,
	PK,
	KEK,
	DB,
	DBX,
	DB_GLOBAL,
	AUDIT,
	DEPLOYED,
	OTHER,
	AUTHORITY,
	SEPARATOR,
	SEPARATOR_FF,
	AUTHORITY_LONG,
	AUTHORITY_FALSE,
	ACTION,
	FALSE_PK,
	TRAILING,
	NOTHING
};

/* clang-format off: tables */
/* The events that are variables. */
static const struct {
	const char *name;
	bool image_security;
	size_t size;
	uint8_t value[16];
} VARIABLES[] = {
	[SB_ON] = {"SecureBoot", false, 1, {1}},
	[SB_OFF] = {"SecureBoot", false, 1, {0}},
	[SB_EMPTY] = {"SecureBoot", false, 0, {0}},
	[SB_TWO_BYTES] = {"SecureBoot", false, 2, {1, 0}},
	[SB_STRANGE] = {"SecureBoot", false, 1, {255}},
	[PK] = {"PK", false, 16, {0x30}},
	[KEK] = {"KEK", false, 16, {0x30}},
	[DB] = {"db", true, 16, {0x30}},
	[DBX] = {"dbx", true, 16, {0x30}},
	[DB_GLOBAL] = {"db", false, 16, {0x30}},
	[AUDIT] = {"AuditMode", false, 1, {0}},
	[DEPLOYED] = {"DeployedMode", false, 1, {1}},
	[OTHER] = {"BootOrder", false, 2, {1}},
	[AUTHORITY] = {"db", true, 16, {0x30}},
};
/* clang-format on */

/* The event that is `step`, spoiled in its digest. */
static void
false_digest(struct software_log *log, uint32_t type)
{
	uint8_t digest[32];

	memset(digest, 7, sizeof(digest));
	software_log_event_with(log, 7, type, digest, BYTES_OF(KEY));
}

/* A variable whose data go on behind what it says its sizes are; the digest is of all of it. */
static void
trailing_variable(struct software_log *log)
{
	struct software_log scratch;

	software_log_begin(&scratch);
	size_t header = scratch.size;
	software_log_variable(&scratch, EV_VARIABLE, true, "dbx", BYTES_OF(KEY));
	/* 50 bytes of event before the data; the byte behind is the allocation's own. */
	scratch.data = realloc(scratch.data, scratch.size + 1);
	assert_non_null(scratch.data);
	scratch.data[scratch.size] = 0;
	software_log_event(
		log, 7, EV_VARIABLE,
		(struct bytes){scratch.data + header + 50, scratch.size + 1 - header - 50});
	software_log_free(&scratch);
}

static void
take_step(struct software_log *log, enum step step)
{
	static const uint8_t zero[4];
	static const uint8_t ff[4] = {0xff, 0xff, 0xff, 0xff};
	static const uint8_t debug[] = "UEFI Debug Mode";
	uint8_t digest[32];

	if (step <= AUTHORITY)
		software_log_variable(log, step == AUTHORITY ? EV_AUTHORITY : EV_VARIABLE,
				      VARIABLES[step].image_security, VARIABLES[step].name,
				      (struct bytes){VARIABLES[step].value, VARIABLES[step].size});
	else if (step == SEPARATOR || step == SEPARATOR_FF)
		software_log_event(log, 7, EV_SEPARATOR,
				   step == SEPARATOR ? BYTES_OF(zero) : BYTES_OF(ff));
	else if (step == AUTHORITY_FALSE || step == FALSE_PK)
		false_digest(log, step == FALSE_PK ? EV_VARIABLE : EV_AUTHORITY);
	else if (step == ACTION)
		software_log_event(log, 7, EV_ACTION, (struct bytes){debug, sizeof(debug) - 1});
	else if (step == TRAILING)
		trailing_variable(log);
	else if (step == NOTHING)
		software_log_event(log, 7, EV_NO_ACTION, BYTES_OF(KEY));
	else {
		EVP_Digest(KEY, sizeof(KEY) - 1, digest, NULL, EVP_sha256(), NULL);
		software_log_event_with(log, 7, EV_AUTHORITY, digest, BYTES_OF(KEY));
	}
}

static void
secure_boot_needs_the_whole_grammar(void **state)
{
	/* clang-format off: a table */
	static const struct {
		const char *name;
		enum step steps[12];
		enum attest_answer want;
	} cases[] = {
		{"on", {SB_ON, PK, KEK, DB, DBX, SEPARATOR, END}, ATTEST_YES},
		{"off", {SB_OFF, PK, KEK, DB, DBX, SEPARATOR, END}, ATTEST_NO},
		{"no such variable", {SB_EMPTY, PK, KEK, DB, DBX, SEPARATOR, END}, ATTEST_NO},
		{"authorities",
		 {SB_ON, PK, KEK, DB, DBX, SEPARATOR, AUTHORITY, AUTHORITY_LONG, END},
		 ATTEST_YES},
		{"modes",
		 {SB_ON, PK, KEK, DB, DBX, AUDIT, DEPLOYED, SEPARATOR, AUTHORITY, END},
		 ATTEST_YES},
		{"noted only",
		 {NOTHING, SB_ON, PK, NOTHING, KEK, DB, DBX, SEPARATOR, NOTHING, END},
		 ATTEST_YES},
		{"nothing measured", {END}, ATTEST_UNKNOWN},
		{"no separator", {SB_ON, PK, KEK, DB, DBX, END}, ATTEST_UNKNOWN},
		{"no dbx", {SB_ON, PK, KEK, DB, SEPARATOR, END}, ATTEST_UNKNOWN},
		{"no PK", {SB_ON, KEK, DB, DBX, SEPARATOR, END}, ATTEST_UNKNOWN},
		{"out of order", {SB_ON, KEK, PK, DB, DBX, SEPARATOR, END}, ATTEST_UNKNOWN},
		{"late", {PK, SB_ON, KEK, DB, DBX, SEPARATOR, END}, ATTEST_UNKNOWN},
		{"twice", {SB_OFF, SB_ON, PK, KEK, DB, DBX, SEPARATOR, END}, ATTEST_UNKNOWN},
		{"another machine's after",
		 {SB_OFF, PK, KEK, DB, DBX, SEPARATOR, SB_ON, PK, KEK, DB, DBX, SEPARATOR},
		 ATTEST_UNKNOWN},
		{"variable after the separator",
		 {SB_ON, PK, KEK, DB, DBX, SEPARATOR, SB_ON, END},
		 ATTEST_UNKNOWN},
		{"two separators",
		 {SB_ON, PK, KEK, DB, DBX, SEPARATOR, SEPARATOR, END},
		 ATTEST_UNKNOWN},
		{"an error separator",
		 {SB_ON, PK, KEK, DB, DBX, SEPARATOR_FF, END},
		 ATTEST_UNKNOWN},
		{"early authority",
		 {SB_ON, PK, KEK, DB, DBX, AUTHORITY, SEPARATOR, END},
		 ATTEST_UNKNOWN},
		{"false authority",
		 {SB_ON, PK, KEK, DB, DBX, SEPARATOR, AUTHORITY_FALSE, END},
		 ATTEST_UNKNOWN},
		{"false PK", {SB_ON, FALSE_PK, KEK, DB, DBX, SEPARATOR, END}, ATTEST_UNKNOWN},
		{"another db", {SB_ON, PK, KEK, DB_GLOBAL, DBX, SEPARATOR, END}, ATTEST_UNKNOWN},
		{"other variable",
		 {SB_ON, PK, KEK, DB, DBX, OTHER, SEPARATOR, END},
		 ATTEST_UNKNOWN},
		{"debug mode", {SB_ON, PK, KEK, DB, DBX, ACTION, SEPARATOR, END}, ATTEST_UNKNOWN},
		{"two bytes", {SB_TWO_BYTES, PK, KEK, DB, DBX, SEPARATOR, END}, ATTEST_UNKNOWN},
		{"more than it says",
		 {SB_ON, PK, KEK, DB, TRAILING, SEPARATOR, END},
		 ATTEST_UNKNOWN},
		{"255", {SB_STRANGE, PK, KEK, DB, DBX, SEPARATOR, END}, ATTEST_UNKNOWN},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct software_log log;
		struct attest_report report;
		struct attest_error err;

		software_log_begin(&log);
		for (unsigned k = 0; k < 12 && cases[i].steps[k] != END; k++)
			take_step(&log, cases[i].steps[k]);
		assert_int_equal(examine(&log, &report, &err), ATTEST_OK);
		assert_int_equal(report.pcrs[7], ATTEST_PCR_EXACT);
		if (attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT) != cases[i].want)
			fail_msg("%s: %d", cases[i].name,
				 attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT));
		software_log_free(&log);
	}
}

static void
set_le32(uint8_t *at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

/* Secure Boot is off; whoever is root there edits the log, and cannot edit PCR 7. */
static void
relabelled_and_appended_logs_claim_nothing(void **state)
{
	struct software_log honest;
	struct software_log donor;
	struct software_log forged;
	struct attest_report report;
	struct attest_error err;

	(void)state;
	software_log_boot(&honest, 40, false);
	software_log_boot(&donor, 40, true);

	/* The log of a machine with Secure Boot on instead: PCR 7 does not match. */
	memcpy(donor.pcrs, honest.pcrs, sizeof(donor.pcrs));
	assert_int_equal(examine(&donor, &report, &err), ATTEST_OK);
	assert_int_equal(report.pcrs[7], ATTEST_PCR_UNEXPLAINED);
	assert_int_equal(attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT), ATTEST_UNKNOWN);

	/* Every own event of PCR 7 made a harmless type, the donor's events behind as events that
	 * extend nothing. */
	for (unsigned type = 0; type < 3; type++) {
		static const uint32_t types[] = {EV_IPL, EV_ACTION, EV_AUTHORITY};

		forged = (struct software_log){0};
		forged.size = honest.size + donor.size;
		forged.data = malloc(forged.size);
		assert_non_null(forged.data);
		memcpy(forged.pcrs, honest.pcrs, sizeof(forged.pcrs));
		memcpy(forged.data, honest.data, honest.size);
		size_t at = 32 + 33;
		while (at < honest.size) {
			uint32_t data_size;

			if (forged.data[at] == 7)
				set_le32(forged.data + at + 4, types[type]);
			memcpy(&data_size, forged.data + at + 46, 4);
			at += 50 + data_size;
		}
		/* Behind it the donor's, without its header. */
		memcpy(forged.data + honest.size, donor.data + 65, donor.size - 65);
		forged.size -= 65;
		assert_int_equal(examine(&forged, &report, &err), ATTEST_OK);
		assert_int_equal(attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT),
				 ATTEST_UNKNOWN);
		software_log_free(&forged);
	}
	software_log_free(&honest);
	software_log_free(&donor);
}

/* Whatever single bit is changed: an honest "off" never reads as on, and an honest "on" not as off.
 */
static void
no_flip_turns_the_answer(void **state)
{
	(void)state;
	for (unsigned secure = 0; secure < 2; secure++) {
		struct software_log log;
		enum attest_answer honest = secure == 1 ? ATTEST_YES : ATTEST_NO;

		software_log_boot(&log, 18, secure == 1);
		for (size_t bit = 0; bit < 8 * log.size; bit++) {
			struct attest_report report;
			struct attest_error err;

			log.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
			if (examine(&log, &report, &err) == ATTEST_OK &&
			    attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT) !=
				    ATTEST_UNKNOWN &&
			    attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT) != honest)
				fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
			log.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
		software_log_free(&log);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secure_boot_needs_the_whole_grammar),
		cmocka_unit_test(relabelled_and_appended_logs_claim_nothing),
		cmocka_unit_test(no_flip_turns_the_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
