/* SPDX-License-Identifier: Apache-2.0 */
/* Entities and requests that conform to a schema and that do not: each line of the tables is what
 * the published implementation answers. */
#include "policy/parser.h"
#include "policy/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char source[] =
	"entity Color enum [\"red\", \"blue\"];"
	"entity Group in [Org] { level?: Long };"
	"entity Org;"
	"entity User in [Group, Color, User] { name: String, age?: Long,"
	" home: {city: String, zip?: Long}, langs: Set<String>, boss?: User, c?: Color,"
	" cs?: Set<Color>, ip?: ipaddr, d?: decimal, t?: datetime, p?: duration, b?: Bool,"
	" act?: Action, f?: {x?: Color} } tags Set<Long>;"
	"entity Plain tags Color;"
	"action read, list;"
	"action view in [read] appliesTo { principal: User, resource: [Plain, Group],"
	" context: {n: Long, c?: Color, a?: Action, r?: {}} };"
	"action deep in [view];"
	"action none in read;"
	"action en appliesTo { principal: Color, resource: Color };"
	"namespace N { action look in Action::\"read\"; }";

/* ---- a schema, facts, and values as literals of the language ---- */

struct trial {
	struct policy_schema *schema;
	struct policy_facts *facts;
	struct arena arena; /* of literals */
};

static struct policy_text
text(const char *string)
{
	return (struct policy_text){.data = string, .size = strlen(string)};
}

static void
trial_start(struct trial *trial)
{
	*trial = (struct trial){.facts = policy_facts_new(NULL)};
	assert_non_null(trial->facts);
	assert_int_equal(policy_schema_parse(text(source), &trial->schema, NULL), POLICY_OK);
}

static void
trial_clear(struct trial *trial)
{
	policy_facts_free(trial->facts);
	policy_schema_free(trial->schema);
	arena_free(&trial->arena);
}

/* NULL for NULL. */
static const struct policy_value *
value(struct trial *trial, const char *literal)
{
	struct policy_error err = {0};
	struct parser parser = {.arena = &trial->arena, .err = &err};

	if (literal == NULL)
		return NULL;
	parser.buffer = arena_take(&parser.scratch, strlen(literal), 1);
	lexer_start(&parser.lexer, text(literal));
	parser_advance(&parser);
	const struct expression *expression = parse_expression(&parser);
	arena_free(&parser.scratch);
	if (expression == NULL || expression->kind != EXPRESSION_LITERAL)
		fail_msg("%s is no literal: %s", literal, err.message);
	return expression->literal;
}

static void
add(struct trial *trial, const char *entity, const char *attributes, const char *parents,
    const char *tags)
{
	const struct policy_value *name = value(trial, entity);
	const struct policy_value *above = value(trial, parents != NULL ? parents : "[]");

	assert_int_equal(policy_facts_entity(trial->facts, name, value(trial, attributes),
					     above->set.items, above->set.count, NULL),
			 POLICY_OK);
	if (tags != NULL)
		assert_int_equal(policy_facts_tags(trial->facts, name, value(trial, tags), NULL),
				 POLICY_OK);
}

/* ---- entities ---- */

#define FINE	    "name: \"x\", home: {city: \"T\"}, langs: []"
#define ALICE	    "User::\"a\""
#define USER(text)  ALICE, "{" FINE text "}", NULL, NULL
#define IN(parents) ALICE, "{" FINE "}", parents, NULL
#define TAGS(tags)  ALICE, "{" FINE "}", NULL, tags

