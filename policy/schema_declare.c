/* SPDX-License-Identifier: Apache-2.0 */
/* Names of a schema: each is declared once, and none hides another. */
#include "error.h"
#include "schema_resolve.h"

#include <string.h>

/* ---- names with their namespace ---- */

bool
schema_name_is_qualified(const struct text *name)
{
	return name->size > 0 && memchr(name->data, ':', name->size) != NULL;
}

/* Space '::' name; false where it is too long. */
static bool
qualify(const struct text *space, const struct text *name, char full[POLICY_SCHEMA_NAME_MAX],
	size_t *ret_size)
{
	size_t before = space != NULL ? space->size + 2 : 0;

	if (name->size > POLICY_SCHEMA_NAME_MAX || before > POLICY_SCHEMA_NAME_MAX - name->size)
		return false;
	if (space != NULL) {
		memcpy(full, space->data, space->size);
		memcpy(full + space->size, "::", 2);
	}
	memcpy(full + before, name->data, name->size);
	*ret_size = before + name->size;
	return true;
}

struct schema_definition *
schema_look_up(const struct policy_schema *schema, const struct text *space,
	       const struct text *name)
{
	char full[POLICY_SCHEMA_NAME_MAX];
	size_t size;

	if (!qualify(space, name, full, &size))
		return NULL;
	struct text text = text_of(full, size);
	return schema->definitions[schema_definition_slot(schema, &text)];
}

bool
schema_look_up_action(struct resolver *resolver, const struct text *space, const struct text *type,
		      const struct text *id, struct schema_action **ret_action)
{
	char full[POLICY_SCHEMA_NAME_MAX];
	size_t size;

	*ret_action = NULL;
	if (!qualify(space, type, full, &size))
		return true;
	struct text text = text_of(full, size);
	const struct policy_value *name = value_entity(&resolver->parser->scratch, &text, id);
	if (name == NULL)
		return parser_out_of_memory(resolver->parser) != NULL;
	*ret_action = resolver->schema->action_slots[schema_action_slot(resolver->schema, name)];
	return true;
}

static const struct text *
intern_full(struct resolver *resolver, const struct text *space, const struct path *path,
	    const struct text *name)
{
	struct parser *parser = resolver->parser;
	char full[POLICY_SCHEMA_NAME_MAX];
	size_t size;

	if (!qualify(space, name, full, &size))
		return parser_refuse(parser, POLICY_LIMIT, path->at,
				     "a name of more than %d bytes with its namespace",
				     POLICY_SCHEMA_NAME_MAX);
	const struct text *text =
		names_intern(&parser->names, parser->arena, &parser->scratch, full, size);
	return text != NULL ? text : parser_out_of_memory(parser);
}

static bool
refuse_twice(struct resolver *resolver, const struct path *path)
{
	const struct text *name = path->name != NULL ? path->name : path->id;
	char quoted[QUOTED_SIZE];

	policy_quote(quoted, name->data, name->size);
	return parser_refuse(resolver->parser, POLICY_INVALID, path->at, "`%s` is declared twice",
			     quoted) != NULL;
}

/* ---- types ---- */

/* The definition of this name, made where it is new. */
static struct schema_definition *
define(struct resolver *resolver, const struct text *space, const struct path *path,
       const struct text *short_name)
{
	const struct text *name = intern_full(resolver, space, path, short_name);

	if (name == NULL)
		return NULL;
	struct schema_definition **slot =
		&resolver->schema->definitions[schema_definition_slot(resolver->schema, name)];
	if (*slot != NULL)
		return *slot;
	struct schema_definition *definition =
		arena_take(resolver->parser->arena, 1, sizeof(*definition));
	if (definition == NULL)
		return parser_out_of_memory(resolver->parser);
	*definition = (struct schema_definition){.name = name};
	*slot = definition;
	return definition;
}

