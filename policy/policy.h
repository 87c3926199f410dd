/* SPDX-License-Identifier: Apache-2.0 */
/* Cedar policies: text -> policy set; (set, facts, request) -> decision. Pure: no I/O, no clock, no
 * globals. The language is the published Cedar 4.x: see LANGUAGE.md for the part that is
 * implemented; what is not is refused with line and column, never read otherwise. */
#ifndef POSTERN_POLICY_H
#define POSTERN_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_SOURCE_MAX   (1024 * 1024) /* bytes of one policy set's text */
#define POLICY_NESTING_MAX  64		  /* depth of expressions, sets and records */
#define POLICY_POLICIES_MAX 10000	  /* policies, templates and links in one set */

enum policy_status {
	POLICY_OK = 0,
	POLICY_SYNTAX,	    /* the text is not Cedar; line and column say where */
	POLICY_UNSUPPORTED, /* it is Cedar, but beyond what LANGUAGE.md lists */
	POLICY_LIMIT,	    /* one of the limits above */
	POLICY_INVALID,	    /* what the caller gives does not fit: facts, request, id, link */
	POLICY_MEMORY,
};

struct policy_error {
	enum policy_status status;
	uint32_t line; /* from 1; 0 where no place in a text is meant */
	uint32_t column;
	char message[200];
};

struct policy_text { /* UTF-8, not terminated */
	const char *data;
	size_t size;
};

/* ---- policy sets: immutable once parsed, shared by any number of threads ---- */

struct policy_set;
enum policy_effect { POLICY_PERMIT, POLICY_FORBID };
/* A template has slots (`?principal`, `?resource`) in its scope and is not evaluated; a link, made
 * with builder.h, is a template with entities in its slots. */
enum policy_kind { POLICY_STATIC, POLICY_TEMPLATE, POLICY_LINK };
/* In this order: `principal`, `== E`, `in E` (or `in [E, ...]`), `is T`, `is T in E`. */
enum policy_scope { POLICY_ANY, POLICY_EQUALS, POLICY_IN, POLICY_IS, POLICY_IS_IN };

struct policy_summary {	       /* its texts live as long as the set */
	struct policy_text id; /* "policy0", "policy1", ... in the order of the text */
	enum policy_kind kind;
	size_t template_index; /* of a link: the template it was made from */
	bool principal_slot;   /* of a template: it has `?principal` */
	bool resource_slot;
	struct policy_text name; /* the @id annotation's value; empty where there is none */
	enum policy_effect effect;
	enum policy_scope principal;
	enum policy_scope action;
	enum policy_scope resource;
	uint32_t line; /* where the policy begins in its text; of a link: where its template does */
	uint32_t column;
};

__attribute__((warn_unused_result)) enum policy_status
policy_set_parse(struct policy_text source, struct policy_set **ret_set, struct policy_error *err);
void policy_set_free(struct policy_set *set);
size_t policy_set_count(const struct policy_set *set); /* `index`, in what follows, is below it */
void policy_set_summary(const struct policy_set *set, size_t index,
			struct policy_summary *ret_summary);
/* Could this policy's action scope cover the action `type::"id"`? Which actions a group holds is
 * not known here: for `in` the answer is true, but for an empty list. A template covers nothing. */
bool policy_set_may_cover(const struct policy_set *set, size_t index, struct policy_text type,
			  struct policy_text id);
/* Does it occur as an identifier or a string? An attribute that does not is read by no policy. */
bool policy_set_mentions(const struct policy_set *set, struct policy_text word);

/* ---- facts: the values and entities that requests are decided on ----
 * An arena. Values are immutable and live until policy_facts_clear or policy_facts_free. Texts are
 * copied. A builder that fails returns NULL, a NULL operand is passed on, and the layer is unfit
 * until it is cleared: policy_decide answers what failed first, in it or below. So check once, at
 * the end. POLICY_MEMORY: memory ran out; POLICY_INVALID: not UTF-8, no type name, a key twice,
 * malformed; POLICY_LIMIT: nested too deep. */
struct policy_facts;
struct policy_value;
struct policy_field {
	struct policy_text name;
	const struct policy_value *value;
};

/* `base` (may be NULL): a layer below, whose entities are seen through this one. It must outlive
 * this one and not change meanwhile; many layers in many threads may share it. */
struct policy_facts *policy_facts_new(const struct policy_facts *base);
void policy_facts_free(struct policy_facts *facts);
/* Forgets this layer's values and entities; keeps its memory and its base. */
void policy_facts_clear(struct policy_facts *facts);

const struct policy_value *policy_value_boolean(struct policy_facts *facts, bool value);
const struct policy_value *policy_value_long(struct policy_facts *facts, int64_t value);
const struct policy_value *policy_value_string(struct policy_facts *facts,
					       struct policy_text value);
/* `type` is a full name ("Machine", "Acme::Machine"); `id` is unescaped. */
const struct policy_value *policy_value_entity(struct policy_facts *facts, struct policy_text type,
					       struct policy_text id);
/* What `constructor("argument")` is in a policy: ip, decimal, datetime or duration. */
const struct policy_value *policy_value_extension(struct policy_facts *facts,
						  const char *constructor,
						  struct policy_text argument);
/* Milliseconds since 1970-01-01T00:00:00Z. */
const struct policy_value *policy_value_datetime(struct policy_facts *facts, int64_t milliseconds);
const struct policy_value *policy_value_duration(struct policy_facts *facts, int64_t milliseconds);
const struct policy_value *policy_value_set(struct policy_facts *facts,
					    const struct policy_value *const *items, size_t count);
const struct policy_value *policy_value_record(struct policy_facts *facts,
					       const struct policy_field *fields, size_t count);

/* Says that an entity exists, with its attributes (a record, or NULL for none) and direct parents
 * (entity references). Ancestors are followed through all layers; a cycle is POLICY_INVALID, and so
 * is a second declaration in one layer. One of the same name below is hidden. */
__attribute__((warn_unused_result)) enum policy_status
policy_facts_entity(struct policy_facts *facts, const struct policy_value *entity,
		    const struct policy_value *attributes,
		    const struct policy_value *const *parents, size_t parent_count,
		    struct policy_error *err);

/* The tags (a record) of an entity that was added to this layer and has none yet. */
__attribute__((warn_unused_result)) enum policy_status
policy_facts_tags(struct policy_facts *facts, const struct policy_value *entity,
		  const struct policy_value *tags, struct policy_error *err);

/* ---- decisions ---- */

struct policy_request { /* entity references, and a record */
	const struct policy_value *principal;
	const struct policy_value *action;
	const struct policy_value *resource;
	const struct policy_value *context;
};

/* One whose evaluation failed: it was skipped, as Cedar says. Whoever guards denies on any. */
struct policy_failure {
	size_t policy; /* index in the set */
	char message[120];
};

/* The arrays live in the request's facts. */
struct policy_decision {
	bool allowed;	       /* at least one permit and no forbid was satisfied */
	const size_t *reasons; /* indexes of the determining policies, ascending */
	size_t reason_count;
	const struct policy_failure *failures;
	size_t failure_count;
};

__attribute__((warn_unused_result)) enum policy_status
policy_decide(const struct policy_set *set, struct policy_facts *facts,
	      const struct policy_request *request, struct policy_decision *ret_decision,
	      struct policy_error *err);

#endif
