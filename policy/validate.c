/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of policies against a schema: what is found out once for all policies, and the verdict. */
#include "validate.h"

#include "error.h"

#include <string.h>

/* Above this many entity types, pairs that were checked before are not remembered. */
#define SEEN_TYPES_MAX 512
/* Above this many contexts, equal ones are not found: each costs a look at all of these. */
#define CONTEXTS_MAX 64

/* The number of the action's context: that of an equal one, or the next. */
static size_t
number_context(struct checker *checker, const struct policy_type *context,
	       const struct policy_type *contexts[CONTEXTS_MAX], size_t count)
{
	for (size_t i = 0; i < count && i < CONTEXTS_MAX; i++) {
		/* Declared types have no True and False in them: what joins is equal. */
		if (type_join(checker, contexts[i], context) != NULL)
			return i;
	}
	if (count < CONTEXTS_MAX)
		contexts[count] = context;
	return count;
}

static int
compare_actions(const void *a, const void *b)
{
	const struct ordered_action *x = a;
	const struct ordered_action *y = b;

	if (x->context != y->context)
		return x->context < y->context ? -1 : 1;
	return (x->action->index > y->action->index) - (x->action->index < y->action->index);
}

static void
order_actions(struct checker *checker, struct ordered_action *actions)
{
	const struct policy_type *contexts[CONTEXTS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < checker->schema->action_count; i++) {
		const struct schema_action *action = checker->schema->actions[i];
		size_t context = number_context(checker, action->context, contexts, count);
		actions[i] = (struct ordered_action){.action = action, .context = context};
		arena_reset(&checker->arena);
		count += context == count ? 1 : 0;
	}
	sort_items(actions, checker->schema->action_count, sizeof(*actions), compare_actions);
}

/* False: no memory. */
static bool
plan(struct checker *checker, struct course *course)
{
	size_t types = checker->schema->entity_count;

	course->actions =
		arena_take(&checker->kept, checker->schema->action_count, sizeof(*course->actions));
	if (course->actions == NULL)
		return false;
	if (types <= SEEN_TYPES_MAX) {
		course->seen = arena_take(&checker->kept, types * types, sizeof(*course->seen));
		if (course->seen == NULL)
			return false;
		memset(course->seen, 0, types * types * sizeof(*course->seen));
	}
	order_actions(checker, course->actions);
	return checker->status != POLICY_MEMORY;
}

static enum policy_status
stop(const struct checker *checker, struct position at, struct policy_error *err)
{
	if (checker->status == POLICY_MEMORY)
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	return policy_fail_at(err, checker->status, at.line, at.column,
			      "validating takes more than %d steps, or more memory: there are "
			      "too many kinds of requests, or expressions, or names in a path",
			      POLICY_VALIDATION_STEPS_MAX);
}

static enum policy_status
check_set(struct checker *checker, const struct policy_set *set, struct policy_error *err)
{
	struct course course = {0};

	if (!plan(checker, &course))
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	for (size_t i = 0; i < set->count; i++) {
		checker->findings.policy = i;
		checker->findings.told_count = 0;
		validate_policy(checker, &set->policies[i], &course);
		if (checker->status != POLICY_OK)
			return stop(checker, set->policies[i].at, err);
	}
	/* `err` tells the first error. */
	return checker->findings.errors > 0 ? POLICY_INVALID : POLICY_OK;
}

enum policy_status
policy_validate(const struct policy_schema *schema, const struct policy_set *set,
		policy_finding_function *tell, void *user, struct policy_error *err)
{
	struct checker checker = {
		.schema = schema,
		.findings = {.tell = tell, .user = user, .err = err},
	};

	enum policy_status status = check_set(&checker, set, err);
	arena_free(&checker.arena);
	arena_free(&checker.kept);
	return status;
}
