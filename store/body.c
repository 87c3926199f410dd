/* SPDX-License-Identifier: Apache-2.0 */
#include "body.h"
#include "bytes.h"

#include <sodium.h>
#include <string.h>

#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define MAC_SIZE   crypto_aead_xchacha20poly1305_ietf_ABYTES
#define PLACE_SIZE (4 + 8)

#define RECORD_LABEL   "postern/store/record/v2" /* with its NUL */
#define ERASABLE_LABEL "erasable"		 /* without: it fills half a block with the slot */

_Static_assert(BODY_HEADER_SIZE == PLACE_SIZE + NONCE_SIZE, "what FORMAT.md says");
_Static_assert(sizeof ERASABLE_LABEL - 1 + 8 == crypto_core_hchacha20_INPUTBYTES, "a whole block");
_Static_assert(KEY_SIZE == crypto_core_hchacha20_KEYBYTES && KEY_SIZE == BACKEND_SLOT_SIZE &&
		       KEY_SIZE == crypto_core_hchacha20_OUTPUTBYTES,
	       "a slot is a key");
_Static_assert(BODY_OVERHEAD == BODY_HEADER_SIZE + MAC_SIZE, "what FORMAT.md says");

/* label || generation:u32 || slot:u64 || size of key:u16 || key || revision:u64 */
struct associated {
	uint8_t bytes[sizeof RECORD_LABEL + PLACE_SIZE + 2 + BACKEND_KEY_MAX + 8];
	size_t size;
};

static void
associate(struct associated *ret, const uint8_t place[PLACE_SIZE], const char *key,
	  uint64_t revision)
{
	size_t key_size = strnlen(key, BACKEND_KEY_MAX);
	uint8_t *at = ret->bytes;

	memcpy(at, RECORD_LABEL, sizeof RECORD_LABEL);
	memcpy(at += sizeof RECORD_LABEL, place, PLACE_SIZE);
	at += PLACE_SIZE;
	*at++ = (uint8_t)(key_size >> 8);
	*at++ = (uint8_t)key_size;
	memcpy(at, key, key_size);
	put_be64(at += key_size, revision);
	ret->size = (size_t)(at + 8 - ret->bytes);
}

/*
 * The key of one erasable record: HChaCha20 of its place under the data key, XOR the same under the
 * slot's bytes. Each half is a key stream of its own that covers the other, so that whoever lacks
 * either lacks the key. A keyed hash of both would take as long as a third of the decryption.
 *
 * It lives on the stack as long as the record is opened, as the cipher's own subkey does: locked
 * memory would cost more system calls than the reading. The caller wipes it.
 */
static void
derive_erasable(const uint8_t data_key[KEY_SIZE], uint64_t slot,
		const uint8_t slot_bytes[BACKEND_SLOT_SIZE], uint8_t ret_key[KEY_SIZE])
{
	uint8_t place[crypto_core_hchacha20_INPUTBYTES] = ERASABLE_LABEL;
	uint8_t cover[KEY_SIZE];

	put_be64(place + sizeof ERASABLE_LABEL - 1, slot);
	crypto_core_hchacha20(ret_key, place, data_key, NULL);
	crypto_core_hchacha20(cover, place, slot_bytes, NULL);
	for (size_t i = 0; i < KEY_SIZE; i++)
		ret_key[i] ^= cover[i];
	sodium_memzero(cover, sizeof cover);
}

void
store_body_seal(const struct keyring *keyring, const char *key, uint64_t revision, uint64_t slot,
		const uint8_t *slot_bytes, struct store_bytes value, uint8_t *sealed)
{
	const uint32_t generation = atomic_load(&keyring->current);
	const uint8_t *data_key = data_key_of(keyring->keys, generation);
	uint8_t *nonce = sealed + PLACE_SIZE;
	uint8_t erasable[KEY_SIZE];
	struct associated associated;

	put_be32(sealed, generation);
	put_be64(sealed + 4, slot);
	randombytes_buf(nonce, NONCE_SIZE);
	associate(&associated, sealed, key, revision);
	if (slot_bytes)
		derive_erasable(data_key, slot, slot_bytes, erasable);
	crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + BODY_HEADER_SIZE, NULL, value.data,
						   value.size, associated.bytes, associated.size,
						   NULL, nonce, slot_bytes ? erasable : data_key);
	if (slot_bytes)
		sodium_memzero(erasable, sizeof erasable);
}

