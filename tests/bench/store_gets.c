/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a sealed record of 1 KiB, plain and erasable, against a bare LMDB get and a bare
 * XChaCha20-Poly1305 decryption of as many bytes. */
#include "store_bench.h"

#include <lmdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RECORDS	   1000
#define BLOCK	   500 /* reads between two looks at the clock */
#define BLOCKS_MAX 4001
#define KEY_SIZE   64
#define LMDB_SIZE  ((size_t)64 << 20)
#define AEAD_NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define AEAD_KEY   crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define AEAD_MAC   crypto_aead_xchacha20poly1305_ietf_ABYTES

struct gets {
	struct store *store;
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *txn; /* reset: a bare reader keeps its slot in the table, which is the cheapest */
	struct secret *value;
	uint8_t key[AEAD_KEY];
	uint64_t state;
};

static void
lmdb_check(int code)
{
	if (code != 0)
		store_bench_die("LMDB: %s", mdb_strerror(code));
}

static void
name_of(const char *kind, unsigned number, char ret_name[KEY_SIZE])
{
	snprintf(ret_name, KEY_SIZE, "%s/bench/%06u@00000001", kind, number);
}

/* ---- contenders: one read of a random record each ---- */

static void
get_store(struct gets *gets, const char *kind)
{
	struct store_error err;
	uint64_t revision;
	char name[KEY_SIZE];

	name_of(kind, (unsigned)(bench_random(&gets->state) % RECORDS), name);
	BENCH_OK(store_get_into(gets->store, name, gets->value, &revision, &err), err);
}

static void
get_plain(struct gets *gets)
{
	get_store(gets, "plain");
}

static void
get_erasable(struct gets *gets)
{
	get_store(gets, "erasable");
}

static void
get_bare(struct gets *gets)
{
	unsigned long long size;
	char name[KEY_SIZE];
	MDB_val value;

	name_of("bare", (unsigned)(bench_random(&gets->state) % RECORDS), name);
	MDB_val key = {.mv_size = strlen(name), .mv_data = name};
	lmdb_check(mdb_txn_renew(gets->txn));
	lmdb_check(mdb_get(gets->txn, gets->dbi, &key, &value));
	const uint8_t *body = value.mv_data;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    gets->value->bytes, &size, NULL, body + AEAD_NONCE, value.mv_size - AEAD_NONCE,
		    (const uint8_t *)name, strlen(name), body, gets->key) != 0)
		store_bench_die("the bare record does not open");
	mdb_txn_reset(gets->txn);
}

static const struct contender {
	const char *name;
	void (*get)(struct gets *gets);
} contenders[] = {
	{"bare", get_bare},
	{"plain", get_plain},
	{"erasable", get_erasable},
};
enum { BARE, CONTENDERS = sizeof(contenders) / sizeof(contenders[0]) };

/* ---- what they read ---- */

static void
fill_store(struct gets *gets)
{
	struct store_batch *batch = store_batch_new();
	const struct store_bytes value = {gets->value->bytes, BENCH_VALUE_SIZE};
	struct store_error err;
	char name[KEY_SIZE];

	for (unsigned i = 0; i < RECORDS; i++) {
		name_of("plain", i, name);
		store_batch_put(batch, name, value);
		name_of("erasable", i, name);
		store_batch_put_erasable(batch, name, value);
		if (i % (STORE_BATCH_MAX / 2) != STORE_BATCH_MAX / 2 - 1 && i + 1 < RECORDS)
			continue;
		BENCH_OK(store_commit(gets->store, batch, &err), err);
		store_batch_clear(batch);
	}
	store_batch_free(batch);
}

static void
fill_bare(struct gets *gets, MDB_txn *txn)
{
	uint8_t body[AEAD_NONCE + BENCH_VALUE_SIZE + AEAD_MAC];
	char name[KEY_SIZE];

	for (unsigned i = 0; i < RECORDS; i++) {
		name_of("bare", i, name);
		randombytes_buf(body, AEAD_NONCE);
		crypto_aead_xchacha20poly1305_ietf_encrypt(
			body + AEAD_NONCE, NULL, gets->value->bytes, BENCH_VALUE_SIZE,
			(const uint8_t *)name, strlen(name), NULL, body, gets->key);
		MDB_val key = {.mv_size = strlen(name), .mv_data = name};
		MDB_val value = {.mv_size = sizeof(body), .mv_data = body};
		lmdb_check(mdb_put(txn, gets->dbi, &key, &value, 0));
	}
}

