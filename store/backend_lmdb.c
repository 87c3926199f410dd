/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default backend: one LMDB environment, one unnamed database, `revision:u64 || body` per key.
 *
 * LMDB forbids resizing the map while a transaction lives in the process, hence the gate: views and
 * writers share it, growing the map takes it alone. Views are pooled: a reset read transaction
 * keeps its reader slot and is renewed without a system call.
 */
#include "backend_lmdb.h"
#include "batch.h"
#include "bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define REVISION_SIZE 8
/* Less room than this and an I/O error is taken for a full disk: LMDB turns short writes into EIO.
 */
#define ROOM_MIN ((size_t)1024 * 1024)

struct backend_view {
	MDB_txn *txn;
	MDB_cursor *cursor; /* NULL until it is wanted */
	bool cursor_stale;
	MDB_dbi dbi;
};

static struct backend_lmdb *
lmdb_of(struct backend *backend)
{
	return (struct backend_lmdb *)backend;
}

enum store_status
backend_lmdb_status(int code)
{
	switch (code) {
	case 0:
		return STORE_OK;
	case MDB_NOTFOUND:
		return STORE_MISSING;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return STORE_SPACE;
	case EROFS:
	case EACCES:
	case EPERM:
		return STORE_READONLY;
	case ENOMEM:
		return STORE_MEMORY;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
		return STORE_TAMPERED;
	default:
		return STORE_IO;
	}
}

enum store_status
backend_lmdb_fail(struct store_error *err, int code, const char *what)
{
	return store_fail(err, backend_lmdb_status(code), "%s: %s", what, mdb_strerror(code));
}

/* ---- views ---- */

static void
view_discard(struct backend_view *view)
{
	if (view->cursor)
		mdb_cursor_close(view->cursor);
	if (view->txn)
		mdb_txn_abort(view->txn);
	free(view);
}

static struct backend_view *
take_idle(struct backend_lmdb *lmdb)
{
	struct backend_view *view = NULL;

	pthread_mutex_lock(&lmdb->idle_lock);
	if (lmdb->idle_count > 0)
		view = lmdb->idle[--lmdb->idle_count];
	pthread_mutex_unlock(&lmdb->idle_lock);
	return view;
}

static bool
keep_idle(struct backend_lmdb *lmdb, struct backend_view *view)
{
	bool kept = false;

	pthread_mutex_lock(&lmdb->idle_lock);
	if (lmdb->idle_count < VIEWS_IDLE_MAX) {
		lmdb->idle[lmdb->idle_count++] = view;
		kept = true;
	}
	pthread_mutex_unlock(&lmdb->idle_lock);
	return kept;
}

static int
view_begin(struct backend_lmdb *lmdb, struct backend_view **ret_view)
{
	struct backend_view *view;
	int code;

	if (lmdb->unmapped)
		return MDB_PANIC;
	view = take_idle(lmdb);
	if (view) {
		code = mdb_txn_renew(view->txn);
	} else {
		view = calloc(1, sizeof *view);
		if (!view)
			return ENOMEM;
		view->dbi = lmdb->dbi;
		code = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &view->txn);
	}
	if (code != 0) {
		view_discard(view);
		return code;
	}
	view->cursor_stale = view->cursor != NULL;
	*ret_view = view;
	return 0;
}

static enum store_status
lmdb_view_open(struct backend *backend, struct backend_view **ret_view, struct store_error *err)
{
	struct backend_lmdb *lmdb = lmdb_of(backend);

	pthread_rwlock_rdlock(&lmdb->gate);
	int code = view_begin(lmdb, ret_view);
	if (code != 0) {
		pthread_rwlock_unlock(&lmdb->gate);
		return backend_lmdb_fail(err, code, "cannot begin to read");
	}
	return STORE_OK;
}

static void
lmdb_view_close(struct backend *backend, struct backend_view *view)
{
	struct backend_lmdb *lmdb = lmdb_of(backend);

	mdb_txn_reset(view->txn);
	if (!keep_idle(lmdb, view))
		view_discard(view);
	pthread_rwlock_unlock(&lmdb->gate);
}

static MDB_val
key_of(const char *key)
{
	/* LMDB takes a pointer to mutable bytes and does not write through it. */
	return (MDB_val){.mv_size = strlen(key), .mv_data = (void *)(uintptr_t)key};
}

static enum store_status
read_record(const MDB_val *value, const char *key, struct backend_record *ret_record,
	    struct store_error *err)
{
	const uint8_t *bytes = value->mv_data;

