/* SPDX-License-Identifier: Apache-2.0 */
/* The attester against a real software TPM; the oracle is OpenSSL, and the TPM's own
 * TPM2_MakeCredential. */
#include "fixture.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include <cmocka.h>

#define NV_RSA	 0x01C00002u
#define NV_P256	 0x01C0000Au
#define NV_P384	 0x01C00016u
#define NV_CHAIN 0x01C00100u

/* ---- keys ---- */

/* What stands before `unique`, byte for byte; PARAMETERS of the EK Credential Profile and of the
 * AK. */
static const struct {
	enum attester_ek_kind kind;
	const char *prefix;
	size_t size;
} ek_rows[] = {
	{ATTESTER_EK_RSA_2048,
	 "0001000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
	 "0006008000430010080000000000",
	 314},
	{ATTESTER_EK_P256,
	 "0023000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
	 "000600800043001000030010",
	 122},
	{ATTESTER_EK_P384,
	 "0023000c000300f20030b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb"
	 "47ba09699646150f9fc000f3f80e12000601000043001000040010",
	 170},
};
static const char ak_prefix[] =
	"0023000b000504720020e140a9b752af8d348ff84171c3a5dfeee4a441dc8082c2ca33965cf58643b2ec"
	"00100018000b00030010";

static void
assert_hex_prefix(const uint8_t *bytes, size_t size, const char *hex)
{
	char seen[2 * ATTEST_PUBLIC_SIZE_MAX + 1];

	assert_in_range(size, strlen(hex) / 2, ATTEST_PUBLIC_SIZE_MAX);
	for (size_t i = 0; i < size; i++)
		snprintf(seen + 2 * i, 3, "%02x", bytes[i]);
	seen[strlen(hex)] = '\0';
	assert_string_equal(seen, hex);
}

/* The certified key's SubjectPublicKeyInfo holds what `unique` holds: modulus, or x and y. */
static void
assert_certifies(const struct attester_ek *ek)
{
	const uint8_t *der = ek->certificates[0].der;
	TPMT_PUBLIC public = {0};
	unsigned char *key = NULL;
	size_t offset = 0;
	X509 *certificate = d2i_X509(NULL, &der, (long)ek->certificates[0].size);

	assert_non_null(certificate);
	assert_int_equal(
		Tss2_MU_TPMT_PUBLIC_Unmarshal(ek->public_area, ek->public_size, &offset, &public),
		TSS2_RC_SUCCESS);
	assert_int_equal(offset, ek->public_size);
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
	assert_true(size > 0);
	if (public.type == TPM2_ALG_RSA) {
		assert_non_null(memmem(key, (size_t)size, public.unique.rsa.buffer, 256));
	} else {
		assert_non_null(memmem(key, (size_t)size, public.unique.ecc.x.buffer,
				       public.unique.ecc.x.size));
		assert_non_null(memmem(key, (size_t)size, public.unique.ecc.y.buffer,
				       public.unique.ecc.y.size));
	}
	OPENSSL_free(key);
	X509_free(certificate);
}

static void
ek_is_the_template(void **state)
{
	struct attester *attester = open_tpm();
	(void)state;

	for (size_t i = 0; i < COUNT(ek_rows); i++) {
		struct attester_error err;
		struct attester_ek ek;

		if (attester_ek(attester, ek_rows[i].kind, &ek, &err) != ATTESTER_OK)
			fail_msg("%zu: %s", i, err.message);
		assert_int_equal(ek.public_size, ek_rows[i].size);
		assert_hex_prefix(ek.public_area, ek.public_size, ek_rows[i].prefix);
		/* swtpm has no certificate for P-256. */
		assert_int_equal(ek.certificate_count, ek_rows[i].kind == ATTESTER_EK_P256 ? 0 : 1);
		if (ek.certificate_count > 0)
			assert_certifies(&ek);
	}
	close_tpm(attester);
}

