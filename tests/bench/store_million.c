/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store of many secrets, shaped as the keeper does: a metadata record and an erasable value each.
 * Each step is a process of its own, so that what one needed is not counted against the next.
 */
#include "store/upkeep.h"
#include "store_bench.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FEW	      1000 /* secrets, to compare with */
#define METADATA_SIZE 84   /* bytes of what the keeper writes of a secret with one version */
#define SAMPLES	      200000
#define BLOCK	      200 /* reads of one store before the other's turn: their cache stays theirs */

struct million {
	const struct secret *root_key;
	char path[BENCH_PATH_MAX]; /* the many */
	char few_path[BENCH_PATH_MAX];
	char backup_path[BENCH_PATH_MAX];
	size_t secrets;
};

/* In a child, whose failure is this program's. */
static void
step(void (*run)(const struct million *million), const struct million *million)
{
	int status = 0;

	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		run(million);
		fflush(stdout);
		_exit(EXIT_SUCCESS);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		store_bench_die("a step failed");
}

static struct store *
open_store(const char *path, const struct secret *root_key)
{
	struct store_error err = {.message = ""};
	struct store *store = NULL;

	BENCH_OK(store_open(path, root_key, &store, &err), err);
	return store;
}

/* ---- loading ---- */

static void
load(const char *path, const struct secret *root_key, size_t secrets)
{
	struct store *store = bench_store_new(path, root_key);
	struct store_batch *batch = store_batch_new();
	struct store_error err;
	uint8_t value[BENCH_VALUE_SIZE];
	char key[64];

	randombytes_buf(value, sizeof(value));
	for (size_t i = 0; i < secrets; i++) {
		snprintf(key, sizeof(key), "secret/bench/s%07zu", i);
		store_batch_put(batch, key, (struct store_bytes){value, METADATA_SIZE});
		snprintf(key, sizeof(key), "value/bench/s%07zu@00000001", i);
		store_batch_put_erasable(batch, key, (struct store_bytes){value, sizeof(value)});
		if (i % (STORE_BATCH_MAX / 2) != STORE_BATCH_MAX / 2 - 1 && i + 1 < secrets)
			continue;
		BENCH_OK(store_commit(store, batch, &err), err);
		store_batch_clear(batch);
	}
	store_batch_free(batch);
	store_close(store);
}

static void
load_many(const struct million *million)
{
	double start = bench_seconds();

	load(million->path, million->root_key, million->secrets);
	double seconds = bench_seconds() - start;
	uint64_t kib = bench_disk_kib(million->path);
	printf("%-32s %10.1f s  %8.0f secrets a second\n", "load, batches of 128 secrets", seconds,
	       (double)million->secrets / seconds);
	printf("%-32s %10.1f MiB  %6.2f x the data\n", "size on disk", (double)kib / 1024,
	       (double)kib / (double)million->secrets);
}

static void
load_few(const struct million *million)
{
	load(million->few_path, million->root_key, FEW);
}

/* ---- memory, and reading ---- */

struct reading {
	struct store *store;
	size_t secrets;
	uint64_t state;
	double *times;
	size_t count;
};

static void
read_one(struct reading *reading, struct secret *value, size_t number)
{
	struct store_error err;
	uint64_t revision;
	char key[64];

	snprintf(key, sizeof(key), "value/bench/s%07zu@00000001", number);
	BENCH_OK(store_get_into(reading->store, key, value, &revision, &err), err);
}

static void
read_block(struct reading *reading, struct secret *value)
{
	for (int i = 0; i < BLOCK; i++) {
		size_t number = bench_random(&reading->state) % reading->secrets;
		double start = bench_seconds();
		read_one(reading, value, number);
		reading->times[reading->count++] = bench_seconds() - start;
	}
}

static void
print_latency(const char *name, struct reading *reading, const struct reading *few, double few_50,
	      double few_99)
{
	double p50 = bench_median(reading->times, reading->count); /* sorts */
	double p99 = reading->times[reading->count * 99 / 100];

	printf("%-32s %10.0f ns median %8.0f ns p99", name, p50 * 1e9, p99 * 1e9);
	if (reading != few)
		printf("  %.2f and %.2f x few", p50 / few_50, p99 / few_99);
	printf("\n");
}

