/* SPDX-License-Identifier: Apache-2.0 */
/* One certificate: reading it, and what it must say of itself to stand where it stands. Private to
 * the verifier. */
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

/* ---- certificate.c: reading ---- */

/* Past the header of TCG_PCCLIENT_STORED_CERT, where there is one. */
struct bytes certificate_strip_header(struct bytes stored);
/* What follows a certificate in an NV index: nothing, or what unused cells hold. */
bool certificate_is_padding(struct bytes rest);
/* DER as it lies in NV: with the header of TCG_PCCLIENT_STORED_CERT or without, padded or not. */
__attribute__((warn_unused_result)) enum attest_status
certificate_load(struct bytes der, X509 **ret_certificate, struct attest_error *err);
/* A new reference; also for keys that are marked for OAEP alone, which OpenSSL does not load. */
EVP_PKEY *certificate_key(const X509 *certificate);
/* SHA-256 of SubjectPublicKeyInfo. */
bool certificate_id(const X509 *certificate, uint8_t ret_id[ATTEST_HASH_SIZE]);

/* Version 3, extensions that parse and stand there once, nothing critical that is unknown. */
__attribute__((warn_unused_result)) enum attest_status
certificate_check_form(X509 *certificate, struct attest_error *err);
__attribute__((warn_unused_result)) enum attest_status
certificate_check_dates(const X509 *certificate, int64_t now, struct attest_error *err);
bool certificate_expires(const X509 *certificate, int64_t *ret_time);
bool certificate_time(const ASN1_TIME *time, int64_t *ret_time);
/* SHA-2 with RSA (PSS: in its mask too) or ECDSA. `check` is the name that a refusal bears. */
__attribute__((warn_unused_result)) enum attest_status
certificate_check_algorithm(const X509_ALGOR *algorithm, const char *check,
			    struct attest_error *err);

/* What X509_verify and its like mean: ATTEST_OK, ATTEST_SIGNATURE (another key's), or
 * ATTEST_MEMORY, for OpenSSL answers "no" also where it could not look. Clears its queue of errors.
 */
enum attest_status signature_verdict(const X509_ALGOR *algorithm, const EVP_PKEY *key,
				     int verified);

/* ---- purpose.c: what it is for ---- */

enum leaf_kind { LEAF_EK, LEAF_CLOUD_AK };
/* "ek.certificate...", "cloud.certificate...": usage, extended usage, no CA. */
__attribute__((warn_unused_result)) enum attest_status
certificate_check_leaf(X509 *certificate, enum leaf_kind kind, struct attest_error *err);
/* May it issue: CA, keyCertSign, a strong key, nothing critical that is unknown? */
__attribute__((warn_unused_result)) enum attest_status
certificate_check_issuer(X509 *certificate, enum leaf_kind kind, struct attest_error *err);

/* ---- names.c: what it says ---- */

/* Manufacturer, model and version out of the subject's alternative name, or of the subject where
 * that has none, as printable ASCII. */
__attribute__((warn_unused_result)) enum attest_status
certificate_describe(const X509 *certificate, struct attest_chain *chain, struct attest_error *err);
/* RFC 2253, printable ASCII, cut to fit. */
bool certificate_print_name(const X509_NAME *name, char ret_text[ATTEST_SUBJECT_SIZE]);

#endif
