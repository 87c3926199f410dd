/* SPDX-License-Identifier: Apache-2.0 */
/* What each expression comes to in the fixture's world: { defect it guards against, text, value }.
 * The values are those of the published implementation. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum want { YES, NO, ERROR };

static const struct {
	const char *name;
	const char *expression;
	enum want want;
} cases[] = {
#include "expressions.inc"
#include "extensions.inc"
};

static enum want
outcome_of(const struct world *world, const char *expression)
{
	char source[4096];
	struct policy_set *set = NULL;
	struct policy_error err = {0};
	struct policy_decision decision;

	int size = snprintf(source, sizeof(source),
			    "permit(principal, action, resource) when { %s };", expression);
	assert_in_range(size, 1, sizeof(source) - 1);
	if (parse_exact(source, (size_t)size, &set, &err) != POLICY_OK)
		fail_msg("%s: %u:%u: %s", expression, err.line, err.column, err.message);
	assert_int_equal(policy_decide(set, world->facts, &world->request, &decision, &err),
			 POLICY_OK);
	assert_int_equal(decision.allowed, decision.reason_count == 1);
	assert_in_range(decision.failure_count, 0, 1);
	if (decision.failure_count == 1)
		assert_string_not_equal(decision.failures[0].message, "");
	policy_set_free(set);
	return decision.failure_count == 1 ? ERROR : decision.allowed ? YES : NO;
}

static void
test_expressions(void **state)
{
	static const char *const words[] = {[YES] = "true", [NO] = "false", [ERROR] = "an error"};
	struct world world;
	size_t wrong = 0;

	(void)state;
	assert_true(world_build(&world));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum want got = outcome_of(&world, cases[i].expression);
		if (got == cases[i].want)
			continue;
		print_error("%s: %s is %s, not %s\n", cases[i].name, cases[i].expression,
			    words[got], words[cases[i].want]);
		wrong++;
	}
	world_clear(&world);
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_expressions)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
