/* SPDX-License-Identifier: Apache-2.0 */
/* Texts kept once: equal texts of one set are one address. */
#ifndef POLICY_NAMES_H
#define POLICY_NAMES_H

#include "arena.h"
#include "text.h"

struct names {
	const struct text **slots; /* open addressing; the size is a power of two */
	size_t slot_count;
	size_t count;
};

/* The kept copy of `data`: texts live in `kept`, the table in `scratch`. NULL when memory runs out.
 */
const struct text *names_intern(struct names *names, struct arena *kept, struct arena *scratch,
				const char *data, size_t size);
/* The same table in another arena, for as long as that lives. False: no memory. */
bool names_keep(const struct names *names, struct arena *kept, struct names *ret_names);
bool names_has(const struct names *names, const struct text *text);

#endif
