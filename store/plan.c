/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the batches of a group to one set of writes. Each batch is judged against the view as
 * changed by the batches before it; what it writes is sealed here, because only here its revisions
 * are known.
 */
#include "bytes.h"
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST  64
#define WRITES_FIRST 16

/* The newest first, down to the first `count`. */
static void
forget_writes(struct plan *plan, size_t count)
{
	while (plan->count > count)
		free((void *)(uintptr_t)plan->writes[--plan->count].key);
}

void
store_plan_clear(struct plan *plan)
{
	forget_writes(plan, 0);
	free(plan->writes);
	free(plan->slots);
	*plan = (struct plan){0};
}

/* ---- what the group has changed so far ---- */

static bool
is_record(const char *key)
{
	return strncmp(key, RECORD_PREFIX, strlen(RECORD_PREFIX)) == 0;
}

/* The slot that holds `key`, or the free one where it would be. */
static uint32_t *
find_slot(const struct plan *plan, const char *key)
{
	uint8_t hash[crypto_shorthash_BYTES];

	crypto_shorthash(hash, (const uint8_t *)key, strlen(key), plan->store->hash_key);
	for (size_t i = (size_t)get_be(hash, 8);; i++) {
		uint32_t *slot = &plan->slots[i & (plan->slot_count - 1)];
		if (*slot == 0 || strcmp(plan->writes[*slot - 1].key, key) == 0)
			return slot;
	}
}

static void
fill_slots(struct plan *plan)
{
	memset(plan->slots, 0, plan->slot_count * sizeof *plan->slots);
	for (size_t i = 0; i < plan->count; i++) {
		if (is_record(plan->writes[i].key))
			*find_slot(plan, plan->writes[i].key) = (uint32_t)(i + 1);
	}
}

/* Never more than half full, so that a search ends. */
static enum store_status
reserve_slots(struct plan *plan, size_t writes, struct store_error *err)
{
	size_t slot_count = plan->slot_count ? plan->slot_count : SLOTS_FIRST;

	while (slot_count / 2 < writes)
		slot_count *= 2;
	if (slot_count == plan->slot_count)
		return STORE_OK;
	uint32_t *slots = calloc(slot_count, sizeof *slots);
	if (!slots)
		return store_fail(err, STORE_MEMORY, "no memory");
	free(plan->slots);
	plan->slots = slots;
	plan->slot_count = slot_count;
	fill_slots(plan);
	return STORE_OK;
}

static enum store_status
current_revision(const struct plan *plan, const char *key, uint64_t *ret_revision,
		 struct store_error *err)
{
	struct backend_record record;
	uint32_t slot = plan->slot_count ? *find_slot(plan, key) : 0;

	if (slot != 0) {
		*ret_revision = plan->writes[slot - 1].revision; /* 0 if it removes */
		return STORE_OK;
	}
	enum store_status status = view_get(plan->view, key, &record, err);
	if (status == STORE_MISSING)
		*ret_revision = 0;
	else if (status == STORE_OK)
		*ret_revision = record.revision;
	return status == STORE_MISSING ? STORE_OK : status;
}

static enum store_status
check_expectations(const struct plan *plan, const struct store_batch *batch,
		   struct store_error *err)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct operation *operation = &batch->operations[i];
		char key[BACKEND_KEY_MAX + 1];
		uint64_t revision = 0;
		if (operation->kind != OPERATION_EXPECT)
			continue;
		snprintf(key, sizeof key, RECORD_PREFIX "%s", operation->name);
		enum store_status status = current_revision(plan, key, &revision, err);
		if (status != STORE_OK)
			return status;
		if (revision != operation->revision)
			return store_fail(err, STORE_CONFLICT, "%.120s: revision %llu, not %llu",
					  operation->name, (unsigned long long)revision,
					  (unsigned long long)operation->revision);
	}
	return STORE_OK;
}

/* ---- writes ---- */

static enum store_status
reserve_writes(struct plan *plan, size_t more, struct store_error *err)
{
	size_t capacity = plan->capacity ? plan->capacity : WRITES_FIRST;

	while (capacity < plan->count + more)
		capacity *= 2;
	if (capacity == plan->capacity)
		return STORE_OK;
	struct backend_write *writes = reallocarray(plan->writes, capacity, sizeof *writes);
	if (!writes)
		return store_fail(err, STORE_MEMORY, "no memory");
	plan->writes = writes;
	plan->capacity = capacity;
	return STORE_OK;
}

/* Key and body live in one block that `key` owns. `value` NULL: remove. */
static enum store_status
add_write(struct plan *plan, const char *key, const struct store_bytes *value,
	  struct store_error *err)
{
	size_t key_size = strlen(key) + 1;
	size_t size = value ? value->size + SEAL_OVERHEAD : 0;
	char *block = malloc(key_size + size);

