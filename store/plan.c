/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the batches of a group to one set of writes. Each batch is judged against the view as
 * changed by the batches before it; what it writes is sealed here, because only here its revisions
 * are known.
 */
#include "bytes.h"
#include "commit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_FIRST  64
#define WRITES_FIRST 16
#define NAME_SIZE    (sizeof ERASE_PREFIX + 16)

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
	free(plan->table);
	store_slots_clear(&plan->erasing);
	*plan = (struct plan){0};
}

/* ---- what the group has changed so far ---- */

static bool
is_record(const char *key)
{
	return strncmp(key, RECORD_PREFIX, strlen(RECORD_PREFIX)) == 0;
}

/* Where the table holds `key`, or the free place where it would be. */
static uint32_t *
find_place(const struct plan *plan, const char *key)
{
	uint8_t hash[crypto_shorthash_BYTES];

	crypto_shorthash(hash, (const uint8_t *)key, strlen(key), plan->store->hash_key);
	for (size_t i = (size_t)get_be(hash, 8);; i++) {
		uint32_t *place = &plan->table[i & (plan->table_size - 1)];
		if (*place == 0 || strcmp(plan->writes[*place - 1].key, key) == 0)
			return place;
	}
}

/* Of several writes of a record the newest stands. */
static void
fill_table(struct plan *plan)
{
	memset(plan->table, 0, plan->table_size * sizeof *plan->table);
	for (size_t i = 0; i < plan->count; i++) {
		if (is_record(plan->writes[i].key))
			*find_place(plan, plan->writes[i].key) = (uint32_t)(i + 1);
	}
}

/* Never more than half full, so that a search ends. */
static enum store_status
reserve_table(struct plan *plan, size_t writes, struct store_error *err)
{
	size_t size = plan->table_size ? plan->table_size : TABLE_FIRST;

	while (size / 2 < writes)
		size *= 2;
	if (size == plan->table_size)
		return STORE_OK;
	uint32_t *table = calloc(size, sizeof *table);
	if (!table)
		return store_fail(err, STORE_MEMORY, "no memory");
	free(plan->table);
	plan->table = table;
	plan->table_size = size;
	fill_table(plan);
	return STORE_OK;
}

static const struct backend_write *
find_write(const struct plan *plan, const char *key)
{
	uint32_t place = plan->table_size ? *find_place(plan, key) : 0;

	return place == 0 ? NULL : &plan->writes[place - 1];
}

/* The record as the batches so far leave it. */
static enum store_status
find_standing(const struct plan *plan, const char *key, struct standing *ret_standing,
	      struct store_error *err)
{
	const struct backend_write *write = find_write(plan, key);
	struct backend_record record;
	enum store_status status = STORE_OK;

	if (!write)
		status = view_get(plan->view, key, &record, err);
	else if (write->remove)
		status = STORE_MISSING;
	else
		record = (struct backend_record){write->revision, write->body};
	if (status == STORE_OK)
		*ret_standing = store_standing_of(&record);
	else if (status == STORE_MISSING)
		*ret_standing = (struct standing){0, SLOT_NONE};
	return status == STORE_MISSING ? STORE_OK : status;
}

static enum store_status
check_expectations(const struct plan *plan, const struct store_batch *batch,
		   struct store_error *err)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct operation *operation = &batch->operations[i];
		char key[BACKEND_KEY_MAX + 1];
		struct standing standing;
		if (operation->kind != OPERATION_EXPECT)
			continue;
		snprintf(key, sizeof key, RECORD_PREFIX "%s", operation->name);
		enum store_status status = find_standing(plan, key, &standing, err);
		if (status != STORE_OK)
			return status;
		if (standing.revision != operation->revision)
			return store_fail(err, STORE_CONFLICT, "%.120s: revision %llu, not %llu",
					  operation->name, (unsigned long long)standing.revision,
					  (unsigned long long)operation->revision);
	}
	return STORE_OK;
}

