/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE_FIRST 4096
#define CHUNK_SIZE_MAX	 (256 * 1024)
#define ALIGNMENT	 16
#define CAPACITY_FIRST	 8

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	size_t used;
	/* The header's size must keep the bytes aligned. */
	_Alignas(ALIGNMENT) unsigned char bytes[];
};

/* Chunks grow with the arena, so that a large set does not cost thousands of allocations. */
static size_t
chunk_size_for(const struct arena *arena, size_t size)
{
	size_t wanted = CHUNK_SIZE_FIRST;

	if (arena->current != NULL)
		wanted = arena->current->size * 2;
	if (wanted > CHUNK_SIZE_MAX)
		wanted = CHUNK_SIZE_MAX;
	return size > wanted ? size : wanted;
}

static struct arena_chunk *
add_chunk(struct arena *arena, size_t size)
{
	size_t chunk_size = chunk_size_for(arena, size);
	if (chunk_size > SIZE_MAX - sizeof(struct arena_chunk))
		return NULL;
	struct arena_chunk *chunk = malloc(sizeof(*chunk) + chunk_size);
	if (chunk == NULL)
		return NULL;
	chunk->size = chunk_size;
	chunk->used = 0;
	if (arena->current == NULL) {
		chunk->next = arena->first;
		arena->first = chunk;
	} else {
		chunk->next = arena->current->next;
		arena->current->next = chunk;
	}
	return chunk;
}

/* The chunk that has room for `size` more bytes: this one, the next one kept from an earlier round,
 * or a new one between them. */
static struct arena_chunk *
chunk_with_room(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->current;

	if (chunk != NULL && chunk->size - chunk->used >= size)
		return chunk;
	chunk = chunk == NULL ? arena->first : chunk->next;
	if (chunk == NULL || chunk->size < size)
		chunk = add_chunk(arena, size);
	else
		chunk->used = 0;
	if (chunk != NULL)
		arena->current = chunk;
	return chunk;
}

void *
arena_take(struct arena *arena, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - ALIGNMENT)
		return NULL;
	bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (bytes == 0)
		bytes = ALIGNMENT;
	struct arena_chunk *chunk = chunk_with_room(arena, bytes);
	if (chunk == NULL)
		return NULL;
	void *taken = chunk->bytes + chunk->used;
	chunk->used += bytes;
	return taken;
}

void *
arena_grow(struct arena *arena, void *items, size_t count, size_t size, size_t *capacity)
{
	if (count < *capacity)
		return items;
	size_t wanted = *capacity == 0 ? CAPACITY_FIRST : *capacity * 2;
	void *grown = arena_take(arena, wanted, size);
	if (grown == NULL)
		return NULL;
	if (count > 0)
		memcpy(grown, items, count * size);
	*capacity = wanted;
	return grown;
}

void
arena_reset(struct arena *arena)
{
	arena->current = NULL;
}

void
arena_free(struct arena *arena)
{
	struct arena_chunk *chunk = arena->first;

	while (chunk != NULL) {
		struct arena_chunk *next = chunk->next;
		free(chunk);
		chunk = next;
	}
	arena->first = NULL;
	arena->current = NULL;
}