static void
ak_is_the_template_and_stays(void **state)
{
	struct attester_ak first, second;
	struct attester_error err;
	(void)state;

	struct attester *attester = open_tpm();
	assert_int_equal(attester_ak(attester, &first, &err), ATTESTER_OK);
	close_tpm(attester);
	attester = open_tpm();
	assert_int_equal(attester_ak(attester, &second, &err), ATTESTER_OK);
	close_tpm(attester);
	assert_int_equal(first.public_size, strlen(ak_prefix) / 2 + 2 * (2 + 32));
	assert_hex_prefix(first.public_area, first.public_size, ak_prefix);
	assert_int_equal(first.public_size, second.public_size);
	assert_memory_equal(first.public_area, second.public_area, first.public_size);
}

/* ---- certificates in NV ---- */

static struct attester_ek
any_ek(struct attester *attester)
{
	struct attester_error err;
	struct attester_ek ek;

	if (attester_ek(attester, ATTESTER_EK_ANY, &ek, &err) != ATTESTER_OK)
		fail_msg("%s", err.message);
	return ek;
}

/* The chain lies over two indices, split inside a certificate, and padded. */
static void
chain_is_read_across_indices(void **state)
{
	struct attester *attester = open_tpm();
	struct attester_ek bare = any_ek(attester);
	uint8_t chain[4 * ATTEST_CERTIFICATE_MAX];
	size_t one = bare.certificates[0].size;
	size_t size = 0;
	(void)state;

	for (int i = 0; i < 2; i++, size += one)
		memcpy(chain + size, bare.certificates[0].der, one);
	memset(chain + size, 0xff, 40);
	size += 40;
	define_nv(attester, NV_CHAIN, TPMA_NV_AUTHREAD, chain, one + 100);
	define_nv(attester, NV_CHAIN + 1, TPMA_NV_OWNERREAD, chain + one + 100, size - one - 100);
	struct attester_ek chained = any_ek(attester);
	undefine_nv(attester, NV_CHAIN, ESYS_TR_RH_OWNER);
	undefine_nv(attester, NV_CHAIN + 1, ESYS_TR_RH_OWNER);
	assert_int_equal(bare.certificate_count, 1);
	assert_int_equal(chained.certificate_count, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(chained.certificates[i].size, one);
		assert_memory_equal(chained.certificates[i].der, bare.certificates[0].der, one);
	}
	close_tpm(attester);
}

static void
spoiled_chain_is_no_chain(void **state)
{
	static const struct {
		const char *name;
		uint8_t bytes[8];
		size_t size;
	} rows[] = {
		{"padding alone", {0xff, 0xff, 0xff, 0xff}, 4},
		{"one byte", {0x30}, 1},
		{"length cut", {0x30, 0x82, 0x01}, 3},
		{"content cut", {0x30, 0x03, 0x01, 0x01}, 4},
		{"longest length", {0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00}, 8},
		{"indefinite length", {0x30, 0x80, 0x00, 0x00}, 4},
		{"not a sequence", {0x04, 0x02, 0x00, 0x00}, 4},
	};
	struct attester *attester = open_tpm();
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		define_nv(attester, NV_CHAIN, TPMA_NV_AUTHREAD, rows[i].bytes, rows[i].size);
		struct attester_ek ek = any_ek(attester);
		undefine_nv(attester, NV_CHAIN, ESYS_TR_RH_OWNER);
		if (ek.certificate_count != 1)
			fail_msg("%s: %u", rows[i].name, ek.certificate_count);
		assert_int_equal(ERR_peek_error(), 0); /* nothing for TLS to stumble over */
	}
	close_tpm(attester);
}

/* ANY follows the certificates: RSA-2048, P-384, P-256, and without any RSA-2048 again. Undoes the
 * TPM's NV. */
