/* SPDX-License-Identifier: Apache-2.0 */
/* Entity types and actions as written -> what they are made of, and what they are in. */
#include "schema_resolve.h"

#include "error.h"

#include <string.h>

/* What the declarations say is right above each entity type and each action. */
struct hierarchy {
	struct hierarchy_node *entities;
	struct hierarchy_node *actions;
};

/* Indexes, each once: what a declaration lists. */
struct index_list {
	uint64_t *seen;
	size_t *items;
	size_t count;
};

static bool
list_start(struct resolver *resolver, struct index_list *list, size_t most, size_t universe)
{
	*list = (struct index_list){
		.seen = bits_take(&resolver->parser->scratch, universe),
		.items = arena_take(&resolver->parser->scratch, most, sizeof(list->items[0])),
	};
	return (list->seen != NULL && list->items != NULL) ||
	       parser_out_of_memory(resolver->parser) != NULL;
}

static void
list_add(struct index_list *list, size_t index)
{
	if (BITS_HAVE(list->seen, index))
		return;
	BITS_SET(list->seen, index);
	list->items[list->count++] = index;
}

static bool
list_entity_types(struct resolver *resolver, const struct text *space,
		  const struct path_list *paths, struct index_list *list)
{
	if (!list_start(resolver, list, paths->count, resolver->schema->entity_count))
		return false;
	for (size_t i = 0; i < paths->count; i++) {
		const struct schema_entity *entity =
			schema_resolve_entity_type(resolver, space, &paths->items[i]);
		if (entity == NULL)
			return false;
		list_add(list, entity->index);
	}
	return true;
}

/* The same as addresses, for good. */
static const struct schema_entity *const *
entities_of(struct resolver *resolver, const struct index_list *list)
{
	const struct policy_schema *schema = resolver->schema;
	const struct schema_entity **items =
		arena_take(resolver->parser->arena, list->count, sizeof(*items));

	if (items == NULL)
		return parser_out_of_memory(resolver->parser);
	for (size_t i = 0; i < list->count; i++)
		items[i] = schema->entities[list->items[i]];
	return items;
}

/* What is written once for many names is above each of them. */
static bool
count_pairs(struct resolver *resolver, const struct declaration *declaration, size_t above)
{
	size_t left = POLICY_SCHEMA_PARENTS_MAX - resolver->pairs;

	if (above > 0 && declaration->names.count > left / above)
		return parser_refuse(resolver->parser, POLICY_LIMIT, declaration->names.items[0].at,
				     "more than %d pairs of what is in what",
				     POLICY_SCHEMA_PARENTS_MAX) != NULL;
	resolver->pairs += above * declaration->names.count;
	return true;
}

/* ---- entity types ---- */

static int
compare_ids(const void *a, const void *b)
{
	const struct text *const *x = a;
	const struct text *const *y = b;

	return text_compare(*x, *y);
}

static bool
resolve_ids(struct resolver *resolver, const struct path_list *paths, struct schema_entity *entity)
{
	const struct text **ids = arena_take(resolver->parser->arena, paths->count, sizeof(*ids));

	if (ids == NULL)
		return parser_out_of_memory(resolver->parser) != NULL;
	for (size_t i = 0; i < paths->count; i++)
		ids[i] = paths->items[i].id;
	sort_items(ids, paths->count, sizeof(ids[0]), compare_ids);
	for (size_t i = 0; i < paths->count; i++) {
		if (i == 0 || ids[i] != ids[i - 1])
			ids[entity->id_count++] = ids[i];
	}
	entity->ids = ids;
	return true;
}

/* Once for all names of a declaration, into a model of them. */
static bool
resolve_entity(struct resolver *resolver, const struct declaration *declaration,
	       struct schema_entity *model, struct index_list *parents)
{
	const struct text *space = declaration->space;

	model->attributes = schema_resolve_attributes(resolver, declaration);
	if (model->attributes == NULL)
		return false;
	if (declaration->tags != NULL) {
		model->tags = schema_resolve_type(resolver, space, declaration->tags);
		if (model->tags == NULL)
			return false;
	}
	if (!resolve_ids(resolver, &declaration->ids, model) ||
	    !list_entity_types(resolver, space, &declaration->parents, parents))
		return false;
	model->parents = entities_of(resolver, parents);
	model->parent_count = parents->count;
	return model->parents != NULL && count_pairs(resolver, declaration, parents->count);
}

