/* SPDX-License-Identifier: Apache-2.0 */
#include "software_signer.h"
#include "software_tpm.h"
#include "spoil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct software_tpm tpms[3]; /* one for each kind of EK */

static int
set_up(void **state)
{
	(void)state;
	for (unsigned kind = SOFTWARE_EK_RSA; kind <= SOFTWARE_EK_P384; kind++)
		software_tpm_open(&tpms[kind], (enum software_ek)kind);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (unsigned kind = SOFTWARE_EK_RSA; kind <= SOFTWARE_EK_P384; kind++)
		software_tpm_close(&tpms[kind]);
	return 0;
}

static struct bytes
ak_public(void)
{
	return (struct bytes){tpms[0].ak_public, tpms[0].ak_public_size};
}

static bool
ak_accepts(struct bytes input, void *user)
{
	struct attest_ak *ak;

	if (attest_ak_decode(input, &ak, user) != ATTEST_OK)
		return false;
	attest_ak_free(ak);
	return true;
}

static void
an_ak_is_named_as_a_tpm_names_it(void **state)
{
	struct attest_error err;
	struct attest_ak *ak;
	uint8_t digest[32];

	(void)state;
	assert_int_equal(attest_ak_decode(ak_public(), &ak, &err), ATTEST_OK);
	EVP_Digest(ak_public().data, ak_public().size, digest, NULL, EVP_sha256(), NULL);
	assert_int_equal(attest_ak_name(ak)->size, 34);
	assert_memory_equal(attest_ak_name(ak)->bytes, "\x00\x0b", 2);
	assert_memory_equal(attest_ak_name(ak)->bytes + 2, digest, 32);
	attest_ak_free(ak);
}

static void
an_ak_of_another_size_is_refused(void **state)
{
	struct attest_error err;

	(void)state;
	refuses_other_sizes(ak_public(), ak_accepts, &err);
	uint8_t huge[ATTEST_PUBLIC_SIZE_MAX + 1] = {0};
	assert_false(ak_accepts(BYTES_OF(huge), &err));
	assert_int_equal(err.status, ATTEST_LIMIT);
}

/* A flip in the template is another key's template; a flip in the point leaves the curve. */
static void
an_ak_with_any_bit_flipped_is_refused(void **state)
{
	struct attest_error err;

	(void)state;
	refuses_flips(ak_public(), 0, ak_public().size, ak_accepts, &err);
}

static void
an_ak_of_another_template_is_refused_by_name(void **state)
{
	static const struct {
		const char *name;
		size_t offset;
		uint8_t value;
		const char *check;
	} spoils[] = {
		{"neither RSA nor ECC", 1, 0x25, "ak.type"},
		{"an RSA key laid out as ECC", 1, 0x01, "ak.scheme"},
		{"named with SHA-1", 3, 0x04, "ak.nameAlg"},
		{"not restricted: it would sign a forged TPMS_ATTEST", 5, 0x04, "ak.attributes"},
		{"not fixed to its TPM", 7, 0x70, "ak.attributes"},
		{"decrypts as well", 5, 0x07, "ak.attributes"},
		{"another policy", 12, 0x00, "ak.policy"},
		{"no policy of its size", 9, 0x1f, "ak.policy"},
		{"a symmetric algorithm", 43, 0x06, "ak.symmetric"},
		{"ECDAA", 45, 0x1a, "ak.scheme"},
		{"signs with SHA-1", 47, 0x04, "ak.scheme"},
		{"on P-384", 49, 0x04, "ak.curve"},
		{"a key derivation", 51, 0x20, "ak.kdf"},
		{"off the curve", 60, 0x55, "ak.point"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		uint8_t area[ATTEST_PUBLIC_SIZE_MAX];
		struct attest_error err;

		memcpy(area, ak_public().data, ak_public().size);
		if (area[spoils[i].offset] == spoils[i].value)
			area[spoils[i].offset] ^= 1;
		else
			area[spoils[i].offset] = spoils[i].value;
		if (ak_accepts((struct bytes){area, ak_public().size}, &err) ||
		    err.status != ATTEST_REFUSED || strcmp(err.check, spoils[i].check) != 0)
			fail_msg("%s: %s", spoils[i].name, err.check);
	}
}

static void
an_rsa_ak_is_taken_by_its_own_template(void **state)
{
	static const struct {
		const char *name;
		size_t offset;
		uint8_t value;
		const char *check;
	} spoils[] = {
		{"an ECC key laid out as RSA", 1, 0x23, "ak.scheme"},
		{"named with SHA-1", 3, 0x04, "ak.nameAlg"},
		{"not restricted", 5, 0x04, "ak.attributes"},
		{"another policy", 12, 0x00, "ak.policy"},
		{"a symmetric algorithm", 43, 0x06, "ak.symmetric"},
		{"RSAPSS", 45, 0x16, "ak.scheme"},
		{"signs with SHA-384", 47, 0x0c, "ak.scheme"},
		{"of 3072 bits", 48, 0x0c, "ak.bits"},
		{"65537 written out", 51, 0x01, "ak.exponent"},
		{"exponent 3", 53, 0x03, "ak.exponent"},
		{"an even modulus", 311, 0x00, "ak.modulus"},
		{"a short modulus", 56, 0x01, "ak.modulus"},
	};
	struct software_signer signer = {.type = SOFTWARE_RSA,
					 .bits = 2048,
					 .scheme = 0x0014,
					 .hash = 0x000b,
					 .postern = true};
	struct attest_error err;

	(void)state;
	software_signer_open(&signer);
	struct bytes good = {signer.public_area, signer.public_size};
	assert_int_equal(good.size, 312);
	assert_true(ak_accepts(good, &err));
	refuses_other_sizes(good, ak_accepts, &err);
	refuses_flips(good, 0, 56, ak_accepts, &err);
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		uint8_t area[312];
		memcpy(area, good.data, sizeof(area));
		area[spoils[i].offset] = spoils[i].value;
		if (ak_accepts(BYTES_OF(area), &err) || strcmp(err.check, spoils[i].check) != 0)
			fail_msg("%s: %s", spoils[i].name, err.check);
	}
	software_signer_close(&signer);
}

