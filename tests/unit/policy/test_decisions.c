/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions as a whole, and memory that runs out. */
#include "failing.h"
#include "fixture.h"

#include "policy/builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- decisions of many policies ---- */

#define PERMIT "permit(principal, action, resource)"
#define FORBID "forbid(principal, action, resource)"

static const struct {
	const char *name;
	const char *source;
	bool allowed;
	const char *reasons;  /* indexes, one digit each */
	const char *failures; /* the same */
} decisions[] = {
	{"nothing permits", "", false, "", ""},
	{"nothing matches", "permit(principal == User::\"x\", action, resource);", false, "", ""},
	{"forbid alone", FORBID ";", false, "0", ""},
	{"forbid wins", PERMIT ";" FORBID ";" PERMIT ";" FORBID ";", false, "13", ""},
	{"all permits are reasons", PERMIT ";" PERMIT " when {false};" PERMIT ";", true, "02", ""},
	{"a permit that fails is skipped", PERMIT " when {1};" PERMIT ";", true, "1", "0"},
	{"a forbid that fails is skipped", FORBID " when {context.none};" PERMIT ";", true, "1",
	 "0"},
	{"all failures are told", PERMIT " when {1};" FORBID " unless {1};" FORBID ";", false, "2",
	 "01"},
	{"a false condition hides what follows", PERMIT " when {false} when {1};", false, "", ""},
	{"a failing condition comes first", PERMIT " when {1} when {false};", false, "", "0"},
	{"unless", PERMIT " unless {false};" FORBID " unless {true};", true, "0", ""},
	{"scopes come before conditions",
	 "permit(principal, action == Action::\"x\", resource) when {1};", false, "", ""},
	{"scope: action in a group", "permit(principal, action in Action::\"read\", resource);",
	 true, "0", ""},
	{"scope: action in a list",
	 "permit(principal, action in [Action::\"x\", Action::\"view\"], resource);", true, "0",
	 ""},
	{"scope: action in an empty list", "permit(principal, action in [], resource);", false, "",
	 ""},
	{"scope: type", "permit(principal is User, action, resource is Photo);", true, "0", ""},
	{"scope: another type", "permit(principal is Photo, action, resource);", false, "", ""},
	{"scope: type and group",
	 "permit(principal is User in Group::\"all\", action, resource in Album::\"trip\");", true,
	 "0", ""},
	{"scope: type and another group",
	 "permit(principal is User in Group::\"x\", action, resource);", false, "", ""},
	{"scope: another type in the group",
	 "permit(principal is Group in Group::\"all\", action, resource);", false, "", ""},
};

static void
test_decisions(void **state)
{
	struct world world;

	(void)state;
	assert_true(world_build(&world));
	for (size_t i = 0; i < COUNT(decisions); i++) {
		struct policy_set *set = NULL;
		struct policy_decision decision;
		char reasons[8] = "";
		char failures[8] = "";
		assert_int_equal(
			parse_exact(decisions[i].source, strlen(decisions[i].source), &set, NULL),
			POLICY_OK);
		assert_int_equal(policy_decide(set, world.facts, &world.request, &decision, NULL),
				 POLICY_OK);
		for (size_t j = 0; j < decision.reason_count; j++)
			reasons[j] = (char)('0' + decision.reasons[j]);
		for (size_t j = 0; j < decision.failure_count; j++)
			failures[j] = (char)('0' + decision.failures[j].policy);
		if (decision.allowed != decisions[i].allowed ||
		    strcmp(reasons, decisions[i].reasons) != 0 ||
		    strcmp(failures, decisions[i].failures) != 0)
			fail_msg("%s: allowed %d, reasons %s, failures %s", decisions[i].name,
				 decision.allowed, reasons, failures);
		policy_set_free(set);
	}
	world_clear(&world);
}

static void
test_failure_message(void **state)
{
	static const char source[] = PERMIT "\n when { true &&\n   principal.none };\n" PERMIT
					    " when { context[\"a\nb\xc3\xa4 and much more than is "
					    "worth telling in a line\"] };";
	struct world world;
	struct policy_set *set = NULL;
	struct policy_decision decision;

	(void)state;
	assert_true(world_build(&world));
	assert_int_equal(parse_exact(source, sizeof(source) - 1, &set, NULL), POLICY_OK);
	assert_int_equal(policy_decide(set, world.facts, &world.request, &decision, NULL),
			 POLICY_OK);
	assert_int_equal(decision.failure_count, 2);
	assert_string_equal(decision.failures[0].message, "3:14: there is no attribute `none`");
	/* Nothing in a message breaks a line of a log, or its encoding. */
	assert_string_equal(
		decision.failures[1].message,
		"4:52: there is no attribute `a?b?? and much more than is worth tellin`");
	policy_set_free(set);
	world_clear(&world);
}

