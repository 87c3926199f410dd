/* SPDX-License-Identifier: Apache-2.0 */
#include "format_write.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- tokens and comments ---- */

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What lies between two tokens: blanks and comments. The first comment is the token's before, if it
 * stands in its line. `before` is NULL at the text's beginning. */
static bool
read_gap(struct arena *arena, const char *from, const char *until, struct format_token *before,
	 struct format_token *token)
{
	struct comment *comments = NULL;
	size_t capacity = 0;
	size_t lines = before == NULL ? 1 : 0; /* ended since the last token or comment */

	while (from < until) {
		if (*from != '/') {
			lines += *from == '\n' ||
				 (*from == '\r' && from + 1 < until && from[1] != '\n');
			from++;
			continue;
		}
		const char *end = from;
		while (end < until && *end != '\n' && *end != '\r')
			end++;
		size_t size = (size_t)(end - from);
		while (is_blank(from[size - 1]))
			size--;
		struct comment comment = {
			.data = from,
			.size = size,
			.after_a_blank = lines > 1 && (before != NULL || token->comment_count > 0)};
		if (lines == 0 && before != NULL && token->comment_count == 0) {
			before->trailing = comment;
		} else {
			comments = arena_grow(arena, comments, token->comment_count,
					      sizeof(*comments), &capacity);
			if (comments == NULL)
				return false;
			comments[token->comment_count++] = comment;
		}
		lines = 0;
		from = end;
	}
	token->comments = comments;
	token->after_a_blank = lines > 1 && token->comment_count > 0;
	return true;
}

static bool
is_word(const struct token *token, const char *word)
{
	return token->kind == TOKEN_IDENTIFIER && token->size == strlen(word) &&
	       memcmp(token->data, word, token->size) == 0;
}

/* After these an operand begins; elsewhere an identifier is one. */
static bool
is_operator_word(const struct token *token)
{
	return is_word(token, "if") || is_word(token, "then") || is_word(token, "else") ||
	       is_word(token, "in") || is_word(token, "is") || is_word(token, "has") ||
	       is_word(token, "like");
}

/* Is what stands before a token an operand's end? */
static bool
ends_operand(const struct token *token)
{
	switch ((unsigned int)token->kind) {
	case TOKEN_IDENTIFIER:
		return !is_operator_word(token);
	case TOKEN_NUMBER:
	case TOKEN_STRING:
	case TOKEN_SLOT:
	case TOKEN_CLOSE_PARENTHESIS:
	case TOKEN_CLOSE_BRACE:
	case TOKEN_CLOSE_BRACKET:
		return true;
	default:
		return false;
	}
}

struct format_token *
format_tokens(struct arena *arena, struct policy_text source, size_t *ret_count)
{
	struct format_token *tokens = NULL;
	const char *end = source.data; /* of the token before */
	struct lexer lexer;
	size_t capacity = 0;
	size_t count = 0;

	lexer_start(&lexer, source);
	do {
		struct format_token next = {.token = lexer_next(&lexer)};
		const char *start =
			next.token.kind == TOKEN_END ? source.data + source.size : next.token.data;

		if (!read_gap(arena, end, start, count > 0 ? &tokens[count - 1] : NULL, &next))
			return NULL;
		next.unary = next.token.kind == TOKEN_MINUS &&
			     (count == 0 || !ends_operand(&tokens[count - 1].token));
		tokens = arena_grow(arena, tokens, count, sizeof(*tokens), &capacity);
		if (tokens == NULL)
			return NULL;
		tokens[count++] = next;
		end = start + next.token.size;
	} while (tokens[count - 1].token.kind != TOKEN_END);
	*ret_count = count;
	return tokens;
}

/* ---- one line ---- */

/* What an opening bracket follows without a blank: a name that is called, or what is indexed. */
static bool
opens_call(const struct format_token *left, const struct format_token *right)
{
	return (right->token.kind == TOKEN_OPEN_PARENTHESIS ||
		right->token.kind == TOKEN_OPEN_BRACKET) &&
	       ends_operand(&left->token) && !is_word(&left->token, "permit") &&
	       !is_word(&left->token, "forbid");
}

