/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON -> values of Cedar. What Cedar's own reader would silently take for a record because it is
 * not quite an escape ({"__entity": 1}) is refused here.
 */
#include "cedar_value.h"
#include "policy/reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_ARGUMENTS_MAX 2

static const struct cedar_wanted anything = {.kind = POLICY_TYPE_NEVER};

void *
cedar_refuse(struct cedar_reader *reader, const struct cedar_place *at, enum policy_status status,
	     const char *format, ...)
{
	va_list arguments;

	if (reader->status != POLICY_OK)
		return NULL;
	reader->status = status;
	*reader->err = (struct policy_error){.status = status};
	va_start(arguments, format);
	(void)vsnprintf(reader->err->message, sizeof(reader->err->message), format, arguments);
	va_end(arguments);
	cedar_locate(at, reader->err);
	return NULL;
}

static void *
out_of_memory(struct cedar_reader *reader, const struct cedar_place *at)
{
	return cedar_refuse(reader, at, POLICY_MEMORY, "out of memory");
}

/* What a builder answered: if nothing, why. */
static const struct policy_value *
built(struct cedar_reader *reader, const struct cedar_place *at, const struct policy_value *value,
      const char *wrong)
{
	if (value != NULL)
		return value;
	switch (policy_facts_status(reader->facts)) {
	case POLICY_MEMORY:
		return out_of_memory(reader, at);
	case POLICY_LIMIT:
		return cedar_refuse(reader, at, POLICY_LIMIT, "nested deeper than %d",
				    POLICY_NESTING_MAX);
	case POLICY_OK:
	case POLICY_SYNTAX:
	case POLICY_UNSUPPORTED:
	case POLICY_INVALID:
		break;
	}
	return cedar_refuse(reader, at, POLICY_INVALID, "%s", wrong);
}

struct cedar_wanted
cedar_wanted(const struct policy_type *type)
{
	return type != NULL ? (struct cedar_wanted){.kind = policy_type_kind(type), .type = type}
			    : anything;
}

const struct policy_value *
cedar_entity(struct cedar_reader *reader, const struct cedar_place *at)
{
	struct cedar_place escaped = cedar_member(at, "__entity");
	const struct cedar_place *named = escaped.value != NULL ? &escaped : at;
	struct cedar_place type = cedar_member(named, "type");
	struct cedar_place id = cedar_member(named, "id");

	if (!json_is_string(type.value) || !json_is_string(id.value))
		return cedar_refuse(reader, named, POLICY_INVALID,
				    "an entity is written {\"type\": \"T\", \"id\": \"...\"}");
	return built(
		reader, &type,
		policy_value_entity(reader->facts, cedar_text(type.value), cedar_text(id.value)),
		"this is no name of an entity type");
}

/* ---- extension types ---- */

static const char *
constructor_of(enum policy_type_kind kind)
{
	return kind == POLICY_TYPE_DECIMAL    ? "decimal"
	       : kind == POLICY_TYPE_IP	      ? "ip"
	       : kind == POLICY_TYPE_DATETIME ? "datetime"
	       : kind == POLICY_TYPE_DURATION ? "duration"
					      : NULL;
}

