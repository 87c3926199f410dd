/* SPDX-License-Identifier: Apache-2.0 */
/* Anybody's quotes, made in software: every kind of key, and a spoil for each refusal. */
#include "attest/inspect.h"
#include "software_signer.h"
#include "spoil.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RSASSA 0x0014
#define RSAPSS 0x0016
#define ECDSA  0x0018
#define SHA1   0x0004
#define SHA256 0x000b
#define SHA384 0x000c
#define SHA512 0x000d

#define FIRST_EIGHT 0x0000ffU

static const uint8_t NONCE[] = "a question";
static struct bytes nonce = {NONCE, sizeof(NONCE) - 1};
static struct attest_pcrs banks[ATTEST_BANKS];

enum { ECC_256, ECC_384, RSA_SSA, RSA_PSS, SIGNERS };
static struct software_signer signers[SIGNERS] = {
	[ECC_256] = {.type = SOFTWARE_ECC, .bits = 256, .scheme = ECDSA, .hash = SHA256},
	[ECC_384] = {.type = SOFTWARE_ECC, .bits = 384, .scheme = ECDSA, .hash = SHA384},
	[RSA_SSA] = {.type = SOFTWARE_RSA, .bits = 2048, .scheme = RSASSA, .hash = SHA256},
	[RSA_PSS] = {.type = SOFTWARE_RSA, .bits = 3072, .scheme = RSAPSS, .hash = SHA384},
};

static int
set_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SIGNERS; i++)
		software_signer_open(&signers[i]);
	signers[RSA_PSS].salt = RSA_PSS_SALTLEN_DIGEST;
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		banks[bank].bank = (enum attest_bank)bank;
		banks[bank].known = 0xffffff;
		for (unsigned pcr = 0; pcr < ATTEST_PCRS; pcr++)
			memset(banks[bank].values[pcr], (int)(pcr + 32 * bank), ATTEST_DIGEST_MAX);
	}
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SIGNERS; i++)
		software_signer_close(&signers[i]);
	return 0;
}

static struct attest_inspect_input
input_of(const struct software_signer *signer, const struct software_quote *quote)
{
	return (struct attest_inspect_input){.key = {signer->public_area, signer->public_size},
					     .message = {quote->message, quote->message_size},
					     .signature = {quote->signature, quote->signature_size},
					     .qualifying = &nonce,
					     .pcrs = banks,
					     .pcrs_count = ATTEST_BANKS};
}

static void
make(const struct software_signer *signer, enum attest_bank bank, struct software_quote *ret_quote)
{
	software_signer_fill(signer, &banks[bank], FIRST_EIGHT, nonce, ret_quote);
	software_signer_sign(signer, ret_quote);
}

static void
expect(const char *name, const struct attest_inspect_input *input, enum attest_status status,
       const char *check)
{
	struct attest_inspection seen;
	struct attest_error err = {.status = ATTEST_OK};

	enum attest_status got = attest_inspect_quote(input, &seen, &err);
	if (got != status || strcmp(err.check, check) != 0)
		fail_msg("%s: %d %s: %s", name, got, err.check, err.message);
}

/* ---- good ones ---- */

