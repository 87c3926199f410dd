/* SPDX-License-Identifier: Apache-2.0 */
/* The small world that the handwritten tests decide on; see fixture.c. */
#ifndef TESTS_POLICY_FIXTURE_H
#define TESTS_POLICY_FIXTURE_H

#include "policy/policy.h"

#include <string.h>

static inline struct policy_text
text(const char *string)
{
	return (struct policy_text){.data = string, .size = strlen(string)};
}

/* Groups and actions below, people and photos above. NULL when memory runs out. */
struct world {
	struct policy_facts *base;
	struct policy_facts *facts;
	struct policy_request request;
};

/* False when a fact could not be built; the world must be cleared in any case. */
bool world_build(struct world *world);
void world_clear(struct world *world);

/* A copy on the heap of just that size, so that reading past the end is seen. */
enum policy_status parse_exact(const char *data, size_t size, struct policy_set **ret_set,
			       struct policy_error *err);

#endif
