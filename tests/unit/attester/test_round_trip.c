/* SPDX-License-Identifier: Apache-2.0 */
/* Attester and verifier against each other, over a real software TPM: what the one makes, the other
 * accepts. */
#include "attest/endorsement.h"
#include "fixture.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct {
	enum attester_ek_kind kind;
	const char *name;
	bool certified; /* by swtpm_setup */
} kinds[] = {
	{ATTESTER_EK_RSA_2048, "rsa-2048", true},
	{ATTESTER_EK_P256, "ecc-p256", false},
	{ATTESTER_EK_P384, "ecc-p384", true},
};

static struct attest_ak *
decoded_ak(struct attester *attester)
{
	struct attester_error err;
	struct attest_error refusal;
	struct attester_ak ak;
	struct attest_ak *decoded = NULL;

	assert_int_equal(attester_ak(attester, &ak, &err), ATTESTER_OK);
	if (attest_ak_decode((struct bytes){ak.public_area, ak.public_size}, &decoded, &refusal) !=
	    ATTEST_OK)
		fail_msg("%s", refusal.message);
	return decoded;
}

static void
credentials_of_the_verifier_open(void **state)
{
	struct attester *attester = open_tpm();
	struct attest_ak *ak = decoded_ak(attester);
	(void)state;

	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct attest_credential credential;
		struct attester_error err;
		struct attest_error refusal;
		struct attester_ek ek;
		struct attest_ek *decoded = NULL;
		uint8_t opened[64];
		size_t size = 0;

		assert_int_equal(attester_ek(attester, kinds[i].kind, &ek, &err), ATTESTER_OK);
		if (attest_ek_decode((struct bytes){ek.public_area, ek.public_size}, &decoded,
				     &refusal) != ATTEST_OK)
			fail_msg("%s: %s", kinds[i].name, refusal.message);
		assert_string_equal(attest_ek_kind(decoded), kinds[i].name);
		assert_int_equal(attest_credential_make(decoded, attest_ak_name(ak),
							BYTES_OF(some_secret), &credential,
							&refusal),
				 ATTEST_OK);
		if (attester_activate(attester, &credential, opened, &size, &err) != ATTESTER_OK)
			fail_msg("%s: %s", kinds[i].name, err.message);
		assert_int_equal(size, sizeof(some_secret));
		assert_memory_equal(opened, some_secret, sizeof(some_secret));
		/* The same for another AK's name: TPM2_ActivateCredential is what ties AK and EK.
		 */
		struct attest_name other = *attest_ak_name(ak);
		other.bytes[other.size - 1] ^= 1;
		assert_int_equal(attest_credential_make(decoded, &other, BYTES_OF(some_secret),
							&credential, &refusal),
				 ATTEST_OK);
		assert_int_equal(attester_activate(attester, &credential, opened, &size, &err),
				 ATTESTER_REFUSED);
		attest_ek_free(decoded);
	}
	attest_ak_free(ak);
	close_tpm(attester);
}

static void
quotes_verify_and_never_go_back(void **state)
{
	struct attester *attester = open_tpm();
	struct attest_ak *ak = decoded_ak(attester);
	struct attest_clock previous = {0};
	(void)state;

	for (int i = 0; i < 3; i++) {
		struct attester_quote quote;
		struct attester_error err;
		struct attest_quote verified;
		struct attest_error refusal;

		assert_int_equal(attester_quote(attester, some_nonce, &quote, &err), ATTESTER_OK);
		struct attest_quote_input input = {
			.ak = ak,
			.message = {quote.message, quote.message_size},
			.signature = {quote.signature, quote.signature_size},
			.previous = &previous,
			.pcrs = {&quote.pcrs[0][0], sizeof(quote.pcrs)},
		};
		memcpy(input.qualifying, some_nonce, sizeof(some_nonce));
		if (attest_quote_verify(&input, &verified, &refusal) != ATTEST_OK)
			fail_msg("quote %d: %s", i, refusal.message);
		assert_memory_equal(verified.pcrs, quote.pcrs, sizeof(quote.pcrs));
		input.qualifying[0] ^= 1;
		assert_int_equal(attest_quote_verify(&input, &verified, &refusal), ATTEST_REFUSED);
		previous = verified.clock;
		/* A reset in between: the AK is the same, and resetCount moves. */
		attester_close(attester);
		assert_true(private_tpm_restart(&tpm));
		attester = open_tpm();
	}
	attest_ak_free(ak);
	close_tpm(attester);
}

/* A certificate of the TPM's own CA, as DER in the caller's memory. */
static struct bytes
ca_certificate(const char *name, uint8_t *memory, size_t capacity)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/ca/%s", tpm.folder, name);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	int size = i2d_X509(certificate, NULL);
	assert_in_range(size, 1, capacity);
	unsigned char *end = memory;
	i2d_X509(certificate, &end);
	X509_free(certificate);
	return (struct bytes){memory, (size_t)size};
}

/* The bytes of NV as they are lead to the CA, for the EK that the TPM makes and for no other. */
static void
certificates_lead_to_the_ca(void **state)
{
	const int64_t now = time(NULL);
	struct attester *attester = open_tpm();
	struct attest_ek *eks[COUNT(kinds)] = {0};
	struct attester_ek described;
	struct attester_error err;
	struct attest_error refusal;
	struct attest_chain chain;
	uint8_t root[ATTEST_CERTIFICATE_MAX], issuer[ATTEST_CERTIFICATE_MAX];
	struct bytes anchor = ca_certificate("swtpm-localca-rootca-cert.pem", root, sizeof(root));
	struct bytes certificates[2] = {
		[1] = ca_certificate("issuercert.pem", issuer, sizeof(issuer))};
	(void)state;

	for (size_t i = 0; i < COUNT(kinds); i++) {
		assert_int_equal(attester_ek(attester, kinds[i].kind, &described, &err),
				 ATTESTER_OK);
		assert_int_equal(attest_ek_decode((struct bytes){described.public_area,
								 described.public_size},
						  &eks[i], &refusal),
				 ATTEST_OK);
		assert_int_equal(described.certificate_count, kinds[i].certified ? 1 : 0);
		if (!kinds[i].certified)
			continue;
		certificates[0] = (struct bytes){described.certificates[0].der,
						 described.certificates[0].size};
		if (attest_chain_verify(eks[i], certificates, 2,
					&(const struct attest_trust){
						.anchors = &anchor, .anchor_count = 1, .now = now},
					&chain, &refusal) != ATTEST_OK)
			fail_msg("%s: %s", kinds[i].name, refusal.message);
		assert_int_equal(chain.ca_count, 2);
		if (i > 0)
			assert_int_equal(
				attest_chain_verify(eks[0], certificates, 2,
						    &(const struct attest_trust){.anchors = &anchor,
										 .anchor_count = 1,
										 .now = now},
						    &chain, &refusal),
				ATTEST_REFUSED);
	}
	for (size_t i = 0; i < COUNT(kinds); i++)
		attest_ek_free(eks[i]);
	close_tpm(attester);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credentials_of_the_verifier_open),
		cmocka_unit_test(certificates_lead_to_the_ca),
		cmocka_unit_test(quotes_verify_and_never_go_back),
	};

	if (!private_tpm_possible()) {
		fprintf(stderr, "skipped: swtpm is not installed\n");
		return PRIVATE_TPM_SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, stop_tpm);
}
