/* SPDX-License-Identifier: Apache-2.0 */
/* Anybody's quotes: keys and signatures that are refused, each by its name. */
#include "inspected.h"

#include <openssl/ec.h>

static void
keys_that_would_sign_a_forgery_are_refused_by_name(void **state)
{
	static const struct {
		uint32_t attributes;
		const char *check;
	} cases[] = {
		{0x00040072, "ak.restricted"},
		{0x00010072, "ak.sign"},
		{0x00070072, "ak.decrypt"},
		{0x00050070, "ak.fixedTPM"},
		{0x00050062, "ak.fixedParent"},
		{0x00050052, "ak.sensitiveDataOrigin"},
		{0x80050072, "ak.reserved"},
		{0x00050072, ""},
		{0x00050472, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct software_quote quote;
		signers[RSA_SSA].attributes = cases[i].attributes;
		software_signer_describe(&signers[RSA_SSA]);
		make(&signers[RSA_SSA], ATTEST_SHA256, &quote);
		struct attest_inspect_input input = input_of(&signers[RSA_SSA], &quote);
		expect(cases[i].check, &input,
		       cases[i].check[0] == '\0' ? ATTEST_OK : ATTEST_REFUSED, cases[i].check);
	}
	signers[RSA_SSA].attributes = 0x00050072;
	software_signer_describe(&signers[RSA_SSA]);
}

static void
keys_of_other_algorithms_are_refused_by_name(void **state)
{
	/* Offsets in TPMT_PUBLIC without a policy: type, nameAlg, attributes, policy, symmetric,
	 * scheme, hash at 14; then bits and exponent, or curve and kdf. */
	static const struct {
		const char *name;
		unsigned signer;
		size_t offset;
		uint8_t value;
		enum attest_status status;
		const char *check;
	} cases[] = {
		{"named with SHA-1", ECC_256, 3, 0x04, ATTEST_REFUSED, "ak.nameAlg"},
		{"RSASSA on a curve", ECC_256, 13, 0x14, ATTEST_UNSUPPORTED, "ak.scheme"},
		{"ECSCHNORR", ECC_256, 13, 0x1c, ATTEST_UNSUPPORTED, "ak.scheme"},
		{"signs with SHA-1", ECC_256, 15, 0x04, ATTEST_UNSUPPORTED, "ak.scheme"},
		{"P-521", ECC_256, 17, 0x05, ATTEST_UNSUPPORTED, "ak.curve"},
		{"P-384's curve with a point of P-256", ECC_256, 17, 0x04, ATTEST_REFUSED,
		 "ak.point"},
		{"P-256's curve with a point of P-384", ECC_384, 17, 0x03, ATTEST_REFUSED,
		 "ak.unique"},
		{"off the curve", ECC_256, 40, 0x5a, ATTEST_REFUSED, "ak.point"},
		{"ECDSA with RSA", RSA_SSA, 13, 0x18, ATTEST_UNSUPPORTED, "ak.scheme"},
		{"signs with SHA-1", RSA_SSA, 15, 0x04, ATTEST_UNSUPPORTED, "ak.scheme"},
		{"other bits than its modulus", RSA_SSA, 16, 0x0c, ATTEST_REFUSED, "ak.modulus"},
		{"exponent 3", RSA_SSA, 21, 0x03, ATTEST_UNSUPPORTED, "ak.exponent"},
		{"a short modulus", RSA_SSA, 24, 0x01, ATTEST_REFUSED, "ak.modulus"},
		{"an even modulus", RSA_SSA, 24 + 255, 0x02, ATTEST_REFUSED, "ak.modulus"},
		{"another modulus", RSA_SSA, 24 + 100, 0x02, ATTEST_SIGNATURE, "quote.signature"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct software_signer *signer = &signers[cases[i].signer];
		uint8_t area[ATTEST_PUBLIC_SIZE_MAX];
		struct software_quote quote;
		make(signer, ATTEST_SHA256, &quote);
		struct attest_inspect_input input = input_of(signer, &quote);
		memcpy(area, signer->public_area, signer->public_size);
		area[cases[i].offset] ^= area[cases[i].offset] == cases[i].value;
		if (area[cases[i].offset] == signer->public_area[cases[i].offset])
			area[cases[i].offset] = cases[i].value;
		input.key.data = area;
		expect(cases[i].name, &input, cases[i].status, cases[i].check);
	}
}

static void
small_and_odd_keys_are_refused(void **state)
{
	struct software_signer small = {
		.type = SOFTWARE_RSA, .bits = 1024, .scheme = RSASSA, .hash = SHA256};
	struct software_quote quote;
	char pem[2048];

	(void)state;
	software_signer_open(&small);
	make(&small, ATTEST_SHA256, &quote);
	struct attest_inspect_input input = input_of(&small, &quote);
	expect("RSA-1024", &input, ATTEST_UNSUPPORTED, "ak.bits");
	software_signer_pem(&small, pem, sizeof(pem));
	input.key = (struct bytes){(const uint8_t *)pem, strlen(pem)};
	expect("RSA-1024 in PEM", &input, ATTEST_UNSUPPORTED, "ak.bits");
	software_signer_close(&small);

	static const char *const types[] = {"ED25519", "X25519"};
	for (unsigned i = 0; i < 2; i++) {
		struct software_signer other = {.key = EVP_PKEY_Q_keygen(NULL, NULL, types[i])};
		software_signer_pem(&other, pem, sizeof(pem));
		input.key = (struct bytes){(const uint8_t *)pem, strlen(pem)};
		expect(types[i], &input, ATTEST_UNSUPPORTED, "ak.type");
		software_signer_close(&other);
	}
	struct software_signer other = {.key = EVP_EC_gen("P-521")};
	software_signer_pem(&other, pem, sizeof(pem));
	input.key = (struct bytes){(const uint8_t *)pem, strlen(pem)};
	expect("P-521", &input, ATTEST_UNSUPPORTED, "ak.type");
	software_signer_close(&other);
}

static void
a_pem_is_one_public_key_and_no_more(void **state)
{
	struct software_quote quote;
	char pem[4096];

	(void)state;
	make(&signers[ECC_256], ATTEST_SHA256, &quote);
	struct attest_inspect_input input = input_of(&signers[ECC_256], &quote);
	software_signer_pem(&signers[ECC_256], pem, sizeof(pem));
	size_t size = strlen(pem);
	input.key = (struct bytes){(const uint8_t *)pem, size};
	expect("a PEM", &input, ATTEST_OK, "");
	memcpy(pem + size, " \n", 3);
	input.key.size = size + 2;
	expect("blank lines behind it", &input, ATTEST_OK, "");
	pem[size] = 'x';
	expect("a letter behind it", &input, ATTEST_MALFORMED, "ak.parse");
	memcpy(pem + size, pem, size);
	input.key.size = 2 * size;
	expect("two keys", &input, ATTEST_MALFORMED, "ak.parse");
	input.key = (struct bytes){(const uint8_t *)pem + 1, size - 1};
	expect("a dash less", &input, ATTEST_MALFORMED, "ak.parse");
	memmove(pem + 1, pem, size);
	pem[0] = '#';
	input.key = (struct bytes){(const uint8_t *)pem, size + 1};
	struct attest_inspection seen;
	struct attest_error err;
	assert_int_equal(attest_inspect_quote(&input, &seen, &err), ATTEST_MALFORMED);
	assert_non_null(strstr(err.message, "before the key"));
	memmove(pem, pem + 1, size);
	input.key.data = (const uint8_t *)pem;
	memcpy(strstr(pem, "PUBLIC"), "PIBLUC", 6);
	input.key.size = size;
	expect("another label", &input, ATTEST_MALFORMED, "ak.parse");
}

/* ---- signatures ---- */

/* The signature, spelled anew. */
static size_t
respell(const struct software_quote *quote, uint16_t scheme, uint16_t hash, struct bytes first,
	struct bytes second, uint8_t *ret)
{
	struct writer w = writer_of(ret, sizeof(quote->signature));

	write_be16(&w, scheme);
	write_be16(&w, hash);
	write_bytes_be16(&w, first);
	if (scheme == ECDSA)
		write_bytes_be16(&w, second);
	return w.size;
}

static void
numbers_of(const struct software_quote *quote, struct bytes ret[2])
{
	struct reader r = reader_of((struct bytes){quote->signature, quote->signature_size});

	read_be32(&r);
	ret[0] = read_bytes_be16(&r);
	ret[1] = read_bytes_be16(&r);
}

static void
signatures_of_other_schemes_are_refused_by_name(void **state)
{
	static const uint8_t zero[48];
	static const struct {
		const char *name;
		unsigned signer;
		uint16_t scheme;
		uint16_t hash;
		bool pem;
		const char *check;
	} cases[] = {
		{"RSAPSS by a key of RSASSA", RSA_SSA, RSAPSS, SHA256, false, "quote.scheme"},
		{"another hash", RSA_SSA, RSASSA, SHA384, false, "quote.scheme"},
		{"SHA-1", RSA_SSA, RSASSA, SHA1, false, "quote.scheme"},
		{"ECDSA by an RSA key", RSA_SSA, ECDSA, SHA256, false, "quote.scheme"},
		{"RSASSA by an ECC key", ECC_256, RSASSA, SHA256, false, "quote.scheme"},
		{"SHA-1, key in PEM", RSA_SSA, RSASSA, SHA1, true, "quote.scheme"},
		{"ECDSA by an RSA key in PEM", RSA_SSA, ECDSA, SHA256, true, "quote.scheme"},
		{"RSASSA by an ECC key in PEM", ECC_256, RSASSA, SHA256, true, "quote.scheme"},
		{"SM3, key in PEM", ECC_256, ECDSA, 0x0012, true, "quote.scheme"},
		/* A PEM leaves the scheme to the signature, which then has to verify by it. */
		{"RSAPSS, key in PEM", RSA_SSA, RSAPSS, SHA256, true, "quote.signature"},
		{"another hash, key in PEM", RSA_SSA, RSASSA, SHA384, true, "quote.signature"},
		{"another hash, key in PEM", ECC_256, ECDSA, SHA384, true, "quote.signature"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct software_signer *signer = &signers[cases[i].signer];
		struct software_quote quote;
		struct bytes numbers[2];
		uint8_t signature[ATTEST_QUOTE_SIZE_MAX];
		char pem[2048];
		make(signer, ATTEST_SHA256, &quote);
		numbers_of(&quote, numbers);
		struct attest_inspect_input input = input_of(signer, &quote);
		software_signer_pem(signer, pem, sizeof(pem));
		if (cases[i].pem)
			input.key = (struct bytes){(const uint8_t *)pem, strlen(pem)};
		input.signature = (struct bytes){
			signature,
			respell(&quote, cases[i].scheme, cases[i].hash, numbers[0],
				numbers[1].size > 0 ? numbers[1] : BYTES_OF(zero), signature)};
		expect(cases[i].name, &input,
		       strcmp(cases[i].check, "quote.scheme") == 0 ? ATTEST_REFUSED
								   : ATTEST_SIGNATURE,
		       cases[i].check);
	}
}

/* TPM_ALG_NULL has neither hash nor body. */
static void
a_signature_of_nothing_is_refused(void **state)
{
	static const uint8_t nothing[] = {0x00, 0x10, 0x00, 0x0b};
	struct software_quote quote;
	char pem[2048];

	(void)state;
	for (unsigned i = 0; i < SIGNERS; i++) {
		make(&signers[i], ATTEST_SHA256, &quote);
		software_signer_pem(&signers[i], pem, sizeof(pem));
		for (size_t size = 0; size <= sizeof(nothing); size++) {
			struct attest_inspect_input input = input_of(&signers[i], &quote);
			enum attest_status status = size < 2 ? ATTEST_MALFORMED : ATTEST_REFUSED;
			const char *check = size < 2 ? "quote.signature.parse" : "quote.scheme";
			input.signature = (struct bytes){nothing, size};
			expect("nothing", &input, status, check);
			input.key = (struct bytes){(const uint8_t *)pem, strlen(pem)};
			expect("nothing, key in PEM", &input, status, check);
		}
	}
}

static void
signatures_of_other_sizes_are_refused_by_name(void **state)
{
	uint8_t longer[512 + 1] = {0};

	(void)state;
	for (unsigned i = 0; i < SIGNERS; i++) {
		const struct software_signer *signer = &signers[i];
		struct software_quote quote;
		struct bytes numbers[2];
		uint8_t signature[ATTEST_QUOTE_SIZE_MAX];
		make(signer, ATTEST_SHA256, &quote);
		numbers_of(&quote, numbers);
		memcpy(longer + 1, numbers[0].data, numbers[0].size);
		const struct bytes others[] = {
			{longer, numbers[0].size + 1}, /* a zero before it */
			{numbers[0].data, 0},
			{numbers[0].data, signer->type == SOFTWARE_RSA ? numbers[0].size - 1 : 0},
		};
		for (unsigned k = 0; k < 3; k++) {
			struct attest_inspect_input input = input_of(signer, &quote);
			input.signature = (struct bytes){signature, respell(&quote, signer->scheme,
									    signer->hash, others[k],
									    numbers[1], signature)};
			expect("another size", &input, ATTEST_REFUSED, "quote.signature.size");
		}
	}
}

/* A TPM makes salts as long as the digest, or as long as fits: no other length is a TPM's. */
static void
other_salts_are_refused(void **state)
{
	static const int salts[] = {0, 20, 47, 49};
	struct software_signer signer = signers[RSA_PSS];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct software_quote quote;
		signer.salt = salts[i];
		make(&signer, ATTEST_SHA256, &quote);
		struct attest_inspect_input input = input_of(&signer, &quote);
		expect("a salt", &input, ATTEST_SIGNATURE, "quote.signature");
	}
}

static void
another_key_s_signature_is_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SIGNERS; i++) {
		struct software_signer other = signers[i];
		struct software_quote quote;
		software_signer_open(&other);
		software_signer_fill(&signers[i], &banks[ATTEST_SHA256], FIRST_EIGHT, nonce,
				     &quote);
		software_signer_sign(&other, &quote);
		struct attest_inspect_input input = input_of(&signers[i], &quote);
		expect("forged", &input, ATTEST_SIGNATURE, "quote.signature");
		software_signer_close(&other);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_that_would_sign_a_forgery_are_refused_by_name),
		cmocka_unit_test(keys_of_other_algorithms_are_refused_by_name),
		cmocka_unit_test(small_and_odd_keys_are_refused),
		cmocka_unit_test(a_pem_is_one_public_key_and_no_more),
		cmocka_unit_test(signatures_of_other_schemes_are_refused_by_name),
		cmocka_unit_test(a_signature_of_nothing_is_refused),
		cmocka_unit_test(signatures_of_other_sizes_are_refused_by_name),
		cmocka_unit_test(other_salts_are_refused),
		cmocka_unit_test(another_key_s_signature_is_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
