/* SPDX-License-Identifier: Apache-2.0 */
/* postern crl ...: what CAs have revoked. The broker keeps CRLs as they are, and believes the
 * operator's signature what they say: they are read here. */
#include "certificate_files.h"
#include "client.h"
#include "commands.h"
#include "encode.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CRL_ID_TEXT (2 * ATTEST_HASH_SIZE + 1)

/* clang-format off: these lines are as wide as they will be read. */
const char help_crl_add[] =
	"postern crl add FILE... --issuer FILE [--issuer FILE]...\n"
	"\n"
	"Tells the broker what CAs of TPM makers or clouds have revoked: CRLs in PEM or DER, each\n"
	"signed by one of the CAs given as --issuer. The broker fetches none itself: bring each\n"
	"CA's new one before the old one's nextUpdate. It does two things:\n"
	"\n"
	"  - Whoever enrols from now on with a certificate that the newest CRL of its issuer "
	"lists\n"
	"    is \"refused\", not certified; so is everybody under a CA whose CRL is past its\n"
	"    nextUpdate, unless posternd.conf says `stale_crls = accept`.\n"
	"  - Machines that enrolled before with a certificate that is on the list are revoked, "
	"and\n"
	"    named. That stays, as all that is revoked does, also if the CA takes it back.\n"
	"\n"
	"One CRL is kept for each CA, or for each distribution point where it parts them so; an\n"
	"older one than is there is not taken. At most 256 KiB and\n"
	"16384 entries in one, 2 MiB and 64 CRLs together. For what has no CRL there is `postern\n"
	"revoke ek` and `postern revoke ek-ca`.\n"
	"\n"
	"Example: postern crl add vendor-ek.crl --issuer vendor-ek-intermediate.pem\n"
	"Next: `postern crl list` says when it has to be renewed.\n";

const char help_crl_list[] =
	"postern crl list\n"
	"\n"
	"The newest CRL of each CA, by the id that the CA has as an anchor; one that is of a\n"
	"distribution point has an id of its own.\n";

const char help_crl_end[] =
	"postern crl end ID\n"
	"\n"
	"Enrolments no longer ask this CRL: for a CA that has stopped to issue them. Whom it\n"
	"revoked stays revoked.\n";
/* clang-format on */

static const struct column added_columns[] = {
	{"id", "id", COLUMN_TEXT},	     {"name", "issuer", COLUMN_TEXT},
	{"issued", "issued", COLUMN_TIME},   {"expires", "expires", COLUMN_TIME},
	{"revokes", "revoked", COLUMN_TEXT},
};

/* One CRL, as it is sent. */
struct reading {
	struct bytes der;
	struct attest_crl crl;
	char id[CRL_ID_TEXT];
	uint8_t (*links)[ATTEST_HASH_SIZE];
	size_t link_count;
};

static void
reading_clear(struct reading *reading)
{
	free(reading->links);
}
#define auto_reading __attribute__((cleanup(reading_clear))) struct reading

