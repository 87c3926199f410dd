/* SPDX-License-Identifier: Apache-2.0 */
/* Texts with their hash, and UTF-8. */
#ifndef POLICY_TEXT_H
#define POLICY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	const char *data; /* UTF-8, not terminated */
	size_t size;
	uint64_t hash; /* of the bytes: unequal hashes decide most comparisons */
};

/* A text over the caller's bytes, nothing copied. */
struct text text_of(const char *data, size_t size);
/* Once the hashes are found equal. */
bool text_same(const struct text *a, const struct text *b);
static inline bool
text_equal(const struct text *a, const struct text *b)
{
	return a->hash == b->hash && text_same(a, b);
}
bool text_is(const struct text *text, const char *literal);
/* A total order (by hash first: not the alphabet's). */
int text_order(const struct text *a, const struct text *b); /* where the hashes are equal */
static inline int
text_compare(const struct text *a, const struct text *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return text_order(a, b);
}

/* Mixes one more word into a hash. */
uint64_t hash_mix(uint64_t hash, uint64_t word);

#define UTF8_BYTES_MAX 4

bool utf8_valid(const char *data, size_t size);
/* Bytes of the character at the front, 0 where none is well-formed (RFC 3629). */
size_t utf8_read(const char *data, size_t size, uint32_t *ret_character);
/* `character` is a Unicode scalar value; returns the bytes written. */
size_t utf8_write(char bytes[UTF8_BYTES_MAX], uint32_t character);

#endif
