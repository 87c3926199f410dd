/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of extension functions. */
#include "evaluate.h"

const struct policy_value *
evaluate_call(struct evaluation *evaluation, const struct expression *expression)
{
	const struct extension_function *function = expression->call.function;
	const struct policy_value *arguments[EXTENSION_ARGUMENTS_MAX] = {NULL};
	const char *reason = NULL;

	if (expression->call.count != function->arguments)
		return evaluation_fail(evaluation, expression,
				       "`%s` takes another number of arguments", function->name);
	for (size_t i = 0; i < function->arguments; i++) {
		const struct expression *operand = expression->call.operands[i].value;
		arguments[i] = evaluate(evaluation, operand);
		if (arguments[i] == NULL)
			return NULL;
		if (arguments[i]->kind != function->kinds[i])
			return evaluation_mismatch(evaluation, operand, arguments[i],
						   value_kind_name(function->kinds[i]));
	}
	const struct policy_value *value =
		extension_apply(function, &evaluation->facts->arena, arguments, &reason);
	if (reason != NULL)
		return evaluation_fail(evaluation, expression, "`%s`: %s", function->name, reason);
	return value != NULL ? value : evaluation_out_of_memory(evaluation);
}
