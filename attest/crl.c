/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 5280, 5 and 6.3, for whole CRLs of the issuer itself. Whatever bears the issuer's name and
 * cannot be used refuses: a revocation may be in it. OpenSSL parses and verifies the signature; the
 * entries are gone through here, for its lookup answers "not revoked" where it could not look.
 */
#include "crl.h"

#include "error.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX_SIZE 20
#define READ_MAX                                                                                   \
	(16 * ATTEST_CRL_MAX) /* bytes of CRLs that one verification may cause to be read */

static inline void
crl_free_at(X509_CRL **crl)
{
	X509_CRL_free(*crl);
}
#define auto_crl __attribute__((cleanup(crl_free_at))) X509_CRL
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

/* "ek.chain.crl" or "crl", and what was wrong. */
static enum attest_status
refuse(struct attest_error *err, enum attest_status status, const char *prefix, const char *what,
       const char *message)
{
	char check[sizeof(err->check)];

	snprintf(check, sizeof(check), "%s.%s", prefix, what);
	return attest_fail(err, status, check, "%s", message);
}

/* ---- reading ---- */

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

static X509_CRL *
parse(struct bytes der)
{
	const unsigned char *next = der.data;
	X509_CRL *crl = d2i_X509_CRL(NULL, &next, (long)der.size);

	ERR_clear_error();
	if (crl != NULL && next != der.data + der.size) {
		X509_CRL_free(crl);
		crl = NULL;
	}
	return crl;
}

/* ---- what is understood ---- */

/* The issuing distribution point may name where this CRL lies, and nothing that makes it less than
 * the whole of what its issuer revoked, or more. */
static bool
scope_is_whole(const X509_CRL *crl)
{
	int critical = -1;
	__attribute__((cleanup(point_free_at))) ISSUING_DIST_POINT *point =
		X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);

	if (point == NULL)
		return critical == -1;
	return point->onlyuser <= 0 && point->onlyCA <= 0 && point->onlysomereasons == NULL &&
	       point->indirectCRL <= 0 && point->onlyattr <= 0;
}

static bool
extensions_are_known(const X509_CRL *crl)
{
	for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
		X509_EXTENSION *extension = X509_CRL_get_ext(crl, i);
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

		/* A delta says what has changed since, whether or not it is marked as critical. */
		if (nid == NID_delta_crl)
			return false;
		if (X509_EXTENSION_get_critical(extension) != 0 &&
		    nid != NID_issuing_distribution_point && nid != NID_crl_number &&
		    nid != NID_authority_key_identifier)
			return false;
	}
	return scope_is_whole(crl);
}

/* An entry that names its certificate's issuer is of an indirect CRL. */
static bool
entry_is_known(const X509_REVOKED *entry)
{
	for (int i = 0; i < X509_REVOKED_get_ext_count(entry); i++) {
		X509_EXTENSION *extension = X509_REVOKED_get_ext(entry, i);
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

		if (nid == NID_certificate_issuer)
			return false;
		if (X509_EXTENSION_get_critical(extension) != 0 && nid != NID_crl_reason)
			return false;
	}
	return true;
}

static bool
is_understood(X509_CRL *crl)
{
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
	int64_t time;

	if (!extensions_are_known(crl) || X509_CRL_get0_nextUpdate(crl) == NULL ||
	    !certificate_time(X509_CRL_get0_lastUpdate(crl), &time) ||
	    !certificate_time(X509_CRL_get0_nextUpdate(crl), &time))
		return false;
	for (int i = 0; i < sk_X509_REVOKED_num(entries); i++)
		if (!entry_is_known(sk_X509_REVOKED_value(entries, i)))
			return false;
	return true;
}

/* Signed by that key, and with a hash that is accepted. ATTEST_SIGNATURE: not by that key. */
static enum attest_status
check_signature(X509_CRL *crl, X509 *issuer, const char *prefix, struct attest_error *err)
{
	const X509_ALGOR *algorithm = NULL;
	EVP_PKEY *key = X509_get0_pubkey(issuer);
	char check[sizeof(err->check)];

	if (key == NULL) /* an issuer's key was looked at before, so memory ran out */
		return attest_fail_memory(err);
	X509_CRL_get0_signature(crl, NULL, &algorithm);
	/* First of all, for the rest is said of this issuer's CRLs alone. */
	enum attest_status status = signature_verdict(algorithm, key, X509_CRL_verify(crl, key));
	/* As in path.c: said twice. */
	if (status == ATTEST_SIGNATURE)
		status = signature_verdict(algorithm, key, X509_CRL_verify(crl, key));
	if (status == ATTEST_SIGNATURE)
		return refuse(err, ATTEST_SIGNATURE, prefix, "signature",
			      "the CRL of that issuer's name is not signed by its key");
	if (status != ATTEST_OK)
		return attest_fail_memory(err);
	snprintf(check, sizeof(check), "%s.algorithm", prefix);
	return certificate_check_algorithm(algorithm, check, err);
}

