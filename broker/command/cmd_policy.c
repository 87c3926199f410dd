/* SPDX-License-Identifier: Apache-2.0 */
/* postern policy ...: Cedar texts by name; together they are the policy set in force. */
#include "client.h"
#include "commands.h"
#include "encode.h"
#include "file.h"
#include "output.h"
#include "policy_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* clang-format off: these lines are as wide as they will be read. */
const char help_policy_show[] = "postern policy show [NAME]\n"
				"\n"
				"Names of the policies in force, or the text of one.\n"
				"\n"
				"Example: postern policy show web > web.cedar\n";

const char help_policy_apply[] =
	"postern policy apply FILE [--name NAME]\n"
	"\n"
	"Puts a policy in force under NAME (default: the file's name without .cedar), in place of "
	"the\n"
	"one of that name. It is checked before, here and by the broker: its grammar, and every "
	"name and\n"
	"type in it by the schema that `postern policy schema` prints. A mistake changes nothing, "
	"and "
	"is told\n"
	"with line and column. A permit of `release` must say to which machines. Ids are not "
	"checked: a\n"
	"misspelt group matches nothing, so look at what `postern policy check` says would "
	"change.\n"
	"\n"
	"A new broker has two: `operators`, and `release`, which forbids every release to a "
	"machine that\n"
	"matches no baseline. Leave that in force, and give your own policies other names.\n"
	"\n"
	"Example, web.cedar (`postern explain` names a policy by its @id):\n"
	"  @id(\"web\")\n"
	"  permit (\n"
	"    principal in MachineGroup::\"web\",\n"
	"    action == Action::\"release\",\n"
	"    resource in Folder::\"web\"\n"
	"  ) when { context.baselines.contains(Baseline::\"web-2026-01\") };\n"
	"\n"
	"  postern policy check web.cedar && postern policy apply web.cedar\n"
	"\n"
	"What policies may speak of stands in PROTOCOL.md, \"What policy sees\".\n";

const char help_policy_delete[] = "postern policy delete NAME\n"
				  "\n"
				  "Takes a policy out of force. Without `release`, as "
				  "`postern init` made it, machines that\n"
				  "match no baseline get what other policies permit.\n"
				  "\n"
				  "Example: postern policy delete web\n";

const char help_policy_check[] = "postern policy check FILE [--name NAME]\n"
				 "\n"
				 "Says which machines would lose or gain which secrets if FILE "
				 "were applied under NAME. Changes\n"
				 "nothing. Exit status 65 when the text would be refused. (Whether "
				 "you could still change\n"
				 "policies afterwards is seen when it is applied.)\n"
				 "\n"
				 "Example: postern policy check web.cedar\n";
/* clang-format on */

/* To a file as it is, to be edited and applied again; to a terminal without what it could act upon:
 * whoever may apply policies must not rule the screen of whoever reads them. */
static int
text_print(const char *text)
{
	size_t size = strlen(text);
	char *tame = isatty(STDOUT_FILENO) ? malloc(size + 1) : NULL;

	if (tame == NULL && isatty(STDOUT_FILENO))
		return complain(EX_SOFTWARE, "out of memory");
	if (tame != NULL)
		text_tame(text, size, tame, size + 1);
	for (size_t i = 0; tame != NULL && i < size; i++)
		if (text[i] == '\n' || text[i] == '\t')
			tame[i] = text[i];
	(void)fputs(tame != NULL ? tame : text, stdout);
	free(tame);
	return 0;
}

int
cmd_policy_show(int argc, char **argv)
{
	static const struct column columns[] = {{"NAME", "name", COLUMN_TEXT},
						{"REVISION", "revision", COLUMN_TEXT},
						{"BY", "operator", COLUMN_TEXT}};
	struct common common = {.json = false};
	struct text_list positional;
	const struct option_rule rules[] = {COMMON_RULES(common)};
	struct operation_request request = {.operation = OPERATION_POLICY_SHOW};
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 1, "[NAME]") != 0)
		return EX_USAGE;
	if (positional.count == 1)
		operation_set_text(&request, FIELD_NAME, positional.items[0]);
	int status = client_once(common.config, &request, &answer);
	if (status != 0)
		return status;
	if (common.json)
		return output_json(answer.json);
	const json_t *rows = json_object_get(answer.json, "policies");
	if (positional.count == 0) {
		OUTPUT_TABLE(rows, columns, "no policies");
		return 0;
	}
	return text_print(json_text(json_array_get(rows, 0), "text"));
}

