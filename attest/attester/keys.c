/* SPDX-License-Identifier: Apache-2.0 */
/* The key templates, and the primary keys that the TPM makes of them again each time. */
#include "internal.h"

#include <tss2/tss2_mu.h>

/* SHA-256("postern/ak/v1"): a marker that no other verifier's AK bears; nothing can satisfy it as a
 * policy. */
#define AK_POLICY                                                                                  \
	{                                                                                          \
		0xe1, 0x40, 0xa9, 0xb7, 0x52, 0xaf, 0x8d, 0x34, 0x8f, 0xf8, 0x41, 0x71, 0xc3,      \
			0xa5, 0xdf, 0xee, 0xe4, 0xa4, 0x41, 0xdc, 0x80, 0x82, 0xc2, 0xca, 0x33,    \
			0x96, 0x5c, 0xf5, 0x86, 0x43, 0xb2, 0xec                                   \
	}

/* fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign: 0x00050472. */
#define AK_ATTRIBUTES                                                                              \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
	 TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |                    \
	 TPMA_OBJECT_SIGN_ENCRYPT)

/* Templates L of TCG's EK Credential Profile for TPM 2.0: 0x000300b2; templates H add userWithAuth:
 * 0x000300f2. */
#define EK_LOW_ATTRIBUTES                                                                          \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
	 TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)
#define EK_HIGH_ATTRIBUTES (EK_LOW_ATTRIBUTES | TPMA_OBJECT_USERWITHAUTH)

/* The profile's PolicyA, for SHA-256: PolicySecret(endorsement hierarchy). */
#define EK_POLICY_A                                                                                \
	{                                                                                          \
		0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46,      \
			0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2,    \
			0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa                                   \
	}

/* The profile's PolicyB, for SHA-384: PolicyA or PolicyC; activate.c has the branches. */
#define EK_POLICY_B                                                                                \
	{                                                                                          \
		0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc, 0xf5,      \
			0xfd, 0x3a, 0x1a, 0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4, 0xcb,    \
			0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca, 0xcb, 0x47, 0xba, 0x09, 0x69,    \
			0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12           \
	}

#define AES_CFB(bits)                                                                              \
	{                                                                                          \
		.algorithm = TPM2_ALG_AES, .keyBits.aes = (bits), .mode.aes = TPM2_ALG_CFB         \
	}

/* L-1. The templates L fill `unique` with zeros of the key's size, the templates H leave it empty.
 */
static const TPM2B_PUBLIC ek_rsa_2048 = {
	.publicArea =
		{
			.type = TPM2_ALG_RSA,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = EK_LOW_ATTRIBUTES,
			.authPolicy = {.size = 32, .buffer = EK_POLICY_A},
			.parameters.rsaDetail =
				{
					.symmetric = AES_CFB(128),
					.scheme.scheme = TPM2_ALG_NULL,
					.keyBits = 2048,
				},
			.unique.rsa.size = 256,
		},
};

/* L-2. */
static const TPM2B_PUBLIC ek_p256 = {
	.publicArea =
		{
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = EK_LOW_ATTRIBUTES,
			.authPolicy = {.size = 32, .buffer = EK_POLICY_A},
			.parameters.eccDetail =
				{
					.symmetric = AES_CFB(128),
					.scheme.scheme = TPM2_ALG_NULL,
					.curveID = TPM2_ECC_NIST_P256,
					.kdf.scheme = TPM2_ALG_NULL,
				},
			.unique.ecc = {.x.size = 32, .y.size = 32},
		},
};

/* H-3. */
static const TPM2B_PUBLIC ek_p384 = {
	.publicArea =
		{
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA384,
			.objectAttributes = EK_HIGH_ATTRIBUTES,
			.authPolicy = {.size = 48, .buffer = EK_POLICY_B},
			.parameters.eccDetail =
				{
					.symmetric = AES_CFB(256),
					.scheme.scheme = TPM2_ALG_NULL,
					.curveID = TPM2_ECC_NIST_P384,
					.kdf.scheme = TPM2_ALG_NULL,
				},
		},
};