static const struct {
	const char *name;
	const char *entity;
	const char *attributes;
	const char *parents;
	const char *tags;
	bool conforms;
} entities[] = {
	{"what is needed", USER(""), true},
	{"an attribute is missing", ALICE, "{home: {city: \"T\"}, langs: []}", NULL, NULL, false},
	{"no attributes at all", ALICE, NULL, NULL, NULL, false},
	{"an unknown attribute", USER(", zzz: 1"), false},
	{"an attribute of another type", ALICE, "{name: 1, home: {city: \"T\"}, langs: []}", NULL,
	 NULL, false},
	{"an optional attribute", USER(", age: 1"), true},
	{"an optional attribute of another type", USER(", age: \"x\""), false},
	{"a boolean", USER(", b: false"), true},
	{"a long for a boolean", USER(", b: 0"), false},
	{"an unknown field", ALICE, "{name: \"x\", home: {city: \"T\", x: 1}, langs: []}", NULL,
	 NULL, false},
	{"a missing field", ALICE, "{name: \"x\", home: {}, langs: []}", NULL, NULL, false},
	{"an optional field", ALICE, "{name: \"x\", home: {city: \"T\", zip: 1}, langs: []}", NULL,
	 NULL, true},
	{"an optional field of another type", ALICE,
	 "{name: \"x\", home: {city: \"T\", zip: true}, langs: []}", NULL, NULL, false},
	{"a set", ALICE, "{name: \"x\", home: {city: \"T\"}, langs: [\"a\"]}", NULL, NULL, true},
	{"a set of another type", ALICE, "{name: \"x\", home: {city: \"T\"}, langs: [1]}", NULL,
	 NULL, false},
	{"a mixed set", ALICE, "{name: \"x\", home: {city: \"T\"}, langs: [\"a\", 1]}", NULL, NULL,
	 false},
	{"no set", ALICE, "{name: \"x\", home: {city: \"T\"}, langs: \"a\"}", NULL, NULL, false},
	{"an entity", USER(", boss: User::\"b\""), true},
	{"an entity of another type", USER(", boss: Group::\"b\""), false},
	{"an entity of an undeclared type", USER(", boss: Foo::\"b\""), false},
	{"a listed id", USER(", c: Color::\"red\""), true},
	{"an id that is not listed", USER(", c: Color::\"green\""), false},
	{"listed ids in a set", USER(", cs: [Color::\"red\", Color::\"blue\"]"), true},
	{"one in a set that is not listed", USER(", cs: [Color::\"red\", Color::\"green\"]"),
	 false},
	{"one in a record that is not listed", USER(", f: {x: Color::\"green\"}"), false},
	{"an ipaddr", USER(", ip: ip(\"1.1.1.1\")"), true},
	{"a decimal for an ipaddr", USER(", ip: decimal(\"1.1\")"), false},
	{"a decimal", USER(", d: decimal(\"1.1\")"), true},
	{"a datetime", USER(", t: datetime(\"2024-01-01\")"), true},
	{"a duration for a datetime", USER(", t: duration(\"1h\")"), false},
	{"a duration", USER(", p: duration(\"1h\")"), true},
	{"an action", USER(", act: Action::\"view\""), true},
	{"an action that is not declared", USER(", act: Action::\"zzz\""), false},
	{"an action of another namespace", USER(", act: N::Action::\"look\""), false},

	{"tags", TAGS("{a: [1], b: []}"), true},
	{"a tag of another type", TAGS("{a: 1}"), false},
	{"a tag with a member of another type", TAGS("{a: [\"x\"]}"), false},
	{"tags where there are none", "Group::\"g\"", NULL, NULL, "{a: 1}", false},
	{"no tags where there are none", "Group::\"g\"", NULL, NULL, "{}", true},
	{"a tag with a listed id", "Plain::\"p\"", NULL, NULL, "{a: Color::\"red\"}", true},
	{"a tag with another id", "Plain::\"p\"", NULL, NULL, "{a: Color::\"green\"}", false},

	{"in a group", IN("[Group::\"g\"]"), true},
	{"in what groups may be in", IN("[Org::\"o\"]"), true},
	{"in another of its type", IN("[User::\"u\"]"), true},
	{"in what it may not be in", IN("[Plain::\"p\"]"), false},
	{"in an undeclared type", IN("[Group::\"g\", Foo::\"f\"]"), false},
	{"in a listed id", IN("[Color::\"red\"]"), true},
	{"in an id that is not listed", IN("[Color::\"green\"]"), false},
	{"in an action", IN("[Action::\"view\"]"), false},
	{"the other way round", "Group::\"g\"", NULL, "[User::\"a\"]", NULL, false},

	{"one of the listed", "Color::\"red\"", NULL, NULL, NULL, true},
	{"none of the listed", "Color::\"green\"", NULL, NULL, NULL, false},
	{"a listed one with attributes", "Color::\"red\"", "{a: 1}", NULL, NULL, false},
	{"a listed one in another", "Color::\"red\"", NULL, "[User::\"a\"]", NULL, false},
	{"a listed one with tags", "Color::\"red\"", NULL, NULL, "{a: 1}", false},
	{"an undeclared type", "Foo::\"x\"", NULL, NULL, NULL, false},

	{"an action as declared", "Action::\"view\"", "{}", "[Action::\"read\"]", "{}", true},
	{"an action in less", "Action::\"view\"", NULL, NULL, NULL, false},
	{"an action in more", "Action::\"view\"", NULL, "[Action::\"read\", Action::\"list\"]",
	 NULL, false},
	{"an action in an undeclared one", "Action::\"view\"", NULL,
	 "[Action::\"read\", Action::\"zz\"]", NULL, false},
	{"an action in a group of people", "Action::\"view\"", NULL,
	 "[Action::\"read\", Group::\"g\"]", NULL, false},
	{"an action with attributes", "Action::\"view\"", "{a: 1}", "[Action::\"read\"]", NULL,
	 false},
	{"an action with tags", "Action::\"view\"", NULL, "[Action::\"read\"]", "{a: 1}", false},
	{"an undeclared action", "Action::\"zzz\"", NULL, NULL, NULL, false},
	{"an action of an undeclared namespace", "Q::Action::\"x\"", NULL, NULL, NULL, false},
	{"an action without the groups of its group", "Action::\"deep\"", NULL,
	 "[Action::\"view\"]", NULL, false},
	{"an action with the groups of its group", "Action::\"deep\"", NULL,
	 "[Action::\"view\", Action::\"read\"]", NULL, true},
	{"an action with those alone", "Action::\"deep\"", NULL, "[Action::\"read\"]", NULL, false},
	{"an action in one of another namespace", "N::Action::\"look\"", NULL, "[Action::\"read\"]",
	 NULL, true},
	{"an action of a namespace in less", "N::Action::\"look\"", NULL, NULL, NULL, false},
};

