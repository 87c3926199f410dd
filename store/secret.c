/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* One secret is never larger than this: a size that came from outside must not exhaust memory. */
#define SECRET_CAPACITY_MAX ((size_t)256 * 1024 * 1024)

static pthread_once_t sodium_once = PTHREAD_ONCE_INIT;
static bool sodium_ready;

static void
start_sodium(void)
{
	sodium_ready = sodium_init() >= 0;
}

/*
 * sodium_malloc asks for both of these and drops the answers: ask again and look. mlock does not
 * nest, so that sodium_free's one munlock undoes both.
 */
static bool
lock_pages(const void *start, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = (uintptr_t)start & ~(page - 1);
	uintptr_t to = ((uintptr_t)start + size + page - 1) & ~(page - 1);

	return mlock((const void *)from, to - from) == 0 &&
	       madvise((void *)from, to - from, MADV_DONTDUMP) == 0;
}

struct secret *
secret_new(size_t capacity)
{
	/* The block ends at the guard page, so that it is aligned only if its size is. */
	const size_t alignment = _Alignof(max_align_t);

	if (pthread_once(&sodium_once, start_sodium) != 0 || !sodium_ready)
		return NULL;
	if (capacity > SECRET_CAPACITY_MAX)
		return NULL;
	size_t size = (sizeof(struct secret) + capacity + alignment - 1) & ~(alignment - 1);
	struct secret *secret = sodium_malloc(size);
	if (!secret)
		return NULL;
	if (!lock_pages(secret, size)) {
		sodium_free(secret);
		return NULL;
	}
	memset(secret, 0, size);
	secret->size = capacity;
	secret->capacity = capacity;
	return secret;
}

void
secret_free(struct secret *secret)
{
	sodium_free(secret); /* wipes; NULL is fine */
}

bool
secret_equals(const struct secret *a, const struct secret *b)
{
	return a->size == b->size && sodium_memcmp(a->bytes, b->bytes, a->size) == 0;
}
