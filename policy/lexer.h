/* SPDX-License-Identifier: Apache-2.0 */
/* Text -> tokens, one at a time. */
#ifndef POLICY_LEXER_H
#define POLICY_LEXER_H

#include "ast.h"

enum token_kind {
	TOKEN_END,
	TOKEN_IDENTIFIER, /* keywords too: only the parser knows where they are reserved */
	TOKEN_NUMBER,
	TOKEN_STRING, /* with its quotes and escapes as written */
	TOKEN_SLOT,   /* ?name */
	TOKEN_AT,
	TOKEN_DOT,
	TOKEN_COMMA,
	TOKEN_SEMICOLON,
	TOKEN_COLON,
	TOKEN_DOUBLE_COLON,
	TOKEN_OPEN_PARENTHESIS,
	TOKEN_CLOSE_PARENTHESIS,
	TOKEN_OPEN_BRACE,
	TOKEN_CLOSE_BRACE,
	TOKEN_OPEN_BRACKET,
	TOKEN_CLOSE_BRACKET,
	TOKEN_EQUAL,
	TOKEN_NOT_EQUAL,
	TOKEN_LESS,
	TOKEN_LESS_OR_EQUAL,
	TOKEN_GREATER,
	TOKEN_GREATER_OR_EQUAL,
	TOKEN_OR,
	TOKEN_AND,
	TOKEN_PLUS,
	TOKEN_MINUS,
	TOKEN_STAR,
	TOKEN_SLASH,
	TOKEN_PERCENT,
	TOKEN_NOT,
	TOKEN_SINGLE_EQUAL,
	TOKEN_QUESTION, /* one that starts no slot: in schemas only */
	TOKEN_INVALID, /* no token starts here */
};

struct token {
	enum token_kind kind;
	const char *data;
	size_t size;
	struct position at;
};

struct lexer {
	const char *next;
	const char *end;
	struct position at; /* of `next` */
};

/* The source must be valid UTF-8. */
void lexer_start(struct lexer *lexer, struct policy_text source);
struct token lexer_next(struct lexer *lexer);
/* Moves a position past well-formed text: columns count characters, lines end at '\n'. */
struct position position_after(struct position at, const char *data, size_t size);

#endif
