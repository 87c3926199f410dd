/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding and judging are apart: public_area_decode takes whatever a TPM can print, and what of it
 * is accepted is decided below, by name. Whatever form a key came in, OpenSSL's is made anew from
 * its numbers, so that there is one place that looks at them.
 */
#include "publickey.h"

#include "error.h"
#include "tpm.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define MODULUS_BITS_MIN 2048
#define MODULUS_BITS_MAX 4096

static const struct hash_kind HASHES[] = {
	{TPM_ALG_SHA256, 32, "SHA256"},
	{TPM_ALG_SHA384, 48, "SHA384"},
	{TPM_ALG_SHA512, 64, "SHA512"},
};

static const struct curve {
	uint16_t id;
	uint16_t bits;
	const char *name;
} CURVES[] = {
	{TPM_ECC_NIST_P256, 256, "P-256"},
	{TPM_ECC_NIST_P384, 384, "P-384"},
};
#define CURVE_COUNT (sizeof(CURVES) / sizeof(CURVES[0]))

const struct hash_kind *
hash_kind_of(uint16_t algorithm)
{
	for (size_t i = 0; i < sizeof(HASHES) / sizeof(HASHES[0]); i++)
		if (HASHES[i].algorithm == algorithm)
			return &HASHES[i];
	return NULL;
}

/* ---- TPMT_PUBLIC ---- */

/* TPMT_SYM_DEF_OBJECT, Part 2, 11.1.7: XOR, which has another layout, protects no object. */
static uint16_t
read_symmetric(struct reader *r)
{
	uint16_t algorithm = read_be16(r);

	if (algorithm != TPM_ALG_NULL) {
		read_be16(r); /* keyBits */
		read_be16(r); /* mode */
	}
	return algorithm;
}

/* TPMT_RSA_SCHEME, 11.2.4.2, and TPMT_ECC_SCHEME, 11.2.5.6: a hash follows all but two. */
static void
read_scheme(struct reader *r, struct public_area *area)
{
	area->scheme = read_be16(r);
	area->scheme_hash = TPM_ALG_NULL;
	if (area->scheme != TPM_ALG_NULL && area->scheme != TPM_ALG_RSAES)
		area->scheme_hash = read_be16(r);
	if (area->scheme == TPM_ALG_ECDAA)
		read_be16(r); /* count */
}

static void
read_rsa(struct reader *r, struct public_area *area)
{
	area->symmetric = read_symmetric(r);
	read_scheme(r, area);
	area->bits = read_be16(r);
	area->exponent = read_be32(r);
	area->unique[0] = read_bytes_be16(r);
}

static void
read_ecc(struct reader *r, struct public_area *area)
{
	area->symmetric = read_symmetric(r);
	read_scheme(r, area);
	area->curve = read_be16(r);
	if (read_be16(r) != TPM_ALG_NULL) /* kdf */
		read_be16(r);
	area->unique[0] = read_bytes_be16(r);
	area->unique[1] = read_bytes_be16(r);
}

/* Part 2, 12.2.4; TPMS_RSA_PARMS, 12.2.3.5; TPMS_ECC_PARMS, 12.2.3.6. */
bool
public_area_decode(struct bytes tpmt_public, struct public_area *ret_area)
{
	struct public_area area = {.whole = tpmt_public};
	struct reader r = reader_of(tpmt_public);

	area.type = read_be16(&r);
	area.name_alg = read_be16(&r);
	area.attributes = read_be32(&r);
	area.policy = read_bytes_be16(&r);
	if (area.type == TPM_ALG_RSA)
		read_rsa(&r, &area);
	else if (area.type == TPM_ALG_ECC)
		read_ecc(&r, &area);
	else
		reader_fail(&r);
	if (!reader_finished(&r))
		return false;
	*ret_area = area;
	return true;
}

enum attest_status
public_area_name(const struct public_area *area, struct attest_name *ret_name,
		 struct attest_error *err)
{
	const struct hash_kind *hash = hash_kind_of(area->name_alg);
	uint8_t digest[HASH_SIZE_MAX];
	struct attest_name name;
	struct writer w = writer_of(name.bytes, sizeof(name.bytes));
	auto_hasher hasher = {0};

	if (hash == NULL)
		return attest_fail(err, ATTEST_REFUSED, "ak.nameAlg",
				   "a name by algorithm %04x, which is not SHA-2", area->name_alg);
	if (!hasher_open(&hasher, hash->name) || !hash_pieces(&hasher, &area->whole, 1, digest))
		return attest_fail_memory(err);
	write_be16(&w, area->name_alg);
	write_bytes(&w, (struct bytes){digest, hash->size});
	name.size = w.size;
	*ret_name = name;
	return ATTEST_OK;
}

enum attest_status
public_area_check_attributes(const struct public_area *area, struct attest_error *err)
{
	/* clang-format off: a table */
	static const struct {
		uint32_t bit;
		bool wanted;
		const char *check;
		const char *why;
	} wanted[] = {
		{TPMA_OBJECT_SIGN, true, "ak.sign", "the key does not sign"},
		{TPMA_OBJECT_RESTRICTED, true, "ak.restricted",
		 "an unrestricted key signs whatever it is given, a forged quote as well"},
		{TPMA_OBJECT_DECRYPT, false, "ak.decrypt", "the key decrypts as well as signs"},
		{TPMA_OBJECT_FIXEDTPM, true, "ak.fixedTPM",
		 "the key may be duplicated to another TPM"},
		{TPMA_OBJECT_FIXEDPARENT, true, "ak.fixedParent",
		 "the key may be moved to another parent"},
		{TPMA_OBJECT_SENSITIVEDATAORIGIN, true, "ak.sensitiveDataOrigin",
		 "the private key was made outside of the TPM"},
	};
	/* clang-format on */
	char seen[16];

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (((area->attributes & wanted[i].bit) != 0) == wanted[i].wanted)
			continue;
		snprintf(seen, sizeof(seen), "%08x", area->attributes);
		return attest_differs_text(err, ATTEST_REFUSED, wanted[i].check,
					   wanted[i].wanted ? "set" : "clear", seen, wanted[i].why);
	}
	return ATTEST_OK;
}

/* ---- keys ---- */

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
				   "signs by scheme %04x with hash %04x; accepted are ECDSA, "
				   "RSASSA and RSAPSS with SHA-256, SHA-384 or SHA-512",
				   area->scheme, area->scheme_hash);
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
signing_key_from_spki(struct bytes der, struct signing_key *ret_key, struct attest_error *err)
{
	auto_signing_key key = {.scheme = TPM_ALG_NULL, .scheme_hash = TPM_ALG_NULL};
	const unsigned char *next = der.data;

	if (der.size > ATTEST_CERTIFICATE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "ak.size", "a key of %zu bytes, at most %d",
				   der.size, ATTEST_CERTIFICATE_MAX);
	auto_pkey *foreign = d2i_PUBKEY(NULL, &next, (long)der.size);
	ERR_clear_error();
	if (foreign == NULL || next != der.data + der.size)
		return attest_fail(err, ATTEST_MALFORMED, "ak.parse",
				   "SubjectPublicKeyInfo: %zu bytes do not parse", der.size);
	enum attest_status status = load_foreign(foreign, &key, err);
	if (status == ATTEST_OK)
		*ret_key = give(&key);
	return status;
}
