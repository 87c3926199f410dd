/* SPDX-License-Identifier: Apache-2.0 */
/* Policy sets as a whole, and what policies say about themselves. */
#include "ast.h"
#include "builder.h"
#include "error.h"

#include <assert.h>
#include <stdlib.h>

static struct policy_text
public_text(const struct text *text)
{
	return (struct policy_text){.data = text->data, .size = text->size};
}

enum policy_status
policy_set_parse(struct policy_text source, struct policy_set **ret_set, struct policy_error *err)
{
	struct policy_builder *builder = policy_builder_new();

	if (builder == NULL)
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	enum policy_status status = policy_builder_add(builder, source, err);
	if (status == POLICY_OK)
		status = policy_builder_finish(builder, ret_set, err);
	policy_builder_free(builder);
	return status;
}

void
policy_set_free(struct policy_set *set)
{
	if (set == NULL)
		return;
	arena_free(&set->arena);
	free(set);
}

size_t
policy_set_count(const struct policy_set *set)
{
	return set->count;
}

static struct policy_text
annotated_name(const struct policy *policy)
{
	for (size_t i = 0; i < policy->annotation_count; i++) {
		if (text_is(policy->annotations[i].name, "id"))
			return public_text(policy->annotations[i].value);
	}
	return (struct policy_text){.data = "", .size = 0};
}

void
policy_set_summary(const struct policy_set *set, size_t index, struct policy_summary *ret_summary)
{
	assert(index < set->count);
	const struct policy *policy = &set->policies[index];

	*ret_summary = (struct policy_summary){
		.id = public_text(policy->id),
		.name = annotated_name(policy),
		.kind = policy->kind,
		.template_index = policy->template_index,
		.principal_slot = policy->scopes[VARIABLE_PRINCIPAL].slot,
		.resource_slot = policy->scopes[VARIABLE_RESOURCE].slot,
		.effect = policy->effect,
		.principal = policy->scopes[VARIABLE_PRINCIPAL].shape,
		.action = policy->scopes[VARIABLE_ACTION].shape,
		.resource = policy->scopes[VARIABLE_RESOURCE].shape,
		.line = policy->at.line,
		.column = policy->at.column,
	};
}

bool
policy_set_may_cover(const struct policy_set *set, size_t index, struct policy_text type,
		     struct policy_text id)
{
	assert(index < set->count);
	const struct scope *scope = &set->policies[index].scopes[VARIABLE_ACTION];

	if (set->policies[index].kind == POLICY_TEMPLATE)
		return false;
	/* Which actions a group holds is not known here, so any group might hold this one; an empty
	 * list holds none. */
	if (scope->shape != POLICY_EQUALS)
		return scope->shape != POLICY_IN || scope->count > 0;
	struct text wanted_type = text_of(type.data, type.size);
	struct text wanted_id = text_of(id.data, id.size);
	const struct policy_value *entity = scope->entities[0];
	return text_equal(entity->entity.type, &wanted_type) &&
	       text_equal(entity->entity.id, &wanted_id);
}

bool
policy_set_mentions(const struct policy_set *set, struct policy_text word)
{
	struct text text = text_of(word.data, word.size);

	return names_has(&set->words, &text);
}
