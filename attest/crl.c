/* SPDX-License-Identifier: Apache-2.0 */
/* One CRL by itself (RFC 5280, 5): whole ones of the issuer itself are understood. OpenSSL parses
 * and verifies the signature. */
#include "crl.h"

#include "error.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void
point_free_at(ISSUING_DIST_POINT **point)
{
	ISSUING_DIST_POINT_free(*point);
}

enum attest_status
crl_refuse(struct attest_error *err, enum attest_status status, const char *prefix,
	   const char *what, const char *message)
{
	char check[sizeof(err->check)];

	snprintf(check, sizeof(check), "%s.%s", prefix, what);
	return attest_fail(err, status, check, "%s", message);
}

/* ---- reading ---- */

X509_CRL *
crl_parse(struct bytes der)
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

/* The issuing distribution point may name which certificates it is of (revocation.c asks), and
 * nothing else that makes it less than the whole of what its issuer revoked, or more. */
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

enum attest_status
crl_check_signature(X509_CRL *crl, X509 *issuer, const char *prefix, struct attest_error *err)
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
		return crl_refuse(err, ATTEST_SIGNATURE, prefix, "signature",
				  "the CRL of that issuer's name is not signed by its key");
	if (status != ATTEST_OK)
		return attest_fail_memory(err);
	snprintf(check, sizeof(check), "%s.algorithm", prefix);
	return certificate_check_algorithm(algorithm, check, err);
}

enum attest_status
crl_check_form(X509_CRL *crl, const char *prefix, struct attest_error *err)
{
	bool understood = is_understood(crl);

	ERR_clear_error();
	if (!understood)
		return crl_refuse(
			err, ATTEST_REFUSED, prefix, "form",
			"a CRL without nextUpdate, a delta or indirect one, or one with a "
			"critical extension that is not understood");
	return ATTEST_OK;
}

enum attest_status
crl_check_usage(X509 *issuer, const char *prefix, struct attest_error *err)
{
	uint32_t usage = X509_get_key_usage(issuer);

	ERR_clear_error();
	/* UINT32_MAX, no key usage, allows it. */
	if ((usage & KU_CRL_SIGN) == 0)
		return crl_refuse(err, ATTEST_REFUSED, prefix, "usage",
				  "a CRL of a CA whose key usage has no cRLSign");
	return ATTEST_OK;
}

bool
crl_is_taken_back(const X509_REVOKED *entry)
{
	ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
	bool taken_back =
		reason != NULL && ASN1_ENUMERATED_get(reason) == CRL_REASON_REMOVE_FROM_CRL;

	ASN1_ENUMERATED_free(reason);
	ERR_clear_error();
	return taken_back;
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
	enum attest_status status = crl_refuse(err, ATTEST_REFUSED, "crl", "issuer",
					       "no trusted CA bears the name of the CRL's issuer");

	for (size_t i = 0; i < issuers->count; i++) {
		X509 *issuer = issuers->items[i].certificate;

		if (X509_NAME_cmp(X509_get_subject_name(issuer), X509_CRL_get_issuer(crl)) != 0)
			continue;
		status = certificate_check_issuer(issuer, LEAF_CLOUD_AK, err);
		if (status != ATTEST_OK)
			continue;
		status = crl_check_signature(crl, issuer, "crl", err);
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
	auto_crl *crl = crl_parse(der);
	if (crl == NULL)
		return attest_fail(err, ATTEST_MALFORMED, "crl.parse", "%zu bytes are not a CRL",
				   der.size);
	enum attest_status status = crl_check_form(crl, "crl", err);
	if (status == ATTEST_OK)
		status = pile_load(issuers, issuer_count, false, &pile, err);
	if (status == ATTEST_OK)
		status = find_issuer(crl, &pile, &issuer, err);
	if (status == ATTEST_OK)
		status = crl_check_usage(issuer, "crl", err);
	return status == ATTEST_OK ? describe(crl, issuer, ret_crl, err) : status;
}

/* ---- whom it revokes ---- */

bool
crl_link(const uint8_t issuer_id[ATTEST_HASH_SIZE], const ASN1_INTEGER *serial,
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

	auto_crl *crl = der.size <= ATTEST_CRL_MAX ? crl_parse(der) : NULL;
	if (crl == NULL)
		return attest_fail(err, ATTEST_MALFORMED, "crl.parse", "%zu bytes are not a CRL",
				   der.size);
	STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl);
	for (int i = 0; i < sk_X509_REVOKED_num(entries); i++) {
		const X509_REVOKED *entry = sk_X509_REVOKED_value(entries, i);

		if (crl_is_taken_back(entry))
			continue;
		if (count == capacity)
			return attest_fail(err, ATTEST_LIMIT, "crl.count",
					   "the CRL revokes more than %zu certificates", capacity);
		if (!crl_link(issuer_id, X509_REVOKED_get0_serialNumber(entry), ret_links[count++]))
			return attest_fail_memory(err);
	}
	if (count > 0)
		qsort(ret_links, count, ATTEST_HASH_SIZE, compare_links);
	*ret_count = keep_each_once(ret_links, count);
	return ATTEST_OK;
}