static void
each_kind_of_key_verifies_over_each_bank(void **state)
{
	static const struct {
		struct software_signer signer;
		const char *kind;
	} cases[] = {
		{{.type = SOFTWARE_ECC, .bits = 256, .scheme = ECDSA, .hash = SHA256}, "ecc-p256"},
		{{.type = SOFTWARE_ECC, .bits = 256, .scheme = ECDSA, .hash = SHA384}, "ecc-p256"},
		{{.type = SOFTWARE_ECC, .bits = 384, .scheme = ECDSA, .hash = SHA384}, "ecc-p384"},
		{{.type = SOFTWARE_ECC, .bits = 384, .scheme = ECDSA, .hash = SHA512}, "ecc-p384"},
		{{.type = SOFTWARE_RSA, .bits = 2048, .scheme = RSASSA, .hash = SHA256},
		 "rsa-2048"},
		{{.type = SOFTWARE_RSA, .bits = 2048, .scheme = RSASSA, .hash = SHA384},
		 "rsa-2048"},
		{{.type = SOFTWARE_RSA, .bits = 3072, .scheme = RSASSA, .hash = SHA512},
		 "rsa-3072"},
		{{.type = SOFTWARE_RSA,
		  .bits = 2048,
		  .scheme = RSAPSS,
		  .hash = SHA256,
		  .salt = RSA_PSS_SALTLEN_DIGEST},
		 "rsa-2048"},
		{{.type = SOFTWARE_RSA,
		  .bits = 2048,
		  .scheme = RSAPSS,
		  .hash = SHA384,
		  .salt = RSA_PSS_SALTLEN_MAX},
		 "rsa-2048"},
		{{.type = SOFTWARE_RSA,
		  .bits = 4096,
		  .scheme = RSAPSS,
		  .hash = SHA256,
		  .salt = RSA_PSS_SALTLEN_MAX},
		 "rsa-4096"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct software_signer signer = cases[i].signer;
		software_signer_open(&signer);
		for (unsigned bank = ATTEST_SHA256; bank < ATTEST_BANKS; bank++) {
			struct software_quote quote;
			struct attest_inspection seen;
			struct attest_error err;
			make(&signer, (enum attest_bank)bank, &quote);
			struct attest_inspect_input input = input_of(&signer, &quote);
			assert_int_equal(attest_inspect_quote(&input, &seen, &err), ATTEST_OK);
			for (unsigned check = 0; check < ATTEST_QUOTE_CHECKS; check++)
				assert_int_equal(seen.checks[check], ATTEST_PASSED);
			assert_string_equal(seen.key_kind, cases[i].kind);
			assert_string_equal(seen.hierarchy, "endorsement");
			assert_int_equal(seen.selected[0].pcrs, FIRST_EIGHT);
			assert_int_equal(seen.not_quoted, 0xffff00);
			assert_int_equal(seen.clock.reset_count, 3);
		}
		software_signer_close(&signer);
	}
}

static size_t
der_of(const struct software_signer *signer, uint8_t *ret, size_t capacity)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(signer->key, &der);

	assert_true(size > 0 && (size_t)size <= capacity);
	memcpy(ret, der, (size_t)size);
	OPENSSL_free(der);
	return (size_t)size;
}

static void
each_form_of_the_files_is_taken(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SIGNERS; i++) {
		struct software_quote quote;
		struct attest_inspection seen;
		struct attest_error err;
		uint8_t sized[2048];
		uint8_t sized_message[2048];
		uint8_t der[1024];
		char pem[2048];

		make(&signers[i], ATTEST_SHA256, &quote);
		struct attest_inspect_input input = input_of(&signers[i], &quote);
		struct writer w = writer_of(sized, sizeof(sized));
		write_bytes_be16(&w, input.key);
		struct writer m = writer_of(sized_message, sizeof(sized_message));
		write_bytes_be16(&m, input.message);
		software_signer_pem(&signers[i], pem, sizeof(pem));
		const struct bytes forms[] = {
			[ATTEST_TPMT_PUBLIC] = input.key,
			[ATTEST_TPM2B_PUBLIC] = writer_bytes(&w),
			[ATTEST_SPKI_DER] = {der, der_of(&signers[i], der, sizeof(der))},
			[ATTEST_SPKI_PEM] = {(const uint8_t *)pem, strlen(pem)},
		};
		for (unsigned form = 0; form < 4; form++) {
			bool bare = form == ATTEST_SPKI_DER || form == ATTEST_SPKI_PEM;
			input.key = forms[form];
			input.message = form % 2 == 0
						? writer_bytes(&m)
						: (struct bytes){quote.message, quote.message_size};
			assert_int_equal(attest_inspect_quote(&input, &seen, &err), ATTEST_OK);
			assert_int_equal(seen.key_form, form);
			assert_int_equal(seen.message_sized, form % 2 == 0);
			assert_int_equal(seen.area_known, !bare);
			assert_int_equal(seen.checks[ATTEST_CHECK_ATTRIBUTES],
					 bare ? ATTEST_SKIPPED : ATTEST_PASSED);
			assert_int_equal(seen.checks[ATTEST_CHECK_SIGNER],
					 bare ? ATTEST_SKIPPED : ATTEST_PASSED);
		}
	}
}

