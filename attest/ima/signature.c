/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of files: what stands in security.ima (security/integrity/integrity.h):
 *
 *   type || version || hash_algo || keyid:4 || size:u16 || signature
 *
 * Version 2 signs the file's digest. Version 3 signs the hash of type || hash_algo || digest, so
 * that a digest of fs-verity cannot pose as one of a file's content. RSA is PKCS#1 1.5, ECDSA DER.
 * The key id finds the key, and the key says the algorithm.
 */
#include "attest/error.h"
#include "internal.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

#define TYPE_FILE   0x03 /* EVM_IMA_XATTR_DIGSIG */
#define TYPE_VERITY 0x06 /* IMA_VERITY_DIGSIG */

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define EC_BITS_MIN  256
#define EC_BITS_MAX  521
#define SHA1_SIZE    20
#define KEY_ID_SIZE  4
#define FILE_MAX     65536 /* bytes of PEM */

/* include/uapi/linux/hash_info.h; no others are secure and common. */
static const struct {
	uint8_t number;
	const char *name;
} HASHES[] = {{4, "sha256"}, {5, "sha384"}, {6, "sha512"}};

struct signature {
	uint8_t type;
	uint8_t version;
	uint8_t hash;
	struct bytes key_id;
	struct bytes value;
};

static enum attest_ima_signature
decode(struct bytes field, struct signature *ret_signature)
{
	struct reader r = reader_of(field);
	struct signature signature = {.type = read_u8(&r), .version = read_u8(&r)};

	if (field.size == 0)
		return ATTEST_IMA_UNSIGNED;
	if ((signature.type != TYPE_FILE && signature.type != TYPE_VERITY) ||
	    (signature.type == TYPE_FILE && signature.version == 1))
		return ATTEST_IMA_SIGNATURE_OTHER;
	signature.hash = read_u8(&r);
	signature.key_id = read_bytes(&r, KEY_ID_SIZE);
	signature.value = read_bytes_be16(&r);
	bool known = (signature.type == TYPE_FILE && signature.version == 2) ||
		     ((signature.type == TYPE_FILE || signature.type == TYPE_VERITY) &&
		      signature.version == 3);
	if (!known || !reader_finished(&r) || signature.value.size == 0)
		return ATTEST_IMA_SIGNATURE_MALFORMED;
	*ret_signature = signature;
	return ATTEST_IMA_SIGNATURE_GOOD;
}

/* What was signed: the file's digest, or a hash of it. */
static bool
signed_digest(const struct signature *signature, struct bytes file_digest, const EVP_MD *hash,
	      uint8_t ret_digest[HASH_SIZE_MAX])
{
	auto_hasher hasher = {0};
	const uint8_t header[] = {signature->type, signature->hash};
	const struct bytes pieces[] = {BYTES_OF(header), file_digest};

	if (signature->version == 3)
		return hasher_open_with(&hasher, hash) &&
		       hash_pieces(&hasher, pieces, 2, ret_digest);
	memcpy(ret_digest, file_digest.data, file_digest.size);
	return true;
}

static bool
verify(EVP_PKEY *key, const struct signature *signature, const EVP_MD *hash, struct bytes digest)
{
	auto_pkey_operation *operation = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;

	bool good = operation != NULL && EVP_PKEY_verify_init(operation) == 1 &&
		    (!rsa || EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_PADDING) == 1) &&
		    EVP_PKEY_CTX_set_signature_md(operation, hash) == 1 &&
		    EVP_PKEY_verify(operation, signature->value.data, signature->value.size,
				    digest.data, digest.size) == 1;
	ERR_clear_error();
	return good;
}

static bool
named(const struct ima_key *key, struct bytes id)
{
	for (size_t i = 0; i < key->id_count; i++)
		if (bytes_equal(id, BYTES_OF(key->ids[i])))
			return true;
	return false;
}

