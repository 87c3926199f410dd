/* SPDX-License-Identifier: Apache-2.0 */
/* An open store: its backend, its keys, the newest durable point, and the queue of those who wait
 * to commit. */
#ifndef POSTERN_STORE_STATE_H
#define POSTERN_STORE_STATE_H

#include "backend.h"
#include "batch.h"
#include "body.h"
#include "keyring.h"
#include "upkeep.h"

#include <pthread.h>
#include <sodium.h>

/* The rooms of the backend's keys. Within "m/": the header, the wrapped keys, the head. */
#define RECORD_PREFIX "r/"
#define LOG_PREFIX    "l/"
#define TAG_PREFIX    "t/"
#define ERASE_PREFIX  "x/" /* slots that are to be erased, or have been just now */
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
	uint64_t slots;		     /* given out: the next to be given */
	uint64_t header_revision;    /* the header's: an older one does not pass */
	uint64_t records;	     /* "r/"; counted while opening, and not in the file */
};

struct slot_list {
	uint64_t *slots;
	size_t count;
	size_t capacity;
};

struct ticket;

struct store {
	struct backend *backend;
	atomic_bool unsealed;
	struct keyring keyring;
	/* Moves before a durable commit makes what is read under older views unreadable, by erasing
	 * a slot or wiping a key: who failed to open a record then looks again. */
	_Atomic uint64_t epoch;

	/* Held from a group's commit to the erasures that belong to it, and while keys change. Who
	 * holds it and opens a view has slots and keys that agree with the view. Before `lock`. */
	pthread_mutex_t settling;

	pthread_mutex_t lock; /* for all below up to the next comment, and the keyring's header */
	struct head head;
	struct ticket *first_waiting;
	struct ticket *last_waiting;
	bool leading; /* someone commits, or has been told to */

	/* The leader's. */
	bool doubtful;		  /* a commit failed: is the head the one that we know? */
	uint64_t filled;	  /* slots below are random and on the disk, or given out */
	struct slot_list erasing; /* committed as deleted; still to be erased */
	struct slot_list erased;  /* their "x/" is to be removed */

	/* The one thread's that re-seals; what store_rotation shows is under `lock`. */
	struct reseal_pass {
		uint32_t generation; /* all below are to go; 0: no pass is under way */
		bool in_records;     /* else in the log */
		bool finished;	     /* all has been looked at */
		bool obstructed;     /* something did not open, and stays where it is */
		uint64_t done;
		uint64_t total;
		char from[BACKEND_KEY_MAX + 1]; /* empty: from the first */
	} pass;

	uint8_t hash_key[crypto_shorthash_KEYBYTES];
};

__attribute__((warn_unused_result)) enum store_status store_check_unsealed(struct store *store,
									   struct store_error *err);

/* For who may have read under a view that is outdated by now:
 *
 *	struct attempt attempt = store_attempt_first(store);
 *	do
 *		status = ... (a view of its own);
 *	while (store_attempt_again(store, &attempt, status, err));
 */
struct attempt {
	uint64_t epoch;
	unsigned count;
};
static inline struct attempt
store_attempt_first(struct store *store)
{
	return (struct attempt){.epoch = atomic_load(&store->epoch)};
}
bool store_attempt_again(struct store *store, struct attempt *attempt, enum store_status status,
			 struct store_error *err);

/* Grows `*secret` (NULL: none yet) to hold `size` bytes, not keeping what is in it. */
__attribute__((warn_unused_result)) enum store_status
store_reserve_secret(struct secret **secret, size_t size, struct store_error *err);

/* ---- log.c ---- */

#define LOG_KEY_SIZE (sizeof LOG_PREFIX + 16)
#define HEAD_SIZE    (8 + STORE_HASH_SIZE + DIGEST_SIZE + 8 + 8)

void store_log_name_entry(char name[LOG_KEY_SIZE], uint64_t number);
/* The 16 lower-case hex digits, and nothing else, at the end of the key of an entry, a tag or an
 * erasure. */
bool store_log_parse_number(const char *digits, uint64_t *ret_number);
void store_log_chain(uint8_t hash[STORE_HASH_SIZE],
		     struct store_bytes entry); /* hash(n-1) becomes hash(n) */
void store_log_write_head(const struct head *head, uint8_t bytes[HEAD_SIZE]);
/* A sealed entry, opened. */
struct entry {
	struct store_log_entry public;
	struct store_bytes tag;
};
/* `ret_entry` points into `bytes`. STORE_TAMPERED: it is not the entry of this number. */
__attribute__((warn_unused_result)) enum store_status
store_log_parse(const char *name, uint64_t number, struct store_bytes bytes,
		struct entry *ret_entry, struct store_error *err);
/* Reads the head and checks that the log ends where it says. */
__attribute__((warn_unused_result)) enum store_status store_log_load_head(const struct view *view,
									  struct keyring *keyring,
									  struct head *ret_head,
									  struct store_error *err);
/* Are the log's keys 1..head->number, each once? */
__attribute__((warn_unused_result)) enum store_status
store_log_check_contiguous(const struct view *view, const struct head *head,
			   struct store_error *err);

/* ---- digest.c ---- */

/* What the digest knows of a record, as it lies there. */
struct standing {
	uint64_t revision; /* 0: absent */
	uint64_t slot;	   /* SLOT_NONE: not erasable */
};
struct standing store_standing_of(const struct backend_record *record);
/* Adds the record to the digest, or takes it out: the same act. One that is absent changes
 * nothing. */
void store_digest_turn(const struct keyring *keyring, const char *key, struct standing standing,
		       uint8_t digest[DIGEST_SIZE]);
/* Are there exactly the records that the head was written over? Counts them. */
__attribute__((warn_unused_result)) enum store_status
store_digest_check(const struct view *view, const struct keyring *keyring, struct head *head,
		   struct store_error *err);

/* ---- slots.c ---- */

/* A wrapping slot has a page of the disk for itself, which no erasing of others rewrites. */
#define SLOTS_PAGE 128
static inline uint64_t
store_slots_page(uint64_t slots)
{
	return (slots + SLOTS_PAGE - 1) / SLOTS_PAGE * SLOTS_PAGE;
}

#define ERASE_PROOF_SIZE 32
void store_slots_clear(struct slot_list *list);
__attribute__((warn_unused_result)) enum store_status
store_slots_add(struct slot_list *list, uint64_t slot, struct store_error *err);
/* `list` and `more` together. */
__attribute__((warn_unused_result)) enum store_status
store_slots_join(struct slot_list *list, const struct slot_list *more, struct store_error *err);
/* The body of "x/": nobody else is to have us erase a slot. */
void store_slots_prove(const struct keyring *keyring, uint64_t slot, uint64_t revision,
		       uint8_t ret_proof[ERASE_PROOF_SIZE]);
/* For the leader, who holds no view: slots `from` up to `end` are ready to be given out. */
__attribute__((warn_unused_result)) enum store_status
store_slots_reserve(struct store *store, uint64_t from, uint64_t end, struct store_error *err);
/* The bytes of one that is ready. */
__attribute__((warn_unused_result)) enum store_status
store_slots_take(struct store *store, uint64_t slot, uint8_t ret_bytes[BACKEND_SLOT_SIZE],
		 struct store_error *err);
/* All of store->erasing, which become store->erased. */
__attribute__((warn_unused_result)) enum store_status store_slots_erase(struct store *store,
									struct store_error *err);
/* The slots of "x/", as a crash may have left them. */
__attribute__((warn_unused_result)) enum store_status
store_slots_load(const struct view *view, const struct keyring *keyring, struct slot_list *list,
		 struct store_error *err);

#endif
