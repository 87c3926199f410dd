/* SPDX-License-Identifier: Apache-2.0 */
/* Cedar's JSON. The first byte says as what the rest is read, and whether by a schema: whatever it
 * is, a refusal says where, and what is taken can be decided on. */
#include "command/cedar_json.h"

#include <stdlib.h>
#include <string.h>

#define FORMS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char schema_text[] =
	"entity G; entity E enum [\"a\"];\n"
	"entity U in [G] = {n?: Long, ip?: ipaddr, t?: datetime, o?: U, ips?: Set<ipaddr>,\n"
	"  r?: {o?: U, x: Long}} tags U;\n"
	"action g; action view in [g] appliesTo {principal: U, resource: U,\n"
	"  context: {ip?: ipaddr, o?: U}};";
static const char policies_text[] = "permit(principal == ?principal, action, resource);\n"
				    "permit(principal, action, resource) when {\n"
				    "  principal has n && principal.n < 3 || context has ip };";

static struct policy_text
text(const char *string)
{
	return (struct policy_text){.data = string, .size = strlen(string)};
}

static void
want(bool held)
{
	if (!held)
		abort();
}

static void
decide(struct policy_facts *facts, const struct policy_request *request)
{
	struct policy_set *set = NULL;
	struct policy_decision decision;
	struct policy_error err;

	want(policy_set_parse(text(policies_text), &set, &err) == POLICY_OK);
	want(policy_decide(set, facts, request, &decision, &err) == POLICY_OK);
	policy_set_free(set);
}

static enum policy_status
read_request(const struct cedar_place *root, const struct policy_schema *schema,
	     struct policy_facts *facts, struct policy_error *err)
{
	struct policy_request request;
	enum policy_status status = cedar_read_request(root, schema, facts, &request, err);

	if (status == POLICY_OK)
		decide(facts, &request);
	return status;
}

static enum policy_status
read_set(const struct cedar_place *root, bool links, struct policy_error *err)
{
	struct policy_builder *builder = policy_builder_new();
	struct policy_set *set = NULL;

	want(builder != NULL);
	if (links)
		want(policy_builder_add(builder, text(policies_text), err) == POLICY_OK);
	enum policy_status status = links ? cedar_read_links(root, builder, err)
					  : cedar_read_policies(root, builder, err);
	if (status == POLICY_OK)
		want(policy_builder_finish(builder, &set, err) == POLICY_OK);
	policy_set_free(set);
	policy_builder_free(builder);
	return status;
}

static enum policy_status
read_form(uint8_t form, const struct cedar_place *root, const struct policy_schema *schema,
	  struct policy_facts *facts, struct policy_error *err)
{
	switch (form) {
	case 0:
		return cedar_read_entities(root, schema, facts, err);
	case 1:
		return read_request(root, schema, facts, err);
	default:
		return read_set(root, form == 2, err);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cedar_document *document = NULL;
	struct policy_schema *schema = NULL;
	struct policy_error err = {.line = 0};

	if (size == 0)
		return 0;
	struct policy_facts *facts = policy_facts_new(NULL);
	want(facts != NULL);
	if ((data[0] & FORMS) != 0)
		want(policy_schema_parse(text(schema_text), &schema, &err) == POLICY_OK);
	struct policy_text json = {.data = (const char *)data + 1, .size = size - 1};
	if (cedar_document_parse(json, &document, &err) == POLICY_OK) {
		struct cedar_place root = cedar_root(document);
		if (read_form(data[0] & (FORMS - 1), &root, schema, facts, &err) != POLICY_OK)
			want(err.line > 0 && err.column > 0 && err.line <= size &&
			     err.column <= size);
	}
	cedar_document_free(document);
	policy_schema_free(schema);
	policy_facts_free(facts);
	return 0;
}
