/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of facts: their life, and the values that callers build. */
#include "facts.h"
#include "extension.h"
#include "parser.h"

#include <stdlib.h>
#include <string.h>

struct policy_facts *
policy_facts_new(const struct policy_facts *base)
{
	struct policy_facts *facts = calloc(1, sizeof(*facts));

	if (facts != NULL)
		facts->base = base;
	return facts;
}

void
policy_facts_free(struct policy_facts *facts)
{
	if (facts == NULL)
		return;
	arena_free(&facts->arena);
	free(facts);
}

/* What lies in the arena is forgotten as a whole: so is every address into it. */
void
policy_facts_clear(struct policy_facts *facts)
{
	arena_reset(&facts->arena);
	facts->failed = POLICY_OK;
	facts->entities = NULL;
	facts->slot_count = 0;
	facts->entity_count = 0;
	facts->marks = NULL;
	facts->mark_words = 0;
	memset(facts->cache, 0, sizeof(facts->cache));
}

void *
facts_fail(struct policy_facts *facts, enum policy_status status)
{
	if (facts->failed == POLICY_OK)
		facts->failed = status;
	return NULL;
}

/* A builder's result, or its failure. A value's height bounds how deep comparing it recurses. */
static const struct policy_value *
built(struct policy_facts *facts, const struct policy_value *value)
{
	if (value == NULL)
		return facts_fail(facts, POLICY_MEMORY);
	if (value->height > POLICY_NESTING_MAX)
		return facts_fail(facts, POLICY_LIMIT);
	return value;
}

/* Texts are checked here, so that everything behind may rely on UTF-8. */
static bool
copy_text(struct policy_facts *facts, struct policy_text source, struct text *ret_copy)
{
	if (!utf8_valid(source.data, source.size))
		return facts_fail(facts, POLICY_INVALID) != NULL;
	char *bytes = arena_take(&facts->arena, source.size, 1);
	if (bytes == NULL)
		return facts_fail(facts, POLICY_MEMORY) != NULL;
	if (source.size > 0)
		memcpy(bytes, source.data, source.size);
	*ret_copy = text_of(bytes, source.size);
	return true;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Name := IDENT {'::' IDENT}, without blanks and reserved words */
static bool
is_type_name(struct policy_text name)
{
	size_t start = 0;

	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];
		if (is_letter(c) || (i > start && c >= '0' && c <= '9'))
			continue;
		if (i == start || c != ':' || i + 1 == name.size || name.data[i + 1] != ':' ||
		    word_is_reserved(name.data + start, i - start))
			return false;
		start = ++i + 1;
	}
	return start < name.size && !word_is_reserved(name.data + start, name.size - start);
}

/* ---- builders: each copies what it is given, and fails once for all ---- */

const struct policy_value *
policy_value_boolean(struct policy_facts *facts, bool value)
{
	(void)facts;
	return value_boolean(value);
}

const struct policy_value *
policy_value_long(struct policy_facts *facts, int64_t value)
{
	return built(facts, value_number(&facts->arena, VALUE_LONG, value));
}

const struct policy_value *
policy_value_string(struct policy_facts *facts, struct policy_text value)
{
	struct text text;

	if (!copy_text(facts, value, &text))
		return NULL;
	return built(facts, value_string(&facts->arena, &text));
}

const struct policy_value *
policy_value_entity(struct policy_facts *facts, struct policy_text type, struct policy_text id)
{
	struct text *texts = arena_take(&facts->arena, 2, sizeof(*texts));

	if (texts == NULL)
		return facts_fail(facts, POLICY_MEMORY);
	if (!is_type_name(type))
		return facts_fail(facts, POLICY_INVALID);
	if (!copy_text(facts, type, &texts[0]) || !copy_text(facts, id, &texts[1]))
		return NULL;
	return built(facts, value_entity(&facts->arena, &texts[0], &texts[1]));
}

const struct policy_value *
policy_value_extension(struct policy_facts *facts, const char *constructor,
		       struct policy_text argument)
{
	struct text name = text_of(constructor, strlen(constructor));
	const struct extension_function *function = extension_find(&name, EXTENSION_CONSTRUCTOR);
	const struct policy_value *string = policy_value_string(facts, argument);
	const char *reason = NULL;

	if (string == NULL)
		return NULL;
	if (function == NULL)
		return facts_fail(facts, POLICY_INVALID);
	const struct policy_value *value =
		extension_apply(function, &facts->arena, &string, &reason);
	return reason != NULL ? facts_fail(facts, POLICY_INVALID) : built(facts, value);
}

const struct policy_value *
policy_value_datetime(struct policy_facts *facts, int64_t milliseconds)
{
	return built(facts, value_number(&facts->arena, VALUE_DATETIME, milliseconds));
}

const struct policy_value *
policy_value_duration(struct policy_facts *facts, int64_t milliseconds)
{
	return built(facts, value_number(&facts->arena, VALUE_DURATION, milliseconds));
}

/* An operand that failed before: in this layer, which knows why, or in one below. */
static void *
pass_on(struct policy_facts *facts)
{
	for (const struct policy_facts *below = facts; below != NULL; below = below->base) {
		if (below->failed != POLICY_OK)
			return facts_fail(facts, below->failed);
	}
	return facts_fail(facts, POLICY_INVALID);
}

const struct policy_value *
policy_value_set(struct policy_facts *facts, const struct policy_value *const *items, size_t count)
{
	const struct policy_value **copy = arena_take(&facts->arena, count, sizeof(*copy));

	if (copy == NULL)
		return facts_fail(facts, POLICY_MEMORY);
	for (size_t i = 0; i < count; i++) {
		if (items[i] == NULL)
			return pass_on(facts);
		copy[i] = items[i];
	}
	return built(facts, value_set(&facts->arena, copy, count));
}

const struct policy_value *
policy_value_record(struct policy_facts *facts, const struct policy_field *fields, size_t count)
{
	struct value_field *copy = arena_take(&facts->arena, count, sizeof(*copy));
	struct text *names = arena_take(&facts->arena, count, sizeof(*names));

	if (copy == NULL || names == NULL)
		return facts_fail(facts, POLICY_MEMORY);
	for (size_t i = 0; i < count; i++) {
		if (fields[i].value == NULL)
			return pass_on(facts);
		if (!copy_text(facts, fields[i].name, &names[i]))
			return NULL;
		copy[i] = (struct value_field){.name = &names[i], .value = fields[i].value};
	}
	if (!value_sort_fields(copy, count))
		return facts_fail(facts, POLICY_INVALID);
	return built(facts, value_record(&facts->arena, copy, count));
}
