/* SPDX-License-Identifier: Apache-2.0 */
/* The command's small parts: arguments, encodings, JSON of values, taming, names of variables. */
#include "command/command.h"
#include "command/deliver.h"
#include "command/encode.h"
#include "command/json.h"
#include "command/value.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- arguments ---- */

static void
test_arguments(void **state)
{
	static const struct {
		const char *name;
		const char *arguments[6];
		int want;
		size_t positional;
		uint64_t number;
		bool flag;
	} cases[] = {
		{"nothing", {NULL}, 0, 0, 7, false},
		{"options among arguments", {"a", "--flag", "b", "--number", "3"}, 0, 2, 3, true},
		{"value after equals", {"--number=12"}, 0, 0, 12, false},
		{"-- ends options", {"--", "--flag"}, 0, 1, 7, false},
		{"- is an argument", {"-"}, 0, 1, 7, false},
		{"unknown option", {"--other"}, EX_USAGE, 0, 7, false},
		{"a prefix of an option", {"--fla"}, EX_USAGE, 0, 7, false},
		{"number is missing", {"--number"}, EX_USAGE, 0, 7, false},
		{"number is none", {"--number", "x"}, EX_USAGE, 0, 7, false},
		{"number with a sign", {"--number", "-1"}, EX_USAGE, 0, 7, false},
		{"number with more", {"--number", "1x"}, EX_USAGE, 0, 7, false},
		{"number too large", {"--number", "99999999999999999999"}, EX_USAGE, 0, 7, false},
		{"flag with a value", {"--flag=1"}, EX_USAGE, 0, 7, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t number = 7;
		bool flag = false;
		struct text_list positional;
		const struct option_rule rules[] = {{"--flag", OPTION_FLAG, &flag},
						    {"--number", OPTION_NUMBER, &number}};
		char *argv[7] = {NULL};
		int argc = 0;
		for (; cases[i].arguments[argc] != NULL; argc++)
			argv[argc] = strdup(cases[i].arguments[argc]);
		print_message("%s\n", cases[i].name);
		assert_int_equal(ARGUMENTS_PARSE(argc, argv, rules, &positional), cases[i].want);
		if (cases[i].want == 0) {
			assert_int_equal(positional.count, cases[i].positional);
			assert_int_equal(number, cases[i].number);
			assert_int_equal(flag, cases[i].flag);
		}
		for (int k = 0; k < argc; k++)
			free(argv[k]);
	}
}

static void
test_arguments_rest(void **state)
{
	char a[] = "path", b[] = "--exec", c[] = "ls", d[] = "--flag";
	char *argv[] = {a, b, c, d, NULL};
	char **rest = NULL;
	struct text_list positional;
	const struct option_rule rules[] = {{"--exec", OPTION_REST, &rest}};

	(void)state;
	assert_int_equal(ARGUMENTS_PARSE(4, argv, rules, &positional), 0);
	assert_int_equal(positional.count, 1);
	assert_ptr_equal(rest, &argv[2]);
}

/* ---- encodings ---- */

static void
test_base64(void **state)
{
	static const struct {
		const char *text;
		int size; /* -1: refused */
	} cases[] = {
		{"", 0},	  {"AA==", 1},	    {"AAA=", 2},  {"AAAA", 3},	 {"AA", -1},
		{"AA=", -1},	  {"AB==", -1},	    {"AAB=", -1}, {"AA== ", -1}, {" AA==", -1},
		{"A\nA==", -1},	  {"AA==AA==", -1}, {"A-A=", -1}, {"====", -1},	 {"AAAAA===", -1},
		{"AAAAAAAA", -1}, /* 6 bytes into 5 */
		{"AAA\x80", -1},  /* what libsodium takes for a digit */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t bytes[5];
		size_t size = 0;
		bool good = base64_decode(cases[i].text, strlen(cases[i].text), bytes,
					  sizeof(bytes), &size);
		print_message("'%s'\n", cases[i].text);
		assert_int_equal(good, cases[i].size >= 0);
		if (good)
			assert_int_equal(size, cases[i].size);
	}
}

static void
test_hex(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} cases[] = {{"00ff", true},  {"00FF", true}, {"00f", false},  {"00fff", false},
		     {"00fg", false}, {"", false},    {"0 ff", false}, {"00:ff", false}};
	uint8_t bytes[2];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(hex_decode(cases[i].text, bytes, 2), cases[i].want);
}

