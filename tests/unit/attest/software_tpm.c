/* SPDX-License-Identifier: Apache-2.0 */
#include "software_tpm.h"

#include "software_ca.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

static void
digest(const char *hash, struct bytes input, uint8_t *ret)
{
	assert(EVP_Digest(input.data, input.size, ret, NULL, EVP_get_digestbyname(hash), NULL) ==
	       1);
}

/* ---- keys ---- */

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
write_hex(struct writer *w, const char *hex)
{
	long size = 0;
	unsigned char *bytes = OPENSSL_hexstr2buf(hex, &size);

	assert(bytes != NULL);
	write_bytes(w, (struct bytes){bytes, (size_t)size});
	OPENSSL_free(bytes);
}

static size_t
write_ak(const EVP_PKEY *key, uint8_t *ret, size_t capacity)
{
	struct writer w = writer_of(ret, capacity);
	uint8_t policy[32];

	digest("SHA256", (struct bytes){(const uint8_t *)"postern/ak/v1", 13}, policy);
	write_hex(&w, "0023000b00050472");
	write_bytes_be16(&w, BYTES_OF(policy));
	write_hex(&w, "00100018000b00030010");
	write_number(&w, key, OSSL_PKEY_PARAM_EC_PUB_X, 32);
	write_number(&w, key, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
	assert(!w.failed);
	return w.size;
}

/* As a TPM prints the templates L-1, L-2 and H-3 of the TCG EK Credential Profile. */
static const struct ek_form {
	const char *fixed;
	const char *curve;
	const char *hash;
	size_t hash_size;
	size_t size;
	size_t aes_size;
	const char *usage;
} EK_FORMS[] = {
	[SOFTWARE_EK_RSA] = {"0001000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f"
			     "2a1da1b331469aa"
			     "00060080004300100800"
			     "00000000",
			     NULL, "SHA256", 32, 256, 16, "critical,keyEncipherment"},
	[SOFTWARE_EK_P256] = {"0023000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64"
			      "f2a1da1b331469aa"
			      "0006008000430010"
			      "00030010",
			      "P-256", "SHA256", 32, 32, 16, "critical,keyAgreement"},
	[SOFTWARE_EK_P384] = {"0023000c000300f20030b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4"
			      "cb1c0ad9bde419ca"
			      "cb47ba09699646150f9fc000f3f80e12"
			      "0006010000430010"
			      "00040010",
			      "P-384", "SHA384", 48, 48, 32, "critical,keyAgreement"},
};

static size_t
write_ek(const struct software_tpm *tpm, uint8_t *ret, size_t capacity)
{
	const struct ek_form *form = &EK_FORMS[tpm->kind];
	struct writer w = writer_of(ret, capacity);

	write_hex(&w, form->fixed);
	if (form->curve == NULL) {
		write_number(&w, tpm->ek, OSSL_PKEY_PARAM_RSA_N, form->size);
	} else {
		write_number(&w, tpm->ek, OSSL_PKEY_PARAM_EC_PUB_X, form->size);
		write_number(&w, tpm->ek, OSSL_PKEY_PARAM_EC_PUB_Y, form->size);
	}
	assert(!w.failed);
	return w.size;
}

static void
certify(struct software_tpm *tpm)
{
	tpm->ca_certificate_size = software_certificate_make(
		&(struct software_certificate){.subject = "Software TPM root",
					       .issuer = "Software TPM root",
					       .key = tpm->ca,
					       .signer = tpm->ca,
					       .constraints = "critical,CA:TRUE",
					       .usage = "critical,keyCertSign,cRLSign"},
		tpm->ca_certificate, sizeof(tpm->ca_certificate));
	tpm->ek_certificate_size = software_certificate_make(
		&(struct software_certificate){.issuer = "Software TPM root",
					       .key = tpm->ek,
					       .signer = tpm->ca,
					       .constraints = "critical,CA:FALSE",
					       .usage = EK_FORMS[tpm->kind].usage,
					       .purpose = "2.23.133.8.1",
					       .names = true},
		tpm->ek_certificate, sizeof(tpm->ek_certificate));
}

void
software_tpm_open(struct software_tpm *tpm, enum software_ek kind)
{
	*tpm = (struct software_tpm){.kind = kind, .clock = {3, 1, 1000}};
	tpm->ak = EVP_EC_gen("P-256");
	assert(tpm->ak != NULL);
	tpm->ak_public_size = write_ak(tpm->ak, tpm->ak_public, sizeof(tpm->ak_public));
	if (kind == SOFTWARE_EK_NONE)
		return;
	tpm->ek = kind == SOFTWARE_EK_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen(EK_FORMS[kind].curve);
	tpm->ca = EVP_EC_gen("P-256");
	assert(tpm->ek != NULL && tpm->ca != NULL);
	tpm->ek_public_size = write_ek(tpm, tpm->ek_public, sizeof(tpm->ek_public));
	certify(tpm);
}

void
software_tpm_close(struct software_tpm *tpm)
{
	EVP_PKEY_free(tpm->ak);
	EVP_PKEY_free(tpm->ek);
	EVP_PKEY_free(tpm->ca);
	*tpm = (struct software_tpm){0};
}

struct bytes
software_tpm_pcrs(const struct software_tpm *tpm)
{
	return (struct bytes){tpm->pcrs[0], sizeof(tpm->pcrs)};
}

/* ---- activation: with OpenSSL's own KBKDF and SSKDF, so that it checks the verifier's KDFa and
 * KDFe ---- */

static void
derive(const char *kdf_name, OSSL_PARAM *params, size_t size, uint8_t *ret)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
	EVP_KDF_CTX *operation = EVP_KDF_CTX_new(kdf);

	assert(EVP_KDF_derive(operation, ret, size, params) == 1);
	EVP_KDF_CTX_free(operation);
	EVP_KDF_free(kdf);
}

