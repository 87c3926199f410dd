/* SPDX-License-Identifier: Apache-2.0 */
#include "software_signer.h"
#include "software_tpm.h"
#include "spoil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct software_tpm tpm;
static struct software_tpm stranger;
static struct attest_ak *ak;
static const uint8_t QUALIFYING[32] = "thirty-two bytes of a transcript";

static int
set_up(void **state)
{
	struct attest_error err;

	(void)state;
	software_tpm_open(&tpm, SOFTWARE_EK_NONE);
	software_tpm_open(&stranger, SOFTWARE_EK_NONE);
	for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++)
		memset(tpm.pcrs[i], (int)i, ATTEST_HASH_SIZE);
	return attest_ak_decode((struct bytes){tpm.ak_public, tpm.ak_public_size}, &ak, &err) !=
	       ATTEST_OK;
}

static int
tear_down(void **state)
{
	(void)state;
	attest_ak_free(ak);
	software_tpm_close(&tpm);
	software_tpm_close(&stranger);
	return 0;
}

static struct attest_quote_input
input_of(const struct software_quote *quote)
{
	struct attest_quote_input input = {.ak = ak,
					   .message = {quote->message, quote->message_size},
					   .signature = {quote->signature, quote->signature_size},
					   .pcrs = software_tpm_pcrs(&tpm)};
	memcpy(input.qualifying, QUALIFYING, sizeof(QUALIFYING));
	return input;
}

static void
a_good_quote_gives_what_it_says(void **state)
{
	struct software_quote quote;
	struct attest_quote seen;
	struct attest_error err;

	(void)state;
	software_quote_make(&tpm, QUALIFYING, &quote);
	struct attest_quote_input input = input_of(&quote);
	assert_int_equal(attest_quote_verify(&input, &seen, &err), ATTEST_OK);
	assert_int_equal(seen.clock.reset_count, 3);
	assert_int_equal(seen.clock.restart_count, 1);
	assert_int_equal(seen.clock.clock, 1000);
	assert_true(seen.clock_safe);
	assert_int_equal(seen.firmware_version, 0x20191023);
	assert_memory_equal(seen.pcrs, tpm.pcrs, sizeof(seen.pcrs));
}

#define SPOIL(name, ...)                                                                           \
	static void name(struct software_quote *quote)                                             \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}

/* ---- spoils: fields changed before the signature, by the right key ---- */

static void
select_bytes(struct software_quote *quote, const char *hex)
{
	long size = 0;
	unsigned char *bytes = OPENSSL_hexstr2buf(hex, &size);

	assert_non_null(bytes);
	memcpy(quote->selection, bytes, (size_t)size);
	quote->selection_size = (size_t)size;
	OPENSSL_free(bytes);
}

SPOIL(wrong_magic, quote->magic = 0xff544348)
SPOIL(no_magic, quote->magic = 0)
/* A TPMS_CERTIFY_INFO: two names. */
SPOIL(a_certify, quote->type = 0x8017; select_bytes(quote, "000440000001"))
SPOIL(a_quote_that_says_certify, quote->type = 0x8017)
SPOIL(another_attestation, quote->type = 0x8014)
SPOIL(other_extra_data, quote->extra[31] ^= 1)
SPOIL(no_extra_data, quote->extra_size = 0)
SPOIL(longer_extra_data, quote->extra_size = 33)
SPOIL(prefix_of_extra_data, quote->extra_size = 31)
SPOIL(pcrs_0_to_14, select_bytes(quote, "00000001000b03ff7f00"))
SPOIL(pcrs_0_to_16, select_bytes(quote, "00000001000b03ffff01"))
SPOIL(resettable_pcr_for_another, select_bytes(quote, "00000001000b03ff7f80"))
SPOIL(no_pcrs, select_bytes(quote, "00000001000b03000000"))
SPOIL(no_banks, select_bytes(quote, "00000000"))
SPOIL(sha1_bank, select_bytes(quote, "00000001000403ffff00"))
SPOIL(sha384_bank, select_bytes(quote, "00000001000c03ffff00"))
SPOIL(two_banks, select_bytes(quote, "00000002000b03ffff00000403ffff00"))
SPOIL(the_bank_twice, select_bytes(quote, "00000002000b03ffff00000b03ffff00"))
SPOIL(an_empty_bank_beside, select_bytes(quote, "00000002000403000000000b03ffff00"))
SPOIL(two_bytes_of_selection, select_bytes(quote, "00000001000b02ffff"))
SPOIL(four_bytes_of_selection, select_bytes(quote, "00000001000b04ffff0000"))
SPOIL(seventeen_banks, select_bytes(quote, "00000011000b03ffff00"))
SPOIL(five_bytes_of_selection, select_bytes(quote, "00000001000b05ffff000000"))
SPOIL(other_signer, quote->signer[33] ^= 1)

