/* SPDX-License-Identifier: Apache-2.0 */
/* postern anchor ..., postern revoke, postern operator ...: who and what is trusted at all. */
#include "certificate.h"
#include "client.h"
#include "commands.h"
#include "ek.h"
#include "encode.h"
#include "ima_key.h"
#include "key.h"
#include "names.h"
#include "output.h"
#include "prompt.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CA_ID_TEXT (2 * ATTEST_HASH_SIZE + 1)

/* clang-format off: these lines are as wide as they will be read. */
const char help_anchor_add[] =
	"postern anchor add FILE\n"
	"\n"
	"Trusts a CA of TPM manufacturers or of a cloud (PEM or DER): EKs, and "
	"clouds' keys,\n"
	"with certificates under it count as certified.\n"
	"Machines that enrolled before keep the verdict they got.\n"
	"\n"
	"Example: postern anchor add vendor-ek-root.pem\n";

const char help_anchor_list[] = "postern anchor list\n"
				"\n"
				"Trusted CAs, and those revoked.\n";

const char help_revoke[] =
	"postern revoke KIND ID --reason TEXT\n"
	"\n"
	"Ends trust, for good. Once this has answered, nothing that rests on it is released. "
	"Machines\n"
	"keep what they have: rotate those secrets; `postern explain` tells who got what.\n"
	"\n"
	"  ek-ca FILE|ID    a CA: every machine whose EK certificate is under it\n"
	"  ek FILE|ID       one endorsement key (its certificate, or its id in hex)\n"
	"  ak NAME          one attestation key, by its TPM name in hex\n"
	"  machine ID       one machine\n"
	"  baseline NAME    an image that turned out bad\n"
	"  operator NAME    somebody who is no operator any more\n"
	"  ima-key FILE|ID  a key that signs files: what it signed counts as unsigned\n"
	"\n"
	"Example: postern revoke ek-ca vendor-ek-intermediate.pem --reason 'CA key leaked'\n";

const char help_operator_keygen[] =
	"postern operator keygen FILE [--passphrase-file FILE | --no-passphrase]\n"
	"\n"
	"Makes an operator's signing key and prints its public half, which an admin needs for\n"
	"`postern operator add`. The key never leaves this machine.\n"
	"\n"
	"Example: postern operator keygen ~/.config/postern/bob.key\n"
	"Next: an admin runs `postern operator add bob --key ... --role secret-writer`; then "
	"write\n"
	"operator.conf: the admin's, with your own operator and operator_key.\n";

const char help_operator_add[] =
	"postern operator add NAME --key BASE64 --role ROLE [--role ROLE]...\n"
	"\n"
	"Makes somebody an operator. What a role may do stands in the policy `operators`: at "
	"first\n"
	"admin, secret-writer, incident-responder and auditor. With a role that no policy names "
	"one "
	"may\n"
	"do nothing. `postern revoke operator NAME` ends it.\n"
	"\n"
	"Example: postern operator add bob --key 4Jr... --role secret-writer\n";

const char help_operator_list[] = "postern operator list\n"
				  "\n"
				  "All operators, their roles, and those ended.\n";
/* clang-format on */

/* ---- readings ---- */

static int
list_run(int argc, char **argv, enum operation operation, const char *member,
	 const struct column *columns, size_t count, const char *none)
{
	bool json = false;
	auto_answer answer = {.json = NULL};

	int status = client_command(argc, argv, operation, 0, NULL, &json, &answer);
	if (status != 0)
		return status;
	if (json)
		return output_json(answer.json);
	output_table(json_object_get(answer.json, member), columns, count, none);
	return 0;
}

int
cmd_anchor_list(int argc, char **argv)
{
	static const struct column columns[] = {{"ID", "id", COLUMN_TEXT},
						{"STATE", "state", COLUMN_TEXT},
						{"SUBJECT", "subject", COLUMN_TEXT}};

	return list_run(argc, argv, OPERATION_ANCHOR_LIST, "anchors", columns,
			sizeof(columns) / sizeof(*columns), "no anchors: every EK is uncertified");
}

int
cmd_operator_list(int argc, char **argv)
{
	static const struct column columns[] = {{"NAME", "name", COLUMN_TEXT},
						{"STATE", "state", COLUMN_TEXT},
						{"ROLES", "roles", COLUMN_TEXT},
						{"KEY", "key", COLUMN_TEXT}};

	return list_run(argc, argv, OPERATION_OPERATOR_LIST, "operators", columns,
			sizeof(columns) / sizeof(*columns), "no operators");
}

/* ---- anchors ---- */

static int
anchor_read(const char *path, struct certificate *ret_certificate, char ret_id[CA_ID_TEXT],
	    char ret_subject[160])
{
	uint8_t id[ATTEST_HASH_SIZE];
	struct attest_error err;
	int status = certificate_read(path, ret_certificate);

	if (status != 0)
		return status;
	if (attest_anchor_describe((struct bytes){ret_certificate->der, ret_certificate->size}, id,
				   ret_subject, &err) != ATTEST_OK)
		return complain(EX_DATAERR, "%s: not fit to be an anchor: %s", path, err.message);
	hex_encode(id, sizeof(id), ret_id);
	return 0;
}

