/* SPDX-License-Identifier: Apache-2.0 */
/* The storage primary key and the sessions salted to it. */
#include "host_session.h"

#include <string.h>

/* fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, decrypt: 0x00030472.
 */
#define SRK_ATTRIBUTES                                                                             \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
	 TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |                    \
	 TPMA_OBJECT_DECRYPT)

/* TCG TPM v2.0 Provisioning Guidance, 7.5.1: EK template L-2 with these attributes and no policy.
 */
static const TPM2B_PUBLIC srk = {
	.publicArea =
		{
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = SRK_ATTRIBUTES,
			.parameters.eccDetail =
				{
					.symmetric = {.algorithm = TPM2_ALG_AES,
						      .keyBits.aes = 128,
						      .mode.aes = TPM2_ALG_CFB},
					.scheme.scheme = TPM2_ALG_NULL,
					.curveID = TPM2_ECC_NIST_P256,
					.kdf.scheme = TPM2_ALG_NULL,
				},
			.unique.ecc = {.x.size = 32, .y.size = 32},
		},
};

enum attester_status
host_primary(struct attester *attester, struct attester_handle *primary, TPM2B_NAME *ret_name,
	     struct attester_error *err)
{
	auto_esys TPM2B_NAME *name = NULL;
	const TPM2B_NAME *known = &attester->primary;

	enum attester_status status = attester_make_primary(attester, ESYS_TR_RH_OWNER, &srk,
							    "storage primary key", primary, err);
	if (status != ATTESTER_OK)
		return status;
	TSS2_RC rc = Esys_TR_GetName(attester->esys, primary->id, &name);
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "storage primary key");
	if (known->size > 0 &&
	    (known->size != name->size || memcmp(known->name, name->name, name->size) != 0))
		return attester_fail(err, ATTESTER_REFUSED,
				     "storage primary key: it is no longer the one that opened the "
				     "sealed key: is another TPM answering?");
	*ret_name = *name;
	return ATTESTER_OK;
}

enum attester_status
host_session(struct attester *attester, const struct attester_handle *primary, TPM2_SE type,
	     struct attester_handle *session, struct attester_error *err)
{
	static const TPMT_SYM_DEF cipher = {
		.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
	/* The TPM keeps the session after its use, so that flushing it is ours on every path. */
	TPMA_SESSION attributes = TPMA_SESSION_CONTINUESESSION | TPMA_SESSION_ENCRYPT;
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_StartAuthSession(attester->esys, primary->id, ESYS_TR_NONE, ESYS_TR_NONE,
					   ESYS_TR_NONE, ESYS_TR_NONE, NULL, type, &cipher,
					   TPM2_ALG_SHA256, &session->id);
	while (attester_again(rc, &tries));
	if (rc != TSS2_RC_SUCCESS) {
		session->id = ESYS_TR_NONE;
		return attester_fail_tss(err, rc, "encrypted session");
	}
	if (type == TPM2_SE_HMAC)
		attributes |= TPMA_SESSION_DECRYPT;
	rc = Esys_TRSess_SetAttributes(attester->esys, session->id, attributes, 0xff);
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "encrypted session");
	return ATTESTER_OK;
}
