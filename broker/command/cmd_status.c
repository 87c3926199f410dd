/* SPDX-License-Identifier: Apache-2.0 */
/* postern status and postern explain: what is, and why. */
#include "claims_seen.h"
#include "client.h"
#include "commands.h"
#include "encode.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_DECISIONS 5
#define EVIDENCE_MAX	  2048

/* clang-format off: these lines are as wide as they will be read. */
const char help_status[] =
	"postern status\n"
	"\n"
	"What the broker holds: trust revision, machines by state, policies, the audit log's "
	"head.\n"
	"Baselines and anchors count when they have ended or are revoked, too; operators do not.\n"
	"A good first command: its answer is signed, so it also proves operator.conf right.\n"
	"\n"
	"Example: postern status --json\n";

const char help_explain[] =
	"postern explain MACHINE [--count N]\n"
	"\n"
	"The last decisions about a machine (id or name), newest first, check by check: what was\n"
	"expected and what was seen. Where no baseline matched, the nearest one and the PCRs that\n"
	"differ. The guest itself is told one word only.\n"
	"\n"
	"  --count N   how many decisions, 1 to 1000 (default 5)\n"
	"\n"
	"Example: postern explain web-1\n";
/* clang-format on */

int
cmd_status(int argc, char **argv)
{
	static const struct column columns[] = {
		{"version", "version", COLUMN_TEXT},
		{"up for seconds", "uptime", COLUMN_TEXT},
		{"trust revision", "trust_revision", COLUMN_TEXT},
		{"frozen", "frozen", COLUMN_TEXT},
		{"frozen because", "frozen_why", COLUMN_TEXT},
		{"trouble with the disk", "store.trouble", COLUMN_TEXT},
		{"machines admitted", "machines.admitted", COLUMN_TEXT},
		{"machines pending", "machines.pending", COLUMN_TEXT},
		{"machines suspended", "machines.suspended", COLUMN_TEXT},
		{"baselines", "baselines", COLUMN_TEXT},
		{"policies", "policies", COLUMN_TEXT},
		{"operators", "operators", COLUMN_TEXT},
		{"anchors", "anchors", COLUMN_TEXT},
		{"released since start", "counters.released", COLUMN_TEXT},
		{"denied since start", "counters.denied", COLUMN_TEXT},
		{"unknown callers", "counters.unknown_callers", COLUMN_TEXT},
		{"audit entries", "audit.number", COLUMN_TEXT},
		{"audit head", "audit.hash", COLUMN_TEXT},
	};
	bool json = false;
	auto_answer answer = {.json = NULL};

	int status = client_command(argc, argv, OPERATION_STATUS, 0, NULL, &json, &answer);
	if (status != 0)
		return status;
	if (json)
		return output_json(answer.json);
	OUTPUT_FIELDS(answer.json, columns);
	return 0;
}

/* ---- explain ---- */

/* "web-1: pcr 4: ab.. pcr 7: cd..": each PCR in a line of its own, to be compared by eye. */
static void
evidence_print(const json_t *check, const char *member)
{
	static const char mark[] = " pcr ";
	const struct column column = {"", member, COLUMN_TEXT};
	char text[EVIDENCE_MAX];
	const char *next = text, *at;

	if (!json_is_string(json_object_get(check, member)))
		return;
	output_cell(check, &column, text, sizeof(text));
	(void)printf("         %-8s  ", member);
	while ((at = strstr(next + 1, mark)) != NULL) {
		(void)printf("%.*s\n                   ", (int)(at - next), next);
		next = at + 1;
	}
	(void)printf("%s\n", next);
}

static void
check_print(const json_t *check)
{
	static const struct column name = {"", "check", COLUMN_TEXT};
	bool good = json_is_true(json_object_get(check, "ok"));
	char text[64];

	output_cell(check, &name, text, sizeof(text));
	(void)printf("  %-4s %s\n", good ? "ok" : "NO", text);
	evidence_print(check, "expected");
	evidence_print(check, "seen");
}

static void
decision_print(const json_t *decision)
{
	static const struct column columns[] = {
		{"", "time", COLUMN_TIME},	{"", "kind", COLUMN_TEXT},
		{"", "outcome", COLUMN_TEXT},	{"", "operator", COLUMN_TEXT},
		{"", "operation", COLUMN_TEXT}, {"", "secrets", COLUMN_TEXT},
		{"", "reason", COLUMN_TEXT}};
	const json_t *checks = json_object_get(decision, "checks");
	char cells[7][512];

	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
		output_cell(decision, &columns[i], cells[i], sizeof(cells[i]));
	(void)printf("%s  %s", cells[0], cells[1]);
	for (size_t i = 2; i < sizeof(columns) / sizeof(*columns); i++)
		if (strcmp(cells[i], "-") != 0)
			(void)printf("  %s", cells[i]);
	(void)putchar('\n');
	for (size_t i = 0; i < json_array_size(checks); i++)
		check_print(json_array_get(checks, i));
	claims_seen_print("  claim  ", json_object_get(decision, "claims"));
	if (json_array_size(checks) == 0) {
		evidence_print(decision, "expected");
		evidence_print(decision, "seen");
	}
}

int
cmd_explain(int argc, char **argv)
{
	static const struct column head[] = {{"machine", "machine", COLUMN_TEXT},
					     {"name", "name", COLUMN_TEXT}};
	struct common common = {.json = false};
	struct text_list positional;
	uint64_t count = DEFAULT_DECISIONS;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--count", OPTION_NUMBER, &count}};
	struct operation_request request = {.operation = OPERATION_EXPLAIN};
	uint8_t number[8];
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "MACHINE") != 0)
		return EX_USAGE;
	operation_set_text(&request, FIELD_MACHINE, positional.items[0]);
	operation_set_number(&request, FIELD_COUNT, count, number);
	int status = client_once(common.config, &request, &answer);
	if (status != 0)
		return status;
	if (common.json)
		return output_json(answer.json);
	OUTPUT_FIELDS(answer.json, head);
	const json_t *decisions = json_object_get(answer.json, "decisions");
	if (json_array_size(decisions) == 0)
		(void)printf("nothing was decided about it yet\n");
	for (size_t i = 0; i < json_array_size(decisions); i++) {
		(void)putchar('\n');
		decision_print(json_array_get(decisions, i));
	}
	return 0;
}
