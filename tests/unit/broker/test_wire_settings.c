/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct settings_key keys[] = {
	{"listen", true, true},
	{"store", false, false},
	{"workers", false, false},
	{NULL, false, false},
};

static struct settings *
parse(const char *text, size_t size, char problem[200])
{
	char *copy = malloc(size > 0 ? size : 1);
	memcpy(copy, text, size);
	problem[0] = '\0';
	struct settings *settings = settings_parse(copy, size, "posternd.conf", keys, problem);
	free(copy);
	return settings;
}

static void
test_good(void **state)
{
	static const char text[] = "# comment\n"
				   "\n"
				   "  listen=0.0.0.0:8443  \n"
				   "\tlisten\t=\t[::]:8443\n"
				   "store = /var/lib/a = b # c\n"
				   "   # another\n"
				   "workers = 12";
	char problem[200];
	(void)state;
	struct settings *settings = parse(text, sizeof(text) - 1, problem);
	assert_non_null(settings);
	assert_string_equal(settings_get(settings, "listen", 0), "0.0.0.0:8443");
	assert_string_equal(settings_get(settings, "listen", 1), "[::]:8443");
	assert_null(settings_get(settings, "listen", 2));
	assert_string_equal(settings_get(settings, "store", 0), "/var/lib/a = b # c");
	long number = 0;
	assert_true(settings_number(settings, "workers", 1, 64, 8, &number));
	assert_int_equal(number, 12);
	assert_false(settings_number(settings, "workers", 1, 11, 8, &number));
	assert_false(settings_number(settings, "workers", 13, 64, 8, &number));
	settings_free(settings);
	settings_free(NULL);
}

static void
test_bad(void **state)
{
	static const struct {
		const char *text;
		const char *problem;
	} table[] = {
		{"", "posternd.conf: listen is missing: add a line 'listen = VALUE'"},
		{"listen = a\nport = 1\n", "posternd.conf:2: unknown setting 'port'"},
		{"listen = a\nListen = a\n", "posternd.conf:2: unknown setting 'Listen'"},
		{"listen\n",
		 "posternd.conf:1: no '=': write 'key = value', or begin a comment with '#'"},
		{"= a\n", "posternd.conf:1: unknown setting ''"},
		{"\n\nlisten =\n", "posternd.conf:3: listen has no value: write 'listen = VALUE'"},
		{"listen = a\nstore = b\nstore = c\n",
		 "posternd.conf:3: store is set twice: remove one of the lines"},
		{"listen = a\x1b[2J\n", "posternd.conf:1: a control character: retype the line"},
		{"listen = a\r\n", "posternd.conf:1: a control character: retype the line"},
		{"\xef\xbb\xbflisten = a\n",
		 "posternd.conf:1: unknown setting '\xef\xbb\xbflisten'"},
	};
	char problem[200];
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_null(parse(table[i].text, strlen(table[i].text), problem));
		assert_string_equal(problem, table[i].problem);
	}
	assert_null(parse("listen = a\0b\n", 13, problem));
	assert_string_equal(problem, "posternd.conf:1: a control character: retype the line");
}

static void
test_limits(void **state)
{
	static char text[SETTINGS_FILE_MAX + 1];
	char problem[200];
	(void)state;
	memset(text, '#', sizeof(text));
	memcpy(text, "listen = a\n", 11);
	struct settings *settings = parse(text, SETTINGS_FILE_MAX, problem);
	assert_non_null(settings);
	settings_free(settings);
	assert_null(parse(text, SETTINGS_FILE_MAX + 1, problem));
	assert_string_equal(problem, "posternd.conf: larger than 65536 bytes");

	/* A value of the greatest length, and one more byte. */
	memcpy(text, "listen = ", 9);
	memset(text + 9, 'a', SETTINGS_VALUE_MAX + 1);
	settings = parse(text, 9 + SETTINGS_VALUE_MAX, problem);
	assert_non_null(settings);
	settings_free(settings);
	assert_null(parse(text, 9 + SETTINGS_VALUE_MAX + 1, problem));

	/* More lines than anybody writes; a key that would not fit the message. */
	for (size_t i = 0; i < 300; i++)
		memcpy(text + i * 11, "listen = a\n", 11);
	assert_null(parse(text, 300 * 11, problem));
	assert_string_equal(problem, "posternd.conf:257: more than 256 settings");
	memset(text, 'k', 500);
	memcpy(text + 500, " = a\n", 5);
	assert_null(parse(text, 505, problem));
	assert_true(strlen(problem) < 200);
}

static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		bool good;
		long number;
	} table[] = {
		{"workers = 1\n", true, 1},	{"workers = -5\n", true, -5},
		{"workers = 064\n", true, 64},	{"workers = +1\n", false, 0},
		{"workers = 0x10\n", false, 0}, {"workers = 1 2\n", false, 0},
		{"workers = 1s\n", false, 0},	{"workers = -\n", false, 0},
		{"workers = 1.5\n", false, 0},	{"workers = 99999999999999999999\n", false, 0},
		{"# absent\n", true, 8},
	};
	char problem[200];
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char text[100];
		snprintf(text, sizeof(text), "listen = a\n%s", table[i].text);
		struct settings *settings = parse(text, strlen(text), problem);
		assert_non_null(settings);
		long number = 77;
		if (settings_number(settings, "workers", -10, 100, 8, &number) != table[i].good)
			fail_msg("%s", table[i].text);
		assert_int_equal(number, table[i].good ? table[i].number : 77);
		settings_free(settings);
	}
}

static void
test_files(void **state)
{
	char folder[] = "/tmp/postern-settings-XXXXXX";
	char path[64];
	char problem[200];
	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_null(settings_load(folder, keys, problem));
	assert_non_null(strstr(problem, "not a regular file"));
	snprintf(path, sizeof(path), "%s/conf", folder);
	assert_null(settings_load(path, keys, problem));
	assert_non_null(strstr(problem, "No such file"));
	/* A FIFO without a writer must not hang the start. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(settings_load(path, keys, problem));
	assert_non_null(strstr(problem, "not a regular file"));
	assert_int_equal(unlink(path), 0);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("listen = a\n", file);
	fclose(file);
	struct settings *settings = settings_load(path, keys, problem);
	assert_non_null(settings);
	assert_string_equal(settings_get(settings, "listen", 0), "a");
	settings_free(settings);
	assert_int_equal(truncate(path, SETTINGS_FILE_MAX + 1), 0);
	assert_null(settings_load(path, keys, problem));
	assert_non_null(strstr(problem, "larger than"));
	unlink(path);
	rmdir(folder);
}

/* Every prefix of a good file parses or is refused, and nothing is read beyond it. */
static void
test_prefixes(void **state)
{
	static const char text[] = "# c\nlisten = a\n store=b \nworkers = 3\n";
	char problem[200];
	(void)state;
	for (size_t size = 0; size < sizeof(text); size++) {
		struct settings *settings = parse(text, size, problem);
		assert_true((settings == NULL) == (problem[0] != '\0'));
		settings_free(settings);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),   cmocka_unit_test(test_bad),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_files),  cmocka_unit_test(test_prefixes),
	};
	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
