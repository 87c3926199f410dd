/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Under ASan what is not taken is poisoned, with a gap behind each block: reading past one, or
 * after a reset, is seen although the memory is ours. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONED
#endif
#endif
#ifdef ARENA_POISONED
#define GAP 16
/* <sanitizer/asan_interface.h>, which is no header of libc, has `const volatile` here, from which
 * gcc concludes that they read what they are given. */
void __asan_poison_memory_region(volatile void *address, size_t size);
void __asan_unpoison_memory_region(volatile void *address, size_t size);
#else
#define GAP 0
#endif

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

static void
poison(void *address, size_t size)
{
#ifdef ARENA_POISONED
	__asan_poison_memory_region(address, size);
#else
	(void)address;
	(void)size;
#endif
}

static void
unpoison(void *address, size_t size)
{
#ifdef ARENA_POISONED
	__asan_unpoison_memory_region(address, size);
#else
	(void)address;
	(void)size;
#endif
}

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
	poison(chunk->bytes, chunk_size);
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
	size_t wanted;

	if (__builtin_mul_overflow(count, size, &wanted) || wanted > SIZE_MAX - ALIGNMENT - GAP)
		return NULL;
	size_t bytes = (wanted + GAP + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (bytes == 0)
		bytes = ALIGNMENT;
	struct arena_chunk *chunk = chunk_with_room(arena, bytes);
	if (chunk == NULL)
		return NULL;
	void *taken = chunk->bytes + chunk->used;
	chunk->used += bytes;
	unpoison(taken, wanted);
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
	for (struct arena_chunk *chunk = arena->first; chunk != NULL; chunk = chunk->next)
		poison(chunk->bytes, chunk->size);
	arena->current = NULL;
}

void
arena_free(struct arena *arena)
{
	struct arena_chunk *chunk = arena->first;

	while (chunk != NULL) {
		struct arena_chunk *next = chunk->next;
		unpoison(chunk->bytes, chunk->size);
		free(chunk);
		chunk = next;
	}
	arena->first = NULL;
	arena->current = NULL;
}
