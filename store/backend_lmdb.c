/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default backend: one LMDB environment, one unnamed database, `revision:u64 || body` per key.
 *
 * Views share the gate. They are pooled: a reset read transaction keeps its reader slot and is
 * renewed without a system call.
 */
#include "backend_lmdb.h"
#include "batch.h"
#include "bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTEMPTS_MAX 4 /* to read beside a disk that fails again and again */

struct backend_view {
	MDB_txn *txn;
	MDB_cursor *cursor; /* NULL until it is wanted */
	bool cursor_stale;
	MDB_dbi dbi;
	unsigned side; /* of the gate */
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

void
backend_lmdb_end_idle_views(struct backend_lmdb *lmdb)
{
	struct backend_view *view;

	while ((view = take_idle(lmdb)))
		view_discard(view);
}

static int
view_begin(struct backend_lmdb *lmdb, struct backend_view **ret_view)
{
	struct backend_view *view = take_idle(lmdb);
	int code;

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

/* LMDB gives an environment up under its readers: those who come later find a new one. */
static enum store_status
lmdb_view_open(struct backend *backend, struct backend_view **ret_view, struct store_error *err)
{
	struct backend_lmdb *lmdb = lmdb_of(backend);
	enum store_status status = STORE_OK;
	int code = MDB_PANIC;

	for (int i = 0; i < ATTEMPTS_MAX && status == STORE_OK && code == MDB_PANIC; i++) {
		status = backend_lmdb_mend(lmdb, err);
		if (status != STORE_OK)
			return status;
		unsigned side = gate_enter(&lmdb->gate);
		code = lmdb->failed ? MDB_PANIC : view_begin(lmdb, ret_view);
		if (code == 0) {
			(*ret_view)->side = side;
			return STORE_OK;
		}
		if (code == MDB_PANIC)
			lmdb->failed = true;
		gate_leave(&lmdb->gate, side);
	}
	return backend_lmdb_fail(err, code, "cannot begin to read");
}

static void
lmdb_view_close(struct backend *backend, struct backend_view *view)
{
	struct backend_lmdb *lmdb = lmdb_of(backend);
	const unsigned side = view->side;

	mdb_txn_reset(view->txn);
	if (!keep_idle(lmdb, view))
		view_discard(view);
	gate_leave(&lmdb->gate, side);
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
	MDB_val name = backend_lmdb_key(key), value;
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

	*name = backend_lmdb_key(beyond ? from : prefix);
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
	*name = backend_lmdb_key(bound);
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

/* ---- the class ---- */

static void
lmdb_close(struct backend *backend)
{
	struct backend_lmdb *lmdb = lmdb_of(backend);

	backend_lmdb_end_idle_views(lmdb);
	if (lmdb->env)
		mdb_env_close(lmdb->env);
	if (lmdb->slots >= 0)
		close(lmdb->slots);
	if (lmdb->directory >= 0)
		close(lmdb->directory);
	gate_destroy(&lmdb->gate);
	pthread_mutex_destroy(&lmdb->idle_lock);
	free(lmdb);
}

const struct backend_class backend_lmdb_class = {
	.view_open = lmdb_view_open,
	.view_close = lmdb_view_close,
	.get = lmdb_get,
	.next = lmdb_next,
	.apply = backend_lmdb_apply,
	.slot_read = backend_lmdb_slot_read,
	.slots_write = backend_lmdb_slots_write,
	.slots_sync = backend_lmdb_slots_sync,
	.close = lmdb_close,
};