/* ---- writes ---- */

static enum store_status
reserve_write(struct plan *plan, struct store_error *err)
{
	if (plan->count < plan->capacity)
		return STORE_OK;
	size_t capacity = plan->capacity ? 2 * plan->capacity : WRITES_FIRST;
	struct backend_write *writes = reallocarray(plan->writes, capacity, sizeof *writes);
	if (!writes)
		return store_fail(err, STORE_MEMORY, "no memory");
	plan->writes = writes;
	plan->capacity = capacity;
	return STORE_OK;
}

/* Key and body live in one block that `key` owns. `*ret_body` is to be filled; the write has no
 * revision yet. */
static enum store_status
add_write(struct plan *plan, const char *key, size_t size, uint8_t **ret_body,
	  struct store_error *err)
{
	size_t key_size = strlen(key) + 1;
	enum store_status status = reserve_write(plan, err);
	char *block = status == STORE_OK ? malloc(key_size + size) : NULL;

	if (!block)
		return store_fail(err, STORE_MEMORY, "no memory");
	memcpy(block, key, key_size);
	*ret_body = (uint8_t *)block + key_size;
	plan->writes[plan->count++] =
		(struct backend_write){.key = block, .body = {*ret_body, size}};
	return STORE_OK;
}

static struct backend_write *
newest(struct plan *plan)
{
	return &plan->writes[plan->count - 1];
}

static enum store_status
add_plain(struct plan *plan, const char *key, uint64_t revision, struct store_bytes body,
	  struct store_error *err)
{
	uint8_t *at;
	enum store_status status = add_write(plan, key, body.size, &at, err);

	if (status != STORE_OK)
		return status;
	if (body.size > 0)
		memcpy(at, body.data, body.size);
	newest(plan)->revision = revision;
	return STORE_OK;
}

static enum store_status
add_removal(struct plan *plan, const char *key, struct store_error *err)
{
	uint8_t *at;
	enum store_status status = add_write(plan, key, 0, &at, err);

	if (status == STORE_OK)
		newest(plan)->remove = true;
	return status;
}

/* `slot` SLOT_NONE: under the data key itself. */
static enum store_status
add_sealed(struct plan *plan, const char *key, uint64_t revision, uint64_t slot,
	   struct store_bytes value, struct store_error *err)
{
	uint8_t slot_bytes[BACKEND_SLOT_SIZE];
	uint8_t *body;
	enum store_status status = STORE_OK;

	if (slot != SLOT_NONE)
		status = store_slots_take(plan->store, slot, slot_bytes, err);
	if (status == STORE_OK)
		status = add_write(plan, key, value.size + BODY_OVERHEAD, &body, err);
	if (status != STORE_OK)
		return status;
	store_body_seal(&plan->store->keyring, key, revision, slot,
			slot == SLOT_NONE ? NULL : slot_bytes, value, body);
	sodium_memzero(slot_bytes, sizeof slot_bytes);
	newest(plan)->revision = revision;
	return STORE_OK;
}

static void
name_erasure(char name[NAME_SIZE], uint64_t slot)
{
	snprintf(name, NAME_SIZE, ERASE_PREFIX "%016llx", (unsigned long long)slot);
}

/* With the commit it is written down, after it the slot is erased. */
static enum store_status
add_erasure(struct plan *plan, uint64_t slot, struct store_error *err)
{
	char name[NAME_SIZE];
	uint8_t proof[ERASE_PROOF_SIZE];
	const struct store_bytes body = {proof, sizeof proof};
	enum store_status status = store_slots_add(&plan->erasing, slot, err);

	name_erasure(name, slot);
	store_slots_prove(&plan->store->keyring, slot, plan->head.revision, proof);
	if (status == STORE_OK)
		status = add_plain(plan, name, plan->head.revision, body, err);
	return status;
}

/* ---- batches ---- */

