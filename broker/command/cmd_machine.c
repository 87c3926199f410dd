/* SPDX-License-Identifier: Apache-2.0 */
/* postern machine ...: which machines may ask at all. */
#include "claims_seen.h"
#include "client.h"
#include "commands.h"
#include "ek.h"
#include "encode.h"
#include "names.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define AK_NAME_SIZE 34

/* clang-format off: these lines are as wide as they will be read. */
const char help_machine_register[] =
	"postern machine register NAME (--ek-certificate FILE | --ek-public FILE) [--group G]...\n"
	"\n"
	"Admits a machine before it first boots, by its TPM's endorsement key: a provisioning\n"
	"pipeline knows it. When the machine enrols it is admitted at once.\n"
	"\n"
	"  --ek-certificate FILE  the EK's certificate, PEM or DER\n"
	"  --ek-public FILE       the EK itself: TPM2B_PUBLIC (tpm2_createek -u), TPMT_PUBLIC, or "
	"PEM\n"
	"  --group G              a group the machine is in; repeat for more\n"
	"\n"
	"Example: postern machine register web-1 --ek-public web-1.ek.pub --group web\n"
	"Next: on the machine, `postern enroll`.\n";

const char help_machine_pending[] =
	"postern machine pending\n"
	"\n"
	"Machines that have enrolled and wait for admission. They can ask for nothing.\n"
	"Next: `postern machine show ID`, then `postern machine admit ID --name NAME`.\n";

const char help_machine_admit[] =
	"postern machine admit ID --name NAME [--group G]...\n"
	"\n"
	"Admits a machine that waits. Shows what its TPM's certificate proves, and what a cloud's\n"
	"key in its TPM does (both \"absent\": nothing does, as on libvirt: then be sure by other\n"
	"means that this is your machine), and signs the EK and the attestation key that were\n"
	"shown.\n"
	"\n"
	"Example: postern machine admit m-0123456789abcdef --name web-1 --group web\n"
	"Next: `postern baseline capture` if its image is a new one, and a policy for its group.\n";

const char help_machine_list[] = "postern machine list [--state pending|admitted|suspended]\n"
				 "\n"
				 "All machines, or those in one state.\n"
				 "\n"
				 "Example: postern machine list --state suspended\n";

const char help_machine_show[] = "postern machine show MACHINE\n"
				 "\n"
				 "One machine, by id or name: state and why, groups, keys, what "
				 "its EK's certificate proves,\n"
				 "and the PCR values, and what its logs proved, when it was last "
				 "enrolled or released\n"
				 "to: `postern explain` tells of what was denied since (--json "
				 "has all values).\n"
				 "\n"
				 "Example: postern machine show web-1\n";

const char help_machine_suspend[] =
	"postern machine suspend MACHINE --reason TEXT\n"
	"\n"
	"Once this has answered, nothing is released to the machine until it is readmitted. What "
	"it\n"
	"has it keeps.\n"
	"\n"
	"Example: postern machine suspend web-1 --reason 'disk image leaked'\n";

const char help_machine_readmit[] =
	"postern machine readmit MACHINE --reason TEXT\n"
	"\n"
	"Lifts a suspension, also the broker's own after a TPM's clock went back (a restored "
	"snapshot,\n"
	"a cleared TPM). Does not lift a revocation.\n"
	"\n"
	"Example: postern machine readmit web-1 --reason 'restored from snapshot by us'\n";

const char help_machine_group[] = "postern machine group MACHINE [GROUP]...\n"
				  "\n"
				  "Sets the groups that a machine is in; none takes it out of all. "
				  "Policies speak of groups.\n"
				  "\n"
				  "Example: postern machine group web-1 web eu\n";
/* clang-format on */

static const struct column list_columns[] = {{"ID", "id", COLUMN_TEXT},
					     {"NAME", "name", COLUMN_TEXT},
					     {"STATE", "state", COLUMN_TEXT},
					     {"GROUPS", "groups", COLUMN_TEXT},
					     {"CHAIN", "endorsement.verdict", COLUMN_TEXT},
					     {"CLOUD", "cloud.verdict", COLUMN_TEXT},
					     {"LAST SEEN", "last_seen", COLUMN_TIME}};

