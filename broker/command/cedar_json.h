/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cedar's JSON: entities, requests, links and sets of policies; postern(1) shows each. With a
 * schema, a text stands for an extension value and {"type", "id"} for an entity wherever the schema
 * says that one is there. Nothing is printed; refusals say line and column.
 */
#ifndef POSTERN_COMMAND_CEDAR_JSON_H
#define POSTERN_COMMAND_CEDAR_JSON_H

#include "cedar_document.h"
#include "policy/builder.h"
#include "policy/schema.h"

/* Adds a list of entities to an empty layer. With a schema (NULL for none) all must conform to it,
 * and its actions are added. */
__attribute__((warn_unused_result)) enum policy_status
cedar_read_entities(const struct cedar_place *at, const struct policy_schema *schema,
		    struct policy_facts *facts, struct policy_error *err);
/* The schema is for reading the context: whether the request conforms is not asked. */
__attribute__((warn_unused_result)) enum policy_status
cedar_read_request(const struct cedar_place *at, const struct policy_schema *schema,
		   struct policy_facts *facts, struct policy_request *ret_request,
		   struct policy_error *err);
/* A list of links of templates that were added before. */
__attribute__((warn_unused_result)) enum policy_status
cedar_read_links(const struct cedar_place *at, struct policy_builder *builder,
		 struct policy_error *err);
/* {"staticPolicies", "templates", "templateLinks"}: policies are Cedar's text. */
__attribute__((warn_unused_result)) enum policy_status
cedar_read_policies(const struct cedar_place *at, struct policy_builder *builder,
		    struct policy_error *err);

#endif
