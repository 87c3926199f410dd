/* SPDX-License-Identifier: Apache-2.0 */
#include "keyring.h"
#include "bytes.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define FORMAT_VERSION 2
#define KEY_SIZE       crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define NONCE_SIZE     crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define MAC_SIZE       crypto_aead_xchacha20poly1305_ietf_ABYTES
#define CHECK_SIZE     32

/* Where the header's fields begin, behind its version:u32. */
#define HEADER_ID	  4
#define HEADER_GENERATION (HEADER_ID + STORE_ID_SIZE)
#define HEADER_CHECK	  (HEADER_GENERATION + 4)

/* Each use of a key has a label of its own; its NUL is part of it. */
#define WRAP_LABEL   "postern/store/wrap/v1"
#define HEADER_LABEL "postern/store/header/v1"
#define KEY_LABEL    "postern/store/data-key/v1"
#define RECORD_LABEL "postern/store/record/v1"
#define SET_LABEL    "postern/store/set-key/v1"

_Static_assert(KEY_SIZE == STORE_ROOT_KEY_SIZE, "one size of key");
_Static_assert(SEAL_OVERHEAD == 4 + NONCE_SIZE + MAC_SIZE, "what FORMAT.md says");
_Static_assert(KEYRING_HEADER_SIZE == HEADER_CHECK + CHECK_SIZE, "what FORMAT.md says");
_Static_assert(KEYRING_WRAPPED_SIZE == NONCE_SIZE + KEY_SIZE + MAC_SIZE, "what FORMAT.md says");

/* label || generation:u32 || size of key:u16 || key || revision:u64 */
struct associated {
	uint8_t bytes[sizeof RECORD_LABEL + 4 + 2 + BACKEND_KEY_MAX + 8];
	size_t size;
};

static void
add(struct associated *to, const void *bytes, size_t size)
{
	memcpy(to->bytes + to->size, bytes, size);
	to->size += size;
}

static void
associate_record(struct associated *ret, const uint8_t generation[4], const char *key,
		 uint64_t revision)
{
	size_t size = strnlen(key, BACKEND_KEY_MAX);
	uint8_t key_size[2] = {(uint8_t)(size >> 8), (uint8_t)size};
	uint8_t number[8];

	ret->size = 0;
	put_be64(number, revision);
	add(ret, RECORD_LABEL, sizeof RECORD_LABEL);
	add(ret, generation, 4);
	add(ret, key_size, sizeof key_size);
	add(ret, key, size);
	add(ret, number, sizeof number);
}

static void
associate_data_key(struct associated *ret, const uint8_t id[STORE_ID_SIZE], uint32_t generation,
		   uint64_t revision)
{
	uint8_t number[4], moved[8];

	ret->size = 0;
	put_be32(number, generation);
	put_be64(moved, revision);
	add(ret, KEY_LABEL, sizeof KEY_LABEL);
	add(ret, id, STORE_ID_SIZE);
	add(ret, number, sizeof number);
	add(ret, moved, sizeof moved);
}

/* BLAKE2b-256 keyed with the root key, over label || store id. */
static struct secret *
derive_key(const struct secret *root_key, const char *label, const uint8_t id[STORE_ID_SIZE])
{
	struct secret *derived = secret_new(KEY_SIZE);
	crypto_generichash_state state;

	if (!derived)
		return NULL;
	crypto_generichash_init(&state, root_key->bytes, root_key->size, KEY_SIZE);
	crypto_generichash_update(&state, (const uint8_t *)label, strlen(label) + 1);
	crypto_generichash_update(&state, id, STORE_ID_SIZE);
	crypto_generichash_final(&state, derived->bytes, KEY_SIZE);
	sodium_memzero(&state, sizeof state);
	return derived;
}

void
store_keyring_clear(struct keyring *keyring)
{
	secret_free(keyring->keys);
	secret_free(keyring->set_key);
	*keyring = (struct keyring){0};
}

static const uint8_t *
key_of_generation(const struct keyring *keyring, uint32_t generation)
{
	if (generation == 0 || generation > keyring->current)
		return NULL;
	return keyring->keys->bytes + KEY_SIZE * (size_t)(generation - 1);
}

/* ---- the header ---- */

struct header {
	uint64_t revision;
	uint8_t bytes[KEYRING_HEADER_SIZE];
	uint32_t generation; /* as in `bytes` */
};

/* Over all that stands before it, and the revision: it proves the root key and the header at once.
 */