static bool
add_entity(struct resolver *resolver, struct schema_definition *definition, bool is_action)
{
	struct policy_schema *schema = resolver->schema;
	struct schema_entity *entity = arena_take(&schema->arena, 1, sizeof(*entity));
	struct policy_type *type = arena_take(&schema->arena, 1, sizeof(*type));

	if (entity == NULL || type == NULL)
		return parser_out_of_memory(resolver->parser) != NULL;
	*type = (struct policy_type){.kind = POLICY_TYPE_ENTITY, .size = 1, .entity = entity};
	*entity = (struct schema_entity){.name = definition->name,
					 .index = schema->entity_count,
					 .is_action = is_action,
					 .type = type,
					 .attributes = type_empty_record()};
	schema->entities[schema->entity_count++] = entity;
	definition->entity = entity;
	return true;
}

static bool
declare_entity(struct resolver *resolver, const struct declaration *declaration,
	       const struct path *path)
{
	struct schema_definition *definition =
		define(resolver, declaration->space, path, path->name);

	if (definition == NULL)
		return false;
	if (text_is(path->name, "Action"))
		return parser_refuse(resolver->parser, POLICY_INVALID, path->at,
				     "`Action` is the type of actions") != NULL;
	if (definition->entity != NULL)
		return refuse_twice(resolver, path);
	return add_entity(resolver, definition, false);
}

static bool
declare_common(struct resolver *resolver, const struct declaration *declaration,
	       const struct path *path)
{
	struct schema_definition *definition =
		define(resolver, declaration->space, path, path->name);

	if (definition == NULL)
		return false;
	if (definition->common != NULL)
		return refuse_twice(resolver, path);
	struct schema_common *common = arena_take(&resolver->parser->scratch, 1, sizeof(*common));
	if (common == NULL)
		return parser_out_of_memory(resolver->parser) != NULL;
	*common = (struct schema_common){.declaration = declaration};
	definition->common = common;
	return true;
}

/* ---- actions ---- */

static bool
add_action(struct resolver *resolver, const struct schema_entity *type, const struct path *path)
{
	struct policy_schema *schema = resolver->schema;
	struct schema_action *action = arena_take(&schema->arena, 1, sizeof(*action));
	const struct policy_value *name = value_entity(&schema->arena, type->name, path->id);

	if (action == NULL || name == NULL)
		return parser_out_of_memory(resolver->parser) != NULL;
	struct schema_action **slot = &schema->action_slots[schema_action_slot(schema, name)];
	if (*slot != NULL)
		return refuse_twice(resolver, path);
	*action = (struct schema_action){.name = name,
					 .index = schema->action_count,
					 .type = type,
					 .context = type_empty_record()};
	resolver->places[schema->action_count] = path->at;
	schema->actions[schema->action_count++] = action;
	*slot = action;
	return true;
}

static bool
declare_action(struct resolver *resolver, const struct declaration *declaration,
	       const struct path *path)
{
	static const char word[] = "Action";
	struct text short_name = text_of(word, sizeof(word) - 1);
	struct schema_definition *definition =
		define(resolver, declaration->space, path, &short_name);

	if (definition == NULL)
		return false;
	if (definition->entity == NULL && !add_entity(resolver, definition, true))
		return false;
	return add_action(resolver, definition->entity, path);
}

/* ---- hiding: what has no namespace is seen in all, so its names may not be used in any ---- */

static bool
refuse_hiding(struct resolver *resolver, struct position at, const struct text *name)
{
	char quoted[QUOTED_SIZE];

	policy_quote(quoted, name->data, name->size);
	return parser_refuse(resolver->parser, POLICY_INVALID, at,
			     "`%s` would hide the one outside of the namespace", quoted) != NULL;
}

static bool
is_declared_type(const struct schema_definition *definition)
{
	return definition != NULL &&
	       (definition->common != NULL ||
		(definition->entity != NULL && !definition->entity->is_action));
}

