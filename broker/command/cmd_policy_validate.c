/* SPDX-License-Identifier: Apache-2.0 */
/* postern policy validate, postern policy check-parse: texts looked at without a broker. */
#include "commands.h"
#include "file.h"
#include "output.h"
#include "policy_files.h"

#include <stdio.h>
#include <string.h>

#define EXIT_FINDINGS 1

/* clang-format off: these lines are as wide as they will be read. */
const char help_policy_validate[] = "postern policy validate --policies FILE [--schema FILE]\n"
				    "\n"
				    "Holds policies against a schema, as Cedar's strict validator "
				    "does: misspelt types, attributes and\n"
				    "actions, and comparisons that can never be. Without --schema "
				    "it is the broker's own schema. No\n"
				    "broker is asked. FILE may be -, standard input, and policies "
				    "in JSON, as for `policy authorize`.\n"
				    "\n"
				    "Prints FILE:LINE:COLUMN: POLICY: what, for each finding. "
				    "Policies that can never apply are a\n"
				    "warning. With --json: {\"valid\", \"findings\": [{\"policy\", "
				    "\"warning\", \"line\", \"column\", \"message\"}]}.\n"
				    "Exit status: 0 valid, 1 there are errors, 65 something does "
				    "not parse, 66 a file is not there.\n"
				    "\n"
				    "Example:\n"
				    "  echo 'permit (principal in MachinGroup::\"web\", action == "
				    "Action::\"release\", resource);' |\n"
				    "    postern policy validate --policies -\n";

const char help_policy_check_parse[] =
	"postern policy check-parse FILE...\n"
	"\n"
	"Is this Cedar? Each FILE is read as policies and templates, or as a schema where its name "
	"ends in\n"
	".cedarschema; - is standard input. Nothing is evaluated, and no broker asked.\n"
	"\n"
	"Prints FILE:LINE:COLUMN: what, for each that does not parse. With --json:\n"
	"[{\"file\", \"parses\", \"policies\"}] or, for one that does not, \"line\", \"column\" "
	"and \"message\".\n"
	"Exit status: 0 all parse, 65 one does not, 66 a file is not there.\n"
	"\n"
	"Example: postern policy check-parse policies/*.cedar\n";
/* clang-format on */

/* ---- validate ---- */

struct findings {
	const char *path;
	const struct policy_set *set;
	json_t *list; /* NULL: print each */
	size_t errors;
	size_t warnings;
	bool failed; /* out of memory */
};

static void
list_finding(struct findings *findings, const struct policy_finding *finding,
	     const struct policy_text *id)
{
	json_t *json =
		json_pack("{s:o?,s:b,s:I,s:I,s:s}", "policy", json_stringn(id->data, id->size),
			  "warning", finding->warning, "line", (json_int_t)finding->line, "column",
			  (json_int_t)finding->column, "message", finding->message);

	if (json_array_append_new(findings->list, json) != 0)
		findings->failed = true;
}

static void
take_finding(void *user, const struct policy_finding *finding)
{
	struct findings *findings = user;
	struct policy_summary summary;
	char id[128], line[FILE_PATH_MAX + 640];

	policy_set_summary(findings->set, finding->policy, &summary);
	findings->errors += finding->warning ? 0 : 1;
	findings->warnings += finding->warning ? 1 : 0;
	if (findings->list != NULL) {
		list_finding(findings, finding, &summary.id);
		return;
	}
	text_tame(summary.id.data, summary.id.size, id, sizeof(id));
	(void)snprintf(line, sizeof(line), "%s:%u:%u: %s: %s%s", findings->path, finding->line,
		       finding->column, id, finding->warning ? "warning: " : "", finding->message);
	output_line(line);
}

static int
report(const struct findings *findings, bool valid)
{
	if (findings->list == NULL) {
		(void)printf("%s: %zu policies, %zu errors, %zu warnings\n",
			     valid ? "valid" : "not valid", policy_set_count(findings->set),
			     findings->errors, findings->warnings);
		return valid ? 0 : EXIT_FINDINGS;
	}
	auto_json *json = json_pack("{s:b,s:O}", "valid", valid, "findings", findings->list);
	if (json == NULL || findings->failed)
		return complain(EX_SOFTWARE, "out of memory");
	int status = output_json(json);
	return status != 0 ? status : valid ? 0 : EXIT_FINDINGS;
}

