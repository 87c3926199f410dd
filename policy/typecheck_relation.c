/* SPDX-License-Identifier: Apache-2.0 */
/* Relations, arithmetic, what is asked of sets, and calls. */
#include "typecheck.h"

/* ---- entities that are known by name ---- */

/* The entity that is written here, `action` included; NULL for other expressions. */
static const struct policy_value *
entity_named(const struct checker *checker, const struct expression *expression)
{
	if (expression->kind == EXPRESSION_VARIABLE && expression->variable == VARIABLE_ACTION)
		return checker->environment.action->name;
	if (expression->kind == EXPRESSION_LITERAL && expression->literal->kind == VALUE_ENTITY)
		return expression->literal;
	return NULL;
}

/* `&&` and `||` of literal booleans alone are literals too: Cedar's parser makes them so. NULL for
 * what else there is. */
static const struct policy_value *
boolean_named(const struct expression *expression)
{
	bool conjunction = expression->kind == EXPRESSION_AND;
	bool value = conjunction;

	if (expression->kind == EXPRESSION_LITERAL)
		return expression->literal->kind == VALUE_BOOLEAN ? expression->literal : NULL;
	if (!conjunction && expression->kind != EXPRESSION_OR)
		return NULL;
	for (size_t i = 0; i < expression->many.count; i++) {
		const struct policy_value *part = boolean_named(expression->many.operands[i].value);

		if (part == NULL)
			return NULL;
		value = conjunction ? value && part->boolean : value || part->boolean;
	}
	return value_boolean(value);
}

/* What is compared without looking at types: Cedar's literals, and `action`. */
static const struct policy_value *
value_named(const struct checker *checker, const struct expression *expression)
{
	const struct policy_value *boolean = boolean_named(expression);

	if (boolean != NULL)
		return boolean;
	if (expression->kind == EXPRESSION_LITERAL &&
	    (expression->literal->kind == VALUE_LONG || expression->literal->kind == VALUE_STRING))
		return expression->literal;
	return entity_named(checker, expression);
}

/* ---- == and != ---- */

/* False where the two can never be equal, NULL where that is a mistake. */
static struct typing
compare(struct checker *checker, const struct expression *expression, const struct policy_type *a,
	const struct policy_type *b)
{
	char left[DESCRIPTION_SIZE];
	char right[DESCRIPTION_SIZE];
	const struct policy_value *x = value_named(checker, expression->pair.left);
	const struct policy_value *y = value_named(checker, expression->pair.right);

	if (x != NULL && y != NULL)
		return typing_scalar(value_equal(x, y) ? POLICY_TYPE_TRUE : POLICY_TYPE_FALSE);
	if (a->kind == POLICY_TYPE_ENTITY && b->kind == POLICY_TYPE_ENTITY &&
	    a->entity != b->entity)
		return typing_scalar(POLICY_TYPE_FALSE);
	if (type_join(checker, a, b) != NULL)
		return typing_scalar(POLICY_TYPE_BOOLEAN);
	checker_refuse(checker, expression->at,
		       "a value of type %s never equals one of type %s: compare like with like",
		       type_describe(a, left), type_describe(b, right));
	return (struct typing){0};
}

struct typing
typecheck_equal(struct checker *checker, const struct expression *expression)
{
	const struct policy_type *left = typecheck(checker, expression->pair.left).type;
	const struct policy_type *right = typecheck(checker, expression->pair.right).type;

	if (left == NULL || right == NULL)
		return (struct typing){0};
	struct typing typing = compare(checker, expression, left, right);
	if (expression->kind == EXPRESSION_EQUAL || typing.type == NULL ||
	    typing.type->kind == POLICY_TYPE_BOOLEAN)
		return typing;
	return typing_scalar(typing.type->kind == POLICY_TYPE_TRUE ? POLICY_TYPE_FALSE
								   : POLICY_TYPE_TRUE);
}

/* ---- in ---- */

/* Which groups an action is in is known: the schema says it. */
static bool
action_in(const struct checker *checker, const struct schema_action *action,
	  const struct policy_value *group)
{
	const struct schema_action *above = schema_find_action(checker->schema, group);

	return above != NULL && (above == action || schema_action_below(action, above));
}

/* The same for a group that is written here, or one of a set of such; false where there is another
 * expression among them, and nothing is known. */
static bool
action_in_named(const struct checker *checker, const struct schema_action *action,
		const struct expression *groups, bool *ret_in)
{
	const struct policy_value *group = entity_named(checker, groups);

	*ret_in = false;
	if (group != NULL) {
		*ret_in = action_in(checker, action, group);
		return true;
	}
	if (groups->kind == EXPRESSION_LITERAL && groups->literal->kind == VALUE_SET) {
		for (size_t i = 0; i < groups->literal->set.count; i++)
			*ret_in |= action_in(checker, action, groups->literal->set.items[i]);
		return true;
	}
	if (groups->kind != EXPRESSION_SET)
		return false;
	for (size_t i = 0; i < groups->many.count; i++) {
		group = entity_named(checker, groups->many.operands[i].value);
		if (group == NULL)
			return false;
		*ret_in |= action_in(checker, action, group);
	}
	return true;
}

