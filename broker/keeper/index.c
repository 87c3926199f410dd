/* SPDX-License-Identifier: Apache-2.0 */
#include "index.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_FIRST 64

void
index_start(struct index *index)
{
	*index = (struct index){0};
	_Static_assert(sizeof(index->hash_key) == crypto_shorthash_KEYBYTES, "SipHash's key");
	randombytes_buf(index->hash_key, sizeof(index->hash_key));
}

void
index_clear(struct index *index)
{
	free(index->entries);
	index->entries = NULL;
	index->capacity = 0;
	index->count = 0;
}

/* The place where the key is, or where it would go. */
static struct index_entry *
probe(const struct index *index, struct bytes key)
{
	uint64_t hash;

	crypto_shorthash((unsigned char *)&hash, key.data, key.size, index->hash_key);
	for (size_t i = (size_t)hash & (index->capacity - 1);;
	     i = (i + 1) & (index->capacity - 1)) {
		struct index_entry *entry = &index->entries[i];
		if (!entry->thing || bytes_equal(entry->key, key))
			return entry;
	}
}

void *
index_find(const struct index *index, struct bytes key)
{
	return index->capacity == 0 ? NULL : probe(index, key)->thing;
}

static bool
grow(struct index *index)
{
	struct index larger = *index;

	larger.capacity = index->capacity == 0 ? INDEX_FIRST : index->capacity * 2;
	larger.entries = calloc(larger.capacity, sizeof(*larger.entries));
	if (!larger.entries)
		return false;
	for (size_t i = 0; i < index->capacity; i++) {
		if (index->entries[i].thing)
			*probe(&larger, index->entries[i].key) = index->entries[i];
	}
	free(index->entries);
	*index = larger;
	return true;
}

bool
index_add(struct index *index, struct bytes key, void *thing)
{
	if (index->count >= index->capacity / 2 && !grow(index))
		return false;
	struct index_entry *entry = probe(index, key);
	entry->key = key;
	entry->thing = thing;
	index->count++;
	return true;
}
