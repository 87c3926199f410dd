/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities: what `has` and `hasTag` make known, of expressions and not of values. Two
 * expressions are the same where they are written the same, after `!=`, `>`, `>=`, `has a.b` and
 * `is T in E` are undone into what they stand for. So each is written out as words, operators
 * first: chains group to the left, and `a && b && c` is `& & a b c`. Texts are words by address,
 * for equal texts of one policy are one address. */
#include "typecheck.h"

/* Words that what is known in one environment may take, 32 MiB: each prefix of a path is written
 * out. */
#define WORDS_MAX (4 * 1024 * 1024)

struct writer {
	struct checker *checker;
	uint64_t *words;
	size_t count;
	size_t capacity;
};

/* Words for what has no kind of its own; kinds are small numbers. */
enum mark { MARK_TAG = 1000, MARK_PLUS, MARK_MINUS };

static void
put(struct writer *writer, uint64_t word)
{
	if (++writer->checker->words > WORDS_MAX)
		checker_out_of_steps(writer->checker);
	if (!checker_step(writer->checker))
		return;
	uint64_t *words = arena_grow(&writer->checker->arena, writer->words, writer->count,
				     sizeof(*words), &writer->capacity);
	if (words == NULL) {
		checker_out_of_memory(writer->checker);
		return;
	}
	words[writer->count++] = word;
	writer->words = words;
}

static void
put_address(struct writer *writer, const void *address)
{
	put(writer, (uint64_t)(uintptr_t)address);
}

static void put_expression(struct writer *writer, const struct expression *expression);

static void
put_operands(struct writer *writer, const struct operand *operands, size_t count)
{
	for (size_t i = 0; i < count; i++)
		put_expression(writer, operands[i].value);
}

static void
put_set(struct writer *writer, const struct operand *operands, size_t count)
{
	put(writer, EXPRESSION_SET);
	put(writer, count);
	put_operands(writer, operands, count);
}

static void
put_chain(struct writer *writer, const struct expression *expression)
{
	for (size_t i = expression->many.count - 1; i > 0; i--) {
		bool minus = expression->many.operands[i].minus;
		put(writer, expression->kind != EXPRESSION_SUM ? (uint64_t)expression->kind
			    : minus			       ? MARK_MINUS
							       : MARK_PLUS);
	}
	put_operands(writer, expression->many.operands, expression->many.count);
}

static int
compare_operands(const void *a, const void *b)
{
	const struct operand *const *x = a;
	const struct operand *const *y = b;

	return text_compare((*x)->name, (*y)->name);
}

/* The order of a record's fields does not matter. */
static void
put_record(struct writer *writer, const struct operand *operands, size_t count)
{
	const struct operand **fields = arena_take(&writer->checker->arena, count, sizeof(*fields));

	if (fields == NULL) {
		checker_out_of_memory(writer->checker);
		return;
	}
	for (size_t i = 0; i < count; i++)
		fields[i] = &operands[i];
	sort_items(fields, count, sizeof(fields[0]), compare_operands);
	put(writer, EXPRESSION_RECORD);
	put(writer, count);
	for (size_t i = 0; i < count; i++) {
		put_address(writer, fields[i]->name);
		put_expression(writer, fields[i]->value);
	}
}

/* Those that the parser made of others are what they were written as: `[1, 2]` is not `[2, 1]`. */
static void
put_literal(struct writer *writer, const struct expression *expression)
{
	const struct policy_value *value = expression->literal;

	if (value->kind == VALUE_SET) {
		put_set(writer, expression->written, expression->written_count);
		return;
	}
	if (value->kind == VALUE_RECORD) {
		put_record(writer, expression->written, expression->written_count);
		return;
	}
	put(writer, EXPRESSION_LITERAL);
	put(writer, value->kind);
	if (expression->written != NULL) { /* of a constructor */
		put_operands(writer, expression->written, expression->written_count);
	} else if (value->kind == VALUE_STRING) {
		put_address(writer, value->string.data);
	} else if (value->kind == VALUE_ENTITY) {
		put_address(writer, value->entity.type);
		put_address(writer, value->entity.id);
	} else if (value->kind == VALUE_BOOLEAN) {
		put(writer, value->boolean);
	} else {
		put(writer, (uint64_t)value->number);
	}
}

/* path[count - 1] of ... of path[0] of the subject. */
static void
put_path(struct writer *writer, const struct expression *subject, const struct text *const *path,
	 size_t count)
{
	for (size_t i = count; i > 0 && checker_step(writer->checker); i--) {
		put(writer, EXPRESSION_ATTRIBUTE);
		put_address(writer, path[i - 1]);
	}
	put_expression(writer, subject);
}

static void
put_has(struct writer *writer, const struct expression *expression)
{
	for (size_t i = 1; i < expression->has.count; i++)
		put(writer, EXPRESSION_AND);
	for (size_t i = 0; i < expression->has.count && checker_step(writer->checker); i++) {
		put(writer, EXPRESSION_HAS);
		put_address(writer, expression->has.path[i]);
		put_path(writer, expression->has.subject, expression->has.path, i);
	}
}

static void
put_is(struct writer *writer, const struct expression *expression)
{
	if (expression->is.within != NULL)
		put(writer, EXPRESSION_AND);
	put(writer, EXPRESSION_IS);
	put_address(writer, expression->is.type);
	put_expression(writer, expression->is.subject);
	if (expression->is.within == NULL)
		return;
	put(writer, EXPRESSION_IN);
	put_expression(writer, expression->is.subject);
	put_expression(writer, expression->is.within);
}

