/* SPDX-License-Identifier: Apache-2.0 */
/* Literals, variables, entities, sets, records, and what is accessed on them. */
#include "error.h"
#include "parser.h"

const struct expression *
parse_number(struct parser *parser, bool negative)
{
	uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
	const struct token token = parser->token;
	uint64_t number = 0;

	for (size_t i = 0; i < token.size; i++) {
		uint64_t digit = (uint64_t)(token.data[i] - '0');
		if (number > (limit - digit) / 10)
			return parser_refuse(parser, POLICY_SYNTAX, token.at,
					     "this integer does not fit 64 bits");
		number = number * 10 + digit;
	}
	parser_advance(parser);
	int64_t value = negative ? (int64_t)(0 - number) : (int64_t)number;
	return make_literal(parser, token.at, value_number(parser->arena, VALUE_LONG, value));
}

/* ---- sets and records ---- */

static bool
all_literal(const struct parser *parser, size_t base)
{
	for (size_t i = base; i < parser->stack_count; i++) {
		if (parser->stack[i].value->kind != EXPRESSION_LITERAL)
			return false;
	}
	return true;
}

/* A literal made of all literals since `base`, which stay beside it: validation asks how it was
 * written. */
static const struct expression *
make_folded(struct parser *parser, struct position at, const struct policy_value *value,
	    size_t base)
{
	size_t count = 0;
	const struct operand *written = parser_pop(parser, base, &count);

	if (value == NULL || written == NULL)
		return parser_out_of_memory(parser);
	struct expression *made = make_expression(parser, EXPRESSION_LITERAL, at);
	if (made != NULL) {
		made->literal = value;
		made->written = written;
		made->written_count = count;
	}
	return made;
}

/* A set of literals is put in order once, here, and not at each decision. */
static const struct expression *
fold_set(struct parser *parser, struct position at, size_t base)
{
	size_t count = parser->stack_count - base;
	const struct policy_value **items = arena_take(parser->arena, count, sizeof(*items));

	if (items == NULL)
		return parser_out_of_memory(parser);
	for (size_t i = 0; i < count; i++)
		items[i] = parser->stack[base + i].value->literal;
	return make_folded(parser, at, value_set(parser->arena, items, count), base);
}

static const struct expression *
fold_record(struct parser *parser, struct position at, size_t base)
{
	size_t count = parser->stack_count - base;
	struct value_field *fields = arena_take(parser->arena, count, sizeof(*fields));

	if (fields == NULL)
		return parser_out_of_memory(parser);
	for (size_t i = 0; i < count; i++) {
		fields[i].name = parser->stack[base + i].name;
		fields[i].value = parser->stack[base + i].value->literal;
	}
	return make_folded(parser, at, value_record(parser->arena, fields, count), base);
}

/* [Expr {',' Expr} [',']], up to `close`, onto the stack */
static bool
parse_list(struct parser *parser, enum token_kind close, const char *expected)
{
	while (!parser_accept(parser, close)) {
		struct operand item = {.at = parser->token.at};
		item.value = parse_expression(parser);
		if (item.value == NULL || !parser_push(parser, item))
			return false;
		if (parser->token.kind != close && !parser_expect(parser, TOKEN_COMMA, expected))
			return false;
	}
	return true;
}

/* '[' [ExprList] ']' */
static const struct expression *
parse_set(struct parser *parser, struct position at)
{
	size_t base = parser->stack_count;

	if (!parse_list(parser, TOKEN_CLOSE_BRACKET, "`,` or `]`"))
		return NULL;
	if (all_literal(parser, base))
		return fold_set(parser, at, base);
	return make_many(parser, EXPRESSION_SET, at, base);
}

/* By name; of equal names the one written first. */
static int
compare_keys(const void *a, const void *b)
{
	const struct operand *const *x = a;
	const struct operand *const *y = b;
	int order = text_compare((*x)->name, (*y)->name);

	return order != 0 ? order : (*x > *y) - (*x < *y);
}

