/* SPDX-License-Identifier: Apache-2.0 */
/* Expression -> value, in a request. */
#ifndef POLICY_EVALUATE_H
#define POLICY_EVALUATE_H

#include "ast.h"
#include "facts.h"

struct evaluation {
	struct policy_facts *facts;
	const struct policy_value *variables[VARIABLE_COUNT];
	/* Of the policy at hand: why it has no value. */
	char message[sizeof(((struct policy_failure *)NULL)->message)];
};

/* NULL after an error, which `message` tells; where memory ran out facts->failed is set too. */
const struct policy_value *evaluate(struct evaluation *evaluation,
				    const struct expression *expression);
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

typedef const struct policy_value *evaluate_function(struct evaluation *evaluation,
						     const struct expression *expression);

/* ---- evaluate_members.c: what looks into entities, sets, records and strings ---- */

evaluate_function evaluate_in, evaluate_is, evaluate_has, evaluate_like, evaluate_attribute,
	evaluate_contains, evaluate_contains_all, evaluate_contains_any, evaluate_is_empty,
	evaluate_set, evaluate_record, evaluate_has_tag, evaluate_get_tag;

/* ---- evaluate_call.c: functions and methods of extension types ---- */

evaluate_function evaluate_call;

#endif
