/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: annotations, effect, scope, conditions. */
#include "parser.h"

#include <stdio.h>
#include <string.h>

/* ---- scopes ---- */

/* A slot stands where its own variable is compared. */
static bool
at_slot(const struct parser *parser, enum variable variable)
{
	const struct token *token = &parser->token;
	const char *name = variable_names[variable];

	return token->kind == TOKEN_SLOT && variable != VARIABLE_ACTION &&
	       token->size == strlen(name) + 1 &&
	       memcmp(token->data + 1, name, token->size - 1) == 0;
}

/* Takes as many '(' as there are: Cedar allows them around entities. */
static bool
open_parentheses(struct parser *parser, unsigned int *ret_count)
{
	unsigned int count = 0;

	while (parser->token.kind == TOKEN_OPEN_PARENTHESIS) {
		if (!parser_enter(parser))
			return false;
		parser_advance(parser);
		count++;
	}
	*ret_count = count;
	return true;
}

static bool
close_parentheses(struct parser *parser, unsigned int count)
{
	for (; count > 0; count--) {
		if (!parser_expect(parser, TOKEN_CLOSE_PARENTHESIS, "`)`"))
			return false;
		parser_leave(parser);
	}
	return true;
}

/* Actions are of type `Action`, in whatever namespace. */
static bool
is_action_type(const struct text *type)
{
	static const char suffix[] = "::Action";
	size_t size = sizeof(suffix) - 1;

	if (text_is(type, "Action"))
		return true;
	return type->size > size && memcmp(type->data + type->size - size, suffix, size) == 0;
}

/* Ref := Name '::' STR, without its parentheses */
static const struct policy_value *
parse_bare_entity(struct parser *parser, enum variable variable)
{
	struct path path;

	if (!parser_path(parser, "an entity", &path))
		return NULL;
	if (path.id == NULL)
		return parser_refuse(parser, POLICY_SYNTAX, path.at,
				     "an entity is written Type::\"id\"");
	if (variable == VARIABLE_ACTION && !is_action_type(path.name))
		return parser_refuse(parser, POLICY_SYNTAX, path.at,
				     "an action's type must be `Action`");
	const struct policy_value *entity = value_entity(parser->arena, path.name, path.id);
	return entity != NULL ? entity : parser_out_of_memory(parser);
}

static bool
set_entity(struct parser *parser, struct scope *scope, const struct policy_value *entity)
{
	const struct policy_value **entities;

	if (entity == NULL)
		return false;
	entities = arena_take(parser->arena, 1, sizeof(*entities));
	if (entities == NULL)
		return parser_out_of_memory(parser) != NULL;
	entities[0] = entity;
	scope->entities = entities;
	scope->count = 1;
	return true;
}

/* What a scope compares with: Ref | SLOT, in parentheses or not */
static bool
parse_entity(struct parser *parser, enum variable variable, struct scope *scope)
{
	unsigned int parentheses;

	if (!open_parentheses(parser, &parentheses))
		return false;
	if (at_slot(parser, variable)) {
		scope->slot = true;
		parser_advance(parser);
	} else if (!set_entity(parser, scope, parse_bare_entity(parser, variable))) {
		return false;
	}
	return close_parentheses(parser, parentheses);
}

/* '[' [Ref {',' Ref} [',']] ']', from behind the bracket on */
static bool
parse_actions(struct parser *parser, struct scope *scope)
{
	const struct policy_value **entities = NULL;
	size_t capacity = 0;
	size_t count = 0;

	while (!parser_accept(parser, TOKEN_CLOSE_BRACKET)) {
		unsigned int parentheses;
		if (!open_parentheses(parser, &parentheses))
			return false;
		const struct policy_value *entity = parse_bare_entity(parser, VARIABLE_ACTION);
		if (entity == NULL || !close_parentheses(parser, parentheses))
			return false;
		entities = arena_grow(parser->arena, entities, count, sizeof(*entities), &capacity);
		if (entities == NULL)
			return parser_out_of_memory(parser) != NULL;
		entities[count++] = entity;
		if (parser->token.kind != TOKEN_CLOSE_BRACKET &&
		    !parser_expect(parser, TOKEN_COMMA, "`,` or `]`"))
			return false;
	}
	scope->entities = entities;
	scope->count = count;
	return true;
}

