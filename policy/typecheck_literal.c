/* SPDX-License-Identifier: Apache-2.0 */
/* Literals, sets and records. The parser has made values of those without variables in them, but
 * kept what was written. */
#include "typecheck.h"

/* Entities that the schema has not were refused before: see validate_names.c. */
static const struct policy_type *
type_of_entity(const struct checker *checker, const struct policy_value *value)
{
	const struct schema_entity *entity =
		schema_find_entity(checker->schema, value->entity.type);

	return entity != NULL ? entity->type : NULL;
}

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

static struct typing
check_set(struct checker *checker, struct position at, const struct operand *operands, size_t count)
{
	struct members members = {0};

	for (size_t i = 0; i < count; i++)
		add_member(checker, &members, operands[i].at,
			   typecheck(checker, operands[i].value).type);
	return (struct typing){.type = finish_set(checker, &members, at)};
}

static struct typing
check_record(struct checker *checker, const struct operand *operands, size_t count)
{
	struct type_field *fields = arena_take(&checker->arena, count, sizeof(*fields));
	bool failed = false;

	if (fields == NULL) {
		checker_out_of_memory(checker);
		return (struct typing){0};
	}
	for (size_t i = 0; i < count; i++) {
		fields[i] = (struct type_field){.name = operands[i].name,
						.type = typecheck(checker, operands[i].value).type,
						.required = true};
		failed |= fields[i].type == NULL;
	}
	return (struct typing){.type = failed ? NULL : type_make_record(checker, fields, count)};
}

struct typing
typecheck_set(struct checker *checker, const struct expression *expression)
{
	return check_set(checker, expression->at, expression->many.operands,
			 expression->many.count);
}

struct typing
typecheck_record(struct checker *checker, const struct expression *expression)
{
	return check_record(checker, expression->many.operands, expression->many.count);
}

struct typing
typecheck_literal(struct checker *checker, const struct expression *expression)
{
	const struct policy_value *value = expression->literal;

	switch (value->kind) {
	case VALUE_BOOLEAN:
		return typing_scalar(value->boolean ? POLICY_TYPE_TRUE : POLICY_TYPE_FALSE);
	case VALUE_LONG:
		return typing_scalar(POLICY_TYPE_LONG);
	case VALUE_STRING:
		return typing_scalar(POLICY_TYPE_STRING);
	case VALUE_ENTITY:
		return (struct typing){.type = type_of_entity(checker, value)};
	case VALUE_SET:
		return check_set(checker, expression->at, expression->written,
				 expression->written_count);
	case VALUE_RECORD:
		return check_record(checker, expression->written, expression->written_count);
	case VALUE_DECIMAL:
		return typing_scalar(POLICY_TYPE_DECIMAL);
	case VALUE_IP:
		return typing_scalar(POLICY_TYPE_IP);
	case VALUE_DATETIME:
		return typing_scalar(POLICY_TYPE_DATETIME);
	case VALUE_DURATION:
		return typing_scalar(POLICY_TYPE_DURATION);
	}
	return (struct typing){0};
}