static OSSL_PARAM
octets(const char *name, const void *value, size_t size)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)value, size);
}

static OSSL_PARAM
text(const char *name, const char *value)
{
	return OSSL_PARAM_construct_utf8_string(name, (char *)(uintptr_t)value, 0);
}

static void
kdf_a(const struct ek_form *form, const uint8_t *seed, const char *label, struct bytes context,
      size_t size, uint8_t *ret)
{
	OSSL_PARAM params[] = {
		text(OSSL_KDF_PARAM_MODE, "counter"),
		text(OSSL_KDF_PARAM_MAC, "HMAC"),
		text(OSSL_KDF_PARAM_DIGEST, form->hash),
		octets(OSSL_KDF_PARAM_KEY, seed, form->hash_size),
		octets(OSSL_KDF_PARAM_SALT, label,
		       strlen(label)), /* the zero after it is KBKDF's own */
		octets(OSSL_KDF_PARAM_INFO, context.data, context.size),
		OSSL_PARAM_construct_end(),
	};
	derive("KBKDF", params, size, ret);
}

static bool
rsa_open_seed(const struct software_tpm *tpm, const struct attest_credential *credential,
	      uint8_t *ret_seed)
{
	const struct ek_form *form = &EK_FORMS[tpm->kind];
	EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new(tpm->ek, NULL);
	uint8_t opened[512];
	size_t size = sizeof(opened);

	assert(EVP_PKEY_decrypt_init(operation) == 1);
	EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_OAEP_PADDING);
	EVP_PKEY_CTX_set_rsa_oaep_md(operation, EVP_get_digestbyname(form->hash));
	EVP_PKEY_CTX_set0_rsa_oaep_label(operation, OPENSSL_memdup("IDENTITY", 9), 9);
	bool good = EVP_PKEY_decrypt(operation, opened, &size, credential->secret,
				     credential->secret_size) == 1 &&
		    size == form->hash_size;
	if (good)
		memcpy(ret_seed, opened, size);
	EVP_PKEY_CTX_free(operation);
	return good;
}