/* 0, or an exit status that was said. */
static int
reading_make(const struct certificate_files *issuers, struct bytes der, struct reading *reading)
{
	struct attest_error err = {.message = ""};
	int64_t now = (int64_t)time(NULL);

	reading->der = der;
	reading->links = calloc(WIRE_REVOKED_MAX, sizeof(*reading->links));
	if (reading->links == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	if (der.size > WIRE_CRL_MAX)
		return complain(EX_DATAERR, "a CRL of %zu bytes: at most %d", der.size,
				WIRE_CRL_MAX);
	enum attest_status status =
		attest_crl_describe(der, issuers->items, issuers->count, &reading->crl, &err);
	if (status == ATTEST_OK)
		status = attest_crl_revoked(der, reading->crl.issuer_id, WIRE_REVOKED_MAX,
					    reading->links, &reading->link_count, &err);
	if (status != ATTEST_OK)
		return complain(EX_DATAERR, "not fit to be kept: %s (%s)", err.message, err.check);
	if (reading->crl.issued > now)
		return complain(EX_DATAERR, "the CRL of %s is of the future: look at the clock",
				reading->crl.issuer);
	if (reading->crl.issued < 0)
		return complain(EX_DATAERR, "the CRL of %s is of a time before 1970",
				reading->crl.issuer);
	if (reading->crl.expires < now)
		remark("past its nextUpdate already: who enrols under this CA is refused "
		       "(unless stale_crls = accept)");
	hex_encode(reading->crl.id, ATTEST_HASH_SIZE, reading->id);
	return 0;
}

static int
reading_send(struct client *client, const struct reading *reading, struct client_answer *ret_answer)
{
	struct operation_request request = {.operation = OPERATION_CRL_ADD};
	uint8_t from[8], until[8];

	operation_set(&request, FIELD_CRL, reading->der);
	operation_set_text(&request, FIELD_ID, reading->id);
	operation_set_text(&request, FIELD_SUBJECT, reading->crl.issuer);
	operation_set_number(&request, FIELD_FROM, (uint64_t)reading->crl.issued, from);
	operation_set_number(&request, FIELD_UNTIL, (uint64_t)reading->crl.expires, until);
	if (reading->link_count > 0)
		operation_set(
			&request, FIELD_DIGESTS,
			(struct bytes){reading->links[0], reading->link_count * ATTEST_HASH_SIZE});
	return client_ask(client, &request, ret_answer);
}

static void
reading_print(const struct reading *reading)
{
	auto_json *json = json_pack("{s:s,s:s,s:I,s:I,s:I}", "id", reading->id, "issuer",
				    reading->crl.issuer, "issued", (json_int_t)reading->crl.issued,
				    "expires", (json_int_t)reading->crl.expires, "revoked",
				    (json_int_t)reading->link_count);

	if (json != NULL)
		OUTPUT_FIELDS(json, added_columns);
}

static int
crl_add(struct client *client, const struct certificate_files *issuers, struct bytes der, bool json)
{
	auto_reading reading = {.links = NULL};
	auto_answer answer = {.json = NULL};

	int status = reading_make(issuers, der, &reading);
	if (status == 0)
		status = reading_send(client, &reading, &answer);
	if (status != 0)
		return status;
	if (!json)
		reading_print(&reading);
	status = output_act(json, answer.json, answer.trust_revision);
	const json_t *machines = json_object_get(answer.json, "machines");
	if (status != 0 || json || json_array_size(machines) == 0)
		return status;
	(void)printf("machines revoked by it: %zu%s\n", json_array_size(machines),
		     json_is_true(json_object_get(answer.json, "truncated")) ? " and more" : "");
	output_lines(machines);
	return 0;
}

int
cmd_crl_add(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional, named = {.count = 0};
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--issuer", OPTION_LIST, &named}};
	auto_certificate_files crls = {.count = 0};
	auto_certificate_files issuers = {.count = 0};
	auto_client *client = NULL;
	int status = 0;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, COMMAND_LIST_MAX, "FILE...") != 0)
		return EX_USAGE;
	if (named.count == 0)
		return complain(EX_USAGE, "wanted: --issuer FILE, the certificate of the CA that "
					  "signed the CRL");
	for (size_t i = 0; i < positional.count && status == 0; i++)
		status = certificate_files_read(&crls, positional.items[i], ATTEST_CRL);
	for (size_t i = 0; i < named.count && status == 0; i++)
		status = certificate_files_read(&issuers, named.items[i], ATTEST_CERTIFICATE);
	if (status == 0)
		status = client_open(common.config, &client);
	for (size_t i = 0; i < crls.count && status == 0; i++)
		status = crl_add(client, &issuers, crls.items[i], common.json);
	return status;
}

int
cmd_crl_list(int argc, char **argv)
{
	static const struct column columns[] = {
		{"ID", "id", COLUMN_TEXT},	     {"STATE", "state", COLUMN_TEXT},
		{"REVOKED", "revoked", COLUMN_TEXT}, {"ISSUED", "issued", COLUMN_TIME},
		{"EXPIRES", "expires", COLUMN_TIME}, {"ISSUER", "issuer", COLUMN_TEXT}};
	bool json = false;
	auto_answer answer = {.json = NULL};

	int status = client_command(argc, argv, OPERATION_CRL_LIST, 0, NULL, &json, &answer);
	if (status != 0)
		return status;
	if (json)
		return output_json(answer.json);
	OUTPUT_TABLE(json_object_get(answer.json, "crls"), columns,
		     "no CRLs: nobody is asked what was revoked");
	return 0;
}

int
cmd_crl_end(int argc, char **argv)
{
	bool json = false;
	auto_answer answer = {.json = NULL};

	int status = client_command(argc, argv, OPERATION_CRL_END, FIELD_ID, "ID", &json, &answer);
	return status != 0 ? status : output_act(json, answer.json, answer.trust_revision);
}
