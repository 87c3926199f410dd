/* SPDX-License-Identifier: Apache-2.0 */
/* Anybody's quotes, made in software: every kind of key, and a spoil for each refusal. */
#include "inspected.h"
#include "spoil.h"

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

/* An empty question, as a script's unset variable asks, is answered by any quote without a nonce.
 */
static void
an_empty_question_proves_nothing(void **state)
{
	const struct bytes none = {(const uint8_t *)"", 0};
	struct software_quote quote;
	struct attest_inspection seen;
	struct attest_error err;

	(void)state;
	software_signer_fill(&signers[ECC_256], &banks[ATTEST_SHA256], FIRST_EIGHT, none, &quote);
	software_signer_sign(&signers[ECC_256], &quote);
	struct attest_inspect_input input = input_of(&signers[ECC_256], &quote);
	expect("no nonce", &input, ATTEST_REFUSED, "quote.qualifying");
	input.qualifying = &none;
	assert_int_equal(attest_inspect_quote(&input, &seen, &err), ATTEST_OK);
	assert_int_equal(seen.checks[ATTEST_CHECK_QUALIFYING], ATTEST_SKIPPED);
	make(&signers[ECC_256], ATTEST_SHA256, &quote);
	input = input_of(&signers[ECC_256], &quote);
	input.qualifying = &none;
	expect("a nonce", &input, ATTEST_REFUSED, "quote.qualifying");
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
		cmocka_unit_test(an_empty_question_proves_nothing),
		cmocka_unit_test(each_spoilt_message_is_refused_by_name),
		cmocka_unit_test(an_empty_digest_never_passes),
		cmocka_unit_test(values_that_do_not_fit_are_refused),
		cmocka_unit_test(a_resettable_pcr_stands_for_no_other),
		cmocka_unit_test(no_truncation_and_no_flip_passes),
		cmocka_unit_test(no_flip_in_a_bare_key_passes),
		cmocka_unit_test(oversized_files_are_a_limit),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
