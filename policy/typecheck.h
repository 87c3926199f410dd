/* SPDX-License-Identifier: Apache-2.0 */
/* Expression -> type, for one kind of request: an action with the types of its principal and
 * resource. What is refused is told with its place, and has no type. */
#ifndef POLICY_TYPECHECK_H
#define POLICY_TYPECHECK_H

#include "ast.h"
#include "type.h"

/* What a place of the text is known to have: an attribute or a tag. Written out as words of which
 * equal expressions have equal ones; see typecheck_capability.c. */
struct capability {
	uint64_t hash;
	size_t count;
	const uint64_t *words;
};

/* What an expression makes known where it is true: nothing (NULL), one thing, or both parts. */
struct grants {
	const struct capability *one;
	const struct grants *left;
	const struct grants *right;
};

struct known_entry {
	const struct capability *capability;
	size_t below; /* the next of its bucket, from 1; 0: none */
};

#define KNOWN_BUCKETS 256 /* a power of two */

/* What is known where the check has come to: a stack. */
struct known {
	struct known_entry *entries;
	size_t count;
	size_t capacity;
	size_t buckets[KNOWN_BUCKETS];
};

/* One kind of request. */
struct environment {
	const struct schema_action *action;
	const struct schema_entity *principal;
	const struct schema_entity *resource;
};

/* What was told of one policy: nothing is told twice, though it be found in many environments. */
struct told {
	struct position at;
	uint64_t hash; /* of the message */
};

#define TOLD_MAX 64 /* findings of one policy; those beyond are counted, not told */

struct findings {
	policy_finding_function *tell;
	void *user;
	size_t policy;
	struct told told[TOLD_MAX];
	size_t told_count;
	size_t errors; /* of all policies so far */
	struct policy_error *err;
};

struct checker {
	const struct policy_schema *schema;
	struct arena arena; /* of one environment */
	struct arena kept;  /* of the whole validation */
	struct environment environment;
	struct known known;
	struct findings findings;
	enum policy_status status; /* POLICY_OK until memory or steps run out */
	uint64_t steps;
	size_t words;	    /* of capabilities, in the environment at hand */
	size_t comparisons; /* of names, to suggest one */
};

/* ---- validate_findings.c ---- */

__attribute__((format(printf, 4, 5))) void
checker_tell(struct checker *checker, bool warning, struct position at, const char *format, ...);
#define checker_refuse(checker, at, ...) checker_tell((checker), false, (at), __VA_ARGS__)

#define SUGGESTION_SIZE 96

/* The one of many names that is most like a misspelt one. */
struct suggestion {
	size_t *comparisons;	    /* of the checker */
	const struct text *wanted;  /* NULL: none is looked for */
	const struct text *nearest; /* NULL: none is near */
	size_t distance;
};
struct suggestion suggestion_begin(struct checker *checker, const struct text *wanted);
void suggestion_offer(struct suggestion *suggestion, const struct text *candidate);
/* ": did you mean `...`?", or nothing. */
const char *suggestion_write(const struct suggestion *suggestion, char buffer[SUGGESTION_SIZE]);

/* ---- validate_names.c ---- */

/* Refuses entity types, enumerated entities and actions that the schema has not, wherever in the
 * policy they are. `ret_mentions` says which variables its conditions have, by enum variable. */
void validate_names(struct checker *checker, const struct policy *policy,
		    bool ret_mentions[VARIABLE_COUNT]);

/* ---- typecheck_capability.c ---- */

/* `subject` has the attribute path[count - 1] of what it has along the path before that. NULL: no
 * memory. */
const struct capability *capability_attribute(struct checker *checker,
					      const struct expression *subject,
					      const struct text *const *path, size_t count);
const struct capability *capability_tag(struct checker *checker, const struct expression *subject,
					const struct expression *key);

/* ---- typecheck_known.c ---- */

bool known_has(struct checker *checker, const struct capability *capability);
/* False: no memory. */
bool known_push(struct checker *checker, const struct grants *grants);
void known_pop(struct checker *checker, size_t count);
const struct grants *grants_one(struct checker *checker, const struct capability *capability);
const struct grants *grants_both(struct checker *checker, const struct grants *left,
				 const struct grants *right);
/* What both make known. */
const struct grants *grants_common(struct checker *checker, const struct grants *left,
				   const struct grants *right);

/* ---- typecheck_join.c ---- */

/* The type that both are of, NULL where there is none: they must be equal but for True and False,
 * which are both Boolean. */
const struct policy_type *type_join(struct checker *checker, const struct policy_type *a,
				    const struct policy_type *b);
const struct policy_type *type_make_set(struct checker *checker, const struct policy_type *element);
/* Takes over an array of the arena, and puts it in order. */
const struct policy_type *type_make_record(struct checker *checker, struct type_field *fields,
					   size_t count);

#define DESCRIPTION_SIZE 80

/* What a message calls a type. */
const char *type_describe(const struct policy_type *type, char buffer[DESCRIPTION_SIZE]);

/* ---- typecheck.c ---- */

struct typing {
	const struct policy_type *type; /* NULL: refused, or no memory */
	const struct grants *grants;
};

typedef struct typing typecheck_function(struct checker *checker,
					 const struct expression *expression);

typecheck_function typecheck;
/* The same where only a boolean will do. */
typecheck_function typecheck_boolean;
/* The type, where it is of this kind; else refused, and NULL. `what` says what stands there. */
const struct policy_type *typecheck_kind(struct checker *checker,
					 const struct expression *expression,
					 enum policy_type_kind kind, const char *what);
void checker_out_of_memory(struct checker *checker);
/* The work, or the memory it takes, is more than there may be. */
void checker_out_of_steps(struct checker *checker);
/* Counts work; false where it became too much, or something else has stopped the check. */
bool checker_step(struct checker *checker);
struct typing typing_scalar(enum policy_type_kind kind);

/* The condition of a policy in the checker's environment: True, False, Boolean, or NULL. */
struct typing typecheck_conditions(struct checker *checker, const struct policy *policy);

/* ---- typecheck_literal.c ---- */

typecheck_function typecheck_literal, typecheck_set, typecheck_record;

/* ---- typecheck_relation.c ---- */

typecheck_function typecheck_equal, typecheck_in, typecheck_is, typecheck_order, typecheck_like,
	typecheck_arithmetic, typecheck_contains, typecheck_contains_many, typecheck_is_empty,
	typecheck_call;

/* ---- typecheck_members.c ---- */

typecheck_function typecheck_has, typecheck_attribute, typecheck_has_tag, typecheck_get_tag;

#endif
