/* SPDX-License-Identifier: Apache-2.0 */
/* One certificate: reading it, and what it must say of itself to be an EK's or an issuer's. */
#ifndef POSTERN_ATTEST_CERTIFICATE_H
#define POSTERN_ATTEST_CERTIFICATE_H

#include "ek.h"
#include "endorsement.h"

static inline void
x509_free_at(X509 **certificate)
{
	X509_free(*certificate);
}
#define auto_x509 __attribute__((cleanup(x509_free_at))) X509

/* DER as it lies in NV: with the header of TCG_PCCLIENT_STORED_CERT or without, padded or not. */
__attribute__((warn_unused_result)) enum attest_status
certificate_load(struct bytes der, X509 **ret_certificate, struct attest_error *err);
/* A new reference; also for keys that are marked for OAEP alone, which OpenSSL does not load. */
EVP_PKEY *certificate_key(const X509 *certificate);
bool certificate_id(const X509 *certificate, uint8_t ret_id[ATTEST_HASH_SIZE]);

/* Is it an EK's: usage, extended usage, no CA, nothing critical that is unknown? */
__attribute__((warn_unused_result)) enum attest_status
certificate_check_leaf(X509 *certificate, struct attest_error *err);
/* May it issue: CA, keyCertSign, a strong key, nothing critical that is unknown? */
__attribute__((warn_unused_result)) enum attest_status
certificate_check_issuer(X509 *certificate, struct attest_error *err);
__attribute__((warn_unused_result)) enum attest_status
certificate_check_dates(const X509 *certificate, int64_t now, struct attest_error *err);
/* Of how it was signed: SHA-2, with RSA or ECDSA. */
__attribute__((warn_unused_result)) enum attest_status
certificate_check_signature_algorithm(X509 *certificate, struct attest_error *err);

bool certificate_expires(const X509 *certificate, int64_t *ret_time);
/* Manufacturer, model and version out of the subject's alternative name, as printable ASCII. */
void certificate_describe(const X509 *certificate, struct attest_chain *chain);

#endif
