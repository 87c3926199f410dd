/* SPDX-License-Identifier: Apache-2.0 */
/* Types made of others, the type that two have in common, and what types are called. */
#include "error.h"
#include "typecheck.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct policy_type *
make_type(struct checker *checker, struct policy_type type)
{
	struct policy_type *made = arena_take(&checker->arena, 1, sizeof(*made));

	if (made == NULL) {
		checker_out_of_memory(checker);
		return NULL;
	}
	*made = type;
	return made;
}

const struct policy_type *
type_make_set(struct checker *checker, const struct policy_type *element)
{
	return make_type(checker, (struct policy_type){.kind = POLICY_TYPE_SET,
						       .height = element->height + 1,
						       .size = element->size + 1,
						       .element = element});
}

static int
compare_fields(const void *a, const void *b)
{
	const struct type_field *x = a;
	const struct type_field *y = b;

	return text_compare(x->name, y->name);
}

const struct policy_type *
type_make_record(struct checker *checker, struct type_field *fields, size_t count)
{
	struct policy_type record = {.kind = POLICY_TYPE_RECORD, .size = 1};

	sort_items(fields, count, sizeof(*fields), compare_fields);
	for (size_t i = 0; i < count; i++) {
		if (fields[i].type->height >= record.height)
			record.height = fields[i].type->height + 1;
		record.size += fields[i].type->size;
	}
	record.record.fields = fields;
	record.record.count = count;
	return make_type(checker, record);
}

/* ---- joining ---- */

static bool
is_boolean(enum policy_type_kind kind)
{
	return kind == POLICY_TYPE_TRUE || kind == POLICY_TYPE_FALSE || kind == POLICY_TYPE_BOOLEAN;
}

static const struct policy_type *
join_sets(struct checker *checker, const struct policy_type *a, const struct policy_type *b)
{
	const struct policy_type *element = type_join(checker, a->element, b->element);

	if (element == NULL || element == a->element)
		return element != NULL ? a : NULL;
	return element == b->element ? b : type_make_set(checker, element);
}

/* The same names, all as optional as each other. */
static bool
same_shape(const struct policy_type *a, const struct policy_type *b)
{
	if (a->record.count != b->record.count)
		return false;
	for (size_t i = 0; i < a->record.count; i++) {
		const struct type_field *x = &a->record.fields[i];
		const struct type_field *y = &b->record.fields[i];
		if (x->required != y->required || !text_equal(x->name, y->name))
			return false;
	}
	return true;
}

static const struct policy_type *
join_records(struct checker *checker, const struct policy_type *a, const struct policy_type *b)
{
	size_t count = a->record.count;
	bool changed = false;

	if (!same_shape(a, b))
		return NULL;
	struct type_field *fields = arena_take(&checker->arena, count, sizeof(*fields));
	if (fields == NULL) {
		checker_out_of_memory(checker);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		fields[i] = a->record.fields[i];
		fields[i].type = type_join(checker, fields[i].type, b->record.fields[i].type);
		if (fields[i].type == NULL)
			return NULL;
		changed |= fields[i].type != a->record.fields[i].type;
	}
	return changed ? type_make_record(checker, fields, count) : a;
}

const struct policy_type *
type_join(struct checker *checker, const struct policy_type *a, const struct policy_type *b)
{
	if (a == b || !checker_step(checker))
		return a;
	if (a->kind != b->kind)
		return is_boolean(a->kind) && is_boolean(b->kind) ? type_scalar(POLICY_TYPE_BOOLEAN)
								  : NULL;
	if (a->kind == POLICY_TYPE_ENTITY)
		return a->entity == b->entity ? a : NULL;
	if (a->kind == POLICY_TYPE_SET)
		return join_sets(checker, a, b);
	return a->kind == POLICY_TYPE_RECORD ? join_records(checker, a, b) : a;
}

/* ---- descriptions ---- */

struct description {
	char *buffer;
	size_t used; /* always below DESCRIPTION_SIZE */
};

__attribute__((format(printf, 2, 3))) static void
add(struct description *description, const char *format, ...)
{
	size_t room = DESCRIPTION_SIZE - description->used;
	va_list arguments;

	va_start(arguments, format);
	int size = vsnprintf(description->buffer + description->used, room, format, arguments);
	va_end(arguments);
	if (size > 0)
		description->used += (size_t)size < room ? (size_t)size : room - 1;
}

static void
add_text(struct description *description, const struct text *text)
{
	char quoted[QUOTED_SIZE];

	policy_quote(quoted, text->data, text->size);
	add(description, "%s", quoted);
}

static void
add_scalar(struct description *description, enum policy_type_kind kind)
{
	static const char *const names[] = {
		[POLICY_TYPE_NEVER] = "nothing",     [POLICY_TYPE_TRUE] = "Bool",
		[POLICY_TYPE_FALSE] = "Bool",	     [POLICY_TYPE_BOOLEAN] = "Bool",
		[POLICY_TYPE_LONG] = "Long",	     [POLICY_TYPE_STRING] = "String",
		[POLICY_TYPE_DECIMAL] = "decimal",   [POLICY_TYPE_IP] = "ipaddr",
		[POLICY_TYPE_DATETIME] = "datetime", [POLICY_TYPE_DURATION] = "duration",
	};

	add(description, "%s", names[kind]);
}

/* Ends early once the buffer is full, so that large types cost no more than others. */
static void
add_type(struct description *description, const struct policy_type *type)
{
	if (description->used + 1 >= DESCRIPTION_SIZE)
		return;
	if (type->kind == POLICY_TYPE_ENTITY) {
		add_text(description, type->entity->name);
	} else if (type->kind == POLICY_TYPE_SET) {
		add(description, "Set<");
		add_type(description, type->element);
		add(description, ">");
	} else if (type->kind == POLICY_TYPE_RECORD) {
		add(description, "{");
		for (size_t i = 0; i < type->record.count; i++) {
			const struct type_field *field = &type->record.fields[i];
			if (description->used + 1 >= DESCRIPTION_SIZE)
				return;
			add(description, i > 0 ? ", " : "");
			add_text(description, field->name);
			add(description, field->required ? ": " : "?: ");
			add_type(description, field->type);
		}
		add(description, "}");
	} else {
		add_scalar(description, type->kind);
	}
}

const char *
type_describe(const struct policy_type *type, char buffer[DESCRIPTION_SIZE])
{
	struct description description = {.buffer = buffer};

	buffer[0] = '\0';
	add_type(&description, type);
	if (description.used + 1 == DESCRIPTION_SIZE)
		memcpy(buffer + DESCRIPTION_SIZE - 4, "...", 4);
	return buffer;
}
