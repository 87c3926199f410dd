/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout follows the tokens, not the tree: nothing but blanks can change, and so no meaning. A
 * line that is too long is broken where its weakest operator is, then at the next weaker ones, then
 * inside brackets.
 */
#include "format.h"

#include "error.h"
#include "format_write.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INDENT 2

struct formatter {
	const struct format_token *tokens;
	struct format_writer *w;
};

static enum token_kind
kind_at(const struct formatter *f, size_t i)
{
	return f->tokens[i].token.kind;
}

static bool
word_at(const struct formatter *f, size_t i, const char *word)
{
	const struct token *token = &f->tokens[i].token;

	/* After a dot it is an attribute's name. */
	return token->kind == TOKEN_IDENTIFIER && token->size == strlen(word) &&
	       memcmp(token->data, word, token->size) == 0 &&
	       (i == 0 || kind_at(f, i - 1) != TOKEN_DOT);
}

static bool
opens(enum token_kind kind)
{
	return kind == TOKEN_OPEN_PARENTHESIS || kind == TOKEN_OPEN_BRACKET ||
	       kind == TOKEN_OPEN_BRACE;
}

static bool
closes(enum token_kind kind)
{
	return kind == TOKEN_CLOSE_PARENTHESIS || kind == TOKEN_CLOSE_BRACKET ||
	       kind == TOKEN_CLOSE_BRACE;
}

/* The bracket that closes the one at `i`. The text has been parsed: it is there. */
static size_t
closing(const struct formatter *f, size_t i)
{
	size_t depth = 0;

	for (;; i++) {
		depth += opens(kind_at(f, i));
		depth -= closes(kind_at(f, i));
		if (depth == 0)
			return i;
	}
}

static size_t
skip_brackets(const struct formatter *f, size_t i)
{
	return opens(kind_at(f, i)) ? closing(f, i) + 1 : i + 1;
}

static void
write_token(const struct formatter *f, size_t i, size_t from, size_t indent)
{
	bool space = i > from && format_spaced(&f->tokens[i - 1], &f->tokens[i]);

	format_token(f->w, &f->tokens[i], space, indent);
}

static void
write_flat(const struct formatter *f, size_t from, size_t until, size_t indent)
{
	for (size_t i = from; i < until; i++)
		write_token(f, i, from, indent);
}

static void write_range(const struct formatter *f, size_t from, size_t until, size_t indent);

/* Is there one of `kind` outside of all brackets? `if` is weaker than every operator, so what
 * follows it is its own. */
static bool
splits(const struct formatter *f, size_t from, size_t until, enum token_kind kind)
{
	for (size_t i = from; i < until; i = skip_brackets(f, i)) {
		if (kind_at(f, i) == kind)
			return true;
		if (kind != TOKEN_COMMA && word_at(f, i, "if"))
			return false;
	}
	return false;
}

/* Each operand in lines of its own, the operator or comma at their ends. */
static void
write_split(const struct formatter *f, size_t from, size_t until, enum token_kind kind,
	    size_t indent)
{
	size_t start = from;

	for (size_t i = from; i < until; i = skip_brackets(f, i)) {
		if (word_at(f, i, "if") && kind != TOKEN_COMMA)
			break;
		if (kind_at(f, i) != kind)
			continue;
		write_range(f, start, i, indent);
		format_token(f->w, &f->tokens[i], kind != TOKEN_COMMA, indent);
		start = i + 1;
		if (start < until)
			format_line(f->w, indent);
	}
	if (start < until)
		write_range(f, start, until, indent);
}

/* The `then` or `else` of the `if` before `i`. */
static size_t
branch_at(const struct formatter *f, size_t i, size_t until, const char *word)
{
	size_t nested = 0;

	for (; i < until; i = skip_brackets(f, i)) {
		if (nested == 0 && word_at(f, i, word))
			return i;
		nested += word_at(f, i, "if");
		nested -= nested > 0 && word_at(f, i, "else");
	}
	return until;
}

static void
write_choice(const struct formatter *f, size_t from, size_t until, size_t indent)
{
	size_t yes = branch_at(f, from + 1, until, "then");
	size_t no = branch_at(f, yes + 1, until, "else");
	const size_t starts[] = {from, yes, no, until};

	for (size_t i = 0; i < 3; i++) {
		if (i > 0)
			format_line(f->w, indent);
		format_token(f->w, &f->tokens[starts[i]], false, indent);
		format_write(f->w, " ", 1);
		write_range(f, starts[i] + 1, starts[i + 1], indent + INDENT);
	}
}

/* In one line but for brackets whose contents do not fit: those get lines of their own. */
static void
write_brackets(const struct formatter *f, size_t from, size_t until, size_t indent)
{
	for (size_t i = from; i < until; i++) {
		write_token(f, i, from, indent);
		if (!opens(kind_at(f, i)))
			continue;
		size_t end = closing(f, i);
		size_t width = format_width(f->tokens, i, end + 1);
		bool fits = width != SIZE_MAX && f->w->column - 1 + width <= POLICY_FORMAT_WIDTH;
		bool hugs = opens(kind_at(f, i + 1)) && closing(f, i + 1) == end - 1;
		if ((end == i + 1 && f->tokens[end].comment_count == 0) || fits || hugs) {
			/* A bracket alone within another has the line breaks of both: "([". */
			if (hugs && !fits)
				write_brackets(f, i + 1, end, indent);
			else
				write_flat(f, i + 1, end, indent);
			format_token(f->w, &f->tokens[end], false, indent);
		} else {
			format_line(f->w, indent + INDENT);
			write_range(f, i + 1, end, indent + INDENT);
			format_closing(f->w, &f->tokens[end], indent + INDENT, indent);
		}
		i = end;
	}
}

