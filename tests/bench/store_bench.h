/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the store's benchmark share. Each prints its own rows; a failure ends it with a
 * word. */
#ifndef POSTERN_BENCH_STORE_BENCH_H
#define POSTERN_BENCH_STORE_BENCH_H

#include "store/store.h"

#define BENCH_VALUE_SIZE 1024 /* bytes of a secret */
#define BENCH_PATH_MAX	 256

__attribute__((noreturn, format(printf, 1, 2))) void store_bench_die(const char *format, ...);
/* NULL, or the message to die with. */
#define BENCH_OK(call, err)                                                                        \
	((call) == STORE_OK ? (void)0 : store_bench_die("%s: %s", #call, (err).message))

double bench_seconds(void);
double bench_median(double *values, size_t count);
/* A repeatable stream: what is drawn must not cost what is measured. */
uint64_t bench_random(uint64_t *state);

/* "FOLDER/name", which is not there yet. */
void bench_path(const char *folder, const char *name, char ret_path[BENCH_PATH_MAX]);
/* Files of a folder, then the folder. */
void bench_remove(const char *path);
/* KiB that the files of a folder occupy. */
uint64_t bench_disk_kib(const char *path);
/* KiB of this process that are its own and no file's. */
uint64_t bench_anonymous_kib(void);

/* A new store, opened. */
struct store *bench_store_new(const char *path, const struct secret *root_key);

/* ---- the parts ---- */

struct bench_options {
	const char *folder;
	unsigned rounds;
	double seconds; /* of each contender in each round */
	size_t secrets; /* of --million */
};
/* Durable commits against bare LMDB's and the disk's own rate. */
void bench_commits(const struct bench_options *options);
/* Reading a sealed record against reading and decrypting without a store. */
void bench_gets(const struct bench_options *options);
/* One of "plain", "erasable", "bare" alone, `count` times, for an instruction count. False: no such
 * contender. */
bool bench_gets_only(const struct bench_options *options, const char *contender, size_t count);
/* A store of many secrets: loading, size, memory, latency, backup, check. */
void bench_million(const struct bench_options *options);

#endif
