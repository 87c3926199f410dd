/* SPDX-License-Identifier: Apache-2.0 */
#include "index.h"
#include "evaluate.h"

#include <string.h>

#define SLOTS_FIRST 16
/* A longer list is not filed: thousands of links may share it. */
#define LIST_MAX 64

static void
mark(uint64_t *marks, size_t policy)
{
	marks[policy / INDEX_WORD_BITS] |= (uint64_t)1 << (policy % INDEX_WORD_BITS);
}

/* ---- tables ---- */

static uint64_t
key_hash(const struct index_key *key)
{
	return key->entity != NULL ? key->entity->hash : key->type->hash;
}

static bool
key_equal(const struct index_key *a, const struct index_key *b)
{
	return a->entity != NULL ? value_equal(a->entity, b->entity) : text_equal(a->type, b->type);
}

/* Where the key is, or where it belongs. A table holds keys of entities or of types, never both. */
static size_t
find_slot(struct index_key *const *slots, size_t slot_count, const struct index_key *wanted)
{
	size_t slot = (size_t)key_hash(wanted) & (slot_count - 1);

	while (slots[slot] != NULL && !key_equal(slots[slot], wanted))
		slot = (slot + 1) & (slot_count - 1);
	return slot;
}

static const struct index_key *
find_key(const struct index_table *table, const struct index_key *wanted)
{
	if (table->count == 0)
		return NULL;
	return table->slots[find_slot(table->slots, table->slot_count, wanted)];
}

/* At most half full, so that a search always meets a free place. */
static bool
make_room(struct index_table *table, struct arena *arena)
{
	if (table->count * 2 < table->slot_count)
		return true;
	size_t slot_count = table->slot_count == 0 ? SLOTS_FIRST : 2 * table->slot_count;
	struct index_key **slots = arena_take(arena, slot_count, sizeof(*slots));
	if (slots == NULL)
		return false;
	memset(slots, 0, slot_count * sizeof(*slots));
	for (size_t i = 0; i < table->slot_count; i++) {
		if (table->slots[i] != NULL)
			slots[find_slot(slots, slot_count, table->slots[i])] = table->slots[i];
	}
	table->slots = slots;
	table->slot_count = slot_count;
	return true;
}

static bool
file_policy(struct index_table *table, struct arena *arena, const struct index_key *wanted,
	    size_t policy)
{
	if (!make_room(table, arena))
		return false;
	size_t slot = find_slot(table->slots, table->slot_count, wanted);
	struct index_key *key = table->slots[slot];
	if (key == NULL) {
		key = arena_take(arena, 1, sizeof(*key));
		if (key == NULL)
			return false;
		*key = *wanted;
		table->slots[slot] = key;
		table->count++;
	}
	size_t *policies =
		arena_grow(arena, key->policies, key->count, sizeof(*policies), &key->capacity);
	if (policies == NULL)
		return false;
	key->policies = policies;
	policies[key->count++] = policy;
	return true;
}

/* ---- building ---- */

static enum index_way
way_of(const struct scope *scope)
{
	if (scope->shape == POLICY_IS)
		return INDEX_IS;
	return scope->shape == POLICY_EQUALS ? INDEX_EQUALS : INDEX_IN;
}

/* A type is one key, and so is each entity. An empty list has none, and matches nothing. */
static size_t
key_count(const struct scope *scope)
{
	return scope->shape == POLICY_IS ? 1 : scope->count;
}

static bool
is_fileable(const struct scope *scope)
{
	return scope->shape != POLICY_ANY && key_count(scope) <= LIST_MAX;
}

static struct index_key
key_of(const struct scope *scope, size_t i)
{
	if (scope->shape == POLICY_IS)
		return (struct index_key){.type = scope->type};
	return (struct index_key){.entity = scope->entities[i]};
}

/* Files a policy under every key of one scope. */
static bool
file_scope(struct index *index, struct arena *arena, const struct policy *policy, size_t number,
	   size_t variable)
{
	const struct scope *scope = &policy->scopes[variable];
	struct index_table *table = &index->tables[variable][way_of(scope)];

	for (size_t i = 0; i < key_count(scope); i++) {
		struct index_key key = key_of(scope, i);
		if (!file_policy(table, arena, &key, number))
			return false;
	}
	return true;
}

/* Under the largest of its keys: so many others are looked at along with it. */
static size_t
crowd_of(const struct index *index, const struct policy *policy, size_t variable)
{
	const struct scope *scope = &policy->scopes[variable];
	const struct index_table *table = &index->tables[variable][way_of(scope)];
	size_t most = 0;

	for (size_t i = 0; i < key_count(scope); i++) {
		struct index_key wanted = key_of(scope, i);
		const struct index_key *key = find_key(table, &wanted);
		if (key != NULL && key->count > most)
			most = key->count;
	}
	return most;
}

