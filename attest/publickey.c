/* SPDX-License-Identifier: Apache-2.0 */
/*
 * public_area_decode takes whatever a TPM can print; what of it is accepted is decided here, by
 * name. Whatever form a key came in, OpenSSL's is made anew from its numbers, so that there is one
 * place that looks at them.
 */
#include "publickey.h"

#include "error.h"
#include "inspect.h"
#include "tpm.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <string.h>

#define MODULUS_BITS_MIN 2048
#define MODULUS_BITS_MAX 4096

static const struct curve {
	uint16_t id;
	uint16_t bits;
	const char *name;
} CURVES[] = {
	{TPM_ECC_NIST_P256, 256, "P-256"},
	{TPM_ECC_NIST_P384, 384, "P-384"},
};
#define CURVE_COUNT (sizeof(CURVES) / sizeof(CURVES[0]))

void
signing_key_clear(struct signing_key *key)
{
	EVP_PKEY_free(key->key);
	EVP_MD_free(key->hash);
	*key = (struct signing_key){0};
}

static enum attest_status
load_rsa(struct bytes modulus, uint64_t exponent, struct signing_key *key, struct attest_error *err)
{
	size_t bits = 8 * modulus.size;

	if (bits < MODULUS_BITS_MIN || bits > MODULUS_BITS_MAX)
		return attest_fail(err, ATTEST_UNSUPPORTED, "ak.bits",
				   "a modulus of %zu bits, not %d to %d", bits, MODULUS_BITS_MIN,
				   MODULUS_BITS_MAX);
	/* Of its full length, so that "2048 bits" is no less than it says. */
	if ((modulus.data[0] & 0x80) == 0 || (modulus.data[modulus.size - 1] & 1) == 0)
		return attest_differs_text(err, ATTEST_REFUSED, "ak.modulus", "odd, top bit set",
					   "even or short", "the modulus is none");
	if (exponent != RSA_F4)
		return attest_fail(err, ATTEST_UNSUPPORTED, "ak.exponent",
				   "an exponent other than 65537");
	key->key = rsa_key_new(modulus);
	key->bits = (uint16_t)bits;
	key->size = modulus.size;
	return key->key == NULL ? attest_fail_memory(err) : ATTEST_OK;
}

/* Coordinates with or without leading zeros: TPMs print both (Part 1, C.8). */
static enum attest_status
load_ecc(const struct curve *curve, struct bytes x, struct bytes y, struct signing_key *key,
	 struct attest_error *err)
{
	uint8_t padded[2][COORDINATE_SIZE_MAX] = {{0}};
	size_t size = curve->bits / 8;

	if (x.size == 0 || x.size > size || y.size == 0 || y.size > size)
		return attest_fail(err, ATTEST_REFUSED, "ak.unique",
				   "coordinates of %zu and %zu bytes on %s", x.size, y.size,
				   curve->name);
	memcpy(padded[0] + size - x.size, x.data, x.size);
	memcpy(padded[1] + size - y.size, y.data, y.size);
	key->key = ec_key_new(curve->name, (struct bytes){padded[0], size},
			      (struct bytes){padded[1], size});
	key->bits = curve->bits;
	key->size = size;
	if (key->key == NULL)
		return attest_differs(err, ATTEST_REFUSED, "ak.point", (struct bytes){0}, x,
				      "the AK's point is not on its curve");
	return ATTEST_OK;
}

