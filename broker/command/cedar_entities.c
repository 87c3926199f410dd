/* SPDX-License-Identifier: Apache-2.0 */
/* Entities in JSON: a list of {"uid", "attrs", "parents", "tags"}. */
#include "cedar_json.h"
#include "cedar_value.h"
#include "policy/reading.h"

#include <stdlib.h>
#include <string.h>

struct entity {
	struct policy_text type;
	struct policy_text id;
	const struct policy_value *name;
	const struct policy_value *attributes;
	const struct policy_value *tags;     /* NULL: none */
	const struct policy_value **parents; /* freed by whoever read them */
	size_t parent_count;
	const struct policy_value *parent_set;
};

/* An entity may be told twice where both say the same. */
struct seen {
	struct entity *entities;
	size_t count;
	json_t *indexes; /* by `type"id`, which no other pair gives */
};

static bool
is_action(struct policy_text type)
{
	static const char action[] = "Action", scoped[] = "::Action";
	size_t size = sizeof(scoped) - 1;

	if (type.size == sizeof(action) - 1)
		return memcmp(type.data, action, type.size) == 0;
	return type.size > size && memcmp(type.data + type.size - size, scoped, size) == 0;
}

static const struct policy_value *
read_attributes(struct cedar_reader *reader, const struct cedar_place *at,
		const struct policy_schema *schema, const struct entity *entity)
{
	struct cedar_place attributes = cedar_member(at, "attrs");
	const struct policy_type *record = NULL;

	if (!json_is_object(attributes.value))
		return cedar_refuse(reader, attributes.value != NULL ? &attributes : at,
				    POLICY_INVALID, "an entity has `attrs`, an object");
	/* Actions have no attributes in schemas: what they are is checked as a whole. */
	if (schema != NULL && !is_action(entity->type)) {
		record = policy_schema_attributes(schema, entity->type);
		if (record == NULL)
			return cedar_refuse(reader, at, POLICY_INVALID,
					    "the schema has no entity type `%.*s`",
					    entity->type.size < 64 ? (int)entity->type.size : 64,
					    entity->type.data);
	}
	return cedar_record(reader, &attributes, record, NULL);
}

/* NULL where there are none, too. */
static const struct policy_value *
read_tags(struct cedar_reader *reader, const struct cedar_place *at,
	  const struct policy_schema *schema, const struct entity *entity)
{
	struct cedar_place tags = cedar_member(at, "tags");
	const struct policy_type *each = NULL;

	if (tags.value == NULL)
		return NULL;
	if (!json_is_object(tags.value))
		return cedar_refuse(reader, &tags, POLICY_INVALID, "`tags` is an object");
	if (json_object_size(tags.value) == 0)
		return NULL;
	if (schema != NULL && (each = policy_schema_tags(schema, entity->type)) == NULL)
		return cedar_refuse(reader, &tags, POLICY_INVALID,
				    "by the schema this entity has no tags");
	return cedar_record(reader, &tags, NULL, each);
}

static void
read_parents(struct cedar_reader *reader, const struct cedar_place *at, struct entity *entity)
{
	struct cedar_place parents = cedar_member(at, "parents");
	size_t count = json_array_size(parents.value);
	struct policy_text type, id;

	if (!json_is_array(parents.value)) {
		cedar_refuse(reader, parents.value != NULL ? &parents : at, POLICY_INVALID,
			     "an entity has `parents`, a list");
		return;
	}
	entity->parents = calloc(count + 1, sizeof(*entity->parents));
	if (entity->parents == NULL)
		cedar_refuse(reader, at, POLICY_MEMORY, "out of memory");
	for (size_t i = 0; i < count && reader->status == POLICY_OK; i++) {
		struct cedar_place parent = cedar_item(&parents, i);
		const struct policy_value *name = cedar_entity(reader, &parent);
		if (name == NULL)
			return;
		policy_entity_texts(name, &type, &id);
		if (is_action(entity->type) && !is_action(type))
			cedar_refuse(reader, &parent, POLICY_INVALID,
				     "what an action is in is an action");
		entity->parents[entity->parent_count++] = name;
	}
	if (reader->status == POLICY_OK)
		entity->parent_set =
			policy_value_set(reader->facts, entity->parents, entity->parent_count);
}

static void
read_entity(struct cedar_reader *reader, const struct cedar_place *at,
	    const struct policy_schema *schema, struct entity *entity)
{
	struct cedar_place uid = cedar_member(at, "uid");

	*entity = (struct entity){.name = NULL};
	if (uid.value == NULL)
		cedar_refuse(reader, at, POLICY_INVALID, "an entity has a `uid`");
	else
		entity->name = cedar_entity(reader, &uid);
	if (entity->name == NULL)
		return;
	policy_entity_texts(entity->name, &entity->type, &entity->id);
	entity->attributes = read_attributes(reader, at, schema, entity);
	if (reader->status == POLICY_OK)
		entity->tags = read_tags(reader, at, schema, entity);
	if (reader->status == POLICY_OK)
		read_parents(reader, at, entity);
}

/* ---- entities told twice ---- */

