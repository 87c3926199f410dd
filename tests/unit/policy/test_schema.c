/* SPDX-License-Identifier: Apache-2.0 */
/* What is a schema and what is not, what its names mean, its limits, and damage of all kinds. */
#include "failing.h"
#include "policy/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define S(source)    source, sizeof(source) - 1

/* ---- reading ---- */

/* From a copy of just that size, so that reading past the end is seen. */
static enum policy_status
read_exact(const char *data, size_t size, struct policy_schema **ret_schema,
	   struct policy_error *err)
{
	char *copy = malloc(size > 0 ? size : 1);

	assert_non_null(copy);
	memcpy(copy, data, size);
	enum policy_status status = policy_schema_parse(
		(struct policy_text){.data = copy, .size = size}, ret_schema, err);
	free(copy);
	return status;
}

static struct policy_schema *
read_fine(const char *source)
{
	struct policy_schema *schema = NULL;
	struct policy_error err = {0};

	if (read_exact(source, strlen(source), &schema, &err) != POLICY_OK)
		fail_msg("%s: %u:%u: %s", source, err.line, err.column, err.message);
	return schema;
}

static const char *const accepted[] = {
#include "schemas_accepted.inc"
};

static void
test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(accepted); i++)
		policy_schema_free(read_fine(accepted[i]));
}

static const struct {
	const char *source;
	enum policy_status status;
	uint32_t column;
} refused[] = {
#include "schemas_refused.inc"
};

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct policy_schema *schema = NULL;
		struct policy_error err = {0};
		const char *source = refused[i].source;
		enum policy_status status = read_exact(source, strlen(source), &schema, &err);
		if (status != refused[i].status || err.status != status || err.line != 1 ||
		    err.column != refused[i].column || err.message[0] == '\0' || schema != NULL)
			fail_msg("%s: status %d at %u:%u: %s", source, status, err.line, err.column,
				 err.message);
	}
}

static void
test_places(void **state)
{
	static const struct {
		const char *source;
		size_t size;
		uint32_t line;
		uint32_t column;
	} places[] = {
		{S("entity A;\n  entity B {\n\ta: Missing };"), 3, 5},
		{S("// \xc3\xa4\n@a(\"\xc3\xa4\") entity \xc3\xa4;"), 2, 16},
		{S("entity A;\n\xff"), 2, 1},
		{S("entity A;\n \0"), 2, 2},
		{S("action a;\naction b in [a,\nc];"), 3, 1},
		{S("namespace N {}\n\nnamespace N {}"), 3, 11},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(places); i++) {
		struct policy_schema *schema = NULL;
		struct policy_error err = {0};
		assert_int_not_equal(read_exact(places[i].source, places[i].size, &schema, &err),
				     POLICY_OK);
		if (err.line != places[i].line || err.column != places[i].column)
			fail_msg("%zu: %u:%u: %s", i, err.line, err.column, err.message);
	}
}

/* ---- what names mean: the attribute `a` of entity type `name` ---- */