static int
validate(const char *path, const struct policy_schema *schema, const struct policy_set *set,
	 bool json)
{
	auto_json *list = json ? json_array() : NULL;
	struct findings findings = {.path = path, .set = set, .list = list};
	struct policy_error err;

	if (json && list == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	enum policy_status status = policy_validate(schema, set, take_finding, &findings, &err);
	if (status == POLICY_OK || status == POLICY_INVALID)
		return report(&findings, status == POLICY_OK);
	return policy_complain(path, &err);
}

int
cmd_policy_validate(int argc, char **argv)
{
	const char *policies = NULL, *schema_path = NULL;
	bool json = false;
	struct text_list positional;
	const struct option_rule rules[] = {
		{"--json", OPTION_FLAG, &json},
		{"--policies", OPTION_TEXT, &policies},
		{"--schema", OPTION_TEXT, &schema_path},
	};
	auto_policy_set *set = NULL;
	auto_policy_schema *schema = NULL;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	if (policies == NULL)
		return complain(EX_USAGE, "wanted: --policies FILE (--help explains)");
	const char *files[] = {policies, schema_path};
	if (policy_files_share_input(files, sizeof(files) / sizeof(*files)))
		return complain(EX_USAGE, "only one file can be standard input");
	int status = policy_file_schema(schema_path, &schema);
	if (status == 0)
		status = policy_file_set(policies, NULL, &set);
	return status != 0 ? status : validate(policies, schema, set, json);
}

/* ---- check-parse ---- */

static bool
names_schema(const char *path)
{
	static const char ending[] = ".cedarschema";
	size_t size = strlen(path), tail = sizeof(ending) - 1;

	return size > tail && strcmp(path + size - tail, ending) == 0;
}

/* How many policies, or entity types and actions of a schema. */
static enum policy_status
parse(const char *path, const struct file_text *file, size_t *ret_count, struct policy_error *err)
{
	const struct policy_text text = {.data = file->data, .size = file->size};
	auto_policy_set *set = NULL;
	auto_policy_schema *schema = NULL;
	enum policy_status status = names_schema(path) ? policy_schema_parse(text, &schema, err)
						       : policy_text_set(text, &set, err);

	if (status == POLICY_OK)
		*ret_count = set != NULL ? policy_set_count(set)
					 : policy_schema_entity_count(schema) +
						   policy_schema_action_count(schema);
	return status;
}

static json_t *
parse_result(const char *path, bool parses, size_t count, const struct policy_error *err)
{
	if (parses)
		return json_pack("{s:s,s:b,s:I}", "file", path, "parses", true,
				 names_schema(path) ? "declarations" : "policies",
				 (json_int_t)count);
	return json_pack("{s:s,s:b,s:I,s:I,s:s}", "file", path, "parses", false, "line",
			 (json_int_t)err->line, "column", (json_int_t)err->column, "message",
			 err->message);
}

static int
check_file(const char *path, json_t *list)
{
	auto_file_text file = {.data = NULL};
	struct policy_error err = {0};
	size_t count = 0;
	int read = file_read(path, CEDAR_JSON_MAX, &file);

	if (read != 0)
		return read;
	enum policy_status status = parse(path, &file, &count, &err);
	if (status == POLICY_MEMORY)
		return complain(EX_SOFTWARE, "out of memory");
	if (list != NULL &&
	    json_array_append_new(list, parse_result(path, status == POLICY_OK, count, &err)) != 0)
		return complain(EX_SOFTWARE, "out of memory");
	if (status == POLICY_OK)
		return 0;
	return list != NULL ? EX_DATAERR : policy_complain(path, &err);
}

/* All files are looked at; the first failure is the exit status. */
int
cmd_policy_check_parse(int argc, char **argv)
{
	bool json = false;
	struct text_list files;
	const struct option_rule rules[] = {{"--json", OPTION_FLAG, &json}};
	int worst = 0;

	if (ARGUMENTS_PARSE(argc, argv, rules, &files) != 0 ||
	    arguments_expect(&files, 1, COMMAND_LIST_MAX, "FILE...") != 0)
		return EX_USAGE;
	if (policy_files_share_input(files.items, files.count))
		return complain(EX_USAGE, "only one file can be standard input");
	auto_json *list = json ? json_array() : NULL;
	if (json && list == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	for (size_t i = 0; i < files.count; i++) {
		int status = check_file(files.items[i], list);
		worst = worst != 0 ? worst : status;
	}
	int printed = json ? output_json(list) : 0;
	return worst != 0 ? worst : printed;
}
