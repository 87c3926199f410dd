/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys: what the root key gives, the data keys by generation, and how they lie wrapped in the
 * file. FORMAT.md has the bytes.
 *
 * A data key may come or go while other threads read under it. They hold the keyring as long as
 * they use a key of it, which takes no lock: whoever lets a generation go waits until all who could
 * have seen it have let go before it wipes the key.
 */
#ifndef POSTERN_STORE_KEYRING_H
#define POSTERN_STORE_KEYRING_H

#include "header.h"

#include <stdatomic.h>

#define WRAPPED_KEY_PREFIX "m/key/"
#define WRAPPED_SET_KEY	   WRAPPED_KEY_PREFIX "set" /* the digest's: digest.c */
#define WRAPPED_NAME_SIZE  (sizeof WRAPPED_KEY_PREFIX + 8)
#define WRAPPED_SIZE	   (24 + KEY_SIZE + 16)
#define GENERATIONS_LIVE   64 /* at one time */

/* In locked memory, as the bytes of one secret. */
struct keys {
	uint8_t wrap[KEY_SIZE]; /* the first three are the root key's, and change with it */
	uint8_t header[KEY_SIZE];
	uint8_t backup[KEY_SIZE];
	uint8_t set[KEY_SIZE];			  /* random, as the data keys */
	uint8_t data[GENERATIONS_LIVE][KEY_SIZE]; /* by generation modulo GENERATIONS_LIVE */
};

struct keyring {
	struct header header; /* in force */
	struct secret *secret;
	struct keys *keys; /* in `secret`; NULL while the store is sealed */
	_Atomic uint32_t current;
	_Atomic uint32_t oldest;
	_Atomic uint32_t holders[2]; /* who came while `side` was that */
	_Atomic uint32_t side;
};

void store_keyring_clear(struct keyring *keyring);

/* What a root key gives: the three keys that change with it, and the header's key_check. The rest
 * of a new secret is zero. NULL: no memory that can be locked. */
struct secret *store_keyring_derive(const struct secret *root_key, const uint8_t id[STORE_ID_SIZE],
				    uint8_t ret_key_check[HEADER_CHECK_SIZE]);
static inline struct keys *
keys_of(struct secret *secret)
{
	return (struct keys *)secret->bytes;
}
static inline uint8_t *
data_key_of(struct keys *keys, uint32_t generation)
{
	return keys->data[generation % GENERATIONS_LIVE];
}

/* The keys of a new store, with its identity and a first generation. */
__attribute__((warn_unused_result)) enum store_status
store_keyring_found(const struct secret *root_key, struct store_bytes note,
		    struct keyring *ret_keyring, struct store_error *err);
/* STORE_MISSING where there is no header; STORE_KEY where the root key is another. */
__attribute__((warn_unused_result)) enum store_status
store_keyring_load(const struct view *view, const struct secret *root_key,
		   struct keyring *ret_keyring, struct store_error *err);
/* ---- a change, which is prepared, written, and only then in force ---- */

/* Header and keys as they will be; the leader of a group fills in revision and slot. */
struct keyring_change {
	struct header header;
	struct secret *secret;
};
void store_keyring_change_clear(struct keyring_change *change);
#define auto_keyring_change                                                                        \
	__attribute__((cleanup(store_keyring_change_clear))) struct keyring_change
__attribute__((warn_unused_result)) enum store_status
store_keyring_prepare(const struct keyring *keyring, struct keyring_change *ret_change,
		      struct store_error *err);
/* What the file says now: another has written it, or we have and do not know. STORE_KEY if the root
 * key has changed. */
__attribute__((warn_unused_result)) enum store_status
store_keyring_reload(const struct view *view, const struct keyring *keyring,
		     struct keyring_change *ret_change, struct store_error *err);
/* `generation` 0: the set key. */
void store_keyring_name(uint32_t generation, char ret_name[WRAPPED_NAME_SIZE]);
/* Called for each key that the header names, and for the set key. */
typedef enum store_status store_keyring_wrapped(void *user, const char *name,
						const uint8_t wrapped[WRAPPED_SIZE],
						struct store_error *err);
__attribute__((warn_unused_result)) enum store_status
store_keyring_wrap(const struct keyring_change *change, const uint8_t slot_bytes[BACKEND_SLOT_SIZE],
		   store_keyring_wrapped *visit, void *user, struct store_error *err);
/* Into keys that have `wrap` already. */
__attribute__((warn_unused_result)) enum store_status
store_keyring_unwrap(const struct view *view, const struct header *header, struct keys *keys,
		     struct store_error *err);
/* It is durable: from now on it holds. */
void store_keyring_adopt(struct keyring *keyring, const struct keyring_change *change);

/* ---- readers ---- */

/* The data key of a generation, or NULL if there is none (any more). Release what was held in
 * either case. */
const uint8_t *store_keyring_hold(struct keyring *keyring, uint32_t generation, uint32_t *ret_side);
void store_keyring_release(struct keyring *keyring, uint32_t side);

#endif