/* What stands behind `action in`: one entity or a set of them. */
static bool
parse_action_group(struct parser *parser, struct scope *scope)
{
	unsigned int parentheses;

	if (!open_parentheses(parser, &parentheses))
		return false;
	bool parsed =
		parser_accept(parser, TOKEN_OPEN_BRACKET)
			? parse_actions(parser, scope)
			: set_entity(parser, scope, parse_bare_entity(parser, VARIABLE_ACTION));
	return parsed && close_parentheses(parser, parentheses);
}

/* 'is' Name ['in' Ref] */
static bool
parse_scope_type(struct parser *parser, enum variable variable, struct scope *scope)
{
	struct path type;

	if (variable == VARIABLE_ACTION)
		return parser_refuse(parser, POLICY_SYNTAX, parser->token.at,
				     "an action's scope has no `is`") != NULL;
	parser_advance(parser);
	if (!parser_path(parser, "an entity type", &type))
		return false;
	if (type.id != NULL)
		return parser_refuse(parser, POLICY_SYNTAX, type.at,
				     "`is` takes an entity type, not an entity") != NULL;
	scope->shape = POLICY_IS;
	scope->type = type.name;
	if (!parser_accept_word(parser, "in"))
		return true;
	scope->shape = POLICY_IS_IN;
	return parse_entity(parser, variable, scope);
}

/* VariableDef := VAR ['is' Name ['in' Ref] | '==' Ref | 'in' (Ref | '[' [RefList] ']')] */
static bool
parse_scope(struct parser *parser, enum variable variable, struct scope *scope)
{
	struct position at = parser->token.at;
	char expected[32];

	if (!parser_accept_word(parser, variable_names[variable])) {
		snprintf(expected, sizeof(expected), "`%s`", variable_names[variable]);
		return parser_unexpected(parser, expected) != NULL;
	}
	*scope = (struct scope){.shape = POLICY_ANY, .at = at};
	if (parser_at_word(parser, "is"))
		return parse_scope_type(parser, variable, scope);
	if (parser_accept(parser, TOKEN_EQUAL)) {
		scope->shape = POLICY_EQUALS;
		return parse_entity(parser, variable, scope);
	}
	if (!parser_accept_word(parser, "in"))
		return true;
	scope->shape = POLICY_IN;
	if (variable == VARIABLE_ACTION)
		return parse_action_group(parser, scope);
	return parse_entity(parser, variable, scope);
}

/* '(' VariableDef ',' VariableDef ',' VariableDef [','] ')' */
static bool
parse_scopes(struct parser *parser, struct policy *policy)
{
	if (!parser_expect(parser, TOKEN_OPEN_PARENTHESIS, "`(`"))
		return false;
	for (int i = 0; i < VARIABLE_CONTEXT; i++) {
		if (i > 0 && !parser_expect(parser, TOKEN_COMMA, "`,`"))
			return false;
		if (!parse_scope(parser, (enum variable)i, &policy->scopes[i]))
			return false;
	}
	parser_accept(parser, TOKEN_COMMA);
	return parser_expect(parser, TOKEN_CLOSE_PARENTHESIS, "`)`");
}

/* ---- annotations ---- */

/* Annotation := '@' IDENT ['(' STR ')']; reserved words may be annotations too */
static bool
parse_annotation(struct parser *parser, struct operand *ret_annotation,
		 const struct text **ret_value)
{
	const struct token name = parser->token;

	if (name.kind != TOKEN_IDENTIFIER)
		return parser_unexpected(parser, "an annotation's name") != NULL;
	parser_advance(parser);
	ret_annotation->at = name.at;
	ret_annotation->name =
		names_intern(&parser->names, parser->arena, &parser->scratch, name.data, name.size);
	*ret_value =
		names_intern(&parser->names, parser->arena, &parser->scratch, parser->buffer, 0);
	if (ret_annotation->name == NULL || *ret_value == NULL)
		return parser_out_of_memory(parser) != NULL;
	if (!parser_accept(parser, TOKEN_OPEN_PARENTHESIS))
		return true;
	*ret_value = parser_string(parser);
	return *ret_value != NULL && parser_expect(parser, TOKEN_CLOSE_PARENTHESIS, "`)`");
}

