/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a caller collects before it commits. All values of a batch share one block of locked memory:
 * locking costs system calls and whole pages, and most batches are small.
 */
#include "batch.h"
#include "backend.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_FIRST	 2048	     /* bytes: with its header still one locked page */
#define VALUES_KEPT	 (64 * 1024) /* bytes that a cleared batch keeps locked for its next use */
#define OPERATIONS_FIRST 8

bool
store_printable(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	}
	return true;
}

/* The key itself is not repeated: what is not printable does not belong in a message. */
enum store_status
store_check_key(const char *key, struct store_error *err)
{
	size_t size = strnlen(key, STORE_KEY_MAX + 1);

	if (size == 0 || size > STORE_KEY_MAX)
		return store_fail(err, STORE_LIMIT, "a key has 1 to %d bytes", STORE_KEY_MAX);
	if (!store_printable(key, size))
		return store_fail(err, STORE_LIMIT, "a key is printable ASCII");
	return STORE_OK;
}

enum store_status
store_check_tag(const char *tag, struct store_error *err)
{
	size_t size = strnlen(tag, STORE_TAG_MAX + 1);

	if (size == 0 || size > STORE_TAG_MAX)
		return store_fail(err, STORE_LIMIT, "a tag has 1 to %d bytes", STORE_TAG_MAX);
	if (!store_printable(tag, size) || strchr(tag, '/'))
		return store_fail(err, STORE_LIMIT, "a tag is printable ASCII without '/'");
	return STORE_OK;
}

struct store_batch *
store_batch_new(void)
{
	return calloc(1, sizeof(struct store_batch));
}

void
store_batch_clear(struct store_batch *batch)
{
	if (!batch)
		return;
	for (size_t i = 0; i < batch->count; i++)
		free(batch->operations[i].name);
	batch->count = 0;
	batch->erasable = 0;
	batch->number = 0;
	batch->failure = (struct store_error){0};
	if (batch->values && batch->values->capacity > VALUES_KEPT) {
		secret_free(batch->values);
		batch->values = NULL;
	} else if (batch->values) {
		sodium_memzero(batch->values->bytes, batch->values->size);
		batch->values->size = 0;
	}
}

void
store_batch_free(struct store_batch *batch)
{
	if (!batch)
		return;
	store_batch_clear(batch);
	free(batch->operations);
	secret_free(batch->values);
	free(batch);
}

uint64_t
store_batch_number(const struct store_batch *batch)
{
	return batch->number;
}

static enum store_status
reserve_operation(struct store_batch *batch, struct store_error *err)
{
	if (batch->count == STORE_BATCH_MAX)
		return store_fail(err, STORE_LIMIT, "more than %d operations in a batch",
				  STORE_BATCH_MAX);
	if (batch->count < batch->capacity)
		return STORE_OK;
	size_t capacity = batch->capacity ? 2 * batch->capacity : OPERATIONS_FIRST;
	struct operation *operations =
		reallocarray(batch->operations, capacity, sizeof *operations);
	if (!operations)
		return store_fail(err, STORE_MEMORY, "no memory");
	batch->operations = operations;
	batch->capacity = capacity;
	return STORE_OK;
}

static enum store_status
reserve_bytes(struct store_batch *batch, size_t size, struct store_error *err)
{
	struct secret *old = batch->values;
	size_t used = old ? old->size : 0;

	if (size > BATCH_BYTES_MAX - used)
		return store_fail(err, STORE_LIMIT, "more than %zu bytes in a batch",
				  BATCH_BYTES_MAX);
	if (old && size <= old->capacity - used)
		return STORE_OK;
	size_t capacity = old ? old->capacity : VALUES_FIRST;
	while (capacity < used + size)
		capacity *= 2;
	struct secret *values = secret_new(capacity);
	if (!values)
		return store_fail(err, STORE_MEMORY, "no memory that can be locked");
	if (used > 0)
		memcpy(values->bytes, old->bytes, used);
	values->size = used;
	secret_free(old);
	batch->values = values;
	return STORE_OK;
}

/* Everything is reserved before anything is changed, so that a failure leaves the batch as it was.
 */
static struct operation *
add_operation(struct store_batch *batch, enum operation_kind kind, const char *name, size_t size)
{
	struct store_error *err = &batch->failure;

	if (reserve_operation(batch, err) != STORE_OK)
		return NULL;
	bool holds_bytes = kind == OPERATION_PUT || kind == OPERATION_APPEND;
	if (holds_bytes && reserve_bytes(batch, size, err) != STORE_OK)
		return NULL;
	char *copy = name ? strdup(name) : NULL;
	if (name && !copy) {
		store_fail(err, STORE_MEMORY, "no memory");
		return NULL;
	}
	struct operation *operation = &batch->operations[batch->count++];
	*operation = (struct operation){.kind = kind, .name = copy, .size = size};
	if (holds_bytes) {
		operation->offset = batch->values->size;
		batch->values->size += size;
	}
	return operation;
}

/* No more once something has failed; no batch at all is answered by store_commit. */
static bool
takes_more(struct store_batch *batch)
{
	return batch && batch->failure.status == STORE_OK;
}

void
store_batch_expect(struct store_batch *batch, const char *key, uint64_t revision)
{
	if (!takes_more(batch) || store_check_key(key, &batch->failure) != STORE_OK)
		return;
	struct operation *operation = add_operation(batch, OPERATION_EXPECT, key, 0);
	if (operation)
		operation->revision = revision;
}

void
store_batch_delete(struct store_batch *batch, const char *key)
{
	if (!takes_more(batch) || store_check_key(key, &batch->failure) != STORE_OK)
		return;
	add_operation(batch, OPERATION_DELETE, key, 0);
}

static void
put(struct store_batch *batch, const char *key, struct store_bytes value, bool erasable)
{
	if (!takes_more(batch) || store_check_key(key, &batch->failure) != STORE_OK)
		return;
	if (value.size > STORE_VALUE_MAX) {
		store_fail(&batch->failure, STORE_LIMIT, "%s: %zu bytes are too many", key,
			   value.size);
		return;
	}
	struct operation *operation = add_operation(batch, OPERATION_PUT, key, value.size);
	if (!operation)
		return;
	operation->erasable = erasable;
	batch->erasable += erasable;
	if (value.size > 0)
		memcpy(batch->values->bytes + operation->offset, value.data, value.size);
}

void
store_batch_put(struct store_batch *batch, const char *key, struct store_bytes value)
{
	put(batch, key, value, false);
}

void
store_batch_put_erasable(struct store_batch *batch, const char *key, struct store_bytes value)
{
	put(batch, key, value, true);
}

void
store_batch_append(struct store_batch *batch, const char *tag, struct store_bytes entry)
{
	if (!takes_more(batch) || (tag && store_check_tag(tag, &batch->failure) != STORE_OK))
		return;
	if (entry.size > STORE_VALUE_MAX) {
		store_fail(&batch->failure, STORE_LIMIT, "log: an entry of %zu bytes", entry.size);
		return;
	}
	size_t tag_size = tag ? strlen(tag) : 0;
	struct operation *operation = add_operation(batch, OPERATION_APPEND, tag,
						    ENTRY_HEADER_SIZE + tag_size + entry.size);
	if (!operation)
		return;
	uint8_t *at = batch->values->bytes + operation->offset;
	at[ENTRY_HEADER_SIZE - 1] = (uint8_t)tag_size;
	if (tag)
		memcpy(at + ENTRY_HEADER_SIZE, tag, tag_size);
	if (entry.size > 0)
		memcpy(at + ENTRY_HEADER_SIZE + tag_size, entry.data, entry.size);
}
