/* SPDX-License-Identifier: Apache-2.0 */
/* Conformance: do entities and requests have the shapes that a schema gives them? */
#include "error.h"
#include "facts.h"
#include "type.h"

#include <stdarg.h>
#include <stdio.h>

/* What is looked at, for messages. */
struct check {
	const struct policy_schema *schema;
	const struct policy_value *subject; /* an entity; NULL for the request */
	const struct text *part;	    /* its attribute or tag; NULL for none */
	struct policy_error *err;
};

__attribute__((format(printf, 2, 3))) static enum policy_status
refuse(const struct check *check, const char *format, ...)
{
	char type[QUOTED_SIZE] = "";
	char id[QUOTED_SIZE] = "";
	char part[QUOTED_SIZE] = "";
	char what[96];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	if (check->part != NULL)
		policy_quote(part, check->part->data, check->part->size);
	if (check->subject != NULL) {
		policy_quote(type, check->subject->entity.type->data,
			     check->subject->entity.type->size);
		policy_quote(id, check->subject->entity.id->data, check->subject->entity.id->size);
	}
	const char *mark = check->part != NULL ? "`" : "";
	if (check->subject == NULL)
		return policy_fail(check->err, POLICY_INVALID, "the request: %s%s%s%s%s", mark,
				   part, mark, check->part != NULL ? ": " : "", what);
	return policy_fail(check->err, POLICY_INVALID, "%s::\"%s\": %s%s%s%s%s", type, id, mark,
			   part, mark, check->part != NULL ? ": " : "", what);
}

/* ---- values ---- */

static enum policy_status check_value(const struct check *check, const struct policy_type *type,
				      const struct policy_value *value);

/* Is this one of the entities that there may be? Types of neither kind are no concern of this. */
static enum policy_status
check_id(const struct check *check, const struct policy_value *value)
{
	const struct schema_entity *entity = schema_find_entity(check->schema, value->entity.type);

	if (entity == NULL)
		return POLICY_OK;
	if (entity->is_action && schema_find_action(check->schema, value) == NULL)
		return refuse(check, "an action that is not declared");
	if (!schema_entity_allows(entity, value->entity.id))
		return refuse(check, "an id that its type does not list");
	return POLICY_OK;
}

static enum policy_status
check_entity_value(const struct check *check, const struct policy_type *type,
		   const struct policy_value *value)
{
	char quoted[QUOTED_SIZE];

	if (!text_equal(value->entity.type, type->entity->name)) {
		policy_quote(quoted, type->entity->name->data, type->entity->name->size);
		return refuse(check, "expected an entity of type `%s`", quoted);
	}
	return check_id(check, value);
}

static enum policy_status
check_set(const struct check *check, const struct policy_type *type,
	  const struct policy_value *value)
{
	enum policy_status status = POLICY_OK;

	for (size_t i = 0; status == POLICY_OK && i < value->set.count; i++)
		status = check_value(check, type->element, value->set.items[i]);
	return status;
}

static enum policy_status
check_field(const struct check *check, const struct type_field *field,
	    const struct policy_value *record)
{
	const struct policy_value *value = value_record_get(record, field->name);
	struct check inner = *check;

	inner.part = field->name;
	if (value == NULL)
		return field->required ? refuse(&inner, "it is missing") : POLICY_OK;
	return check_value(&inner, field->type, value);
}

static enum policy_status
check_record(const struct check *check, const struct policy_type *type,
	     const struct policy_value *value)
{
	enum policy_status status = POLICY_OK;

	for (size_t i = 0; status == POLICY_OK && i < type->record.count; i++)
		status = check_field(check, &type->record.fields[i], value);
	for (size_t i = 0; status == POLICY_OK && i < value->record.count; i++) {
		struct check inner = *check;
		inner.part = value->record.fields[i].name;
		if (type_record_get(type, inner.part) == NULL)
			status = refuse(&inner, "it is not in the schema");
	}
	return status;
}

/* Of the types that a schema declares. */
static enum value_kind
kind_of(enum policy_type_kind kind)
{
	static const enum value_kind kinds[] = {
		[POLICY_TYPE_BOOLEAN] = VALUE_BOOLEAN,
		[POLICY_TYPE_LONG] = VALUE_LONG,
		[POLICY_TYPE_STRING] = VALUE_STRING,
		[POLICY_TYPE_DECIMAL] = VALUE_DECIMAL,
		[POLICY_TYPE_IP] = VALUE_IP,
		[POLICY_TYPE_DATETIME] = VALUE_DATETIME,
		[POLICY_TYPE_DURATION] = VALUE_DURATION,
		[POLICY_TYPE_ENTITY] = VALUE_ENTITY,
		[POLICY_TYPE_SET] = VALUE_SET,
		[POLICY_TYPE_RECORD] = VALUE_RECORD,
	};

	return kinds[kind];
}

