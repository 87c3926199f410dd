/* SPDX-License-Identifier: Apache-2.0 */
/* Expression -> value, in a request. */
#ifndef POLICY_EVALUATE_H
#define POLICY_EVALUATE_H

#include "ast.h"
#include "facts.h"

#define SUBJECT_COUNT VARIABLE_CONTEXT /* principal, action and resource */

/* What is known of one of the three, from when it was first asked. */
struct subject {
	const struct entity *entity; /* NULL: it is not known, or has no ancestors */
	const struct ancestors *ancestors;
	bool found;
	bool collected;
};

struct evaluation {
	struct policy_facts *facts;
	const struct policy_value *variables[VARIABLE_COUNT];
	struct subject subjects[SUBJECT_COUNT];
	/* Of the policy at hand: why it has no value. */
	char message[sizeof(((struct policy_failure *)NULL)->message)];
};

typedef const struct policy_value *evaluate_function(struct evaluation *evaluation,
						     const struct expression *expression);
extern evaluate_function *const evaluate_functions[EXPRESSION_KIND_COUNT];

/* NULL after an error, which `message` tells; where memory ran out facts->failed is set too. Here
 * for the sake of literals and variables, of which expressions are full. */
static inline const struct policy_value *
evaluate(struct evaluation *evaluation, const struct expression *expression)
{
	if (expression->kind == EXPRESSION_LITERAL)
		return expression->literal;
	if (expression->kind == EXPRESSION_VARIABLE)
		return evaluation->variables[expression->variable];
	return evaluate_functions[expression->kind](evaluation, expression);
}
/* The same where only a boolean will do. */
bool evaluate_boolean(struct evaluation *evaluation, const struct expression *expression,
		      bool *ret_value);

/* ---- for what evaluates ---- */

/* An error at an expression; always NULL. */
__attribute__((format(printf, 3, 4))) void *evaluation_fail(struct evaluation *evaluation,
							    const struct expression *expression,
							    const char *format, ...);
/* Refuses a value of the wrong kind; always NULL. */
void *evaluation_mismatch(struct evaluation *evaluation, const struct expression *expression,
			  const struct policy_value *found, const char *wanted);
void *evaluation_out_of_memory(struct evaluation *evaluation);

/* ---- evaluate_entity.c ---- */

/* NULL where the entity is not known. */
const struct entity *evaluation_find(struct evaluation *evaluation,
				     const struct policy_value *name);
/* As facts_ancestors. */
const struct ancestors *evaluation_ancestors(struct evaluation *evaluation,
					     const struct policy_value *name);
/* Cedar's `in` for two entities. When memory runs out the answer is false and the facts' `failed`
 * is set. */
bool evaluation_in(struct evaluation *evaluation, const struct policy_value *entity,
		   const struct policy_value *group);

/* ---- evaluate_members.c: what looks into entities, sets, records and strings ---- */

evaluate_function evaluate_in, evaluate_is, evaluate_has, evaluate_like, evaluate_attribute,
	evaluate_contains, evaluate_contains_all, evaluate_contains_any, evaluate_is_empty,
	evaluate_set, evaluate_record, evaluate_has_tag, evaluate_get_tag;

/* ---- evaluate_call.c: functions and methods of extension types ---- */

evaluate_function evaluate_call;

#endif
