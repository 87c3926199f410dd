/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, links of templates, and sets of policies in JSON. */
#include "cedar_json.h"

#include "cedar_value.h"
#include "policy/reading.h"

#include <stdio.h>

/* ---- requests ---- */

/* An object, or the text of one as it stands in a policy. */
static const struct policy_value *
request_entity(struct cedar_reader *reader, const struct cedar_place *request, const char *name)
{
	struct cedar_place at = cedar_member(request, name);
	const struct policy_value *entity = NULL;
	struct policy_error err;

	if (at.value == NULL)
		return cedar_refuse(reader, request, POLICY_INVALID, "the request has no `%s`",
				    name);
	if (!json_is_string(at.value))
		return cedar_entity(reader, &at);
	enum policy_status status =
		policy_entity_parse(reader->facts, cedar_text(at.value), &entity, &err);
	if (status != POLICY_OK)
		return cedar_refuse(reader, &at, status, "`%s`: %s", name, err.message);
	return entity;
}

/* NULL: refused. */
static const struct policy_value *
request_context(struct cedar_reader *reader, const struct cedar_place *request,
		const struct policy_schema *schema, const struct policy_value *action)
{
	struct cedar_place at = cedar_member(request, "context");

	if (at.value == NULL)
		return policy_value_record(reader->facts, NULL, 0);
	const struct policy_type *type =
		schema != NULL ? policy_schema_context(schema, action) : NULL;
	const struct policy_value *context = cedar_value(reader, &at, cedar_wanted(type));
	/* {"__entity": ...} is an object, and no record. */
	if (context != NULL && !policy_value_is_record(context))
		return cedar_refuse(reader, &at, POLICY_INVALID, "the context is no record");
	return context;
}

enum policy_status
cedar_read_request(const struct cedar_place *at, const struct policy_schema *schema,
		   struct policy_facts *facts, struct policy_request *ret_request,
		   struct policy_error *err)
{
	struct cedar_reader reader = {.facts = facts, .err = err};
	struct policy_request request = {.principal = request_entity(&reader, at, "principal")};

	if (reader.status == POLICY_OK)
		request.action = request_entity(&reader, at, "action");
	if (reader.status == POLICY_OK)
		request.resource = request_entity(&reader, at, "resource");
	if (reader.status == POLICY_OK)
		request.context = request_context(&reader, at, schema, request.action);
	if (reader.status == POLICY_OK && request.context == NULL)
		cedar_refuse(&reader, at, policy_facts_status(facts), "out of memory");
	if (reader.status == POLICY_OK)
		*ret_request = request;
	return reader.status;
}

/* ---- templates' links ---- */

/* NULL where the slot is not among the values. */
static const struct policy_value *
slot_value(struct cedar_reader *reader, const struct cedar_place *values, const char *slot)
{
	struct cedar_place at = cedar_member(values, slot);

	return at.value != NULL ? cedar_entity(reader, &at) : NULL;
}

static void
read_link(struct cedar_reader *reader, const struct cedar_place *at, struct policy_builder *builder)
{
	struct cedar_place template_id = cedar_member(at, "templateId");
	struct cedar_place id = cedar_member(at, "newId");
	struct cedar_place values = cedar_member(at, "values");
	struct policy_error err;

	if (!json_is_string(template_id.value) || !json_is_string(id.value) ||
	    !json_is_object(values.value)) {
		cedar_refuse(reader, at, POLICY_INVALID,
			     "a link is written {\"templateId\", \"newId\", \"values\"}");
		return;
	}
	const struct policy_value *principal = slot_value(reader, &values, "?principal");
	const struct policy_value *resource = slot_value(reader, &values, "?resource");
	size_t slots = (principal != NULL ? 1U : 0U) + (resource != NULL ? 1U : 0U);
	if (reader->status == POLICY_OK && slots != json_object_size(values.value))
		cedar_refuse(reader, &values, POLICY_INVALID,
			     "values are of `?principal` and `?resource`");
	if (reader->status != POLICY_OK)
		return;
	enum policy_status status =
		policy_builder_link(builder, cedar_text(template_id.value), cedar_text(id.value),
				    principal, resource, &err);
	if (status != POLICY_OK)
		cedar_refuse(reader, at, status, "%s", err.message);
}

