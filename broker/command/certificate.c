/* SPDX-License-Identifier: Apache-2.0 */
#include "certificate.h"

#include "command.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY		86400
#define DAYS		3650 /* of both: the CA's key is forgotten, and can sign no successor */
#define BACKDATED	3600 /* for a guest whose clock is a little behind */
#define SERIAL_SIZE	16
#define NAME_MAX_SIZE	253
#define PEM_MAX		16384
#define MODULUS_MAX	512
#define COORDINATES_MAX 132

static void
bio_free_at(BIO **bio)
{
	(void)BIO_free(*bio);
}
static void
pkey_free_at(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
static void
x509_free_at(X509 **certificate)
{
	X509_free(*certificate);
}
#define auto_bio  __attribute__((cleanup(bio_free_at))) BIO
#define auto_pkey __attribute__((cleanup(pkey_free_at))) EVP_PKEY
#define auto_x509 __attribute__((cleanup(x509_free_at))) X509

void
server_identity_clear(struct server_identity *identity)
{
	file_text_clear(&identity->ca);
	file_text_clear(&identity->certificate);
	secret_free(identity->key);
	identity->key = NULL;
}

static bool
is_address(const char *name)
{
	uint8_t address[16];

	return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

/* Nothing but letters, digits, '-' and '.': the name goes into OpenSSL's little configuration
 * language. */
bool
server_name_valid(const char *name)
{
	size_t size = strlen(name);

	if (is_address(name))
		return true;
	return size > 0 && size <= NAME_MAX_SIZE && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
		       size;
}

static bool
alternative_names(const char *const *names, size_t count, char *ret_text, size_t capacity)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		int size = snprintf(ret_text + used, capacity - used, "%s%s:%s", i > 0 ? "," : "",
				    is_address(names[i]) ? "IP" : "DNS", names[i]);
		if (size < 0 || (size_t)size >= capacity - used)
			return false;
		used += (size_t)size;
	}
	return true;
}

static bool
extension_add(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return added;
}

static bool
serial_set(X509 *certificate)
{
	uint8_t serial[SERIAL_SIZE];
	BIGNUM *number = NULL;

	if (RAND_bytes(serial, sizeof(serial)) != 1)
		return false;
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, and of full length */
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	bool set = number != NULL &&
		   BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
	BN_free(number);
	return set;
}

/* Subject, times, key and serial; the issuer is `issuer`, or itself. */
static X509 *
certificate_begin(const char *common_name, EVP_PKEY *key, X509 *issuer, int64_t now)
{
	X509 *certificate = X509_new();
	X509_NAME *name = certificate != NULL ? X509_get_subject_name(certificate) : NULL;
	const uint8_t *text = (const uint8_t *)common_name;

	if (name != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 &&
	    serial_set(certificate) &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1 &&
	    X509_set_issuer_name(certificate,
				 issuer != NULL ? X509_get_subject_name(issuer) : name) == 1 &&
	    ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)(now - BACKDATED)) != NULL &&
	    ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)(now + (int64_t)DAYS * DAY)) !=
		    NULL &&
	    X509_set_pubkey(certificate, key) == 1)
		return certificate;
	X509_free(certificate);
	return NULL;
}

