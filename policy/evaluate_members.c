/* SPDX-License-Identifier: Apache-2.0 */
/* What looks into entities, sets, records and strings. */
#include "error.h"
#include "evaluate.h"

#include <string.h>

static const struct policy_value *
evaluate_kind(struct evaluation *evaluation, const struct expression *expression,
	      enum value_kind kind, const char *wanted)
{
	const struct policy_value *value = evaluate(evaluation, expression);

	if (value == NULL || value->kind == kind)
		return value;
	return evaluation_mismatch(evaluation, expression, value, wanted);
}

static const struct policy_value *
evaluate_entity(struct evaluation *evaluation, const struct expression *expression)
{
	return evaluate_kind(evaluation, expression, VALUE_ENTITY, "an entity");
}

/* `entity in group`, or in one of a set of them: every member must be an entity, even behind one
 * that matches. */
static const struct policy_value *
entity_in(struct evaluation *evaluation, const struct expression *expression,
	  const struct policy_value *entity, const struct policy_value *group)
{
	bool found = false;

	if (group->kind == VALUE_ENTITY) {
		found = evaluation_in(evaluation, entity, group);
	} else if (group->kind != VALUE_SET) {
		return evaluation_mismatch(evaluation, expression, group,
					   "an entity or a set of entities");
	} else if (!group->set.all_entities) {
		return evaluation_fail(evaluation, expression, "the set has more than entities");
	}
	for (size_t i = 0; group->kind == VALUE_SET && !found && i < group->set.count; i++)
		found = evaluation_in(evaluation, entity, group->set.items[i]);
	if (evaluation->facts->failed != POLICY_OK)
		return evaluation_out_of_memory(evaluation);
	return value_boolean(found);
}

const struct policy_value *
evaluate_in(struct evaluation *evaluation, const struct expression *expression)
{
	const struct policy_value *entity = evaluate_entity(evaluation, expression->pair.left);
	if (entity == NULL)
		return NULL;
	const struct policy_value *group = evaluate(evaluation, expression->pair.right);
	if (group == NULL)
		return NULL;
	return entity_in(evaluation, expression->pair.right, entity, group);
}

/* `is T in G` is `is T && in G`: G is not looked at where the type differs. */
const struct policy_value *
evaluate_is(struct evaluation *evaluation, const struct expression *expression)
{
	const struct policy_value *entity = evaluate_entity(evaluation, expression->is.subject);
	if (entity == NULL)
		return NULL;
	bool same = text_equal(entity->entity.type, expression->is.type);
	if (!same || expression->is.within == NULL)
		return value_boolean(same);
	const struct policy_value *group = evaluate(evaluation, expression->is.within);
	if (group == NULL)
		return NULL;
	return entity_in(evaluation, expression->is.within, entity, group);
}

/* The record to look for attributes in: NULL without an error for an entity that has none or is not
 * known. False where the value has no attributes at all. */
static bool
attributes_of(struct evaluation *evaluation, const struct policy_value *value,
	      const struct policy_value **ret_record)
{
	if (value->kind == VALUE_RECORD) {
		*ret_record = value;
		return true;
	}
	if (value->kind != VALUE_ENTITY)
		return false;
	const struct entity *entity = evaluation_find(evaluation, value);
	*ret_record = entity != NULL ? entity->attributes : NULL;
	return true;
}

/* `x has a.b.c` is `x has a && x.a has b && x.a.b has c`. An unknown entity has nothing. */
const struct policy_value *
evaluate_has(struct evaluation *evaluation, const struct expression *expression)
{
	const struct policy_value *value = evaluate(evaluation, expression->has.subject);
	const struct policy_value *record;

	for (size_t i = 0; value != NULL && i < expression->has.count; i++) {
		if (!attributes_of(evaluation, value, &record))
			return evaluation_mismatch(evaluation, expression, value,
						   "a record or an entity");
		if (record != NULL)
			record = value_record_get(record, expression->has.path[i]);
		if (record == NULL)
			return value_boolean(false);
		value = record;
	}
	return value != NULL ? value_boolean(true) : NULL;
}

