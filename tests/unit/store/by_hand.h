/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FORMAT.md, read by one who has only that: keys and records are derived here a second time,
 * without the store's code. It is whoever has the files, and perhaps the root key.
 */
#ifndef TESTS_STORE_BY_HAND_H
#define TESTS_STORE_BY_HAND_H

#include "fixture.h"

struct buffer {
	uint8_t bytes[4096];
	size_t size;
};
void add(struct buffer *to, const void *bytes, size_t size);
void add_number(struct buffer *to, uint64_t value, int size);
void add_label(struct buffer *to, const char *label); /* and its NUL */
uint64_t number_at(const uint8_t *at, int size);

/* One record as it lies there. The store is closed; for the memory's backend it need not be. */
struct lying {
	char key[64];
	uint64_t revision; /* 0: there is none */
	struct buffer body;
};
struct lying load(struct fixture *fixture, const char *key);
void save(struct fixture *fixture,
	  const struct lying *record); /* what load says of none: removes it */
void save_into(struct backend *backend, const struct lying *record); /* under an open store */
void save_slot(struct fixture *fixture, uint64_t slot, const uint8_t bytes[32]);
void load_slot(struct fixture *fixture, uint64_t slot, uint8_t ret_bytes[32]);

/* What the header and a root key give. */
struct by_hand {
	uint8_t id[16];
	uint32_t current;
	uint32_t oldest;
	uint64_t slot;
	uint64_t revision;
	struct buffer note;
	uint8_t wrap[32]; /* from the root key and the slot */
	uint8_t header[32];
};
/* False if the root key is not the header's. The header's mac is asserted. */
bool by_hand_begin(struct fixture *fixture, const struct secret *root_key,
		   const struct lying *header, struct by_hand *ret_hand);
bool by_hand_unwrap(const struct by_hand *hand, const struct lying *wrapped, uint32_t generation,
		    uint8_t ret_key[32]);
/* `slot_bytes` for an erasable record. */
bool by_hand_unseal(const uint8_t data_key[32], const struct lying *sealed,
		    const uint8_t slot_bytes[32], struct buffer *ret_value);
/* The header and a wrapped key, made by one who knows all. */
struct lying by_hand_header(const struct by_hand *hand, const uint8_t key_check[32]);
struct lying by_hand_wrap(const struct by_hand *hand, uint32_t generation, const uint8_t key[32]);

#endif