	if (!block)
		return store_fail(err, STORE_MEMORY, "no memory");
	memcpy(block, key, key_size);
	uint8_t *body = (uint8_t *)block + key_size;
	struct backend_write *write = &plan->writes[plan->count++];
	*write = (struct backend_write){.key = block, .remove = !value, .body = {body, size}};
	if (value) {
		write->revision = ++plan->head.revision;
		store_keyring_seal(&plan->store->keyring, key, write->revision, *value, body);
	}
	return STORE_OK;
}

/* An index entry says nothing but its own name, and is believed in nothing else. */
static enum store_status
add_tag(struct plan *plan, const char *tag, struct store_error *err)
{
	int size = snprintf(NULL, 0, TAG_PREFIX "%s/%016llx", tag, 0ULL);
	char *block = malloc((size_t)size + 1);

	if (!block)
		return store_fail(err, STORE_MEMORY, "no memory");
	snprintf(block, (size_t)size + 1, TAG_PREFIX "%s/%016llx", tag,
		 (unsigned long long)plan->head.number);
	plan->writes[plan->count++] =
		(struct backend_write){.key = block, .revision = plan->head.revision};
	return STORE_OK;
}

static enum store_status
add_append(struct plan *plan, const struct operation *operation, uint8_t *sealed_form,
	   struct store_error *err)
{
	size_t tag_size = operation->name ? strlen(operation->name) : 0;
	size_t before = ENTRY_HEADER_SIZE + tag_size;
	char key[LOG_KEY_SIZE];

	plan->head.number++;
	store_log_chain(plan->head.hash,
			(struct store_bytes){sealed_form + before, operation->size - before});
	put_be64(sealed_form, plan->head.number);
	memcpy(sealed_form + 8, plan->head.hash, STORE_HASH_SIZE);
	store_log_name_entry(key, plan->head.number);
	const struct store_bytes value = {sealed_form, operation->size};
	enum store_status status = add_write(plan, key, &value, err);
	if (status == STORE_OK && operation->name)
		status = add_tag(plan, operation->name, err);
	return status;
}

static enum store_status
add_operation(struct plan *plan, const struct store_batch *batch, const struct operation *operation,
	      struct store_error *err)
{
	char key[BACKEND_KEY_MAX + 1];
	uint8_t *at = batch->values ? batch->values->bytes + operation->offset : NULL;
	const struct store_bytes value = {at, operation->size};

	if (operation->kind == OPERATION_EXPECT)
		return STORE_OK;
	if (operation->kind == OPERATION_APPEND)
		return add_append(plan, operation, at, err);
	snprintf(key, sizeof key, RECORD_PREFIX "%s", operation->name);
	return add_write(plan, key, operation->kind == OPERATION_PUT ? &value : NULL, err);
}

/* The writes from `first` on become what there is: in the digest, each in place of what its record
 * was, and for those who look for the record. On failure some have and some have not. */
static enum store_status
settle_writes(struct plan *plan, size_t first, struct store_error *err)
{
	const struct keyring *keyring = &plan->store->keyring;

	for (size_t i = first; i < plan->count; i++) {
		const struct backend_write *write = &plan->writes[i];
		uint64_t before = 0;
		if (!is_record(write->key))
			continue;
		enum store_status status = current_revision(plan, write->key, &before, err);
		if (status != STORE_OK)
			return status;
		store_digest_turn(keyring, write->key, before, plan->head.digest);
		store_digest_turn(keyring, write->key, write->revision, plan->head.digest);
		*find_slot(plan, write->key) = (uint32_t)(i + 1);
	}
	return STORE_OK;
}

enum store_status
store_plan_add_batch(struct plan *plan, struct store_batch *batch, struct store_error *err)
{
	const struct head head = plan->head;
	const size_t count = plan->count;
	const size_t more = 2 * batch->count; /* an append with a tag is two writes */
	enum store_status status = check_expectations(plan, batch, err);

	if (status == STORE_OK)
		status = reserve_writes(plan, more, err);
	if (status == STORE_OK)
		status = reserve_slots(plan, plan->count + more, err);
	batch->number = 0;
	for (size_t i = 0; i < batch->count && status == STORE_OK; i++) {
		status = add_operation(plan, batch, &batch->operations[i], err);
		if (batch->operations[i].kind == OPERATION_APPEND)
			batch->number = plan->head.number;
	}
	if (status == STORE_OK)
		status = settle_writes(plan, count, err);
	if (status != STORE_OK) {
		forget_writes(plan, count);
		if (plan->slots)
			fill_slots(plan);
		plan->head = head;
		batch->number = 0;
	}
	return status;
}

/* Last, so that its own revision is the highest that the group gives out. */
enum store_status
store_plan_add_head(struct plan *plan, struct store_error *err)
{
	uint8_t bytes[HEAD_SIZE];
	const struct store_bytes value = {bytes, sizeof bytes};
	enum store_status status = reserve_writes(plan, 1, err);

	if (status != STORE_OK)
		return status;
	store_log_write_head(&plan->head, bytes);
	return add_write(plan, HEAD_KEY, &value, err);
}