static void
test_entities(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(entities); i++) {
		struct trial trial;
		struct policy_error err = {0};
		trial_start(&trial);
		add(&trial, entities[i].entity, entities[i].attributes, entities[i].parents,
		    entities[i].tags);
		enum policy_status status =
			policy_schema_check_facts(trial.schema, trial.facts, &err);
		if (status != (entities[i].conforms ? POLICY_OK : POLICY_INVALID) ||
		    (status != POLICY_OK && err.message[0] == '\0'))
			fail_msg("%s: %d %s", entities[i].name, status, err.message);
		trial_clear(&trial);
	}
}

/* What is above an action may be said by the entities of its groups. */
static void
test_actions_together(void **state)
{
	struct trial trial;

	(void)state;
	trial_start(&trial);
	add(&trial, "Action::\"deep\"", NULL, "[Action::\"view\"]", NULL);
	assert_int_equal(policy_schema_check_facts(trial.schema, trial.facts, NULL),
			 POLICY_INVALID);
	add(&trial, "Action::\"view\"", NULL, "[Action::\"read\"]", NULL);
	assert_int_equal(policy_schema_check_facts(trial.schema, trial.facts, NULL), POLICY_OK);
	trial_clear(&trial);
}

static void
test_add_actions(void **state)
{
	struct trial trial;
	struct policy_set *set = NULL;
	struct policy_decision decision;

	(void)state;
	trial_start(&trial);
	add(&trial, "Action::\"view\"", NULL, "[Action::\"read\"]", NULL);
	assert_int_equal(policy_schema_add_actions(trial.schema, trial.facts, NULL), POLICY_OK);
	assert_int_equal(policy_schema_check_facts(trial.schema, trial.facts, NULL), POLICY_OK);
	struct policy_request request = {
		.principal = value(&trial, ALICE),
		.action = value(&trial, "N::Action::\"look\""),
		.resource = value(&trial, "Plain::\"p\""),
		.context = value(&trial, "{}"),
	};
	/* Facts do not need the schema that they were made from. */
	policy_schema_free(trial.schema);
	trial.schema = NULL;
	assert_int_equal(policy_set_parse(text("permit(principal, action in Action::\"read\", "
					       "resource) when { Action::\"deep\" in "
					       "Action::\"read\" };"),
					  &set, NULL),
			 POLICY_OK);
	assert_int_equal(policy_decide(set, trial.facts, &request, &decision, NULL), POLICY_OK);
	assert_true(decision.allowed);
	policy_set_free(set);
	trial_clear(&trial);
}

/* A layer is looked at alone, and one that is unfit is no layer. */
static void
test_layers(void **state)
{
	struct trial trial;

	(void)state;
	trial_start(&trial);
	add(&trial, "Foo::\"x\"", NULL, NULL, NULL);
	struct policy_facts *above = policy_facts_new(trial.facts);
	assert_int_equal(policy_schema_check_facts(trial.schema, above, NULL), POLICY_OK);
	assert_int_equal(policy_schema_check_facts(trial.schema, trial.facts, NULL),
			 POLICY_INVALID);
	assert_null(policy_value_string(above, (struct policy_text){.data = "\xff", .size = 1}));
	assert_int_equal(policy_schema_check_facts(trial.schema, above, NULL), POLICY_INVALID);
	policy_facts_free(above);
	trial_clear(&trial);
}

static void
test_messages(void **state)
{
	struct trial trial;
	struct policy_error err = {0};

	(void)state;
	trial_start(&trial);
	add(&trial, USER(", age: \"x\""));
	assert_int_equal(policy_schema_check_facts(trial.schema, trial.facts, &err),
			 POLICY_INVALID);
	assert_string_equal(err.message, "User::\"a\": `age`: expected a long, found a string");
	assert_int_equal(err.line, 0);
	trial_clear(&trial);
}

/* ---- requests ---- */

#define VIEW "Action::\"view\""
#define LEAF "Plain::\"p\""

