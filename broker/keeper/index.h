/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from short byte strings to things. Keys are the things' own bytes, which must stay
 * where they are. The hash is keyed with a random key: names of AKs come from outside.
 */
#ifndef POSTERN_KEEPER_INDEX_H
#define POSTERN_KEEPER_INDEX_H

#include "attest/bytes.h"

struct index_entry {
	struct bytes key;
	void *thing; /* NULL: a free place */
};

struct index {
	struct index_entry *entries;
	size_t capacity; /* a power of two, or 0 */
	size_t count;
	uint8_t hash_key[16];
};

void index_start(struct index *index);
void index_clear(struct index *index);
void *index_find(const struct index *index, struct bytes key);
/* The key must not be there yet. False: no memory, and nothing changed. */
__attribute__((warn_unused_result)) bool index_add(struct index *index, struct bytes key,
						   void *thing);

#endif
