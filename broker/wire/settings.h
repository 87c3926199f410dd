/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files of posternd and postern: lines of `key = value`, `#` begins a comment line,
 * some keys may be repeated. Unknown keys and bad values are errors with the line's number.
 */
#ifndef POSTERN_WIRE_SETTINGS_H
#define POSTERN_WIRE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#define SETTINGS_FILE_MAX  (64 * 1024)
#define SETTINGS_VALUE_MAX 1024

/* What a program accepts; the table ends with a NULL key. */
struct settings_key {
	const char *key;
	bool repeatable;
	bool required;
};
struct settings;

/* `problem` (200 bytes) tells file, line and what to do. NULL on failure. */
struct settings *settings_load(const char *file, const struct settings_key *keys,
			       char problem[200]);
struct settings *settings_parse(const char *text, size_t size, const char *file,
				const struct settings_key *keys, char problem[200]);
void settings_free(struct settings *settings);
/* The index-th value of a key, NULL where there is none. */
const char *settings_get(const struct settings *settings, const char *key, size_t index);
/* False: present, but not a number within [min, max]. */
bool settings_number(const struct settings *settings, const char *key, long min, long max,
		     long absent, long *ret_number);

#endif
