/* SPDX-License-Identifier: Apache-2.0 */
/* The index against itself not being there: each policy is written twice, with its scope as a scope
 * and with its scope as a condition, which no index looks at. Both must decide alike. */
#include "fixture.h"

#include "policy/builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROUNDS	     400
#define REQUESTS     12
#define ENTITIES     7	 /* of each type: the last ones are nowhere */
#define POLICIES_MAX 150 /* more than two words of bits */
#define CROWD	     60	 /* groups that one user is in: more than an index has keys */

#define GROUP	  "Group" /* what anything may be in */
#define LONG_LIST 70	  /* of actions: more than the index files */
#define LIST_SIZE 1536

static const char *const types[3] = {"User", "Action", "N::Doc"};
static const char *const variables[3] = {"principal", "action", "resource"};

/* ---- chance, the same each time ---- */

static uint64_t seed;

static size_t
below(size_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % limit);
}

/* ---- facts ---- */

static const struct policy_value *
entity(struct policy_facts *facts, const char *type, size_t number)
{
	char id[24];

	snprintf(id, sizeof(id), "%zu", number);
	return policy_value_entity(facts, text(type), text(id));
}

/* Each entity may be in those of its type with higher numbers, and in groups: so there are no
 * cycles, and groups are known by name alone. One of an upper layer hides that below. */
static void
add_entities(struct policy_facts *facts, const char *type, bool all)
{
	for (size_t i = 0; i + 2 < ENTITIES; i++) {
		const struct policy_value *parents[2 * ENTITIES + CROWD];
		size_t count = 0;
		if (!all && below(2) == 0)
			continue;
		for (size_t j = i + 1; j < ENTITIES; j++) {
			if (below(4) == 0)
				parents[count++] = entity(facts, type, j);
			if (below(8) == 0)
				parents[count++] = entity(facts, GROUP, j);
		}
		for (size_t j = 0; i == 0 && j < CROWD && seed % 2 == 0; j++)
			parents[count++] = entity(facts, type, 100 + j);
		assert_int_equal(policy_facts_entity(facts, entity(facts, type, i), NULL, parents,
						     count, NULL),
				 POLICY_OK);
	}
}

/* ---- policies ---- */

static const char *const conditions[] = {"true", "false", "context.none", "1 == 1", "3"};

struct texts {
	char scope[LIST_SIZE + 64];	/* ` == User::"1"` */
	char condition[LIST_SIZE + 64]; /* `principal == User::"1"` */
	size_t slot;			/* the entity's number, where the scope has a slot for it */
};

#define NO_SLOT SIZE_MAX

static void
write_list(struct texts *texts, size_t variable)
{
	char list[LIST_SIZE] = "[";

	for (size_t i = below(16) == 0 ? LONG_LIST : below(4); i > 0; i--) {
		size_t used = strlen(list);
		snprintf(list + used, sizeof(list) - used, "%s::\"%zu\",", types[variable],
			 below(ENTITIES));
	}
	snprintf(texts->scope, sizeof(texts->scope), " in %s]", list);
	snprintf(texts->condition, sizeof(texts->condition), "%s in %s]", variables[variable],
		 list);
}

static void
write_scope(struct texts *texts, size_t variable)
{
	static const char *const ways[] = {"==", "in", "is", "is in"};
	bool action = variable == 1;
	size_t way = below(action ? 2 : COUNT(ways));
	size_t number = below(8) == 0 ? 100 + below(CROWD) : below(ENTITIES);
	/* Now and then another type than what is asked about. */
	const char *type = !action && below(5) == 0 ? "Other" : types[variable];
	const char *other = way % 2 == 1 && below(5) == 0 ? GROUP : types[variable];
	char operator[32];
	char value[64];

	*texts = (struct texts){.condition = "true", .slot = NO_SLOT};
	if (below(3) == 0)
		return;
	if (action && below(3) == 0) {
		write_list(texts, variable);
		return;
	}
	snprintf(operator, sizeof(operator), "%s", ways[way]);
	if (way >= 2)
		snprintf(operator, sizeof(operator), "is %s%s", type, way == 3 ? " in" : "");
	snprintf(value, sizeof(value), "%s::\"%zu\"", action ? types[1] : other, number);
	if (way == 2)
		value[0] = '\0';
	snprintf(texts->condition, sizeof(texts->condition), "%s %s %s",
		 variables[variable], operator, value);
	if (!action && way != 2 && other == types[variable] && below(4) == 0) {
		texts->slot = number;
		snprintf(value, sizeof(value), "?%s", variables[variable]);
	}
	snprintf(texts->scope, sizeof(texts->scope), " %s %s", operator, value);
}

struct builders {
	struct policy_builder *indexed;
	struct policy_builder *plain;
	struct policy_facts *facts; /* for the links */
};

