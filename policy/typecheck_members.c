/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes and tags: which there are, and which are known to be there. */
#include "typecheck.h"

#include "error.h"

/* What a member is looked for in: the attributes of an entity, or a record. NULL for other types.
 */
static const struct policy_type *
members_of(const struct policy_type *type)
{
	if (type->kind == POLICY_TYPE_ENTITY)
		return type->entity->attributes;
	return type->kind == POLICY_TYPE_RECORD ? type : NULL;
}

static void
refuse_subject(struct checker *checker, struct position at, const struct policy_type *type,
	       const char *what)
{
	char found[DESCRIPTION_SIZE];

	checker_refuse(checker, at, "%s of an entity or a record, but this is of type %s", what,
		       type_describe(type, found));
}

/* ---- has ---- */

/* Is the name one that the subject has, or may have? Of an entity even what is required may be
 * missing, for the entity itself may not exist. */
static struct typing
check_presence(struct checker *checker, const struct expression *expression, size_t index,
	       const struct policy_type *type, const struct type_field *field)
{
	const struct capability *capability;

	if (field == NULL)
		return typing_scalar(POLICY_TYPE_FALSE);
	if (field->required && type->kind == POLICY_TYPE_RECORD)
		return typing_scalar(POLICY_TYPE_TRUE);
	capability = capability_attribute(checker, expression->has.subject, expression->has.path,
					  index + 1);
	if (known_has(checker, capability))
		return typing_scalar(POLICY_TYPE_TRUE);
	return (struct typing){.type = type_scalar(POLICY_TYPE_BOOLEAN),
			       .grants = grants_one(checker, capability)};
}

/* `x has a.b` is `x has a && x.a has b`: what a name makes known holds for those behind it. */
struct typing
typecheck_has(struct checker *checker, const struct expression *expression)
{
	struct typing whole = typing_scalar(POLICY_TYPE_TRUE);
	const struct policy_type *type = typecheck(checker, expression->has.subject).type;

	if (type == NULL)
		return (struct typing){0};
	for (size_t i = 0; i < expression->has.count && checker_step(checker); i++) {
		const struct policy_type *members = members_of(type);
		if (members == NULL) {
			refuse_subject(checker, expression->at, type, "`has` asks");
			return (struct typing){0};
		}
		const struct type_field *field = type_record_get(members, expression->has.path[i]);
		struct typing part = check_presence(checker, expression, i, type, field);
		if (part.type->kind == POLICY_TYPE_FALSE)
			return part;
		if (part.type->kind == POLICY_TYPE_BOOLEAN)
			whole.type = part.type;
		whole.grants = grants_both(checker, whole.grants, part.grants);
		type = field->type;
	}
	return whole;
}

/* ---- access ---- */

static void
refuse_unknown(struct checker *checker, const struct expression *expression,
	       const struct policy_type *type, const struct policy_type *members)
{
	char name[QUOTED_SIZE];
	char found[DESCRIPTION_SIZE];
	char nearest[SUGGESTION_SIZE];
	struct suggestion suggestion = suggestion_begin(checker, expression->attribute.name);

	for (size_t i = 0; i < members->record.count; i++)
		suggestion_offer(&suggestion, members->record.fields[i].name);
	policy_quote(name, expression->attribute.name->data, expression->attribute.name->size);
	checker_refuse(checker, expression->at, "%s has no attribute `%s`%s",
		       type->kind == POLICY_TYPE_RECORD ? "this record"
							: type_describe(type, found),
		       name, suggestion_write(&suggestion, nearest));
}

struct typing
typecheck_attribute(struct checker *checker, const struct expression *expression)
{
	char name[QUOTED_SIZE];
	const struct expression *subject = expression->attribute.subject;
	const struct policy_type *type = typecheck(checker, subject).type;

	if (type == NULL)
		return (struct typing){0};
	const struct policy_type *members = members_of(type);
	if (members == NULL) {
		refuse_subject(checker, expression->at, type, "an attribute is one");
		return (struct typing){0};
	}
	const struct type_field *field = type_record_get(members, expression->attribute.name);
	if (field == NULL) {
		refuse_unknown(checker, expression, type, members);
		return (struct typing){0};
	}
	if (!field->required &&
	    !known_has(checker,
		       capability_attribute(checker, subject, &expression->attribute.name, 1))) {
		policy_quote(name, field->name->data, field->name->size);
		checker_refuse(checker, expression->at,
			       "the attribute `%s` is optional and may not be there: test it "
			       "with `has` first",
			       name);
	}
	return (struct typing){.type = field->type};
}

/* ---- tags ---- */

/* The entity type of the subject; NULL where that or the key was refused. */
static const struct schema_entity *
check_tag_operands(struct checker *checker, const struct expression *expression)
{
	const struct policy_type *subject =
		typecheck_kind(checker, expression->pair.left, POLICY_TYPE_ENTITY, "what has tags");
	const struct policy_type *key =
		typecheck_kind(checker, expression->pair.right, POLICY_TYPE_STRING, "a tag's name");

	return subject != NULL && key != NULL ? subject->entity : NULL;
}

struct typing
typecheck_has_tag(struct checker *checker, const struct expression *expression)
{
	const struct schema_entity *entity = check_tag_operands(checker, expression);

	if (entity == NULL)
		return (struct typing){0};
	if (entity->tags == NULL)
		return typing_scalar(POLICY_TYPE_FALSE);
	const struct capability *capability =
		capability_tag(checker, expression->pair.left, expression->pair.right);
	if (known_has(checker, capability))
		return typing_scalar(POLICY_TYPE_TRUE);
	return (struct typing){.type = type_scalar(POLICY_TYPE_BOOLEAN),
			       .grants = grants_one(checker, capability)};
}

struct typing
typecheck_get_tag(struct checker *checker, const struct expression *expression)
{
	char name[QUOTED_SIZE];
	const struct schema_entity *entity = check_tag_operands(checker, expression);

	if (entity == NULL)
		return (struct typing){0};
	if (entity->tags == NULL) {
		policy_quote(name, entity->name->data, entity->name->size);
		checker_refuse(checker, expression->at, "%s has no tags", name);
		return (struct typing){0};
	}
	if (!known_has(checker,
		       capability_tag(checker, expression->pair.left, expression->pair.right)))
		checker_refuse(checker, expression->at,
			       "the tag may not be there: test it with `hasTag` first, with the "
			       "same name");
	return (struct typing){.type = entity->tags};
}
