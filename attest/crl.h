/* SPDX-License-Identifier: Apache-2.0 */
/* One CRL: reading it, and what it must be to be believed. Private to the verifier. */
#ifndef POSTERN_ATTEST_CRL_H
#define POSTERN_ATTEST_CRL_H

#include "pile.h"

static inline void
crl_free_at(X509_CRL **crl)
{
	X509_CRL_free(*crl);
}
#define auto_crl __attribute__((cleanup(crl_free_at))) X509_CRL

/* `prefix` ("ek.chain.crl", "crl") begins the names of checks. */
enum attest_status crl_refuse(struct attest_error *err, enum attest_status status,
			      const char *prefix, const char *what, const char *message);
/* All of it, and nothing behind. NULL: not one, or out of memory. */
X509_CRL *crl_parse(struct bytes der);
/* Signed by that key, and with a hash that is accepted. ATTEST_SIGNATURE: not by that key. */
__attribute__((warn_unused_result)) enum attest_status
crl_check_signature(X509_CRL *crl, X509 *issuer, const char *prefix, struct attest_error *err);
/* Neither a delta nor indirect, with a nextUpdate, and nothing critical that is unknown. */
__attribute__((warn_unused_result)) enum attest_status
crl_check_form(X509_CRL *crl, const char *prefix, struct attest_error *err);
__attribute__((warn_unused_result)) enum attest_status
crl_check_usage(X509 *issuer, const char *prefix, struct attest_error *err);
/* removeFromCRL takes an entry back; a reason that does not parse does not. */
bool crl_is_taken_back(const X509_REVOKED *entry);

/* SHA-256 of the issuer's id and a serial number. False: out of memory. */
bool crl_link(const uint8_t issuer_id[ATTEST_HASH_SIZE], const ASN1_INTEGER *serial,
	      uint8_t ret_link[ATTEST_HASH_SIZE]);

#endif
