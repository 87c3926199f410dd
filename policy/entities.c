/* SPDX-License-Identifier: Apache-2.0 */
/* Entities and the hierarchy above them. */
#include "error.h"
#include "facts.h"

#include <string.h>

#define SLOTS_FIRST    16
#define ANCESTORS_LIST 32 /* from so many on, an index beside the list */

/* ---- the table of one layer ---- */

static size_t
find_slot(struct entity *const *slots, size_t slot_count, const struct policy_value *name)
{
	size_t slot = (size_t)name->hash & (slot_count - 1);

	while (slots[slot] != NULL && !value_equal(slots[slot]->name, name))
		slot = (slot + 1) & (slot_count - 1);
	return slot;
}

/* At most half full, so that a search always meets a free place. */
static bool
make_room(struct policy_facts *facts)
{
	if (facts->entity_count * 2 < facts->slot_count)
		return true;
	size_t slot_count = facts->slot_count == 0 ? SLOTS_FIRST : facts->slot_count * 2;
	struct entity **slots = arena_take(&facts->arena, slot_count, sizeof(*slots));
	if (slots == NULL)
		return false;
	memset(slots, 0, slot_count * sizeof(*slots));
	for (size_t i = 0; i < facts->slot_count; i++) {
		struct entity *entity = facts->entities[i];
		if (entity != NULL)
			slots[find_slot(slots, slot_count, entity->name)] = entity;
	}
	facts->entities = slots;
	facts->slot_count = slot_count;
	return true;
}

static struct entity *
find_in_layer(const struct policy_facts *facts, const struct policy_value *name)
{
	if (facts->slot_count == 0)
		return NULL;
	return facts->entities[find_slot(facts->entities, facts->slot_count, name)];
}

const struct entity *
facts_find(const struct policy_facts *facts, const struct policy_value *name)
{
	for (; facts != NULL; facts = facts->base) {
		const struct entity *entity = find_in_layer(facts, name);
		if (entity != NULL)
			return entity;
	}
	return NULL;
}

/* ---- ancestors ---- */

static size_t
find_ancestor_slot(const struct ancestors *ancestors, const struct policy_value *name)
{
	size_t slot = (size_t)name->hash & (ancestors->slot_count - 1);

	while (ancestors->slots[slot] != NULL && !value_equal(ancestors->slots[slot], name))
		slot = (slot + 1) & (ancestors->slot_count - 1);
	return slot;
}

bool
ancestors_have(const struct ancestors *ancestors, const struct policy_value *name)
{
	if (ancestors->slot_count > 0)
		return ancestors->slots[find_ancestor_slot(ancestors, name)] != NULL;
	for (size_t i = 0; i < ancestors->count; i++) {
		if (value_equal(ancestors->items[i], name))
			return true;
	}
	return false;
}

/* At most half full, and built anew with twice the slots. */
static bool
index_ancestors(struct arena *arena, struct ancestors *ancestors)
{
	if (ancestors->count < ANCESTORS_LIST || ancestors->count * 2 < ancestors->slot_count)
		return true;
	ancestors->slot_count =
		ancestors->slot_count == 0 ? 4 * ANCESTORS_LIST : 2 * ancestors->slot_count;
	ancestors->slots = arena_take(arena, ancestors->slot_count, sizeof(ancestors->slots[0]));
	if (ancestors->slots == NULL)
		return false;
	memset(ancestors->slots, 0, ancestors->slot_count * sizeof(ancestors->slots[0]));
	for (size_t i = 0; i < ancestors->count; i++)
		ancestors->slots[find_ancestor_slot(ancestors, ancestors->items[i])] =
			ancestors->items[i];
	return true;
}

static bool
add_ancestor(struct arena *arena, struct ancestors *ancestors, const struct policy_value *name)
{
	if (ancestors_have(ancestors, name))
		return true;
	const struct policy_value **items = arena_grow(arena, ancestors->items, ancestors->count,
						       sizeof(*items), &ancestors->capacity);
	if (items == NULL || !index_ancestors(arena, ancestors))
		return false;
	ancestors->items = items;
	ancestors->items[ancestors->count++] = name;
	if (ancestors->slot_count > 0)
		ancestors->slots[find_ancestor_slot(ancestors, name)] = name;
	return true;
}

static bool
add_parents(struct policy_facts *facts, struct ancestors *ancestors, const struct entity *entity)
{
	for (size_t i = 0; entity != NULL && i < entity->parent_count; i++) {
		if (!add_ancestor(&facts->arena, ancestors, entity->parents[i]))
			return false;
	}
	return true;
}

/* Breadth first: the list is the queue. Each entity is visited once, so a cycle ends too. */
static bool
collect_ancestors(struct policy_facts *facts, struct ancestors *ancestors,
		  const struct entity *entity)
{
	if (!add_parents(facts, ancestors, entity))
		return false;
	for (size_t next = 0; next < ancestors->count; next++) {
		if (!add_parents(facts, ancestors, facts_find(facts, ancestors->items[next])))
			return false;
	}
	return true;
}

static struct ancestors *
make_ancestors(struct policy_facts *facts, const struct entity *entity)
{
	struct ancestors *ancestors = arena_take(&facts->arena, 1, sizeof(*ancestors));

	if (ancestors == NULL)
		return NULL;
	/* It outlives the decision, so it keeps the entity's own name: the one asked with may be of
	 * a policy set that goes away. */
	*ancestors = (struct ancestors){.of = entity->name};
	return collect_ancestors(facts, ancestors, entity) ? ancestors : NULL;
}

/* A request asks for the same few entities again and again. Two that meet in the cache take
 * neighbouring places, as long as there are any. */
