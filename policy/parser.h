/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the parser share. Functions return NULL (or false) after a refusal: `status`
 * and the caller's error are then set, and the parser is of no further use. */
#ifndef POLICY_PARSER_H
#define POLICY_PARSER_H

#include "ast.h"
#include "lexer.h"
#include "names.h"

struct parser {
	struct lexer lexer;
	struct token token;   /* the one that comes next */
	struct arena *arena;  /* of the set */
	struct arena scratch; /* gone when parsing ends */
	struct names names;
	char *buffer;	       /* for one name or string: as long as the source */
	struct operand *stack; /* operands of unfinished sets, records, chains and calls */
	size_t stack_count;
	size_t stack_capacity;
	unsigned int depth;
	unsigned int deepest; /* that depth has been since the member at hand began */
	enum policy_status status;
	struct policy_error *err;
};

/* ---- parser.c ---- */

extern const char *const variable_names[VARIABLE_COUNT];

/* Records the first refusal; always NULL. */
__attribute__((format(printf, 4, 5))) void *parser_refuse(struct parser *parser,
							  enum policy_status status,
							  struct position at, const char *format,
							  ...);
void *parser_out_of_memory(struct parser *parser);
/* Refuses the coming token, saying what was expected instead. */
void *parser_unexpected(struct parser *parser, const char *expected);

void parser_advance(struct parser *parser);
bool parser_accept(struct parser *parser, enum token_kind kind);
bool parser_expect(struct parser *parser, enum token_kind kind, const char *expected);
/* Is the coming token this word? */
bool parser_at_word(const struct parser *parser, const char *word);
bool parser_accept_word(struct parser *parser, const char *word);

/* One level of nesting: every enter that returns true needs a leave, or the depth put back. */
bool parser_enter(struct parser *parser);
void parser_leave(struct parser *parser);

bool parser_push(struct parser *parser, struct operand operand);
/* Moves what was pushed since `base` into the arena. */
const struct operand *parser_pop(struct parser *parser, size_t base, size_t *ret_count);

bool word_is_reserved(const char *data, size_t size);
/* Takes an identifier that is not reserved. */
const struct text *parser_identifier(struct parser *parser, const char *expected);
/* Takes a string and undoes its escapes. */
const struct text *parser_string(struct parser *parser);
/* Takes the pattern of a `like`. */
const struct pattern *parser_pattern(struct parser *parser);

/* A name, and the entity's id where `::"id"` follows it. */
struct path {
	const struct text *name;
	const struct text *id; /* NULL: only a name */
	struct position at;
};
bool parser_path(struct parser *parser, const char *expected, struct path *ret_path);

/* ---- parse_expression.c and parse_primary.c ---- */

const struct expression *parse_expression(struct parser *parser);
/* Member := Primary { '.' IDENT [Arguments] | '[' STR ']' } */
const struct expression *parse_member(struct parser *parser);
/* An integer literal; `negative` where a minus stands before it, the only way to the smallest long.
 */
const struct expression *parse_number(struct parser *parser, bool negative);

struct expression *make_expression(struct parser *parser, enum expression_kind kind,
				   struct position at);
const struct expression *make_literal(struct parser *parser, struct position at,
				      const struct policy_value *value);
const struct expression *make_pair(struct parser *parser, enum expression_kind kind,
				   struct position at, const struct expression *left,
				   const struct expression *right);
/* An expression over everything pushed since `base`. */
const struct expression *make_many(struct parser *parser, enum expression_kind kind,
				   struct position at, size_t base);

/* ---- parse_policy.c ---- */

/* One policy or template, whole but for its id. */
bool parse_policy(struct parser *parser, struct policy *ret_policy);

#endif
