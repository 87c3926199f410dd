/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's local socket, for what must not cross the network: shares and root keys, and what
 * works on the whole store. A Unix SOCK_SEQPACKET socket whose peer must be root, or the keeper's
 * own user; frames as in frame.h. One request at a time on a connection; its answers have its id:
 * any number of CONTROL_PROGRESS, CONTROL_DATA and CONTROL_DEFECT frames, then one CONTROL_ANSWER.
 * PROTOCOL.md, "The local socket". Requests and answers may hold keys: their buffers are locked
 * memory, or wiped.
 *
 *   answer = status:u8 || lp(text) || lp(payload)
 */
#ifndef POSTERN_WIRE_CONTROL_H
#define POSTERN_WIRE_CONTROL_H

#include "frame.h"

#define CONTROL_KEY_SIZE   32
#define CONTROL_SHARE_SIZE 43 /* set:8 || threshold:u8 || count:u8 || number:u8 || bytes:32 */
#define CONTROL_SHARES_MAX 32
#define CONTROL_SET_SIZE   8
#define CONTROL_TEXT_MAX   400
#define CONTROL_NO_WITNESS UINT64_MAX
#define CONTROL_PIECE_MAX  FRAME_INLINE_MAX
#define CONTROL_PAYLOAD_MAX                                                                        \
	(CONTROL_KEY_SIZE + CONTROL_SET_SIZE + CONTROL_SHARES_MAX * CONTROL_SHARE_SIZE + 64)

enum control_status {
	CONTROL_OK = 0,
	CONTROL_MORE,	  /* a share was taken: more are wanted */
	CONTROL_SEALED,	  /* not before it is unsealed */
	CONTROL_UNSEALED, /* it is unsealed already */
	CONTROL_WRONG,	  /* the share, or the key: the text names it, and others stay */
	CONTROL_REFUSED,  /* not now, or not by you: the text says what to do */
	CONTROL_MALFORMED,
	CONTROL_FAILED, /* the store says no: the text says how */
};

/* What a share or a key is for. */
enum control_purpose {
	CONTROL_TO_UNSEAL = 1,
	CONTROL_TO_REKEY, /* after CONTROL_REKEY: proves who holds the present key */
	CONTROL_TO_VERIFY,
};

/* FRAME_CONTROL_SHARE = purpose:u8 || share. Answers MORE, OK, WRONG; with CONTROL_TO_REKEY the
 * last one's payload is struct control_rekeyed. */
struct control_share {
	uint8_t purpose;
	uint8_t set[CONTROL_SET_SIZE];
	uint8_t threshold;
	uint8_t count;
	uint8_t number;
	uint8_t bytes[CONTROL_KEY_SIZE];
};
/* FRAME_CONTROL_KEY = purpose:u8 || key:32 || witness:u64: the root key itself, from a file or a
 * TPM; witness: the TPM's counter, or CONTROL_NO_WITNESS. */
struct control_key {
	uint8_t purpose;
	uint8_t key[CONTROL_KEY_SIZE];
	uint64_t witness;
};
/* FRAME_CONTROL_RESET = purpose:u8: forgets the shares given so far. */
struct control_reset {
	uint8_t purpose;
};
/* FRAME_CONTROL_REKEY = count:u8 || threshold:u8; 0 and 0: no shares, the key will lie in a file or
 * a TPM. Wants an operator's act of the same numbers that was not used yet. Then the present
 * shares, or the present key, with CONTROL_TO_REKEY. */
struct control_rekey {
	uint8_t count;
	uint8_t threshold;
};
/* Payload: the new root key and its shares, drawn and not in force before
 * FRAME_CONTROL_REKEY_COMMIT = set:8 (zeros without shares) says that they are where they belong.
 *   payload = key:32 || count:u8 || share*, of one set and in the order of their numbers */
struct control_rekeyed {
	uint8_t key[CONTROL_KEY_SIZE];
	uint8_t count;
	struct control_share shares[CONTROL_SHARES_MAX]; /* purpose 0 */
};
struct control_rekey_commit {
	uint8_t set[CONTROL_SET_SIZE];
};
/* FRAME_CONTROL_WITNESS = stage:u8 || counter:u64. Stage 1: writes down counter + 1 as the lowest
 * that this store will start with (refused if the store knows a higher one); the caller then
 * increments the TPM's counter, and stage 2 says what it came to. */
