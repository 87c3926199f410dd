/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store out of a backup: built in a folder of another name, opened and read through, and only
 * then given its own. Nothing of a backup is believed, or written, before its mac has been checked;
 * the header is written last, so that what is interrupted is no store.
 */
#include "bytes.h"
#include "state.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITES_MAX  2048 /* records in one transaction */
#define PART_SUFFIX ".part"

struct pending {
	char key[BACKEND_KEY_MAX + 1];
	uint64_t revision;
	struct store_bytes body;
};

struct restore {
	const char *path;
	char part[PATH_MAX];
	bool building; /* `part` is ours */
	const struct secret *root_key;
	store_progress *progress;
	void *user;
	struct backend *backend;

	struct stream_reader in;
	struct stream_counts counts;
	uint64_t items;
	uint64_t expected;
	bool ended;
	uint8_t label[STORE_LABEL_MAX];
	size_t label_size;

	struct pending *pending;
	struct backend_write *writes;
	size_t count;
	uint8_t header[HEADER_SIZE_MAX]; /* kept back */
	size_t header_size;
	uint64_t header_revision; /* 0: there was none yet */
};

/* ---- the folder ---- */

/* What a store's folder holds, and no more: a folder with anything else in it stays. */
static void
remove_part(const struct restore *restore)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "slots"};
	int directory = open(restore->part, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (directory < 0)
		return;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		(void)unlinkat(directory, names[i], 0);
	close(directory);
	(void)rmdir(restore->part);
}

static void
restore_clear(struct restore *restore)
{
	backend_close(restore->backend);
	stream_reader_clear(&restore->in);
	free(restore->pending);
	free(restore->writes);
	if (restore->building)
		remove_part(restore);
}
#define auto_restore __attribute__((cleanup(restore_clear))) struct restore

static enum store_status
check_free(const char *path, struct store_error *err)
{
	struct stat there;

	if (lstat(path, &there) == 0)
		return store_fail(err, STORE_EXISTS, "%s: is there already", path);
	if (errno != ENOENT)
		return store_fail(err, STORE_IO, "%s: %s", path, strerror(errno));
	return STORE_OK;
}

