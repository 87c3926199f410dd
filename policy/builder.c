/* SPDX-License-Identifier: Apache-2.0 */
/* From texts to a policy set. */
#include "builder.h"
#include "error.h"
#include "index.h"
#include "parser.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 64

/* The parser stays from one text to the next: it keeps the names, and memory for the moment. */
struct policy_builder {
	struct parser parser;
	struct policy_set *set;
	struct policy *policies; /* in the parser's scratch, as the slots are */
	size_t count;
	size_t capacity;
	size_t *slots; /* by id: an index of `policies` plus one; the size is a power of two */
	size_t slot_count;
	struct names ids;   /* apart from the names, which are the words of the texts */
	size_t numbered;    /* policies that are called by a number */
	size_t source_size; /* of all texts */
	enum policy_status failed;
};

struct policy_builder *
policy_builder_new(void)
{
	struct policy_builder *builder = calloc(1, sizeof(*builder));
	struct policy_set *set = calloc(1, sizeof(*set));

	if (builder == NULL || set == NULL) {
		free(builder);
		free(set);
		return NULL;
	}
	builder->set = set;
	builder->parser.arena = &set->arena;
	return builder;
}

void
policy_builder_free(struct policy_builder *builder)
{
	if (builder == NULL)
		return;
	arena_free(&builder->parser.scratch);
	policy_set_free(builder->set);
	free(builder);
}

/* Every call comes through here at its end, so that a refusal stays. */
static enum policy_status
settled(struct policy_builder *builder, enum policy_status status)
{
	if (builder->failed == POLICY_OK)
		builder->failed = status;
	return status;
}

static enum policy_status
check_usable(const struct policy_builder *builder, struct policy_error *err)
{
	if (builder->failed != POLICY_OK)
		return policy_fail(err, builder->failed, "something was refused before");
	if (builder->set == NULL)
		return policy_fail(err, POLICY_INVALID, "the set was finished before");
	return POLICY_OK;
}

/* ---- ids ---- */

/* Where the id is, or where it belongs. */
static size_t
find_slot(const struct policy_builder *builder, const struct text *id)
{
	size_t slot = (size_t)id->hash & (builder->slot_count - 1);

	while (builder->slots[slot] != 0 &&
	       !text_equal(builder->policies[builder->slots[slot] - 1].id, id))
		slot = (slot + 1) & (builder->slot_count - 1);
	return slot;
}

/* At most half full, so that a search always meets a free place. */
static bool
make_room(struct policy_builder *builder)
{
	if (builder->count * 2 < builder->slot_count)
		return true;
	size_t count = builder->slot_count == 0 ? SLOTS_FIRST : 2 * builder->slot_count;
	size_t *slots = arena_take(&builder->parser.scratch, count, sizeof(*slots));
	if (slots == NULL)
		return false;
	memset(slots, 0, count * sizeof(*slots));
	builder->slots = slots;
	builder->slot_count = count;
	for (size_t i = 0; i < builder->count; i++)
		slots[find_slot(builder, builder->policies[i].id)] = i + 1;
	return true;
}

/* NULL where there is none. */
static const struct policy *
find_policy(const struct policy_builder *builder, const struct text *id)
{
	if (builder->slot_count == 0)
		return NULL;
	size_t found = builder->slots[find_slot(builder, id)];
	return found != 0 ? &builder->policies[found - 1] : NULL;
}

static const struct text *
intern(struct policy_builder *builder, const char *data, size_t size)
{
	struct parser *parser = &builder->parser;

	return names_intern(&parser->names, parser->arena, &parser->scratch, data, size);
}

static enum policy_status
check_id(struct policy_text id, struct policy_error *err)
{
	if (id.size > POLICY_ID_MAX)
		return policy_fail(err, POLICY_LIMIT, "the id has more than %d bytes",
				   POLICY_ID_MAX);
	if (id.size > 0 && !utf8_valid(id.data, id.size))
		return policy_fail(err, POLICY_INVALID, "the id is not UTF-8");
	return POLICY_OK;
}

/* Adds a policy that is whole but for its id, at `at` for whoever reads the refusal. */
static enum policy_status
append(struct policy_builder *builder, const struct policy *policy, struct policy_text id,
       struct position at, struct policy_error *err)
{
	char quoted[QUOTED_SIZE];