enum store_status
store_body_size(const char *key, const struct backend_record *record, size_t *ret_size,
		struct store_error *err)
{
	if (record->body.size < BODY_OVERHEAD)
		return store_fail(err, STORE_TAMPERED, "%s: too short to be sealed", key);
	if (record->body.size > BODY_SIZE_MAX)
		return store_fail(err, STORE_TAMPERED, "%s: %zu bytes, which no store has sealed",
				  key, record->body.size);
	*ret_size = record->body.size - BODY_OVERHEAD;
	return STORE_OK;
}

struct body_place
store_body_place(const struct backend_record *record)
{
	return (struct body_place){
		.generation = (uint32_t)get_be(record->body.data, 4),
		.slot = get_be(record->body.data + 4, 8),
	};
}

/* A record in our own memory: nobody can change it any more. `text` is opened in place. */
struct copied {
	uint8_t header[BODY_HEADER_SIZE];
	uint8_t mac[MAC_SIZE];
	uint8_t slot_bytes[BACKEND_SLOT_SIZE];
	uint8_t *text;
	size_t size;
	struct associated associated;
};

static bool
open_copied(const struct copied *copied, const uint8_t *key)
{
	return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
		       copied->text, NULL, copied->text, copied->size, copied->mac,
		       copied->associated.bytes, copied->associated.size,
		       copied->header + PLACE_SIZE, key) == 0;
}

static bool
open_under(const struct copied *copied, const uint8_t *data_key, uint64_t slot)
{
	uint8_t erasable[KEY_SIZE];

	if (slot == SLOT_NONE)
		return open_copied(copied, data_key);
	derive_erasable(data_key, slot, copied->slot_bytes, erasable);
	bool opened = open_copied(copied, erasable);
	sodium_memzero(erasable, sizeof erasable);
	return opened;
}

/* All bytes are copied out before any is judged: the file is mapped, and whoever can write to it
 * could otherwise change the text between its check and its use. */
enum store_status
store_body_open(struct backend *backend, struct keyring *keyring, const char *key,
		const struct backend_record *record, uint8_t *value, struct store_error *err)
{
	struct copied copied;
	uint32_t side;
	enum store_status status = store_body_size(key, record, &copied.size, err);

	if (status != STORE_OK)
		return status;
	copied.text = value;
	memcpy(copied.header, record->body.data, BODY_HEADER_SIZE);
	memcpy(value, record->body.data + BODY_HEADER_SIZE, copied.size);
	memcpy(copied.mac, record->body.data + BODY_HEADER_SIZE + copied.size, MAC_SIZE);
	associate(&copied.associated, copied.header, key, record->revision);
	const uint64_t slot = get_be(copied.header + 4, 8);
	if (slot != SLOT_NONE)
		status = backend->class->slot_read(backend, slot, copied.slot_bytes, err);
	if (status == STORE_LIMIT)
		status = store_fail(err, STORE_TAMPERED, "%s: names a slot that cannot be", key);
	if (status != STORE_OK) {
		sodium_memzero(value, copied.size);
		return status;
	}
	const uint8_t *data_key =
		store_keyring_hold(keyring, (uint32_t)get_be(copied.header, 4), &side);
	bool opened = data_key && open_under(&copied, data_key, slot);
	store_keyring_release(keyring, side);
	if (slot != SLOT_NONE)
		sodium_memzero(copied.slot_bytes, sizeof copied.slot_bytes);
	if (opened)
		return STORE_OK;
	sodium_memzero(value, copied.size);
	return store_fail(err, STORE_TAMPERED, "%s: does not open under its key and revision", key);
}
