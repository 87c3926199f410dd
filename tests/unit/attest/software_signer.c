/* SPDX-License-Identifier: Apache-2.0 */
#include "software_signer.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

#define RSAPSS		0x0016
#define GOOD_ATTRIBUTES 0x00050072U

static const EVP_MD *
hash_of(uint16_t algorithm)
{
	switch (algorithm) {
	case 0x0004:
		return EVP_sha1();
	case 0x000b:
		return EVP_sha256();
	case 0x000c:
		return EVP_sha384();
	case 0x000d:
		return EVP_sha512();
	}
	assert(false);
	return NULL;
}

static void
write_number(struct writer *w, const EVP_PKEY *key, const char *number, size_t size)
{
	uint8_t bytes[512];
	BIGNUM *value = NULL;

	assert(EVP_PKEY_get_bn_param(key, number, &value) == 1);
	assert(BN_bn2binpad(value, bytes, (int)size) == (int)size);
	BN_free(value);
	write_bytes_be16(w, (struct bytes){bytes, size});
}

static void
write_scheme(struct writer *w, const struct software_signer *signer)
{
	write_be16(w, 0x0010); /* symmetric: none */
	write_be16(w, signer->scheme);
	if (signer->scheme != 0x0010)
		write_be16(w, signer->hash);
}

void
software_signer_describe(struct software_signer *signer)
{
	static const char marker[] = "postern/ak/v1";
	struct writer w = writer_of(signer->public_area, sizeof(signer->public_area));
	uint8_t policy[32];

	assert(EVP_Digest(marker, strlen(marker), policy, NULL, EVP_sha256(), NULL) == 1);
	write_be16(&w, signer->type == SOFTWARE_RSA ? 0x0001 : 0x0023);
	write_be16(&w, 0x000b);
	write_be32(&w, signer->attributes);
	write_bytes_be16(&w, (struct bytes){policy, signer->postern ? sizeof(policy) : 0});
	write_scheme(&w, signer);
	if (signer->type == SOFTWARE_RSA) {
		write_be16(&w, (uint16_t)signer->bits);
		write_be32(&w, 0);
		write_number(&w, signer->key, OSSL_PKEY_PARAM_RSA_N, signer->bits / 8);
	} else {
		write_be16(&w, signer->bits == 256 ? 0x0003 : 0x0004);
		write_be16(&w, 0x0010);
		write_number(&w, signer->key, OSSL_PKEY_PARAM_EC_PUB_X, signer->bits / 8);
		write_number(&w, signer->key, OSSL_PKEY_PARAM_EC_PUB_Y, signer->bits / 8);
	}
	assert(!w.failed);
	signer->public_size = w.size;
}

void
software_signer_open(struct software_signer *signer)
{
	if (signer->attributes == 0)
		signer->attributes = signer->postern ? 0x00050472U : GOOD_ATTRIBUTES;
	signer->key = signer->type == SOFTWARE_RSA
			      ? EVP_RSA_gen(signer->bits)
			      : EVP_EC_gen(signer->bits == 256 ? "P-256" : "P-384");
	assert(signer->key != NULL);
	software_signer_describe(signer);
}

void
software_signer_close(struct software_signer *signer)
{
	EVP_PKEY_free(signer->key);
	*signer = (struct software_signer){0};
}

/* TPML_PCR_SELECTION of one bank. */
static void
select_pcrs(enum attest_bank bank, uint32_t select, struct software_quote *quote)
{
	static const uint16_t algorithms[ATTEST_BANKS] = {
		[ATTEST_SHA1] = 0x0004,
		[ATTEST_SHA256] = 0x000b,
		[ATTEST_SHA384] = 0x000c,
		[ATTEST_SHA512] = 0x000d,
	};
	struct writer w = writer_of(quote->selection, sizeof(quote->selection));

	write_be32(&w, 1);
	write_be16(&w, algorithms[bank]);
	write_u8(&w, 3);
	for (unsigned octet = 0; octet < 3; octet++)
		write_u8(&w, (uint8_t)(select >> 8 * octet));
	quote->selection_size = w.size;
}

