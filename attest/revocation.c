/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an issuer's CRLs say of a certificate (RFC 5280, 6.3). Whatever bears the issuer's name and
 * cannot be used refuses: a revocation may be in it. The entries are gone through here, for
 * OpenSSL's lookup answers "not revoked" where it could not look.
 */
#include "revocation.h"

#include "crl.h"
#include "error.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define PREFIX_SIZE 20
#define READ_MAX                                                                                   \
	(16 * ATTEST_CRL_MAX) /* bytes of CRLs that one verification may cause to be read */

static inline void
name_free_at(X509_NAME **name)
{
	X509_NAME_free(*name);
}
static inline void
point_free_at(ISSUING_DIST_POINT **point)
{
	ISSUING_DIST_POINT_free(*point);
}
static inline void
places_free_at(CRL_DIST_POINTS **places)
{
	CRL_DIST_POINTS_free(*places);
}
static inline void
key_id_free_at(AUTHORITY_KEYID **key_id)
{
	AUTHORITY_KEYID_free(*key_id);
}

/* ---- whose it is ---- */

/* Steps into a SEQUENCE, and over whatever stands there. False: none there. */
static bool
step(const unsigned char **next, const unsigned char *end, int wanted, bool into)
{
	long size = 0;
	int tag = 0;
	int class = 0;
	int result = ASN1_get_object(next, &size, &tag, &class, end - *next);

	if ((result & 0x80) != 0 || (result & 1) != 0 ||
	    (wanted >= 0 && (class != V_ASN1_UNIVERSAL || tag != wanted)))
		return false;
	if (!into)
		*next += size;
	return true;
}

/* The name alone, without the rest, which may be long: CertificateList, TBSCertList, [version],
 * signature, issuer. NULL: not there, or out of memory. */
static X509_NAME *
peek_issuer(struct bytes der)
{
	if (der.size == 0)
		return NULL;
	const unsigned char *next = der.data;
	const unsigned char *end = der.data + der.size;

	if (!step(&next, end, V_ASN1_SEQUENCE, true) || !step(&next, end, V_ASN1_SEQUENCE, true))
		return NULL;
	if (next < end && *next == V_ASN1_INTEGER && !step(&next, end, V_ASN1_INTEGER, false))
		return NULL;
	if (!step(&next, end, V_ASN1_SEQUENCE, false))
		return NULL;
	return d2i_X509_NAME(NULL, &next, end - next);
}

/* CAs may share a name: Google's intermediates do. A CRL that says by its key identifier that it is
 * another's, or that another anchor of the name signed, is not this one's. */
static bool
is_a_namesakes(const struct revocation *revocation, X509_CRL *crl, X509 *issuer)
{
	__attribute__((cleanup(key_id_free_at))) AUTHORITY_KEYID *key_id =
		X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier, NULL, NULL);
	const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(issuer);
	uint8_t id[ATTEST_HASH_SIZE];
	uint8_t other[ATTEST_HASH_SIZE];

	if (!certificate_id(issuer, id))
		return false;
	if (key_id != NULL && key_id->keyid != NULL && own != NULL &&
	    ASN1_OCTET_STRING_cmp(key_id->keyid, own) != 0)
		return true;
	for (size_t i = 0; i < revocation->anchors->count; i++) {
		X509 *anchor = revocation->anchors->items[i].certificate;
		EVP_PKEY *key = X509_get0_pubkey(anchor);

		if (key != NULL && certificate_id(anchor, other) &&
		    memcmp(id, other, sizeof(id)) != 0 &&
		    X509_NAME_cmp(X509_get_subject_name(anchor), X509_CRL_get_issuer(crl)) == 0 &&
		    X509_CRL_verify(crl, key) == 1)
			return true;
	}
	return false;
}

static bool
share_a_name(const DIST_POINT_NAME *one, const DIST_POINT_NAME *other)
{
	if (one->type != 0 || other->type != 0) /* names relative to the issuer's: not understood */
		return false;
	for (int i = 0; i < sk_GENERAL_NAME_num(one->name.fullname); i++)
		for (int k = 0; k < sk_GENERAL_NAME_num(other->name.fullname); k++)
			if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(one->name.fullname, i),
					     sk_GENERAL_NAME_value(other->name.fullname, k)) == 0)
				return true;
	return false;
}

/* CAs may part what they revoke by distribution points (RFC 5280, 5.2.5 and 6.3.3): a CRL that
 * names one is of the certificates that name it too. A certificate that names none may be in any.
 * What cannot be looked at is elsewhere, which allows nothing. */
static bool
is_elsewhere(const X509_CRL *crl, const X509 *subject)
{
	int critical = -1;
	__attribute__((cleanup(point_free_at))) ISSUING_DIST_POINT *point =
		X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);

	if (point == NULL || point->distpoint == NULL)
		return point == NULL && critical != -1;
	__attribute__((cleanup(places_free_at))) CRL_DIST_POINTS *places =
		X509_get_ext_d2i(subject, NID_crl_distribution_points, &critical, NULL);
	for (int i = 0; i < sk_DIST_POINT_num(places); i++) {
		const DIST_POINT *place = sk_DIST_POINT_value(places, i);

		if (place->distpoint != NULL && share_a_name(point->distpoint, place->distpoint))
			return false;
	}
	return critical != -1;
}

