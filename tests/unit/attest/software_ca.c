/* SPDX-License-Identifier: Apache-2.0 */
#include "software_ca.h"

#include <assert.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

static const uint8_t NOTHING[] = {0x05, 0x00}; /* NULL */

static void
set_name(X509_NAME *name, const char *text, const struct software_certificate *recipe)
{
	int form = recipe->text_form == 0 ? MBSTRING_ASC : recipe->text_form;
	const char *organization = recipe->organization;

	if (text == NULL)
		return;
	assert(X509_NAME_add_entry_by_txt(name, "CN", form, (const unsigned char *)text, -1, -1,
					  0) == 1);
	/* -1: in the RDN of the entry before. */
	if (organization != NULL)
		assert(X509_NAME_add_entry_by_txt(name, "O", form,
						  (const unsigned char *)organization, -1, -1,
						  -1) == 1);
}

static void
add_extension(X509 *certificate, int nid, const char *value)
{
	if (value == NULL)
		return;
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert(extension != NULL);
	assert(X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

static void
add_name_entry(X509_NAME *name, const char *oid, const char *value)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);

	assert(X509_NAME_add_entry_by_OBJ(name, object, V_ASN1_UTF8STRING,
					  (const unsigned char *)value, -1, -1, 0) == 1);
	ASN1_OBJECT_free(object);
}

static void
fill_names(X509_NAME *directory)
{
	add_name_entry(directory, "2.23.133.2.1", "id:504F5354");
	add_name_entry(directory, "2.23.133.2.2", "Software\xc3\xa9");
	add_name_entry(directory, "2.23.133.2.3", "id:00010002");
}

/* TCG EK Credential Profile 3.2.9: the TPM's maker, model and version as a directoryName. */
static void
add_names(X509 *certificate)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *name = GENERAL_NAME_new();
	X509_NAME *directory = X509_NAME_new();

	fill_names(directory);
	GENERAL_NAME_set0_value(name, GEN_DIRNAME, directory);
	sk_GENERAL_NAME_push(names, name);
	assert(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 1, 0) == 1);
	GENERAL_NAMES_free(names);
}

static X509_EXTENSION *
raw_extension(const char *oid, bool critical, struct bytes value)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();

	ASN1_OCTET_STRING_set(string, value.data, (int)value.size);
	X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, critical, string);
	assert(extension != NULL);
	ASN1_OCTET_STRING_free(string);
	ASN1_OBJECT_free(object);
	return extension;
}

static void
add_raw(X509 *certificate, const char *oid, bool critical, struct bytes value)
{
	X509_EXTENSION *extension = raw_extension(oid, critical, value);

	assert(X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

static AUTHORITY_KEYID *
key_id_new(const char *hex)
{
	AUTHORITY_KEYID *key_id = AUTHORITY_KEYID_new();
	long size = 0;
	unsigned char *bytes = OPENSSL_hexstr2buf(hex, &size);

	assert(key_id != NULL && bytes != NULL);
	key_id->keyid = ASN1_OCTET_STRING_new();
	ASN1_OCTET_STRING_set(key_id->keyid, bytes, (int)size);
	OPENSSL_free(bytes);
	return key_id;
}

static void
add_key_ids(X509 *certificate, const struct software_certificate *recipe)
{
	if (recipe->key_id != NULL) {
		AUTHORITY_KEYID *own = key_id_new(recipe->key_id);
		assert(X509_add1_ext_i2d(certificate, NID_subject_key_identifier, own->keyid, 0,
					 0) == 1);
		AUTHORITY_KEYID_free(own);
	}
	if (recipe->issuer_key_id != NULL) {
		AUTHORITY_KEYID *other = key_id_new(recipe->issuer_key_id);
		assert(X509_add1_ext_i2d(certificate, NID_authority_key_identifier, other, 0, 0) ==
		       1);
		AUTHORITY_KEYID_free(other);
	}
}

static void
sign(X509 *certificate, const struct software_certificate *recipe)
{
	const EVP_MD *hash = EVP_get_digestbyname(recipe->hash == NULL ? "SHA256" : recipe->hash);
	EVP_MD_CTX *operation = EVP_MD_CTX_new();
	EVP_PKEY_CTX *key = NULL;

	assert(EVP_DigestSignInit(operation, &key, hash, NULL, recipe->signer) == 1);
	if (recipe->mask != NULL)
		assert(EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_mgf1_md(key, EVP_get_digestbyname(recipe->mask)) == 1);
	assert(X509_sign_ctx(certificate, operation) > 0);
	EVP_MD_CTX_free(operation);
}

static void
mark_oaep(X509 *certificate)
{
	X509_PUBKEY *info = X509_get_X509_PUBKEY(certificate);
	const unsigned char *key = NULL;
	int size = 0;

	assert(X509_PUBKEY_get0_param(NULL, &key, &size, NULL, info) == 1);
	unsigned char *copy = OPENSSL_memdup(key, (size_t)size);
	assert(X509_PUBKEY_set0_param(info, OBJ_nid2obj(NID_rsaesOaep), V_ASN1_NULL, NULL, copy,
				      size) == 1);
}

size_t
software_certificate_make(const struct software_certificate *recipe, uint8_t *ret_der,
			  size_t capacity)
{
	X509 *certificate = X509_new();
	unsigned char *der = NULL;

	assert(X509_set_version(certificate,
				recipe->version == 0 ? X509_VERSION_3 : recipe->version - 1) == 1);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate),
				recipe->serial == 0 ? 7 : recipe->serial);
	set_name(X509_get_subject_name(certificate), recipe->subject, recipe);
	set_name(X509_get_issuer_name(certificate), recipe->issuer, recipe);
	if (recipe->names_in_subject)
		fill_names(X509_get_subject_name(certificate));
	ASN1_TIME_set_string(X509_getm_notBefore(certificate),
			     recipe->from == NULL ? "20200101000000Z" : recipe->from);
	ASN1_TIME_set_string(X509_getm_notAfter(certificate),
			     recipe->until == NULL ? "99991231235959Z" : recipe->until);
	assert(X509_set_pubkey(certificate, recipe->key) == 1);
	if (recipe->oaep)
		mark_oaep(certificate);
	add_extension(certificate, NID_basic_constraints, recipe->constraints);
	add_extension(certificate, NID_key_usage, recipe->usage);
	add_extension(certificate, NID_ext_key_usage, recipe->purpose);
	add_extension(certificate, NID_crl_distribution_points, recipe->point);
	add_extension(certificate, NID_name_constraints, recipe->constrained);
	if (recipe->names)
		add_names(certificate);
	if (recipe->unknown != NULL)
		add_raw(certificate, recipe->unknown, true, BYTES_OF(NOTHING));
	if (recipe->instance.size > 0)
		add_raw(certificate, "1.3.6.1.4.1.11129.2.1.21", false, recipe->instance);
	add_key_ids(certificate, recipe);
	sign(certificate, recipe);

	int size = i2d_X509(certificate, &der);
	assert(size > 0 && (size_t)size <= capacity);
	memcpy(ret_der, der, (size_t)size);
	OPENSSL_free(der);
	X509_free(certificate);
	return (size_t)size;
}

