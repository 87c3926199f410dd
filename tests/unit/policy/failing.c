/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"

#include <stdbool.h>

struct failing failing;

void *__real_arena_take(void *arena, size_t count, size_t size);
void *__wrap_arena_take(void *arena, size_t count, size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static bool
fails(void)
{
	return ++failing.allocations >= failing.at && failing.at > 0;
}

void *
__wrap_arena_take(void *arena, size_t count, size_t size)
{
	if (fails())
		return NULL;
	failing.bytes += count * size;
	return __real_arena_take(arena, count, size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *
__wrap_malloc(size_t size)
{
	failing.chunks++;
	return fails() ? NULL : __real_malloc(size);
}