static bool
ecc_open_seed(const struct software_tpm *tpm, const struct attest_credential *credential,
	      uint8_t *ret_seed)
{
	const struct ek_form *form = &EK_FORMS[tpm->kind];
	struct reader r = reader_of((struct bytes){credential->secret, credential->secret_size});
	struct bytes x = read_bytes_be16(&r);
	struct bytes y = read_bytes_be16(&r);
	uint8_t point[1 + 2 * 48] = {4};
	uint8_t z[48];
	uint8_t info[9 + 2 * 48];
	size_t z_size = sizeof(z);

	if (!reader_finished(&r) || x.size != form->size || y.size != form->size)
		return false;
	memcpy(point + 1, x.data, x.size);
	memcpy(point + 1 + x.size, y.data, y.size);
	EVP_PKEY *peer = EVP_PKEY_new();
	assert(EVP_PKEY_copy_parameters(peer, tpm->ek) == 1);
	EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new(tpm->ek, NULL);
	bool good = EVP_PKEY_set1_encoded_public_key(peer, point, 1 + 2 * x.size) == 1 &&
		    EVP_PKEY_derive_init(operation) == 1 &&
		    EVP_PKEY_derive_set_peer(operation, peer) == 1 &&
		    EVP_PKEY_derive(operation, z, &z_size) == 1;
	EVP_PKEY_CTX_free(operation);
	EVP_PKEY_free(peer);
	if (!good)
		return false;
	memcpy(info, "IDENTITY", 9);
	memcpy(info + 9, x.data, x.size);
	memcpy(info + 9 + x.size, tpm->ek_public + tpm->ek_public_size - 2 * form->size - 2,
	       form->size);
	OSSL_PARAM params[] = {
		text(OSSL_KDF_PARAM_DIGEST, form->hash),
		octets(OSSL_KDF_PARAM_KEY, z, z_size),
		octets(OSSL_KDF_PARAM_INFO, info, 9 + 2 * form->size),
		OSSL_PARAM_construct_end(),
	};
	derive("SSKDF", params, form->hash_size, ret_seed);
	return true;
}

static bool
integrity_holds(const struct ek_form *form, const uint8_t *seed, struct bytes mac,
		struct bytes encrypted, const struct attest_name *name)
{
	uint8_t key[64];
	uint8_t input[1024];
	uint8_t seen[64];
	size_t size = 0;
	struct writer w = writer_of(input, sizeof(input));

	kdf_a(form, seed, "INTEGRITY", (struct bytes){0}, form->hash_size, key);
	write_bytes(&w, encrypted);
	write_bytes(&w, (struct bytes){name->bytes, name->size});
	assert(EVP_Q_mac(NULL, "HMAC", NULL, form->hash, NULL, key, form->hash_size, input, w.size,
			 seen, sizeof(seen), &size) != NULL);
	return bytes_equal(mac, (struct bytes){seen, size});
}

bool
software_tpm_activate(const struct software_tpm *tpm, const struct attest_name *ak_name,
		      const struct attest_credential *credential, uint8_t *ret_secret,
		      size_t *ret_size)
{
	const struct ek_form *form = &EK_FORMS[tpm->kind];
	uint8_t seed[64];
	uint8_t key[64];
	uint8_t plain[256];
	uint8_t iv[16] = {0};
	int size = 0;
	struct reader r = reader_of((struct bytes){credential->blob, credential->blob_size});
	struct bytes mac = read_bytes_be16(&r);
	struct bytes encrypted = read_bytes(&r, r.left);

	if (r.failed || encrypted.size > sizeof(plain) ||
	    !(form->curve == NULL ? rsa_open_seed : ecc_open_seed)(tpm, credential, seed) ||
	    !integrity_holds(form, seed, mac, encrypted, ak_name))
		return false;
	kdf_a(form, seed, "STORAGE", (struct bytes){ak_name->bytes, ak_name->size}, form->aes_size,
	      key);
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	assert(EVP_DecryptInit_ex(
		       cipher, form->aes_size == 16 ? EVP_aes_128_cfb128() : EVP_aes_256_cfb128(),
		       NULL, key, iv) == 1);
	assert(EVP_DecryptUpdate(cipher, plain, &size, encrypted.data, (int)encrypted.size) == 1);
	EVP_CIPHER_CTX_free(cipher);
	struct reader inside = reader_of((struct bytes){plain, (size_t)size});
	struct bytes secret = read_bytes_be16(&inside);
	if (!reader_finished(&inside) || secret.size > 64)
		return false;
	memcpy(ret_secret, secret.data, secret.size);
	*ret_size = secret.size;
	return true;
}

