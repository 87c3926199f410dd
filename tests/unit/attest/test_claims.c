/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/claims.h"
#include "spoil.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(literal) ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

static const uint8_t DIGEST[64] = {0xd1, 0x6e, 0x57};

static struct bytes
encoded(const struct attest_claims *claims)
{
	return (struct bytes){claims->encoded, claims->size};
}

/* One claim of each kind, and lists of none and of several. */
static void
fill(struct attest_claims *claims)
{
	const struct bytes digests[] = {{DIGEST, 32}, {DIGEST, 48}, {DIGEST, 64}};
	const struct bytes lines[] = {TEXT("/vmlinuz quiet"),
				      TEXT("/vmlinuz \xc3\xa4 \xf0\x9f\x98\x80")};
	const struct bytes version = TEXT("v1");

	*claims = (struct attest_claims){0};
	assert_true(attest_claim_boolean(claims, CLAIM_SECURE_BOOT, true));
	assert_true(attest_claim_boolean(claims, CLAIM_SETUP_MODE, false));
	assert_true(attest_claim_values(claims, CLAIM_FIRMWARE_VERSION, &version, 1));
	assert_true(attest_claim_values(claims, CLAIM_BOOT_IMAGES, digests, 3));
	assert_true(attest_claim_values(claims, CLAIM_GRUB_COMMAND_LINES, lines, 2));
	assert_true(attest_claim_values(claims, CLAIM_STUB_COMMAND_LINES, NULL, 0));
	assert_true(attest_claim_number(claims, CLAIM_WINDOWS_BOOT_COUNTER, INT64_MAX));
}

static void
rules_are_a_table_in_order(void **state)
{
	const struct attest_claim_rule *rule;
	uint8_t last = 0;
	size_t i;

	(void)state;
	for (i = 0; (rule = attest_claim_rule_at(i)) != NULL; i++) {
		assert_true(rule->id > last && rule->id <= UINT8_MAX);
		last = (uint8_t)rule->id;
		assert_ptr_equal(attest_claim_rule(last), rule);
		assert_true(islower((unsigned char)rule->name[0]));
		for (const char *c = rule->name; *c != '\0'; c++)
			assert_true(isalnum((unsigned char)*c));
		assert_true(strlen(rule->meaning) > 0);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(rule->name, attest_claim_rule_at(k)->name);
	}
	assert_true(i > 30);
	assert_null(attest_claim_rule(0));
	assert_null(attest_claim_rule(255));
}

static void
what_is_claimed_is_read_back(void **state)
{
	struct attest_claims claims;
	struct attest_claim claim;

	(void)state;
	fill(&claims);
	assert_true(attest_claims_valid(encoded(&claims)));
	assert_int_equal(attest_claims_answer(&claims, CLAIM_SECURE_BOOT), ATTEST_YES);
	assert_int_equal(attest_claims_answer(&claims, CLAIM_SETUP_MODE), ATTEST_NO);
	assert_int_equal(attest_claims_answer(&claims, CLAIM_AUDIT_MODE), ATTEST_UNKNOWN);
	/* Not a boolean: no answer, whatever its bytes are. */
	assert_int_equal(attest_claims_answer(&claims, CLAIM_FIRMWARE_VERSION), ATTEST_UNKNOWN);
	assert_false(attest_claims_find(&claims, CLAIM_MOK, &claim));
	assert_true(attest_claims_find(&claims, CLAIM_WINDOWS_BOOT_COUNTER, &claim));
	assert_true(attest_claim_value_number(attest_claim_next_value(&claim)) == INT64_MAX);
	assert_true(attest_claims_find(&claims, CLAIM_STUB_COMMAND_LINES, &claim));
	assert_int_equal(claim.count, 0);
	assert_true(attest_claims_find(&claims, CLAIM_BOOT_IMAGES, &claim));
	assert_int_equal(claim.count, 3);
	for (size_t size = 32; size <= 64; size += 16)
		assert_true(
			bytes_equal(attest_claim_next_value(&claim), (struct bytes){DIGEST, size}));
	assert_int_equal(attest_claim_next_value(&claim).size, 0);
}

