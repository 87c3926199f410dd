/* SPDX-License-Identifier: Apache-2.0 */
/* Facts in layers, and what is wrong with some. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- helpers ---- */

static const struct policy_value *
entity(struct policy_facts *facts, const char *type, const char *id)
{
	return policy_value_entity(facts, text(type), text(id));
}

static enum policy_status
add(struct policy_facts *facts, const char *id, const char *parent)
{
	const struct policy_value *parents[] = {parent != NULL ? entity(facts, "E", parent) : NULL};

	return policy_facts_entity(facts, entity(facts, "E", id), NULL, parents,
				   parent != NULL ? 1 : 0, NULL);
}

/* Decides with E::principal, Action::a, E::resource and an empty context. */
static enum policy_status
decide(struct policy_facts *facts, const char *source, const char *principal,
       struct policy_decision *ret_decision)
{
	struct policy_set *set = NULL;
	struct policy_request request = {
		.principal = entity(facts, "E", principal),
		.action = entity(facts, "Action", "a"),
		.resource = entity(facts, "E", "r"),
		.context = policy_value_record(facts, NULL, 0),
	};

	assert_int_equal(parse_exact(source, strlen(source), &set, NULL), POLICY_OK);
	enum policy_status status = policy_decide(set, facts, &request, ret_decision, NULL);
	policy_set_free(set);
	return status;
}

static bool
is_in(struct policy_facts *facts, const char *id, const char *group)
{
	struct policy_decision decision;
	char source[200];

	snprintf(source, sizeof(source), "permit(principal in E::\"%s\", action, resource);",
		 group);
	assert_int_equal(decide(facts, source, id, &decision), POLICY_OK);
	return decision.allowed;
}

/* ---- the hierarchy ---- */

static void
test_layers(void **state)
{
	struct policy_facts *base = policy_facts_new(NULL);
	struct policy_facts *middle = policy_facts_new(base);
	struct policy_facts *facts = policy_facts_new(middle);

	(void)state;
	assert_int_equal(add(base, "a", "b"), POLICY_OK);
	assert_int_equal(add(middle, "b", "c"), POLICY_OK);
	assert_int_equal(add(facts, "c", "d"), POLICY_OK);
	assert_true(is_in(facts, "a", "d"));
	assert_true(is_in(middle, "a", "c"));
	assert_false(is_in(middle, "a", "d"));
	assert_false(is_in(base, "a", "c"));
	/* An entity hides the one of the same name below. */
	assert_int_equal(add(facts, "b", "x"), POLICY_OK);
	assert_true(is_in(facts, "a", "x"));
	assert_false(is_in(facts, "a", "d"));
	assert_true(is_in(middle, "a", "c"));
	policy_facts_clear(facts);
	assert_true(is_in(facts, "a", "c"));
	assert_false(is_in(facts, "a", "x"));
	policy_facts_free(facts);
	policy_facts_free(middle);
	policy_facts_free(base);
}

/* What was asked before an entity was added must not be answered from memory after it. */
static void
test_added_later(void **state)
{
	struct policy_facts *facts = policy_facts_new(NULL);

	(void)state;
	assert_int_equal(add(facts, "a", "b"), POLICY_OK);
	assert_false(is_in(facts, "a", "c"));
	assert_int_equal(add(facts, "b", "c"), POLICY_OK);
	assert_true(is_in(facts, "a", "c"));
	policy_facts_free(facts);
}

/* Facts outlive the sets that are decided on: nothing of a set may stay behind in them. */
static void
test_sets_come_and_go(void **state)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	struct policy_decision decision;
	char source[200];

	(void)state;
	assert_int_equal(add(facts, "a", "b"), POLICY_OK);
	assert_int_equal(add(facts, "b", "c"), POLICY_OK);
	for (int i = 0; i < 40; i++) {
		snprintf(source, sizeof(source),
			 "permit(principal, action, resource) when { E::\"%s\" in E::\"c\" };",
			 i % 3 == 0   ? "a"
			 : i % 3 == 1 ? "b"
				      : "ghost");
		assert_int_equal(decide(facts, source, "p", &decision), POLICY_OK);
		assert_int_equal(decision.allowed, i % 3 < 2);
	}
	policy_facts_free(facts);
}

