/* SPDX-License-Identifier: Apache-2.0 */
/* Templates, links, and sets put together from several texts. */
#include "fixture.h"

#include "policy/builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define S(p, a, r)    "permit(" p "," a "," r ")"
#define PRINCIPAL(p)  S(p, "action", "resource") ";"
#define ACTION(a)     S("principal", a, "resource") ";"
#define RESOURCE(r)   S("principal", "action", r) ";"
#define BOTH	      S("principal in ?principal", "action", "resource == ?resource") ";"
#define ANYBODY	      S("principal", "action", "resource") ";"
#define OF_PRINCIPAL  PRINCIPAL("principal == ?principal")
#define OF_RESOURCE   RESOURCE("resource in ?resource")
#define ONLY_SLOTS(p) S("principal == ?principal", "action", "resource") " when { " p " };"

/* ---- texts ---- */

/* What is a template and what is nothing, as the published implementation has it. */
static const struct {
	const char *source;
	enum policy_kind kind;
	bool principal_slot;
	bool resource_slot;
} accepted[] = {
	{ANYBODY, POLICY_STATIC, false, false},
	{OF_PRINCIPAL, POLICY_TEMPLATE, true, false},
	{BOTH, POLICY_TEMPLATE, true, true},
	{S("principal is User in ?principal", "action", "resource is A::B in ?resource") ";",
	 POLICY_TEMPLATE, true, true},
	{PRINCIPAL("principal == (?principal)"), POLICY_TEMPLATE, true, false},
	{PRINCIPAL("principal in ((?principal))"), POLICY_TEMPLATE, true, false},
	{PRINCIPAL("principal is User in (?principal)"), POLICY_TEMPLATE, true, false},
	{ONLY_SLOTS("context.a == principal"), POLICY_TEMPLATE, true, false},
	{ONLY_SLOTS("\"?principal\" == \"\""), POLICY_TEMPLATE, true, false},
	{"@a(\"?principal\") forbid(principal,action,resource == ?resource\n,);", POLICY_TEMPLATE,
	 false, true},
	{"@a(\"?principal\")" ANYBODY, POLICY_STATIC, false, false},
};

static void
test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(accepted); i++) {
		const char *source = accepted[i].source;
		struct policy_set *set = NULL;
		struct policy_error err = {0};
		struct policy_summary summary;
		if (parse_exact(source, strlen(source), &set, &err) != POLICY_OK)
			fail_msg("%s: %u:%u: %s", source, err.line, err.column, err.message);
		assert_int_equal(policy_set_count(set), 1);
		policy_set_summary(set, 0, &summary);
		if (summary.kind != accepted[i].kind ||
		    summary.principal_slot != accepted[i].principal_slot ||
		    summary.resource_slot != accepted[i].resource_slot)
			fail_msg("%s: kind %d, slots %d %d", source, (int)summary.kind,
				 summary.principal_slot, summary.resource_slot);
		policy_set_free(set);
	}
}

static const struct {
	const char *source;
	uint32_t column;
} refused[] = {
	{PRINCIPAL("principal in [?principal]"), 21},
	{PRINCIPAL("principal == ?resource"), 21},
	{PRINCIPAL("principal in (?resource)"), 22},
	{PRINCIPAL("principal == ?context"), 21},
	{PRINCIPAL("principal == ?Principal"), 21},
	{PRINCIPAL("principal == ?principals"), 21},
	{PRINCIPAL("principal == ? principal"), 21},
	{PRINCIPAL("principal == ?"), 21},
	{PRINCIPAL("principal == ??principal"), 21},
	{PRINCIPAL("principal == ?principal::\"a\""), 31},
	{PRINCIPAL("principal == User::?principal"), 27},
	{PRINCIPAL("principal == \"?principal\""), 21},
	{PRINCIPAL("principal == -?principal"), 21},
	{PRINCIPAL("principal == ?principal ?principal"), 32},
	{PRINCIPAL("principal == ?principal.x"), 31},
	{PRINCIPAL("principal == (?principal"), 32},
	{PRINCIPAL("principal in ?principal in ?principal"), 32},
	{PRINCIPAL("principal is ?principal"), 21},
	{PRINCIPAL("principal is ?principal in ?principal"), 21},
	{PRINCIPAL("principal is User == ?principal"), 26},
	{PRINCIPAL("principal != ?principal"), 18},
	{PRINCIPAL("?principal"), 8},
	{ACTION("action == ?action"), 28},
	{ACTION("action == ?principal"), 28},
	{ACTION("action in ?action"), 28},
	{ACTION("action in [?principal]"), 29},
	{RESOURCE("resource == ?principal"), 37},
	{RESOURCE("resource in [?resource]"), 37},
	{ONLY_SLOTS("?principal"), 56},
	{ONLY_SLOTS("principal == ?principal"), 69},
	{ONLY_SLOTS("resource in ?resource"), 68},
};

