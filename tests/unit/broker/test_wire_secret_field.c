/* SPDX-License-Identifier: Apache-2.0 */
/* What operators say of secrets beside their values, and of shares: each field's forms, as part of
 * a request. */
#include "wire/operation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t zeros[WIRE_CHALLENGE_SIZE];

static struct bytes
word(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* In a request of exactly its size. */
static void
check_form(enum operation operation, enum operation_field field, struct bytes value, bool good,
	   const char *what)
{
	static uint8_t memory[OPERATION_REQUEST_MAX];
	struct operation_request decoded,
		request = {
			.answer_key = {zeros, WIRE_KEY_SIZE},
			.operator_name = word("alice"),
			.challenge = BYTES_OF(zeros),
			.trust_revision = operation_find((uint16_t)operation)->act ? 3 : 0,
			.operation = (uint16_t)operation,
		};
	const char *problem = NULL;
	if (operation != OPERATION_REKEY)
		operation_set_text(&request, FIELD_PATH, "db/prod");
	operation_set(&request, field, value);
	struct writer w = writer_of(memory, sizeof(memory));
	operation_request_write(&w, &request);
	assert_false(w.failed);
	uint8_t *copy = malloc(w.size);
	assert_non_null(copy);
	memcpy(copy, memory, w.size);
	bool accepted = operation_request_read((struct bytes){copy, w.size}, &decoded, &problem);
	free(copy);
	if (accepted != good)
		fail_msg("%s should be %s", what, good ? "accepted" : "refused");
	if (!good && strstr(problem, "must be ") == NULL)
		fail_msg("%s: '%s'", what, problem);
}

/* A list of u32. */
static struct bytes
versions_of(size_t count, const uint32_t *versions)
{
	static uint8_t encoded[4 * (OPERATION_VERSIONS_MAX + 1)];
	struct writer w = writer_of(encoded, sizeof(encoded));
	for (size_t i = 0; i < count; i++)
		write_be32(&w, versions[i]);
	assert_false(w.failed);
	return writer_bytes(&w);
}

static void
test_versions(void **state)
{
	static const struct {
		const char *what;
		size_t count;
		uint32_t versions[3];
		bool good;
	} lists[] = {
		{"one", 1, {1}, true},
		{"the last there can be", 2, {1, UINT32_MAX}, true},
		{"none", 0, {0}, false},
		{"version 0", 1, {0}, false},
		{"version 0 first", 2, {0, 1}, false},
		{"twice", 2, {3, 3}, false},
		{"falling", 3, {1, 3, 2}, false},
	};
	uint32_t many[OPERATION_VERSIONS_MAX + 1];
	const enum operation destroy = OPERATION_SECRET_DESTROY;
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		check_form(destroy, FIELD_VERSIONS, versions_of(lists[i].count, lists[i].versions),
			   lists[i].good, lists[i].what);
	for (uint32_t i = 0; i <= OPERATION_VERSIONS_MAX; i++)
		many[i] = i + 1;
	check_form(destroy, FIELD_VERSIONS, versions_of(OPERATION_VERSIONS_MAX, many), true,
		   "as many as may be");
	check_form(destroy, FIELD_VERSIONS, versions_of(OPERATION_VERSIONS_MAX + 1, many), false,
		   "one too many");
	struct bytes part = versions_of(2, many);
	for (part.size = 1; part.size < 8; part.size++)
		check_form(destroy, FIELD_VERSIONS, part, part.size == 4, "a part of one");
}

#define YEAR_SECONDS ((uint64_t)366 * 24 * 3600)

static void
test_settings(void **state)
{
	static const struct {
		const char *what;
		struct secret_settings settings;
		bool good;
	} forms[] = {
		{"all", {7, 5, true, 3600}, true},
		{"all, each of them nothing", {7, 0, false, 0}, true},
		{"the largest", {7, OPERATION_VERSIONS_MAX, true, 100 * YEAR_SECONDS}, true},
		{"one alone", {SETTING_VERSIONS_MAX, 5, false, 0}, true},
		{"none", {0, 0, false, 0}, false},
		{"one that is not known", {8, 0, false, 0}, false},
		{"too many versions",
		 {SETTING_VERSIONS_MAX, OPERATION_VERSIONS_MAX + 1, false, 0},
		 false},
		{"too long",
		 {SETTING_DELETE_VERSION_AFTER, 0, false, 100 * YEAR_SECONDS + 1},
		 false},
		{"beyond all time", {SETTING_DELETE_VERSION_AFTER, 0, false, UINT64_MAX}, false},
		{"versions that are not set", {SETTING_CAS_REQUIRED, 5, true, 0}, false},
		{"check-and-set that is not set", {SETTING_VERSIONS_MAX, 5, true, 0}, false},
		{"a time that is not set", {SETTING_VERSIONS_MAX, 5, false, 1}, false},
	};
	uint8_t encoded[16];
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct writer w = writer_of(encoded, sizeof(encoded));
		secret_settings_write(&w, &forms[i].settings);
		check_form(OPERATION_SECRET_SETTINGS, FIELD_SETTINGS, writer_bytes(&w),
			   forms[i].good, forms[i].what);
	}
	struct writer w = writer_of(encoded, sizeof(encoded));
	secret_settings_write(&w, &forms[0].settings);
	encoded[5] = 2;
	check_form(OPERATION_SECRET_SETTINGS, FIELD_SETTINGS, writer_bytes(&w), false,
		   "neither yes nor no");
}

