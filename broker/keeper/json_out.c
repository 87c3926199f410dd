/* SPDX-License-Identifier: Apache-2.0 */
#include "json_out.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_DEPTH_MAX 8
#define JSON_FIRST     1024

void
out_start(struct json *json, size_t limit)
{
	json->size = 0;
	json->limit = limit;
	json->depth = 0;
	json->comma = false;
	json->failed = false;
}

void
out_clear(struct json *json)
{
	free(json->memory);
	*json = (struct json){0};
}

bool
out_finish(const struct json *json)
{
	return !json->failed && json->depth == 0;
}

struct bytes
out_bytes(const struct json *json)
{
	return (struct bytes){(const uint8_t *)json->memory, json->size};
}

static char *
reserve(struct json *json, size_t more)
{
	if (json->failed || json->limit - json->size < more) {
		json->failed = true;
		return NULL;
	}
	if (json->capacity - json->size < more) {
		size_t capacity = json->capacity == 0 ? JSON_FIRST : json->capacity;
		while (capacity - json->size < more)
			capacity *= 2;
		char *memory = realloc(json->memory, capacity);
		if (!memory) {
			json->failed = true;
			return NULL;
		}
		json->memory = memory;
		json->capacity = capacity;
	}
	char *place = json->memory + json->size;
	json->size += more;
	return place;
}

static void
put(struct json *json, const void *text, size_t size)
{
	char *place = reserve(json, size);

	if (place && size > 0)
		memcpy(place, text, size);
}

static void
begin_value(struct json *json, const char *name)
{
	if (json->comma)
		put(json, ",", 1);
	if (name) {
		put(json, "\"", 1);
		put(json, name, strlen(name));
		put(json, "\":", 2);
	}
	json->comma = true;
}

static void
open_bracket(struct json *json, const char *name, const char *bracket)
{
	begin_value(json, name);
	put(json, bracket, 1);
	json->depth++;
	json->comma = false;
	assert(json->depth <= JSON_DEPTH_MAX);
}

static void
close_bracket(struct json *json, const char *bracket)
{
	assert(json->depth > 0);
	put(json, bracket, 1);
	json->depth--;
	json->comma = true;
}

void
out_object(struct json *json, const char *name)
{
	open_bracket(json, name, "{");
}

void
out_object_end(struct json *json)
{
	close_bracket(json, "}");
}

void
out_array(struct json *json, const char *name)
{
	open_bracket(json, name, "[");
}

void
out_array_end(struct json *json)
{
	close_bracket(json, "]");
}

/* The size of the well-formed sequence (RFC 3629) that `text` begins with; 0 where there is none.
 */
static size_t
utf8_sequence(const uint8_t *text, size_t left)
{
	uint8_t first = text[0];
	size_t size = first < 0x80		       ? 1
		      : first >= 0xc2 && first <= 0xdf ? 2
		      : first >= 0xe0 && first <= 0xef ? 3
		      : first >= 0xf0 && first <= 0xf4 ? 4
						       : 0;
	uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

	if (size == 0 || size > left)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if (text[i] < low || text[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return size;
}

static void
put_character(struct json *json, const uint8_t *text, size_t size)
{
	char escaped[8];

	if (size == 0) {
		put(json, "?", 1);
	} else if (text[0] == '"' || text[0] == '\\') {
		put(json, "\\", 1);
		put(json, text, 1);
	} else if (text[0] == '\n' || text[0] == '\t') {
		put(json, text[0] == '\n' ? "\\n" : "\\t", 2);
	} else if (text[0] < 0x20 || text[0] == 0x7f) {
		snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned)text[0]);
		put(json, escaped, 6);
	} else {
		put(json, text, size);
	}
}

void
out_string(struct json *json, const char *name, struct bytes text)
{
	begin_value(json, name);
	put(json, "\"", 1);
	for (size_t i = 0; i < text.size && !json->failed;) {
		size_t size = utf8_sequence(text.data + i, text.size - i);
		put_character(json, text.data + i, size);
		i += size == 0 ? 1 : size;
	}
	put(json, "\"", 1);
}

void
out_text(struct json *json, const char *name, const char *text)
{
	if (text)
		out_string(json, name, text_bytes(text));
	else
		out_null(json, name);
}

void
out_pair(struct json *json, struct bytes name, struct bytes text)
{
	out_string(json, NULL, name);
	put(json, ":", 1);
	json->comma = false;
	out_string(json, NULL, text);
}

void
out_number(struct json *json, const char *name, uint64_t value)
{
	char digits[24];

	begin_value(json, name);
	put(json, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, value));
}

void
out_boolean(struct json *json, const char *name, bool value)
{
	begin_value(json, name);
	put(json, value ? "true" : "false", value ? 4 : 5);
}

void
out_null(struct json *json, const char *name)
{
	begin_value(json, name);
	put(json, "null", 4);
}

void
out_hex(struct json *json, const char *name, struct bytes value)
{
	static const char digits[] = "0123456789abcdef";

	begin_value(json, name);
	put(json, "\"", 1);
	char *place = reserve(json, value.size * 2);
	for (size_t i = 0; place && i < value.size; i++) {
		place[2 * i] = digits[value.data[i] >> 4];
		place[2 * i + 1] = digits[value.data[i] & 15];
	}
	put(json, "\"", 1);
}

void
out_hex_numbered(struct json *json, unsigned number, struct bytes value)
{
	char name[12];

	snprintf(name, sizeof(name), "%u", number);
	out_hex(json, name, value);
}

void
out_base64(struct json *json, const char *name, struct bytes value)
{
	size_t size = sodium_base64_encoded_len(value.size, sodium_base64_VARIANT_ORIGINAL);

	begin_value(json, name);
	put(json, "\"", 1);
	char *place = reserve(json, size); /* with room for its NUL, which the quote replaces */
	if (!place)
		return;
	sodium_bin2base64(place, size, value.data, value.size, sodium_base64_VARIANT_ORIGINAL);
	place[size - 1] = '"';
}

void
out_embed(struct json *json, const char *name, struct bytes text)
{
	begin_value(json, name);
	put(json, text.data, text.size);
}
