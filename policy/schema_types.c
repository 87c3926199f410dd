/* SPDX-License-Identifier: Apache-2.0 */
/* Types as written -> types: what names stand for, seen from a namespace. */
#include "error.h"
#include "schema_resolve.h"

/* The types without members, and an empty record, are the same in all schemas. */
static const struct policy_type scalars[] = {
	[POLICY_TYPE_NEVER] = {.kind = POLICY_TYPE_NEVER, .size = 1},
	[POLICY_TYPE_TRUE] = {.kind = POLICY_TYPE_TRUE, .size = 1},
	[POLICY_TYPE_FALSE] = {.kind = POLICY_TYPE_FALSE, .size = 1},
	[POLICY_TYPE_BOOLEAN] = {.kind = POLICY_TYPE_BOOLEAN, .size = 1},
	[POLICY_TYPE_LONG] = {.kind = POLICY_TYPE_LONG, .size = 1},
	[POLICY_TYPE_STRING] = {.kind = POLICY_TYPE_STRING, .size = 1},
	[POLICY_TYPE_DECIMAL] = {.kind = POLICY_TYPE_DECIMAL, .size = 1},
	[POLICY_TYPE_IP] = {.kind = POLICY_TYPE_IP, .size = 1},
	[POLICY_TYPE_DATETIME] = {.kind = POLICY_TYPE_DATETIME, .size = 1},
	[POLICY_TYPE_DURATION] = {.kind = POLICY_TYPE_DURATION, .size = 1},
};
static const struct policy_type empty_record = {.kind = POLICY_TYPE_RECORD, .height = 1, .size = 1};

const struct policy_type *
type_scalar(enum policy_type_kind kind)
{
	return &scalars[kind];
}

const struct policy_type *
type_empty_record(void)
{
	return &empty_record;
}

static const struct policy_type *
find_built_in(const struct text *name)
{
	static const struct {
		const char *name;
		enum policy_type_kind kind;
	} table[] = {
		{"Bool", POLICY_TYPE_BOOLEAN},	    {"Long", POLICY_TYPE_LONG},
		{"String", POLICY_TYPE_STRING},	    {"ipaddr", POLICY_TYPE_IP},
		{"decimal", POLICY_TYPE_DECIMAL},   {"datetime", POLICY_TYPE_DATETIME},
		{"duration", POLICY_TYPE_DURATION},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (text_is(name, table[i].name))
			return type_scalar(table[i].kind);
	}
	return NULL;
}

static void *
refuse_unknown(struct resolver *resolver, struct position at, const struct text *name)
{
	char quoted[QUOTED_SIZE];

	policy_quote(quoted, name->data, name->size);
	return parser_refuse(resolver->parser, POLICY_INVALID, at, "no type `%s` is declared",
			     quoted);
}

/* ---- nesting: common types count as if they were written out, and their names count too ---- */

static bool
enter(struct resolver *resolver, struct position at, unsigned int levels)
{
	if (levels > POLICY_NESTING_MAX - resolver->depth)
		return parser_refuse(resolver->parser, POLICY_LIMIT, at, "nested deeper than %d",
				     POLICY_NESTING_MAX) != NULL;
	if (resolver->depth + levels > resolver->deepest)
		resolver->deepest = resolver->depth + levels;
	return true;
}

static const struct policy_type *resolve(struct resolver *resolver, const struct text *space,
					 const struct type_syntax *syntax);

static const struct policy_type *
resolve_definition(struct resolver *resolver, struct schema_common *common, struct position at)
{
	const struct declaration *declaration = common->declaration;
	unsigned int outer = resolver->deepest;

	if (!enter(resolver, at, 1))
		return NULL;
	common->state = COMMON_AT_WORK;
	resolver->deepest = ++resolver->depth;
	common->type = resolve(resolver, declaration->space, declaration->type);
	common->levels = resolver->deepest - --resolver->depth;
	common->state = COMMON_RESOLVED;
	if (resolver->deepest < outer)
		resolver->deepest = outer;
	return common->type;
}

