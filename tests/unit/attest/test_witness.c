/* SPDX-License-Identifier: Apache-2.0 */
/* The grammars of PCR 0, 4, 8, 9, 11-14 on logs that are built here: their edges and their limits.
 */
#include "forge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EV_SEPARATOR 4U
#define EV_TAG	     6U
#define EV_VERSION   8U
#define EV_IPL	     13U

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct forge machine;
static struct attest_report report;

/* The only value of a claim; no data where it is absent. */
static struct bytes
value_of(enum attest_claim_id id)
{
	struct attest_claim claim;

	forge_examine(&machine, &report);
	if (!attest_claims_find(&report.claims, id, &claim))
		return (struct bytes){0};
	assert_int_equal(claim.count, 1);
	return attest_claim_next_value(&claim);
}

static void
versions_are_texts_or_guids(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name;
		uint8_t data[20];
		size_t size;
		const char *want; /* NULL: none */
	} cases[] = {
		{"UTF-16", {'v', 0, '1', 0, 0, 0}, 6, "v1"},
		{"an empty text", {0, 0}, 2, ""},
		{"a pair of surrogates", {0x3d, 0xd8, 0x00, 0xde, 0, 0}, 6, "\xf0\x9f\x98\x80"},
		{"two bytes of UTF-8", {0xe4, 0, 0, 0}, 4, "\xc3\xa4"},
		{"three bytes of UTF-8", {0xac, 0x20, 0, 0}, 4, "\xe2\x82\xac"},
		{"the first of a pair alone", {0x3d, 0xd8, 0, 0}, 4, NULL},
		{"the second of a pair alone", {0x00, 0xde, 0, 0}, 4, NULL},
		{"the second of a pair first", {0x00, 0xde, 0x3d, 0xd8, 0, 0}, 6, NULL},
		{"the first of a pair and a letter", {0x3d, 0xd8, 'A', 0, 0, 0}, 6, NULL},
		{"a NUL inside", {'v', 0, 0, 0, '1', 0, 0, 0}, 8, NULL},
		{"a control character", {'v', 0, 7, 0, 0, 0}, 6, NULL},
		{"ASCII", {'v', '1', '.', '0'}, 4, "v1.0"},
		{"ASCII with its NUL", {'v', '1', '.', 0}, 4, "v1."},
		{"ASCII as long as a GUID", {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b',
		  'c', 'd', 'e', 'f'}, 16, "0123456789abcdef"},
		{"a GUID", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 16,
		 "03020100-0504-0706-0809-0a0b0c0d0e0f"},
		{"a byte more than a GUID", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, 17, NULL},
		{"nothing", {0}, 0, NULL},
		{"one NUL", {0}, 1, NULL},
		{"a separator", {0, 0, 0, 0}, 4, NULL},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		forge_begin(&machine);
		forge_measure(&machine, 0, EV_VERSION,
			      (struct bytes){cases[i].data, cases[i].size});
		struct bytes value = value_of(CLAIM_FIRMWARE_VERSION);
		bool same =
			cases[i].want == NULL
				? value.data == NULL
				: value.data != NULL &&
					  bytes_equal(value,
						      (struct bytes){(const uint8_t *)cases[i].want,
								     strlen(cases[i].want)});
		if (!same)
			fail_msg("%s: %.*s", cases[i].name, (int)value.size,
				 (const char *)value.data);
	}
}

/* 512 values are claimed; of 513 nobody could say that they are all. */
static void
one_value_too_many_is_no_claim(void **state)
{
	static const struct {
		uint32_t pcr;
		enum attest_claim_id claim;
	} cases[] = {{4, CLAIM_BOOT_IMAGES}, {9, CLAIM_BOOT_FILES}, {14, CLAIM_MOK}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct attest_claim claim;

		forge_begin(&machine);
		for (uint32_t k = 0; k < 511; k++)
			forge_measure_digest(&machine, cases[i].pcr, EV_IPL,
					     (const uint8_t[32]){(uint8_t)k, 1}, (struct bytes){0});
		forge_measure(&machine, cases[i].pcr, EV_IPL, FORGE_TEXT("/the 512th"));
		forge_examine(&machine, &report);
		assert_true(attest_claims_find(&report.claims, cases[i].claim, &claim));
		assert_int_equal(claim.count, 512);
		forge_measure(&machine, cases[i].pcr, EV_IPL, FORGE_TEXT("/the 513th"));
		forge_examine(&machine, &report);
		assert_false(attest_claims_find(&report.claims, cases[i].claim, &claim));
	}
	forge_begin(&machine);
	for (uint32_t k = 0; k < 65; k++)
		forge_measure(&machine, 12, EV_IPL, (struct bytes){(const uint8_t *)u"q", 4});
	assert_null(value_of(CLAIM_STUB_COMMAND_LINES).data);
}