static void
any_is_what_a_certificate_speaks_for(void **state)
{
	static const uint8_t certificate[] = {0x30, 0x00};
	struct attester *attester = open_tpm();
	(void)state;

	(void)any_ek(attester);
	assert_int_equal(attester->ek, ATTESTER_EK_RSA_2048);
	undefine_nv(attester, NV_RSA, ESYS_TR_RH_PLATFORM);
	(void)any_ek(attester);
	assert_int_equal(attester->ek, ATTESTER_EK_P384);
	undefine_nv(attester, NV_P384, ESYS_TR_RH_PLATFORM);
	define_nv(attester, NV_P256, TPMA_NV_AUTHREAD, certificate, sizeof(certificate));
	struct attester_ek ek = any_ek(attester);
	assert_int_equal(attester->ek, ATTESTER_EK_P256);
	assert_int_equal(ek.certificate_count, 1);
	assert_int_equal(ek.certificates[0].size, sizeof(certificate));
	undefine_nv(attester, NV_P256, ESYS_TR_RH_OWNER);
	/* Defined and never written is as good as absent. */
	define_nv(attester, NV_P256, TPMA_NV_AUTHREAD, NULL, 100);
	ek = any_ek(attester);
	assert_int_equal(attester->ek, ATTESTER_EK_RSA_2048);
	assert_int_equal(ek.certificate_count, 0);
	undefine_nv(attester, NV_P256, ESYS_TR_RH_OWNER);
	close_tpm(attester);
}

/* ---- activation ---- */

static void
activation_opens_what_was_made_for_it(void **state)
{
	struct attester *attester = open_tpm();
	(void)state;

	for (size_t i = 0; i < COUNT(ek_rows); i++) {
		struct attester_error err;
		struct attester_ek ek;
		uint8_t secret[64] = {0};
		size_t size = 0;

		assert_int_equal(attester_ek(attester, ek_rows[i].kind, &ek, &err), ATTESTER_OK);
		struct attest_credential credential = make_credential(attester, &ek, some_secret);
		if (attester_activate(attester, &credential, secret, &size, &err) != ATTESTER_OK)
			fail_msg("%zu: %s", i, err.message);
		assert_int_equal(size, sizeof(some_secret));
		assert_memory_equal(secret, some_secret, sizeof(some_secret));
		assert_nothing_left(attester);
	}
	close_tpm(attester);
}

static void
assert_refused(struct attester *attester, const struct attest_credential *credential,
	       const char *name, size_t position)
{
	struct attester_error err = {0};
	uint8_t secret[64];
	uint8_t untouched[64];
	size_t size = 4711;

	memset(secret, 0xa5, sizeof(secret));
	memset(untouched, 0xa5, sizeof(untouched));
	enum attester_status status = attester_activate(attester, credential, secret, &size, &err);
	if (status != ATTESTER_REFUSED && status != ATTESTER_UNSUPPORTED)
		fail_msg("%s %zu: %d, %s", name, position, status, err.message);
	assert_int_equal(size, 4711);
	assert_memory_equal(secret, untouched, sizeof(secret));
}

static void
spoiled_credential_is_refused(void **state)
{
	struct attester *attester = open_tpm();
	struct attester_error err;
	struct attester_ek ek;
	(void)state;

	assert_int_equal(attester_ek(attester, ATTESTER_EK_P384, &ek, &err), ATTESTER_OK);
	const struct attest_credential good = make_credential(attester, &ek, some_secret);
	for (size_t i = 0; i < good.blob_size; i++) {
		struct attest_credential bad = good;

		bad.blob[i] ^= (uint8_t)(1u << i % 8);
		assert_refused(attester, &bad, "bit of the blob", i);
		bad = good;
		bad.blob_size = i;
		assert_refused(attester, &bad, "blob cut", i);
	}
	for (size_t i = 0; i < good.secret_size; i++) {
		struct attest_credential bad = good;

		bad.secret[i] ^= (uint8_t)(1u << i % 8);
		assert_refused(attester, &bad, "bit of the secret", i);
		bad = good;
		bad.secret_size = i;
		assert_refused(attester, &bad, "secret cut", i);
	}
	struct attest_credential bad = good;
	bad.blob_size++;
	assert_refused(attester, &bad, "trailing byte, blob", 0);
	bad.blob_size = sizeof(bad.blob);
	assert_refused(attester, &bad, "more than a TPM takes, blob", 0);
	bad.blob_size = SIZE_MAX;
	assert_refused(attester, &bad, "more than there is, blob", 0);
	bad = good;
	bad.secret_size = SIZE_MAX;
	assert_refused(attester, &bad, "more than there is, secret", 0);
	close_tpm(attester);
}

