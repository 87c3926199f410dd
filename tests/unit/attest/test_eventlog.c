/* SPDX-License-Identifier: Apache-2.0 */
#include "software_tpm.h"
#include "spoil.h"

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

static const uint8_t NO_PCRS[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE];
static const uint8_t ZERO[4];
static const uint8_t KEY[16] = { 0x30, 0x82 };
static const uint8_t ON[1] = { 1 };
static const uint8_t OFF[1] = { 0 };

static enum attest_status
examine(const struct software_log *log, struct attest_report *ret_report, struct attest_error *err)
{
	return attest_eventlog_examine((struct bytes){ log->data, log->size }, log->pcrs,
				       ret_report, err);
}

static void
a_boot_replays(void **state)
{
	(void)state;
	for (unsigned secure = 0; secure < 2; secure++) {
		struct software_log log;
		struct attest_report report;
		struct attest_error err;

		software_log_boot(&log, 100, secure == 1);
		assert_int_equal(examine(&log, &report, &err), ATTEST_OK);
		assert_int_equal(report.event_count, 100);
		assert_true(report.replays);
		for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++)
			assert_int_equal(report.pcrs[i], ATTEST_PCR_EXACT);
		assert_int_equal(report.secure_boot, secure == 1 ? ATTEST_YES : ATTEST_NO);
		software_log_free(&log);
	}
}

static void
an_unexplained_pcr_yields_nothing(void **state)
{
	(void)state;
	for (unsigned pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++) {
		struct software_log log;
		struct attest_report report;
		struct attest_error err;
		bool boot = pcr < 10 || pcr == 14;

		software_log_boot(&log, 30, true);
		log.pcrs[pcr][31] ^= 1;
		/* PCR 0 starts at a locality, and 1 is none of those; this would be 0 ^ 1 in an empty one. */
		assert_int_equal(examine(&log, &report, &err), ATTEST_OK);
		for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++)
			assert_int_equal(report.pcrs[i],
					 i == pcr ? ATTEST_PCR_UNEXPLAINED : ATTEST_PCR_EXACT);
		assert_int_equal(report.replays, !boot);
		assert_int_equal(report.secure_boot, pcr == 7 ? ATTEST_UNKNOWN : ATTEST_YES);
		software_log_free(&log);
	}
}