/* What begins otherwise than with a kernel is no image, whatever follows. */
static void
an_image_begins_with_its_kernel(void **state)
{
	static const char *const first[] = {".linux", ".osrel", ".cmdline", ".pcrsig", "linux"};

	(void)state;
	for (size_t i = 0; i < COUNT(first); i++) {
		struct attest_claim claim;

		forge_begin(&machine);
		forge_measure(&machine, 11, EV_IPL,
			      (struct bytes){(const uint8_t *)first[i], strlen(first[i]) + 1});
		forge_measure(&machine, 11, EV_IPL, FORGE_TEXT("contents"));
		forge_measure(&machine, 11, EV_IPL, FORGE_TEXT(".efifw\0"));
		forge_measure(&machine, 11, EV_IPL, FORGE_TEXT("contents"));
		forge_examine(&machine, &report);
		assert_int_equal(attest_claims_find(&report.claims, CLAIM_UKI_SECTIONS, &claim),
				 i == 0);
	}
}

/* ---- SIPA events ---- */

#define BLOCK_MAX 4096

/* type:le32, size:le32, value */
static void
put(struct writer *w, uint32_t type, struct bytes value)
{
	for (unsigned i = 0; i < 4; i++)
		write_u8(w, (uint8_t)(type >> 8 * i));
	for (unsigned i = 0; i < 4; i++)
		write_u8(w, (uint8_t)(value.size >> 8 * i));
	write_bytes(w, value);
}

static void
put_number(struct writer *w, uint32_t type, uint64_t number, size_t size)
{
	uint8_t value[8];

	for (size_t i = 0; i < size; i++)
		value[i] = (uint8_t)(number >> 8 * i);
	put(w, type, (struct bytes){value, size});
}

/* Both PCRs begin with a block, and are capped. */
static void
boot_windows(struct bytes twelve, struct bytes thirteen)
{
	forge_begin(&machine);
	forge_measure(&machine, 12, EV_TAG, twelve);
	forge_measure(&machine, 13, EV_TAG, thirteen);
	forge_measure(&machine, 12, EV_SEPARATOR, FORGE_TEXT("WBCL"));
	forge_measure(&machine, 13, EV_SEPARATOR, FORGE_TEXT("WBCL"));
	forge_examine(&machine, &report);
}

/* Each PCR has a block, and a cap behind it. */
static void
both_pcrs_are_begun_and_capped(void **state)
{
	uint8_t memory[64];
	struct writer w = writer_of(memory, sizeof(memory));

	(void)state;
	put_number(&w, 0x50003, 0, 1);
	for (unsigned parts = 0; parts < 16; parts++) {
		forge_begin(&machine);
		for (uint32_t i = 0; i < 4; i++)
			if ((parts >> i & 1) != 0)
				forge_measure(&machine, 12 + i % 2, EV_TAG,
					      i < 2 ? writer_bytes(&w) : FORGE_TEXT("WBCL"));
		forge_examine(&machine, &report);
		assert_int_equal(attest_claims_answer(&report.claims, CLAIM_WINDOWS_TEST_SIGNING),
				 parts == 15 ? ATTEST_NO : ATTEST_UNKNOWN);
	}
}