static void
test_refused(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		const char *source = refused[i].source;
		struct policy_set *set = NULL;
		struct policy_error err = {0};
		enum policy_status status = parse_exact(source, strlen(source), &set, &err);
		if (status == POLICY_SYNTAX && err.line == 1 && err.column == refused[i].column)
			continue;
		print_error("%s: status %d at %u:%u, not at 1:%u (%s)\n", source, (int)status,
			    err.line, err.column, refused[i].column, err.message);
		policy_set_free(set);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* ---- building ---- */

static void
check_id(const struct policy_set *set, size_t index, const char *id, enum policy_kind kind)
{
	struct policy_summary summary;

	policy_set_summary(set, index, &summary);
	assert_int_equal(summary.id.size, strlen(id));
	assert_memory_equal(summary.id.data, id, strlen(id));
	assert_int_equal(summary.kind, kind);
}

static const struct policy_value *
entity(struct policy_facts *facts, const char *type, const char *id)
{
	return policy_value_entity(facts, text(type), text(id));
}

/* Numbers count policies and templates alike, over all texts; other ids are as they were given. */
static void
test_ids(void **state)
{
	struct policy_builder *builder = policy_builder_new();
	struct policy_facts *facts = policy_facts_new(NULL);
	const struct policy_value *user = entity(facts, "User", "alice");
	struct policy_set *set = NULL;
	struct policy_summary summary;

	(void)state;
	assert_int_equal(policy_builder_add(builder, text(ANYBODY OF_PRINCIPAL ANYBODY), NULL),
			 POLICY_OK);
	assert_int_equal(policy_builder_add_named(builder, text(""), text(OF_RESOURCE), NULL),
			 POLICY_OK);
	assert_int_equal(
		policy_builder_link(builder, text("policy1"), text("link"), user, NULL, NULL),
		POLICY_OK);
	assert_int_equal(policy_builder_add(builder, text(" // nothing"), NULL), POLICY_OK);
	assert_int_equal(policy_builder_add(builder, text("\n\n " ANYBODY), NULL), POLICY_OK);
	assert_int_equal(
		policy_builder_link(builder, text(""), text("l\xc3\xa4nk"), NULL, user, NULL),
		POLICY_OK);
	assert_int_equal(policy_builder_finish(builder, &set, NULL), POLICY_OK);
	policy_builder_free(builder);
	policy_facts_free(facts);

	assert_int_equal(policy_set_count(set), 7);
	check_id(set, 0, "policy0", POLICY_STATIC);
	check_id(set, 1, "policy1", POLICY_TEMPLATE);
	check_id(set, 2, "policy2", POLICY_STATIC);
	check_id(set, 3, "", POLICY_TEMPLATE);
	check_id(set, 4, "link", POLICY_LINK);
	check_id(set, 5, "policy3", POLICY_STATIC);
	check_id(set, 6, "l\xc3\xa4nk", POLICY_LINK);
	policy_set_summary(set, 6, &summary);
	assert_int_equal(summary.template_index, 3);
	assert_false(summary.resource_slot);
	assert_int_equal(summary.resource, POLICY_IN);
	policy_set_summary(set, 5, &summary);
	assert_int_equal(summary.line, 3);
	assert_int_equal(summary.column, 2);
	assert_false(policy_set_may_cover(set, 1, text("Action"), text("a")));
	assert_true(policy_set_may_cover(set, 4, text("Action"), text("a")));
	assert_true(policy_set_mentions(set, text("alice")));
	assert_false(policy_set_mentions(set, text("link")));
	assert_false(policy_set_mentions(set, text("policy1")));
	policy_set_free(set);
}

/* A builder with a policy `static`, templates `p`, `r` and `both`, and a link `linked` of `p`. */
static struct policy_builder *
furnished(struct policy_facts *facts)
{
	struct policy_builder *builder = policy_builder_new();

	assert_non_null(builder);
	assert_int_equal(policy_builder_add_named(builder, text("static"), text(ANYBODY), NULL),
			 POLICY_OK);
	assert_int_equal(policy_builder_add_named(builder, text("p"), text(OF_PRINCIPAL), NULL),
			 POLICY_OK);
	assert_int_equal(policy_builder_add_named(builder, text("r"), text(OF_RESOURCE), NULL),
			 POLICY_OK);
	assert_int_equal(policy_builder_add_named(builder, text("both"), text(BOTH), NULL),
			 POLICY_OK);
	assert_int_equal(policy_builder_link(builder, text("p"), text("linked"),
					     entity(facts, "User", "x"), NULL, NULL),
			 POLICY_OK);
	return builder;
}

static const struct {
	const char *name;
	const char *template;
	const char *id;
	char principal; /* e: an entity, v: another value */
	char resource;
	enum policy_status want;
	const char *message;
} links[] = {
	{"one slot", "p", "n", 'e', 0, POLICY_OK, ""},
	{"the other slot", "r", "n", 0, 'e', POLICY_OK, ""},
	{"both slots", "both", "n", 'e', 'e', POLICY_OK, ""},
	{"unknown template", "x", "n", 'e', 0, POLICY_INVALID, "there is no template `x`"},
	{"static policy", "static", "n", 0, 0, POLICY_INVALID, "`static` is no template"},
	{"link of a link", "linked", "n", 0, 0, POLICY_INVALID, "`linked` is no template"},
	{"empty slot", "p", "n", 0, 0, POLICY_INVALID, "the slot ?principal needs an entity"},
	{"one of two", "both", "n", 'e', 0, POLICY_INVALID, "the slot ?resource needs an entity"},
	{"one too many", "p", "n", 'e', 'e', POLICY_INVALID, "the template has no slot ?resource"},
	{"the wrong one", "r", "n", 'e', 'e', POLICY_INVALID,
	 "the template has no slot ?principal"},
	{"no entity", "p", "n", 'v', 0, POLICY_INVALID, "what is for ?principal is no entity"},
	{"id of a policy", "p", "static", 'e', 0, POLICY_INVALID, "the id `static` is in use"},
	{"id of a template", "p", "p", 'e', 0, POLICY_INVALID, "the id `p` is in use"},
	{"id of a link", "p", "linked", 'e', 0, POLICY_INVALID, "the id `linked` is in use"},
	{"broken id", "p", "\xff", 'e', 0, POLICY_INVALID, "the id is not UTF-8"},
};

static void
test_links(void **state)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	const struct policy_value *values[128] = {
		['e'] = entity(facts, "User", "bob"),
		['v'] = policy_value_string(facts, text("bob")),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(links); i++) {
		struct policy_builder *builder = furnished(facts);
		struct policy_set *set = NULL;
		struct policy_error err = {0};
		enum policy_status status =
			policy_builder_link(builder, text(links[i].template), text(links[i].id),
					    values[(unsigned char)links[i].principal],
					    values[(unsigned char)links[i].resource], &err);
		if (status != links[i].want || strcmp(err.message, links[i].message) != 0)
			fail_msg("%s: status %d, %s", links[i].name, (int)status, err.message);
		/* What was refused is not forgotten. */
		assert_int_equal(policy_builder_finish(builder, &set, NULL), links[i].want);
		assert_true((set != NULL) == (links[i].want == POLICY_OK));
		policy_builder_free(builder);
		policy_set_free(set);
	}
	policy_facts_free(facts);
}