enum attest_ima_signature
ima_signature_judge(const struct attest_ima_entry *entry, const struct ima_key *keys,
		    size_t key_count, uint32_t *ret_cost)
{
	struct signature signature;
	const char *hash_name = NULL;
	uint8_t digest[HASH_SIZE_MAX];
	enum attest_ima_signature answer = decode(entry->third, &signature);

	*ret_cost = 0;
	if (answer != ATTEST_IMA_SIGNATURE_GOOD)
		return answer;
	for (size_t i = 0; i < sizeof(HASHES) / sizeof(HASHES[0]); i++)
		if (HASHES[i].number == signature.hash)
			hash_name = HASHES[i].name;
	if (hash_name == NULL)
		return ATTEST_IMA_SIGNATURE_OTHER;
	const EVP_MD *hash = EVP_get_digestbyname(hash_name);
	if (!bytes_equal(entry->algorithm, ima_text(hash_name)) ||
	    entry->verity != (signature.type == TYPE_VERITY) ||
	    !signed_digest(&signature, entry->file_digest, hash, digest))
		return ATTEST_IMA_SIGNATURE_BAD;
	answer = ATTEST_IMA_SIGNATURE_NO_KEY;
	for (size_t i = 0; i < key_count && answer != ATTEST_IMA_SIGNATURE_GOOD; i++) {
		if (!named(&keys[i], signature.key_id))
			continue;
		*ret_cost += keys[i].cost;
		answer = verify(keys[i].key, &signature, hash,
				(struct bytes){digest, entry->file_digest.size})
				 ? ATTEST_IMA_SIGNATURE_GOOD
				 : ATTEST_IMA_SIGNATURE_BAD;
	}
	return answer;
}

/* ---- keys ---- */

static bool
is_p256(const EVP_PKEY *key)
{
	char group[64] = "";

	return EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
	       strcmp(group, SN_X9_62_prime256v1) == 0;
}

/* As measured, rounded up: with RSA's by the square of its size, and OpenSSL is quick with one
 * curve alone. */
static uint32_t
verification_cost(const EVP_PKEY *key)
{
	uint32_t bits = (uint32_t)EVP_PKEY_get_bits(key);

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		return bits * bits / 262144;
	return is_p256(key) ? 50 : 500;
}

static bool
key_is_strong(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && rsa_exponent_fits(key);
	case EVP_PKEY_EC: {
		char group[64];
		return bits >= EC_BITS_MIN && bits <= EC_BITS_MAX &&
		       EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1;
	}
	default:
		return false;
	}
}

static void
add_id(struct ima_key *key, const uint8_t *bytes, size_t size)
{
	if (size >= KEY_ID_SIZE)
		memcpy(key->ids[key->id_count++], bytes + size - KEY_ID_SIZE, KEY_ID_SIZE);
}

/* RFC 5280, 4.2.1.2, method 1, as evmctl and the kernel have it: SHA-1 of the bits of the key. An
 * id, no more: what it finds must verify. */
static bool
add_key_id(struct ima_key *key, X509_PUBKEY *public)
{
	const unsigned char *bits = NULL;
	int size = 0;
	uint8_t digest[SHA1_SIZE];

	if (X509_PUBKEY_get0_param(NULL, &bits, &size, NULL, public) != 1 || size < 0 ||
	    EVP_Digest(bits, (size_t)size, digest, NULL, EVP_sha1(), NULL) != 1)
		return false;
	add_id(key, digest, sizeof(digest));
	return true;
}

static inline void
x509_free_at(X509 **certificate)
{
	X509_free(*certificate);
}
static inline void
public_free_at(X509_PUBKEY **public)
{
	X509_PUBKEY_free(*public);
}

