/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that sign attestations: from a TPMT_PUBLIC, or from a SubjectPublicKeyInfo, which says less.
 * Private to the verifier. */
#ifndef POSTERN_ATTEST_PUBLICKEY_H
#define POSTERN_ATTEST_PUBLICKEY_H

#include "publicarea.h"

/* Not changed after it is made, so that threads may share it. */
struct signing_key {
	EVP_PKEY *key;
	EVP_MD *hash;	      /* of the scheme; NULL where the key has none */
	uint16_t type;	      /* TPM_ALG_RSA or TPM_ALG_ECC */
	uint16_t scheme;      /* TPM_ALG_NULL: nothing is known of it */
	uint16_t scheme_hash; /* TPM_ALG_NULL with it */
	uint16_t bits;	      /* of the modulus, or of the curve */
	size_t size;	      /* of an RSA signature, or of r and s at most */
};
/* P-256 or P-384 with ECDSA, RSA of 2048-4096 bits with RSASSA or RSAPSS, with a hash of those
 * above. The checks are called "ak.curve", "ak.point", "ak.scheme"... */
__attribute__((warn_unused_result)) enum attest_status
signing_key_from_area(const struct public_area *area, struct signing_key *ret_key,
		      struct attest_error *err);
/* A key out of a SubjectPublicKeyInfo has no scheme of its own. */
__attribute__((warn_unused_result)) enum attest_status
signing_key_from_pkey(const EVP_PKEY *foreign, struct signing_key *ret_key,
		      struct attest_error *err);
void signing_key_clear(struct signing_key *key);
#define auto_signing_key __attribute__((cleanup(signing_key_clear))) struct signing_key

#endif
