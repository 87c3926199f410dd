/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash-chained log. An entry is a sealed record that says its own number, hash and tag, so that
 * one that is missing, swapped or filed under another tag is noticed by whoever reads it.
 */
#include "bytes.h"
#include "state.h"

#include <stdio.h>
#include <string.h>

#define CHAIN_LABEL "postern/log/v1" /* with its NUL */

void
store_log_name_entry(char name[LOG_KEY_SIZE], uint64_t number)
{
	snprintf(name, LOG_KEY_SIZE, LOG_PREFIX "%016llx", (unsigned long long)number);
}

void
store_log_chain(uint8_t hash[STORE_HASH_SIZE], struct store_bytes entry)
{
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, (const uint8_t *)CHAIN_LABEL, sizeof CHAIN_LABEL);
	crypto_hash_sha256_update(&state, hash, STORE_HASH_SIZE);
	crypto_hash_sha256_update(&state, entry.data, entry.size);
	crypto_hash_sha256_final(&state, hash);
}

void
store_log_write_head(const struct head *head, uint8_t bytes[HEAD_SIZE])
{
	put_be64(bytes, head->number);
	memcpy(bytes + 8, head->hash, STORE_HASH_SIZE);
	memcpy(bytes + 8 + STORE_HASH_SIZE, head->digest, DIGEST_SIZE);
	put_be64(bytes + 8 + STORE_HASH_SIZE + DIGEST_SIZE, head->slots);
	put_be64(bytes + 8 + STORE_HASH_SIZE + DIGEST_SIZE + 8, head->header_revision);
}

/* ---- one entry ---- */

enum store_status
store_log_parse(const char *name, uint64_t number, struct store_bytes bytes,
		struct entry *ret_entry, struct store_error *err)
{
	struct reader r = {.rest = bytes};

	ret_entry->public.number = read_be(&r, 8);
	read_into(&r, ret_entry->public.hash, STORE_HASH_SIZE);
	ret_entry->tag.size = (size_t)read_be(&r, 1);
	ret_entry->tag.data = read_bytes(&r, ret_entry->tag.size);
	ret_entry->public.entry = r.rest; /* all that is left */
	if (r.failed || ret_entry->public.number != number)
		return store_fail(err, STORE_TAMPERED, "%s: not entry %llu", name,
				  (unsigned long long)number);
	return STORE_OK;
}

/* `ret_entry` points into `buffer`, which grows as needed. A missing entry is STORE_TAMPERED: who
 * asks knows that it was written. */
static enum store_status
open_entry(const struct view *view, struct keyring *keyring, uint64_t number,
	   struct secret **buffer, struct entry *ret_entry, struct store_error *err)
{
	char name[LOG_KEY_SIZE];
	struct backend_record record;
	size_t size = 0;

	store_log_name_entry(name, number);
	enum store_status status = view_get(view, name, &record, err);
	if (status == STORE_MISSING)
		return store_fail(err, STORE_TAMPERED, "%s: the log's entry is gone", name);
	if (status == STORE_OK)
		status = store_body_size(name, &record, &size, err);
	if (status == STORE_OK)
		status = store_reserve_secret(buffer, size, err);
	if (status == STORE_OK)
		status = store_body_open(view->backend, keyring, name, &record, (*buffer)->bytes,
					 err);
	if (status != STORE_OK)
		return status;
	return store_log_parse(name, number, (struct store_bytes){(*buffer)->bytes, size},
			       ret_entry, err);
}

/* hash(number), as the sealed entry itself says. */
static enum store_status
hash_of(const struct view *view, struct keyring *keyring, uint64_t number,
	uint8_t ret_hash[STORE_HASH_SIZE], struct store_error *err)
{
	auto_secret *buffer = NULL;
	struct entry entry = {0};

	if (number == 0) {
		memset(ret_hash, 0, STORE_HASH_SIZE);
		return STORE_OK;
	}
	enum store_status status = open_entry(view, keyring, number, &buffer, &entry, err);
	if (status == STORE_OK)
		memcpy(ret_hash, entry.public.hash, STORE_HASH_SIZE);
	return status;
}

/* ---- the head ---- */

bool
store_log_parse_number(const char *digits, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (strspn(digits, "0123456789abcdef") != 16 || digits[16] != 0)
		return false;
	for (int i = 0; i < 16; i++) {
		int digit = digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10;
		number = number << 4 | (uint64_t)digit;
	}
	*ret_number = number;
	return true;
}

