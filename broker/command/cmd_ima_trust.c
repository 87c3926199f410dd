/* SPDX-License-Identifier: Apache-2.0 */
/* postern ima-key ..., postern ima-allow ...: what the files of machines' IMA lists are compared
 * with. */
#include "client.h"
#include "commands.h"
#include "encode.h"
#include "ima_allow.h"
#include "ima_key.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

/* clang-format off: these lines are as wide as they will be read. */
const char help_ima_key_add[] =
	"postern ima-key add FILE\n"
	"\n"
	"Trusts a key that signs files (PEM or DER, a public key or a certificate, which is not\n"
	"judged). A machine that sends its IMA list then claims `imaAllSigned`: true if every "
	"file\n"
	"that its kernel measured has a good signature by one of these keys. Policy decides what\n"
	"that is worth:\n"
	"\n"
	"  forbid (principal in MachineGroup::\"web\", action == Action::\"release\", resource)\n"
	"  unless { context.claims has imaAllSigned && context.claims.imaAllSigned };\n"
	"\n"
	"`postern revoke ima-key FILE|ID` ends it. Each change makes every machine send its whole "
	"list\n"
	"once more.\n"
	"\n"
	"Example: postern ima-key add distribution-ima-ca.der\n";

const char help_ima_key_list[] = "postern ima-key list\n"
				 "\n"
				 "Keys that sign files, and those revoked.\n";

const char help_ima_allow_add[] =
	"postern ima-allow add NAME FILE\n"
	"\n"
	"Adds a list of files that are known to be good: SHA-256 digests, a line each, as "
	"sha256sum\n"
	"prints them (what follows the digest is not sent; # begins a remark). A machine that "
	"sends\n"
	"its IMA list then claims `imaAllListed`: true if every file that its kernel measured is "
	"on\n"
	"one of these lists. At most 16384 digests in all of them together.\n"
	"\n"
	"Example:\n"
	"  find /image/usr -type f -exec sha256sum {} + > image-1.sha256\n"
	"  postern ima-allow add image-1 image-1.sha256\n"
	"Next: a policy that asks for context.claims.imaAllListed; on the machine `postern fetch\n"
	"--ima-log ...`.\n";

const char help_ima_allow_list[] = "postern ima-allow list\n"
				   "\n"
				   "Allow-lists: how many digests each has, and SHA-256 of them.\n";

const char help_ima_allow_end[] =
	"postern ima-allow end NAME\n"
	"\n"
	"Takes an allow-list away. Files that are on no other are no longer "
	"listed.\n"
	"\n"
	"Example: postern ima-allow end debian-12-2026-01\n";
/* clang-format on */

/* ---- keys ---- */

int
cmd_ima_key_list(int argc, char **argv)
{
	static const struct column columns[] = {{"ID", "id", COLUMN_TEXT},
						{"STATE", "state", COLUMN_TEXT},
						{"SUBJECT", "subject", COLUMN_TEXT}};
	bool json = false;
	auto_answer answer = {.json = NULL};

	int status = client_command(argc, argv, OPERATION_IMA_KEY_LIST, 0, NULL, &json, &answer);
	if (status != 0)
		return status;
	if (json)
		return output_json(answer.json);
	OUTPUT_TABLE(json_object_get(answer.json, "keys"), columns,
		     "no keys: nothing is claimed of signatures");
	return 0;
}

int
cmd_ima_key_add(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional;
	const struct option_rule rules[] = {COMMON_RULES(common)};
	struct operation_request request = {.operation = OPERATION_IMA_KEY_ADD};
	struct attest_ima_key key;
	char id[IMA_KEY_ID_TEXT], subject[IMA_KEY_SUBJECT];

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "FILE") != 0)
		return EX_USAGE;
	int status = ima_key_read(positional.items[0], &key, id, subject);
	if (status != 0)
		return status;
	operation_set(&request, FIELD_PUBLIC_KEY, (struct bytes){key.der, key.size});
	return client_trust(&common, &request, id, subject);
}

/* ---- allow-lists ---- */

int
cmd_ima_allow_list(int argc, char **argv)
{
	static const struct column columns[] = {{"NAME", "name", COLUMN_TEXT},
						{"DIGESTS", "digests", COLUMN_TEXT},
						{"SHA256", "sha256", COLUMN_TEXT},
						{"OPERATOR", "operator", COLUMN_TEXT}};
	bool json = false;
	auto_answer answer = {.json = NULL};

	int status = client_command(argc, argv, OPERATION_IMA_ALLOW_LIST, 0, NULL, &json, &answer);
	if (status != 0)
		return status;
	if (json)
		return output_json(answer.json);
	OUTPUT_TABLE(json_object_get(answer.json, "lists"), columns,
		     "no allow-lists: nothing is claimed of files");
	return 0;
}

int
cmd_ima_allow_add(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional;
	const struct option_rule rules[] = {COMMON_RULES(common)};
	struct operation_request request = {.operation = OPERATION_IMA_ALLOW_ADD};
	auto_file_text memory = {.data = NULL};
	struct bytes digests;
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 2, 2, "NAME FILE") != 0)
		return EX_USAGE;
	int status = ima_allow_read(positional.items[1], &memory, &digests);
	if (status != 0)
		return status;
	if (digests.size == 0)
		return complain(EX_DATAERR, "%s: no digests in it", positional.items[1]);
	if (digests.size > (size_t)WIRE_IMA_ALLOWED_MAX * ATTEST_HASH_SIZE)
		return complain(EX_DATAERR, "%s: %zu digests, of at most %d in all allow-lists",
				positional.items[1], digests.size / ATTEST_HASH_SIZE,
				WIRE_IMA_ALLOWED_MAX);
	operation_set_text(&request, FIELD_NAME, positional.items[0]);
	operation_set(&request, FIELD_DIGESTS, digests);
	status = client_once(common.config, &request, &answer);
	return status != 0 ? status : output_act(common.json, answer.json, answer.trust_revision);
}

int
cmd_ima_allow_end(int argc, char **argv)
{
	bool json = false;
	auto_answer answer = {.json = NULL};

	int status = client_command(argc, argv, OPERATION_IMA_ALLOW_END, FIELD_NAME, "NAME", &json,
				    &answer);
	return status != 0 ? status : output_act(json, answer.json, answer.trust_revision);
}
