/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default backend: one LMDB environment, one unnamed database, `revision:u64 || body` per key.
 *
 * LMDB forbids resizing the map while a transaction lives in the process, hence the gate: views and
 * writers share it, growing the map takes it alone. Views are pooled: a reset read transaction
 * keeps its reader slot and is renewed without a system call.
 */
#include "backend.h"
#include "bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define VIEWS_MAX	  512 /* views at one time: LMDB's reader slots, of 64 bytes */
#define READER_TABLE_SIZE (VIEWS_MAX * 64 + 4096)
#define VIEWS_IDLE_MAX	  64 /* of which are kept for the next reader */
#define REVISION_SIZE	  8
/* Less room than this and an I/O error is taken for a full disk: LMDB turns short writes into EIO.
 */
#define ROOM_MIN ((size_t)1024 * 1024)

struct backend_view {
	MDB_txn *txn;
	MDB_cursor *cursor; /* NULL until it is wanted */
	bool cursor_stale;
	MDB_dbi dbi;
};

struct backend_lmdb {
	struct backend base;
	MDB_env *env;
	MDB_dbi dbi;
	int directory; /* locked: one process, one environment */
	size_t map_size;
	pthread_rwlock_t gate;
	pthread_mutex_t idle_lock;
	struct backend_view *idle[VIEWS_IDLE_MAX];
	size_t idle_count;
};

static struct backend_lmdb *
lmdb_of(struct backend *backend)
{
	return (struct backend_lmdb *)backend;
}

static enum store_status
lmdb_status(int code)
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

static enum store_status
lmdb_fail(struct store_error *err, int code, const char *what)
{
	return store_fail(err, lmdb_status(code), "%s: %s", what, mdb_strerror(code));
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

static enum store_status
lmdb_view_open(struct backend *backend, struct backend_view **ret_view, struct store_error *err)
{
	struct backend_lmdb *lmdb = lmdb_of(backend);

	pthread_rwlock_rdlock(&lmdb->gate);
	int code = view_begin(lmdb, ret_view);
	if (code != 0) {
		pthread_rwlock_unlock(&lmdb->gate);
		return lmdb_fail(err, code, "cannot begin to read");
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
	ret_record->revision = get_be64(bytes);
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
		return lmdb_fail(err, code, key);
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
		return lmdb_fail(err, code, prefix);
	if (name.mv_size < size || memcmp(name.mv_data, prefix, size) != 0)
		return STORE_MISSING;
	if (name.mv_size > BACKEND_KEY_MAX || memchr(name.mv_data, 0, name.mv_size))
		return store_fail(err, STORE_TAMPERED, "%s: a key that no store writes", prefix);
	memcpy(ret_key, name.mv_data, name.mv_size);
	ret_key[name.mv_size] = 0;
	return read_record(&value, ret_key, ret_record, err);
}

/* ---- writing ---- */

static int
check_expectation(struct backend_lmdb *lmdb, MDB_txn *txn, const struct backend_expect *expect,
		  bool *ret_holds)
{
	MDB_val name = key_of(expect->key), value;
	uint64_t revision = 0;
	int code = mdb_get(txn, lmdb->dbi, &name, &value);

	if (code == 0 && value.mv_size >= REVISION_SIZE)
		revision = get_be64(value.mv_data);
	else if (code != MDB_NOTFOUND)
		return code == 0 ? MDB_CORRUPTED : code;
	*ret_holds = revision == expect->revision;
	return 0;
}

static int
write_record(struct backend_lmdb *lmdb, MDB_txn *txn, const struct backend_write *record)
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
	const struct backend_expect *expects;
	size_t expect_count;
	const struct backend_write *writes;
	size_t write_count;
};

static int
fill_transaction(struct backend_lmdb *lmdb, MDB_txn *txn, const struct change *change,
		 bool *ret_holds)
{
	*ret_holds = true;
	for (size_t i = 0; i < change->expect_count && *ret_holds; i++) {
		int code = check_expectation(lmdb, txn, &change->expects[i], ret_holds);
		if (code != 0)
			return code;
	}
	for (size_t i = 0; i < change->write_count && *ret_holds; i++) {
		int code = write_record(lmdb, txn, &change->writes[i]);
		if (code != 0)
			return code;
	}
	return 0;
}

static int
apply_once(struct backend_lmdb *lmdb, const struct change *change, bool *ret_holds)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(lmdb->env, NULL, 0, &txn);

	if (code != 0)
		return code;
	code = fill_transaction(lmdb, txn, change, ret_holds);
	if (code != 0 || !*ret_holds) {
		mdb_txn_abort(txn);
		return code;
	}
	return mdb_txn_commit(txn); /* ends the transaction, whatever it answers */
}

