/* SPDX-License-Identifier: Apache-2.0 */
/* postern baseline ...: which images are known, by the PCR values they boot to. */
#include "client.h"
#include "commands.h"
#include "encode.h"
#include "output.h"
#include "pcr_file.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DEFAULT_PCRS "4,7,11,12"

/* clang-format off: these lines are as wide as they will be read. */
const char help_baseline_capture[] =
	"postern baseline capture NAME --machine M [--pcrs 4,7,11,12] [--from TIME] [--until "
	"TIME]\n"
	"\n"
	"Makes a baseline of the PCR values that machine M quoted last: boot one machine of a new\n"
	"image, enrol it, look at it, capture it. All of a baseline's PCRs must match together.\n"
	"\n"
	"  --pcrs LIST    which (default 4,7,11,12: boot loader and kernel, Secure Boot, the "
	"unified\n"
	"                 kernel image's sections, its command line)\n"
	"  --from TIME    when it begins (default now): 2026-01-31, 2026-01-31T12:00:00Z, +30d\n"
	"  --until TIME   when it ends (default never)\n"
	"\n"
	"Example: postern baseline capture web-2026-01 --machine web-1 --until +90d\n"
	"Next: policies may ask for it: `context.baselines.contains(Baseline::\"web-2026-01\")`.\n";

const char help_baseline_add[] =
	"postern baseline add NAME (--pcr N=HEX)... | --file FILE  [--from TIME] [--until TIME]\n"
	"\n"
	"Makes a baseline of values that a build pipeline computed: see `postern baseline "
	"predict`.\n"
	"\n"
	"  --pcr N=HEX   the SHA-256 value of PCR N (0-15); repeat for more\n"
	"  --file FILE   JSON: {\"pcrs\": {\"4\": \"hex\", \"11\": \"hex\"}}, as `postern baseline "
	"predict\n"
	"                --json` and `postern machine show --json` print it; or what tpm2_pcrread "
	"prints.\n"
	"                All of its SHA-256 values are taken\n"
	"\n"
	"Example: postern baseline add web-2 --pcr 4=3d45... --pcr 11=0be1... --until +90d\n";

const char help_baseline_list[] = "postern baseline list\n"
				  "\n"
				  "All baselines, their PCRs and dates.\n";

const char help_baseline_end[] = "postern baseline end NAME [--at TIME]\n"
				 "\n"
				 "Lets a baseline end, now or at TIME: machines that still boot it "
				 "then match nothing. For an\n"
				 "image that turned out bad use `postern revoke baseline NAME`.\n"
				 "\n"
				 "Example: postern baseline end web-2026-01 --at +7d\n";
/* clang-format on */

struct dates {
	const char *from;
	const char *until;
};

static int
dates_set(struct operation_request *request, const struct dates *dates, uint8_t from[8],
	  uint8_t until[8])
{
	int64_t now = time(NULL);
	uint64_t begins = (uint64_t)now, ends = 0;

	if (dates->from != NULL && !time_parse(dates->from, now, &begins))
		return complain(EX_USAGE, "--from: '%s' is no time (2026-01-31, +30d)",
				dates->from);
	if (dates->until != NULL && !time_parse(dates->until, now, &ends))
		return complain(EX_USAGE, "--until: '%s' is no time (2026-01-31, +30d)",
				dates->until);
	if (dates->until != NULL && ends <= begins)
		return complain(EX_USAGE, "it would end before it begins");
	operation_set_number(request, FIELD_FROM, begins, from);
	if (dates->until != NULL)
		operation_set_number(request, FIELD_UNTIL, ends, until);
	return 0;
}

/* {"4":"hex",...} into values, those of `mask` alone. */
static int
pcrs_take(const json_t *pcrs, uint16_t mask, const char *where, struct pcr_values *ret_values)
{
	*ret_values = (struct pcr_values){.mask = 0};
	for (unsigned n = 0; n < ATTEST_PCR_COUNT; n++) {
		char number[4];
		(void)snprintf(number, sizeof(number), "%u", n);
		if ((mask & 1u << n) == 0)
			continue;
		if (!hex_decode(json_text(pcrs, number), ret_values->values[n], ATTEST_HASH_SIZE))
			return complain(EX_DATAERR, "%s has no value for PCR %u", where, n);
	}
	ret_values->mask = mask;
	return 0;
}

/* All that a file has of the bank that quotes are of. */
static int
file_take(const char *path, struct pcr_values *ret_values)
{
	struct pcr_values values = {.mask = 0};
	struct pcr_file file;
	int status = pcr_file_read(path, &file);

	if (status != 0)
		return status;
	const struct attest_pcrs *pcrs = &file.pcrs[ATTEST_SHA256];
	if ((file.banks >> ATTEST_SHA256 & 1) == 0)
		return complain(EX_DATAERR, "%s has no SHA-256 values, of which baselines are",
				path);
	if (pcrs->known >> ATTEST_PCR_COUNT != 0)
		return complain(EX_DATAERR, "%s has values of PCR %d or above: wanted 0 to %d",
				path, ATTEST_PCR_COUNT, ATTEST_PCR_COUNT - 1);
	for (unsigned n = 0; n < ATTEST_PCR_COUNT; n++)
		memcpy(values.values[n], pcrs->values[n], ATTEST_HASH_SIZE);
	values.mask = (uint16_t)pcrs->known;
	*ret_values = values;
	return 0;
}

