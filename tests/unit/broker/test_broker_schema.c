/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's Cedar schema says what the tables of operations and of claims say, and the policies
 * that a new broker has are valid by it. */
#include "attest/claims.h"
#include "broker/command/default_policies.h"
#include "policy/schema.h"
#include "wire/operation.h"
#include "wire/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Beside the operations. */
static const char *const OTHER_ACTIONS[] = {"read", "write", "trust", "release", "renew", "reveal"};
#define OTHER_COUNT (sizeof(OTHER_ACTIONS) / sizeof(OTHER_ACTIONS[0]))

static struct policy_schema *schema;

static struct policy_text
text_of_string(const char *text)
{
	return (struct policy_text){text, strlen(text)};
}

static int
parse(void **state)
{
	struct policy_error err = {0};
	(void)state;

	if (policy_schema_parse((struct policy_text){broker_schema, broker_schema_size}, &schema,
				&err) == POLICY_OK)
		return 0;
	print_error("%u:%u: %s\n", err.line, err.column, err.message);
	return -1;
}

static int
finish(void **state)
{
	(void)state;
	policy_schema_free(schema);
	return 0;
}

/* NULL: no such action. */
static const struct policy_type *
context_of(struct policy_facts *facts, const char *action)
{
	return policy_schema_context(schema, policy_value_entity(facts, text_of_string("Action"),
								 text_of_string(action)));
}

static void
every_operation_is_an_action(void **state)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	const struct operation_info *info;
	size_t count = 0;
	(void)state;

	for (; (info = operation_at(count)) != NULL; count++)
		if (context_of(facts, info->name) == NULL)
			fail_msg("%s", info->name);
	for (size_t i = 0; i < OTHER_COUNT; i++)
		if (context_of(facts, OTHER_ACTIONS[i]) == NULL)
			fail_msg("%s", OTHER_ACTIONS[i]);
	assert_null(context_of(facts, "no such action"));
	assert_int_equal(policy_schema_action_count(schema), count + OTHER_COUNT);
	policy_facts_free(facts);
}

/* The schema's groups are those that the keeper decides with. */
static void
actions_are_in_their_groups(void **state)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	struct policy_error err = {0};
	const struct operation_info *info;
	(void)state;

	assert_int_equal(policy_schema_add_actions(schema, facts, &err), POLICY_OK);
	for (size_t i = 0; (info = operation_at(i)) != NULL; i++) {
		struct policy_set *set = NULL;
		struct policy_decision decision;
		char text[160];

		snprintf(text, sizeof(text),
			 "permit(principal, action in Action::\"%s\", resource);", info->group);
		assert_int_equal(policy_set_parse(text_of_string(text), &set, &err), POLICY_OK);
		const struct policy_value *thing = policy_value_entity(
			facts, text_of_string("Broker"), text_of_string("postern"));
		struct policy_request request = {
			.principal = thing,
			.action = policy_value_entity(facts, text_of_string("Action"),
						      text_of_string(info->name)),
			.resource = thing,
			.context = policy_value_record(facts, NULL, 0),
		};
		assert_int_equal(policy_decide(set, facts, &request, &decision, &err), POLICY_OK);
		if (!decision.allowed)
			fail_msg("%s is not in %s", info->name, info->group);
		policy_set_free(set);
	}
	policy_facts_free(facts);
}

static enum policy_type_kind
kind_of(enum attest_claim_kind kind)
{
	switch (kind) {
	case CLAIM_KIND_BOOLEAN:
		return POLICY_TYPE_BOOLEAN;
	case CLAIM_KIND_NUMBER:
		return POLICY_TYPE_LONG;
	case CLAIM_KIND_TEXT:
	case CLAIM_KIND_DIGEST:
		return POLICY_TYPE_STRING;
	}
	return POLICY_TYPE_NEVER;
}

static void
every_claim_is_typed(void **state)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	const struct attest_claim_rule *rule;
	(void)state;

	const struct policy_type *claims =
		policy_type_field(context_of(facts, "release"), text_of_string("claims"));
	assert_non_null(claims);
	for (size_t i = 0; (rule = attest_claim_rule_at(i)) != NULL; i++) {
		const struct policy_type *type =
			policy_type_field(claims, text_of_string(rule->name));

		if (type != NULL && rule->list)
			type = policy_type_element(type);
		if (type == NULL || policy_type_kind(type) != kind_of(rule->kind))
			fail_msg("%s", rule->name);
	}
	policy_facts_free(facts);
}

static void
print_finding(void *user, const struct policy_finding *finding)
{
	(void)user;
	print_error("%u:%u: %s\n", finding->line, finding->column, finding->message);
}

static void
default_policies_are_valid(void **state)
{
	(void)state;

	for (size_t i = 0; i < DEFAULT_POLICY_COUNT; i++) {
		struct policy_set *set = NULL;
		struct policy_error err = {0};

		assert_int_equal(
			policy_set_parse(text_of_string(default_policies[i].text), &set, &err),
			POLICY_OK);
		assert_int_equal(policy_validate(schema, set, print_finding, NULL, &err),
				 POLICY_OK);
		policy_set_free(set);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation_is_an_action),
		cmocka_unit_test(actions_are_in_their_groups),
		cmocka_unit_test(every_claim_is_typed),
		cmocka_unit_test(default_policies_are_valid),
	};

	return cmocka_run_group_tests(tests, parse, finish);
}
