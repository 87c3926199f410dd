/* SPDX-License-Identifier: Apache-2.0 */
/* TPM2_MakeCredential without a TPM: TPM 2.0 Library Part 1, 24, and the key derivations
 * of 11.4.10. */
#include "credential.h"

#include "error.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>

/* Labels count with their terminating zero. */
#define LABEL(text) ((struct bytes){(const uint8_t *)(text), sizeof(text)})

/* A TPM's TPM2B_DIGEST: no credential is longer than its largest hash. */
#define SECRET_SIZE_MAX HASH_SIZE_MAX

/* All that must not outlive one call. */
struct sealing {
	uint8_t storage_key[HASH_SIZE_MAX];
	uint8_t integrity_key[HASH_SIZE_MAX];
	uint8_t plain[2 + SECRET_SIZE_MAX];
};

static inline void
sealing_clear(struct sealing *sealing)
{
	OPENSSL_cleanse(sealing, sizeof(*sealing));
}
#define auto_sealing __attribute__((cleanup(sealing_clear))) struct sealing

/* KDFa: SP 800-108, counter mode, HMAC. One block is enough: no key here is longer than its hash.
 */
static bool
derive_a(const struct ek_template *template, const uint8_t *seed, struct bytes label,
	 struct bytes context, size_t size, uint8_t *ret)
{
	uint8_t input[4 + 16 + ATTEST_NAME_SIZE_MAX + 4];
	uint8_t block[HASH_SIZE_MAX];
	struct writer w = writer_of(input, sizeof(input));
	unsigned block_size = 0;

	write_be32(&w, 1);
	write_bytes(&w, label);
	write_bytes(&w, context);
	write_be32(&w, (uint32_t)(8 * size));
	bool good = !w.failed && size <= template->hash_size &&
		    HMAC(EVP_get_digestbyname(template->hash), seed, template->hash_size, input,
			 w.size, block, &block_size) != NULL &&
		    block_size >= size;
	if (good)
		memcpy(ret, block, size);
	OPENSSL_cleanse(block, sizeof(block));
	return good;
}

static bool
rsa_share_seed(const struct attest_ek *ek, const uint8_t *seed, struct writer *ret_secret)
{
	static const char label[] = "IDENTITY";
	auto_pkey_operation *operation = EVP_PKEY_CTX_new_from_pkey(NULL, ek->key, NULL);
	char hash[16] = {0};
	uint8_t encrypted[MODULUS_SIZE_MAX];
	size_t size = sizeof(encrypted);

	memcpy(hash, ek->template->hash, strnlen(ek->template->hash, sizeof(hash) - 1));
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_OAEP_DIGEST, hash, 0),
		OSSL_PARAM_construct_utf8_string(OSSL_ASYM_CIPHER_PARAM_MGF1_DIGEST, hash, 0),
		OSSL_PARAM_construct_end(),
	};
	/* OpenSSL frees the label itself, so it must be a copy. */
	char *owned_label = OPENSSL_memdup(label, sizeof(label));
	if (operation == NULL || owned_label == NULL || EVP_PKEY_encrypt_init(operation) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_OAEP_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_params(operation, params) != 1 ||
	    EVP_PKEY_CTX_set0_rsa_oaep_label(operation, owned_label, sizeof(label)) != 1) {
		OPENSSL_free(owned_label);
		return false;
	}
	if (EVP_PKEY_encrypt(operation, encrypted, &size, seed, ek->template->hash_size) != 1)
		return false;
	write_bytes(ret_secret, (struct bytes){encrypted, size});
	return !ret_secret->failed;
}

/* KDFe: SP 800-56A, H(1 || z || "IDENTITY" || ephemeral.x || ek.x); again one block. */
bool
credential_agree(const struct attest_ek *ek, EVP_PKEY *ephemeral, uint8_t ret_seed[HASH_SIZE_MAX],
		 struct writer *ret_secret)
{
	static const uint8_t counter[] = {0, 0, 0, 1};
	size_t size = ek->template->unique_size;
	size_t shared_size = size;
	uint8_t shared[COORDINATE_SIZE_MAX];
	uint8_t x[COORDINATE_SIZE_MAX];
	uint8_t y[COORDINATE_SIZE_MAX];
	auto_hasher hasher = {0};

	auto_pkey_operation *operation = EVP_PKEY_CTX_new_from_pkey(NULL, ephemeral, NULL);
	if (operation == NULL || !ec_key_point(ephemeral, size, x, y) ||
	    EVP_PKEY_derive_init(operation) != 1 ||
	    EVP_PKEY_derive_set_peer(operation, ek->key) != 1 ||
	    EVP_PKEY_derive(operation, shared, &shared_size) != 1)
		return false;
	struct bytes pieces[] = {BYTES_OF(counter),
				 {shared, size},
				 LABEL("IDENTITY"),
				 {x, size},
				 {ek->unique, size}};
	write_bytes_be16(ret_secret, (struct bytes){x, size});
	write_bytes_be16(ret_secret, (struct bytes){y, size});
	bool agreed = shared_size == size && !ret_secret->failed &&
		      hasher_open(&hasher, ek->template->hash) &&
		      hash_pieces(&hasher, pieces, sizeof(pieces) / sizeof(pieces[0]), ret_seed);
	OPENSSL_cleanse(shared, sizeof(shared));
	return agreed;
}

