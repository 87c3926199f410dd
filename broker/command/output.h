/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to stdout: plain tables and lists of fields, or JSON as it came. Texts of others are
 * tamed. */
#ifndef POSTERN_COMMAND_OUTPUT_H
#define POSTERN_COMMAND_OUTPUT_H

#include "json.h"

enum column_form {
	COLUMN_TEXT, /* texts, numbers, yes and no, lists and members' names joined by commas */
	COLUMN_TIME, /* Unix seconds */
};

struct column {
	const char *title;
	const char *member; /* "chain.verdict" goes down */
	enum column_form form;
};

/* The text of a cell, "-" for what is absent. */
void output_cell(const json_t *row, const struct column *column, char *ret_text, size_t capacity);
/* `none` is printed for an empty list. */
void output_table(const json_t *rows, const struct column *columns, size_t count, const char *none);
#define OUTPUT_TABLE(rows, columns, none)                                                          \
	output_table(rows, columns, sizeof(columns) / sizeof(*(columns)), none)
/* "title  value" for each column that is there and not empty. */
void output_fields(const json_t *object, const struct column *columns, size_t count);
#define OUTPUT_FIELDS(object, columns)                                                             \
	output_fields(object, columns, sizeof(columns) / sizeof(*(columns)))
/* 0 or EX_SOFTWARE. */
int output_json(const json_t *json);
/* What an act did: the broker's own sentence where it has one, and the trust revision now. */
int output_act(bool json, const json_t *answer, uint64_t trust_revision);
/* A line of text of somebody else. */
void output_line(const char *text);
/* A list of texts, each in a line. */
void output_lines(const json_t *list);

#endif