/* `!=`, `>` and `>=` are `!` of the others. */
static void
put_relation(struct writer *writer, enum expression_kind kind)
{
	if (kind == EXPRESSION_NOT_EQUAL || kind == EXPRESSION_GREATER ||
	    kind == EXPRESSION_GREATER_OR_EQUAL)
		put(writer, EXPRESSION_NOT);
	if (kind == EXPRESSION_NOT_EQUAL)
		kind = EXPRESSION_EQUAL;
	else if (kind == EXPRESSION_GREATER)
		kind = EXPRESSION_LESS_OR_EQUAL;
	else if (kind == EXPRESSION_GREATER_OR_EQUAL)
		kind = EXPRESSION_LESS;
	put(writer, kind);
}

static void
put_pair(struct writer *writer, const struct expression *expression)
{
	put_relation(writer, expression->kind);
	put_expression(writer, expression->pair.left);
	if (expression->pair.right != NULL)
		put_expression(writer, expression->pair.right);
}

static void
put_unary(struct writer *writer, const struct expression *expression)
{
	for (unsigned int i = 0; i < expression->unary.times; i++)
		put(writer, expression->kind);
	put_expression(writer, expression->unary.subject);
}

static void
put_call(struct writer *writer, const struct expression *expression)
{
	put(writer, EXPRESSION_CALL);
	put_address(writer, expression->call.function);
	put(writer, expression->call.count);
	put_operands(writer, expression->call.operands, expression->call.count);
}

static void
put_like(struct writer *writer, const struct expression *expression)
{
	const struct pattern *pattern = expression->like.pattern;

	put(writer, EXPRESSION_LIKE);
	put(writer, pattern->count);
	for (size_t i = 0; i < pattern->count; i++) {
		put(writer, pattern->parts[i].size);
		put(writer, pattern->parts[i].hash);
		for (size_t j = 0; j < pattern->parts[i].size; j++)
			put(writer, (unsigned char)pattern->parts[i].data[j]);
	}
	put_expression(writer, expression->like.subject);
}

static void
put_expression(struct writer *writer, const struct expression *expression)
{
	if (!checker_step(writer->checker))
		return;
	switch (expression->kind) {
	case EXPRESSION_LITERAL:
		put_literal(writer, expression);
		return;
	case EXPRESSION_VARIABLE:
		put(writer, EXPRESSION_VARIABLE);
		put(writer, expression->variable);
		return;
	case EXPRESSION_IF:
		put(writer, EXPRESSION_IF);
		put_expression(writer, expression->choice.condition);
		put_expression(writer, expression->choice.yes);
		put_expression(writer, expression->choice.no);
		return;
	case EXPRESSION_OR:
	case EXPRESSION_AND:
	case EXPRESSION_SUM:
	case EXPRESSION_PRODUCT:
		put_chain(writer, expression);
		return;
	case EXPRESSION_NOT:
	case EXPRESSION_NEGATE:
		put_unary(writer, expression);
		return;
	case EXPRESSION_EQUAL:
	case EXPRESSION_NOT_EQUAL:
	case EXPRESSION_LESS:
	case EXPRESSION_LESS_OR_EQUAL:
	case EXPRESSION_GREATER:
	case EXPRESSION_GREATER_OR_EQUAL:
	case EXPRESSION_IN:
	case EXPRESSION_CONTAINS:
	case EXPRESSION_CONTAINS_ALL:
	case EXPRESSION_CONTAINS_ANY:
	case EXPRESSION_IS_EMPTY:
	case EXPRESSION_HAS_TAG:
	case EXPRESSION_GET_TAG:
		put_pair(writer, expression);
		return;
	case EXPRESSION_IS:
		put_is(writer, expression);
		return;
	case EXPRESSION_HAS:
		put_has(writer, expression);
		return;
	case EXPRESSION_LIKE:
		put_like(writer, expression);
		return;
	case EXPRESSION_ATTRIBUTE:
		put_path(writer, expression->attribute.subject, &expression->attribute.name, 1);
		return;
	case EXPRESSION_SET:
		put_set(writer, expression->many.operands, expression->many.count);
		return;
	case EXPRESSION_RECORD:
		put_record(writer, expression->many.operands, expression->many.count);
		return;
	case EXPRESSION_CALL:
		put_call(writer, expression);
		return;
	}
}

static const struct capability *
finish(struct writer *writer)
{
	struct checker *checker = writer->checker;

	if (checker->status != POLICY_OK)
		return NULL;
	struct capability *made = arena_take(&checker->arena, 1, sizeof(*made));
	if (made == NULL) {
		checker_out_of_memory(checker);
		return NULL;
	}
	*made = (struct capability){.count = writer->count, .words = writer->words};
	for (size_t i = 0; i < writer->count; i++)
		made->hash = hash_mix(made->hash, writer->words[i]);
	return made;
}

const struct capability *
capability_attribute(struct checker *checker, const struct expression *subject,
		     const struct text *const *path, size_t count)
{
	struct writer writer = {.checker = checker};

	put_path(&writer, subject, path, count);
	return finish(&writer);
}

const struct capability *
capability_tag(struct checker *checker, const struct expression *subject,
	       const struct expression *key)
{
	struct writer writer = {.checker = checker};

	put(&writer, MARK_TAG);
	put_expression(&writer, subject);
	put_expression(&writer, key);
	return finish(&writer);
}
