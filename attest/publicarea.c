/* SPDX-License-Identifier: Apache-2.0 */
#include "publicarea.h"

#include "error.h"
#include "tpm.h"

#include <stdio.h>

static const struct hash_kind HASHES[] = {
	{TPM_ALG_SHA256, 32, "SHA256"},
	{TPM_ALG_SHA384, 48, "SHA384"},
	{TPM_ALG_SHA512, 64, "SHA512"},
};

const struct hash_kind *
hash_kind_of(uint16_t algorithm)
{
	for (size_t i = 0; i < sizeof(HASHES) / sizeof(HASHES[0]); i++)
		if (HASHES[i].algorithm == algorithm)
			return &HASHES[i];
	return NULL;
}

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

	snprintf(seen, sizeof(seen), "%08x", area->attributes);
	if ((area->attributes & TPMA_OBJECT_RESERVED) != 0)
		return attest_differs_text(err, ATTEST_REFUSED, "ak.reserved", "clear", seen,
					   "reserved attributes are set, which no TPM does");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (((area->attributes & wanted[i].bit) != 0) == wanted[i].wanted)
			continue;
		return attest_differs_text(err, ATTEST_REFUSED, wanted[i].check,
					   wanted[i].wanted ? "set" : "clear", seen, wanted[i].why);
	}
	return ATTEST_OK;
}
