/* SPDX-License-Identifier: Apache-2.0 */
/* Durable commits of one record of 1 KiB: by 1, 16 and 64 callers, by bare LMDB, and what the disk
 * can do at most. The contenders take turns, so that what else the disk does meets all of them. */
#include "store_bench.h"

#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CALLERS_MAX 64
#define ROUNDS_MAX  101
#define KEYS	    4096 /* the records that are written again and again */
#define DISK_BLOCK  4096
#define DISK_BLOCKS 1024
#define LMDB_SIZE   ((size_t)1 << 30)

struct commits {
	struct store *store;
	MDB_env *env;
	MDB_dbi dbi;
	int disk;
	double until;
	atomic_ulong done;
};

/* ---- the disk: one block written in place, and synced ---- */

static void
disk_open(struct commits *commits, const char *folder)
{
	static const uint8_t zeros[DISK_BLOCK];
	char path[BENCH_PATH_MAX];

	bench_path(folder, "disk", path);
	commits->disk = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (off_t i = 0; i < DISK_BLOCKS; i++)
		if (pwrite(commits->disk, zeros, DISK_BLOCK, i * DISK_BLOCK) != DISK_BLOCK)
			store_bench_die("%s: cannot be written", path);
	if (fsync(commits->disk) != 0)
		store_bench_die("%s: cannot be synced", path);
	(void)unlink(path);
}

static double
disk_rate(struct commits *commits, double seconds)
{
	uint8_t block[DISK_BLOCK];
	double start = bench_seconds(), now = start;
	unsigned long done = 0;

	memset(block, 1, sizeof(block));
	for (; now < start + seconds; now = bench_seconds(), done++)
		if (pwrite(commits->disk, block, sizeof(block),
			   (off_t)(done % DISK_BLOCKS) * DISK_BLOCK) != DISK_BLOCK ||
		    fdatasync(commits->disk) != 0)
			store_bench_die("the disk fails");
	return (double)done / (now - start);
}

/* ---- bare LMDB: one put, one transaction ---- */

static void
lmdb_check(int code)
{
	if (code != 0)
		store_bench_die("LMDB: %s", mdb_strerror(code));
}

static void
lmdb_open(struct commits *commits, const char *folder)
{
	char path[BENCH_PATH_MAX];
	MDB_txn *txn;

	bench_path(folder, "lmdb", path);
	if (mkdir(path, 0700) != 0)
		store_bench_die("%s: cannot be made", path);
	lmdb_check(mdb_env_create(&commits->env));
	lmdb_check(mdb_env_set_mapsize(commits->env, LMDB_SIZE));
	lmdb_check(mdb_env_open(commits->env, path, MDB_NOTLS, 0600));
	lmdb_check(mdb_txn_begin(commits->env, NULL, 0, &txn));
	lmdb_check(mdb_dbi_open(txn, NULL, 0, &commits->dbi));
	lmdb_check(mdb_txn_commit(txn));
}

static double
lmdb_rate(struct commits *commits, double seconds)
{
	static uint64_t state = 0x4c4d4442;
	uint8_t value[BENCH_VALUE_SIZE] = {1};
	double start = bench_seconds(), now = start;
	unsigned long done = 0;

	for (; now < start + seconds; now = bench_seconds(), done++) {
		char name[32];
		int size = snprintf(name, sizeof(name), "value/bench/%06u",
				    (unsigned)(bench_random(&state) % KEYS));
		MDB_val key = {.mv_size = (size_t)size, .mv_data = name};
		MDB_val data = {.mv_size = sizeof(value), .mv_data = value};
		MDB_txn *txn;
		lmdb_check(mdb_txn_begin(commits->env, NULL, 0, &txn));
		lmdb_check(mdb_put(txn, commits->dbi, &key, &data, 0));
		lmdb_check(mdb_txn_commit(txn));
	}
	return (double)done / (now - start);
}

/* ---- the store ---- */

struct caller {
	pthread_t thread;
	struct commits *commits;
	uint64_t state;
};