static struct bytes
custom_of(size_t count, const struct bytes *names, struct bytes value)
{
	static uint8_t encoded[CUSTOM_MAX * (CUSTOM_NAME_MAX + CUSTOM_VALUE_MAX + 16)];
	struct writer w = writer_of(encoded, sizeof(encoded));
	write_be16(&w, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		write_lp(&w, names[i]);
		write_lp(&w, value);
	}
	assert_false(w.failed);
	return writer_bytes(&w);
}

static void
test_custom_metadata(void **state)
{
	static uint8_t letters[CUSTOM_VALUE_MAX + 1];
	const enum operation operation = OPERATION_SECRET_SETTINGS;
	const struct bytes none[] = {{letters, 0}};
	const struct bytes twice[] = {word("a"), word("b"), word("a")};
	const struct bytes odd[] = {word("owner of this, \xc3\xbc")};
	const struct bytes bad[] = {word("a\nb")};
	const struct bytes broken[] = {word("\xff")};
	struct bytes longest[] = {{letters, CUSTOM_NAME_MAX}};
	struct bytes many[CUSTOM_MAX + 1];
	char names[CUSTOM_MAX + 1][4];
	(void)state;
	memset(letters, 'a', sizeof(letters));
	for (size_t i = 0; i <= CUSTOM_MAX; i++) {
		names[i][0] = (char)('A' + i / 10);
		names[i][1] = (char)('0' + i % 10);
		names[i][2] = '\0';
		many[i] = word(names[i]);
	}
	const struct {
		const char *what;
		struct bytes value;
		bool good;
	} values[] = {
		{"no text", {letters, 0}, true},
		{"the longest text", {letters, CUSTOM_VALUE_MAX}, true},
		{"a longer text", {letters, CUSTOM_VALUE_MAX + 1}, false},
		{"a text of two lines", word("a\nb"), false},
		{"a text with a bell", word("\a"), false},
		{"a text that is none", word("\x80"), false},
		{"a text with NUL", {zeros, 1}, false},
	};
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		check_form(operation, FIELD_CUSTOM, custom_of(1, odd, values[i].value),
			   values[i].good, values[i].what);
	check_form(operation, FIELD_CUSTOM, custom_of(0, NULL, word("")), true, "nothing");
	check_form(operation, FIELD_CUSTOM, custom_of(2, twice, word("x")), true, "two");
	check_form(operation, FIELD_CUSTOM, custom_of(3, twice, word("x")), false, "one twice");
	check_form(operation, FIELD_CUSTOM, custom_of(1, none, word("x")), false, "no name");
	check_form(operation, FIELD_CUSTOM, custom_of(1, bad, word("x")), false,
		   "name of two lines");
	check_form(operation, FIELD_CUSTOM, custom_of(1, broken, word("x")), false,
		   "a name that is no text");
	check_form(operation, FIELD_CUSTOM, custom_of(1, longest, word("x")), true,
		   "the longest name");
	longest[0].size++;
	check_form(operation, FIELD_CUSTOM, custom_of(1, longest, word("x")), false,
		   "a longer name");
	const struct bytes full = {letters, CUSTOM_VALUE_MAX};
	check_form(operation, FIELD_CUSTOM, custom_of(CUSTOM_MAX, many, full), true,
		   "as many as may be");
	check_form(operation, FIELD_CUSTOM, custom_of(CUSTOM_MAX + 1, many, full), false,
		   "one too many");
}

static void
test_share_numbers(void **state)
{
	static const struct {
		uint8_t value[3];
		size_t size;
		bool good;
	} shares[] = {
		{{5, 3}, 2, true},     {{0, 0}, 2, true},   {{1, 1}, 2, true},	{{32, 32}, 2, true},
		{{2, 2}, 2, true},     {{33, 2}, 2, false}, {{5, 6}, 2, false}, {{5, 1}, 2, false},
		{{5, 0}, 2, false},    {{0, 1}, 2, false},  {{5, 3}, 1, false}, {{5, 3}, 0, false},
		{{5, 3, 0}, 3, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		char what[32];
		snprintf(what, sizeof(what), "%u of %u, %zu bytes", shares[i].value[1],
			 shares[i].value[0], shares[i].size);
		check_form(OPERATION_REKEY, FIELD_SHARES,
			   (struct bytes){shares[i].value, shares[i].size}, shares[i].good, what);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_custom_metadata),
		cmocka_unit_test(test_share_numbers),
	};
	return cmocka_run_group_tests_name("fields of secrets", tests, NULL, NULL);
}
