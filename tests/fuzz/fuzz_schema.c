/* SPDX-License-Identifier: Apache-2.0 */
/* Text -> schema; its actions as facts, which must conform to it; and facts that may or may not. */
#include "policy/schema.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct policy_text
text(const char *string)
{
	return (struct policy_text){.data = string, .size = strlen(string)};
}

/* One field of each kind, with short names that a fuzzer finds. */
static const struct policy_value *
build_record(struct policy_facts *facts)
{
	const struct policy_value *entity = policy_value_entity(facts, text("A"), text("a"));
	const struct policy_value *number = policy_value_long(facts, 1);
	const struct policy_field inner[] = {{text("a"), number}};
	const struct policy_field fields[] = {
		{text("a"), entity},
		{text("b"), policy_value_boolean(facts, true)},
		{text("n"), number},
		{text("s"), policy_value_string(facts, text("s"))},
		{text("l"), policy_value_set(facts, &number, 1)},
		{text("r"), policy_value_record(facts, inner, 1)},
	};

	return policy_value_record(facts, fields, sizeof(fields) / sizeof(fields[0]));
}

static void
check_own_actions(const struct policy_schema *schema)
{
	struct policy_facts *facts = policy_facts_new(NULL);

	if (facts == NULL || policy_schema_add_actions(schema, facts, NULL) != POLICY_OK ||
	    policy_schema_check_facts(schema, facts, NULL) != POLICY_OK)
		abort();
	policy_facts_free(facts);
}

static void
check_others(const struct policy_schema *schema)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	struct policy_error err = {0};

	if (facts == NULL)
		abort();
	const struct policy_value *entity = policy_value_entity(facts, text("A"), text("a"));
	const struct policy_value *group = policy_value_entity(facts, text("B"), text("b"));
	struct policy_request request = {
		.principal = entity,
		.action = policy_value_entity(facts, text("Action"), text("a")),
		.resource = group,
		.context = build_record(facts)};
	if (policy_facts_entity(facts, entity, request.context, &group, 1, NULL) != POLICY_OK ||
	    policy_facts_tags(facts, entity, request.context, NULL) != POLICY_OK)
		abort();
	if (policy_schema_check_facts(schema, facts, &err) != POLICY_OK && err.message[0] == '\0')
		abort();
	(void)policy_schema_context(schema, request.action);
	if (policy_schema_check_request(schema, &request, &err) == POLICY_OK &&
	    policy_schema_context(schema, request.action) == NULL)
		abort();
	policy_facts_free(facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_schema *schema = NULL;
	struct policy_error err = {0};
	struct policy_text source = {.data = (const char *)data, .size = size};

	if (policy_schema_parse(source, &schema, &err) != POLICY_OK) {
		if (err.status == POLICY_OK || err.message[0] == '\0' || err.line == 0)
			abort();
		return 0;
	}
	check_own_actions(schema);
	check_others(schema);
	policy_schema_free(schema);
	return 0;
}
