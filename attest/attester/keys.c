/* SPDX-License-Identifier: Apache-2.0 */
/* The key templates, and the primary keys that the TPM makes of them again each time. */
#include "internal.h"

#include <tss2/tss2_mu.h>

/* SHA-256("postern/ak/v1"): marks the key as Postern's, and is a policy that nothing satisfies. */
#define AK_POLICY                                                                                  \
	"\xe1\x40\xa9\xb7\x52\xaf\x8d\x34\x8f\xf8\x41\x71\xc3\xa5\xdf\xee"                         \
	"\xe4\xa4\x41\xdc\x80\x82\xc2\xca\x33\x96\x5c\xf5\x86\x43\xb2\xec"

/* fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign: 0x00050472. */
#define AK_ATTRIBUTES                                                                              \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
	 TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |                    \
	 TPMA_OBJECT_SIGN_ENCRYPT)

/* TCG EK Credential Profile for TPM 2.0, templates L: 0x000300b2, and H: 0x000300f2. */
#define EK_LOW_ATTRIBUTES                                                                          \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
	 TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)
#define EK_HIGH_ATTRIBUTES (EK_LOW_ATTRIBUTES | TPMA_OBJECT_USERWITHAUTH)

/* The profile's PolicyA, for SHA-256: PolicySecret(endorsement hierarchy). */
#define EK_POLICY_A                                                                                \
	"\x83\x71\x97\x67\x44\x84\xb3\xf8\x1a\x90\xcc\x8d\x46\xa5\xd7\x24"                         \
	"\xfd\x52\xd7\x6e\x06\x52\x0b\x64\xf2\xa1\xda\x1b\x33\x14\x69\xaa"

/* The profile's PolicyB, for SHA-384: PolicyA or PolicyC; activate.c has the branches. */
#define EK_POLICY_B                                                                                \
	"\xb2\x6e\x7d\x28\xd1\x1a\x50\xbc\x53\xd8\x82\xbc\xf5\xfd\x3a\x1a"                         \
	"\x07\x41\x48\xbb\x35\xd3\xb4\xe4\xcb\x1c\x0a\xd9\xbd\xe4\x19\xca"                         \
	"\xcb\x47\xba\x09\x69\x96\x46\x15\x0f\x9f\xc0\x00\xf3\xf8\x0e\x12"

#define AES_CFB(bits)                                                                              \
	{                                                                                          \
		.algorithm = TPM2_ALG_AES, .keyBits.aes = (bits), .mode.aes = TPM2_ALG_CFB         \
	}

/* L-1. Templates L fill `unique` with zeros of the key's size, templates H leave it empty. */
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
enum attester_status
attester_make_primary(struct attester *attester, ESYS_TR hierarchy, const TPM2B_PUBLIC *template,
		      const char *what, struct attester_handle *key, struct attester_error *err)
{
	static const TPM2B_SENSITIVE_CREATE no_sensitive = {.size = 0};
	static const TPM2B_DATA no_outside_info = {.size = 0};
	static const TPML_PCR_SELECTION no_pcrs = {.count = 0};
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_CreatePrimary(attester->esys, hierarchy, ESYS_TR_PASSWORD, ESYS_TR_NONE,
					ESYS_TR_NONE, &no_sensitive, template, &no_outside_info,
					&no_pcrs, &key->id, NULL, NULL, NULL, NULL);
	while (attester_again(rc, &tries));
	if (rc == TSS2_RC_SUCCESS)
		return ATTESTER_OK;
	key->id = ESYS_TR_NONE;
	/* TPM_RC_VALUE, on any parameter: how TPMs name a key size that they lack. */
	if ((rc & ~(TPM2_RC_P | TPM2_RC_N_MASK)) == TPM2_RC_VALUE)
		return attester_fail(err, ATTESTER_UNSUPPORTED, "%s: the TPM lacks it (0x%x)", what,
				     rc);
	return hierarchy == ESYS_TR_RH_OWNER ? attester_fail_owner(err, rc, what)
					     : attester_fail_tss(err, rc, what);
}

static enum attester_status
make_endorsement(struct attester *attester, const TPM2B_PUBLIC *template, const char *what,
		 struct attester_handle *key, struct attester_error *err)
{
	return attester_make_primary(attester, ESYS_TR_RH_ENDORSEMENT, template, what, key, err);
}

enum attester_status
attester_make_ek(struct attester *attester, enum attester_ek_kind kind, struct attester_handle *key,
		 struct attester_error *err)
{
	switch (kind) {
	case ATTESTER_EK_RSA_2048:
		return make_endorsement(attester, &ek_rsa_2048, "endorsement key RSA-2048", key,
					err);
	case ATTESTER_EK_P256:
		return make_endorsement(attester, &ek_p256, "endorsement key P-256", key, err);
	case ATTESTER_EK_P384:
		return make_endorsement(attester, &ek_p384, "endorsement key P-384", key, err);
	case ATTESTER_EK_ANY:
		break;
	}
	return attester_fail(err, ATTESTER_REFUSED, "no endorsement key was asked for yet");
}

enum attester_status
attester_make_ak(struct attester *attester, struct attester_handle *key, struct attester_error *err)
{
	return make_endorsement(attester, &ak_p256, "attestation key", key, err);
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