static bool
check_keys(struct parser *parser, size_t base)
{
	size_t count = parser->stack_count - base;
	const struct operand **keys = arena_take(&parser->scratch, count, sizeof(*keys));

	if (keys == NULL)
		return parser_out_of_memory(parser) != NULL;
	for (size_t i = 0; i < count; i++)
		keys[i] = &parser->stack[base + i];
	sort_items(keys, count, sizeof(keys[0]), compare_keys);
	for (size_t i = 1; i < count; i++) {
		if (keys[i - 1]->name == keys[i]->name)
			return parser_refuse(parser, POLICY_SYNTAX, keys[i]->at,
					     "this key is there twice") != NULL;
	}
	return true;
}

/* RecInit := (IDENT | STR) ':' Expr */
static bool
parse_field(struct parser *parser)
{
	struct operand field = {.at = parser->token.at};

	if (parser->token.kind == TOKEN_STRING)
		field.name = parser_string(parser);
	else
		field.name = parser_identifier(parser, "a key or `}`");
	if (field.name == NULL || !parser_expect(parser, TOKEN_COLON, "`:`"))
		return false;
	field.value = parse_expression(parser);
	return field.value != NULL && parser_push(parser, field);
}

/* '{' [RecInit {',' RecInit} [',']] '}' */
static const struct expression *
parse_record(struct parser *parser, struct position at)
{
	size_t base = parser->stack_count;

	while (!parser_accept(parser, TOKEN_CLOSE_BRACE)) {
		if (!parse_field(parser))
			return NULL;
		if (parser->token.kind != TOKEN_CLOSE_BRACE &&
		    !parser_expect(parser, TOKEN_COMMA, "`,` or `}`"))
			return NULL;
	}
	if (!check_keys(parser, base))
		return NULL;
	if (all_literal(parser, base))
		return fold_record(parser, at, base);
	return make_many(parser, EXPRESSION_RECORD, at, base);
}

/* ---- names ---- */

static const struct expression *
make_variable(struct parser *parser, enum variable variable, struct position at)
{
	struct expression *made = make_expression(parser, EXPRESSION_VARIABLE, at);

	if (made != NULL)
		made->variable = variable;
	return made;
}

static const struct expression *
make_call(struct parser *parser, const struct extension_function *function, struct position at,
	  size_t base)
{
	size_t count = 0;
	const struct operand *operands = parser_pop(parser, base, &count);

	if (operands == NULL)
		return NULL;
	struct expression *made = make_expression(parser, EXPRESSION_CALL, at);
	if (made != NULL) {
		made->call.function = function;
		made->call.operands = operands;
		made->call.count = count;
	}
	return made;
}

/* A constructor of a literal is a literal, made once, here; a malformed one stays a call, for it is
 * an error only where it is evaluated. */
static const struct expression *
fold_constructor(struct parser *parser, const struct extension_function *function,
		 struct position at, size_t base)
{
	const struct expression *argument = parser->stack[base].value;
	const char *reason = NULL;

	if (argument->kind != EXPRESSION_LITERAL || argument->literal->kind != VALUE_STRING)
		return make_call(parser, function, at, base);
	const struct policy_value *value =
		extension_apply(function, parser->arena, &argument->literal, &reason);
	if (reason != NULL)
		return make_call(parser, function, at, base);
	return make_folded(parser, at, value, base);
}

/* Name '(' [ExprList] ')', from the parenthesis on. How many arguments there are is looked at when
 * the call is evaluated, as in Cedar. */
static const struct expression *
parse_constructor(struct parser *parser, const struct extension_function *function,
		  struct position at)
{
	size_t base = parser->stack_count;

	parser_advance(parser);
	if (!parse_list(parser, TOKEN_CLOSE_PARENTHESIS, "`,` or `)`"))
		return NULL;
	if (parser->stack_count - base == 1)
		return fold_constructor(parser, function, at, base);
	return make_call(parser, function, at, base);
}

