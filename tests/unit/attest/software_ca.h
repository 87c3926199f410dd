/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates to order: each field that a test wants to spoil is a line here. */
#ifndef POSTERN_TESTS_SOFTWARE_CA_H
#define POSTERN_TESTS_SOFTWARE_CA_H

#include "attest/attest.h"

#include <openssl/evp.h>

struct software_certificate {
	const char *subject; /* common name; NULL: empty subject */
	const char *issuer;
	EVP_PKEY *key;
	EVP_PKEY *signer;
	const char *hash;	 /* NULL: SHA256 */
	const char *from;	 /* NULL: "20200101000000Z" */
	const char *until;	 /* NULL: "99991231235959Z" */
	const char *constraints; /* OpenSSL's notation: "critical,CA:TRUE,pathlen:0"; NULL: none */
	const char *usage;	 /* "critical,keyCertSign" */
	const char *purpose;	 /* "2.23.133.8.1" */
	bool names;		 /* the TCG's subject alternative name, critical */
	const char *unknown;	 /* an extension "1.2.3.4.5", critical */
	bool oaep;		 /* SubjectPublicKeyInfo says id-RSAES-OAEP */
	long version;		 /* 0: version 3 */
	unsigned long serial;	 /* 0: 7 */
	const char *key_id;	 /* subject key identifier, hex */
	const char *issuer_key_id;
	struct bytes instance;	  /* value of Google's instance-info extension */
	bool names_in_subject;	  /* the TCG's, in the subject: old certificates */
	const char *mask;	  /* signed by RSASSA-PSS with this hash in MGF1 */
	int text_form;		  /* of common names; 0: MBSTRING_ASC */
	const char *point;	  /* CRL distribution points, in OpenSSL's notation */
	const char *constrained;  /* name constraints, likewise */
	const char *organization; /* in one RDN with the common name, of both names */
};

size_t software_certificate_make(const struct software_certificate *recipe, uint8_t *ret_der,
				 size_t capacity);

struct software_revoked {
	unsigned long serial; /* 0: the end of them */
	int reason;	      /* 0: none said */
	const char *unknown;  /* a critical extension of the entry */
};

struct software_crl {
	const char *issuer;
	EVP_PKEY *signer;
	const char *hash;  /* NULL: SHA256 */
	const char *from;  /* NULL: "20260101000000Z" */
	const char *until; /* NULL: "20280101000000Z"; "": none */
	const char *issuer_key_id;
	const char *unknown; /* an extension, critical */
	bool delta;
	const char *point; /* issuing distribution point, in OpenSSL's notation */
	const struct software_revoked *revoked;
};

size_t software_crl_make(const struct software_crl *recipe, uint8_t *ret_der, size_t capacity);

#endif
