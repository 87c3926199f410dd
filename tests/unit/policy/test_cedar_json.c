/* SPDX-License-Identifier: Apache-2.0 */
/* Cedar's JSON: what is taken, for what, and where what is refused stands. The published
 * implementation answers the same, but where a row says otherwise. */
#include "failing.h"
#include "command/cedar_json.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char schema_text[] =
	"entity G; entity E enum [\"a\"]; entity P = {n: Long};\n"
	"entity U in [G] = {n?: Long, s?: String, b?: Bool, ip?: ipaddr, d?: decimal,\n"
	"  t?: datetime, u?: duration, o?: U, os?: Set<U>, ips?: Set<ipaddr>,\n"
	"  r?: {o?: U, x: Long}, rec?: {\"__entity\"?: Long}} tags U;\n"
	"action g; action view in [g] appliesTo {principal: U, resource: U,\n"
	"  context: {ip?: ipaddr, o?: U}};";

static bool jansson_fails; /* too */

void *__real_malloc(size_t size); /* without failing.c */

/* ---- reading ---- */

enum form { ENTITIES, REQUEST, LINKS, POLICIES };

struct world_json {
	struct policy_schema *schema;
	struct policy_facts *facts;
	struct policy_builder *builder;
	struct policy_request request;
};

static enum policy_status
read_form(const char *data, size_t size, enum form form, struct world_json *world,
	  struct policy_error *err)
{
	auto_cedar_document *document = NULL;
	enum policy_status status = cedar_document_parse(
		(struct policy_text){.data = data, .size = size}, &document, err);

	if (status != POLICY_OK)
		return status;
	struct cedar_place root = cedar_root(document);
	switch (form) {
	case ENTITIES:
		return cedar_read_entities(&root, world->schema, world->facts, err);
	case REQUEST:
		return cedar_read_request(&root, world->schema, world->facts, &world->request, err);
	case LINKS:
		return cedar_read_links(&root, world->builder, err);
	case POLICIES:
		return cedar_read_policies(&root, world->builder, err);
	}
	return POLICY_INVALID;
}

/* On an exact-size copy, so that a sanitizer sees every byte read too far. */
static enum policy_status
read_copy(const char *data, size_t size, enum form form, bool by_schema, struct policy_error *err)
{
	char *copy = malloc(size > 0 ? size : 1);
	struct world_json world = {.facts = policy_facts_new(NULL),
				   .builder = policy_builder_new()};
	enum policy_status status = POLICY_OK;

	if (by_schema)
		status = policy_schema_parse(text(schema_text), &world.schema, err);
	if (copy == NULL || world.facts == NULL || world.builder == NULL)
		status = POLICY_MEMORY;
	if (status == POLICY_OK && form == LINKS)
		status = policy_builder_add(world.builder,
					    text("permit(principal == ?principal, action, "
						 "resource);"),
					    err);
	if (status == POLICY_OK) {
		memcpy(copy, data, size);
		status = read_form(copy, size, form, &world, err);
	}
	policy_schema_free(world.schema);
	policy_facts_free(world.facts);
	policy_builder_free(world.builder);
	free(copy);
	return status;
}

/* ---- values: an attribute of User::"a", and what Cedar says that it is ---- */

static const struct {
	const char *json; /* of the attribute */
	const char *is;	  /* NULL: refused */
	bool by_schema;
} values[] = {
#include "cedar_values.inc"
};

static bool
attribute_is(const char *attribute, const char *is, bool by_schema, struct policy_error *err)
{
	char json[1024], policy[512];
	struct world_json world = {.facts = policy_facts_new(NULL)};
	struct policy_set *set = NULL;
	struct policy_decision decision = {.allowed = false};

	if (by_schema)
		assert_int_equal(policy_schema_parse(text(schema_text), &world.schema, err),
				 POLICY_OK);
	int size = snprintf(json, sizeof(json),
			    "[{\"uid\": {\"type\": \"U\", \"id\": \"a\"}, \"parents\": [],\n"
			    " \"attrs\": {%s}}]",
			    attribute);
	enum policy_status status = read_form(json, (size_t)size, ENTITIES, &world, err);
	if (status == POLICY_OK && is != NULL) {
		static const char ask[] = "{\"principal\": \"U::\\\"a\\\"\", \"action\": "
					  "\"Action::\\\"view\\\"\", \"resource\": "
					  "{\"type\": \"U\", \"id\": \"a\"}}";
		(void)snprintf(policy, sizeof(policy),
			       "permit(principal, action, resource) when {%s};", is);
		assert_int_equal(policy_set_parse(text(policy), &set, err), POLICY_OK);
		assert_int_equal(read_form(ask, strlen(ask), REQUEST, &world, err), POLICY_OK);
		assert_int_equal(policy_decide(set, world.facts, &world.request, &decision, err),
				 POLICY_OK);
	}
	policy_set_free(set);
	policy_schema_free(world.schema);
	policy_facts_free(world.facts);
	return is != NULL ? status == POLICY_OK && decision.allowed : status != POLICY_OK;
}