static bool
share_seed(const struct attest_ek *ek, uint8_t ret_seed[HASH_SIZE_MAX], struct writer *ret_secret)
{
	if (ek->template->curve != NULL) {
		auto_pkey *ephemeral = EVP_EC_gen(ek->template->curve);
		return ephemeral != NULL && credential_agree(ek, ephemeral, ret_seed, ret_secret);
	}
	return RAND_bytes(ret_seed, ek->template->hash_size) == 1 &&
	       rsa_share_seed(ek, ret_seed, ret_secret);
}

static inline void
cipher_free_at(EVP_CIPHER_CTX **cipher)
{
	EVP_CIPHER_CTX_free(*cipher);
}

/* AES-CFB with a zero IV, as every TPM protects what leaves it: the key is used once. */
static bool
encrypt(uint16_t aes_bits, const uint8_t *key, struct bytes plain, uint8_t *ret)
{
	static const uint8_t zero_iv[16];
	__attribute__((cleanup(cipher_free_at))) EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	const EVP_CIPHER *algorithm = aes_bits == 128 ? EVP_aes_128_cfb128() : EVP_aes_256_cfb128();
	int size = 0;

	return cipher != NULL && EVP_EncryptInit_ex2(cipher, algorithm, key, zero_iv, NULL) == 1 &&
	       EVP_EncryptUpdate(cipher, ret, &size, plain.data, (int)plain.size) == 1 &&
	       size == (int)plain.size;
}

/* Outer HMAC over encIdentity || name, and both as TPMS_ID_OBJECT. */
static bool
write_blob(const struct ek_template *template, struct bytes encrypted,
	   const struct attest_name *ak_name, const uint8_t *integrity_key, struct writer *ret_blob)
{
	uint8_t covered[2 + SECRET_SIZE_MAX + ATTEST_NAME_SIZE_MAX];
	uint8_t mac[HASH_SIZE_MAX];
	struct writer w = writer_of(covered, sizeof(covered));
	unsigned mac_size = 0;

	write_bytes(&w, encrypted);
	write_bytes(&w, (struct bytes){ak_name->bytes, ak_name->size});
	if (w.failed || HMAC(EVP_get_digestbyname(template->hash), integrity_key,
			     template->hash_size, covered, w.size, mac, &mac_size) == NULL)
		return false;
	write_bytes_be16(ret_blob, (struct bytes){mac, mac_size});
	write_bytes(ret_blob, encrypted);
	return !ret_blob->failed;
}

bool
credential_seal(const struct ek_template *template, const uint8_t *seed,
		const struct attest_name *ak_name, struct bytes secret, struct writer *ret_blob)
{
	auto_sealing sealing = {0};
	struct writer plain = writer_of(sealing.plain, sizeof(sealing.plain));
	uint8_t encrypted[sizeof(sealing.plain)];
	struct bytes name = {ak_name->bytes, ak_name->size};

	write_bytes_be16(&plain, secret);
	return !plain.failed &&
	       derive_a(template, seed, LABEL("STORAGE"), name, template->aes_bits / 8,
			sealing.storage_key) &&
	       derive_a(template, seed, LABEL("INTEGRITY"), (struct bytes){0}, template->hash_size,
			sealing.integrity_key) &&
	       encrypt(template->aes_bits, sealing.storage_key, writer_bytes(&plain), encrypted) &&
	       write_blob(template, (struct bytes){encrypted, plain.size}, ak_name,
			  sealing.integrity_key, ret_blob);
}

static bool
make(const struct attest_ek *ek, const struct attest_name *ak_name, struct bytes secret,
     uint8_t seed[HASH_SIZE_MAX], struct attest_credential *credential)
{
	struct writer shared = writer_of(credential->secret, sizeof(credential->secret));
	struct writer blob = writer_of(credential->blob, sizeof(credential->blob));

	if (!share_seed(ek, seed, &shared) ||
	    !credential_seal(ek->template, seed, ak_name, secret, &blob))
		return false;
	credential->secret_size = shared.size;
	credential->blob_size = blob.size;
	return true;
}

enum attest_status
attest_credential_make(const struct attest_ek *ek, const struct attest_name *ak_name,
		       struct bytes secret, struct attest_credential *ret_credential,
		       struct attest_error *err)
{
	uint8_t seed[HASH_SIZE_MAX] = {0};
	struct attest_credential credential = {0};

	/* Part 3, 12.6: the credential may not be larger than the EK's nameAlg digest. */
	if (secret.size == 0 || secret.size > ek->template->hash_size)
		return attest_fail(err, ATTEST_LIMIT, "credential.size",
				   "a secret of %zu bytes; this EK takes 1 to %d", secret.size,
				   ek->template->hash_size);
	bool made = make(ek, ak_name, secret, seed, &credential);
	OPENSSL_cleanse(seed, sizeof(seed));
	ERR_clear_error();
	if (!made)
		return attest_fail_memory(err);
	*ret_credential = credential;
	return ATTEST_OK;
}