/* ---- memory that runs out ---- */

static const char everything[] =
	"@id(\"a\") permit(principal in Group::\"all\", action in [Action::\"read\"], resource)\n"
	"when { [context.n, 1].contains(7) && {a: context.n} has a && context.s like \"*b*\" &&\n"
	"context.n + 1 * 2 > -context.n && ip(\"::1\").isLoopback() && [1, {b: \"c\"}] != [] &&\n"
	"principal in [Group::\"all\", principal] && duration(\"1h\").toHours() == 1 &&\n"
	"(if principal.hasTag(\"a\") then datetime(\"2024-01-01\").toDate() != 1 else false) };\n"
	"permit(principal, action, resource) when { principal.none };"
	"permit(principal, action, resource) when { decimal(context.s) == 1 };";

static const char template[] =
	"permit(principal in ?principal, action, resource is Photo in ?resource);";

/* A set of three policies, a template and a link of it. */
static enum policy_status
build_everything(const struct world *world, struct policy_set **ret_set)
{
	struct policy_builder *builder = policy_builder_new();

	if (builder == NULL)
		return POLICY_MEMORY;
	enum policy_status status = policy_builder_add(builder, text(everything), NULL);
	if (status == POLICY_OK)
		status = policy_builder_add_named(builder, text("t"), text(template), NULL);
	if (status == POLICY_OK)
		status =
			policy_builder_link(builder, text("t"), text("l"), world->request.principal,
					    world->request.resource, NULL);
	if (status == POLICY_OK)
		status = policy_builder_finish(builder, ret_set, NULL);
	policy_builder_free(builder);
	return status;
}

/* Builds and decides; POLICY_OK only with the right answer. */
static enum policy_status
run_everything(void)
{
	struct world world;
	struct policy_set *set = NULL;
	struct policy_decision decision;
	enum policy_status status = POLICY_MEMORY;

	if (world_build(&world))
		status = build_everything(&world, &set);
	if (status == POLICY_OK)
		status = policy_decide(set, world.facts, &world.request, &decision, NULL);
	if (status == POLICY_OK &&
	    (!decision.allowed || decision.reason_count != 2 || decision.failure_count != 2))
		status = POLICY_INVALID;
	policy_set_free(set);
	world_clear(&world);
	return status;
}

static void
test_memory(void **state)
{
	(void)state;
	failing.at = 0;
	failing.allocations = 0;
	assert_int_equal(run_everything(), POLICY_OK);
	size_t count = failing.allocations;
	assert_in_range(count, 200, 5000);
	for (size_t i = 1; i <= count; i++) {
		failing.allocations = 0;
		failing.at = i;
		enum policy_status status = run_everything();
		failing.at = 0;
		if (status != POLICY_MEMORY)
			fail_msg("allocation %zu of %zu failed: status %d", i, count, (int)status);
	}
	assert_int_equal(run_everything(), POLICY_OK);
}

static enum policy_status
add_user(struct policy_facts *facts, const char *id)
{
	const struct policy_value *group = policy_value_entity(facts, text("Group"), text("g"));
	const struct policy_value *user = policy_value_entity(facts, text("User"), text(id));

	return policy_facts_entity(facts, user, NULL, &group, 1, NULL);
}

/* A hot path: after one round, a cleared layer needs no more memory. */
static void
test_reuse(void **state)
{
	struct policy_facts *facts = policy_facts_new(NULL);

	(void)state;
	size_t chunks_before = 0;
	for (int round = 0; round < 20; round++) {
		policy_facts_clear(facts);
		chunks_before = failing.chunks;
		for (int i = 0; i < 200; i++) {
			char id[16];
			snprintf(id, sizeof(id), "%d", i);
			assert_int_equal(add_user(facts, id), POLICY_OK);
		}
		if (round > 0)
			assert_int_equal(failing.chunks, chunks_before);
	}
	policy_facts_free(facts);
	policy_facts_free(NULL);
	policy_set_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_failure_message),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_reuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