	if (builder->count == POLICY_POLICIES_MAX)
		return policy_fail_at(err, POLICY_LIMIT, at.line, at.column,
				      "more than %d policies", POLICY_POLICIES_MAX);
	const struct text *name = names_intern(&builder->ids, &builder->set->arena,
					       &builder->parser.scratch, id.data, id.size);
	struct policy *policies = arena_grow(&builder->parser.scratch, builder->policies,
					     builder->count, sizeof(*policies), &builder->capacity);
	if (name == NULL || policies == NULL)
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	builder->policies = policies;
	if (!make_room(builder))
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	size_t slot = find_slot(builder, name);
	if (builder->slots[slot] != 0) {
		policy_quote(quoted, id.data, id.size);
		return policy_fail_at(err, POLICY_INVALID, at.line, at.column,
				      "the id `%s` is in use", quoted);
	}
	policies[builder->count] = *policy;
	policies[builder->count].id = name;
	builder->slots[slot] = ++builder->count;
	return POLICY_OK;
}

/* ---- texts ---- */

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

/* Gets the parser to the text's first token. */
static enum policy_status
start_text(struct policy_builder *builder, struct policy_text source, struct policy_error *err)
{
	struct parser *parser = &builder->parser;
	enum policy_status status = check_usable(builder, err);

	if (status != POLICY_OK)
		return status;
	if (source.size > POLICY_SOURCE_MAX - builder->source_size)
		return policy_fail(err, POLICY_LIMIT, "the text has more than %d bytes",
				   POLICY_SOURCE_MAX);
	if (source.data == NULL)
		source = (struct policy_text){.data = "", .size = 0};
	if (!utf8_valid(source.data, source.size))
		return refuse_bytes(source, err);
	builder->source_size += source.size;
	parser->buffer = arena_take(&parser->scratch, source.size, 1);
	if (parser->buffer == NULL)
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	parser->err = err;
	parser->depth = 0;
	lexer_start(&parser->lexer, source);
	parser_advance(parser);
	return POLICY_OK;
}

static enum policy_status
add_numbered(struct policy_builder *builder, struct policy_error *err)
{
	struct policy policy;
	char id[32];

	if (!parse_policy(&builder->parser, &policy))
		return builder->parser.status;
	int size = snprintf(id, sizeof(id), "policy%zu", builder->numbered++);
	return append(builder, &policy, (struct policy_text){.data = id, .size = (size_t)size},
		      policy.at, err);
}

static enum policy_status
add_all(struct policy_builder *builder, struct policy_text source, struct policy_error *err)
{
	enum policy_status status = start_text(builder, source, err);

	while (status == POLICY_OK && builder->parser.token.kind != TOKEN_END)
		status = add_numbered(builder, err);
	return status;
}

enum policy_status
policy_builder_add(struct policy_builder *builder, struct policy_text source,
		   struct policy_error *err)
{
	return settled(builder, add_all(builder, source, err));
}

static enum policy_status
add_one(struct policy_builder *builder, struct policy_text id, struct policy_text source,
	struct policy_error *err)
{
	struct parser *parser = &builder->parser;
	struct policy policy;

	enum policy_status status = check_id(id, err);
	if (status == POLICY_OK)
		status = start_text(builder, source, err);
	if (status != POLICY_OK)
		return status;
	if (!parse_policy(parser, &policy) ||
	    (parser->token.kind != TOKEN_END &&
	     parser_unexpected(parser, "the end of the text") == NULL))
		return parser->status;
	return append(builder, &policy, id, policy.at, err);
}

enum policy_status
policy_builder_add_named(struct policy_builder *builder, struct policy_text id,
			 struct policy_text source, struct policy_error *err)
{
	return settled(builder, add_one(builder, id, source, err));
}

/* ---- links ---- */

/* The caller's entity, kept with the set. */
static const struct policy_value *
copy_entity(struct policy_builder *builder, const struct policy_value *entity)
{
	const struct text *type =
		intern(builder, entity->entity.type->data, entity->entity.type->size);
	const struct text *id = intern(builder, entity->entity.id->data, entity->entity.id->size);

	if (type == NULL || id == NULL)
		return NULL;
	return value_entity(&builder->set->arena, type, id);
}

