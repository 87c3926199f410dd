/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judged here rather than with OpenSSL's purposes, which know TLS and mail but no EKs: a critical
 * SAN, an empty subject, a key marked for OAEP and padding out of NV are all normal, and
 * digitalSignature is not.
 */
#include "certificate.h"

#include "error.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192 /* a bound on the work that a certificate can cause */
#define OID_TEXT_MAX 64

/* TCG EK Credential Profile 2.5, 3.2 and A.1. */
#define OID_EK_CERTIFICATE	 "2.23.133.8.1"
#define OID_PLATFORM_CERTIFICATE "2.23.133.8.2"
#define OID_AK_CERTIFICATE	 "2.23.133.8.3"
#define OID_MANUFACTURER	 "2.23.133.2.1"
#define OID_MODEL		 "2.23.133.2.2"
#define OID_VERSION		 "2.23.133.2.3"

/* TCG_PCCLIENT_STORED_CERT: tag, type, size, and the tag of a full certificate. */
static struct bytes
strip_header(struct bytes der)
{
	struct reader r = reader_of(der);

	uint16_t tag = read_be16(&r);
	uint8_t type = read_u8(&r);
	uint16_t size = read_be16(&r);
	uint16_t inner_tag = read_be16(&r);
	if (r.failed || tag != 0x1001 || type != 0 || inner_tag != 0x1002 || size < 2)
		return der;
	return read_bytes(&r, r.left);
}

/* What follows a certificate in an NV index: nothing, or one byte value repeated that erased or
 * unused cells hold. */
static bool
is_padding(struct bytes rest)
{
	for (size_t i = 0; i < rest.size; i++)
		if (rest.data[i] != rest.data[0] || (rest.data[0] != 0x00 && rest.data[0] != 0xff))
			return false;
	return true;
}

enum attest_status
certificate_load(struct bytes der, X509 **ret_certificate, struct attest_error *err)
{
	if (der.size > ATTEST_CERTIFICATE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "certificate.size",
				   "certificate of %zu bytes, at most %d", der.size,
				   ATTEST_CERTIFICATE_MAX);
	struct bytes stored = strip_header(der);
	struct reader r = reader_of(stored);
	const unsigned char *next = stored.data;
	X509 *certificate = stored.size == 0 ? NULL : d2i_X509(NULL, &next, (long)stored.size);
	ERR_clear_error();
	if (certificate == NULL)
		return attest_fail(err, ATTEST_MALFORMED, "certificate.parse",
				   "%zu bytes are not an X.509 certificate", der.size);
	read_bytes(&r, (size_t)(next - stored.data));
	if (!is_padding(read_bytes(&r, r.left))) {
		X509_free(certificate);
		return attest_fail(err, ATTEST_MALFORMED, "certificate.parse",
				   "something follows the certificate");
	}
	*ret_certificate = certificate;
	return ATTEST_OK;
}

EVP_PKEY *
certificate_key(const X509 *certificate)
{
	X509_PUBKEY *info = X509_get_X509_PUBKEY(certificate);
	ASN1_OBJECT *algorithm = NULL;
	const unsigned char *encoded = NULL;
	int size = 0;

	EVP_PKEY *key = X509_PUBKEY_get(info);
	/* RFC 4055's id-RSAES-OAEP holds the same RSAPublicKey. */
	if (key == NULL && X509_PUBKEY_get0_param(&algorithm, &encoded, &size, NULL, info) == 1 &&
	    OBJ_obj2nid(algorithm) == NID_rsaesOaep)
		key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &encoded, size);
	ERR_clear_error();
	return key;
}

bool
certificate_id(const X509 *certificate, uint8_t ret_id[ATTEST_HASH_SIZE])
{
	unsigned char *info = NULL;
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &info);
	bool good = size > 0 && sha256((struct bytes){info, (size_t)size}, ret_id);

	OPENSSL_free(info);
	return good;
}

static bool
object_is(const ASN1_OBJECT *object, const char *oid)
{
	char text[OID_TEXT_MAX];

	return OBJ_obj2txt(text, sizeof(text), object, 1) > 0 && strcmp(text, oid) == 0;
}

