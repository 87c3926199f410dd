/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: the one process that holds keys and opens records. Its threads receive frames from
 * the gateway, and each handles one frame at a time and answers it. dispatch.c says what each kind
 * of caller has to prove. It begins attached to a store that is sealed, and ends sealed: control.h
 * is where its holders come to it, freeze.h says when it answers readings alone.
 */
#ifndef POSTERN_KEEPER_KEEPER_H
#define POSTERN_KEEPER_KEEPER_H

#include "appraise.h"
#include "challenge.h"
#include "facts.h"
#include "freeze.h"
#include "json_out.h"
#include "store/store.h"
#include "wire/frame.h"
#include "wire/transcript.h"

#include <stdatomic.h>
#include <time.h>

#define KEEPER_PROBLEM_SIZE 320
#define KEEPER_WORKERS_MAX  64
/* What computes with keys does so on its stack, and leaves some of them there (what BLAKE2b is
 * keyed with, for one). Each thread locks this much of its stack, and wipes below itself
 * (sodium_stackzero) after each piece of work. */
#define KEEPER_STACK ((size_t)128 * 1024)

struct keeper_options {
	const char *store; /* path */
	unsigned workers;
	unsigned pending_max;
	bool stale_crls;	     /* CRLs past their nextUpdate count, too */
	uint32_t challenge_lifetime; /* seconds */
	uint32_t lease_lifetime;     /* seconds */
	uint64_t min_revision;	     /* of trust that has been seen: below it, frozen. 0: none */
	int gateway;		     /* channels; the keeper does not close them */
	int supervisor;
	int appraiser;
	int control; /* listening local socket, which it does not close either; 0: none */
};

struct keeper_keys {
	struct secret *release; /* X25519: wraps what is released */
	struct secret *intake;	/* X25519: opens values on their way in */
	struct secret
		*answer; /* Ed25519: answers to operators, checkpoints; libsodium's 64 bytes */
	uint8_t release_public[32];
	uint8_t intake_public[32];
	uint8_t answer_public[32];
};

struct counters {
	atomic_ullong released;
	atomic_ullong denied;
	atomic_ullong unknown; /* callers that nobody knows, or that proved nothing too often */
};

struct control;

struct keeper {
	struct keeper_options options;
	struct store *store; /* attached from keeper_attach on */
	/* Unsealed, and all of it good; set once. Before that nothing below is there but the lock
	 * and `control`. */
	atomic_bool open;
	/* It has been told to seal: set under the exclusive lock, and nothing leaves any more. */
	atomic_bool sealing;
	struct timespec seal_by; /* when it ends though work is in hand */
	struct freeze freeze;
	struct control *control;
	int wake[2]; /* ends the wait of a sealed keeper */
	struct keeper_keys keys;
	struct challenges *challenges;
	struct appraiser_link appraisers;
	struct policy_facts *actions;
	struct policy_schema *schema; /* what new policies are validated against */
	/* Shared for whatever reads trust, until its answer is sent; exclusive for acts, until
	 * theirs is. Writers go first. */
	pthread_rwlock_t lock;
	struct trust trust;
	uint64_t rekeyed; /* revision of the newest act REKEY that is used up; the control's */
	struct counters counters;
	unsigned long long unknown_written; /* by the clerk's thread alone */
	pthread_mutex_t strangers_mutex;
	struct allowance strangers;
	pthread_mutex_t checkpoint_mutex;
	struct checkpoint checkpoint;
	int64_t started; /* Unix seconds */
	atomic_bool given_up;
	/* enum store_status: why the newest commit was refused, 0 if it was not; what of that was
	 * said on stderr; when it was so last, in milliseconds. */
	atomic_int trouble;
	atomic_int trouble_told;
	atomic_llong trouble_at;
};

/* All that needs a path; `ret_keeper` is the caller's memory and stays where it is. The problem
 * says what to do. */
__attribute__((warn_unused_result)) bool keeper_attach(struct keeper *ret_keeper,
						       const struct keeper_options *options,
						       char ret_problem[KEEPER_PROBLEM_SIZE]);

enum keeper_unsealing {
	KEEPER_UNSEALED = 0,
	KEEPER_KEY,    /* the key is another: it stays sealed */
	KEEPER_STAYS,  /* the store cannot be read: it stays sealed, and may be tried again */
	KEEPER_BROKEN, /* what lies in the store is refused: the process must end */
};
/* Once, and by one thread, with the root key, which the caller wipes: opens all records that it
 * lives on. The problem names the record. */
__attribute__((warn_unused_result)) enum keeper_unsealing
keeper_unseal(struct keeper *keeper, const struct secret *root_key, const struct witness *witness,
	      char ret_problem[KEEPER_PROBLEM_SIZE]);
/* Both, with the key of a file. */
__attribute__((warn_unused_result)) bool keeper_open(struct keeper *ret_keeper,
						     const struct keeper_options *options,
						     const struct secret *root_key,
						     char ret_problem[KEEPER_PROBLEM_SIZE]);
