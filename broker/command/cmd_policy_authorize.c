/* SPDX-License-Identifier: Apache-2.0 */
/* postern policy authorize: one request, decided as Cedar says, without a broker. */
#include "commands.h"
#include "output.h"
#include "policy_files.h"

#include <stdio.h>
#include <string.h>

#define EXIT_DENIED 1

/* clang-format off: these lines are as wide as they will be read. */
const char help_policy_authorize[] =
	"postern policy authorize --policies FILE --entities FILE --request FILE [--schema FILE]\n"
	"                         [--links FILE]\n"
	"\n"
	"Decides one request by Cedar policies, here and now: no broker is asked, and none is "
	"needed.\n"
	"Prints Allow or Deny, the policies that decided, and those that failed (which Cedar "
	"skips).\n"
	"\n"
	"  --policies FILE  Cedar's text, or {\"staticPolicies\", \"templates\", "
	"\"templateLinks\"}\n"
	"  --entities FILE  [{\"uid\", \"attrs\", \"parents\", \"tags\"}, ...]\n"
	"  --request FILE   {\"principal\", \"action\", \"resource\", \"context\"}\n"
	"  --schema FILE    what entities and the request must conform to; their JSON may then be\n"
	"                   shorter, as in Cedar: \"10.0.0.1\" where an ipaddr is declared\n"
	"  --links FILE     [{\"templateId\", \"newId\", \"values\": {\"?principal\": ENTITY}}, "
	"...]\n"
	"\n"
	"One FILE may be -, standard input. Policies are called policy0, policy1, ... in the order "
	"of\n"
	"their text. With --json: {\"decision\", \"reasons\": [ID, ...], \"errors\": [{\"policy\", "
	"\"message\"}]}.\n"
	"Exit status: 0 Allow, 1 Deny, 65 something does not parse or conform, 66 a file is not "
	"there.\n"
	"\n"
	"Example:\n"
	"  echo 'permit (principal, action == Action::\"read\", resource)\n"
	"          when { context.port < 1024 };' > web.cedar\n"
	"  echo '[]' > entities.json\n"
	"  echo '{\"principal\": \"User::\\\"ann\\\"\", \"action\": {\"type\": \"Action\", \"id\": "
	"\"read\"},\n"
	"         \"resource\": \"Page::\\\"index\\\"\", \"context\": {\"port\": 443}}' > "
	"request.json\n"
	"  postern policy authorize --policies web.cedar --entities entities.json --request "
	"request.json\n";
/* clang-format on */

struct question {
	const char *policies;
	const char *entities;
	const char *request;
	const char *schema; /* NULL: none */
	const char *links;  /* the same */
	bool json;
};

static struct policy_text
policy_id(const struct policy_set *set, size_t index)
{
	struct policy_summary summary;

	policy_set_summary(set, index, &summary);
	return summary.id;
}

static int
print_json(const struct policy_set *set, const struct policy_decision *decision)
{
	json_t *reasons = json_array(), *errors = json_array();
	auto_json *json =
		json_pack("{s:s,s:o?,s:o?}", "decision", decision->allowed ? "allow" : "deny",
			  "reasons", reasons, "errors", errors);
	int failed = 0;

	for (size_t i = 0; i < decision->reason_count; i++) {
		struct policy_text id = policy_id(set, decision->reasons[i]);
		failed |= json_array_append_new(reasons, json_stringn(id.data, id.size));
	}
	for (size_t i = 0; i < decision->failure_count; i++) {
		const struct policy_failure *failure = &decision->failures[i];
		struct policy_text id = policy_id(set, failure->policy);
		failed |= json_array_append_new(errors, json_pack("{s:o?,s:s}", "policy",
								  json_stringn(id.data, id.size),
								  "message", failure->message));
	}
	if (json == NULL || failed != 0)
		return complain(EX_SOFTWARE, "out of memory");
	return output_json(json);
}

