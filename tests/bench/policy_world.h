/* SPDX-License-Identifier: Apache-2.0 */
/* A company's documents: people in teams, documents in folders, policies of realistic shape. The
 * same each time, as texts for anybody and as facts for this library. */
#ifndef TESTS_BENCH_POLICY_WORLD_H
#define TESTS_BENCH_POLICY_WORLD_H

#include "policy/policy.h"

#include <stdio.h>

#define WORLD_REQUESTS 256

/* What is asked, by number; see policy_world.c for what the numbers mean. */
struct world_request {
	unsigned int user;
	unsigned int action;
	unsigned int document;
	unsigned int hour;
	bool mfa;
	bool tagged;
};

struct world_request world_request(unsigned int number);

void world_write_schema(FILE *out);
void world_write_policies(FILE *out, unsigned int count);
/* {"schema": ..., "policies": ..., "requests": [{principal, action, resource, context, entities}]}:
 * each request with just the entities that matter to it. */
void world_write_json(FILE *out, unsigned int count);

/* Every entity; false when memory ran out. */
bool world_add_entities(struct policy_facts *facts);
/* The request's four values. */
struct policy_request world_build(struct policy_facts *facts, struct world_request request);

#endif