static enum store_status
compute_check(const uint8_t bytes[KEYRING_HEADER_SIZE], uint64_t revision,
	      const struct secret *root_key, uint8_t ret_check[CHECK_SIZE], struct store_error *err)
{
	auto_secret *key = derive_key(root_key, HEADER_LABEL, bytes + HEADER_ID);
	uint8_t covered[HEADER_CHECK + 8];

	if (!key)
		return store_fail(err, STORE_MEMORY, "no memory that can be locked");
	memcpy(covered, bytes, HEADER_CHECK);
	put_be64(covered + HEADER_CHECK, revision);
	crypto_generichash(ret_check, CHECK_SIZE, covered, sizeof covered, key->bytes, key->size);
	return STORE_OK;
}

/* The version comes first: what follows it is read only by those who know it. */
static enum store_status
parse_header(const struct backend_record *record, struct header *ret_header,
	     struct store_error *err)
{
	struct reader r = {.rest = record->body};
	struct header header = {.revision = record->revision};

	read_into(&r, header.bytes, HEADER_ID);
	uint32_t version = (uint32_t)get_be(header.bytes, 4);
	if (version != FORMAT_VERSION)
		return store_fail(err, STORE_IO,
				  "format version %u is not known to this program (it knows %d)",
				  version, FORMAT_VERSION);
	read_into(&r, header.bytes + HEADER_ID, sizeof header.bytes - HEADER_ID);
	if (!reader_finished(&r))
		return store_fail(err, STORE_TAMPERED, HEADER_KEY ": %zu bytes are no header",
				  record->body.size);
	header.generation = (uint32_t)get_be(header.bytes + HEADER_GENERATION, 4);
	*ret_header = header;
	return STORE_OK;
}

static enum store_status
read_header(const struct view *view, const struct secret *root_key, struct header *ret_header,
	    struct store_error *err)
{
	struct backend_record record;
	uint8_t check[CHECK_SIZE];
	enum store_status status = view_get(view, HEADER_KEY, &record, err);

	if (status == STORE_MISSING)
		return store_fail(err, STORE_MISSING, "there is no store: it has no header");
	if (status == STORE_OK)
		status = parse_header(&record, ret_header, err);
	if (status == STORE_OK)
		status = compute_check(ret_header->bytes, ret_header->revision, root_key, check,
				       err);
	if (status != STORE_OK)
		return status;
	if (sodium_memcmp(check, ret_header->bytes + HEADER_CHECK, CHECK_SIZE) != 0)
		return store_fail(err, STORE_KEY, "the root key does not open this store");
	if (ret_header->generation == 0 || ret_header->generation > GENERATIONS_MAX)
		return store_fail(err, STORE_TAMPERED, HEADER_KEY ": generation %u",
				  ret_header->generation);
	return STORE_OK;
}

static void
name_data_key(char name[sizeof DATA_KEY_PREFIX + 8], uint32_t generation)
{
	snprintf(name, sizeof DATA_KEY_PREFIX + 8, DATA_KEY_PREFIX "%08x", generation);
}

/* ---- data keys ---- */

static enum store_status
unwrap_data_key(const struct view *view, const struct header *header, const struct secret *wrap_key,
		uint32_t generation, uint8_t data_key[KEY_SIZE], struct store_error *err)
{
	char name[sizeof DATA_KEY_PREFIX + 8];
	uint8_t wrapped[KEYRING_WRAPPED_SIZE];
	struct associated associated;
	struct backend_record record;

	name_data_key(name, generation);
	enum store_status status = view_get(view, name, &record, err);
	if (status == STORE_MISSING)
		return store_fail(err, STORE_TAMPERED, "%s: the data key is gone", name);
	if (status != STORE_OK)
		return status;
	struct reader r = {.rest = record.body};
	read_into(&r, wrapped, sizeof wrapped);
	if (!reader_finished(&r))
		return store_fail(err, STORE_TAMPERED, "%s: no data key", name);
	associate_data_key(&associated, header->bytes + HEADER_ID, generation, record.revision);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    data_key, NULL, NULL, wrapped + NONCE_SIZE, sizeof wrapped - NONCE_SIZE,
		    associated.bytes, associated.size, wrapped, wrap_key->bytes) != 0)
		return store_fail(err, STORE_TAMPERED, "%s: does not open", name);
	return STORE_OK;
}

enum store_status
store_keyring_load(const struct view *view, const struct secret *root_key,
		   struct keyring *ret_keyring, struct store_error *err)
{
	struct header header = {0};
	enum store_status status = read_header(view, root_key, &header, err);

