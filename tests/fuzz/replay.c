/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds files to a fuzz target, so that its corpus is a test for every compiler:
 *   replay FILE-OR-FOLDER...
 * Each file is copied to a heap block of just its size: one byte too far is seen by ASan. */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FOLDERS_OPEN 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t files;

static int
feed(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	size_t size = (size_t)status->st_size;

	(void)where;
	if (kind != FTW_F)
		return 0;
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(size > 0 ? size : 1);
	if (file == NULL || data == NULL || fread(data, 1, size, file) != size) {
		fprintf(stderr, "replay: cannot read %s\n", path);
		exit(EXIT_FAILURE);
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	files++;
	return 0;
}

int
main(int count, char **arguments)
{
	for (int i = 1; i < count; i++) {
		if (nftw(arguments[i], feed, FOLDERS_OPEN, FTW_PHYS) != 0) {
			fprintf(stderr, "replay: cannot walk %s\n", arguments[i]);
			return EXIT_FAILURE;
		}
	}
	printf("%zu files\n", files);
	return files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