static void
gets_open(struct gets *gets, const char *folder)
{
	char path[BENCH_PATH_MAX];
	auto_secret *root_key = secret_new(STORE_ROOT_KEY_SIZE);
	MDB_txn *txn;

	randombytes_buf(root_key->bytes, root_key->size);
	randombytes_buf(gets->key, sizeof(gets->key));
	gets->value = secret_new(2 * BENCH_VALUE_SIZE);
	gets->state = 4711;
	bench_path(folder, "gets", path);
	gets->store = bench_store_new(path, root_key);
	fill_store(gets);
	bench_path(folder, "bare", path);
	if (mkdir(path, 0700) != 0)
		store_bench_die("%s: cannot be made", path);
	lmdb_check(mdb_env_create(&gets->env));
	lmdb_check(mdb_env_set_mapsize(gets->env, LMDB_SIZE));
	lmdb_check(mdb_env_open(gets->env, path, MDB_NOTLS, 0600));
	lmdb_check(mdb_txn_begin(gets->env, NULL, 0, &txn));
	lmdb_check(mdb_dbi_open(txn, NULL, 0, &gets->dbi));
	fill_bare(gets, txn);
	lmdb_check(mdb_txn_commit(txn));
	lmdb_check(mdb_txn_begin(gets->env, NULL, MDB_RDONLY, &gets->txn));
	mdb_txn_reset(gets->txn);
}

static void
gets_close(struct gets *gets, const char *folder)
{
	char path[BENCH_PATH_MAX];

	store_close(gets->store);
	mdb_txn_abort(gets->txn);
	mdb_env_close(gets->env);
	secret_free(gets->value);
	bench_path(folder, "gets", path);
	bench_remove(path);
	bench_path(folder, "bare", path);
	bench_remove(path);
}

static double
block(struct gets *gets, const struct contender *contender)
{
	double start = bench_seconds();

	for (int i = 0; i < BLOCK; i++)
		contender->get(gets);
	return (bench_seconds() - start) / BLOCK;
}

void
bench_gets(const struct bench_options *options)
{
	static double times[CONTENDERS][BLOCKS_MAX];
	struct gets gets = {.store = NULL};
	double medians[CONTENDERS];
	double until = options->rounds * options->seconds;
	size_t blocks = 0;

	gets_open(&gets, options->folder);
	for (double start = bench_seconds(); bench_seconds() < start + until && blocks < BLOCKS_MAX;
	     blocks++)
		for (size_t i = 0; i < CONTENDERS; i++)
			times[i][blocks] = block(&gets, &contenders[i]);
	printf("\nget of a sealed record of 1 KiB, among %d; medians of %zu blocks of %d\n"
	       "%-32s %10s %10s\n",
	       RECORDS, blocks, BLOCK, "", "ns", "x bare");
	for (size_t i = 0; i < CONTENDERS; i++)
		medians[i] = bench_median(times[i], blocks);
	for (size_t i = 0; i < CONTENDERS; i++)
		printf("%-32s %10.0f %10.2f\n",
		       i == BARE ? "bare LMDB get + bare AEAD" : contenders[i].name,
		       medians[i] * 1e9, medians[i] / medians[BARE]);
	gets_close(&gets, options->folder);
}

bool
bench_gets_only(const struct bench_options *options, const char *contender, size_t count)
{
	struct gets gets = {.store = NULL};
	size_t found = 0;

	while (found < CONTENDERS && strcmp(contenders[found].name, contender) != 0)
		found++;
	if (found == CONTENDERS)
		return false;
	gets_open(&gets, options->folder);
	for (size_t i = 0; i < count; i++)
		contenders[found].get(&gets);
	gets_close(&gets, options->folder);
	return true;
}
