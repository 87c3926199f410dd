/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs folders of tests in the format of Cedar's integration tests:
 *
 *   cedar_corpus DIR...	every *.json below DIR that has "requests"
 *
 * The files that a test names are looked for below DIR, beside the test, and below each folder
 * above it: as Cedar's own repository has them, and as its generated tests unpack.
 *
 * As Cedar's own harness does, policies are validated strictly, entities are read by the schema and
 * held against it, and requests too unless "validateRequest" is false. Counted are each
 * "shouldValidate", which must be the verdict, and each request, whose decision, reasons and errors
 * must be exactly as told. What cannot be read has failed. Exits with 77 where there are no tests.
 */
#include "command/cedar_json.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_SKIPPED 77
#define FOLDERS_OPEN 16

static struct {
	size_t files;
	size_t requests;
	size_t verdicts;
	size_t passed;
	size_t failed;
} totals;

static const char *root;

struct test {
	const char *path;
	struct cedar_place json;
	struct policy_set *set;
	struct policy_schema *schema;
	struct policy_facts *entities;
};

static void
complain(const struct test *test, const char *what, const char *why, const struct policy_error *err)
{
	printf("FAILED %s, %s: %s", test->path, what, why);
	if (err != NULL)
		printf(": %u:%u: %s", err->line, err->column, err->message);
	printf("\n");
}

/* The same of what is counted. */
static void
fail(const struct test *test, const char *what, const char *why, const struct policy_error *err)
{
	totals.failed++;
	complain(test, what, why, err);
}

/* ---- files ---- */

/* NULL: not there. The caller frees the data, which is not terminated. */
static char *
read_file(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "rb");
	char *data = NULL;
	long end = -1;

	if (file == NULL)
		return NULL;
	if (fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) >= 0)
		data = malloc((size_t)end + 1);
	rewind(file);
	if (data != NULL && fread(data, 1, (size_t)end, file) != (size_t)end) {
		free(data);
		data = NULL;
	}
	fclose(file);
	*ret_size = data != NULL ? (size_t)end : 0;
	return data;
}

static char *
read_below(const char *folder, const char *name, size_t *ret_size)
{
	char path[PATH_MAX];
	int size = snprintf(path, sizeof(path), "%s/%s", folder, name);

	return size > 0 && (size_t)size < sizeof(path) ? read_file(path, ret_size) : NULL;
}

/* What the member of a test names. */
static char *
read_named(const struct test *test, const char *member, size_t *ret_size)
{
	const char *name = json_string_value(cedar_member(&test->json, member).value);
	char folder[PATH_MAX];

	if (name == NULL)
		return NULL;
	char *data = read_below(root, name, ret_size);
	if (data != NULL || realpath(test->path, folder) == NULL)
		return data;
	for (char *slash = strrchr(folder, '/'); data == NULL && slash != NULL;
	     slash = strrchr(folder, '/')) {
		*slash = '\0';
		data = read_below(folder, name, ret_size);
	}
	return data;
}

/* ---- one request ---- */

static bool
lists_policy(const json_t *ids, const struct policy_set *set, size_t policy)
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

static const char *
compare_decision(const json_t *request, const struct policy_set *set,
		 const struct policy_decision *decision)
{
	const char *wanted = json_string_value(json_object_get(request, "decision"));
	const json_t *reasons = json_object_get(request, "reason");
	const json_t *errors = json_object_get(request, "errors");

	if (wanted == NULL || (strcmp(wanted, "allow") != 0 && strcmp(wanted, "deny") != 0) ||
	    !json_is_array(reasons) || !json_is_array(errors))
		return "does not tell the decision, reasons and errors";
	if (decision->allowed != (strcmp(wanted, "allow") == 0))
		return "another decision";
	if (decision->reason_count != json_array_size(reasons))
		return "another number of reasons";
	if (decision->failure_count != json_array_size(errors))
		return "another number of errors";
	for (size_t i = 0; i < decision->reason_count; i++)
		if (!lists_policy(reasons, set, decision->reasons[i]))
			return "other reasons";
	for (size_t i = 0; i < decision->failure_count; i++)
		if (!lists_policy(errors, set, decision->failures[i].policy))
			return "other errors";
	return NULL;
}

/* NULL: as told. Where something was refused, `err` says what. */
static const char *
try_request(const struct test *test, const struct cedar_place *json, struct policy_facts *facts,
	    struct policy_error *err)
{
	bool validated = !json_is_false(json_object_get(json->value, "validateRequest"));
	struct policy_request request;
	struct policy_decision decision;

	if (cedar_read_request(json, test->schema, facts, &request, err) != POLICY_OK)
		return "the request cannot be read";
	if (validated && policy_schema_check_request(test->schema, &request, err) != POLICY_OK)
		return "the request does not conform";
	if (policy_decide(test->set, facts, &request, &decision, err) != POLICY_OK)
		return "there is no decision";
	return compare_decision(json->value, test->set, &decision);
}

static void
run_request(const struct test *test, const struct cedar_place *json)
{
	struct policy_facts *facts = policy_facts_new(test->entities);
	struct policy_error err = {.status = POLICY_OK};
	char what[32];

	snprintf(what, sizeof(what), "request %zu", json->index);
	const char *wrong = facts != NULL ? try_request(test, json, facts, &err) : "memory ran out";
	if (wrong != NULL)
		fail(test, what, wrong, err.status != POLICY_OK ? &err : NULL);
	else
		totals.passed++;
	policy_facts_free(facts);
}