/* One event each, and what it makes of the claim. */
static void
settings_hold_at_every_stage(void **state)
{
	enum { TEST_SIGNING = 0x50003, INTEGRITY = 0x50002, DEP = 0x50004 };
	static const struct {
		const char *name;
		uint32_t type;
		uint64_t twelve, thirteen;
		size_t size;
		enum attest_claim_id claim;
		enum attest_answer want;
	} cases[] = {
		{"weak, off", TEST_SIGNING, 0, 0, 1, CLAIM_WINDOWS_TEST_SIGNING, ATTEST_NO},
		{"weak, once on", TEST_SIGNING, 1, 0, 1, CLAIM_WINDOWS_TEST_SIGNING, ATTEST_YES},
		{"weak, late on", TEST_SIGNING, 0, 1, 1, CLAIM_WINDOWS_TEST_SIGNING, ATTEST_YES},
		{"weak, 2", TEST_SIGNING, 0, 2, 1, CLAIM_WINDOWS_TEST_SIGNING, ATTEST_YES},
		{"strong, on", INTEGRITY, 1, 1, 1, CLAIM_WINDOWS_CODE_INTEGRITY, ATTEST_YES},
		{"strong, once off", INTEGRITY, 0, 1, 1, CLAIM_WINDOWS_CODE_INTEGRITY, ATTEST_NO},
		{"strong, late off", INTEGRITY, 1, 0, 1, CLAIM_WINDOWS_CODE_INTEGRITY, ATTEST_NO},
		{"of two bytes", INTEGRITY, 1, 1, 2, CLAIM_WINDOWS_CODE_INTEGRITY, ATTEST_UNKNOWN},
		{"of none", INTEGRITY, 1, 1, 0, CLAIM_WINDOWS_CODE_INTEGRITY, ATTEST_UNKNOWN},
		{"opt-in", DEP, 0, 0, 8, CLAIM_WINDOWS_DEP, ATTEST_NO},
		{"opt-out", DEP, 1, 1, 8, CLAIM_WINDOWS_DEP, ATTEST_YES},
		{"always off", DEP, 2, 2, 8, CLAIM_WINDOWS_DEP, ATTEST_NO},
		{"always on", DEP, 3, 3, 8, CLAIM_WINDOWS_DEP, ATTEST_YES},
		{"unknown", DEP, 4, 4, 8, CLAIM_WINDOWS_DEP, ATTEST_NO},
		{"of one byte", DEP, 1, 1, 1, CLAIM_WINDOWS_DEP, ATTEST_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t memory[2][64];
		struct writer twelve = writer_of(memory[0], 64);
		struct writer thirteen = writer_of(memory[1], 64);

		put_number(&twelve, cases[i].type, cases[i].twelve, cases[i].size);
		put_number(&thirteen, cases[i].type, cases[i].thirteen, cases[i].size);
		boot_windows(writer_bytes(&twelve), writer_bytes(&thirteen));
		if (attest_claims_answer(&report.claims, cases[i].claim) != cases[i].want)
			fail_msg("%s", cases[i].name);
	}
}

static void
whom_the_boot_manager_started(void **state)
{
	static const struct {
		uint32_t first, second;
		bool cold;
	} cases[] = {{1, 1, true}, {1, 5, true}, {5, 1, false}, {2, 2, false}, {1, 2, false}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t memory[64];
		struct writer w = writer_of(memory, sizeof(memory));

		put_number(&w, 0x20003, cases[i].first, 4);
		put_number(&w, 0x20003, cases[i].second, 4);
		boot_windows(writer_bytes(&w), writer_bytes(&w));
		assert_int_equal(attest_claims_answer(&report.claims, CLAIM_WINDOWS_COLD_BOOT),
				 cases[i].cold ? ATTEST_YES : ATTEST_NO);
	}
}

static void
numbers_that_differ_are_none(void **state)
{
	uint8_t memory[64];
	struct writer w = writer_of(memory, sizeof(memory));
	struct attest_claim claim;

	(void)state;
	put_number(&w, 0x20002, 7, 8);
	put_number(&w, 0x20002, 7, 8);
	put_number(&w, 0x50001, 0, 1);
	boot_windows(writer_bytes(&w), writer_bytes(&w));
	assert_true(attest_claims_find(&report.claims, CLAIM_WINDOWS_BOOT_COUNTER, &claim));
	assert_int_equal(attest_claim_value_number(attest_claim_next_value(&claim)), 7);
	put_number(&w, 0x20002, 8, 8);
	boot_windows(writer_bytes(&w), writer_bytes(&w));
	assert_false(attest_claims_find(&report.claims, CLAIM_WINDOWS_BOOT_COUNTER, &claim));
	/* The others are not concerned. */
	assert_int_equal(attest_claims_answer(&report.claims, CLAIM_WINDOWS_KERNEL_DEBUGGING),
			 ATTEST_NO);
}

/* An event in `depth` aggregations. */
static struct bytes
nested(uint8_t memory[2][BLOCK_MAX], unsigned depth)
{
	struct writer w = writer_of(memory[0], BLOCK_MAX);

	put_number(&w, 0x50003, 0, 1);
	for (unsigned i = 1; i <= depth; i++) {
		struct writer outer = writer_of(memory[i % 2], BLOCK_MAX);

		put(&outer, 0x40010001, writer_bytes(&w));
		w = outer;
	}
	return writer_bytes(&w);
}

static void
aggregations_nest_so_deep(void **state)
{
	uint8_t memory[2][BLOCK_MAX];

	(void)state;
	for (unsigned depth = 0; depth < 12; depth++) {
		struct bytes block = nested(memory, depth);

		boot_windows(block, block);
		assert_int_equal(attest_claims_answer(&report.claims, CLAIM_WINDOWS_TEST_SIGNING),
				 depth < 8 ? ATTEST_NO : ATTEST_UNKNOWN);
	}
}

/* However a block is cut, or made longer, and measured like that: it is no block. */
static void
blocks_are_whole(void **state)
{
	uint8_t memory[64];
	struct writer w = writer_of(memory, sizeof(memory));
	uint8_t *copy;

	(void)state;
	put_number(&w, 0x40010001, 0, 0);
	put_number(&w, 0x50003, 0, 1);
	put(&w, 0x70001, FORGE_TEXT("unknown"));
	/* An empty aggregation, too, is none. */
	boot_windows(writer_bytes(&w), writer_bytes(&w));
	assert_int_equal(report.claims.size, 0);
	for (size_t size = 8; size < w.size; size++) {
		bool whole = size == 17 || size == w.size;

		copy = malloc(size - 8 + 1);
		assert_non_null(copy);
		memcpy(copy, memory + 8, size - 8);
		boot_windows((struct bytes){copy, size - 8}, (struct bytes){memory + 8, 9});
		free(copy);
		assert_int_equal(attest_claims_answer(&report.claims, CLAIM_WINDOWS_TEST_SIGNING),
				 whole ? ATTEST_NO : ATTEST_UNKNOWN);
	}
}

static void
unlocks_are_those_of_pcr_12(void **state)
{
	uint8_t memory[BLOCK_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	struct attest_claim claim;

	(void)state;
	for (uint32_t i = 0; i < 64; i++)
		put_number(&w, 0x20005, i, 4);
	boot_windows(writer_bytes(&w), writer_bytes(&w));
	assert_true(attest_claims_find(&report.claims, CLAIM_WINDOWS_BITLOCKER_UNLOCKS, &claim));
	assert_int_equal(claim.count, 64);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(attest_claim_value_number(attest_claim_next_value(&claim)), i);
	put_number(&w, 0x20005, 1, 4);
	boot_windows(writer_bytes(&w), writer_bytes(&w));
	assert_false(attest_claims_find(&report.claims, CLAIM_WINDOWS_BITLOCKER_UNLOCKS, &claim));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_texts_or_guids),
		cmocka_unit_test(one_value_too_many_is_no_claim),
		cmocka_unit_test(an_image_begins_with_its_kernel),
		cmocka_unit_test(both_pcrs_are_begun_and_capped),
		cmocka_unit_test(settings_hold_at_every_stage),
		cmocka_unit_test(whom_the_boot_manager_started),
		cmocka_unit_test(numbers_that_differ_are_none),
		cmocka_unit_test(aggregations_nest_so_deep),
		cmocka_unit_test(blocks_are_whole),
		cmocka_unit_test(unlocks_are_those_of_pcr_12),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
