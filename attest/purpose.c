/* SPDX-License-Identifier: Apache-2.0 */
/* What a certificate is for (TCG EK Credential Profile 2.5, 3.2): an EK's is told from a cloud's
 * AK's by its usage, for both may bear the EK's extended usage. */
#include "certificate.h"

#include "error.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192 /* a bound on the work that a certificate can cause */
#define OID_TEXT_MAX 64

#define OID_EK_CERTIFICATE	 "2.23.133.8.1"
#define OID_PLATFORM_CERTIFICATE "2.23.133.8.2"
#define OID_AK_CERTIFICATE	 "2.23.133.8.3"
#define OID_ANY_PURPOSE		 "2.5.29.37.0"

static inline void
usage_free_at(EXTENDED_KEY_USAGE **usage)
{
	EXTENDED_KEY_USAGE_free(*usage);
}
#define auto_usage __attribute__((cleanup(usage_free_at))) EXTENDED_KEY_USAGE

/* The extended usages, bit by bit. */
#define PURPOSE_NONE_SAID (1U << 0) /* no such extension: anything goes */
#define PURPOSE_EK	  (1U << 1)
#define PURPOSE_PLATFORM  (1U << 2)
#define PURPOSE_AK	  (1U << 3)
#define PURPOSE_ANY	  (1U << 4)

static const struct {
	const char *oid;
	unsigned bit;
} PURPOSES[] = {
	{OID_EK_CERTIFICATE, PURPOSE_EK},
	{OID_PLATFORM_CERTIFICATE, PURPOSE_PLATFORM},
	{OID_AK_CERTIFICATE, PURPOSE_AK},
	{OID_ANY_PURPOSE, PURPOSE_ANY},
};

/* False: memory ran out. */
static bool
purposes_of(const X509 *certificate, unsigned *ret_purposes)
{
	int critical = -1;
	unsigned purposes = 0;
	auto_usage *usage = X509_get_ext_d2i(certificate, NID_ext_key_usage, &critical, NULL);

	/* -1 says that there is none; that there are two, or that it does not parse, was found by
	 * certificate_check_form. */
	if (usage == NULL) {
		*ret_purposes = PURPOSE_NONE_SAID;
		return critical == -1;
	}
	for (int i = 0; i < sk_ASN1_OBJECT_num(usage); i++) {
		char oid[OID_TEXT_MAX] = {0};

		if (OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(usage, i), 1) <= 0)
			return false;
		for (size_t k = 0; k < sizeof(PURPOSES) / sizeof(PURPOSES[0]); k++)
			purposes |= strcmp(oid, PURPOSES[k].oid) == 0 ? PURPOSES[k].bit : 0;
	}
	*ret_purposes = purposes;
	return true;
}

static enum attest_status
check_ek_purposes(unsigned purposes, struct attest_error *err)
{
	if ((purposes & PURPOSE_PLATFORM) != 0)
		return attest_differs_text(err, ATTEST_REFUSED, "ek.certificate.platform",
					   OID_EK_CERTIFICATE, OID_PLATFORM_CERTIFICATE,
					   "a platform's certificate: its key is the EK's, but it "
					   "vouches for the machine around it");
	if ((purposes & PURPOSE_AK) != 0)
		return attest_differs_text(err, ATTEST_REFUSED, "ek.certificate.attestation",
					   OID_EK_CERTIFICATE, OID_AK_CERTIFICATE,
					   "an attestation key's certificate in the place of an "
					   "EK's");
	if ((purposes & (PURPOSE_NONE_SAID | PURPOSE_EK)) == 0)
		return attest_differs_text(err, ATTEST_REFUSED, "ek.certificate.purpose",
					   OID_EK_CERTIFICATE, "another extended key usage",
					   "the extended key usage is not an EK's");
	return ATTEST_OK;
}

/* Without the extension every use is allowed (UINT32_MAX), signing too: an EK only decrypts. */
static enum attest_status
check_ek_usage(X509 *certificate, struct attest_error *err)
{
	auto_pkey *key = certificate_key(certificate);
	bool ecc = key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC;
	uint32_t wanted = ecc ? KU_KEY_AGREEMENT : KU_KEY_ENCIPHERMENT;
	uint32_t usage = X509_get_key_usage(certificate);
	const char *expected = ecc ? "keyAgreement without digitalSignature"
				   : "keyEncipherment without digitalSignature";

	if (usage == UINT32_MAX || (usage & (wanted | KU_DIGITAL_SIGNATURE)) == 0)
		return attest_differs_text(err, ATTEST_REFUSED, "ek.certificate.usage", expected,
					   usage == UINT32_MAX ? "any use" : "neither",
					   "the key usage is not an EK's");
	if ((usage & KU_DIGITAL_SIGNATURE) != 0)
		return attest_differs_text(err, ATTEST_REFUSED, "ek.certificate.signs", expected,
					   "digitalSignature",
					   "a key that signs, as an AK does: an EK never signs");
	return ATTEST_OK;
}

