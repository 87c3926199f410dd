/* SPDX-License-Identifier: Apache-2.0 */
/* What readers of facts in other forms, such as Cedar's JSON, need beside the builders of policy.h.
 * Builders here fail as those do. */
#ifndef POSTERN_POLICY_READING_H
#define POSTERN_POLICY_READING_H

#include "policy.h"

/* Of `Type::"id"`, as it stands in a policy, with nothing behind it. POLICY_SYNTAX with line and
 * column within the text, POLICY_LIMIT, POLICY_MEMORY. The layer stays fit. */
__attribute__((warn_unused_result)) enum policy_status
policy_entity_parse(struct policy_facts *facts, struct policy_text source,
		    const struct policy_value **ret_entity, struct policy_error *err);
/* What a constructor, or a method with its subject as the first argument, makes of values:
 * `offset(datetime, duration)`. POLICY_INVALID where there is no such function, or no result. */
const struct policy_value *policy_value_call(struct policy_facts *facts,
					     struct policy_text function,
					     const struct policy_value *const *arguments,
					     size_t count);
/* The name of an entity, which must be one; the texts live as long as the value. */
void policy_entity_texts(const struct policy_value *entity, struct policy_text *ret_type,
			 struct policy_text *ret_id);
bool policy_value_is_record(const struct policy_value *value);
/* As `==` compares them. */
bool policy_value_equal(const struct policy_value *a, const struct policy_value *b);
/* Why a builder answered NULL; POLICY_OK while none has, in this layer or below. */
enum policy_status policy_facts_status(const struct policy_facts *facts);

#endif