static const struct {
	const char *name;
	const char *id;
	const char *source;
	enum policy_status want;
	uint32_t column;
} named[] = {
	{"a policy", "n", ANYBODY, POLICY_OK, 0},
	{"two of them", "n", ANYBODY ANYBODY, POLICY_SYNTAX, 35},
	{"none", "n", " ", POLICY_SYNTAX, 2},
	{"id in use", "p", " " ANYBODY, POLICY_INVALID, 2},
	{"not UTF-8", "n", "\xff", POLICY_SYNTAX, 1},
	{"broken id", "\xff", ANYBODY, POLICY_INVALID, 0},
	{"nothing of a policy", "n", "permit(", POLICY_SYNTAX, 8},
};

static void
test_named(void **state)
{
	struct policy_facts *facts = policy_facts_new(NULL);

	(void)state;
	for (size_t i = 0; i < COUNT(named); i++) {
		struct policy_builder *builder = furnished(facts);
		struct policy_set *set = NULL;
		struct policy_error err = {0};
		enum policy_status status = policy_builder_add_named(builder, text(named[i].id),
								     text(named[i].source), &err);
		if (status != named[i].want || err.column != named[i].column)
			fail_msg("%s: status %d at %u:%u (%s)", named[i].name, (int)status,
				 err.line, err.column, err.message);
		assert_int_equal(policy_builder_add(builder, text(""), NULL), named[i].want);
		assert_int_equal(policy_builder_finish(builder, &set, NULL), named[i].want);
		policy_set_free(set);
		set = NULL;
		if (named[i].want == POLICY_OK) /* a set is finished once */
			assert_int_equal(policy_builder_finish(builder, &set, NULL),
					 POLICY_INVALID);
		assert_null(set);
		policy_builder_free(builder);
	}
	policy_facts_free(facts);
	policy_builder_free(NULL);
}