/* What nobody gave to compare with is skipped, and not passed. */
static void
what_is_not_given_is_skipped(void **state)
{
	struct software_quote quote;
	struct attest_inspection seen;
	struct attest_error err;

	(void)state;
	make(&signers[ECC_256], ATTEST_SHA256, &quote);
	struct attest_inspect_input input = input_of(&signers[ECC_256], &quote);
	input.qualifying = NULL;
	input.pcrs = NULL;
	input.pcrs_count = 0;
	assert_int_equal(attest_inspect_quote(&input, &seen, &err), ATTEST_OK);
	assert_int_equal(seen.checks[ATTEST_CHECK_QUALIFYING], ATTEST_SKIPPED);
	assert_int_equal(seen.checks[ATTEST_CHECK_PCRS], ATTEST_SKIPPED);
	assert_int_equal(seen.checks[ATTEST_CHECK_SIGNATURE], ATTEST_PASSED);
}

/* ---- spoils of the message ---- */

static void
select_bytes(struct software_quote *quote, const char *hex)
{
	long size = 0;
	unsigned char *bytes = OPENSSL_hexstr2buf(hex, &size);

	memcpy(quote->selection, bytes, (size_t)size);
	quote->selection_size = (size_t)size;
	OPENSSL_free(bytes);
}

#define SPOIL(name, ...)                                                                           \
	static void name(struct software_quote *quote)                                             \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
SPOIL(magic, quote->magic = 0x54434746)
SPOIL(certify, quote->type = 0x8017; select_bytes(quote, "000440000001"))
SPOIL(creation, quote->type = 0x801a)
SPOIL(signer_of_another_hash, quote->signer[1] = 0x0c)
SPOIL(signer_short, quote->signer_size = 33)
SPOIL(signer_handle, quote->signer_size = 4)
SPOIL(no_signer, quote->signer_size = 0)
SPOIL(nonce_changed, quote->extra[0] ^= 1)
SPOIL(nonce_empty, quote->extra_size = 0)
SPOIL(nonce_prefix, quote->extra_size -= 1)
SPOIL(nonce_longer, quote->extra[quote->extra_size++] = 0)
SPOIL(nothing, select_bytes(quote, "00000001000b03000000"))
SPOIL(no_bank, select_bytes(quote, "00000000"))
SPOIL(no_bitmap, select_bytes(quote, "00000001000b00"))
SPOIL(twice, select_bytes(quote, "00000002000b03ff0000000b03ff0000"))
SPOIL(two, select_bytes(quote, "00000002000b03ff0000000c03ff0000"))
SPOIL(two_one_empty, select_bytes(quote, "00000002000b03ff0000000403000000"))
SPOIL(sha1, select_bytes(quote, "00000001000403ff0000"))
SPOIL(sm3, select_bytes(quote, "00000001001203ff0000"))
SPOIL(pcr_24, select_bytes(quote, "00000001000b04ff000001"))
SPOIL(digest_changed, quote->digest[5] ^= 4)
SPOIL(digest_empty, quote->digest_size = 0)
SPOIL(digest_short, quote->digest_size -= 1)
SPOIL(digest_of_sha384, quote->digest_size = 48)
SPOIL(safe, quote->safe = 2)
SPOIL(many_banks, select_bytes(quote, "00000011000b03ff0000"))
SPOIL(bitmap_of_five, select_bytes(quote, "00000001000b05ff00000000"))

