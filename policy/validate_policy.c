/* SPDX-License-Identifier: Apache-2.0 */
/* Each policy is checked in every environment that its scope leaves: an action of the schema with
 * the types of a principal and a resource that it applies to. Environments that differ only in what
 * the conditions do not mention are one. */
#include "validate.h"

/* A scope, with its names looked up. */
struct reach {
	const struct scope *scope;
	const struct schema_entity *type;  /* of `is`; NULL: not in the schema */
	const struct schema_entity *group; /* the type of the one entity; the same */
};

struct visit {
	struct checker *checker;
	struct course *course;
	const struct policy *policy;
	struct reach principal;
	struct reach resource;
	const struct schema_action **actions; /* of the scope, those that the schema has */
	size_t action_count;
	bool mentions[VARIABLE_COUNT];
	/* What was found: an action, one with such a principal, one with such a resource, and an
	 * environment. */
	bool action_fits;
	bool principal_fits;
	bool resource_fits;
	bool fits;
	bool failed;   /* in some environment */
	bool possible; /* true in some environment, as far as types tell */
};

/* ---- scopes ---- */

static struct reach
reach_of(const struct checker *checker, const struct scope *scope)
{
	struct reach reach = {.scope = scope};

	if (scope->type != NULL)
		reach.type = schema_find_entity(checker->schema, scope->type);
	if (scope->count > 0)
		reach.group = schema_find_entity(checker->schema, scope->entities[0]->entity.type);
	return reach;
}

/* A slot may hold whatever lets the policy apply. */
static bool
may_be_in(const struct reach *reach, const struct schema_entity *entity)
{
	if (reach->scope->slot)
		return true;
	return reach->group != NULL &&
	       (reach->group == entity || schema_entity_below(entity, reach->group));
}

static bool
reaches(const struct reach *reach, const struct schema_entity *entity)
{
	switch (reach->scope->shape) {
	case POLICY_ANY:
		return true;
	case POLICY_EQUALS:
		return reach->scope->slot || reach->group == entity;
	case POLICY_IN:
		return may_be_in(reach, entity);
	case POLICY_IS:
		return reach->type == entity;
	case POLICY_IS_IN:
		return reach->type == entity && may_be_in(reach, entity);
	}
	return false;
}

static bool
reaches_action(const struct visit *visit, const struct schema_action *action)
{
	enum policy_scope shape = visit->policy->scopes[VARIABLE_ACTION].shape;

	if (shape == POLICY_ANY)
		return true;
	for (size_t i = 0; i < visit->action_count; i++) {
		if (visit->actions[i] == action ||
		    (shape == POLICY_IN && schema_action_below(action, visit->actions[i])))
			return true;
	}
	return false;
}

static bool
resolve_scopes(struct visit *visit)
{
	struct checker *checker = visit->checker;
	const struct scope *scopes = visit->policy->scopes;
	const struct scope *action = &scopes[VARIABLE_ACTION];

	visit->principal = reach_of(checker, &scopes[VARIABLE_PRINCIPAL]);
	visit->resource = reach_of(checker, &scopes[VARIABLE_RESOURCE]);
	visit->actions = arena_take(&checker->kept, action->count, sizeof(*visit->actions));
	if (visit->actions == NULL) {
		checker_out_of_memory(checker);
		return false;
	}
	for (size_t i = 0; i < action->count; i++) {
		const struct schema_action *found =
			schema_find_action(checker->schema, action->entities[i]);
		if (found != NULL)
			visit->actions[visit->action_count++] = found;
	}
	return true;
}

/* ---- environments ---- */

/* Was a pair checked before that the conditions cannot tell from this one? */
static bool
seen_before(struct visit *visit, const struct schema_entity *principal,
	    const struct schema_entity *resource)
{
	size_t row = visit->mentions[VARIABLE_PRINCIPAL] ? principal->index : 0;
	size_t column = visit->mentions[VARIABLE_RESOURCE] ? resource->index : 0;
	struct course *course = visit->course;

	if (course->seen == NULL || visit->mentions[VARIABLE_ACTION])
		return false;
	uint32_t *seen = &course->seen[row * visit->checker->schema->entity_count + column];
	bool before = *seen == course->now;
	*seen = course->now;
	return before;
}

