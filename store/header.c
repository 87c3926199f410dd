/* SPDX-License-Identifier: Apache-2.0 */
#include "header.h"
#include "bytes.h"

#include <sodium.h>
#include <string.h>

#define FORMAT_VERSION 3

/* As it lies there, without its mac. */
static size_t
encode(const struct header *header, uint8_t body[HEADER_SIZE_MAX])
{
	uint8_t *at = body;

	put_be32(at, FORMAT_VERSION);
	memcpy(at += 4, header->id, STORE_ID_SIZE);
	put_be32(at += STORE_ID_SIZE, header->current);
	put_be32(at += 4, header->oldest);
	put_be64(at += 4, header->slot);
	memcpy(at += 8, header->key_check, HEADER_CHECK_SIZE);
	at += HEADER_CHECK_SIZE;
	*at++ = (uint8_t)(header->note_size >> 8);
	*at++ = (uint8_t)header->note_size;
	memcpy(at, header->note, header->note_size);
	return HEADER_FIXED_SIZE + header->note_size;
}

/* Over all that stands before it, and the record's revision. */
static void
compute_mac(const struct header *header, const uint8_t *body, size_t size,
	    const uint8_t header_key[KEY_SIZE], uint8_t ret_mac[HEADER_CHECK_SIZE])
{
	crypto_generichash_state state;
	uint8_t revision[8];

	put_be64(revision, header->revision);
	crypto_generichash_init(&state, header_key, KEY_SIZE, HEADER_CHECK_SIZE);
	crypto_generichash_update(&state, body, size);
	crypto_generichash_update(&state, revision, sizeof revision);
	crypto_generichash_final(&state, ret_mac, HEADER_CHECK_SIZE);
	sodium_memzero(&state, sizeof state);
}

void
store_header_write(const struct header *header, const uint8_t header_key[KEY_SIZE],
		   uint8_t ret_body[HEADER_SIZE_MAX], size_t *ret_size)
{
	size_t size = encode(header, ret_body);

	compute_mac(header, ret_body, size, header_key, ret_body + size);
	*ret_size = size + HEADER_CHECK_SIZE;
}

enum store_status
store_header_prove(const struct header *header, const uint8_t key_check[HEADER_CHECK_SIZE],
		   const uint8_t header_key[KEY_SIZE], struct store_error *err)
{
	uint8_t body[HEADER_SIZE_MAX], mac[HEADER_CHECK_SIZE];

	if (sodium_memcmp(key_check, header->key_check, HEADER_CHECK_SIZE) != 0)
		return store_fail(err, STORE_KEY, "the root key does not open this store");
	compute_mac(header, body, encode(header, body), header_key, mac);
	if (sodium_memcmp(mac, header->mac, HEADER_CHECK_SIZE) != 0)
		return store_fail(err, STORE_TAMPERED, HEADER_KEY ": was changed");
	return STORE_OK;
}

/* The version comes first: what follows it is read only by those who know it. */
static enum store_status
check_version(uint32_t version, struct store_error *err)
{
	if (version == FORMAT_VERSION)
		return STORE_OK;
	if (version < FORMAT_VERSION)
		return store_fail(err, STORE_IO,
				  "format version %u is from before the first release, and is not "
				  "known to this program (it knows %d): make the store anew",
				  version, FORMAT_VERSION);
	return store_fail(err, STORE_IO,
			  "format version %u is not known to this program (it knows %d): a newer "
			  "one wrote it",
			  version, FORMAT_VERSION);
}

static enum store_status
parse(const struct backend_record *record, struct header *header, struct store_error *err)
{
	struct reader r = {.rest = record->body};
	enum store_status status = check_version((uint32_t)read_be(&r, 4), err);

	if (status != STORE_OK)
		return status;
	header->revision = record->revision;
	read_into(&r, header->id, sizeof header->id);
	header->current = (uint32_t)read_be(&r, 4);
	header->oldest = (uint32_t)read_be(&r, 4);
	header->slot = read_be(&r, 8);
	read_into(&r, header->key_check, sizeof header->key_check);
	header->note_size = (size_t)read_be(&r, 2);
	if (header->note_size <= STORE_NOTE_MAX)
		read_into(&r, header->note, header->note_size);
	read_into(&r, header->mac, sizeof header->mac);
	if (header->note_size > STORE_NOTE_MAX || !reader_finished(&r))
		return store_fail(err, STORE_TAMPERED, HEADER_KEY ": %zu bytes are no header",
				  record->body.size);
	return STORE_OK;
}

enum store_status
store_header_read(const struct view *view, struct header *ret_header, struct store_error *err)
{
	struct header header = {0};
	struct backend_record record;
	enum store_status status = view_get(view, HEADER_KEY, &record, err);

	if (status == STORE_MISSING)
		return store_fail(err, STORE_MISSING, "there is no store: it has no header");
	if (status == STORE_OK)
		status = parse(&record, &header, err);
	if (status == STORE_OK)
		*ret_header = header;
	return status;
}
