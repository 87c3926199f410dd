/* SPDX-License-Identifier: Apache-2.0 */
/* Entities while evaluating: the principal, the action and the resource are asked for again and
 * again, so what is known of them is looked up once. */
#include "evaluate.h"

static struct subject *
find_subject(struct evaluation *evaluation, const struct policy_value *name)
{
	for (size_t i = 0; i < SUBJECT_COUNT; i++) {
		if (evaluation->variables[i] == name)
			return &evaluation->subjects[i];
	}
	return NULL;
}

const struct entity *
evaluation_find(struct evaluation *evaluation, const struct policy_value *name)
{
	struct subject *subject = find_subject(evaluation, name);

	if (subject == NULL)
		return facts_find(evaluation->facts, name);
	if (!subject->found) {
		subject->entity = facts_find(evaluation->facts, name);
		subject->found = true;
	}
	return subject->entity;
}

const struct ancestors *
evaluation_ancestors(struct evaluation *evaluation, const struct policy_value *name)
{
	struct subject *subject = find_subject(evaluation, name);

	if (subject == NULL)
		return facts_ancestors(evaluation->facts, name);
	if (!subject->collected) {
		subject->ancestors = facts_ancestors(evaluation->facts, name);
		subject->collected = true;
	}
	return subject->ancestors;
}

bool
evaluation_in(struct evaluation *evaluation, const struct policy_value *entity,
	      const struct policy_value *group)
{
	if (value_equal(entity, group))
		return true;
	const struct ancestors *ancestors = evaluation_ancestors(evaluation, entity);
	return ancestors != NULL && ancestors_have(ancestors, group);
}