static const struct policy_type *
resolve_common(struct resolver *resolver, struct schema_common *common, struct position at)
{
	switch (common->state) {
	case COMMON_WAITS:
		return resolve_definition(resolver, common, at);
	case COMMON_AT_WORK:
		return parser_refuse(resolver->parser, POLICY_INVALID, at,
				     "this type would be made of itself");
	case COMMON_RESOLVED:
		break;
	}
	return enter(resolver, at, common->levels) ? common->type : NULL;
}

/* ---- names ---- */

/* A name without a namespace is looked for in the one at hand first, then outside of all, then
 * among Cedar's own. Of one name a common type goes before an entity type. */
static const struct policy_type *
resolve_name(struct resolver *resolver, const struct text *space, const struct type_syntax *syntax)
{
	bool qualified = schema_name_is_qualified(syntax->name);
	const struct text *const spaces[] = {qualified ? NULL : space, NULL};

	for (size_t i = spaces[0] == NULL ? 1 : 0; i < 2; i++) {
		const struct schema_definition *found =
			schema_look_up(resolver->schema, spaces[i], syntax->name);
		if (found != NULL && found->common != NULL)
			return resolve_common(resolver, found->common, syntax->at);
		if (found != NULL && found->entity != NULL)
			return found->entity->type;
	}
	const struct policy_type *built_in = find_built_in(syntax->name);
	if (built_in == NULL)
		return refuse_unknown(resolver, syntax->at, syntax->name);
	return built_in;
}

struct schema_entity *
schema_resolve_entity_type(struct resolver *resolver, const struct text *space,
			   const struct path *path)
{
	const struct schema_definition *found = NULL;

	if (space != NULL && !schema_name_is_qualified(path->name))
		found = schema_look_up(resolver->schema, space, path->name);
	if (found == NULL || found->entity == NULL)
		found = schema_look_up(resolver->schema, NULL, path->name);
	if (found == NULL || found->entity == NULL || found->entity->is_action)
		return refuse_unknown(resolver, path->at, path->name);
	return found->entity;
}

/* ---- sets and records ---- */

static bool
add_size(struct resolver *resolver, struct policy_type *type, const struct policy_type *member,
	 struct position at)
{
	if (member->height >= type->height)
		type->height = member->height + 1;
	type->size += member->size; /* no overflow: both are limited */
	if (type->size > POLICY_SCHEMA_TYPE_SIZE_MAX)
		return parser_refuse(resolver->parser, POLICY_LIMIT, at,
				     "a type of more than %d parts",
				     POLICY_SCHEMA_TYPE_SIZE_MAX) != NULL;
	return true;
}

static const struct policy_type *
resolve_set(struct resolver *resolver, const struct text *space, const struct type_syntax *syntax)
{
	struct policy_type *type = arena_take(resolver->parser->arena, 1, sizeof(*type));
	const struct policy_type *element = resolve(resolver, space, syntax->element);

	if (type == NULL)
		return parser_out_of_memory(resolver->parser);
	if (element == NULL)
		return NULL;
	*type = (struct policy_type){
		.kind = POLICY_TYPE_SET, .height = 1, .size = 1, .element = element};
	return add_size(resolver, type, element, syntax->at) ? type : NULL;
}

/* By name; of equal names the one written first. */
static int
compare_attributes(const void *a, const void *b)
{
	const struct attribute_syntax *const *x = a;
	const struct attribute_syntax *const *y = b;
	int order = text_compare((*x)->name, (*y)->name);

	return order != 0 ? order : (*x > *y) - (*x < *y);
}

/* Attributes in order; of those with the same name Cedar takes the last, and does not look at the
 * others' types. */
