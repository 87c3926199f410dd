/* SPDX-License-Identifier: Apache-2.0 */
/* What `init` puts into a new store: the broker's keys, and revision 1 of the trust state. */
#ifndef POSTERN_COMMAND_FOUNDING_H
#define POSTERN_COMMAND_FOUNDING_H

#include "store/store.h"

struct founding {
	uint8_t release_key[32]; /* public keys */
	uint8_t intake_key[32];
	uint8_t answer_key[32];
};

/* Makes the store at `path` (which must not exist) and commits all of it in one batch. `note` is
 * the root key's share set, or empty; `seed` the first operator's Ed25519 seed. 0, or an exit
 * status that was said. */
int founding_make(const char *path, const struct secret *root_key, struct store_bytes note,
		  const char *operator_name, const struct secret *seed,
		  struct founding *ret_founding);

#endif
