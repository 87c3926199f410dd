/* SPDX-License-Identifier: Apache-2.0 */
/* Cedar schemas: text -> schema; facts and requests are held against it. Pure, as policy.h is. */
#ifndef POSTERN_POLICY_SCHEMA_H
#define POSTERN_POLICY_SCHEMA_H

#include "policy.h"

#define POLICY_SCHEMA_MAX	      (1024 * 1024) /* bytes of a schema's text */
#define POLICY_SCHEMA_ENTITIES_MAX    4096	    /* entity types */
#define POLICY_SCHEMA_ACTIONS_MAX     4096
#define POLICY_SCHEMA_TYPES_MAX	      4096  /* common types */
#define POLICY_SCHEMA_PARENTS_MAX     65536 /* pairs of a type or action and what it is in */
#define POLICY_SCHEMA_NAME_MAX	      1024  /* bytes of a name with its namespace */
#define POLICY_SCHEMA_ANNOTATIONS_MAX 256   /* of one declaration or attribute */
/* Nodes of one type once every common type in it is written out; its depth is at most
 * POLICY_NESTING_MAX. */
#define POLICY_SCHEMA_TYPE_SIZE_MAX 65536

/* Immutable once parsed, shared by any number of threads. */
struct policy_schema;

/* Reads a schema in Cedar's own syntax (not its JSON form). POLICY_SYNTAX: no schema;
 * POLICY_INVALID: one that contradicts itself, such as by a type that nobody declares;
 * POLICY_LIMIT, POLICY_MEMORY. Line and column say where. */
__attribute__((warn_unused_result)) enum policy_status
policy_schema_parse(struct policy_text source, struct policy_schema **ret_schema,
		    struct policy_error *err);
void policy_schema_free(struct policy_schema *schema);
size_t policy_schema_entity_count(const struct policy_schema *schema); /* entity types */
size_t policy_schema_action_count(const struct policy_schema *schema);

/* ---- conformance: POLICY_INVALID, and `err` says what is at odds with the schema ---- */

/* Every entity of this layer, not of those below: its type is declared, attributes and tags have
 * the declared types and none is missing or unknown, parents are of types that it may be in, ids of
 * enumerated types are among those declared, and actions are exactly those of the schema. */
__attribute__((warn_unused_result)) enum policy_status
policy_schema_check_facts(const struct policy_schema *schema, const struct policy_facts *facts,
			  struct policy_error *err);
/* The action is declared and applies to entities of these types, with such a context. */
__attribute__((warn_unused_result)) enum policy_status
policy_schema_check_request(const struct policy_schema *schema,
			    const struct policy_request *request, struct policy_error *err);
/* Adds the schema's actions, with the groups they are in, to a layer: all but those that are there
 * already. */
__attribute__((warn_unused_result)) enum policy_status
policy_schema_add_actions(const struct policy_schema *schema, struct policy_facts *facts,
			  struct policy_error *err);

/* ---- validation: whole sets of policies, as Cedar's strict mode has it ---- */

/* The callback's text is only lent to it. */
struct policy_finding {
	size_t policy; /* index in the set */
	bool warning;  /* the policy can never apply: no error, and no reason to refuse it */
	uint32_t line;
	uint32_t column;
	const char *message;
};
typedef void policy_finding_function(void *user, const struct policy_finding *finding);

#define POLICY_VALIDATION_STEPS_MAX 50000000 /* expressions and types looked at, all in all */

/* Tells `tell` (which may be NULL) each finding, policy by policy. POLICY_OK: there were no errors,
 * so that no evaluation of a request that fits the schema can fail but by overflow or a missing
 * entity; POLICY_INVALID: there were, and `err` holds the first; POLICY_LIMIT, POLICY_MEMORY. */
__attribute__((warn_unused_result)) enum policy_status
policy_validate(const struct policy_schema *schema, const struct policy_set *set,
		policy_finding_function *tell, void *user, struct policy_error *err);

/* ---- types: they tell readers of JSON what a bare string or object stands for ---- */

struct policy_type; /* lives as long as the schema */
enum policy_type_kind {
	POLICY_TYPE_NEVER, /* of no value: this and the next two are never declared, only inferred
			    */
	POLICY_TYPE_TRUE,
	POLICY_TYPE_FALSE,
	POLICY_TYPE_BOOLEAN,
	POLICY_TYPE_LONG,
	POLICY_TYPE_STRING,
	POLICY_TYPE_DECIMAL,
	POLICY_TYPE_IP,
	POLICY_TYPE_DATETIME,
	POLICY_TYPE_DURATION,
	POLICY_TYPE_ENTITY,
	POLICY_TYPE_SET,
	POLICY_TYPE_RECORD,
};

/* Each is NULL where nothing is declared. */
const struct policy_type *policy_schema_attributes(const struct policy_schema *schema,
						   struct policy_text entity_type);
const struct policy_type *policy_schema_tags(const struct policy_schema *schema,
					     struct policy_text entity_type);
/* `action`: a reference to it. */
const struct policy_type *policy_schema_context(const struct policy_schema *schema,
						const struct policy_value *action);
enum policy_type_kind policy_type_kind(const struct policy_type *type);
/* What a set's members are; NULL for other types. */
const struct policy_type *policy_type_element(const struct policy_type *set);
/* NULL where it is no record, or has no such field. */
const struct policy_type *policy_type_field(const struct policy_type *record,
					    struct policy_text name);

#endif
