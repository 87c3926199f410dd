/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judged here rather than with OpenSSL's purposes, which know TLS and mail but no EKs: a critical
 * SAN, an empty subject, a key marked for OAEP and padding out of NV are all normal.
 */
#include "certificate.h"

#include "error.h"

#include <openssl/asn1err.h>
#include <openssl/ecerr.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#define OID_TEXT_MAX 64

/* TCG_PCCLIENT_STORED_CERT: tag, type, size, and the tag of a full certificate. */
struct bytes
certificate_strip_header(struct bytes der)
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

/* One byte value repeated, that erased or unused cells hold. */
bool
certificate_is_padding(struct bytes rest)
{
	for (size_t i = 0; i < rest.size; i++)
		if (rest.data[i] != rest.data[0] || (rest.data[0] != 0x00 && rest.data[0] != 0xff))
			return false;
	return true;
}

/* The body of a DER element that begins there, if that is a SEQUENCE. */
static struct reader
enter_sequence(struct reader *r)
{
	uint8_t tag = read_u8(r);
	uint8_t size = read_u8(r);

	/* Long lengths: 0x80 and how many bytes follow with the length itself. */
	if (tag != 0x30)
		reader_fail(r);
	if (size > 0x80)
		read_bytes(r, size & 0x7fU);
	return *r;
}

/* RFC 5755: AttributeCertificateInfo begins with its version, INTEGER 1, where a certificate has a
 * context tag. Asked only to say in words what did not parse. */
static bool
is_attribute_certificate(struct bytes der)
{
	static const uint8_t version[] = {0x02, 0x01, 0x01};
	struct reader r = reader_of(der);
	struct reader info = enter_sequence(&r);

	info = enter_sequence(&info);
	return bytes_equal(read_bytes(&info, sizeof(version)), BYTES_OF(version));
}

