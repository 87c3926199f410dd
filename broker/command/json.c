/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include "encode.h"

#include <stdlib.h>

/* jansson's own limit of depth (2048) is a compile-time constant, so the depth is counted
 * beforehand: brackets outside of texts. */
static bool
depth_bounded(const char *text, size_t size)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < size; i++) {
		if (quoted && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '[') && ++depth > JSON_DEPTH_MAX)
			return false;
		else if (!quoted && (text[i] == '}' || text[i] == ']') && depth > 0)
			depth--;
	}
	return true;
}

json_t *
json_parse(const char *text, size_t size)
{
	if (text == NULL || size > JSON_SIZE_MAX || !depth_bounded(text, size))
		return NULL;
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	if (json == NULL || json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

const char *
json_text(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text != NULL ? text : "";
}

uint64_t
json_number(const json_t *object, const char *member)
{
	json_int_t number = json_integer_value(json_object_get(object, member));

	return number > 0 ? (uint64_t)number : 0;
}

bool
json_bytes(const json_t *object, const char *member, uint8_t *ret_bytes, size_t capacity,
	   size_t *ret_size)
{
	const json_t *value = json_object_get(object, member);

	return json_is_string(value) &&
	       base64_decode(json_string_value(value), json_string_length(value), ret_bytes,
			     capacity, ret_size);
}

bool
json_bytes_exact(const json_t *object, const char *member, uint8_t *ret_bytes, size_t size)
{
	size_t got = 0;

	return json_bytes(object, member, ret_bytes, size, &got) && got == size;
}

json_t *
json_base64(struct bytes bytes)
{
	char *text = base64_encode(bytes);
	json_t *json = text != NULL ? json_string(text) : NULL;

	free(text);
	return json;
}
