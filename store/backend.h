/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a backend must do: an ordered map from key to (revision, body), read through views, changed
 * by one set of writes at a time. It sees no plaintext, knows of no log and never has an open write
 * transaction while its caller thinks: that is what lets a database server be one.
 */
#ifndef POSTERN_STORE_BACKEND_H
#define POSTERN_STORE_BACKEND_H

#include "store.h"

#define BACKEND_KEY_MAX	  500 /* LMDB's own limit is 511 */
#define BACKEND_SLOT_SIZE 32

struct backend;

struct backend_record {
	uint64_t revision;
	struct store_bytes body; /* valid until the view ends; may change under a hostile hand */
};

struct backend_expect {
	const char *key;
	uint64_t revision; /* 0: absent */
};

struct backend_write {
	const char *key;
	bool remove; /* removing what is not there is fine */
	uint64_t revision;
	struct store_bytes body;
};

enum backend_direction { BACKEND_FORWARD, BACKEND_BACKWARD };

/* One moment of the backend, for one thread and a short time: no caller's code runs while it is
 * held. */
struct backend_view;

struct backend_class {
	enum store_status (*view_open)(struct backend *backend, struct backend_view **ret_view,
				       struct store_error *err);
	void (*view_close)(struct backend *backend, struct backend_view *view);
	/* STORE_MISSING, without a message, if there is none. */
	enum store_status (*get)(struct backend_view *view, const char *key,
				 struct backend_record *ret_record, struct store_error *err);
	/* The nearest record with `prefix` that sorts strictly after `from` (before it, going
	 * backward); NULL: from the prefix's end. STORE_MISSING if there is none. `ret_key` may
	 * be where `from` is. */
	enum store_status (*next)(struct backend_view *view, const char *prefix, const char *from,
				  enum backend_direction direction,
				  char ret_key[BACKEND_KEY_MAX + 1],
				  struct backend_record *ret_record, struct store_error *err);
	/* All writes in order, durable on return, if the expectation holds in the same
	 * transaction; else STORE_CONFLICT, without a message, and nothing is changed. Nor is it
	 * after any other failure but STORE_UNSURE. The last write is a put whose revision and
	 * body no other write of its key has: by it a backend that lost an answer finds out. */
	enum store_status (*apply)(struct backend *backend, const struct backend_expect *expect,
				   const struct backend_write *writes, size_t count,
				   struct store_error *err);
	/*
	 * Slots: SLOT_SIZE bytes each, by number, that lie outside of the map and are overwritten
	 * where they are: what was in one is gone when slots_sync has answered. One never written
	 * reads as zeros. After a failure, what was written since the last slots_sync is to be
	 * written again. A store fills them ahead of the commit that gives them out: where several
	 * share a backend, each needs slots of its own.
	 */
	enum store_status (*slot_read)(struct backend *backend, uint64_t slot,
				       uint8_t ret_bytes[BACKEND_SLOT_SIZE],
				       struct store_error *err);
	/* `count` in a row, from `slot` on. */
	enum store_status (*slots_write)(struct backend *backend, uint64_t slot,
					 const uint8_t *bytes, size_t count,
					 struct store_error *err);
	enum store_status (*slots_sync)(struct backend *backend, struct store_error *err);
	void (*close)(struct backend *backend);
};

/* The first member of each backend's own struct. */
struct backend {
	const struct backend_class *class;
};

static inline void
backend_close(struct backend *backend)
{
	if (backend)
		backend->class->close(backend);
}

static inline void
backend_close_at(struct backend **backend)
{
	backend_close(*backend);
}
#define auto_backend __attribute__((cleanup(backend_close_at))) struct backend

/* A view that ends with its scope. */
struct view {
	struct backend *backend;
	struct backend_view *at; /* NULL: not open */
};

static inline void
view_close(struct view *view)
{
	if (view->at)
		view->backend->class->view_close(view->backend, view->at);
	view->at = NULL;
}
#define auto_view __attribute__((cleanup(view_close))) struct view

__attribute__((warn_unused_result)) static inline enum store_status
view_open(struct backend *backend, struct view *ret_view, struct store_error *err)
{
	ret_view->backend = backend;
	return backend->class->view_open(backend, &ret_view->at, err);
}

__attribute__((warn_unused_result)) static inline enum store_status
view_get(const struct view *view, const char *key, struct backend_record *ret_record,
	 struct store_error *err)
{
	return view->backend->class->get(view->at, key, ret_record, err);
}

/* Addresses, of which 64-bit systems have enough: the map grows by doubling when it is full, for
 * which nobody may read, and a backup reads for minutes. Less is taken where the process may not
 * have so many. STORE_MISSING if there is no database and `create` is false. */
#define BACKEND_LMDB_MAP_SIZE ((size_t)1 << (sizeof(size_t) > 4 ? 34 : 28))
__attribute__((warn_unused_result)) enum store_status
backend_lmdb_open(const char *path, bool create, size_t map_size, struct backend **ret_backend,
		  struct store_error *err);

/* store_create, store_attach and store_open above any backend. The latter two own the backend from
 * the call on, even when they fail; store_create_on does not. */
__attribute__((warn_unused_result)) enum store_status store_create_on(struct backend *backend,
								      const struct secret *root_key,
								      struct store_bytes note,
								      struct store_error *err);
__attribute__((warn_unused_result)) enum store_status
store_attach_on(struct backend *backend, struct store **ret_store, struct store_error *err);
__attribute__((warn_unused_result)) enum store_status store_open_on(struct backend *backend,
								    const struct secret *root_key,
								    struct store **ret_store,
								    struct store_error *err);
/* After a successful commit, for the batch's last append: its number, 0 if it had none. */
uint64_t store_batch_number(const struct store_batch *batch);
/* How many batches wait for someone to take them into a group: what tests must know. */
size_t store_waiting(struct store *store);

/* Fills `err` (which may be NULL) and returns `status`. */
__attribute__((format(printf, 3, 4))) enum store_status
store_fail(struct store_error *err, enum store_status status, const char *format, ...);

#endif
