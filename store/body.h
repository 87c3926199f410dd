/* SPDX-License-Identifier: Apache-2.0 */
/* The sealing of one record. FORMAT.md has the bytes. */
#ifndef POSTERN_STORE_BODY_H
#define POSTERN_STORE_BODY_H

#include "keyring.h"

#define BODY_HEADER_SIZE (4 + 8 + 24)		  /* generation, slot, nonce */
#define BODY_OVERHEAD	 (BODY_HEADER_SIZE + 16)  /* ... and the authenticator */
#define BODY_SIZE_MAX	 (STORE_VALUE_MAX + 1024) /* a log's entry has a header, too */
#define SLOT_NONE	 UINT64_MAX		  /* of a record that is not erasable */

struct body_place {
	uint32_t generation;
	uint64_t slot;
};

/* `slot_bytes` NULL: under the data key itself, and `slot` is SLOT_NONE. `sealed` has room for
 * value.size + BODY_OVERHEAD bytes. For the leader: only it knows that the generation stays. */
void store_body_seal(const struct keyring *keyring, const char *key, uint64_t revision,
		     uint64_t slot, const uint8_t *slot_bytes, struct store_bytes value,
		     uint8_t *sealed);
/* `value` has room for store_body_size(record) bytes. Reads the slot of an erasable record. */
__attribute__((warn_unused_result)) enum store_status
store_body_open(struct backend *backend, struct keyring *keyring, const char *key,
		const struct backend_record *record, uint8_t *value, struct store_error *err);
/* STORE_TAMPERED for what no store has sealed. */
__attribute__((warn_unused_result)) enum store_status
store_body_size(const char *key, const struct backend_record *record, size_t *ret_size,
		struct store_error *err);
/* What it says of itself, unproven. The record has a size: see above. */
struct body_place store_body_place(const struct backend_record *record);

#endif
