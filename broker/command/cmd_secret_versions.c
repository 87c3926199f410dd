/* SPDX-License-Identifier: Apache-2.0 */
/* postern secret show, delete, undelete, destroy, remove: what there is of a secret, and what is
 * done to it afterwards. */
#include "client.h"
#include "commands.h"
#include "encode.h"
#include "output.h"
#include "prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off: these lines are as wide as they will be read. */
const char help_secret_show[] =
	"postern secret show PATH\n"
	"\n"
	"What is known about a secret but its values: its settings, its custom metadata, and each\n"
	"version that is kept, with when and by whom it was put, and its state:\n"
	"\n"
	"  active      machines that policy permits get it\n"
	"  expired     its deletion time is reached; `secret undelete` gives it back\n"
	"  deleted     by an operator; `secret undelete` gives it back\n"
	"  destroyed   the value is gone for good\n"
	"\n"
	"Example: postern secret show db/prod\n";

const char help_secret_delete[] =
	"postern secret delete PATH [--versions LIST] [--cas N]\n"
	"\n"
	"Takes versions of a secret away from machines, so that they can be given back: the\n"
	"newest, or those of LIST. While the newest is deleted, whoever asks for the newest gets\n"
	"nothing, and no older version in its place. Machines that have it keep what they have.\n"
	"\n"
	"  --versions LIST   1,3 or 2-5: these\n"
	"  --cas N           only if the newest version is N\n"
	"\n"
	"Example: postern secret delete db/prod --versions 3\n"
	"Next: `postern secret undelete` gives them back, `secret destroy` erases their values,\n"
	"and `secret remove` the whole secret.\n";

const char help_secret_undelete[] =
	"postern secret undelete PATH --versions LIST\n"
	"\n"
	"Gives back versions that are deleted or expired. A deletion time that lies ahead is\n"
	"taken away, too. What is destroyed does not come back.\n"
	"\n"
	"Example: postern secret undelete db/prod --versions 3\n";

const char help_secret_destroy[] =
	"postern secret destroy PATH --versions LIST\n"
	"\n"
	"Erases the values of these versions for good: when it has answered, nobody can read\n"
	"them again, not even with the store's files and the root key. Backups made before have\n"
	"them, and machines keep what they have: change the password, too.\n"
	"\n"
	"Example: postern secret destroy db/prod --versions 1-3\n";

const char help_secret_remove[] =
	"postern secret remove PATH [--cas N] [--yes]\n"
	"\n"
	"Removes a secret for good: all values, as `secret destroy` does, its settings and its\n"
	"custom metadata. Asks at the terminal first. What is put there later begins with\n"
	"version 1.\n"
	"\n"
	"  --cas N   only if the newest version is N\n"
	"  --yes     do not ask\n"
	"\n"
	"Example: postern secret remove db/old\n";
/* clang-format on */

/* ---- show ---- */

/* Texts for what a number does not say by itself. */
static bool
settings_describe(json_t *answer)
{
	const json_t *settings = json_object_get(answer, "settings");
	json_int_t most = json_integer_value(json_object_get(settings, "versions_max"));
	json_int_t after = json_integer_value(json_object_get(settings, "delete_version_after"));
	bool required = json_is_true(json_object_get(settings, "cas_required"));

	return json_object_set_new(answer, "keeps",
				   most == 0
					   ? json_string("10 versions, the default")
					   : json_sprintf("%lld versions", (long long)most)) == 0 &&
	       json_object_set_new(answer, "check",
				   json_string(required ? "every put must give it" : "")) == 0 &&
	       json_object_set_new(answer, "expiry",
				   after == 0 ? json_string("")
					      : json_sprintf("%lld seconds after its put",
							     (long long)after)) == 0;
}

static void
custom_print(const json_t *answer)
{
	const char *name;
	json_t *value;

	json_object_foreach(json_object_get(answer, "custom"), name, value)
	{
		json_t *line = json_sprintf("%s=%s", name, json_string_value(value));
		if (line != NULL)
			output_line(json_string_value(line));
		json_decref(line);
	}
}

int
cmd_secret_show(int argc, char **argv)
{
	static const struct column columns[] = {{"path", "path", COLUMN_TEXT},
						{"newest version", "version", COLUMN_TEXT},
						{"created", "created", COLUMN_TIME},
						{"last put", "updated", COLUMN_TIME},
						{"keeps", "keeps", COLUMN_TEXT},
						{"check-and-set", "check", COLUMN_TEXT},
						{"a version expires", "expiry", COLUMN_TEXT}};
	static const struct column versions[] = {
		{"version", "version", COLUMN_TEXT}, {"state", "state", COLUMN_TEXT},
		{"put", "created", COLUMN_TIME},     {"deletion", "deletion", COLUMN_TIME},
		{"bytes", "size", COLUMN_TEXT},	     {"by", "operator", COLUMN_TEXT}};
	bool json = false;
	auto_answer answer = {.json = NULL};

	int status = client_command(argc, argv, OPERATION_SECRET_SHOW, FIELD_PATH, "PATH", &json,
				    &answer);
	if (status != 0)
		return status;
	if (json)
		return output_json(answer.json);
	if (!settings_describe(answer.json))
		return complain(EX_SOFTWARE, "out of memory");
	OUTPUT_FIELDS(answer.json, columns);
	(void)printf("\n");
	if (json_object_size(json_object_get(answer.json, "custom")) > 0) {
		custom_print(answer.json);
		(void)printf("\n");
	}
	OUTPUT_TABLE(json_object_get(answer.json, "versions"), versions, "no version yet");
	return 0;
}