static enum attest_status
check_critical(const X509 *certificate, struct attest_error *err)
{
	/* Certificate policies are known in that none is required and none excluded. */
	static const int known[] = {NID_basic_constraints, NID_key_usage, NID_ext_key_usage,
				    NID_subject_alt_name, NID_certificate_policies};

	for (int i = 0; i < X509_get_ext_count(certificate); i++) {
		X509_EXTENSION *extension = X509_get_ext(certificate, i);
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
		bool accepted = X509_EXTENSION_get_critical(extension) == 0;
		char oid[OID_TEXT_MAX] = {0};

		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
			accepted = accepted || nid == known[k];
		if (accepted)
			continue;
		OBJ_obj2txt(oid, sizeof(oid), X509_EXTENSION_get_object(extension), 1);
		return attest_differs_text(err, ATTEST_REFUSED, "certificate.critical",
					   "known critical extensions", oid,
					   "a critical extension that is not understood");
	}
	return ATTEST_OK;
}

/* What both leaves and issuers must be: version 3, extensions that parse and stand there once. */
static enum attest_status
check_form(X509 *certificate, struct attest_error *err)
{
	uint32_t flags = X509_get_extension_flags(certificate);

	ERR_clear_error();
	if ((flags & EXFLAG_INVALID) != 0 || X509_get_version(certificate) != X509_VERSION_3)
		return attest_fail(err, ATTEST_REFUSED, "certificate.form",
				   "not version 3, or an extension that does not parse");
	return check_critical(certificate, err);
}

static inline void
usage_free_at(EXTENDED_KEY_USAGE **usage)
{
	EXTENDED_KEY_USAGE_free(*usage);
}
#define auto_usage __attribute__((cleanup(usage_free_at))) EXTENDED_KEY_USAGE

static bool
purposes_have(const EXTENDED_KEY_USAGE *usage, const char *oid)
{
	for (int i = 0; i < sk_ASN1_OBJECT_num(usage); i++)
		if (object_is(sk_ASN1_OBJECT_value(usage, i), oid))
			return true;
	return false;
}

/* No extension: anything goes. With one: for EKs; and a leaf may not also be a key that signs, or a
 * platform. */
static bool
extended_usage_fits(const X509 *certificate, bool leaf)
{
	int critical = -1;
	auto_usage *usage = X509_get_ext_d2i(certificate, NID_ext_key_usage, &critical, NULL);

	/* -1 says that there is none; else it is there twice, or memory ran out while it was
	 * decoded. */
	if (usage == NULL)
		return critical == -1;
	if (leaf && (purposes_have(usage, OID_PLATFORM_CERTIFICATE) ||
		     purposes_have(usage, OID_AK_CERTIFICATE)))
		return false;
	return purposes_have(usage, OID_EK_CERTIFICATE);
}

enum attest_status
certificate_check_leaf(X509 *certificate, struct attest_error *err)
{
	enum attest_status status = check_form(certificate, err);
	if (status != ATTEST_OK)
		return status;
	if ((X509_get_extension_flags(certificate) & EXFLAG_CA) != 0)
		return attest_fail(err, ATTEST_REFUSED, "ek.certificate.ca",
				   "a CA's certificate in the place of an EK's");

	/* Without the extension every use is allowed (UINT32_MAX), signing too. */
	auto_pkey *key = certificate_key(certificate);
	bool ecc = key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC;
	uint32_t wanted = ecc ? KU_KEY_AGREEMENT : KU_KEY_ENCIPHERMENT;
	uint32_t usage = X509_get_key_usage(certificate);
	if ((usage & wanted) == 0 || (usage & KU_DIGITAL_SIGNATURE) != 0)
		return attest_differs_text(err, ATTEST_REFUSED, "ek.certificate.usage",
					   ecc ? "keyAgreement without digitalSignature"
					       : "keyEncipherment without digitalSignature",
					   usage == UINT32_MAX ? "any use"
					   : (usage & KU_DIGITAL_SIGNATURE) != 0
						   ? "digitalSignature"
						   : "neither",
					   "the key usage is not an EK's");
	if (!extended_usage_fits(certificate, true))
		return attest_differs_text(err, ATTEST_REFUSED, "ek.certificate.purpose",
					   OID_EK_CERTIFICATE, "another extended key usage",
					   "the extended key usage is not an EK's alone");
	return ATTEST_OK;
}

static bool
key_is_strong(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
	case EVP_PKEY_EC:
		return bits >= 256;
	default:
		return false;
	}
}

