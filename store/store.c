/* SPDX-License-Identifier: Apache-2.0 */
/* Creating, opening and closing a store, and reading its records. */
#include "commit.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_PAGE    32	  /* keys read under one view */
#define ATTEMPTS_MAX 64	  /* to read what is being changed all the time */
#define SECRET_FIRST 4096 /* bytes */

enum store_status
store_fail(struct store_error *err, enum store_status status, const char *format, ...)
{
	va_list arguments;

	if (!err)
		return status;
	va_start(arguments, format);
	vsnprintf(err->message, sizeof err->message, format, arguments);
	va_end(arguments);
	err->status = status;
	return status;
}

/* ---- create ---- */

static struct store *
store_new(struct backend *backend)
{
	struct store *store = calloc(1, sizeof *store);

	if (!store)
		return NULL;
	store->backend = backend;
	pthread_mutex_init(&store->settling, NULL);
	pthread_mutex_init(&store->lock, NULL);
	return store;
}

static void
store_end(struct store *store)
{
	store_keyring_clear(&store->keyring);
	store_slots_clear(&store->erasing);
	store_slots_clear(&store->erased);
	pthread_mutex_destroy(&store->settling);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

static enum store_status
check_root_key(const struct secret *root_key, struct store_error *err)
{
	if (root_key->size != STORE_ROOT_KEY_SIZE)
		return store_fail(err, STORE_KEY, "a root key has %d bytes", STORE_ROOT_KEY_SIZE);
	return STORE_OK;
}

/* Header, keys and head in one transaction: an interrupted creation leaves no store. */
static enum store_status
write_founding(struct store *store, struct store_error *err)
{
	const struct backend_expect absent = {HEADER_KEY, 0};
	auto_plan plan = {.store = store};
	auto_keyring_change change = {0};
	enum store_status status = store_keyring_prepare(&store->keyring, &change, err);

	if (status == STORE_OK)
		status = store_slots_reserve(store, 0, SLOTS_PAGE, err);
	if (status == STORE_OK)
		status = store_plan_add_keyring(&plan, &change, err);
	if (status == STORE_OK)
		status = store_plan_add_head(&plan, err);
	if (status == STORE_OK)
		status = store->backend->class->apply(store->backend, &absent, plan.writes,
						      plan.count, err);
	if (status == STORE_CONFLICT)
		return store_fail(err, STORE_EXISTS, "there is a store already");
	return status;
}

/* Before any slot is written: they may be in use. */
static enum store_status
check_absent(struct backend *backend, struct store_error *err)
{
	struct backend_record record;
	auto_view view = {0};
	enum store_status status = view_open(backend, &view, err);

	if (status == STORE_OK)
		status = view_get(&view, HEADER_KEY, &record, err);
	if (status == STORE_OK)
		return store_fail(err, STORE_EXISTS, "there is a store already");
	return status == STORE_MISSING ? STORE_OK : status;
}

enum store_status
store_create_on(struct backend *backend, const struct secret *root_key, struct store_bytes note,
		struct store_error *err)
{
	enum store_status status = check_root_key(root_key, err);

	if (status == STORE_OK)
		status = check_absent(backend, err);
	if (status != STORE_OK)
		return status;
	struct store *store = store_new(backend);
	if (!store)
		return store_fail(err, STORE_MEMORY, "no memory");
	status = store_keyring_found(root_key, note, &store->keyring, err);
	if (status == STORE_OK)
		status = write_founding(store, err);
	store_end(store);
	return status;
}

enum store_status
store_create(const char *path, const struct secret *root_key, struct store_bytes note,
	     struct store_error *err)
{
	auto_backend *backend = NULL;
	enum store_status status = check_root_key(root_key, err);

	if (status == STORE_OK)
		status = backend_lmdb_open(path, true, BACKEND_LMDB_MAP_SIZE, &backend, err);
	if (status == STORE_OK)
		status = store_create_on(backend, root_key, note, err);
	return status;
}

/* ---- attach, unseal, open, close ---- */

/* That there is a store, of a format that we know, is said at once. */
static enum store_status
examine(struct backend *backend, struct store_error *err)
{
	struct header header;
	auto_view view = {0};
	enum store_status status = view_open(backend, &view, err);

	if (status == STORE_OK)
		status = store_header_read(&view, &header, err);
	return status;
}

enum store_status
store_attach_on(struct backend *backend, struct store **ret_store, struct store_error *err)
{
	enum store_status status = examine(backend, err);
	struct store *store = status == STORE_OK ? store_new(backend) : NULL;

	if (!store) {
		backend_close(backend);
		return status != STORE_OK ? status : store_fail(err, STORE_MEMORY, "no memory");
	}
	*ret_store = store;
	return STORE_OK;
}

enum store_status
store_attach(const char *path, struct store **ret_store, struct store_error *err)
{
	struct backend *backend = NULL;
	enum store_status status =
		backend_lmdb_open(path, false, BACKEND_LMDB_MAP_SIZE, &backend, err);

	return status == STORE_OK ? store_attach_on(backend, ret_store, err) : status;
}

static enum store_status
check_header_revision(const struct keyring *keyring, const struct head *head,
		      struct store_error *err)
{
	if (head->header_revision == keyring->header.revision)
		return STORE_OK;
	return store_fail(err, STORE_TAMPERED, HEADER_KEY ": was put back");
}

static enum store_status
load(struct store *store, const struct secret *root_key, struct store_error *err)
{
	auto_view view = {0};
	enum store_status status = view_open(store->backend, &view, err);

	if (status == STORE_OK)
		status = store_keyring_load(&view, root_key, &store->keyring, err);
	if (status == STORE_OK)
		status = store_log_load_head(&view, &store->keyring, &store->head, err);
	if (status == STORE_OK)
		status = check_header_revision(&store->keyring, &store->head, err);
	if (status == STORE_OK)
		status = store_log_check_contiguous(&view, &store->head, err);
	if (status == STORE_OK)
		status = store_digest_check(&view, &store->keyring, &store->head, err);
	if (status == STORE_OK)
		status = store_slots_load(&view, &store->keyring, &store->erasing, err);
	return status;
}

/* Sealed as before. */
static void
unload(struct store *store)
{
	store_keyring_clear(&store->keyring);
	store->head = (struct head){0};
	store_slots_clear(&store->erasing);
	store_slots_clear(&store->erased);
}

enum store_status
store_unseal(struct store *store, const struct secret *root_key, struct store_error *err)
{
	enum store_status status = check_root_key(root_key, err);

	if (status != STORE_OK || atomic_load(&store->unsealed))
		return status != STORE_OK ? status : store_try_key(store, root_key, err);
	randombytes_buf(store->hash_key, sizeof store->hash_key);
	status = load(store, root_key, err);
	/* A crash may have come between a deletion and what it had to erase. */
	if (status == STORE_OK)
		status = store_slots_erase(store, err);
	if (status != STORE_OK) {
		unload(store);
		return status;
	}
	store->filled = store->head.slots;
	atomic_store(&store->unsealed, true);
	return STORE_OK;
}

enum store_status
store_open_on(struct backend *backend, const struct secret *root_key, struct store **ret_store,
	      struct store_error *err)
{
	struct store *store = NULL;
	enum store_status status = store_attach_on(backend, &store, err);

	if (status == STORE_OK)
		status = store_unseal(store, root_key, err);
	if (status == STORE_OK)
		*ret_store = store;
	else
		store_close(store);
	return status;
}

enum store_status
store_open(const char *path, const struct secret *root_key, struct store **ret_store,
	   struct store_error *err)
{
	struct backend *backend = NULL;
	enum store_status status =
		backend_lmdb_open(path, false, BACKEND_LMDB_MAP_SIZE, &backend, err);

	return status == STORE_OK ? store_open_on(backend, root_key, ret_store, err) : status;
}

void
store_close(struct store *store)
{
	if (!store)
		return;
	assert(!store->leading); /* nobody may still commit */
	backend_close(store->backend);
	store_end(store);
}

enum store_status
store_check_unsealed(struct store *store, struct store_error *err)
{
	if (atomic_load_explicit(&store->unsealed, memory_order_acquire))
		return STORE_OK;
	return store_fail(err, STORE_SEALED, "the store is sealed");
}

/* ---- reading ---- */

bool
store_attempt_again(struct store *store, struct attempt *attempt, enum store_status status,
		    struct store_error *err)
{
	const uint64_t epoch = attempt->epoch;

	if (status != STORE_TAMPERED || ++attempt->count == ATTEMPTS_MAX)
		return false;
	attempt->epoch = atomic_load(&store->epoch);
	if (attempt->epoch == epoch)
		return false;
	if (err)
		*err = (struct store_error){0};
	return true;
}

enum store_status
store_reserve_secret(struct secret **secret, size_t size, struct store_error *err)
{
	size_t capacity = *secret ? (*secret)->capacity : SECRET_FIRST;

	while (capacity < size)
		capacity *= 2;
	if (*secret && capacity == (*secret)->capacity)
		return STORE_OK;
	secret_free(*secret);
	*secret = secret_new(capacity);
	return *secret ? STORE_OK : store_fail(err, STORE_MEMORY, "no memory that can be locked");
}

/* The record as it stands now, its name in the backend, and the size of its value. */
static enum store_status
find_record(struct store *store, const char *key, struct view *view,
	    char ret_name[BACKEND_KEY_MAX + 1], struct backend_record *ret_record, size_t *ret_size,
	    struct store_error *err)
{
	enum store_status status = store_check_unsealed(store, err);

	if (status == STORE_OK)
		status = store_check_key(key, err);
	if (status != STORE_OK)
		return status;
	memcpy(ret_name, RECORD_PREFIX, sizeof RECORD_PREFIX - 1);
	memcpy(ret_name + sizeof RECORD_PREFIX - 1, key, strlen(key) + 1); /* checked above */
	status = view_open(store->backend, view, err);
	if (status == STORE_OK)
		status = view_get(view, ret_name, ret_record, err);
	if (status == STORE_MISSING)
		return store_fail(err, STORE_MISSING, "%s: no such record", key);
	if (status == STORE_OK)
		status = store_body_size(ret_name, ret_record, ret_size, err);
	return status;
}

static enum store_status
get_now(struct store *store, const char *key, struct secret **ret_value, uint64_t *ret_revision,
	struct store_error *err)
{
	char name[BACKEND_KEY_MAX + 1];
	struct backend_record record;
	size_t size = 0;
	auto_secret *value = NULL;
	auto_view view = {0};
	enum store_status status = find_record(store, key, &view, name, &record, &size, err);

	if (status != STORE_OK)
		return status;
	value = secret_new(size);
	if (!value)
		return store_fail(err, STORE_MEMORY, "%s: no memory that can be locked", key);
	status = store_body_open(store->backend, &store->keyring, name, &record, value->bytes, err);
	if (status != STORE_OK)
		return status;
	*ret_value = value;
	*ret_revision = record.revision;
	value = NULL;
	return STORE_OK;
}

static enum store_status
get_into_now(struct store *store, const char *key, struct secret *into, uint64_t *ret_revision,
	     struct store_error *err)
{
	char name[BACKEND_KEY_MAX + 1];
	struct backend_record record;
	size_t size = 0;
	auto_view view = {0};
	enum store_status status = find_record(store, key, &view, name, &record, &size, err);

	if (status != STORE_OK)
		return status;
	if (size > into->capacity)
		return store_fail(err, STORE_LIMIT, "%s: %zu bytes do not fit", key, size);
	status = store_body_open(store->backend, &store->keyring, name, &record, into->bytes, err);
	if (status != STORE_OK)
		return status;
	into->size = size;
	*ret_revision = record.revision;
	return STORE_OK;
}

enum store_status
store_get(struct store *store, const char *key, struct secret **ret_value, uint64_t *ret_revision,
	  struct store_error *err)
{
	struct attempt attempt = store_attempt_first(store);
	enum store_status status;

	do
		status = get_now(store, key, ret_value, ret_revision, err);
	while (store_attempt_again(store, &attempt, status, err));
	return status;
}

enum store_status
store_get_into(struct store *store, const char *key, struct secret *into, uint64_t *ret_revision,
	       struct store_error *err)
{
	struct attempt attempt = store_attempt_first(store);
	enum store_status status;

	do
		status = get_into_now(store, key, into, ret_revision, err);
	while (store_attempt_again(store, &attempt, status, err));
	return status;
}

/* ---- listing ---- */

struct listed {
	char name[BACKEND_KEY_MAX + 1];
	uint64_t revision;
};

static enum store_status
list_page(struct store *store, const char *prefix, const char *after, struct listed *page,
	  size_t *ret_count, struct store_error *err)
{
	size_t count = 0;
	struct backend_record record;
	auto_view view = {0};
	enum store_status status = view_open(store->backend, &view, err);

	while (status == STORE_OK && count < LIST_PAGE) {
		status = store->backend->class->next(view.at, prefix, after, BACKEND_FORWARD,
						     page[count].name, &record, err);
		if (status != STORE_OK)
			break;
		page[count].revision = record.revision;
		after = page[count++].name;
	}
	*ret_count = count;
	return status == STORE_MISSING ? STORE_OK : status;
}

/* What a caller may list: as store_check_key, but the empty prefix lists all. */
static enum store_status
check_prefix(const char *prefix, struct store_error *err)
{
	return prefix[0] == 0 ? STORE_OK : store_check_key(prefix, err);
}

enum store_status
store_list(struct store *store, const char *prefix, const char *after, store_list_visit *visit,
	   void *user, struct store_error *err)
{
	char start[BACKEND_KEY_MAX + 1], from[BACKEND_KEY_MAX + 1] = "";
	size_t count = LIST_PAGE;
	enum store_status status = store_check_unsealed(store, err);

	if (status == STORE_OK)
		status = check_prefix(prefix, err);
	if (status == STORE_OK && after)
		status = check_prefix(after, err);
	if (status != STORE_OK)
		return status;
	struct listed *page = calloc(LIST_PAGE, sizeof *page);
	if (!page)
		return store_fail(err, STORE_MEMORY, "no memory");
	snprintf(start, sizeof start, RECORD_PREFIX "%s", prefix);
	if (after)
		snprintf(from, sizeof from, RECORD_PREFIX "%s", after);
	/* Visitors run between the views: they may read, and even commit. */
	for (bool more = true; more && count == LIST_PAGE && status == STORE_OK;) {
		status = list_page(store, start, from[0] ? from : NULL, page, &count, err);
		for (size_t i = 0; i < count && more && status == STORE_OK; i++)
			more = visit(user, page[i].name + strlen(RECORD_PREFIX), page[i].revision);
		if (count > 0)
			memcpy(from, page[count - 1].name, sizeof from);
	}
	free(page);
	return status;
}
