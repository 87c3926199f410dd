/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "json.h"
#include "wire/transcript.h"

/* Its own seed would be the time: a confined process cannot open /dev/urandom. */
void
body_start(void)
{
	json_object_seed(randombytes_random() | 1);
}

/* Counted before jansson parses: it bounds its recursion at 2048, where a request of ours needs two
 * levels, and the number of values not at all, where each can take fifty times its text. */
static bool
shape_within(struct bytes text)
{
	size_t depth = 0;
	size_t commas = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '[') && ++depth > ROUTE_DEPTH_MAX)
			return false;
		else if (!quoted && (c == '}' || c == ']') && depth > 0)
			depth--;
		else if (!quoted && c == ',' && ++commas >= ROUTE_VALUES_MAX)
			return false;
	}
	return true;
}

bool
body_open(struct bytes text, struct body *ret_body)
{
	json_error_t error;
	json_t *root;
	uint8_t *memory;

	if (!shape_within(text))
		return false;
	root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
	/* Decoded base64 is shorter than its text, and a canonical path shorter than its JSON but
	 * for 8 bytes. */
	size_t capacity = text.size + 2 + 8 * WIRE_WANTED_MAX;
	memory = json_is_object(root) ? malloc(capacity) : NULL;
	if (memory == NULL) {
		json_decref(root);
		return false;
	}
	*ret_body = (struct body){.root = root, .decoded = writer_of(memory, capacity)};
	return true;
}

void
body_close(struct body *body)
{
	json_decref(body->root);
	sodium_memzero(body->decoded.start, body->decoded.size);
	free(body->decoded.start);
	*body = (struct body){0};
}

static struct bytes
body_fail(struct body *body, const char *problem)
{
	if (body->problem == NULL)
		body->problem = problem;
	return (struct bytes){0};
}

bool
body_has(const struct body *body, const char *member)
{
	const json_t *value = json_object_get(body->root, member);
	return value != NULL && !json_is_null(value);
}

static struct bytes
decode(struct body *body, const json_t *value, const char *member)
{
	struct writer *w = &body->decoded;
	uint8_t *start = w->start + w->size;
	size_t size = 0;

	if (!json_is_string(value))
		return body_fail(body, member);
	const char *text = json_string_value(value);
	size_t length = json_string_length(value);
	if (length / 4 * 3 > w->capacity - w->size || !base64_decode(text, length, start, &size))
		return body_fail(body, member);
	w->size += size;
	return (struct bytes){start, size};
}

struct bytes
body_base64(struct body *body, const char *member, bool required)
{
	if (!required && !body_has(body, member))
		return (struct bytes){0};
	return decode(body, json_object_get(body->root, member), member);
}

struct bytes
body_log(struct body *body, const char *member, size_t max)
{
	struct bytes log = body_base64(body, member, false);

	if (log.size > max)
		body->too_large = true;
	return log;
}

uint64_t
body_number(struct body *body, const char *member)
{
	const json_t *value = json_object_get(body->root, member);

	if (!body_has(body, member))
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0) {
		body_fail(body, member);
		return 0;
	}
	return (uint64_t)json_integer_value(value);
}

size_t
body_base64_array(struct body *body, const char *member, size_t max, struct bytes *ret_items)
{
	const json_t *array = json_object_get(body->root, member);

	if (!body_has(body, member))
		return 0;
	if (!json_is_array(array) || json_array_size(array) > max) {
		body_fail(body, member);
		return 0;
	}
	for (size_t i = 0; i < json_array_size(array); i++)
		ret_items[i] = decode(body, json_array_get(array, i), member);
	return json_array_size(array);
}

struct bytes
body_text(struct body *body, const char *member)
{
	const json_t *value = json_object_get(body->root, member);

	if (!json_is_string(value))
		return body_fail(body, member);
	return (struct bytes){(const uint8_t *)json_string_value(value), json_string_length(value)};
}

static bool
wanted_item(const json_t *item, struct wanted_secret *ret_secret)
{
	const json_t *path = json_object_get(item, "path");
	const json_t *version = json_object_get(item, "version");

	if (!json_is_string(path) || (version != NULL && !json_is_integer(version)))
		return false;
	json_int_t number = json_integer_value(version);
	if (number < 0 || number > UINT32_MAX)
		return false;
	*ret_secret = (struct wanted_secret){
		.path = {(const uint8_t *)json_string_value(path), json_string_length(path)},
		.version = (uint32_t)number,
	};
	return true;
}

struct bytes
body_wanted(struct body *body)
{
	const json_t *array = json_object_get(body->root, "secrets");
	struct wanted wanted = {0};
	struct writer *w = &body->decoded;
	size_t before = w->size;

	if (!json_is_array(array) || json_array_size(array) == 0 ||
	    json_array_size(array) > WIRE_WANTED_MAX)
		return body_fail(body, "secrets");
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!wanted_item(json_array_get(array, i), &wanted.secrets[wanted.count++]))
			return body_fail(body, "secrets");
	wanted_write(w, &wanted);
	if (w->failed)
		return body_fail(body, "secrets");
	return (struct bytes){w->start + before, w->size - before};
}