static int
baseline_send(struct client *client, struct operation_request *request, const char *name,
	      const struct pcr_values *values, const struct dates *dates, bool json)
{
	uint8_t pcrs[2 + WIRE_PCRS_SIZE], from[8], until[8];
	struct writer w = writer_of(pcrs, sizeof(pcrs));
	auto_answer answer = {.json = NULL};
	int status = dates_set(request, dates, from, until);

	if (status != 0)
		return status;
	pcr_values_write(&w, values);
	operation_set_text(request, FIELD_NAME, name);
	operation_set(request, FIELD_PCRS, writer_bytes(&w));
	status = client_ask(client, request, &answer);
	return status != 0 ? status : output_act(json, answer.json, answer.trust_revision);
}

static int
capture_read(struct client *client, const char *machine, uint16_t mask,
	     struct pcr_values *ret_values)
{
	struct operation_request request = {.operation = OPERATION_MACHINE_SHOW};
	auto_answer answer = {.json = NULL};

	operation_set_text(&request, FIELD_MACHINE, machine);
	int status = client_ask(client, &request, &answer);
	if (status != 0)
		return status;
	return pcrs_take(json_object_get(answer.json, "pcrs"), mask, machine, ret_values);
}

/* A PCR that nothing was measured into proves nothing: whatever does not measure its
 * boot has the same. */
static void
empty_remark(const struct pcr_values *values, const char *machine)
{
	for (unsigned n = 0; n < ATTEST_PCR_COUNT; n++)
		if ((values->mask & 1u << n) != 0 &&
		    sodium_is_zero(values->values[n], ATTEST_HASH_SIZE) == 1)
			remark("PCR %u of %s is all zeros: nothing was measured into it", n,
			       machine);
}

int
cmd_baseline_capture(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional;
	struct dates dates = {.from = NULL};
	const char *machine = NULL, *pcrs = DEFAULT_PCRS;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--machine", OPTION_TEXT, &machine},
					    {"--pcrs", OPTION_TEXT, &pcrs},
					    {"--from", OPTION_TEXT, &dates.from},
					    {"--until", OPTION_TEXT, &dates.until}};
	struct operation_request request = {.operation = OPERATION_BASELINE_ADD};
	struct pcr_values values;
	uint16_t mask = 0;
	auto_client *client = NULL;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "NAME") != 0)
		return EX_USAGE;
	if (machine == NULL)
		return complain(EX_USAGE, "wanted: --machine M, which booted the image");
	if (!pcr_mask_parse(pcrs, &mask))
		return complain(EX_USAGE, "--pcrs: '%s' is no list of PCRs (4,7,11)", pcrs);
	int status = client_open(common.config, &client);
	if (status == 0)
		status = capture_read(client, machine, mask, &values);
	if (status == 0)
		empty_remark(&values, machine);
	return status != 0 ? status
			   : baseline_send(client, &request, positional.items[0], &values, &dates,
					   common.json);
}

int
cmd_baseline_add(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional, pcrs = {.count = 0};
	struct dates dates = {.from = NULL};
	const char *file = NULL;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--pcr", OPTION_LIST, &pcrs},
					    {"--file", OPTION_TEXT, &file},
					    {"--from", OPTION_TEXT, &dates.from},
					    {"--until", OPTION_TEXT, &dates.until}};
	struct operation_request request = {.operation = OPERATION_BASELINE_ADD};
	struct pcr_values values = {.mask = 0};
	auto_client *client = NULL;
	int status = 0;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "NAME") != 0)
		return EX_USAGE;
	if ((file == NULL) == (pcrs.count == 0))
		return complain(EX_USAGE, "wanted: either --pcr N=HEX (repeated) or --file FILE");
	for (size_t i = 0; i < pcrs.count; i++)
		if (!pcr_value_parse(pcrs.items[i], &values))
			return complain(EX_USAGE,
					"--pcr: '%s' is not N=HEX of 64 digits, or is "
					"there twice",
					pcrs.items[i]);
	if (file != NULL)
		status = file_take(file, &values);
	if (status == 0)
		status = client_open(common.config, &client);
	return status != 0 ? status
			   : baseline_send(client, &request, positional.items[0], &values, &dates,
					   common.json);
}

int
cmd_baseline_list(int argc, char **argv)
{
	static const struct column columns[] = {{"NAME", "name", COLUMN_TEXT},
						{"STATE", "state", COLUMN_TEXT},
						{"FROM", "from", COLUMN_TIME},
						{"UNTIL", "until", COLUMN_TIME},
						{"PCRS", "pcrs", COLUMN_TEXT}};
	bool json = false;
	auto_answer answer = {.json = NULL};

	int status = client_command(argc, argv, OPERATION_BASELINE_LIST, 0, NULL, &json, &answer);
	if (status != 0)
		return status;
	if (json)
		return output_json(answer.json);
	OUTPUT_TABLE(json_object_get(answer.json, "baselines"), columns, "no baselines");
	return 0;
}

int
cmd_baseline_end(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional;
	const char *at = "now";
	const struct option_rule rules[] = {COMMON_RULES(common), {"--at", OPTION_TEXT, &at}};
	struct operation_request request = {.operation = OPERATION_BASELINE_END};
	uint8_t until[8];
	uint64_t ends = 0;
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "NAME") != 0)
		return EX_USAGE;
	if (!time_parse(at, time(NULL), &ends))
		return complain(EX_USAGE, "--at: '%s' is no time (2026-01-31, +7d)", at);
	operation_set_text(&request, FIELD_NAME, positional.items[0]);
	operation_set_number(&request, FIELD_UNTIL, ends, until);
	int status = client_once(common.config, &request, &answer);
	return status != 0 ? status : output_act(common.json, answer.json, answer.trust_revision);
}
