/* SPDX-License-Identifier: Apache-2.0 */
#include "quoted.h"
#include "software_tpm.h"
#include "spoil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EV_NO_ACTION 3U
#define EV_SEPARATOR 4U
#define EV_IPL	     13U

static const uint8_t NO_PCRS[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE];
static const uint8_t ZERO[4];
static const uint8_t KEY[16] = {0x30, 0x82};

static enum attest_status
examine(const struct software_log *log, struct attest_report *ret_report, struct attest_error *err)
{
	return attest_eventlog_examine((struct bytes){log->data, log->size}, quoted(log->pcrs),
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
		assert_int_equal(attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT),
				 secure == 1 ? ATTEST_YES : ATTEST_NO);
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
		/* PCR 0 starts at a locality, and 1 is none of those; this would be 0 ^ 1 in an
		 * empty one. */
		assert_int_equal(examine(&log, &report, &err), ATTEST_OK);
		for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++)
			assert_int_equal(report.pcrs[i],
					 i == pcr ? ATTEST_PCR_UNEXPLAINED : ATTEST_PCR_EXACT);
		assert_int_equal(report.replays, !boot);
		assert_int_equal(attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT),
				 pcr == 7 ? ATTEST_UNKNOWN : ATTEST_YES);
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
		{"initrd", 11, {"enter-initrd"}, ATTEST_PCR_PREFIX},
		{"up", 11, {"enter-initrd", "leave-initrd", "sysinit", "ready"}, ATTEST_PCR_PREFIX},
		{"no initrd", 11, {"sysinit", "ready"}, ATTEST_PCR_PREFIX},
		{"down",
		 11,
		 {"enter-initrd", "leave-initrd", "sysinit", "ready", "shutdown", "final"},
		 ATTEST_PCR_PREFIX},
		{"out of order", 11, {"leave-initrd", "enter-initrd"}, ATTEST_PCR_UNEXPLAINED},
		{"twice", 11, {"ready", "ready"}, ATTEST_PCR_UNEXPLAINED},
		{"a word of the attacker's", 11, {"enter-initrd", "pwned"}, ATTEST_PCR_UNEXPLAINED},
		{"before the known ones", 11, {"pwned", "ready"}, ATTEST_PCR_UNEXPLAINED},
		{"separator", 7, {"os-separator"}, ATTEST_PCR_PREFIX},
		{"separator in 4", 4, {"os-separator"}, ATTEST_PCR_PREFIX},
		{"separator in 0", 0, {"os-separator"}, ATTEST_PCR_PREFIX},
		{"no separator there", 8, {"os-separator"}, ATTEST_PCR_UNEXPLAINED},
		{"a phase in PCR 7", 7, {"ready"}, ATTEST_PCR_UNEXPLAINED},
		{"unlogged exit",
		 5,
		 {"Exit Boot Services Invocation", "Exit Boot Services Returned with Success"},
		 ATTEST_PCR_PREFIX},
		{"unlogged exit, separator",
		 5,
		 {"Exit Boot Services Invocation", "Exit Boot Services Returned with Success",
		  "os-separator"},
		 ATTEST_PCR_PREFIX},
		{"failed exit",
		 5,
		 {"Exit Boot Services Returned with Failure"},
		 ATTEST_PCR_UNEXPLAINED},
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
		assert_int_equal(attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT),
				 report.pcrs[7] == ATTEST_PCR_UNEXPLAINED ? ATTEST_UNKNOWN
									  : ATTEST_YES);
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
		software_log_event(&log, 0, EV_NO_ACTION, (struct bytes){event, 17});
		software_log_event(&log, 0, EV_SEPARATOR, BYTES_OF(ZERO));
		assert_int_equal(examine(&log, &report, &err), ATTEST_OK);
		assert_int_equal(report.pcrs[0], known ? ATTEST_PCR_EXACT : ATTEST_PCR_UNEXPLAINED);
		assert_int_equal(report.replays, known);
		software_log_free(&log);
	}
}

