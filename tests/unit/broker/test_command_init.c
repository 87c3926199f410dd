/* SPDX-License-Identifier: Apache-2.0 */
/* postern init: all or nothing, and nothing of what was there; and a guest's memory of revisions.
 */
#include "command/commands.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64

static char folder[] = "/tmp/postern-test-XXXXXX";

static char *
path_of(const char *name)
{
	char *path = NULL;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	return path;
}

static bool
is_there(const char *name)
{
	char *path = path_of(name);
	struct stat information;
	bool there = lstat(path, &information) == 0;

	free(path);
	return there;
}

static void
file_put(const char *name, const char *text)
{
	char *path = path_of(name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	(void)fputs(text, file);
	(void)fclose(file);
	free(path);
}

/* `postern init` into `config` and `state`, with more options. */
static int
init_run(const char *config, const char *state, const char *const *more)
{
	char *argv[ARGUMENTS_MAX] = {strdup("--config-dir"), path_of(config), strdup("--state"),
				     path_of(state)};
	int argc = 4;

	for (; *more != NULL; more++)
		argv[argc++] = strdup(*more);
	int status = cmd_init(argc, argv);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return status;
}

static void
test_refused(void **state)
{
	static const char *const cases[][4] = {
		{"--no-passphrase", "--operator", "root"},
		{"--no-passphrase", "--operator", "tls"},
		{"--no-passphrase", "--operator", "a b"},
		{"--no-passphrase", "--listen", "127.0.0.1"},
		{"--no-passphrase", "--listen", "127.0.0.1:0"},
		{"--no-passphrase", "--listen", "127.0.0.1: 80"},
		{"--no-passphrase", "--listen", "127.0.0.1:+80"},
		{"--no-passphrase", "--listen", "127.0.0.1:65536"},
		{"--no-passphrase", "--listen", "0.0.0.0:80"},
		{"--no-passphrase", "--name", "a,DNS:b"},
		{"--no-passphrase", "--passphrase-file", "x"},
	};
	const char *many[ARGUMENTS_MAX] = {"--no-passphrase"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(init_run("c", "s", cases[i]), EX_USAGE);
	/* sixteen names, and the listening address: one of them would be left out */
	for (size_t i = 0; i < 16; i++) {
		many[1 + 2 * i] = "--name";
		many[2 + 2 * i] = "broker.example.net";
	}
	assert_int_equal(init_run("c", "s", many), EX_USAGE);
	assert_false(is_there("c") || is_there("s"));
}

/* What was made before it failed is taken back; what was there before is not. */
static void
test_undone(void **state)
{
	static const char *const plain[] = {"--no-passphrase", NULL};
	const char *empty[] = {"--passphrase-file", path_of("empty"), NULL};
	char *store = path_of("s2/store"), *state_folder = path_of("s2");

	(void)state;
	file_put("empty", "\n");
	assert_int_equal(init_run("c1", "s1", empty), EX_DATAERR);
	assert_false(is_there("c1") || is_there("s1"));
	assert_int_equal(mkdir(state_folder, 0700), 0);
	assert_int_equal(mkdir(store, 0700), 0);
	file_put("s2/store/data.mdb", "somebody's");
	assert_int_equal(init_run("c2", "s2", plain), EX_CANTCREAT);
	assert_true(is_there("s2/store/data.mdb"));
	assert_false(is_there("c2"));
	free((char *)(uintptr_t)empty[1]);
	free(store);
	free(state_folder);
}

static void
test_made(void **state)
{
	static const char *const plain[] = {"--no-passphrase", NULL};
	static const char *const secrets[] = {"c3/root.key", "c3/tls.key", "c3/admin.key",
					      "s3/store/data.mdb"};

	(void)state;
	assert_int_equal(init_run("c3", "s3", plain), 0);
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
		char *path = path_of(secrets[i]);
		struct stat information;
		assert_int_equal(stat(path, &information), 0);
		assert_int_equal(information.st_mode & 0777, 0600);
		free(path);
	}
	assert_int_equal(init_run("c3", "s4", plain), EX_CANTCREAT);
	assert_true(is_there("c3/root.key"));
	assert_false(is_there("s4"));
}

/* What cannot be looked at is not "none seen yet"; and nothing is asked of anybody before. */
static void
test_seen(void **state)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {{"", EX_DATAERR},	   {"x\n", EX_DATAERR},	  {"7", EX_DATAERR},
		     {"7 \n", EX_DATAERR}, {"7\n\n", EX_DATAERR}, {"7\n", EX_CONFIG}};
	char *path = path_of("seen"), *none = path_of("seen/x");
	char *argv[] = {"db/prod", "--seen", path, "--config", "/dev/null/guest.conf"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		file_put("seen", cases[i].text);
		assert_int_equal(cmd_fetch(5, argv), cases[i].want);
	}
	argv[2] = none; /* below a file */
	assert_int_equal(cmd_fetch(5, argv), EX_NOINPUT);
	free(path);
	free(none);
}

static int
folder_begin(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

static int
remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

static int
folder_end(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_undone),
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_seen),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