/* What an AK in the owner hierarchy would say: H(40000001 || name). */
static void
owner_hierarchy(struct software_quote *quote)
{
	uint8_t child[4 + 34] = {0x40, 0, 0, 1};

	memcpy(child + 4, attest_ak_name(ak)->bytes, 34);
	EVP_Digest(child, sizeof(child), quote->signer + 2, NULL, EVP_sha256(), NULL);
}

SPOIL(the_name_for_the_qualified_name, memcpy(quote->signer, attest_ak_name(ak)->bytes, 34))
SPOIL(no_signer, quote->signer_size = 0)
SPOIL(reset_count_back, quote->clock = (struct attest_clock){2, 9, 9000})
SPOIL(restart_count_back, quote->clock = (struct attest_clock){3, 0, 9000})
SPOIL(clock_back, quote->clock = (struct attest_clock){3, 1, 999})
SPOIL(cleared, quote->clock = (struct attest_clock){0, 0, 0})
SPOIL(wrong_digest, quote->digest[0] ^= 1)
SPOIL(no_digest, quote->digest_size = 0)
SPOIL(short_digest, quote->digest_size = 31)
SPOIL(impossible_safe, quote->safe = 2)

/* ---- spoils: after the signature ---- */

static void
signature_of(struct software_quote *quote, const char *scheme, struct bytes r, struct bytes s)
{
	struct writer w = writer_of(quote->signature, sizeof(quote->signature));
	long size = 0;
	unsigned char *bytes = OPENSSL_hexstr2buf(scheme, &size);

	write_bytes(&w, (struct bytes){bytes, (size_t)size});
	write_bytes_be16(&w, r);
	write_bytes_be16(&w, s);
	OPENSSL_free(bytes);
	quote->signature_size = w.size;
}

static struct bytes
part(const struct software_quote *quote, unsigned index)
{
	return (struct bytes){quote->signature + 6 + 34 * index, 32};
}

static void
respell(struct software_quote *quote, const char *scheme, bool zero_r, bool zero_s)
{
	static const uint8_t zero[32];
	struct software_quote copy = *quote;

	signature_of(quote, scheme, zero_r ? BYTES_OF(zero) : part(&copy, 0),
		     zero_s ? BYTES_OF(zero) : part(&copy, 1));
}

SPOIL(r_is_zero, respell(quote, "0018000b", true, false))
SPOIL(s_is_zero, respell(quote, "0018000b", false, true))

static void
r_is_empty(struct software_quote *quote)
{
	struct software_quote copy = *quote;

	signature_of(quote, "0018000b", (struct bytes){0}, part(&copy, 1));
}

static void
r_is_too_long(struct software_quote *quote)
{
	struct software_quote copy = *quote;
	uint8_t longer[33] = {0};

	memcpy(longer + 1, part(&copy, 0).data, 32);
	signature_of(quote, "0018000b", BYTES_OF(longer), part(&copy, 1));
}

/* r and s of all ones are above the group's order. */
static void
r_is_out_of_range(struct software_quote *quote)
{
	struct software_quote copy = *quote;
	uint8_t ones[32];

	memset(ones, 0xff, sizeof(ones));
	signature_of(quote, "0018000b", BYTES_OF(ones), part(&copy, 1));
}

