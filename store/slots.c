/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots: random bytes outside of the database, of which a key is made, and which are overwritten
 * once that key is to be forgotten. They are filled a chunk ahead, so that a commit that takes some
 * needs no second flush; only the leader fills and erases them.
 */
#include "bytes.h"
#include "state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK	   4096 /* slots filled at a time */
#define LIST_FIRST 16

#define ERASE_LABEL "postern/store/erase/v1" /* with its NUL */

/* ---- lists ---- */

void
store_slots_clear(struct slot_list *list)
{
	free(list->slots);
	*list = (struct slot_list){0};
}

static enum store_status
reserve(struct slot_list *list, size_t more, struct store_error *err)
{
	size_t capacity = list->capacity ? list->capacity : LIST_FIRST;

	while (capacity < list->count + more)
		capacity *= 2;
	if (capacity == list->capacity)
		return STORE_OK;
	uint64_t *slots = reallocarray(list->slots, capacity, sizeof *slots);
	if (!slots)
		return store_fail(err, STORE_MEMORY, "no memory");
	list->slots = slots;
	list->capacity = capacity;
	return STORE_OK;
}

enum store_status
store_slots_add(struct slot_list *list, uint64_t slot, struct store_error *err)
{
	enum store_status status = reserve(list, 1, err);

	if (status == STORE_OK)
		list->slots[list->count++] = slot;
	return status;
}

enum store_status
store_slots_join(struct slot_list *list, const struct slot_list *more, struct store_error *err)
{
	enum store_status status = reserve(list, more->count, err);

	if (status == STORE_OK && more->count > 0) {
		memcpy(list->slots + list->count, more->slots, more->count * sizeof *more->slots);
		list->count += more->count;
	}
	return status;
}

/* ---- giving out ---- */

/* Up to the end of a chunk, and at least to `end`. */
static enum store_status
fill(struct store *store, uint64_t from, uint64_t end, struct store_error *err)
{
	struct backend *backend = store->backend;
	size_t count = (size_t)((end / CHUNK + 1) * CHUNK - from);
	uint8_t *bytes = calloc(count, BACKEND_SLOT_SIZE);

	if (!bytes)
		return store_fail(err, STORE_MEMORY, "no memory");
	randombytes_buf(bytes, count * BACKEND_SLOT_SIZE);
	enum store_status status = backend->class->slots_write(backend, from, bytes, count, err);
	if (status == STORE_OK)
		status = backend->class->slots_sync(backend, err);
	if (status == STORE_OK)
		store->filled = from + count;
	sodium_memzero(bytes, count * BACKEND_SLOT_SIZE);
	free(bytes);
	return status;
}

/* What a commit that failed had taken is filled anew: a key is given to one record only. */
enum store_status
store_slots_reserve(struct store *store, uint64_t from, uint64_t end, struct store_error *err)
{
	if (end <= store->filled)
		return STORE_OK;
	return fill(store, store->filled > from ? store->filled : from, end, err);
}

enum store_status
store_slots_take(struct store *store, uint64_t slot, uint8_t ret_bytes[BACKEND_SLOT_SIZE],
		 struct store_error *err)
{
	struct backend *backend = store->backend;
	uint8_t bytes[BACKEND_SLOT_SIZE];
	enum store_status status = backend->class->slot_read(backend, slot, bytes, err);

	if (status != STORE_OK)
		return status;
	if (sodium_is_zero(bytes, sizeof bytes))
		return store_fail(err, STORE_IO, "slot %llu is empty: the file was changed",
				  (unsigned long long)slot);
	memcpy(ret_bytes, bytes, sizeof bytes);
	sodium_memzero(bytes, sizeof bytes);
	return STORE_OK;
}

/* ---- erasing ---- */

enum store_status
store_slots_erase(struct store *store, struct store_error *err)
{
	static const uint8_t zeros[BACKEND_SLOT_SIZE];
	struct backend *backend = store->backend;
	struct slot_list *list = &store->erasing;
	enum store_status status = STORE_OK;

	if (list->count == 0)
		return STORE_OK;
	for (size_t i = 0; i < list->count && status == STORE_OK; i++)
		status = backend->class->slots_write(backend, list->slots[i], zeros, 1, err);
	if (status == STORE_OK)
		status = backend->class->slots_sync(backend, err);
	if (status != STORE_OK)
		return status;
	/* They change places: what is done must not fail for want of memory. */
	assert(store->erased.count == 0);
	const struct slot_list empty = store->erased;
	store->erased = *list;
	*list = empty;
	return STORE_OK;
}

void
store_slots_prove(const struct keyring *keyring, uint64_t slot, uint64_t revision,
		  uint8_t ret_proof[ERASE_PROOF_SIZE])
{
	uint8_t input[sizeof ERASE_LABEL + 8 + 8];

	memcpy(input, ERASE_LABEL, sizeof ERASE_LABEL);
	put_be64(input + sizeof ERASE_LABEL, slot);
	put_be64(input + sizeof ERASE_LABEL + 8, revision);
	crypto_generichash(ret_proof, ERASE_PROOF_SIZE, input, sizeof input, keyring->keys->set,
			   KEY_SIZE);
}

static bool
is_proven(const struct keyring *keyring, const struct backend_record *record, uint64_t slot)
{
	uint8_t proof[ERASE_PROOF_SIZE], found[ERASE_PROOF_SIZE];
	struct reader r = {.rest = record->body};

	read_into(&r, found, sizeof found);
	store_slots_prove(keyring, slot, record->revision, proof);
	return reader_finished(&r) && sodium_memcmp(proof, found, sizeof proof) == 0;
}

enum store_status
store_slots_load(const struct view *view, const struct keyring *keyring, struct slot_list *list,
		 struct store_error *err)
{
	char name[BACKEND_KEY_MAX + 1];
	const char *from = NULL;
	struct backend_record record;
	enum store_status status;

	for (;;) {
		uint64_t slot = 0;
		status = view->backend->class->next(view->at, ERASE_PREFIX, from, BACKEND_FORWARD,
						    name, &record, err);
		if (status != STORE_OK)
			break;
		if (!store_log_parse_number(name + strlen(ERASE_PREFIX), &slot) ||
		    !is_proven(keyring, &record, slot))
			return store_fail(err, STORE_TAMPERED, "%s: not written by this store",
					  name);
		status = store_slots_add(list, slot, err);
		if (status != STORE_OK)
			break;
		from = name;
	}
	return status == STORE_MISSING ? STORE_OK : status;
}
