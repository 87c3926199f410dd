/* SPDX-License-Identifier: Apache-2.0 */
#include "ek_view.h"

#include "command.h"
#include "encode.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define ID_TEXT (2 * ATTEST_HASH_SIZE + 1)

/* ---- JSON ---- */

static json_t *
ca_json(const struct attest_chain *chain, uint32_t at)
{
	char id[ID_TEXT];

	hex_encode(chain->ca_ids[at], ATTEST_HASH_SIZE, id);
	return json_pack("{s:s, s:s, s:b, s:b}", "subject", chain->ca_subjects[at], "id", id,
			 "anchor", chain->ca_pinned[at], "crl", chain->ca_asked[at]);
}

/* The path's CAs, nearest first, and then the anchors above them. */
static json_t *
cas_json(const struct attest_chain *chain)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < chain->ca_count && list != NULL; i++)
		if (json_array_append_new(list, ca_json(chain, i)) != 0) {
			json_decref(list);
			list = NULL;
		}
	return list;
}

static int
instance_add(json_t *object, const struct attest_instance *instance)
{
	/* Larger numbers than JSON's readers keep exactly, so as texts. */
	char number[24];
	char project_number[24];

	if (!instance->known)
		return 0;
	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)instance->number);
	(void)snprintf(project_number, sizeof(project_number), "%llu",
		       (unsigned long long)instance->project_number);
	return json_object_set_new(object, "instance",
				   json_pack("{s:s, s:s, s:s, s:s, s:s}", "zone", instance->zone,
					     "project", instance->project, "project_number",
					     project_number, "id", number, "name", instance->name));
}

static int
verified_add(json_t *object, const struct attest_chain *chain)
{
	const char *name = attest_manufacturer_name(chain->manufacturer);

	if (name != NULL &&
	    json_object_set_new(object, "manufacturer_name", json_string(name)) != 0)
		return -1;
	if (json_object_set_new(object, "manufacturer", json_string(chain->manufacturer)) != 0 ||
	    json_object_set_new(object, "model", json_string(chain->model)) != 0 ||
	    json_object_set_new(object, "version", json_string(chain->version)) != 0 ||
	    json_object_set_new(object, "path", cas_json(chain)) != 0 ||
	    json_object_set_new(object, "expires", json_integer(chain->expires)) != 0)
		return -1;
	return instance_add(object, &chain->instance);
}

static int
refused_add(json_t *object, const struct attest_error *err)
{
	if (json_object_set_new(object, "check", json_string(err->check)) != 0 ||
	    json_object_set_new(object, "message", json_string(err->message)) != 0)
		return -1;
	if (err->expected[0] == '\0' && err->seen[0] == '\0')
		return 0;
	return json_object_set_new(object, "expected", json_string(err->expected)) != 0
		       ? -1
		       : json_object_set_new(object, "seen", json_string(err->seen));
}

int
ek_view_json(const struct ek_view *view)
{
	bool verified = view->status == ATTEST_OK;
	auto_json *object = json_pack("{s:b}", "verified", verified);
	char id[ID_TEXT];
	int failed = object == NULL;

	hex_encode(view->ek_id, sizeof(view->ek_id), id);
	if (!failed && view->key_known)
		failed = json_object_set_new(object, "kind", json_string(view->kind)) != 0 ||
			 json_object_set_new(object, "ek_id", json_string(id)) != 0;
	if (!failed)
		failed = verified ? verified_add(object, &view->chain)
				  : refused_add(object, &view->err);
	return failed ? complain(EX_SOFTWARE, "out of memory") : output_json(object);
}

/* ---- words ---- */

static void
print_field(const char *title, const char *text)
{
	char tame[512];

	text_tame(text, strlen(text), tame, sizeof(tame));
	(void)printf("  %-13s %s\n", title, tame[0] != '\0' ? tame : "-");
}

static void
print_key(const struct ek_view *view)
{
	char id[ID_TEXT];

	if (!view->key_known)
		return;
	hex_encode(view->ek_id, sizeof(view->ek_id), id);
	print_field("key", view->kind);
	print_field("EK id", id);
}

static void
print_tpm(const struct attest_chain *chain)
{
	const char *name = attest_manufacturer_name(chain->manufacturer);
	char maker[64];
	char expires[TIME_TEXT_SIZE];

	(void)snprintf(maker, sizeof(maker), "%s (%s)", name != NULL ? name : "unknown",
		       chain->manufacturer[0] != '\0' ? chain->manufacturer
						      : "not said in the certificate");
	time_format(chain->expires, expires);
	print_field("TPM maker", maker);
	print_field("TPM model", chain->model);
	print_field("TPM version", chain->version);
	print_field("expires", expires);
}

static void
print_instance(const struct attest_instance *instance)
{
	char number[64];

	if (!instance->known)
		return;
	(void)printf("\nGoogle's instance-info, which counts if the issuer is Google:\n");
	print_field("instance", instance->name);
	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)instance->number);
	print_field("instance id", number);
	print_field("zone", instance->zone);
	print_field("project", instance->project);
	(void)snprintf(number, sizeof(number), "%llu",
		       (unsigned long long)instance->project_number);
	print_field("project no.", number);
}

