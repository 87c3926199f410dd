/* SPDX-License-Identifier: Apache-2.0 */
/* TPMT_SIGNATURE, and whether a key made it over a message. Private to the verifier. */
#ifndef POSTERN_ATTEST_SIGNATURE_H
#define POSTERN_ATTEST_SIGNATURE_H

#include "publickey.h"

/* Points into what was decoded. */
struct signature {
	uint16_t algorithm;
	uint16_t hash;
	struct bytes numbers[2]; /* an RSA signature; r and s. Empty of other algorithms */
};
/* False: it does not parse, or something follows it, or its algorithm is none that signs. The body
 * of a known algorithm that is not accepted is not looked at, so that it can be told. */
bool signature_decode(struct bytes tpmt_signature, struct signature *ret_signature);

/* Decodes, and refuses a scheme that is not the key's. Where the key has none
 * (SubjectPublicKeyInfo) it is the signature's, if that is one of the key's kind. `subject` begins
 * the names of checks: "quote" gives "quote.scheme", "quote.signature.parse". */
__attribute__((warn_unused_result)) enum attest_status
signature_read(const char *subject, const struct signing_key *key, struct bytes tpmt_signature,
	       struct signature *ret_signature, struct attest_error *err);
/* Of a signature that was read: the hash of its scheme. False: no memory. */
bool signature_open_hasher(const struct signing_key *key, const struct signature *signature,
			   struct hasher *ret_hasher);
/* "quote.signature.size", "quote.signature.zero", "quote.signature". */
__attribute__((warn_unused_result)) enum attest_status
signature_verify(const char *subject, const struct signing_key *key,
		 const struct signature *signature, struct hasher *hasher, struct bytes message,
		 struct attest_error *err);
/* All three, for those who need the hasher no more. */
__attribute__((warn_unused_result)) enum attest_status
signature_verify_message(const char *subject, const struct signing_key *key,
			 struct bytes tpmt_signature, struct bytes message,
			 struct attest_error *err);

#endif