static void
test_cycles(void **state)
{
	struct policy_facts *base = policy_facts_new(NULL);
	struct policy_facts *facts = policy_facts_new(base);
	struct policy_decision decision;

	(void)state;
	assert_int_equal(add(base, "a", "b"), POLICY_OK);
	assert_int_equal(add(base, "b", "c"), POLICY_OK);
	assert_int_equal(add(facts, "c", "a"), POLICY_INVALID);
	/* Nothing is decided on facts of which one was refused. */
	assert_int_equal(decide(facts, "permit(principal,action,resource);", "a", &decision),
			 POLICY_INVALID);
	policy_facts_clear(facts);
	assert_int_equal(add(facts, "c", "d"), POLICY_OK);
	policy_facts_clear(facts);
	assert_int_equal(add(facts, "x", "x"), POLICY_INVALID);
	policy_facts_clear(facts);
	assert_int_equal(add(facts, "x", NULL), POLICY_OK);
	assert_int_equal(add(facts, "x", NULL), POLICY_INVALID);
	policy_facts_free(facts);
	policy_facts_free(base);
}

/* A lattice: each entity is in both of the next level, so paths are many and entities few. */
#define LEVELS 60

static void
test_many_ancestors(void **state)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	char id[32];

	(void)state;
	for (int level = LEVELS; level-- > 0;) {
		for (int side = 0; side < 2; side++) {
			const struct policy_value *parents[2];
			for (int i = 0; i < 2; i++) {
				snprintf(id, sizeof(id), "%d-%d", level + 1, i);
				parents[i] = entity(facts, "E", id);
			}
			snprintf(id, sizeof(id), "%d-%d", level, side);
			assert_int_equal(policy_facts_entity(facts, entity(facts, "E", id), NULL,
							     parents, 2, NULL),
					 POLICY_OK);
		}
	}
	for (int level = 1; level <= LEVELS; level++) {
		snprintf(id, sizeof(id), "%d-%d", level, level % 2);
		assert_true(is_in(facts, "0-1", id));
	}
	assert_false(is_in(facts, "0-1", "0-0"));
	assert_false(is_in(facts, "0-1", "61-0"));
	policy_facts_free(facts);
}

/* ---- values that are refused ---- */

typedef const struct policy_value *build_function(struct policy_facts *facts);

static const struct policy_value *
build_bad_string(struct policy_facts *facts)
{
	return policy_value_string(facts, text("a\xc3("));
}

static const struct policy_value *
build_bad_id(struct policy_facts *facts)
{
	return entity(facts, "E", "\xff");
}

static const struct policy_value *
build_empty_type(struct policy_facts *facts)
{
	return entity(facts, "", "a");
}

static const struct policy_value *
build_blank_in_type(struct policy_facts *facts)
{
	return entity(facts, "A ::B", "a");
}

static const struct policy_value *
build_single_colon(struct policy_facts *facts)
{
	return entity(facts, "A:B", "a");
}

static const struct policy_value *
build_open_type(struct policy_facts *facts)
{
	return entity(facts, "A::", "a");
}

static const struct policy_value *
build_digit_type(struct policy_facts *facts)
{
	return entity(facts, "A::1B", "a");
}

static const struct policy_value *
build_key_twice(struct policy_facts *facts)
{
	const struct policy_field fields[] = {{text("a"), policy_value_long(facts, 1)},
					      {text("b"), policy_value_long(facts, 1)},
					      {text("a"), policy_value_long(facts, 1)}};

	return policy_value_record(facts, fields, COUNT(fields));
}

static const struct policy_value *
build_null_item(struct policy_facts *facts)
{
	const struct policy_value *items[] = {NULL};

	return policy_value_set(facts, items, 1);
}

static const struct policy_value *
build_null_field(struct policy_facts *facts)
{
	const struct policy_field fields[] = {{text("a"), NULL}};

	return policy_value_record(facts, fields, 1);
}

static const struct policy_value *
build_bad_extension(struct policy_facts *facts)
{
	return policy_value_extension(facts, "ip", text("1.2.3"));
}

static const struct policy_value *
build_unknown_extension(struct policy_facts *facts)
{
	return policy_value_extension(facts, "isIpv4", text("1.2.3.4"));
}

