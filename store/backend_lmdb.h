/* SPDX-License-Identifier: Apache-2.0 */
/* An open LMDB environment, between the file that opens it and the one that reads and writes. */
#ifndef POSTERN_STORE_BACKEND_LMDB_H
#define POSTERN_STORE_BACKEND_LMDB_H

#include "backend.h"

#include <lmdb.h>
#include <pthread.h>

#define VIEWS_MAX      512 /* views at one time: LMDB's reader slots, of 64 bytes */
#define VIEWS_IDLE_MAX 64  /* of which are kept for the next reader */

struct backend_lmdb {
	struct backend base;
	MDB_env *env;
	MDB_dbi dbi;
	int directory; /* locked: one process, one environment */
	int slots;     /* -1: the file is not there */
	bool made;     /* the directory is ours */
	size_t map_size;
	bool unmapped; /* the map is gone, and LMDB does not know: nothing may be read again */
	pthread_rwlock_t gate;
	pthread_mutex_t idle_lock;
	struct backend_view *idle[VIEWS_IDLE_MAX];
	size_t idle_count;
};

extern const struct backend_class backend_lmdb_class;

/* From LMDB's codes, which include errno's. */
enum store_status backend_lmdb_status(int code);
enum store_status backend_lmdb_fail(struct store_error *err, int code, const char *what);

/* ---- backend_lmdb_slots.c ---- */

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