static void *
caller_run(void *argument)
{
	struct caller *caller = argument;
	struct commits *commits = caller->commits;
	struct store_batch *batch = store_batch_new();
	struct store_error err;
	uint8_t value[BENCH_VALUE_SIZE] = {1};
	char key[32];

	while (bench_seconds() < commits->until) {
		snprintf(key, sizeof(key), "value/bench/%06u",
			 (unsigned)(bench_random(&caller->state) % KEYS));
		store_batch_clear(batch);
		store_batch_put(batch, key, (struct store_bytes){value, sizeof(value)});
		BENCH_OK(store_commit(commits->store, batch, &err), err);
		atomic_fetch_add(&commits->done, 1);
	}
	store_batch_free(batch);
	return NULL;
}

static double
store_rate(struct commits *commits, unsigned count, double seconds)
{
	struct caller callers[CALLERS_MAX];
	double start = bench_seconds();

	commits->until = start + seconds;
	atomic_store(&commits->done, 0);
	for (unsigned i = 0; i < count; i++) {
		callers[i] = (struct caller){.commits = commits, .state = 77 + i};
		if (pthread_create(&callers[i].thread, NULL, caller_run, &callers[i]) != 0)
			store_bench_die("no thread");
	}
	for (unsigned i = 0; i < count; i++)
		pthread_join(callers[i].thread, NULL);
	return (double)atomic_load(&commits->done) / (bench_seconds() - start);
}

/* ---- all of them ---- */

static const struct contender {
	const char *name;
	unsigned callers; /* 0: the disk, 1 and up: the store; LMDB by its name */
} contenders[] = {
	{"disk: 4 KiB pwrite + fdatasync", 0},
	{"bare LMDB: one put, one commit", 0},
	{"store: 1 caller", 1},
	{"store: 16 callers", 16},
	{"store: 64 callers", 64},
};
enum { DISK, LMDB, CONTENDERS = sizeof(contenders) / sizeof(contenders[0]) };

static double
rate(struct commits *commits, size_t contender, double seconds)
{
	if (contender == DISK)
		return disk_rate(commits, seconds);
	if (contender == LMDB)
		return lmdb_rate(commits, seconds);
	return store_rate(commits, contenders[contender].callers, seconds);
}

void
bench_commits(const struct bench_options *options)
{
	struct commits commits = {.disk = -1};
	auto_secret *root_key = secret_new(STORE_ROOT_KEY_SIZE);
	double rates[CONTENDERS][ROUNDS_MAX], medians[CONTENDERS];
	char store_path[BENCH_PATH_MAX], lmdb_path[BENCH_PATH_MAX];

	randombytes_buf(root_key->bytes, root_key->size);
	bench_path(options->folder, "commits", store_path);
	bench_path(options->folder, "lmdb", lmdb_path);
	commits.store = bench_store_new(store_path, root_key);
	disk_open(&commits, options->folder);
	lmdb_open(&commits, options->folder);
	for (unsigned round = 0; round < options->rounds && round < ROUNDS_MAX; round++)
		for (size_t i = 0; i < CONTENDERS; i++)
			rates[i][round] = rate(&commits, i, options->seconds);
	printf("\ndurable commits of 1 KiB, medians of %u rounds of %.1f s\n"
	       "%-32s %10s %10s %10s\n",
	       options->rounds, options->seconds, "", "a second", "x LMDB", "x disk");
	for (size_t i = 0; i < CONTENDERS; i++)
		medians[i] = bench_median(rates[i], options->rounds);
	for (size_t i = 0; i < CONTENDERS; i++)
		printf("%-32s %10.0f %10.2f %10.2f\n", contenders[i].name, medians[i],
		       medians[i] / medians[LMDB], medians[i] / medians[DISK]);
	store_close(commits.store);
	mdb_env_close(commits.env);
	close(commits.disk);
	bench_remove(store_path);
	bench_remove(lmdb_path);
}