static void
print_ca(const struct attest_chain *chain, uint32_t at, const char *lead)
{
	char tame[ATTEST_SUBJECT_SIZE];

	text_tame(chain->ca_subjects[at], strlen(chain->ca_subjects[at]), tame, sizeof(tame));
	(void)printf("  %s %s\n      %s; %s\n", lead, tame[0] != '\0' ? tame : "(no name)",
		     chain->ca_pinned[at] ? "you pinned it as an anchor"
					  : "it came with the EK's certificate",
		     chain->ca_asked[at] ? "its CRL was asked"
					 : "no CRL of it was given, so it may have revoked");
}

static void
print_path(const struct attest_chain *chain)
{
	(void)printf("\nThe path, from the TPM upwards:\n"
		     "  the EK's certificate\n");
	for (uint32_t i = 0; i < chain->path_count; i++)
		print_ca(chain, i, "<- signed by");
	for (uint32_t i = chain->path_count; i < chain->ca_count; i++)
		print_ca(chain, i, "   above it:");
}

static void
print_verified(const struct ek_view *view)
{
	(void)printf("VERIFIED: an endorsement key (EK) that its maker's CA vouches for\n\n");
	print_key(view);
	print_tpm(&view->chain);
	print_instance(&view->chain.instance);
	print_path(&view->chain);
	(void)printf(
		"\nAn EK is a key that is made in a TPM, only decrypts, and never leaves it. The "
		"maker signs a\ncertificate for it, which says: this key is in a TPM of mine.\n"
		"\nChecked: each signature up to an anchor of yours (no SHA-1, RSA from 2048 "
		"bits), "
		"that every\nissuer is a CA and within its dates, that the certificate is an EK's "
		"- "
		"not an AK's, a\nplatform's or a CA's - and the CRLs that you gave.\n"
		"\nNot proved: that the machine you talk to holds this key. Anybody may hand over "
		"this\ncertificate. Only a challenge that the EK must decrypt proves it: `postern "
		"enroll` does that.\n");
}

static const struct {
	const char *check; /* or how it begins */
	const char *advice;
} ADVICE[] = {
	{"ek.chain.anchor",
	 "None of your anchors issued it, and no certificate that you gave leads to one. Fetch\n"
	 "the maker's CA certificates, and give intermediate ones as further arguments."},
	{"ek.chain.signature",
	 "A CA of the issuer's name is known, but its key did not sign this: another\n"
	 "generation of that CA, or a forgery."},
	{"ek.chain.revoked",
	 "The issuer has withdrawn its word, for example because the TPM's keys leaked."},
	{"ek.chain.crl.expired",
	 "Fetch the CA's newest CRL. --allow-stale-crl makes do with the old one, and with the\n"
	 "risk that what was revoked since goes unseen."},
	{"ek.chain.crl", "The CRL cannot be used, so nothing is known of what its CA revoked."},
	{"ek.certificate.signs",
	 "An EK only decrypts. Clouds also certify a key that signs (an AK), with the same\n"
	 "extended usage: take the other certificate of the machine."},
	{"ek.certificate.attestation", "Take the EK's certificate of that TPM instead."},
	{"ek.certificate.platform",
	 "A platform certificate is about the machine that the TPM sits in. Take the EK's."},
	{"ek.certificate.ca", "The first certificate must be the EK's; CAs come after it."},
	{"certificate.expired", "--at TIME judges as of another time."},
	{"certificate.attribute",
	 "Platform makers sign attribute certificates: facts about a machine, and no key."},
	{"certificate.algorithm",
	 "SHA-1 signatures can be forged. If you trust that CA itself, pin its certificate as an\n"
	 "anchor: its own signature then matters no more."},
};

static void
print_refused(const struct ek_view *view)
{
	const struct attest_error *err = &view->err;

	(void)printf("NOT VERIFIED: ");
	output_line(err->message);
	(void)printf("\n");
	print_field("check", err->check);
	if (err->expected[0] != '\0')
		print_field("expected", err->expected);
	if (err->seen[0] != '\0')
		print_field("seen", err->seen);
	print_key(view);
	for (size_t i = 0; i < sizeof(ADVICE) / sizeof(*ADVICE); i++)
		if (strncmp(err->check, ADVICE[i].check, strlen(ADVICE[i].check)) == 0) {
			(void)printf("\n%s\n", ADVICE[i].advice);
			break;
		}
	(void)printf("\nUntil it is verified, this key could be anybody's: made by software, or in "
		     "no TPM at all.\n");
}

void
ek_view_print(const struct ek_view *view)
{
	if (view->status == ATTEST_OK)
		print_verified(view);
	else
		print_refused(view);
	(void)printf("\nJudged with %zu anchor%s and %zu CRL%s.\n", view->anchor_count,
		     view->anchor_count == 1 ? "" : "s", view->crl_count,
		     view->crl_count == 1 ? "" : "s");
}
