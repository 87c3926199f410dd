/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include "command.h"
#include "encode.h"

#include <stdio.h>
#include <string.h>

#define CELL_MAX   512
#define ROWS_WIDE  100000 /* rows looked at for the widths */
#define COLUMN_MAX 12

static json_t *
member_find(const json_t *row, const char *member)
{
	char name[64];
	json_t *object = NULL;

	for (;;) {
		const char *dot = strchr(member, '.');
		size_t size = dot != NULL ? (size_t)(dot - member) : strlen(member);
		if (size >= sizeof(name))
			return NULL;
		memcpy(name, member, size);
		name[size] = '\0';
		object = json_object_get(object != NULL ? object : row, name);
		if (dot == NULL || object == NULL)
			return object;
		member = dot + 1;
	}
}

static void
value_text(const json_t *value, char *ret_text, size_t capacity)
{
	if (json_is_string(value))
		text_tame(json_string_value(value), json_string_length(value), ret_text, capacity);
	else if (json_is_integer(value))
		(void)snprintf(ret_text, capacity, "%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		(void)snprintf(ret_text, capacity, "%s", json_is_true(value) ? "yes" : "no");
	else
		(void)snprintf(ret_text, capacity, "-");
}

static void
names_text(json_t *object, char *ret_text, size_t capacity)
{
	size_t used = 0;

	(void)snprintf(ret_text, capacity, "-");
	for (void *at = json_object_iter(object); at != NULL;
	     at = json_object_iter_next(object, at)) {
		char name[CELL_MAX];
		const char *own = json_object_iter_key(at);
		text_tame(own, strlen(own), name, sizeof(name));
		int size = snprintf(ret_text + used, capacity - used, "%s%s", used > 0 ? "," : "",
				    name);
		if (size < 0 || (size_t)size >= capacity - used)
			return;
		used += (size_t)size;
	}
}

static void
list_text(const json_t *list, char *ret_text, size_t capacity)
{
	size_t used = 0;

	ret_text[0] = '\0';
	if (json_array_size(list) == 0)
		(void)snprintf(ret_text, capacity, "-");
	for (size_t i = 0; i < json_array_size(list); i++) {
		char text[CELL_MAX];
		value_text(json_array_get(list, i), text, sizeof(text));
		int size =
			snprintf(ret_text + used, capacity - used, "%s%s", i > 0 ? "," : "", text);
		if (size < 0 || (size_t)size >= capacity - used)
			return;
		used += (size_t)size;
	}
}

void
output_cell(const json_t *row, const struct column *column, char *ret_text, size_t capacity)
{
	json_t *value = member_find(row, column->member);

	if (json_is_array(value))
		list_text(value, ret_text, capacity);
	else if (json_is_object(value))
		names_text(value, ret_text, capacity);
	else
		value_text(value, ret_text, capacity);
	if (column->form == COLUMN_TIME && json_is_integer(value)) {
		char time[TIME_TEXT_SIZE];
		bool never = json_integer_value(value) <= 0;
		time_format(json_integer_value(value), time);
		(void)snprintf(ret_text, capacity, "%s", never ? "-" : time);
	}
}

/* Characters, not bytes: UTF-8's continuation bytes take no place. */
static size_t
width_of(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void
cell_print(const char *text, size_t width, bool last)
{
	size_t own = width_of(text);

	(void)fputs(text, stdout);
	if (last)
		(void)putchar('\n');
	else
		(void)printf("%*s", (int)(width > own ? width - own : 0) + 2, "");
}

void
output_table(const json_t *rows, const struct column *columns, size_t count, const char *none)
{
	size_t widths[COLUMN_MAX] = {0}, row_count = json_array_size(rows);
	char text[CELL_MAX];

	if (row_count == 0) {
		(void)printf("%s\n", none);
		return;
	}
	for (size_t c = 0; c < count; c++)
		widths[c] = width_of(columns[c].title);
	for (size_t i = 0; i < row_count && i < ROWS_WIDE; i++) {
		for (size_t c = 0; c < count; c++) {
			output_cell(json_array_get(rows, i), &columns[c], text, sizeof(text));
			size_t width = width_of(text);
			widths[c] = width > widths[c] ? width : widths[c];
		}
	}
	for (size_t c = 0; c < count; c++)
		cell_print(columns[c].title, widths[c], c + 1 == count);
	for (size_t i = 0; i < row_count; i++) {
		for (size_t c = 0; c < count; c++) {
			output_cell(json_array_get(rows, i), &columns[c], text, sizeof(text));
			cell_print(text, widths[c], c + 1 == count);
		}
	}
}

void
output_fields(const json_t *object, const struct column *columns, size_t count)
{
	size_t width = 0;
	char text[CELL_MAX];

	for (size_t c = 0; c < count; c++) {
		size_t own = width_of(columns[c].title);
		width = own > width ? own : width;
	}
	for (size_t c = 0; c < count; c++) {
		const json_t *value = member_find(object, columns[c].member);
		if (value == NULL || json_is_null(value) ||
		    (json_is_string(value) && json_string_length(value) == 0))
			continue;
		output_cell(object, &columns[c], text, sizeof(text));
		(void)printf("%-*s  %s\n", (int)width, columns[c].title, text);
	}
}

int
output_json(const json_t *json)
{
	if (json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) != 0)
		return complain(EX_IOERR, "stdout cannot be written");
	(void)putchar('\n');
	return 0;
}

void
output_line(const char *text)
{
	char tame[4 * CELL_MAX];

	text_tame(text, strlen(text), tame, sizeof(tame));
	(void)printf("%s\n", tame);
}

int
output_act(bool json, const json_t *answer, uint64_t trust_revision)
{
	const char *effect = json_text(answer, "effect");

	if (json)
		return output_json(answer);
	output_line(effect[0] != '\0' ? effect : "done");
	(void)printf("trust revision %llu\n", (unsigned long long)trust_revision);
	return 0;
}

void
output_lines(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		output_line(text != NULL ? text : "-");
	}
}
