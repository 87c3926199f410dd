/* SPDX-License-Identifier: Apache-2.0 */
/* What the command reads of others: members of secret values, answers' JSON, and small texts. The
 * first byte selects. jansson must agree with our own reader of JSON. */
#include "command/command.h"
#include "command/encode.h"
#include "command/json.h"
#include "command/output.h"
#include "command/value.h"

#include <stdlib.h>
#include <string.h>

#define CELL 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
want(bool held)
{
	if (!held)
		abort();
}

/* Ours says that it is JSON: jansson too, unless by limits of its own. */
static void
member(struct bytes object)
{
	struct secret *value = NULL;
	json_error_t err;

	if (value_member(object, "a", &value) != VALUE_OK)
		return;
	auto_json *json = json_loadb((const char *)object.data, object.size, JSON_ALLOW_NUL, &err);
	want(json != NULL || json_error_code(&err) == json_error_numeric_overflow ||
	     json_error_code(&err) == json_error_null_byte_in_key);
	const json_t *theirs = json_object_get(json, "a");
	if (json_is_string(theirs))
		want(bytes_equal((struct bytes){value->bytes, value->size},
				 (struct bytes){(const uint8_t *)json_string_value(theirs),
						json_string_length(theirs)}));
	secret_free(value);
}

/* What goes in as a pair comes out as a member, and is JSON of printable bytes. */
static void
pair(struct bytes text)
{
	const struct value_pair one = {"a", text};
	struct secret *object = NULL, *value = NULL;

	if (value_object(&one, 1, 8 * text.size + 64, &object) != VALUE_OK)
		return;
	for (size_t i = 0; i < object->size; i++)
		want(object->bytes[i] >= 0x20 && object->bytes[i] != 0x7f);
	want(value_member((struct bytes){object->bytes, object->size}, "a", &value) == VALUE_OK);
	want(bytes_equal((struct bytes){value->bytes, value->size}, text));
	secret_free(object);
	secret_free(value);
}

static void
printable(const char *text, size_t capacity)
{
	size_t size = strnlen(text, capacity);

	want(size < capacity);
	for (size_t i = 0; i < size; i++)
		want((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

static void
answer(struct bytes text)
{
	static const struct column columns[] = {
		{"", "a", COLUMN_TEXT}, {"", "a.b", COLUMN_TEXT}, {"", "a", COLUMN_TIME}};
	auto_json *json = json_parse((const char *)text.data, text.size);
	uint8_t bytes[CELL];
	char cell[CELL];
	size_t size = 0;

	if (json == NULL)
		return;
	if (json_bytes(json, "a", bytes, sizeof(bytes), &size))
		want(size <= sizeof(bytes));
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
		output_cell(json, &columns[i], cell, sizeof(cell));
		printable(cell, sizeof(cell));
	}
}

/* Each value has one text: what is accepted is written the same again. */
static void
texts(struct bytes input)
{
	char *text = strndup((const char *)input.data, input.size), again[2 * CELL + 1];
	uint8_t *bytes = malloc(input.size + 1), hash[ATTEST_HASH_SIZE];
	struct pcr_values values = {.mask = 0};
	struct wanted_secret wanted;
	uint64_t time = 0;
	uint16_t mask = 0;
	size_t size = 0;

	want(text != NULL && bytes != NULL);
	if (base64_decode(text, strlen(text), bytes, input.size, &size)) {
		char *same = base64_encode((struct bytes){bytes, size});
		want(same != NULL && strcmp(same, text) == 0);
		free(same);
	}
	if (hex_decode(text, hash, sizeof(hash))) {
		hex_encode(hash, sizeof(hash), again);
		want(strcasecmp(again, text) == 0);
	}
	if (wanted_parse(text, &wanted))
		want(path_valid(wanted.path) && wanted.path.size <= strlen(text));
	if (pcr_mask_parse(text, &mask))
		want(mask != 0);
	if (pcr_value_parse(text, &values))
		want(values.mask != 0 && (values.mask & (values.mask - 1)) == 0);
	if (time_parse(text, 1767225600, &time))
		want(time <= INT64_MAX);
	free(bytes);
	free(text);
}

static void
tame(struct bytes text)
{
	char *once = malloc(text.size + 1), *twice = malloc(text.size + 1);

	want(once != NULL && twice != NULL);
	text_tame((const char *)text.data, text.size, once, text.size + 1);
	if (memchr(text.data, '\0', text.size) == NULL)
		want(strlen(once) == text.size);
	printable(once, text.size + 1);
	text_tame(once, strlen(once), twice, text.size + 1);
	want(strcmp(once, twice) == 0);
	free(once);
	free(twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(struct bytes) = {member, pair, answer, texts, tame};

	if (size > 0 && data[0] < sizeof(targets) / sizeof(*targets))
		targets[data[0]]((struct bytes){data + 1, size - 1});
	return 0;
}
