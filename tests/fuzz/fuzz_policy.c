/* SPDX-License-Identifier: Apache-2.0 */
/* Text -> policy set -> decision. */
#include "policy/policy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static struct policy_text
text(const char *string)
{
	return (struct policy_text){.data = string, .size = strlen(string)};
}

static const struct policy_value *
entity(struct policy_facts *facts, const char *type, const char *id)
{
	return policy_value_entity(facts, text(type), text(id));
}

/* The context has one field of each kind, with short names that a fuzzer finds. */
static const struct policy_value *
build_context(struct policy_facts *facts)
{
	const struct policy_value *items[] = {policy_value_long(facts, 1), entity(facts, "U", "a")};
	const struct policy_field inner[] = {{text("a"), items[0]}};
	const struct policy_field fields[] = {
		{text("b"), policy_value_boolean(facts, true)},
		{text("n"), policy_value_long(facts, INT64_MAX)},
		{text("s"), policy_value_string(facts, text("a*b"))},
		{text("e"), items[1]},
		{text("l"), policy_value_set(facts, items, 2)},
		{text("r"), policy_value_record(facts, inner, 1)},
	};

	return policy_value_record(facts, fields, sizeof(fields) / sizeof(fields[0]));
}

static void
decide(const struct policy_set *set)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	struct policy_decision decision;

	if (facts == NULL)
		abort();
	const struct policy_value *user = entity(facts, "U", "a");
	const struct policy_value *group = entity(facts, "G", "g");
	struct policy_request request = {.principal = user,
					 .action = entity(facts, "Action", "a"),
					 .resource = group,
					 .context = build_context(facts)};
	if (policy_facts_entity(facts, user, request.context, &group, 1, NULL) != POLICY_OK ||
	    policy_decide(set, facts, &request, &decision, NULL) != POLICY_OK)
		abort();
	/* Nothing is allowed without a reason. */
	if (decision.allowed && decision.reason_count == 0)
		abort();
	policy_facts_free(facts);
}

static void
look(const struct policy_set *set)
{
	struct policy_summary summary;

	for (size_t i = 0; i < policy_set_count(set); i++) {
		policy_set_summary(set, i, &summary);
		if (summary.id.size == 0 || summary.line == 0)
			abort();
		(void)policy_set_may_cover(set, i, text("Action"), text("a"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_set *set = NULL;
	struct policy_error err = {0};
	struct policy_text source = {.data = (const char *)data, .size = size};

	if (policy_set_parse(source, &set, &err) != POLICY_OK) {
		if (err.status == POLICY_OK || err.message[0] == '\0')
			abort();
		return 0;
	}
	look(set);
	decide(set);
	policy_set_free(set);
	return 0;
}
