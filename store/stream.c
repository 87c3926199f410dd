/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC	       "postern-backup\r\n" /* without its NUL; whoever converts line ends breaks it */
#define MAGIC_SIZE     (sizeof MAGIC - 1)
#define FORMAT_VERSION 1
#define PIECE_MAX      ((size_t)32 * 1024) /* given to the sink at one time */
#define FRAME_SIZE     (1 + 4)		   /* last:u8 || size:u32, before each chunk's bytes */

/* Each with its NUL. */
#define BEGIN_LABEL "postern/backup/begin/v1"
#define CHUNK_LABEL "postern/backup/chunk/v1"

_Static_assert(STREAM_PROLOGUE_SIZE ==
		       MAGIC_SIZE + 4 + STORE_ID_SIZE + HEADER_CHECK_SIZE + STREAM_NONCE_SIZE,
	       "what FORMAT.md says");
_Static_assert(STREAM_CHUNK_MAX <= UINT32_MAX, "a chunk's size is four bytes");

/* ---- macs ---- */

static void
mac_of_prologue(const uint8_t *key, const uint8_t prologue[STREAM_PROLOGUE_SIZE],
		uint8_t ret_mac[STREAM_MAC_SIZE])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, key, KEY_SIZE, STREAM_MAC_SIZE);
	crypto_generichash_update(&state, (const uint8_t *)BEGIN_LABEL, sizeof BEGIN_LABEL);
	crypto_generichash_update(&state, prologue, STREAM_PROLOGUE_SIZE);
	crypto_generichash_final(&state, ret_mac, STREAM_MAC_SIZE);
	sodium_memzero(&state, sizeof state);
}

/* Over the mac before it as well, hence over all that came before. */
static void
mac_of_chunk(const uint8_t *key, const uint8_t before[STREAM_MAC_SIZE],
	     const uint8_t frame[FRAME_SIZE], struct store_bytes chunk,
	     uint8_t ret_mac[STREAM_MAC_SIZE])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, key, KEY_SIZE, STREAM_MAC_SIZE);
	crypto_generichash_update(&state, (const uint8_t *)CHUNK_LABEL, sizeof CHUNK_LABEL);
	crypto_generichash_update(&state, before, STREAM_MAC_SIZE);
	crypto_generichash_update(&state, frame, FRAME_SIZE);
	crypto_generichash_update(&state, chunk.data, chunk.size);
	crypto_generichash_final(&state, ret_mac, STREAM_MAC_SIZE);
	sodium_memzero(&state, sizeof state);
}

/* ---- items ---- */

static void
read_record(struct reader *r, struct item *item)
{
	item->key.size = (size_t)read_be(r, 2);
	item->key.data = read_bytes(r, item->key.size);
	item->revision = read_be(r, 8);
	item->body.size = (size_t)read_be(r, 4);
	item->body.data = read_bytes(r, item->body.size);
	if (item->key.size == 0 || item->key.size > BACKEND_KEY_MAX ||
	    item->body.size > BODY_SIZE_MAX)
		r->failed = true;
}

bool
stream_read_item(struct reader *chunk, struct item *ret_item)
{
	struct item item = {.kind = (enum item_kind)read_be(chunk, 1)};

	switch (item.kind) {
	case ITEM_BEGIN:
		item.label.size = (size_t)read_be(chunk, 2);
		item.label.data = read_bytes(chunk, item.label.size);
		item.expected = read_be(chunk, 8);
		if (item.label.size > STORE_LABEL_MAX)
			chunk->failed = true;
		break;
	case ITEM_RECORD:
		read_record(chunk, &item);
		break;
	case ITEM_SLOT:
		item.slot = read_be(chunk, 8);
		item.slot_bytes = read_bytes(chunk, BACKEND_SLOT_SIZE);
		break;
	case ITEM_DESTROYED:
		item.slot = read_be(chunk, 8);
		break;
	case ITEM_END:
		item.counts.records = read_be(chunk, 8);
		item.counts.slots = read_be(chunk, 8);
		item.counts.destroyed = read_be(chunk, 8);
		break;
	default:
		return false;
	}
	if (chunk->failed)
		return false;
	*ret_item = item;
	return true;
}

/* ---- out ---- */

void
stream_writer_clear(struct stream_writer *writer)
{
	if (writer->chunk) /* it has held slots */
		sodium_memzero(writer->chunk, STREAM_CHUNK_MAX);
	free(writer->chunk);
	writer->chunk = NULL;
}