enum attest_status
certificate_load(struct bytes der, X509 **ret_certificate, struct attest_error *err)
{
	if (der.size > ATTEST_CERTIFICATE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "certificate.size",
				   "certificate of %zu bytes, at most %d", der.size,
				   ATTEST_CERTIFICATE_MAX);
	struct bytes stored = certificate_strip_header(der);
	struct reader r = reader_of(stored);
	const unsigned char *next = stored.data;
	X509 *certificate = stored.size == 0 ? NULL : d2i_X509(NULL, &next, (long)stored.size);
	ERR_clear_error();
	if (certificate == NULL && is_attribute_certificate(stored))
		return attest_fail(err, ATTEST_MALFORMED, "certificate.attribute",
				   "an attribute certificate (of a platform), which certifies no "
				   "key");
	if (certificate == NULL)
		return attest_fail(err, ATTEST_MALFORMED, "certificate.parse",
				   "%zu bytes are not an X.509 certificate", der.size);
	read_bytes(&r, (size_t)(next - stored.data));
	if (!certificate_is_padding(read_bytes(&r, r.left))) {
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
enum attest_status
certificate_check_form(X509 *certificate, struct attest_error *err)
{
	uint32_t flags = X509_get_extension_flags(certificate);

	ERR_clear_error();
	if ((flags & EXFLAG_INVALID) != 0 || X509_get_version(certificate) != X509_VERSION_3)
		return attest_fail(err, ATTEST_REFUSED, "certificate.form",
				   "not version 3, or an extension that does not parse");
	return check_critical(certificate, err);
}

bool
certificate_time(const ASN1_TIME *time, int64_t *ret_time)
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
	return certificate_time(X509_get0_notAfter(certificate), ret_time);
}

enum attest_status
certificate_check_dates(const X509 *certificate, int64_t now, struct attest_error *err)
{
	int64_t from;
	int64_t until;

	if (!certificate_time(X509_get0_notBefore(certificate), &from) ||
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

static bool
hash_is_strong(int nid)
{
	return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

static inline void
algorithm_free_at(X509_ALGOR **algorithm)
{
	X509_ALGOR_free(*algorithm);
}
static inline void
pss_free_at(RSA_PSS_PARAMS **pss)
{
	RSA_PSS_PARAMS_free(*pss);
}

/* RFC 4055, 3.1. What is absent is SHA-1, in the mask as in the message's hash. */
static bool
pss_is_strong(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *object = NULL;
	const void *parameter = NULL;
	int type = V_ASN1_UNDEF;

	X509_ALGOR_get0(NULL, &type, &parameter, algorithm);
	if (type != V_ASN1_SEQUENCE)
		return false;
	const ASN1_STRING *sequence = parameter;
	const unsigned char *next = ASN1_STRING_get0_data(sequence);
	__attribute__((cleanup(pss_free_at))) RSA_PSS_PARAMS *pss =
		d2i_RSA_PSS_PARAMS(NULL, &next, ASN1_STRING_length(sequence));
	if (pss == NULL || pss->hashAlgorithm == NULL || pss->maskGenAlgorithm == NULL)
		return false;
	X509_ALGOR_get0(&object, NULL, NULL, pss->hashAlgorithm);
	if (!hash_is_strong(OBJ_obj2nid(object)))
		return false;
	X509_ALGOR_get0(&object, &type, &parameter, pss->maskGenAlgorithm);
	if (OBJ_obj2nid(object) != NID_mgf1 || type != V_ASN1_SEQUENCE)
		return false;
	sequence = parameter;
	next = ASN1_STRING_get0_data(sequence);
	__attribute__((cleanup(algorithm_free_at))) X509_ALGOR *mask =
		d2i_X509_ALGOR(NULL, &next, ASN1_STRING_length(sequence));
	if (mask == NULL)
		return false;
	X509_ALGOR_get0(&object, NULL, NULL, mask);
	return hash_is_strong(OBJ_obj2nid(object));
}

enum attest_status
certificate_check_algorithm(const X509_ALGOR *algorithm, const char *check,
			    struct attest_error *err)
{
	const ASN1_OBJECT *object = NULL;
	int hash = NID_undef;
	int key = NID_undef;

	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	int nid = OBJ_obj2nid(object);
	bool known = OBJ_find_sigid_algs(nid, &hash, &key) == 1;
	bool strong = nid == NID_rsassaPss ? pss_is_strong(algorithm)
					   : known && hash_is_strong(hash) &&
						     (key == NID_rsaEncryption ||
						      key == NID_X9_62_id_ecPublicKey);
	ERR_clear_error();
	if (strong)
		return ATTEST_OK;
	return attest_differs_text(
		err, ATTEST_REFUSED, check, "SHA-256, SHA-384 or SHA-512 with RSA or ECDSA",
		nid == NID_undef ? "unknown" : OBJ_nid2ln(nid), "how it is signed is not accepted");
}

/* Of the kinds that a signature algorithm names, whatever the hash. */
static bool
key_fits(const X509_ALGOR *algorithm, const EVP_PKEY *key)
{
	const ASN1_OBJECT *object = NULL;
	int hash = NID_undef;
	int kind = NID_undef;
	int type = EVP_PKEY_get_base_id(key);

	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	int nid = OBJ_obj2nid(object);
	if (nid == NID_rsassaPss)
		return type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS;
	if (OBJ_find_sigid_algs(nid, &hash, &kind) != 1)
		return false;
	return kind == NID_rsaEncryption ? type == EVP_PKEY_RSA
					 : kind == NID_X9_62_id_ecPublicKey && type == EVP_PKEY_EC;
}

/* What a signature of another key leaves in the queue. All else, as a failed allocation or what
 * follows one, says that nothing was verified. */
static bool
is_plain_no(unsigned long error)
{
	int reason = ERR_GET_REASON(error);

	if (reason == ERR_R_MALLOC_FAILURE || reason == ERR_R_INTERNAL_ERROR)
		return false;
	switch (ERR_GET_LIB(error)) {
	case ERR_LIB_RSA:
		return true;
	case ERR_LIB_ASN1:
		return reason != ASN1_R_WRONG_PUBLIC_KEY_TYPE; /* key_fits was asked before */
	case ERR_LIB_EC:
		return reason == EC_R_BAD_SIGNATURE;
	case ERR_LIB_PROV:
		return reason == ERR_R_RSA_LIB;
	default:
		return false;
	}
}

enum attest_status
signature_verdict(const X509_ALGOR *algorithm, const EVP_PKEY *key, int verified)
{
	bool plain = true;

	for (unsigned long error = ERR_get_error(); error != 0; error = ERR_get_error())
		plain = plain && is_plain_no(error);
	if (verified == 1)
		return ATTEST_OK;
	return plain || !key_fits(algorithm, key) ? ATTEST_SIGNATURE : ATTEST_MEMORY;
}
