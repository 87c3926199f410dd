/* SPDX-License-Identifier: Apache-2.0 */
/* Creating, opening and closing a store, and reading its records. */
#include "state.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_PAGE 32 /* keys read under one view */

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

/* ---- create, open, close ---- */

static enum store_status
check_root_key(const struct secret *root_key, struct store_error *err)
{
	if (root_key->size != STORE_ROOT_KEY_SIZE)
		return store_fail(err, STORE_KEY, "a root key has %d bytes", STORE_ROOT_KEY_SIZE);
	return STORE_OK;
}

/* Header, data key and head in one transaction: an interrupted creation leaves no store. */
static enum store_status
write_founding(struct backend *backend, const struct store_keyring_founding *founding,
	       struct store_error *err)
{
	const struct head head = {.revision = KEYRING_FOUNDING_REVISION};
	const struct backend_expect absent = {HEADER_KEY, 0};
	uint8_t bytes[HEAD_SIZE], sealed[HEAD_SIZE + SEAL_OVERHEAD];

	store_log_write_head(&head, bytes);
	store_keyring_seal(&founding->keyring, HEAD_KEY, head.revision,
			   (struct store_bytes){bytes, sizeof bytes}, sealed);
	const struct backend_write writes[] = {
		{.key = HEADER_KEY,
		 .revision = head.revision,
		 .body = {founding->header, sizeof founding->header}},
		{.key = founding->data_key_name,
		 .revision = head.revision,
		 .body = {founding->wrapped, sizeof founding->wrapped}},
		{.key = HEAD_KEY, .revision = head.revision, .body = {sealed, sizeof sealed}},
	};
	enum store_status status = backend->class->apply(backend, &absent, writes,
							 sizeof writes / sizeof writes[0], err);
	if (status == STORE_CONFLICT)
		return store_fail(err, STORE_EXISTS, "there is a store already");
	return status;
}

enum store_status
store_create_on(struct backend *backend, const struct secret *root_key, struct store_error *err)
{
	struct store_keyring_founding founding = {0};
	enum store_status status = check_root_key(root_key, err);

	if (status == STORE_OK)
		status = store_keyring_found(root_key, &founding, err);
	if (status == STORE_OK)
		status = write_founding(backend, &founding, err);
	store_keyring_clear(&founding.keyring);
	return status;
}

enum store_status
store_create(const char *path, const struct secret *root_key, struct store_bytes note,
	     struct store_error *err)
{
	(void)note;
	auto_backend *backend = NULL;
	enum store_status status = check_root_key(root_key, err);

	if (status == STORE_OK)
		status = backend_lmdb_open(path, true, BACKEND_LMDB_MAP_SIZE, &backend, err);
	if (status == STORE_OK)
		status = store_create_on(backend, root_key, err);
	return status;
}

static enum store_status
load_store(struct store *store, const struct secret *root_key, struct store_error *err)
{
	auto_view view = {0};
	enum store_status status = view_open(store->backend, &view, err);

	if (status == STORE_OK)
		status = store_keyring_load(&view, root_key, &store->keyring, err);
	if (status == STORE_OK)
		status = store_log_load_head(&view, &store->keyring, &store->head, err);
	if (status == STORE_OK)
		status = store_log_check_contiguous(&view, &store->head, err);
	if (status == STORE_OK)
		status = store_digest_check(&view, &store->keyring, &store->head, err);
	return status;
}

enum store_status
store_open_on(struct backend *backend, const struct secret *root_key, struct store **ret_store,
	      struct store_error *err)
{
	struct store *store = calloc(1, sizeof *store);

	if (!store) {
		backend_close(backend);
		return store_fail(err, STORE_MEMORY, "no memory");
	}
	store->backend = backend;
	pthread_mutex_init(&store->lock, NULL);
	/* libsodium was started by the root key's own memory. */
	randombytes_buf(store->hash_key, sizeof store->hash_key);
	enum store_status status = check_root_key(root_key, err);
	if (status == STORE_OK)
		status = load_store(store, root_key, err);
	if (status != STORE_OK) {
		store_close(store);
		return status;
	}
	*ret_store = store;
	return STORE_OK;
}

enum store_status
store_open(const char *path, const struct secret *root_key, struct store **ret_store,
	   struct store_error *err)
{
	struct backend *backend = NULL;
	enum store_status status =
		backend_lmdb_open(path, false, BACKEND_LMDB_MAP_SIZE, &backend, err);

	if (status != STORE_OK)
		return status;
	return store_open_on(backend, root_key, ret_store, err);
}

void
store_close(struct store *store)
{
	if (!store)
		return;
	assert(!store->leading); /* nobody may still commit */
	backend_close(store->backend);
	store_keyring_clear(&store->keyring);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

/* ---- reading ---- */

/* The record as it stands now, its name in the backend, and the size of its value. */
static enum store_status
find_record(struct store *store, const char *key, struct view *view,
	    char ret_name[BACKEND_KEY_MAX + 1], struct backend_record *ret_record, size_t *ret_size,
	    struct store_error *err)
{
	enum store_status status = store_check_key(key, err);

	if (status != STORE_OK)
		return status;
	snprintf(ret_name, BACKEND_KEY_MAX + 1, RECORD_PREFIX "%s", key);
	status = view_open(store->backend, view, err);
	if (status == STORE_OK)
		status = view_get(view, ret_name, ret_record, err);
	if (status == STORE_MISSING)
		return store_fail(err, STORE_MISSING, "%s: no such record", key);
	if (status == STORE_OK)
		status = store_keyring_opened_size(ret_name, ret_record, ret_size, err);
	return status;
}

enum store_status
store_get(struct store *store, const char *key, struct secret **ret_value, uint64_t *ret_revision,
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
	status = store_keyring_open(&store->keyring, name, &record, value->bytes, err);
	if (status != STORE_OK)
		return status;
	*ret_value = value;
	*ret_revision = record.revision;
	value = NULL;
	return STORE_OK;
}

enum store_status
store_get_into(struct store *store, const char *key, struct secret *into, uint64_t *ret_revision,
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
	status = store_keyring_open(&store->keyring, name, &record, into->bytes, err);
	if (status != STORE_OK)
		return status;
	into->size = size;
	*ret_revision = record.revision;
	return STORE_OK;
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
	enum store_status status = check_prefix(prefix, err);

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