static void *
fail_attribute(struct evaluation *evaluation, const struct expression *expression)
{
	const struct text *name = expression->attribute.name;
	char quoted[QUOTED_SIZE];

	policy_quote(quoted, name->data, name->size);
	return evaluation_fail(evaluation, expression, "there is no attribute `%s`", quoted);
}

const struct policy_value *
evaluate_attribute(struct evaluation *evaluation, const struct expression *expression)
{
	const struct text *name = expression->attribute.name;
	const struct policy_value *record;
	const struct policy_value *value = evaluate(evaluation, expression->attribute.subject);

	if (value == NULL)
		return NULL;
	if (!attributes_of(evaluation, value, &record))
		return evaluation_mismatch(evaluation, expression, value, "a record or an entity");
	if (record == NULL && evaluation_find(evaluation, value) == NULL)
		return evaluation_fail(evaluation, expression, "the entity does not exist");
	const struct policy_value *found = record != NULL ? value_record_get(record, name) : NULL;
	return found != NULL ? found : fail_attribute(evaluation, expression);
}

/* Takes a part off the front of what is left, wherever it comes first. */
static bool
skip_to(struct text *left, const struct text *part)
{
	const char *found = part->size == 0
				    ? left->data
				    : memmem(left->data, left->size, part->data, part->size);

	if (found == NULL)
		return false;
	size_t passed = (size_t)(found - left->data) + part->size;
	left->data += passed;
	left->size -= passed;
	return true;
}

static bool
starts_with(const struct text *string, const struct text *part)
{
	return string->size >= part->size &&
	       (part->size == 0 || memcmp(string->data, part->data, part->size) == 0);
}

/* Bytes will do: a well-formed part is found in a well-formed string only where characters begin.
 * Each middle part may take the first place that fits, for it leaves most to the rest. */
static bool
pattern_matches(const struct pattern *pattern, const struct text *string)
{
	const struct text *last = &pattern->parts[pattern->count - 1];
	struct text left = *string;

	if (!starts_with(&left, &pattern->parts[0]))
		return false;
	left.data += pattern->parts[0].size;
	left.size -= pattern->parts[0].size;
	if (pattern->count == 1)
		return left.size == 0;
	for (size_t i = 1; i + 1 < pattern->count; i++) {
		if (!skip_to(&left, &pattern->parts[i]))
			return false;
	}
	if (left.size < last->size)
		return false;
	left.data += left.size - last->size;
	return last->size == 0 || memcmp(left.data, last->data, last->size) == 0;
}

const struct policy_value *
evaluate_like(struct evaluation *evaluation, const struct expression *expression)
{
	const struct policy_value *value =
		evaluate_kind(evaluation, expression->like.subject, VALUE_STRING, "a string");

	if (value == NULL)
		return NULL;
	return value_boolean(pattern_matches(expression->like.pattern, &value->string));
}

static const struct policy_value *
evaluate_set_operand(struct evaluation *evaluation, const struct expression *expression)
{
	return evaluate_kind(evaluation, expression, VALUE_SET, "a set");
}

const struct policy_value *
evaluate_contains(struct evaluation *evaluation, const struct expression *expression)
{
	const struct policy_value *set = evaluate_set_operand(evaluation, expression->pair.left);
	if (set == NULL)
		return NULL;
	const struct policy_value *item = evaluate(evaluation, expression->pair.right);
	if (item == NULL)
		return NULL;
	return value_boolean(value_set_contains(set, item));
}

/* Is there one of `items` that is in `set` (`wanted`), or one that is not? */
static bool
any_contained(const struct policy_value *set, const struct policy_value *items, bool wanted)
{
	for (size_t i = 0; i < items->set.count; i++) {
		if (value_set_contains(set, items->set.items[i]) == wanted)
			return true;
	}
	return false;
}