enum policy_status
cedar_read_links(const struct cedar_place *at, struct policy_builder *builder,
		 struct policy_error *err)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	struct cedar_reader reader = {.facts = facts, .err = err};

	if (facts == NULL)
		cedar_refuse(&reader, at, POLICY_MEMORY, "out of memory");
	else if (!json_is_array(at->value))
		cedar_refuse(&reader, at, POLICY_INVALID, "links are a list");
	for (size_t i = 0; reader.status == POLICY_OK && i < json_array_size(at->value); i++) {
		struct cedar_place link = cedar_item(at, i);
		read_link(&reader, &link, builder);
	}
	policy_facts_free(facts);
	return reader.status;
}

/* ---- sets ---- */

/* An error within a text that is itself a value of the JSON: the places are different ones. */
static void
refuse_text(struct cedar_reader *reader, const struct cedar_place *at, struct policy_text id,
	    const struct policy_error *err)
{
	int size = id.size < 64 ? (int)id.size : 64;

	if (err->line == 0)
		cedar_refuse(reader, at, err->status, "policy \"%.*s\": %s", size, id.data,
			     err->message);
	else
		cedar_refuse(reader, at, err->status, "policy \"%.*s\", at %u:%u of it: %s", size,
			     id.data, err->line, err->column, err->message);
}

/* {"id": "text", ...} */
static void
read_named(struct cedar_reader *reader, const struct cedar_place *at,
	   struct policy_builder *builder)
{
	struct cedar_place member = {.document = at->document, .within = at};
	struct policy_text id;
	struct policy_error err;

	if (at->value != NULL && !json_is_object(at->value))
		cedar_refuse(reader, at, POLICY_INVALID, "policies are written {\"id\": \"text\"}");
	json_object_keylen_foreach(at->value, id.data, id.size, member.value)
	{
		if (reader->status != POLICY_OK)
			return;
		if (!json_is_string(member.value))
			cedar_refuse(reader, &member, POLICY_UNSUPPORTED,
				     "a policy is wanted as Cedar's text");
		else if (policy_builder_add_named(builder, id, cedar_text(member.value), &err) !=
			 POLICY_OK)
			refuse_text(reader, &member, id, &err);
		member.index++;
	}
}

static void
read_static(struct cedar_reader *reader, const struct cedar_place *at,
	    struct policy_builder *builder)
{
	const struct policy_text all = {.data = "staticPolicies", .size = 14};
	struct policy_error err;

	if (!json_is_string(at->value))
		read_named(reader, at, builder);
	else if (policy_builder_add(builder, cedar_text(at->value), &err) != POLICY_OK)
		refuse_text(reader, at, all, &err);
}

enum policy_status
cedar_read_policies(const struct cedar_place *at, struct policy_builder *builder,
		    struct policy_error *err)
{
	struct cedar_reader reader = {.err = err};
	struct cedar_place statics = cedar_member(at, "staticPolicies");
	struct cedar_place templates = cedar_member(at, "templates");
	struct cedar_place links = cedar_member(at, "templateLinks");
	size_t members = (statics.value != NULL ? 1U : 0U) + (templates.value != NULL ? 1U : 0U) +
			 (links.value != NULL ? 1U : 0U);

	if (!json_is_object(at->value) || members == 0 || members != json_object_size(at->value))
		cedar_refuse(&reader, at, POLICY_INVALID,
			     "a set is written {\"staticPolicies\", \"templates\", "
			     "\"templateLinks\"}");
	if (reader.status == POLICY_OK)
		read_static(&reader, &statics, builder);
	if (reader.status == POLICY_OK)
		read_named(&reader, &templates, builder);
	if (reader.status == POLICY_OK && links.value != NULL)
		return cedar_read_links(&links, builder, err);
	return reader.status;
}
