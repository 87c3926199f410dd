/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include <cmocka.h>

/* TPM 2.0 Library Part 2, 7.2; tss2's own macros for these shift into the sign bit. */
#define LOADED_SESSION_FIRST 0x02000000u
#define SAVED_SESSION_FIRST  0x03000000u
#define TRANSIENT_FIRST	     0x80000000u

struct private_tpm tpm;
const uint8_t some_secret[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
const uint8_t some_nonce[ATTEST_HASH_SIZE] = {0xde, 0xad, 0xbe, 0xef};

struct attester *
open_tpm(void)
{
	struct attester *attester = NULL;
	struct attester_error err;

	if (!private_tpm_possible())
		skip();
	if (tpm.folder[0] == '\0')
		assert_true(private_tpm_start(&tpm, "sha256"));
	if (attester_open(tpm.tcti, &attester, &err) != ATTESTER_OK)
		fail_msg("%s", err.message);
	return attester;
}

static UINT32
handles_left(struct attester *attester, TPM2_HANDLE first)
{
	auto_esys TPMS_CAPABILITY_DATA *answer = NULL;
	TPMI_YES_NO more;

	assert_int_equal(Esys_GetCapability(attester->esys, ESYS_TR_NONE, ESYS_TR_NONE,
					    ESYS_TR_NONE, TPM2_CAP_HANDLES, first, 32, &more,
					    &answer),
			 TSS2_RC_SUCCESS);
	return answer->data.handles.count;
}

void
assert_nothing_left(struct attester *attester)
{
	assert_int_equal(handles_left(attester, TRANSIENT_FIRST), 0);
	assert_int_equal(handles_left(attester, LOADED_SESSION_FIRST), 0);
	assert_int_equal(handles_left(attester, SAVED_SESSION_FIRST), 0);
}

void
close_tpm(struct attester *attester)
{
	assert_nothing_left(attester);
	attester_close(attester);
}

struct attest_credential
make_credential(struct attester *attester, const struct attester_ek *ek, const uint8_t secret[32])
{
	struct attest_credential credential = {0};
	auto_handle struct attester_handle ak = handle_of(attester);
	auto_handle struct attester_handle loaded = handle_of(attester);
	auto_esys TPM2B_NAME *name = NULL;
	auto_esys TPM2B_ID_OBJECT *blob = NULL;
	auto_esys TPM2B_ENCRYPTED_SECRET *seed = NULL;
	TPM2B_PUBLIC public = {0};
	TPM2B_DIGEST value = {.size = 32};
	struct attester_error err;
	size_t offset = 0;

	memcpy(value.buffer, secret, 32);
	assert_int_equal(Tss2_MU_TPMT_PUBLIC_Unmarshal(ek->public_area, ek->public_size, &offset,
						       &public.publicArea),
			 TSS2_RC_SUCCESS);
	assert_int_equal(attester_make_ak(attester, &ak, &err), ATTESTER_OK);
	assert_int_equal(Esys_TR_GetName(attester->esys, ak.id, &name), TSS2_RC_SUCCESS);
	assert_int_equal(Esys_LoadExternal(attester->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					   NULL, &public, ESYS_TR_RH_ENDORSEMENT, &loaded.id),
			 TSS2_RC_SUCCESS);
	assert_int_equal(Esys_MakeCredential(attester->esys, loaded.id, ESYS_TR_NONE, ESYS_TR_NONE,
					     ESYS_TR_NONE, &value, name, &blob, &seed),
			 TSS2_RC_SUCCESS);
	credential.blob_size = blob->size;
	memcpy(credential.blob, blob->credential, blob->size);
	credential.secret_size = seed->size;
	memcpy(credential.secret, seed->secret, seed->size);
	return credential;
}

static bool
signature_verifies(const struct attester_ak *ak, const struct attester_quote *quote)
{
	TPMT_PUBLIC public = {0};
	TPMT_SIGNATURE signature = {0};
	uint8_t point[65] = {4};
	uint8_t digest[32];
	size_t offset = 0;

	assert_int_equal(
		Tss2_MU_TPMT_PUBLIC_Unmarshal(ak->public_area, ak->public_size, &offset, &public),
		TSS2_RC_SUCCESS);
	offset = 0;
	assert_int_equal(Tss2_MU_TPMT_SIGNATURE_Unmarshal(quote->signature, quote->signature_size,
							  &offset, &signature),
			 TSS2_RC_SUCCESS);
	assert_int_equal(offset, quote->signature_size);
	assert_int_equal(signature.sigAlg, TPM2_ALG_ECDSA);
	assert_int_equal(signature.signature.ecdsa.hash, TPM2_ALG_SHA256);
	memcpy(point + 1, public.unique.ecc.x.buffer, 32);
	memcpy(point + 33, public.unique.ecc.y.buffer, 32);
	char group[] = "P-256";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	assert_int_equal(EVP_PKEY_fromdata_init(maker), 1);
	assert_int_equal(EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, parameters), 1);
	ECDSA_SIG *pair = ECDSA_SIG_new();
	const TPMS_SIGNATURE_ECDSA *ecdsa = &signature.signature.ecdsa;
	ECDSA_SIG_set0(pair, BN_bin2bn(ecdsa->signatureR.buffer, ecdsa->signatureR.size, NULL),
		       BN_bin2bn(ecdsa->signatureS.buffer, ecdsa->signatureS.size, NULL));
	unsigned char *der = NULL;
	int der_size = i2d_ECDSA_SIG(pair, &der);
	SHA256(quote->message, quote->message_size, digest);
	EVP_PKEY_CTX *verifier = EVP_PKEY_CTX_new(key, NULL);
	assert_int_equal(EVP_PKEY_verify_init(verifier), 1);
	int verdict = EVP_PKEY_verify(verifier, der, (size_t)der_size, digest, sizeof(digest));
	OPENSSL_free(der);
	ECDSA_SIG_free(pair);
	EVP_PKEY_CTX_free(verifier);
	EVP_PKEY_CTX_free(maker);
	EVP_PKEY_free(key);
	return verdict == 1;
}