static const struct column show_columns[] = {
	{"id", "id", COLUMN_TEXT},
	{"name", "name", COLUMN_TEXT},
	{"state", "state", COLUMN_TEXT},
	{"why", "reason", COLUMN_TEXT},
	{"groups", "groups", COLUMN_TEXT},
	{"enrolled", "first_seen", COLUMN_TIME},
	{"last seen", "last_seen", COLUMN_TIME},
	{"EK", "ek_kind", COLUMN_TEXT},
	{"EK id", "ek_id", COLUMN_TEXT},
	{"AK name", "ak_name", COLUMN_TEXT},
	{"EK certificate", "endorsement.verdict", COLUMN_TEXT},
	{"  problem", "endorsement.problem", COLUMN_TEXT},
	{"  manufacturer", "endorsement.manufacturer", COLUMN_TEXT},
	{"  model", "endorsement.model", COLUMN_TEXT},
	{"  version", "endorsement.version", COLUMN_TEXT},
	{"  anchor", "endorsement.anchor", COLUMN_TEXT},
	{"cloud's key", "cloud.verdict", COLUMN_TEXT},
	{"  problem", "cloud.problem", COLUMN_TEXT},
	{"  anchor", "cloud.anchor", COLUMN_TEXT},
	{"  project", "cloud.instance.project", COLUMN_TEXT},
	{"  project number", "cloud.instance.project_number", COLUMN_TEXT},
	{"  zone", "cloud.instance.zone", COLUMN_TEXT},
	{"  instance", "cloud.instance.instance_name", COLUMN_TEXT},
	{"  instance id", "cloud.instance.instance_id", COLUMN_TEXT},
	{"event log", "event_log", COLUMN_TEXT},
	{"IMA list", "ima", COLUMN_TEXT},
	{"secure boot", "secure_boot", COLUMN_TEXT},
};

static void
pcrs_print(const json_t *pcrs)
{
	if (json_object_size(pcrs) > 0)
		(void)puts("Logs, PCR values and claims are of its last release or enrolment; "
			   "`postern explain`\nhas what was denied since.");
	for (unsigned n = 0; n < ATTEST_PCR_COUNT; n++) {
		char number[4];
		(void)snprintf(number, sizeof(number), "%u", n);
		const char *value = json_text(pcrs, number);
		if (value[0] == '\0')
			continue;
		(void)printf("PCR %-2u  ", n);
		output_line(value);
	}
}

static void
claims_show(const json_t *machine)
{
	const json_t *left_out = json_object_get(machine, "claims_left_out");

	claims_seen_print("claim   ", json_object_get(machine, "claims"));
	for (size_t i = 0; i < json_array_size(left_out); i++) {
		(void)printf("claim   (too large to keep) ");
		output_line(json_string_value(json_array_get(left_out, i)));
	}
}

static int
list_run(int argc, char **argv, const char *state, const char *none)
{
	struct common common = {.json = false};
	struct text_list positional;
	const struct option_rule rules[] = {COMMON_RULES(common), {"--state", OPTION_TEXT, &state}};
	struct operation_request request = {.operation = OPERATION_MACHINE_LIST};
	auto_client *client = NULL;
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	if (state != NULL)
		operation_set_text(&request, FIELD_STATE, state);
	int status = client_open(common.config, &client);
	if (status == 0)
		status = client_ask_all(client, &request, "machines", &answer);
	if (status != 0)
		return status;
	if (common.json)
		return output_json(answer.json);
	OUTPUT_TABLE(json_object_get(answer.json, "machines"), list_columns, none);
	return 0;
}

int
cmd_machine_list(int argc, char **argv)
{
	return list_run(argc, argv, NULL, "no machines");
}

int
cmd_machine_pending(int argc, char **argv)
{
	return list_run(argc, argv, "pending", "no machine waits");
}

int
cmd_machine_show(int argc, char **argv)
{
	bool json = false;
	auto_answer answer = {.json = NULL};

	int status = client_command(argc, argv, OPERATION_MACHINE_SHOW, FIELD_MACHINE, "MACHINE",
				    &json, &answer);
	if (status != 0)
		return status;
	if (json)
		return output_json(answer.json);
	OUTPUT_FIELDS(answer.json, show_columns);
	pcrs_print(json_object_get(answer.json, "pcrs"));
	claims_show(answer.json);
	return 0;
}

/* ---- acts ---- */

int
cmd_machine_register(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional, groups = {.count = 0};
	const char *certificate = NULL, *public_key = NULL;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--ek-certificate", OPTION_TEXT, &certificate},
					    {"--ek-public", OPTION_TEXT, &public_key},
					    {"--group", OPTION_LIST, &groups}};
	struct operation_request request = {.operation = OPERATION_MACHINE_REGISTER};
	uint8_t ek_id[ATTEST_HASH_SIZE], names[NAMES_SIZE];
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "NAME") != 0)
		return EX_USAGE;
	if ((certificate == NULL) == (public_key == NULL))
		return complain(EX_USAGE, "wanted: one of --ek-certificate FILE, --ek-public FILE");
	int status = certificate != NULL ? ek_id_from_certificate(certificate, ek_id)
					 : ek_id_from_public(public_key, ek_id);
	if (status == 0)
		status = names_set(&request, FIELD_GROUPS, &groups, "--group", names);
	operation_set_text(&request, FIELD_NAME, positional.items[0]);
	operation_set(&request, FIELD_EK_ID, BYTES_OF(ek_id));
	if (status == 0)
		status = client_once(common.config, &request, &answer);
	return status != 0 ? status : output_act(common.json, answer.json, answer.trust_revision);
}

