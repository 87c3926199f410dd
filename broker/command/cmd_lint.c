/* SPDX-License-Identifier: Apache-2.0 */
/* postern baseline lint: what baselines leave open. */
#include "client.h"
#include "commands.h"
#include "encode.h"
#include "lint.h"
#include "output.h"
#include "pcr_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_WARNED   1
#define NAME_MAX_TEXT 160

/* clang-format off: these lines are as wide as they will be read. */
const char help_baseline_lint[] =
	"postern baseline lint [NAME]... | --pcrs FILE\n"
	"\n"
	"Says what a baseline leaves open, what of it will break, and why: one warning for each. A "
	"baseline is\n"
	"as good as what it pins: whoever controls what is not pinned is let in with it.\n"
	"\n"
	"  0, 2     firmware, and code of plug-in cards: they measure everything else\n"
	"  4        what the firmware starts: shim, boot menu, unified kernel image\n"
	"  7, 14    Secure Boot: whether it is on, whose keys; the owner's keys, which shim trusts "
	"as well\n"
	"  8, 9     GRUB: its commands and command lines; the files it read\n"
	"  11, 12   unified kernel image: its sections; a command line passed from outside\n"
	"  1, 5, 6, 10, 15   differ between machines or change by themselves: not for baselines\n"
	"\n"
	"  NAME          baselines of the broker; without one all that have not ended\n"
	"  --pcrs FILE   values that are no baseline yet: JSON as `postern baseline predict "
	"--json` or `machine\n"
	"                show --json` print it, or what tpm2_pcrread prints; `-` is stdin\n"
	"  --json        {\"baselines\": [{\"name\", \"warnings\": [{\"code\", \"pcr\", \"why\", "
	"\"advice\"}]}]}\n"
	"\n"
	"Not every warning asks for something to be done: a fleet of many firmware versions may "
	"well leave out\n"
	"PCR 0. Know it, and have policy ask for claims instead. Exit status: 0 no warning, 1 "
	"warnings, 65 the\n"
	"file is malformed, 69 no such baseline.\n"
	"\n"
	"Example: postern baseline predict --uki web.efi --json | postern baseline lint --pcrs -\n";
/* clang-format on */

struct subjects {
	size_t count;
	struct lint_subject *items;
	json_t *answer; /* which names point into */
};

static void
subjects_free_at(struct subjects *subjects)
{
	free(subjects->items);
	json_decref(subjects->answer);
}
#define auto_subjects __attribute__((cleanup(subjects_free_at))) struct subjects

/* ---- what is linted ---- */

static int
file_subject(const char *path, struct subjects *subjects)
{
	struct pcr_file file;
	int status = pcr_file_read(path, &file);

	if (status != 0)
		return status;
	subjects->items = calloc(1, sizeof(*subjects->items));
	if (subjects->items == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	enum attest_bank bank =
		(file.banks >> ATTEST_SHA256 & 1) != 0 ? ATTEST_SHA256 : ATTEST_SHA384;
	while ((file.banks >> bank & 1) == 0)
		bank = (enum attest_bank)((bank + 1) % ATTEST_BANKS);
	subjects->items[0] = (struct lint_subject){.name = path, .pcrs = file.pcrs[bank]};
	subjects->count = 1;
	return 0;
}

static void
row_subject(const json_t *row, struct lint_subject *subject)
{
	const json_t *pcrs = json_object_get(row, "pcrs");

	*subject = (struct lint_subject){.name = json_text(row, "name"),
					 .pcrs = {.bank = ATTEST_SHA256},
					 .dated = true,
					 .ends = json_is_integer(json_object_get(row, "until"))};
	for (unsigned pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++) {
		char number[4];
		(void)snprintf(number, sizeof(number), "%u", pcr);
		if (hex_decode(json_text(pcrs, number), subject->pcrs.values[pcr],
			       ATTEST_HASH_SIZE))
			subject->pcrs.known |= 1U << pcr;
	}
}

static bool
wanted(const json_t *row, const struct text_list *names)
{
	const char *state = json_text(row, "state");

	if (names->count == 0)
		return strcmp(state, "active") == 0 || strcmp(state, "future") == 0;
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i], json_text(row, "name")) == 0)
			return true;
	return false;
}

