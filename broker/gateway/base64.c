/* SPDX-License-Identifier: Apache-2.0 */
#include "base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* A character's place in the alphabet, counted from 1; 0: it is not in it. */
static const uint8_t places[256] = {
	['A'] = 1,  2,	3,  4,	5,  6,	7,  8,	9,  10, 11,	    12,		13,
	14,	    15, 16, 17, 18, 19, 20, 21, 22, 23, 24,	    25,		26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37,	    38,		39,
	40,	    41, 42, 43, 44, 45, 46, 47, 48, 49, 50,	    51,		52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, ['+'] = 63, ['/'] = 64,
};

/* Four characters, of which the last `padding` are known to be '='. */
static bool
decode_group(const uint8_t *text, size_t padding, uint8_t *ret_bytes)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 4 - padding; i++) {
		uint32_t place = places[text[i]];
		if (place == 0)
			return false;
		bits = bits << 6 | (place - 1);
	}
	bits <<= 6 * padding;
	if (padding > 0 && (bits & ((1U << (8 * padding)) - 1)) != 0)
		return false; /* spare bits: another text for the same bytes */
	for (size_t i = 0; i < 3 - padding; i++)
		ret_bytes[i] = (uint8_t)(bits >> (16 - 8 * i));
	return true;
}

bool
base64_decode(const char *text, size_t size, uint8_t *ret_bytes, size_t *ret_size)
{
	const uint8_t *in = (const uint8_t *)text;
	size_t groups = size / 4;
	size_t padding = 0;

	if (size % 4 != 0)
		return false;
	if (groups > 0 && text[size - 1] == '=')
		padding = text[size - 2] == '=' ? 2 : 1;
	size_t whole = groups - (padding > 0);
	for (size_t i = 0; i < whole; i++)
		if (!decode_group(in + 4 * i, 0, ret_bytes + 3 * i))
			return false;
	if (padding > 0 && !decode_group(in + 4 * whole, padding, ret_bytes + 3 * whole))
		return false;
	*ret_size = 3 * groups - padding;
	return true;
}

void
base64_encode(struct bytes bytes, char *ret_text)
{
	for (size_t i = 0; i < bytes.size; i += 3) {
		size_t left = bytes.size - i;
		uint32_t bits = (uint32_t)bytes.data[i] << 16;
		if (left > 1)
			bits |= (uint32_t)bytes.data[i + 1] << 8;
		if (left > 2)
			bits |= bytes.data[i + 2];
		*ret_text++ = alphabet[bits >> 18];
		*ret_text++ = alphabet[bits >> 12 & 63];
		*ret_text++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		*ret_text++ = left > 2 ? alphabet[bits & 63] : '=';
	}
}
