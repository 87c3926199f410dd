/* SPDX-License-Identifier: Apache-2.0 */
#include "software_ca.h"

#include <assert.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

static void
set_name(X509_NAME *name, const char *text)
{
	if (text != NULL)
		assert(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
						  (const unsigned char *)text, -1, -1, 0) == 1);
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

/* TCG EK Credential Profile 3.2.9: the TPM's maker, model and version as a directoryName. */
static void
add_names(X509 *certificate)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *name = GENERAL_NAME_new();
	X509_NAME *directory = X509_NAME_new();

	add_name_entry(directory, "2.23.133.2.1", "id:504F5354");
	add_name_entry(directory, "2.23.133.2.2", "Software\xc3\xa9");
	add_name_entry(directory, "2.23.133.2.3", "id:00010002");
	GENERAL_NAME_set0_value(name, GEN_DIRNAME, directory);
	sk_GENERAL_NAME_push(names, name);
	assert(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 1, 0) == 1);
	GENERAL_NAMES_free(names);
}

static void
add_unknown(X509 *certificate, const char *oid)
{
	static const uint8_t null[] = {0x05, 0x00};
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();

	ASN1_OCTET_STRING_set(value, null, sizeof(null));
	X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, 1, value);
	assert(X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(object);
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
	const char *hash = recipe->hash == NULL ? "SHA256" : recipe->hash;

	assert(X509_set_version(certificate,
				recipe->version == 0 ? X509_VERSION_3 : recipe->version - 1) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
	set_name(X509_get_subject_name(certificate), recipe->subject);
	set_name(X509_get_issuer_name(certificate), recipe->issuer);
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
	if (recipe->names)
		add_names(certificate);
	if (recipe->unknown != NULL)
		add_unknown(certificate, recipe->unknown);
	assert(X509_sign(certificate, recipe->signer, EVP_get_digestbyname(hash)) > 0);

	int size = i2d_X509(certificate, &der);
	assert(size > 0 && (size_t)size <= capacity);
	memcpy(ret_der, der, (size_t)size);
	OPENSSL_free(der);
	X509_free(certificate);
	return (size_t)size;
}
