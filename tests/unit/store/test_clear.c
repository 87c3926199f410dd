/* SPDX-License-Identifier: Apache-2.0 */
/* What whoever has the file reads without a key: names and tags, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool
file_holds(const char *path, const char *text)
{
	FILE *file = fopen(path, "rb");
	struct stat whole;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &whole), 0);
	uint8_t *bytes = malloc((size_t)whole.st_size);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, (size_t)whole.st_size, file), (size_t)whole.st_size);
	bool found = memmem(bytes, (size_t)whole.st_size, text, strlen(text)) != NULL;
	free(bytes);
	fclose(file);
	return found;
}

static void
values_and_entries_are_not_in_the_file(void **state)
{
	struct fixture *fixture = *state;
	char path[128];

	snprintf(path, sizeof path, "%s/data.mdb", fixture->path);
	must_put(fixture->store, "name-in-clear", "PLAINTEXT-VALUE");
	must_put(fixture->store, "name-in-clear", "PLAINTEXT-OTHER");
	struct store_batch *batch = store_batch_new();
	store_batch_append(batch, "tag-in-clear", bytes_of("PLAINTEXT-ENTRY"));
	assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
	store_batch_free(batch);
	fixture_close(fixture);
	assert_true(file_holds(path, "name-in-clear"));
	assert_true(file_holds(path, "tag-in-clear"));
	assert_false(file_holds(path, "PLAINTEXT"));
	assert_false(file_holds(path, "\x5a\x5a\x5a\x5a\x5a\x5a\x5a\x5a")); /* the root key */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values_and_entries_are_not_in_the_file,
						fixture_setup_lmdb, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