static int
compare_annotations(const void *a, const void *b)
{
	const struct operand *x = a;
	const struct operand *y = b;
	int order = text_compare(x->name, y->name);

	if (order == 0)
		order = (x->at.line > y->at.line) - (x->at.line < y->at.line);
	if (order == 0)
		order = (x->at.column > y->at.column) - (x->at.column < y->at.column);
	return order;
}

/* Sorts a copy of the names, which lies on the stack, to find one that is there twice. */
static bool
check_annotations(struct parser *parser, size_t base)
{
	size_t count = parser->stack_count - base;

	if (count == 0)
		return true;
	struct operand *names = parser->stack + base;
	sort_items(names, count, sizeof(names[0]), compare_annotations);
	for (size_t i = 1; i < count; i++) {
		if (names[i - 1].name == names[i].name)
			return parser_refuse(parser, POLICY_SYNTAX, names[i].at,
					     "this annotation is there twice") != NULL;
	}
	parser->stack_count = base;
	return true;
}

static bool
parse_annotations(struct parser *parser, struct policy *policy)
{
	size_t base = parser->stack_count;
	struct annotation *annotations = NULL;
	size_t capacity = 0;
	size_t count = 0;

	while (parser_accept(parser, TOKEN_AT)) {
		struct operand name = {0};
		const struct text *value = NULL;
		if (!parse_annotation(parser, &name, &value) || !parser_push(parser, name))
			return false;
		annotations = arena_grow(parser->arena, annotations, count, sizeof(*annotations),
					 &capacity);
		if (annotations == NULL)
			return parser_out_of_memory(parser) != NULL;
		annotations[count++] = (struct annotation){.name = name.name, .value = value};
	}
	policy->annotations = annotations;
	policy->annotation_count = count;
	return check_annotations(parser, base);
}

/* ---- policies ---- */

/* Cond := ('when' | 'unless') '{' Expr '}' */
static bool
parse_condition(struct parser *parser, struct condition *ret_condition)
{
	struct condition condition = {.unless = parser_at_word(parser, "unless")};

	if (!condition.unless && !parser_at_word(parser, "when"))
		return parser_unexpected(parser, "`when`, `unless` or `;`") != NULL;
	parser_advance(parser);
	if (!parser_expect(parser, TOKEN_OPEN_BRACE, "`{`"))
		return false;
	condition.expression = parse_expression(parser);
	if (condition.expression == NULL || !parser_expect(parser, TOKEN_CLOSE_BRACE, "`}`"))
		return false;
	*ret_condition = condition;
	return true;
}

static bool
parse_conditions(struct parser *parser, struct policy *policy)
{
	struct condition *conditions = NULL;
	size_t capacity = 0;
	size_t count = 0;

	while (!parser_accept(parser, TOKEN_SEMICOLON)) {
		conditions = arena_grow(parser->arena, conditions, count, sizeof(*conditions),
					&capacity);
		if (conditions == NULL)
			return parser_out_of_memory(parser) != NULL;
		if (!parse_condition(parser, &conditions[count]))
			return false;
		count++;
	}
	policy->conditions = conditions;
	policy->condition_count = count;
	return true;
}

static bool
parse_effect(struct parser *parser, enum policy_effect *ret_effect)
{
	if (parser_at_word(parser, "permit"))
		*ret_effect = POLICY_PERMIT;
	else if (parser_at_word(parser, "forbid"))
		*ret_effect = POLICY_FORBID;
	else
		return parser_unexpected(parser, "`permit` or `forbid`") != NULL;
	parser_advance(parser);
	return true;
}

/* Policy := {Annotation} ('permit' | 'forbid') '(' Scope ')' {Cond} ';' */
bool
parse_policy(struct parser *parser, struct policy *ret_policy)
{
	struct policy policy = {.at = parser->token.at};

	if (!parse_annotations(parser, &policy) || !parse_effect(parser, &policy.effect) ||
	    !parse_scopes(parser, &policy) || !parse_conditions(parser, &policy))
		return false;
	if (policy.scopes[VARIABLE_PRINCIPAL].slot || policy.scopes[VARIABLE_RESOURCE].slot)
		policy.kind = POLICY_TEMPLATE;
	*ret_policy = policy;
	return true;
}
