/* SPDX-License-Identifier: Apache-2.0 */
/* Real certificates. */
#include "attest/attest.h"
#include "attest/endorsement.h"
#include "corpora.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CERTIFICATES_MAX 4
#define EK		 "ekcerts/"

/* PEM or DER, to DER. */
static struct bytes
load_certificate(const char *name)
{
	struct bytes file = corpora_load(name);
	char *label = NULL;
	char *header = NULL;
	unsigned char *der = NULL;
	long size = 0;

	BIO *text = BIO_new_mem_buf(file.data, (int)file.size);
	assert_non_null(text);
	if (PEM_read_bio(text, &label, &header, &der, &size) == 1) {
		uint8_t *copy = malloc((size_t)size);
		assert_non_null(copy);
		memcpy(copy, der, (size_t)size);
		corpora_unload(file);
		file = (struct bytes){copy, (size_t)size};
	}
	OPENSSL_free(label);
	OPENSSL_free(header);
	OPENSSL_free(der);
	BIO_free(text);
	return file;
}

static void
real_chains_are_judged(void **state)
{
	/* clang-format off: a table */
	static const struct {
		const char *names[CERTIFICATES_MAX]; /* the EK's, helpers, the anchor */
		const char *check;		     /* NULL: accepted */
	} cases[] = {
		{{EK "go-tpm-tools/leaf/uca_tpm_rsa_enc_cert.pem",
		  EK "go-tpm-tools/ca/tpm_ek_intermediate_3.crt",
		  EK "go-tpm-tools/ca/tpm_ek_root_1.cer"},
		 NULL},
		{{EK "go-tpm-tools/leaf/uca_tpm_ecc_enc_cert.pem",
		  EK "go-tpm-tools/ca/tpm_ek_intermediate_3.crt",
		  EK "go-tpm-tools/ca/tpm_ek_root_1.cer"},
		 NULL},
		{{EK "go-tpm-tools/leaf/uca_tpm_rsa_sign_cert.pem",
		  EK "go-tpm-tools/ca/tpm_ek_intermediate_3.crt",
		  EK "go-tpm-tools/ca/tpm_ek_root_1.cer"},
		 "ek.certificate.signs"},
		{{EK "go-tpm-tools/leaf/uca_tpm_ecc_sign_cert.pem",
		  EK "go-tpm-tools/ca/tpm_ek_intermediate_3.crt",
		  EK "go-tpm-tools/ca/tpm_ek_root_1.cer"},
		 "ek.certificate.signs"},
		{{EK "go-tpm-tools/leaf/pca_tpm_rsa_enc_cert.pem",
		  EK "go-tpm-tools/ca/gcp_ek_ak_ca_intermediate_v3.crt",
		  EK "go-tpm-tools/ca/gcp_ek_ak_ca_root.crt"},
		 NULL},
		{{EK "go-tpm-tools/leaf/pca_tpm_ecc_sign_cert.pem",
		  EK "go-tpm-tools/ca/gcp_ek_ak_ca_intermediate_v3.crt",
		  EK "go-tpm-tools/ca/gcp_ek_ak_ca_root.crt"},
		 "ek.certificate.signs"},
		{{EK "keylime/leaf/st_ecdsa_sha256.der",
		  EK "keylime/tpm_cert_store/STM_ECC_01I.pem",
		  EK "keylime/tpm_cert_store/STM_ECC_01RT.pem"},
		 NULL},
		{{EK "keylime/leaf/st_ecdsa_sha256.der",
		  EK "keylime/tpm_cert_store/STM_ECC_01I.pem"},
		 NULL},
		{{EK "keylime/leaf/st_ecdsa_sha256.der",
		  EK "keylime/tpm_cert_store/STM_RSA_RT.pem"},
		 "ek.chain.anchor"},
		{{EK "HIRS/leaf/nuc-1-tpmcert.pem", EK "HIRS/ca/gstpmroot.pem"},
		 "ek.certificate.usage"},
	};
	/* clang-format on */
	struct attest_error err = {0};

	(void)state;
	corpora_need();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes certificates[CERTIFICATES_MAX];
		struct attest_chain chain;
		struct attest_ek *ek;
		size_t count = 0;

		for (; count < CERTIFICATES_MAX && cases[i].names[count] != NULL; count++)
			certificates[count] = load_certificate(cases[i].names[count]);
		assert_int_equal(attest_ek_from_certificate(certificates[0], &ek, &err), ATTEST_OK);
		enum attest_status status = attest_chain_verify(
			ek, certificates, count - 1,
			&(const struct attest_trust){.anchors = &certificates[count - 1],
						     .anchor_count = 1,
						     .now = 1685577600},
			&chain, &err);
		if ((status == ATTEST_OK) != (cases[i].check == NULL) ||
		    (status != ATTEST_OK && strcmp(err.check, cases[i].check) != 0))
			fail_msg("%s: %d %s %s", cases[i].names[0], status, err.check, err.message);
		if (status == ATTEST_OK)
			assert_int_equal(chain.ca_count, count - 1);
		attest_ek_free(ek);
		while (count > 0)
			corpora_unload(certificates[--count]);
	}
}

/* What real TPMs hold: headers of NV, keys marked for OAEP. */
static void
odd_certificates_give_their_key(void **state)
{
	static const char *const names[] = {
		EK "HIRS/leaf/ek_cert_with_security_assertions.cer",
		EK "HIRS/leaf/nuc-1-tpmcert.pem",
		EK "HIRS/leaf/nuc-2-tpmcert.pem",
		EK "HIRS/leaf/ab21ccf2-tpmcert.pem",
		EK "keylime/inline/registrar_agent_cert_compliance_0.pem",
	};

	(void)state;
	corpora_need();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct bytes certificate = load_certificate(names[i]);
		struct attest_error err = {0};
		struct attest_ek *ek;

		if (attest_ek_from_certificate(certificate, &ek, &err) != ATTEST_OK)
			fail_msg("%s: %s", names[i], err.message);
		assert_string_equal(attest_ek_kind(ek), "rsa-2048");
		attest_ek_free(ek);
		corpora_unload(certificate);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_chains_are_judged),
		cmocka_unit_test(odd_certificates_give_their_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
