/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens with their comments, and lines being written: what the formatter stands on. */
#ifndef POLICY_FORMAT_WRITE_H
#define POLICY_FORMAT_WRITE_H

#include "arena.h"
#include "lexer.h"

struct comment {
	const char *data; /* from its slashes on, without blanks at its end */
	size_t size;
	bool own_line;	    /* it does not follow a token in its line */
	bool after_a_blank; /* an empty line stands before it */
};

struct format_token {
	struct token token;
	const struct comment *comments; /* in lines of their own before it */
	size_t comment_count;
	bool after_a_blank;	 /* an empty line stands between them and it */
	struct comment trailing; /* in its line, after it; without size where there is none */
	bool unary;		 /* of a minus: it takes one operand */
};

/* The tokens of a text, the last is TOKEN_END; NULL without memory. */
struct format_token *format_tokens(struct arena *arena, struct policy_text source,
				   size_t *ret_count);

/* Does a blank stand between two tokens in one line? */
bool format_spaced(const struct format_token *left, const struct format_token *right);
/* Columns of tokens[from..until) in one line; SIZE_MAX where a comment among them forbids that. */
size_t format_width(const struct format_token *tokens, size_t from, size_t until);

struct format_writer {
	char *data; /* heap */
	size_t size;
	size_t capacity;
	size_t column; /* from 0 */
	bool failed;   /* no memory */
	bool ended;    /* a comment ended the line: what comes next begins another */
};

void format_write(struct format_writer *w, const char *data, size_t size);
/* Ends the line, unless nothing was written in it, and begins another. */
void format_line(struct format_writer *w, size_t indent);
void format_empty_line(struct format_writer *w);
/* A token and the comments before it; `space`: a blank between, if the line goes on. */
void format_token(struct format_writer *w, const struct format_token *token, bool space,
		  size_t indent);
/* A closing bracket in a line of its own; the comments before it stand inside. */
void format_closing(struct format_writer *w, const struct format_token *token, size_t inside,
		    size_t indent);

#endif