/* Where a schema expects a call's result, it expects these of its arguments too. */
static struct cedar_wanted
argument_wanted(const char *function, size_t index)
{
	static const struct {
		const char *function;
		enum policy_type_kind kinds[CALL_ARGUMENTS_MAX];
	} calls[] = {
		{"offset", {POLICY_TYPE_DATETIME, POLICY_TYPE_DURATION}},
		{"durationSince", {POLICY_TYPE_DATETIME, POLICY_TYPE_DATETIME}},
		{"toDate", {POLICY_TYPE_DATETIME}},
		{"toTime", {POLICY_TYPE_DATETIME}},
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (strcmp(calls[i].function, function) == 0)
			return (struct cedar_wanted){.kind = calls[i].kinds[index]};
	return anything;
}

/* {"fn", "arg"} or {"fn", "args"}. `directed`: a schema expects the result. */
static const struct policy_value *
call(struct cedar_reader *reader, const struct cedar_place *at, bool directed)
{
	struct cedar_place name = cedar_member(at, "fn");
	struct cedar_place one = cedar_member(at, "arg");
	struct cedar_place many = cedar_member(at, "args");
	const struct policy_value *arguments[CALL_ARGUMENTS_MAX] = {NULL};
	size_t count = one.value != NULL ? 1 : json_array_size(many.value);

	if (!json_is_string(name.value) || (one.value == NULL && !json_is_array(many.value)))
		return cedar_refuse(reader, at, POLICY_INVALID,
				    "an extension value is written {\"fn\": \"ip\", \"arg\": "
				    "\"10.0.0.1\"}");
	if (count > CALL_ARGUMENTS_MAX)
		return cedar_refuse(reader, &many, POLICY_INVALID, "too many arguments");
	for (size_t i = 0; i < count; i++) {
		struct cedar_place item = one.value != NULL ? one : cedar_item(&many, i);
		arguments[i] = cedar_value(
			reader, &item,
			directed ? argument_wanted(json_string_value(name.value), i) : anything);
		if (arguments[i] == NULL)
			return NULL;
	}
	return built(reader, at,
		     policy_value_call(reader->facts, cedar_text(name.value), arguments, count),
		     "there is no such function, or it does not read this argument");
}

static const struct policy_value *
extension_expected(struct cedar_reader *reader, const struct cedar_place *at,
		   enum policy_type_kind kind)
{
	const char *constructor = constructor_of(kind);
	struct cedar_place escaped = cedar_member(at, "__extn");

	if (escaped.value != NULL)
		return call(reader, &escaped, true);
	if (json_is_object(at->value))
		return call(reader, at, true);
	if (!json_is_string(at->value))
		return cedar_refuse(reader, at, POLICY_INVALID, "the schema wants %s(\"...\") here",
				    constructor);
	char wrong[64];
	(void)snprintf(wrong, sizeof(wrong), "%s(\"...\") does not take this text", constructor);
	return built(reader, at,
		     policy_value_extension(reader->facts, constructor, cedar_text(at->value)),
		     wrong);
}

/* ---- sets and records ---- */

static const struct policy_value *
set_value(struct cedar_reader *reader, const struct cedar_place *at, struct cedar_wanted element)
{
	size_t count = json_array_size(at->value);
	const struct policy_value **items = calloc(count + 1, sizeof(*items));
	const struct policy_value *set = NULL;

	if (items == NULL)
		return out_of_memory(reader, at);
	for (size_t i = 0; i < count && reader->status == POLICY_OK; i++) {
		struct cedar_place item = cedar_item(at, i);
		items[i] = cedar_value(reader, &item, element);
	}
	if (reader->status == POLICY_OK)
		set = built(reader, at, policy_value_set(reader->facts, items, count),
			    "this set cannot be built");
	free(items);
	return set;
}

static const struct policy_value *
field_value(struct cedar_reader *reader, const struct cedar_place *at, struct policy_text name,
	    const struct policy_type *record, const struct policy_type *each)
{
	const struct policy_type *type = record != NULL ? policy_type_field(record, name) : each;

	if (record != NULL && type == NULL)
		return cedar_refuse(reader, at, POLICY_INVALID,
				    "the schema has no attribute \"%.*s\" here",
				    name.size < 64 ? (int)name.size : 64, name.data);
	return cedar_value(reader, at, cedar_wanted(type));
}

const struct policy_value *
cedar_record(struct cedar_reader *reader, const struct cedar_place *at,
	     const struct policy_type *record, const struct policy_type *each)
{
	struct policy_field *fields = calloc(json_object_size(at->value) + 1, sizeof(*fields));
	struct cedar_place member = {.document = at->document, .within = at};
	const struct policy_value *value = NULL;
	struct policy_text name;
	size_t count = 0;

	if (fields == NULL)
		return out_of_memory(reader, at);
	json_object_keylen_foreach(at->value, name.data, name.size, member.value)
	{
		if (reader->status != POLICY_OK)
			break;
		member.index = count;
		fields[count].name = name;
		fields[count].value = field_value(reader, &member, name, record, each);
		count++;
	}
	if (reader->status == POLICY_OK)
		value = built(reader, at, policy_value_record(reader->facts, fields, count),
			      "this record cannot be built");
	free(fields);
	return value;
}

/* An escape is all that its object holds. Beside other members Cedar takes it for one of them. */
static const struct policy_value *
object_value(struct cedar_reader *reader, const struct cedar_place *at)
{
	struct cedar_place extension = cedar_member(at, "__extn");
	struct cedar_place entity = cedar_member(at, "__entity");
	struct cedar_place expression = cedar_member(at, "__expr");
	bool escaped = extension.value != NULL || entity.value != NULL || expression.value != NULL;

	if (!escaped)
		return cedar_record(reader, at, NULL, NULL);
	if (json_object_size(at->value) != 1)
		return cedar_refuse(reader, at, POLICY_INVALID,
				    "`__entity` and `__extn` stand alone in an object");
	if (extension.value != NULL)
		return call(reader, &extension, false);
	if (entity.value != NULL)
		return cedar_entity(reader, at);
	return cedar_refuse(reader, at, POLICY_INVALID, "`__expr` is no longer Cedar");
}

/* Without a schema, or where it expects nothing that may be written shorter. */
static const struct policy_value *
plain_value(struct cedar_reader *reader, const struct cedar_place *at)
{
	struct policy_facts *facts = reader->facts;

	switch (json_typeof(at->value)) {
	case JSON_TRUE:
	case JSON_FALSE:
		return policy_value_boolean(facts, json_is_true(at->value));
	case JSON_INTEGER:
		return built(reader, at, policy_value_long(facts, json_integer_value(at->value)),
			     "no integer");
	case JSON_STRING:
		return built(reader, at, policy_value_string(facts, cedar_text(at->value)),
			     "this text is not UTF-8");
	case JSON_ARRAY:
		return set_value(reader, at, anything);
	case JSON_OBJECT:
		return object_value(reader, at);
	case JSON_REAL:
		return cedar_refuse(reader, at, POLICY_INVALID,
				    "Cedar has no reals: write {\"__extn\": {\"fn\": \"decimal\", "
				    "\"arg\": \"1.5\"}}");
	case JSON_NULL:
		break;
	}
	return cedar_refuse(reader, at, POLICY_INVALID, "Cedar has no null: leave it out");
}

const struct policy_value *
cedar_value(struct cedar_reader *reader, const struct cedar_place *at, struct cedar_wanted wanted)
{
	switch (wanted.kind) {
	case POLICY_TYPE_ENTITY:
		return cedar_entity(reader, at);
	case POLICY_TYPE_DECIMAL:
	case POLICY_TYPE_IP:
	case POLICY_TYPE_DATETIME:
	case POLICY_TYPE_DURATION:
		return extension_expected(reader, at, wanted.kind);
	case POLICY_TYPE_SET:
		if (json_is_array(at->value))
			return set_value(reader, at,
					 cedar_wanted(policy_type_element(wanted.type)));
		return cedar_refuse(reader, at, POLICY_INVALID, "the schema wants a set here");
	case POLICY_TYPE_RECORD:
		if (json_is_object(at->value))
			return cedar_record(reader, at, wanted.type, NULL);
		return cedar_refuse(reader, at, POLICY_INVALID, "the schema wants a record here");
	case POLICY_TYPE_NEVER:
	case POLICY_TYPE_TRUE:
	case POLICY_TYPE_FALSE:
	case POLICY_TYPE_BOOLEAN:
	case POLICY_TYPE_LONG:
	case POLICY_TYPE_STRING:
		break;
	}
	return plain_value(reader, at);
}