/* ---- what it says ---- */

static bool
lists(X509_CRL *crl, const X509 *subject)
{
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
	const ASN1_INTEGER *serial = X509_get0_serialNumber(subject);

	for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
		const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);

		if (ASN1_INTEGER_cmp(X509_REVOKED_get0_serialNumber(entry), serial) == 0 &&
		    !crl_is_taken_back(entry))
			return true;
	}
	return false;
}

struct answers {
	bool fresh; /* one is within its time */
	bool early;
	bool expired;
	bool elsewhere; /* one is of other certificates of the issuer */
	bool revoked;	/* by one that is not past its time */
	bool revoked_once;
};

static enum attest_status
ask(struct revocation *revocation, struct bytes der, X509 *issuer, const X509 *subject,
    const char *prefix, struct answers *answers, struct attest_error *err)
{
	int64_t issued = 0;
	int64_t next = 0;

	if (der.size > READ_MAX - revocation->read)
		return crl_refuse(err, ATTEST_LIMIT, prefix, "work",
				  "too many CRLs of the CAs' names");
	revocation->read += der.size;
	auto_crl *crl = crl_parse(der);
	if (crl == NULL)
		return crl_refuse(err, ATTEST_MALFORMED, prefix, "parse",
				  "a CRL of the issuer's name does not parse");
	enum attest_status status = crl_check_signature(crl, issuer, prefix, err);
	if (status == ATTEST_SIGNATURE) {
		bool elsewhere = is_a_namesakes(revocation, crl, issuer);
		ERR_clear_error();
		return elsewhere ? ATTEST_OK : status;
	}
	if (status == ATTEST_OK)
		status = crl_check_usage(issuer, prefix, err);
	if (status == ATTEST_OK)
		status = crl_check_form(crl, prefix, err);
	if (status != ATTEST_OK)
		return status;
	if (!certificate_time(X509_CRL_get0_lastUpdate(crl), &issued) ||
	    !certificate_time(X509_CRL_get0_nextUpdate(crl), &next))
		return attest_fail_memory(err);
	bool expired = revocation->trust->now > next;
	bool early = revocation->trust->now < issued;
	bool listed = lists(crl, subject);
	if (is_elsewhere(crl, subject)) {
		answers->elsewhere = true;
		answers->revoked = answers->revoked || listed;
		ERR_clear_error();
		return ATTEST_OK;
	}
	answers->fresh = answers->fresh || (!expired && !early);
	answers->early = answers->early || early;
	answers->expired = answers->expired || expired;
	answers->revoked = answers->revoked || (listed && !expired);
	answers->revoked_once = answers->revoked_once || (listed && expired);
	return ATTEST_OK;
}

/* An expired CRL is overridden by a fresh one, and where there is none its revocations stand. One
 * that is not yet valid says nothing good of anyone, but its revocations are believed. */
static enum attest_status
conclude(const struct revocation *revocation, const struct answers *answers, const char *prefix,
	 struct attest_error *err)
{
	char check[sizeof(err->check)];

	if (answers->revoked || (answers->revoked_once && !answers->fresh)) {
		snprintf(check, sizeof(check), "%s.chain.revoked", revocation->subject);
		return attest_fail(err, ATTEST_REFUSED, check,
				   "its issuer has revoked a certificate of the path");
	}
	if (answers->fresh || (!answers->early && !answers->expired && !answers->elsewhere))
		return ATTEST_OK;
	if (!answers->early && !answers->expired)
		return crl_refuse(err, ATTEST_REFUSED, prefix, "scope",
				  "the issuer's CRLs are of other distribution points than the "
				  "certificate's: bring that one's too");
	if (answers->expired && revocation->trust->stale_crls)
		return ATTEST_OK;
	if (answers->expired)
		return crl_refuse(err, ATTEST_REFUSED, prefix, "expired",
				  "the issuer's CRL is past its nextUpdate: bring a new one");
	return crl_refuse(err, ATTEST_REFUSED, prefix, "early",
			  "the issuer's CRL is of the future");
}

enum attest_status
revocation_check(struct revocation *revocation, X509 *issuer, const X509 *subject, bool *ret_asked,
		 struct attest_error *err)
{
	struct answers answers = {0};
	char prefix[PREFIX_SIZE];

	snprintf(prefix, sizeof(prefix), "%s.chain.crl", revocation->subject);
	for (size_t i = 0; i < revocation->trust->crl_count; i++) {
		struct bytes der = revocation->trust->crls[i];

		if (der.size > ATTEST_CRL_MAX)
			return crl_refuse(err, ATTEST_LIMIT, prefix, "size",
					  "a CRL that is too large");
		__attribute__((cleanup(name_free_at))) X509_NAME *name = peek_issuer(der);
		ERR_clear_error();
		if (name == NULL)
			return crl_refuse(err, ATTEST_MALFORMED, prefix, "parse",
					  "a CRL whose issuer cannot be read");
		if (X509_NAME_cmp(name, X509_get_subject_name(issuer)) != 0)
			continue;
		enum attest_status status =
			ask(revocation, der, issuer, subject, prefix, &answers, err);
		if (status != ATTEST_OK)
			return status;
	}
	enum attest_status status = conclude(revocation, &answers, prefix, err);
	if (status == ATTEST_OK)
		*ret_asked = answers.fresh || answers.expired;
	return status;
}