static const struct {
	const char *source;
	const char *name;
	enum policy_type_kind kind;
} meanings[] = {
	{"entity E {a: Bool};", "E", POLICY_TYPE_BOOLEAN},
	{"entity E {a: Long};", "E", POLICY_TYPE_LONG},
	{"entity E {a: String};", "E", POLICY_TYPE_STRING},
	{"entity E {a: decimal};", "E", POLICY_TYPE_DECIMAL},
	{"entity E {a: ipaddr};", "E", POLICY_TYPE_IP},
	{"entity E {a: datetime};", "E", POLICY_TYPE_DATETIME},
	{"entity E {a: duration};", "E", POLICY_TYPE_DURATION},
	{"entity E {a: Set<Long>};", "E", POLICY_TYPE_SET},
	{"entity E {a: {b: Long}};", "E", POLICY_TYPE_RECORD},
	{"entity E {a: E};", "E", POLICY_TYPE_ENTITY},
	{"entity E {a: T}; type T = U; type U = Set<E>;", "E", POLICY_TYPE_SET},
	/* Of one name a common type goes first, and both before Cedar's own. */
	{"entity E {a: T}; entity T; type T = Long;", "E", POLICY_TYPE_LONG},
	{"entity E {a: Long}; entity Long;", "E", POLICY_TYPE_ENTITY},
	{"entity E {a: __cedar::Long}; entity Long;", "E", POLICY_TYPE_LONG},
	{"entity E {a: ipaddr}; type ipaddr = Long;", "E", POLICY_TYPE_LONG},
	{"entity E {a: Set}; entity Set;", "E", POLICY_TYPE_ENTITY},
	{"entity E {a: Set<Long>}; entity Set;", "E", POLICY_TYPE_SET},
	/* The namespace at hand goes first, then what has none. */
	{"namespace N { entity E {a: Long}; entity Long; }", "N::E", POLICY_TYPE_ENTITY},
	{"namespace N { entity E {a: T}; } type T = Bool;", "N::E", POLICY_TYPE_BOOLEAN},
	{"namespace N { entity E {a: M::T}; type T = Long; } namespace M { type T = Bool; }",
	 "N::E", POLICY_TYPE_BOOLEAN},
	{"namespace N { entity E {a: ipaddr}; type ipaddr = __cedar::decimal; }", "N::E",
	 POLICY_TYPE_DECIMAL},
	{"namespace N { type T = V; type V = Long; } entity E {a: N::T};", "E", POLICY_TYPE_LONG},
	/* Actions are entities of a type that nobody declares. */
	{"entity E {a: Action}; action x;", "E", POLICY_TYPE_ENTITY},
	{"entity E {a: Action}; action x; type Action = Long;", "E", POLICY_TYPE_LONG},
	/* Of two attributes with one name the last counts. */
	{"entity E {a: Missing, a: Long, b: Bool};", "E", POLICY_TYPE_LONG},
	{"entity E {a: Bool, \"\\u{61}\": Long};", "E", POLICY_TYPE_LONG},
};

static struct policy_text
text(const char *string)
{
	return (struct policy_text){.data = string, .size = strlen(string)};
}

static void
test_meanings(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(meanings); i++) {
		struct policy_schema *schema = read_fine(meanings[i].source);
		const struct policy_type *record =
			policy_schema_attributes(schema, text(meanings[i].name));
		assert_non_null(record);
		const struct policy_type *type = policy_type_field(record, text("a"));
		assert_non_null(type);
		if (policy_type_kind(type) != meanings[i].kind)
			fail_msg("%s: kind %d", meanings[i].source, policy_type_kind(type));
		policy_schema_free(schema);
	}
}

static const struct schema_entity *
find(const struct policy_schema *schema, const char *name)
{
	struct text wanted = text_of(name, strlen(name));
	const struct schema_entity *entity = schema_find_entity(schema, &wanted);

	assert_non_null(entity);
	return entity;
}

static const struct schema_action *
find_action(const struct policy_schema *schema, struct policy_facts *facts, const char *type,
	    const char *id)
{
	const struct schema_action *action =
		schema_find_action(schema, policy_value_entity(facts, text(type), text(id)));

	assert_non_null(action);
	return action;
}

/* Types may be in each other, in any order; each is finished once. */
static void
test_hierarchy(void **state)
{
	struct policy_schema *schema = read_fine(
		"entity A in B; entity B in [C, A]; entity C in D; entity D; entity S in S;"
		"namespace N { entity E in [D, E2]; entity E2 in C; }");
	static const char *const above[][2] = {{"A", "ABCD"}, {"B", "ABCD"}, {"C", "D"},
					       {"D", ""},     {"S", "S"},    {"N::E", "CD"}};

	(void)state;
	for (size_t i = 0; i < COUNT(above); i++) {
		for (const char *name = "ABCDS"; *name != '\0'; name++) {
			const char one[] = {*name, '\0'};
			bool want = strchr(above[i][1], *name) != NULL;
			if (schema_entity_below(find(schema, above[i][0]), find(schema, one)) !=
			    want)
				fail_msg("%s in %s", above[i][0], one);
		}
	}
	assert_int_equal(policy_schema_entity_count(schema), 7);
	policy_schema_free(schema);
}

#define TYPES 12

