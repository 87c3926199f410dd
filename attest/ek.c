/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An EK is taken only from the TCG's templates, so that all of its attributes are known and none
 * comes from the wire: what is left to the guest is the key itself.
 */
#include "ek.h"

#include "error.h"
#include "tpm.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

/* PolicyA: TPM2_PolicySecret(TPM_RH_ENDORSEMENT). */
static const uint8_t POLICY_A[32] = {
	0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
	0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
	0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
};
/* PolicyB: PolicyA, or PolicyC = TPM2_PolicyAuthorizeNV of the index for that hash. */
static const uint8_t POLICY_B_SHA256[32] = {
	0xca, 0x3d, 0x0a, 0x99, 0xa2, 0xb9, 0x39, 0x06, 0xf7, 0xa3, 0x34,
	0x24, 0x14, 0xef, 0xcf, 0xb3, 0xa3, 0x85, 0xd4, 0x4c, 0xd1, 0xfd,
	0x45, 0x90, 0x89, 0xd1, 0x9b, 0x50, 0x71, 0xc0, 0xb7, 0xa0,
};
static const uint8_t POLICY_B_SHA384[48] = {
	0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc,
	0xf5, 0xfd, 0x3a, 0x1a, 0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4,
	0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca, 0xcb, 0x47, 0xba, 0x09,
	0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12,
};

/* fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt; the high
 * range adds userWithAuth. */
#define ATTRIBUTES_LOW	0x000300b2U
#define ATTRIBUTES_HIGH 0x000300f2U

#define RSA_KEY(name, bits, alg, attribute_bits, policy_bytes, aes)                                \
	{                                                                                          \
		.kind = (name), .type = TPM_ALG_RSA, .name_alg = TPM_ALG_##alg, .hash = #alg,      \
		.hash_size = sizeof(policy_bytes), .attributes = (attribute_bits),                 \
		.policy = {(policy_bytes), sizeof(policy_bytes)}, .aes_bits = (aes),               \
		.unique_size = (bits) / 8                                                          \
	}
#define ECC_KEY(name, curve_name, id, bits, alg, attribute_bits, policy_bytes, aes)                \
	{                                                                                          \
		.kind = (name), .curve = (curve_name), .curve_id = (id), .type = TPM_ALG_ECC,      \
		.name_alg = TPM_ALG_##alg, .hash = #alg, .hash_size = sizeof(policy_bytes),        \
		.attributes = (attribute_bits), .policy = {(policy_bytes), sizeof(policy_bytes)},  \
		.aes_bits = (aes), .unique_size = (bits) / 8                                       \
	}

/* For each kind the one that a certificate alone is taken for stands first. */
static const struct ek_template TEMPLATES[] = {
	/* L-1 */ RSA_KEY("rsa-2048", 2048, SHA256, ATTRIBUTES_LOW, POLICY_A, 128),
	/* L-2 */
	ECC_KEY("ecc-p256", "P-256", TPM_ECC_NIST_P256, 256, SHA256, ATTRIBUTES_LOW, POLICY_A, 128),
	/* H-1 */ RSA_KEY("rsa-2048", 2048, SHA256, ATTRIBUTES_HIGH, POLICY_B_SHA256, 128),
	/* H-2 */
	ECC_KEY("ecc-p256", "P-256", TPM_ECC_NIST_P256, 256, SHA256, ATTRIBUTES_HIGH,
		POLICY_B_SHA256, 128),
	/* H-3 */
	ECC_KEY("ecc-p384", "P-384", TPM_ECC_NIST_P384, 384, SHA384, ATTRIBUTES_HIGH,
		POLICY_B_SHA384, 256),
	/* H-6 */ RSA_KEY("rsa-3072", 3072, SHA384, ATTRIBUTES_HIGH, POLICY_B_SHA384, 256),
	/* H-7 */ RSA_KEY("rsa-4096", 4096, SHA384, ATTRIBUTES_HIGH, POLICY_B_SHA384, 256),
};
#define TEMPLATE_COUNT (sizeof(TEMPLATES) / sizeof(TEMPLATES[0]))