/* What an operator reads: both values, and a long one cut with its size beside it. */
static void
a_refusal_shows_what_was_expected_and_seen(void **state)
{
	uint8_t area[ATTEST_PUBLIC_SIZE_MAX];
	struct attest_error err;

	(void)state;
	memcpy(area, ak_public().data, ak_public().size);
	area[5] = 0x04;
	assert_false(ak_accepts((struct bytes){area, ak_public().size}, &err));
	assert_string_equal(err.expected, "00050472");
	assert_string_equal(err.seen, "00040472");
	memset(area, 0xab, sizeof(area));
	struct attest_ek *ek;
	assert_int_equal(attest_ek_decode((struct bytes){area, 314}, &ek, &err), ATTEST_REFUSED);
	assert_string_equal(err.expected, "");
	assert_int_equal(strlen(err.seen), 2 * 48 + strlen("... (314 bytes)"));
	assert_string_equal(err.seen + 96, "... (314 bytes)");
}

/* The same key in another encoding would have another name. */
static void
an_ak_with_short_or_padded_coordinates_is_refused(void **state)
{
	struct attest_error err;
	uint8_t area[ATTEST_PUBLIC_SIZE_MAX] = {0};
	size_t fixed = ak_public().size - 2 * 34;
	struct writer w = writer_of(area, sizeof(area));

	(void)state;
	write_bytes(&w, (struct bytes){ak_public().data, fixed});
	write_be16(&w, 33);
	write_u8(&w, 0);
	write_bytes(&w, (struct bytes){ak_public().data + fixed + 2, 32});
	write_bytes(&w, (struct bytes){ak_public().data + fixed + 34, 34});
	assert_false(ak_accepts(writer_bytes(&w), &err));
	assert_string_equal(err.check, "ak.unique");
}

static bool
ek_accepts(struct bytes input, void *user)
{
	struct attest_ek *ek;

	if (attest_ek_decode(input, &ek, user) != ATTEST_OK)
		return false;
	attest_ek_free(ek);
	return true;
}

static void
eks_of_each_template_are_taken(void **state)
{
	static const char *const kinds[] = {"rsa-2048", "ecc-p256", "ecc-p384"};
	static const size_t name_sizes[] = {34, 34, 50};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct attest_error err;
		struct attest_ek *from_area;
		struct attest_ek *from_certificate;
		uint8_t ids[2][32];

		assert_int_equal(
			attest_ek_decode((struct bytes){tpms[i].ek_public, tpms[i].ek_public_size},
					 &from_area, &err),
			ATTEST_OK);
		assert_int_equal(
			attest_ek_from_certificate(
				(struct bytes){tpms[i].ek_certificate, tpms[i].ek_certificate_size},
				&from_certificate, &err),
			ATTEST_OK);
		assert_string_equal(attest_ek_kind(from_area), kinds[i]);
		assert_string_equal(attest_ek_kind(from_certificate), kinds[i]);
		attest_ek_id(from_area, ids[0]);
		attest_ek_id(from_certificate, ids[1]);
		assert_memory_equal(ids[0], ids[1], 32);
		/* The certificate says the key, the template says the rest: the same name. */
		assert_int_equal(attest_ek_name(from_area)->size, name_sizes[i]);
		assert_memory_equal(attest_ek_name(from_area), attest_ek_name(from_certificate),
				    sizeof(struct attest_name));
		attest_ek_free(from_area);
		attest_ek_free(from_certificate);
	}
}