static enum store_status
check_newest(const struct view *view, uint64_t number, struct store_error *err)
{
	char name[BACKEND_KEY_MAX + 1];
	struct backend_record record;
	uint64_t newest = 0;
	enum store_status status = view->backend->class->next(view->at, LOG_PREFIX, NULL,
							      BACKEND_BACKWARD, name, &record, err);

	if (status != STORE_OK && status != STORE_MISSING)
		return status;
	if (status == STORE_OK && !store_log_parse_number(name + strlen(LOG_PREFIX), &newest))
		return store_fail(err, STORE_TAMPERED, "%s: no log key", name);
	if (newest != number)
		return store_fail(err, STORE_TAMPERED, "log: ends at %llu, its head says %llu",
				  (unsigned long long)newest, (unsigned long long)number);
	return STORE_OK;
}

static enum store_status
open_head(const struct view *view, struct keyring *keyring, const struct backend_record *record,
	  uint8_t ret_bytes[HEAD_SIZE], struct store_error *err)
{
	size_t size = 0;
	enum store_status status = store_body_size(HEAD_KEY, record, &size, err);

	if (status == STORE_OK && size != HEAD_SIZE)
		return store_fail(err, STORE_TAMPERED, HEAD_KEY ": %zu bytes", size);
	if (status != STORE_OK)
		return status;
	return store_body_open(view->backend, keyring, HEAD_KEY, record, ret_bytes, err);
}

static void
parse_head(uint64_t revision, const uint8_t bytes[HEAD_SIZE], struct head *ret_head)
{
	struct reader r = {.rest = {bytes, HEAD_SIZE}};

	*ret_head = (struct head){.revision = revision, .number = read_be(&r, 8)};
	read_into(&r, ret_head->hash, STORE_HASH_SIZE);
	read_into(&r, ret_head->digest, DIGEST_SIZE);
	ret_head->slots = read_be(&r, 8);
	ret_head->header_revision = read_be(&r, 8);
}

enum store_status
store_log_load_head(const struct view *view, struct keyring *keyring, struct head *ret_head,
		    struct store_error *err)
{
	uint8_t bytes[HEAD_SIZE], hash[STORE_HASH_SIZE];
	struct backend_record record;
	struct head head;
	enum store_status status = view_get(view, HEAD_KEY, &record, err);

	if (status == STORE_MISSING)
		return store_fail(err, STORE_TAMPERED, HEAD_KEY ": the store's head is gone");
	if (status == STORE_OK)
		status = open_head(view, keyring, &record, bytes, err);
	if (status != STORE_OK)
		return status;
	parse_head(record.revision, bytes, &head);
	status = check_newest(view, head.number, err);
	if (status == STORE_OK)
		status = hash_of(view, keyring, head.number, hash, err);
	if (status == STORE_OK && memcmp(hash, head.hash, STORE_HASH_SIZE) != 0)
		status = store_fail(err, STORE_TAMPERED, "log: its head is not its newest entry's");
	if (status == STORE_OK)
		*ret_head = head;
	return status;
}

enum store_status
store_log_check_contiguous(const struct view *view, const struct head *head,
			   struct store_error *err)
{
	char name[BACKEND_KEY_MAX + 1], wanted[LOG_KEY_SIZE];
	const char *from = NULL;
	struct backend_record record;

	for (uint64_t number = 1; number <= head->number; number++) {
		enum store_status status = view->backend->class->next(
			view->at, LOG_PREFIX, from, BACKEND_FORWARD, name, &record, err);
		if (status != STORE_OK && status != STORE_MISSING)
			return status;
		store_log_name_entry(wanted, number);
		if (status == STORE_MISSING || strcmp(name, wanted) != 0)
			return store_fail(err, STORE_TAMPERED, "%s: the log's entry is gone",
					  wanted);
		from = wanted;
	}
	return STORE_OK;
}

void
store_log_head(struct store *store, uint64_t *ret_number, uint8_t ret_hash[STORE_HASH_SIZE])
{
	pthread_mutex_lock(&store->lock);
	*ret_number = store->head.number;
	memcpy(ret_hash, store->head.hash, STORE_HASH_SIZE);
	pthread_mutex_unlock(&store->lock);
}

/* ---- reading ---- */

/* The entry is opened under a view of its own, so that the visitor runs without one. */
static enum store_status
open_entry_now(struct store *store, uint64_t number, struct secret **buffer,
	       struct entry *ret_entry, struct store_error *err)
{
	auto_view view = {0};
	enum store_status status = view_open(store->backend, &view, err);

	if (status != STORE_OK)
		return status;
	return open_entry(&view, &store->keyring, number, buffer, ret_entry, err);
}

static enum store_status
open_entry_again(struct store *store, uint64_t number, struct secret **buffer,
		 struct entry *ret_entry, struct store_error *err)
{
	struct attempt attempt = store_attempt_first(store);
	enum store_status status;