/* Random relations, held against one worked out step by step. */
static void
check_relation(uint32_t seed)
{
	char source[4096] = "";
	bool above[TYPES][TYPES] = {{false}};
	size_t size = 0;

	for (size_t i = 0; i < TYPES; i++) {
		size += (size_t)sprintf(source + size, "entity E%zu in [E%zu", i, i | 1);
		above[i][i | 1] = true;
		for (size_t j = 0; j < TYPES; j++) {
			seed = seed * 1103515245U + 12345U;
			if ((seed >> 16) % 10 != 0)
				continue;
			above[i][j] = true;
			size += (size_t)sprintf(source + size, ",E%zu", j);
		}
		size += (size_t)sprintf(source + size, "];");
	}
	for (size_t k = 0; k < TYPES * TYPES * TYPES; k++) {
		size_t middle = k / TYPES / TYPES, low = k / TYPES % TYPES, high = k % TYPES;
		above[low][high] |= above[low][middle] && above[middle][high];
	}
	struct policy_schema *schema = read_fine(source);
	for (size_t k = 0; k < TYPES * TYPES; k++) {
		if (schema_entity_below(schema->entities[k / TYPES], schema->entities[k % TYPES]) !=
		    above[k / TYPES][k % TYPES])
			fail_msg("E%zu in E%zu: %s", k / TYPES, k % TYPES, source);
	}
	policy_schema_free(schema);
}

static void
test_relations(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < 300; seed++)
		check_relation(seed);
}

static void
test_actions(void **state)
{
	struct policy_schema *schema = read_fine(
		"entity U, V; type C = {n: Long}; action all; action read in all;"
		"namespace N { action view, \"a b\" in [Action::\"read\", edit]"
		" appliesTo { principal: [U, V, U], resource: V, context: C }; action edit; }");
	struct policy_facts *facts = policy_facts_new(NULL);
	const struct schema_action *view = find_action(schema, facts, "N::Action", "view");
	const struct schema_action *edit = find_action(schema, facts, "N::Action", "edit");

	(void)state;
	assert_int_equal(policy_schema_action_count(schema), 5);
	assert_true(schema_action_below(view, find_action(schema, facts, "Action", "all")));
	assert_true(schema_action_below(view, edit));
	assert_false(schema_action_below(view, view));
	assert_false(schema_action_below(edit, view));
	assert_true(view->applies);
	assert_int_equal(view->principal_count, 2);
	assert_int_equal(view->resource_count, 1);
	assert_int_equal(view->context->record.count, 1);
	assert_int_equal(view->group_count, 2);
	assert_false(edit->applies);
	assert_true(find(schema, "N::Action")->is_action);
	assert_true(schema_entity_below(find(schema, "N::Action"), find(schema, "Action")));
	assert_null(schema_find_action(schema,
				       policy_value_entity(facts, text("Action"), text("view"))));
	policy_facts_free(facts);
	policy_schema_free(schema);
}

/* ---- limits ---- */

/* `piece` again and again, with %zu as the number, between two ends. */
static enum policy_status
read_many(const char *start, const char *piece, size_t count, const char *end)
{
	struct policy_schema *schema = NULL;
	struct policy_error err = {0};
	char *source = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&source, &size);

	assert_non_null(stream);
	fputs(start, stream);
	for (size_t i = 0; i < count; i++) {
		const char *mark = strchr(piece, '%');
		fprintf(stream, "%.*s%zu%s", (int)(mark - piece), piece, i, mark + 1);
	}
	fputs(end, stream);
	fclose(stream);
	enum policy_status status = read_exact(source, size, &schema, &err);
	if (status != POLICY_OK && err.line == 0 && size <= POLICY_SCHEMA_MAX)
		fail_msg("no place: %s", err.message);
	policy_schema_free(schema);
	free(source);
	return status;
}

static enum policy_status
read_and_free(const char *source)
{
	struct policy_schema *schema = NULL;
	enum policy_status status = read_exact(source, strlen(source), &schema, NULL);

	policy_schema_free(schema);
	return status;
}