const struct policy_value *
evaluate_contains_all(struct evaluation *evaluation, const struct expression *expression)
{
	const struct policy_value *set = evaluate_set_operand(evaluation, expression->pair.left);
	if (set == NULL)
		return NULL;
	const struct policy_value *items = evaluate_set_operand(evaluation, expression->pair.right);
	if (items == NULL)
		return NULL;
	return value_boolean(!any_contained(set, items, false));
}

const struct policy_value *
evaluate_contains_any(struct evaluation *evaluation, const struct expression *expression)
{
	const struct policy_value *set = evaluate_set_operand(evaluation, expression->pair.left);
	if (set == NULL)
		return NULL;
	const struct policy_value *items = evaluate_set_operand(evaluation, expression->pair.right);
	if (items == NULL)
		return NULL;
	return value_boolean(any_contained(set, items, true));
}

const struct policy_value *
evaluate_is_empty(struct evaluation *evaluation, const struct expression *expression)
{
	const struct policy_value *set = evaluate_set_operand(evaluation, expression->pair.left);

	return set != NULL ? value_boolean(set->set.count == 0) : NULL;
}

const struct policy_value *
evaluate_set(struct evaluation *evaluation, const struct expression *expression)
{
	struct arena *arena = &evaluation->facts->arena;
	size_t count = expression->many.count;
	const struct policy_value **items = arena_take(arena, count, sizeof(*items));

	if (items == NULL)
		return evaluation_out_of_memory(evaluation);
	for (size_t i = 0; i < count; i++) {
		items[i] = evaluate(evaluation, expression->many.operands[i].value);
		if (items[i] == NULL)
			return NULL;
	}
	const struct policy_value *set = value_set(arena, items, count);
	return set != NULL ? set : evaluation_out_of_memory(evaluation);
}

const struct policy_value *
evaluate_record(struct evaluation *evaluation, const struct expression *expression)
{
	struct arena *arena = &evaluation->facts->arena;
	size_t count = expression->many.count;
	struct value_field *fields = arena_take(arena, count, sizeof(*fields));

	if (fields == NULL)
		return evaluation_out_of_memory(evaluation);
	for (size_t i = 0; i < count; i++) {
		fields[i].name = expression->many.operands[i].name;
		fields[i].value = evaluate(evaluation, expression->many.operands[i].value);
		if (fields[i].value == NULL)
			return NULL;
	}
	const struct policy_value *record = value_record(arena, fields, count);
	return record != NULL ? record : evaluation_out_of_memory(evaluation);
}

/* Both operands of a tag's method. */
static bool
evaluate_tag_operands(struct evaluation *evaluation, const struct expression *expression,
		      const struct policy_value **ret_entity, const struct policy_value **ret_tag)
{
	*ret_entity = evaluate_entity(evaluation, expression->pair.left);
	if (*ret_entity == NULL)
		return false;
	*ret_tag = evaluate_kind(evaluation, expression->pair.right, VALUE_STRING, "a string");
	return *ret_tag != NULL;
}

static const struct policy_value *
find_tag(const struct entity *entity, const struct policy_value *tag)
{
	if (entity == NULL || entity->tags == NULL)
		return NULL;
	return value_record_get(entity->tags, &tag->string);
}

const struct policy_value *
evaluate_has_tag(struct evaluation *evaluation, const struct expression *expression)
{
	const struct policy_value *entity = NULL;
	const struct policy_value *tag = NULL;

	if (!evaluate_tag_operands(evaluation, expression, &entity, &tag))
		return NULL;
	return value_boolean(find_tag(evaluation_find(evaluation, entity), tag) != NULL);
}

const struct policy_value *
evaluate_get_tag(struct evaluation *evaluation, const struct expression *expression)
{
	const struct policy_value *name = NULL;
	const struct policy_value *tag = NULL;

	if (!evaluate_tag_operands(evaluation, expression, &name, &tag))
		return NULL;
	const struct entity *entity = evaluation_find(evaluation, name);
	if (entity == NULL)
		return evaluation_fail(evaluation, expression, "the entity does not exist");
	const struct policy_value *found = find_tag(entity, tag);
	if (found == NULL)
		return evaluation_fail(evaluation, expression, "there is no such tag");
	return found;
}