static bool
fill_entities(struct resolver *resolver, const struct declaration *declaration,
	      struct hierarchy *hierarchy)
{
	struct schema_entity model = {0};
	struct index_list parents;

	if (!resolve_entity(resolver, declaration, &model, &parents))
		return false;
	for (size_t i = 0; i < declaration->names.count; i++) {
		const struct schema_definition *found = schema_look_up(
			resolver->schema, declaration->space, declaration->names.items[i].name);
		struct schema_entity *entity = found->entity;
		entity->attributes = model.attributes;
		entity->tags = model.tags;
		entity->ids = model.ids;
		entity->id_count = model.id_count;
		entity->parents = model.parents;
		entity->parent_count = model.parent_count;
		hierarchy->entities[entity->index] =
			(struct hierarchy_node){.above = parents.items, .count = parents.count};
	}
	return true;
}

/* ---- actions ---- */

/* As types are: without a namespace, in the one at hand first and then outside of all. */
static bool
resolve_group(struct resolver *resolver, const struct text *space, const struct path *path,
	      struct index_list *groups)
{
	static const char word[] = "Action";
	struct text plain = text_of(word, sizeof(word) - 1);
	const struct text *type = path->name != NULL ? path->name : &plain;
	struct schema_action *action = NULL;
	char quoted[QUOTED_SIZE];

	if (space != NULL && !schema_name_is_qualified(type) &&
	    !schema_look_up_action(resolver, space, type, path->id, &action))
		return false;
	if (action == NULL && !schema_look_up_action(resolver, NULL, type, path->id, &action))
		return false;
	if (action == NULL) {
		policy_quote(quoted, path->id->data, path->id->size);
		return parser_refuse(resolver->parser, POLICY_INVALID, path->at,
				     "no action `%s` is declared", quoted) != NULL;
	}
	list_add(groups, action->index);
	return true;
}

static const struct schema_action *const *
actions_of(struct resolver *resolver, const struct index_list *list)
{
	const struct schema_action **items =
		arena_take(resolver->parser->arena, list->count, sizeof(*items));

	if (items == NULL)
		return parser_out_of_memory(resolver->parser);
	for (size_t i = 0; i < list->count; i++)
		items[i] = resolver->schema->actions[list->items[i]];
	return items;
}

static bool
resolve_groups(struct resolver *resolver, const struct declaration *declaration,
	       struct schema_action *model, struct index_list *groups)
{
	const struct path_list *paths = &declaration->parents;

	if (!list_start(resolver, groups, paths->count, resolver->schema->action_count))
		return false;
	for (size_t i = 0; i < paths->count; i++) {
		if (!resolve_group(resolver, declaration->space, &paths->items[i], groups))
			return false;
	}
	model->groups = actions_of(resolver, groups);
	model->group_count = groups->count;
	return model->groups != NULL && count_pairs(resolver, declaration, groups->count);
}

static bool
resolve_action(struct resolver *resolver, const struct declaration *declaration,
	       struct schema_action *model, struct index_list *groups)
{
	const struct text *space = declaration->space;
	struct index_list principals, resources;

	model->context = schema_resolve_context(resolver, declaration);
	if (model->context == NULL || !resolve_groups(resolver, declaration, model, groups) ||
	    !list_entity_types(resolver, space, &declaration->principals, &principals) ||
	    !list_entity_types(resolver, space, &declaration->resources, &resources))
		return false;
	model->applies = declaration->applies;
	model->principals = entities_of(resolver, &principals);
	model->principal_count = principals.count;
	model->resources = entities_of(resolver, &resources);
	model->resource_count = resources.count;
	return model->principals != NULL && model->resources != NULL;
}

static bool
fill_actions(struct resolver *resolver, const struct declaration *declaration,
	     struct hierarchy *hierarchy, size_t *next)
{
	struct schema_action model = {0};
	struct index_list groups;