/* A TPM that nobody measured into, and a log that says so: that explains it, and is no boot. */
static void
a_log_of_nothing_is_no_boot(void **state)
{
	static const struct {
		const char *name;
		uint8_t locality;
		uint32_t pcr, type;
		bool want;
	} cases[] = {
		{"a note alone", 0, 0, EV_NO_ACTION, false},
		{"from locality 3", 3, 0, EV_NO_ACTION, false},
		{"another PCR", 0, 7, EV_SEPARATOR, false},
		{"PCR 0", 0, 0, EV_SEPARATOR, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct software_log log;
		struct attest_report report;
		struct attest_error err;

		software_log_begin(&log);
		log.pcrs[0][31] = cases[i].locality;
		software_log_event(&log, cases[i].pcr, cases[i].type, BYTES_OF(ZERO));
		assert_int_equal(examine(&log, &report, &err), ATTEST_OK);
		for (unsigned pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++)
			assert_int_equal(report.pcrs[pcr], ATTEST_PCR_EXACT);
		if (report.replays != cases[i].want)
			fail_msg("%s", cases[i].name);
		software_log_free(&log);
	}
}

/* What was hashed before an event's data is not taken for their hash: the first line is measured
 * with its prefix, which is tried without it first. */
static void
a_hash_is_kept_of_its_data_alone(void **state)
{
	static const uint8_t whole[] = "grub_cmd: with its prefix";
	static const uint8_t line[] = "/vmlinuz quiet";
	struct software_log log;
	struct attest_report report;
	struct attest_error err;
	struct attest_claim claim;

	(void)state;
	software_log_begin(&log);
	software_log_event(&log, 8, EV_IPL, (struct bytes){whole, sizeof(whole) - 1});
	software_log_event(&log, 8, EV_IPL, (struct bytes){line, sizeof(line) - 1});
	assert_int_equal(examine(&log, &report, &err), ATTEST_OK);
	assert_true(attest_claims_find(&report.claims, CLAIM_GRUB_COMMAND_LINES, &claim));
	assert_int_equal(claim.count, 1);
	software_log_free(&log);
}

/* ---- form ---- */

static bool
replays_wholly(struct bytes input, void *user)
{
	const struct software_log *log = user;
	struct attest_report report;
	struct attest_error err;

	return attest_eventlog_examine(input, quoted(log->pcrs), &report, &err) == ATTEST_OK &&
	       report.replays &&
	       attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT) == ATTEST_YES;
}

static void
truncated_logs_do_not_replay(void **state)
{
	struct software_log log;

	(void)state;
	software_log_boot(&log, 20, true);
	struct bytes input = {log.data, log.size};
	assert_true(accepts_copy(input, replays_wholly, &log));
	for (size_t size = 0; size < log.size; size++)
		assert_false(accepts_copy((struct bytes){log.data, size}, replays_wholly, &log));
	software_log_free(&log);
}