int
cmd_anchor_add(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional;
	const struct option_rule rules[] = {COMMON_RULES(common)};
	struct operation_request request = {.operation = OPERATION_ANCHOR_ADD};
	struct certificate certificate;
	char id[CA_ID_TEXT], subject[160];

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "FILE") != 0)
		return EX_USAGE;
	int status = anchor_read(positional.items[0], &certificate, id, subject);
	if (status != 0)
		return status;
	operation_set(&request, FIELD_CERTIFICATE,
		      (struct bytes){certificate.der, certificate.size});
	return client_trust(&common, &request, id, subject);
}

/* ---- revoking ---- */

/* A file where there is one of that name, for what has an id that nobody types; else the id itself.
 */
static int
revoked_id(const char *kind, const char *given, char ret_id[CA_ID_TEXT])
{
	bool ca = strcmp(kind, "ek-ca") == 0, ek = strcmp(kind, "ek") == 0;
	bool file_key = strcmp(kind, "ima-key") == 0;
	struct attest_ima_key key;
	struct certificate certificate;
	struct stat information;
	uint8_t id[ATTEST_HASH_SIZE];
	char subject[160];

	if (!ca && !ek && !file_key)
		return 0;
	if (hex_decode(given, id, sizeof(id))) {
		hex_encode(id, sizeof(id), ret_id); /* lower case */
		return 0;
	}
	if (stat(given, &information) != 0)
		return complain(EX_NOINPUT, "%s: neither a file nor an id of 64 hex digits", given);
	if (ca)
		return anchor_read(given, &certificate, ret_id, subject);
	if (file_key)
		return ima_key_read(given, &key, ret_id, subject);
	int status = ek_id_from_certificate(given, id);
	if (status == 0)
		hex_encode(id, sizeof(id), ret_id);
	return status;
}

int
cmd_revoke(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional;
	const char *reason = NULL;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--reason", OPTION_TEXT, &reason}};
	struct operation_request request = {.operation = OPERATION_REVOKE};
	char id[CA_ID_TEXT] = "";
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 2, 2, "KIND ID") != 0)
		return EX_USAGE;
	if (reason == NULL)
		return complain(EX_USAGE, "wanted: --reason TEXT, which the audit log keeps");
	int status = revoked_id(positional.items[0], positional.items[1], id);
	if (status != 0)
		return status;
	operation_set_text(&request, FIELD_KIND, positional.items[0]);
	operation_set_text(&request, FIELD_ID, id[0] != '\0' ? id : positional.items[1]);
	operation_set_text(&request, FIELD_REASON, reason);
	status = client_once(common.config, &request, &answer);
	if (status == 0)
		status = output_act(common.json, answer.json, answer.trust_revision);
	const json_t *machines = json_object_get(answer.json, "machines");
	if (status != 0 || common.json || json_array_size(machines) == 0)
		return status;
	(void)printf("machines concerned: %zu%s\n", json_array_size(machines),
		     json_is_true(json_object_get(answer.json, "truncated")) ? " and more" : "");
	output_lines(machines);
	return 0;
}

/* ---- operators ---- */

int
cmd_operator_keygen(int argc, char **argv)
{
	struct text_list positional;
	const char *passphrase_file = NULL;
	bool none = false, json = false;
	const struct option_rule rules[] = {{"--passphrase-file", OPTION_TEXT, &passphrase_file},
					    {"--no-passphrase", OPTION_FLAG, &none},
					    {"--json", OPTION_FLAG, &json}};
	auto_secret *seed = NULL, *passphrase = NULL;
	uint8_t public_key[KEY_PUBLIC_SIZE];
	char text[KEY_BASE64_SIZE];
	int status = process_lock();

	if (status != 0)
		return status;
	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "FILE") != 0)
		return EX_USAGE;
	if (none && passphrase_file != NULL)
		return complain(EX_USAGE, "either --passphrase-file or --no-passphrase");
	if (passphrase_file != NULL)
		status = key_passphrase_read(passphrase_file, &passphrase);
	else if (!none)
		status = prompt_secret_twice(
			"New passphrase: ", "give --passphrase-file FILE or --no-passphrase",
			&passphrase);
	if (status == 0)
		status = key_generate(&seed);
	if (status == 0)
		status = key_write(positional.items[0], seed, passphrase);
	if (status != 0)
		return status;
	key_public(seed, public_key);
	base64_encode_key(public_key, text);
	(void)printf(json ? "{\"public_key\": \"%s\"}\n" : "%s\n", text);
	return 0;
}

int
cmd_operator_add(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional, roles = {.count = 0};
	const char *key = NULL;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--key", OPTION_TEXT, &key},
					    {"--role", OPTION_LIST, &roles}};
	struct operation_request request = {.operation = OPERATION_OPERATOR_ADD};
	uint8_t public_key[KEY_PUBLIC_SIZE], names[NAMES_SIZE];
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "NAME") != 0)
		return EX_USAGE;
	if (key == NULL || roles.count == 0)
		return complain(EX_USAGE, "wanted: --key BASE64 (of `postern operator keygen`) and "
					  "--role ROLE");
	if (!base64_decode_key(key, public_key))
		return complain(EX_USAGE, "--key: not 32 bytes in base64");
	int status = names_set(&request, FIELD_ROLES, &roles, "--role", names);
	operation_set_text(&request, FIELD_NAME, positional.items[0]);
	operation_set(&request, FIELD_OPERATOR_KEY, BYTES_OF(public_key));
	if (status == 0)
		status = client_once(common.config, &request, &answer);
	return status != 0 ? status : output_act(common.json, answer.json, answer.trust_revision);
}