/* TPMT_PUBLIC up to `unique` (TPM 2.0 Library Part 2, 12.2.4). */
static void
write_template(struct writer *w, const struct ek_template *template)
{
	write_be16(w, template->type);
	write_be16(w, template->name_alg);
	write_be32(w, template->attributes);
	write_bytes_be16(w, template->policy);
	write_be16(w, TPM_ALG_AES);
	write_be16(w, template->aes_bits);
	write_be16(w, TPM_ALG_CFB);
	write_be16(w, TPM_ALG_NULL); /* scheme */
	if (template->type == TPM_ALG_RSA) {
		write_be16(w, (uint16_t)(8 * template->unique_size));
		write_be32(w, 0); /* exponent: 0 stands for 65537 */
	} else {
		write_be16(w, template->curve_id);
		write_be16(w, TPM_ALG_NULL); /* kdf */
	}
}

static void
write_public(struct writer *w, const struct attest_ek *ek)
{
	size_t part = ek->template->unique_size;

	write_template(w, ek->template);
	write_bytes_be16(w, (struct bytes){ek->unique, part});
	if (ek->template->type == TPM_ALG_ECC)
		write_bytes_be16(w, (struct bytes){ek->unique + part, part});
}

/* RSA: TPM2B modulus. ECC: TPM2B x, TPM2B y, padded to the curve's size (Part 1, C.8). */
static bool
read_unique(struct reader *r, struct attest_ek *ek)
{
	size_t part = ek->template->unique_size;
	size_t parts = ek->template->type == TPM_ALG_ECC ? 2 : 1;

	for (size_t i = 0; i < parts; i++) {
		struct bytes value = read_bytes_be16(r);
		if (value.size != part)
			return false;
		memcpy(ek->unique + i * part, value.data, part);
	}
	ek->unique_size = parts * part;
	return reader_finished(r);
}

/* The modulus: full length, so that "rsa-2048" is no less than it says, and odd. */
static bool
modulus_is_plausible(struct bytes modulus)
{
	return (modulus.data[0] & 0x80) != 0 && (modulus.data[modulus.size - 1] & 1) != 0;
}

static enum attest_status
load_key(struct attest_ek *ek, struct attest_error *err)
{
	size_t part = ek->template->unique_size;
	struct bytes first = {ek->unique, part};
	struct bytes second = {ek->unique + part, part};

	if (ek->template->type == TPM_ALG_RSA && !modulus_is_plausible(first))
		return attest_differs_text(err, ATTEST_REFUSED, "ek.modulus", "odd, top bit set",
					   "even or short", "the EK's modulus is none");
	ek->key = ek->template->type == TPM_ALG_RSA
			  ? rsa_key_new(first)
			  : ec_key_new(ek->template->curve, first, second);
	if (ek->key == NULL && ek->template->type == TPM_ALG_ECC)
		return attest_differs_text(err, ATTEST_REFUSED, "ek.point", "a point on the curve",
					   "none", "the EK's point is not on its curve");
	return ek->key == NULL ? attest_fail_memory(err) : ATTEST_OK;
}

/* Completes an EK that has its template and its unique field. */
static enum attest_status
finish(struct attest_ek *ek, struct attest_error *err)
{
	uint8_t area[ATTEST_PUBLIC_SIZE_MAX];
	struct writer w = writer_of(area, sizeof(area));
	struct writer name = writer_of(ek->name.bytes, sizeof(ek->name.bytes));
	auto_hasher hasher = {0};
	uint8_t digest[HASH_SIZE_MAX];

	enum attest_status status = load_key(ek, err);
	if (status != ATTEST_OK)
		return status;
	write_public(&w, ek);
	struct bytes public_area = writer_bytes(&w);
	if (w.failed || !hasher_open(&hasher, ek->template->hash) ||
	    !hash_pieces(&hasher, &public_area, 1, digest) ||
	    !sha256((struct bytes){ek->unique, ek->unique_size}, ek->id))
		return attest_fail_memory(err);
	write_be16(&name, ek->template->name_alg);
	write_bytes(&name, (struct bytes){digest, ek->template->hash_size});
	ek->name.size = name.size;
	return ATTEST_OK;
}

