/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of Cedar's JSON share: values. */
#ifndef POSTERN_COMMAND_CEDAR_VALUE_H
#define POSTERN_COMMAND_CEDAR_VALUE_H

#include "cedar_document.h"
#include "policy/schema.h"

struct cedar_reader {
	struct policy_facts *facts;
	struct policy_error *err;
	enum policy_status status; /* of the first refusal, which `err` tells */
};

/* What a schema expects; where nothing is known the kind is POLICY_TYPE_NEVER. */
struct cedar_wanted {
	enum policy_type_kind kind;
	const struct policy_type *type; /* of sets and records */
};
struct cedar_wanted cedar_wanted(const struct policy_type *type);

/* Both return NULL, and a reader's status other than POLICY_OK, after a refusal. */
const struct policy_value *cedar_value(struct cedar_reader *reader, const struct cedar_place *at,
				       struct cedar_wanted wanted);
/* {"type", "id"}, or that as "__entity" of an object */
const struct policy_value *cedar_entity(struct cedar_reader *reader, const struct cedar_place *at);
/* An object as a record, without looking for escapes. Members are of the types that `record` says,
 * or all of the type `each`, or of any where both are NULL. */
const struct policy_value *cedar_record(struct cedar_reader *reader, const struct cedar_place *at,
					const struct policy_type *record,
					const struct policy_type *each);
/* Records the first refusal; always NULL. */
__attribute__((format(printf, 4, 5))) void *cedar_refuse(struct cedar_reader *reader,
							 const struct cedar_place *at,
							 enum policy_status status,
							 const char *format, ...);

#endif