/* One type in another, so deep. */
static enum policy_status
read_nested(size_t depth, const char *open, const char *close)
{
	char *source = calloc(8 * depth + 64, 1);
	size_t size = (size_t)sprintf(source, "type T = ");

	for (size_t i = 0; i < depth; i++)
		size += (size_t)sprintf(source + size, "%s", open);
	size += (size_t)sprintf(source + size, "Long");
	for (size_t i = 0; i < depth; i++)
		size += (size_t)sprintf(source + size, "%s", close);
	sprintf(source + size, ";");
	enum policy_status status = read_and_free(source);
	free(source);
	return status;
}

/* A chain of so many names, each declared before the one it stands for or after it. */
static enum policy_status
read_chain(size_t count, bool backwards)
{
	char source[4096] = "";
	size_t size = 0;

	for (size_t i = 0; i < count; i++) {
		size_t number = backwards ? count - 1 - i : i;
		size += (size_t)sprintf(source + size,
					number + 1 < count ? "type T%zu = T%zu;"
							   : "type T%zu = Long;",
					number, number + 1);
	}
	return read_and_free(source);
}

static void
test_limits(void **state)
{
	(void)state;
	/* The name of the type is a level too. */
	for (int i = 0; i < 2; i++) {
		const char *open = i == 0 ? "Set<" : "{a:";
		const char *close = i == 0 ? ">" : "}";
		assert_int_equal(read_nested(POLICY_NESTING_MAX - 1, open, close), POLICY_OK);
		assert_int_equal(read_nested(POLICY_NESTING_MAX, open, close), POLICY_LIMIT);
		assert_int_equal(read_nested(100000, open, close), POLICY_LIMIT);
	}
	for (int backwards = 0; backwards < 2; backwards++) {
		assert_int_equal(read_chain(POLICY_NESTING_MAX, backwards != 0), POLICY_OK);
		assert_int_equal(read_chain(POLICY_NESTING_MAX + 1, backwards != 0), POLICY_LIMIT);
	}
	assert_int_equal(read_many("", "entity E%;", POLICY_SCHEMA_ENTITIES_MAX, ""), POLICY_OK);
	assert_int_equal(read_many("", "entity E%;", POLICY_SCHEMA_ENTITIES_MAX + 1, ""),
			 POLICY_LIMIT);
	assert_int_equal(read_many("", "action a%;", POLICY_SCHEMA_ACTIONS_MAX, ""), POLICY_OK);
	assert_int_equal(read_many("", "action a%;", POLICY_SCHEMA_ACTIONS_MAX + 1, ""),
			 POLICY_LIMIT);
	assert_int_equal(read_many("", "type T%=Long;", POLICY_SCHEMA_TYPES_MAX + 1, ""),
			 POLICY_LIMIT);
	assert_int_equal(read_many("", "@a% ", POLICY_SCHEMA_ANNOTATIONS_MAX, "entity A;"),
			 POLICY_OK);
	assert_int_equal(read_many("", "@a% ", POLICY_SCHEMA_ANNOTATIONS_MAX + 1, "entity A;"),
			 POLICY_LIMIT);
	assert_int_equal(read_many("// ", "%", POLICY_SCHEMA_MAX / 2, ""), POLICY_LIMIT);
}

static void
test_pairs(void **state)
{
	struct policy_schema *schema = NULL;
	char *source = NULL;
	size_t size = 0;

	(void)state;
	for (size_t count = 256; count <= 257; count++) {
		FILE *stream = open_memstream(&source, &size);
		assert_non_null(stream);
		for (size_t half = 0; half < 2; half++) {
			fprintf(stream, half == 0 ? "entity E0" : " in [E0");
			for (size_t i = 1; i < count; i++)
				fprintf(stream, ",E%zu", i);
		}
		fprintf(stream, "];");
		fclose(stream);
		assert_int_equal(read_exact(source, size, &schema, NULL),
				 count == 256 ? POLICY_OK : POLICY_LIMIT);
		free(source);
	}
	policy_schema_free(schema);
}

/* Each type is twice the one before, and a bit: a few more, and it would be millions of parts. */
static void
test_type_size(void **state)
{
	char source[4096] = "type T0 = {a: Long, b: Long};";

	(void)state;
	for (size_t i = 1; i < 15; i++)
		sprintf(source + strlen(source), "type T%zu = {a: T%zu, b: T%zu};", i, i - 1,
			i - 1);
	assert_int_equal(read_and_free(source), POLICY_OK); /* 65535 */
	strcat(source, "type U = {a: T14, b: Long};");
	assert_int_equal(read_and_free(source), POLICY_LIMIT);
}

