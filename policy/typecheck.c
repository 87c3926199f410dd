/* SPDX-License-Identifier: Apache-2.0 */
/* One function for each kind of expression, and logic: what is never evaluated is not looked at,
 * and what `has` makes known holds where it was true. */
#include "typecheck.h"

#include "error.h"

void
checker_out_of_memory(struct checker *checker)
{
	if (checker->status == POLICY_OK)
		checker->status = POLICY_MEMORY;
}

void
checker_out_of_steps(struct checker *checker)
{
	if (checker->status == POLICY_OK)
		checker->status = POLICY_LIMIT;
}

bool
checker_step(struct checker *checker)
{
	if (++checker->steps > POLICY_VALIDATION_STEPS_MAX)
		checker_out_of_steps(checker);
	return checker->status == POLICY_OK;
}

struct typing
typing_scalar(enum policy_type_kind kind)
{
	return (struct typing){.type = type_scalar(kind)};
}

static bool
is_kind(const struct policy_type *type, enum policy_type_kind kind)
{
	return type != NULL && type->kind == kind;
}

const struct policy_type *
typecheck_kind(struct checker *checker, const struct expression *expression,
	       enum policy_type_kind kind, const char *what)
{
	static const char *const expected[] = {
		[POLICY_TYPE_LONG] = "a Long",	       [POLICY_TYPE_STRING] = "a String",
		[POLICY_TYPE_DECIMAL] = "a decimal",   [POLICY_TYPE_IP] = "an ipaddr",
		[POLICY_TYPE_DATETIME] = "a datetime", [POLICY_TYPE_DURATION] = "a duration",
		[POLICY_TYPE_ENTITY] = "an entity",    [POLICY_TYPE_SET] = "a set",
		[POLICY_TYPE_RECORD] = "a record",
	};
	char found[DESCRIPTION_SIZE];
	const struct policy_type *type = typecheck(checker, expression).type;

	if (type == NULL || type->kind == kind)
		return type;
	checker_refuse(checker, expression->at, "%s must be %s, but this is of type %s", what,
		       expected[kind], type_describe(type, found));
	return NULL;
}

struct typing
typecheck_boolean(struct checker *checker, const struct expression *expression)
{
	char found[DESCRIPTION_SIZE];
	struct typing typing = typecheck(checker, expression);

	if (typing.type == NULL || typing.type->kind == POLICY_TYPE_TRUE ||
	    typing.type->kind == POLICY_TYPE_FALSE || typing.type->kind == POLICY_TYPE_BOOLEAN)
		return typing;
	checker_refuse(checker, expression->at,
		       "a Bool is needed here, but this is of type %s: compare it with something",
		       type_describe(typing.type, found));
	return (struct typing){0};
}

/* ---- logic ---- */

/* A conjunction, part by part. Once a part is False, what follows is never evaluated. */
struct conjunction {
	struct typing typing; /* of the parts so far */
	bool failed;
	bool is_false;
	size_t mark; /* what was known before */
};

static void
conjunction_begin(struct checker *checker, struct conjunction *conjunction)
{
	*conjunction = (struct conjunction){.typing = typing_scalar(POLICY_TYPE_TRUE),
					    .mark = checker->known.count};
}

static void
conjunction_add(struct checker *checker, struct conjunction *conjunction, struct typing part)
{
	conjunction->failed |= part.type == NULL;
	conjunction->is_false = is_kind(part.type, POLICY_TYPE_FALSE);
	if (is_kind(part.type, POLICY_TYPE_BOOLEAN))
		conjunction->typing.type = part.type;
	conjunction->typing.grants = grants_both(checker, conjunction->typing.grants, part.grants);
	if (!known_push(checker, part.grants))
		conjunction->failed = true;
}

static struct typing
conjunction_end(struct checker *checker, struct conjunction *conjunction)
{
	known_pop(checker, conjunction->mark);
	if (conjunction->failed)
		conjunction->typing.type = NULL;
	else if (conjunction->is_false)
		return typing_scalar(POLICY_TYPE_FALSE);
	return conjunction->typing;
}

static struct typing
check_and(struct checker *checker, const struct expression *expression)
{
	struct conjunction conjunction;

	conjunction_begin(checker, &conjunction);
	for (size_t i = 0; i < expression->many.count && !conjunction.is_false; i++)
		conjunction_add(checker, &conjunction,
				typecheck_boolean(checker, expression->many.operands[i].value));
	return conjunction_end(checker, &conjunction);
}

/* Once a part is True, what follows is never evaluated. One that is False adds nothing. */
static struct typing
check_or(struct checker *checker, const struct expression *expression)
{
	struct typing typing = typing_scalar(POLICY_TYPE_FALSE);
	bool failed = false;

	for (size_t i = 0; i < expression->many.count; i++) {
		struct typing part = typecheck_boolean(checker, expression->many.operands[i].value);
		failed |= part.type == NULL;
		if (part.type == NULL || part.type->kind == POLICY_TYPE_FALSE)
			continue;
		if (is_kind(typing.type, POLICY_TYPE_FALSE))
			typing = part;
		else if (part.type->kind == POLICY_TYPE_BOOLEAN)
			typing.grants = grants_common(checker, typing.grants, part.grants);
		else
			typing = part;
		if (part.type->kind == POLICY_TYPE_TRUE)
			break;
	}
	if (failed)
		typing.type = NULL;
	return typing;
}

