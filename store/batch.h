/* SPDX-License-Identifier: Apache-2.0 */
/* What a batch holds between the caller who fills it and the leader who commits it. */
#ifndef POSTERN_STORE_BATCH_H
#define POSTERN_STORE_BATCH_H

#include "store.h"

#define STORE_TAG_MAX	128
#define BATCH_BYTES_MAX ((size_t)64 * 1024 * 1024) /* values and entries of one batch, together */

/* A log entry's sealed form: number:u64 || hash || size of tag:u8 || tag || entry. The batch lays
 * it out, the leader fills in number and hash. */
#define ENTRY_HEADER_SIZE (8 + STORE_HASH_SIZE + 1)

enum operation_kind { OPERATION_EXPECT, OPERATION_PUT, OPERATION_DELETE, OPERATION_APPEND };

struct operation {
	enum operation_kind kind;
	char *name;	   /* key, or tag; NULL for an append without one */
	uint64_t revision; /* OPERATION_EXPECT */
	bool erasable;	   /* OPERATION_PUT */
	size_t offset;	   /* in `values`: the value, or the entry's sealed form */
	size_t size;
};

struct store_batch {
	struct operation *operations;
	size_t count;
	size_t capacity;
	struct secret *values; /* all bytes of the batch; size is what is used */
	struct store_error failure;
	size_t erasable; /* puts that take a slot */
	uint64_t number;
};

/* ASCII 0x20-0x7e: what keys and tags are made of. */
bool store_printable(const char *text, size_t size);
/* Printable ASCII, 1..STORE_KEY_MAX bytes. */
__attribute__((warn_unused_result)) enum store_status store_check_key(const char *key,
								      struct store_error *err);
__attribute__((warn_unused_result)) enum store_status store_check_tag(const char *tag,
								      struct store_error *err);

#endif