/* ---- quotes ---- */

void
software_quote_fill(const struct software_tpm *tpm, const uint8_t qualifying[ATTEST_HASH_SIZE],
		    struct software_quote *ret_quote)
{
	static const uint8_t selection[] = {0, 0, 0, 1, 0, 0x0b, 3, 0xff, 0xff, 0};
	uint8_t child[4 + 2 + 32] = {0x40, 0, 0, 0x0b, 0, 0x0b};
	struct software_quote quote = {.magic = 0xff544347,
				       .type = 0x8018,
				       .signer_size = 34,
				       .signer = {0x00, 0x0b},
				       .extra_size = 32,
				       .clock = tpm->clock,
				       .safe = 1,
				       .firmware_version = 0x20191023,
				       .selection_size = sizeof(selection),
				       .digest_size = 32};

	digest("SHA256", (struct bytes){tpm->ak_public, tpm->ak_public_size}, child + 6);
	digest("SHA256", BYTES_OF(child), quote.signer + 2);
	memcpy(quote.extra, qualifying, 32);
	memcpy(quote.selection, selection, sizeof(selection));
	digest("SHA256", software_tpm_pcrs(tpm), quote.digest);
	*ret_quote = quote;
}

void
software_quote_encode(struct software_quote *quote)
{
	struct writer w = writer_of(quote->message, sizeof(quote->message));

	write_be32(&w, quote->magic);
	write_be16(&w, quote->type);
	write_bytes_be16(&w, (struct bytes){quote->signer, quote->signer_size});
	write_bytes_be16(&w, (struct bytes){quote->extra, quote->extra_size});
	write_be64(&w, quote->clock.clock);
	write_be32(&w, quote->clock.reset_count);
	write_be32(&w, quote->clock.restart_count);
	write_u8(&w, quote->safe);
	write_be64(&w, quote->firmware_version);
	write_bytes(&w, (struct bytes){quote->selection, quote->selection_size});
	write_bytes_be16(&w, (struct bytes){quote->digest, quote->digest_size});
	assert(!w.failed);
	quote->message_size = w.size;
}

void
software_quote_sign_message(const struct software_tpm *tpm, struct software_quote *quote)
{
	EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new(tpm->ak, NULL);
	uint8_t hash[32];
	uint8_t der[80];
	uint8_t number[32];
	size_t size = sizeof(der);
	const unsigned char *next = der;
	struct writer w = writer_of(quote->signature, sizeof(quote->signature));

	digest("SHA256", (struct bytes){quote->message, quote->message_size}, hash);
	assert(EVP_PKEY_sign_init(operation) == 1 &&
	       EVP_PKEY_sign(operation, der, &size, hash, sizeof(hash)) == 1);
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &next, (long)size);
	write_hex(&w, "0018000b");
	BN_bn2binpad(ECDSA_SIG_get0_r(signature), number, sizeof(number));
	write_bytes_be16(&w, BYTES_OF(number));
	BN_bn2binpad(ECDSA_SIG_get0_s(signature), number, sizeof(number));
	write_bytes_be16(&w, BYTES_OF(number));
	quote->signature_size = w.size;
	ECDSA_SIG_free(signature);
	EVP_PKEY_CTX_free(operation);
}

void
software_quote_sign(const struct software_tpm *tpm, struct software_quote *quote)
{
	software_quote_encode(quote);
	software_quote_sign_message(tpm, quote);
}

void
software_quote_make(const struct software_tpm *tpm, const uint8_t qualifying[ATTEST_HASH_SIZE],
		    struct software_quote *ret_quote)
{
	software_quote_fill(tpm, qualifying, ret_quote);
	software_quote_sign(tpm, ret_quote);
}