static void
r_and_s_exchanged(struct software_quote *quote)
{
	struct software_quote copy = *quote;

	signature_of(quote, "0018000b", part(&copy, 1), part(&copy, 0));
}

SPOIL(says_ecdaa, respell(quote, "001a000b", false, false))
SPOIL(says_sha1, respell(quote, "00180004", false, false))
SPOIL(says_rsa, respell(quote, "0014000b", false, false))
SPOIL(says_null, respell(quote, "00100010", false, false))
SPOIL(trailing_byte_in_signature, quote->signature[quote->signature_size++] = 0)
SPOIL(no_signature, quote->signature_size = 0)
SPOIL(forged_by_another_key, software_quote_sign_message(&stranger, quote))

static void
changed_after_signing(struct software_quote *quote)
{
	/* The firmware version: nothing else looks at it. */
	quote->message[quote->message_size - 34 - 10 - 1] ^= 1;
}

static void
trailing_byte_that_is_signed(struct software_quote *quote)
{
	quote->message[quote->message_size++] = 0;
	software_quote_sign_message(&tpm, quote);
}

static const struct {
	const char *name;
	void (*before)(struct software_quote *quote);
	void (*after)(struct software_quote *quote);
	enum attest_status status;
	const char *check;
} SPOILS[] = {
	{"magic", wrong_magic, NULL, ATTEST_REFUSED, "quote.magic"},
	{"no magic", no_magic, NULL, ATTEST_REFUSED, "quote.magic"},
	{"a certification", a_certify, NULL, ATTEST_REFUSED, "quote.type"},
	{"another attestation", another_attestation, NULL, ATTEST_REFUSED, "quote.type"},
	{"a quote by another name", a_quote_that_says_certify, NULL, ATTEST_MALFORMED,
	 "quote.parse"},
	{"another signer", other_signer, NULL, ATTEST_REFUSED, "quote.signer"},
	{"owner hierarchy", owner_hierarchy, NULL, ATTEST_REFUSED, "quote.signer"},
	{"name", the_name_for_the_qualified_name, NULL, ATTEST_REFUSED, "quote.signer"},
	{"no signer", no_signer, NULL, ATTEST_REFUSED, "quote.signer"},
	{"another nonce", other_extra_data, NULL, ATTEST_REFUSED, "quote.qualifying"},
	{"no nonce", no_extra_data, NULL, ATTEST_REFUSED, "quote.qualifying"},
	{"longer nonce", longer_extra_data, NULL, ATTEST_REFUSED, "quote.qualifying"},
	{"shorter nonce", prefix_of_extra_data, NULL, ATTEST_REFUSED, "quote.qualifying"},
	{"15 PCRs", pcrs_0_to_14, NULL, ATTEST_REFUSED, "quote.selection"},
	{"17 PCRs", pcrs_0_to_16, NULL, ATTEST_REFUSED, "quote.selection"},
	{"PCR 23 for 15", resettable_pcr_for_another, NULL, ATTEST_REFUSED, "quote.selection"},
	{"no PCRs", no_pcrs, NULL, ATTEST_REFUSED, "quote.selection"},
	{"no banks", no_banks, NULL, ATTEST_REFUSED, "quote.selection"},
	{"SHA-1", sha1_bank, NULL, ATTEST_REFUSED, "quote.sha1"},
	{"SHA-384", sha384_bank, NULL, ATTEST_REFUSED, "quote.selection"},
	{"two banks", two_banks, NULL, ATTEST_REFUSED, "quote.selection"},
	{"the bank twice", the_bank_twice, NULL, ATTEST_REFUSED, "quote.selection"},
	{"an empty bank too", an_empty_bank_beside, NULL, ATTEST_REFUSED, "quote.selection"},
	{"two bytes", two_bytes_of_selection, NULL, ATTEST_REFUSED, "quote.selection"},
	{"four bytes", four_bytes_of_selection, NULL, ATTEST_REFUSED, "quote.selection"},
	{"too many banks", seventeen_banks, NULL, ATTEST_MALFORMED, "quote.parse"},
	{"five bytes", five_bytes_of_selection, NULL, ATTEST_MALFORMED, "quote.parse"},
	{"resetCount back", reset_count_back, NULL, ATTEST_REFUSED, "quote.clock.reset"},
	{"restartCount back", restart_count_back, NULL, ATTEST_REFUSED, "quote.clock.restart"},
	{"clock back", clock_back, NULL, ATTEST_REFUSED, "quote.clock.time"},
	{"TPM2_Clear", cleared, NULL, ATTEST_REFUSED, "quote.clock.reset"},
	{"safe is no boolean", impossible_safe, NULL, ATTEST_MALFORMED, "quote.parse"},
	{"r = 0", NULL, r_is_zero, ATTEST_REFUSED, "quote.signature.zero"},
	{"s = 0", NULL, s_is_zero, ATTEST_REFUSED, "quote.signature.zero"},
	{"r empty", NULL, r_is_empty, ATTEST_REFUSED, "quote.signature.size"},
	{"r of 33 bytes", NULL, r_is_too_long, ATTEST_REFUSED, "quote.signature.size"},
	{"r above the order", NULL, r_is_out_of_range, ATTEST_SIGNATURE, "quote.signature"},
	{"r and s exchanged", NULL, r_and_s_exchanged, ATTEST_SIGNATURE, "quote.signature"},
	{"ECDAA", NULL, says_ecdaa, ATTEST_REFUSED, "quote.scheme"},
	{"SHA-1 signature", NULL, says_sha1, ATTEST_REFUSED, "quote.scheme"},
	{"RSASSA", NULL, says_rsa, ATTEST_REFUSED, "quote.scheme"},
	{"no algorithm", NULL, says_null, ATTEST_REFUSED, "quote.scheme"},
	{"trailing", NULL, trailing_byte_in_signature, ATTEST_MALFORMED, "quote.signature.parse"},
	{"no signature", NULL, no_signature, ATTEST_MALFORMED, "quote.signature.parse"},
	{"another key", NULL, forged_by_another_key, ATTEST_SIGNATURE, "quote.signature"},
	{"changed", NULL, changed_after_signing, ATTEST_SIGNATURE, "quote.signature"},
	{"trailing, signed", NULL, trailing_byte_that_is_signed, ATTEST_MALFORMED, "quote.parse"},
	{"another digest", wrong_digest, NULL, ATTEST_REFUSED, "quote.pcrs"},
	{"no digest", no_digest, NULL, ATTEST_REFUSED, "quote.pcrs"},
	{"short digest", short_digest, NULL, ATTEST_REFUSED, "quote.pcrs"},
};