/* What a name means that is neither a variable nor an entity: a call, or a mistake. */
static const struct expression *
parse_call(struct parser *parser, const struct path *path)
{
	char quoted[QUOTED_SIZE];

	policy_quote(quoted, path->name->data, path->name->size);
	if (parser->token.kind != TOKEN_OPEN_PARENTHESIS)
		return parser_refuse(parser, POLICY_SYNTAX, path->at,
				     "`%s` is not a variable: those are principal, action, "
				     "resource and context",
				     quoted);
	const struct extension_function *function =
		extension_find(path->name, EXTENSION_CONSTRUCTOR);
	if (function != NULL)
		return parse_constructor(parser, function, path->at);
	if (text_is(path->name, "unknown"))
		return parser_refuse(parser, POLICY_UNSUPPORTED, path->at,
				     "partial evaluation is not implemented");
	return parser_refuse(parser, POLICY_SYNTAX, path->at, "there is no function `%s`", quoted);
}

/* VAR | Name '::' STR | Name '(' [ExprList] ')' */
static const struct expression *
parse_name(struct parser *parser)
{
	struct path path;

	if (!parser_path(parser, "an expression", &path))
		return NULL;
	if (path.id != NULL)
		return make_literal(parser, path.at,
				    value_entity(parser->arena, path.name, path.id));
	for (int i = 0; i < VARIABLE_COUNT; i++) {
		if (text_is(path.name, variable_names[i]))
			return make_variable(parser, (enum variable)i, path.at);
	}
	return parse_call(parser, &path);
}

/* ---- primaries and accesses ---- */

static const struct expression *
parse_string(struct parser *parser)
{
	struct position at = parser->token.at;
	const struct text *string = parser_string(parser);

	if (string == NULL)
		return NULL;
	return make_literal(parser, at, value_string(parser->arena, string));
}

/* '(' Expr ')' */
static const struct expression *
parse_parenthesized(struct parser *parser)
{
	const struct expression *inner = parse_expression(parser);

	if (inner == NULL || !parser_expect(parser, TOKEN_CLOSE_PARENTHESIS, "`)`"))
		return NULL;
	return inner;
}

/* Primary := LITERAL | Ref | Name | '(' Expr ')' | '[' [ExprList] ']' | '{' [RecInits] '}' */
static const struct expression *
parse_primary(struct parser *parser)
{
	struct position at = parser->token.at;

	if (parser->token.kind == TOKEN_NUMBER)
		return parse_number(parser, false);
	if (parser->token.kind == TOKEN_STRING)
		return parse_string(parser);
	if (parser->token.kind == TOKEN_SLOT)
		return parser_refuse(parser, POLICY_SYNTAX, at,
				     "template slots stand in the scope only");
	if (parser_accept(parser, TOKEN_OPEN_PARENTHESIS))
		return parse_parenthesized(parser);
	if (parser_accept(parser, TOKEN_OPEN_BRACKET))
		return parse_set(parser, at);
	if (parser_accept(parser, TOKEN_OPEN_BRACE))
		return parse_record(parser, at);
	if (parser_accept_word(parser, "true"))
		return make_literal(parser, at, value_boolean(true));
	if (parser_accept_word(parser, "false"))
		return make_literal(parser, at, value_boolean(false));
	if (parser->token.kind != TOKEN_IDENTIFIER)
		return parser_unexpected(parser, "an expression");
	return parse_name(parser);
}

static const struct {
	const char *name;
	enum expression_kind kind;
	size_t arguments;
} methods[] = {
	{"contains", EXPRESSION_CONTAINS, 1},	     {"containsAll", EXPRESSION_CONTAINS_ALL, 1},
	{"containsAny", EXPRESSION_CONTAINS_ANY, 1}, {"isEmpty", EXPRESSION_IS_EMPTY, 0},
	{"hasTag", EXPRESSION_HAS_TAG, 1},	     {"getTag", EXPRESSION_GET_TAG, 1},
};

