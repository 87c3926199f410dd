/* SPDX-License-Identifier: Apache-2.0 */
/* Values of expressions: literals, logic, comparison and arithmetic. Everything here recurses only
 * as deep as the text is nested, which the parser limits. */
#include "evaluate.h"

#include <stdarg.h>
#include <stdio.h>

void *
evaluation_fail(struct evaluation *evaluation, const struct expression *expression,
		const char *format, ...)
{
	size_t size = sizeof(evaluation->message);
	va_list arguments;

	int used = snprintf(evaluation->message, size, "%u:%u: ", expression->at.line,
			    expression->at.column);
	if (used < 0 || (size_t)used >= size)
		return NULL;
	va_start(arguments, format);
	vsnprintf(evaluation->message + used, size - (size_t)used, format, arguments);
	va_end(arguments);
	return NULL;
}

void *
evaluation_mismatch(struct evaluation *evaluation, const struct expression *expression,
		    const struct policy_value *found, const char *wanted)
{
	return evaluation_fail(evaluation, expression, "expected %s, got %s", wanted,
			       value_kind_name(found->kind));
}

void *
evaluation_out_of_memory(struct evaluation *evaluation)
{
	snprintf(evaluation->message, sizeof(evaluation->message), "out of memory");
	return facts_fail(evaluation->facts, POLICY_MEMORY);
}

bool
evaluate_boolean(struct evaluation *evaluation, const struct expression *expression,
		 bool *ret_value)
{
	const struct policy_value *value = evaluate(evaluation, expression);

	if (value == NULL)
		return false;
	if (value->kind != VALUE_BOOLEAN)
		return evaluation_mismatch(evaluation, expression, value, "a boolean") != NULL;
	*ret_value = value->boolean;
	return true;
}

static bool
evaluate_long(struct evaluation *evaluation, const struct expression *expression,
	      int64_t *ret_value)
{
	const struct policy_value *value = evaluate(evaluation, expression);

	if (value == NULL)
		return false;
	if (value->kind != VALUE_LONG)
		return evaluation_mismatch(evaluation, expression, value, "a long") != NULL;
	*ret_value = value->number;
	return true;
}

static const struct policy_value *
evaluate_literal(struct evaluation *evaluation, const struct expression *expression)
{
	(void)evaluation;
	return expression->literal;
}

static const struct policy_value *
evaluate_variable(struct evaluation *evaluation, const struct expression *expression)
{
	return evaluation->variables[expression->variable];
}

/* The branch that is not taken is not looked at, whatever is wrong with it. */
static const struct policy_value *
evaluate_if(struct evaluation *evaluation, const struct expression *expression)
{
	bool condition = false;

	if (!evaluate_boolean(evaluation, expression->choice.condition, &condition))
		return NULL;
	return evaluate(evaluation, condition ? expression->choice.yes : expression->choice.no);
}

/* `a && b && ...` stops at the first false, `||` at the first true; what was looked at must have
 * been a boolean, the last operand too. */
static const struct policy_value *
evaluate_until(struct evaluation *evaluation, const struct expression *expression, bool stop)
{
	for (size_t i = 0; i < expression->many.count; i++) {
		bool value = false;
		if (!evaluate_boolean(evaluation, expression->many.operands[i].value, &value))
			return NULL;
		if (value == stop)
			return value_boolean(stop);
	}
	return value_boolean(!stop);
}

static const struct policy_value *
evaluate_or(struct evaluation *evaluation, const struct expression *expression)
{
	return evaluate_until(evaluation, expression, true);
}

static const struct policy_value *
evaluate_and(struct evaluation *evaluation, const struct expression *expression)
{
	return evaluate_until(evaluation, expression, false);
}

static const struct policy_value *
evaluate_not(struct evaluation *evaluation, const struct expression *expression)
{
	bool value = false;

	if (!evaluate_boolean(evaluation, expression->unary.subject, &value))
		return NULL;
	return value_boolean(expression->unary.times % 2 == 0 ? value : !value);
}

static const struct policy_value *
make_long(struct evaluation *evaluation, int64_t number)
{
	const struct policy_value *value =
		value_number(&evaluation->facts->arena, VALUE_LONG, number);

	return value != NULL ? value : evaluation_out_of_memory(evaluation);
}

static void *
fail_overflow(struct evaluation *evaluation, const struct expression *expression)
{
	return evaluation_fail(evaluation, expression, "integer overflow");
}

/* Each minus overflows for itself: `--x` is an error for the smallest long. */
static const struct policy_value *
evaluate_negate(struct evaluation *evaluation, const struct expression *expression)
{
	int64_t value = 0;

	if (!evaluate_long(evaluation, expression->unary.subject, &value))
		return NULL;
	if (value == INT64_MIN)
		return fail_overflow(evaluation, expression);
	return make_long(evaluation, expression->unary.times % 2 == 0 ? value : -value);
}

/* `==` compares anything with anything and never fails by itself. */
static const struct policy_value *
compare_for_equality(struct evaluation *evaluation, const struct expression *expression,
		     bool wanted)
{
	const struct policy_value *left = evaluate(evaluation, expression->pair.left);
	if (left == NULL)
		return NULL;
	const struct policy_value *right = evaluate(evaluation, expression->pair.right);
	if (right == NULL)
		return NULL;
	return value_boolean(value_equal(left, right) == wanted);
}

static const struct policy_value *
evaluate_equal(struct evaluation *evaluation, const struct expression *expression)
{
	return compare_for_equality(evaluation, expression, true);
}

