/* SPDX-License-Identifier: Apache-2.0 */
#include "corpora.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

void
corpora_path(const char *name, char ret_path[CORPORA_PATH_SIZE])
{
	const char *shared = getenv("POSTERN_SHARED");

	snprintf(ret_path, CORPORA_PATH_SIZE, "%s/corpora/%s",
		 shared == NULL ? "../shared" : shared, name);
}

void
corpora_need(void)
{
	char path[CORPORA_PATH_SIZE];

	corpora_path("MANIFEST.tsv", path);
	if (access(path, R_OK) != 0) {
		print_message("skipped: no %s\n", path);
		skip();
	}
}

struct bytes
corpora_load(const char *name)
{
	char path[CORPORA_PATH_SIZE];

	corpora_path(name, path);
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		fail_msg("cannot open %s", path);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size_t size = (size_t)ftell(file);
	rewind(file);
	uint8_t *data = malloc(size == 0 ? 1 : size);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, size, file), size);
	fclose(file);
	return (struct bytes){data, size};
}

void
corpora_unload(struct bytes bytes)
{
	free((void *)(uintptr_t)bytes.data);
}