	if (value->mv_size < REVISION_SIZE)
		return store_fail(err, STORE_TAMPERED, "%s: %zu bytes are no record", key,
				  value->mv_size);
	ret_record->revision = get_be(bytes, 8);
	ret_record->body =
		(struct store_bytes){bytes + REVISION_SIZE, value->mv_size - REVISION_SIZE};
	return STORE_OK;
}

static enum store_status
lmdb_get(struct backend_view *view, const char *key, struct backend_record *ret_record,
	 struct store_error *err)
{
	MDB_val name = key_of(key), value;
	int code = mdb_get(view->txn, view->dbi, &name, &value);

	if (code == MDB_NOTFOUND)
		return STORE_MISSING;
	if (code != 0)
		return backend_lmdb_fail(err, code, key);
	return read_record(&value, key, ret_record, err);
}

static int
view_cursor(struct backend_view *view)
{
	int code = 0;

	if (!view->cursor)
		code = mdb_cursor_open(view->txn, view->dbi, &view->cursor);
	else if (view->cursor_stale)
		code = mdb_cursor_renew(view->txn, view->cursor);
	if (code == 0)
		view->cursor_stale = false;
	return code;
}

static bool
same_key(const MDB_val *name, const char *key)
{
	return name->mv_size == strlen(key) && memcmp(name->mv_data, key, name->mv_size) == 0;
}

static int
seek_forward(MDB_cursor *cursor, const char *prefix, const char *from, MDB_val *name,
	     MDB_val *value)
{
	bool beyond = from && strcmp(from, prefix) >= 0;

	*name = key_of(beyond ? from : prefix);
	int code = mdb_cursor_get(cursor, name, value, MDB_SET_RANGE);
	if (code == 0 && beyond && same_key(name, from))
		code = mdb_cursor_get(cursor, name, value, MDB_NEXT);
	return code;
}

/* The last key below `from`, or below everything that sorts above the prefix. Keys are printable
 * ASCII, so that prefix || 0x7f is such a bound. */
static int
seek_backward(MDB_cursor *cursor, const char *prefix, const char *from, MDB_val *name,
	      MDB_val *value)
{
	char bound[BACKEND_KEY_MAX + 2];
	int size = from ? snprintf(bound, sizeof bound, "%s", from)
			: snprintf(bound, sizeof bound, "%s\x7f", prefix);

	if (size < 0 || (size_t)size >= sizeof bound)
		return MDB_BAD_VALSIZE;
	*name = key_of(bound);
	int code = mdb_cursor_get(cursor, name, value, MDB_SET_RANGE);
	if (code != 0 && code != MDB_NOTFOUND)
		return code;
	return mdb_cursor_get(cursor, name, value, code == 0 ? MDB_PREV : MDB_LAST);
}

static enum store_status
lmdb_next(struct backend_view *view, const char *prefix, const char *from,
	  enum backend_direction direction, char ret_key[BACKEND_KEY_MAX + 1],
	  struct backend_record *ret_record, struct store_error *err)
{
	MDB_val name, value;
	size_t size = strlen(prefix);
	int code = view_cursor(view);

	if (code == 0 && direction == BACKEND_FORWARD)
		code = seek_forward(view->cursor, prefix, from, &name, &value);
	else if (code == 0)
		code = seek_backward(view->cursor, prefix, from, &name, &value);
	if (code == MDB_NOTFOUND)
		return STORE_MISSING;
	if (code != 0)
		return backend_lmdb_fail(err, code, prefix);
	if (name.mv_size < size || memcmp(name.mv_data, prefix, size) != 0)
		return STORE_MISSING;
	if (name.mv_size > BACKEND_KEY_MAX || !store_printable(name.mv_data, name.mv_size))
		return store_fail(err, STORE_TAMPERED, "%s: a key that no store writes", prefix);
	memcpy(ret_key, name.mv_data, name.mv_size);
	ret_key[name.mv_size] = 0;
	return read_record(&value, ret_key, ret_record, err);
}

/* ---- writing ---- */

static int
check_expectation(const struct backend_lmdb *lmdb, MDB_txn *txn,
		  const struct backend_expect *expect, bool *ret_holds)
{
	MDB_val name = key_of(expect->key), value;
	uint64_t revision = 0;
	int code = mdb_get(txn, lmdb->dbi, &name, &value);

	if (code == 0 && value.mv_size >= REVISION_SIZE)
		revision = get_be(value.mv_data, 8);
	else if (code != MDB_NOTFOUND)
		return code == 0 ? MDB_CORRUPTED : code;
	*ret_holds = revision == expect->revision;
	return 0;
}