/* Its index, or how many there are: then it has been noted as the next. -1: out of memory. */
static json_int_t
note(struct seen *seen, const struct entity *entity)
{
	size_t size = entity->type.size + 1 + entity->id.size;
	char *key = malloc(size);

	if (key == NULL)
		return -1;
	memcpy(key, entity->type.data, entity->type.size);
	key[entity->type.size] = '"';
	memcpy(key + entity->type.size + 1, entity->id.data, entity->id.size);
	const json_t *index = json_object_getn(seen->indexes, key, size);
	json_int_t found = index != NULL ? json_integer_value(index) : (json_int_t)seen->count;
	if (index == NULL &&
	    json_object_setn_new(seen->indexes, key, size, json_integer(found)) != 0)
		found = -1;
	free(key);
	return found;
}

static bool
same_entity(const struct entity *a, const struct entity *b)
{
	bool same_tags = a->tags == NULL || b->tags == NULL ? a->tags == b->tags
							    : policy_value_equal(a->tags, b->tags);

	return same_tags && policy_value_equal(a->attributes, b->attributes) &&
	       policy_value_equal(a->parent_set, b->parent_set);
}

static void
add_entity(struct cedar_reader *reader, const struct cedar_place *at, const struct entity *entity)
{
	struct policy_error err;
	enum policy_status status =
		policy_facts_entity(reader->facts, entity->name, entity->attributes,
				    entity->parents, entity->parent_count, &err);

	if (status == POLICY_OK && entity->tags != NULL)
		status = policy_facts_tags(reader->facts, entity->name, entity->tags, &err);
	if (status != POLICY_OK)
		cedar_refuse(reader, at, status, "%s", err.message);
}

static void
take_entity(struct cedar_reader *reader, const struct cedar_place *at,
	    const struct policy_schema *schema, struct seen *seen)
{
	struct entity entity;

	read_entity(reader, at, schema, &entity);
	json_int_t index = reader->status == POLICY_OK ? note(seen, &entity) : 0;
	if (index < 0)
		cedar_refuse(reader, at, POLICY_MEMORY, "out of memory");
	if (reader->status == POLICY_OK && (size_t)index < seen->count) {
		if (!same_entity(&seen->entities[index], &entity))
			cedar_refuse(reader, at, POLICY_INVALID,
				     "this entity was told before, otherwise");
	} else if (reader->status == POLICY_OK) {
		add_entity(reader, at, &entity);
		seen->entities[seen->count++] = entity;
	}
	free(entity.parents);
}

/* ---- all of them ---- */

static void
read_all(struct cedar_reader *reader, const struct cedar_place *at,
	 const struct policy_schema *schema)
{
	struct seen seen = {.indexes = json_object()};

	seen.entities = calloc(json_array_size(at->value) + 1, sizeof(*seen.entities));
	if (seen.entities == NULL || seen.indexes == NULL)
		cedar_refuse(reader, at, POLICY_MEMORY, "out of memory");
	for (size_t i = 0; reader->status == POLICY_OK && i < json_array_size(at->value); i++) {
		struct cedar_place entity = cedar_item(at, i);
		take_entity(reader, &entity, schema, &seen);
	}
	free(seen.entities);
	json_decref(seen.indexes);
}

/* Does this entity, in a layer of its own, conform? What it refuses to is told with its place. */
static void
blame_entity(struct cedar_reader *reader, const struct cedar_place *at,
	     const struct policy_schema *schema)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	struct policy_error wrong;
	struct cedar_reader alone = {.facts = facts, .err = &wrong};
	struct entity entity = {.name = NULL};

	if (facts != NULL)
		read_entity(&alone, at, schema, &entity);
	if (facts != NULL && alone.status == POLICY_OK)
		add_entity(&alone, at, &entity);
	if (facts != NULL && alone.status == POLICY_OK) {
		enum policy_status status = policy_schema_check_facts(schema, facts, &wrong);
		if (status != POLICY_OK)
			cedar_refuse(reader, at, status, "%s", wrong.message);
	}
	free(entity.parents);
	policy_facts_free(facts);
}

/* The schema's check goes over a layer in no order: the first in the text is told. */
static void
check_all(struct cedar_reader *reader, const struct cedar_place *at,
	  const struct policy_schema *schema)
{
	struct policy_error err;
	enum policy_status status = policy_schema_check_facts(schema, reader->facts, &err);

	if (status == POLICY_OK)
		return;
	for (size_t i = 0; reader->status == POLICY_OK && i < json_array_size(at->value); i++) {
		struct cedar_place entity = cedar_item(at, i);
		blame_entity(reader, &entity, schema);
	}
	cedar_refuse(reader, at, status, "%s", err.message);
}

enum policy_status
cedar_read_entities(const struct cedar_place *at, const struct policy_schema *schema,
		    struct policy_facts *facts, struct policy_error *err)
{
	struct cedar_reader reader = {.facts = facts, .err = err};

	if (!json_is_array(at->value))
		cedar_refuse(&reader, at, POLICY_INVALID, "entities are a list");
	else
		read_all(&reader, at, schema);
	if (reader.status == POLICY_OK && schema != NULL)
		check_all(&reader, at, schema);
	if (reader.status == POLICY_OK && schema != NULL)
		return policy_schema_add_actions(schema, facts, err);
	return reader.status;
}
