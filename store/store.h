/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sealed, durable store of small records: get, list, and one conditional batch.
 *
 * Keys are readable in the file (printable ASCII, 1..STORE_KEY_MAX bytes); values are sealed before
 * the backend sees them, with record key and revision as associated data. Every function may be
 * called from any thread of the process that opened the store. See FORMAT.md for what lies on disk.
 */
#ifndef POSTERN_STORE_H
#define POSTERN_STORE_H

#include "secret.h"

#define STORE_KEY_MAX	    480
#define STORE_VALUE_MAX	    (4 * 1024 * 1024)
#define STORE_BATCH_MAX	    256 /* operations in one batch */
#define STORE_ROOT_KEY_SIZE 32
#define STORE_HASH_SIZE	    32
#define STORE_NOTE_MAX	    2048

enum store_status {
	STORE_OK = 0,
	STORE_MISSING,	/* no such record */
	STORE_CONFLICT, /* an expectation of the batch does not hold: nothing was changed */
	STORE_TAMPERED, /* a record does not open under its key and revision; the log has a gap */
	STORE_KEY,	/* the root key does not open this store */
	STORE_EXISTS,	/* store_create: there is one already */
	STORE_LIMIT,	/* key, value or batch too large */
	STORE_SPACE,	/* no room on the disk: nothing was changed. Ends when there is room */
	STORE_READONLY, /* the file may not be written (any more): nothing was changed. Ends with it
			 */
	STORE_IO,	/* the disk or the operating system says no: nothing was changed */
	STORE_UNSURE,	/* ... in the write that decides: the batch may be durable or not: read to
			   know */
	STORE_MEMORY,	/* also: memory could not be locked */
	STORE_SEALED,	/* attached, and not unsealed yet */
};

struct store_error {
	enum store_status status;
	char message[200]; /* names the record, never a value */
};

struct store_bytes {
	const uint8_t *data;
	size_t size;
};

struct store;

/* ---- attach, unseal, open, close ---- */

/* `path` is a directory (made 0700). The root key is used during the call only. `note`: up to
 * STORE_NOTE_MAX bytes of the caller's that can be read while the store is sealed. */
__attribute__((warn_unused_result)) enum store_status store_create(const char *path,
								   const struct secret *root_key,
								   struct store_bytes note,
								   struct store_error *err);
/* Opens and locks the files, which is all that needs a path: a confined process can unseal later.
 * Until then everything else answers STORE_SEALED. */
__attribute__((warn_unused_result)) enum store_status
store_attach(const char *path, struct store **ret_store, struct store_error *err);
/* STORE_KEY if the key is another, and the store stays as it was. No other thread may use it. */
__attribute__((warn_unused_result)) enum store_status
store_unseal(struct store *store, const struct secret *root_key, struct store_error *err);
/* Both. */
__attribute__((warn_unused_result)) enum store_status store_open(const char *path,
								 const struct secret *root_key,
								 struct store **ret_store,
								 struct store_error *err);
void store_close(struct store *store);

/* The caller's note, also of a sealed store; only what an unsealed one says is authenticated. */
__attribute__((warn_unused_result)) enum store_status store_note(struct store *store,
								 uint8_t ret_note[STORE_NOTE_MAX],
								 size_t *ret_size,
								 struct store_error *err);
/* STORE_OK, or STORE_KEY; also of a sealed store. */
__attribute__((warn_unused_result)) enum store_status
store_try_key(struct store *store, const struct secret *root_key, struct store_error *err);
/* Another root key and another note, in one durable commit; no record is touched. From then on the
 * old one opens nothing of this file. */
__attribute__((warn_unused_result)) enum store_status store_rekey(struct store *store,
								  const struct secret *new_root_key,
								  struct store_bytes note,
								  struct store_error *err);

/* ---- reading: never waits for a writer ---- */

/* A new secret, which the caller frees, and the record's revision (>= 1; each put moves it). */
__attribute__((warn_unused_result)) enum store_status
store_get(struct store *store, const char *key, struct secret **ret_value, uint64_t *ret_revision,
	  struct store_error *err);
/* The same into memory the caller owns: into->size is set; STORE_LIMIT if capacity is short, and
 * then `into` is untouched; STORE_TAMPERED may wipe it. The hot path: no allocation. */
__attribute__((warn_unused_result)) enum store_status
store_get_into(struct store *store, const char *key, struct secret *into, uint64_t *ret_revision,
	       struct store_error *err);

/* Called for each key with `prefix` that sorts after `after` (NULL: from the first), ascending,
 * until it returns false. It may read and commit on the same store. The revision is as it lies
 * there: only reading the record proves it. */
typedef bool store_list_visit(void *user, const char *key, uint64_t revision);
__attribute__((warn_unused_result)) enum store_status
store_list(struct store *store, const char *prefix, const char *after, store_list_visit *visit,
	   void *user, struct store_error *err);

/* ---- the conditional batch: committed whole or not at all ---- */

struct store_batch;
struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch *batch); /* wipes the values it copied */
/* Empties and wipes it for its next use; memory up to 64 KiB stays locked, saving system calls. */
void store_batch_clear(struct store_batch *batch);

/* The calls below copy what they are given. A failure (memory, limits) sticks and store_commit
 * answers it. Revision 0: absent. All expectations are held against the state before the batch. */
void store_batch_expect(struct store_batch *batch, const char *key, uint64_t revision);
void store_batch_put(struct store_batch *batch, const char *key, struct store_bytes value);
void store_batch_delete(struct store_batch *batch, const char *key);
/* As store_batch_put, under a key of its own that lies outside of the database: once the record is
 * deleted or put anew, and that commit has answered, the old value cannot be read by anyone who has
 * the files and the root key. */
void store_batch_put_erasable(struct store_batch *batch, const char *key, struct store_bytes value);
/* Appends to the hash-chained log. The committer gives it the next number, from 1 without gaps, and
 * hash(n) = SHA-256("postern/log/v1" NUL || hash(n-1) || entry), hash(0) = 32 zero bytes. `tag`
 * (NULL, or printable ASCII up to 128 bytes without '/') files it under a name that
 * store_log_tagged finds. */
void store_batch_append(struct store_batch *batch, const char *tag, struct store_bytes entry);

/* Returns when the batch is durable, or was refused (STORE_UNSURE: either). Batches of concurrent
 * callers share one fsync; a conflict in one does not fail the others. */
__attribute__((warn_unused_result)) enum store_status
store_commit(struct store *store, struct store_batch *batch, struct store_error *err);

/* The newest durable revision: it only rises, unless the whole file was put back. */
uint64_t store_revision(struct store *store);

/* ---- the log ---- */

struct store_log_entry {
	uint64_t number;
	uint8_t hash[STORE_HASH_SIZE];
	struct store_bytes entry; /* valid during the visit */
};
typedef bool store_log_visit(void *user, const struct store_log_entry *entry);

/* Number and hash of the newest durable entry; 0 and zero bytes for an empty log. Cheap: kept in
 * memory. */
void store_log_head(struct store *store, uint64_t *ret_number, uint8_t ret_hash[STORE_HASH_SIZE]);
/* From number `from` upwards until the visitor returns false; the chain is recomputed on the way.
 */
__attribute__((warn_unused_result)) enum store_status
store_log_read(struct store *store, uint64_t from, store_log_visit *visit, void *user,
	       struct store_error *err);
/* The newest `count` entries of a tag, newest first. */
__attribute__((warn_unused_result)) enum store_status
store_log_tagged(struct store *store, const char *tag, size_t count, store_log_visit *visit,
		 void *user, struct store_error *err);

#endif