static bool
check_hiding(struct resolver *resolver, const struct declaration *declaration,
	     const struct path *path)
{
	static const char word[] = "Action";
	struct text type = text_of(word, sizeof(word) - 1);
	struct schema_action *action;

	if (declaration->space == NULL)
		return true;
	if (declaration->kind != DECLARE_ACTION)
		return !is_declared_type(schema_look_up(resolver->schema, NULL, path->name)) ||
		       refuse_hiding(resolver, path->at, path->name);
	if (!schema_look_up_action(resolver, NULL, &type, path->id, &action))
		return false;
	return action == NULL || refuse_hiding(resolver, path->at, path->id);
}

/* ---- all of them ---- */

typedef bool visit_name(struct resolver *resolver, const struct declaration *declaration,
			const struct path *path);

static bool
for_each_name(struct resolver *resolver, enum declaration_kind kind, visit_name *visit)
{
	for (size_t i = 0; i < resolver->syntax->count; i++) {
		const struct declaration *declaration = &resolver->syntax->declarations[i];
		for (size_t j = 0; declaration->kind == kind && j < declaration->names.count; j++) {
			if (!visit(resolver, declaration, &declaration->names.items[j]))
				return false;
		}
	}
	return true;
}

static bool
count_names(struct resolver *resolver, enum declaration_kind kind, size_t most, const char *what,
	    size_t *ret_count)
{
	size_t count = 0;

	for (size_t i = 0; i < resolver->syntax->count; i++) {
		const struct declaration *declaration = &resolver->syntax->declarations[i];
		if (declaration->kind == kind)
			count += declaration->names.count;
		if (count > most)
			return parser_refuse(resolver->parser, POLICY_LIMIT,
					     declaration->names.items[0].at, "more than %zu %s",
					     most, what) != NULL;
	}
	*ret_count = count;
	return true;
}

/* Room for all that is going to be declared: nothing grows later. */
static bool
make_room(struct resolver *resolver, size_t entities, size_t commons, size_t actions)
{
	struct policy_schema *schema = resolver->schema;
	size_t action_types = resolver->syntax->space_count + 1;

	if (action_types > actions)
		action_types = actions;
	schema->entities =
		arena_take(&schema->arena, entities + action_types, sizeof(schema->entities[0]));
	schema->actions = arena_take(&schema->arena, actions, sizeof(schema->actions[0]));
	resolver->places =
		arena_take(&resolver->parser->scratch, actions, sizeof(resolver->places[0]));
	if (schema->entities == NULL || schema->actions == NULL || resolver->places == NULL ||
	    !schema_make_slots(schema, entities + commons + action_types, actions))
		return parser_out_of_memory(resolver->parser) != NULL;
	return true;
}

bool
schema_declare(struct resolver *resolver)
{
	size_t entities = 0;
	size_t commons = 0;
	size_t actions = 0;

	if (!count_names(resolver, DECLARE_ENTITY, POLICY_SCHEMA_ENTITIES_MAX, "entity types",
			 &entities) ||
	    !count_names(resolver, DECLARE_TYPE, POLICY_SCHEMA_TYPES_MAX, "common types",
			 &commons) ||
	    !count_names(resolver, DECLARE_ACTION, POLICY_SCHEMA_ACTIONS_MAX, "actions", &actions))
		return false;
	if (!make_room(resolver, entities, commons, actions) ||
	    !for_each_name(resolver, DECLARE_ENTITY, declare_entity) ||
	    !for_each_name(resolver, DECLARE_TYPE, declare_common))
		return false;
	resolver->schema->declared_count = resolver->schema->entity_count;
	return for_each_name(resolver, DECLARE_ACTION, declare_action) &&
	       for_each_name(resolver, DECLARE_ENTITY, check_hiding) &&
	       for_each_name(resolver, DECLARE_TYPE, check_hiding) &&
	       for_each_name(resolver, DECLARE_ACTION, check_hiding);
}