/* clang-format off: a table */
static const struct {
	const char *name;
	void (*spoil)(struct software_quote *quote);
	enum attest_status status;
	const char *check;
} MESSAGES[] = {
	{"no TPM made it", magic, ATTEST_REFUSED, "quote.magic"},
	{"a certification", certify, ATTEST_REFUSED, "quote.type"},
	{"a creation", creation, ATTEST_REFUSED, "quote.type"},
	{"a signer named by another hash", signer_of_another_hash, ATTEST_REFUSED, "quote.signer"},
	{"a signer too short", signer_short, ATTEST_REFUSED, "quote.signer"},
	{"a handle for a signer", signer_handle, ATTEST_REFUSED, "quote.signer"},
	{"no signer", no_signer, ATTEST_REFUSED, "quote.signer"},
	{"another nonce", nonce_changed, ATTEST_REFUSED, "quote.qualifying"},
	{"no nonce", nonce_empty, ATTEST_REFUSED, "quote.qualifying"},
	{"a nonce cut short", nonce_prefix, ATTEST_REFUSED, "quote.qualifying"},
	{"a nonce with more behind it", nonce_longer, ATTEST_REFUSED, "quote.qualifying"},
	{"no PCR", nothing, ATTEST_REFUSED, "quote.selection.empty"},
	{"no bank", no_bank, ATTEST_REFUSED, "quote.selection.empty"},
	{"no bitmap", no_bitmap, ATTEST_REFUSED, "quote.selection.empty"},
	{"a bank twice", twice, ATTEST_REFUSED, "quote.selection.duplicate"},
	{"two banks", two, ATTEST_REFUSED, "quote.selection.banks"},
	{"two banks, one empty", two_one_empty, ATTEST_REFUSED, "quote.selection.banks"},
	{"SHA-1", sha1, ATTEST_REFUSED, "quote.sha1"},
	{"SM3", sm3, ATTEST_UNSUPPORTED, "quote.selection.bank"},
	{"PCR 24", pcr_24, ATTEST_REFUSED, "quote.selection.pcr"},
	{"another digest", digest_changed, ATTEST_REFUSED, "quote.pcrs"},
	{"no digest", digest_empty, ATTEST_REFUSED, "quote.pcrs.size"},
	{"a short digest", digest_short, ATTEST_REFUSED, "quote.pcrs.size"},
	{"a digest of another hash", digest_of_sha384, ATTEST_REFUSED, "quote.pcrs.size"},
	{"safe is neither yes nor no", safe, ATTEST_MALFORMED, "quote.parse"},
	{"seventeen banks", many_banks, ATTEST_MALFORMED, "quote.parse"},
	{"a bitmap of five bytes", bitmap_of_five, ATTEST_MALFORMED, "quote.parse"},
};
/* clang-format on */

/* Signed by the key all the same: an unrestricted key would sign each of them. */
static void
each_spoilt_message_is_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(MESSAGES) / sizeof(MESSAGES[0]); i++) {
		struct software_quote quote;
		software_signer_fill(&signers[ECC_256], &banks[ATTEST_SHA256], FIRST_EIGHT, nonce,
				     &quote);
		MESSAGES[i].spoil(&quote);
		software_signer_sign(&signers[ECC_256], &quote);
		struct attest_inspect_input input = input_of(&signers[ECC_256], &quote);
		expect(MESSAGES[i].name, &input, MESSAGES[i].status, MESSAGES[i].check);
	}
}

/* A digest that no hash makes is refused where nobody gave values, too. */
static void
an_empty_digest_never_passes(void **state)
{
	struct software_quote quote;

	(void)state;
	software_signer_fill(&signers[RSA_SSA], &banks[ATTEST_SHA256], FIRST_EIGHT, nonce, &quote);
	quote.digest_size = 0;
	software_signer_sign(&signers[RSA_SSA], &quote);
	struct attest_inspect_input input = input_of(&signers[RSA_SSA], &quote);
	input.pcrs_count = 0;
	expect("no values, no digest", &input, ATTEST_REFUSED, "quote.pcrs.size");
}

