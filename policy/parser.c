/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, refusals, names and strings: what all parts of the parser stand on. */
#include "parser.h"
#include "error.h"
#include "unescape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const variable_names[VARIABLE_COUNT] = {
	[VARIABLE_PRINCIPAL] = "principal",
	[VARIABLE_ACTION] = "action",
	[VARIABLE_RESOURCE] = "resource",
	[VARIABLE_CONTEXT] = "context",
};

void *
parser_refuse(struct parser *parser, enum policy_status status, struct position at,
	      const char *format, ...)
{
	char message[sizeof(parser->err->message)];
	va_list arguments;

	if (parser->status != POLICY_OK)
		return NULL;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	parser->status = policy_fail_at(parser->err, status, at.line, at.column, "%s", message);
	return NULL;
}

void *
parser_out_of_memory(struct parser *parser)
{
	return parser_refuse(parser, POLICY_MEMORY, (struct position){0}, "out of memory");
}

void *
parser_unexpected(struct parser *parser, const char *expected)
{
	const struct token *token = &parser->token;
	char quoted[QUOTED_SIZE];

	if (token->kind == TOKEN_END)
		return parser_refuse(parser, POLICY_SYNTAX, token->at,
				     "expected %s, found the end of the text", expected);
	if (token->kind == TOKEN_INVALID)
		return parser_refuse(parser, POLICY_SYNTAX, token->at,
				     token->data[0] == '"' ? "this string does not end"
							   : "this is no token");
	policy_quote(quoted, token->data, token->size);
	return parser_refuse(parser, POLICY_SYNTAX, token->at, "expected %s, found `%s`", expected,
			     quoted);
}

void
parser_advance(struct parser *parser)
{
	parser->token = lexer_next(&parser->lexer);
}

bool
parser_accept(struct parser *parser, enum token_kind kind)
{
	if (parser->token.kind != kind)
		return false;
	parser_advance(parser);
	return true;
}

bool
parser_expect(struct parser *parser, enum token_kind kind, const char *expected)
{
	return parser_accept(parser, kind) || parser_unexpected(parser, expected) != NULL;
}

static bool
token_is(const struct token *token, const char *word)
{
	size_t size = strlen(word);

	return token->kind == TOKEN_IDENTIFIER && token->size == size &&
	       memcmp(token->data, word, size) == 0;
}

bool
parser_at_word(const struct parser *parser, const char *word)
{
	return token_is(&parser->token, word);
}

bool
parser_accept_word(struct parser *parser, const char *word)
{
	if (!parser_at_word(parser, word))
		return false;
	parser_advance(parser);
	return true;
}

bool
parser_enter(struct parser *parser)
{
	if (parser->depth == POLICY_NESTING_MAX)
		return parser_refuse(parser, POLICY_LIMIT, parser->token.at,
				     "nested deeper than %d", POLICY_NESTING_MAX) != NULL;
	parser->depth++;
	if (parser->depth > parser->deepest)
		parser->deepest = parser->depth;
	return true;
}

void
parser_leave(struct parser *parser)
{
	parser->depth--;
}

bool
parser_push(struct parser *parser, struct operand operand)
{
	struct operand *stack = arena_grow(&parser->scratch, parser->stack, parser->stack_count,
					   sizeof(operand), &parser->stack_capacity);

	if (stack == NULL)
		return parser_out_of_memory(parser) != NULL;
	parser->stack = stack;
	parser->stack[parser->stack_count++] = operand;
	return true;
}

const struct operand *
parser_pop(struct parser *parser, size_t base, size_t *ret_count)
{
	size_t count = parser->stack_count - base;
	struct operand *operands = arena_take(parser->arena, count, sizeof(*operands));

	if (operands == NULL)
		return parser_out_of_memory(parser);
	if (count > 0)
		memcpy(operands, parser->stack + base, count * sizeof(*operands));
	parser->stack_count = base;
	*ret_count = count;
	return operands;
}

static const struct text *
intern(struct parser *parser, const char *data, size_t size)
{
	const struct text *text =
		names_intern(&parser->names, parser->arena, &parser->scratch, data, size);

	return text != NULL ? text : parser_out_of_memory(parser);
}

bool
word_is_reserved(const char *data, size_t size)
{
	static const char *const words[] = {"true", "false", "if",   "then", "else",
					    "in",   "is",    "like", "has",  "__cedar"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i]) == size && memcmp(words[i], data, size) == 0)
			return true;
	}
	return false;
}