/* An index entry says nothing but its own name, and is believed in nothing else. */
static enum store_status
add_tag(struct plan *plan, const char *tag, struct store_error *err)
{
	char name[BACKEND_KEY_MAX + 1];

	snprintf(name, sizeof name, TAG_PREFIX "%s/%016llx", tag,
		 (unsigned long long)plan->head.number);
	return add_plain(plan, name, plan->head.revision, (struct store_bytes){0}, err);
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
	enum store_status status =
		add_sealed(plan, key, ++plan->head.revision, SLOT_NONE, value, err);
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
	if (operation->kind == OPERATION_DELETE)
		return add_removal(plan, key, err);
	uint64_t slot = operation->erasable ? plan->head.slots++ : SLOT_NONE;
	return add_sealed(plan, key, ++plan->head.revision, slot, value, err);
}

/* The digest proves what a record says of its slot when the store is opened. Should somebody change
 * it later on, then at least not so that our own keys are lost. */
static bool
may_erase(const struct plan *plan, uint64_t slot)
{
	return slot < plan->head.slots && slot != plan->store->keyring.header.slot;
}

/* The record that the write at `i` replaces: out of the digest and of the count, and its slot to
 * be erased. */
static enum store_status
replace_standing(struct plan *plan, size_t i, struct store_error *err)
{
	const struct keyring *keyring = &plan->store->keyring;
	const struct backend_write write = plan->writes[i];
	struct standing before = {0};
	enum store_status status = find_standing(plan, write.key, &before, err);

	if (status != STORE_OK)
		return status;
	struct standing after = {0};
	if (!write.remove)
		after = store_standing_of(&(struct backend_record){write.revision, write.body});
	store_digest_turn(keyring, write.key, before, plan->head.digest);
	store_digest_turn(keyring, write.key, after, plan->head.digest);
	plan->head.records += (write.remove ? 0 : 1);
	plan->head.records -= (before.revision == 0 ? 0 : 1);
	if (may_erase(plan, before.slot))
		status = add_erasure(plan, before.slot, err);
	*find_place(plan, write.key) = (uint32_t)(i + 1);
	return status;
}

/* The writes from `first` on become what there is: in the digest, each in place of what its record
 * was, and for those who look for the record. On failure some have and some have not. */
static enum store_status
settle_writes(struct plan *plan, size_t first, struct store_error *err)
{
	const size_t count = plan->count; /* erasures come behind */
	enum store_status status = STORE_OK;

	for (size_t i = first; i < count && status == STORE_OK; i++) {
		if (is_record(plan->writes[i].key))
			status = replace_standing(plan, i, err);
	}
	return status;
}

enum store_status
store_plan_add_batch(struct plan *plan, struct store_batch *batch, struct store_error *err)
{
	const struct head head = plan->head;
	const size_t count = plan->count, erasing = plan->erasing.count;
	enum store_status status = check_expectations(plan, batch, err);

	if (status == STORE_OK)
		status = reserve_table(plan, plan->count + batch->count, err);
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
		if (plan->table)
			fill_table(plan);
		plan->erasing.count = erasing;
		plan->head = head;
		batch->number = 0;
	}
	return status;
}

/* ---- the store's own ---- */

/* Under the newest key as it lies there, or written anew by another batch of the group. */
static bool
is_newest(const struct plan *plan, const char *key, const struct backend_record *record)
{
	return find_write(plan, key) != NULL ||
	       (record->body.size >= BODY_OVERHEAD &&
		store_body_place(record).generation == plan->store->keyring.header.current);
}

static enum store_status
open_into(struct plan *plan, const char *key, const struct backend_record *record,
	  struct secret **scratch, struct store_bytes *ret_value, struct store_error *err)
{
	struct store *store = plan->store;
	size_t size = 0;
	enum store_status status = store_body_size(key, record, &size, err);

