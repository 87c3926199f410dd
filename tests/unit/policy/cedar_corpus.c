/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs folders of tests in the format of Cedar's integration tests:
 *
 *   cedar_corpus ROOT...	every *.json below ROOT that has "requests"; the paths inside are
 *				relative to ROOT, or to the file's own folder
 *
 * A test whose policies and facts can be read must give exactly the decision, reasons and errors
 *that it says. What needs more than is implemented is counted as skipped, aloud; "shouldValidate"
 *is counted too, since schemas are not looked at. Says "skipped" and exits with 77 where no folder
 *is.
 */
#include "facts_json.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_SKIPPED	77
#define PATH_SIZE	4096
#define REASONS_COUNTED 16
#define FOLDERS_OPEN	16

static struct {
	size_t files;
	size_t requests;
	size_t passed;
	size_t failed;
	size_t files_skipped;
	size_t validations_skipped;
	struct {
		char why[80];
		size_t count;
	} skips[REASONS_COUNTED];
} totals;

static const char *root;

static void
skip_file(const char *path, const char *why)
{
	size_t i = 0;

	totals.files_skipped++;
	while (i < REASONS_COUNTED - 1 && totals.skips[i].count > 0 &&
	       strncmp(totals.skips[i].why, why, sizeof(totals.skips[i].why) - 1) != 0)
		i++;
	snprintf(totals.skips[i].why, sizeof(totals.skips[i].why), "%s", why);
	if (totals.skips[i].count++ == 0)
		printf("skipped first for \"%s\": %s\n", why, path);
}

static void
fail_request(const char *path, size_t index, const char *why)
{
	totals.failed++;
	printf("FAILED %s, request %zu: %s\n", path, index, why);
}

/* The file's bytes, not terminated; the caller frees them. */
static char *
read_file(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "rb");
	char *data = NULL;
	size_t size = 0;

	if (file == NULL)
		return NULL;
	if (fseek(file, 0, SEEK_END) == 0) {
		long end = ftell(file);
		rewind(file);
		size = end > 0 ? (size_t)end : 0;
		data = malloc(size + 1);
	}
	if (data != NULL && fread(data, 1, size, file) != size) {
		free(data);
		data = NULL;
	}
	fclose(file);
	*ret_size = size;
	return data;
}

/* A path inside a test: below the root, or beside the test. */
static char *
read_named(const char *test_path, const char *name, size_t *ret_size)
{
	char path[PATH_SIZE];
	const char *slash = strrchr(test_path, '/');

	snprintf(path, sizeof(path), "%s/%s", root, name);
	char *data = read_file(path, ret_size);
	if (data != NULL)
		return data;
	snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - test_path), test_path, name);
	return read_file(path, ret_size);
}

/* ---- one request ---- */