static int
broker_subjects(const char *config, const struct text_list *names, struct subjects *subjects)
{
	struct operation_request request = {.operation = OPERATION_BASELINE_LIST};
	auto_answer answer = {.json = NULL};
	int status = client_once(config, &request, &answer);
	size_t index;
	json_t *row;

	if (status != 0)
		return status;
	subjects->answer = json_incref(answer.json);
	json_t *rows = json_object_get(answer.json, "baselines");
	subjects->items = calloc(json_array_size(rows) + 1, sizeof(*subjects->items));
	if (subjects->items == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	json_array_foreach(rows, index, row)
	{
		if (wanted(row, names))
			row_subject(row, &subjects->items[subjects->count++]);
	}
	for (size_t i = 0; i < names->count; i++) {
		size_t at = 0;
		while (at < subjects->count &&
		       strcmp(subjects->items[at].name, names->items[i]) != 0)
			at++;
		if (at == subjects->count)
			return complain(EX_UNAVAILABLE, "no baseline is called %s",
					names->items[i]);
	}
	return 0;
}

/* ---- what is said of it ---- */

static json_t *
warning(const char *code, int pcr, const char *why, const char *advice)
{
	json_t *all = json_pack("{s:s,s:s,s:s}", "code", code, "why", why, "advice", advice);

	if (pcr != LINT_NO_PCR)
		(void)json_object_set_new(all, "pcr", json_integer(pcr));
	return all;
}

/* Another baseline that every machine of this one matches as well. */
static void
covers_warn(const struct subjects *subjects, size_t own, json_t *warnings)
{
	for (size_t i = 0; i < subjects->count; i++) {
		char why[NAME_MAX_TEXT + 100], name[NAME_MAX_TEXT];
		if (i == own || !lint_covers(&subjects->items[own], &subjects->items[i]))
			continue;
		const char *other = subjects->items[i].name;
		text_tame(other, strlen(other), name, sizeof(name));
		(void)snprintf(why, sizeof(why),
			       "whatever matches %s matches this one too: to end or revoke that "
			       "one changes less than it seems",
			       name);
		(void)json_array_append_new(
			warnings,
			warning("baseline.covers", LINT_NO_PCR, why,
				"pin a PCR here in which the two images differ, or end one"));
	}
}

static json_t *
subject_warnings(const struct subjects *subjects, size_t own)
{
	json_t *warnings = json_array();
	const struct lint_rule *rule;

	for (size_t i = 0; (rule = lint_rule_at(i)) != NULL; i++)
		if (lint_applies(rule, &subjects->items[own]))
			(void)json_array_append_new(
				warnings, warning(rule->code, rule->pcr, rule->why, rule->advice));
	covers_warn(subjects, own, warnings);
	return warnings;
}

static void
subject_print(const json_t *subject)
{
	const json_t *warnings = json_object_get(subject, "warnings");
	size_t index;
	json_t *each;

	(void)printf("%s: ", json_text(subject, "name"));
	if (json_array_size(warnings) == 0)
		(void)printf("nothing to warn of\n");
	else
		(void)printf("%zu warning%s\n", json_array_size(warnings),
			     json_array_size(warnings) == 1 ? "" : "s");
	json_array_foreach(warnings, index, each)
	{
		(void)printf("\n  %s\n    ", json_text(each, "code"));
		output_line(json_text(each, "why"));
		(void)printf("    do: ");
		output_line(json_text(each, "advice"));
	}
}

static int
lint(const struct subjects *subjects, bool json)
{
	auto_json *all = json_object();
	json_t *list = json_array();
	size_t total = 0;

	(void)json_object_set_new(all, "baselines", list);
	for (size_t i = 0; i < subjects->count; i++) {
		char name[NAME_MAX_TEXT];
		json_t *warnings = subject_warnings(subjects, i);
		text_tame(subjects->items[i].name, strlen(subjects->items[i].name), name,
			  sizeof(name));
		total += json_array_size(warnings);
		(void)json_array_append_new(
			list, json_pack("{s:s,s:o}", "name", name, "warnings", warnings));
	}
	if (json_array_size(list) != subjects->count)
		return complain(EX_SOFTWARE, "out of memory");
	if (json && output_json(all) != 0)
		return EX_SOFTWARE;
	for (size_t i = 0; !json && i < subjects->count; i++) {
		(void)printf("%s", i > 0 ? "\n" : "");
		subject_print(json_array_get(list, i));
	}
	if (!json && subjects->count == 0)
		(void)printf("no baselines\n");
	return total > 0 ? EXIT_WARNED : 0;
}

int
cmd_baseline_lint(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list names;
	const char *file = NULL;
	const struct option_rule rules[] = {COMMON_RULES(common), {"--pcrs", OPTION_TEXT, &file}};
	auto_subjects subjects = {.count = 0};

	if (ARGUMENTS_PARSE(argc, argv, rules, &names) != 0)
		return EX_USAGE;
	if (file != NULL && names.count > 0)
		return complain(EX_USAGE, "names of baselines or --pcrs FILE, not both");
	int status = file != NULL ? file_subject(file, &subjects)
				  : broker_subjects(common.config, &names, &subjects);
	return status != 0 ? status : lint(&subjects, common.json);
}