	if (status == STORE_OK)
		status = store_reserve_secret(scratch, size, err);
	if (status == STORE_OK)
		status = store_body_open(store->backend, &store->keyring, key, record,
					 (*scratch)->bytes, err);
	if (status == STORE_OK)
		*ret_value = (struct store_bytes){(*scratch)->bytes, size};
	return status;
}

/* At its revision and in its slot, so that neither the digest nor what batches expect changes. */
enum store_status
store_plan_add_reseal(struct plan *plan, const char *key, struct secret **scratch,
		      struct store_error *err)
{
	struct backend_record record;
	struct store_bytes value;
	enum store_status status = view_get(plan->view, key, &record, err);

	if (status == STORE_MISSING || (status == STORE_OK && is_newest(plan, key, &record)))
		return STORE_OK;
	if (status == STORE_OK)
		status = open_into(plan, key, &record, scratch, &value, err);
	if (status == STORE_OK)
		status = add_sealed(plan, key, record.revision, store_body_place(&record).slot,
				    value, err);
	return status;
}

static enum store_status
add_wrapped(void *user, const char *name, const uint8_t wrapped[WRAPPED_SIZE],
	    struct store_error *err)
{
	struct plan *plan = user;

	return add_plain(plan, name, plan->head.header_revision,
			 (struct store_bytes){wrapped, WRAPPED_SIZE}, err);
}

static enum store_status
add_header(struct plan *plan, const struct keyring_change *change, struct store_error *err)
{
	uint8_t body[HEADER_SIZE_MAX];
	size_t size;

	store_header_write(&change->header, keys_of(change->secret)->header, body, &size);
	return add_plain(plan, HEADER_KEY, change->header.revision,
			 (struct store_bytes){body, size}, err);
}

/* The former header's slot, unless there was none: with it goes all that was wrapped under it. */
static enum store_status
add_wrapping(struct plan *plan, const struct keyring_change *change, struct store_error *err)
{
	const struct header *before = &plan->store->keyring.header;
	uint8_t slot_bytes[BACKEND_SLOT_SIZE];
	char name[WRAPPED_NAME_SIZE];
	enum store_status status =
		store_slots_take(plan->store, change->header.slot, slot_bytes, err);

	if (status == STORE_OK)
		status = store_keyring_wrap(change, slot_bytes, add_wrapped, plan, err);
	sodium_memzero(slot_bytes, sizeof slot_bytes);
	for (uint32_t g = before->oldest; g < change->header.oldest && status == STORE_OK; g++) {
		store_keyring_name(g, name);
		status = add_removal(plan, name, err);
	}
	if (status == STORE_OK && before->revision != 0)
		status = add_erasure(plan, before->slot, err);
	return status;
}

/* The slots of its page that it does not use are given to nobody. */
enum store_status
store_plan_add_keyring(struct plan *plan, struct keyring_change *change, struct store_error *err)
{
	struct head *head = &plan->head;

	change->header.revision = ++head->revision;
	change->header.slot = store_slots_page(head->slots);
	head->slots = change->header.slot + SLOTS_PAGE;
	head->header_revision = head->revision;
	enum store_status status = add_header(plan, change, err);
	if (status == STORE_OK)
		status = add_wrapping(plan, change, err);
	return status;
}

/* Its own revision is the highest that the group gives out. */
enum store_status
store_plan_add_head(struct plan *plan, struct store_error *err)
{
	const struct slot_list *erased = &plan->store->erased;
	uint8_t bytes[HEAD_SIZE];
	char name[NAME_SIZE];
	enum store_status status = STORE_OK;

	for (size_t i = 0; i < erased->count && status == STORE_OK; i++) {
		name_erasure(name, erased->slots[i]);
		status = add_removal(plan, name, err);
	}
	if (status != STORE_OK)
		return status;
	plan->head.revision++;
	store_log_write_head(&plan->head, bytes);
	return add_sealed(plan, HEAD_KEY, plan->head.revision, SLOT_NONE,
			  (struct store_bytes){bytes, sizeof bytes}, err);
}
