/* SPDX-License-Identifier: Apache-2.0 */
/* A cloud's AK in a software TPM, as Google and as Azure leave it there, certifies Postern's. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include <cmocka.h>

#define AZURE_KEY 0x81000003

/* A restricted signing key, as clouds make them. */
#define AK_ATTRIBUTES                                                                              \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |        \
	 TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT)

static const TPM2B_PUBLIC ecc_key = {
	.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = AK_ATTRIBUTES,
		.parameters.eccDetail = {.symmetric.algorithm = TPM2_ALG_NULL,
					 .scheme.scheme = TPM2_ALG_ECDSA,
					 .scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256,
					 .curveID = TPM2_ECC_NIST_P256,
					 .kdf.scheme = TPM2_ALG_NULL},
	}};
static const TPM2B_PUBLIC rsa_key = {
	.publicArea = {
		.type = TPM2_ALG_RSA,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = AK_ATTRIBUTES,
		.parameters.rsaDetail = {.symmetric.algorithm = TPM2_ALG_NULL,
					 .scheme.scheme = TPM2_ALG_RSASSA,
					 .scheme.details.rsassa.hashAlg = TPM2_ALG_SHA256,
					 .keyBits = 2048},
	}};
static const uint8_t certificate[] = {0x30, 0x03, 0x02, 0x01, 0x07};

static void
define_template(struct attester *attester, TPM2_HANDLE index, const TPM2B_PUBLIC *template)
{
	uint8_t area[ATTEST_PUBLIC_SIZE_MAX];
	size_t size = 0;

	assert_int_equal(
		Tss2_MU_TPMT_PUBLIC_Marshal(&template->publicArea, area, sizeof(area), &size),
		TSS2_RC_SUCCESS);
	define_nv(attester, index, TPMA_NV_AUTHREAD, area, size);
}

/* Moves a new primary key to, or away from, Azure's place. */
static void
define_azure_key(struct attester *attester, bool define)
{
	auto_handle struct attester_handle key = handle_of(attester);
	struct attester_error err;
	ESYS_TR persistent;

	if (define)
		assert_int_equal(attester_make_primary(attester, ESYS_TR_RH_ENDORSEMENT, &rsa_key,
						       "a key", &key, &err),
				 ATTESTER_OK);
	else
		assert_int_equal(Esys_TR_FromTPMPublic(attester->esys, AZURE_KEY, ESYS_TR_NONE,
						       ESYS_TR_NONE, ESYS_TR_NONE, &persistent),
				 TSS2_RC_SUCCESS);
	ESYS_TR object = define ? key.id : persistent;
	assert_int_equal(Esys_EvictControl(attester->esys, ESYS_TR_RH_OWNER, object,
					   ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, AZURE_KEY,
					   &persistent),
			 TSS2_RC_SUCCESS);
	if (define)
		Esys_TR_Close(attester->esys, &persistent);
}

/* The certified name is that of Postern's AK, and the TPM itself verifies the signature. */
static void
assert_certified(struct attester *attester, const struct attester_cloud *cloud)
{
	auto_handle struct attester_handle ak = handle_of(attester);
	auto_handle struct attester_handle signer = handle_of(attester);
	auto_esys TPM2B_NAME *name = NULL;
	auto_esys TPM2B_DIGEST *digest = NULL;
	auto_esys TPMT_TK_VERIFIED *ticket = NULL;
	TPM2B_MAX_BUFFER message = {.size = (UINT16)cloud->message_size};
	TPM2B_PUBLIC public = {0};
	TPMT_SIGNATURE signature = {0};
	TPMS_ATTEST attest = {0};
	struct attester_error err;
	size_t offset = 0;

	assert_int_equal(attester_make_ak(attester, &ak, &err), ATTESTER_OK);
	assert_int_equal(Esys_TR_GetName(attester->esys, ak.id, &name), TSS2_RC_SUCCESS);
	assert_int_equal(Tss2_MU_TPMS_ATTEST_Unmarshal(cloud->message, cloud->message_size, &offset,
						       &attest),
			 TSS2_RC_SUCCESS);
	assert_int_equal(attest.type, TPM2_ST_ATTEST_CERTIFY);
	assert_int_equal(attest.extraData.size, sizeof(some_nonce));
	assert_memory_equal(attest.extraData.buffer, some_nonce, sizeof(some_nonce));
	assert_int_equal(attest.attested.certify.name.size, name->size);
	assert_memory_equal(attest.attested.certify.name.name, name->name, name->size);

	offset = 0;
	assert_int_equal(Tss2_MU_TPMT_PUBLIC_Unmarshal(cloud->public_area, cloud->public_size,
						       &offset, &public.publicArea),
			 TSS2_RC_SUCCESS);
	offset = 0;
	assert_int_equal(Tss2_MU_TPMT_SIGNATURE_Unmarshal(cloud->signature, cloud->signature_size,
							  &offset, &signature),
			 TSS2_RC_SUCCESS);
	memcpy(message.buffer, cloud->message, cloud->message_size);
	assert_int_equal(Esys_LoadExternal(attester->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					   NULL, &public, ESYS_TR_RH_NULL, &signer.id),
			 TSS2_RC_SUCCESS);
	assert_int_equal(Esys_Hash(attester->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
				   &message, TPM2_ALG_SHA256, ESYS_TR_RH_NULL, &digest, NULL),
			 TSS2_RC_SUCCESS);
	assert_int_equal(Esys_VerifySignature(attester->esys, signer.id, ESYS_TR_NONE, ESYS_TR_NONE,
					      ESYS_TR_NONE, digest, &signature, &ticket),
			 TSS2_RC_SUCCESS);
}

