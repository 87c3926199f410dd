/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only home of secret bytes: locked in memory, between guard pages, left out of core dumps,
 * wiped when freed. A header of its own because the command's prompts and the keeper's scratch need
 * it without a store.
 */
#ifndef POSTERN_STORE_SECRET_H
#define POSTERN_STORE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret {
	size_t size;	 /* bytes in use; the holder may lower it, and raise it up to capacity */
	size_t capacity; /* bytes owned */
	uint8_t bytes[];
};

/* Zeroed, size = capacity. NULL when memory cannot be had *or locked* (RLIMIT_MEMLOCK). */
struct secret *secret_new(size_t capacity);
/* Wipes. NULL is fine. */
void secret_free(struct secret *secret);
/* Constant time in the contents; sizes are not secret. */
bool secret_equals(const struct secret *a, const struct secret *b);

static inline void
secret_free_at(struct secret **secret)
{
	secret_free(*secret);
}
#define auto_secret __attribute__((cleanup(secret_free_at))) struct secret

#endif
