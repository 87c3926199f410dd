/* SPDX-License-Identifier: Apache-2.0 */
/* Names are held against the schema wherever they stand, even where nothing is ever evaluated. */
#include "error.h"
#include "typecheck.h"

#include <string.h>

struct walk {
	struct checker *checker;
	bool *mentions; /* by enum variable */
};

/* Types called `Action`, in whatever namespace, are of actions. */
static bool
is_action_type(const struct text *type)
{
	static const char suffix[] = "::Action";
	size_t size = sizeof(suffix) - 1;

	return text_is(type, "Action") ||
	       (type->size > size && memcmp(type->data + type->size - size, suffix, size) == 0);
}

/* ---- refusals ---- */

static void
refuse_type(struct checker *checker, struct position at, const struct text *type)
{
	const struct policy_schema *schema = checker->schema;
	char name[QUOTED_SIZE];
	char nearest[SUGGESTION_SIZE];
	struct suggestion suggestion = suggestion_begin(checker, type);

	for (size_t i = 0; i < schema->declared_count; i++)
		suggestion_offer(&suggestion, schema->entities[i]->name);
	policy_quote(name, type->data, type->size);
	checker_refuse(checker, at, "the schema has no entity type `%s`%s", name,
		       suggestion_write(&suggestion, nearest));
}

static void
refuse_action(struct checker *checker, struct position at, const struct policy_value *action)
{
	const struct policy_schema *schema = checker->schema;
	char type[QUOTED_SIZE];
	char id[QUOTED_SIZE];
	char nearest[SUGGESTION_SIZE];
	struct suggestion suggestion = suggestion_begin(checker, action->entity.id);

	for (size_t i = 0; i < schema->action_count; i++) {
		const struct policy_value *name = schema->actions[i]->name;
		if (text_equal(name->entity.type, action->entity.type))
			suggestion_offer(&suggestion, name->entity.id);
	}
	policy_quote(type, action->entity.type->data, action->entity.type->size);
	policy_quote(id, action->entity.id->data, action->entity.id->size);
	checker_refuse(checker, at, "the schema has no action %s::\"%s\"%s", type, id,
		       suggestion_write(&suggestion, nearest));
}

static void
refuse_id(struct checker *checker, struct position at, const struct policy_value *value,
	  const struct schema_entity *entity)
{
	char type[QUOTED_SIZE];
	char id[QUOTED_SIZE];
	char nearest[SUGGESTION_SIZE];
	struct suggestion suggestion = suggestion_begin(checker, value->entity.id);

	for (size_t i = 0; i < entity->id_count; i++)
		suggestion_offer(&suggestion, entity->ids[i]);
	policy_quote(type, entity->name->data, entity->name->size);
	policy_quote(id, value->entity.id->data, value->entity.id->size);
	checker_refuse(checker, at,
		       "\"%s\" is not among the entities that the schema lists for %s%s", id, type,
		       suggestion_write(&suggestion, nearest));
}

static void
check_type(struct checker *checker, struct position at, const struct text *type)
{
	if (!is_action_type(type) && schema_find_entity(checker->schema, type) == NULL)
		refuse_type(checker, at, type);
}

static void
check_entity(struct checker *checker, struct position at, const struct policy_value *value)
{
	if (is_action_type(value->entity.type)) {
		if (schema_find_action(checker->schema, value) == NULL)
			refuse_action(checker, at, value);
		return;
	}
	const struct schema_entity *entity =
		schema_find_entity(checker->schema, value->entity.type);
	if (entity == NULL)
		refuse_type(checker, at, value->entity.type);
	else if (!schema_entity_allows(entity, value->entity.id))
		refuse_id(checker, at, value, entity);
}

/* ---- conditions ---- */

static void walk_expression(struct walk *walk, const struct expression *expression);

static void
walk_operands(struct walk *walk, const struct operand *operands, size_t count)
{
	for (size_t i = 0; i < count; i++)
		walk_expression(walk, operands[i].value);
}

static void
walk_is(struct walk *walk, const struct expression *expression)
{
	check_type(walk->checker, expression->at, expression->is.type);
	walk_expression(walk, expression->is.subject);
	if (expression->is.within != NULL)
		walk_expression(walk, expression->is.within);
}