static struct attester_cloud
ask(struct attester *attester)
{
	struct attester_cloud cloud;
	struct attester_error err;

	if (attester_cloud(attester, some_nonce, &cloud, &err) != ATTESTER_OK)
		fail_msg("%s", err.message);
	return cloud;
}

static void
a_tpm_of_no_cloud_says_so(void **state)
{
	struct attester *attester = open_tpm();
	(void)state;

	assert_null(ask(attester).cloud);
	close_tpm(attester);
}

static void
each_cloud_certifies(void **state)
{
	static const struct {
		const char *cloud;
		TPM2_HANDLE certificate;
		TPM2_HANDLE template;
		const TPM2B_PUBLIC *key;
	} rows[] = {
		{"google", 0x01C10002, 0x01C10003, &ecc_key},
		{"google", 0x01C10000, 0x01C10001, &rsa_key},
		{"azure", 0x01C101D0, 0, &rsa_key},
	};
	struct attester *attester = open_tpm();
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		define_nv(attester, rows[i].certificate, TPMA_NV_AUTHREAD, certificate,
			  sizeof(certificate));
		if (rows[i].template != 0)
			define_template(attester, rows[i].template, rows[i].key);
		else
			define_azure_key(attester, true);
		struct attester_cloud cloud = ask(attester);
		assert_non_null(cloud.cloud);
		assert_string_equal(cloud.cloud, rows[i].cloud);
		assert_int_equal(cloud.certificate_size, sizeof(certificate));
		assert_memory_equal(cloud.certificate, certificate, sizeof(certificate));
		assert_certified(attester, &cloud);
		undefine_nv(attester, rows[i].certificate, ESYS_TR_RH_OWNER);
		if (rows[i].template != 0)
			undefine_nv(attester, rows[i].template, ESYS_TR_RH_OWNER);
		else
			define_azure_key(attester, false);
	}
	close_tpm(attester);
}

/* A certificate without its key is an error that says so, not a machine of no cloud. */
static void
a_certificate_alone_is_refused(void **state)
{
	static const uint8_t no_template[] = {0x00, 0x23, 0x00};
	struct attester *attester = open_tpm();
	struct attester_cloud cloud;
	struct attester_error err;
	(void)state;

	define_nv(attester, 0x01C10002, TPMA_NV_AUTHREAD, certificate, sizeof(certificate));
	assert_int_equal(attester_cloud(attester, some_nonce, &cloud, &err), ATTESTER_UNSUPPORTED);
	assert_non_null(strstr(err.message, "0x1c10003"));
	define_nv(attester, 0x01C10003, TPMA_NV_AUTHREAD, no_template, sizeof(no_template));
	assert_int_equal(attester_cloud(attester, some_nonce, &cloud, &err), ATTESTER_UNSUPPORTED);
	undefine_nv(attester, 0x01C10003, ESYS_TR_RH_OWNER);
	undefine_nv(attester, 0x01C10002, ESYS_TR_RH_OWNER);

	define_nv(attester, 0x01C101D0, TPMA_NV_AUTHREAD, certificate, sizeof(certificate));
	assert_int_not_equal(attester_cloud(attester, some_nonce, &cloud, &err), ATTESTER_OK);
	assert_non_null(strstr(err.message, "cloud"));
	undefine_nv(attester, 0x01C101D0, ESYS_TR_RH_OWNER);
	close_tpm(attester);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tpm_of_no_cloud_says_so),
		cmocka_unit_test(each_cloud_certifies),
		cmocka_unit_test(a_certificate_alone_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, stop_tpm);
}