static const struct policy_value *
build_deep(struct policy_facts *facts)
{
	const struct policy_value *value = policy_value_set(facts, NULL, 0);

	for (size_t i = 0; i < POLICY_NESTING_MAX; i++)
		value = policy_value_set(facts, &value, 1);
	return value;
}

static void
test_refused_values(void **state)
{
	static const struct {
		const char *name;
		build_function *build;
		enum policy_status want;
	} cases[] = {
		{"string that is not UTF-8", build_bad_string, POLICY_INVALID},
		{"id that is not UTF-8", build_bad_id, POLICY_INVALID},
		{"empty type", build_empty_type, POLICY_INVALID},
		{"blank in a type", build_blank_in_type, POLICY_INVALID},
		{"single colon in a type", build_single_colon, POLICY_INVALID},
		{"type that ends in colons", build_open_type, POLICY_INVALID},
		{"digit at the start of a name", build_digit_type, POLICY_INVALID},
		{"key twice", build_key_twice, POLICY_INVALID},
		{"NULL in a set", build_null_item, POLICY_INVALID},
		{"NULL in a record", build_null_field, POLICY_INVALID},
		{"malformed address", build_bad_extension, POLICY_INVALID},
		{"method as a constructor", build_unknown_extension, POLICY_INVALID},
		{"nested too deep", build_deep, POLICY_LIMIT},
	};
	struct policy_decision decision;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy_facts *base = policy_facts_new(NULL);
		struct policy_facts *facts = policy_facts_new(base);
		struct policy_error err = {0};
		if (cases[i].build(base) != NULL)
			fail_msg("%s: was built", cases[i].name);
		/* A broken layer below spoils those above it. */
		assert_int_equal(decide(facts, "", "a", &decision), cases[i].want);
		assert_int_equal(
			policy_facts_entity(facts, entity(facts, "E", "a"), NULL, NULL, 0, &err),
			cases[i].want);
		policy_facts_clear(base);
		policy_facts_clear(facts);
		assert_int_equal(decide(facts, "", "a", &decision), POLICY_OK);
		policy_facts_free(facts);
		policy_facts_free(base);
	}
}

static void
test_refused_entities(void **state)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	const struct policy_value *number = policy_value_long(facts, 1);
	const struct policy_value *record = policy_value_record(facts, NULL, 0);
	const struct policy_value *one = entity(facts, "E", "1");
	struct policy_error err = {0};

	(void)state;
	assert_int_equal(policy_facts_entity(facts, number, NULL, NULL, 0, &err), POLICY_INVALID);
	policy_facts_clear(facts);
	number = policy_value_long(facts, 1);
	one = entity(facts, "E", "1");
	assert_int_equal(policy_facts_entity(facts, one, number, NULL, 0, &err), POLICY_INVALID);
	policy_facts_clear(facts);
	number = policy_value_long(facts, 1);
	one = entity(facts, "E", "1");
	assert_int_equal(policy_facts_entity(facts, one, NULL, &number, 1, &err), POLICY_INVALID);
	policy_facts_clear(facts);
	one = entity(facts, "E", "1");
	record = policy_value_record(facts, NULL, 0);
	assert_int_equal(policy_facts_tags(facts, one, record, &err), POLICY_INVALID);
	assert_string_not_equal(err.message, "");
	policy_facts_free(facts);
}

static void
test_refused_requests(void **state)
{
	struct world world;
	struct policy_set *set = NULL;
	struct policy_decision decision;

	(void)state;
	assert_true(world_build(&world));
	assert_int_equal(parse_exact("", 0, &set, NULL), POLICY_OK);
	for (int i = 0; i < 4; i++) {
		struct policy_request request = world.request;
		const struct policy_value **operands[] = {&request.principal, &request.action,
							  &request.resource, &request.context};
		*operands[i] = NULL;
		assert_int_equal(policy_decide(set, world.facts, &request, &decision, NULL),
				 POLICY_INVALID);
		*operands[i] = policy_value_long(world.facts, 1);
		assert_int_equal(policy_decide(set, world.facts, &request, &decision, NULL),
				 POLICY_INVALID);
	}
	policy_set_free(set);
	world_clear(&world);
}

#define MANY 700

