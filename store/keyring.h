/* SPDX-License-Identifier: Apache-2.0 */
/* The data keys by generation, and the sealing of one record under them. FORMAT.md has the bytes.
 */
#ifndef POSTERN_STORE_KEYRING_H
#define POSTERN_STORE_KEYRING_H

#include "backend.h"

#define HEADER_KEY	 "m/header"
#define DATA_KEY_PREFIX	 "m/key/"
#define STORE_ID_SIZE	 16
#define GENERATIONS_MAX	 1024
#define SEAL_HEADER_SIZE (4 + 24)		 /* generation, nonce */
#define SEAL_OVERHEAD	 (SEAL_HEADER_SIZE + 16) /* ... and the authenticator */

struct keyring {
	struct secret *keys; /* generations 1..current, 32 bytes each */
	uint32_t current;
	struct secret *set_key; /* for digest.c; NULL in a store that is being founded */
};

void store_keyring_clear(struct keyring *keyring);

#define KEYRING_FOUNDING_REVISION 1 /* at which all of a new store is written */
#define KEYRING_HEADER_SIZE	  (4 + STORE_ID_SIZE + 4 + 32)
#define KEYRING_WRAPPED_SIZE	  (24 + 32 + 16)
/* The records that a new store begins with: an identity, and a first data key. */
struct store_keyring_founding {
	char data_key_name[sizeof DATA_KEY_PREFIX + 8];
	uint8_t header[KEYRING_HEADER_SIZE];
	uint8_t wrapped[KEYRING_WRAPPED_SIZE];
	struct keyring keyring; /* the caller clears it */
};
__attribute__((warn_unused_result)) enum store_status
store_keyring_found(const struct secret *root_key, struct store_keyring_founding *ret_founding,
		    struct store_error *err);

/* STORE_MISSING where there is no header; STORE_KEY where the root key is another. */
__attribute__((warn_unused_result)) enum store_status
store_keyring_load(const struct view *view, const struct secret *root_key,
		   struct keyring *ret_keyring, struct store_error *err);

/* `sealed` has room for value.size + SEAL_OVERHEAD bytes. */
void store_keyring_seal(const struct keyring *keyring, const char *key, uint64_t revision,
			struct store_bytes value, uint8_t *sealed);
/* `value` has room for store_keyring_opened_size(record) bytes. */
__attribute__((warn_unused_result)) enum store_status
store_keyring_open(const struct keyring *keyring, const char *key,
		   const struct backend_record *record, uint8_t *value, struct store_error *err);
/* STORE_TAMPERED for what no store has sealed. */
__attribute__((warn_unused_result)) enum store_status
store_keyring_opened_size(const char *key, const struct backend_record *record, size_t *ret_size,
			  struct store_error *err);

#endif
