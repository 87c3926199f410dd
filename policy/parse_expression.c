/* SPDX-License-Identifier: Apache-2.0 */
/* Operators, from the loosest to the tightest. Chains of one operator are one node, not a tree, so
 * that only real nesting makes the evaluator go deeper. */
#include "parser.h"

#include <string.h>

#define UNARY_MAX 4 /* operators in a row, as in Cedar */

struct expression *
make_expression(struct parser *parser, enum expression_kind kind, struct position at)
{
	struct expression *made = arena_take(parser->arena, 1, sizeof(*made));

	if (made == NULL)
		return parser_out_of_memory(parser);
	memset(made, 0, sizeof(*made));
	made->kind = kind;
	made->at = at;
	return made;
}

const struct expression *
make_literal(struct parser *parser, struct position at, const struct policy_value *value)
{
	if (value == NULL)
		return parser_out_of_memory(parser);
	struct expression *made = make_expression(parser, EXPRESSION_LITERAL, at);
	if (made != NULL)
		made->literal = value;
	return made;
}

const struct expression *
make_pair(struct parser *parser, enum expression_kind kind, struct position at,
	  const struct expression *left, const struct expression *right)
{
	struct expression *made = make_expression(parser, kind, at);

	if (made != NULL) {
		made->pair.left = left;
		made->pair.right = right;
	}
	return made;
}

const struct expression *
make_many(struct parser *parser, enum expression_kind kind, struct position at, size_t base)
{
	size_t count = 0;
	const struct operand *operands = parser_pop(parser, base, &count);

	if (operands == NULL)
		return NULL;
	struct expression *made = make_expression(parser, kind, at);
	if (made != NULL) {
		made->many.operands = operands;
		made->many.count = count;
	}
	return made;
}

/* Is the coming token a number on which nothing is accessed? `-1.x` negates `1.x`. */
static bool
at_lone_number(const struct parser *parser)
{
	struct lexer ahead = parser->lexer;

	if (parser->token.kind != TOKEN_NUMBER)
		return false;
	enum token_kind kind = lexer_next(&ahead).kind;
	return kind != TOKEN_DOT && kind != TOKEN_OPEN_BRACKET && kind != TOKEN_OPEN_PARENTHESIS;
}

static const struct expression *
make_unary(struct parser *parser, enum token_kind sign, struct position at, unsigned int times,
	   const struct expression *operand)
{
	if (operand == NULL || times == 0)
		return operand;
	struct expression *made =
		make_expression(parser, sign == TOKEN_NOT ? EXPRESSION_NOT : EXPRESSION_NEGATE, at);
	if (made != NULL) {
		made->unary.subject = operand;
		made->unary.times = times;
	}
	return made;
}

/* Unary := ['!' {'!'} | '-' {'-'}] Member, at most four and all the same */
static const struct expression *
parse_unary(struct parser *parser)
{
	enum token_kind sign = parser->token.kind;
	struct position at = parser->token.at;
	unsigned int times = 0;

	if (sign != TOKEN_NOT && sign != TOKEN_MINUS)
		return parse_member(parser);
	while (parser->token.kind == sign) {
		if (++times > UNARY_MAX)
			return parser_refuse(parser, POLICY_SYNTAX, parser->token.at,
					     "more than %d unary operators in a row", UNARY_MAX);
		parser_advance(parser);
	}
	if (sign == TOKEN_MINUS && at_lone_number(parser))
		return make_unary(parser, sign, at, times - 1, parse_number(parser, true));
	return make_unary(parser, sign, at, times, parse_member(parser));
}

/* Mult := Unary {'*' Unary}; '/' and '%' are in Cedar's grammar only to be refused */
static const struct expression *
parse_product(struct parser *parser)
{
	struct position at = parser->token.at;
	size_t base = parser->stack_count;
	const struct expression *operand = parse_unary(parser);

	if (operand == NULL)
		return NULL;
	if (parser->token.kind == TOKEN_SLASH || parser->token.kind == TOKEN_PERCENT)
		return parser_refuse(parser, POLICY_SYNTAX, parser->token.at,
				     "Cedar has no division or remainder");
	if (parser->token.kind != TOKEN_STAR)
		return operand;
	if (!parser_push(parser, (struct operand){.value = operand, .at = at}))
		return NULL;
	while (parser_accept(parser, TOKEN_STAR)) {
		struct operand factor = {.at = parser->token.at};
		factor.value = parse_unary(parser);
		if (factor.value == NULL || !parser_push(parser, factor))
			return NULL;
	}
	return make_many(parser, EXPRESSION_PRODUCT, at, base);
}