/* ---- versions ---- */

static int
list_wrong(const char *text)
{
	return complain(EX_USAGE,
			"--versions wants numbers from 1 up, rising, at most %d of them: 1,3 or "
			"2-5, not '%s'",
			OPERATION_VERSIONS_MAX, text);
}

/* A decimal number of a version at `*at`, which moves behind it. 0: there is none. */
static uint32_t
number_read(const char **at)
{
	uint64_t number = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++) {
		number = 10 * number + (uint64_t)(**at - '0');
		if (number > UINT32_MAX)
			return 0;
	}
	return (uint32_t)number;
}

/* "1,3-5" */
static int
versions_take(const char *text, struct version_list *ret_list)
{
	struct version_list list = {.count = 0};
	const char *at = text;
	uint32_t last = 0;

	for (bool more = true; more;) {
		uint32_t first = number_read(&at);
		uint32_t end = first;
		if (*at == '-') {
			at++;
			end = number_read(&at);
		}
		if (first <= last || end < first ||
		    end - first >= (uint32_t)(OPERATION_VERSIONS_MAX - list.count))
			return list_wrong(text);
		for (uint32_t i = 0; i <= end - first; i++)
			list.versions[list.count++] = first + i;
		last = end;
		more = *at == ',';
		at += more;
	}
	if (*at != '\0')
		return list_wrong(text);
	*ret_list = list;
	return 0;
}

struct change {
	enum operation operation;
	const char *done; /* "deleted" */
	const char *idle; /* why nothing was changed */
	bool newest;	  /* is what is meant without a list; and it takes --cas */
};

static void
changed_print(const char *path, const struct change *change, const json_t *versions)
{
	size_t count = json_array_size(versions);

	if (count == 0) {
		(void)printf("%s: nothing to do: %s\n", path, change->idle);
		return;
	}
	(void)printf("%s: version%s", path, count == 1 ? "" : "s");
	for (size_t i = 0; i < count; i++)
		(void)printf("%s %lld", i > 0 ? "," : "",
			     (long long)json_integer_value(json_array_get(versions, i)));
	(void)printf(" %s %s\n", count == 1 ? "is" : "are", change->done);
}

static int
versions_change(int argc, char **argv, const struct change *change)
{
	struct common common = {.json = false};
	struct text_list positional;
	const char *text = NULL;
	uint64_t cas = UINT64_MAX;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--versions", OPTION_TEXT, &text},
					    {"--cas", OPTION_NUMBER, &cas}};
	size_t rule_count = sizeof(rules) / sizeof(*rules) - (change->newest ? 0 : 1);
	struct operation_request request = {.operation = (uint16_t)change->operation};
	struct version_list list;
	uint8_t number[8], memory[4 * OPERATION_VERSIONS_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	auto_answer answer = {.json = NULL};

	if (arguments_parse(argc, argv, rules, rule_count, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "PATH") != 0)
		return EX_USAGE;
	if (text == NULL && !change->newest)
		return complain(EX_USAGE, "which versions? --versions LIST (`postern secret show "
					  "PATH` lists them)");
	if (text != NULL && versions_take(text, &list) != 0)
		return EX_USAGE;
	operation_set_text(&request, FIELD_PATH, positional.items[0]);
	if (text != NULL) {
		version_list_write(&w, &list);
		operation_set(&request, FIELD_VERSIONS, writer_bytes(&w));
	}
	if (cas != UINT64_MAX)
		operation_set_number(&request, FIELD_CAS, cas, number);
	int status = client_once(common.config, &request, &answer);
	if (status != 0)
		return status;
	if (common.json)
		return output_json(answer.json);
	changed_print(positional.items[0], change, json_object_get(answer.json, "versions"));
	return 0;
}

int
cmd_secret_delete(int argc, char **argv)
{
	return versions_change(argc, argv,
			       &(struct change){OPERATION_SECRET_DELETE, "deleted",
						"none of that is active", true});
}

int
cmd_secret_undelete(int argc, char **argv)
{
	return versions_change(argc, argv,
			       &(struct change){OPERATION_SECRET_UNDELETE, "back",
						"none of that is deleted, or will be", false});
}

int
cmd_secret_destroy(int argc, char **argv)
{
	return versions_change(argc, argv,
			       &(struct change){OPERATION_SECRET_DESTROY, "destroyed",
						"all of that is destroyed already", false});
}

/* ---- all of it ---- */

int
cmd_secret_remove(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional;
	uint64_t cas = UINT64_MAX;
	bool sure = false;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--cas", OPTION_NUMBER, &cas},
					    {"--yes", OPTION_FLAG, &sure}};
	struct operation_request request = {.operation = OPERATION_SECRET_REMOVE};
	uint8_t number[8];
	char question[WIRE_PATH_MAX + 128];
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "PATH") != 0)
		return EX_USAGE;
	if (!path_valid(text_bytes(positional.items[0])))
		return complain(EX_USAGE, "'%s' is no path", positional.items[0]);
	(void)snprintf(question, sizeof(question),
		       "Remove %s with all its versions? Nothing brings them back. (yes or no) ",
		       positional.items[0]);
	int status = sure ? 0 : prompt_sure(question, "give --yes");
	if (status != 0)
		return status;
	operation_set_text(&request, FIELD_PATH, positional.items[0]);
	if (cas != UINT64_MAX)
		operation_set_number(&request, FIELD_CAS, cas, number);
	status = client_once(common.config, &request, &answer);
	if (status != 0)
		return status;
	if (common.json)
		return output_json(answer.json);
	(void)printf("%s is removed\n", positional.items[0]);
	return 0;
}
