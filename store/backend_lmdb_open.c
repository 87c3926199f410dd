/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the LMDB environment: its folder, its one owner, and files that may be cut short or
 * sparse. */
#include "backend_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_SIZE_MIN	  ((size_t)64 * 1024 * 1024)
#define READER_TABLE_SIZE (VIEWS_MAX * 64 + 4096)
#define DATABASE_NAME	  "data.mdb"
#define SMALLEST	  8192 /* two pages, of the system that has the smallest */

static struct backend_lmdb *
lmdb_new(size_t map_size)
{
	struct backend_lmdb *lmdb = calloc(1, sizeof *lmdb);

	if (!lmdb)
		return NULL;
	lmdb->base.class = &backend_lmdb_class;
	lmdb->directory = -1;
	lmdb->slots = -1;
	lmdb->map_size = map_size;
	gate_init(&lmdb->gate);
	pthread_mutex_init(&lmdb->idle_lock, NULL);
	return lmdb;
}

static enum store_status
open_fail(struct store_error *err, int code, const char *path)
{
	return store_fail(err, code == ENOENT ? STORE_MISSING : backend_lmdb_status(code), "%s: %s",
			  path, code == ENOENT ? "there is no store" : strerror(code));
}

/* A creation that ran out of room may leave less than LMDB's two first pages, which it then takes
 * for another's file. No store was ever that small. */
