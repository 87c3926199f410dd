/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of an EK, for credentials and certificates. */
#ifndef POSTERN_ATTEST_EK_H
#define POSTERN_ATTEST_EK_H

#include "crypto.h"

/* One template of the TCG EK Credential Profile (2.5, B.3 and B.4). */
struct ek_template {
	const char *kind;
	const char *hash;  /* nameAlg, as OpenSSL calls it */
	const char *curve; /* NULL for RSA */
	uint16_t type;
	uint16_t name_alg;
	uint32_t attributes;
	struct bytes policy;
	uint16_t aes_bits;
	uint16_t curve_id;
	uint16_t hash_size;
	uint16_t unique_size; /* of the modulus, or of one coordinate */
};

struct attest_ek {
	const struct ek_template *template;
	EVP_PKEY *key;
	struct attest_name name;
	/* The modulus, or x || y. */
	size_t unique_size;
	uint8_t unique[MODULUS_SIZE_MAX];
	uint8_t id[ATTEST_HASH_SIZE]; /* SHA-256 of unique */
};

/* The EK that this key (of a certificate) is, by the first template of its kind. */
__attribute__((warn_unused_result)) enum attest_status
ek_from_key(const EVP_PKEY *key, struct attest_ek **ret_ek, struct attest_error *err);

#endif