static void
check_environment(struct visit *visit, struct environment environment)
{
	struct checker *checker = visit->checker;

	visit->fits = true;
	/* Of a link, the conditions were checked as the template's. */
	if (visit->policy->kind == POLICY_LINK || visit->policy->condition_count == 0) {
		visit->possible = true;
		return;
	}
	if (seen_before(visit, environment.principal, environment.resource))
		return;
	checker->environment = environment;
	checker->words = 0;
	struct typing typing = typecheck_conditions(checker, visit->policy);
	visit->failed |= typing.type == NULL;
	visit->possible |= typing.type != NULL && typing.type->kind != POLICY_TYPE_FALSE;
	arena_reset(&checker->arena);
}

static void
check_principal(struct visit *visit, const struct schema_action *action,
		const struct schema_entity *principal)
{
	for (size_t i = 0; i < action->resource_count && checker_step(visit->checker); i++) {
		if (!reaches(&visit->resource, action->resources[i]))
			continue;
		visit->resource_fits = true;
		check_environment(visit, (struct environment){.action = action,
							      .principal = principal,
							      .resource = action->resources[i]});
		if (!visit->mentions[VARIABLE_RESOURCE])
			return;
	}
}

static void
check_action(struct visit *visit, const struct schema_action *action)
{
	bool matched = false;

	if (!action->applies || !reaches_action(visit, action))
		return;
	visit->action_fits = true;
	for (size_t i = 0; i < action->principal_count && checker_step(visit->checker); i++) {
		if (!reaches(&visit->principal, action->principals[i]))
			continue;
		visit->principal_fits = true;
		matched = true;
		check_principal(visit, action, action->principals[i]);
		if (!visit->mentions[VARIABLE_PRINCIPAL])
			return;
	}
	/* Only to tell which part of the scope is at odds with the schema. */
	for (size_t i = 0; !matched && !visit->resource_fits && i < action->resource_count; i++)
		visit->resource_fits = reaches(&visit->resource, action->resources[i]);
}

/* ---- policies ---- */

static void
refuse_scope(struct visit *visit)
{
	const struct policy *policy = visit->policy;
	const struct scope *scopes = policy->scopes;
	struct checker *checker = visit->checker;

	if (scopes[VARIABLE_ACTION].shape == POLICY_IN && scopes[VARIABLE_ACTION].count == 0)
		checker_refuse(checker, scopes[VARIABLE_ACTION].at,
			       "no action is in an empty list: name some, or leave `in` out");
	else if (!visit->action_fits)
		checker_refuse(checker, scopes[VARIABLE_ACTION].at,
			       "no request has such an action: the schema does not say `appliesTo` "
			       "of it");
	else if (!visit->principal_fits)
		checker_refuse(checker, scopes[VARIABLE_PRINCIPAL].at,
			       "no such action applies to a principal of this type");
	else if (!visit->resource_fits)
		checker_refuse(checker, scopes[VARIABLE_RESOURCE].at,
			       "no such action applies to a resource of this type");
	else
		checker_refuse(checker, policy->at,
			       "no action applies to such a principal and such a resource");
}

static void
check_actions(struct visit *visit)
{
	struct course *course = visit->course;
	size_t count = visit->checker->schema->action_count;

	course->now++;
	for (size_t i = 0; i < count && checker_step(visit->checker); i++) {
		if (i > 0 && visit->mentions[VARIABLE_CONTEXT] &&
		    course->actions[i].context != course->actions[i - 1].context)
			course->now++;
		check_action(visit, course->actions[i].action);
	}
}

void
validate_policy(struct checker *checker, const struct policy *policy, struct course *course)
{
	struct visit visit = {.checker = checker, .policy = policy, .course = course};
	size_t errors = checker->findings.errors;

	validate_names(checker, policy, visit.mentions);
	if (!resolve_scopes(&visit))
		return;
	check_actions(&visit);
	if (checker->findings.errors > errors)
		return;
	if (!visit.fits)
		refuse_scope(&visit);
	else if (!visit.possible && !visit.failed)
		checker_tell(checker, true, policy->at,
			     "this policy can never apply: its conditions are false for every "
			     "request that the schema allows");
}