/* Every number below MANY twice, in an order that depends on `step` (which has no factor in common
 * with MANY), as a set; and as a record with a field for each. */
static void
build_many(struct policy_facts *facts, size_t step, const struct policy_value **ret_set,
	   const struct policy_value **ret_record)
{
	const struct policy_value *items[2 * MANY];
	struct policy_field fields[MANY];
	char names[MANY][8];

	for (size_t i = 0; i < 2 * MANY; i++) {
		size_t number = i * step % MANY;
		items[i] = policy_value_long(facts, (int64_t)number);
		if (i < MANY) {
			snprintf(names[i], sizeof(names[i]), "f%zu", number);
			fields[i] = (struct policy_field){text(names[i]), items[i]};
		}
	}
	*ret_set = policy_value_set(facts, items, 2 * MANY);
	*ret_record = policy_value_record(facts, fields, MANY);
}

/* Order must not be seen in large sets and records either, which are sorted in another way. */
static void
test_large_values(void **state)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	const struct policy_value *sets[3];
	const struct policy_value *records[3];
	char source[300];

	(void)state;
	build_many(facts, 1, &sets[0], &records[0]);
	build_many(facts, 333, &sets[1], &records[1]);
	build_many(facts, MANY - 1, &sets[2], &records[2]);
	const struct policy_field fields[] = {
		{text("a"), sets[0]},	 {text("b"), sets[1]},	  {text("c"), sets[2]},
		{text("x"), records[0]}, {text("y"), records[1]}, {text("z"), records[2]},
	};
	struct policy_request request = {
		.principal = entity(facts, "E", "p"),
		.action = entity(facts, "Action", "a"),
		.resource = entity(facts, "E", "r"),
		.context = policy_value_record(facts, fields, COUNT(fields)),
	};
	for (int i = 0; i < MANY; i++) {
		struct policy_set *set = NULL;
		struct policy_decision decision;
		int size = snprintf(source, sizeof(source),
				    "permit(principal, action, resource) when { "
				    "context.a == context.b && context.b == context.c && "
				    "context.x == context.y && context.y == context.z && "
				    "context.b.contains(%d) && context.y.f%d == %d && "
				    "!context.c.contains(%d) && !(context.z has f%d) };",
				    i, i, i, i + MANY, i + MANY);
		assert_int_equal(parse_exact(source, (size_t)size, &set, NULL), POLICY_OK);
		assert_int_equal(policy_decide(set, facts, &request, &decision, NULL), POLICY_OK);
		assert_true(decision.allowed);
		policy_set_free(set);
	}
	policy_facts_free(facts);
}

static void
test_builders_agree_with_constructors(void **state)
{
	static const char source[] =
		"permit(principal, action, resource) when { context.now == "
		"datetime(\"2024-01-01T00:00:00.001Z\") && context.since == duration(\"-1h\") && "
		"context.ip == ip(\"10.0.0.0/8\") };";
	struct policy_facts *facts = policy_facts_new(NULL);
	struct policy_set *set = NULL;
	struct policy_decision decision;
	const struct policy_field fields[] = {
		{text("now"), policy_value_datetime(facts, 1704067200001)},
		{text("since"), policy_value_duration(facts, -3600000)},
		{text("ip"), policy_value_extension(facts, "ip", text("10.0.0.0/8"))},
	};
	struct policy_request request = {
		.principal = entity(facts, "E", "p"),
		.action = entity(facts, "Action", "a"),
		.resource = entity(facts, "E", "r"),
		.context = policy_value_record(facts, fields, COUNT(fields)),
	};

	(void)state;
	assert_int_equal(parse_exact(source, sizeof(source) - 1, &set, NULL), POLICY_OK);
	assert_int_equal(policy_decide(set, facts, &request, &decision, NULL), POLICY_OK);
	assert_true(decision.allowed);
	policy_set_free(set);
	policy_facts_free(facts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_added_later),
		cmocka_unit_test(test_sets_come_and_go),
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_many_ancestors),
		cmocka_unit_test(test_refused_values),
		cmocka_unit_test(test_refused_entities),
		cmocka_unit_test(test_refused_requests),
		cmocka_unit_test(test_large_values),
		cmocka_unit_test(test_builders_agree_with_constructors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