/* The scope to file under; INDEX_VARIABLES where none will do. */
static size_t
choose_variable(const struct index *everything, const struct policy *policy)
{
	size_t chosen = INDEX_VARIABLES;
	size_t least = SIZE_MAX;

	for (size_t variable = 0; variable < INDEX_VARIABLES; variable++) {
		if (!is_fileable(&policy->scopes[variable]))
			continue;
		size_t crowd = crowd_of(everything, policy, variable);
		if (crowd < least) {
			least = crowd;
			chosen = variable;
		}
	}
	return chosen;
}

/* Every policy under every scope, to see how crowded each key would be. */
static bool
file_everything(const struct policy_set *set, struct arena *scratch, struct index *ret_index)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct policy *policy = &set->policies[i];
		if (policy->kind == POLICY_TEMPLATE)
			continue;
		for (size_t variable = 0; variable < INDEX_VARIABLES; variable++) {
			if (is_fileable(&policy->scopes[variable]) &&
			    !file_scope(ret_index, scratch, policy, i, variable))
				return false;
		}
	}
	return true;
}

/* Where a policy is found by its key that scope need not be looked at again, but for `is T in E`,
 * of which only E was asked. */
static uint8_t
settled_by(const struct policy *policy, size_t variable)
{
	if (variable == INDEX_VARIABLES || policy->scopes[variable].shape == POLICY_IS_IN)
		return INDEX_VARIABLES;
	return (uint8_t)variable;
}

bool
index_build(struct policy_set *set, struct arena *scratch)
{
	struct index everything = {0};
	struct index *index = &set->index;

	index->words = (set->count + INDEX_WORD_BITS - 1) / INDEX_WORD_BITS;
	index->always = arena_take(&set->arena, index->words, sizeof(index->always[0]));
	index->settled = arena_take(&set->arena, set->count, sizeof(index->settled[0]));
	if (index->always == NULL || index->settled == NULL ||
	    !file_everything(set, scratch, &everything))
		return false;
	memset(index->always, 0, index->words * sizeof(index->always[0]));
	for (size_t i = 0; i < set->count; i++) {
		const struct policy *policy = &set->policies[i];
		if (policy->kind == POLICY_TEMPLATE)
			continue;
		size_t variable = choose_variable(&everything, policy);
		index->settled[i] = settled_by(policy, variable);
		if (variable == INDEX_VARIABLES)
			mark(index->always, i);
		else if (!file_scope(index, &set->arena, policy, i, variable))
			return false;
	}
	return true;
}

/* ---- asking ---- */

static void
mark_all(const struct index_key *key, uint64_t *marks)
{
	for (size_t i = 0; key != NULL && i < key->count; i++)
		mark(marks, key->policies[i]);
}

static void
mark_entity(const struct index_table *table, const struct policy_value *entity, uint64_t *marks)
{
	mark_all(find_key(table, &(struct index_key){.entity = entity}), marks);
}

/* What is filed under the entity's ancestors: asks for each of them, or asks each key, whichever
 * are fewer. */
static bool
mark_ancestors(const struct index_table *table, struct evaluation *evaluation,
	       const struct policy_value *entity, uint64_t *marks)
{
	const struct ancestors *ancestors = evaluation_ancestors(evaluation, entity);

	if (ancestors == NULL)
		return evaluation->facts->failed == POLICY_OK;
	if (ancestors->count <= table->slot_count) {
		for (size_t i = 0; i < ancestors->count; i++)
			mark_entity(table, ancestors->items[i], marks);
		return true;
	}
	for (size_t i = 0; i < table->slot_count; i++) {
		const struct index_key *key = table->slots[i];
		if (key != NULL && ancestors_have(ancestors, key->entity))
			mark_all(key, marks);
	}
	return true;
}

bool
index_mark(const struct index *index, struct evaluation *evaluation, uint64_t *marks)
{
	memcpy(marks, index->always, index->words * sizeof(marks[0]));
	for (size_t i = 0; i < INDEX_VARIABLES; i++) {
		const struct index_table *tables = index->tables[i];
		const struct policy_value *entity = evaluation->variables[i];
		mark_entity(&tables[INDEX_EQUALS], entity, marks);
		mark_all(find_key(&tables[INDEX_IS],
				  &(struct index_key){.type = entity->entity.type}),
			 marks);
		if (tables[INDEX_IN].count == 0)
			continue;
		mark_entity(&tables[INDEX_IN], entity, marks);
		if (!mark_ancestors(&tables[INDEX_IN], evaluation, entity, marks))
			return false;
	}
	return true;
}