static bool
check_identifier(struct parser *parser, const char *expected)
{
	char quoted[QUOTED_SIZE];

	if (parser->token.kind != TOKEN_IDENTIFIER)
		return parser_unexpected(parser, expected) != NULL;
	if (!word_is_reserved(parser->token.data, parser->token.size))
		return true;
	policy_quote(quoted, parser->token.data, parser->token.size);
	return parser_refuse(parser, POLICY_SYNTAX, parser->token.at, "`%s` is reserved", quoted) !=
	       NULL;
}

const struct text *
parser_identifier(struct parser *parser, const char *expected)
{
	if (!check_identifier(parser, expected))
		return NULL;
	const struct text *text = intern(parser, parser->token.data, parser->token.size);
	parser_advance(parser);
	return text;
}

/* An unescaper over what stands between the quotes of the coming string. */
static struct unescape
start_unescape(const struct parser *parser)
{
	const struct token *token = &parser->token;

	return (struct unescape){.next = token->data + 1, .end = token->data + token->size - 1};
}

static void *
refuse_escape(struct parser *parser, const struct unescape *unescape, const char *wrong)
{
	const struct token *token = &parser->token;
	size_t before = (size_t)(unescape->at - token->data);

	return parser_refuse(parser, POLICY_SYNTAX, position_after(token->at, token->data, before),
			     "%s", wrong);
}

const struct text *
parser_string(struct parser *parser)
{
	size_t size = 0;
	uint32_t character = 0;
	const char *wrong = NULL;

	if (parser->token.kind != TOKEN_STRING)
		return parser_unexpected(parser, "a string");
	struct unescape unescape = start_unescape(parser);
	/* No escape is shorter than what it means, so the buffer holds any string of the source. */
	while (unescape_next(&unescape, &character, &wrong))
		size += utf8_write(parser->buffer + size, character);
	if (wrong != NULL)
		return refuse_escape(parser, &unescape, wrong);
	parser_advance(parser);
	return intern(parser, parser->buffer, size);
}

/* One part of a pattern ends: at a wildcard, or at the end. */
static bool
add_part(struct parser *parser, size_t size)
{
	const struct text *part = intern(parser, parser->buffer, size);

	return part != NULL && parser_push(parser, (struct operand){.name = part});
}

static const struct pattern *
make_pattern(struct parser *parser, size_t base)
{
	size_t count = parser->stack_count - base;
	struct pattern *pattern = arena_take(parser->arena, 1, sizeof(*pattern));
	struct text *parts = arena_take(parser->arena, count, sizeof(*parts));

	if (pattern == NULL || parts == NULL)
		return parser_out_of_memory(parser);
	for (size_t i = 0; i < count; i++)
		parts[i] = *parser->stack[base + i].name;
	parser->stack_count = base;
	*pattern = (struct pattern){.parts = parts, .count = count};
	return pattern;
}

/* A star is a wildcard however it is written, `\u{2a}` and `\x2a` too: only `\*` is not. */
const struct pattern *
parser_pattern(struct parser *parser)
{
	size_t base = parser->stack_count;
	size_t size = 0;
	uint32_t character = 0;
	const char *wrong = NULL;

	if (parser->token.kind != TOKEN_STRING)
		return parser_unexpected(parser, "a pattern in quotes");
	struct unescape unescape = start_unescape(parser);
	unescape.in_pattern = true;
	while (unescape_next(&unescape, &character, &wrong)) {
		if (character != '*' || unescape.escaped_star) {
			size += utf8_write(parser->buffer + size, character);
			continue;
		}
		if (!add_part(parser, size))
			return NULL;
		size = 0;
	}
	if (wrong != NULL)
		return refuse_escape(parser, &unescape, wrong);
	if (!add_part(parser, size))
		return NULL;
	parser_advance(parser);
	return make_pattern(parser, base);
}

/* Path := IDENT {'::' IDENT} ['::' STR] */
bool
parser_path(struct parser *parser, const char *expected, struct path *ret_path)
{
	struct path path = {.at = parser->token.at};
	bool has_id = false;
	size_t size = 0;

	for (;;) {
		if (!check_identifier(parser, expected))
			return false;
		memcpy(parser->buffer + size, parser->token.data, parser->token.size);
		size += parser->token.size;
		parser_advance(parser);
		if (!parser_accept(parser, TOKEN_DOUBLE_COLON))
			break;
		has_id = parser->token.kind == TOKEN_STRING;
		if (has_id)
			break;
		memcpy(parser->buffer + size, "::", 2);
		size += 2;
		expected = "an identifier or a string";
	}
	path.name = intern(parser, parser->buffer, size);
	if (path.name == NULL)
		return false;
	if (has_id && (path.id = parser_string(parser)) == NULL)
		return false;
	*ret_path = path;
	return true;
}
