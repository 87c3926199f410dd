/* SPDX-License-Identifier: Apache-2.0 */
/* What a schema resolves to: types, entity types and actions, all in the schema's arena and never
 * changed afterwards. Equal texts of one schema are one address; texts of a policy set are others,
 * so look-ups compare them. */
#ifndef POLICY_TYPE_H
#define POLICY_TYPE_H

#include "arena.h"
#include "schema.h"
#include "text.h"
#include "value.h"

struct schema_entity;

struct type_field {
	const struct text *name;
	const struct policy_type *type;
	bool required;
};

/* Common types are shared, not copied: where addresses are equal the types are, which keeps
 * comparing cheap. Entity types end the recursion, so a type is a finite tree. */
struct policy_type {
	enum policy_type_kind kind;
	uint32_t height; /* 0 for a scalar; at most POLICY_NESTING_MAX */
	uint32_t size;	 /* nodes, shared ones counted each time: POLICY_SCHEMA_TYPE_SIZE_MAX */
	union {
		const struct policy_type *element;  /* NULL: of the empty set, any */
		const struct schema_entity *entity; /* an action's type too: see is_action */
		struct {			    /* closed; in the order of text_compare */
			const struct type_field *fields;
			size_t count;
		} record;
	};
};

/* An entity type, or a type of actions ("Action", "NS::Action"). */
struct schema_entity {
	const struct text *name; /* with its namespace */
	size_t index;		 /* in policy_schema.entities */
	bool is_action;
	const struct policy_type *type;	      /* POLICY_TYPE_ENTITY of this one */
	const struct policy_type *attributes; /* a record, never NULL */
	const struct policy_type *tags;	      /* of each tag; NULL: there are none */
	const struct text *const *ids;	      /* in the order of text_compare */
	size_t id_count;		      /* 0: not enumerated, any id will do */
	const struct schema_entity *const
		*parents; /* direct, each once; none of an action's type */
	size_t parent_count;
	/* Bits by index, all that is above; itself only in a cycle. Of an action's type: the types
	 * of the groups that its actions are in. */
	const uint64_t *ancestors;
};

struct schema_action {
	const struct policy_value *name; /* the reference to it */
	size_t index;			 /* in policy_schema.actions */
	const struct schema_entity *type;
	const struct schema_action *const *groups; /* direct, each once */
	size_t group_count;
	const uint64_t *ancestors; /* bits by index: all groups above it, never itself */
	bool applies;		   /* has an `appliesTo`: else there are no requests of it */
	/* Each once, in the order written. Declarations of several actions share them; a caller
	 * that goes over pairs must bound how many it looks at. */
	const struct schema_entity *const *principals;
	size_t principal_count;
	const struct schema_entity *const *resources;
	size_t resource_count;
	const struct policy_type *context; /* a record, never NULL */
};

struct schema_common; /* a common type while it is resolved: see schema_resolve.c */

/* What a full name stands for: an entity type and a common type may share one. */
struct schema_definition {
	const struct text *name;
	struct schema_entity *entity;
	struct schema_common *common; /* NULL once the schema is there */
};

struct policy_schema {
	struct arena arena;
	struct schema_entity **entities; /* declared ones first, then types of actions */
	size_t entity_count;
	size_t declared_count; /* of them, those that are no types of actions */
	struct schema_action **actions;
	size_t action_count;
	/* By name, open addressing, sizes are powers of two. */
	struct schema_definition **definitions;
	size_t definition_slots;
	struct schema_action **action_slots;
	size_t action_slot_count;
};

/* ---- schema.c: look-ups in constant time; NULL where nothing is declared ---- */

const struct schema_entity *schema_find_entity(const struct policy_schema *schema,
					       const struct text *name);
const struct schema_action *schema_find_action(const struct policy_schema *schema,
					       const struct policy_value *name);
/* May an entity of one type be (transitively) in one of the other? False for `entity` itself,
 * unless the type may be in its own. */
bool schema_entity_below(const struct schema_entity *entity, const struct schema_entity *above);
/* Is the action in the group, by way of any others? False for itself. */
bool schema_action_below(const struct schema_action *action, const struct schema_action *above);
/* True for every id of a type that is not enumerated. */
bool schema_entity_allows(const struct schema_entity *entity, const struct text *id);
/* NULL where the record has none of this name. */
const struct type_field *type_record_get(const struct policy_type *record, const struct text *name);

/* While a schema is built: empty tables for so many names, and where a name is or belongs. */
bool schema_make_slots(struct policy_schema *schema, size_t definitions, size_t actions);
size_t schema_definition_slot(const struct policy_schema *schema, const struct text *name);
size_t schema_action_slot(const struct policy_schema *schema, const struct policy_value *name);

/* ---- schema_types.c ---- */

/* The shared types without members, by kind: up to POLICY_TYPE_DURATION. */
const struct policy_type *type_scalar(enum policy_type_kind kind);
const struct policy_type *type_empty_record(void);

#endif
