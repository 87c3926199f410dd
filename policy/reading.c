/* SPDX-License-Identifier: Apache-2.0 */
/* Entities from their text, and values from calls. */
#include "reading.h"
#include "error.h"
#include "extension.h"
#include "facts.h"
#include "parser.h"

#include <assert.h>

/* Entity := Path '::' STR, and nothing else */
static const struct policy_value *
parse_entity(struct parser *parser)
{
	struct path path;

	parser_advance(parser);
	if (!parser_path(parser, "an entity", &path))
		return NULL;
	if (path.id == NULL || parser->token.kind != TOKEN_END)
		return parser_unexpected(parser,
					 path.id == NULL ? "`::` and an id in quotes" : "the end");
	const struct policy_value *entity = value_entity(parser->arena, path.name, path.id);
	return entity != NULL ? entity : parser_out_of_memory(parser);
}

enum policy_status
policy_entity_parse(struct policy_facts *facts, struct policy_text source,
		    const struct policy_value **ret_entity, struct policy_error *err)
{
	struct parser parser = {.arena = &facts->arena, .err = err};

	if (source.size > POLICY_SOURCE_MAX)
		return policy_fail(err, POLICY_LIMIT, "the entity has more than %d bytes",
				   POLICY_SOURCE_MAX);
	if (!utf8_valid(source.data, source.size))
		return policy_fail(err, POLICY_SYNTAX, "the entity is not UTF-8");
	parser.buffer = arena_take(&parser.scratch, source.size + 1, 1);
	if (parser.buffer == NULL)
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	lexer_start(&parser.lexer, source);
	const struct policy_value *entity = parse_entity(&parser);
	arena_free(&parser.scratch);
	if (entity == NULL)
		return parser.status;
	*ret_entity = entity;
	return POLICY_OK;
}

static bool
takes(const struct extension_function *function, const struct policy_value *const *arguments,
      size_t count)
{
	if (function == NULL || function->arguments != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (arguments[i] == NULL || arguments[i]->kind != function->kinds[i])
			return false;
	}
	return true;
}

const struct policy_value *
policy_value_call(struct policy_facts *facts, struct policy_text function,
		  const struct policy_value *const *arguments, size_t count)
{
	struct text name = text_of(function.data, function.size);
	const struct extension_function *found = extension_find(&name, EXTENSION_CONSTRUCTOR);
	const char *reason = NULL;

	if (policy_facts_status(facts) != POLICY_OK)
		return facts_fail(facts, policy_facts_status(facts));
	if (found == NULL)
		found = extension_find(&name, EXTENSION_METHOD);
	if (!takes(found, arguments, count))
		return facts_fail(facts, POLICY_INVALID);
	const struct policy_value *value =
		extension_apply(found, &facts->arena, arguments, &reason);
	if (value == NULL)
		return facts_fail(facts, reason != NULL ? POLICY_INVALID : POLICY_MEMORY);
	return value;
}

void
policy_entity_texts(const struct policy_value *entity, struct policy_text *ret_type,
		    struct policy_text *ret_id)
{
	assert(entity->kind == VALUE_ENTITY);
	const struct text *type = entity->entity.type;
	const struct text *id = entity->entity.id;

	*ret_type = (struct policy_text){.data = type->data, .size = type->size};
	*ret_id = (struct policy_text){.data = id->data, .size = id->size};
}

bool
policy_value_is_record(const struct policy_value *value)
{
	return value->kind == VALUE_RECORD;
}

bool
policy_value_equal(const struct policy_value *a, const struct policy_value *b)
{
	return value_equal(a, b);
}

enum policy_status
policy_facts_status(const struct policy_facts *facts)
{
	for (; facts != NULL; facts = facts->base) {
		if (facts->failed != POLICY_OK)
			return facts->failed;
	}
	return POLICY_OK;
}
