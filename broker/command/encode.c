/* SPDX-License-Identifier: Apache-2.0 */
#include "encode.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY 86400

bool
hex_decode(const char *text, uint8_t *ret_bytes, size_t size)
{
	size_t got = 0, length = strlen(text);
	const char *end = NULL;

	if (length != 2 * size)
		return false;
	return sodium_hex2bin(ret_bytes, size, text, length, NULL, &got, &end) == 0 &&
	       got == size && *end == '\0';
}

void
hex_encode(const uint8_t *bytes, size_t size, char *ret_text)
{
	(void)sodium_bin2hex(ret_text, 2 * size + 1, bytes, size);
}

/* libsodium 1.0.18 takes every byte above 127 for a digit. */
bool
base64_decode(const char *text, size_t text_size, uint8_t *ret_bytes, size_t capacity,
	      size_t *ret_size)
{
	const char *end = NULL;
	unsigned all = 0;

	for (size_t i = 0; i < text_size; i++)
		all |= (unsigned char)text[i];
	if (text_size % 4 != 0 || all > 0x7f)
		return false;
	return sodium_base642bin(ret_bytes, capacity, text, text_size, NULL, ret_size, &end,
				 sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       end == text + text_size;
}

bool
base64_decode_key(const char *text, uint8_t ret_key[32])
{
	size_t size = 0;

	return base64_decode(text, strlen(text), ret_key, 32, &size) && size == 32;
}

char *
base64_encode(struct bytes bytes)
{
	size_t capacity = sodium_base64_encoded_len(bytes.size, sodium_base64_VARIANT_ORIGINAL);
	char *text = malloc(capacity);

	if (text == NULL)
		return NULL;
	return sodium_bin2base64(text, capacity, bytes.data, bytes.size,
				 sodium_base64_VARIANT_ORIGINAL);
}

void
base64_encode_key(const uint8_t key[32], char ret_text[KEY_BASE64_SIZE])
{
	(void)sodium_bin2base64(ret_text, KEY_BASE64_SIZE, key, 32, sodium_base64_VARIANT_ORIGINAL);
}

static bool
digits(const char *text, unsigned long max, unsigned long *ret_number, const char **ret_end)
{
	unsigned long number = 0;
	const char *next = text;

	for (; *next >= '0' && *next <= '9'; next++) {
		number = 10 * number + (unsigned long)(*next - '0');
		if (number > max)
			return false;
	}
	*ret_number = number;
	*ret_end = next;
	return next != text;
}

static bool
time_relative(const char *text, int64_t now, uint64_t *ret_time)
{
	unsigned long number = 0;
	const char *end = NULL;
	int64_t unit = 0;

	if (!digits(text, 1000000, &number, &end))
		return false;
	if (strcmp(end, "d") == 0)
		unit = DAY;
	else if (strcmp(end, "h") == 0)
		unit = 3600;
	else if (strcmp(end, "m") == 0)
		unit = 60;
	if (unit == 0 || now < 0)
		return false;
	*ret_time = (uint64_t)(now + unit * (int64_t)number);
	return true;
}

bool
time_parse(const char *text, int64_t now, uint64_t *ret_time)
{
	static const char *const formats[] = {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"};
	unsigned long number = 0;
	const char *end = NULL;

	if (strcmp(text, "now") == 0) {
		*ret_time = (uint64_t)now;
		return true;
	}
	if (text[0] == '+')
		return time_relative(text + 1, now, ret_time);
	if (digits(text, UINT32_MAX * 16UL, &number, &end) && *end == '\0') {
		*ret_time = number;
		return true;
	}
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		struct tm calendar = {.tm_mday = 0}, again;
		const char *rest = strptime(text, formats[i], &calendar);
		if (rest == NULL || *rest != '\0')
			continue;
		again = calendar;
		time_t seconds = timegm(&again);
		/* timegm makes March 2 out of February 30 */
		if (seconds < 0 || again.tm_mday != calendar.tm_mday)
			return false;
		*ret_time = (uint64_t)seconds;
		return true;
	}
	return false;
}

void
time_format(int64_t time, char ret_text[TIME_TEXT_SIZE])
{
	time_t seconds = (time_t)time;
	struct tm calendar;

	if (gmtime_r(&seconds, &calendar) == NULL ||
	    strftime(ret_text, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &calendar) == 0)
		(void)snprintf(ret_text, TIME_TEXT_SIZE, "%lld", (long long)time);
}

bool
pcr_mask_parse(const char *text, uint16_t *ret_mask)
{
	unsigned mask = 0;

	for (;;) {
		unsigned long first = 0, last = 0;
		if (!digits(text, ATTEST_PCR_COUNT - 1, &first, &text))
			return false;
		last = first;
		if (*text == '-' && !digits(text + 1, ATTEST_PCR_COUNT - 1, &last, &text))
			return false;
		for (unsigned long n = first; n <= last; n++)
			mask |= 1u << n;
		if (last < first || (*text != ',' && *text != '\0'))
			return false;
		if (*text++ == '\0')
			break;
	}
	*ret_mask = (uint16_t)mask;
	return true;
}

bool
pcr_value_parse(const char *text, struct pcr_values *values)
{
	unsigned long number = 0;
	const char *end = NULL;
	uint8_t value[ATTEST_HASH_SIZE];

	if (!digits(text, ATTEST_PCR_COUNT - 1, &number, &end) || *end != '=' ||
	    (values->mask & 1u << number) != 0 || !hex_decode(end + 1, value, sizeof(value)))
		return false;
	memcpy(values->values[number], value, sizeof(value));
	values->mask = (uint16_t)(values->mask | 1u << number);
	return true;
}

bool
wanted_parse(const char *text, struct wanted_secret *ret_wanted)
{
	const char *at = strchr(text, '@'), *end = NULL;
	size_t size = at != NULL ? (size_t)(at - text) : strlen(text);
	struct wanted_secret wanted = {.path = {(const uint8_t *)text, size}};
	unsigned long version = 0;

	if (!path_valid(wanted.path))
		return false;
	if (at != NULL &&
	    (!digits(at + 1, UINT32_MAX, &version, &end) || *end != '\0' || version == 0))
		return false;
	wanted.version = (uint32_t)version;
	*ret_wanted = wanted;
	return true;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static size_t
utf8_length(const uint8_t *bytes, size_t left)
{
	uint8_t first = bytes[0], low = 0x80, high = 0xbf;
	size_t length = first < 0x80   ? 1
			: first < 0xc2 ? 0
			: first < 0xe0 ? 2
			: first < 0xf0 ? 3
			: first < 0xf5 ? 4
				       : 0;

	if (length == 0 || length > left)
		return 0;
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < length; i++) {
		if (bytes[i] < low || bytes[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return length;
}

bool
utf8_wellformed(const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		size_t length = utf8_length(bytes, size);
		if (length == 0)
			return false;
		bytes += length;
		size -= length;
	}
	return true;
}

struct bytes
text_bytes(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}
