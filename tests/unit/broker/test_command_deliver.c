/* SPDX-License-Identifier: Apache-2.0 */
/* Released values as files, what a table shows of others' JSON, and the words of refusals. */
#include "command/command.h"
#include "command/deliver.h"
#include "command/encode.h"
#include "command/names.h"
#include "command/output.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <linux/magic.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static char folder[] = "/dev/shm/postern-test-XXXXXX";

static const char *
path_of(const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static struct delivery *
delivery_of(const char *first, const char *second)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery));

	delivery->count = second != NULL ? 2 : 1;
	(void)snprintf(delivery->secrets[0].path, WIRE_PATH_MAX, "%s", first);
	delivery->secrets[0].value = text_bytes("one");
	(void)snprintf(delivery->secrets[1].path, WIRE_PATH_MAX, "%s",
		       second != NULL ? second : "");
	delivery->secrets[1].value = text_bytes("two");
	return delivery;
}

static void
assert_content(const char *name, const char *want)
{
	char text[64] = "";
	struct stat information;
	FILE *file = fopen(path_of(name), "r");

	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	(void)fclose(file);
	assert_string_equal(text, want);
	assert_int_equal(stat(path_of(name), &information), 0);
	assert_int_equal(information.st_mode & 07777, 0600);
}

/* Nothing temporary stays. */
static void
assert_clean(void)
{
	char command[600];

	(void)snprintf(command, sizeof(command), "test -z \"$(find %s -name '.postern-*')\"",
		       folder);
	assert_int_equal(system(command), 0);
}

static bool
in_memory(void)
{
	struct statfs information;

	return statfs(folder, &information) == 0 && information.f_type == TMPFS_MAGIC;
}

static void
test_files(void **state)
{
	struct delivery *delivery = delivery_of("db/eu/prod", "plain");

	(void)state;
	if (!in_memory()) {
		print_message("skipped: /dev/shm is no tmpfs\n");
		free(delivery);
		skip();
	}
	assert_int_equal(deliver_files(delivery, folder, false), 0);
	assert_content("db/eu/prod", "one");
	assert_content("plain", "two");
	delivery->secrets[1].value = text_bytes("three"); /* in place of the one before */
	assert_int_equal(deliver_files(delivery, folder, false), 0);
	assert_content("plain", "three");
	assert_clean();
	free(delivery);
}

/* A link in the folder leads nowhere; the other secret is not put in place either. */
static void
test_files_refused(void **state)
{
	struct delivery *delivery = delivery_of("fresh", "link/x");

	(void)state;
	assert_int_equal(mkdir(path_of("elsewhere"), 0700), 0);
	assert_int_equal(symlink("elsewhere", path_of("link")), 0);
	assert_int_equal(deliver_files(delivery, folder, true), EX_CANTCREAT);
	assert_int_not_equal(access(path_of("fresh"), F_OK), 0);
	assert_int_not_equal(access(path_of("elsewhere/x"), F_OK), 0);
	free(delivery);
	/* a folder where the file should be */
	delivery = delivery_of("taken", NULL);
	assert_int_equal(mkdir(path_of("taken"), 0700), 0);
	assert_int_equal(deliver_files(delivery, folder, true), EX_CANTCREAT);
	assert_int_equal(deliver_files(delivery, path_of("none"), true), EX_CANTCREAT);
	assert_clean();
	free(delivery);
}

/* A folder that somebody else put in the way, or may write to: he could exchange what is in it. */
static void
test_files_exchanged(void **state)
{
	struct delivery *delivery = delivery_of("open/x", NULL);

	(void)state;
	assert_int_equal(mkdir(path_of("open"), 0700), 0);
	assert_int_equal(chmod(path_of("open"), 0777), 0);
	assert_int_equal(deliver_files(delivery, folder, true), EX_CANTCREAT);
	assert_int_equal(chmod(path_of("open"), 0755), 0);
	assert_int_equal(chown(path_of("open"), geteuid() == 0 ? 65534 : geteuid(), (gid_t)-1), 0);
	assert_int_equal(deliver_files(delivery, folder, true), geteuid() == 0 ? EX_CANTCREAT : 0);
	assert_clean();
	free(delivery);
}