static void
known_words_may_follow(void **state)
{
	static const struct {
		const char *name;
		unsigned pcr;
		const char *words[7];
		enum attest_pcr_verdict want;
	} cases[] = {
		{ "initrd", 11, { "enter-initrd" }, ATTEST_PCR_PREFIX },
		{ "up", 11, { "enter-initrd", "leave-initrd", "sysinit", "ready" }, ATTEST_PCR_PREFIX },
		{ "no initrd", 11, { "sysinit", "ready" }, ATTEST_PCR_PREFIX },
		{ "down", 11,
		  { "enter-initrd", "leave-initrd", "sysinit", "ready", "shutdown", "final" },
		  ATTEST_PCR_PREFIX },
		{ "out of order", 11, { "leave-initrd", "enter-initrd" }, ATTEST_PCR_UNEXPLAINED },
		{ "twice", 11, { "ready", "ready" }, ATTEST_PCR_UNEXPLAINED },
		{ "a word of the attacker's", 11, { "enter-initrd", "pwned" }, ATTEST_PCR_UNEXPLAINED },
		{ "before the known ones", 11, { "pwned", "ready" }, ATTEST_PCR_UNEXPLAINED },
		{ "separator", 7, { "os-separator" }, ATTEST_PCR_PREFIX },
		{ "separator in 4", 4, { "os-separator" }, ATTEST_PCR_PREFIX },
		{ "separator in 0", 0, { "os-separator" }, ATTEST_PCR_PREFIX },
		{ "no separator there", 8, { "os-separator" }, ATTEST_PCR_UNEXPLAINED },
		{ "a phase in PCR 7", 7, { "ready" }, ATTEST_PCR_UNEXPLAINED },
		{ "unlogged exit", 5,
		  { "Exit Boot Services Invocation", "Exit Boot Services Returned with Success" },
		  ATTEST_PCR_PREFIX },
		{ "unlogged exit, separator", 5,
		  { "Exit Boot Services Invocation", "Exit Boot Services Returned with Success",
		    "os-separator" },
		  ATTEST_PCR_PREFIX },
		{ "failed exit", 5, { "Exit Boot Services Returned with Failure" },
		  ATTEST_PCR_UNEXPLAINED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct software_log log;
		struct attest_report report;
		struct attest_error err;

		software_log_boot(&log, 30, true);
		for (unsigned k = 0; k < 7 && cases[i].words[k] != NULL; k++)
			software_pcr_extend_text(log.pcrs[cases[i].pcr], cases[i].words[k]);
		assert_int_equal(examine(&log, &report, &err), ATTEST_OK);
		if (report.pcrs[cases[i].pcr] != cases[i].want)
			fail_msg("%s: %d", cases[i].name, report.pcrs[cases[i].pcr]);
		assert_int_equal(report.secure_boot,
				 report.pcrs[7] == ATTEST_PCR_UNEXPLAINED ? ATTEST_UNKNOWN :
									    ATTEST_YES);
		software_log_free(&log);
	}
}

/* The event is a hint that nobody signs: PCR 0 itself tells the locality. */
static void
pcr_0_starts_at_a_locality(void **state)
{
	static const uint8_t event[] = "StartupLocality\0\x03";

	(void)state;
	for (uint8_t locality = 0; locality < 6; locality++) {
		struct software_log log;
		struct attest_report report;
		struct attest_error err;
		bool known = locality == 0 || locality == 3 || locality == 4;

		software_log_begin(&log);
		log.pcrs[0][31] = locality;
		software_log_event(&log, 0, EV_NO_ACTION, (struct bytes){ event, 17 });
		software_log_event(&log, 0, EV_SEPARATOR, BYTES_OF(ZERO));
		assert_int_equal(examine(&log, &report, &err), ATTEST_OK);
		assert_int_equal(report.pcrs[0], known ? ATTEST_PCR_EXACT : ATTEST_PCR_UNEXPLAINED);
		assert_int_equal(report.replays, known);
		software_log_free(&log);
	}
}

/* ---- Secure Boot ---- */

enum step { SB_ON, SB_OFF, SB_EMPTY, SB_TWO_BYTES, SB_STRANGE, PK, KEK, DB, DBX, DB_GLOBAL, AUDIT, DEPLOYED, OTHER,
	    SEPARATOR, SEPARATOR_FF, AUTHORITY, AUTHORITY_LONG, AUTHORITY_FALSE, ACTION, FALSE_PK, NOTHING, END };

static void
take_step(struct software_log *log, enum step step)
{
	static const uint8_t strange[] = { 1, 0 };
	static const uint8_t ff[4] = { 0xff, 0xff, 0xff, 0xff };
	uint8_t digest[32];

	switch (step) {
	case SB_ON: software_log_variable(log, EV_VARIABLE, false, "SecureBoot", BYTES_OF(ON)); break;
	case SB_OFF: software_log_variable(log, EV_VARIABLE, false, "SecureBoot", BYTES_OF(OFF)); break;
	case SB_EMPTY: software_log_variable(log, EV_VARIABLE, false, "SecureBoot", (struct bytes){ 0 }); break;
	case SB_TWO_BYTES: software_log_variable(log, EV_VARIABLE, false, "SecureBoot", BYTES_OF(strange)); break;
	case SB_STRANGE: software_log_variable(log, EV_VARIABLE, false, "SecureBoot", (struct bytes){ ff, 1 }); break;
	case PK: software_log_variable(log, EV_VARIABLE, false, "PK", BYTES_OF(KEY)); break;
	case KEK: software_log_variable(log, EV_VARIABLE, false, "KEK", BYTES_OF(KEY)); break;
	case DB: software_log_variable(log, EV_VARIABLE, true, "db", BYTES_OF(KEY)); break;
	case DBX: software_log_variable(log, EV_VARIABLE, true, "dbx", BYTES_OF(KEY)); break;
	case DB_GLOBAL: software_log_variable(log, EV_VARIABLE, false, "db", BYTES_OF(KEY)); break;
	case AUDIT: software_log_variable(log, EV_VARIABLE, false, "AuditMode", BYTES_OF(OFF)); break;
	case DEPLOYED: software_log_variable(log, EV_VARIABLE, false, "DeployedMode", BYTES_OF(ON)); break;
	case OTHER: software_log_variable(log, EV_VARIABLE, false, "BootOrder", BYTES_OF(KEY)); break;
	case SEPARATOR: software_log_event(log, 7, EV_SEPARATOR, BYTES_OF(ZERO)); break;
	case SEPARATOR_FF: software_log_event(log, 7, EV_SEPARATOR, BYTES_OF(ff)); break;
	case AUTHORITY: software_log_variable(log, EV_AUTHORITY, true, "db", BYTES_OF(KEY)); break;
	case AUTHORITY_LONG:
		EVP_Digest(KEY, sizeof(KEY) - 1, digest, NULL, EVP_sha256(), NULL);
		software_log_event_with(log, 7, EV_AUTHORITY, digest, BYTES_OF(KEY));
		break;
	case AUTHORITY_FALSE: memset(digest, 7, 32); software_log_event_with(log, 7, EV_AUTHORITY, digest, BYTES_OF(KEY)); break;
	case ACTION: software_log_event(log, 7, EV_ACTION, (struct bytes){ (const uint8_t *)"UEFI Debug Mode", 15 }); break;
	case FALSE_PK: memset(digest, 7, 32); software_log_event_with(log, 7, EV_VARIABLE, digest, BYTES_OF(KEY)); break;
	case NOTHING: software_log_event(log, 7, EV_NO_ACTION, BYTES_OF(KEY)); break;
	case END: break;
	}
}

static void
secure_boot_needs_the_whole_grammar(void **state)
{
	static const struct {
		const char *name;
		enum step steps[12];
		enum attest_answer want;
	} cases[] = {
		{ "on", { SB_ON, PK, KEK, DB, DBX, SEPARATOR, END }, ATTEST_YES },
		{ "off", { SB_OFF, PK, KEK, DB, DBX, SEPARATOR, END }, ATTEST_NO },
		{ "no such variable", { SB_EMPTY, PK, KEK, DB, DBX, SEPARATOR, END }, ATTEST_NO },
		{ "authorities", { SB_ON, PK, KEK, DB, DBX, SEPARATOR, AUTHORITY, AUTHORITY_LONG, END }, ATTEST_YES },
		{ "modes", { SB_ON, PK, KEK, DB, DBX, AUDIT, DEPLOYED, SEPARATOR, AUTHORITY, END }, ATTEST_YES },
		{ "noted only", { NOTHING, SB_ON, PK, NOTHING, KEK, DB, DBX, SEPARATOR, NOTHING, END }, ATTEST_YES },
		{ "nothing measured", { END }, ATTEST_UNKNOWN },
		{ "no separator", { SB_ON, PK, KEK, DB, DBX, END }, ATTEST_UNKNOWN },
		{ "no dbx", { SB_ON, PK, KEK, DB, SEPARATOR, END }, ATTEST_UNKNOWN },
		{ "no PK", { SB_ON, KEK, DB, DBX, SEPARATOR, END }, ATTEST_UNKNOWN },
		{ "out of order", { SB_ON, KEK, PK, DB, DBX, SEPARATOR, END }, ATTEST_UNKNOWN },
		{ "late", { PK, SB_ON, KEK, DB, DBX, SEPARATOR, END }, ATTEST_UNKNOWN },
		{ "twice", { SB_OFF, SB_ON, PK, KEK, DB, DBX, SEPARATOR, END }, ATTEST_UNKNOWN },
		{ "another machine's after", { SB_OFF, PK, KEK, DB, DBX, SEPARATOR, SB_ON, PK, KEK, DB, DBX, SEPARATOR }, ATTEST_UNKNOWN },
		{ "variable after the separator", { SB_ON, PK, KEK, DB, DBX, SEPARATOR, SB_ON, END }, ATTEST_UNKNOWN },
		{ "two separators", { SB_ON, PK, KEK, DB, DBX, SEPARATOR, SEPARATOR, END }, ATTEST_UNKNOWN },
		{ "an error separator", { SB_ON, PK, KEK, DB, DBX, SEPARATOR_FF, END }, ATTEST_UNKNOWN },
		{ "early authority", { SB_ON, PK, KEK, DB, DBX, AUTHORITY, SEPARATOR, END }, ATTEST_UNKNOWN },
		{ "false authority", { SB_ON, PK, KEK, DB, DBX, SEPARATOR, AUTHORITY_FALSE, END }, ATTEST_UNKNOWN },
		{ "false PK", { SB_ON, FALSE_PK, KEK, DB, DBX, SEPARATOR, END }, ATTEST_UNKNOWN },
		{ "another db", { SB_ON, PK, KEK, DB_GLOBAL, DBX, SEPARATOR, END }, ATTEST_UNKNOWN },
		{ "other variable", { SB_ON, PK, KEK, DB, DBX, OTHER, SEPARATOR, END }, ATTEST_UNKNOWN },
		{ "debug mode", { SB_ON, PK, KEK, DB, DBX, ACTION, SEPARATOR, END }, ATTEST_UNKNOWN },
		{ "two bytes", { SB_TWO_BYTES, PK, KEK, DB, DBX, SEPARATOR, END }, ATTEST_UNKNOWN },
		{ "255", { SB_STRANGE, PK, KEK, DB, DBX, SEPARATOR, END }, ATTEST_UNKNOWN },
	};

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
		if (report.secure_boot != cases[i].want)
			fail_msg("%s: %d", cases[i].name, report.secure_boot);
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
	assert_int_equal(report.secure_boot, ATTEST_UNKNOWN);

	/* Every own event of PCR 7 made a harmless type, the donor's events behind as events that extend nothing. */
	for (unsigned type = 0; type < 3; type++) {
		static const uint32_t types[] = { EV_IPL, EV_ACTION, EV_AUTHORITY };

		forged = (struct software_log){ 0 };
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
		assert_int_equal(report.secure_boot, ATTEST_UNKNOWN);
		software_log_free(&forged);
	}
	software_log_free(&honest);
	software_log_free(&donor);
}

/* Whatever single bit is changed: an honest "off" never reads as on, and an honest "on" not as off. */
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
			    report.secure_boot != ATTEST_UNKNOWN && report.secure_boot != honest)
				fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
			log.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
		software_log_free(&log);
	}
}