/* The type of the entities that something may be in; NULL after a refusal. */
static const struct schema_entity *
check_groups(struct checker *checker, const struct expression *expression)
{
	char found[DESCRIPTION_SIZE];
	const struct policy_type *type = typecheck(checker, expression).type;

	if (type == NULL)
		return NULL;
	if (type->kind == POLICY_TYPE_ENTITY)
		return type->entity;
	if (type->kind == POLICY_TYPE_SET && type->element->kind == POLICY_TYPE_ENTITY)
		return type->element->entity;
	checker_refuse(checker, expression->at,
		       "`in` needs an entity or a set of entities, but this is of type %s: for "
		       "members of sets there is `contains`",
		       type_describe(type, found));
	return NULL;
}

static struct typing
check_in(struct checker *checker, const struct expression *member, const struct expression *groups)
{
	bool in;
	const struct policy_type *below =
		typecheck_kind(checker, member, POLICY_TYPE_ENTITY, "what is `in` a group");
	const struct schema_entity *above = check_groups(checker, groups);

	if (below == NULL || above == NULL)
		return (struct typing){0};
	const struct policy_value *name = entity_named(checker, member);
	const struct schema_action *action =
		name != NULL ? schema_find_action(checker->schema, name) : NULL;
	if (action != NULL && action_in_named(checker, action, groups, &in))
		return typing_scalar(in ? POLICY_TYPE_TRUE : POLICY_TYPE_FALSE);
	if (below->entity == above || schema_entity_below(below->entity, above))
		return typing_scalar(POLICY_TYPE_BOOLEAN);
	return typing_scalar(POLICY_TYPE_FALSE);
}

struct typing
typecheck_in(struct checker *checker, const struct expression *expression)
{
	return check_in(checker, expression->pair.left, expression->pair.right);
}

/* ---- is ---- */

/* `x is T in g` is `x is T && x in g`. */
struct typing
typecheck_is(struct checker *checker, const struct expression *expression)
{
	const struct policy_type *subject = typecheck_kind(
		checker, expression->is.subject, POLICY_TYPE_ENTITY, "what has an entity type");

	if (subject == NULL)
		return (struct typing){0};
	if (!text_equal(subject->entity->name, expression->is.type))
		return typing_scalar(POLICY_TYPE_FALSE);
	if (expression->is.within == NULL)
		return typing_scalar(POLICY_TYPE_TRUE);
	return check_in(checker, expression->is.subject, expression->is.within);
}

/* ---- numbers and strings ---- */

static bool
is_ordered(enum policy_type_kind kind)
{
	return kind == POLICY_TYPE_LONG || kind == POLICY_TYPE_DATETIME ||
	       kind == POLICY_TYPE_DURATION;
}

/* False after a refusal. */
static bool
check_ordered(struct checker *checker, const struct expression *expression,
	      const struct policy_type *type)
{
	char found[DESCRIPTION_SIZE];

	if (type == NULL || is_ordered(type->kind))
		return type != NULL;
	checker_refuse(checker, expression->at,
		       "only Longs, datetimes and durations are compared by `<`, but this is of "
		       "type %s%s",
		       type_describe(type, found),
		       type->kind == POLICY_TYPE_DECIMAL ? ": use its methods, as `lessThan`" : "");
	return false;
}

struct typing
typecheck_order(struct checker *checker, const struct expression *expression)
{
	char left_type[DESCRIPTION_SIZE];
	char right_type[DESCRIPTION_SIZE];
	const struct policy_type *left = typecheck(checker, expression->pair.left).type;
	const struct policy_type *right = typecheck(checker, expression->pair.right).type;

	bool ordered = check_ordered(checker, expression->pair.left, left);
	ordered &= check_ordered(checker, expression->pair.right, right);
	if (!ordered)
		return (struct typing){0};
	if (left->kind == right->kind)
		return typing_scalar(POLICY_TYPE_BOOLEAN);
	checker_refuse(checker, expression->at, "%s and %s cannot be compared",
		       type_describe(left, left_type), type_describe(right, right_type));
	return (struct typing){0};
}

struct typing
typecheck_like(struct checker *checker, const struct expression *expression)
{
	if (typecheck_kind(checker, expression->like.subject, POLICY_TYPE_STRING,
			   "what is matched by `like`") == NULL)
		return (struct typing){0};
	return typing_scalar(POLICY_TYPE_BOOLEAN);
}

struct typing
typecheck_arithmetic(struct checker *checker, const struct expression *expression)
{
	static const char what[] = "what is reckoned with";
	bool failed = false;

	if (expression->kind == EXPRESSION_NEGATE) {
		failed = typecheck_kind(checker, expression->unary.subject, POLICY_TYPE_LONG,
					what) == NULL;
	} else {
		for (size_t i = 0; i < expression->many.count; i++)
			failed |= typecheck_kind(checker, expression->many.operands[i].value,
						 POLICY_TYPE_LONG, what) == NULL;
	}
	return failed ? (struct typing){0} : typing_scalar(POLICY_TYPE_LONG);
}