static void
test_name_size(void **state)
{
	char source[2 * POLICY_SCHEMA_NAME_MAX];
	struct policy_schema *schema = NULL;

	(void)state;
	for (int size = POLICY_SCHEMA_NAME_MAX - 3; size <= POLICY_SCHEMA_NAME_MAX - 2; size++) {
		int written =
			snprintf(source, sizeof(source), "namespace %0*d { entity E; }", size, 0);
		memset(source + strlen("namespace "), 'N', (size_t)size);
		assert_int_equal(read_exact(source, (size_t)written, &schema, NULL),
				 size + 3 <= POLICY_SCHEMA_NAME_MAX ? POLICY_OK : POLICY_LIMIT);
	}
	policy_schema_free(schema);
}

/* ---- damage ---- */

static const char everything[] =
	"@doc(\"x\") namespace N::M { @a entity User, Admin in [Group, O] = { \"a b\"?: "
	"Set<Long>,\n"
	"@b c: {d: ipaddr, e: T}, } tags Set<__cedar::String>; entity Group in Group;\n"
	"type T = {x?: decimal, y: Group}; }\n"
	"entity O enum [\"a\", \"\\u{62}\"]; action all; // comment\n"
	"action \"r\", w in [all, N::Q::Action::\"q\"] appliesTo { principal: [N::M::User],\n"
	"resource: O, context: N::M::T } attributes {}; namespace N::Q { action q; }\n";

static void
test_truncations(void **state)
{
	const char *source = everything;

	(void)state;
	policy_schema_free(read_fine(source));
	for (size_t size = 0; size < strlen(source); size++) {
		struct policy_schema *schema = NULL;
		struct policy_error err = {0};
		enum policy_status status = read_exact(source, size, &schema, &err);
		if (status != POLICY_OK && (err.line == 0 || err.column == 0))
			fail_msg("cut at %zu: no place", size);
		policy_schema_free(schema);
	}
}

static void
test_flips(void **state)
{
	const char *source = everything;
	size_t size = strlen(source);
	char damaged[sizeof(everything)];

	(void)state;
	for (size_t bit = 0; bit < 8 * size; bit++) {
		struct policy_schema *schema = NULL;
		struct policy_error err = {0};
		memcpy(damaged, source, size);
		damaged[bit / 8] = (char)((unsigned char)damaged[bit / 8] ^ (1U << (bit % 8)));
		enum policy_status status = read_exact(damaged, size, &schema, &err);
		if (status != POLICY_OK && (err.line == 0 || err.column == 0))
			fail_msg("bit %zu: no place", bit);
		policy_schema_free(schema);
	}
}

/* Reads, and holds the schema's own actions against it. */
static enum policy_status
run_everything(void)
{
	struct policy_schema *schema = NULL;
	struct policy_facts *facts = policy_facts_new(NULL);
	enum policy_status status = POLICY_MEMORY;

	if (facts != NULL)
		status = policy_schema_parse(text(everything), &schema, NULL);
	if (status == POLICY_OK)
		status = policy_schema_add_actions(schema, facts, NULL);
	if (status == POLICY_OK)
		status = policy_schema_check_facts(schema, facts, NULL);
	policy_schema_free(schema);
	policy_facts_free(facts);
	return status;
}

static void
test_allocations(void **state)
{
	enum policy_status status = POLICY_MEMORY;

	(void)state;
	for (failing.at = 1; status != POLICY_OK; failing.at++) {
		failing.allocations = 0;
		status = run_everything();
		if (status != POLICY_OK)
			assert_int_equal(status, POLICY_MEMORY);
		assert_true(failing.at < 100000);
	}
	assert_true(failing.at > 50);
	failing.at = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_places),	  cmocka_unit_test(test_meanings),
		cmocka_unit_test(test_hierarchy), cmocka_unit_test(test_actions),
		cmocka_unit_test(test_relations), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_pairs),	  cmocka_unit_test(test_type_size),
		cmocka_unit_test(test_name_size), cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_flips),	  cmocka_unit_test(test_allocations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
