/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds policy/ to what the published implementation made of drawn cases: lines of JSON from
 * oracle.mjs on standard input. Compared are whether schema and policies parse, the verdict of
 * strict validation, and for each request the decision, reasons and errors, and whether it and the
 * entities conform to the schema. Ends with "N passed, N failed".
 */
#include "command/cedar_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct drawn {
	struct cedar_place json;
	json_int_t seed;
	struct policy_schema *schema; /* NULL: it does not parse */
	struct policy_set *set;
};

static size_t passed;
static size_t failed;

static void
compare(const struct drawn *drawn, const char *what, bool want, bool got,
	const struct policy_error *err)
{
	if (want == got) {
		passed++;
		return;
	}
	failed++;
	printf("FAILED seed %lld, %s: they say %s", (long long)drawn->seed, what,
	       want ? "yes" : "no");
	if (err != NULL && err->message[0] != '\0')
		printf("; %u:%u: %s", err->line, err->column, err->message);
	printf("\n");
}

static bool
says(const struct cedar_place *place, const char *member)
{
	return json_is_true(json_object_get(place->value, member));
}

static bool
lists(const json_t *ids, const struct policy_set *set, size_t policy)
{
	struct policy_summary summary;

	policy_set_summary(set, policy, &summary);
	for (size_t i = 0; i < json_array_size(ids); i++) {
		struct policy_text id = cedar_text(json_array_get(ids, i));

		if (id.size == summary.id.size && memcmp(id.data, summary.id.data, id.size) == 0)
			return true;
	}
	return false;
}

static bool
decision_is(const json_t *request, const struct policy_set *set,
	    const struct policy_decision *decision)
{
	const char *wanted = json_string_value(json_object_get(request, "decision"));
	const json_t *reasons = json_object_get(request, "reason");
	const json_t *errors = json_object_get(request, "errors");
	bool same = wanted != NULL && decision->allowed == (strcmp(wanted, "allow") == 0) &&
		    decision->reason_count == json_array_size(reasons) &&
		    decision->failure_count == json_array_size(errors);

	for (size_t i = 0; same && i < decision->reason_count; i++)
		same = lists(reasons, set, decision->reasons[i]);
	for (size_t i = 0; same && i < decision->failure_count; i++)
		same = lists(errors, set, decision->failures[i].policy);
	return same;
}

/* Without the schema: whatever was drawn is evaluated. */
static void
run_request(const struct drawn *drawn, const struct cedar_place *json)
{
	const struct cedar_place entities = cedar_member(&drawn->json, "entities");
	struct policy_facts *facts = policy_facts_new(NULL);
	struct policy_decision decision = {0};
	struct policy_request request;
	struct policy_error err = {0};

	bool read = cedar_read_entities(&entities, NULL, facts, &err) == POLICY_OK &&
		    cedar_read_request(json, NULL, facts, &request, &err) == POLICY_OK;
	bool refused = json_object_get(json->value, "refused") != NULL;
	if (read && !refused)
		read = policy_decide(drawn->set, facts, &request, &decision, &err) == POLICY_OK;
	compare(drawn, "a request can be read", !refused, read, &err);
	if (read && !refused)
		compare(drawn, "the decision is theirs", true,
			decision_is(json->value, drawn->set, &decision), NULL);
	policy_facts_free(facts);
}

static void
run_conformance(const struct drawn *drawn, const struct cedar_place *json)
{
	const struct cedar_place entities = cedar_member(&drawn->json, "entities");
	struct policy_facts *facts = policy_facts_new(NULL);
	struct policy_request request;
	struct policy_error err = {0};

	bool conforms =
		cedar_read_entities(&entities, drawn->schema, facts, &err) == POLICY_OK &&
		cedar_read_request(json, drawn->schema, facts, &request, &err) == POLICY_OK &&
		policy_schema_check_request(drawn->schema, &request, &err) == POLICY_OK;
	compare(drawn, "a request conforms", says(json, "conforms"), conforms, &err);
	policy_facts_free(facts);
}

static struct policy_set *
read_set(const struct drawn *drawn, struct policy_error *err)
{
	const struct cedar_place json = cedar_member(&drawn->json, "set");
	struct policy_builder *builder = policy_builder_new();
	struct policy_set *set = NULL;

	if (cedar_read_policies(&json, builder, err) != POLICY_OK ||
	    policy_builder_finish(builder, &set, err) != POLICY_OK)
		set = NULL;
	policy_builder_free(builder);
	return set;
}

static void
run_case(struct drawn *drawn)
{
	struct policy_error err = {0};
	struct policy_text text = cedar_text(cedar_member(&drawn->json, "schema").value);

	if (policy_schema_parse(text, &drawn->schema, &err) != POLICY_OK)
		drawn->schema = NULL;
	compare(drawn, "the schema parses", says(&drawn->json, "schemaParses"),
		drawn->schema != NULL, &err);
	err = (struct policy_error){0};
	drawn->set = read_set(drawn, &err);
	compare(drawn, "the policies parse", says(&drawn->json, "parses"), drawn->set != NULL,
		&err);
	if (drawn->set == NULL || !says(&drawn->json, "parses"))
		return;
	err = (struct policy_error){0};
	if (drawn->schema != NULL && says(&drawn->json, "schemaParses"))
		compare(drawn, "the policies are valid", says(&drawn->json, "valid"),
			policy_validate(drawn->schema, drawn->set, NULL, NULL, &err) == POLICY_OK,
			&err);
	const struct cedar_place requests = cedar_member(&drawn->json, "requests");
	for (size_t i = 0; i < json_array_size(requests.value); i++) {
		const struct cedar_place request = cedar_item(&requests, i);

		run_request(drawn, &request);
		if (drawn->schema != NULL && json_object_get(request.value, "conforms") != NULL)
			run_conformance(drawn, &request);
	}
}

static void
run_line(const char *line, size_t size)
{
	struct cedar_document *document = NULL;
	struct policy_error err = {0};

	if (cedar_document_parse((struct policy_text){line, size}, &document, &err) != POLICY_OK) {
		failed++;
		printf("FAILED a line: %u:%u: %s\n", err.line, err.column, err.message);
		return;
	}
	struct drawn drawn = {.json = cedar_root(document)};
	drawn.seed = json_integer_value(cedar_member(&drawn.json, "seed").value);
	run_case(&drawn);
	policy_set_free(drawn.set);
	policy_schema_free(drawn.schema);
	cedar_document_free(document);
}

int
main(void)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t size;

	while ((size = getline(&line, &capacity, stdin)) > 0)
		run_line(line, (size_t)size);
	free(line);
	printf("%zu passed, %zu failed\n", passed, failed);
	return failed == 0 && passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
