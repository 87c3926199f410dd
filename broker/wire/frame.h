/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames between the processes of posternd: one SOCK_SEQPACKET datagram each, so that any number
 * of threads may receive from one end. PROTOCOL.md, "Frames".
 *
 *   frame = version:u8 (1) || flags:u8 || type:u16 || id:u64 || body
 *
 * A body above FRAME_INLINE_MAX travels in a sealed memfd beside the 12 bytes (flag
 * FRAME_SPILLED) and is copied out on receipt. Another descriptor may travel with a frame (flag
 * FRAME_DESCRIPTOR).
 */
#ifndef POSTERN_WIRE_FRAME_H
#define POSTERN_WIRE_FRAME_H

#include "attest/bytes.h"

#define FRAME_HEADER_SIZE 12
#define FRAME_INLINE_MAX  (64 * 1024)
#define FRAME_BODY_MAX	  (11 * 1024 * 1024) /* every message of the largest size fits: message.c */

enum frame_type {
	/* supervisor <-> child */
	FRAME_SETUP = 1, /* supervisor -> child: struct settings as text; READY comes back */
	FRAME_READY,
	FRAME_NEED_APPRAISER, /* keeper -> supervisor: an appraiser for one enrolment */
	/* supervisor -> keeper, same id: its end of the channel, as descriptor. None: try later */
	FRAME_APPRAISER,
	/* door -> gateway */
	FRAME_CONNECTION, /* the peer's struct sockaddr; the socket as descriptor */
	/* gateway -> keeper; the answer has the same id and type FRAME_ANSWER */
	FRAME_CHALLENGE,
	FRAME_RELEASE,
	FRAME_ENROLL,
	FRAME_ACTIVATE,
	FRAME_OPERATOR_CHALLENGE,
	FRAME_OPERATOR_REQUEST,
	FRAME_HEALTH,
	FRAME_ANSWER,
	/* keeper -> appraiser; the answer has the same id and type FRAME_APPRAISED */
	FRAME_EXAMINE_LOG,
	FRAME_EXAMINE_ENROLMENT,
	FRAME_APPRAISED,
	/* the local socket, both ways: control.h */
	FRAME_CONTROL_STATUS,
	FRAME_CONTROL_SHARE,
	FRAME_CONTROL_KEY,
	FRAME_CONTROL_RESET,
	FRAME_CONTROL_SEAL,
	FRAME_CONTROL_REKEY,
	FRAME_CONTROL_REKEY_COMMIT,
	FRAME_CONTROL_ROTATE,
	FRAME_CONTROL_BACKUP,
	FRAME_CONTROL_CHECK,
	FRAME_CONTROL_WITNESS,
	FRAME_CONTROL_WATCH,
	FRAME_CONTROL_THAW,
	FRAME_CONTROL_ANSWER,
	FRAME_CONTROL_PROGRESS,
	FRAME_CONTROL_DATA,
	FRAME_CONTROL_DEFECT,
	FRAME_UNSEALED, /* keeper -> supervisor: it has its key now; for those who watch */
};

struct frame {
	uint16_t type; /* enum frame_type, but not yet checked */
	uint64_t id;
	struct bytes body; /* in the buffer it was received into */
	int descriptor;	   /* -1: none; else the receiver closes it */
};

enum channel_status {
	CHANNEL_OK = 0,
	CHANNEL_CLOSED,	   /* the other end is gone */
	CHANNEL_MALFORMED, /* the other end is broken or hostile: give it up */
	CHANNEL_IO,
};

/* Grows for a spilled body, at most to FRAME_BODY_MAX, until the next frame is waited for; wiped
 * and freed by frame_buffer_clear. A locked one is for frames with keys in them: its memory is never
 * swapped or dumped, it is wiped before the next frame is waited for, and takes no spilled body
 * (CHANNEL_MALFORMED). */
struct frame_buffer {
	uint8_t *memory;
	size_t capacity;
	bool locked; /* set before the first frame; {.locked = true} */
};
void frame_buffer_clear(struct frame_buffer *buffer);

/* A connected pair, close-on-exec, non-inheritable until the supervisor says so. */
__attribute__((warn_unused_result)) enum channel_status channel_pair(int ret_ends[2]);
/* Blocks until sent. Safe from many threads. A body above FRAME_BODY_MAX is CHANNEL_MALFORMED,
 * and nothing is sent. */
__attribute__((warn_unused_result)) enum channel_status channel_send(int channel,
								     const struct frame *frame);
/* Blocks until a frame is there. */
__attribute__((warn_unused_result)) enum channel_status
channel_receive(int channel, struct frame_buffer *buffer, struct frame *ret_frame);

#endif