/* Add := Mult {('+' | '-') Mult} */
static const struct expression *
parse_sum(struct parser *parser)
{
	struct position at = parser->token.at;
	size_t base = parser->stack_count;
	const struct expression *operand = parse_product(parser);

	if (operand == NULL)
		return NULL;
	if (parser->token.kind != TOKEN_PLUS && parser->token.kind != TOKEN_MINUS)
		return operand;
	if (!parser_push(parser, (struct operand){.value = operand, .at = at}))
		return NULL;
	while (parser->token.kind == TOKEN_PLUS || parser->token.kind == TOKEN_MINUS) {
		struct operand term = {.minus = parser->token.kind == TOKEN_MINUS};
		parser_advance(parser);
		term.at = parser->token.at;
		term.value = parse_product(parser);
		if (term.value == NULL || !parser_push(parser, term))
			return NULL;
	}
	return make_many(parser, EXPRESSION_SUM, at, base);
}

/* STR | IDENT {'.' IDENT}, onto the stack */
static bool
parse_has_path(struct parser *parser)
{
	const struct text *name;

	if (parser->token.kind == TOKEN_STRING) {
		name = parser_string(parser);
		return name != NULL && parser_push(parser, (struct operand){.name = name});
	}
	do {
		name = parser_identifier(parser, "an attribute's name");
		if (name == NULL || !parser_push(parser, (struct operand){.name = name}))
			return false;
	} while (parser_accept(parser, TOKEN_DOT));
	return true;
}

/* 'has' (STR | IDENT {'.' IDENT}) */
static const struct expression *
parse_has(struct parser *parser, const struct expression *subject, struct position at)
{
	size_t base = parser->stack_count;

	if (!parse_has_path(parser))
		return NULL;
	size_t count = parser->stack_count - base;
	const struct text **path = arena_take(parser->arena, count, sizeof(*path));
	struct expression *made = make_expression(parser, EXPRESSION_HAS, at);
	if (path == NULL || made == NULL)
		return parser_out_of_memory(parser);
	for (size_t i = 0; i < count; i++)
		path[i] = parser->stack[base + i].name;
	parser->stack_count = base;
	made->has.subject = subject;
	made->has.path = path;
	made->has.count = count;
	return made;
}

/* 'like' PATTERN */
static const struct expression *
parse_like(struct parser *parser, const struct expression *subject, struct position at)
{
	const struct pattern *pattern = parser_pattern(parser);

	if (pattern == NULL)
		return NULL;
	struct expression *made = make_expression(parser, EXPRESSION_LIKE, at);
	if (made != NULL) {
		made->like.subject = subject;
		made->like.pattern = pattern;
	}
	return made;
}

/* 'is' Name ['in' Add] */
static const struct expression *
parse_is(struct parser *parser, const struct expression *subject, struct position at)
{
	const struct expression *within = NULL;
	struct path type;

	if (!parser_path(parser, "an entity type", &type))
		return NULL;
	if (type.id != NULL)
		return parser_refuse(parser, POLICY_SYNTAX, type.at,
				     "`is` takes an entity type, not an entity");
	if (parser_accept_word(parser, "in")) {
		within = parse_sum(parser);
		if (within == NULL)
			return NULL;
	}
	struct expression *made = make_expression(parser, EXPRESSION_IS, at);
	if (made != NULL) {
		made->is.subject = subject;
		made->is.type = type.name;
		made->is.within = within;
	}
	return made;
}

/* RelOp := '<' | '<=' | '>=' | '>' | '!=' | '==' | 'in' */
static bool
at_relation(struct parser *parser, enum expression_kind *ret_kind)
{
	static const struct {
		enum token_kind token;
		enum expression_kind kind;
	} relations[] = {
		{TOKEN_EQUAL, EXPRESSION_EQUAL},
		{TOKEN_NOT_EQUAL, EXPRESSION_NOT_EQUAL},
		{TOKEN_LESS, EXPRESSION_LESS},
		{TOKEN_LESS_OR_EQUAL, EXPRESSION_LESS_OR_EQUAL},
		{TOKEN_GREATER, EXPRESSION_GREATER},
		{TOKEN_GREATER_OR_EQUAL, EXPRESSION_GREATER_OR_EQUAL},
	};

	for (size_t i = 0; i < sizeof(relations) / sizeof(relations[0]); i++) {
		if (parser->token.kind == relations[i].token) {
			*ret_kind = relations[i].kind;
			return true;
		}
	}
	*ret_kind = EXPRESSION_IN;
	return parser_at_word(parser, "in");
}