/* Both stores in turn; all of each was read once before. */
static void
compare_latency(struct reading *many, struct reading *few)
{
	auto_secret *value = secret_new(2 * BENCH_VALUE_SIZE);

	for (size_t i = 0; i < many->secrets; i++)
		read_one(many, value, i);
	for (size_t i = 0; i < few->secrets; i++)
		read_one(few, value, i);
	while (many->count < SAMPLES) {
		read_block(many, value);
		read_block(few, value);
	}
	print_latency("get among 1,000", few, few, 0, 0);
	print_latency("get among all, warm", many, few, few->times[few->count / 2],
		      few->times[few->count * 99 / 100]);
}

static void
read_many(const struct million *million)
{
	uint64_t before = bench_anonymous_kib();
	double start = bench_seconds();
	struct store *many_store = open_store(million->path, million->root_key);

	printf("%-32s %10.1f s\n", "open", bench_seconds() - start);
	printf("%-32s %10.1f MiB  (%.1f before it)\n", "memory beside the page cache",
	       (double)bench_anonymous_kib() / 1024, (double)before / 1024);
	struct reading many = {.store = many_store,
			       .secrets = million->secrets,
			       .state = 4711,
			       .times = malloc(SAMPLES * sizeof(double))};
	struct reading few = {.store = open_store(million->few_path, million->root_key),
			      .secrets = FEW,
			      .state = 4711,
			      .times = malloc(SAMPLES * sizeof(double))};
	if (many.times == NULL || few.times == NULL)
		store_bench_die("no memory");
	compare_latency(&many, &few);
	free(many.times);
	free(few.times);
	store_close(few.store);
	store_close(many.store);
}

/* ---- upkeep ---- */

static bool
sink(void *user, struct store_bytes piece)
{
	const int *file = user;

	return write(*file, piece.data, piece.size) == (ssize_t)piece.size;
}

static bool
go_on(void *user, uint64_t done, uint64_t total)
{
	(void)user;
	(void)done;
	(void)total;
	return true;
}

static void
back_up(const struct million *million)
{
	struct store *store = open_store(million->path, million->root_key);
	struct store_error err;
	int file = open(million->backup_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	double start = bench_seconds();

	if (file < 0)
		store_bench_die("%s: cannot be made", million->backup_path);
	BENCH_OK(store_backup(store, (struct store_bytes){NULL, 0}, sink, go_on, &file, &err), err);
	if (fsync(file) != 0)
		store_bench_die("%s: cannot be synced", million->backup_path);
	double seconds = bench_seconds() - start;
	off_t size = lseek(file, 0, SEEK_CUR);
	close(file);
	printf("%-32s %10.1f s  %8.1f MiB  %6.2f x the data\n", "backup, synced", seconds,
	       (double)size / (1 << 20), (double)size / 1024 / (double)million->secrets);
	store_close(store);
}

static void
say_defect(void *user, const char *text)
{
	(void)user;
	store_bench_die("check: %s", text);
}

static void
check(const struct million *million)
{
	struct store *store = open_store(million->path, million->root_key);
	struct store_check report = {.records = 0};
	struct store_error err;
	double start = bench_seconds();

	BENCH_OK(store_check(store, go_on, say_defect, NULL, &report, &err), err);
	printf("%-32s %10.1f s  %8llu records\n", "check", bench_seconds() - start,
	       (unsigned long long)report.records);
	store_close(store);
}

void
bench_million(const struct bench_options *options)
{
	auto_secret *root_key = secret_new(STORE_ROOT_KEY_SIZE);
	struct million million = {.root_key = root_key, .secrets = options->secrets};

	randombytes_buf(root_key->bytes, root_key->size);
	bench_path(options->folder, "many", million.path);
	bench_path(options->folder, "few", million.few_path);
	bench_path(options->folder, "backup", million.backup_path);
	printf("\n%zu secrets of 1 KiB: a metadata record and an erasable value each\n",
	       million.secrets);
	step(load_many, &million);
	step(load_few, &million);
	step(read_many, &million);
	step(back_up, &million);
	step(check, &million);
	bench_remove(million.path);
	bench_remove(million.few_path);
	(void)unlink(million.backup_path);
}
