/* SPDX-License-Identifier: Apache-2.0 */
/* An open store: its backend, its keys, the newest durable point, and the queue of those who wait
 * to commit. */
#ifndef POSTERN_STORE_STATE_H
#define POSTERN_STORE_STATE_H

#include "backend.h"
#include "batch.h"
#include "keyring.h"

#include <pthread.h>
#include <sodium.h>

/* The rooms of the backend's keys. Within "m/": the header, the data keys, the head. */
#define RECORD_PREFIX "r/"
#define LOG_PREFIX    "l/"
#define TAG_PREFIX    "t/"
#define HEAD_KEY      "m/head"

_Static_assert(sizeof RECORD_PREFIX - 1 + STORE_KEY_MAX <= BACKEND_KEY_MAX, "keys fit");
_Static_assert(sizeof TAG_PREFIX - 1 + STORE_TAG_MAX + 1 + 16 <= BACKEND_KEY_MAX, "tags fit");

#define DIGEST_SIZE 32

/* `revision` is the head record's own, and the highest that the store has given out. */
struct head {
	uint64_t revision;
	uint64_t number;
	uint8_t hash[STORE_HASH_SIZE];
	uint8_t digest[DIGEST_SIZE]; /* of all records "r/" and their revisions: digest.c */
};

struct ticket;

struct store {
	struct backend *backend;
	struct keyring keyring;

	pthread_mutex_t lock; /* for all below */
	struct head head;
	struct ticket *first_waiting;
	struct ticket *last_waiting;
	bool leading; /* someone commits, or has been told to */

	uint8_t hash_key[crypto_shorthash_KEYBYTES];
};

/* ---- log.c ---- */

#define LOG_KEY_SIZE (sizeof LOG_PREFIX + 16)
#define HEAD_SIZE    (8 + STORE_HASH_SIZE + DIGEST_SIZE)

void store_log_name_entry(char name[LOG_KEY_SIZE], uint64_t number);
void store_log_chain(uint8_t hash[STORE_HASH_SIZE],
		     struct store_bytes entry); /* hash(n-1) becomes hash(n) */
void store_log_write_head(const struct head *head, uint8_t bytes[HEAD_SIZE]);
/* Reads the head and checks that the log ends where it says. */
__attribute__((warn_unused_result)) enum store_status
store_log_load_head(const struct view *view, const struct keyring *keyring, struct head *ret_head,
		    struct store_error *err);
/* Are the log's keys 1..head->number, each once? */
__attribute__((warn_unused_result)) enum store_status
store_log_check_contiguous(const struct view *view, const struct head *head,
			   struct store_error *err);

/* ---- digest.c ---- */

/* Adds the record to the digest, or takes it out: the same act. Revision 0, absent, changes
 * nothing. */
void store_digest_turn(const struct keyring *keyring, const char *key, uint64_t revision,
		       uint8_t digest[DIGEST_SIZE]);
/* Are there exactly the records that the head was written over? */
__attribute__((warn_unused_result)) enum store_status
store_digest_check(const struct view *view, const struct keyring *keyring, const struct head *head,
		   struct store_error *err);

/* ---- plan.c ---- */

/* What one group will write, with what has changed by it so far. */
struct plan {
	struct store *store;
	const struct view *view;
	struct head head; /* as it will be */
	struct backend_write *writes;
	size_t count;
	size_t capacity;
	uint32_t *slots; /* hash table: index + 1 of the newest write of a record; 0 is free */
	size_t slot_count;
};

void store_plan_clear(struct plan *plan);
#define auto_plan __attribute__((cleanup(store_plan_clear))) struct plan
/* Adds the batch, whole or not at all. STORE_CONFLICT if an expectation does not hold. */
__attribute__((warn_unused_result)) enum store_status
store_plan_add_batch(struct plan *plan, struct store_batch *batch, struct store_error *err);
__attribute__((warn_unused_result)) enum store_status store_plan_add_head(struct plan *plan,
									  struct store_error *err);

#endif