static void
test_files_disk(void **state)
{
	struct delivery *delivery = delivery_of("a", NULL);

	(void)state;
	/* /proc is in no memory of the kind meant, whatever disk there is here */
	assert_int_equal(deliver_files(delivery, "/proc", false), EX_CANTCREAT);
	free(delivery);
}

static void
test_cells(void **state)
{
	static const char text[] =
		"{\"t\":\"a\\u001bb\",\"n\":7,\"y\":true,\"z\":null,\"l\":[\"a\",\"b\"],"
		"\"e\":[],\"o\":{\"p\":{\"q\":\"deep\"}},\"time\":1767225600,"
		"\"long\":\"0123456789abcdefXYZ\"}";
	static const struct {
		struct column column;
		const char *want;
	} cases[] = {
		{{"", "t", COLUMN_TEXT}, "a?b"},
		{{"", "n", COLUMN_TEXT}, "7"},
		{{"", "y", COLUMN_TEXT}, "yes"},
		{{"", "z", COLUMN_TEXT}, "-"},
		{{"", "none", COLUMN_TEXT}, "-"},
		{{"", "l", COLUMN_TEXT}, "a,b"},
		{{"", "e", COLUMN_TEXT}, "-"},
		{{"", "o.p.q", COLUMN_TEXT}, "deep"},
		{{"", "o.p", COLUMN_TEXT}, "q"},
		{{"", "o.x.q", COLUMN_TEXT}, "-"},
		{{"", "t.x", COLUMN_TEXT}, "-"},
		{{"", "time", COLUMN_TIME}, "2026-01-01T00:00:00Z"},
		{{"", "t", COLUMN_TIME}, "a?b"},
		{{"", "long", COLUMN_TEXT}, "0123456789abcdefXYZ"},
	};
	auto_json *json = json_parse(text, sizeof(text) - 1);

	(void)state;
	assert_non_null(json);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char cell[64];
		print_message("%s\n", cases[i].column.member);
		output_cell(json, &cases[i].column, cell, sizeof(cell));
		assert_string_equal(cell, cases[i].want);
	}
	/* cut, and still terminated */
	char small[5];
	output_cell(json, &cases[13].column, small, sizeof(small));
	assert_string_equal(small, "0123");
	output_cell(json, &cases[5].column, small, 3);
	assert_true(strlen(small) < 3);
}

static void
test_names(void **state)
{
	struct operation_request request = {.operation = OPERATION_MACHINE_GROUP};
	struct text_list names = {.count = 2, .items = {"web", "eu"}};
	struct name_list list;
	uint8_t storage[NAMES_SIZE];

	(void)state;
	assert_int_equal(names_set(&request, FIELD_GROUPS, &names, "--group", storage), 0);
	assert_true(name_list_read(request.fields[FIELD_GROUPS], &list));
	assert_int_equal(list.count, 2);
	assert_true(bytes_equal(list.names[1], text_bytes("eu")));
	names.items[1] = "a b";
	assert_int_equal(names_set(&request, FIELD_GROUPS, &names, "--group", storage), EX_USAGE);
	names.count = OPERATION_LIST_MAX + 1;
	for (size_t i = 0; i < names.count; i++)
		names.items[i] = "web";
	assert_int_equal(names_set(&request, FIELD_GROUPS, &names, "--group", storage), EX_USAGE);
}

static int
folder_begin(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

static int
folder_end(void **state)
{
	static const char *const files[] = {"db/eu/prod", "plain",	 "link",
					    "fresh",	  "elsewhere/x", "open/x"};
	static const char *const folders[] = {"db/eu", "db", "taken", "elsewhere", "open"};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		(void)unlink(path_of(files[i]));
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		(void)rmdir(path_of(folders[i]));
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),		cmocka_unit_test(test_files_refused),
		cmocka_unit_test(test_files_exchanged), cmocka_unit_test(test_files_disk),
		cmocka_unit_test(test_cells),		cmocka_unit_test(test_names),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