static enum policy_status
fill_slot(struct policy_builder *builder, struct policy *policy, enum variable variable,
	  const struct policy_value *entity, struct policy_error *err)
{
	struct scope *scope = &policy->scopes[variable];
	const char *name = variable_names[variable];

	if (!scope->slot && entity == NULL)
		return POLICY_OK;
	if (!scope->slot)
		return policy_fail(err, POLICY_INVALID, "the template has no slot ?%s", name);
	if (entity == NULL)
		return policy_fail(err, POLICY_INVALID, "the slot ?%s needs an entity", name);
	if (entity->kind != VALUE_ENTITY)
		return policy_fail(err, POLICY_INVALID, "what is for ?%s is no entity", name);
	const struct policy_value **entities =
		arena_take(&builder->set->arena, 1, sizeof(*entities));
	const struct policy_value *copy = copy_entity(builder, entity);
	if (entities == NULL || copy == NULL)
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	entities[0] = copy;
	scope->entities = entities;
	scope->count = 1;
	scope->slot = false;
	return POLICY_OK;
}

static enum policy_status
find_template(const struct policy_builder *builder, struct policy_text id,
	      const struct policy **ret_template, struct policy_error *err)
{
	struct text wanted = text_of(id.data, id.size);
	const struct policy *policy = find_policy(builder, &wanted);
	char quoted[QUOTED_SIZE];

	policy_quote(quoted, id.data, id.size);
	if (policy == NULL)
		return policy_fail(err, POLICY_INVALID, "there is no template `%s`", quoted);
	if (policy->kind != POLICY_TEMPLATE)
		return policy_fail(err, POLICY_INVALID, "`%s` is no template", quoted);
	*ret_template = policy;
	return POLICY_OK;
}

static enum policy_status
link_template(struct policy_builder *builder, struct policy_text template_id, struct policy_text id,
	      const struct policy_value *principal, const struct policy_value *resource,
	      struct policy_error *err)
{
	const struct policy *template = NULL;

	enum policy_status status = check_usable(builder, err);
	if (status == POLICY_OK)
		status = check_id(id, err);
	if (status == POLICY_OK)
		status = find_template(builder, template_id, &template, err);
	if (status != POLICY_OK)
		return status;
	struct policy policy = *template;
	policy.kind = POLICY_LINK;
	policy.template_index = (size_t)(template - builder->policies);
	status = fill_slot(builder, &policy, VARIABLE_PRINCIPAL, principal, err);
	if (status == POLICY_OK)
		status = fill_slot(builder, &policy, VARIABLE_RESOURCE, resource, err);
	if (status != POLICY_OK)
		return status;
	return append(builder, &policy, id, (struct position){0}, err);
}

enum policy_status
policy_builder_link(struct policy_builder *builder, struct policy_text template_id,
		    struct policy_text id, const struct policy_value *principal,
		    const struct policy_value *resource, struct policy_error *err)
{
	return settled(builder, link_template(builder, template_id, id, principal, resource, err));
}

/* ---- the end ---- */

static bool
fill_set(struct policy_builder *builder, struct policy_set *set)
{
	struct policy *policies = arena_take(&set->arena, builder->count, sizeof(*policies));

	if (policies == NULL)
		return false;
	if (builder->count > 0)
		memcpy(policies, builder->policies, builder->count * sizeof(*policies));
	set->policies = policies;
	set->count = builder->count;
	return names_keep(&builder->parser.names, &set->arena, &set->words) &&
	       index_build(set, &builder->parser.scratch);
}

static enum policy_status
finish(struct policy_builder *builder, struct policy_set **ret_set, struct policy_error *err)
{
	enum policy_status status = check_usable(builder, err);

	if (status != POLICY_OK)
		return status;
	if (!fill_set(builder, builder->set))
		return policy_fail(err, POLICY_MEMORY, "out of memory");
	*ret_set = builder->set;
	builder->set = NULL;
	return POLICY_OK;
}

enum policy_status
policy_builder_finish(struct policy_builder *builder, struct policy_set **ret_set,
		      struct policy_error *err)
{
	return settled(builder, finish(builder, ret_set, err));
}
