/* SPDX-License-Identifier: Apache-2.0 */
/* Policy sets: parsing as a whole, and what policies say about themselves. */
#include "error.h"
#include "parser.h"

#include <assert.h>
#include <stdlib.h>

static struct policy_text
public_text(const struct text *text)
{
	return (struct policy_text){.data = text->data, .size = text->size};
}

/* Where a source stops being UTF-8. */
static enum policy_status
refuse_bytes(struct policy_text source, struct policy_error *err)
{
	struct position at = {.line = 1, .column = 1};
	uint32_t character;
	size_t offset = 0;

	for (;;) {
		size_t size = utf8_read(source.data + offset, source.size - offset, &character);
		if (size == 0)
			break;
		at = position_after(at, source.data + offset, size);
		offset += size;
	}
	return policy_fail_at(err, POLICY_SYNTAX, at.line, at.column, "this is not UTF-8");
}

static enum policy_status
parse_source(struct policy_text source, struct policy_set *set, struct policy_error *err)
{
	struct parser parser = {.arena = &set->arena, .err = err};

	parser.buffer = arena_take(&parser.scratch, source.size, 1);
	if (parser.buffer == NULL) {
		parser_out_of_memory(&parser);
	} else {
		lexer_start(&parser.lexer, source);
		parser_advance(&parser);
		parse_policies(&parser, set);
		if (parser.status == POLICY_OK &&
		    !names_keep(&parser.names, &set->arena, &set->words))
			parser_out_of_memory(&parser);
	}
	arena_free(&parser.scratch);
	return parser.status;
}

enum policy_status
policy_set_parse(struct policy_text source, struct policy_set **ret_set, struct policy_error *err)
{
	if (source.size > POLICY_SOURCE_MAX)
		return policy_fail(err, POLICY_LIMIT, "the text has more than %d bytes",
				   POLICY_SOURCE_MAX);
	if (source.data == NULL)
		source = (struct policy_text){.data = "", .size = 0};
	if (!utf8_valid(source.data, source.size))
		return refuse_bytes(source, err);
	struct policy_set *set = calloc(1, sizeof(*set));
	if (set == NULL)
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	enum policy_status status = parse_source(source, set, err);
	if (status != POLICY_OK) {
		policy_set_free(set);
		return status;
	}
	*ret_set = set;
	return POLICY_OK;
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