/* One that was killed has left its folder, which is then in nobody's use. */
static void
remove_abandoned(const struct restore *restore)
{
	int directory = open(restore->part, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (directory < 0)
		return;
	bool abandoned = flock(directory, LOCK_EX | LOCK_NB) == 0;
	close(directory);
	if (abandoned)
		remove_part(restore);
}

static enum store_status
make_part(struct restore *restore, struct store_error *err)
{
	int size = snprintf(restore->part, sizeof restore->part, "%s", restore->path);

	while (size > 1 && size < PATH_MAX && restore->part[size - 1] == '/')
		size--;
	if (size <= 0 || (size_t)size + sizeof PART_SUFFIX > sizeof restore->part)
		return store_fail(err, STORE_LIMIT, "the path is too long");
	memcpy(restore->part + size, PART_SUFFIX, sizeof PART_SUFFIX);
	remove_abandoned(restore);
	if (mkdir(restore->part, 0700) != 0)
		return store_fail(err, errno == EEXIST ? STORE_EXISTS : STORE_IO, "%s: %s",
				  restore->part, strerror(errno));
	restore->building = true;
	return backend_lmdb_open(restore->part, true, BACKEND_LMDB_MAP_SIZE, &restore->backend,
				 err);
}

/* A folder's rename replaces an empty folder, and nothing else, where NOREPLACE is not known. */
static bool
take_name(const struct restore *restore)
{
	if (renameat2(AT_FDCWD, restore->part, AT_FDCWD, restore->path, RENAME_NOREPLACE) == 0)
		return true;
	return (errno == EINVAL || errno == ENOSYS) && rename(restore->part, restore->path) == 0;
}

/* The name is durable before it is said that the store is there. */
static enum store_status
give_name(struct restore *restore, struct store_error *err)
{
	if (!take_name(restore))
		return store_fail(err, errno == EEXIST ? STORE_EXISTS : STORE_IO, "%s: %s",
				  restore->path, strerror(errno));
	restore->building = false;
	int directory = open(restore->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int parent = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* The folder above may be another's: see backend_lmdb_open.c. */
	bool synced = parent >= 0 ? fsync(parent) == 0 : errno == EACCES;
	if (parent >= 0)
		close(parent);
	if (directory >= 0)
		close(directory);
	return synced ? STORE_OK
		      : store_fail(err, STORE_IO, "%s: cannot be made durable", restore->path);
}

/* ---- writing ---- */

static enum store_status
apply(struct restore *restore, struct store_error *err)
{
	const struct backend_expect absent = {HEADER_KEY, 0};
	struct backend *backend = restore->backend;

	if (restore->count == 0)
		return STORE_OK;
	for (size_t i = 0; i < restore->count; i++) {
		const struct pending *pending = &restore->pending[i];
		restore->writes[i] = (struct backend_write){
			.key = pending->key,
			.revision = pending->revision,
			.body = pending->body,
		};
	}
	enum store_status status =
		backend->class->apply(backend, &absent, restore->writes, restore->count, err);
	restore->count = 0;
	return status;
}

static enum store_status
apply_header(struct restore *restore, struct store_error *err)
{
	struct backend *backend = restore->backend;
	enum store_status status = backend->class->slots_sync(backend, err);

	restore->pending[0] = (struct pending){
		.key = HEADER_KEY,
		.revision = restore->header_revision,
		.body = {restore->header, restore->header_size},
	};
	restore->count = 1;
	if (status == STORE_OK)
		status = apply(restore, err);
	return status;
}

static enum store_status
malformed(struct store_error *err)
{
	return store_fail(err, STORE_TAMPERED, "the backup does not hold what a backup holds");
}

/* Of the rooms that there are, and printable: keys go to the backend as they are. */
static bool
is_key(struct store_bytes key)
{
	static const char rooms[] = "lmrtx";

	return key.size > 2 && strchr(rooms, key.data[0]) != NULL && key.data[0] != 0 &&
	       key.data[1] == '/' && store_printable((const char *)key.data, key.size);
}

static enum store_status
take_record(struct restore *restore, const struct item *item, struct store_error *err)
{
	struct pending *pending = &restore->pending[restore->count];

	if (!is_key(item->key))
		return malformed(err);
	memcpy(pending->key, item->key.data, item->key.size);
	pending->key[item->key.size] = 0;
	pending->revision = item->revision;
	pending->body = item->body;
	restore->counts.records++;
	if (strcmp(pending->key, HEADER_KEY) != 0) {
		restore->count++;
		return restore->count < WRITES_MAX ? STORE_OK : apply(restore, err);
	}
	if (item->body.size > sizeof restore->header || restore->header_revision != 0 ||
	    item->revision == 0)
		return malformed(err);
	memcpy(restore->header, item->body.data, item->body.size);
	restore->header_size = item->body.size;
	restore->header_revision = item->revision;
	return STORE_OK;
}

static enum store_status
take_item(struct restore *restore, const struct item *item, struct store_error *err)
{
	struct backend *backend = restore->backend;
	const bool first = restore->items++ == 0;

	if (restore->ended || first != (item->kind == ITEM_BEGIN))
		return malformed(err);
	switch (item->kind) {
	case ITEM_BEGIN:
		memcpy(restore->label, item->label.data, item->label.size);
		restore->label_size = item->label.size;
		restore->expected = item->expected;
		return STORE_OK;
	case ITEM_RECORD:
		return take_record(restore, item, err);
	case ITEM_SLOT:
		restore->counts.slots++;
		return backend->class->slots_write(backend, item->slot, item->slot_bytes, 1, err);
	case ITEM_DESTROYED:
		restore->counts.destroyed++;
		return STORE_OK;
	case ITEM_END:
		restore->ended = true;
		if (item->counts.records != restore->counts.records ||
		    item->counts.slots != restore->counts.slots ||
		    item->counts.destroyed != restore->counts.destroyed)
			return malformed(err);
		return STORE_OK;
	}
	return malformed(err);
}

static enum store_status
take_chunk(struct restore *restore, struct store_bytes chunk, struct store_error *err)
{
	struct reader r = {.rest = chunk};
	struct item item;
	enum store_status status = STORE_OK;

	while (status == STORE_OK && r.rest.size > 0) {
		if (!stream_read_item(&r, &item))
			return malformed(err);
		status = take_item(restore, &item, err);
	}
	if (status == STORE_OK)
		status = apply(restore, err); /* what is pending points into the chunk */
	return status;
}

static enum store_status
report_progress(const struct restore *restore, uint64_t done, uint64_t total,
		struct store_error *err)
{
	if (!restore->progress || restore->progress(restore->user, done, total))
		return STORE_OK;
	return store_fail(err, STORE_CONFLICT, "the restoring was stopped");
}

/* The first chunk is proven before anything is made on the disk. */
static enum store_status
take_stream(struct restore *restore, struct store_error *err)
{
	struct store_bytes chunk;
	enum store_status status = stream_next_chunk(&restore->in, &chunk, err);

	if (status == STORE_OK)
		status = make_part(restore, err);
	if (status == STORE_OK)
		status = take_chunk(restore, chunk, err);
	while (status == STORE_OK && !restore->in.last) {
		const uint64_t done = restore->counts.records;
		status = report_progress(restore, done,
					 restore->expected > done ? restore->expected : done, err);
		if (status == STORE_OK)
			status = stream_next_chunk(&restore->in, &chunk, err);
		if (status == STORE_OK)
			status = take_chunk(restore, chunk, err);
	}
	if (status == STORE_OK && (!restore->ended || restore->header_revision == 0))
		status = malformed(err);
	if (status == STORE_OK)
		status = apply_header(restore, err);
	backend_close(restore->backend);
	restore->backend = NULL;
	return status;
}

/* ---- the result ---- */

/* Deleting them is what the store did, after the moment of the backup. */
struct removal {
	struct store *store;
	struct store_batch *batch;
	size_t count;
	enum store_status status;
	struct store_error *err;
};

static void
commit_removal(struct removal *removal)
{
	if (removal->status == STORE_OK)
		removal->status = store_commit(removal->store, removal->batch, removal->err);
	store_batch_clear(removal->batch);
	removal->count = 0;
}

static bool
remove_destroyed(void *user, const char *key, uint64_t revision)
{
	struct removal *removal = user;
	struct backend *backend = removal->store->backend;
	uint8_t bytes[BACKEND_SLOT_SIZE];
	char name[BACKEND_KEY_MAX + 1];
	struct backend_record record;
	uint64_t slot = SLOT_NONE;
	size_t size;
	auto_view view = {0};

	(void)revision;
	snprintf(name, sizeof name, RECORD_PREFIX "%s", key);
	removal->status = view_open(backend, &view, removal->err);
	if (removal->status == STORE_OK)
		removal->status = view_get(&view, name, &record, removal->err);
	if (removal->status == STORE_OK)
		removal->status = store_body_size(name, &record, &size, removal->err);
	if (removal->status == STORE_OK)
		slot = store_body_place(&record).slot;
	if (slot != SLOT_NONE)
		removal->status = backend->class->slot_read(backend, slot, bytes, removal->err);
	view_close(&view);
	if (slot != SLOT_NONE && removal->status == STORE_OK &&
	    sodium_is_zero(bytes, sizeof bytes)) {
		store_batch_delete(removal->batch, key);
		removal->count++;
	}
	sodium_memzero(bytes, sizeof bytes);
	if (removal->count == STORE_BATCH_MAX)
		commit_removal(removal);
	return removal->status == STORE_OK;
}

static enum store_status
forget_destroyed(struct store *store, struct store_error *err)
{
	struct removal removal = {.store = store, .batch = store_batch_new(), .err = err};
	enum store_status status = store_list(store, "", NULL, remove_destroyed, &removal, err);

	if (status == STORE_OK && removal.status == STORE_OK && removal.count > 0)
		commit_removal(&removal);
	store_batch_free(removal.batch);
	return status == STORE_OK ? removal.status : status;
}

static bool
see_entry(void *user, const struct store_log_entry *entry)
{
	(void)user;
	(void)entry;
	return true;
}

static enum store_status
prove_result(const struct restore *restore, struct store_error *err)
{
	struct store *store = NULL;
	enum store_status status = store_open(restore->part, restore->root_key, &store, err);

	if (status != STORE_OK)
		return status;
	status = store_log_read(store, 1, see_entry, NULL, err);
	if (status == STORE_OK && restore->counts.destroyed > 0)
		status = forget_destroyed(store, err);
	store_close(store);
	return status;
}

/* ---- all of it ---- */

static enum store_status
prove_key(struct restore *restore, struct secret **ret_keys, struct store_error *err)
{
	uint8_t id[STORE_ID_SIZE], written[HEADER_CHECK_SIZE], check[HEADER_CHECK_SIZE];
	enum store_status status = STORE_OK;

	if (restore->root_key->size != STORE_ROOT_KEY_SIZE)
		return store_fail(err, STORE_KEY, "a root key has %d bytes", STORE_ROOT_KEY_SIZE);
	status = stream_open(&restore->in, id, written, err);
	if (status != STORE_OK)
		return status;
	struct secret *keys = store_keyring_derive(restore->root_key, id, check);
	if (!keys)
		return store_fail(err, STORE_MEMORY, "no memory that can be locked");
	*ret_keys = keys;
	if (sodium_memcmp(check, written, sizeof check) != 0)
		return store_fail(err, STORE_KEY,
				  "this is not the root key that was in force when the backup was "
				  "made");
	restore->in.key = keys_of(keys)->backup;
	return STORE_OK;
}

static enum store_status
run_restore(struct restore *restore, struct store_error *err)
{
	auto_secret *keys = NULL;
	enum store_status status = check_free(restore->path, err);

	if (status == STORE_OK)
		status = prove_key(restore, &keys, err);
	if (status != STORE_OK)
		return status;
	restore->pending = calloc(WRITES_MAX, sizeof *restore->pending);
	restore->writes = calloc(WRITES_MAX, sizeof *restore->writes);
	if (!restore->pending || !restore->writes)
		return store_fail(err, STORE_MEMORY, "no memory");
	status = take_stream(restore, err);
	if (status == STORE_OK)
		status = prove_result(restore, err);
	if (status == STORE_OK)
		status = report_progress(restore, restore->counts.records, restore->counts.records,
					 err);
	if (status == STORE_OK)
		status = give_name(restore, err);
	return status;
}

enum store_status
store_restore(const char *path, const struct secret *root_key, store_source *source,
	      store_progress *progress, void *user, uint8_t ret_label[STORE_LABEL_MAX],
	      size_t *ret_label_size, struct store_error *err)
{
	auto_restore restore = {
		.path = path,
		.root_key = root_key,
		.progress = progress,
		.user = user,
		.in = {.source = source, .user = user},
	};
	enum store_status status = run_restore(&restore, err);

	if (status != STORE_OK)
		return status;
	memcpy(ret_label, restore.label, restore.label_size);
	*ret_label_size = restore.label_size;
	return STORE_OK;
}
