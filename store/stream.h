/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup as a stream of bytes: chunks, each of which is authenticated together with all before it
 * ere a byte of it is looked at; in them, items. FORMAT.md, "Backups".
 */
#ifndef POSTERN_STORE_STREAM_H
#define POSTERN_STORE_STREAM_H

#include "body.h"
#include "bytes.h"
#include "upkeep.h"

#define STREAM_MAC_SIZE	     32
#define STREAM_NONCE_SIZE    32
#define STREAM_PROLOGUE_SIZE (16 + 4 + STORE_ID_SIZE + HEADER_CHECK_SIZE + STREAM_NONCE_SIZE)
#define STREAM_ITEM_MAX	     (1 + 2 + BACKEND_KEY_MAX + 8 + 4 + BODY_SIZE_MAX)
#define STREAM_CHUNK_FULL    ((size_t)2 * 1024 * 1024) /* no item is added to one that large */
#define STREAM_SLOT_MAX	     (1 + 8 + BACKEND_SLOT_SIZE)
#define STREAM_CHUNK_MAX     (STREAM_CHUNK_FULL + STREAM_ITEM_MAX + STREAM_SLOT_MAX)

enum item_kind {
	ITEM_BEGIN = 'B', /* first: the label, and how many records and entries about */
	ITEM_RECORD = 'R',
	ITEM_SLOT = 'S',      /* of the record before it */
	ITEM_DESTROYED = 'D', /* the record before it was, while the backup was made */
	ITEM_END = 'E',	      /* last: how many of each there were */
};

struct stream_counts {
	uint64_t records;
	uint64_t slots;
	uint64_t destroyed;
};

struct item {
	enum item_kind kind;
	/* ITEM_BEGIN */
	struct store_bytes label;
	uint64_t expected;
	/* ITEM_RECORD: `key` is not terminated */
	struct store_bytes key;
	uint64_t revision;
	struct store_bytes body;
	/* ITEM_SLOT, ITEM_DESTROYED */
	uint64_t slot;
	const uint8_t *slot_bytes;
	/* ITEM_END */
	struct stream_counts counts;
};

/* All that is in `chunk`, in order; false: not what a backup writes. */
__attribute__((warn_unused_result)) bool stream_read_item(struct reader *chunk,
							  struct item *ret_item);

/* ---- out ---- */

struct stream_writer {
	store_sink *sink;
	void *user;
	const uint8_t *key; /* the caller's, KEY_SIZE bytes */
	uint8_t mac[STREAM_MAC_SIZE];
	uint8_t *chunk;
	size_t used;
};

void stream_writer_clear(struct stream_writer *writer);
#define auto_stream_writer __attribute__((cleanup(stream_writer_clear))) struct stream_writer
/* `writer` has sink, user and key. */
__attribute__((warn_unused_result)) enum store_status
stream_begin(struct stream_writer *writer, const struct header *header, struct store_bytes label,
	     uint64_t expected, struct store_error *err);
/* `ret_body`: where the copy of the body lies until the next call. */
__attribute__((warn_unused_result)) enum store_status
stream_add_record(struct stream_writer *writer, const char *key,
		  const struct backend_record *record, struct store_bytes *ret_body,
		  struct store_error *err);
/* Of the record just added: there is room. `bytes` NULL: destroyed. */
void stream_add_slot(struct stream_writer *writer, uint64_t slot, const uint8_t *bytes);
/* Writes what is full. */
__attribute__((warn_unused_result)) enum store_status stream_flush(struct stream_writer *writer,
								   struct store_error *err);
__attribute__((warn_unused_result)) enum store_status stream_end(struct stream_writer *writer,
								 const struct stream_counts *counts,
								 struct store_error *err);

/* ---- in ---- */

struct stream_reader {
	store_source *source;
	void *user;
	const uint8_t *key; /* the caller's; wanted from the first chunk on */
	uint8_t prologue[STREAM_PROLOGUE_SIZE];
	uint8_t mac[STREAM_MAC_SIZE]; /* of all so far, once there was a chunk */
	bool begun;
	uint8_t *chunk;
	bool last; /* the chunk that was read last is */
};

void stream_reader_clear(struct stream_reader *reader);
#define auto_stream_reader __attribute__((cleanup(stream_reader_clear))) struct stream_reader
/* `reader` has source and user. What is returned is not proven: it tells which key will. */
__attribute__((warn_unused_result)) enum store_status
stream_open(struct stream_reader *reader, uint8_t ret_id[STORE_ID_SIZE],
	    uint8_t ret_key_check[HEADER_CHECK_SIZE], struct store_error *err);
/* Valid until the next call. After the last chunk the stream must be at its end. */
__attribute__((warn_unused_result)) enum store_status
stream_next_chunk(struct stream_reader *reader, struct store_bytes *ret_chunk,
		  struct store_error *err);

#endif
