/* SPDX-License-Identifier: Apache-2.0 */
/* One entity of Cedar's JSON. */
#ifndef POSTERN_COMMAND_CEDAR_ENTITY_H
#define POSTERN_COMMAND_CEDAR_ENTITY_H

#include "cedar_value.h"

struct cedar_told {
	struct policy_text type;
	struct policy_text id;
	const struct policy_value *name;
	const struct policy_value *attributes;
	const struct policy_value *tags;     /* NULL: none */
	const struct policy_value **parents; /* freed by the caller, after a refusal too */
	size_t parent_count;
	const struct policy_value *parent_set;
};

/* {"uid", "attrs", "parents", "tags"}; after a refusal the reader has a status. */
void cedar_told_read(struct cedar_reader *reader, const struct cedar_place *at,
		     const struct policy_schema *schema, struct cedar_told *ret_told);

#endif