static const TPM2B_PUBLIC ak_p256 = {
	.publicArea =
		{
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = AK_ATTRIBUTES,
			.authPolicy = {.size = 32, .buffer = AK_POLICY},
			.parameters.eccDetail =
				{
					.symmetric.algorithm = TPM2_ALG_NULL,
					.scheme.scheme = TPM2_ALG_ECDSA,
					.scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256,
					.curveID = TPM2_ECC_NIST_P256,
					.kdf.scheme = TPM2_ALG_NULL,
				},
		},
};

/* Empty sensitive data: the keys' own authorization is empty too. */
static enum attester_status
make_primary(struct attester *attester, const TPM2B_PUBLIC *template, const char *what,
	     struct attester_handle *key, struct attester_error *err)
{
	static const TPM2B_SENSITIVE_CREATE no_sensitive = {.size = 0};
	static const TPM2B_DATA no_outside_info = {.size = 0};
	static const TPML_PCR_SELECTION no_pcrs = {.count = 0};
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_CreatePrimary(attester->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
					ESYS_TR_NONE, ESYS_TR_NONE, &no_sensitive, template,
					&no_outside_info, &no_pcrs, &key->id, NULL, NULL, NULL,
					NULL);
	while (attester_again(rc, &tries));
	if (rc == TSS2_RC_SUCCESS)
		return ATTESTER_OK;
	key->id = ESYS_TR_NONE;
	/* TPM_RC_VALUE, on any parameter: how TPMs name a key size that they lack. */
	if ((rc & ~(TPM2_RC_P | TPM2_RC_N_MASK)) == TPM2_RC_VALUE)
		return attester_fail(err, ATTESTER_UNSUPPORTED, "%s: the TPM lacks it (0x%x)", what,
				     rc);
	return attester_fail_tss(err, rc, what);
}

enum attester_status
attester_make_ek(struct attester *attester, enum attester_ek_kind kind, struct attester_handle *key,
		 struct attester_error *err)
{
	switch (kind) {
	case ATTESTER_EK_RSA_2048:
		return make_primary(attester, &ek_rsa_2048, "endorsement key RSA-2048", key, err);
	case ATTESTER_EK_P256:
		return make_primary(attester, &ek_p256, "endorsement key P-256", key, err);
	case ATTESTER_EK_P384:
		return make_primary(attester, &ek_p384, "endorsement key P-384", key, err);
	case ATTESTER_EK_ANY:
		break;
	}
	return attester_fail(err, ATTESTER_REFUSED, "no endorsement key was asked for yet");
}

enum attester_status
attester_make_ak(struct attester *attester, struct attester_handle *key, struct attester_error *err)
{
	return make_primary(attester, &ak_p256, "attestation key", key, err);
}

enum attester_status
attester_public_area(const struct attester_handle *key, size_t capacity, uint8_t *ret_bytes,
		     size_t *ret_size, struct attester_error *err)
{
	auto_esys TPM2B_PUBLIC *public = NULL;
	unsigned tries = 0;
	size_t size = 0;
	TSS2_RC rc;

	do
		rc = Esys_ReadPublic(key->esys, key->id, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
				     &public, NULL, NULL);
	while (attester_again(rc, &tries));
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPMT_PUBLIC_Marshal(&public->publicArea, ret_bytes, capacity, &size);
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "public key");
	*ret_size = size;
	return ATTESTER_OK;
}

enum attester_status
attester_ak(struct attester *attester, struct attester_ak *ret_ak, struct attester_error *err)
{
	auto_handle struct attester_handle key = handle_of(attester);
	struct attester_ak ak = {0};

	enum attester_status status = attester_make_ak(attester, &key, err);
	if (status == ATTESTER_OK)
		status = attester_public_area(&key, sizeof(ak.public_area), ak.public_area,
					      &ak.public_size, err);
	if (status == ATTESTER_OK)
		*ret_ak = ak;
	return status;
}
