/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between quotes -> characters. */
#ifndef POLICY_UNESCAPE_H
#define POLICY_UNESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads escapes one by one; the text must be valid UTF-8. */
struct unescape {
	const char *next;
	const char *end;
	/* Where the last character read began: the place of a mistake. */
	const char *at;
	bool in_pattern;   /* `\*` is a literal star: in `like` only */
	bool escaped_star; /* the last character was `\*` */
};

/* False at the end, and where something is no character or escape (then `ret_wrong` is set). */
bool unescape_next(struct unescape *unescape, uint32_t *ret_character, const char **ret_wrong);

#endif
