/* SPDX-License-Identifier: Apache-2.0 */
/* Policy sets from several texts, under the caller's ids, and with templates filled in. A set never
 * changes: all of this is done before there is one. */
#ifndef POSTERN_POLICY_BUILDER_H
#define POSTERN_POLICY_BUILDER_H

#include "policy.h"

#define POLICY_ID_MAX 4096 /* bytes of an id that the caller chooses */

/* POLICY_SOURCE_MAX and POLICY_POLICIES_MAX hold for all texts and entries of a builder together.
 * Texts are copied. After a refusal the builder is unfit: whatever is asked next, the answer is the
 * first failure's status. */
struct policy_builder;

struct policy_builder *policy_builder_new(void); /* NULL when memory runs out */
void policy_builder_free(struct policy_builder *builder);

/* Every policy and template of the text, named as policy_set_parse does; the count goes on from one
 * text to the next. */
__attribute__((warn_unused_result)) enum policy_status
policy_builder_add(struct policy_builder *builder, struct policy_text source,
		   struct policy_error *err);
/* The one policy or template of the text, under this id. POLICY_INVALID: the id is in use. */
__attribute__((warn_unused_result)) enum policy_status
policy_builder_add_named(struct policy_builder *builder, struct policy_text id,
			 struct policy_text source, struct policy_error *err);
/* A policy from a template that was added before, with entities (copied) in its slots: NULL where
 * it has no such slot. POLICY_INVALID: no such template, a slot left empty or one that is not
 * there, no entity, or the id is in use by a policy, template or link. */
__attribute__((warn_unused_result)) enum policy_status
policy_builder_link(struct policy_builder *builder, struct policy_text template_id,
		    struct policy_text id, const struct policy_value *principal,
		    const struct policy_value *resource, struct policy_error *err);
/* The set, in the order in which all was added. The builder is empty and may only be freed. */
__attribute__((warn_unused_result)) enum policy_status
policy_builder_finish(struct policy_builder *builder, struct policy_set **ret_set,
		      struct policy_error *err);

#endif