/* A number that somebody took. */
static void
test_number_in_use(void **state)
{
	struct policy_builder *builder = policy_builder_new();
	struct policy_error err = {0};

	(void)state;
	assert_int_equal(policy_builder_add_named(builder, text("policy1"), text(ANYBODY), NULL),
			 POLICY_OK);
	assert_int_equal(policy_builder_add(builder, text(ANYBODY "\n" ANYBODY), &err),
			 POLICY_INVALID);
	assert_int_equal(err.line, 2);
	policy_builder_free(builder);
}

/* ---- limits ---- */

static void
test_limits(void **state)
{
	static char long_id[POLICY_ID_MAX + 1];
	struct policy_facts *facts = policy_facts_new(NULL);
	const struct policy_value *user = entity(facts, "User", "x");
	struct policy_text most = {.data = long_id, .size = POLICY_ID_MAX};
	struct policy_text more = {.data = long_id, .size = POLICY_ID_MAX + 1};
	struct policy_builder *builder = policy_builder_new();
	struct policy_error err = {0};
	char id[16];

	(void)state;
	memset(long_id, 'i', sizeof(long_id));
	assert_int_equal(policy_builder_add_named(builder, most, text(OF_PRINCIPAL), NULL),
			 POLICY_OK);
	for (int i = 1; i < POLICY_POLICIES_MAX; i++) {
		snprintf(id, sizeof(id), "l%d", i);
		assert_int_equal(policy_builder_link(builder, most, text(id), user, NULL, NULL),
				 POLICY_OK);
	}
	assert_int_equal(policy_builder_link(builder, most, text("n"), user, NULL, &err),
			 POLICY_LIMIT);
	assert_string_equal(err.message, "more than 10000 policies");
	policy_builder_free(builder);

	builder = furnished(facts);
	assert_int_equal(policy_builder_link(builder, text("p"), more, user, NULL, NULL),
			 POLICY_LIMIT);
	policy_builder_free(builder);
	builder = furnished(facts);
	assert_int_equal(policy_builder_add_named(builder, more, text(ANYBODY), NULL),
			 POLICY_LIMIT);
	policy_builder_free(builder);
	policy_facts_free(facts);
}

/* All texts together. */
static void
test_source_limit(void **state)
{
	struct policy_builder *builder = policy_builder_new();
	struct policy_text blanks = {.size = POLICY_SOURCE_MAX};
	char *source = malloc(POLICY_SOURCE_MAX);

	(void)state;
	assert_non_null(source);
	memset(source, ' ', POLICY_SOURCE_MAX);
	blanks.data = source;
	assert_int_equal(policy_builder_add(builder, blanks, NULL), POLICY_OK);
	assert_int_equal(policy_builder_add(builder, text(""), NULL), POLICY_OK);
	assert_int_equal(policy_builder_add(builder, text(" "), NULL), POLICY_LIMIT);
	policy_builder_free(builder);
	free(source);
}

/* ---- decisions ---- */

static const struct {
	const char *name;
	const char *template;
	const char *type; /* of the principal in the slot; NULL: not linked */
	const char *id;
	bool allowed;
	size_t failures;
} decisions[] = {
	{"not linked", OF_PRINCIPAL, NULL, NULL, false, 0},
	{"not linked, and it would fail", ONLY_SLOTS("1"), NULL, NULL, false, 0},
	{"the same", OF_PRINCIPAL, "User", "alice", true, 0},
	{"another", OF_PRINCIPAL, "User", "bob", false, 0},
	{"a group is not the same", OF_PRINCIPAL, "Group", "staff", false, 0},
	{"in a group", PRINCIPAL("principal in ?principal"), "Group", "all", true, 0},
	{"in itself", PRINCIPAL("principal in ?principal"), "User", "alice", true, 0},
	{"not in a group", PRINCIPAL("principal in ?principal"), "Group", "x", false, 0},
	{"of a type, in a group", PRINCIPAL("principal is User in ?principal"), "Group", "staff",
	 true, 0},
	{"of another type", PRINCIPAL("principal is Group in ?principal"), "Group", "staff", false,
	 0},
	{"with a condition", ONLY_SLOTS("principal.level == 5"), "User", "alice", true, 0},
	{"with one that fails", ONLY_SLOTS("principal.none"), "User", "alice", false, 1},
	{"with one that is not looked at", ONLY_SLOTS("principal.none"), "User", "bob", false, 0},
};

