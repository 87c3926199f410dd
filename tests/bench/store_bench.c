/* SPDX-License-Identifier: Apache-2.0 */
#include "store_bench.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void
store_bench_die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "bench_store: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	exit(EXIT_FAILURE);
}

double
bench_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
bench_median(double *values, size_t count)
{
	qsort(values, count, sizeof(values[0]), compare);
	return values[count / 2];
}

/* xorshift64* */
uint64_t
bench_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

void
bench_path(const char *folder, const char *name, char ret_path[BENCH_PATH_MAX])
{
	if (snprintf(ret_path, BENCH_PATH_MAX, "%s/%s", folder, name) >= BENCH_PATH_MAX)
		store_bench_die("%s: too long a path", folder);
}

void
bench_remove(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while (folder != NULL && (entry = readdir(folder)) != NULL)
		(void)unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder != NULL)
		closedir(folder);
	(void)rmdir(path);
}

uint64_t
bench_disk_kib(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	struct stat file;
	uint64_t blocks = 0;

	while (folder != NULL && (entry = readdir(folder)) != NULL)
		if (fstatat(dirfd(folder), entry->d_name, &file, 0) == 0 && S_ISREG(file.st_mode))
			blocks += (uint64_t)file.st_blocks;
	if (folder != NULL)
		closedir(folder);
	return blocks / 2;
}

uint64_t
bench_anonymous_kib(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[128];
	unsigned long kib = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "RssAnon: %lu kB", &kib) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return kib;
}

struct store *
bench_store_new(const char *path, const struct secret *root_key)
{
	struct store_error err = {.message = ""};
	struct store *store = NULL;

	BENCH_OK(store_create(path, root_key, (struct store_bytes){NULL, 0}, &err), err);
	BENCH_OK(store_open(path, root_key, &store, &err), err);
	return store;
}