	if (!resolve_action(resolver, declaration, &model, &groups))
		return false;
	/* Actions were declared in this same order. */
	for (size_t i = 0; i < declaration->names.count; i++) {
		struct schema_action *action = resolver->schema->actions[*next];
		model.name = action->name;
		model.index = action->index;
		model.type = action->type;
		*action = model;
		hierarchy->actions[action->index] =
			(struct hierarchy_node){.above = groups.items, .count = groups.count};
		++*next;
	}
	return true;
}

/* ---- all ---- */

static bool
fill_declarations(struct resolver *resolver, struct hierarchy *hierarchy)
{
	size_t next_action = 0;

	for (size_t i = 0; i < resolver->syntax->count; i++) {
		const struct declaration *declaration = &resolver->syntax->declarations[i];
		if (declaration->kind == DECLARE_ENTITY &&
		    !fill_entities(resolver, declaration, hierarchy))
			return false;
		if (declaration->kind == DECLARE_ACTION &&
		    !fill_actions(resolver, declaration, hierarchy, &next_action))
			return false;
	}
	return true;
}

static bool
start_hierarchy(struct resolver *resolver, struct hierarchy *hierarchy)
{
	const struct policy_schema *schema = resolver->schema;
	struct arena *scratch = &resolver->parser->scratch;

	hierarchy->entities =
		arena_take(scratch, schema->entity_count, sizeof(hierarchy->entities[0]));
	hierarchy->actions =
		arena_take(scratch, schema->action_count, sizeof(hierarchy->actions[0]));
	if (hierarchy->entities == NULL || hierarchy->actions == NULL)
		return parser_out_of_memory(resolver->parser) != NULL;
	for (size_t i = 0; i < schema->entity_count; i++)
		hierarchy->entities[i] = (struct hierarchy_node){0};
	for (size_t i = 0; i < schema->action_count; i++)
		hierarchy->actions[i] = (struct hierarchy_node){0};
	return true;
}

/* An action's type is above another's where a group of the one holds an action of the other. */
static void
relate_action_types(const struct policy_schema *schema, const struct hierarchy *hierarchy,
		    size_t index)
{
	uint64_t *bits = hierarchy->entities[schema->actions[index]->type->index].ancestors;

	for (size_t above = 0; above < schema->action_count; above++) {
		if (BITS_HAVE(hierarchy->actions[index].ancestors, above))
			BITS_SET(bits, schema->actions[above]->type->index);
	}
}

static bool
close_hierarchy(struct resolver *resolver, struct hierarchy *hierarchy)
{
	struct policy_schema *schema = resolver->schema;
	struct parser *parser = resolver->parser;

	if (!hierarchy_close(hierarchy->entities, schema->entity_count, parser->arena,
			     &parser->scratch) ||
	    !hierarchy_close(hierarchy->actions, schema->action_count, parser->arena,
			     &parser->scratch))
		return parser_out_of_memory(parser) != NULL;
	for (size_t i = 0; i < schema->action_count; i++) {
		if (BITS_HAVE(hierarchy->actions[i].ancestors, i))
			return parser_refuse(parser, POLICY_INVALID, resolver->places[i],
					     "this action would be in itself") != NULL;
		relate_action_types(schema, hierarchy, i);
		schema->actions[i]->ancestors = hierarchy->actions[i].ancestors;
	}
	for (size_t i = 0; i < schema->entity_count; i++)
		schema->entities[i]->ancestors = hierarchy->entities[i].ancestors;
	return true;
}

bool
schema_resolve(struct parser *parser, const struct schema_syntax *syntax,
	       struct policy_schema *schema)
{
	struct resolver resolver = {.parser = parser, .syntax = syntax, .schema = schema};
	struct hierarchy hierarchy;

	if (!schema_declare(&resolver) || !schema_resolve_commons(&resolver) ||
	    !start_hierarchy(&resolver, &hierarchy) || !fill_declarations(&resolver, &hierarchy) ||
	    !close_hierarchy(&resolver, &hierarchy))
		return false;
	/* What common types were made from goes away with the parser. */
	for (size_t i = 0; i < schema->definition_slots; i++) {
		if (schema->definitions[i] != NULL)
			schema->definitions[i]->common = NULL;
	}
	return true;
}