static void
digest_values(const struct software_signer *signer, const struct attest_pcrs *pcrs, uint32_t select,
	      struct software_quote *quote)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	unsigned size = 0;

	assert(EVP_DigestInit_ex(hash, hash_of(signer->hash), NULL) == 1);
	for (unsigned pcr = 0; pcr < ATTEST_PCRS; pcr++)
		if ((select >> pcr & 1) != 0)
			assert(EVP_DigestUpdate(hash, pcrs->values[pcr],
						attest_bank_size(pcrs->bank)) == 1);
	assert(EVP_DigestFinal_ex(hash, quote->digest, &size) == 1);
	EVP_MD_CTX_free(hash);
	quote->digest_size = size;
}

void
software_signer_fill(const struct software_signer *signer, const struct attest_pcrs *pcrs,
		     uint32_t select, struct bytes qualifying, struct software_quote *ret_quote)
{
	uint8_t name[2 + 32] = {0x00, 0x0b};
	uint8_t child[4 + sizeof(name)] = {0x40, 0, 0, 0x0b};

	*ret_quote = (struct software_quote){.magic = 0xff544347,
					     .type = 0x8018,
					     .signer_size = 34,
					     .signer = {0x00, 0x0b},
					     .extra_size = qualifying.size,
					     .clock = {3, 1, 1000},
					     .safe = 1,
					     .firmware_version = 0x20191023};
	assert(qualifying.size <= sizeof(ret_quote->extra));
	if (qualifying.size > 0)
		memcpy(ret_quote->extra, qualifying.data, qualifying.size);
	EVP_Digest(signer->public_area, signer->public_size, name + 2, NULL, EVP_sha256(), NULL);
	memcpy(child + 4, name, sizeof(name));
	EVP_Digest(child, sizeof(child), ret_quote->signer + 2, NULL, EVP_sha256(), NULL);
	select_pcrs(pcrs->bank, select, ret_quote);
	digest_values(signer, pcrs, select, ret_quote);
}

static void
write_ecdsa(const struct software_signer *signer, struct bytes der, struct writer *w)
{
	const unsigned char *next = der.data;
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &next, (long)der.size);
	const BIGNUM *numbers[] = {ECDSA_SIG_get0_r(signature), ECDSA_SIG_get0_s(signature)};
	uint8_t number[48];

	for (unsigned i = 0; i < 2; i++) {
		assert(BN_bn2binpad(numbers[i], number, (int)signer->bits / 8) > 0);
		write_bytes_be16(w, (struct bytes){number, signer->bits / 8});
	}
	ECDSA_SIG_free(signature);
}

void
software_signer_sign_message(const struct software_signer *signer, struct software_quote *quote)
{
	EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new(signer->key, NULL);
	const EVP_MD *algorithm = hash_of(signer->hash);
	uint8_t hash[64];
	uint8_t made[512];
	size_t size = sizeof(made);
	struct writer w = writer_of(quote->signature, sizeof(quote->signature));

	EVP_Digest(quote->message, quote->message_size, hash, NULL, algorithm, NULL);
	assert(EVP_PKEY_sign_init(operation) == 1);
	if (signer->type == SOFTWARE_RSA)
		assert(EVP_PKEY_CTX_set_rsa_padding(operation, signer->scheme == RSAPSS
								       ? RSA_PKCS1_PSS_PADDING
								       : RSA_PKCS1_PADDING) == 1);
	assert(EVP_PKEY_CTX_set_signature_md(operation, algorithm) == 1);
	if (signer->scheme == RSAPSS)
		assert(EVP_PKEY_CTX_set_rsa_pss_saltlen(operation, signer->salt) == 1);
	assert(EVP_PKEY_sign(operation, made, &size, hash, (size_t)EVP_MD_get_size(algorithm)) ==
	       1);
	write_be16(&w, signer->scheme);
	write_be16(&w, signer->hash);
	if (signer->type == SOFTWARE_RSA)
		write_bytes_be16(&w, (struct bytes){made, size});
	else
		write_ecdsa(signer, (struct bytes){made, size}, &w);
	assert(!w.failed);
	quote->signature_size = w.size;
	EVP_PKEY_CTX_free(operation);
}

void
software_signer_sign(const struct software_signer *signer, struct software_quote *quote)
{
	software_quote_encode(quote);
	software_signer_sign_message(signer, quote);
}

void
software_signer_pem(const struct software_signer *signer, char *ret_pem, size_t capacity)
{
	BIO *text = BIO_new(BIO_s_mem());

	assert(PEM_write_bio_PUBKEY(text, signer->key) == 1);
	int size = BIO_read(text, ret_pem, (int)capacity - 1);
	assert(size > 0);
	ret_pem[size] = '\0';
	BIO_free(text);
}