static enum store_status
forget_half_made(const struct backend_lmdb *lmdb, const char *path, struct store_error *err)
{
	struct stat database;

	if (fstatat(lmdb->directory, DATABASE_NAME, &database, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? backend_lmdb_check_no_slots(lmdb, err)
				       : open_fail(err, errno, path);
	if (!S_ISREG(database.st_mode) || database.st_size >= SMALLEST ||
	    unlinkat(lmdb->directory, DATABASE_NAME, 0) == 0)
		return STORE_OK;
	return open_fail(err, errno, path);
}

/* The lock is on the directory, so that it needs no file and is there before LMDB's own. */
static enum store_status
open_directory(struct backend_lmdb *lmdb, const char *path, bool create, struct store_error *err)
{
	struct stat database;

	lmdb->made = create && mkdir(path, 0700) == 0;
	if (create && !lmdb->made && errno != EEXIST)
		return store_fail(err, backend_lmdb_status(errno), "%s: %s", path, strerror(errno));
	lmdb->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lmdb->directory < 0)
		return open_fail(err, errno, path);
	if (flock(lmdb->directory, LOCK_EX | LOCK_NB) != 0)
		return store_fail(err, STORE_IO, "%s: another process has this store open", path);
	if (!create && fstatat(lmdb->directory, DATABASE_NAME, &database, 0) != 0)
		return open_fail(err, errno, path);
	return create ? forget_half_made(lmdb, path, err) : STORE_OK;
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
		return store_fail(err, backend_lmdb_status(errno), "%s/lock.mdb: %s", path,
				  strerror(errno));
	int code = posix_fallocate(file, 0, READER_TABLE_SIZE);
	close(file);
	if (code != 0)
		return store_fail(err, backend_lmdb_status(code), "%s/lock.mdb: %s", path,
				  strerror(code));
	return STORE_OK;
}

/* LMDB leaves the file open to whatever this process may execute. */
static bool
keep_from_children(MDB_env *env)
{
	mdb_filehandle_t file;

	return mdb_env_get_fd(env, &file) == 0 && fcntl(file, F_SETFD, FD_CLOEXEC) == 0;
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
	if (lmdb->file != 0 && (lmdb->file != database.st_ino || lmdb->device != database.st_dev))
		return store_fail(err, STORE_IO, "%s: another data.mdb is in its place", path);
	lmdb->file = database.st_ino;
	lmdb->device = database.st_dev;
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

static int
start_environment(struct backend_lmdb *lmdb, const char *path)
{
	int code = mdb_env_create(&lmdb->env);

	if (code == 0)
		code = mdb_env_set_maxreaders(lmdb->env, VIEWS_MAX);
	if (code == 0)
		code = mdb_env_set_mapsize(lmdb->env, lmdb->map_size);
	/* Neither MDB_NOSYNC nor MDB_WRITEMAP: a commit is on the disk when it returns, and a
	 * stray pointer of ours cannot write to the file. */
	if (code == 0)
		code = mdb_env_open(lmdb->env, path, MDB_NOTLS | MDB_NORDAHEAD, 0600);
	return code;
}

/* Addresses cost nothing where they are not limited; where they are, a smaller map is a start. */
static int
start_environment_within_limits(struct backend_lmdb *lmdb, const char *path)
{
	int code = start_environment(lmdb, path);

	while (code == ENOMEM && lmdb->map_size > MAP_SIZE_MIN) {
		mdb_env_close(lmdb->env);
		lmdb->env = NULL;
		lmdb->map_size /= 4;
		code = start_environment(lmdb, path);
	}
	return code;
}

static enum store_status
open_environment(struct backend_lmdb *lmdb, const char *path, struct store_error *err)
{
	enum store_status status = reserve_reader_table(lmdb, path, err);

	if (status != STORE_OK)
		return status;
	int code = start_environment_within_limits(lmdb, path);
	if (code != 0)
		return backend_lmdb_fail(err, code, path);
	if (!keep_from_children(lmdb->env))
		return store_fail(err, STORE_IO, "%s: %s", path, strerror(errno));
	status = check_whole(lmdb, path, err);
	if (status != STORE_OK)
		return status;
	code = open_database(lmdb);
	return code == 0 ? STORE_OK : backend_lmdb_fail(err, code, path);
}

/* The names of new files must be as durable as what is in them; so must the folder's own, which a
 * creation that was cut off may have made. The folder above may not be ours to open (systemd's
 * /var/lib/private): then it is another who made the name. */
static enum store_status
sync_directories(const struct backend_lmdb *lmdb, const char *path, struct store_error *err)
{
	int code = fsync(lmdb->directory) == 0 ? 0 : errno;
	int parent = openat(lmdb->directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (parent < 0 && (lmdb->made || errno != EACCES))
		code = errno;
	else if (parent >= 0 && fsync(parent) != 0)
		code = errno;
	if (parent >= 0)
		close(parent);
	if (code == 0)
		return STORE_OK;
	return store_fail(err, backend_lmdb_status(code), "%s: cannot be made durable: %s", path,
			  strerror(code));
}

enum store_status
backend_lmdb_open(const char *path, bool create, size_t map_size, struct backend **ret_backend,
		  struct store_error *err)
{
	struct backend_lmdb *lmdb = lmdb_new(map_size);

	if (!lmdb)
		return store_fail(err, STORE_MEMORY, "no memory");
	enum store_status status = open_directory(lmdb, path, create, err);
	/* Before the database: where that is, the slots are. */
	if (status == STORE_OK)
		status = backend_lmdb_open_slots(lmdb, create, err);
	if (status == STORE_OK)
		status = open_environment(lmdb, path, err);
	if (status == STORE_OK && create)
		status = sync_directories(lmdb, path, err);
	if (status != STORE_OK) {
		backend_close(&lmdb->base);
		return status;
	}
	*ret_backend = &lmdb->base;
	return STORE_OK;
}

/* ---- opening it again ---- */

/*
 * What LMDB's meta pages show may be in memory alone, and after a failed write the system may count
 * such pages as clean: a flush would do nothing and answer well. So they are written once more, as
 * they are. The pages that they refer to were flushed before.
 */
static int
settle_meta_pages(MDB_env *env)
{
	uint8_t page[4096]; /* a page of LMDB's is a multiple of it */
	mdb_filehandle_t file;
	MDB_stat pages = {0};
	int code = mdb_env_get_fd(env, &file);

	if (code == 0)
		code = mdb_env_stat(env, &pages);
	const off_t end = 2 * (off_t)pages.ms_psize;
	for (off_t at = 0; at < end && code == 0; at += (off_t)sizeof page)
		if (pread(file, page, sizeof page, at) != (ssize_t)sizeof page ||
		    pwrite(file, page, sizeof page, at) != (ssize_t)sizeof page)
			return EIO;
	if (code == 0 && fdatasync(file) != 0)
		code = errno;
	return code;
}

static void
close_environment(struct backend_lmdb *lmdb)
{
	backend_lmdb_end_idle_views(lmdb);
	if (lmdb->env)
		mdb_env_close(lmdb->env);
	lmdb->env = NULL;
}

enum store_status
backend_lmdb_reopen(struct backend_lmdb *lmdb, struct store_error *err)
{
	/* By the folder that is locked, whatever its name is by now. */
	char path[64];
	struct store_error cause = {0};

	snprintf(path, sizeof path, "/proc/self/fd/%d", lmdb->directory);
	close_environment(lmdb);
	enum store_status status = open_environment(lmdb, path, &cause);
	int code = status == STORE_OK ? settle_meta_pages(lmdb->env) : 0;
	if (code != 0)
		status = backend_lmdb_fail(&cause, code, "cannot be made durable");
	if (status != STORE_OK) {
		close_environment(lmdb);
		return store_fail(err, STORE_UNSURE, "cannot be opened again: %.150s",
				  cause.message);
	}
	lmdb->failed = false;
	return STORE_OK;
}

enum store_status
backend_lmdb_mend(struct backend_lmdb *lmdb, struct store_error *err)
{
	enum store_status status = STORE_OK;

	if (!lmdb->failed)
		return STORE_OK;
	if (!gate_take(&lmdb->gate, VIEWS_PATIENCE_MS))
		return store_fail(err, STORE_UNSURE, "cannot be opened again while it is read");
	if (lmdb->failed)
		status = backend_lmdb_reopen(lmdb, err);
	gate_give_back(&lmdb->gate);
	return status;
}