/* ---- sets ---- */

/* Refuses what could never be in common. */
static struct typing
check_members(struct checker *checker, const struct expression *expression,
	      const struct policy_type *members, const struct policy_type *wanted)
{
	char left[DESCRIPTION_SIZE];
	char right[DESCRIPTION_SIZE];

	if (type_join(checker, members, wanted) != NULL)
		return typing_scalar(POLICY_TYPE_BOOLEAN);
	checker_refuse(checker, expression->at,
		       "the set's members are of type %s, and what is looked for of type %s",
		       type_describe(members, left), type_describe(wanted, right));
	return (struct typing){0};
}

struct typing
typecheck_contains(struct checker *checker, const struct expression *expression)
{
	const struct policy_type *set = typecheck_kind(checker, expression->pair.left,
						       POLICY_TYPE_SET, "what contains something");
	const struct policy_type *item = typecheck(checker, expression->pair.right).type;

	if (set == NULL || item == NULL)
		return (struct typing){0};
	return check_members(checker, expression, set->element, item);
}

struct typing
typecheck_contains_many(struct checker *checker, const struct expression *expression)
{
	const struct policy_type *set = typecheck_kind(checker, expression->pair.left,
						       POLICY_TYPE_SET, "what contains something");
	const struct policy_type *wanted = typecheck_kind(checker, expression->pair.right,
							  POLICY_TYPE_SET, "what is looked for");

	if (set == NULL || wanted == NULL)
		return (struct typing){0};
	return check_members(checker, expression, set->element, wanted->element);
}

struct typing
typecheck_is_empty(struct checker *checker, const struct expression *expression)
{
	if (typecheck_kind(checker, expression->pair.left, POLICY_TYPE_SET, "what is empty") ==
	    NULL)
		return (struct typing){0};
	return typing_scalar(POLICY_TYPE_BOOLEAN);
}

/* ---- calls ---- */

static enum policy_type_kind
kind_of(enum value_kind kind)
{
	static const enum policy_type_kind kinds[] = {
		[VALUE_BOOLEAN] = POLICY_TYPE_BOOLEAN,	 [VALUE_LONG] = POLICY_TYPE_LONG,
		[VALUE_STRING] = POLICY_TYPE_STRING,	 [VALUE_ENTITY] = POLICY_TYPE_ENTITY,
		[VALUE_SET] = POLICY_TYPE_SET,		 [VALUE_RECORD] = POLICY_TYPE_RECORD,
		[VALUE_DECIMAL] = POLICY_TYPE_DECIMAL,	 [VALUE_IP] = POLICY_TYPE_IP,
		[VALUE_DATETIME] = POLICY_TYPE_DATETIME, [VALUE_DURATION] = POLICY_TYPE_DURATION,
	};

	return kinds[kind];
}

/* A constructor of a well-formed literal is a literal. What else it is called with is a mistake. */
static void
refuse_constructor(struct checker *checker, const struct expression *expression, const char *name)
{
	const struct expression *argument = expression->call.operands[0].value;

	if (typecheck_kind(checker, argument, POLICY_TYPE_STRING, "a constructor's argument") ==
	    NULL)
		return;
	if (argument->kind == EXPRESSION_LITERAL)
		checker_refuse(checker, argument->at, "`%s` cannot read this text: it is malformed",
			       name);
	else
		checker_refuse(checker, argument->at,
			       "`%s` takes a literal string only: let the schema have an "
			       "attribute of the type that is needed",
			       name);
}

static enum policy_type_kind
result_of(const struct extension_function *function)
{
	if (function->holds != NULL)
		return POLICY_TYPE_BOOLEAN;
	return function->unit != 0 ? POLICY_TYPE_LONG : kind_of(function->result);
}

struct typing
typecheck_call(struct checker *checker, const struct expression *expression)
{
	const struct extension_function *function = expression->call.function;
	bool failed = false;

	if (expression->call.count != function->arguments) {
		size_t subject = function->style == EXTENSION_METHOD ? 1 : 0;
		checker_refuse(checker, expression->at, "`%s` takes %zu arguments, not %zu",
			       function->name, function->arguments - subject,
			       expression->call.count - subject);
		return (struct typing){0};
	}
	if (function->style == EXTENSION_CONSTRUCTOR) {
		refuse_constructor(checker, expression, function->name);
		return (struct typing){0};
	}
	for (size_t i = 0; i < function->arguments; i++)
		failed |= typecheck_kind(checker, expression->call.operands[i].value,
					 kind_of(function->kinds[i]),
					 i == 0 ? "what this method is called on"
						: "this method's argument") == NULL;
	return failed ? (struct typing){0} : typing_scalar(result_of(function));
}