static int
write_record(const struct backend_lmdb *lmdb, MDB_txn *txn, const struct backend_write *record)
{
	MDB_val name = key_of(record->key);
	MDB_val value = {.mv_size = REVISION_SIZE + record->body.size};

	if (record->remove) {
		int code = mdb_del(txn, lmdb->dbi, &name, NULL);
		return code == MDB_NOTFOUND ? 0 : code;
	}
	int code = mdb_put(txn, lmdb->dbi, &name, &value, MDB_RESERVE);
	if (code != 0)
		return code;
	put_be64(value.mv_data, record->revision);
	if (record->body.size > 0)
		memcpy((uint8_t *)value.mv_data + REVISION_SIZE, record->body.data,
		       record->body.size);
	return 0;
}

struct change {
	const struct backend_expect *expect;
	const struct backend_write *writes;
	size_t count;
};

static int
fill_transaction(const struct backend_lmdb *lmdb, MDB_txn *txn, const struct change *change,
		 bool *ret_holds)
{
	int code = check_expectation(lmdb, txn, change->expect, ret_holds);

	for (size_t i = 0; i < change->count && code == 0 && *ret_holds; i++)
		code = write_record(lmdb, txn, &change->writes[i]);
	return code;
}

static int
apply_once(struct backend_lmdb *lmdb, const struct change *change, bool *ret_holds)
{
	MDB_txn *txn;
	int code = lmdb->unmapped ? MDB_PANIC : mdb_txn_begin(lmdb->env, NULL, 0, &txn);

	if (code != 0)
		return code;
	code = fill_transaction(lmdb, txn, change, ret_holds);
	if (code != 0 || !*ret_holds) {
		mdb_txn_abort(txn);
		return code;
	}
	return mdb_txn_commit(txn); /* ends the transaction, whatever it answers */
}

/* Twice the map, unless another thread was faster. LMDB gives the old map back first: where the
 * system then refuses the new one there is none, and LMDB would read where it was. */
static int
grow_map(struct backend_lmdb *lmdb, size_t full_size)
{
	int code = 0;

	if (full_size > SIZE_MAX / 2)
		return ENOMEM;
	pthread_rwlock_wrlock(&lmdb->gate);
	if (lmdb->map_size == full_size && !lmdb->unmapped) {
		code = mdb_env_set_mapsize(lmdb->env, full_size * 2);
		lmdb->unmapped = code != 0;
		if (code == 0)
			lmdb->map_size = full_size * 2;
	}
	pthread_rwlock_unlock(&lmdb->gate);
	return code;
}

static bool
disk_is_full(const struct backend_lmdb *lmdb)
{
	struct statvfs room;

	return fstatvfs(lmdb->directory, &room) == 0 && room.f_bavail * room.f_frsize < ROOM_MIN;
}

static enum store_status
lmdb_apply(struct backend *backend, const struct backend_expect *expect,
	   const struct backend_write *writes, size_t count, struct store_error *err)
{
	struct backend_lmdb *lmdb = lmdb_of(backend);
	const struct change change = {expect, writes, count};
	bool holds = false;
	int code;

	for (;;) {
		pthread_rwlock_rdlock(&lmdb->gate);
		size_t map_size = lmdb->map_size;
		code = apply_once(lmdb, &change, &holds);
		pthread_rwlock_unlock(&lmdb->gate);
		if (code != MDB_MAP_FULL)
			break;
		code = grow_map(lmdb, map_size);
		if (code != 0)
			break;
	}
	if (code == EIO && disk_is_full(lmdb))
		code = ENOSPC;
	if (code != 0)
		return backend_lmdb_fail(err, code, "cannot commit");
	return holds ? STORE_OK : STORE_CONFLICT;
}

/* ---- the class ---- */

static void
lmdb_close(struct backend *backend)
{
	struct backend_lmdb *lmdb = lmdb_of(backend);

	while (lmdb->idle_count > 0)
		view_discard(lmdb->idle[--lmdb->idle_count]);
	if (lmdb->env)
		mdb_env_close(lmdb->env);
	if (lmdb->slots >= 0)
		close(lmdb->slots);
	if (lmdb->directory >= 0)
		close(lmdb->directory);
	pthread_rwlock_destroy(&lmdb->gate);
	pthread_mutex_destroy(&lmdb->idle_lock);
	free(lmdb);
}

const struct backend_class backend_lmdb_class = {
	.view_open = lmdb_view_open,
	.view_close = lmdb_view_close,
	.get = lmdb_get,
	.next = lmdb_next,
	.apply = lmdb_apply,
	.slot_read = backend_lmdb_slot_read,
	.slots_write = backend_lmdb_slots_write,
	.slots_sync = backend_lmdb_slots_sync,
	.close = lmdb_close,
};
