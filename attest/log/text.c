/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <string.h>

struct bytes
log_text_of(const char *ascii)
{
	return (struct bytes){(const uint8_t *)ascii, strlen(ascii)};
}

static void
write_utf8(struct writer *w, uint32_t c)
{
	if (c < 0x80) {
		write_u8(w, (uint8_t)c);
		return;
	}
	if (c < 0x800) {
		write_u8(w, (uint8_t)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		write_u8(w, (uint8_t)(0xe0 | c >> 12));
		write_u8(w, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
	} else {
		write_u8(w, (uint8_t)(0xf0 | c >> 18));
		write_u8(w, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
		write_u8(w, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
	}
	write_u8(w, (uint8_t)(0x80 | (c & 0x3f)));
}

bool
text_from_utf16(struct bytes utf16, struct writer *w)
{
	struct reader r = reader_of(utf16);

	for (;;) {
		uint32_t c = read_le16(&r);

		if (c == 0)
			return reader_finished(&r) && !w->failed;
		if (c >= 0xd800 && c <= 0xdbff) { /* RFC 2781: a pair, or nothing */
			uint32_t low = read_le16(&r);

			if (low < 0xdc00 || low > 0xdfff)
				return false;
			c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
		} else if (c >= 0xdc00 && c <= 0xdfff) {
			return false;
		}
		write_utf8(w, c);
	}
}