	do
		status = open_entry_now(store, number, buffer, ret_entry, err);
	while (store_attempt_again(store, &attempt, status, err));
	return status;
}

/* hash(number - 1), as the sealed entry itself says. */
static enum store_status
hash_before(struct store *store, uint64_t number, uint8_t ret_hash[STORE_HASH_SIZE],
	    struct store_error *err)
{
	auto_secret *buffer = NULL;
	struct entry entry = {0};

	if (number == 1) {
		memset(ret_hash, 0, STORE_HASH_SIZE);
		return STORE_OK;
	}
	enum store_status status = open_entry_again(store, number - 1, &buffer, &entry, err);
	if (status == STORE_OK)
		memcpy(ret_hash, entry.public.hash, STORE_HASH_SIZE);
	return status;
}

enum store_status
store_log_read(struct store *store, uint64_t from, store_log_visit *visit, void *user,
	       struct store_error *err)
{
	auto_secret *buffer = NULL;
	uint8_t hash[STORE_HASH_SIZE], head_hash[STORE_HASH_SIZE];
	uint64_t head_number;
	enum store_status status = store_check_unsealed(store, err);

	if (status != STORE_OK)
		return status;
	store_log_head(store, &head_number, head_hash);
	from = from == 0 ? 1 : from;
	if (from > head_number)
		return STORE_OK;
	status = hash_before(store, from, hash, err);
	for (uint64_t number = from; number <= head_number && status == STORE_OK; number++) {
		struct entry entry = {0};
		status = open_entry_again(store, number, &buffer, &entry, err);
		if (status != STORE_OK)
			break;
		store_log_chain(hash, entry.public.entry);
		bool linked = memcmp(hash, entry.public.hash, sizeof hash) == 0;
		if (number == head_number)
			linked = linked && memcmp(hash, head_hash, sizeof hash) == 0;
		if (!linked)
			return store_fail(err, STORE_TAMPERED, "log: the chain breaks at %llu",
					  (unsigned long long)number);
		if (!visit(user, &entry.public))
			break;
	}
	return status;
}

/* The newest entry of a tag before the key `*name` (empty: the newest of all), which it moves.
 * STORE_MISSING when there are no more. */
static enum store_status
open_tagged(struct store *store, const char *prefix, char name[BACKEND_KEY_MAX + 1],
	    struct secret **buffer, struct entry *ret_entry, struct store_error *err)
{
	char found[BACKEND_KEY_MAX + 1];
	size_t tag_size = strlen(prefix) - strlen(TAG_PREFIX) - 1;
	struct backend_record record;
	uint64_t number = 0;
	auto_view view = {0};
	enum store_status status = view_open(store->backend, &view, err);

	if (status == STORE_OK)
		status = store->backend->class->next(view.at, prefix, name[0] ? name : NULL,
						     BACKEND_BACKWARD, found, &record, err);
	if (status != STORE_OK)
		return status;
	if (!store_log_parse_number(found + strlen(prefix), &number))
		return store_fail(err, STORE_TAMPERED, "%s: no index entry", found);
	status = open_entry(&view, &store->keyring, number, buffer, ret_entry, err);
	if (status != STORE_OK)
		return status;
	if (ret_entry->tag.size != tag_size ||
	    memcmp(ret_entry->tag.data, prefix + strlen(TAG_PREFIX), tag_size) != 0)
		return store_fail(err, STORE_TAMPERED, "%s: the entry has another tag", found);
	memcpy(name, found, sizeof found);
	return STORE_OK;
}

enum store_status
store_log_tagged(struct store *store, const char *tag, size_t count, store_log_visit *visit,
		 void *user, struct store_error *err)
{
	auto_secret *buffer = NULL;
	char prefix[sizeof TAG_PREFIX + STORE_TAG_MAX + 1], name[BACKEND_KEY_MAX + 1] = "";
	enum store_status status = store_check_unsealed(store, err);

	if (status == STORE_OK)
		status = store_check_tag(tag, err);
	if (status != STORE_OK)
		return status;
	snprintf(prefix, sizeof prefix, TAG_PREFIX "%s/", tag);
	for (size_t i = 0; i < count; i++) {
		struct entry entry = {0};
		struct attempt attempt = store_attempt_first(store);
		do
			status = open_tagged(store, prefix, name, &buffer, &entry, err);
		while (store_attempt_again(store, &attempt, status, err));
		if (status != STORE_OK || !visit(user, &entry.public))
			break;
	}
	return status == STORE_MISSING ? STORE_OK : status;
}
