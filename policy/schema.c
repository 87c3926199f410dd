/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas as a whole, and looking things up in them. */
#include "schema.h"

#include "error.h"
#include "schema_resolve.h"

#include <stdlib.h>

/* ---- tables ---- */

/* At most half full, so that a search always meets a free place. */
static size_t
slots_for(size_t count)
{
	size_t slots = 2;

	while (slots < 2 * (count + 1))
		slots *= 2;
	return slots;
}

bool
schema_make_slots(struct policy_schema *schema, size_t definitions, size_t actions)
{
	schema->definition_slots = slots_for(definitions);
	schema->action_slot_count = slots_for(actions);
	schema->definitions = arena_take(&schema->arena, schema->definition_slots,
					 sizeof(schema->definitions[0]));
	schema->action_slots = arena_take(&schema->arena, schema->action_slot_count,
					  sizeof(schema->action_slots[0]));
	if (schema->definitions == NULL || schema->action_slots == NULL)
		return false;
	for (size_t i = 0; i < schema->definition_slots; i++)
		schema->definitions[i] = NULL;
	for (size_t i = 0; i < schema->action_slot_count; i++)
		schema->action_slots[i] = NULL;
	return true;
}

size_t
schema_definition_slot(const struct policy_schema *schema, const struct text *name)
{
	size_t slot = (size_t)name->hash & (schema->definition_slots - 1);

	while (schema->definitions[slot] != NULL &&
	       !text_equal(schema->definitions[slot]->name, name))
		slot = (slot + 1) & (schema->definition_slots - 1);
	return slot;
}

size_t
schema_action_slot(const struct policy_schema *schema, const struct policy_value *name)
{
	size_t slot = (size_t)name->hash & (schema->action_slot_count - 1);

	while (schema->action_slots[slot] != NULL &&
	       !value_equal(schema->action_slots[slot]->name, name))
		slot = (slot + 1) & (schema->action_slot_count - 1);
	return slot;
}

/* ---- reading ---- */

static void
read_source(struct parser *parser, struct policy_text source, struct policy_schema *schema)
{
	struct schema_syntax syntax = {0};

	parser->buffer = arena_take(&parser->scratch, source.size, 1);
	if (parser->buffer == NULL) {
		parser_out_of_memory(parser);
		return;
	}
	lexer_start(&parser->lexer, source);
	parser_advance(parser);
	if (schema_read(parser, &syntax))
		schema_resolve(parser, &syntax, schema);
}

static struct position
first_bad_byte(struct policy_text source)
{
	struct position at = {.line = 1, .column = 1};
	uint32_t character;
	size_t size;

	while ((size = utf8_read(source.data, source.size, &character)) > 0) {
		at = position_after(at, source.data, size);
		source.data += size;
		source.size -= size;
	}
	return at;
}

enum policy_status
policy_schema_parse(struct policy_text source, struct policy_schema **ret_schema,
		    struct policy_error *err)
{
	if (source.size > POLICY_SCHEMA_MAX)
		return policy_fail(err, POLICY_LIMIT, "the schema has more than %d bytes",
				   POLICY_SCHEMA_MAX);
	if (source.data == NULL)
		source = (struct policy_text){.data = "", .size = 0};
	if (!utf8_valid(source.data, source.size)) {
		struct position at = first_bad_byte(source);
		return policy_fail_at(err, POLICY_SYNTAX, at.line, at.column, "this is not UTF-8");
	}
	struct policy_schema *schema = calloc(1, sizeof(*schema));
	if (schema == NULL)
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	struct parser parser = {.arena = &schema->arena, .err = err};
	read_source(&parser, source, schema);
	arena_free(&parser.scratch);
	if (parser.status != POLICY_OK) {
		policy_schema_free(schema);
		return parser.status;
	}
	*ret_schema = schema;
	return POLICY_OK;
}

void
policy_schema_free(struct policy_schema *schema)
{
	if (schema == NULL)
		return;
	arena_free(&schema->arena);
	free(schema);
}

/* ---- looking up ---- */

size_t
policy_schema_entity_count(const struct policy_schema *schema)
{
	return schema->declared_count;
}

size_t
policy_schema_action_count(const struct policy_schema *schema)
{
	return schema->action_count;
}

const struct schema_entity *
schema_find_entity(const struct policy_schema *schema, const struct text *name)
{
	const struct schema_definition *found =
		schema->definitions[schema_definition_slot(schema, name)];

	return found != NULL ? found->entity : NULL;
}

const struct schema_action *
schema_find_action(const struct policy_schema *schema, const struct policy_value *name)
{
	return schema->action_slots[schema_action_slot(schema, name)];
}

bool
schema_entity_below(const struct schema_entity *entity, const struct schema_entity *above)
{
	return BITS_HAVE(entity->ancestors, above->index);
}

bool
schema_action_below(const struct schema_action *action, const struct schema_action *above)
{
	return BITS_HAVE(action->ancestors, above->index);
}

bool
schema_entity_allows(const struct schema_entity *entity, const struct text *id)
{
	size_t low = 0;
	size_t high = entity->id_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = text_compare(entity->ids[middle], id);
		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return entity->id_count == 0;
}

const struct type_field *
type_record_get(const struct policy_type *record, const struct text *name)
{
	size_t low = 0;
	size_t high = record->record.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct type_field *field = &record->record.fields[middle];
		int order = text_compare(field->name, name);
		if (order == 0)
			return field;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* ---- for readers of JSON ---- */

static const struct schema_entity *
find_public(const struct policy_schema *schema, struct policy_text name)
{
	struct text text = text_of(name.data, name.size);

	return schema_find_entity(schema, &text);
}

const struct policy_type *
policy_schema_attributes(const struct policy_schema *schema, struct policy_text entity_type)
{
	const struct schema_entity *entity = find_public(schema, entity_type);

	return entity != NULL ? entity->attributes : NULL;
}

const struct policy_type *
policy_schema_tags(const struct policy_schema *schema, struct policy_text entity_type)
{
	const struct schema_entity *entity = find_public(schema, entity_type);

	return entity != NULL ? entity->tags : NULL;
}

const struct policy_type *
policy_schema_context(const struct policy_schema *schema, const struct policy_value *action)
{
	if (action == NULL || action->kind != VALUE_ENTITY)
		return NULL;
	const struct schema_action *found = schema_find_action(schema, action);
	return found != NULL ? found->context : NULL;
}

enum policy_type_kind
policy_type_kind(const struct policy_type *type)
{
	return type->kind;
}

const struct policy_type *
policy_type_element(const struct policy_type *set)
{
	return set->kind == POLICY_TYPE_SET ? set->element : NULL;
}

const struct policy_type *
policy_type_field(const struct policy_type *record, struct policy_text name)
{
	struct text text = text_of(name.data, name.size);

	if (record->kind != POLICY_TYPE_RECORD)
		return NULL;
	const struct type_field *field = type_record_get(record, &text);
	return field != NULL ? field->type : NULL;
}