/* Recursion goes as deep as types do, which is limited. */
static enum policy_status
check_value(const struct check *check, const struct policy_type *type,
	    const struct policy_value *value)
{
	enum value_kind wanted = kind_of(type->kind);

	if (value->kind != wanted)
		return refuse(check, "expected %s, found %s", value_kind_name(wanted),
			      value_kind_name(value->kind));
	if (type->kind == POLICY_TYPE_ENTITY)
		return check_entity_value(check, type, value);
	if (type->kind == POLICY_TYPE_SET)
		return check_set(check, type, value);
	if (type->kind == POLICY_TYPE_RECORD)
		return check_record(check, type, value);
	return POLICY_OK;
}

/* ---- entities ---- */

static const struct policy_value no_fields = {.kind = VALUE_RECORD};

static enum policy_status
check_tags(const struct check *check, const struct schema_entity *type,
	   const struct policy_value *tags)
{
	enum policy_status status = POLICY_OK;

	for (size_t i = 0; tags != NULL && status == POLICY_OK && i < tags->record.count; i++) {
		struct check inner = *check;
		inner.part = tags->record.fields[i].name;
		if (type->tags == NULL)
			return refuse(&inner, "a tag, and its type has none");
		status = check_value(&inner, type->tags, tags->record.fields[i].value);
	}
	return status;
}

/* What is above a parent need not be looked at: it is above the parent's type, or not allowed
 * there.
 */
static enum policy_status
check_parents(const struct check *check, const struct schema_entity *type,
	      const struct entity *entity)
{
	char quoted[QUOTED_SIZE];

	for (size_t i = 0; i < entity->parent_count; i++) {
		const struct policy_value *parent = entity->parents[i];
		const struct schema_entity *above =
			schema_find_entity(check->schema, parent->entity.type);
		if (above == NULL || !schema_entity_below(type, above)) {
			policy_quote(quoted, parent->entity.type->data, parent->entity.type->size);
			return refuse(check, "it may not be in a `%s`", quoted);
		}
		enum policy_status status = check_id(check, parent);
		if (status != POLICY_OK)
			return status;
	}
	return POLICY_OK;
}

/* Is the group above this entity by one of its parents, each of which is as it should be? */
static bool
is_reached(const struct policy_schema *schema, const struct policy_facts *facts,
	   const struct entity *entity, const struct schema_action *group)
{
	for (size_t i = 0; i < entity->parent_count; i++) {
		const struct schema_action *parent = schema_find_action(schema, entity->parents[i]);
		if (parent == group)
			return true;
		if (schema_action_below(parent, group) &&
		    facts_find(facts, entity->parents[i]) != NULL)
			return true;
	}
	return false;
}

/* An action has neither attributes nor tags, and is in just the groups that the schema says:
 * directly or by way of others that are in the facts too. */
static enum policy_status
check_action(const struct check *check, const struct policy_facts *facts,
	     const struct entity *entity)
{
	const struct policy_schema *schema = check->schema;
	const struct schema_action *action = schema_find_action(schema, entity->name);

	if (action == NULL)
		return refuse(check, "an action that is not declared");
	if ((entity->attributes != NULL && entity->attributes->record.count > 0) ||
	    (entity->tags != NULL && entity->tags->record.count > 0))
		return refuse(check, "an action has no attributes and no tags");
	for (size_t i = 0; i < entity->parent_count; i++) {
		const struct schema_action *group = schema_find_action(schema, entity->parents[i]);
		if (group == NULL || !schema_action_below(action, group))
			return refuse(check, "in the schema it is not in all these groups");
	}
	for (size_t i = 0; i < schema->action_count; i++) {
		if (schema_action_below(action, schema->actions[i]) &&
		    !is_reached(schema, facts, entity, schema->actions[i]))
			return refuse(check, "in the schema it is in more groups");
	}
	return POLICY_OK;
}

