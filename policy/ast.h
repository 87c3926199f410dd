/* SPDX-License-Identifier: Apache-2.0 */
/* What a text becomes: policies and expressions, all in the set's arena, never changed afterwards.
 */
#ifndef POLICY_AST_H
#define POLICY_AST_H

#include "extension.h"
#include "index.h"
#include "names.h"
#include "policy.h"

enum variable { VARIABLE_PRINCIPAL, VARIABLE_ACTION, VARIABLE_RESOURCE, VARIABLE_CONTEXT };
#define VARIABLE_COUNT 4

/* The order is that of the evaluator's table. */
enum expression_kind {
	EXPRESSION_LITERAL,
	EXPRESSION_VARIABLE,
	EXPRESSION_IF,
	EXPRESSION_OR,
	EXPRESSION_AND,
	EXPRESSION_NOT,
	EXPRESSION_NEGATE,
	EXPRESSION_EQUAL,
	EXPRESSION_NOT_EQUAL,
	EXPRESSION_LESS,
	EXPRESSION_LESS_OR_EQUAL,
	EXPRESSION_GREATER,
	EXPRESSION_GREATER_OR_EQUAL,
	EXPRESSION_IN,
	EXPRESSION_IS,
	EXPRESSION_HAS,
	EXPRESSION_LIKE,
	EXPRESSION_SUM,
	EXPRESSION_PRODUCT,
	EXPRESSION_ATTRIBUTE,
	EXPRESSION_CONTAINS,
	EXPRESSION_CONTAINS_ALL,
	EXPRESSION_CONTAINS_ANY,
	EXPRESSION_IS_EMPTY,
	EXPRESSION_SET,
	EXPRESSION_RECORD,
	EXPRESSION_HAS_TAG,
	EXPRESSION_GET_TAG,
	EXPRESSION_CALL,
};
#define EXPRESSION_KIND_COUNT (EXPRESSION_CALL + 1)

struct expression;

struct position {
	uint32_t line; /* both from 1 */
	uint32_t column;
};

/* One operand of many: a member of a set, record or chain of operators. */
struct operand {
	const struct expression *value;
	const struct text *name; /* the key of a record's field */
	struct position at;
	bool minus; /* of a sum: this one is taken away */
};

/* `like`: literal parts between wildcards; the first and the last part are anchored. */
struct pattern {
	const struct text *parts;
	size_t count; /* wildcards + 1 */
};

struct expression {
	enum expression_kind kind;
	struct position at;
	union {
		struct {
			const struct policy_value *literal;
			/* What a set, record or constructor was made of, as written; else NULL. */
			const struct operand *written;
			size_t written_count;
		};
		enum variable variable;
		struct {
			const struct expression *condition;
			const struct expression *yes;
			const struct expression *no;
		} choice;
		struct { /* or, and, sum, product, set, record */
			const struct operand *operands;
			size_t count;
		} many;
		struct { /* of an extension type; a method's subject goes first */
			const struct extension_function *function;
			const struct operand *operands;
			size_t count; /* as written: not always what the function takes */
		} call;
		struct { /* relations and methods; `right` is NULL for those of one operand */
			const struct expression *left;
			const struct expression *right;
		} pair;
		struct {
			const struct expression *subject;
			const struct text *type;
			const struct expression *within; /* NULL for a plain `is` */
		} is;
		struct {
			const struct expression *subject;
			const struct text *const *path;
			size_t count;
		} has;
		struct {
			const struct expression *subject;
			const struct text *name;
		} attribute;
		struct {
			const struct expression *subject;
			const struct pattern *pattern;
		} like;
		struct {
			const struct expression *subject;
			unsigned int times; /* of the same unary operator */
		} unary;
	};
};

/* A scope constraint: which of the two are used is said by `shape`. */
struct scope {
	enum policy_scope shape;
	struct position at; /* of the variable */
	const struct text *type;
	const struct policy_value *const *entities; /* one; any number for an action's `in [...]` */
	size_t count;
	bool slot; /* `?principal` or `?resource` stands for the entity: there are none here */
};

struct condition {
	const struct expression *expression;
	bool unless;
};

struct annotation {
	const struct text *name;
	const struct text *value;
};

struct policy {
	enum policy_kind kind;
	enum policy_effect effect;
	struct position at;
	struct scope scopes[VARIABLE_CONTEXT]; /* by enum variable */
	const struct condition *conditions;
	size_t condition_count;
	const struct annotation *annotations;
	size_t annotation_count;
	const struct text *id;
	size_t template_index; /* of a link, which has that template's parts but for the scopes */
};

struct policy_set {
	struct arena arena;
	const struct policy *policies;
	size_t count;
	struct names words; /* every identifier and string of the text */
	struct index index;
};

#endif