/* Until the gateway's channel closes, or it is sealed (keeper->sealing); where it is not open yet,
 * it first waits for that and says so to whoever asks. False: threads could not be had, or it was
 * given up. */
__attribute__((warn_unused_result)) bool keeper_serve(struct keeper *keeper);
/* Wipes. */
void keeper_close(struct keeper *keeper);
/* Until keeper->open, or the gateway's channel closes: answers all frames sealed (sealed.c). */
void keeper_await_unsealing(struct keeper *keeper);
/* For a seal from the local socket: takes the exclusive lock, which a gateway that takes no answers
 * cannot withhold. False: it could not be had, for a disk that hangs; keeper_seal and
 * keeper_end_sealed follow. */
__attribute__((warn_unused_result)) bool keeper_lock_to_seal(struct keeper *keeper);
/* Wipes the keys under whoever is at work, and ends the process. */
__attribute__((noreturn)) void keeper_end_sealed(struct keeper *keeper);
/* Exclusive lock held: nothing leaves from here on but what a worker's last word is; and then, lets
 * keeper_serve come back. */
void keeper_seal(struct keeper *keeper);
void keeper_leave(struct keeper *keeper);
/* Lock held: WIRE_OK, or why nothing but readings (frozen) or nothing at all (sealed) is done. */
enum wire_status keeper_standing(struct keeper *keeper);
/* Says why, takes no other frame, and lets keeper_serve come back false: with the keeper the daemon
 * ends, and whoever started that starts it again. From any thread. */
void keeper_give_up(struct keeper *keeper, const char *why);

/* What one thread works with; nothing of it is shared. */
struct worker {
	struct keeper *keeper;
	struct frame_buffer input;
	struct frame_buffer answer;  /* encoded answers */
	struct frame_buffer sealed;  /* ciphertext of a release */
	struct policy_facts *common; /* to all decisions of one request; a layer below `facts` */
	struct policy_facts *facts;
	struct json entry;	   /* an audit entry */
	struct json checks;	   /* its checks */
	struct json text;	   /* an operator's answer */
	struct secret *record;	   /* what the store reads into */
	struct secret *values;	   /* a release's values in a row */
	struct secret *body;	   /* a release's body before it is sealed */
	struct store_batch *batch; /* worker_batch's */
	struct release *release;   /* release.c's own scratch */
	enum store_status stored;  /* how its newest commit went */
	bool last_word;		   /* its answer leaves though the keeper seals: it says so */
};
__attribute__((warn_unused_result)) bool worker_start(struct worker *worker, struct keeper *keeper);
void worker_clear(struct worker *worker);
/* The worker's own loop: one frame after another until the channel closes. */
/* Of the calling thread, from its frame on. False: said. */
__attribute__((warn_unused_result)) bool keeper_lock_stack(void);
void worker_run(struct worker *worker);
/* Sends FRAME_ANSWER; the payload is for WIRE_OK alone. */
void worker_answer(struct worker *worker, uint64_t id, enum wire_status status,
		   struct bytes payload);
/* Memory of at least that size; NULL: none. */
uint8_t *worker_reserve(struct frame_buffer *buffer, size_t size);
/* A scratch secret of at least that capacity; what was in it is gone if it grows. False: no locked
 * memory. */
__attribute__((warn_unused_result)) bool worker_secret(struct secret **secret, size_t capacity);
/* The worker's one batch, emptied: what it held before is over. */
struct store_batch *worker_batch(struct worker *worker);
/* Makes it durable. STORE_UNSURE gives the keeper up: what was refused may be on the disk all the
 * same. What the disk refuses for the time being is said once on stderr, and once that it ended. */
__attribute__((warn_unused_result)) enum store_status
worker_commit(struct worker *worker, struct store_batch *batch, struct store_error *err);
/* What the store says: WIRE_STORE if that ends with its cause, else WIRE_FAILED. */
enum wire_status store_refusal(enum store_status status);
/* The same of the newest commit, where it was refused; and in words. */
enum wire_status worker_refusal(const struct worker *worker);
const char *worker_refusal_text(const struct worker *worker);
/* After each frame: wipes the batch, and gives large scratch secrets back: locked memory is scarce.
 */
void worker_trim(struct worker *worker);

/* Handlers: dispatch.c's table. Each answers the frame itself. */
void handle_challenge(struct worker *worker, const struct frame *frame);
void handle_release(struct worker *worker, const struct frame *frame);
void handle_enroll(struct worker *worker, const struct frame *frame);
void handle_activate(struct worker *worker, const struct frame *frame);
void handle_operator_challenge(struct worker *worker, const struct frame *frame);
void handle_operator_request(struct worker *worker, const struct frame *frame);
void handle_health(struct worker *worker, const struct frame *frame);
void release_scratch_free(struct release *release);

int64_t unix_now(void);
static inline struct store_bytes
store_bytes_of(struct bytes bytes)
{
	return (struct store_bytes){bytes.data, bytes.size};
}

#endif