/* Made for the other EK of the same TPM, or before any EK was asked for. */
static void
credential_for_another_key_is_refused(void **state)
{
	struct attester *attester = open_tpm();
	struct attester_error err;
	struct attester_ek ek;
	(void)state;

	assert_int_equal(attester_ek(attester, ATTESTER_EK_P256, &ek, &err), ATTESTER_OK);
	struct attest_credential credential = make_credential(attester, &ek, some_secret);
	assert_int_equal(attester_ek(attester, ATTESTER_EK_P384, &ek, &err), ATTESTER_OK);
	assert_refused(attester, &credential, "another EK", 0);
	close_tpm(attester);
	attester = open_tpm();
	assert_refused(attester, &credential, "no EK yet", 0);
	close_tpm(attester);
}

/* ---- quotes ---- */

static void
quote_covers_the_values_it_returns(void **state)
{
	static const uint8_t zeros[64] = {0};
	const TPML_DIGEST_VALUES values = {
		.count = 1,
		.digests = {{.hashAlg = TPM2_ALG_SHA256, .digest.sha256 = {7}}},
	};
	struct attester *attester = open_tpm();
	struct attester_quote before, after;
	struct attester_error err;
	uint8_t want[32];
	uint8_t old_and_digest[64] = {0};
	(void)state;

	assert_int_equal(attester_quote(attester, some_nonce, &before, &err), ATTESTER_OK);
	assert_quote_holds(attester, &before);
	for (ESYS_TR pcr = ESYS_TR_PCR0; pcr <= ESYS_TR_PCR15; pcr += 15)
		assert_int_equal(Esys_PCR_Extend(attester->esys, pcr, ESYS_TR_PASSWORD,
						 ESYS_TR_NONE, ESYS_TR_NONE, &values),
				 TSS2_RC_SUCCESS);
	assert_int_equal(attester_quote(attester, some_nonce, &after, &err), ATTESTER_OK);
	assert_quote_holds(attester, &after);
	for (size_t pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++) {
		memcpy(old_and_digest, before.pcrs[pcr], 32);
		old_and_digest[32] = 7;
		SHA256(old_and_digest, sizeof(old_and_digest), want);
		assert_memory_equal(after.pcrs[pcr],
				    pcr == 0 || pcr == 15 ? want : before.pcrs[pcr], 32);
	}
	assert_memory_equal(before.pcrs[15], zeros, 32);
	close_tpm(attester);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ek_is_the_template),
		cmocka_unit_test(ak_is_the_template_and_stays),
		cmocka_unit_test(activation_opens_what_was_made_for_it),
		cmocka_unit_test(spoiled_credential_is_refused),
		cmocka_unit_test(credential_for_another_key_is_refused),
		cmocka_unit_test(quote_covers_the_values_it_returns),
		cmocka_unit_test(chain_is_read_across_indices),
		cmocka_unit_test(spoiled_chain_is_no_chain),
		cmocka_unit_test(any_is_what_a_certificate_speaks_for),
	};

	if (!private_tpm_possible()) {
		fprintf(stderr, "skipped: swtpm is not installed\n");
		return PRIVATE_TPM_SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, stop_tpm);
}
