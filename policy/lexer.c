/* SPDX-License-Identifier: Apache-2.0 */
#include "lexer.h"

void
lexer_start(struct lexer *lexer, struct policy_text source)
{
	lexer->next = source.data;
	lexer->end = source.data + source.size;
	lexer->at = (struct position){.line = 1, .column = 1};
}

struct position
position_after(struct position at, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)data[i];
		if (byte == '\n') {
			at.line++;
			at.column = 1;
		} else if ((byte & 0xc0) != 0x80) {
			at.column++;
		}
	}
	return at;
}

static size_t
bytes_left(const struct lexer *lexer)
{
	return (size_t)(lexer->end - lexer->next);
}

/* The byte `offset` ahead, 0 past the end (where a NUL byte starts no token either). */
static char
peek(const struct lexer *lexer, size_t offset)
{
	return offset < bytes_left(lexer) ? lexer->next[offset] : '\0';
}

static void
skip(struct lexer *lexer, size_t size)
{
	lexer->at = position_after(lexer->at, lexer->next, size);
	lexer->next += size;
}

/* Unicode's White_Space, which is what Cedar skips. */
static bool
is_space(uint32_t character)
{
	if (character == ' ' || (character >= '\t' && character <= '\r'))
		return true;
	if (character < 0x80)
		return false;
	return character == 0x85 || character == 0xa0 || character == 0x1680 ||
	       (character >= 0x2000 && character <= 0x200a) || character == 0x2028 ||
	       character == 0x2029 || character == 0x202f || character == 0x205f ||
	       character == 0x3000;
}

/* Of the blank that comes next; 0 where there is none. */
static size_t
space_size(const struct lexer *lexer)
{
	uint32_t character = (unsigned char)peek(lexer, 0);

	if (character < 0x80)
		return is_space(character) ? 1 : 0;
	size_t size = utf8_read(lexer->next, bytes_left(lexer), &character);
	return size != 0 && is_space(character) ? size : 0;
}

/* A comment goes up to the line's end, which a lone carriage return is too. */
static size_t
comment_size(const struct lexer *lexer)
{
	size_t size = 2;

	while (size < bytes_left(lexer) && lexer->next[size] != '\n' && lexer->next[size] != '\r')
		size++;
	return size;
}

static void
skip_blanks(struct lexer *lexer)
{
	for (;;) {
		size_t size = space_size(lexer);
		if (size == 0 && peek(lexer, 0) == '/' && peek(lexer, 1) == '/')
			size = comment_size(lexer);
		if (size == 0)
			return;
		skip(lexer, size);
	}
}

static bool
starts_identifier(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t
identifier_size(const struct lexer *lexer, size_t start)
{
	size_t size = start;

	while (starts_identifier(peek(lexer, size)) ||
	       (size > start && is_digit(peek(lexer, size))))
		size++;
	return size;
}

static size_t
number_size(const struct lexer *lexer)
{
	size_t size = 0;

	while (is_digit(peek(lexer, size)))
		size++;
	return size;
}

/* STR := '"' ('\' any but newline | any but '"' and '\')* '"'; 0 where it does not end. */
static size_t
string_size(const struct lexer *lexer)
{
	size_t left = bytes_left(lexer);

	for (size_t i = 1; i < left; i++) {
		if (lexer->next[i] == '"')
			return i + 1;
		if (lexer->next[i] != '\\')
			continue;
		i++;
		if (i < left && lexer->next[i] == '\n')
			return 0;
	}
	return 0;
}

static const struct {
	char text[3];
	enum token_kind kind;
} marks[] = {
	/* Longer ones first. */
	{"::", TOKEN_DOUBLE_COLON},
	{"==", TOKEN_EQUAL},
	{"!=", TOKEN_NOT_EQUAL},
	{"<=", TOKEN_LESS_OR_EQUAL},
	{">=", TOKEN_GREATER_OR_EQUAL},
	{"||", TOKEN_OR},
	{"&&", TOKEN_AND},
	{"@", TOKEN_AT},
	{".", TOKEN_DOT},
	{",", TOKEN_COMMA},
	{";", TOKEN_SEMICOLON},
	{":", TOKEN_COLON},
	{"(", TOKEN_OPEN_PARENTHESIS},
	{")", TOKEN_CLOSE_PARENTHESIS},
	{"{", TOKEN_OPEN_BRACE},
	{"}", TOKEN_CLOSE_BRACE},
	{"[", TOKEN_OPEN_BRACKET},
	{"]", TOKEN_CLOSE_BRACKET},
	{"<", TOKEN_LESS},
	{">", TOKEN_GREATER},
	{"+", TOKEN_PLUS},
	{"-", TOKEN_MINUS},
	{"*", TOKEN_STAR},
	{"/", TOKEN_SLASH},
	{"%", TOKEN_PERCENT},
	{"!", TOKEN_NOT},
	{"=", TOKEN_SINGLE_EQUAL},
	{"?", TOKEN_QUESTION},
};

static size_t
mark_size(const struct lexer *lexer, enum token_kind *ret_kind)
{
	char first = peek(lexer, 0);

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (first != marks[i].text[0])
			continue;
		size_t size = marks[i].text[1] != '\0' ? 2 : 1;
		if (size == 2 && peek(lexer, 1) != marks[i].text[1])
			continue;
		*ret_kind = marks[i].kind;
		return size;
	}
	return 0;
}

static size_t
token_size(const struct lexer *lexer, enum token_kind *ret_kind)
{
	char first = peek(lexer, 0);

	if (starts_identifier(first)) {
		*ret_kind = TOKEN_IDENTIFIER;
		return identifier_size(lexer, 0);
	}
	if (is_digit(first)) {
		*ret_kind = TOKEN_NUMBER;
		return number_size(lexer);
	}
	if (first == '"') {
		*ret_kind = TOKEN_STRING;
		return string_size(lexer);
	}
	if (first == '?' && starts_identifier(peek(lexer, 1))) {
		*ret_kind = TOKEN_SLOT;
		return identifier_size(lexer, 1);
	}
	return mark_size(lexer, ret_kind);
}

struct token
lexer_next(struct lexer *lexer)
{
	skip_blanks(lexer);
	struct token token = {.kind = TOKEN_END, .data = lexer->next, .at = lexer->at};
	if (bytes_left(lexer) == 0)
		return token;
	token.size = token_size(lexer, &token.kind);
	if (token.size == 0)
		token.kind = TOKEN_INVALID;
	skip(lexer, token.size);
	return token;
}