static void
print_policy(const struct policy_set *set, size_t index, const char *before, const char *after)
{
	struct policy_summary summary;
	char id[128], name[128] = "";

	policy_set_summary(set, index, &summary);
	text_tame(summary.id.data, summary.id.size, id, sizeof(id));
	text_tame(summary.name.data, summary.name.size, name, sizeof(name));
	(void)printf("%s%s%s%s%s (%u:%u)%s%s\n", before, id, name[0] != '\0' ? " \"" : "", name,
		     name[0] != '\0' ? "\"" : "", summary.line, summary.column,
		     after[0] != '\0' ? ": " : "", after);
}

static int
print_decision(const struct policy_set *set, const struct policy_decision *decision, bool json)
{
	if (json)
		return print_json(set, decision);
	(void)printf("%s\n", decision->allowed ? "Allow" : "Deny");
	for (size_t i = 0; i < decision->reason_count; i++)
		print_policy(set, decision->reasons[i], "by ", "");
	for (size_t i = 0; i < decision->failure_count; i++)
		print_policy(set, decision->failures[i].policy, "skipped ",
			     decision->failures[i].message);
	return 0;
}

/* ---- what is asked, read ---- */

static int
read_entities(const struct question *question, const struct policy_schema *schema,
	      struct policy_facts *facts)
{
	auto_cedar_document *document = NULL;
	struct policy_error err;
	int status = policy_file_document(question->entities, &document);

	if (status != 0)
		return status;
	struct cedar_place root = cedar_root(document);
	if (cedar_read_entities(&root, schema, facts, &err) != POLICY_OK)
		return policy_complain(question->entities, &err);
	return 0;
}

static int
read_request(const struct question *question, const struct policy_schema *schema,
	     struct policy_facts *facts, struct policy_request *ret_request)
{
	auto_cedar_document *document = NULL;
	struct policy_error err;
	int status = policy_file_document(question->request, &document);

	if (status != 0)
		return status;
	struct cedar_place root = cedar_root(document);
	if (cedar_read_request(&root, schema, facts, ret_request, &err) != POLICY_OK)
		return policy_complain(question->request, &err);
	if (schema == NULL || policy_schema_check_request(schema, ret_request, &err) == POLICY_OK)
		return 0;
	cedar_locate(&root, &err);
	return policy_complain(question->request, &err);
}

static int
decide(const struct question *question, const struct policy_set *set,
       const struct policy_schema *schema, struct policy_facts *facts)
{
	struct policy_decision decision;
	struct policy_request request;
	struct policy_error err;
	int status = read_entities(question, schema, facts);

	if (status == 0)
		status = read_request(question, schema, facts, &request);
	if (status != 0)
		return status;
	if (policy_decide(set, facts, &request, &decision, &err) != POLICY_OK)
		return policy_complain(question->request, &err);
	status = print_decision(set, &decision, question->json);
	return status != 0 ? status : decision.allowed ? 0 : EXIT_DENIED;
}

static int
answer(const struct question *question)
{
	auto_policy_set *set = NULL;
	auto_policy_schema *schema = NULL;
	int status = policy_file_set(question->policies, question->links, &set);

	if (status == 0 && question->schema != NULL)
		status = policy_file_schema(question->schema, &schema);
	if (status != 0)
		return status;
	struct policy_facts *facts = policy_facts_new(NULL);
	if (facts == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	status = decide(question, set, schema, facts);
	policy_facts_free(facts);
	return status;
}

int
cmd_policy_authorize(int argc, char **argv)
{
	struct question question = {.json = false};
	struct text_list positional;
	const struct option_rule rules[] = {
		{"--json", OPTION_FLAG, &question.json},
		{"--policies", OPTION_TEXT, &question.policies},
		{"--entities", OPTION_TEXT, &question.entities},
		{"--request", OPTION_TEXT, &question.request},
		{"--schema", OPTION_TEXT, &question.schema},
		{"--links", OPTION_TEXT, &question.links},
	};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	if (question.policies == NULL || question.entities == NULL || question.request == NULL)
		return complain(EX_USAGE,
				"wanted: --policies, --entities and --request (--help explains)");
	const char *files[] = {question.policies, question.entities, question.request,
			       question.schema, question.links};
	if (policy_files_share_input(files, sizeof(files) / sizeof(*files)))
		return complain(EX_USAGE, "only one file can be standard input");
	return answer(&question);
}
