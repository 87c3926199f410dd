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
};

size_t software_certificate_make(const struct software_certificate *recipe, uint8_t *ret_der,
				 size_t capacity);

#endif
