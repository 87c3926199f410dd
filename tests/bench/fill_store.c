/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts many secrets of 1 KiB into a broker's store while no broker runs on it, as its keeper would
 * have: bench/000000 and on, one version each. For keeper_of_many.py, which then asks the broker.
 */
#include "broker/keeper/records.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define VALUE_SIZE   1024
#define SECRETS_MOST 10000000
#define PER_BATCH    (STORE_BATCH_MAX / 2)

static int
fail(const char *what, const char *why)
{
	fprintf(stderr, "fill_store: %s: %s\n", what, why);
	return EX_SOFTWARE;
}

static bool
read_key(const char *path, struct secret *key)
{
	FILE *file = fopen(path, "re");
	bool whole = file != NULL && fread(key->bytes, 1, key->size, file) == key->size;

	if (file != NULL)
		fclose(file);
	return whole;
}

static void
add(struct store_batch *batch, unsigned long number, const uint8_t value[VALUE_SIZE])
{
	static uint8_t memory[RECORD_SECRET_MAX];
	static const uint8_t no_custom[2]; /* a count of 0 */
	struct writer w = writer_of(memory, sizeof(memory));
	struct secret_record record = secret_record_new((int64_t)time(NULL));
	char path[32], key[RECORD_KEY_SIZE];
	uint32_t dropped;

	int size = snprintf(path, sizeof(path), "bench/%07lu", number);
	const struct bytes name = {(const uint8_t *)path, (size_t)size};
	record.custom = BYTES_OF(no_custom);
	secret_version_add(&record, record.created, VALUE_SIZE, text_bytes("alice"), &dropped);
	secret_record_write(&w, &record);
	record_secret_key(name, key);
	store_batch_put(batch, key, (struct store_bytes){memory, w.size});
	record_value_key(name, record.newest, key);
	store_batch_put_erasable(batch, key, (struct store_bytes){value, VALUE_SIZE});
}

static int
fill(struct store *store, unsigned long count)
{
	struct store_batch *batch = store_batch_new();
	struct store_error err = {.message = "no memory"};
	enum store_status status = STORE_OK;
	uint8_t value[VALUE_SIZE];

	if (batch == NULL)
		return fail("batch", err.message);
	for (unsigned long i = 0; i < count && status == STORE_OK; i++) {
		randombytes_buf(value, sizeof(value));
		add(batch, i, value);
		if (i % PER_BATCH != PER_BATCH - 1 && i + 1 < count)
			continue;
		status = store_commit(store, batch, &err);
		store_batch_clear(batch);
	}
	store_batch_free(batch);
	return status == STORE_OK ? EX_OK : fail("commit", err.message);
}

int
main(int argc, char **argv)
{
	struct store_error err = {.message = ""};
	struct store *store = NULL;
	char *end = NULL;

	if (argc != 4 || sodium_init() < 0) {
		fprintf(stderr, "usage: fill_store STORE ROOT_KEY COUNT\n");
		return EX_USAGE;
	}
	unsigned long count = strtoul(argv[3], &end, 10);
	auto_secret *key = secret_new(STORE_ROOT_KEY_SIZE);
	if (*end != '\0' || count == 0 || count > SECRETS_MOST)
		return fail(argv[3], "wanted: how many");
	if (key == NULL || !read_key(argv[2], key))
		return fail(argv[2], "cannot be read");
	if (store_open(argv[1], key, &store, &err) != STORE_OK)
		return fail(argv[1], err.message);
	int status = fill(store, count);
	store_close(store);
	return status;
}
