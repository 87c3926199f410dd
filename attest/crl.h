/* SPDX-License-Identifier: Apache-2.0 */
/* What CAs have revoked. Private to the verifier. */
#ifndef POSTERN_ATTEST_CRL_H
#define POSTERN_ATTEST_CRL_H

#include "pile.h"

/* CRLs are read when their issuer comes up, and then let go: a broker holds many megabytes of them,
 * and one path needs few. */
struct revocation {
	const char *subject; /* "ek" gives "ek.chain.revoked" */
	const struct attest_trust *trust;
	const struct pile *anchors;
	size_t read; /* bytes so far, for the bound */
};

/* Does `issuer`, which signed `subject`, say that it no longer vouches for it? *ret_asked: it has a
 * CRL. */
__attribute__((warn_unused_result)) enum attest_status
revocation_check(struct revocation *revocation, X509 *issuer, const X509 *subject, bool *ret_asked,
		 struct attest_error *err);

/* SHA-256 of the issuer's id and a serial number. False: out of memory. */
bool revocation_link(const uint8_t issuer_id[ATTEST_HASH_SIZE], const ASN1_INTEGER *serial,
		     uint8_t ret_link[ATTEST_HASH_SIZE]);

#endif
