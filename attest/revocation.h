/* SPDX-License-Identifier: Apache-2.0 */
/* What CAs have revoked. Private to the verifier. */
#ifndef POSTERN_ATTEST_REVOCATION_H
#define POSTERN_ATTEST_REVOCATION_H

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

#endif
