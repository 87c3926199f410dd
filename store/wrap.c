/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The random keys as they lie in the file: wrapped under a key from the root key and from a slot.
 * Each change of them wraps all anew under another slot, and the old one is erased: LMDB's free
 * pages keep what was wrapped before, and neither a former root key nor the present one is to open
 * it.
 */
#include "bytes.h"
#include "keyring.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SLOT_LABEL "postern/store/wrap-slot/v1" /* each with its NUL */
#define KEY_LABEL  "postern/store/data-key/v2"
#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

_Static_assert(WRAPPED_SIZE == NONCE_SIZE + KEY_SIZE + crypto_aead_xchacha20poly1305_ietf_ABYTES,
	       "what FORMAT.md says");

#define ASSOCIATED_SIZE (sizeof KEY_LABEL + STORE_ID_SIZE + 4 + 8)

static void
associate(const struct header *header, uint32_t generation, uint8_t ret_bytes[ASSOCIATED_SIZE])
{
	uint8_t *at = ret_bytes;

	memcpy(at, KEY_LABEL, sizeof KEY_LABEL);
	memcpy(at += sizeof KEY_LABEL, header->id, STORE_ID_SIZE);
	put_be32(at += STORE_ID_SIZE, generation);
	put_be64(at + 4, header->revision);
}

/* In locked memory as all keys; NULL if there is none. */
static struct secret *
slot_key_of(const struct keys *keys, uint64_t slot, const uint8_t slot_bytes[BACKEND_SLOT_SIZE])
{
	struct secret *derived = secret_new(KEY_SIZE);
	uint8_t input[sizeof SLOT_LABEL + 8 + BACKEND_SLOT_SIZE];

	if (!derived)
		return NULL;
	memcpy(input, SLOT_LABEL, sizeof SLOT_LABEL);
	put_be64(input + sizeof SLOT_LABEL, slot);
	memcpy(input + sizeof SLOT_LABEL + 8, slot_bytes, BACKEND_SLOT_SIZE);
	crypto_generichash(derived->bytes, KEY_SIZE, input, sizeof input, keys->wrap, KEY_SIZE);
	sodium_memzero(input, sizeof input);
	return derived;
}

void
store_keyring_name(uint32_t generation, char ret_name[WRAPPED_NAME_SIZE])
{
	if (generation == 0)
		strcpy(ret_name, WRAPPED_SET_KEY);
	else
		snprintf(ret_name, WRAPPED_NAME_SIZE, WRAPPED_KEY_PREFIX "%08x", generation);
}

static uint8_t *
place_of(struct keys *keys, uint32_t generation)
{
	return generation == 0 ? keys->set : data_key_of(keys, generation);
}

/* ---- out ---- */

static void
wrap_one(const struct keyring_change *change, const struct secret *slot_key, uint32_t generation,
	 uint8_t ret_wrapped[WRAPPED_SIZE])
{
	uint8_t associated[ASSOCIATED_SIZE];

	associate(&change->header, generation, associated);
	randombytes_buf(ret_wrapped, NONCE_SIZE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		ret_wrapped + NONCE_SIZE, NULL, place_of(keys_of(change->secret), generation),
		KEY_SIZE, associated, sizeof associated, NULL, ret_wrapped, slot_key->bytes);
}

enum store_status
store_keyring_wrap(const struct keyring_change *change, const uint8_t slot_bytes[BACKEND_SLOT_SIZE],
		   store_keyring_wrapped *visit, void *user, struct store_error *err)
{
	const struct header *header = &change->header;
	auto_secret *slot_key = slot_key_of(keys_of(change->secret), header->slot, slot_bytes);
	char name[WRAPPED_NAME_SIZE];
	uint8_t wrapped[WRAPPED_SIZE];
	enum store_status status = STORE_OK;

	if (!slot_key)
		return store_fail(err, STORE_MEMORY, "no memory that can be locked");
	store_keyring_name(0, name);
	wrap_one(change, slot_key, 0, wrapped);
	status = visit(user, name, wrapped, err);
	for (uint32_t g = header->oldest; g <= header->current && status == STORE_OK; g++) {
		store_keyring_name(g, name);
		wrap_one(change, slot_key, g, wrapped);
		status = visit(user, name, wrapped, err);
	}
	return status;
}

/* ---- in ---- */

static enum store_status
unwrap_one(const struct view *view, const struct header *header, const struct secret *slot_key,
	   uint32_t generation, uint8_t *ret_key, struct store_error *err)
{
	char name[WRAPPED_NAME_SIZE];
	uint8_t wrapped[WRAPPED_SIZE], associated[ASSOCIATED_SIZE];
	struct backend_record record;

	store_keyring_name(generation, name);
	enum store_status status = view_get(view, name, &record, err);
	if (status == STORE_MISSING)
		return store_fail(err, STORE_TAMPERED, "%s: the key is gone", name);
	if (status != STORE_OK)
		return status;
	struct reader r = {.rest = record.body};
	read_into(&r, wrapped, sizeof wrapped);
	if (!reader_finished(&r) || record.revision != header->revision)
		return store_fail(err, STORE_TAMPERED, "%s: not the key that the header names",
				  name);
	associate(header, generation, associated);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    ret_key, NULL, NULL, wrapped + NONCE_SIZE, sizeof wrapped - NONCE_SIZE,
		    associated, sizeof associated, wrapped, slot_key->bytes) != 0)
		return store_fail(err, STORE_TAMPERED, "%s: does not open", name);
	return STORE_OK;
}

enum store_status
store_keyring_unwrap(const struct view *view, const struct header *header, struct keys *keys,
		     struct store_error *err)
{
	struct backend *backend = view->backend;
	uint8_t slot_bytes[BACKEND_SLOT_SIZE];
	enum store_status status =
		backend->class->slot_read(backend, header->slot, slot_bytes, err);

	if (status != STORE_OK)
		return status;
	auto_secret *slot_key = slot_key_of(keys, header->slot, slot_bytes);
	sodium_memzero(slot_bytes, sizeof slot_bytes);
	if (!slot_key)
		return store_fail(err, STORE_MEMORY, "no memory that can be locked");
	status = unwrap_one(view, header, slot_key, 0, keys->set, err);
	for (uint32_t g = header->oldest; g <= header->current && status == STORE_OK; g++)
		status = unwrap_one(view, header, slot_key, g, data_key_of(keys, g), err);
	return status;
}