/* ---- form ---- */

static bool
replays_wholly(struct bytes input, void *user)
{
	const struct software_log *log = user;
	struct attest_report report;
	struct attest_error err;

	return attest_eventlog_examine(input, log->pcrs, &report, &err) == ATTEST_OK &&
	       report.replays && report.secure_boot == ATTEST_YES;
}

static void
truncated_logs_do_not_replay(void **state)
{
	struct software_log log;

	(void)state;
	software_log_boot(&log, 20, true);
	struct bytes input = { log.data, log.size };
	assert_true(accepts_copy(input, replays_wholly, &log));
	for (size_t size = 0; size < log.size; size++)
		assert_false(accepts_copy((struct bytes){ log.data, size }, replays_wholly, &log));
	software_log_free(&log);
}

static void
padding_is_skipped_and_nothing_else(void **state)
{
	static const uint8_t values[] = { 0x00, 0xff, 0x01 };

	(void)state;
	for (size_t i = 0; i < sizeof(values); i++) {
		for (size_t size = 1; size < 300; size += 17) {
			struct software_log log;

			software_log_boot(&log, 20, true);
			log.data = realloc(log.data, log.size + size);
			assert_non_null(log.data);
			memset(log.data + log.size, values[i], size);
			log.size += size;
			assert_int_equal(accepts_copy((struct bytes){ log.data, log.size },
						      replays_wholly, &log),
					 values[i] != 0x01);
			software_log_free(&log);
		}
	}
}

