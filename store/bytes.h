/* SPDX-License-Identifier: Apache-2.0 */
/* Big-endian integers, and a cursor over records read back from disk. */
#ifndef POSTERN_STORE_BYTES_H
#define POSTERN_STORE_BYTES_H

#include "store.h"

static inline void
put_be32(uint8_t *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static inline void
put_be64(uint8_t *to, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(value >> (56 - 8 * i));
}

static inline uint64_t
get_be(const uint8_t *from, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | from[i];
	return value;
}

/* Once something is short, all that follows is empty or zero: ask reader_finished at the end. */
struct reader {
	struct store_bytes rest;
	bool failed;
};

/* NULL if fewer than `size` bytes are left. */
static inline const uint8_t *
read_bytes(struct reader *r, size_t size)
{
	const uint8_t *at = r->rest.data;

	if (r->failed || r->rest.size < size) {
		r->failed = true;
		return NULL;
	}
	r->rest.data += size;
	r->rest.size -= size;
	return at;
}

static inline void
read_into(struct reader *r, uint8_t *into, size_t size)
{
	const uint8_t *at = read_bytes(r, size);

	for (size_t i = 0; i < size; i++)
		into[i] = at ? at[i] : 0;
}

static inline uint64_t
read_be(struct reader *r, size_t size)
{
	const uint8_t *at = read_bytes(r, size);

	return at ? get_be(at, size) : 0;
}

static inline bool
reader_finished(const struct reader *r)
{
	return !r->failed && r->rest.size == 0;
}

#endif
