/* SPDX-License-Identifier: Apache-2.0 */
#include "keyring.h"

#include <sched.h>
#include <sodium.h>
#include <string.h>

/* Each use of the root key has a label of its own; its NUL is part of it. */
#define WRAP_LABEL   "postern/store/wrap/v2"
#define HEADER_LABEL "postern/store/header/v2"
#define BACKUP_LABEL "postern/store/backup/v1"
#define CHECK_LABEL  "postern/store/key-check/v1"

_Static_assert(KEY_SIZE == STORE_ROOT_KEY_SIZE, "one size of key");
_Static_assert(sizeof(struct keys) == KEY_SIZE * (4 + GENERATIONS_LIVE), "nothing but keys");

void
store_keyring_clear(struct keyring *keyring)
{
	secret_free(keyring->secret);
	keyring->secret = NULL;
	keyring->keys = NULL;
	keyring->header = (struct header){0};
	atomic_store(&keyring->current, 0);
	atomic_store(&keyring->oldest, 0);
}

/* ---- from the root key ---- */

/* BLAKE2b-256 keyed with the root key, over label || store id. */
static void
derive(const struct secret *root_key, const char *label, const uint8_t id[STORE_ID_SIZE],
       uint8_t ret_derived[KEY_SIZE])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, root_key->bytes, root_key->size, KEY_SIZE);
	crypto_generichash_update(&state, (const uint8_t *)label, strlen(label) + 1);
	crypto_generichash_update(&state, id, STORE_ID_SIZE);
	crypto_generichash_final(&state, ret_derived, KEY_SIZE);
	sodium_memzero(&state, sizeof state);
}

struct secret *
store_keyring_derive(const struct secret *root_key, const uint8_t id[STORE_ID_SIZE],
		     uint8_t ret_key_check[HEADER_CHECK_SIZE])
{
	struct secret *secret = secret_new(sizeof(struct keys));

	if (!secret)
		return NULL;
	struct keys *keys = keys_of(secret);
	derive(root_key, WRAP_LABEL, id, keys->wrap);
	derive(root_key, HEADER_LABEL, id, keys->header);
	derive(root_key, BACKUP_LABEL, id, keys->backup);
	derive(root_key, CHECK_LABEL, id, ret_key_check);
	return secret;
}

/* Takes the secret over. */
static void
put_in_force(struct keyring *keyring, const struct header *header, struct secret *secret)
{
	keyring->header = *header;
	keyring->secret = secret;
	keyring->keys = keys_of(secret);
	atomic_store(&keyring->current, header->current);
	atomic_store(&keyring->oldest, header->oldest);
}

enum store_status
store_keyring_found(const struct secret *root_key, struct store_bytes note,
		    struct keyring *ret_keyring, struct store_error *err)
{
	struct header header = {.current = 1, .oldest = 1, .note_size = note.size};

	if (note.size > STORE_NOTE_MAX)
		return store_fail(err, STORE_LIMIT, "a note of %zu bytes", note.size);
	if (note.size > 0)
		memcpy(header.note, note.data, note.size);
	/* The root key's own memory has started libsodium. */
	randombytes_buf(header.id, sizeof header.id);
	struct secret *secret = store_keyring_derive(root_key, header.id, header.key_check);
	if (!secret)
		return store_fail(err, STORE_MEMORY, "no memory that can be locked");
	randombytes_buf(keys_of(secret)->set, KEY_SIZE);
	randombytes_buf(data_key_of(keys_of(secret), 1), KEY_SIZE);
	put_in_force(ret_keyring, &header, secret);
	return STORE_OK;
}

/* ---- from the file ---- */

static enum store_status
check_generations(const struct header *header, struct store_error *err)
{
	if (header->oldest == 0 || header->oldest > header->current ||
	    header->current - header->oldest >= GENERATIONS_LIVE)
		return store_fail(err, STORE_TAMPERED, HEADER_KEY ": generations %u to %u",
				  header->oldest, header->current);
	return STORE_OK;
}

enum store_status
store_keyring_load(const struct view *view, const struct secret *root_key,
		   struct keyring *ret_keyring, struct store_error *err)
{
	struct header header = {0};
	uint8_t key_check[HEADER_CHECK_SIZE];
	enum store_status status = store_header_read(view, &header, err);