static void
a_windows_note_extends_nothing(void **state)
{
	struct software_log log;
	struct attest_report report;
	struct attest_error err;
	uint8_t digest[32];

	(void)state;
	memset(digest, 9, sizeof(digest));
	software_log_boot(&log, 20, true);
	software_log_event_with(&log, 0xffffffff, EV_NO_ACTION, digest, BYTES_OF(KEY));
	software_log_event_with(&log, 3, EV_NO_ACTION, digest, BYTES_OF(KEY));
	software_log_event_with(&log, 16, EV_IPL, digest, BYTES_OF(KEY));
	assert_int_equal(examine(&log, &report, &err), ATTEST_OK);
	assert_true(report.replays);
	software_log_event_with(&log, 24, EV_IPL, digest, BYTES_OF(KEY));
	assert_int_equal(examine(&log, &report, &err), ATTEST_MALFORMED);
	assert_string_equal(err.check, "eventlog.pcr");
	software_log_free(&log);
}

/* Headers by hand: { name, hex of the Spec ID event's data, then an event in hex }. */
static void
headers_and_banks(void **state)
{
#define SPEC "53706563204944204576656e74303300" "00000000" "00020002"
#define EVENT "04000000" "0d000000"
#define D1 "0400" "1111111111111111111111111111111111111111"
#define D256 "0b00" "2222222222222222222222222222222222222222222222222222222222222222"
#define EMPTY "00000000"
	static const struct {
		const char *name;
		const char *header;
		const char *events;
		enum attest_status want;
		const char *check;
	} cases[] = {
		{ "plain", SPEC "01000000" "0b002000" "00", EVENT "01000000" D256 EMPTY, ATTEST_OK, "" },
		{ "vendorInfo", SPEC "01000000" "0b002000" "02abcd", EVENT "01000000" D256 EMPTY, ATTEST_OK, "" },
		{ "two banks", SPEC "02000000" "04001400" "0b002000" "00", EVENT "02000000" D1 D256 EMPTY, ATTEST_OK, "" },
		{ "in another order", SPEC "02000000" "04001400" "0b002000" "00", EVENT "02000000" D256 D1 EMPTY, ATTEST_OK, "" },
		{ "one bank left out", SPEC "02000000" "04001400" "0b002000" "00", EVENT "01000000" D1 EMPTY, ATTEST_OK, "" },
		{ "an unknown bank", SPEC "02000000" "12002000" "0b002000" "00", EVENT "01000000" D256 EMPTY, ATTEST_OK, "" },
		{ "SHA-1 alone", SPEC "01000000" "04001400" "00", EVENT "01000000" D1 EMPTY, ATTEST_UNSUPPORTED, "eventlog.bank" },
		{ "SHA-384 alone", SPEC "01000000" "0c003000" "00", "", ATTEST_UNSUPPORTED, "eventlog.bank" },
		{ "the old format", "53706563204944204576656e74303000" "00000000" "00020002" "00", "", ATTEST_UNSUPPORTED, "eventlog.sha1" },
		{ "no Spec ID", "0102", "", ATTEST_UNSUPPORTED, "eventlog.sha1" },
		{ "no data", "", "", ATTEST_UNSUPPORTED, "eventlog.sha1" },
		{ "a bank twice", SPEC "02000000" "0b002000" "0b002000" "00", "", ATTEST_MALFORMED, "eventlog.header" },
		{ "a bank of another size", SPEC "01000000" "0b001400" "00", "", ATTEST_MALFORMED, "eventlog.header" },
		{ "17 banks", SPEC "11000000" "0b002000" "00", "", ATTEST_MALFORMED, "eventlog.header" },
		{ "four billion banks", SPEC "ffffffff" "0b002000" "00", "", ATTEST_MALFORMED, "eventlog.header" },
		{ "vendorInfo too long", SPEC "01000000" "0b002000" "05ab", "", ATTEST_MALFORMED, "eventlog.header" },
		{ "more in the header", SPEC "01000000" "0b002000" "00ab", "", ATTEST_MALFORMED, "eventlog.header" },
		{ "an unlisted bank", SPEC "01000000" "0b002000" "00", EVENT "01000000" D1 EMPTY, ATTEST_MALFORMED, "eventlog.parse" },
		{ "more digests than banks", SPEC "01000000" "0b002000" "00", EVENT "02000000" D256 D256 EMPTY, ATTEST_MALFORMED, "eventlog.parse" },
		{ "SHA-256 twice", SPEC "02000000" "04001400" "0b002000" "00", EVENT "02000000" D256 D256 EMPTY, ATTEST_MALFORMED, "eventlog.parse" },
		{ "four billion digests", SPEC "01000000" "0b002000" "00", EVENT "ffffffff" D256 EMPTY, ATTEST_MALFORMED, "eventlog.parse" },
		{ "data too long", SPEC "01000000" "0b002000" "00", EVENT "01000000" D256 "05000000" "aabbcc", ATTEST_MALFORMED, "eventlog.parse" },
		{ "data of four billion", SPEC "01000000" "0b002000" "00", EVENT "01000000" D256 "ffffffff" "aabbcc", ATTEST_MALFORMED, "eventlog.parse" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t memory[512] = { 0 };
		struct attest_report report;
		struct attest_error err = { 0 };
		struct writer w = writer_of(memory, sizeof(memory));
		long size = 0; /* stays so for an empty text */
		unsigned char *bytes = OPENSSL_hexstr2buf(cases[i].header, &size);

		write_be64(&w, 0x0000000003000000);
		write_be64(&w, 0);
		write_be64(&w, 0);
		write_be32(&w, 0);
		write_be32(&w, (uint32_t)size << 24);
		write_bytes(&w, (struct bytes){ bytes, (size_t)size });
		OPENSSL_free(bytes);
		size = 0;
		bytes = OPENSSL_hexstr2buf(cases[i].events, &size);
		write_bytes(&w, (struct bytes){ bytes, (size_t)size });
		OPENSSL_free(bytes);
		enum attest_status status =
			attest_eventlog_examine(writer_bytes(&w), NO_PCRS, &report, &err);
		if (status != cases[i].want || strcmp(err.check, cases[i].check) != 0)
			fail_msg("%s: %d %s", cases[i].name, status, err.check);
	}
}

static void
hostile_logs_are_cheap_or_refused(void **state)
{
	uint8_t *large = calloc(1, ATTEST_EVENTLOG_MAX + 1);
	struct attest_report report;
	struct attest_error err;
	struct software_log log;

	(void)state;
	assert_non_null(large);
	assert_int_equal(attest_eventlog_examine((struct bytes){ large, ATTEST_EVENTLOG_MAX + 1 }, NO_PCRS,
						 &report, &err),
			 ATTEST_LIMIT);
	/* Events of 16 zero bytes, and at the end something that is no padding. */
	software_log_begin(&log);
	memcpy(large, log.data, log.size);
	large[ATTEST_EVENTLOG_MAX - 1] = 1;
	assert_int_equal(attest_eventlog_examine((struct bytes){ large, ATTEST_EVENTLOG_MAX }, NO_PCRS,
						 &report, &err),
			 ATTEST_LIMIT);
	assert_string_equal(err.check, "eventlog.count");
	software_log_free(&log);
	free(large);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_boot_replays),
		cmocka_unit_test(an_unexplained_pcr_yields_nothing),
		cmocka_unit_test(known_words_may_follow),
		cmocka_unit_test(pcr_0_starts_at_a_locality),
		cmocka_unit_test(secure_boot_needs_the_whole_grammar),
		cmocka_unit_test(relabelled_and_appended_logs_claim_nothing),
		cmocka_unit_test(no_flip_turns_the_answer),
		cmocka_unit_test(truncated_logs_do_not_replay),
		cmocka_unit_test(padding_is_skipped_and_nothing_else),
		cmocka_unit_test(a_windows_note_extends_nothing),
		cmocka_unit_test(headers_and_banks),
		cmocka_unit_test(hostile_logs_are_cheap_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