struct control_witness {
	uint8_t stage;
	uint64_t counter;
};
/* FRAME_CONTROL_THAW = trust_revision:u64 || lp(reason): a frozen broker is believed to be what it
 * is. The revision must be the present one: whoever thaws has looked. */
struct control_thaw {
	uint64_t trust_revision;
	struct bytes reason; /* 1..200 bytes of printable text, for the audit log */
};
/* FRAME_CONTROL_STATUS, FRAME_CONTROL_SEAL, FRAME_CONTROL_BACKUP, FRAME_CONTROL_CHECK,
 * FRAME_CONTROL_ROTATE, FRAME_CONTROL_WATCH: empty bodies. BACKUP streams CONTROL_DATA, CHECK
 * CONTROL_DEFECT, both CONTROL_PROGRESS. CHECK's last payload is struct control_checked. WATCH
 * answers when the trust revision has moved since it last answered on this connection (at once the
 * first time); its payload is the revision:u64. */

/* STATUS's payload = sealed:u8 || frozen:u8 || set:8 || count:u8 || threshold:u8 || given:u8 ||
 * rekey_given:u8 || trust_revision:u64 || store_revision:u64 || witness:u64 || generation:u32 ||
 * oldest:u32 || resealed:u64 || records:u64 || lp(why) */
struct control_state {
	bool sealed;
	bool frozen; /* unsealed, and answers nothing but readings */
	uint8_t set[CONTROL_SET_SIZE];
	uint8_t count; /* of shares; 0: the key lies in a file or a TPM */
	uint8_t threshold;
	uint8_t given;	     /* distinct good shares given so far, to unseal */
	uint8_t rekey_given; /* ... to rekey */
	/* The rest is 0 while it is sealed. */
	uint64_t trust_revision;
	uint64_t store_revision;
	uint64_t witness; /* the lowest counter that it starts with; 0: there is none */
	uint32_t generation;
	uint32_t oldest;
	uint64_t resealed; /* of `records`, while generation is not oldest */
	uint64_t records;
	struct bytes why; /* frozen: in at most CONTROL_TEXT_MAX bytes; else empty */
};
/* CHECK's last payload: its fields in their order. */
struct control_checked {
	uint64_t records;
	uint64_t entries;
	uint64_t tags;
	uint64_t bytes;
	uint64_t defects;
};
/* FRAME_CONTROL_PROGRESS = done:u64 || total:u64. FRAME_CONTROL_DATA and FRAME_CONTROL_DEFECT are
 * their bytes. */
struct control_progress {
	uint64_t done;
	uint64_t total;
};
struct control_answer {
	uint8_t status; /* enum control_status, checked */
	struct bytes
		text; /* for people; never a secret. At most CONTROL_TEXT_MAX bytes, printable */
	struct bytes payload;
};

/* A share set's numbers: 0 of 0, 1 of 1, or from 2 up to `count` of `count`: with a threshold of 1
 * each of several shares would be the key. */
bool control_numbers_valid(uint8_t count, uint8_t threshold);

/* Decoders give false for whatever is not canonical and out of bounds, and keep no copy of a key;
 * the structs of keys are the caller's to wipe. A writer given too long or unprintable text fails.
 */
#define CONTROL_CODEC(name)                                                                        \
	void control_##name##_write(struct writer *w, const struct control_##name *message);       \
	__attribute__((warn_unused_result)) bool control_##name##_read(                            \
		struct bytes body, struct control_##name *ret_message)
CONTROL_CODEC(share);
CONTROL_CODEC(key);
CONTROL_CODEC(reset);
CONTROL_CODEC(rekey);
CONTROL_CODEC(rekeyed);
CONTROL_CODEC(rekey_commit);
CONTROL_CODEC(witness);
CONTROL_CODEC(thaw);
CONTROL_CODEC(state);
CONTROL_CODEC(checked);
CONTROL_CODEC(progress);
CONTROL_CODEC(answer);
#undef CONTROL_CODEC

#endif