/* RFC 5280, 4.2. pathlen:0: it can sign servers, and no further CA. */
static X509 *
ca_make(EVP_PKEY *key, int64_t now)
{
	uint8_t random[4];
	char name[40];

	if (RAND_bytes(random, sizeof(random)) != 1)
		return NULL;
	(void)snprintf(name, sizeof(name), "Postern CA %02x%02x%02x%02x", random[0], random[1],
		       random[2], random[3]);
	X509 *ca = certificate_begin(name, key, NULL, now);
	if (ca != NULL &&
	    extension_add(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    extension_add(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	    extension_add(ca, ca, NID_subject_key_identifier, "hash") &&
	    X509_sign(ca, key, EVP_sha256()) > 0)
		return ca;
	X509_free(ca);
	return NULL;
}

static X509 *
server_make(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const char *names, int64_t now)
{
	X509 *server = certificate_begin("posternd", key, ca, now);

	if (server != NULL &&
	    extension_add(server, ca, NID_basic_constraints, "critical,CA:FALSE") &&
	    extension_add(server, ca, NID_key_usage, "critical,digitalSignature") &&
	    extension_add(server, ca, NID_ext_key_usage, "serverAuth") &&
	    extension_add(server, ca, NID_subject_key_identifier, "hash") &&
	    extension_add(server, ca, NID_authority_key_identifier, "keyid:always") &&
	    extension_add(server, ca, NID_subject_alt_name, names) &&
	    X509_sign(server, ca_key, EVP_sha256()) > 0)
		return server;
	X509_free(server);
	return NULL;
}

static bool
certificate_pem(X509 *certificate, struct file_text *ret_text)
{
	auto_bio *bio = BIO_new(BIO_s_mem());
	char *data = NULL;

	if (bio == NULL || PEM_write_bio_X509(bio, certificate) != 1)
		return false;
	long size = BIO_get_mem_data(bio, &data);
	ret_text->data = size > 0 ? strndup(data, (size_t)size) : NULL;
	ret_text->size = (size_t)size;
	return ret_text->data != NULL;
}

static struct secret *
key_pem(EVP_PKEY *key)
{
	auto_bio *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
	struct secret *secret = secret_new(PEM_MAX);

	if (bio != NULL && secret != NULL &&
	    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
		int size = BIO_read(bio, secret->bytes, PEM_MAX);
		if (size > 0 && size < PEM_MAX) {
			secret->size = (size_t)size;
			return secret;
		}
	}
	secret_free(secret);
	return NULL;
}

int
server_identity_make(const char *const *names, size_t count, int64_t now,
		     struct server_identity *ret_identity)
{
	auto_pkey *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	auto_x509 *ca = NULL, *server = NULL;
	auto_identity identity = {.key = NULL};
	char text[CERTIFICATE_NAMES_MAX * (NAME_MAX_SIZE + 5)];

	if (ca_key == NULL || key == NULL || !alternative_names(names, count, text, sizeof(text)) ||
	    (ca = ca_make(ca_key, now)) == NULL ||
	    (server = server_make(key, ca, ca_key, text, now)) == NULL ||
	    !certificate_pem(ca, &identity.ca) || !certificate_pem(server, &identity.certificate) ||
	    (identity.key = key_pem(key)) == NULL)
		return complain(EX_SOFTWARE, "the server's certificate cannot be made");
	*ret_identity = identity;
	identity = (struct server_identity){.key = NULL};
	return 0;
}

/* The PEM's own bytes, not an encoding of what OpenSSL understood of them. */
static bool
pem_unwrap(const struct file_text *file, const char *label, uint8_t *ret_der, size_t capacity,
	   size_t *ret_size)
{
	auto_bio *bio = BIO_new_mem_buf(file->data, (int)file->size);
	char *name = NULL, *header = NULL;
	uint8_t *data = NULL;
	long size = 0;
	bool fits = false;

	if (bio != NULL && PEM_read_bio(bio, &name, &header, &data, &size) == 1) {
		fits = strcmp(name, label) == 0 && size > 0 && (size_t)size <= capacity;
		if (fits) {
			memcpy(ret_der, data, (size_t)size);
			*ret_size = (size_t)size;
		}
	}
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	return fits;
}

int
certificate_read(const char *path, struct certificate *ret_certificate)
{
	auto_file_text file = {.data = NULL};
	int status = file_read(path, PEM_MAX, &file);

	if (status != 0)
		return status;
	if (strstr(file.data, "-----BEGIN ") != NULL) {
		if (pem_unwrap(&file, "CERTIFICATE", ret_certificate->der,
			       sizeof(ret_certificate->der), &ret_certificate->size))
			return 0;
		return complain(EX_DATAERR, "%s: no certificate in PEM", path);
	}
	if (file.size == 0 || file.size > sizeof(ret_certificate->der) || file.data[0] != 0x30)
		return complain(EX_DATAERR, "%s: neither PEM nor DER of a certificate", path);
	memcpy(ret_certificate->der, file.data, file.size);
	ret_certificate->size = file.size;
	return 0;
}

/* attest.h, attest_ek_id: SHA-256 of the big-endian modulus, or of x || y. */
bool
public_key_id(const char *pem, size_t size, uint8_t ret_id[ATTEST_HASH_SIZE])
{
	auto_bio *bio = BIO_new_mem_buf(pem, (int)size);
	auto_pkey *key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	uint8_t text[MODULUS_MAX], point[1 + COORDINATES_MAX];
	BIGNUM *modulus = NULL;
	size_t got = 0;

	if (key == NULL)
		return false;
	if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) == 1) {
		int length = BN_num_bytes(modulus);
		bool fits = length >= 256 && length <= MODULUS_MAX &&
			    BN_bn2bin(modulus, text) == length;
		BN_free(modulus);
		if (fits)
			(void)SHA256(text, (size_t)length, ret_id);
		return fits;
	}
	/* 04 || x || y */
	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
					    &got) != 1 ||
	    (got != 65 && got != 97) || point[0] != 4)
		return false;
	(void)SHA256(point + 1, got - 1, ret_id);
	return true;
}