static bool
names_policy(const json_t *names, const struct policy_set *set, size_t policy)
{
	struct policy_summary summary;

	policy_set_summary(set, policy, &summary);
	for (size_t i = 0; i < json_array_size(names); i++) {
		const json_t *name = json_array_get(names, i);
		if (json_string_length(name) == summary.id.size &&
		    memcmp(json_string_value(name), summary.id.data, summary.id.size) == 0)
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

	if (wanted == NULL || decision->allowed != (strcmp(wanted, "allow") == 0))
		return "another decision";
	if (decision->reason_count != json_array_size(reasons))
		return "another number of reasons";
	if (decision->failure_count != json_array_size(errors))
		return "another number of errors";
	for (size_t i = 0; i < decision->reason_count; i++) {
		if (!names_policy(reasons, set, decision->reasons[i]))
			return "other reasons";
	}
	for (size_t i = 0; i < decision->failure_count; i++) {
		if (!names_policy(errors, set, decision->failures[i].policy))
			return "other errors";
	}
	return NULL;
}

static void
run_request(const char *path, const struct policy_set *set, const struct policy_facts *base,
	    json_t *json, size_t index)
{
	struct policy_facts *facts = policy_facts_new(base);
	struct json_reader reader = {.facts = facts};
	struct policy_decision decision;
	struct policy_error err = {0};
	const char *wrong = NULL;

	totals.requests++;
	struct policy_request request = {
		.principal = json_entity_name(&reader, json_object_get(json, "principal")),
		.action = json_entity_name(&reader, json_object_get(json, "action")),
		.resource = json_entity_name(&reader, json_object_get(json, "resource")),
		.context = json_value(&reader, json_object_get(json, "context")),
	};
	if (reader.verdict == JSON_UNSUPPORTED)
		skip_file(path, reader.told);
	else if (policy_decide(set, facts, &request, &decision, &err) != POLICY_OK)
		wrong = err.message;
	else
		wrong = compare_decision(json, set, &decision);
	if (wrong != NULL)
		fail_request(path, index, wrong);
	else if (reader.verdict == JSON_READ)
		totals.passed++;
	policy_facts_free(facts);
}

/* ---- one test ---- */

static void
run_requests(const char *path, json_t *test, const struct policy_set *set, json_t *entities)
{
	struct policy_facts *base = policy_facts_new(NULL);
	struct json_reader reader = {.facts = base};
	json_t *requests = json_object_get(test, "requests");

	json_entities(&reader, entities);
	if (reader.verdict == JSON_UNSUPPORTED)
		skip_file(path, reader.told);
	else if (reader.verdict == JSON_WRONG)
		fail_request(path, 0, reader.told);
	for (size_t i = 0; reader.verdict == JSON_READ && i < json_array_size(requests); i++)
		run_request(path, set, base, json_array_get(requests, i), i);
	policy_facts_free(base);
}

static struct policy_set *
parse_test(const char *path, json_t *test)
{
	const char *name = json_string_value(json_object_get(test, "policies"));
	struct policy_set *set = NULL;
	struct policy_error err = {0};
	size_t size = 0;
	char why[300];

	char *source = name != NULL ? read_named(path, name, &size) : NULL;
	if (source == NULL) {
		skip_file(path, "the policies' file is not there");
		return NULL;
	}
	enum policy_status status =
		policy_set_parse((struct policy_text){.data = source, .size = size}, &set, &err);
	free(source);
	if (status == POLICY_OK)
		return set;
	if (status == POLICY_UNSUPPORTED || status == POLICY_LIMIT) {
		skip_file(path, err.message);
		return NULL;
	}
	snprintf(why, sizeof(why), "does not parse at %u:%u: %s", err.line, err.column,
		 err.message);
	fail_request(path, 0, why);
	return NULL;
}

static void
run_test(const char *path, json_t *test)
{
	const char *name = json_string_value(json_object_get(test, "entities"));
	size_t size = 0;

	totals.files++;
	if (json_object_get(test, "shouldValidate") != NULL)
		totals.validations_skipped++;
	struct policy_set *set = parse_test(path, test);
	if (set == NULL)
		return;
	char *data = name != NULL ? read_named(path, name, &size) : NULL;
	json_t *entities = data != NULL ? json_load_exact(data, size) : NULL;
	if (entities == NULL)
		skip_file(path, "the entities' file cannot be read");
	else
		run_requests(path, test, set, entities);
	json_decref(entities);
	free(data);
	policy_set_free(set);
}

static int
visit(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	size_t length = strlen(path);
	size_t size = 0;

	(void)status;
	(void)where;
	if (kind != FTW_F || length < 5 || strcmp(path + length - 5, ".json") != 0)
		return 0;
	char *data = read_file(path, &size);
	json_t *json = data != NULL ? json_load_exact(data, size) : NULL;
	if (json_is_object(json) && json_is_array(json_object_get(json, "requests")))
		run_test(path, json);
	else if (json == NULL && strstr(path, "entities") == NULL)
		skip_file(path, "JSON that our reader does not take");
	json_decref(json);
	free(data);
	return 0;
}

static void
report(void)
{
	printf("%zu tests: %zu requests, %zu passed, %zu failed\n", totals.files, totals.requests,
	       totals.passed, totals.failed);
	printf("skipped: %zu tests, %zu verdicts of validation\n", totals.files_skipped,
	       totals.validations_skipped);
	for (size_t i = 0; i < REASONS_COUNTED && totals.skips[i].count > 0; i++)
		printf("  %6zu  %s\n", totals.skips[i].count, totals.skips[i].why);
}

int
main(int count, char **arguments)
{
	for (int i = 1; i < count; i++) {
		root = arguments[i];
		if (nftw(root, visit, FOLDERS_OPEN, FTW_PHYS) != 0)
			printf("skipped: %s is not there\n", root);
	}
	if (totals.files == 0) {
		printf("skipped: no tests\n");
		return EXIT_SKIPPED;
	}
	report();
	return totals.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