static enum store_status
write_out(const struct stream_writer *writer, const uint8_t *bytes, size_t size,
	  struct store_error *err)
{
	for (size_t done = 0; done < size;) {
		size_t piece = size - done < PIECE_MAX ? size - done : PIECE_MAX;
		if (!writer->sink(writer->user, (struct store_bytes){bytes + done, piece}))
			return store_fail(err, STORE_IO, "the backup cannot be written");
		done += piece;
	}
	return STORE_OK;
}

static void
add(struct stream_writer *writer, const void *bytes, size_t size)
{
	if (size > 0)
		memcpy(writer->chunk + writer->used, bytes, size);
	writer->used += size;
}

static void
add_be(struct stream_writer *writer, uint64_t value, size_t size)
{
	uint8_t bytes[8];

	put_be64(bytes, value);
	add(writer, bytes + sizeof bytes - size, size);
}

enum store_status
stream_begin(struct stream_writer *writer, const struct header *header, struct store_bytes label,
	     uint64_t expected, struct store_error *err)
{
	uint8_t prologue[STREAM_PROLOGUE_SIZE], *at = prologue;

	if (label.size > STORE_LABEL_MAX)
		return store_fail(err, STORE_LIMIT, "a label of %zu bytes", label.size);
	writer->used = 0;
	writer->chunk = malloc(STREAM_CHUNK_MAX);
	if (!writer->chunk)
		return store_fail(err, STORE_MEMORY, "no memory");
	memcpy(at, MAGIC, MAGIC_SIZE);
	put_be32(at += MAGIC_SIZE, FORMAT_VERSION);
	memcpy(at += 4, header->id, STORE_ID_SIZE);
	memcpy(at += STORE_ID_SIZE, header->key_check, HEADER_CHECK_SIZE);
	/* No two backups begin alike, so that no chunk of one fits into another. */
	randombytes_buf(at + HEADER_CHECK_SIZE, STREAM_NONCE_SIZE);
	mac_of_prologue(writer->key, prologue, writer->mac);
	add_be(writer, ITEM_BEGIN, 1);
	add_be(writer, label.size, 2);
	add(writer, label.data, label.size);
	add_be(writer, expected, 8);
	return write_out(writer, prologue, sizeof prologue, err);
}

static enum store_status
write_chunk(struct stream_writer *writer, bool last, struct store_error *err)
{
	uint8_t frame[FRAME_SIZE] = {last};

	put_be32(frame + 1, (uint32_t)writer->used);
	mac_of_chunk(writer->key, writer->mac, frame,
		     (struct store_bytes){writer->chunk, writer->used}, writer->mac);
	enum store_status status = write_out(writer, frame, sizeof frame, err);
	if (status == STORE_OK)
		status = write_out(writer, writer->chunk, writer->used, err);
	if (status == STORE_OK)
		status = write_out(writer, writer->mac, sizeof writer->mac, err);
	writer->used = 0;
	return status;
}

enum store_status
stream_flush(struct stream_writer *writer, struct store_error *err)
{
	return writer->used < STREAM_CHUNK_FULL ? STORE_OK : write_chunk(writer, false, err);
}

enum store_status
stream_add_record(struct stream_writer *writer, const char *key,
		  const struct backend_record *record, struct store_bytes *ret_body,
		  struct store_error *err)
{
	const size_t key_size = strnlen(key, BACKEND_KEY_MAX);
	const size_t size = record->body.size;
	enum store_status status = stream_flush(writer, err);

	if (status != STORE_OK)
		return status;
	if (size > BODY_SIZE_MAX)
		return store_fail(err, STORE_TAMPERED, "%s: %zu bytes, which no store has sealed",
				  key, size);
	add_be(writer, ITEM_RECORD, 1);
	add_be(writer, key_size, 2);
	add(writer, key, key_size);
	add_be(writer, record->revision, 8);
	add_be(writer, size, 4);
	*ret_body = (struct store_bytes){writer->chunk + writer->used, size};
	add(writer, record->body.data, size);
	return STORE_OK;
}

void
stream_add_slot(struct stream_writer *writer, uint64_t slot, const uint8_t *bytes)
{
	add_be(writer, bytes ? ITEM_SLOT : ITEM_DESTROYED, 1);
	add_be(writer, slot, 8);
	if (bytes)
		add(writer, bytes, BACKEND_SLOT_SIZE);
}

enum store_status
stream_end(struct stream_writer *writer, const struct stream_counts *counts,
	   struct store_error *err)
{
	enum store_status status = stream_flush(writer, err);