static enum attest_status
check_form(X509_CRL *crl, const char *prefix, struct attest_error *err)
{
	bool understood = is_understood(crl);

	ERR_clear_error();
	if (!understood)
		return refuse(err, ATTEST_REFUSED, prefix, "form",
			      "a CRL without nextUpdate, a delta or indirect one, or one with a "
			      "critical extension that is not understood");
	return ATTEST_OK;
}

static enum attest_status
check_usage(X509 *issuer, const char *prefix, struct attest_error *err)
{
	uint32_t usage = X509_get_key_usage(issuer);

	ERR_clear_error();
	/* UINT32_MAX, no key usage, allows it. */
	if ((usage & KU_CRL_SIGN) == 0)
		return refuse(err, ATTEST_REFUSED, prefix, "usage",
			      "a CRL of a CA whose key usage has no cRLSign");
	return ATTEST_OK;
}

/* ---- one CA's ---- */

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

/* removeFromCRL takes an entry back; a reason that does not parse does not. */
static bool
is_taken_back(const X509_REVOKED *entry)
{
	ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
	bool taken_back =
		reason != NULL && ASN1_ENUMERATED_get(reason) == CRL_REASON_REMOVE_FROM_CRL;

	ASN1_ENUMERATED_free(reason);
	ERR_clear_error();
	return taken_back;
}

static bool
lists(X509_CRL *crl, const X509 *subject)
{
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
	const ASN1_INTEGER *serial = X509_get0_serialNumber(subject);

	for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
		const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);

		if (ASN1_INTEGER_cmp(X509_REVOKED_get0_serialNumber(entry), serial) == 0 &&
		    !is_taken_back(entry))
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
		return refuse(err, ATTEST_LIMIT, prefix, "work", "too many CRLs of the CAs' names");
	revocation->read += der.size;
	auto_crl *crl = parse(der);
	if (crl == NULL)
		return refuse(err, ATTEST_MALFORMED, prefix, "parse",
			      "a CRL of the issuer's name does not parse");
	enum attest_status status = check_signature(crl, issuer, prefix, err);
	if (status == ATTEST_SIGNATURE) {
		bool elsewhere = is_a_namesakes(revocation, crl, issuer);
		ERR_clear_error();
		return elsewhere ? ATTEST_OK : status;
	}
	if (status == ATTEST_OK)
		status = check_usage(issuer, prefix, err);
	if (status == ATTEST_OK)
		status = check_form(crl, prefix, err);
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
		return refuse(err, ATTEST_REFUSED, prefix, "scope",
			      "the issuer's CRLs are of other distribution points than the "
			      "certificate's: bring that one's too");
	if (answers->expired && revocation->trust->stale_crls)
		return ATTEST_OK;
	if (answers->expired)
		return refuse(err, ATTEST_REFUSED, prefix, "expired",
			      "the issuer's CRL is past its nextUpdate: bring a new one");
	return refuse(err, ATTEST_REFUSED, prefix, "early", "the issuer's CRL is of the future");
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
			return refuse(err, ATTEST_LIMIT, prefix, "size", "a CRL that is too large");
		__attribute__((cleanup(name_free_at))) X509_NAME *name = peek_issuer(der);
		ERR_clear_error();
		if (name == NULL)
			return refuse(err, ATTEST_MALFORMED, prefix, "parse",
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

/* ---- before one is kept ---- */

static bool
series_id(const X509_CRL *crl, const uint8_t issuer_id[ATTEST_HASH_SIZE],
	  uint8_t ret_id[ATTEST_HASH_SIZE])
{
	auto_hasher hasher = {0};
	int at = X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point, -1);

	if (at < 0) {
		memcpy(ret_id, issuer_id, ATTEST_HASH_SIZE);
		return true;
	}
	const ASN1_OCTET_STRING *point = X509_EXTENSION_get_data(X509_CRL_get_ext(crl, at));
	const struct bytes pieces[] = {
		{issuer_id, ATTEST_HASH_SIZE},
		{ASN1_STRING_get0_data(point), (size_t)ASN1_STRING_length(point)}};
	return hasher_open(&hasher, "SHA256") && hash_pieces(&hasher, pieces, 2, ret_id);
}

static enum attest_status
describe(X509_CRL *crl, const X509 *issuer, struct attest_crl *ret_crl, struct attest_error *err)
{
	struct attest_crl described = {0};
	int count = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl));

	if (!certificate_id(issuer, described.issuer_id) ||
	    !series_id(crl, described.issuer_id, described.id) ||
	    !certificate_print_name(X509_CRL_get_issuer(crl), described.issuer) ||
	    !certificate_time(X509_CRL_get0_lastUpdate(crl), &described.issued) ||
	    !certificate_time(X509_CRL_get0_nextUpdate(crl), &described.expires))
		return attest_fail_memory(err);
	described.revoked = count > 0 ? (uint32_t)count : 0;
	*ret_crl = described;
	return ATTEST_OK;
}

