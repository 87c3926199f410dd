/* SPDX-License-Identifier: Apache-2.0 */
/* All that the command needs of OpenSSL: the server's certificate for `init`, and reading
 * certificates and keys. */
#ifndef POSTERN_COMMAND_CERTIFICATE_H
#define POSTERN_COMMAND_CERTIFICATE_H

#include "attest/attest.h"
#include "file.h"

#define CERTIFICATE_NAMES_MAX 16

/* A CA of its own, whose key is forgotten, and one server certificate under it: ECDSA P-256. */
struct server_identity {
	struct file_text ca;	      /* PEM */
	struct file_text certificate; /* PEM */
	struct secret *key;	      /* PEM */
};
void server_identity_clear(struct server_identity *identity);
#define auto_identity __attribute__((cleanup(server_identity_clear))) struct server_identity

/* A DNS name or an IP address. */
bool server_name_valid(const char *name);
/* 0 or EX_SOFTWARE. `names` are valid. */
int server_identity_make(const char *const *names, size_t count, int64_t now,
			 struct server_identity *ret_identity);

/* One certificate from a file, PEM or DER; DER comes out as it went in. 0, EX_NOINPUT or
 * EX_DATAERR. */
struct certificate {
	size_t size;
	uint8_t der[ATTEST_CERTIFICATE_MAX];
};
int certificate_read(const char *path, struct certificate *ret_certificate);
/* attest_ek_id of a PEM SubjectPublicKeyInfo (RSA, P-256, P-384). False: it is none. */
bool public_key_id(const char *pem, size_t size, uint8_t ret_id[ATTEST_HASH_SIZE]);

#endif