/* "some/where/release.cedar" -> "release". */
static int
name_settle(const char *file, const char *given, char ret_name[65])
{
	const char *slash = strrchr(file, '/');
	const char *base = given != NULL ? given : slash != NULL ? slash + 1 : file;
	size_t size = strlen(base);

	if (given == NULL && strcmp(file, "-") == 0)
		return complain(EX_USAGE, "standard input has no name: give --name");
	if (given == NULL && size > 6 && strcmp(base + size - 6, ".cedar") == 0)
		size -= 6;
	struct bytes name = {(const uint8_t *)base, size};
	if (!name_valid(name))
		return complain(EX_USAGE,
				"'%s' is no name (1-64 of A-Z a-z 0-9 _ . -): give --name", base);
	memcpy(ret_name, base, size);
	ret_name[size] = '\0';
	return 0;
}

static void
finding_tell(void *user, const struct policy_finding *finding)
{
	const char *const *path = user;

	if (finding->warning)
		remark("%s:%u:%u: %s", *path, finding->line, finding->column, finding->message);
	else
		(void)complain(EX_DATAERR, "%s:%u:%u: %s", *path, finding->line, finding->column,
			       finding->message);
}

/* Looked at here first, so that a mistake shows with line and column, and nothing is sent. */
static int
policy_try(const char *path, const struct file_text *file)
{
	auto_policy_set *set = NULL;
	auto_policy_schema *schema = NULL;
	struct policy_error err;

	if (policy_set_parse((struct policy_text){file->data, file->size}, &set, &err) != POLICY_OK)
		return policy_complain(path, &err);
	int status = policy_file_schema(NULL, &schema);
	if (status != 0)
		return status;
	enum policy_status verdict = policy_validate(schema, set, finding_tell, &path, &err);
	if (verdict == POLICY_OK)
		return 0;
	if (verdict != POLICY_INVALID)
		return policy_complain(path, &err);
	remark("`postern policy schema` prints what policies may speak of");
	return EX_DATAERR;
}

static int
policy_ask(int argc, char **argv, enum operation operation, struct common *common,
	   struct client_answer *ret_answer)
{
	struct text_list positional;
	const char *given = NULL;
	const struct option_rule rules[] = {COMMON_RULES(*common), {"--name", OPTION_TEXT, &given}};
	struct operation_request request = {.operation = (uint16_t)operation};
	auto_file_text file = {.data = NULL};
	char name[65];

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "FILE") != 0)
		return EX_USAGE;
	int status = name_settle(positional.items[0], given, name);
	if (status == 0)
		status = file_read(positional.items[0], OPERATION_POLICY_MAX, &file);
	if (status == 0)
		status = policy_try(positional.items[0], &file);
	if (status != 0)
		return status;
	operation_set_text(&request, FIELD_NAME, name);
	operation_set(&request, FIELD_POLICY,
		      (struct bytes){(const uint8_t *)file.data, file.size});
	return client_once(common->config, &request, ret_answer);
}

int
cmd_policy_apply(int argc, char **argv)
{
	struct common common = {.json = false};
	auto_answer answer = {.json = NULL};
	int status = policy_ask(argc, argv, OPERATION_POLICY_APPLY, &common, &answer);

	return status != 0 ? status : output_act(common.json, answer.json, answer.trust_revision);
}

int
cmd_policy_check(int argc, char **argv)
{
	static const struct column columns[] = {{"MACHINE", "machine", COLUMN_TEXT},
						{"NAME", "name", COLUMN_TEXT},
						{"SECRET", "path", COLUMN_TEXT},
						{"NOW", "before", COLUMN_TEXT},
						{"THEN", "after", COLUMN_TEXT}};
	struct common common = {.json = false};
	auto_answer answer = {.json = NULL};
	int status = policy_ask(argc, argv, OPERATION_POLICY_CHECK, &common, &answer);

	if (status != 0)
		return status;
	if (common.json)
		return output_json(answer.json);
	const json_t *changes = json_object_get(answer.json, "changes");
	OUTPUT_TABLE(changes, columns, "no machine would lose or gain anything");
	(void)printf("%zu changes, by what %llu machines quoted last%s\n", json_array_size(changes),
		     (unsigned long long)json_number(answer.json, "machines"),
		     json_is_true(json_object_get(answer.json, "truncated"))
			     ? "; there are more than could be listed"
			     : "");
	if (json_number(answer.json, "unsure") > 0)
		(void)printf("%llu machines cannot be told: a policy names a claim of theirs that "
			     "was too large to keep\n",
			     (unsigned long long)json_number(answer.json, "unsure"));
	return 0;
}

int
cmd_policy_delete(int argc, char **argv)
{
	bool json = false;
	auto_answer answer = {.json = NULL};

	int status = client_command(argc, argv, OPERATION_POLICY_DELETE, FIELD_NAME, "NAME", &json,
				    &answer);
	return status != 0 ? status : output_act(json, answer.json, answer.trust_revision);
}
