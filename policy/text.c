/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <string.h>

#define HASH_SEED	0x9e3779b97f4a7c15U
#define HASH_MULTIPLIER 0xd6e8feb86659fd93U

uint64_t
hash_mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * HASH_MULTIPLIER;
	return hash ^ (hash >> 32);
}

static uint64_t
hash_bytes(const char *data, size_t size)
{
	uint64_t hash = HASH_SEED ^ size;
	uint64_t word;

	while (size >= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		hash = hash_mix(hash, word);
		data += sizeof(word);
		size -= sizeof(word);
	}
	if (size > 0) {
		word = 0;
		memcpy(&word, data, size);
		hash = hash_mix(hash, word);
	}
	return hash_mix(hash, HASH_SEED);
}

struct text
text_of(const char *data, size_t size)
{
	return (struct text){.data = data, .size = size, .hash = hash_bytes(data, size)};
}

bool
text_same(const struct text *a, const struct text *b)
{
	if (a->size != b->size)
		return false;
	return a->data == b->data || a->size == 0 || memcmp(a->data, b->data, a->size) == 0;
}

bool
text_is(const struct text *text, const char *literal)
{
	size_t size = strlen(literal);

	return text->size == size && (size == 0 || memcmp(text->data, literal, size) == 0);
}

int
text_order(const struct text *a, const struct text *b)
{
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	if (a->data == b->data || a->size == 0)
		return 0;
	return memcmp(a->data, b->data, a->size);
}

/* What the first byte promises (RFC 3629, section 4): bytes in all, its payload, and the smallest
 * character that may be written so. */
static size_t
utf8_lead(unsigned char lead, uint32_t *ret_bits, uint32_t *ret_least)
{
	if (lead >= 0xc2 && lead <= 0xdf) {
		*ret_bits = lead & 0x1fU;
		*ret_least = 0x80;
		return 2;
	}
	if (lead >= 0xe0 && lead <= 0xef) {
		*ret_bits = lead & 0x0fU;
		*ret_least = 0x800;
		return 3;
	}
	if (lead >= 0xf0 && lead <= 0xf4) {
		*ret_bits = lead & 0x07U;
		*ret_least = 0x10000;
		return 4;
	}
	return 0;
}

size_t
utf8_read(const char *data, size_t size, uint32_t *ret_character)
{
	uint32_t character, least;

	if (size == 0)
		return 0;
	unsigned char lead = (unsigned char)data[0];
	if (lead < 0x80) {
		*ret_character = lead;
		return 1;
	}
	size_t length = utf8_lead(lead, &character, &least);
	if (length == 0 || length > size)
		return 0;
	for (size_t i = 1; i < length; i++) {
		unsigned char next = (unsigned char)data[i];
		if ((next & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (next & 0x3fU);
	}
	bool surrogate = character >= 0xd800 && character <= 0xdfff;
	if (character < least || character > 0x10ffff || surrogate)
		return 0;
	*ret_character = character;
	return length;
}

/* Of the ASCII at the front, eight bytes at a time. */
static size_t
ascii_size(const char *data, size_t size)
{
	size_t done = 0;
	uint64_t word;

	for (; size - done >= sizeof(word); done += sizeof(word)) {
		memcpy(&word, data + done, sizeof(word));
		if ((word & 0x8080808080808080U) != 0)
			break;
	}
	while (done < size && (unsigned char)data[done] < 0x80)
		done++;
	return done;
}

bool
utf8_valid(const char *data, size_t size)
{
	uint32_t character;

	while (size > 0) {
		size_t plain = ascii_size(data, size);
		data += plain;
		size -= plain;
		if (size == 0)
			break;
		size_t length = utf8_read(data, size, &character);
		if (length == 0)
			return false;
		data += length;
		size -= length;
	}
	return true;
}

size_t
utf8_write(char bytes[UTF8_BYTES_MAX], uint32_t character)
{
	if (character < 0x80) {
		bytes[0] = (char)character;
		return 1;
	}
	size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
	for (size_t i = length - 1; i > 0; i--) {
		bytes[i] = (char)(0x80 | (character & 0x3f));
		character >>= 6;
	}
	static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
	bytes[0] = (char)(leads[length] | character);
	return length;
}
