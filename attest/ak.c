/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An AK that equals the template is restricted and fixed to its TPM: it signs nothing that looks
 * like an attestation but what the TPM made. That it lives in a TPM at all, only the credential
 * proves.
 */
#include "ak.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>

#define COORDINATE_SIZE 32

/* Postern's template: TPMT_PUBLIC (Part 2, 12.2.4) up to `unique`, field by field so that a refusal
 * can name the one that differs. The policy is SHA-256("postern/ak/v1"): no session satisfies it,
 * and no other verifier's key has it. */
static const uint8_t TYPE[] = {0x00, 0x23};		      /* ECC */
static const uint8_t NAME_ALG[] = {0x00, 0x0b};		      /* SHA-256 */
static const uint8_t ATTRIBUTES[] = {0x00, 0x05, 0x04, 0x72}; /* restricted, fixedTPM, sign... */
static const uint8_t POLICY[] = {0x00, 0x20, 0xe1, 0x40, 0xa9, 0xb7, 0x52, 0xaf, 0x8d,
				 0x34, 0x8f, 0xf8, 0x41, 0x71, 0xc3, 0xa5, 0xdf, 0xee,
				 0xe4, 0xa4, 0x41, 0xdc, 0x80, 0x82, 0xc2, 0xca, 0x33,
				 0x96, 0x5c, 0xf5, 0x86, 0x43, 0xb2, 0xec};
static const uint8_t SYMMETRIC[] = {0x00, 0x10};	  /* NULL */
static const uint8_t SCHEME[] = {0x00, 0x18, 0x00, 0x0b}; /* ECDSA, SHA-256 */
static const uint8_t CURVE[] = {0x00, 0x03};		  /* P-256 */
static const uint8_t KDF[] = {0x00, 0x10};		  /* NULL */

static const struct {
	const char *check;
	struct bytes value;
} FIELDS[] = {
	{"ak.type", {TYPE, sizeof(TYPE)}},
	{"ak.nameAlg", {NAME_ALG, sizeof(NAME_ALG)}},
	{"ak.attributes", {ATTRIBUTES, sizeof(ATTRIBUTES)}},
	{"ak.policy", {POLICY, sizeof(POLICY)}},
	{"ak.symmetric", {SYMMETRIC, sizeof(SYMMETRIC)}},
	{"ak.scheme", {SCHEME, sizeof(SCHEME)}},
	{"ak.curve", {CURVE, sizeof(CURVE)}},
	{"ak.kdf", {KDF, sizeof(KDF)}},
};
#define FIELD_COUNT (sizeof(FIELDS) / sizeof(FIELDS[0]))

struct area {
	struct bytes fields[FIELD_COUNT];
	struct bytes x;
	struct bytes y;
};

static enum attest_status
decode(struct bytes input, struct area *ret_area, struct attest_error *err)
{
	struct area area = {0};
	struct reader r = reader_of(input);

	/* The first field that differs is told even when what follows it is laid out otherwise. */
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		area.fields[i] = read_bytes(&r, FIELDS[i].value.size);
		if (!r.failed && !bytes_equal(area.fields[i], FIELDS[i].value))
			return attest_differs(err, ATTEST_REFUSED, FIELDS[i].check, FIELDS[i].value,
					      area.fields[i],
					      "the AK is not made from the template");
	}
	area.x = read_bytes_be16(&r);
	area.y = read_bytes_be16(&r);
	if (!reader_finished(&r))
		return attest_fail(err, ATTEST_MALFORMED, "ak.parse",
				   "TPMT_PUBLIC of the AK: %zu bytes do not parse", input.size);
	/* One encoding for one key: TPMs print coordinates padded (Part 2, 11.2.5.1). */
	if (area.x.size != COORDINATE_SIZE || area.y.size != COORDINATE_SIZE)
		return attest_fail(err, ATTEST_REFUSED, "ak.unique",
				   "coordinates of %zu and %zu bytes on P-256", area.x.size,
				   area.y.size);
	*ret_area = area;
	return ATTEST_OK;
}

/* Name = nameAlg || H(TPMT_PUBLIC); QN = nameAlg || H(QN of the parent || Name), and a
 * hierarchy's own is its handle (TPM 2.0 Library Part 1, 16 and 26.5). */
static bool
name_key(struct attest_ak *ak, struct bytes input)
{
	static const uint8_t endorsement[] = {0x40, 0x00, 0x00, 0x0b};
	auto_hasher hasher = {0};
	struct bytes parent_and_name[] = {BYTES_OF(endorsement), {ak->name.bytes, 0}};

	memcpy(ak->name.bytes, NAME_ALG, sizeof(NAME_ALG));
	memcpy(ak->qualified_name, NAME_ALG, sizeof(NAME_ALG));
	ak->name.size = QUALIFIED_NAME_SIZE;
	parent_and_name[1].size = ak->name.size;
	return hasher_open_with(&hasher, ak->hash) &&
	       hash_pieces(&hasher, &input, 1, ak->name.bytes + sizeof(NAME_ALG)) &&
	       hash_pieces(&hasher, parent_and_name, 2, ak->qualified_name + sizeof(NAME_ALG));
}

enum attest_status
attest_ak_decode(struct bytes tpmt_public, struct attest_ak **ret_ak, struct attest_error *err)
{
	struct area area = {0};

	if (tpmt_public.size > ATTEST_PUBLIC_SIZE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "ak.size", "AK of %zu bytes, at most %d",
				   tpmt_public.size, ATTEST_PUBLIC_SIZE_MAX);
	enum attest_status status = decode(tpmt_public, &area, err);
	if (status != ATTEST_OK)
		return status;

	struct attest_ak *ak = calloc(1, sizeof(*ak));
	if (ak == NULL)
		return attest_fail_memory(err);
	ak->hash = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (ak->hash == NULL || !name_key(ak, tpmt_public)) {
		attest_ak_free(ak);
		return attest_fail_memory(err);
	}
	ak->key = ec_key_new("P-256", area.x, area.y);
	if (ak->key == NULL) {
		attest_ak_free(ak);
		return attest_differs(err, ATTEST_REFUSED, "ak.point", (struct bytes){0}, area.x,
				      "the AK's point is not on P-256");
	}
	*ret_ak = ak;
	return ATTEST_OK;
}

void
attest_ak_free(struct attest_ak *ak)
{
	if (ak == NULL)
		return;
	EVP_PKEY_free(ak->key);
	EVP_MD_free(ak->hash);
	free(ak);
}

const struct attest_name *
attest_ak_name(const struct attest_ak *ak)
{
	return &ak->name;
}
