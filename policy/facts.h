/* SPDX-License-Identifier: Apache-2.0 */
/* The entities and values of a request, in layers. */
#ifndef POLICY_FACTS_H
#define POLICY_FACTS_H

#include "policy.h"
#include "value.h"

struct entity {
	const struct policy_value *name;       /* the reference to it */
	const struct policy_value *attributes; /* a record; NULL for none */
	const struct policy_value *tags;       /* the same */
	const struct policy_value *const *parents;
	size_t parent_count;
};

/* The entities above one: a list, with an index once it is long. */
struct ancestors {
	const struct policy_value *of;
	const struct policy_value **items;
	size_t count;
	size_t capacity;
	const struct policy_value **slots;
	size_t slot_count;
};

#define ANCESTORS_CACHED 8 /* a power of two */

struct policy_facts {
	const struct policy_facts *base;
	struct arena arena;
	enum policy_status failed; /* of the first builder that failed */
	struct entity **entities;  /* open addressing; the size is a power of two */
	size_t slot_count;
	size_t entity_count;
	struct ancestors *cache[ANCESTORS_CACHED];
	uint64_t *marks; /* a decision's, kept for the next one */
	size_t mark_words;
};

/* NULL where neither this layer nor one below knows the entity. */
const struct entity *facts_find(const struct policy_facts *facts, const struct policy_value *name);
/* All that is above an entity, as long as none is added; NULL for none, or when memory runs out:
 * facts->failed is set then. */
const struct ancestors *facts_ancestors(struct policy_facts *facts,
					const struct policy_value *name);
bool ancestors_have(const struct ancestors *ancestors, const struct policy_value *name);
/* Remembers the first failure; always NULL. */
void *facts_fail(struct policy_facts *facts, enum policy_status status);

#endif