static void
what_does_not_fit_is_left_out(void **state)
{
	static const uint8_t yes[] = {1};
	static const uint8_t two[] = {2};
	static const uint8_t number[8] = {0x80};
	static uint8_t long_text[ATTEST_CLAIM_TEXT_MAX + 1];
	/* clang-format off: a table */
	const struct {
		const char *name;
		enum attest_claim_id id;
		struct bytes values[2];
		size_t count;
		bool want;
	} cases[] = {
		{"good", CLAIM_MOK, {{DIGEST, 32}}, 1, true},
		{"none", CLAIM_MOK, {{0}}, 0, true},
		{"out of order", CLAIM_GRUB_COMMAND_LINES, {TEXT("a")}, 1, false},
		{"twice", CLAIM_UKI_COMMAND_LINE, {{DIGEST, 32}}, 1, false},
		{"no such claim", (enum attest_claim_id)31, {{DIGEST, 32}}, 1, false},
		{"of no id", (enum attest_claim_id)0, {{DIGEST, 32}}, 1, false},
		{"of SHA-1", CLAIM_MOK, {{DIGEST, 20}}, 1, false},
		{"one bad of two", CLAIM_MOK, {{DIGEST, 32}, {DIGEST, 31}}, 2, false},
		{"a number of four bytes", CLAIM_WINDOWS_BOOT_COUNTER, {{number, 4}}, 1, false},
		{"a negative number", CLAIM_WINDOWS_BOOT_COUNTER, {{number, 8}}, 1, false},
		{"a boolean as values", CLAIM_WINDOWS_COLD_BOOT, {{yes, 1}}, 1, false},
		{"a boolean of two", CLAIM_WINDOWS_COLD_BOOT, {{two, 1}}, 1, false},
		{"text too long",
		 CLAIM_STUB_COMMAND_LINES,
		 {{long_text, sizeof(long_text)}},
		 1,
		 false},
		{"text as long as may be",
		 CLAIM_STUB_COMMAND_LINES,
		 {{long_text, sizeof(long_text) - 1}},
		 1,
		 true},
		{"control character", CLAIM_STUB_COMMAND_LINES, {TEXT("a\nb")}, 1, false},
	};
	/* clang-format on */

	(void)state;
	memset(long_text, 'a', sizeof(long_text));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attest_claims claims = {0};
		struct attest_claims before;
		const struct bytes digest = {DIGEST, 32};

		assert_true(attest_claim_values(&claims, CLAIM_UKI_COMMAND_LINE, &digest, 1));
		before = claims;
		if (attest_claim_values(&claims, cases[i].id, cases[i].values, cases[i].count) !=
		    cases[i].want)
			fail_msg("%s", cases[i].name);
		if (!cases[i].want)
			assert_int_equal(claims.size, before.size);
		assert_true(attest_claims_valid(encoded(&claims)));
	}
}

static void
one_value_where_there_is_one(void **state)
{
	struct attest_claims claims = {0};
	const struct bytes values[] = {TEXT("a"), TEXT("b")};

	(void)state;
	assert_false(attest_claim_values(&claims, CLAIM_FIRMWARE_VERSION, values, 2));
	assert_false(attest_claim_values(&claims, CLAIM_FIRMWARE_VERSION, values, 0));
	assert_false(attest_claim_number(&claims, CLAIM_SECURE_BOOT, 1));
	assert_false(attest_claim_boolean(&claims, CLAIM_WINDOWS_BOOT_COUNTER, true));
	assert_false(
		attest_claim_number(&claims, CLAIM_WINDOWS_BOOT_COUNTER, (uint64_t)INT64_MAX + 1));
	assert_int_equal(claims.size, 0);
}