bool
format_spaced(const struct format_token *left, const struct format_token *right)
{
	switch ((unsigned int)right->token.kind) {
	case TOKEN_DOT:
	case TOKEN_COMMA:
	case TOKEN_SEMICOLON:
	case TOKEN_COLON:
	case TOKEN_DOUBLE_COLON:
	case TOKEN_CLOSE_PARENTHESIS:
	case TOKEN_CLOSE_BRACKET:
	case TOKEN_CLOSE_BRACE:
		return false;
	default:
		break;
	}
	switch ((unsigned int)left->token.kind) {
	case TOKEN_DOT:
	case TOKEN_AT:
	case TOKEN_NOT:
	case TOKEN_DOUBLE_COLON:
	case TOKEN_OPEN_PARENTHESIS:
	case TOKEN_OPEN_BRACKET:
	case TOKEN_OPEN_BRACE:
		return false;
	case TOKEN_MINUS:
		return !left->unary;
	default:
		return !opens_call(left, right);
	}
}

static size_t
columns(const char *data, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += ((unsigned char)data[i] & 0xc0) != 0x80;
	return count;
}

size_t
format_width(const struct format_token *tokens, size_t from, size_t until)
{
	size_t width = 0;

	for (size_t i = from; i < until; i++) {
		/* Those before the first stand before the whole, what trails the last behind it. */
		if ((i > from && tokens[i].comment_count > 0) ||
		    (i + 1 < until && tokens[i].trailing.size > 0))
			return SIZE_MAX;
		width += columns(tokens[i].token.data, tokens[i].token.size);
		width += i > from && format_spaced(&tokens[i - 1], &tokens[i]);
	}
	return width;
}

/* ---- writing ---- */

void
format_write(struct format_writer *w, const char *data, size_t size)
{
	if (size == 0 || w->failed)
		return;
	if (w->capacity - w->size < size) {
		size_t capacity = 2 * (w->size + size);
		char *grown = realloc(w->data, capacity);

		if (grown == NULL) {
			w->failed = true;
			return;
		}
		w->data = grown;
		w->capacity = capacity;
	}
	memcpy(w->data + w->size, data, size);
	w->size += size;
	for (size_t i = size; i > 0; i--)
		if (data[i - 1] == '\n') { /* a string may hold one */
			w->column = columns(data + i, size - i);
			return;
		}
	w->column += columns(data, size);
}

void
format_line(struct format_writer *w, size_t indent)
{
	while (w->column > 0 && w->data[w->size - 1] == ' ') {
		w->size--;
		w->column--;
	}
	if (w->column > 0)
		format_write(w, "\n", 1);
	w->ended = false;
	while (w->column < indent && !w->failed)
		format_write(w, " ", 1);
}

void
format_empty_line(struct format_writer *w)
{
	format_line(w, 0);
	if (w->size > 0 && !(w->size > 1 && w->data[w->size - 2] == '\n'))
		format_write(w, "\n", 1);
}

static bool
at_line_start(const struct format_writer *w)
{
	for (size_t i = w->size; i > 0 && w->data[i - 1] != '\n'; i--)
		if (w->data[i - 1] != ' ')
			return false;
	return true;
}

static void
write_comments(struct format_writer *w, const struct format_token *token, size_t indent)
{
	for (size_t i = 0; i < token->comment_count; i++) {
		const struct comment *comment = &token->comments[i];

		if (comment->after_a_blank && indent == 0)
			format_empty_line(w);
		if (!at_line_start(w))
			format_line(w, indent);
		format_write(w, comment->data, comment->size);
		w->ended = true;
	}
	if (token->after_a_blank && indent == 0)
		format_empty_line(w);
	else if (w->ended)
		format_line(w, indent);
}

static void
write_token(struct format_writer *w, const struct format_token *token)
{
	format_write(w, token->token.data, token->token.size);
	if (token->trailing.size == 0)
		return;
	format_write(w, " ", 1);
	format_write(w, token->trailing.data, token->trailing.size);
	w->ended = true;
}

void
format_token(struct format_writer *w, const struct format_token *token, bool space, size_t indent)
{
	write_comments(w, token, indent);
	if (space && !at_line_start(w))
		format_write(w, " ", 1);
	write_token(w, token);
}

void
format_closing(struct format_writer *w, const struct format_token *token, size_t inside,
	       size_t indent)
{
	if (token->comment_count > 0)
		format_line(w, inside);
	write_comments(w, token, inside);
	format_line(w, indent);
	write_token(w, token);
}
