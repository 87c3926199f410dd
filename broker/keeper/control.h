/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's side of its local socket (wire/control.h): a thread that lets root and the keeper's
 * own user in, and one for each of them that is there. control.c has the table of requests.
 */
#ifndef POSTERN_KEEPER_CONTROL_H
#define POSTERN_KEEPER_CONTROL_H

#include "keeper.h"
#include "store/shares.h"
#include "wire/control.h"

#define CONTROL_CONNECTIONS_MAX	 8
#define CONTROL_PATIENCE_SECONDS 600 /* shares wait for the next, a new key for its commit */
#define CONTROL_IDLE_SECONDS	 900 /* a connection that asks nothing is closed */
#define CONTROL_SENDING_SECONDS	 60  /* as is one that takes nothing */
#define CONTROL_BODY_MAX	 1024

/* Record `rekeyed` = revision:u64 of the newest act that is used up. */
#define RECORD_REKEYED "rekeyed"

/* What is decoded and encoded lies in locked memory: it may be keys. */
struct control_scratch {
	union {
		struct control_share share;
		struct control_key key;
		struct control_rekeyed rekeyed;
	} message;
	uint8_t payload[CONTROL_PAYLOAD_MAX];
	uint8_t answer[1 + 4 + CONTROL_TEXT_MAX + 4 + CONTROL_PAYLOAD_MAX];
};

struct connection {
	struct keeper *keeper;
	int channel; /* -1: the place is free */
	unsigned uid;
	pthread_t thread;
	atomic_bool ended; /* its thread has, and waits to be joined */
	struct frame_buffer buffer;
	struct secret *memory; /* a control_scratch */
	struct control_scratch *scratch;
	struct worker worker; /* entry and batch alone: for the audit log */
	uint64_t id;	      /* of the request in hand */
	bool watched;
	uint64_t watched_revision; /* that WATCH last answered */
};

/* Shares given so far for one purpose; guarded by the control's mutex. */
struct gathering {
	struct secret *shares; /* struct share, in the order in which they came; NULL: none */
	uint8_t count;
	unsigned refused; /* wrong ones since it began */
	int64_t until;	  /* milliseconds of the monotonic clock */
};

/* A new root key that is not in force. */
struct rekeying {
	const struct connection *owner; /* NULL: none is under way */
	struct control_rekey wanted;
	uint64_t act;	    /* the revision that allows it */
	bool claimed;	    /* the act is used up by this one */
	struct secret *key; /* drawn, once the present one was proved */
	struct share_set set;
	int64_t until;
};

struct control {
	struct keeper *keeper;
	unsigned own;	  /* the keeper's user */
	int64_t patience; /* milliseconds */
	atomic_bool ending;
	bool started;
	pthread_t thread;
	struct connection connections[CONTROL_CONNECTIONS_MAX];
	pthread_mutex_t mutex; /* of all that follows */
	struct share_set set;  /* of the present root key; count 0: there is none */
	bool unsealing;	       /* one connection does */
	unsigned wrong;	       /* keys and shares that did not unseal it */
	struct gathering to_unseal;
	struct gathering to_rekey;
	struct rekeying rekeying;
};

/* NULL: no memory, or the store's note is not a share set. */
struct control *control_new(struct keeper *keeper);
void control_free(struct control *control);
/* Serves the listening socket, where there is one. False: no thread. */
__attribute__((warn_unused_result)) bool control_start(struct control *control);
/* Lets nobody in any more, and interrupts who is there; before control_join. */
void control_stop(struct control *control);
/* False: by `deadline` (CLOCK_MONOTONIC; NULL: however long it takes) one was still at work. */
__attribute__((warn_unused_result)) bool control_join(struct control *control,
						      const struct timespec *deadline);
/* For the health of a sealed keeper. */
void control_shares(struct control *control, struct wire_health *health);

/* ---- for the requests ---- */

/* Each answers, once. */
typedef void control_handler(struct connection *connection, struct bytes body);
control_handler control_handle_status;
control_handler control_handle_share;
control_handler control_handle_key;
control_handler control_handle_reset;
control_handler control_handle_seal;
control_handler control_handle_rekey;
control_handler control_handle_rekey_commit;
control_handler control_handle_rotate;
control_handler control_handle_backup;
control_handler control_handle_check;
control_handler control_handle_witness;
control_handler control_handle_watch;
control_handler control_handle_thaw;

void control_reply(struct connection *connection, enum control_status status, struct bytes payload,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Without a payload. */
void control_say(struct connection *connection, enum control_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A frame before the answer. False: the client has gone, or the keeper ends. */
__attribute__((warn_unused_result)) bool control_send(struct connection *connection,
						      enum frame_type type, struct bytes body);
/* After so long, the client still waits, and the keeper does not end. */
bool control_waits(const struct connection *connection, int milliseconds);
int64_t control_clock(void); /* milliseconds, monotonic */

/* The request has no body; else that is answered. */
__attribute__((warn_unused_result)) bool control_empty(struct connection *connection,
						       struct bytes body);

/* Long work for one client; `user` of the store's functions. */
struct control_stream {
	struct connection *connection;
	int64_t next_progress;
	uint64_t sent; /* bytes, or defects */
	bool gone;     /* the client, or soon the keeper */
};
bool control_show_progress(void *user, uint64_t done, uint64_t total);

/* {"kind":kind,"uid":n: the caller adds members, and control_audit_end makes it durable, in the
 * batch with what else is in it. Lock held. */
struct json *control_audit(struct connection *connection, const char *kind);
__attribute__((warn_unused_result)) bool control_audit_end(struct connection *connection,
							   struct store_batch *batch);

/* Mutex held, all of these. */
enum gathered { GATHERED_ANSWERED, GATHERED_KEY };
/* Takes one more share, or answers why not. GATHERED_KEY: there are enough, and what they make is
 * in `ret_key`, which the caller frees; the gathering is empty again. */
enum gathered control_gather(struct connection *connection, struct gathering *gathering,
			     const struct control_share *share, struct secret **ret_key);
void gathering_clear(struct gathering *gathering);
void rekeying_clear(struct control *control);
/* A present share or the present key, given to rekey. */
void control_rekey_share(struct connection *connection, const struct control_share *share);
void control_rekey_key(struct connection *connection, const struct secret *key);
/* What time has run out for. */
void control_expire(struct control *control, int64_t now);

#endif