/* A method of an extension type, from the parenthesis on. */
static const struct expression *
parse_extension_method(struct parser *parser, const struct expression *subject,
		       const struct text *name, struct position at)
{
	const struct extension_function *function = extension_find(name, EXTENSION_METHOD);
	size_t base = parser->stack_count;

	if (function == NULL)
		return parser_refuse(parser, POLICY_SYNTAX, at, "there is no such method");
	if (!parser_push(parser, (struct operand){.value = subject, .at = subject->at}))
		return NULL;
	parser_advance(parser);
	if (!parse_list(parser, TOKEN_CLOSE_PARENTHESIS, "`,` or `)`"))
		return NULL;
	return make_call(parser, function, at, base);
}

/* '.' IDENT '(' [ExprList] ')', from the parenthesis on */
static const struct expression *
parse_method(struct parser *parser, const struct expression *subject, const struct text *name,
	     struct position at)
{
	size_t base = parser->stack_count;
	size_t method = 0;

	while (method < sizeof(methods) / sizeof(methods[0]) &&
	       !text_is(name, methods[method].name))
		method++;
	if (method == sizeof(methods) / sizeof(methods[0]))
		return parse_extension_method(parser, subject, name, at);
	parser_advance(parser);
	if (!parse_list(parser, TOKEN_CLOSE_PARENTHESIS, "`,` or `)`"))
		return NULL;
	size_t count = parser->stack_count - base;
	if (count != methods[method].arguments)
		return parser_refuse(parser, POLICY_SYNTAX, at, "`%s` takes %zu arguments, not %zu",
				     methods[method].name, methods[method].arguments, count);
	const struct expression *argument = count > 0 ? parser->stack[base].value : NULL;
	parser->stack_count = base;
	return make_pair(parser, methods[method].kind, at, subject, argument);
}

static const struct expression *
make_attribute(struct parser *parser, const struct expression *subject, const struct text *name,
	       struct position at)
{
	struct expression *made = make_expression(parser, EXPRESSION_ATTRIBUTE, at);

	if (made != NULL) {
		made->attribute.subject = subject;
		made->attribute.name = name;
	}
	return made;
}

/* '.' IDENT ['(' [ExprList] ')'] | '[' STR ']', from behind the first mark on */
static const struct expression *
parse_access(struct parser *parser, const struct expression *subject, bool indexed)
{
	struct position at = parser->token.at;
	const struct text *name;

	if (indexed) {
		if (parser->token.kind != TOKEN_STRING)
			return parser_unexpected(parser, "an attribute's name in quotes");
		name = parser_string(parser);
		if (name == NULL || !parser_expect(parser, TOKEN_CLOSE_BRACKET, "`]`"))
			return NULL;
		return make_attribute(parser, subject, name, at);
	}
	name = parser_identifier(parser, "an attribute or method");
	if (name == NULL)
		return NULL;
	if (parser->token.kind == TOKEN_OPEN_PARENTHESIS)
		return parse_method(parser, subject, name, at);
	return make_attribute(parser, subject, name, at);
}

/* Each access makes the expression one deeper, and what it is an access on lies below it. So the
 * primary's levels count on: else each pair of parentheses could hold a full count of its own. */
const struct expression *
parse_member(struct parser *parser)
{
	unsigned int start = parser->depth;
	unsigned int outside = parser->deepest;

	parser->deepest = start;
	const struct expression *member = parse_primary(parser);
	parser->depth = parser->deepest;
	while (member != NULL) {
		bool indexed = parser->token.kind == TOKEN_OPEN_BRACKET;
		if (!indexed && parser->token.kind != TOKEN_DOT)
			break;
		if (!parser_enter(parser))
			return NULL;
		parser_advance(parser);
		member = parse_access(parser, member, indexed);
	}
	parser->depth = start;
	if (outside > parser->deepest)
		parser->deepest = outside;
	return member;
}
