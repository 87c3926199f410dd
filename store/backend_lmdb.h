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

#endif
