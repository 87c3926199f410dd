/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <string.h>

static inline void
bn_free_at(BIGNUM **number)
{
	BN_free(*number);
}
#define auto_bn __attribute__((cleanup(bn_free_at))) BIGNUM

bool
hasher_open_with(struct hasher *ret_hasher, const EVP_MD *algorithm)
{
	*ret_hasher = (struct hasher){.algorithm = algorithm, .state = EVP_MD_CTX_new()};
	return ret_hasher->state != NULL;
}

bool
hasher_open(struct hasher *ret_hasher, const char *name)
{
	EVP_MD *owned = EVP_MD_fetch(NULL, name, NULL);
	bool opened = hasher_open_with(ret_hasher, owned);

	ret_hasher->owned = owned;
	return opened && owned != NULL;
}

void
hasher_close(struct hasher *hasher)
{
	EVP_MD_CTX_free(hasher->state);
	EVP_MD_free(hasher->owned);
	*hasher = (struct hasher){0};
}

bool
hash_pieces(struct hasher *hasher, const struct bytes *pieces, size_t count, uint8_t *ret)
{
	bool good = EVP_DigestInit_ex2(hasher->state, hasher->algorithm, NULL) == 1;

	for (size_t i = 0; good && i < count; i++)
		good = EVP_DigestUpdate(hasher->state, pieces[i].data, pieces[i].size) == 1;
	return good && EVP_DigestFinal_ex(hasher->state, ret, NULL) == 1;
}

bool
sha256(struct bytes input, uint8_t ret[ATTEST_HASH_SIZE])
{
	return EVP_Digest(input.data, input.size, ret, NULL, EVP_sha256(), NULL) == 1;
}

static EVP_PKEY *
key_from_params(const char *type, OSSL_PARAM *params)
{
	auto_pkey_operation *operation = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (operation == NULL || EVP_PKEY_fromdata_init(operation) != 1 ||
	    EVP_PKEY_fromdata(operation, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	ERR_clear_error();
	return key;
}

/* fromdata decodes the point; whether that alone checks the curve's equation has changed between
 * releases. The quick check is that equation and the range: the NIST curves have prime order, so to
 * multiply by it would add nothing but time. */
static bool
point_is_valid(EVP_PKEY *key)
{
	auto_pkey_operation *operation = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool valid = operation != NULL && EVP_PKEY_public_check_quick(operation) == 1;

	ERR_clear_error();
	return valid;
}

EVP_PKEY *
ec_key_new(const char *curve, struct bytes x, struct bytes y)
{
	uint8_t point[1 + 2 * COORDINATE_SIZE_MAX];
	struct writer w = writer_of(point, sizeof(point));
	char group[16] = {0};

	write_u8(&w, POINT_CONVERSION_UNCOMPRESSED);
	write_bytes(&w, x);
	write_bytes(&w, y);
	if (w.failed || x.size != y.size)
		return NULL;
	memcpy(group, curve, strnlen(curve, sizeof(group) - 1));
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, w.size),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = key_from_params("EC", params);
	if (key == NULL || point_is_valid(key))
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static inline void
param_builder_free_at(OSSL_PARAM_BLD **builder)
{
	OSSL_PARAM_BLD_free(*builder);
}

static inline void
params_free_at(OSSL_PARAM **params)
{
	OSSL_PARAM_free(*params);
}

EVP_PKEY *
rsa_key_new(struct bytes modulus)
{
	__attribute__((cleanup(param_builder_free_at))) OSSL_PARAM_BLD *builder =
		OSSL_PARAM_BLD_new();
	auto_bn *n = BN_bin2bn(modulus.data, (int)modulus.size, NULL);

	if (builder == NULL || n == NULL || modulus.size > MODULUS_SIZE_MAX ||
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) != 1 ||
	    OSSL_PARAM_BLD_push_ulong(builder, OSSL_PKEY_PARAM_RSA_E, RSA_F4) != 1)
		return NULL;
	__attribute__((cleanup(params_free_at))) OSSL_PARAM *params =
		OSSL_PARAM_BLD_to_param(builder);
	return params == NULL ? NULL : key_from_params("RSA", params);
}

/* `number` of the key as `size` bytes. */
static bool
key_number(const EVP_PKEY *key, const char *number, size_t size, uint8_t *ret)
{
	auto_bn *value = NULL;
	bool good = EVP_PKEY_get_bn_param(key, number, &value) == 1 &&
		    BN_bn2binpad(value, ret, (int)size) == (int)size;

	ERR_clear_error();
	return good;
}

bool
ec_key_point(const EVP_PKEY *key, size_t size, uint8_t *ret_x, uint8_t *ret_y)
{
	return key_number(key, OSSL_PKEY_PARAM_EC_PUB_X, size, ret_x) &&
	       key_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, size, ret_y);
}

bool
rsa_exponent_fits(const EVP_PKEY *key)
{
	uint8_t bytes[8];

	if (!key_number(key, OSSL_PKEY_PARAM_RSA_E, sizeof(bytes), bytes))
		return false;
	struct reader r = reader_of(BYTES_OF(bytes));
	uint64_t exponent = read_be64(&r);
	return exponent >= 3 && exponent <= UINT32_MAX && exponent % 2 == 1;
}

bool
rsa_key_numbers(const EVP_PKEY *key, uint8_t ret_modulus[MODULUS_SIZE_MAX], size_t *ret_size,
		uint64_t *ret_exponent)
{
	int bits = EVP_PKEY_get_bits(key);
	uint8_t exponent[8];
	size_t size = bits <= 0 ? 0 : ((size_t)bits + 7) / 8;

	if (size == 0 || size > MODULUS_SIZE_MAX ||
	    !key_number(key, OSSL_PKEY_PARAM_RSA_N, size, ret_modulus) ||
	    !key_number(key, OSSL_PKEY_PARAM_RSA_E, sizeof(exponent), exponent))
		return false;
	struct reader r = reader_of(BYTES_OF(exponent));
	*ret_exponent = read_be64(&r);
	*ret_size = size;
	return true;
}