const struct ancestors *
facts_ancestors(struct policy_facts *facts, const struct policy_value *name)
{
	size_t home = name->hash & (ANCESTORS_CACHED - 1);
	size_t place = home;

	for (size_t i = 0; i < ANCESTORS_CACHED && facts->cache[place] != NULL; i++) {
		if (value_equal(facts->cache[place]->of, name))
			return facts->cache[place];
		place = (place + 1) & (ANCESTORS_CACHED - 1);
	}
	const struct entity *entity = facts_find(facts, name);
	if (entity == NULL || entity->parent_count == 0)
		return NULL;
	struct ancestors *ancestors = make_ancestors(facts, entity);
	if (ancestors == NULL)
		return facts_fail(facts, POLICY_MEMORY);
	facts->cache[place] = ancestors;
	return ancestors;
}

/* ---- adding ---- */

static bool
is_entity(const struct policy_value *value)
{
	return value != NULL && value->kind == VALUE_ENTITY;
}

static enum policy_status
check_layers(const struct policy_facts *facts, struct policy_error *err)
{
	for (; facts != NULL; facts = facts->base) {
		if (facts->failed != POLICY_OK)
			return policy_fail(err, facts->failed, "a value could not be built");
	}
	return POLICY_OK;
}

static enum policy_status
check_operands(const struct policy_facts *facts, const struct policy_value *entity,
	       const struct policy_value *attributes, const struct policy_value *const *parents,
	       size_t parent_count, struct policy_error *err)
{
	enum policy_status status = check_layers(facts, err);
	if (status != POLICY_OK)
		return status;
	if (!is_entity(entity))
		return policy_fail(err, POLICY_INVALID, "this is not an entity");
	if (attributes != NULL && attributes->kind != VALUE_RECORD)
		return policy_fail(err, POLICY_INVALID, "attributes must be a record");
	for (size_t i = 0; i < parent_count; i++) {
		if (!is_entity(parents[i]))
			return policy_fail(err, POLICY_INVALID, "a parent must be an entity");
	}
	if (find_in_layer(facts, entity) != NULL)
		return policy_fail(err, POLICY_INVALID, "this entity is there already");
	return POLICY_OK;
}

static struct entity *
make_entity(struct policy_facts *facts, const struct policy_value *name,
	    const struct policy_value *attributes, const struct policy_value *const *parents,
	    size_t parent_count)
{
	struct entity *entity = arena_take(&facts->arena, 1, sizeof(*entity));
	const struct policy_value **copy = arena_take(&facts->arena, parent_count, sizeof(*copy));

	if (entity == NULL || copy == NULL)
		return NULL;
	if (parent_count > 0)
		memcpy(copy, parents, parent_count * sizeof(*copy));
	*entity = (struct entity){.name = name,
				  .attributes = attributes,
				  .parents = copy,
				  .parent_count = parent_count};
	return entity;
}

/* Any new cycle goes through the entity that is added: it would be its own ancestor. */
static enum policy_status
check_cycle(struct policy_facts *facts, const struct entity *entity, struct policy_error *err)
{
	struct ancestors ancestors = {0};

	if (entity->parent_count == 0)
		return POLICY_OK;
	if (!collect_ancestors(facts, &ancestors, entity))
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	if (ancestors_have(&ancestors, entity->name))
		return policy_fail(err, POLICY_INVALID, "an entity may not be its own ancestor");
	return POLICY_OK;
}

static enum policy_status
add_entity(struct policy_facts *facts, const struct policy_value *name,
	   const struct policy_value *attributes, const struct policy_value *const *parents,
	   size_t parent_count, struct policy_error *err)
{
	struct entity *entity = make_entity(facts, name, attributes, parents, parent_count);

	if (entity == NULL || !make_room(facts))
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	enum policy_status status = check_cycle(facts, entity, err);
	if (status != POLICY_OK)
		return status;
	facts->entities[find_slot(facts->entities, facts->slot_count, name)] = entity;
	facts->entity_count++;
	/* What was above an entity before may not be all that is above it now. */
	memset(facts->cache, 0, sizeof(facts->cache));
	return POLICY_OK;
}

/* A refused entity leaves the layer unfit for decisions, as a failed value does: a caller who does
 * not look gets no decision on half of the facts. */
enum policy_status
policy_facts_entity(struct policy_facts *facts, const struct policy_value *entity,
		    const struct policy_value *attributes,
		    const struct policy_value *const *parents, size_t parent_count,
		    struct policy_error *err)
{
	enum policy_status status =
		check_operands(facts, entity, attributes, parents, parent_count, err);

	if (status == POLICY_OK)
		status = add_entity(facts, entity, attributes, parents, parent_count, err);
	if (status != POLICY_OK)
		facts_fail(facts, status);
	return status;
}

static enum policy_status
set_tags(const struct policy_facts *facts, const struct policy_value *entity,
	 const struct policy_value *tags, struct policy_error *err)
{
	enum policy_status status = check_layers(facts, err);

	if (status != POLICY_OK)
		return status;
	if (!is_entity(entity) || tags == NULL || tags->kind != VALUE_RECORD)
		return policy_fail(err, POLICY_INVALID, "tags are a record, of an entity");
	struct entity *found = find_in_layer(facts, entity);
	if (found == NULL || found->tags != NULL)
		return policy_fail(err, POLICY_INVALID, "there is no such entity without tags");
	found->tags = tags;
	return POLICY_OK;
}

enum policy_status
policy_facts_tags(struct policy_facts *facts, const struct policy_value *entity,
		  const struct policy_value *tags, struct policy_error *err)
{
	enum policy_status status = set_tags(facts, entity, tags, err);

	if (status != POLICY_OK)
		facts_fail(facts, status);
	return status;
}