static const struct {
	const char *name;
	const char *principal;
	const char *action;
	const char *resource;
	const char *context;
	bool conforms;
} requests[] = {
	{"as declared", ALICE, VIEW, LEAF, "{n: 1}", true},
	{"on the other type", ALICE, VIEW, "Group::\"g\"", "{n: 1}", true},
	{"another principal", "Group::\"g\"", VIEW, LEAF, "{n: 1}", false},
	{"an undeclared principal", "Foo::\"g\"", VIEW, LEAF, "{n: 1}", false},
	{"another resource", ALICE, VIEW, ALICE, "{n: 1}", false},
	{"an undeclared resource", ALICE, VIEW, "Foo::\"g\"", "{n: 1}", false},
	{"an undeclared action", ALICE, "Action::\"zz\"", LEAF, "{n: 1}", false},
	{"an action that applies to nothing", ALICE, "Action::\"none\"", LEAF, "{}", false},
	{"an action of another namespace", ALICE, "N::Action::\"look\"", LEAF, "{}", false},
	{"a group of actions", ALICE, "Action::\"read\"", LEAF, "{}", false},
	{"no action", ALICE, "User::\"view\"", LEAF, "{n: 1}", false},
	{"an action as principal", VIEW, VIEW, LEAF, "{n: 1}", false},
	{"a field of the context is missing", ALICE, VIEW, LEAF, "{}", false},
	{"a field too many", ALICE, VIEW, LEAF, "{n: 1, m: 1}", false},
	{"a field of another type", ALICE, VIEW, LEAF, "{n: \"1\"}", false},
	{"a listed id", ALICE, VIEW, LEAF, "{n: 1, c: Color::\"red\"}", true},
	{"an id that is not listed", ALICE, VIEW, LEAF, "{n: 1, c: Color::\"green\"}", false},
	{"an action in the context", ALICE, VIEW, LEAF, "{n: 1, a: Action::\"view\"}", true},
	{"an undeclared action in the context", ALICE, VIEW, LEAF, "{n: 1, a: Action::\"zz\"}",
	 false},
	{"an empty record", ALICE, VIEW, LEAF, "{n: 1, r: {}}", true},
	{"a record that is not empty", ALICE, VIEW, LEAF, "{n: 1, r: {x: 1}}", false},
	{"listed ids", "Color::\"red\"", "Action::\"en\"", "Color::\"blue\"", "{}", true},
	{"a principal that is not listed", "Color::\"green\"", "Action::\"en\"", "Color::\"blue\"",
	 "{}", false},
	{"a resource that is not listed", "Color::\"red\"", "Action::\"en\"", "Color::\"zz\"", "{}",
	 false},
	/* What only a caller in C can ask. */
	{"a principal that is no entity", "1", VIEW, LEAF, "{n: 1}", false},
	{"a context that is no record", ALICE, VIEW, LEAF, "1", false},
	{"no context", ALICE, VIEW, LEAF, NULL, false},
};

static void
test_requests(void **state)
{
	struct trial trial;

	(void)state;
	trial_start(&trial);
	for (size_t i = 0; i < COUNT(requests); i++) {
		struct policy_error err = {0};
		struct policy_request request = {
			.principal = value(&trial, requests[i].principal),
			.action = value(&trial, requests[i].action),
			.resource = value(&trial, requests[i].resource),
			.context = value(&trial, requests[i].context),
		};
		enum policy_status status =
			policy_schema_check_request(trial.schema, &request, &err);
		if (status != (requests[i].conforms ? POLICY_OK : POLICY_INVALID))
			fail_msg("%s: %d %s", requests[i].name, status, err.message);
	}
	trial_clear(&trial);
}

static void
test_types_of_json(void **state)
{
	struct trial trial;

	(void)state;
	trial_start(&trial);
	const struct policy_type *context =
		policy_schema_context(trial.schema, value(&trial, VIEW));
	assert_non_null(context);
	assert_int_equal(policy_type_kind(policy_type_field(context, text("n"))), POLICY_TYPE_LONG);
	assert_null(policy_type_field(context, text("m")));
	assert_null(policy_type_field(policy_type_field(context, text("n")), text("n")));
	assert_null(policy_schema_context(trial.schema, value(&trial, "Action::\"zz\"")));
	const struct policy_type *tags = policy_schema_tags(trial.schema, text("User"));
	assert_int_equal(policy_type_kind(policy_type_element(tags)), POLICY_TYPE_LONG);
	assert_null(policy_type_element(policy_type_element(tags)));
	assert_null(policy_schema_tags(trial.schema, text("Group")));
	assert_null(policy_schema_attributes(trial.schema, text("Foo")));
	trial_clear(&trial);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entities),      cmocka_unit_test(test_actions_together),
		cmocka_unit_test(test_add_actions),   cmocka_unit_test(test_layers),
		cmocka_unit_test(test_messages),      cmocka_unit_test(test_requests),
		cmocka_unit_test(test_types_of_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
