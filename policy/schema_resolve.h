/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps from a schema's text to its meaning share. */
#ifndef POLICY_SCHEMA_RESOLVE_H
#define POLICY_SCHEMA_RESOLVE_H

#include "schema_syntax.h"
#include "type.h"

enum common_state { COMMON_WAITS, COMMON_AT_WORK, COMMON_RESOLVED };

struct schema_common {
	const struct declaration *declaration;
	enum common_state state;
	unsigned int levels; /* of nesting below its name, the name included */
	const struct policy_type *type;
};

struct resolver {
	struct parser *parser;
	const struct schema_syntax *syntax;
	struct policy_schema *schema;
	unsigned int depth;
	unsigned int deepest;	 /* that depth has been in the common type at hand */
	size_t pairs;		 /* counted against POLICY_SCHEMA_PARENTS_MAX */
	struct position *places; /* of actions, by index */
};

/* ---- schema_declare.c: what is declared, without its meaning ---- */

bool schema_declare(struct resolver *resolver);
/* The definition of a name with its namespace (NULL for none); NULL where there is none. */
struct schema_definition *schema_look_up(const struct policy_schema *schema,
					 const struct text *space, const struct text *name);
/* The same for an action. False when memory ran out: the parser's status is set. */
bool schema_look_up_action(struct resolver *resolver, const struct text *space,
			   const struct text *type, const struct text *id,
			   struct schema_action **ret_action);
bool schema_name_is_qualified(const struct text *name);

/* ---- schema_types.c ---- */

/* Each is NULL after a refusal. */
const struct policy_type *schema_resolve_type(struct resolver *resolver, const struct text *space,
					      const struct type_syntax *syntax);
/* What a declaration says in braces; an empty record where it says nothing. */
const struct policy_type *schema_resolve_context(struct resolver *resolver,
						 const struct declaration *declaration);
const struct policy_type *schema_resolve_attributes(struct resolver *resolver,
						    const struct declaration *declaration);
bool schema_resolve_commons(struct resolver *resolver);
struct schema_entity *schema_resolve_entity_type(struct resolver *resolver,
						 const struct text *space, const struct path *path);

/* ---- schema_hierarchy.c ---- */

struct hierarchy_node {
	const size_t *above; /* indexes of what it is in directly */
	size_t count;
	uint64_t *ancestors; /* bits: the result */
};

#define BITS_WORDS(count)      (((count) + 63) / 64)
#define BITS_HAVE(bits, index) (((bits)[(index) / 64] >> ((index) % 64) & 1) != 0)
#define BITS_SET(bits, index)  ((bits)[(index) / 64] |= UINT64_C(1) << ((index) % 64))

/* NULL when memory runs out. */
uint64_t *bits_take(struct arena *arena, size_t count);
/* Fills in all ancestors; false when memory runs out. */
bool hierarchy_close(struct hierarchy_node *nodes, size_t count, struct arena *kept,
		     struct arena *scratch);

#endif