static void
walk_expression(struct walk *walk, const struct expression *expression)
{
	if (!checker_step(walk->checker))
		return;
	switch (expression->kind) {
	case EXPRESSION_LITERAL:
		if (expression->written != NULL)
			walk_operands(walk, expression->written, expression->written_count);
		else if (expression->literal->kind == VALUE_ENTITY)
			check_entity(walk->checker, expression->at, expression->literal);
		return;
	case EXPRESSION_VARIABLE:
		walk->mentions[expression->variable] = true;
		return;
	case EXPRESSION_IF:
		walk_expression(walk, expression->choice.condition);
		walk_expression(walk, expression->choice.yes);
		walk_expression(walk, expression->choice.no);
		return;
	case EXPRESSION_OR:
	case EXPRESSION_AND:
	case EXPRESSION_SUM:
	case EXPRESSION_PRODUCT:
	case EXPRESSION_SET:
	case EXPRESSION_RECORD:
		walk_operands(walk, expression->many.operands, expression->many.count);
		return;
	case EXPRESSION_CALL:
		walk_operands(walk, expression->call.operands, expression->call.count);
		return;
	case EXPRESSION_NOT:
	case EXPRESSION_NEGATE:
		walk_expression(walk, expression->unary.subject);
		return;
	case EXPRESSION_IS:
		walk_is(walk, expression);
		return;
	case EXPRESSION_HAS:
		walk_expression(walk, expression->has.subject);
		return;
	case EXPRESSION_LIKE:
		walk_expression(walk, expression->like.subject);
		return;
	case EXPRESSION_ATTRIBUTE:
		walk_expression(walk, expression->attribute.subject);
		return;
	case EXPRESSION_EQUAL:
	case EXPRESSION_NOT_EQUAL:
	case EXPRESSION_LESS:
	case EXPRESSION_LESS_OR_EQUAL:
	case EXPRESSION_GREATER:
	case EXPRESSION_GREATER_OR_EQUAL:
	case EXPRESSION_IN:
	case EXPRESSION_CONTAINS:
	case EXPRESSION_CONTAINS_ALL:
	case EXPRESSION_CONTAINS_ANY:
	case EXPRESSION_IS_EMPTY:
	case EXPRESSION_HAS_TAG:
	case EXPRESSION_GET_TAG:
		walk_expression(walk, expression->pair.left);
		if (expression->pair.right != NULL)
			walk_expression(walk, expression->pair.right);
		return;
	}
}

/* ---- scopes ---- */

/* What fills a slot is only asked for its type: Cedar takes any id there, and what a link has of
 * its template was looked at with that. */
static void
check_scope(struct checker *checker, const struct policy *policy, const struct scope *scope)
{
	if (scope->type != NULL)
		check_type(checker, scope->at, scope->type);
	for (size_t i = 0; i < scope->count && checker_step(checker); i++) {
		if (policy->kind == POLICY_LINK)
			check_type(checker, scope->at, scope->entities[i]->entity.type);
		else
			check_entity(checker, scope->at, scope->entities[i]);
	}
}

/* Actions of different namespaces make a set of different types, as others would. */
static void
check_action_list(struct checker *checker, const struct scope *scope)
{
	for (size_t i = 1; i < scope->count; i++) {
		if (!text_equal(scope->entities[i]->entity.type, scope->entities[0]->entity.type)) {
			checker_refuse(checker, scope->at,
				       "the actions of a list must be of one namespace");
			return;
		}
	}
}

void
validate_names(struct checker *checker, const struct policy *policy,
	       bool ret_mentions[VARIABLE_COUNT])
{
	struct walk walk = {.checker = checker, .mentions = ret_mentions};

	memset(ret_mentions, 0, VARIABLE_COUNT * sizeof(ret_mentions[0]));
	for (int i = 0; i < VARIABLE_CONTEXT; i++)
		check_scope(checker, policy, &policy->scopes[i]);
	if (policy->kind == POLICY_LINK)
		return;
	check_action_list(checker, &policy->scopes[VARIABLE_ACTION]);
	for (size_t i = 0; i < policy->condition_count; i++)
		walk_expression(&walk, policy->conditions[i].expression);
}
