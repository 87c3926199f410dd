/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done to a whole store, beside its readers and writers: a new data key, the check of all
 * that it holds, its backup; and a store out of a backup. A header of its own because those who
 * read and commit need none of it.
 */
#ifndef POSTERN_STORE_UPKEEP_H
#define POSTERN_STORE_UPKEEP_H

#include "store.h"

#define STORE_LABEL_MAX 256

/* ---- the data key ---- */

struct store_rotation {
	uint32_t generation; /* what is written now is sealed under it */
	uint32_t oldest;     /* some records are; equal: no rotation is under way */
	uint64_t
		done; /* records that this process has looked at since the rotation, or its start */
	uint64_t total; /* about; 0: not counted yet */
};
/* A new data key: new writes use it at once. STORE_LIMIT: too many generations are still in use. */
__attribute__((warn_unused_result)) enum store_status store_rotate(struct store *store,
								   struct store_error *err);
/* Re-seals some records of older generations, at most `count`, each at its revision, and forgets a
 * generation that no record is under any more. To be called until `oldest` is `generation`; goes on
 * where it was after a crash. One thread at a time. */
__attribute__((warn_unused_result)) enum store_status
store_reseal(struct store *store, size_t count, struct store_rotation *ret_rotation,
	     struct store_error *err);
void store_rotation(struct store *store, struct store_rotation *ret_rotation);

/* ---- check, backup, restore ---- */

/* Of long work. False: stop, and it answers STORE_CONFLICT. */
typedef bool store_progress(void *user, uint64_t done, uint64_t total);

struct store_check {
	uint64_t records;
	uint64_t entries; /* of the log */
	uint64_t tags;
	uint64_t bytes; /* opened */
	uint64_t defects;
};
/* Names one defect: "r/secret/db: does not open under its key and revision". */
typedef void store_defect(void *user, const char *text);
/* Opens every record, recomputes digest and chain, and holds the index against the log. STORE_OK
 * where that could be done: the report says what was found. May take place beside writers. */
__attribute__((warn_unused_result)) enum store_status
store_check(struct store *store, store_progress *progress, store_defect *defect, void *user,
	    struct store_check *ret_check, struct store_error *err);

/* Takes the next piece of a backup; false: it could not, and store_backup ends with STORE_IO. */
typedef bool store_sink(void *user, struct store_bytes piece);
/* Fills up to `size` bytes; 0: the end; -1: cannot be read. */
typedef long store_source(void *user, uint8_t *buffer, size_t size);
/* One moment of the whole store, authenticated under the root key; writers go on. `label` is the
 * caller's, and comes back when it is restored. */
__attribute__((warn_unused_result)) enum store_status
store_backup(struct store *store, struct store_bytes label, store_sink *sink,
	     store_progress *progress, void *user, struct store_error *err);
/* Into a new folder `path`, which is there only once all has been verified. STORE_KEY: not the root
 * key that was in force; STORE_TAMPERED: not what a backup wrote. */
__attribute__((warn_unused_result)) enum store_status
store_restore(const char *path, const struct secret *root_key, store_source *source,
	      store_progress *progress, void *user, uint8_t ret_label[STORE_LABEL_MAX],
	      size_t *ret_label_size, struct store_error *err);

#endif