static void
padding_is_skipped_and_nothing_else(void **state)
{
	static const uint8_t values[] = {0x00, 0xff, 0x01};

	(void)state;
	for (size_t i = 0; i < sizeof(values); i++) {
		for (size_t size = 1; size < 300; size += 17) {
			struct software_log log;

			software_log_boot(&log, 20, true);
			log.data = realloc(log.data, log.size + size);
			assert_non_null(log.data);
			memset(log.data + log.size, values[i], size);
			log.size += size;
			assert_int_equal(accepts_copy((struct bytes){log.data, log.size},
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
#define SPEC                                                                                       \
	"53706563204944204576656e74303300"                                                         \
	"00000000"                                                                                 \
	"00020002"
#define EVENT                                                                                      \
	"04000000"                                                                                 \
	"0d000000"
#define D1                                                                                         \
	"0400"                                                                                     \
	"1111111111111111111111111111111111111111"
#define D256                                                                                       \
	"0b00"                                                                                     \
	"2222222222222222222222222222222222222222222222222222222222222222"
#define EMPTY "00000000"
	/* clang-format off: a table */
	static const struct {
		const char *name;
		const char *header;
		const char *events;
		enum attest_status want;
		const char *check;
	} cases[] = {
		{"plain",
		 SPEC "01000000"
		      "0b002000"
		      "00",
		 EVENT "01000000" D256 EMPTY, ATTEST_OK, ""},
		{"vendorInfo",
		 SPEC "01000000"
		      "0b002000"
		      "02abcd",
		 EVENT "01000000" D256 EMPTY, ATTEST_OK, ""},
		{"two banks",
		 SPEC "02000000"
		      "04001400"
		      "0b002000"
		      "00",
		 EVENT "02000000" D1 D256 EMPTY, ATTEST_OK, ""},
		{"in another order",
		 SPEC "02000000"
		      "04001400"
		      "0b002000"
		      "00",
		 EVENT "02000000" D256 D1 EMPTY, ATTEST_OK, ""},
		{"one bank left out",
		 SPEC "02000000"
		      "04001400"
		      "0b002000"
		      "00",
		 EVENT "01000000" D1 EMPTY, ATTEST_OK, ""},
		{"an unknown bank",
		 SPEC "02000000"
		      "12002000"
		      "0b002000"
		      "00",
		 EVENT "01000000" D256 EMPTY, ATTEST_OK, ""},
		{"SHA-1 alone",
		 SPEC "01000000"
		      "04001400"
		      "00",
		 EVENT "01000000" D1 EMPTY, ATTEST_UNSUPPORTED, "eventlog.bank"},
		{"SHA-384 alone",
		 SPEC "01000000"
		      "0c003000"
		      "00",
		 "", ATTEST_UNSUPPORTED, "eventlog.bank"},
		{"the old format",
		 "53706563204944204576656e74303000"
		 "00000000"
		 "00020002"
		 "00",
		 "", ATTEST_UNSUPPORTED, "eventlog.sha1"},
		{"no Spec ID", "0102", "", ATTEST_UNSUPPORTED, "eventlog.sha1"},
		{"no data", "", "", ATTEST_UNSUPPORTED, "eventlog.sha1"},
		{"a bank twice",
		 SPEC "02000000"
		      "0b002000"
		      "0b002000"
		      "00",
		 "", ATTEST_MALFORMED, "eventlog.header"},
		{"a bank of another size",
		 SPEC "01000000"
		      "0b001400"
		      "00",
		 "", ATTEST_MALFORMED, "eventlog.header"},
		{"17 banks",
		 SPEC "11000000"
		      "0b002000"
		      "00",
		 "", ATTEST_MALFORMED, "eventlog.header"},
		{"four billion banks",
		 SPEC "ffffffff"
		      "0b002000"
		      "00",
		 "", ATTEST_MALFORMED, "eventlog.header"},
		{"vendorInfo too long",
		 SPEC "01000000"
		      "0b002000"
		      "05ab",
		 "", ATTEST_MALFORMED, "eventlog.header"},
		{"more in the header",
		 SPEC "01000000"
		      "0b002000"
		      "00ab",
		 "", ATTEST_MALFORMED, "eventlog.header"},
		{"an unlisted bank",
		 SPEC "01000000"
		      "0b002000"
		      "00",
		 EVENT "01000000" D1 EMPTY, ATTEST_MALFORMED, "eventlog.parse"},
		{"more digests than banks",
		 SPEC "01000000"
		      "0b002000"
		      "00",
		 EVENT "02000000" D256 D256 EMPTY, ATTEST_MALFORMED, "eventlog.parse"},
		{"SHA-256 twice",
		 SPEC "02000000"
		      "04001400"
		      "0b002000"
		      "00",
		 EVENT "02000000" D256 D256 EMPTY, ATTEST_MALFORMED, "eventlog.parse"},
		{"four billion digests",
		 SPEC "01000000"
		      "0b002000"
		      "00",
		 EVENT "ffffffff" D256 EMPTY, ATTEST_MALFORMED, "eventlog.parse"},
		{"data too long",
		 SPEC "01000000"
		      "0b002000"
		      "00",
		 EVENT "01000000" D256 "05000000"
		       "aabbcc",
		 ATTEST_MALFORMED, "eventlog.parse"},
		{"data of four billion",
		 SPEC "01000000"
		      "0b002000"
		      "00",
		 EVENT "01000000" D256 "ffffffff"
		       "aabbcc",
		 ATTEST_MALFORMED, "eventlog.parse"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t memory[512] = {0};
		struct attest_report report;
		struct attest_error err = {0};
		struct writer w = writer_of(memory, sizeof(memory));
		long size = 0; /* stays so for an empty text */
		unsigned char *bytes = OPENSSL_hexstr2buf(cases[i].header, &size);

		write_be64(&w, 0x0000000003000000);
		write_be64(&w, 0);
		write_be64(&w, 0);
		write_be32(&w, 0);
		write_be32(&w, (uint32_t)size << 24);
		write_bytes(&w, (struct bytes){bytes, (size_t)size});
		OPENSSL_free(bytes);
		size = 0;
		bytes = OPENSSL_hexstr2buf(cases[i].events, &size);
		write_bytes(&w, (struct bytes){bytes, (size_t)size});
		OPENSSL_free(bytes);
		enum attest_status status =
			attest_eventlog_examine(writer_bytes(&w), quoted(NO_PCRS), &report, &err);
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
	assert_int_equal(attest_eventlog_examine((struct bytes){large, ATTEST_EVENTLOG_MAX + 1},
						 quoted(NO_PCRS), &report, &err),
			 ATTEST_LIMIT);
	/* Events of 16 zero bytes, and at the end something that is no padding. */
	software_log_begin(&log);
	memcpy(large, log.data, log.size);
	large[ATTEST_EVENTLOG_MAX - 1] = 1;
	assert_int_equal(attest_eventlog_examine((struct bytes){large, ATTEST_EVENTLOG_MAX},
						 quoted(NO_PCRS), &report, &err),
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
		cmocka_unit_test(a_log_of_nothing_is_no_boot),
		cmocka_unit_test(an_unexplained_pcr_yields_nothing),
		cmocka_unit_test(known_words_may_follow),
		cmocka_unit_test(pcr_0_starts_at_a_locality),
		cmocka_unit_test(a_hash_is_kept_of_its_data_alone),
		cmocka_unit_test(truncated_logs_do_not_replay),
		cmocka_unit_test(padding_is_skipped_and_nothing_else),
		cmocka_unit_test(a_windows_note_extends_nothing),
		cmocka_unit_test(headers_and_banks),
		cmocka_unit_test(hostile_logs_are_cheap_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