static void
test_time(void **state)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: refused */
	} cases[] = {
		{"now", 1000},
		{"0", 0},
		{"1767225600", 1767225600},
		{"2026-01-01", 1767225600},
		{"2026-01-01T00:00:01Z", 1767225601},
		{"+1d", 87400},
		{"+2h", 8200},
		{"+3m", 1180},
		{"", -1},
		{"+", -1},
		{"+1", -1},
		{"+1w", -1},
		{"+1dd", -1},
		{"-1", -1},
		{"2026-02-30", -1},
		{"2026-13-01", -1},
		{"2026-01-01 ", -1},
		{"2026-01-01T00:00:01", -1},
		{"tomorrow", -1},
		{"99999999999999999999", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t time = 0;
		bool good = time_parse(cases[i].text, 1000, &time);
		print_message("'%s'\n", cases[i].text);
		assert_int_equal(good, cases[i].want >= 0);
		if (good)
			assert_int_equal(time, cases[i].want);
	}
}

static void
test_pcr_mask(void **state)
{
	static const struct {
		const char *text;
		uint16_t want; /* 0: refused */
	} cases[] = {
		{"0", 1},
		{"4,7,11", 1 << 4 | 1 << 7 | 1 << 11},
		{"0-15", 0xffff},
		{"1,1", 2},
		{"", 0},
		{"16", 0},
		{"1,", 0},
		{",1", 0},
		{"3-2", 0},
		{"1-", 0},
		{"-1", 0},
		{"1 ,2", 0},
		{"a", 0},
		{"1-16", 0},
		{"99999999999999999999", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint16_t mask = 0;
		print_message("'%s'\n", cases[i].text);
		assert_int_equal(pcr_mask_parse(cases[i].text, &mask), cases[i].want != 0);
		assert_int_equal(mask, cases[i].want);
	}
}

static void
test_pcr_value(void **state)
{
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
	struct pcr_values values = {.mask = 0};

	(void)state;
	assert_false(pcr_value_parse("16=" ZEROS, &values));
	assert_false(pcr_value_parse("4=" ZEROS "0", &values));
	assert_false(pcr_value_parse("4=00", &values));
	assert_false(pcr_value_parse("4" ZEROS, &values));
	assert_false(pcr_value_parse("=" ZEROS, &values));
	assert_true(pcr_value_parse("4=" ZEROS, &values));
	assert_false(pcr_value_parse("4=" ZEROS, &values)); /* twice */
	assert_int_equal(values.mask, 1 << 4);
}

static void
test_wanted(void **state)
{
	static const struct {
		const char *text;
		int64_t version; /* -1: refused */
	} cases[] = {
		{"db/prod", 0}, {"db/prod@3", 3}, {"db", 0},	 {"db@4294967295", 4294967295},
		{"", -1},	{"/db", -1},	  {"db/", -1},	 {"db/../x", -1},
		{"db@", -1},	{"db@0", -1},	  {"db@x", -1},	 {"db@4294967296", -1},
		{"db@1@2", -1}, {"db prod", -1},  {"db@-1", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct wanted_secret wanted;
		bool good = wanted_parse(cases[i].text, &wanted);
		print_message("'%s'\n", cases[i].text);
		assert_int_equal(good, cases[i].version >= 0);
		if (good)
			assert_int_equal(wanted.version, cases[i].version);
	}
}

static void
test_utf8(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} cases[] = {
		{"", true},
		{"plain", true},
		{"\xc3\xa9", true},
		{"\xe2\x82\xac", true},
		{"\xf0\x9f\x98\x80", true},
		{"\xc3", false},
		{"\x80", false},
		{"\xc0\x80", false},
		{"\xe0\x80\x80", false},
		{"\xed\xa0\x80", false},
		{"\xf4\x90\x80\x80", false},
		{"\xf5\x80\x80\x80", false},
		{"\xe2\x82", false},
		{"\xff", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(
			utf8_wellformed((const uint8_t *)cases[i].text, strlen(cases[i].text)),
			cases[i].want);
}

static void
test_tame(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} cases[] = {
		{"plain", "web-1", "web-1"},
		{"escape sequence", "a\x1b[2Jb", "a?[2Jb"},
		{"newline", "a\nb", "a?b"},
		{"C1 in UTF-8",
		 "a\xc2\x9b"
		 "b",
		 "a\xc2?b"},
		{"right-to-left override",
		 "a\xe2\x80\xae"
		 "b",
		 "a\xe2\x80?b"},
		{"accents stay", "\xc3\xa9", "\xc3\xa9"},
		{"euro stays", "\xe2\x82\xac", "\xe2\x82\xac"},
		{"cut to fit", "0123456789abcdef", "0123456789"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char tame[11];
		print_message("%s\n", cases[i].name);
		text_tame(cases[i].text, strlen(cases[i].text), tame, sizeof(tame));
		assert_string_equal(tame, cases[i].want);
	}
}

/* ---- values ---- */

static void
test_value_object(void **state)
{
	static const char odd[] = "a\"b\\c\nd\x7f\xc3\xa9";
	struct value_pair pairs[] = {{"user", {(const uint8_t *)"app", 3}},
				     {"pass\"word", {(const uint8_t *)odd, sizeof(odd) - 1}}};
	auto_secret *object = NULL, *value = NULL;

	(void)state;
	assert_int_equal(value_object(pairs, 2, 1000, &object), VALUE_OK);
	json_t *json = json_loadb((const char *)object->bytes, object->size, 0, NULL);
	assert_non_null(json);
	assert_string_equal(json_text(json, "user"), "app");
	assert_string_equal(json_text(json, "pass\"word"), odd);
	json_decref(json);
	assert_int_equal(
		value_member((struct bytes){object->bytes, object->size}, "pass\"word", &value),
		VALUE_OK);
	assert_int_equal(value->size, sizeof(odd) - 1);
	assert_memory_equal(value->bytes, odd, value->size);
	auto_secret *none = NULL;
	assert_int_equal(value_object(pairs, 2, 10, &none), VALUE_LIMIT);
	pairs[1].name = "user";
	assert_int_equal(value_object(pairs, 2, 1000, &none), VALUE_REPEATED);
	pairs[1] = (struct value_pair){"x", {(const uint8_t *)"\xff", 1}};
	assert_int_equal(value_object(pairs, 2, 1000, &none), VALUE_ENCODING);
	assert_null(none);
}

static void
test_value_member(void **state)
{
	static const struct {
		const char *text;
		enum value_status want;
		const char *value;
	} cases[] = {
		{"{\"a\":\"x\"}", VALUE_OK, "x"},
		{" {\"b\":[1,{\"a\":2}],\"a\" : \"x\" } ", VALUE_OK, "x"},
		{"{\"a\":\"\\u00e9\\n\\ud83d\\ude00\"}", VALUE_OK, "\xc3\xa9\n\xf0\x9f\x98\x80"},
		{"{\"a\":-1.5e3}", VALUE_OK, "-1.5e3"},
		{"{\"a\":{\"b\":[true,false,null]}}", VALUE_OK, "{\"b\":[true,false,null]}"},
		{"{\"\\u0061\":\"x\"}", VALUE_OK, "x"},
		{"{\"a\":\"\"}", VALUE_OK, ""},
		{"{}", VALUE_MISSING, NULL},
		{"{\"b\":{\"a\":1}}", VALUE_MISSING, NULL},
		{"{\"a\":1,\"a\":2}", VALUE_REPEATED, NULL},
		{"", VALUE_MALFORMED, NULL},
		{"x", VALUE_MALFORMED, NULL},
		{"[]", VALUE_MALFORMED, NULL},
		{"{\"a\":1", VALUE_MALFORMED, NULL},
		{"{\"a\":1}}", VALUE_MALFORMED, NULL},
		{"{\"a\":1,}", VALUE_MALFORMED, NULL},
		{"{\"a\"}", VALUE_MALFORMED, NULL},
		{"{a:1}", VALUE_MALFORMED, NULL},
		{"{\"a\":01}", VALUE_MALFORMED, NULL},
		{"{\"a\":1.}", VALUE_MALFORMED, NULL},
		{"{\"a\":+1}", VALUE_MALFORMED, NULL},
		{"{\"a\":tru}", VALUE_MALFORMED, NULL},
		{"{\"a\":\"\\x\"}", VALUE_MALFORMED, NULL},
		{"{\"a\":\"\\ud83d\"}", VALUE_MALFORMED, NULL},
		{"{\"a\":\"\\ude00\"}", VALUE_MALFORMED, NULL},
		{"{\"a\":\"\n\"}", VALUE_MALFORMED, NULL},
		{"{\"a\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", VALUE_MALFORMED, NULL},
		{"{\"a\":\"\xff\"}", VALUE_ENCODING, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t size = strlen(cases[i].text);
		uint8_t *exact = malloc(size > 0 ? size : 1); /* so that ASan sees an over-read */
		auto_secret *value = NULL;
		memcpy(exact, cases[i].text, size);
		print_message("%s\n", cases[i].text);
		assert_int_equal(value_member((struct bytes){exact, size}, "a", &value),
				 cases[i].want);
		if (cases[i].want == VALUE_OK) {
			assert_int_equal(value->size, strlen(cases[i].value));
			assert_memory_equal(value->bytes, cases[i].value, value->size);
		}
		free(exact);
	}
}

/* Every truncation of an object is malformed. */
static void
test_value_truncated(void **state)
{
	static const char text[] = "{\"b\":[1,{\"c\":-2.5e+1}],\"a\":\"x\\u00e9\\\\\"}";

	(void)state;
	for (size_t size = 0; size < sizeof(text) - 1; size++) {
		uint8_t *exact = malloc(size > 0 ? size : 1);
		auto_secret *value = NULL;
		memcpy(exact, text, size);
		assert_int_equal(value_member((struct bytes){exact, size}, "a", &value),
				 VALUE_MALFORMED);
		free(exact);
	}
}

static void
test_json(void **state)
{
	static const struct {
		const char *name, *text;
		bool want;
	} cases[] = {
		{"object", "{\"a\":1}", true},
		{"nothing", "", false},
		{"array", "[1]", false},
		{"duplicate member", "{\"a\":1,\"a\":2}", false},
		{"trailing byte", "{}x", false},
		{"cut", "{\"a\":", false},
		{"deep", "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", false},
		{"brackets in a text are not deep", "{\"a\":\"[[[[[[[[[[[[[[[[[[[[[\\\"[\"}", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_json *json = json_parse(cases[i].text, strlen(cases[i].text));
		print_message("%s\n", cases[i].name);
		assert_int_equal(json != NULL, cases[i].want);
	}
	uint8_t bytes[4];
	static const char members[] = "{\"a\":\"AAAA\",\"n\":-1,\"t\":1}";
	auto_json *json = json_parse(members, sizeof(members) - 1);
	assert_true(json_bytes_exact(json, "a", bytes, 3));
	assert_false(json_bytes_exact(json, "a", bytes, 4));
	assert_false(json_bytes_exact(json, "t", bytes, 3));
	assert_false(json_bytes_exact(json, "none", bytes, 3));
	assert_int_equal(json_number(json, "n"), 0);
	assert_string_equal(json_text(json, "t"), "");
}

/* ---- deliveries ---- */

static void
test_deliver_variable(void **state)
{
	char name[DELIVER_VARIABLE_SIZE];

	(void)state;
	deliver_variable("db/prod-1.x_Y", name);
	assert_string_equal(name, "POSTERN_SECRET_DB_PROD_1_X_Y");
}

static void
test_deliver_json(void **state)
{
	static const uint8_t binary[] = {0xff, 0x00, 0x01};
	struct delivery *delivery = calloc(1, sizeof(*delivery));
	auto_secret *text = NULL;

	(void)state;
	delivery->count = 2;
	strcpy(delivery->secrets[0].path, "db/prod");
	delivery->secrets[0].version = 3;
	delivery->secrets[0].value = text_bytes("{\"a\":\"b\\n\"}\x01\x7f");
	strcpy(delivery->secrets[1].path, "blob");
	delivery->secrets[1].value = (struct bytes){binary, sizeof(binary)};
	assert_true(deliver_json(delivery, &text));
	auto_json *json = json_parse((const char *)text->bytes, text->size);
	assert_non_null(json);
	const json_t *secrets = json_object_get(json, "secrets");
	const json_t *one = json_object_get(secrets, "db/prod");
	assert_string_equal(json_text(one, "value"), "{\"a\":\"b\\n\"}\x01\x7f");
	assert_string_equal(json_text(one, "encoding"), "utf-8");
	assert_int_equal(json_number(one, "version"), 3);
	assert_string_equal(json_text(json_object_get(secrets, "blob"), "value"), "/wAB");
	assert_string_equal(json_text(json_object_get(secrets, "blob"), "encoding"), "base64");
	free(delivery);
}

/* Nothing takes more room in JSON than controls do. */
static void
test_deliver_json_escapes(void **state)
{
	static uint8_t controls[1000];
	struct delivery *delivery = calloc(1, sizeof(*delivery));
	auto_secret *text = NULL;

	(void)state;
	memset(controls, 1, sizeof(controls));
	delivery->count = 1;
	strcpy(delivery->secrets[0].path, "a");
	delivery->secrets[0].value = (struct bytes){controls, sizeof(controls)};
	assert_true(deliver_json(delivery, &text));
	auto_json *json = json_parse((const char *)text->bytes, text->size);
	const json_t *one = json_object_get(json_object_get(json, "secrets"), "a");
	assert_int_equal(json_string_length(json_object_get(one, "value")), sizeof(controls));
	free(delivery);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_arguments_rest),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_pcr_mask),
		cmocka_unit_test(test_pcr_value),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_tame),
		cmocka_unit_test(test_value_object),
		cmocka_unit_test(test_value_member),
		cmocka_unit_test(test_value_truncated),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_deliver_variable),
		cmocka_unit_test(test_deliver_json),
		cmocka_unit_test(test_deliver_json_escapes),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
