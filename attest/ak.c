/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An AK that equals the template is restricted and fixed to its TPM: it signs nothing that looks
 * like an attestation but what the TPM made. That it lives in a TPM at all, only the credential
 * proves.
 */
#include "ak.h"

#include "error.h"
#include "tpm.h"

#include <stdlib.h>
#include <string.h>

/* Postern's templates: TPMT_PUBLIC (Part 2, 12.2.4) up to `unique`, field by field so that a
 * refusal can name the one that differs. The policy is SHA-256("postern/ak/v1"): no session
 * satisfies it, and no other verifier's key has it. */
static const uint8_t ECC_TYPE[] = {0x00, 0x23};
static const uint8_t RSA_TYPE[] = {0x00, 0x01};
static const uint8_t NAME_ALG[] = {0x00, 0x0b};		      /* SHA-256 */
static const uint8_t ATTRIBUTES[] = {0x00, 0x05, 0x04, 0x72}; /* restricted, fixedTPM, sign... */
static const uint8_t POLICY[] = {0x00, 0x20, 0xe1, 0x40, 0xa9, 0xb7, 0x52, 0xaf, 0x8d,
				 0x34, 0x8f, 0xf8, 0x41, 0x71, 0xc3, 0xa5, 0xdf, 0xee,
				 0xe4, 0xa4, 0x41, 0xdc, 0x80, 0x82, 0xc2, 0xca, 0x33,
				 0x96, 0x5c, 0xf5, 0x86, 0x43, 0xb2, 0xec};
static const uint8_t NONE[] = {0x00, 0x10};		  /* TPM_ALG_NULL */
static const uint8_t ECDSA[] = {0x00, 0x18, 0x00, 0x0b};  /* with SHA-256 */
static const uint8_t RSASSA[] = {0x00, 0x14, 0x00, 0x0b}; /* with SHA-256 */
static const uint8_t P256[] = {0x00, 0x03};
static const uint8_t BITS_2048[] = {0x08, 0x00};
static const uint8_t EXPONENT[4]; /* 0 stands for 65537 */

struct field {
	const char *check;
	struct bytes value;
};
#define FIELD(name, array)                                                                         \
	{                                                                                          \
		.check = (name), .value = {(array), sizeof(array) }                                \
	}
#define FIELD_COUNT 8

static const struct field ECC_FIELDS[FIELD_COUNT] = {
	FIELD("ak.type", ECC_TYPE),
	FIELD("ak.nameAlg", NAME_ALG),
	FIELD("ak.attributes", ATTRIBUTES),
	FIELD("ak.policy", POLICY),
	FIELD("ak.symmetric", NONE),
	FIELD("ak.scheme", ECDSA),
	FIELD("ak.curve", P256),
	FIELD("ak.kdf", NONE),
};
static const struct field RSA_FIELDS[FIELD_COUNT] = {
	FIELD("ak.type", RSA_TYPE),	    FIELD("ak.nameAlg", NAME_ALG),
	FIELD("ak.attributes", ATTRIBUTES), FIELD("ak.policy", POLICY),
	FIELD("ak.symmetric", NONE),	    FIELD("ak.scheme", RSASSA),
	FIELD("ak.bits", BITS_2048),	    FIELD("ak.exponent", EXPONENT),
};

/* The first field that differs is told even when what follows it is laid out otherwise. */
static enum attest_status
check_template(struct bytes input, struct attest_error *err)
{
	struct reader r = reader_of(input);
	struct reader ahead = r;
	const struct field *fields =
		bytes_equal(read_bytes(&ahead, sizeof(RSA_TYPE)), BYTES_OF(RSA_TYPE)) ? RSA_FIELDS
										      : ECC_FIELDS;

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		struct bytes seen = read_bytes(&r, fields[i].value.size);
		if (!r.failed && !bytes_equal(seen, fields[i].value))
			return attest_differs(err, ATTEST_REFUSED, fields[i].check, fields[i].value,
					      seen, "the AK is not made from the template");
	}
	return ATTEST_OK;
}

static enum attest_status
decode(struct bytes input, struct public_area *ret_area, struct attest_error *err)
{
	struct public_area area;

	enum attest_status status = check_template(input, err);
	if (status != ATTEST_OK)
		return status;
	if (!public_area_decode(input, &area))
		return attest_fail(err, ATTEST_MALFORMED, "ak.parse",
				   "TPMT_PUBLIC of the AK: %zu bytes do not parse", input.size);
	/* One encoding for one key: TPMs print coordinates padded (Part 2, 11.2.5.1). */
	if (area.type == TPM_ALG_ECC && (area.unique[0].size != 32 || area.unique[1].size != 32))
		return attest_fail(err, ATTEST_REFUSED, "ak.unique",
				   "coordinates of %zu and %zu bytes on P-256", area.unique[0].size,
				   area.unique[1].size);
	*ret_area = area;
	return ATTEST_OK;
}

/* QN = nameAlg || H(QN of the parent || Name), and a hierarchy's own is its handle (TPM 2.0 Library
 * Part 1, 16 and 26.5). */
static bool
qualify(struct attest_ak *ak)
{
	static const uint8_t endorsement[] = {0x40, 0x00, 0x00, 0x0b};
	auto_hasher hasher = {0};
	struct bytes parent_and_name[] = {BYTES_OF(endorsement), {ak->name.bytes, ak->name.size}};

	memcpy(ak->qualified_name, NAME_ALG, sizeof(NAME_ALG));
	return hasher_open_with(&hasher, ak->key.hash) &&
	       hash_pieces(&hasher, parent_and_name, 2, ak->qualified_name + sizeof(NAME_ALG));
}

static void
ak_free_at(struct attest_ak **ak)
{
	attest_ak_free(*ak);
}
#define auto_ak __attribute__((cleanup(ak_free_at))) struct attest_ak

enum attest_status
attest_ak_decode(struct bytes tpmt_public, struct attest_ak **ret_ak, struct attest_error *err)
{
	struct public_area area;

	if (tpmt_public.size > ATTEST_PUBLIC_SIZE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "ak.size", "AK of %zu bytes, at most %d",
				   tpmt_public.size, ATTEST_PUBLIC_SIZE_MAX);
	enum attest_status status = decode(tpmt_public, &area, err);
	if (status != ATTEST_OK)
		return status;

	auto_ak *ak = calloc(1, sizeof(*ak));
	if (ak == NULL)
		return attest_fail_memory(err);
	status = signing_key_from_area(&area, &ak->key, err);
	if (status == ATTEST_OK)
		status = public_area_name(&area, &ak->name, err);
	if (status == ATTEST_OK && !qualify(ak))
		status = attest_fail_memory(err);
	if (status != ATTEST_OK)
		return status;
	*ret_ak = ak;
	ak = NULL;
	return ATTEST_OK;
}

void
attest_ak_free(struct attest_ak *ak)
{
	if (ak == NULL)
		return;
	signing_key_clear(&ak->key);
	free(ak);
}

const struct attest_name *
attest_ak_name(const struct attest_ak *ak)
{
	return &ak->name;
}
