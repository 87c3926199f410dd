/* SPDX-License-Identifier: Apache-2.0 */
/* Which policies of a set a request can concern, found by what their scopes ask for. Each policy is
 * filed under one of its three scopes, the one that it shares with the fewest others; those that
 * ask for nothing, or for very many things, are always looked at. */
#ifndef POLICY_INDEX_H
#define POLICY_INDEX_H

#include "facts.h"

#define INDEX_VARIABLES 3 /* principal, action and resource, as enum variable has them */
#define INDEX_WORD_BITS 64

struct policy_set;
struct evaluation;

/* How a scope asks. `is T in E` is filed under E. */
enum index_way { INDEX_EQUALS, INDEX_IN, INDEX_IS };
#define INDEX_WAYS (INDEX_IS + 1)

/* The policies that ask for one entity or type. */
struct index_key {
	const struct policy_value *entity; /* NULL: the type */
	const struct text *type;
	size_t *policies;
	size_t count;
	size_t capacity;
};

struct index_table {
	struct index_key **slots; /* open addressing; the size is a power of two */
	size_t slot_count;
	size_t count;
};

struct index {
	struct index_table tables[INDEX_VARIABLES][INDEX_WAYS];
	uint64_t *always; /* bits of policies that are filed nowhere */
	/* By policy: the variable whose scope holds for sure where the policy was marked, or
	 * INDEX_VARIABLES. */
	uint8_t *settled;
	size_t words;
};

/* Over the set's policies, into set->index. False: no memory. */
bool index_build(struct policy_set *set, struct arena *scratch);
/* Sets the bits of the policies that must be looked at, in `marks` of index->words words; every
 * other policy's scope is false. False: no memory, and the facts' `failed` says so. */
bool index_mark(const struct index *index, struct evaluation *evaluation, uint64_t *marks);

#endif