	if (status != STORE_OK)
		return status;
	add_be(writer, ITEM_END, 1);
	add_be(writer, counts->records, 8);
	add_be(writer, counts->slots, 8);
	add_be(writer, counts->destroyed, 8);
	return write_chunk(writer, true, err);
}

/* ---- in ---- */

void
stream_reader_clear(struct stream_reader *reader)
{
	if (reader->chunk)
		sodium_memzero(reader->chunk, STREAM_CHUNK_MAX);
	free(reader->chunk);
	reader->chunk = NULL;
}

/* `ret_size` may be less than `size` only at the stream's end. */
static enum store_status
read_some(const struct stream_reader *reader, uint8_t *into, size_t size, size_t *ret_size,
	  struct store_error *err)
{
	size_t done = 0;

	while (done < size) {
		long got = reader->source(reader->user, into + done, size - done);
		if (got < 0 || (size_t)got > size - done)
			return store_fail(err, STORE_IO, "the backup cannot be read");
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*ret_size = done;
	return STORE_OK;
}

static enum store_status
read_all(const struct stream_reader *reader, uint8_t *into, size_t size, struct store_error *err)
{
	size_t got = 0;
	enum store_status status = read_some(reader, into, size, &got, err);

	if (status == STORE_OK && got < size)
		return store_fail(err, STORE_TAMPERED, "the backup is cut short");
	return status;
}

enum store_status
stream_open(struct stream_reader *reader, uint8_t ret_id[STORE_ID_SIZE],
	    uint8_t ret_key_check[HEADER_CHECK_SIZE], struct store_error *err)
{
	struct reader r = {.rest = {reader->prologue, sizeof reader->prologue}};
	enum store_status status = read_all(reader, reader->prologue, MAGIC_SIZE + 4, err);

	if (status != STORE_OK)
		return status;
	if (memcmp(read_bytes(&r, MAGIC_SIZE), MAGIC, MAGIC_SIZE) != 0)
		return store_fail(err, STORE_TAMPERED, "this is not a backup of a store");
	uint32_t version = (uint32_t)read_be(&r, 4);
	if (version != FORMAT_VERSION)
		return store_fail(err, STORE_TAMPERED,
				  "backup format %u is not known to this program (it knows %d)",
				  version, FORMAT_VERSION);
	status = read_all(reader, reader->prologue + MAGIC_SIZE + 4,
			  sizeof reader->prologue - MAGIC_SIZE - 4, err);
	if (status != STORE_OK)
		return status;
	reader->chunk = malloc(STREAM_CHUNK_MAX);
	if (!reader->chunk)
		return store_fail(err, STORE_MEMORY, "no memory");
	read_into(&r, ret_id, STORE_ID_SIZE);
	read_into(&r, ret_key_check, HEADER_CHECK_SIZE);
	return STORE_OK;
}

static enum store_status
check_end(const struct stream_reader *reader, struct store_error *err)
{
	uint8_t more;
	size_t size = 0;
	enum store_status status = read_some(reader, &more, 1, &size, err);

	if (status == STORE_OK && size > 0)
		return store_fail(err, STORE_TAMPERED, "the backup goes on after its end");
	return status;
}

enum store_status
stream_next_chunk(struct stream_reader *reader, struct store_bytes *ret_chunk,
		  struct store_error *err)
{
	uint8_t frame[FRAME_SIZE], mac[STREAM_MAC_SIZE], expected[STREAM_MAC_SIZE];
	struct store_bytes chunk = {.data = reader->chunk};
	enum store_status status = read_all(reader, frame, sizeof frame, err);

	if (status != STORE_OK)
		return status;
	chunk.size = (size_t)get_be(frame + 1, 4);
	if (frame[0] > 1 || chunk.size > STREAM_CHUNK_MAX)
		return store_fail(err, STORE_TAMPERED, "the backup was changed");
	status = read_all(reader, reader->chunk, chunk.size, err);
	if (status == STORE_OK)
		status = read_all(reader, mac, sizeof mac, err);
	if (status != STORE_OK)
		return status;
	if (!reader->begun)
		mac_of_prologue(reader->key, reader->prologue, reader->mac);
	mac_of_chunk(reader->key, reader->mac, frame, chunk, expected);
	if (sodium_memcmp(mac, expected, sizeof mac) != 0)
		return store_fail(err, STORE_TAMPERED, "the backup was changed");
	memcpy(reader->mac, expected, sizeof expected);
	reader->begun = true;
	reader->last = frame[0] == 1;
	if (reader->last)
		status = check_end(reader, err);
	if (status == STORE_OK)
		*ret_chunk = chunk;
	return status;
}