static enum policy_status
check_entity(const struct policy_schema *schema, const struct policy_facts *facts,
	     const struct entity *entity, struct policy_error *err)
{
	const struct schema_entity *type = schema_find_entity(schema, entity->name->entity.type);
	struct check check = {.schema = schema, .subject = entity->name, .err = err};

	if (type == NULL)
		return refuse(&check, "its type is not declared");
	if (type->is_action)
		return check_action(&check, facts, entity);
	enum policy_status status = check_id(&check, entity->name);
	if (status == POLICY_OK)
		status = check_record(&check, type->attributes,
				      entity->attributes != NULL ? entity->attributes : &no_fields);
	if (status == POLICY_OK)
		status = check_tags(&check, type, entity->tags);
	if (status == POLICY_OK)
		status = check_parents(&check, type, entity);
	return status;
}

enum policy_status
policy_schema_check_facts(const struct policy_schema *schema, const struct policy_facts *facts,
			  struct policy_error *err)
{
	enum policy_status status = POLICY_OK;

	for (const struct policy_facts *layer = facts; layer != NULL; layer = layer->base) {
		if (layer->failed != POLICY_OK)
			return policy_fail(err, layer->failed, "a value could not be built");
	}
	for (size_t i = 0; status == POLICY_OK && i < facts->slot_count; i++) {
		if (facts->entities[i] != NULL)
			status = check_entity(schema, facts, facts->entities[i], err);
	}
	return status;
}

/* ---- requests ---- */

static bool
is_listed(const struct schema_entity *const *types, size_t count, const struct schema_entity *type)
{
	for (size_t i = 0; i < count; i++) {
		if (types[i] == type)
			return true;
	}
	return false;
}

static enum policy_status
check_subject(const struct check *check, const struct policy_value *value,
	      const struct schema_entity *const *types, size_t count, const char *which)
{
	const struct schema_entity *type;
	char quoted[QUOTED_SIZE];

	type = schema_find_entity(check->schema, value->entity.type);
	if (type == NULL || !is_listed(types, count, type)) {
		policy_quote(quoted, value->entity.type->data, value->entity.type->size);
		return refuse(check, "this action is not for a %s `%s`", which, quoted);
	}
	return check_id(check, value);
}

static bool
is_kind(const struct policy_value *value, enum value_kind kind)
{
	return value != NULL && value->kind == kind;
}

enum policy_status
policy_schema_check_request(const struct policy_schema *schema,
			    const struct policy_request *request, struct policy_error *err)
{
	struct check check = {.schema = schema, .err = err};

	if (!is_kind(request->principal, VALUE_ENTITY) || !is_kind(request->action, VALUE_ENTITY) ||
	    !is_kind(request->resource, VALUE_ENTITY) || !is_kind(request->context, VALUE_RECORD))
		return refuse(&check, "three entities and a record are needed");
	const struct schema_action *action = schema_find_action(schema, request->action);
	if (action == NULL)
		return refuse(&check, "an action that is not declared");
	enum policy_status status = check_subject(&check, request->principal, action->principals,
						  action->principal_count, "principal");
	if (status == POLICY_OK)
		status = check_subject(&check, request->resource, action->resources,
				       action->resource_count, "resource");
	if (status == POLICY_OK)
		status = check_record(&check, action->context, request->context);
	return status;
}

/* ---- the schema's actions as facts ---- */

/* A copy, for facts may outlive the schema. */
static const struct policy_value *
copy_name(struct policy_facts *facts, const struct policy_value *name)
{
	const struct text *type = name->entity.type;
	const struct text *id = name->entity.id;

	return policy_value_entity(facts,
				   (struct policy_text){.data = type->data, .size = type->size},
				   (struct policy_text){.data = id->data, .size = id->size});
}

static enum policy_status
add_action(const struct schema_action *action, struct policy_facts *facts, struct policy_error *err)
{
	const struct policy_value **groups =
		arena_take(&facts->arena, action->group_count, sizeof(*groups));

	if (groups == NULL) {
		facts_fail(facts, POLICY_MEMORY);
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	}
	for (size_t i = 0; i < action->group_count; i++)
		groups[i] = copy_name(facts, action->groups[i]->name);
	return policy_facts_entity(facts, copy_name(facts, action->name), NULL, groups,
				   action->group_count, err);
}

enum policy_status
policy_schema_add_actions(const struct policy_schema *schema, struct policy_facts *facts,
			  struct policy_error *err)
{
	enum policy_status status = POLICY_OK;

	for (size_t i = 0; status == POLICY_OK && i < schema->action_count; i++) {
		if (facts_find(facts, schema->actions[i]->name) == NULL)
			status = add_action(schema->actions[i], facts, err);
	}
	return status;
}
