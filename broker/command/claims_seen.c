/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_seen.h"

#include "command.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define NAME_SHOWN  32
#define VALUE_SHOWN 400

static void
value_text(json_t *claims, const char *name, const json_t *value, char ret[VALUE_SHOWN])
{
	const struct column column = {"", name, COLUMN_TEXT};
	const json_t *count = json_object_get(value, "count"),
		     *size = json_object_get(value, "size");

	if (json_is_array(value))
		(void)snprintf(ret, VALUE_SHOWN, "%zu values", json_array_size(value));
	else if (json_is_integer(count))
		(void)snprintf(ret, VALUE_SHOWN, "%lld values",
			       (long long)json_integer_value(count));
	else if (json_is_integer(size))
		(void)snprintf(ret, VALUE_SHOWN, "%lld bytes", (long long)json_integer_value(size));
	else
		output_cell(claims, &column, ret, VALUE_SHOWN);
}

void
claims_seen_print(const char *indent, json_t *claims)
{
	const char *name;
	json_t *value;
	char shown[NAME_SHOWN], text[VALUE_SHOWN];

	json_object_foreach(claims, name, value)
	{
		/* Of audit entries: it names all of them, and is none. */
		const char *title = strcmp(name, "sha256") == 0 ? "(all, by SHA-256)" : name;
		text_tame(title, strlen(title), shown, sizeof(shown));
		value_text(claims, name, value, text);
		(void)printf("%s%-24s  %s\n", indent, shown, text);
	}
}
