/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is given back all at once. */
#ifndef POLICY_ARENA_H
#define POLICY_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *first;
	struct arena_chunk *current; /* NULL until something was taken */
};

/* `count` items of `size` bytes, aligned for any of our types and not initialised; NULL when memory
 * runs out or the product overflows. Never NULL for nothing: no items still have an address. */
void *arena_take(struct arena *arena, size_t count, size_t size);
/* An array of `count` items with room for one more: `items` itself or, when `*capacity` is reached,
 * a copy of twice the size. NULL when memory runs out; what was there stays valid. */
void *arena_grow(struct arena *arena, void *items, size_t count, size_t size, size_t *capacity);
/* Forgets everything taken and keeps the memory for the next round. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

#endif