static bool
load_certificate(struct bytes der, struct ima_key *key)
{
	const unsigned char *at = der.data;
	__attribute__((cleanup(x509_free_at))) X509 *certificate =
		d2i_X509(NULL, &at, (long)der.size);

	if (certificate == NULL || at != der.data + der.size)
		return false;
	const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(certificate);
	key->key = X509_get_pubkey(certificate);
	if (key->key == NULL || !add_key_id(key, X509_get_X509_PUBKEY(certificate)))
		return false;
	if (id != NULL)
		add_id(key, ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
	return true;
}

static bool
load_public(struct bytes der, struct ima_key *key)
{
	const unsigned char *at = der.data;
	__attribute__((cleanup(public_free_at))) X509_PUBKEY *public =
		d2i_X509_PUBKEY(NULL, &at, (long)der.size);

	if (public == NULL || at != der.data + der.size)
		return false;
	key->key = X509_PUBKEY_get(public);
	return key->key != NULL && add_key_id(key, public);
}

void
ima_key_clear(struct ima_key *key)
{
	EVP_PKEY_free(key->key);
	*key = (struct ima_key){0};
}

enum attest_status
ima_key_load(struct bytes der, struct ima_key *ret_key, struct attest_error *err)
{
	struct ima_key key = {0};

	if (der.size == 0 || der.size > ATTEST_CERTIFICATE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "ima.key", "a key of %zu bytes, 1 to %d",
				   der.size, ATTEST_CERTIFICATE_MAX);
	bool loaded = load_public(der, &key);
	if (!loaded) {
		ima_key_clear(&key);
		loaded = load_certificate(der, &key);
	}
	ERR_clear_error();
	if (!loaded || !key_is_strong(key.key)) {
		ima_key_clear(&key);
		return loaded ? attest_fail(err, ATTEST_UNSUPPORTED, "ima.key",
					    "neither RSA of %d-%d bits with a common exponent nor "
					    "a named curve of %d-%d",
					    RSA_BITS_MIN, RSA_BITS_MAX, EC_BITS_MIN, EC_BITS_MAX)
			      : attest_fail(err, ATTEST_MALFORMED, "ima.key",
					    "neither a SubjectPublicKeyInfo nor a certificate");
	}
	key.cost = verification_cost(key.key);
	*ret_key = key;
	return ATTEST_OK;
}

static inline void
bio_free_at(BIO **bio)
{
	BIO_free(*bio);
}

struct pem {
	char *label;
	char *header;
	unsigned char *der;
	long size;
};

static void
pem_free_at(struct pem *pem)
{
	OPENSSL_free(pem->label);
	OPENSSL_free(pem->header);
	OPENSSL_free(pem->der);
}

static enum attest_status
take_key(struct bytes der, struct attest_ima_key *ret_key, struct attest_error *err)
{
	struct ima_key loaded;
	enum attest_status status = ima_key_load(der, &loaded, err);

	if (status != ATTEST_OK)
		return status;
	/* The certificate's own id is what its owner signs under. */
	memcpy(ret_key->id, loaded.ids[loaded.id_count - 1], KEY_ID_SIZE);
	memcpy(ret_key->der, der.data, der.size);
	ret_key->size = der.size;
	ima_key_clear(&loaded);
	return ATTEST_OK;
}

enum attest_status
attest_ima_key_decode(struct bytes file, struct attest_ima_key *ret_key, struct attest_error *err)
{
	__attribute__((cleanup(pem_free_at))) struct pem pem = {0};

	if (file.size > FILE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "ima.key", "a file of %zu bytes, at most %d",
				   file.size, FILE_MAX);
	__attribute__((cleanup(bio_free_at))) BIO *bio =
		BIO_new_mem_buf(file.size == 0 ? "" : (const void *)file.data, (int)file.size);
	if (bio == NULL)
		return attest_fail_memory(err);
	bool is_pem = PEM_read_bio(bio, &pem.label, &pem.header, &pem.der, &pem.size) == 1;
	ERR_clear_error();
	return take_key(is_pem ? (struct bytes){pem.der, (size_t)pem.size} : file, ret_key, err);
}