/* What does not fit any more is left out whole, and what came before stays. */
static void
claims_end_where_the_room_does(void **state)
{
	static struct bytes values[ATTEST_CLAIMS_MAX / 34 + 1];
	struct attest_claims claims = {0};
	size_t most = (ATTEST_CLAIMS_MAX - 3) / 34;

	(void)state;
	for (size_t i = 0; i <= most; i++)
		values[i] = (struct bytes){DIGEST, 32};
	assert_false(attest_claim_values(&claims, CLAIM_BOOT_IMAGES, values, most + 1));
	assert_int_equal(claims.size, 0);
	assert_true(attest_claim_values(&claims, CLAIM_BOOT_IMAGES, values, most));
	assert_true(attest_claims_valid(encoded(&claims)));
	size_t full = claims.size;
	assert_false(attest_claim_values(&claims, CLAIM_MOK, values, 1));
	assert_int_equal(claims.size, full);
	assert_true(attest_claims_valid(encoded(&claims)));
}

static void
texts_are_utf8_without_control_characters(void **state)
{
	/* clang-format off: a table */
	static const struct {
		const char *name;
		struct bytes text;
		bool want;
	} cases[] = {
		{"none", {(const uint8_t *)"", 0}, true},
		{"ASCII", {(const uint8_t *)" ~", 2}, true},
		{"two bytes, least", {(const uint8_t *)"\xc2\xa0", 2}, true},
		{"three bytes", {(const uint8_t *)"\xe2\x82\xac", 3}, true},
		{"before the surrogates", {(const uint8_t *)"\xed\x9f\xbf", 3}, true},
		{"behind the surrogates", {(const uint8_t *)"\xee\x80\x80", 3}, true},
		{"four bytes", {(const uint8_t *)"\xf0\x90\x80\x80", 4}, true},
		{"the last of all", {(const uint8_t *)"\xf4\x8f\xbf\xbf", 4}, true},
		{"NUL", {(const uint8_t *)"a\0b", 3}, false},
		{"tabulator", {(const uint8_t *)"\t", 1}, false},
		{"escape", {(const uint8_t *)"\x1b[2J", 4}, false},
		{"delete", {(const uint8_t *)"\x7f", 1}, false},
		{"C1 control", {(const uint8_t *)"\xc2\x9b", 2}, false},
		{"lone continuation", {(const uint8_t *)"\x80", 1}, false},
		{"overlong of two", {(const uint8_t *)"\xc0\xaf", 2}, false},
		{"overlong of three", {(const uint8_t *)"\xe0\x9f\xbf", 3}, false},
		{"overlong of four", {(const uint8_t *)"\xf0\x8f\xbf\xbf", 4}, false},
		{"surrogate", {(const uint8_t *)"\xed\xa0\x80", 3}, false},
		{"above the last", {(const uint8_t *)"\xf4\x90\x80\x80", 4}, false},
		{"of five bytes", {(const uint8_t *)"\xf8\x88\x80\x80\x80", 5}, false},
		{"ff", {(const uint8_t *)"\xff", 1}, false},
		{"cut after one of two", {(const uint8_t *)"\xc3", 1}, false},
		{"cut after two of three", {(const uint8_t *)"\xe2\x82", 2}, false},
		{"cut after three of four", {(const uint8_t *)"\xf0\x90\x80", 3}, false},
		{"no continuation", {(const uint8_t *)"\xc3(", 2}, false},
		{"Latin-1", {(const uint8_t *)"\xe4\xf6", 2}, false},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attest_claims claims = {0};
		/* Of the exact size, so that a sanitizer sees one byte too many. */
		uint8_t *copy = malloc(cases[i].text.size + 1);

		assert_non_null(copy);
		copy = realloc(copy, cases[i].text.size == 0 ? 1 : cases[i].text.size);
		assert_non_null(copy);
		memcpy(copy, cases[i].text.data, cases[i].text.size);
		const struct bytes text = {copy, cases[i].text.size};
		if (attest_claim_values(&claims, CLAIM_SBAT_LEVEL, &text, 1) != cases[i].want)
			fail_msg("%s", cases[i].name);
		free(copy);
	}
}