/* The facts that the link was made with are gone when it decides. */
static struct policy_set *
build_linked(const char *template, const char *type, const char *id)
{
	struct policy_builder *builder = policy_builder_new();
	struct policy_facts *facts = policy_facts_new(NULL);
	struct policy_set *set = NULL;

	assert_int_equal(policy_builder_add_named(builder, text("t"), text(template), NULL),
			 POLICY_OK);
	if (type != NULL)
		assert_int_equal(policy_builder_link(builder, text("t"), text("link"),
						     entity(facts, type, id), NULL, NULL),
				 POLICY_OK);
	policy_facts_free(facts);
	assert_int_equal(policy_builder_finish(builder, &set, NULL), POLICY_OK);
	policy_builder_free(builder);
	return set;
}

static void
test_decisions(void **state)
{
	struct world world;

	(void)state;
	assert_true(world_build(&world));
	for (size_t i = 0; i < COUNT(decisions); i++) {
		struct policy_set *set =
			build_linked(decisions[i].template, decisions[i].type, decisions[i].id);
		struct policy_decision decision;
		assert_int_equal(policy_decide(set, world.facts, &world.request, &decision, NULL),
				 POLICY_OK);
		if (decision.allowed != decisions[i].allowed ||
		    decision.reason_count != decisions[i].allowed ||
		    decision.failure_count != decisions[i].failures)
			fail_msg("%s: allowed %d, %zu reasons, %zu failures", decisions[i].name,
				 decision.allowed, decision.reason_count, decision.failure_count);
		if (decision.allowed)
			check_id(set, decision.reasons[0], "link", POLICY_LINK);
		if (decision.failure_count > 0)
			check_id(set, decision.failures[0].policy, "link", POLICY_LINK);
		policy_set_free(set);
	}
	world_clear(&world);
}

#define LIST_ITEMS	50000
#define LINKED_TO_ALICE 4567

/* A template with a long list of actions, linked as often as can be: what one text says once must
 * not be kept once a link. */
static void
test_long_list(void **state)
{
	struct policy_builder *builder = policy_builder_new();
	struct policy_set *set = NULL;
	struct policy_decision decision;
	struct world world;
	char *source = NULL;
	size_t size = 0;
	char id[16];

	(void)state;
	assert_true(world_build(&world));
	FILE *out = open_memstream(&source, &size);
	assert_non_null(out);
	fputs("permit(principal == ?principal, action in [", out);
	for (int i = 0; i < LIST_ITEMS; i++)
		fprintf(out, "Action::\"%d\",", i);
	fputs("Action::\"view\"], resource);", out);
	fclose(out);
	assert_int_equal(policy_builder_add_named(builder, text("t"),
						  (struct policy_text){source, size}, NULL),
			 POLICY_OK);
	free(source);
	for (int i = 1; i < POLICY_POLICIES_MAX; i++) {
		const struct policy_value *user =
			entity(world.base, "User", i == LINKED_TO_ALICE ? "alice" : "bob");
		snprintf(id, sizeof(id), "l%d", i);
		assert_int_equal(
			policy_builder_link(builder, text("t"), text(id), user, NULL, NULL),
			POLICY_OK);
	}
	assert_int_equal(policy_builder_finish(builder, &set, NULL), POLICY_OK);
	policy_builder_free(builder);
	assert_int_equal(policy_decide(set, world.facts, &world.request, &decision, NULL),
			 POLICY_OK);
	assert_int_equal(decision.reason_count, 1);
	assert_int_equal(decision.reasons[0], LINKED_TO_ALICE);
	policy_set_free(set);
	world_clear(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_ids),	  cmocka_unit_test(test_links),
		cmocka_unit_test(test_named),	  cmocka_unit_test(test_number_in_use),
		cmocka_unit_test(test_limits),	  cmocka_unit_test(test_source_limit),
		cmocka_unit_test(test_decisions), cmocka_unit_test(test_long_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