/* ---- values ---- */

static void
values_that_do_not_fit_are_refused(void **state)
{
	struct software_quote quote;
	struct attest_pcrs given[2];

	(void)state;
	make(&signers[ECC_256], ATTEST_SHA384, &quote);
	struct attest_inspect_input input = input_of(&signers[ECC_256], &quote);
	input.pcrs = &banks[ATTEST_SHA256];
	input.pcrs_count = 1;
	expect("another bank's", &input, ATTEST_REFUSED, "quote.pcrs.bank");
	given[0] = banks[ATTEST_SHA384];
	given[1] = banks[ATTEST_SHA384];
	input.pcrs = given;
	input.pcrs_count = 2;
	expect("a bank twice", &input, ATTEST_REFUSED, "quote.pcrs.bank");
	input.pcrs_count = 1;
	given[0].known = 0;
	expect("a bank without values", &input, ATTEST_REFUSED, "quote.pcrs.bank");
	given[0].known = 0xffff7f;
	expect("all but one", &input, ATTEST_REFUSED, "quote.pcrs.missing");
	given[0].known = FIRST_EIGHT;
	expect("just those", &input, ATTEST_OK, "");
	for (unsigned pcr = 0; pcr < ATTEST_PCRS; pcr++) {
		given[0] = banks[ATTEST_SHA384];
		given[0].values[pcr][47] ^= 1;
		expect("a bit of one", &input, pcr < 8 ? ATTEST_REFUSED : ATTEST_OK,
		       pcr < 8 ? "quote.pcrs" : "");
	}
	/* Two values exchanged: the order is that of the PCRs. */
	given[0] = banks[ATTEST_SHA384];
	memcpy(given[0].values[0], banks[ATTEST_SHA384].values[1], 48);
	memcpy(given[0].values[1], banks[ATTEST_SHA384].values[0], 48);
	expect("two exchanged", &input, ATTEST_REFUSED, "quote.pcrs");
}

/* PCR 16 or 23 holds whatever software likes: a quote of it does not stand for PCR 7. */
static void
a_resettable_pcr_stands_for_no_other(void **state)
{
	struct software_quote quote;
	struct attest_inspection seen;
	struct attest_error err;
	struct attest_pcrs given = banks[ATTEST_SHA256];

	(void)state;
	software_signer_fill(&signers[ECC_256], &given, 1U << 23, nonce, &quote);
	software_signer_sign(&signers[ECC_256], &quote);
	struct attest_inspect_input input = input_of(&signers[ECC_256], &quote);
	input.pcrs = &given;
	input.pcrs_count = 1;
	assert_int_equal(attest_inspect_quote(&input, &seen, &err), ATTEST_OK);
	assert_int_equal(seen.resettable, 1U << 23);
	memcpy(given.values[7], given.values[23], 32);
	given.known = 1U << 7;
	expect("for PCR 7", &input, ATTEST_REFUSED, "quote.pcrs.missing");
}

/* ---- keys ---- */

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

/* ---- every bit, every size ---- */

struct part {
	struct attest_inspect_input input;
	struct bytes *which; /* of input */
};

static bool
part_accepted(struct bytes bytes, void *user)
{
	struct part *part = user;
	struct attest_inspection seen = {.type = 0x4242};
	struct attest_error err;

	*part->which = bytes;
	enum attest_status status = attest_inspect_quote(&part->input, &seen, &err);
	/* What does not parse writes nothing. */
	if (status == ATTEST_MALFORMED || status == ATTEST_LIMIT)
		assert_int_equal(seen.type, 0x4242);
	/* An accepted quote whose key has another name does not say that it is the signer. */
	return status == ATTEST_OK && seen.checks[ATTEST_CHECK_SIGNER] == ATTEST_PASSED;
}