static void
add_indexed(const struct builders *builders, const struct texts texts[3], const char *source,
	    size_t number)
{
	const struct policy_value *principal = NULL;
	const struct policy_value *resource = NULL;
	char id[24];

	snprintf(id, sizeof(id), "%zu", number);
	if (texts[0].slot == NO_SLOT && texts[2].slot == NO_SLOT) {
		assert_int_equal(
			policy_builder_add_named(builders->indexed, text(id), text(source), NULL),
			POLICY_OK);
		return;
	}
	if (texts[0].slot != NO_SLOT)
		principal = entity(builders->facts, types[0], texts[0].slot);
	if (texts[2].slot != NO_SLOT)
		resource = entity(builders->facts, types[2], texts[2].slot);
	assert_int_equal(policy_builder_add_named(builders->indexed, text("t"), text(source), NULL),
			 POLICY_OK);
	assert_int_equal(policy_builder_link(builders->indexed, text("t"), text(id), principal,
					     resource, NULL),
			 POLICY_OK);
}

/* The template has the id `t`: one in a set, which stands before its link. Both sets count alike:
 * the other one has a policy in its place that says nothing. */
static bool
add_policy(const struct builders *builders, size_t number, bool templates)
{
	struct texts texts[3];
	char source[6 * LIST_SIZE];
	char id[24];
	bool linked = false;

	for (size_t i = 0; i < 3; i++) {
		do {
			write_scope(&texts[i], i);
		} while (!templates && texts[i].slot != NO_SLOT);
		linked = linked || texts[i].slot != NO_SLOT;
	}
	const char *effect = below(3) == 0 ? "forbid" : "permit";
	const char *condition = conditions[below(COUNT(conditions))];
	snprintf(source, sizeof(source), "%s(principal%s, action%s, resource%s) when { %s };",
		 effect, texts[0].scope, texts[1].scope, texts[2].scope, condition);
	add_indexed(builders, texts, source, number);
	if (linked)
		assert_int_equal(policy_builder_add_named(
					 builders->plain, text("t"),
					 text("permit(principal,action,resource) when { false };"),
					 NULL),
				 POLICY_OK);
	snprintf(source, sizeof(source),
		 "%s(principal, action, resource) when { %s && %s && %s } when { %s };", effect,
		 texts[0].condition, texts[1].condition, texts[2].condition, condition);
	snprintf(id, sizeof(id), "%zu", number);
	assert_int_equal(policy_builder_add_named(builders->plain, text(id), text(source), NULL),
			 POLICY_OK);
	return linked;
}

static void
build_sets(struct policy_facts *facts, struct policy_set *sets[2])
{
	struct builders builders = {policy_builder_new(), policy_builder_new(), facts};
	size_t count = below(8) == 0 ? below(POLICIES_MAX) : below(12);
	bool templates = true;

	for (size_t i = 0; i < count; i++) {
		if (add_policy(&builders, i, templates))
			templates = false;
	}
	assert_int_equal(policy_builder_finish(builders.indexed, &sets[0], NULL), POLICY_OK);
	assert_int_equal(policy_builder_finish(builders.plain, &sets[1], NULL), POLICY_OK);
	policy_builder_free(builders.indexed);
	policy_builder_free(builders.plain);
}

/* ---- both must agree ---- */

static void
compare(const struct policy_decision *a, const struct policy_decision *b)
{
	assert_int_equal(a->allowed, b->allowed);
	assert_int_equal(a->reason_count, b->reason_count);
	for (size_t i = 0; i < a->reason_count; i++)
		assert_int_equal(a->reasons[i], b->reasons[i]);
	assert_int_equal(a->failure_count, b->failure_count);
	for (size_t i = 0; i < a->failure_count; i++)
		assert_int_equal(a->failures[i].policy, b->failures[i].policy);
}

static const struct policy_value *
any_entity(struct policy_facts *facts, size_t variable)
{
	const char *type = variable != 1 && below(8) == 0 ? "Other" : types[variable];

	return entity(facts, type, below(ENTITIES));
}

static size_t
run_round(void)
{
	struct policy_facts *base = policy_facts_new(NULL);
	struct policy_facts *facts = policy_facts_new(base);
	struct policy_set *sets[2] = {NULL, NULL};
	size_t matched = 0;

	for (size_t i = 0; i < COUNT(types); i++)
		add_entities(base, types[i], true);
	for (size_t i = 0; i < COUNT(types); i++)
		add_entities(facts, types[i], false);
	build_sets(facts, sets);
	for (int i = 0; i < REQUESTS; i++) {
		struct policy_decision decisions[2];
		const struct policy_request request = {
			.principal = any_entity(facts, 0),
			.action = any_entity(facts, 1),
			.resource = any_entity(facts, 2),
			.context = policy_value_record(facts, NULL, 0),
		};
		for (size_t j = 0; j < COUNT(sets); j++)
			assert_int_equal(
				policy_decide(sets[j], facts, &request, &decisions[j], NULL),
				POLICY_OK);
		compare(&decisions[0], &decisions[1]);
		matched += decisions[0].reason_count + decisions[0].failure_count;
	}
	for (size_t j = 0; j < COUNT(sets); j++)
		policy_set_free(sets[j]);
	policy_facts_free(facts);
	policy_facts_free(base);
	return matched;
}

static void
test_agreement(void **state)
{
	size_t matched = 0;

	(void)state;
	for (size_t i = 1; i <= ROUNDS; i++) {
		seed = i * 0x9e3779b97f4a7c15U;
		matched += run_round();
	}
	/* Enough policies mattered for their agreement to mean something. */
	assert_in_range(matched, ROUNDS * REQUESTS / 2, ROUNDS * REQUESTS * POLICIES_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agreement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
