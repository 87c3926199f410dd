/* SPDX-License-Identifier: Apache-2.0 */
/* Real certificates. */
#include "attest/attest.h"
#include "attest/endorsement.h"
#include "attest/path.h"
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

/* ---- a cloud's AKs ---- */

static void
clouds_aks_are_told_from_eks(void **state)
{
	static const struct {
		const char *leaf;
		const char *lower;
		const char *root;
		const char *name;
		uint64_t number;
	} cases[] = {
		{EK "go-tpm-tools/leaf/pca_tpm_ecc_sign_cert.pem",
		 EK "go-tpm-tools/ca/gcp_ek_ak_ca_intermediate_v3.crt",
		 EK "go-tpm-tools/ca/gcp_ek_ak_ca_root.crt", "cs-debug-pca", 218557372616137117},
		{EK "go-tpm-tools/leaf/pca_tpm_rsa_sign_cert.pem",
		 EK "go-tpm-tools/ca/gcp_ek_ak_ca_intermediate_v3.crt",
		 EK "go-tpm-tools/ca/gcp_ek_ak_ca_root.crt", "cs-debug-pca", 218557372616137117},
		{EK "go-tpm-tools/leaf/uca_tpm_ecc_sign_cert.pem",
		 EK "go-tpm-tools/ca/tpm_ek_intermediate_3.crt",
		 EK "go-tpm-tools/ca/tpm_ek_root_1.cer", "cs-debug", 5780156274199835632},
		{EK "go-tpm-tools/leaf/uca_tpm_rsa_sign_cert.pem",
		 EK "go-tpm-tools/ca/tpm_ek_intermediate_3.crt",
		 EK "go-tpm-tools/ca/tpm_ek_root_1.cer", "cs-debug", 5780156274199835632},
	};

	(void)state;
	corpora_need();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes files[] = {load_certificate(cases[i].leaf),
					load_certificate(cases[i].lower),
					load_certificate(cases[i].root)};
		const struct attest_trust trust = {
			.anchors = &files[2], .anchor_count = 1, .now = 1685577600};
		struct attest_chain chain;
		struct attest_error err = {0};
		X509 *leaf = NULL;

		assert_int_equal(certificate_load(files[0], &leaf, &err), ATTEST_OK);
		assert_int_equal(certificate_check_leaf(leaf, LEAF_CLOUD_AK, &err), ATTEST_OK);
		assert_int_equal(certificate_check_leaf(leaf, LEAF_EK, &err), ATTEST_REFUSED);
		assert_int_equal(path_verify(leaf, LEAF_CLOUD_AK, files, 2, &trust, &chain, &err),
				 ATTEST_OK);
		assert_int_equal(chain.ca_count, 2);
		assert_true(chain.instance.known);
		assert_string_equal(chain.instance.zone, "us-central1-a");
		assert_string_equal(chain.instance.project, "google.com:wuale-gcp-testing");
		assert_true(chain.instance.project_number == 117478743145);
		assert_string_equal(chain.instance.name, cases[i].name);
		if (chain.instance.number != cases[i].number)
			fail_msg("%s: %llu", cases[i].leaf,
				 (unsigned long long)chain.instance.number);
		X509_free(leaf);
		for (size_t k = 0; k < 3; k++)
			corpora_unload(files[k]);
	}
}

/* ---- all there are ---- */

/* What does not go as its folder would have it. */
static const struct {
	const char *path;
	const char *check;
} EXCEPTIONS[] = {
	/* CAs of IBM's software TPM, and one of Intel's platforms: nothing says what for. */
	{"ibmtss/certificates/cacert.pem", "ca.usage"},
	{"ibmtss/certificates/cacertecc.pem", "ca.usage"},
	{"intel_chain__root__rootca.crt", "ca.usage"},
	/* For platform certificates alone. */
	{"intel_chain__root__intermediate1.crt", "ca.purpose"},
	{"intel_chain__root__intermediate2.cer", NULL},
	{"IntelSigningKey_20April2017.cer", "ca.constraints"},
	{"keylime/inline/certificate_modeltype_0.pem", "ca.constraints"},
	/* The manifest: must fail to parse. */
	{"keylime/inline/certificate_modeltype_1.pem", "bundle.parse"},
	{"keylime/inline/registrar_agent_cert_compliance_0.pem", NULL},
	{"keylime/leaf/iak_idevid_chain.pem", NULL},
};

/* Files of CAs are anchors, others are none. */
static const char *
expected_check(const char *path)
{
	static const struct {
		const char *part;
		const char *check; /* NULL: an anchor */
	} folders[] = {
		{"/ca/", NULL},
		{"/tpm_cert_store/", NULL},
		{"ibmtss/certificates/", NULL},
		{"/leaf/", "ca.constraints"},
		{"/platform/", "certificate.attribute"},
		{"/attributecert/", "certificate.attribute"},
	};

	for (size_t i = 0; i < sizeof(EXCEPTIONS) / sizeof(EXCEPTIONS[0]); i++)
		if (strstr(path, EXCEPTIONS[i].path) != NULL)
			return EXCEPTIONS[i].check;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (strstr(path, folders[i].part) != NULL)
			return folders[i].check;
	return "?";
}

static const char *
seen_check(const char *path, struct attest_error *err)
{
	struct bytes file = corpora_load(path);
	struct attest_bundle bundle;
	char subject[ATTEST_SUBJECT_SIZE];
	uint8_t id[ATTEST_HASH_SIZE];
	const char *check = NULL;

	if (attest_bundle_read(file, ATTEST_CERTIFICATE, &bundle, err) != ATTEST_OK) {
		corpora_unload(file);
		return err->check;
	}
	if (attest_anchor_describe(bundle.items[0], id, subject, err) != ATTEST_OK)
		check = err->check;
	attest_bundle_clear(&bundle);
	corpora_unload(file);
	return check;
}

static void
every_certificate_is_an_anchor_or_refused(void **state)
{
	struct bytes manifest;
	size_t count = 0;
	char *line;
	char *rest;

	(void)state;
	corpora_need();
	manifest = corpora_load("MANIFEST.tsv");
	char *text = strndup((const char *)manifest.data, manifest.size);
	assert_non_null(text);
	unsigned wrong = 0;
	for (rest = text; (line = strsep(&rest, "\n")) != NULL;) {
		struct attest_error err = {0};
		const char *path = strsep(&line, "\t");
		const char *dot = strrchr(path, '.');

		if (strncmp(path, EK, strlen(EK)) != 0 || dot == NULL || strcmp(dot, ".json") == 0)
			continue;
		const char *want = expected_check(path);
		const char *seen = seen_check(path, &err);
		count++;
		if ((want == NULL) != (seen == NULL) || (seen != NULL && strcmp(want, seen) != 0)) {
			print_message("%s: wanted %s, seen %s: %s\n", path, want, seen,
				      err.message);
			wrong++;
		}
	}
	print_message("%zu certificates\n", count);
	assert_int_equal(wrong, 0);
	assert_true(count > 100);
	free(text);
	corpora_unload(manifest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_chains_are_judged),
		cmocka_unit_test(odd_certificates_give_their_key),
		cmocka_unit_test(clouds_aks_are_told_from_eks),
		cmocka_unit_test(every_certificate_is_an_anchor_or_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