static void
spoiled_eks_are_refused(void **state)
{
	struct attest_error err;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct bytes area = {tpms[i].ek_public, tpms[i].ek_public_size};
		/* Any bit of a modulus may be another modulus; a point may not. */
		size_t until = i == SOFTWARE_EK_RSA ? area.size - 256 : area.size;

		refuses_other_sizes(area, ek_accepts, &err);
		refuses_flips(area, 0, until, ek_accepts, &err);
	}
	struct bytes rsa = {tpms[0].ek_public, tpms[0].ek_public_size};
	uint8_t spoiled[ATTEST_PUBLIC_SIZE_MAX];
	memcpy(spoiled, rsa.data, rsa.size);
	spoiled[rsa.size - 1] &= 0xfe;
	assert_false(ek_accepts((struct bytes){spoiled, rsa.size}, &err));
	assert_string_equal(err.check, "ek.modulus");
	memcpy(spoiled, rsa.data, rsa.size);
	spoiled[rsa.size - 256] &= 0x7f;
	assert_false(ek_accepts((struct bytes){spoiled, rsa.size}, &err));
	assert_string_equal(err.check, "ek.modulus");
}

/* H(prefix || ...) as policies are made: TPM 2.0 Library Part 3, 23. */
static void
policy_step(const EVP_MD *hash, uint8_t *policy, const char *command, const uint8_t *more,
	    size_t more_size, bool from_zero)
{
	size_t size = (size_t)EVP_MD_get_size(hash);
	uint8_t input[256] = {0};
	struct writer w = writer_of(input, sizeof(input));

	if (from_zero)
		memset(policy, 0, size);
	write_bytes(&w, (struct bytes){policy, size});
	write_bytes(&w, (struct bytes){(const uint8_t *)command, 4});
	write_bytes(&w, (struct bytes){more, more_size});
	EVP_Digest(input, w.size, policy, NULL, hash, NULL);
}

/* The high range's PolicyB, made from its definition, in an H template around a real key. */
static void
high_range(const struct software_tpm *tpm, const EVP_MD *hash, uint16_t algorithm, uint8_t index,
	   uint8_t *ret_policy)
{
	size_t size = (size_t)EVP_MD_get_size(hash);
	uint8_t policies[128] = {0};
	uint8_t area[128];
	uint8_t name[66];
	struct writer w = writer_of(area, sizeof(area));

	(void)tpm;
	policy_step(hash, policies, "\0\0\1\x51", (const uint8_t *)"\x40\0\0\x0b", 4, true);
	EVP_Digest(policies, size, policies, NULL, hash, NULL); /* an empty policyRef */
	write_be32(&w, 0x01c07f00U + index);
	write_be16(&w, algorithm);
	write_be32(&w, 0x220f1008);
	write_bytes_be16(&w, (struct bytes){policies, size});
	write_be16(&w, (uint16_t)(size + 2));
	name[0] = 0;
	name[1] = (uint8_t)algorithm;
	EVP_Digest(area, w.size, name + 2, NULL, hash, NULL);
	policy_step(hash, policies + size, "\0\0\1\x92", name, 2 + size, true);
	policy_step(hash, ret_policy, "\0\0\1\x71", policies, 2 * size, true);
}

static void
high_range_templates_have_the_policy_of_the_profile(void **state)
{
	uint8_t policy[64];
	uint8_t area[ATTEST_PUBLIC_SIZE_MAX];
	struct attest_error err;

	(void)state;
	/* H-2: the P-256 key of L-2 with userWithAuth and PolicyB. */
	struct bytes low = {tpms[1].ek_public, tpms[1].ek_public_size};
	high_range(&tpms[1], EVP_sha256(), 0x000b, 1, policy);
	memcpy(area, low.data, low.size);
	area[7] = 0xf2;
	memcpy(area + 10, policy, 32);
	assert_true(ek_accepts((struct bytes){area, low.size}, &err));
	/* The low attributes do not go with it. */
	area[7] = 0xb2;
	assert_false(ek_accepts((struct bytes){area, low.size}, &err));
	assert_string_equal(err.check, "ek.template");
	/* H-1, likewise, of the RSA key; and H-3, which the software TPM makes by itself. */
	low = (struct bytes){tpms[0].ek_public, tpms[0].ek_public_size};
	memcpy(area, low.data, low.size);
	area[7] = 0xf2;
	memcpy(area + 10, policy, 32);
	assert_true(ek_accepts((struct bytes){area, low.size}, &err));
	high_range(&tpms[2], EVP_sha384(), 0x000c, 2, policy);
	assert_memory_equal(tpms[2].ek_public + 10, policy, 48);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ak_is_named_as_a_tpm_names_it),
		cmocka_unit_test(an_ak_of_another_size_is_refused),
		cmocka_unit_test(an_ak_with_any_bit_flipped_is_refused),
		cmocka_unit_test(an_ak_of_another_template_is_refused_by_name),
		cmocka_unit_test(an_rsa_ak_is_taken_by_its_own_template),
		cmocka_unit_test(a_refusal_shows_what_was_expected_and_seen),
		cmocka_unit_test(an_ak_with_short_or_padded_coordinates_is_refused),
		cmocka_unit_test(eks_of_each_template_are_taken),
		cmocka_unit_test(spoiled_eks_are_refused),
		cmocka_unit_test(high_range_templates_have_the_policy_of_the_profile),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