static void
values_are_cedars(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		struct policy_error err = {.message = ""};
		if (!attribute_is(values[i].json, values[i].is, values[i].by_schema, &err))
			fail_msg("%s%s is not %s: %s", values[i].json,
				 values[i].by_schema ? " (by the schema)" : "",
				 values[i].is != NULL ? values[i].is : "refused", err.message);
	}
}

/* ---- whole forms ---- */

static const struct {
	const char *name;
	enum form form;
	bool by_schema;
	enum policy_status status;
	uint32_t line; /* of a refusal */
	uint32_t column;
	const char *json;
} forms[] = {
#include "cedar_forms.inc"
};

static void
forms_are_cedars(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		struct policy_error err = {.message = ""};
		enum policy_status status = read_copy(forms[i].json, strlen(forms[i].json),
						      forms[i].form, forms[i].by_schema, &err);
		if (status != forms[i].status ||
		    (status != POLICY_OK &&
		     (err.line != forms[i].line || err.column != forms[i].column)))
			fail_msg("%s: %d at %u:%u: %s", forms[i].name, status, err.line, err.column,
				 err.message);
	}
}

static void
deep_json_is_refused(void **state)
{
	char json[2 * CEDAR_JSON_DEPTH_MAX + 8];
	struct policy_error err;

	(void)state;
	for (size_t depth = CEDAR_JSON_DEPTH_MAX; depth <= CEDAR_JSON_DEPTH_MAX + 1; depth++) {
		memset(json, '[', depth);
		memset(json + depth, ']', depth);
		enum policy_status status = read_copy(json, 2 * depth, ENTITIES, false, &err);
		/* Within the limit it is JSON, though no entities. */
		assert_int_equal(status,
				 depth > CEDAR_JSON_DEPTH_MAX ? POLICY_LIMIT : POLICY_INVALID);
	}
}

static void
deep_values_are_refused(void **state)
{
	(void)state;
	for (size_t depth = POLICY_NESTING_MAX - 1; depth <= POLICY_NESTING_MAX; depth++) {
		char attribute[2 * POLICY_NESTING_MAX + 16] = "\"x\":";
		struct policy_error err;
		memset(attribute + 4, '[', depth);
		memset(attribute + 4 + depth, ']', depth);
		assert_int_equal(attribute_is(attribute, "principal has x", false, &err),
				 depth < POLICY_NESTING_MAX);
	}
}

/* Every prefix, and every bit flipped: whatever it becomes, nothing is read beyond it. */
static void
damage_is_survived(void **state)
{
	struct policy_error err;

	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		size_t size = strlen(forms[i].json);
		char *spoilt = strdup(forms[i].json);
		assert_non_null(spoilt);
		for (size_t cut = 0; cut < size; cut++) {
			enum policy_status status =
				read_copy(spoilt, cut, forms[i].form, forms[i].by_schema, &err);
			assert_true(status == POLICY_OK || err.line > 0);
		}
		for (size_t bit = 0; bit < 8 * size; bit++) {
			spoilt[bit / 8] = (char)(spoilt[bit / 8] ^ (1 << (bit % 8)));
			enum policy_status status =
				read_copy(spoilt, size, forms[i].form, forms[i].by_schema, &err);
			assert_true(status == POLICY_OK || err.line > 0);
			spoilt[bit / 8] = (char)(spoilt[bit / 8] ^ (1 << (bit % 8)));
		}
		free(spoilt);
	}
}

/* One allocation after the other; the answer is that of `read_copy` once none fails. */
static void
fail_allocations(size_t form, bool of_jansson)
{
	enum policy_status status = POLICY_MEMORY;
	struct policy_error err;
	size_t at = 1;

	for (; at < 5000 && status != POLICY_OK; at++) {
		jansson_fails = of_jansson;
		failing.allocations = 0;
		failing.at = at;
		status = read_copy(forms[form].json, strlen(forms[form].json), forms[form].form,
				   forms[form].by_schema, &err);
		failing.at = 0;
		/* jansson calls some of its own failures mistakes of the text. */
		if (status != POLICY_OK && status != POLICY_MEMORY &&
		    !(of_jansson && status == POLICY_SYNTAX))
			fail_msg("%s: allocation %zu gave %d: %s", forms[form].name, at, status,
				 err.message);
	}
	assert_int_equal(status, POLICY_OK);
	assert_true(at > 2); /* else none failed */
}

static void
memory_runs_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		if (forms[i].status != POLICY_OK)
			continue;
		fail_allocations(i, false);
		fail_allocations(i, true);
	}
}

static void *
jansson_malloc(size_t size)
{
	return jansson_fails ? malloc(size) : __real_malloc(size);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_cedars),	cmocka_unit_test(forms_are_cedars),
		cmocka_unit_test(deep_json_is_refused), cmocka_unit_test(deep_values_are_refused),
		cmocka_unit_test(damage_is_survived),	cmocka_unit_test(memory_runs_out),
	};

	json_set_alloc_funcs(jansson_malloc, free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