/* What an admission signs is what was shown: id, EK and AK. */
static int
admit_prepare(struct client *client, const char *machine, bool quiet, uint8_t ret_ek_id[32],
	      uint8_t ret_ak_name[AK_NAME_SIZE], char ret_id[MACHINE_ID_SIZE])
{
	struct operation_request request = {.operation = OPERATION_MACHINE_SHOW};
	auto_answer answer = {.json = NULL};

	operation_set_text(&request, FIELD_MACHINE, machine);
	int status = client_ask(client, &request, &answer);
	if (status != 0)
		return status;
	if (!quiet)
		OUTPUT_FIELDS(answer.json, show_columns);
	const char *id = json_text(answer.json, "id");
	if (!hex_decode(json_text(answer.json, "ek_id"), ret_ek_id, ATTEST_HASH_SIZE) ||
	    !hex_decode(json_text(answer.json, "ak_name"), ret_ak_name, AK_NAME_SIZE) ||
	    strlen(id) != MACHINE_ID_SIZE - 1)
		return complain(EX_DATAERR,
				"%s has not enrolled yet: `postern machine register` is "
				"for that",
				machine);
	memcpy(ret_id, id, MACHINE_ID_SIZE);
	return 0;
}

int
cmd_machine_admit(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional, groups = {.count = 0};
	const char *name = NULL;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--name", OPTION_TEXT, &name},
					    {"--group", OPTION_LIST, &groups}};
	struct operation_request request = {.operation = OPERATION_MACHINE_ADMIT};
	uint8_t ek_id[ATTEST_HASH_SIZE], ak_name[AK_NAME_SIZE], names[NAMES_SIZE];
	char id[MACHINE_ID_SIZE];
	auto_client *client = NULL;
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "ID") != 0)
		return EX_USAGE;
	if (name == NULL)
		return complain(EX_USAGE, "wanted: --name NAME, by which you call this machine");
	int status = names_set(&request, FIELD_GROUPS, &groups, "--group", names);
	if (status == 0)
		status = client_open(common.config, &client);
	if (status == 0)
		status =
			admit_prepare(client, positional.items[0], common.json, ek_id, ak_name, id);
	if (status != 0)
		return status;
	operation_set_text(&request, FIELD_MACHINE, id);
	operation_set_text(&request, FIELD_NAME, name);
	operation_set(&request, FIELD_EK_ID, BYTES_OF(ek_id));
	operation_set(&request, FIELD_AK_NAME, BYTES_OF(ak_name));
	status = client_ask(client, &request, &answer);
	return status != 0 ? status : output_act(common.json, answer.json, answer.trust_revision);
}

static int
reason_run(int argc, char **argv, enum operation operation)
{
	struct common common = {.json = false};
	struct text_list positional;
	const char *reason = NULL;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--reason", OPTION_TEXT, &reason}};
	struct operation_request request = {.operation = (uint16_t)operation};
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "MACHINE") != 0)
		return EX_USAGE;
	if (reason == NULL)
		return complain(EX_USAGE, "wanted: --reason TEXT, which the audit log keeps");
	operation_set_text(&request, FIELD_MACHINE, positional.items[0]);
	operation_set_text(&request, FIELD_REASON, reason);
	int status = client_once(common.config, &request, &answer);
	return status != 0 ? status : output_act(common.json, answer.json, answer.trust_revision);
}

int
cmd_machine_suspend(int argc, char **argv)
{
	return reason_run(argc, argv, OPERATION_MACHINE_SUSPEND);
}

int
cmd_machine_readmit(int argc, char **argv)
{
	return reason_run(argc, argv, OPERATION_MACHINE_READMIT);
}

int
cmd_machine_group(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional, groups = {.count = 0};
	const struct option_rule rules[] = {COMMON_RULES(common)};
	struct operation_request request = {.operation = OPERATION_MACHINE_GROUP};
	uint8_t names[NAMES_SIZE];
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, COMMAND_LIST_MAX, "MACHINE [GROUP]...") != 0)
		return EX_USAGE;
	for (size_t i = 1; i < positional.count; i++)
		groups.items[groups.count++] = positional.items[i];
	int status = names_set(&request, FIELD_GROUPS, &groups, "group", names);
	operation_set_text(&request, FIELD_MACHINE, positional.items[0]);
	if (status == 0)
		status = client_once(common.config, &request, &answer);
	return status != 0 ? status : output_act(common.json, answer.json, answer.trust_revision);
}