static void
no_truncation_and_no_flip_passes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SIGNERS; i++) {
		struct software_quote quote;
		make(&signers[i], ATTEST_SHA384, &quote);
		struct part part = {.input = input_of(&signers[i], &quote)};
		struct bytes *const parts[] = {&part.input.key, &part.input.message,
					       &part.input.signature};
		for (unsigned k = 0; k < 3; k++) {
			struct bytes whole = *parts[k];
			part.which = parts[k];
			assert_true(accepts_copy(whole, part_accepted, &part));
			refuses_other_sizes(whole, part_accepted, &part);
			refuses_flips(whole, 0, whole.size, part_accepted, &part);
			*parts[k] = whole;
		}
	}
}

static bool
pem_accepted(struct bytes bytes, void *user)
{
	struct part *part = user;
	struct attest_inspection seen;
	struct attest_error err;

	part->input.key = bytes;
	return attest_inspect_quote(&part->input, &seen, &err) == ATTEST_OK;
}

/* DER, where each byte is of the key or of its frame. */
static void
no_flip_in_a_bare_key_passes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SIGNERS; i++) {
		struct software_quote quote;
		uint8_t der[1024];
		make(&signers[i], ATTEST_SHA256, &quote);
		struct part part = {.input = input_of(&signers[i], &quote)};
		struct bytes whole = {der, der_of(&signers[i], der, sizeof(der))};
		assert_true(accepts_copy(whole, pem_accepted, &part));
		refuses_other_sizes(whole, pem_accepted, &part);
		refuses_flips(whole, 0, whole.size, pem_accepted, &part);
	}
}

static void
oversized_files_are_a_limit(void **state)
{
	static uint8_t large[ATTEST_KEY_FILE_MAX + 1];
	struct software_quote quote;

	(void)state;
	make(&signers[ECC_256], ATTEST_SHA256, &quote);
	struct attest_inspect_input input = input_of(&signers[ECC_256], &quote);
	input.key = BYTES_OF(large);
	expect("a key", &input, ATTEST_LIMIT, "ak.size");
	input = input_of(&signers[ECC_256], &quote);
	input.message = (struct bytes){large, ATTEST_QUOTE_SIZE_MAX + 1};
	expect("a message", &input, ATTEST_LIMIT, "quote.size");
	input = input_of(&signers[ECC_256], &quote);
	input.signature = (struct bytes){large, ATTEST_QUOTE_SIZE_MAX + 1};
	expect("a signature", &input, ATTEST_LIMIT, "quote.size");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_key_verifies_over_each_bank),
		cmocka_unit_test(each_form_of_the_files_is_taken),
		cmocka_unit_test(what_is_not_given_is_skipped),
		cmocka_unit_test(each_spoilt_message_is_refused_by_name),
		cmocka_unit_test(an_empty_digest_never_passes),
		cmocka_unit_test(values_that_do_not_fit_are_refused),
		cmocka_unit_test(a_resettable_pcr_stands_for_no_other),
		cmocka_unit_test(keys_that_would_sign_a_forgery_are_refused_by_name),
		cmocka_unit_test(keys_of_other_algorithms_are_refused_by_name),
		cmocka_unit_test(small_and_odd_keys_are_refused),
		cmocka_unit_test(a_pem_is_one_public_key_and_no_more),
		cmocka_unit_test(signatures_of_other_schemes_are_refused_by_name),
		cmocka_unit_test(signatures_of_other_sizes_are_refused_by_name),
		cmocka_unit_test(other_salts_are_refused),
		cmocka_unit_test(another_key_s_signature_is_refused),
		cmocka_unit_test(no_truncation_and_no_flip_passes),
		cmocka_unit_test(no_flip_in_a_bare_key_passes),
		cmocka_unit_test(oversized_files_are_a_limit),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
