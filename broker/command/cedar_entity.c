/* SPDX-License-Identifier: Apache-2.0 */
#include "cedar_entity.h"

#include "policy/reading.h"

#include <stdlib.h>
#include <string.h>

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
		const struct policy_schema *schema, const struct cedar_told *entity)
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
	  const struct policy_schema *schema, const struct cedar_told *entity)
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
read_parents(struct cedar_reader *reader, const struct cedar_place *at, struct cedar_told *entity)
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

void
cedar_told_read(struct cedar_reader *reader, const struct cedar_place *at,
		const struct policy_schema *schema, struct cedar_told *ret_told)
{
	struct cedar_place uid = cedar_member(at, "uid");

	*ret_told = (struct cedar_told){.name = NULL};
	if (uid.value == NULL)
		cedar_refuse(reader, at, POLICY_INVALID, "an entity has a `uid`");
	else
		ret_told->name = cedar_entity(reader, &uid);
	if (ret_told->name == NULL)
		return;
	policy_entity_texts(ret_told->name, &ret_told->type, &ret_told->id);
	ret_told->attributes = read_attributes(reader, at, schema, ret_told);
	if (reader->status == POLICY_OK)
		ret_told->tags = read_tags(reader, at, schema, ret_told);
	if (reader->status == POLICY_OK)
		read_parents(reader, at, ret_told);
}