static const struct ek_template *
find_template(struct bytes area, struct reader *ret_unique)
{
	for (size_t i = 0; i < TEMPLATE_COUNT; i++) {
		uint8_t memory[128];
		struct writer w = writer_of(memory, sizeof(memory));
		struct reader r = reader_of(area);

		write_template(&w, &TEMPLATES[i]);
		struct bytes fixed = read_bytes(&r, w.size);
		if (!w.failed && !r.failed && bytes_equal(fixed, writer_bytes(&w))) {
			*ret_unique = r;
			return &TEMPLATES[i];
		}
	}
	return NULL;
}

static void
ek_free_at(struct attest_ek **ek)
{
	attest_ek_free(*ek);
}
#define auto_ek __attribute__((cleanup(ek_free_at))) struct attest_ek

static struct attest_ek *
give(struct attest_ek **ek)
{
	struct attest_ek *given = *ek;

	*ek = NULL;
	return given;
}

enum attest_status
attest_ek_decode(struct bytes tpmt_public, struct attest_ek **ret_ek, struct attest_error *err)
{
	struct reader r;

	if (tpmt_public.size > ATTEST_PUBLIC_SIZE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "ek.size", "EK of %zu bytes, at most %d",
				   tpmt_public.size, ATTEST_PUBLIC_SIZE_MAX);
	const struct ek_template *template = find_template(tpmt_public, &r);
	if (template == NULL)
		return attest_differs(err, ATTEST_REFUSED, "ek.template", (struct bytes){0},
				      tpmt_public,
				      "the EK is made from none of the TCG's templates");
	auto_ek *ek = calloc(1, sizeof(*ek));
	if (ek == NULL)
		return attest_fail_memory(err);
	ek->template = template;
	if (!read_unique(&r, ek))
		return attest_fail(err, ATTEST_MALFORMED, "ek.parse",
				   "TPMT_PUBLIC of the EK: %zu bytes do not parse as %s",
				   tpmt_public.size, template->kind);
	enum attest_status status = finish(ek, err);
	if (status == ATTEST_OK)
		*ret_ek = give(&ek);
	return status;
}

/* The key's unique field, where its size and exponent are those of `template`. */
static bool
fits(const EVP_PKEY *key, const struct ek_template *template, struct attest_ek *ek)
{
	size_t size = template->unique_size;
	uint64_t exponent;

	if (template->type == TPM_ALG_RSA) {
		ek->unique_size = size;
		return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
		       rsa_key_numbers(key, ek->unique, &size, &exponent) &&
		       size == template->unique_size && exponent == RSA_F4;
	}
	char group[32];
	ek->unique_size = 2 * size;
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
	       OBJ_sn2nid(group) == EC_curve_nist2nid(template->curve) &&
	       ec_key_point(key, size, ek->unique, ek->unique + size);
}

enum attest_status
ek_from_key(const EVP_PKEY *key, struct attest_ek **ret_ek, struct attest_error *err)
{
	auto_ek *ek = calloc(1, sizeof(*ek));

	if (ek == NULL)
		return attest_fail_memory(err);
	for (size_t i = 0; i < TEMPLATE_COUNT && ek->template == NULL; i++)
		if (fits(key, &TEMPLATES[i], ek))
			ek->template = &TEMPLATES[i];
	if (ek->template == NULL)
		return attest_fail(err, ATTEST_UNSUPPORTED, "ek.kind",
				   "a key of %d bits, or of another exponent or curve than an EK's",
				   EVP_PKEY_get_bits(key));
	enum attest_status status = finish(ek, err);
	if (status == ATTEST_OK)
		*ret_ek = give(&ek);
	return status;
}

void
attest_ek_free(struct attest_ek *ek)
{
	if (ek == NULL)
		return;
	EVP_PKEY_free(ek->key);
	free(ek);
}

void
attest_ek_id(const struct attest_ek *ek, uint8_t ret_id[ATTEST_HASH_SIZE])
{
	memcpy(ret_id, ek->id, sizeof(ek->id));
}

const struct attest_name *
attest_ek_name(const struct attest_ek *ek)
{
	return &ek->name;
}

const char *
attest_ek_kind(const struct attest_ek *ek)
{
	return ek->template->kind;
}