static const struct policy_value *
evaluate_not_equal(struct evaluation *evaluation, const struct expression *expression)
{
	return compare_for_equality(evaluation, expression, false);
}

static bool
has_order(const struct policy_value *value)
{
	return value->kind == VALUE_LONG || value->kind == VALUE_DATETIME ||
	       value->kind == VALUE_DURATION;
}

/* All four orders at once: -1, 0 or 1. */
static bool
order_operands(struct evaluation *evaluation, const struct expression *expression, int *ret_order)
{
	static const char wanted[] = "a long, datetime or duration";
	const struct policy_value *left = evaluate(evaluation, expression->pair.left);

	if (left == NULL)
		return false;
	const struct policy_value *right = evaluate(evaluation, expression->pair.right);
	if (right == NULL)
		return false;
	if (!has_order(left))
		return evaluation_mismatch(evaluation, expression->pair.left, left, wanted) != NULL;
	if (right->kind != left->kind)
		return evaluation_mismatch(evaluation, expression->pair.right, right,
					   value_kind_name(left->kind)) != NULL;
	*ret_order = (left->number > right->number) - (left->number < right->number);
	return true;
}

static const struct policy_value *
evaluate_less(struct evaluation *evaluation, const struct expression *expression)
{
	int order = 0;

	return order_operands(evaluation, expression, &order) ? value_boolean(order < 0) : NULL;
}

static const struct policy_value *
evaluate_less_or_equal(struct evaluation *evaluation, const struct expression *expression)
{
	int order = 0;

	return order_operands(evaluation, expression, &order) ? value_boolean(order <= 0) : NULL;
}

static const struct policy_value *
evaluate_greater(struct evaluation *evaluation, const struct expression *expression)
{
	int order = 0;

	return order_operands(evaluation, expression, &order) ? value_boolean(order > 0) : NULL;
}

static const struct policy_value *
evaluate_greater_or_equal(struct evaluation *evaluation, const struct expression *expression)
{
	int order = 0;

	return order_operands(evaluation, expression, &order) ? value_boolean(order >= 0) : NULL;
}

/* From left to right, and no step may overflow even if a later one would lead back. */
static const struct policy_value *
evaluate_sum(struct evaluation *evaluation, const struct expression *expression)
{
	int64_t sum = 0;
	int64_t term = 0;

	if (!evaluate_long(evaluation, expression->many.operands[0].value, &sum))
		return NULL;
	for (size_t i = 1; i < expression->many.count; i++) {
		const struct operand *operand = &expression->many.operands[i];
		if (!evaluate_long(evaluation, operand->value, &term))
			return NULL;
		if (operand->minus ? __builtin_sub_overflow(sum, term, &sum)
				   : __builtin_add_overflow(sum, term, &sum))
			return fail_overflow(evaluation, expression);
	}
	return make_long(evaluation, sum);
}

static const struct policy_value *
evaluate_product(struct evaluation *evaluation, const struct expression *expression)
{
	int64_t product = 0;
	int64_t factor = 0;

	if (!evaluate_long(evaluation, expression->many.operands[0].value, &product))
		return NULL;
	for (size_t i = 1; i < expression->many.count; i++) {
		if (!evaluate_long(evaluation, expression->many.operands[i].value, &factor))
			return NULL;
		if (__builtin_mul_overflow(product, factor, &product))
			return fail_overflow(evaluation, expression);
	}
	return make_long(evaluation, product);
}

/* The first two are evaluated where they are asked for. */
evaluate_function *const evaluate_functions[EXPRESSION_KIND_COUNT] = {
	[EXPRESSION_LITERAL] = evaluate_literal,
	[EXPRESSION_VARIABLE] = evaluate_variable,
	[EXPRESSION_IF] = evaluate_if,
	[EXPRESSION_OR] = evaluate_or,
	[EXPRESSION_AND] = evaluate_and,
	[EXPRESSION_NOT] = evaluate_not,
	[EXPRESSION_NEGATE] = evaluate_negate,
	[EXPRESSION_EQUAL] = evaluate_equal,
	[EXPRESSION_NOT_EQUAL] = evaluate_not_equal,
	[EXPRESSION_LESS] = evaluate_less,
	[EXPRESSION_LESS_OR_EQUAL] = evaluate_less_or_equal,
	[EXPRESSION_GREATER] = evaluate_greater,
	[EXPRESSION_GREATER_OR_EQUAL] = evaluate_greater_or_equal,
	[EXPRESSION_IN] = evaluate_in,
	[EXPRESSION_IS] = evaluate_is,
	[EXPRESSION_HAS] = evaluate_has,
	[EXPRESSION_LIKE] = evaluate_like,
	[EXPRESSION_SUM] = evaluate_sum,
	[EXPRESSION_PRODUCT] = evaluate_product,
	[EXPRESSION_ATTRIBUTE] = evaluate_attribute,
	[EXPRESSION_CONTAINS] = evaluate_contains,
	[EXPRESSION_CONTAINS_ALL] = evaluate_contains_all,
	[EXPRESSION_CONTAINS_ANY] = evaluate_contains_any,
	[EXPRESSION_IS_EMPTY] = evaluate_is_empty,
	[EXPRESSION_SET] = evaluate_set,
	[EXPRESSION_RECORD] = evaluate_record,
	[EXPRESSION_HAS_TAG] = evaluate_has_tag,
	[EXPRESSION_GET_TAG] = evaluate_get_tag,
	[EXPRESSION_CALL] = evaluate_call,
};