static struct typing
negate(struct typing typing)
{
	if (is_kind(typing.type, POLICY_TYPE_TRUE))
		return typing_scalar(POLICY_TYPE_FALSE);
	if (is_kind(typing.type, POLICY_TYPE_FALSE))
		return typing_scalar(POLICY_TYPE_TRUE);
	return (struct typing){.type = typing.type};
}

static struct typing
check_not(struct checker *checker, const struct expression *expression)
{
	struct typing typing = typecheck_boolean(checker, expression->unary.subject);

	for (unsigned int i = 0; i < expression->unary.times; i++)
		typing = negate(typing);
	return typing;
}

/* One branch, where it is known what the condition makes known. */
static struct typing
check_branch(struct checker *checker, const struct expression *branch, const struct grants *known)
{
	size_t mark = checker->known.count;
	struct typing typing = {0};

	if (known_push(checker, known))
		typing = typecheck(checker, branch);
	known_pop(checker, mark);
	typing.grants = grants_both(checker, known, typing.grants);
	return typing;
}

static struct typing
check_if(struct checker *checker, const struct expression *expression)
{
	char yes_type[DESCRIPTION_SIZE];
	char no_type[DESCRIPTION_SIZE];
	struct typing condition = typecheck_boolean(checker, expression->choice.condition);

	if (is_kind(condition.type, POLICY_TYPE_FALSE))
		return typecheck(checker, expression->choice.no);
	struct typing yes = check_branch(checker, expression->choice.yes, condition.grants);
	if (is_kind(condition.type, POLICY_TYPE_TRUE))
		return yes;
	struct typing no = typecheck(checker, expression->choice.no);
	if (condition.type == NULL || yes.type == NULL || no.type == NULL)
		return (struct typing){0};
	struct typing typing = {.type = type_join(checker, yes.type, no.type),
				.grants = grants_common(checker, yes.grants, no.grants)};
	if (typing.type == NULL)
		checker_refuse(checker, expression->at,
			       "`then` is of type %s, `else` of type %s: they must be the same",
			       type_describe(yes.type, yes_type), type_describe(no.type, no_type));
	return typing;
}

static struct typing
check_variable(struct checker *checker, const struct expression *expression)
{
	const struct environment *environment = &checker->environment;

	switch (expression->variable) {
	case VARIABLE_PRINCIPAL:
		return (struct typing){.type = environment->principal->type};
	case VARIABLE_ACTION:
		return (struct typing){.type = environment->action->type->type};
	case VARIABLE_RESOURCE:
		return (struct typing){.type = environment->resource->type};
	case VARIABLE_CONTEXT:
		return (struct typing){.type = environment->action->context};
	}
	return (struct typing){0};
}

static typecheck_function *const typecheckers[EXPRESSION_KIND_COUNT] = {
	[EXPRESSION_LITERAL] = typecheck_literal,
	[EXPRESSION_VARIABLE] = check_variable,
	[EXPRESSION_IF] = check_if,
	[EXPRESSION_OR] = check_or,
	[EXPRESSION_AND] = check_and,
	[EXPRESSION_NOT] = check_not,
	[EXPRESSION_NEGATE] = typecheck_arithmetic,
	[EXPRESSION_EQUAL] = typecheck_equal,
	[EXPRESSION_NOT_EQUAL] = typecheck_equal,
	[EXPRESSION_LESS] = typecheck_order,
	[EXPRESSION_LESS_OR_EQUAL] = typecheck_order,
	[EXPRESSION_GREATER] = typecheck_order,
	[EXPRESSION_GREATER_OR_EQUAL] = typecheck_order,
	[EXPRESSION_IN] = typecheck_in,
	[EXPRESSION_IS] = typecheck_is,
	[EXPRESSION_HAS] = typecheck_has,
	[EXPRESSION_LIKE] = typecheck_like,
	[EXPRESSION_SUM] = typecheck_arithmetic,
	[EXPRESSION_PRODUCT] = typecheck_arithmetic,
	[EXPRESSION_ATTRIBUTE] = typecheck_attribute,
	[EXPRESSION_CONTAINS] = typecheck_contains,
	[EXPRESSION_CONTAINS_ALL] = typecheck_contains_many,
	[EXPRESSION_CONTAINS_ANY] = typecheck_contains_many,
	[EXPRESSION_IS_EMPTY] = typecheck_is_empty,
	[EXPRESSION_SET] = typecheck_set,
	[EXPRESSION_RECORD] = typecheck_record,
	[EXPRESSION_HAS_TAG] = typecheck_has_tag,
	[EXPRESSION_GET_TAG] = typecheck_get_tag,
	[EXPRESSION_CALL] = typecheck_call,
};

struct typing
typecheck(struct checker *checker, const struct expression *expression)
{
	if (!checker_step(checker))
		return (struct typing){0};
	return typecheckers[expression->kind](checker, expression);
}

struct typing
typecheck_conditions(struct checker *checker, const struct policy *policy)
{
	struct conjunction conjunction;

	conjunction_begin(checker, &conjunction);
	for (size_t i = 0; i < policy->condition_count && !conjunction.is_false; i++) {
		struct typing part = typecheck_boolean(checker, policy->conditions[i].expression);
		conjunction_add(checker, &conjunction,
				policy->conditions[i].unless ? negate(part) : part);
	}
	return conjunction_end(checker, &conjunction);
}
