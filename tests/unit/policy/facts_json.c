/* SPDX-License-Identifier: Apache-2.0 */
#include "facts_json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct policy_value *
refuse(struct json_reader *reader, enum json_verdict verdict, const char *told)
{
	if (reader->verdict == JSON_READ) {
		reader->verdict = verdict;
		reader->told = told;
	}
	return NULL;
}

json_t *
json_load_exact(char *data, size_t size)
{
	static const char nul[] = "\\u0000";

	for (size_t i = 0; i + sizeof(nul) - 1 <= size; i++) {
		if (memcmp(data + i, nul, sizeof(nul) - 1) == 0)
			data[i + 2] = 'e';
		if (data[i] == '\\')
			i++;
	}
	return json_loadb(data, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
}

/* The text with its NULs; the caller frees the data. */
static struct policy_text
exact_text(const char *string, size_t length)
{
	char *data = malloc(length + 1);
	size_t size = 0;

	for (size_t i = 0; i < length; i++) {
		data[size++] = string[i];
		if (size >= 3 && memcmp(data + size - 3, NUL_STAND_IN, 3) == 0) {
			size -= 3;
			data[size++] = '\0';
		}
	}
	return (struct policy_text){.data = data, .size = size};
}

static struct policy_text
text_of_json(const json_t *string)
{
	return exact_text(json_string_value(string), json_string_length(string));
}

static void
free_text(struct policy_text text)
{
	free((void *)(uintptr_t)text.data);
}

/* {"type", "id"}, or the same under "__entity" */
const struct policy_value *
json_entity_name(struct json_reader *reader, json_t *json)
{
	json_t *escaped = json_object_get(json, "__entity");
	json_t *name = escaped != NULL ? escaped : json;
	json_t *type = json_object_get(name, "type");
	json_t *id = json_object_get(name, "id");

	if (!json_is_string(type) || !json_is_string(id))
		return refuse(reader, JSON_WRONG, "an entity without type and id");
	struct policy_text type_text = text_of_json(type);
	struct policy_text id_text = text_of_json(id);
	const struct policy_value *entity = policy_value_entity(reader->facts, type_text, id_text);
	free_text(type_text);
	free_text(id_text);
	return entity;
}

/* How Cedar writes any datetime: offset(datetime("1970-01-01"), duration("<milliseconds>ms")). */
static const struct policy_value *
datetime_of_json(struct json_reader *reader, const json_t *arguments)
{
	json_t *duration = json_object_get(json_array_get(arguments, 1), "__extn");
	const char *milliseconds = json_string_value(json_object_get(duration, "arg"));
	json_t *epoch = json_object_get(json_array_get(arguments, 0), "__extn");
	const char *start = json_string_value(json_object_get(epoch, "arg"));
	char *unit = NULL;

	if (milliseconds == NULL || start == NULL || strcmp(start, "1970-01-01") != 0)
		return refuse(reader, JSON_UNSUPPORTED, "an offset of another form");
	long long number = strtoll(milliseconds, &unit, 10);
	if (strcmp(unit, "ms") != 0)
		return refuse(reader, JSON_UNSUPPORTED, "an offset of another form");
	return policy_value_datetime(reader->facts, number);
}

/* {"fn", "arg"} */
static const struct policy_value *
extension_of_json(struct json_reader *reader, const json_t *json)
{
	const char *constructor = json_string_value(json_object_get(json, "fn"));
	const json_t *argument = json_object_get(json, "arg");

	if (constructor != NULL && strcmp(constructor, "offset") == 0)
		return datetime_of_json(reader, json_object_get(json, "args"));
	if (constructor == NULL || !json_is_string(argument))
		return refuse(reader, JSON_UNSUPPORTED, "an extension value of another form");
	struct policy_text text = text_of_json(argument);
	const struct policy_value *value = policy_value_extension(reader->facts, constructor, text);
	free_text(text);
	return value;
}

static const struct policy_value *
set_of_json(struct json_reader *reader, json_t *array)
{
	size_t count = json_array_size(array);
	const struct policy_value **items = calloc(count + 1, sizeof(*items));

	for (size_t i = 0; i < count; i++)
		items[i] = json_value(reader, json_array_get(array, i));
	const struct policy_value *set =
		reader->verdict == JSON_READ ? policy_value_set(reader->facts, items, count) : NULL;
	free(items);
	return set;
}

static const struct policy_value *
record_of_json(struct json_reader *reader, json_t *object)
{
	struct policy_field *fields = calloc(json_object_size(object) + 1, sizeof(*fields));
	const struct policy_value *record = NULL;
	const char *key;
	json_t *value;
	size_t count = 0;

	json_object_foreach(object, key, value)
	{
		fields[count].name = exact_text(key, strlen(key));
		fields[count++].value = json_value(reader, value);
	}
	if (reader->verdict == JSON_READ)
		record = policy_value_record(reader->facts, fields, count);
	while (count > 0)
		free_text(fields[--count].name);
	free(fields);
	return record;
}

static const struct policy_value *
string_of_json(struct json_reader *reader, const json_t *json)
{
	struct policy_text text = text_of_json(json);
	const struct policy_value *string = policy_value_string(reader->facts, text);

	free_text(text);
	return string;
}

/* Where a schema says that an entity stands here, it may be written without "__entity". We have no
 * schema; no test has a record of just these two. */
static bool
is_plain_entity(const json_t *object)
{
	return json_object_size(object) == 2 && json_is_string(json_object_get(object, "type")) &&
	       json_is_string(json_object_get(object, "id"));
}

const struct policy_value *
json_value(struct json_reader *reader, json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_TRUE:
	case JSON_FALSE:
		return policy_value_boolean(reader->facts, json_is_true(json));
	case JSON_INTEGER:
		return policy_value_long(reader->facts, json_integer_value(json));
	case JSON_STRING:
		return string_of_json(reader, json);
	case JSON_ARRAY:
		return set_of_json(reader, json);
	case JSON_OBJECT:
		if (json_object_get(json, "__entity") != NULL || is_plain_entity(json))
			return json_entity_name(reader, json);
		if (json_object_get(json, "__extn") != NULL)
			return extension_of_json(reader, json_object_get(json, "__extn"));
		return record_of_json(reader, json);
	case JSON_REAL:
	case JSON_NULL:
		break;
	}
	return refuse(reader, JSON_WRONG, "a real or null");
}