/* Twice the map, unless another thread was faster. */
static int
grow_map(struct backend_lmdb *lmdb, size_t full_size)
{
	int code = 0;

	pthread_rwlock_wrlock(&lmdb->gate);
	if (lmdb->map_size == full_size) {
		code = full_size > SIZE_MAX / 2 ? ENOMEM
						: mdb_env_set_mapsize(lmdb->env, full_size * 2);
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
lmdb_apply(struct backend *backend, const struct backend_expect *expects, size_t expect_count,
	   const struct backend_write *writes, size_t write_count, struct store_error *err)
{
	struct backend_lmdb *lmdb = lmdb_of(backend);
	const struct change change = {expects, expect_count, writes, write_count};
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
		return lmdb_fail(err, code, "cannot commit");
	return holds ? STORE_OK : STORE_CONFLICT;
}

/* ---- opening ---- */

static void
lmdb_close(struct backend *backend)
{
	struct backend_lmdb *lmdb = lmdb_of(backend);

	while (lmdb->idle_count > 0)
		view_discard(lmdb->idle[--lmdb->idle_count]);
	if (lmdb->env)
		mdb_env_close(lmdb->env);
	if (lmdb->directory >= 0)
		close(lmdb->directory);
	pthread_rwlock_destroy(&lmdb->gate);
	pthread_mutex_destroy(&lmdb->idle_lock);
	free(lmdb);
}

static const struct backend_class lmdb_class = {
	.view_open = lmdb_view_open,
	.view_close = lmdb_view_close,
	.get = lmdb_get,
	.next = lmdb_next,
	.apply = lmdb_apply,
	.close = lmdb_close,
};

static struct backend_lmdb *
lmdb_new(size_t map_size)
{
	struct backend_lmdb *lmdb = calloc(1, sizeof *lmdb);
	pthread_rwlockattr_t attributes;

	if (!lmdb)
		return NULL;
	lmdb->base.class = &lmdb_class;
	lmdb->directory = -1;
	lmdb->map_size = map_size;
	/* A writer that must grow the map is not starved by readers. No thread holds two views. */
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&lmdb->gate, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	pthread_mutex_init(&lmdb->idle_lock, NULL);
	return lmdb;
}

/* The lock is on the directory, so that it needs no file and is there before LMDB's own. */
static enum store_status
open_directory(struct backend_lmdb *lmdb, const char *path, bool create, struct store_error *err)
{
	struct stat database;

	if (create && mkdir(path, 0700) != 0 && errno != EEXIST)
		return store_fail(err, lmdb_status(errno), "%s: %s", path, strerror(errno));
	lmdb->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lmdb->directory < 0)
		return store_fail(err, errno == ENOENT ? STORE_MISSING : STORE_IO, "%s: %s", path,
				  strerror(errno));
	if (flock(lmdb->directory, LOCK_EX | LOCK_NB) != 0)
		return store_fail(err, STORE_IO, "%s: another process has this store open", path);
	if (!create && fstatat(lmdb->directory, "data.mdb", &database, 0) != 0)
		return store_fail(err, errno == ENOENT ? STORE_MISSING : STORE_IO,
				  "%s: there is no store", path);
	return STORE_OK;
}

/*
 * LMDB makes its reader table a sparse file and writes to it through a map: on a full disk that is
 * a bus error in a mere reader. Its blocks are had beforehand, and before LMDB opens it, because
 * closing any descriptor of a file drops the process's locks on it.
 */
static enum store_status
reserve_reader_table(const struct backend_lmdb *lmdb, const char *path, struct store_error *err)
{
	int file = openat(lmdb->directory, "lock.mdb", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (file < 0)
		return store_fail(err, lmdb_status(errno), "%s/lock.mdb: %s", path,
				  strerror(errno));
	int code = posix_fallocate(file, 0, READER_TABLE_SIZE);
	close(file);
	if (code != 0)
		return store_fail(err, lmdb_status(code), "%s/lock.mdb: %s", path, strerror(code));
	return STORE_OK;
}

/* A page beyond the end of the file would be a bus error, not an answer. */
static enum store_status
check_whole(struct backend_lmdb *lmdb, const char *path, struct store_error *err)
{
	mdb_filehandle_t file;
	MDB_envinfo info;
	MDB_stat pages;
	struct stat database;

	if (mdb_env_get_fd(lmdb->env, &file) != 0 || mdb_env_info(lmdb->env, &info) != 0 ||
	    mdb_env_stat(lmdb->env, &pages) != 0 || fstat(file, &database) != 0)
		return store_fail(err, STORE_IO, "%s: cannot be examined", path);
	if ((uint64_t)database.st_size / pages.ms_psize <= info.me_last_pgno)
		return store_fail(err, STORE_TAMPERED, "%s: data.mdb is cut short", path);
	lmdb->map_size = info.me_mapsize;
	return STORE_OK;
}

static int
open_database(struct backend_lmdb *lmdb)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);

	if (code != 0)
		return code;
	code = mdb_dbi_open(txn, NULL, 0, &lmdb->dbi);
	if (code == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return code;
}

static enum store_status
open_environment(struct backend_lmdb *lmdb, const char *path, struct store_error *err)
{
	enum store_status status = reserve_reader_table(lmdb, path, err);

	if (status != STORE_OK)
		return status;
	int code = mdb_env_create(&lmdb->env);
	if (code == 0)
		code = mdb_env_set_maxreaders(lmdb->env, VIEWS_MAX);
	if (code == 0)
		code = mdb_env_set_mapsize(lmdb->env, lmdb->map_size);
	/* Neither MDB_NOSYNC nor MDB_WRITEMAP: a commit is on the disk when it returns, and a
	 * stray pointer of ours cannot write to the file. */
	if (code == 0)
		code = mdb_env_open(lmdb->env, path, MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (code != 0)
		return lmdb_fail(err, code, path);
	status = check_whole(lmdb, path, err);
	if (status != STORE_OK)
		return status;
	code = open_database(lmdb);
	return code == 0 ? STORE_OK : lmdb_fail(err, code, path);
}

/* The names of new files must be as durable as what is in them. */
static enum store_status
sync_directories(const struct backend_lmdb *lmdb, const char *path, struct store_error *err)
{
	int parent = openat(lmdb->directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = parent >= 0 && fsync(lmdb->directory) == 0 && fsync(parent) == 0;

	if (parent >= 0)
		close(parent);
	return synced ? STORE_OK : store_fail(err, STORE_IO, "%s: cannot be made durable", path);
}

enum store_status
backend_lmdb_open(const char *path, bool create, size_t map_size, struct backend **ret_backend,
		  struct store_error *err)
{
	struct backend_lmdb *lmdb = lmdb_new(map_size);

	if (!lmdb)
		return store_fail(err, STORE_MEMORY, "no memory");
	enum store_status status = open_directory(lmdb, path, create, err);
	if (status == STORE_OK)
		status = open_environment(lmdb, path, err);
	if (status == STORE_OK && create)
		status = sync_directories(lmdb, path, err);
	if (status != STORE_OK) {
		lmdb_close(&lmdb->base);
		return status;
	}
	*ret_backend = &lmdb->base;
	return STORE_OK;
}
