/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions: every policy's outcome, and what they come to together. */
#include "error.h"
#include "evaluate.h"

#include <string.h>

enum outcome { OUTCOME_FALSE, OUTCOME_TRUE, OUTCOME_FAILED };

static bool
in_any(struct evaluation *evaluation, const struct policy_value *entity, const struct scope *scope)
{
	for (size_t i = 0; i < scope->count; i++) {
		if (evaluation_in(evaluation, entity, scope->entities[i]))
			return true;
	}
	return false;
}

static bool
scope_matches(struct evaluation *evaluation, const struct scope *scope,
	      const struct policy_value *entity)
{
	switch (scope->shape) {
	case POLICY_ANY:
		return true;
	case POLICY_EQUALS:
		return value_equal(scope->entities[0], entity);
	case POLICY_IN:
		return in_any(evaluation, entity, scope);
	case POLICY_IS:
		return text_equal(scope->type, entity->entity.type);
	case POLICY_IS_IN:
		return text_equal(scope->type, entity->entity.type) &&
		       in_any(evaluation, entity, scope);
	}
	return false;
}

/* The action first: it rules out most policies, and costs one comparison. Scopes cannot fail, so
 * their order is not seen. */
static bool
scopes_match(struct evaluation *evaluation, const struct policy *policy, unsigned int settled)
{
	static const enum variable order[] = {VARIABLE_ACTION, VARIABLE_RESOURCE,
					      VARIABLE_PRINCIPAL};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (order[i] != settled && !scope_matches(evaluation, &policy->scopes[order[i]],
							  evaluation->variables[order[i]]))
			return false;
	}
	return true;
}

static enum outcome
evaluate_policy(struct evaluation *evaluation, const struct policy *policy, unsigned int settled)
{
	if (!scopes_match(evaluation, policy, settled))
		return OUTCOME_FALSE;
	for (size_t i = 0; i < policy->condition_count; i++) {
		bool value = false;
		if (!evaluate_boolean(evaluation, policy->conditions[i].expression, &value))
			return OUTCOME_FAILED;
		if (value == policy->conditions[i].unless)
			return OUTCOME_FALSE;
	}
	return OUTCOME_TRUE;
}

/* What a round over the policies gathers, in the facts' arena. */
struct tally {
	size_t *satisfied[2]; /* by enum policy_effect */
	size_t counts[2];
	size_t capacities[2];
	struct policy_failure *failures;
	size_t failure_count;
	size_t failure_capacity;
};

static bool
add_satisfied(struct tally *tally, struct arena *arena, enum policy_effect effect, size_t index)
{
	size_t *grown = arena_grow(arena, tally->satisfied[effect], tally->counts[effect],
				   sizeof(*grown), &tally->capacities[effect]);

	if (grown == NULL)
		return false;
	tally->satisfied[effect] = grown;
	grown[tally->counts[effect]++] = index;
	return true;
}

static bool
add_failure(struct tally *tally, struct arena *arena, size_t index, const char *message)
{
	struct policy_failure *grown = arena_grow(arena, tally->failures, tally->failure_count,
						  sizeof(*grown), &tally->failure_capacity);

	if (grown == NULL)
		return false;
	tally->failures = grown;
	grown[tally->failure_count].policy = index;
	memcpy(grown[tally->failure_count].message, message, sizeof(grown->message));
	tally->failure_count++;
	return true;
}

/* False when memory ran out. */
static bool
tally_policy(const struct policy_set *set, struct evaluation *evaluation, struct tally *tally,
	     size_t index)
{
	const struct policy *policy = &set->policies[index];
	struct policy_facts *facts = evaluation->facts;
	enum outcome outcome = evaluate_policy(evaluation, policy, set->index.settled[index]);

	if (facts->failed != POLICY_OK)
		return false;
	if (outcome == OUTCOME_TRUE)
		return add_satisfied(tally, &facts->arena, policy->effect, index);
	if (outcome == OUTCOME_FAILED)
		return add_failure(tally, &facts->arena, index, evaluation->message);
	return true;
}

/* Room for a bit for each policy: kept from one decision to the next. */
static uint64_t *
take_marks(struct policy_facts *facts, size_t words)
{
	if (facts->marks == NULL || facts->mark_words < words) {
		facts->marks = arena_take(&facts->arena, words, sizeof(facts->marks[0]));
		facts->mark_words = facts->marks != NULL ? words : 0;
	}
	return facts->marks;
}

/* In ascending order, which a bit for each policy keeps at no cost. */
static bool
tally_policies(const struct policy_set *set, struct evaluation *evaluation, struct tally *tally)
{
	const struct index *index = &set->index;
	uint64_t *marks = take_marks(evaluation->facts, index->words);

	if (marks == NULL || !index_mark(index, evaluation, marks))
		return false;
	for (size_t i = 0; i < index->words; i++) {
		for (uint64_t left = marks[i]; left != 0; left &= left - 1) {
			size_t bit = (size_t)__builtin_ctzll(left);
			if (!tally_policy(set, evaluation, tally, i * INDEX_WORD_BITS + bit))
				return false;
		}
	}
	return true;
}

static bool
is_kind(const struct policy_value *value, enum value_kind kind)
{
	return value != NULL && value->kind == kind;
}

static enum policy_status
check_request(const struct policy_facts *facts, const struct policy_request *request,
	      struct policy_error *err)
{
	for (; facts != NULL; facts = facts->base) {
		if (facts->failed != POLICY_OK)
			return policy_fail(err, facts->failed, "a fact could not be built");
	}
	if (!is_kind(request->principal, VALUE_ENTITY) || !is_kind(request->action, VALUE_ENTITY) ||
	    !is_kind(request->resource, VALUE_ENTITY))
		return policy_fail(err, POLICY_INVALID,
				   "principal, action and resource must be entities");
	if (!is_kind(request->context, VALUE_RECORD))
		return policy_fail(err, POLICY_INVALID, "the context must be a record");
	return POLICY_OK;
}

enum policy_status
policy_decide(const struct policy_set *set, struct policy_facts *facts,
	      const struct policy_request *request, struct policy_decision *ret_decision,
	      struct policy_error *err)
{
	struct evaluation evaluation = {
		.facts = facts,
		.variables = {[VARIABLE_PRINCIPAL] = request->principal,
			      [VARIABLE_ACTION] = request->action,
			      [VARIABLE_RESOURCE] = request->resource,
			      [VARIABLE_CONTEXT] = request->context},
	};
	struct tally tally = {0};

	enum policy_status status = check_request(facts, request, err);
	if (status != POLICY_OK)
		return status;
	if (!tally_policies(set, &evaluation, &tally)) {
		facts_fail(facts, POLICY_MEMORY);
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	}
	/* Default deny, and one forbid outweighs any permit. */
	enum policy_effect decisive =
		tally.counts[POLICY_FORBID] > 0 ? POLICY_FORBID : POLICY_PERMIT;
	*ret_decision = (struct policy_decision){
		.allowed = decisive == POLICY_PERMIT && tally.counts[POLICY_PERMIT] > 0,
		.reasons = tally.satisfied[decisive],
		.reason_count = tally.counts[decisive],
		.failures = tally.failures,
		.failure_count = tally.failure_count,
	};
	return POLICY_OK;
}