/* ---- CRLs ---- */

static void
add_revoked(X509_CRL *crl, const struct software_revoked *one)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	ASN1_TIME *when = ASN1_TIME_new();

	ASN1_INTEGER_set_uint64(serial, one->serial);
	ASN1_TIME_set_string(when, "20260101000000Z");
	assert(X509_REVOKED_set_serialNumber(entry, serial) == 1 &&
	       X509_REVOKED_set_revocationDate(entry, when) == 1);
	if (one->reason != 0) {
		ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
		ASN1_ENUMERATED_set(reason, one->reason);
		assert(X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason, 0, 0) == 1);
		ASN1_ENUMERATED_free(reason);
	}
	if (one->unknown != NULL) {
		X509_EXTENSION *extension = raw_extension(one->unknown, true, BYTES_OF(NOTHING));
		assert(X509_REVOKED_add_ext(entry, extension, -1) == 1);
		X509_EXTENSION_free(extension);
	}
	assert(X509_CRL_add0_revoked(crl, entry) == 1);
	ASN1_INTEGER_free(serial);
	ASN1_TIME_free(when);
}

static void
add_crl_extensions(X509_CRL *crl, const struct software_crl *recipe)
{
	ASN1_INTEGER *number = ASN1_INTEGER_new();

	ASN1_INTEGER_set_uint64(number, 5);
	assert(X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1);
	if (recipe->delta)
		assert(X509_CRL_add1_ext_i2d(crl, NID_delta_crl, number, 0, 0) == 1);
	ASN1_INTEGER_free(number);
	if (recipe->issuer_key_id != NULL) {
		AUTHORITY_KEYID *key_id = key_id_new(recipe->issuer_key_id);
		assert(X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, key_id, 0, 0) == 1);
		AUTHORITY_KEYID_free(key_id);
	}
	if (recipe->unknown != NULL) {
		X509_EXTENSION *extension = raw_extension(recipe->unknown, true, BYTES_OF(NOTHING));
		assert(X509_CRL_add_ext(crl, extension, -1) == 1);
		X509_EXTENSION_free(extension);
	}
	if (recipe->point != NULL) {
		X509_EXTENSION *extension = X509V3_EXT_conf_nid(
			NULL, NULL, NID_issuing_distribution_point, recipe->point);
		assert(extension != NULL && X509_CRL_add_ext(crl, extension, -1) == 1);
		X509_EXTENSION_free(extension);
	}
}

size_t
software_crl_make(const struct software_crl *recipe, uint8_t *ret_der, size_t capacity)
{
	X509_CRL *crl = X509_CRL_new();
	X509_NAME *issuer = X509_NAME_new();
	ASN1_TIME *time = ASN1_TIME_new();
	unsigned char *der = NULL;

	set_name(issuer, recipe->issuer, &(const struct software_certificate){.text_form = 0});
	assert(X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
	       X509_CRL_set_issuer_name(crl, issuer) == 1);
	ASN1_TIME_set_string(time, recipe->from == NULL ? "20260101000000Z" : recipe->from);
	assert(X509_CRL_set1_lastUpdate(crl, time) == 1);
	if (recipe->until == NULL || recipe->until[0] != '\0') {
		ASN1_TIME_set_string(time,
				     recipe->until == NULL ? "20280101000000Z" : recipe->until);
		assert(X509_CRL_set1_nextUpdate(crl, time) == 1);
	}
	for (const struct software_revoked *one = recipe->revoked; one != NULL && one->serial != 0;
	     one++)
		add_revoked(crl, one);
	add_crl_extensions(crl, recipe);
	const EVP_MD *hash = EVP_get_digestbyname(recipe->hash == NULL ? "SHA256" : recipe->hash);
	assert(X509_CRL_sign(crl, recipe->signer, hash) > 0);
	int size = i2d_X509_CRL(crl, &der);
	assert(size > 0 && (size_t)size <= capacity);
	memcpy(ret_der, der, (size_t)size);
	OPENSSL_free(der);
	ASN1_TIME_free(time);
	X509_NAME_free(issuer);
	X509_CRL_free(crl);
	return (size_t)size;
}
