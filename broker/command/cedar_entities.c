/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of entities in JSON. */
#include "cedar_entity.h"
#include "cedar_json.h"
#include "policy/reading.h"

#include <stdlib.h>
#include <string.h>

#define NOT_FOUND SIZE_MAX

struct told {
	struct cedar_told entity;
	size_t index;	 /* in the list */
	size_t children; /* that are told, and not added yet */
};

/* An entity may be told twice where both say the same. */
struct seen {
	struct told *entities;
	size_t count;
	json_t *indexes; /* by type and id */
	bool failed;	 /* to look one up: out of memory */
};

/* ---- entities told twice ---- */

/* Type and id with a quote between them: no other pair gives the same. NULL: out of memory. */
static char *
make_key(const struct cedar_told *entity, size_t *ret_size)
{
	size_t type_size = entity->type.size;
	char *key = malloc(type_size + 1 + entity->id.size);

	if (key == NULL)
		return NULL;
	memcpy(key, entity->type.data, type_size);
	key[type_size] = '"';
	memcpy(key + type_size + 1, entity->id.data, entity->id.size);
	*ret_size = type_size + 1 + entity->id.size;
	return key;
}

/* NOT_FOUND, or its index. Where memory runs out `failed` is set. */
static size_t
find(struct seen *seen, const struct cedar_told *entity)
{
	size_t size = 0;
	char *key = make_key(entity, &size);

	if (key == NULL)
		seen->failed = true;
	const json_t *index = key != NULL ? json_object_getn(seen->indexes, key, size) : NULL;
	free(key);
	return index != NULL ? (size_t)json_integer_value(index) : NOT_FOUND;
}

/* As the next. False: out of memory. */
static bool
note(struct seen *seen, const struct cedar_told *entity)
{
	size_t size = 0;
	char *key = make_key(entity, &size);
	bool noted =
		key != NULL && json_object_setn_new(seen->indexes, key, size,
						    json_integer((json_int_t)seen->count)) == 0;

	free(key);
	return noted;
}

static bool
same_entity(const struct cedar_told *a, const struct cedar_told *b)
{
	bool same_tags = a->tags == NULL || b->tags == NULL ? a->tags == b->tags
							    : policy_value_equal(a->tags, b->tags);

	return same_tags && policy_value_equal(a->attributes, b->attributes) &&
	       policy_value_equal(a->parent_set, b->parent_set);
}

static void
add_entity(struct cedar_reader *reader, const struct cedar_place *at,
	   const struct cedar_told *entity)
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

/* Adds nothing yet: facts want entities in another order. */
static void
take_entity(struct cedar_reader *reader, const struct cedar_place *at,
	    const struct policy_schema *schema, struct seen *seen)
{
	struct told *told = &seen->entities[seen->count];

	told->index = at->index;
	cedar_told_read(reader, at, schema, &told->entity);
	size_t index = reader->status == POLICY_OK ? find(seen, &told->entity) : NOT_FOUND;
	if (reader->status == POLICY_OK && index == NOT_FOUND) {
		if (!note(seen, &told->entity))
			cedar_refuse(reader, at, POLICY_MEMORY, "out of memory");
		seen->count++;
		return;
	}
	if (index != NOT_FOUND && !same_entity(&seen->entities[index].entity, &told->entity))
		cedar_refuse(reader, at, POLICY_INVALID, "this entity was told before, otherwise");
	free(told->entity.parents);
}

/* ---- children before parents ---- */

/* One child fewer or more for each of its parents that is told; of those that have none left the
 * indexes are appended to the queue. */
static void
count_child(struct seen *seen, const struct cedar_told *entity, bool added, size_t *queue,
	    size_t *queued)
{
	for (size_t i = 0; i < entity->parent_count; i++) {
		struct cedar_told parent = {.name = entity->parents[i]};
		policy_entity_texts(parent.name, &parent.type, &parent.id);
		size_t index = find(seen, &parent);
		if (index == NOT_FOUND)
			continue;
		struct told *told = &seen->entities[index];
		told->children += added ? 0 : 1;
		told->children -= added ? 1 : 0;
		if (added && told->children == 0)
			queue[(*queued)++] = index;
	}
}

/* So that facts, which look for circles above each that is added, find its parents alone. Who is
 * left over is in a circle, or above one. */
static void
add_all(struct cedar_reader *reader, const struct cedar_place *at, struct seen *seen)
{
	size_t *queue = calloc(seen->count + 1, sizeof(*queue));
	size_t queued = 0;

	if (queue == NULL)
		cedar_refuse(reader, at, POLICY_MEMORY, "out of memory");
	for (size_t i = 0; queue != NULL && i < seen->count; i++)
		count_child(seen, &seen->entities[i].entity, false, NULL, NULL);
	for (size_t i = 0; queue != NULL && i < seen->count; i++)
		if (seen->entities[i].children == 0)
			queue[queued++] = i;
	for (size_t next = 0; next < queued && reader->status == POLICY_OK; next++) {
		struct told *told = &seen->entities[queue[next]];
		struct cedar_place place = cedar_item(at, told->index);
		add_entity(reader, &place, &told->entity);
		count_child(seen, &told->entity, true, queue, &queued);
	}
	for (size_t i = 0; i < seen->count && reader->status == POLICY_OK; i++) {
		struct cedar_place place = cedar_item(at, seen->entities[i].index);
		if (queued < seen->count && seen->entities[i].children > 0)
			cedar_refuse(reader, &place, POLICY_INVALID,
				     "this entity is above itself, or above one that is");
	}
	free(queue);
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
	if (reader->status == POLICY_OK)
		add_all(reader, at, &seen);
	if (seen.failed)
		cedar_refuse(reader, at, POLICY_MEMORY, "out of memory");
	for (size_t i = 0; i < seen.count; i++)
		free(seen.entities[i].entity.parents);
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
	struct cedar_told entity = {.name = NULL};

	if (facts != NULL)
		cedar_told_read(&alone, at, schema, &entity);
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
