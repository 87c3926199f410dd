/* SPDX-License-Identifier: Apache-2.0 */
/* postern ek verify: an EK's certificate against CAs of one's own choice, without a broker. */
#include "certificate_files.h"
#include "commands.h"
#include "ek_view.h"
#include "encode.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* clang-format off: these lines are as wide as they will be read. */
const char help_ek_verify[] =
	"postern ek verify --anchors DIR|FILE CERT... [--crl FILE]... [--at TIME]\n"
	"                  [--allow-stale-crl] [--json]\n"
	"\n"
	"Judges the certificate of a TPM's endorsement key (EK): is this key in a TPM that its "
	"maker\n"
	"vouches for? The first CERT is the EK's (PEM, DER, or as it lies in the TPM's NV "
	"memory);\n"
	"further ones, and what else is in its file, may help to reach an anchor, in any order.\n"
	"\n"
	"  --anchors DIR|FILE  CAs that you trust: one file, or every .pem, .crt, .cer and .der in "
	"a\n"
	"                      folder and its folders. May be repeated. What cannot be an anchor "
	"is\n"
	"                      named and left out.\n"
	"  --crl FILE          what a CA has revoked (PEM or DER); may be repeated. A CRL of a CA "
	"of\n"
	"                      the path must be signed by it and not past its nextUpdate.\n"
	"  --allow-stale-crl   take CRLs that are past it\n"
	"  --at TIME           judge as of then: \"2026-01-31\", Unix seconds\n"
	"\n"
	"Exit status: 0 verified, 1 not verified, 65 not a certificate, 66 no such file.\n"
	"\n"
	"Example: tpm2_nvread 0x1c00002 -o ek.der   # on the machine; 0x1c0000a holds an ECC one\n"
	"         postern ek verify --anchors vendor-cas/ ek.der\n"
	"\n"
	"It proves nothing about who holds the key: certificates are public. `postern enroll` "
	"proves\n"
	"that, by a challenge that only the TPM can open.\n";
/* clang-format on */

struct request {
	bool json;
	bool stale;
	struct text_list anchors;
	struct text_list crls;
	struct text_list certificates;
	int64_t now;
};

struct material {
	struct certificate_files certificates;
	struct certificate_files anchors;
	struct certificate_files crls;
};

static void
material_clear(struct material *material)
{
	certificate_files_clear(&material->certificates);
	certificate_files_clear(&material->anchors);
	certificate_files_clear(&material->crls);
}
#define auto_material __attribute__((cleanup(material_clear))) struct material

static int
request_parse(int argc, char **argv, struct request *ret_request)
{
	struct request request = {.now = (int64_t)time(NULL)};
	const char *at = NULL;
	uint64_t then = 0;
	const struct option_rule rules[] = {
		{"--json", OPTION_FLAG, &request.json},
		{"--allow-stale-crl", OPTION_FLAG, &request.stale},
		{"--anchors", OPTION_LIST, &request.anchors},
		{"--crl", OPTION_LIST, &request.crls},
		{"--at", OPTION_TEXT, &at},
	};

	int status = ARGUMENTS_PARSE(argc, argv, rules, &request.certificates);
	if (status == 0)
		status = arguments_expect(&request.certificates, 1, COMMAND_LIST_MAX,
					  "CERT..., the EK's first");
	if (status != 0)
		return status;
	if (request.anchors.count == 0)
		return complain(EX_USAGE, "--anchors DIR is missing: which CAs do you trust?");
	if (at != NULL && !time_parse(at, request.now, &then))
		return complain(EX_USAGE, "--at %s: no time", at);
	if (at != NULL)
		request.now = (int64_t)then;
	*ret_request = request;
	return 0;
}

static int
material_read(const struct request *request, struct material *material)
{
	int status = 0;

	for (size_t i = 0; i < request->certificates.count && status == 0; i++)
		status = certificate_files_read(&material->certificates,
						request->certificates.items[i], ATTEST_CERTIFICATE);
	for (size_t i = 0; i < request->anchors.count && status == 0; i++)
		status = certificate_files_read_anchors(&material->anchors,
							request->anchors.items[i]);
	for (size_t i = 0; i < request->crls.count && status == 0; i++)
		status =
			certificate_files_read(&material->crls, request->crls.items[i], ATTEST_CRL);
	return status;
}

static void
judge(const struct request *request, const struct material *material, struct ek_view *ret_view)
{
	struct ek_view *view = ret_view;
	struct attest_ek *ek = NULL;
	const struct attest_trust trust = {
		.anchors = material->anchors.items,
		.anchor_count = material->anchors.count,
		.crls = material->crls.items,
		.crl_count = material->crls.count,
		.stale_crls = request->stale,
		.now = request->now,
	};

	*view = (struct ek_view){.anchor_count = trust.anchor_count, .crl_count = trust.crl_count};
	view->status = attest_ek_from_certificate(material->certificates.items[0], &ek, &view->err);
	if (view->status != ATTEST_OK)
		return;
	view->key_known = true;
	(void)snprintf(view->kind, sizeof(view->kind), "%s", attest_ek_kind(ek));
	attest_ek_id(ek, view->ek_id);
	view->status =
		attest_chain_verify(ek, material->certificates.items, material->certificates.count,
				    &trust, &view->chain, &view->err);
	attest_ek_free(ek);
}

static int
exit_status(enum attest_status status)
{
	switch (status) {
	case ATTEST_OK:
		return 0;
	case ATTEST_MALFORMED:
		return EX_DATAERR;
	case ATTEST_MEMORY:
		return EX_SOFTWARE;
	case ATTEST_UNSUPPORTED:
	case ATTEST_REFUSED:
	case ATTEST_SIGNATURE:
	case ATTEST_LIMIT:
		return 1;
	}
	return EX_SOFTWARE;
}

int
cmd_ek_verify(int argc, char **argv)
{
	struct request request = {.json = false}; /* gcc sees no further than request_parse */
	auto_material material = {.anchors = {.count = 0}};
	struct ek_view view;

	int status = request_parse(argc, argv, &request);
	if (status == 0)
		status = material_read(&request, &material);
	if (status != 0)
		return status;
	judge(&request, &material, &view);
	if (request.json)
		status = ek_view_json(&view);
	else
		ek_view_print(&view);
	return status != 0 ? status : exit_status(view.status);
}
