/* SPDX-License-Identifier: Apache-2.0 */
/* Literals, sets and records. The parser has made values of those without variables in them. */
#include "typecheck.h"

/* Entities that the schema has not were refused before: see validate_names.c. */
static const struct policy_type *
type_of_entity(const struct checker *checker, const struct policy_value *value)
{
	const struct schema_entity *entity =
		schema_find_entity(checker->schema, value->entity.type);

	return entity != NULL ? entity->type : NULL;
}

static const struct policy_type *type_of_value(struct checker *checker, struct position at,
					       const struct policy_value *value);

/* The type of a set's members, one after another. */
struct members {
	const struct policy_type *type; /* NULL: none yet, or no common one */
	size_t count;
	bool failed;
};

static void
add_member(struct checker *checker, struct members *members, struct position at,
	   const struct policy_type *type)
{
	char first[DESCRIPTION_SIZE];
	char other[DESCRIPTION_SIZE];

	members->count++;
	if (type == NULL || members->failed) {
		members->failed = true;
		return;
	}
	if (members->count == 1) {
		members->type = type;
		return;
	}
	const struct policy_type *joined = type_join(checker, members->type, type);
	if (joined == NULL) {
		checker_refuse(checker, at, "a set's members must be of one type, not %s and %s",
			       type_describe(members->type, first), type_describe(type, other));
		members->failed = true;
	}
	members->type = joined;
}

static const struct policy_type *
finish_set(struct checker *checker, const struct members *members, struct position at)
{
	if (members->count == 0) {
		checker_refuse(checker, at,
			       "`[]` has no type: ask `isEmpty()`, or name the members");
		return NULL;
	}
	if (members->failed || members->type == NULL)
		return NULL;
	return type_make_set(checker, members->type);
}

static const struct policy_type *
type_of_set(struct checker *checker, struct position at, const struct policy_value *set)
{
	struct members members = {0};

	for (size_t i = 0; i < set->set.count; i++)
		add_member(checker, &members, at, type_of_value(checker, at, set->set.items[i]));
	return finish_set(checker, &members, at);
}

static const struct policy_type *
type_of_record(struct checker *checker, struct position at, const struct policy_value *record)
{
	size_t count = record->record.count;
	struct type_field *fields = arena_take(&checker->arena, count, sizeof(*fields));
	bool failed = false;

	if (fields == NULL) {
		checker_out_of_memory(checker);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		const struct value_field *field = &record->record.fields[i];
		fields[i] = (struct type_field){.name = field->name,
						.type = type_of_value(checker, at, field->value),
						.required = true};
		failed |= fields[i].type == NULL;
	}
	return failed ? NULL : type_make_record(checker, fields, count);
}

static const struct policy_type *
type_of_value(struct checker *checker, struct position at, const struct policy_value *value)
{
	if (!checker_step(checker))
		return NULL;
	switch (value->kind) {
	case VALUE_BOOLEAN:
		return type_scalar(value->boolean ? POLICY_TYPE_TRUE : POLICY_TYPE_FALSE);
	case VALUE_LONG:
		return type_scalar(POLICY_TYPE_LONG);
	case VALUE_STRING:
		return type_scalar(POLICY_TYPE_STRING);
	case VALUE_ENTITY:
		return type_of_entity(checker, value);
	case VALUE_SET:
		return type_of_set(checker, at, value);
	case VALUE_RECORD:
		return type_of_record(checker, at, value);
	case VALUE_DECIMAL:
		return type_scalar(POLICY_TYPE_DECIMAL);
	case VALUE_IP:
		return type_scalar(POLICY_TYPE_IP);
	case VALUE_DATETIME:
		return type_scalar(POLICY_TYPE_DATETIME);
	case VALUE_DURATION:
		return type_scalar(POLICY_TYPE_DURATION);
	}
	return NULL;
}

struct typing
typecheck_literal(struct checker *checker, const struct expression *expression)
{
	return (struct typing){.type = type_of_value(checker, expression->at, expression->literal)};
}

struct typing
typecheck_set(struct checker *checker, const struct expression *expression)
{
	struct members members = {0};

	for (size_t i = 0; i < expression->many.count; i++) {
		const struct operand *operand = &expression->many.operands[i];
		add_member(checker, &members, operand->at, typecheck(checker, operand->value).type);
	}
	return (struct typing){.type = finish_set(checker, &members, expression->at)};
}

struct typing
typecheck_record(struct checker *checker, const struct expression *expression)
{
	size_t count = expression->many.count;
	struct type_field *fields = arena_take(&checker->arena, count, sizeof(*fields));
	bool failed = false;

	if (fields == NULL) {
		checker_out_of_memory(checker);
		return (struct typing){0};
	}
	for (size_t i = 0; i < count; i++) {
		const struct operand *operand = &expression->many.operands[i];
		fields[i] = (struct type_field){.name = operand->name,
						.type = typecheck(checker, operand->value).type,
						.required = true};
		failed |= fields[i].type == NULL;
	}
	return (struct typing){.type = failed ? NULL : type_make_record(checker, fields, count)};
}
