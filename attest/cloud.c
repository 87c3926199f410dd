/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cloud certifies an AK of its own in each machine's TPM, and no EK that a credential could be
 * made for. That AK certifies Postern's (TPM2_Certify, TPM 2.0 Library Part 3, 18.2): both are in
 * one TPM. What it says of Postern's AK counts because it is restricted: it signs no structure that
 * begins like an attestation but those that the TPM made.
 */
#include "ak.h"
#include "attestation.h"
#include "certificate.h"
#include "error.h"
#include "path.h"
#include "publicarea.h"
#include "publickey.h"
#include "signature.h"
#include "tpm.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

/* ---- the key that the cloud certified ---- */

/* "ak.restricted" would be taken for Postern's AK's. */
static enum attest_status
blame_cloud(struct attest_error *err)
{
	char check[sizeof(err->check)];

	snprintf(check, sizeof(check), "cloud.%.30s", err->check);
	memcpy(err->check, check, sizeof(check));
	return err->status;
}

static enum attest_status
load_key(struct bytes tpmt_public, struct signing_key *ret_key, struct attest_error *err)
{
	struct public_area area;

	if (tpmt_public.size > ATTEST_PUBLIC_SIZE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "cloud.ak.size",
				   "the cloud's AK of %zu bytes, at most %d", tpmt_public.size,
				   ATTEST_PUBLIC_SIZE_MAX);
	if (!public_area_decode(tpmt_public, &area))
		return attest_fail(err, ATTEST_MALFORMED, "cloud.ak.parse",
				   "TPMT_PUBLIC of the cloud's AK: %zu bytes do not parse",
				   tpmt_public.size);
	if (public_area_check_attributes(&area, err) != ATTEST_OK ||
	    signing_key_from_area(&area, ret_key, err) != ATTEST_OK)
		return blame_cloud(err);
	return ATTEST_OK;
}

static enum attest_status
check_leaf(X509 *leaf, const struct signing_key *key, int64_t now, struct attest_error *err)
{
	enum attest_status status = certificate_check_leaf(leaf, LEAF_CLOUD_AK, err);
	if (status == ATTEST_OK)
		status = certificate_check_dates(leaf, now, err);
	if (status != ATTEST_OK)
		return status;
	EVP_PKEY *certified = X509_get0_pubkey(leaf);
	bool same = certified != NULL && EVP_PKEY_eq(certified, key->key) == 1;
	ERR_clear_error();
	if (!same)
		return attest_fail(err, ATTEST_REFUSED, "cloud.key",
				   "the cloud's certificate is for another key");
	return ATTEST_OK;
}

/* ---- what it certified ---- */

static enum attest_status
check_statement(const struct attest_cloud_input *input, struct attest_error *err)
{
	struct attestation message;
	const struct attest_name *name = attest_ak_name(input->ak);
	struct bytes wanted = {name->bytes, name->size};

	if (input->message.size > ATTEST_QUOTE_SIZE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "certify.size",
				   "certification of %zu bytes, at most %d", input->message.size,
				   ATTEST_QUOTE_SIZE_MAX);
	if (!attestation_decode(input->message, &message))
		return attest_fail(err, ATTEST_MALFORMED, "certify.parse",
				   "TPMS_ATTEST: %zu bytes do not parse", input->message.size);
	if (message.magic != TPM_GENERATED_VALUE)
		return attest_fail(err, ATTEST_REFUSED, "certify.magic", "%08x: not made by a TPM",
				   message.magic);
	if (message.type != TPM_ST_ATTEST_CERTIFY)
		return attest_fail(err, ATTEST_REFUSED, "certify.type",
				   "an attestation of type %04x, not a certification (%04x)",
				   message.type, TPM_ST_ATTEST_CERTIFY);
	if (!bytes_equal(message.extra_data, BYTES_OF(input->qualifying)))
		return attest_differs(err, ATTEST_REFUSED, "certify.qualifying",
				      BYTES_OF(input->qualifying), message.extra_data,
				      "made for another exchange");
	if (!bytes_equal(message.name, wanted))
		return attest_differs(err, ATTEST_REFUSED, "certify.name", wanted, message.name,
				      "another key was certified");
	/* Only a primary key of the endorsement hierarchy has that qualified name (Part 1, 26.5).
	 */
	if (!bytes_equal(message.qualified_name, BYTES_OF(input->ak->qualified_name)))
		return attest_differs(err, ATTEST_REFUSED, "certify.hierarchy",
				      BYTES_OF(input->ak->qualified_name), message.qualified_name,
				      "the AK is not a primary key of the endorsement hierarchy");
	return ATTEST_OK;
}

enum attest_status
attest_cloud_verify(const struct attest_cloud_input *input, const struct attest_trust *trust,
		    struct attest_chain *ret_chain, struct attest_error *err)
{
	auto_x509 *leaf = NULL;
	auto_signing_key key = {0};

	enum attest_status status = path_check_sizes("cloud", input->certificate_count, trust, err);
	if (status == ATTEST_OK)
		status = load_key(input->cloud_public, &key, err);
	if (status == ATTEST_OK)
		status = check_statement(input, err);
	if (status == ATTEST_OK)
		status = certificate_load(input->certificates[0], &leaf, err);
	if (status == ATTEST_OK)
		status = check_leaf(leaf, &key, trust->now, err);
	if (status == ATTEST_OK)
		status = signature_verify_message("certify", &key, input->signature, input->message,
						  err);
	if (status != ATTEST_OK)
		return status;
	return path_verify(leaf, LEAF_CLOUD_AK, input->certificates, input->certificate_count,
			   trust, ret_chain, err);
}