enum attest_status
certificate_check_issuer(X509 *certificate, struct attest_error *err)
{
	enum attest_status status = check_form(certificate, err);
	if (status != ATTEST_OK)
		return status;
	if ((X509_get_extension_flags(certificate) & EXFLAG_CA) == 0)
		return attest_fail(err, ATTEST_REFUSED, "ca.constraints",
				   "an issuer without CA:TRUE");
	uint32_t usage = X509_get_key_usage(certificate);
	if (usage == UINT32_MAX || (usage & KU_KEY_CERT_SIGN) == 0)
		return attest_fail(err, ATTEST_REFUSED, "ca.usage",
				   "an issuer without keyCertSign");
	if (!extended_usage_fits(certificate, false))
		return attest_fail(err, ATTEST_REFUSED, "ca.purpose",
				   "an issuer of something else than EK certificates");
	auto_pkey *key = certificate_key(certificate);
	if (key == NULL || !key_is_strong(key))
		return attest_fail(err, ATTEST_REFUSED, "ca.key",
				   "an issuer's key that is weak or unknown (RSA from 2048, "
				   "EC from 256 bits)");
	return ATTEST_OK;
}

static bool
time_of(const ASN1_TIME *time, int64_t *ret_time)
{
	struct tm broken_down = {0};

	if (ASN1_TIME_to_tm(time, &broken_down) != 1)
		return false;
	*ret_time = timegm(&broken_down);
	return true;
}

bool
certificate_expires(const X509 *certificate, int64_t *ret_time)
{
	return time_of(X509_get0_notAfter(certificate), ret_time);
}

enum attest_status
certificate_check_dates(const X509 *certificate, int64_t now, struct attest_error *err)
{
	int64_t from;
	int64_t until;

	if (!time_of(X509_get0_notBefore(certificate), &from) ||
	    !certificate_expires(certificate, &until))
		return attest_fail(err, ATTEST_REFUSED, "certificate.dates",
				   "dates that do not parse");
	if (now < from)
		return attest_fail(err, ATTEST_REFUSED, "certificate.early",
				   "valid from %lld, and now is %lld", (long long)from,
				   (long long)now);
	if (now > until)
		return attest_fail(err, ATTEST_REFUSED, "certificate.expired",
				   "valid until %lld, and now is %lld", (long long)until,
				   (long long)now);
	return ATTEST_OK;
}

enum attest_status
certificate_check_signature_algorithm(X509 *certificate, struct attest_error *err)
{
	int hash = NID_undef;
	int type = NID_undef;

	int known = X509_get_signature_info(certificate, &hash, &type, NULL, NULL);
	ERR_clear_error();
	bool strong = hash == NID_sha256 || hash == NID_sha384 || hash == NID_sha512;
	if (known == 1 && strong &&
	    (type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS || type == EVP_PKEY_EC))
		return ATTEST_OK;
	return attest_differs_text(err, ATTEST_REFUSED, "certificate.algorithm",
				   "SHA-256, SHA-384 or SHA-512 with RSA or ECDSA",
				   known == 1 && hash != NID_undef ? OBJ_nid2sn(hash) : "unknown",
				   "how the certificate is signed is not accepted");
}

/* Printable ASCII, cut to fit: this is for people to read and for policies to compare. */
static void
copy_text(const ASN1_STRING *string, char *ret, size_t size)
{
	struct reader r = reader_of(
		(struct bytes){ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string)});
	struct writer w = writer_of(ret, size - 1);

	while (r.left > 0 && !w.failed) {
		uint8_t c = read_u8(&r);
		write_u8(&w, c >= 0x20 && c < 0x7f ? c : '?');
	}
	ret[w.size] = '\0';
}

static void
describe_name(const X509_NAME *name, struct attest_chain *chain)
{
	for (int i = 0; i < X509_NAME_entry_count(name); i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		const ASN1_OBJECT *object = X509_NAME_ENTRY_get_object(entry);
		const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);

		if (object_is(object, OID_MANUFACTURER))
			copy_text(value, chain->manufacturer, sizeof(chain->manufacturer));
		else if (object_is(object, OID_MODEL))
			copy_text(value, chain->model, sizeof(chain->model));
		else if (object_is(object, OID_VERSION))
			copy_text(value, chain->version, sizeof(chain->version));
	}
}

static inline void
names_free_at(GENERAL_NAMES **names)
{
	GENERAL_NAMES_free(*names);
}
#define auto_names __attribute__((cleanup(names_free_at))) GENERAL_NAMES

void
certificate_describe(const X509 *certificate, struct attest_chain *chain)
{
	auto_names *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DIRNAME)
			describe_name(name->d.directoryName, chain);
	}
	ERR_clear_error();
}