void
assert_quote_holds(struct attester *attester, const struct attester_quote *quote)
{
	struct attester_error err;
	struct attester_ak ak;
	TPMS_ATTEST attest = {0};
	uint8_t digest[32];
	size_t offset = 0;

	assert_int_equal(attester_ak(attester, &ak, &err), ATTESTER_OK);
	assert_true(signature_verifies(&ak, quote));
	assert_int_equal(Tss2_MU_TPMS_ATTEST_Unmarshal(quote->message, quote->message_size, &offset,
						       &attest),
			 TSS2_RC_SUCCESS);
	assert_int_equal(offset, quote->message_size);
	assert_int_equal(attest.extraData.size, sizeof(some_nonce));
	assert_memory_equal(attest.extraData.buffer, some_nonce, sizeof(some_nonce));
	SHA256(&quote->pcrs[0][0], sizeof(quote->pcrs), digest);
	assert_memory_equal(attest.attested.quote.pcrDigest.buffer, digest, sizeof(digest));
	struct attester_quote spoiled = *quote;
	spoiled.message[spoiled.message_size - 1] ^= 1;
	assert_false(signature_verifies(&ak, &spoiled));
}

void
define_nv(struct attester *attester, TPM2_HANDLE index, TPMA_NV attributes, const uint8_t *bytes,
	  size_t size)
{
	const TPM2B_AUTH no_auth = {.size = 0};
	const TPM2B_NV_PUBLIC public = {.nvPublic = {.nvIndex = index,
						     .nameAlg = TPM2_ALG_SHA256,
						     .attributes = attributes | TPMA_NV_OWNERWRITE,
						     .dataSize = (UINT16)size}};
	ESYS_TR handle;

	assert_int_equal(Esys_NV_DefineSpace(attester->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
					     ESYS_TR_NONE, ESYS_TR_NONE, &no_auth, &public,
					     &handle),
			 TSS2_RC_SUCCESS);
	for (size_t done = 0; bytes != NULL && done < size;) {
		TPM2B_MAX_NV_BUFFER part = {
			.size = (UINT16)(size - done < 512 ? size - done : 512)};

		memcpy(part.buffer, bytes + done, part.size);
		assert_int_equal(Esys_NV_Write(attester->esys, ESYS_TR_RH_OWNER, handle,
					       ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &part,
					       (UINT16)done),
				 TSS2_RC_SUCCESS);
		done += part.size;
	}
	Esys_TR_Close(attester->esys, &handle);
}

void
undefine_nv(struct attester *attester, TPM2_HANDLE index, ESYS_TR hierarchy)
{
	ESYS_TR handle;

	assert_int_equal(Esys_TR_FromTPMPublic(attester->esys, index, ESYS_TR_NONE, ESYS_TR_NONE,
					       ESYS_TR_NONE, &handle),
			 TSS2_RC_SUCCESS);
	assert_int_equal(Esys_NV_UndefineSpace(attester->esys, hierarchy, handle, ESYS_TR_PASSWORD,
					       ESYS_TR_NONE, ESYS_TR_NONE),
			 TSS2_RC_SUCCESS);
}

int
stop_tpm(void **state)
{
	(void)state;
	private_tpm_stop(&tpm);
	return 0;
}