	if (status != STORE_OK)
		return status;
	auto_secret *secret = store_keyring_derive(root_key, header.id, key_check);
	if (!secret)
		return store_fail(err, STORE_MEMORY, "no memory that can be locked");
	status = store_header_prove(&header, key_check, keys_of(secret)->header, err);
	if (status == STORE_OK)
		status = check_generations(&header, err);
	if (status == STORE_OK)
		status = store_keyring_unwrap(view, &header, keys_of(secret), err);
	if (status != STORE_OK)
		return status;
	put_in_force(ret_keyring, &header, secret);
	secret = NULL;
	return STORE_OK;
}

/* ---- changes ---- */

void
store_keyring_change_clear(struct keyring_change *change)
{
	secret_free(change->secret);
	change->secret = NULL;
}

enum store_status
store_keyring_prepare(const struct keyring *keyring, struct keyring_change *ret_change,
		      struct store_error *err)
{
	struct secret *secret = secret_new(sizeof(struct keys));

	if (!secret)
		return store_fail(err, STORE_MEMORY, "no memory that can be locked");
	memcpy(secret->bytes, keyring->keys, sizeof(struct keys));
	ret_change->header = keyring->header;
	ret_change->secret = secret;
	return STORE_OK;
}

enum store_status
store_keyring_reload(const struct view *view, const struct keyring *keyring,
		     struct keyring_change *ret_change, struct store_error *err)
{
	enum store_status status = store_keyring_prepare(keyring, ret_change, err);

	if (status == STORE_OK)
		status = store_header_read(view, &ret_change->header, err);
	if (status == STORE_OK)
		status = store_header_prove(&ret_change->header, keyring->header.key_check,
					    keyring->keys->header, err);
	if (status == STORE_OK)
		status = check_generations(&ret_change->header, err);
	if (status == STORE_OK)
		status = store_keyring_unwrap(view, &ret_change->header,
					      keys_of(ret_change->secret), err);
	return status;
}

/*
 * Until everybody who held the keyring before now has let go. Whoever comes goes to the other side
 * meanwhile, so that each side empties; one who was slow to take its side may still be found on the
 * second, hence both.
 */
static void
wait_for_holders(struct keyring *keyring)
{
	for (int i = 0; i < 2; i++) {
		uint32_t side = atomic_fetch_xor(&keyring->side, 1);
		while (atomic_load(&keyring->holders[side]) > 0)
			sched_yield();
	}
}

/* A new generation's place is nobody's until `current` names it; a retired one's is everybody's
 * until all who may have seen `oldest` before are gone. */
void
store_keyring_adopt(struct keyring *keyring, const struct keyring_change *change)
{
	const struct header *header = &change->header;
	struct keys *from = keys_of(change->secret), *keys = keyring->keys;
	const uint32_t oldest = atomic_load(&keyring->oldest);

	memcpy(keys->wrap, from->wrap, KEY_SIZE);
	memcpy(keys->header, from->header, KEY_SIZE);
	memcpy(keys->backup, from->backup, KEY_SIZE);
	for (uint32_t g = atomic_load(&keyring->current) + 1; g <= header->current; g++)
		memcpy(data_key_of(keys, g), data_key_of(from, g), KEY_SIZE);
	atomic_store(&keyring->current, header->current);
	atomic_store(&keyring->oldest, header->oldest);
	keyring->header = *header;
	if (oldest == header->oldest)
		return;
	wait_for_holders(keyring);
	for (uint32_t g = oldest; g < header->oldest; g++)
		sodium_memzero(data_key_of(keys, g), KEY_SIZE);
}

/* ---- readers ---- */

const uint8_t *
store_keyring_hold(struct keyring *keyring, uint32_t generation, uint32_t *ret_side)
{
	*ret_side = atomic_load(&keyring->side);
	atomic_fetch_add(&keyring->holders[*ret_side], 1);
	/* After the line above, so that whoever retires it either sees us or is seen by us. */
	if (generation < atomic_load(&keyring->oldest) ||
	    generation > atomic_load(&keyring->current))
		return NULL;
	return data_key_of(keyring->keys, generation);
}

void
store_keyring_release(struct keyring *keyring, uint32_t side)
{
	atomic_fetch_sub(&keyring->holders[side], 1);
}