	if (status != STORE_OK)
		return status;
	auto_secret *wrap_key = derive_key(root_key, WRAP_LABEL, header.bytes + HEADER_ID);
	struct keyring keyring = {
		.keys = secret_new(KEY_SIZE * (size_t)header.generation),
		.current = header.generation,
		.set_key = derive_key(root_key, SET_LABEL, header.bytes + HEADER_ID),
	};
	if (!wrap_key || !keyring.keys || !keyring.set_key)
		status = store_fail(err, STORE_MEMORY, "no memory that can be locked");
	for (uint32_t i = 0; i < header.generation && status == STORE_OK; i++)
		status = unwrap_data_key(view, &header, wrap_key, i + 1,
					 keyring.keys->bytes + KEY_SIZE * (size_t)i, err);
	if (status != STORE_OK)
		store_keyring_clear(&keyring);
	else
		*ret_keyring = keyring;
	return status;
}

static enum store_status
write_header(const struct secret *root_key, const uint8_t id[STORE_ID_SIZE],
	     uint8_t header[KEYRING_HEADER_SIZE], struct store_error *err)
{
	put_be32(header, FORMAT_VERSION);
	memcpy(header + HEADER_ID, id, STORE_ID_SIZE);
	put_be32(header + HEADER_GENERATION, 1);
	return compute_check(header, KEYRING_FOUNDING_REVISION, root_key, header + HEADER_CHECK,
			     err);
}

enum store_status
store_keyring_found(const struct secret *root_key, struct store_keyring_founding *ret_founding,
		    struct store_error *err)
{
	auto_secret *keys = secret_new(KEY_SIZE); /* first of all: it starts libsodium */
	uint8_t id[STORE_ID_SIZE];
	struct associated associated;

	if (!keys)
		return store_fail(err, STORE_MEMORY, "no memory that can be locked");
	randombytes_buf(id, sizeof id);
	randombytes_buf(keys->bytes, keys->size);
	auto_secret *wrap_key = derive_key(root_key, WRAP_LABEL, id);
	if (!wrap_key)
		return store_fail(err, STORE_MEMORY, "no memory that can be locked");
	enum store_status status = write_header(root_key, id, ret_founding->header, err);
	if (status != STORE_OK)
		return status;
	name_data_key(ret_founding->data_key_name, 1);
	randombytes_buf(ret_founding->wrapped, NONCE_SIZE);
	associate_data_key(&associated, id, 1, KEYRING_FOUNDING_REVISION);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		ret_founding->wrapped + NONCE_SIZE, NULL, keys->bytes, KEY_SIZE, associated.bytes,
		associated.size, NULL, ret_founding->wrapped, wrap_key->bytes);
	ret_founding->keyring = (struct keyring){.keys = keys, .current = 1};
	keys = NULL;
	return STORE_OK;
}

/* ---- records ---- */

void
store_keyring_seal(const struct keyring *keyring, const char *key, uint64_t revision,
		   struct store_bytes value, uint8_t *sealed)
{
	uint8_t *nonce = sealed + 4;
	uint8_t *text = sealed + SEAL_HEADER_SIZE;
	struct associated associated;

	put_be32(sealed, keyring->current);
	randombytes_buf(nonce, NONCE_SIZE);
	associate_record(&associated, sealed, key, revision);
	crypto_aead_xchacha20poly1305_ietf_encrypt(text, NULL, value.data, value.size,
						   associated.bytes, associated.size, NULL, nonce,
						   key_of_generation(keyring, keyring->current));
}

enum store_status
store_keyring_opened_size(const char *key, const struct backend_record *record, size_t *ret_size,
			  struct store_error *err)
{
	if (record->body.size < SEAL_OVERHEAD)
		return store_fail(err, STORE_TAMPERED, "%s: too short to be sealed", key);
	*ret_size = record->body.size - SEAL_OVERHEAD;
	return STORE_OK;
}

/* All bytes are copied out before any is judged: the file is mapped, and whoever can write to it
 * could otherwise change the text between its check and its use. */
enum store_status
store_keyring_open(const struct keyring *keyring, const char *key,
		   const struct backend_record *record, uint8_t *value, struct store_error *err)
{
	uint8_t header[SEAL_HEADER_SIZE], mac[MAC_SIZE];
	struct associated associated;
	size_t size;
	enum store_status status = store_keyring_opened_size(key, record, &size, err);

	if (status != STORE_OK)
		return status;
	memcpy(header, record->body.data, SEAL_HEADER_SIZE);
	memcpy(value, record->body.data + SEAL_HEADER_SIZE, size);
	memcpy(mac, record->body.data + SEAL_HEADER_SIZE + size, MAC_SIZE);
	const uint8_t *data_key = key_of_generation(keyring, (uint32_t)get_be(header, 4));
	associate_record(&associated, header, key, record->revision);
	if (!data_key || crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
				 value, NULL, value, size, mac, associated.bytes, associated.size,
				 header + 4, data_key) != 0) {
		sodium_memzero(value, size);
		return store_fail(err, STORE_TAMPERED,
				  "%s: does not open under its key and revision", key);
	}
	return STORE_OK;
}
