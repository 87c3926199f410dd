/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CAs have revoked, as operators brought it: the newest CRL of each id, opaque, for the
 * appraiser of an enrolment. Whom a CRL revokes, its act says beside it.
 */
#ifndef POSTERN_KEEPER_CRLS_H
#define POSTERN_KEEPER_CRLS_H

#include "wire/operation.h"

#include <stdatomic.h>

/* Never changed once made: an enrolment that is being examined holds what an act may replace. */
struct crl_bytes {
	atomic_uint holders;
	size_t size;
	uint8_t der[];
};
struct crl_bytes *crl_bytes_new(struct bytes der); /* held once; NULL: no memory */
struct crl_bytes *crl_bytes_hold(struct crl_bytes *bytes);
void crl_bytes_drop(struct crl_bytes *bytes); /* NULL is fine */

struct crl {
	char id[65]; /* hex: attest_crl's, mostly that of its issuer as an anchor */
	char issuer[162];
	char operator_name[65];
	uint64_t revision; /* of the act that added it */
	int64_t issued;
	int64_t expires;
	size_t revoked; /* how many certificates */
	struct crl_bytes *bytes;
};

/* At most ATTEST_CRLS_MAX of WIRE_CRLS_SIZE_MAX bytes together. */
struct trust_crls {
	struct crl *items;
	size_t count;
};
void trust_crls_clear(struct trust_crls *crls);
struct crl *trust_crl(const struct trust_crls *crls, struct bytes hex_id);
size_t trust_crls_size(const struct trust_crls *crls); /* bytes of all */
/* Takes `crl` over, in place of the one of the same id if there is one. False: no memory. */
__attribute__((warn_unused_result)) bool trust_crl_put(struct trust_crls *crls,
						       const struct crl *crl);
void trust_crl_remove(struct trust_crls *crls, struct crl *crl);

#endif