static const struct attribute_syntax **
order_attributes(struct resolver *resolver, const struct type_syntax *syntax, size_t *ret_count)
{
	const struct attribute_syntax **ordered =
		arena_take(&resolver->parser->scratch, syntax->count, sizeof(*ordered));
	size_t count = 0;

	if (ordered == NULL)
		return parser_out_of_memory(resolver->parser);
	for (size_t i = 0; i < syntax->count; i++)
		ordered[i] = &syntax->attributes[i];
	sort_items(ordered, syntax->count, sizeof(ordered[0]), compare_attributes);
	for (size_t i = 0; i < syntax->count; i++) {
		if (count > 0 && ordered[count - 1]->name == ordered[i]->name)
			count--;
		ordered[count++] = ordered[i];
	}
	*ret_count = count;
	return ordered;
}

static const struct policy_type *
resolve_record(struct resolver *resolver, const struct text *space,
	       const struct type_syntax *syntax)
{
	size_t count = 0;
	const struct attribute_syntax **ordered = order_attributes(resolver, syntax, &count);

	if (ordered == NULL)
		return NULL;
	struct policy_type *type = arena_take(resolver->parser->arena, 1, sizeof(*type));
	struct type_field *fields = arena_take(resolver->parser->arena, count, sizeof(*fields));
	if (type == NULL || fields == NULL)
		return parser_out_of_memory(resolver->parser);
	*type = empty_record;
	type->record.fields = fields;
	type->record.count = count;
	for (size_t i = 0; i < count; i++) {
		const struct policy_type *member = resolve(resolver, space, ordered[i]->type);
		if (member == NULL || !add_size(resolver, type, member, ordered[i]->type->at))
			return NULL;
		fields[i] = (struct type_field){
			.name = ordered[i]->name, .type = member, .required = ordered[i]->required};
	}
	return type;
}

static const struct policy_type *
resolve(struct resolver *resolver, const struct text *space, const struct type_syntax *syntax)
{
	const struct policy_type *type = NULL;

	switch (syntax->kind) {
	case TYPE_SYNTAX_NAME:
		return resolve_name(resolver, space, syntax);
	case TYPE_SYNTAX_BUILT_IN:
		type = find_built_in(syntax->name);
		return type != NULL ? type : refuse_unknown(resolver, syntax->at, syntax->name);
	case TYPE_SYNTAX_SET:
	case TYPE_SYNTAX_RECORD:
		break;
	}
	if (!enter(resolver, syntax->at, 1))
		return NULL;
	resolver->depth++;
	type = syntax->kind == TYPE_SYNTAX_SET ? resolve_set(resolver, space, syntax)
					       : resolve_record(resolver, space, syntax);
	resolver->depth--;
	return type;
}

/* ---- for declarations ---- */

const struct policy_type *
schema_resolve_type(struct resolver *resolver, const struct text *space,
		    const struct type_syntax *syntax)
{
	return resolve(resolver, space, syntax);
}

const struct policy_type *
schema_resolve_attributes(struct resolver *resolver, const struct declaration *declaration)
{
	if (declaration->type == NULL)
		return type_empty_record();
	return resolve(resolver, declaration->space, declaration->type);
}

/* An entity type's name is refused here as any other type that is no record. */
const struct policy_type *
schema_resolve_context(struct resolver *resolver, const struct declaration *declaration)
{
	const struct policy_type *type = schema_resolve_attributes(resolver, declaration);

	if (type != NULL && type->kind != POLICY_TYPE_RECORD)
		return parser_refuse(resolver->parser, POLICY_INVALID, declaration->type->at,
				     "a context is a record");
	return type;
}

/* Those that nothing uses, too. */
bool
schema_resolve_commons(struct resolver *resolver)
{
	for (size_t i = 0; i < resolver->syntax->count; i++) {
		const struct declaration *declaration = &resolver->syntax->declarations[i];
		if (declaration->kind != DECLARE_TYPE)
			continue;
		const struct path *path = &declaration->names.items[0];
		const struct schema_definition *found =
			schema_look_up(resolver->schema, declaration->space, path->name);
		if (resolve_common(resolver, found->common, path->at) == NULL)
			return false;
	}
	return true;
}