static void
add_entity(struct json_reader *reader, json_t *json)
{
	json_t *parents = json_object_get(json, "parents");
	json_t *attributes = json_object_get(json, "attrs");
	json_t *tags = json_object_get(json, "tags");
	size_t count = json_array_size(parents);
	struct policy_error err;

	const struct policy_value **above = calloc(count + 1, sizeof(*above));
	for (size_t i = 0; i < count; i++)
		above[i] = json_entity_name(reader, json_array_get(parents, i));
	const struct policy_value *name = json_entity_name(reader, json_object_get(json, "uid"));
	const struct policy_value *record =
		attributes != NULL ? json_value(reader, attributes) : NULL;
	if (reader->verdict == JSON_READ &&
	    policy_facts_entity(reader->facts, name, record, above, count, &err) != POLICY_OK)
		refuse(reader, JSON_WRONG, "an entity that cannot be added");
	const struct policy_value *values = tags != NULL ? json_value(reader, tags) : NULL;
	if (reader->verdict == JSON_READ && tags != NULL &&
	    policy_facts_tags(reader->facts, name, values, &err) != POLICY_OK)
		refuse(reader, JSON_WRONG, "tags that cannot be added");
	free(above);
}

void
json_entities(struct json_reader *reader, json_t *entities)
{
	for (size_t i = 0; i < json_array_size(entities); i++)
		add_entity(reader, json_array_get(entities, i));
}