static enum attest_status
check_cloud_ak(X509 *certificate, unsigned purposes, struct attest_error *err)
{
	uint32_t usage = X509_get_key_usage(certificate);

	if (usage == UINT32_MAX || (usage & KU_DIGITAL_SIGNATURE) == 0)
		return attest_differs_text(err, ATTEST_REFUSED, "cloud.certificate.usage",
					   "digitalSignature",
					   usage == UINT32_MAX ? "any use" : "no signing",
					   "the key usage is not an AK's: is this the EK's "
					   "certificate?");
	if ((usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0)
		return attest_fail(err, ATTEST_REFUSED, "cloud.certificate.ca",
				   "a key that certifies others in the place of an AK");
	if ((purposes & PURPOSE_PLATFORM) != 0)
		return attest_differs_text(err, ATTEST_REFUSED, "cloud.certificate.platform",
					   OID_AK_CERTIFICATE, OID_PLATFORM_CERTIFICATE,
					   "a platform's certificate in the place of an AK's");
	if ((purposes & (PURPOSE_NONE_SAID | PURPOSE_EK | PURPOSE_AK)) == 0)
		return attest_differs_text(err, ATTEST_REFUSED, "cloud.certificate.purpose",
					   OID_AK_CERTIFICATE " or " OID_EK_CERTIFICATE,
					   "another extended key usage",
					   "the extended key usage is not an AK's");
	return ATTEST_OK;
}

enum attest_status
certificate_check_leaf(X509 *certificate, enum leaf_kind kind, struct attest_error *err)
{
	unsigned purposes = 0;

	enum attest_status status = certificate_check_form(certificate, err);
	if (status != ATTEST_OK)
		return status;
	if ((X509_get_extension_flags(certificate) & EXFLAG_CA) != 0)
		return attest_fail(err, ATTEST_REFUSED,
				   kind == LEAF_EK ? "ek.certificate.ca" : "cloud.certificate.ca",
				   "a CA's certificate in the place of %s",
				   kind == LEAF_EK ? "an EK's" : "an AK's");
	if (!purposes_of(certificate, &purposes))
		return attest_fail_memory(err);
	if (kind == LEAF_CLOUD_AK)
		return check_cloud_ak(certificate, purposes, err);
	status = check_ek_purposes(purposes, err);
	return status == ATTEST_OK ? check_ek_usage(certificate, err) : status;
}

/* Curves by their names alone: parameters written out could be anybody's. */
static bool
curve_is_strong(const EVP_PKEY *key)
{
	static const int curves[] = {NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1};
	char group[32];

	if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
		return false;
	int nid = OBJ_sn2nid(group);
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (nid == curves[i])
			return true;
	return false;
}

static bool
rsa_is_strong(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && rsa_exponent_fits(key);
}

static bool
key_is_strong(const EVP_PKEY *key)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		return rsa_is_strong(key);
	case EVP_PKEY_EC:
		return curve_is_strong(key);
	default:
		return false;
	}
}

enum attest_status
certificate_check_issuer(X509 *certificate, enum leaf_kind kind, struct attest_error *err)
{
	unsigned wanted = PURPOSE_NONE_SAID | PURPOSE_ANY | PURPOSE_EK;
	unsigned purposes = 0;

	enum attest_status status = certificate_check_form(certificate, err);
	if (status != ATTEST_OK)
		return status;
	if ((X509_get_extension_flags(certificate) & EXFLAG_CA) == 0)
		return attest_fail(err, ATTEST_REFUSED, "ca.constraints",
				   "an issuer without CA:TRUE");
	uint32_t usage = X509_get_key_usage(certificate);
	if (usage == UINT32_MAX || (usage & KU_KEY_CERT_SIGN) == 0)
		return attest_fail(err, ATTEST_REFUSED, "ca.usage",
				   "an issuer without keyCertSign");
	/* RFC 5280, 4.2.1.10. No maker's CA has them; critical or not, who issued below such a CA
	 * may have gone beyond what it was allowed. */
	if (X509_get_ext_by_NID(certificate, NID_name_constraints, -1) >= 0)
		return attest_fail(
			err, ATTEST_REFUSED, "ca.names",
			"an issuer whose names are constrained, which is not judged here");
	if (!purposes_of(certificate, &purposes))
		return attest_fail_memory(err);
	if (kind == LEAF_CLOUD_AK)
		wanted |= PURPOSE_AK;
	if ((purposes & wanted) == 0)
		return attest_fail(err, ATTEST_REFUSED, "ca.purpose",
				   "an issuer of something else than EK certificates");
	/* Not certificate_key: a key for OAEP alone signs nothing (RFC 4055, 4.1). */
	EVP_PKEY *key = X509_get0_pubkey(certificate);
	bool strong = key != NULL && key_is_strong(key);
	ERR_clear_error();
	if (!strong)
		return attest_fail(err, ATTEST_REFUSED, "ca.key",
				   "an issuer's key that is weak or unknown (RSA of %d to %d bits, "
				   "P-256, P-384, P-521)",
				   RSA_BITS_MIN, RSA_BITS_MAX);
	return ATTEST_OK;
}
