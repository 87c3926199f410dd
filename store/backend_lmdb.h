/* SPDX-License-Identifier: Apache-2.0 */
/* An open LMDB environment, between the file that opens it and the one that reads and writes. */
#ifndef POSTERN_STORE_BACKEND_LMDB_H
#define POSTERN_STORE_BACKEND_LMDB_H

#include "backend.h"
#include "gate.h"

#include <lmdb.h>
#include <pthread.h>
#include <string.h>
#include <sys/types.h>

#define VIEWS_MAX      512 /* views at one time: LMDB's reader slots, of 64 bytes */
#define VIEWS_IDLE_MAX 64  /* of which are kept for the next reader */
/* How long a writer waits for views to end, before it may move the map or open it again. A backup
 * holds one for as long as it takes. */
#define VIEWS_PATIENCE_MS 5000

struct backend_lmdb {
	struct backend base;
	struct gate gate; /* in it: whoever uses `env`. Alone: whoever replaces it or its map */
	MDB_env *env;	  /* NULL: it could not be opened again */
	MDB_dbi dbi;
	int directory; /* locked: one process, one environment */
	int slots;     /* -1: the file is not there */
	bool made;     /* the directory is ours */
	size_t map_size;
	dev_t device; /* of data.mdb, with its number there */
	ino_t file;
	/* LMDB has given the environment up, or its map is gone and LMDB does not know: it is to be
	 * opened again before anything else is done with it. */
	_Atomic bool failed;
	pthread_mutex_t idle_lock;
	struct backend_view *idle[VIEWS_IDLE_MAX];
	size_t idle_count;
};

extern const struct backend_class backend_lmdb_class;

/* From LMDB's codes, which include errno's. */
enum store_status backend_lmdb_status(int code);
enum store_status backend_lmdb_fail(struct store_error *err, int code, const char *what);

#define REVISION_SIZE 8 /* before each body */

static inline MDB_val
backend_lmdb_key(const char *key)
{
	/* LMDB takes a pointer to mutable bytes and does not write through it. */
	return (MDB_val){.mv_size = strlen(key), .mv_data = (void *)(uintptr_t)key};
}

/* Alone in the gate: ends the pooled views, which belong to the environment as it is. */
void backend_lmdb_end_idle_views(struct backend_lmdb *lmdb);

/* ---- backend_lmdb_open.c ---- */

/*
 * Alone in the gate. Opens the environment again after LMDB gave it up, and makes durable what it
 * then shows: from then on it is known what was committed. STORE_UNSURE if that cannot be done now.
 */
__attribute__((warn_unused_result)) enum store_status backend_lmdb_reopen(struct backend_lmdb *lmdb,
									  struct store_error *err);
/* The same where it is needed, from outside of the gate. */
__attribute__((warn_unused_result)) enum store_status backend_lmdb_mend(struct backend_lmdb *lmdb,
									struct store_error *err);

/* ---- backend_lmdb_write.c ---- */

enum store_status backend_lmdb_apply(struct backend *backend, const struct backend_expect *expect,
				     const struct backend_write *writes, size_t count,
				     struct store_error *err);

/* ---- backend_lmdb_slots.c ---- */

/* For a creation that finds no database. */
__attribute__((warn_unused_result)) enum store_status
backend_lmdb_check_no_slots(const struct backend_lmdb *lmdb, struct store_error *err);
__attribute__((warn_unused_result)) enum store_status
backend_lmdb_open_slots(struct backend_lmdb *lmdb, bool create, struct store_error *err);
enum store_status backend_lmdb_slot_read(struct backend *backend, uint64_t slot,
					 uint8_t ret_bytes[BACKEND_SLOT_SIZE],
					 struct store_error *err);
enum store_status backend_lmdb_slots_write(struct backend *backend, uint64_t slot,
					   const uint8_t *bytes, size_t count,
					   struct store_error *err);
enum store_status backend_lmdb_slots_sync(struct backend *backend, struct store_error *err);

#endif
