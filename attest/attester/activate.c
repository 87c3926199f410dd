/* SPDX-License-Identifier: Apache-2.0 */
/* TPM2_ActivateCredential: only the TPM that holds both EK and AK opens what was made for the two.
 */
#include "internal.h"

#include <openssl/crypto.h>
#include <string.h>

_Static_assert(sizeof(((TPM2B_DIGEST *)0)->buffer) <= 64, "a secret fits what the header promises");

/* Of the EK profile, for SHA-384: PolicySecret(endorsement), and PolicyAuthorizeNV(0x01C07F02). */
#define BRANCH_A                                                                                   \
	"\x8b\xbf\x22\x66\x53\x7c\x17\x1c\xb5\x6e\x40\x3c\x4d\xc1\xd4\xb6"                         \
	"\x4f\x43\x26\x11\xdc\x38\x6e\x6f\x53\x20\x50\xc3\x27\x8c\x93\x0e"                         \
	"\x14\x3e\x8b\xb1\x13\x38\x24\xcc\xb4\x31\x05\x38\x71\xc6\xdb\x53"
#define BRANCH_C                                                                                   \
	"\xd6\x03\x2c\xe6\x1f\x2f\xb3\xc2\x40\xeb\x3c\xf6\xa3\x32\x37\xef"                         \
	"\x2b\x6a\x16\xf4\x29\x3c\x22\xb4\x55\xe2\x61\xcf\xfd\x21\x7a\xd5"                         \
	"\xb4\x94\x7c\x2d\x73\xe6\x30\x05\xee\xd2\xdc\x2b\x35\x93\xd1\x65"

/* PolicyB is either; a TPM compares the branches in this order. */
static const TPML_DIGEST policy_b_branches = {
	.count = 2,
	.digests = {{.size = 48, .buffer = BRANCH_A}, {.size = 48, .buffer = BRANCH_C}},
};

static enum attester_status
start_policy(struct attester *attester, TPMI_ALG_HASH hash, struct attester_handle *session,
	     struct attester_error *err)
{
	static const TPMT_SYM_DEF no_encryption = {.algorithm = TPM2_ALG_NULL};
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_StartAuthSession(attester->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					   ESYS_TR_NONE, ESYS_TR_NONE, NULL, TPM2_SE_POLICY,
					   &no_encryption, hash, &session->id);
	while (attester_again(rc, &tries));
	if (rc != TSS2_RC_SUCCESS) {
		session->id = ESYS_TR_NONE;
		return attester_fail_tss(err, rc, "policy session");
	}
	/* The TPM keeps the session after its use, so that flushing it is ours on every path. */
	rc = Esys_TRSess_SetAttributes(attester->esys, session->id, TPMA_SESSION_CONTINUESESSION,
				       TPMA_SESSION_CONTINUESESSION);
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "policy session");
	return ATTESTER_OK;
}

/* Brings the session to what the EK's authPolicy asks for: PolicyA, or PolicyB by its first branch.
 */
static enum attester_status
satisfy_policy(const struct attester_handle *session, bool policy_b, struct attester_error *err)
{
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_PolicySecret(session->esys, ESYS_TR_RH_ENDORSEMENT, session->id,
				       ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL,
				       NULL, 0, NULL, NULL);
	while (attester_again(rc, &tries));
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "endorsement policy");
	if (!policy_b)
		return ATTESTER_OK;
	tries = 0;
	do
		rc = Esys_PolicyOR(session->esys, session->id, ESYS_TR_NONE, ESYS_TR_NONE,
				   ESYS_TR_NONE, &policy_b_branches);
	while (attester_again(rc, &tries));
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "endorsement policy");
	return ATTESTER_OK;
}

static enum attester_status
decode_credential(const struct attest_credential *credential, TPM2B_ID_OBJECT *ret_blob,
		  TPM2B_ENCRYPTED_SECRET *ret_secret, struct attester_error *err)
{
	if (credential->blob_size > sizeof(ret_blob->credential) ||
	    credential->secret_size > sizeof(ret_secret->secret))
		return attester_fail(err, ATTESTER_REFUSED,
				     "credential: %zu and %zu bytes are more than a TPM takes",
				     credential->blob_size, credential->secret_size);
	ret_blob->size = (UINT16)credential->blob_size;
	memcpy(ret_blob->credential, credential->blob, credential->blob_size);
	ret_secret->size = (UINT16)credential->secret_size;
	memcpy(ret_secret->secret, credential->secret, credential->secret_size);
	return ATTESTER_OK;
}

static enum attester_status
open_credential(struct attester *attester, ESYS_TR ak, ESYS_TR ek, ESYS_TR session,
		const TPM2B_ID_OBJECT *blob, const TPM2B_ENCRYPTED_SECRET *secret,
		uint8_t ret_secret[64], size_t *ret_size, struct attester_error *err)
{
	auto_esys TPM2B_DIGEST *opened = NULL;
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_ActivateCredential(attester->esys, ak, ek, ESYS_TR_PASSWORD, session,
					     ESYS_TR_NONE, blob, secret, &opened);
	while (attester_again(rc, &tries));
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "credential");
	memcpy(ret_secret, opened->buffer, opened->size);
	*ret_size = opened->size;
	OPENSSL_cleanse(opened, sizeof(*opened));
	return ATTESTER_OK;
}

enum attester_status
attester_activate(struct attester *attester, const struct attest_credential *credential,
		  uint8_t ret_secret[64], size_t *ret_size, struct attester_error *err)
{
	auto_handle struct attester_handle ak = handle_of(attester);
	auto_handle struct attester_handle ek = handle_of(attester);
	auto_handle struct attester_handle session = handle_of(attester);
	bool policy_b = attester->ek == ATTESTER_EK_P384;
	TPM2B_ID_OBJECT blob = {0};
	TPM2B_ENCRYPTED_SECRET secret = {0};

	enum attester_status status = decode_credential(credential, &blob, &secret, err);
	if (status == ATTESTER_OK)
		status = attester_make_ek(attester, attester->ek, &ek, err);
	if (status == ATTESTER_OK)
		status = attester_make_ak(attester, &ak, err);
	if (status == ATTESTER_OK)
		status = start_policy(attester, policy_b ? TPM2_ALG_SHA384 : TPM2_ALG_SHA256,
				      &session, err);
	if (status == ATTESTER_OK)
		status = satisfy_policy(&session, policy_b, err);
	if (status != ATTESTER_OK)
		return status;
	return open_credential(attester, ak.id, ek.id, session.id, &blob, &secret, ret_secret,
			       ret_size, err);
}
