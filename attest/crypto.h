/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verifier needs of OpenSSL, in its own words. What fails for its input's sake clears the
 * thread's OpenSSL error queue: the return value tells it. Private to the verifier.
 */
#ifndef POSTERN_ATTEST_CRYPTO_H
#define POSTERN_ATTEST_CRYPTO_H

#include "attest.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#define HASH_SIZE_MAX	    64
#define COORDINATE_SIZE_MAX 48 /* P-384 */
#define MODULUS_SIZE_MAX    512

static inline void
pkey_free_at(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
#define auto_pkey __attribute__((cleanup(pkey_free_at))) EVP_PKEY

static inline void
pkey_operation_free_at(EVP_PKEY_CTX **operation)
{
	EVP_PKEY_CTX_free(*operation);
}
#define auto_pkey_operation __attribute__((cleanup(pkey_operation_free_at))) EVP_PKEY_CTX

/* SHA-2 over several pieces. Fetched once and used often: OpenSSL's implicit fetch costs more than
 * hashing a PCR. Not for two threads at once; the algorithm alone may be shared. */
struct hasher {
	EVP_MD *owned; /* NULL where the algorithm is somebody else's */
	const EVP_MD *algorithm;
	EVP_MD_CTX *state;
};

bool hasher_open(struct hasher *ret_hasher, const char *name);
bool hasher_open_with(struct hasher *ret_hasher, const EVP_MD *algorithm);
void hasher_close(struct hasher *hasher);
bool hash_pieces(struct hasher *hasher, const struct bytes *pieces, size_t count, uint8_t *ret);
#define auto_hasher __attribute__((cleanup(hasher_close))) struct hasher

/* One SHA-256, where speed is no matter. */
bool sha256(struct bytes input, uint8_t ret[ATTEST_HASH_SIZE]);

/* NULL when the point is not on the curve ("P-256", "P-384") or a coordinate is out of range. x and
 * y are padded. */
EVP_PKEY *ec_key_new(const char *curve, struct bytes x, struct bytes y);
EVP_PKEY *rsa_key_new(struct bytes modulus);
/* The affine coordinates, each padded to `size`, the curve's. */
bool ec_key_point(const EVP_PKEY *key, size_t size, uint8_t *ret_x, uint8_t *ret_y);
/* Odd, of 2 to 32 bits: by an exponent of 1 anything verifies, and larger ones cost. */
bool rsa_exponent_fits(const EVP_PKEY *key);
/* Big-endian, without leading zeros. */
bool rsa_key_numbers(const EVP_PKEY *key, uint8_t ret_modulus[MODULUS_SIZE_MAX], size_t *ret_size,
		     uint64_t *ret_exponent);

#endif
