/* SPDX-License-Identifier: Apache-2.0 */
/* Cedar's string escapes, which are Rust's: \n \r \t \\ \0 \' \" \xNN \u{N...}. */
#include "unescape.h"
#include "text.h"

#define UNICODE_DIGITS_MAX 6

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool
take_byte(struct unescape *unescape, char *ret_byte)
{
	if (unescape->next == unescape->end)
		return false;
	*ret_byte = *unescape->next++;
	return true;
}

/* \xNN, at most 7f */
static bool
read_hex(struct unescape *unescape, uint32_t *ret_character)
{
	char high, low;

	if (!take_byte(unescape, &high) || !take_byte(unescape, &low))
		return false;
	if (hex_digit(high) < 0 || hex_digit(high) > 7 || hex_digit(low) < 0)
		return false;
	*ret_character = (uint32_t)(hex_digit(high) * 16 + hex_digit(low));
	return true;
}

/* \u{N...}, one to six digits; underscores may follow the first digit */
static bool
read_unicode(struct unescape *unescape, uint32_t *ret_character)
{
	uint32_t character = 0;
	unsigned int digits = 0;
	char byte;

	if (!take_byte(unescape, &byte) || byte != '{')
		return false;
	for (;;) {
		if (!take_byte(unescape, &byte))
			return false;
		if (byte == '}')
			break;
		if (byte == '_' && digits > 0)
			continue;
		int digit = hex_digit(byte);
		if (digit < 0 || digits == UNICODE_DIGITS_MAX)
			return false;
		character = character * 16 + (uint32_t)digit;
		digits++;
	}
	if (digits == 0 || character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff))
		return false;
	*ret_character = character;
	return true;
}

static bool
read_escape(struct unescape *unescape, uint32_t *ret_character)
{
	static const struct {
		char written;
		char meant;
	} simple[] = {{'n', '\n'}, {'r', '\r'},	 {'t', '\t'}, {'\\', '\\'},
		      {'0', '\0'}, {'\'', '\''}, {'"', '"'}};
	char byte;

	if (!take_byte(unescape, &byte))
		return false;
	for (size_t i = 0; i < sizeof(simple) / sizeof(simple[0]); i++) {
		if (byte == simple[i].written) {
			*ret_character = (unsigned char)simple[i].meant;
			return true;
		}
	}
	if (byte == '*' && unescape->in_pattern) {
		unescape->escaped_star = true;
		*ret_character = '*';
		return true;
	}
	if (byte == 'x')
		return read_hex(unescape, ret_character);
	return byte == 'u' && read_unicode(unescape, ret_character);
}

bool
unescape_next(struct unescape *unescape, uint32_t *ret_character, const char **ret_wrong)
{
	size_t left = (size_t)(unescape->end - unescape->next);

	unescape->at = unescape->next;
	unescape->escaped_star = false;
	if (left == 0)
		return false;
	size_t size = utf8_read(unescape->next, left, ret_character);
	/* A bare carriage return is refused, as Cedar does. */
	if (size == 0 || *ret_character == '\r') {
		*ret_wrong = "carriage return in a string: write \\r";
		return false;
	}
	unescape->next += size;
	if (*ret_character != '\\' || read_escape(unescape, ret_character))
		return true;
	*ret_wrong = "this is not an escape";
	return false;
}