/* ---- one test ---- */

static bool
load_schema(struct test *test)
{
	struct policy_error err;
	size_t size = 0;
	char *data = read_named(test, "schema", &size);

	if (data == NULL) {
		complain(test, "schema", "the file is not there", NULL);
		return false;
	}
	if (policy_schema_parse((struct policy_text){.data = data, .size = size}, &test->schema,
				&err) != POLICY_OK)
		complain(test, "schema", "it is refused", &err);
	free(data);
	return test->schema != NULL;
}

static enum policy_status
build_set(struct test *test, struct policy_text source, struct policy_error *err)
{
	struct policy_builder *builder = policy_builder_new();
	struct cedar_place links = cedar_member(&test->json, "templateLinks");

	if (builder == NULL)
		return POLICY_MEMORY;
	enum policy_status status = policy_builder_add(builder, source, err);
	if (status == POLICY_OK && links.value != NULL)
		status = cedar_read_links(&links, builder, err);
	if (status == POLICY_OK)
		status = policy_builder_finish(builder, &test->set, err);
	policy_builder_free(builder);
	return status;
}

static bool
load_policies(struct test *test)
{
	struct policy_error err = {.message = "out of memory"};
	size_t size = 0;
	char *data = read_named(test, "policies", &size);

	if (data == NULL) {
		complain(test, "policies", "the file is not there", NULL);
		return false;
	}
	if (build_set(test, (struct policy_text){.data = data, .size = size}, &err) != POLICY_OK)
		complain(test, "policies", "they are refused", &err);
	free(data);
	return test->set != NULL;
}

static bool
load_entities(struct test *test)
{
	struct cedar_document *document = NULL;
	struct policy_error err = {.message = "out of memory"};
	size_t size = 0;
	char *data = read_named(test, "entities", &size);

	if (data == NULL) {
		complain(test, "entities", "the file is not there", NULL);
		return false;
	}
	test->entities = policy_facts_new(NULL);
	enum policy_status status = cedar_document_parse(
		(struct policy_text){.data = data, .size = size}, &document, &err);
	free(data);
	if (status == POLICY_OK && test->entities != NULL) {
		struct cedar_place all = cedar_root(document);
		status = cedar_read_entities(&all, test->schema, test->entities, &err);
	}
	cedar_document_free(document);
	if (status == POLICY_OK && test->entities != NULL)
		return true;
	complain(test, "entities", "they are refused", &err);
	return false;
}

static void
check_verdict(const struct test *test)
{
	const json_t *should = json_object_get(test->json.value, "shouldValidate");
	struct policy_error err;

	if (should == NULL)
		return;
	totals.verdicts++;
	enum policy_status status = policy_validate(test->schema, test->set, NULL, NULL, &err);
	if (status != POLICY_OK && status != POLICY_INVALID)
		fail(test, "shouldValidate", "there is no verdict", &err);
	else if (!json_is_boolean(should))
		fail(test, "shouldValidate", "neither true nor false", NULL);
	else if (json_is_true(should) && status == POLICY_INVALID)
		fail(test, "shouldValidate", "it does not", &err);
	else if (json_is_false(should) && status == POLICY_OK)
		fail(test, "shouldValidate", "it does, and should not", NULL);
	else
		totals.passed++;
}

static void
run_test(struct test *test)
{
	struct cedar_place requests = cedar_member(&test->json, "requests");
	size_t count = json_array_size(requests.value);

	totals.files++;
	totals.requests += count;
	if (load_schema(test) && load_policies(test))
		check_verdict(test);
	else
		totals.failed++; /* the verdict */
	if (test->set != NULL && load_entities(test)) {
		for (size_t i = 0; i < count; i++) {
			struct cedar_place request = cedar_item(&requests, i);
			run_request(test, &request);
		}
	} else {
		totals.failed += count;
	}
	policy_facts_free(test->entities);
	policy_schema_free(test->schema);
	policy_set_free(test->set);
}

/* Entities and schemas are JSON too, and no tests: they have no "requests". */
static int
visit(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	struct cedar_document *document = NULL;
	struct test test = {.path = path};
	struct policy_error err = {.message = "out of memory"};
	size_t length = strlen(path), size = 0;

	(void)status;
	(void)where;
	if (kind != FTW_F || length < 5 || strcmp(path + length - 5, ".json") != 0)
		return 0;
	char *data = read_file(path, &size);
	if (data == NULL)
		fail(&test, "test", "it cannot be read", NULL);
	else if (cedar_document_parse((struct policy_text){.data = data, .size = size}, &document,
				      &err) != POLICY_OK)
		fail(&test, "test", "it is refused", &err);
	else
		test.json = cedar_root(document);
	if (json_is_array(json_object_get(test.json.value, "requests")))
		run_test(&test);
	cedar_document_free(document);
	free(data);
	return 0;
}

int
main(int count, char **arguments)
{
	for (int i = 1; i < count; i++) {
		root = arguments[i];
		if (nftw(root, visit, FOLDERS_OPEN, FTW_PHYS) != 0)
			printf("skipped: %s is not there\n", root);
	}
	printf("%zu tests: %zu requests, %zu verdicts of validation\n", totals.files,
	       totals.requests, totals.verdicts);
	printf("%zu passed, %zu failed\n", totals.passed, totals.failed);
	if (totals.files == 0 && totals.failed == 0)
		return EXIT_SKIPPED;
	return totals.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