static void
every_spoil_is_refused_by_its_name(void **state)
{
	const struct attest_clock previous = {3, 1, 1000};

	(void)state;
	for (size_t i = 0; i < sizeof(SPOILS) / sizeof(SPOILS[0]); i++) {
		struct software_quote quote;
		struct attest_quote seen;
		struct attest_error err = {0};

		software_quote_fill(&tpm, QUALIFYING, &quote);
		if (SPOILS[i].before != NULL)
			SPOILS[i].before(&quote);
		software_quote_sign(&tpm, &quote);
		if (SPOILS[i].after != NULL)
			SPOILS[i].after(&quote);
		struct attest_quote_input input = input_of(&quote);
		input.previous = &previous;
		enum attest_status status = attest_quote_verify(&input, &seen, &err);
		if (status != SPOILS[i].status || err.status != status ||
		    strcmp(err.check, SPOILS[i].check) != 0)
			fail_msg("%s: %d %s: %s", SPOILS[i].name, status, err.check, err.message);
	}
}

static void
clocks_go_forward_as_one_tuple(void **state)
{
	static const struct {
		struct attest_clock previous;
		bool good;
	} cases[] = {
		{{3, 1, 1000}, true}, {{3, 1, 1001}, false}, {{3, 2, 0}, false}, {{4, 0, 0}, false},
		{{3, 0, 9999}, true}, {{2, 9, 9999}, true},  {{0, 0, 0}, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct software_quote quote;
		struct attest_quote seen;
		struct attest_error err;

		software_quote_make(&tpm, QUALIFYING, &quote);
		struct attest_quote_input input = input_of(&quote);
		input.previous = &cases[i].previous;
		assert_int_equal(attest_quote_verify(&input, &seen, &err),
				 cases[i].good ? ATTEST_OK : ATTEST_REFUSED);
	}
}

static void
a_clock_that_went_back_is_told_in_words(void **state)
{
	const struct attest_clock previous = {3, 2, 0};
	struct software_quote quote;
	struct attest_quote seen;
	struct attest_error err;

	(void)state;
	software_quote_make(&tpm, QUALIFYING, &quote);
	struct attest_quote_input input = input_of(&quote);
	input.previous = &previous;
	assert_int_equal(attest_quote_verify(&input, &seen, &err), ATTEST_REFUSED);
	assert_string_equal(err.expected, "reset 3, restart 2, clock 0 ms");
	assert_string_equal(err.seen, "reset 3, restart 1, clock 1000 ms");
}

static void
pcr_values_that_were_not_quoted_are_refused(void **state)
{
	struct software_quote quote;
	struct attest_quote seen;
	struct attest_error err;
	uint8_t values[17 * 32] = {0};

	(void)state;
	software_quote_make(&tpm, QUALIFYING, &quote);
	struct attest_quote_input input = input_of(&quote);
	memcpy(values, tpm.pcrs, sizeof(tpm.pcrs));
	for (size_t size = 0; size <= sizeof(values); size++) {
		input.pcrs = (struct bytes){values, size};
		assert_int_equal(attest_quote_verify(&input, &seen, &err),
				 size == 512 ? ATTEST_OK : ATTEST_REFUSED);
		if (size != 512)
			assert_string_equal(err.check, "quote.pcrs.count");
	}
	input.pcrs = (struct bytes){values, 512};
	for (size_t i = 0; i < 512; i++) {
		values[i] ^= 0x80;
		assert_int_equal(attest_quote_verify(&input, &seen, &err), ATTEST_REFUSED);
		assert_string_equal(err.check, "quote.pcrs");
		values[i] ^= 0x80;
	}
}

static bool
message_accepted(struct bytes message, void *user)
{
	struct attest_quote_input input = *(struct attest_quote_input *)user;
	struct attest_quote seen;
	struct attest_error err;

	input.message = message;
	return attest_quote_verify(&input, &seen, &err) == ATTEST_OK;
}

static bool
signature_accepted(struct bytes signature, void *user)
{
	struct attest_quote_input input = *(struct attest_quote_input *)user;
	struct attest_quote seen;
	struct attest_error err;

	input.signature = signature;
	return attest_quote_verify(&input, &seen, &err) == ATTEST_OK;
}

static void
no_truncation_and_no_flip_passes(void **state)
{
	struct software_quote quote;

	(void)state;
	software_quote_make(&tpm, QUALIFYING, &quote);
	struct attest_quote_input input = input_of(&quote);
	assert_true(accepts_copy(input.message, message_accepted, &input));
	refuses_other_sizes(input.message, message_accepted, &input);
	refuses_flips(input.message, 0, input.message.size, message_accepted, &input);
	assert_true(accepts_copy(input.signature, signature_accepted, &input));
	refuses_other_sizes(input.signature, signature_accepted, &input);
	refuses_flips(input.signature, 0, input.signature.size, signature_accepted, &input);
}

/* The RSA template's quotes: the same checks under the same names. */
static void
an_rsa_ak_quotes_as_well(void **state)
{
	struct software_signer signer = {.type = SOFTWARE_RSA,
					 .bits = 2048,
					 .scheme = 0x0014,
					 .hash = 0x000b,
					 .postern = true};
	struct attest_pcrs pcrs;
	struct software_quote quote;
	struct attest_quote seen;
	struct attest_error err;
	struct attest_ak *rsa = NULL;

	(void)state;
	software_signer_open(&signer);
	attest_pcrs_of_quote(software_tpm_pcrs(&tpm), &pcrs);
	software_signer_fill(&signer, &pcrs, 0x00ffff, BYTES_OF(QUALIFYING), &quote);
	software_signer_sign(&signer, &quote);
	assert_int_equal(attest_ak_decode((struct bytes){signer.public_area, signer.public_size},
					  &rsa, &err),
			 ATTEST_OK);
	struct attest_quote_input input = input_of(&quote);
	input.ak = rsa;
	assert_int_equal(attest_quote_verify(&input, &seen, &err), ATTEST_OK);
	assert_int_equal(seen.clock.reset_count, 3);
	refuses_other_sizes(input.message, message_accepted, &input);
	refuses_flips(input.message, 0, input.message.size, message_accepted, &input);
	refuses_other_sizes(input.signature, signature_accepted, &input);
	refuses_flips(input.signature, 0, input.signature.size, signature_accepted, &input);

	/* Its own signature, but by PSS. */
	signer.scheme = 0x0016;
	software_signer_sign_message(&signer, &quote);
	assert_int_equal(attest_quote_verify(&input, &seen, &err), ATTEST_REFUSED);
	assert_string_equal(err.check, "quote.scheme");
	/* Another AK's: the qualified signer is not this key. */
	input.ak = ak;
	assert_int_equal(attest_quote_verify(&input, &seen, &err), ATTEST_REFUSED);
	assert_string_equal(err.check, "quote.signer");
	attest_ak_free(rsa);
	software_signer_close(&signer);
}

static void
oversized_input_is_a_limit(void **state)
{
	static const uint8_t large[ATTEST_QUOTE_SIZE_MAX + 1];
	struct software_quote quote;

	(void)state;
	software_quote_make(&tpm, QUALIFYING, &quote);
	for (unsigned i = 0; i < 2; i++) {
		struct attest_quote_input input = input_of(&quote);
		struct attest_quote seen;
		struct attest_error err;

		*(i == 0 ? &input.message : &input.signature) = BYTES_OF(large);
		assert_int_equal(attest_quote_verify(&input, &seen, &err), ATTEST_LIMIT);
	}
}

/* r or s with leading zeros, or written without them: TPMs do both, and both are the same number.
 */
static void
short_and_padded_numbers_verify(void **state)
{
	unsigned shorter = 0;

	(void)state;
	for (unsigned i = 0; i < 20000 && shorter < 3; i++) {
		struct software_quote quote;
		struct attest_quote seen;
		struct attest_error err;

		software_quote_make(&tpm, QUALIFYING, &quote);
		if (part(&quote, 0).data[0] != 0 && part(&quote, 1).data[0] != 0)
			continue;
		struct attest_quote_input input = input_of(&quote);
		assert_int_equal(attest_quote_verify(&input, &seen, &err), ATTEST_OK);
		struct software_quote copy = quote;
		struct bytes numbers[2] = {part(&copy, 0), part(&copy, 1)};
		for (unsigned k = 0; k < 2; k++)
			while (numbers[k].data[0] == 0)
				numbers[k] =
					(struct bytes){numbers[k].data + 1, numbers[k].size - 1};
		signature_of(&quote, "0018000b", numbers[0], numbers[1]);
		input = input_of(&quote);
		assert_int_equal(attest_quote_verify(&input, &seen, &err), ATTEST_OK);
		shorter++;
	}
	assert_int_equal(shorter, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_quote_gives_what_it_says),
		cmocka_unit_test(every_spoil_is_refused_by_its_name),
		cmocka_unit_test(clocks_go_forward_as_one_tuple),
		cmocka_unit_test(a_clock_that_went_back_is_told_in_words),
		cmocka_unit_test(pcr_values_that_were_not_quoted_are_refused),
		cmocka_unit_test(no_truncation_and_no_flip_passes),
		cmocka_unit_test(an_rsa_ak_quotes_as_well),
		cmocka_unit_test(oversized_input_is_a_limit),
		cmocka_unit_test(short_and_padded_numbers_verify),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