/* The part after the first Add, where there is one. */
static const struct expression *
parse_relation_rest(struct parser *parser, const struct expression *left, struct position at)
{
	enum expression_kind kind;

	if (at_relation(parser, &kind)) {
		parser_advance(parser);
		const struct expression *right = parse_sum(parser);
		return right != NULL ? make_pair(parser, kind, at, left, right) : NULL;
	}
	if (parser_accept_word(parser, "has"))
		return parse_has(parser, left, at);
	if (parser_accept_word(parser, "like"))
		return parse_like(parser, left, at);
	if (parser_accept_word(parser, "is"))
		return parse_is(parser, left, at);
	if (parser->token.kind == TOKEN_SINGLE_EQUAL)
		return parser_refuse(parser, POLICY_SYNTAX, parser->token.at,
				     "`=` is not an operator: write `==`");
	return left;
}

/* Relation := Add [RelOp Add | 'has' ... | 'like' ... | 'is' ...]; relations do not chain */
static const struct expression *
parse_relation(struct parser *parser)
{
	struct position at = parser->token.at;
	enum expression_kind kind;
	const struct expression *left = parse_sum(parser);

	if (left == NULL)
		return NULL;
	const struct expression *relation = parse_relation_rest(parser, left, at);
	if (relation == NULL || relation == left)
		return relation;
	if (at_relation(parser, &kind) || parser_at_word(parser, "has") ||
	    parser_at_word(parser, "like") || parser_at_word(parser, "is"))
		return parser_refuse(parser, POLICY_SYNTAX, parser->token.at,
				     "relations do not chain: use parentheses");
	return relation;
}

typedef const struct expression *parse_function(struct parser *parser);

/* Part {mark Part} as one node. */
static const struct expression *
parse_chain(struct parser *parser, enum expression_kind kind, enum token_kind mark,
	    parse_function *parse_part)
{
	struct position at = parser->token.at;
	size_t base = parser->stack_count;
	struct operand part = {.at = at, .value = parse_part(parser)};

	if (part.value == NULL || parser->token.kind != mark)
		return part.value;
	if (!parser_push(parser, part))
		return NULL;
	while (parser_accept(parser, mark)) {
		part.at = parser->token.at;
		part.value = parse_part(parser);
		if (part.value == NULL || !parser_push(parser, part))
			return NULL;
	}
	return make_many(parser, kind, at, base);
}

/* And := Relation {'&&' Relation} */
static const struct expression *
parse_and(struct parser *parser)
{
	return parse_chain(parser, EXPRESSION_AND, TOKEN_AND, parse_relation);
}

/* Or := And {'||' And} */
static const struct expression *
parse_or(struct parser *parser)
{
	return parse_chain(parser, EXPRESSION_OR, TOKEN_OR, parse_and);
}

/* 'if' Expr 'then' Expr 'else' Expr */
static const struct expression *
parse_choice(struct parser *parser)
{
	struct expression *made = make_expression(parser, EXPRESSION_IF, parser->token.at);

	parser_advance(parser);
	if (made == NULL || (made->choice.condition = parse_expression(parser)) == NULL)
		return NULL;
	if (!parser_accept_word(parser, "then"))
		return parser_unexpected(parser, "`then`");
	if ((made->choice.yes = parse_expression(parser)) == NULL)
		return NULL;
	if (!parser_accept_word(parser, "else"))
		return parser_unexpected(parser, "`else`");
	if ((made->choice.no = parse_expression(parser)) == NULL)
		return NULL;
	return made;
}

/* Expr := Or | 'if' Expr 'then' Expr 'else' Expr */
const struct expression *
parse_expression(struct parser *parser)
{
	if (!parser_enter(parser))
		return NULL;
	const struct expression *parsed =
		parser_at_word(parser, "if") ? parse_choice(parser) : parse_or(parser);
	parser_leave(parser);
	return parsed;
}