static bool
accepts(struct bytes input, void *user)
{
	(void)user;
	return attest_claims_valid(input);
}

/* A prefix that ends with a claim is claims too; every other is none, nor is a byte more. */
static void
claims_end_with_a_claim(void **state)
{
	struct attest_claims claims;
	struct attest_claim claim;
	bool ends[ATTEST_CLAIMS_MAX + 1] = {true};

	(void)state;
	fill(&claims);
	struct reader r = reader_of(encoded(&claims));
	while (attest_claim_next(&r, &claim))
		ends[claims.size - r.left] = true;
	for (size_t size = 0; size <= claims.size; size++)
		if (accepts_copy((struct bytes){claims.encoded, size}, accepts, NULL) != ends[size])
			fail_msg("%zu bytes", size);
	claims.encoded[claims.size] = 0;
	assert_false(accepts_copy((struct bytes){claims.encoded, claims.size + 1}, accepts, NULL));
}

/* Whatever is accepted is what its own claims are encoded to: nothing is said in two ways. */
static bool
canonical(struct bytes input)
{
	struct reader r = reader_of(input);
	static struct attest_claims again;
	static struct bytes values[4096];
	struct attest_claim claim;

	again.size = 0;
	while (attest_claim_next(&r, &claim)) {
		enum attest_claim_id id = claim.rule->id;
		for (uint32_t i = 0; i < claim.count; i++)
			values[i] = attest_claim_next_value(&claim);
		bool made = claim.rule->kind == CLAIM_KIND_BOOLEAN
				    ? attest_claim_boolean(&again, id,
							   attest_claim_value_boolean(values[0]))
				    : attest_claim_values(&again, id, values, claim.count);
		if (!made)
			return false;
	}
	return bytes_equal(input, encoded(&again));
}

static void
every_flip_is_refused_or_canonical(void **state)
{
	struct attest_claims claims;
	unsigned refused = 0;

	(void)state;
	fill(&claims);
	assert_true(canonical(encoded(&claims)));
	for (size_t bit = 0; bit < 8 * claims.size; bit++) {
		claims.encoded[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (!accepts_copy(encoded(&claims), accepts, NULL))
			refused++;
		else if (!canonical(encoded(&claims)))
			fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
		claims.encoded[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_true(refused > 300);
}

/* Encodings that only another process could send. */
static void
bad_encodings_are_refused(void **state)
{
	static const struct {
		const char *name;
		uint8_t bytes[12];
		size_t size;
	} cases[] = {
		{"an unknown id", {31, 0, 1, 0, 1, 1}, 6},
		{"id 0", {0, 0, 1, 0, 1, 1}, 6},
		{"twice", {1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 1}, 12},
		{"descending", {2, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 1}, 12},
		{"a boolean of 2", {1, 0, 1, 0, 1, 2}, 6},
		{"a boolean of two bytes", {1, 0, 1, 0, 2, 0, 1}, 7},
		{"a boolean of none", {1, 0, 1, 0, 0}, 5},
		{"no value", {1, 0, 0}, 3},
		{"two values", {1, 0, 2, 0, 1, 1, 0, 1, 1}, 9},
		{"a list too long", {33, 0x10, 0x01}, 3},
		{"a list with less than it says", {39, 0, 1}, 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (accepts_copy((struct bytes){cases[i].bytes, cases[i].size}, accepts, NULL))
			fail_msg("%s", cases[i].name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_a_table_in_order),
		cmocka_unit_test(what_is_claimed_is_read_back),
		cmocka_unit_test(what_does_not_fit_is_left_out),
		cmocka_unit_test(one_value_where_there_is_one),
		cmocka_unit_test(claims_end_where_the_room_does),
		cmocka_unit_test(texts_are_utf8_without_control_characters),
		cmocka_unit_test(claims_end_with_a_claim),
		cmocka_unit_test(every_flip_is_refused_or_canonical),
		cmocka_unit_test(bad_encodings_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
