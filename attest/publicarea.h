/* SPDX-License-Identifier: Apache-2.0 */
/* TPMT_PUBLIC, decoded, named, and what its attributes promise. Private to the verifier. */
#ifndef POSTERN_ATTEST_PUBLICAREA_H
#define POSTERN_ATTEST_PUBLICAREA_H

#include "crypto.h"

/* The hashes that are accepted: SHA-256, SHA-384, SHA-512. */
struct hash_kind {
	uint16_t algorithm; /* TPM_ALG_ID */
	uint16_t size;
	const char *name; /* "SHA256", as OpenSSL calls it */
};
const struct hash_kind *hash_kind_of(uint16_t algorithm); /* NULL: none of them */

/* TPMT_PUBLIC of an RSA or ECC key, decoded and not judged. Points into what was decoded. */
struct public_area {
	struct bytes whole;
	uint16_t type; /* TPM_ALG_RSA or TPM_ALG_ECC */
	uint16_t name_alg;
	uint32_t attributes;
	struct bytes policy;
	uint16_t symmetric;
	uint16_t scheme; /* TPM_ALG_NULL: none */
	uint16_t scheme_hash;
	uint16_t bits;		/* RSA */
	uint32_t exponent;	/* RSA; 0 stands for 65537 */
	uint16_t curve;		/* ECC */
	struct bytes unique[2]; /* the modulus; x and y */
};
/* False: it does not parse, is of another type, or something follows it. */
bool public_area_decode(struct bytes tpmt_public, struct public_area *ret_area);

/* nameAlg || H(area). Refuses nameAlgs that are no hash_kind: "ak.nameAlg". */
__attribute__((warn_unused_result)) enum attest_status
public_area_name(const struct public_area *area, struct attest_name *ret_name,
		 struct attest_error *err);
/* What makes a signature by this key an attestation: restricted, fixedTPM, fixedParent,
 * sensitiveDataOrigin, sign, and not decrypt. "ak.restricted" and so on. */
__attribute__((warn_unused_result)) enum attest_status
public_area_check_attributes(const struct public_area *area, struct attest_error *err);

#endif
