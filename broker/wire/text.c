/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <string.h>

#define CODE_MAX	0x10ffff
#define CONTINUED(byte) (((byte)&0xc0) == 0x80)

/* One code point; a failed reader stands for anything that RFC 3629, 3 and 4, does not allow. */
static uint32_t
read_code_point(struct reader *r)
{
	/* By the number of bytes that follow: the smallest code point that needs them. */
	static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
	uint8_t first = read_u8(r);
	if (first < 0x80)
		return first;
	unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	if (first < 0xc0 || first > 0xf7) {
		reader_fail(r);
		return 0;
	}
	uint32_t code = first & (0x3fu >> more);
	for (unsigned i = 0; i < more; i++) {
		uint8_t byte = read_u8(r);
		if (!CONTINUED(byte))
			reader_fail(r);
		code = code << 6 | (byte & 0x3f);
	}
	if (code < smallest[more] || code > CODE_MAX || (code >= 0xd800 && code <= 0xdfff))
		reader_fail(r);
	return code;
}

static bool
hides(uint32_t code)
{
	static const struct {
		uint32_t first;
		uint32_t last;
	} hidden[] = {
		{0x00, 0x1f},	    /* controls */
		{0x7f, 0x9f},	    /* and more of them */
		{0x061c, 0x061c},   /* Arabic letter mark */
		{0x200e, 0x200f},   /* left-to-right and right-to-left marks */
		{0x2028, 0x202e},   /* separators, bidirectional embeddings and overrides */
		{0x2060, 0x206f},   /* invisible operators, bidirectional isolates, deprecated */
		{0xfeff, 0xfeff},   /* byte order mark */
		{0xfff9, 0xfffb},   /* interlinear annotation */
		{0xe0000, 0xe007f}, /* tags */
	};
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (code >= hidden[i].first && code <= hidden[i].last)
			return true;
	}
	return false;
}

bool
text_utf8(struct bytes text)
{
	struct reader r = reader_of(text);
	while (r.left > 0) {
		if (read_code_point(&r) == 0)
			return false;
	}
	return reader_finished(&r);
}

bool
text_printable(struct bytes text)
{
	struct reader r = reader_of(text);
	while (r.left > 0) {
		if (hides(read_code_point(&r)))
			return false;
	}
	return reader_finished(&r);
}

bool
text_plain(struct bytes text)
{
	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];
		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
			return false;
	}
	return true;
}

bool
text_hex(struct bytes text, size_t size)
{
	if (text.size != size)
		return false;
	for (size_t i = 0; i < size; i++) {
		uint8_t c = text.data[i];
		if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
			return false;
	}
	return true;
}

bool
text_equals(struct bytes text, const char *word)
{
	size_t size = strlen(word);
	return text.size == size && memcmp(text.data, word, size) == 0;
}