static void
write_range(const struct formatter *f, size_t from, size_t until, size_t indent)
{
	static const enum token_kind weakest_first[] = {TOKEN_COMMA, TOKEN_OR, TOKEN_AND};
	size_t width = format_width(f->tokens, from, until);

	if (width != SIZE_MAX && f->w->column + width <= POLICY_FORMAT_WIDTH) {
		write_flat(f, from, until, indent);
		return;
	}
	for (size_t i = 0; i < sizeof(weakest_first) / sizeof(weakest_first[0]); i++)
		if (splits(f, from, until, weakest_first[i])) {
			write_split(f, from, until, weakest_first[i], indent);
			return;
		}
	if (from < until && word_at(f, from, "if"))
		write_choice(f, from, until, indent);
	else
		write_brackets(f, from, until, indent);
}

/* '@' IDENT [ '(' STR ')' ] */
static size_t
write_annotations(const struct formatter *f, size_t i)
{
	while (kind_at(f, i) == TOKEN_AT) {
		size_t end = i + 2;

		if (kind_at(f, end) == TOKEN_OPEN_PARENTHESIS)
			end = closing(f, end) + 1;
		write_flat(f, i, end, 0);
		format_line(f->w, 0);
		i = end;
	}
	return i;
}

/* ( permit | forbid ) '(' scopes ')': in one line where nothing is constrained. */
static size_t
write_scopes(const struct formatter *f, size_t i)
{
	size_t end = closing(f, i + 1);
	size_t width = format_width(f->tokens, i, end + 1);
	bool bare = true;

	for (size_t k = i + 2; k < end; k++)
		bare = bare &&
		       (kind_at(f, k) == TOKEN_IDENTIFIER || kind_at(f, k) == TOKEN_COMMA) &&
		       !word_at(f, k, "in") && !word_at(f, k, "is");
	if (bare && width != SIZE_MAX) {
		write_flat(f, i, end + 1, 0);
		return end + 1;
	}
	write_flat(f, i, i + 2, 0);
	format_line(f->w, INDENT);
	write_split(f, i + 2, end, TOKEN_COMMA, INDENT);
	format_closing(f->w, &f->tokens[end], INDENT, 0);
	return end + 1;
}

/* ( when | unless ) '{' expression '}' */
static size_t
write_condition(const struct formatter *f, size_t i)
{
	size_t end = closing(f, i + 1);
	size_t width = format_width(f->tokens, i, end + 1);

	format_line(f->w, 0);
	write_flat(f, i, i + 2, 0);
	/* Two blanks inside the braces, and what ends the policy. */
	if (width != SIZE_MAX && width + 3 <= POLICY_FORMAT_WIDTH) {
		format_write(f->w, " ", 1);
		write_flat(f, i + 2, end, 0);
		format_write(f->w, " ", 1);
		format_token(f->w, &f->tokens[end], false, 0);
	} else {
		format_line(f->w, INDENT);
		write_range(f, i + 2, end, INDENT);
		format_closing(f->w, &f->tokens[end], INDENT, 0);
	}
	return end + 1;
}

static void
write_policies(const struct formatter *f)
{
	size_t i = 0;

	while (kind_at(f, i) != TOKEN_END) {
		if (i > 0)
			format_empty_line(f->w);
		i = write_annotations(f, i);
		i = write_scopes(f, i);
		while (kind_at(f, i) == TOKEN_IDENTIFIER)
			i = write_condition(f, i);
		format_token(f->w, &f->tokens[i++], false, 0);
	}
	if (i > 0 && f->tokens[i].comment_count > 0)
		format_empty_line(f->w);
	format_token(f->w, &f->tokens[i], false, 0); /* the comments at the end */
	format_line(f->w, 0);
}

enum policy_status
policy_format(struct policy_text source, char **ret_text, size_t *ret_size,
	      struct policy_error *err)
{
	struct policy_set *set = NULL;
	struct format_writer writer = {0};
	struct arena arena = {0};
	size_t count = 0;

	enum policy_status status = policy_set_parse(source, &set, err);
	if (status != POLICY_OK)
		return status;
	policy_set_free(set);
	if (source.data == NULL)
		source = (struct policy_text){.data = "", .size = 0};
	const struct formatter formatter = {.tokens = format_tokens(&arena, source, &count),
					    .w = &writer};
	format_write(&writer, "\n", 1); /* so that there is memory, also for an empty text */
	writer.size = 0;
	if (formatter.tokens != NULL)
		write_policies(&formatter);
	bool good = formatter.tokens != NULL && !writer.failed;
	arena_free(&arena);
	bool fits = writer.size <= POLICY_SOURCE_MAX;
	if (!good || !fits) {
		free(writer.data);
		return !good ? policy_fail(err, POLICY_MEMORY, "out of memory")
			     : policy_fail(err, POLICY_LIMIT,
					   "laid out, the text would have more than %d bytes",
					   POLICY_SOURCE_MAX);
	}
	*ret_text = writer.data;
	*ret_size = writer.size;
	return POLICY_OK;
}
