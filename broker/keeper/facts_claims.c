/* SPDX-License-Identifier: Apache-2.0 */
/* Claims as Cedar values, by attest/claims.h's table alone: a new claim is no line here. */
#include "facts.h"

#include "json_out.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define IDS_MAX	   255 /* claims have ascending ids of one byte, from 1 */
#define DIGEST_MAX 64
#define FIXED	   2 /* eventLog and ima */

static struct policy_text
text_of(const char *text)
{
	return (struct policy_text){text, strlen(text)};
}

uint64_t
facts_claims_named(const struct policy_set *set)
{
	const struct attest_claim_rule *rule;
	uint64_t named = 0;

	for (size_t i = 0; i < 64 && (rule = attest_claim_rule_at(i)) != NULL; i++) {
		if (policy_set_mentions(set, text_of(rule->name)))
			named |= 1ULL << i;
	}
	return named;
}

bool
facts_claim_is_named(uint64_t named, uint8_t id)
{
	const struct attest_claim_rule *rule;

	for (size_t i = 0; i < 64 && (rule = attest_claim_rule_at(i)) != NULL; i++) {
		if ((uint8_t)rule->id == id)
			return (named & 1ULL << i) != 0;
	}
	return true; /* beyond what the mask can say */
}

static const struct policy_value *
value_of(struct policy_facts *facts, enum attest_claim_kind kind, struct bytes value)
{
	char hex[2 * DIGEST_MAX + 1];

	switch (kind) {
	case CLAIM_KIND_BOOLEAN:
		return policy_value_boolean(facts, attest_claim_value_boolean(value));
	case CLAIM_KIND_NUMBER:
		return policy_value_long(facts, (int64_t)attest_claim_value_number(value));
	case CLAIM_KIND_TEXT:
		return policy_value_string(
			facts, (struct policy_text){(const char *)value.data, value.size});
	case CLAIM_KIND_DIGEST:
		if (value.size > DIGEST_MAX)
			return NULL;
		sodium_bin2hex(hex, sizeof(hex), value.data, value.size);
		return policy_value_string(facts, (struct policy_text){hex, 2 * value.size});
	}
	return NULL;
}

static const struct policy_value *
set_of(struct policy_facts *facts, struct attest_claim *claim)
{
	const struct policy_value **items =
		calloc((size_t)claim->count + 1, sizeof(const struct policy_value *));

	if (!items)
		return NULL;
	for (uint32_t i = 0; i < claim->count; i++)
		items[i] = value_of(facts, claim->rule->kind, attest_claim_next_value(claim));
	const struct policy_value *set = policy_value_set(facts, items, claim->count);
	free(items);
	return set;
}

/*
 * A list that no policy names is the empty set, whatever it holds: some have hundreds of values. No
 * decision can tell. Cedar reads an attribute by a name that stands in the text, so this one is
 * read by none; and a record written in a policy equals this one only if it has all its names.
 */
static const struct policy_value *
claim_value(struct policy_facts *facts, struct attest_claim *claim, uint64_t named)
{
	if (!claim->rule->list)
		return value_of(facts, claim->rule->kind, attest_claim_next_value(claim));
	if (!facts_claim_is_named(named, (uint8_t)claim->rule->id))
		return policy_value_set(facts, NULL, 0);
	return set_of(facts, claim);
}

const struct policy_value *
facts_claims(struct policy_facts *facts, const struct release_view *view)
{
	struct policy_field fields[FIXED + IDS_MAX] = {
		{text_of("eventLog"),
		 policy_value_string(facts, text_of(log_state_text(view->log)))},
		{text_of("ima"), policy_value_string(facts, text_of(ima_state_text(view->ima)))},
	};
	struct reader r = reader_of(view->claims);
	struct attest_claim claim;
	size_t count = FIXED;

	while (count < FIXED + IDS_MAX && attest_claim_next(&r, &claim)) {
		fields[count++] = (struct policy_field){text_of(claim.rule->name),
							claim_value(facts, &claim, view->named)};
	}
	if (r.left > 0 || r.failed) /* a NULL operand: the layer is unfit, and that denies */
		fields[0].value = NULL;
	return policy_value_record(facts, fields, count);
}