/* By the CA of that name which signed it; what is wrong with the last such is told. */
static enum attest_status
find_issuer(X509_CRL *crl, const struct pile *issuers, X509 **ret_issuer, struct attest_error *err)
{
	enum attest_status status = refuse(err, ATTEST_REFUSED, "crl", "issuer",
					   "no trusted CA bears the name of the CRL's issuer");

	for (size_t i = 0; i < issuers->count; i++) {
		X509 *issuer = issuers->items[i].certificate;

		if (X509_NAME_cmp(X509_get_subject_name(issuer), X509_CRL_get_issuer(crl)) != 0)
			continue;
		status = certificate_check_issuer(issuer, LEAF_CLOUD_AK, err);
		if (status != ATTEST_OK)
			continue;
		status = check_signature(crl, issuer, "crl", err);
		if (status == ATTEST_OK) {
			*ret_issuer = issuer;
			return ATTEST_OK;
		}
	}
	return status;
}

enum attest_status
attest_crl_describe(struct bytes der, const struct bytes *issuers, size_t issuer_count,
		    struct attest_crl *ret_crl, struct attest_error *err)
{
	auto_pile pile = {0};
	X509 *issuer = NULL;

	if (der.size > ATTEST_CRL_MAX || issuer_count > ATTEST_PILE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "crl.size",
				   "a CRL of %zu bytes (up to %d) and %zu certificates (up to %d)",
				   der.size, ATTEST_CRL_MAX, issuer_count, ATTEST_PILE_MAX);
	auto_crl *crl = parse(der);
	if (crl == NULL)
		return attest_fail(err, ATTEST_MALFORMED, "crl.parse", "%zu bytes are not a CRL",
				   der.size);
	enum attest_status status = check_form(crl, "crl", err);
	if (status == ATTEST_OK)
		status = pile_load(issuers, issuer_count, false, &pile, err);
	if (status == ATTEST_OK)
		status = find_issuer(crl, &pile, &issuer, err);
	if (status == ATTEST_OK)
		status = check_usage(issuer, "crl", err);
	return status == ATTEST_OK ? describe(crl, issuer, ret_crl, err) : status;
}

/* ---- whom it revokes ---- */

bool
revocation_link(const uint8_t issuer_id[ATTEST_HASH_SIZE], const ASN1_INTEGER *serial,
		uint8_t ret_link[ATTEST_HASH_SIZE])
{
	uint8_t *der = NULL;
	auto_hasher hasher = {0};
	int size = i2d_ASN1_INTEGER(serial, &der);
	const struct bytes pieces[] = {{issuer_id, ATTEST_HASH_SIZE},
				       {der, size > 0 ? (size_t)size : 0}};

	bool good = size > 0 && hasher_open(&hasher, "SHA256") &&
		    hash_pieces(&hasher, pieces, 2, ret_link);
	OPENSSL_free(der);
	return good;
}

static int
compare_links(const void *one, const void *other)
{
	return memcmp(one, other, ATTEST_HASH_SIZE);
}

static size_t
keep_each_once(uint8_t (*links)[ATTEST_HASH_SIZE], size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (kept > 0 && compare_links(links[kept - 1], links[i]) == 0)
			continue;
		memmove(links[kept++], links[i], ATTEST_HASH_SIZE);
	}
	return kept;
}

enum attest_status
attest_crl_revoked(struct bytes der, const uint8_t issuer_id[ATTEST_HASH_SIZE], size_t capacity,
		   uint8_t (*ret_links)[ATTEST_HASH_SIZE], size_t *ret_count,
		   struct attest_error *err)
{
	size_t count = 0;

	auto_crl *crl = der.size <= ATTEST_CRL_MAX ? parse(der) : NULL;
	if (crl == NULL)
		return attest_fail(err, ATTEST_MALFORMED, "crl.parse", "%zu bytes are not a CRL",
				   der.size);
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
	for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
		const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);

		if (is_taken_back(entry))
			continue;
		if (count == capacity)
			return attest_fail(err, ATTEST_LIMIT, "crl.count",
					   "the CRL revokes more than %zu certificates", capacity);
		if (!revocation_link(issuer_id, X509_REVOKED_get0_serialNumber(entry),
				     ret_links[count++]))
			return attest_fail_memory(err);
	}
	if (count > 0)
		qsort(ret_links, count, ATTEST_HASH_SIZE, compare_links);
	*ret_count = keep_each_once(ret_links, count);
	return ATTEST_OK;
}