static enum attest_status
load_scheme(const struct public_area *area, struct signing_key *key, struct attest_error *err)
{
	const struct hash_kind *hash = hash_kind_of(area->scheme_hash);
	bool fits = area->type == TPM_ALG_ECC
			    ? area->scheme == TPM_ALG_ECDSA
			    : area->scheme == TPM_ALG_RSASSA || area->scheme == TPM_ALG_RSAPSS;

	if (!fits || hash == NULL)
		return attest_fail(err, ATTEST_UNSUPPORTED, "ak.scheme",
				   "the key signs by %s (%04x) with %s (%04x); accepted are ECDSA, "
				   "RSASSA and RSAPSS with SHA-256, SHA-384 or SHA-512",
				   attest_algorithm_name(area->scheme), area->scheme,
				   attest_algorithm_name(area->scheme_hash), area->scheme_hash);
	key->scheme = area->scheme;
	key->scheme_hash = area->scheme_hash;
	key->hash = EVP_MD_fetch(NULL, hash->name, NULL);
	return key->hash == NULL ? attest_fail_memory(err) : ATTEST_OK;
}

static enum attest_status
load_area(const struct public_area *area, struct signing_key *key, struct attest_error *err)
{
	if (area->type == TPM_ALG_RSA) {
		if (area->unique[0].size * 8 != area->bits)
			return attest_fail(err, ATTEST_REFUSED, "ak.modulus",
					   "%u bits and a modulus of %zu bytes", area->bits,
					   area->unique[0].size);
		return load_rsa(area->unique[0], area->exponent == 0 ? RSA_F4 : area->exponent, key,
				err);
	}
	for (size_t i = 0; i < CURVE_COUNT; i++)
		if (CURVES[i].id == area->curve)
			return load_ecc(&CURVES[i], area->unique[0], area->unique[1], key, err);
	return attest_fail(err, ATTEST_UNSUPPORTED, "ak.curve",
			   "a key on curve %04x, not on P-256 or P-384", area->curve);
}

static struct signing_key
give(struct signing_key *key)
{
	struct signing_key given = *key;

	*key = (struct signing_key){0};
	return given;
}

enum attest_status
signing_key_from_area(const struct public_area *area, struct signing_key *ret_key,
		      struct attest_error *err)
{
	auto_signing_key key = {.type = area->type};

	enum attest_status status = load_scheme(area, &key, err);
	if (status == ATTEST_OK)
		status = load_area(area, &key, err);
	if (status == ATTEST_OK)
		*ret_key = give(&key);
	return status;
}

/* By its numbers, as load_area. */
static enum attest_status
load_foreign(const EVP_PKEY *foreign, struct signing_key *key, struct attest_error *err)
{
	uint8_t numbers[MODULUS_SIZE_MAX];
	char group[32];
	uint64_t exponent = 0;
	size_t size = 0;

	if (EVP_PKEY_get_base_id(foreign) == EVP_PKEY_RSA &&
	    rsa_key_numbers(foreign, numbers, &size, &exponent)) {
		key->type = TPM_ALG_RSA;
		return load_rsa((struct bytes){numbers, size}, exponent, key, err);
	}
	for (size_t i = 0; i < CURVE_COUNT; i++) {
		size = CURVES[i].bits / 8;
		if (EVP_PKEY_get_base_id(foreign) != EVP_PKEY_EC ||
		    EVP_PKEY_get_group_name(foreign, group, sizeof(group), NULL) != 1 ||
		    OBJ_sn2nid(group) != EC_curve_nist2nid(CURVES[i].name) ||
		    !ec_key_point(foreign, size, numbers, numbers + size))
			continue;
		key->type = TPM_ALG_ECC;
		return load_ecc(&CURVES[i], (struct bytes){numbers, size},
				(struct bytes){numbers + size, size}, key, err);
	}
	return attest_fail(err, ATTEST_UNSUPPORTED, "ak.type",
			   "neither an RSA key of 2048 to 4096 bits nor one on P-256 or P-384");
}

enum attest_status
signing_key_from_pkey(const EVP_PKEY *foreign, struct signing_key *ret_key,
		      struct attest_error *err)
{
	auto_signing_key key = {.scheme = TPM_ALG_NULL, .scheme_hash = TPM_ALG_NULL};

	enum attest_status status = load_foreign(foreign, &key, err);
	if (status == ATTEST_OK)
		*ret_key = give(&key);
	return status;
}
