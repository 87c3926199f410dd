/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an EK's certificate to a pinned anchor. OpenSSL parses and verifies single signatures; the
 * path and its rules are ours, because X509_verify_cert has purposes for TLS and none for EKs, and
 * a clock.
 */
#include "certificate.h"
#include "error.h"

#include <openssl/err.h>
#include <string.h>

#define ISSUERS_MAX    (ATTEST_CHAIN_MAX - 1)
#define SIGNATURES_MAX 48 /* verified for one answer: many CAs of one name must not cost more */

struct search {
	X509 **helpers; /* what the guest sent beside its own */
	size_t helper_count;
	X509 **anchors;
	size_t anchor_count;
	int64_t now;
	unsigned signatures;
	bool told; /* err names what was wrong with an issuer that was found */
	X509 *path[ISSUERS_MAX];
	size_t path_size;
};

static bool
is_issuer_by_name(const X509 *issuer, const X509 *subject)
{
	return X509_NAME_cmp(X509_get_subject_name(issuer), X509_get_issuer_name(subject)) == 0;
}

static enum attest_status
verify_signature(struct search *search, const X509 *issuer, X509 *subject, struct attest_error *err)
{
	if (search->signatures++ >= SIGNATURES_MAX)
		return attest_fail(err, ATTEST_LIMIT, "ek.chain.work",
				   "no path among the first %d signatures", SIGNATURES_MAX);
	auto_pkey *key = certificate_key(issuer);
	if (key == NULL) /* it is of a known kind, or it would not be an issuer */
		return attest_fail_memory(err);
	int verified = X509_verify(subject, key);
	ERR_clear_error();
	if (verified != 1)
		return attest_fail(err, ATTEST_SIGNATURE, "ek.chain.signature",
				   "the issuer of that name did not sign the certificate");
	return ATTEST_OK;
}

static enum attest_status
check_issuer_of(struct search *search, X509 *issuer, X509 *subject, struct attest_error *err)
{
	enum attest_status status = certificate_check_issuer(issuer, err);
	if (status != ATTEST_OK)
		return status;
	/* RFC 5280, 4.2.1.9: how many CAs may stand between this one and the leaf. */
	long below = X509_get_pathlen(issuer);
	if (below >= 0 && search->path_size > (size_t)below)
		return attest_fail(err, ATTEST_REFUSED, "ca.pathlen",
				   "an issuer that allows %ld CAs below, and %zu are", below,
				   search->path_size);
	status = certificate_check_dates(issuer, search->now, err);
	if (status != ATTEST_OK)
		return status;
	status = certificate_check_signature_algorithm(subject, err);
	if (status != ATTEST_OK)
		return status;
	return verify_signature(search, issuer, subject, err);
}

static bool
in_path(const struct search *search, const X509 *certificate)
{
	for (size_t i = 0; i < search->path_size; i++)
		if (X509_cmp(search->path[i], certificate) == 0)
			return true;
	return false;
}

/* Does `candidate` issue `subject`? What is wrong with one of the right name is worth telling. */
static bool
accept(struct search *search, X509 *candidate, X509 *subject, struct attest_error *err)
{
	if (!is_issuer_by_name(candidate, subject) || in_path(search, candidate))
		return false;
	if (check_issuer_of(search, candidate, subject, err) != ATTEST_OK) {
		search->told = true;
		return false;
	}
	search->path[search->path_size++] = candidate;
	return true;
}

/* Depth first, and no deeper than ISSUERS_MAX. The first anchor ends the path. */
static bool
find_path(struct search *search, X509 *subject, struct attest_error *err)
{
	if (search->path_size == ISSUERS_MAX) {
		attest_fail(err, ATTEST_REFUSED, "ek.chain.depth",
			    "no anchor within %d certificates", ATTEST_CHAIN_MAX);
		search->told = true;
		return false;
	}
	for (size_t i = 0; i < search->anchor_count; i++)
		if (accept(search, search->anchors[i], subject, err))
			return true;
	for (size_t i = 0; i < search->helper_count; i++) {
		if (!accept(search, search->helpers[i], subject, err))
			continue;
		if (find_path(search, search->helpers[i], err))
			return true;
		search->path_size--;
	}
	return false;
}

/* A CA twice, or with two certificates for one key, is named once. */
static enum attest_status
add_id(struct attest_chain *chain, const X509 *certificate, struct attest_error *err)
{
	uint8_t id[ATTEST_HASH_SIZE];

	if (!certificate_id(certificate, id))
		return attest_fail_memory(err);
	for (uint32_t i = 0; i < chain->ca_count; i++)
		if (memcmp(chain->ca_ids[i], id, sizeof(id)) == 0)
			return ATTEST_OK;
	if (chain->ca_count == ATTEST_CHAIN_MAX)
		return attest_fail(err, ATTEST_REFUSED, "ek.chain.depth",
				   "more than %d CAs, with the anchors above the path",
				   ATTEST_CHAIN_MAX);
	memcpy(chain->ca_ids[chain->ca_count++], id, sizeof(id));
	return ATTEST_OK;
}

/* The anchor that issued `certificate`, or NULL. Anything but a signature that does not verify is a
 * refusal: what could not be looked at may be what was revoked. */
static enum attest_status
find_above(struct search *search, X509 *certificate, X509 **ret_above, struct attest_error *err)
{
	for (size_t i = 0; i < search->anchor_count; i++) {
		X509 *anchor = search->anchors[i];

		if (X509_cmp(anchor, certificate) == 0 || !is_issuer_by_name(anchor, certificate))
			continue;
		enum attest_status status = verify_signature(search, anchor, certificate, err);
		if (status == ATTEST_SIGNATURE)
			continue;
		*ret_above = anchor;
		return status;
	}
	*ret_above = NULL;
	return ATTEST_OK;
}

/* Anchors above the one that ended the path: whoever revokes the root means what is below it too.
 */
static enum attest_status
climb(struct search *search, struct attest_chain *chain, struct attest_error *err)
{
	X509 *top = search->path[search->path_size - 1];

	for (;;) {
		uint32_t count = chain->ca_count;

		enum attest_status status = find_above(search, top, &top, err);
		if (status != ATTEST_OK || top == NULL)
			return status;
		status = add_id(chain, top, err);
		if (status != ATTEST_OK || chain->ca_count == count) /* two certify each other */
			return status;
	}
}

static enum attest_status
report(struct search *search, X509 *leaf, struct attest_chain *ret_chain, struct attest_error *err)
{
	struct attest_chain chain = {.expires = INT64_MAX};
	int64_t expires;

	if (certificate_expires(leaf, &expires) && expires < chain.expires)
		chain.expires = expires;
	for (size_t i = 0; i < search->path_size; i++) {
		enum attest_status status = add_id(&chain, search->path[i], err);
		if (status != ATTEST_OK)
			return status;
		if (certificate_expires(search->path[i], &expires) && expires < chain.expires)
			chain.expires = expires;
	}
	enum attest_status status = climb(search, &chain, err);
	if (status != ATTEST_OK)
		return status;
	certificate_describe(leaf, &chain);
	*ret_chain = chain;
	return ATTEST_OK;
}

struct certificates {
	size_t count;
	X509 *items[ATTEST_ANCHORS_MAX];
};

static void
certificates_clear(struct certificates *certificates)
{
	for (size_t i = 0; i < certificates->count; i++)
		X509_free(certificates->items[i]);
}
#define auto_certificates __attribute__((cleanup(certificates_clear))) struct certificates

/* `lenient`: what does not parse is left out. A guest sends what its NV holds, and a helper that is
 * not understood helps nobody; an anchor that is not is a defect of ours. */
static enum attest_status
load_all(const struct bytes *input, size_t count, bool lenient, struct certificates *certificates,
	 struct attest_error *err)
{
	for (size_t i = 0; i < count; i++) {
		X509 **place = &certificates->items[certificates->count];
		enum attest_status status = certificate_load(input[i], place, err);

		if (status == ATTEST_OK)
			certificates->count++;
		else if (!lenient || status != ATTEST_MALFORMED)
			return status;
	}
	return ATTEST_OK;
}

/* The certified key is this EK: the same modulus, or the same point. */
static enum attest_status
check_key(const X509 *certificate, const struct attest_ek *ek, struct attest_error *err)
{
	uint8_t expected[ATTEST_HASH_SIZE];
	uint8_t seen[ATTEST_HASH_SIZE];
	struct attest_ek *certified;
	auto_pkey *key = certificate_key(certificate);

	if (key == NULL)
		return attest_fail(err, ATTEST_UNSUPPORTED, "ek.certificate.key",
				   "the certified key is of an unknown kind");
	enum attest_status status = ek_from_key(key, &certified, err);
	if (status != ATTEST_OK)
		return status;
	attest_ek_id(ek, expected);
	attest_ek_id(certified, seen);
	bool same = strcmp(attest_ek_kind(ek), attest_ek_kind(certified)) == 0 &&
		    memcmp(expected, seen, sizeof(seen)) == 0;
	attest_ek_free(certified);
	if (!same)
		return attest_differs(err, ATTEST_REFUSED, "ek.certificate.key", BYTES_OF(expected),
				      BYTES_OF(seen), "the certificate is for another key");
	return ATTEST_OK;
}

static enum attest_status
check_leaf(X509 *leaf, const struct attest_ek *ek, int64_t now, struct attest_error *err)
{
	enum attest_status status = check_key(leaf, ek, err);
	if (status != ATTEST_OK)
		return status;
	status = certificate_check_leaf(leaf, err);
	if (status != ATTEST_OK)
		return status;
	return certificate_check_dates(leaf, now, err);
}

enum attest_status
attest_chain_verify(const struct attest_ek *ek, const struct bytes *certificates,
		    size_t certificate_count, const struct attest_trust *trust,
		    struct attest_chain *ret_chain, struct attest_error *err)
{
	auto_x509 *leaf = NULL;
	auto_certificates helpers = {0};
	auto_certificates pinned = {0};

	if (certificate_count == 0 || certificate_count > ATTEST_CERTIFICATES_MAX ||
	    trust->anchor_count > ATTEST_ANCHORS_MAX)
		return attest_fail(err, ATTEST_LIMIT, "ek.chain.count",
				   "%zu certificates (1 to %d) and %zu anchors (up to %d)",
				   certificate_count, ATTEST_CERTIFICATES_MAX, trust->anchor_count,
				   ATTEST_ANCHORS_MAX);
	enum attest_status status = certificate_load(certificates[0], &leaf, err);
	if (status != ATTEST_OK)
		return status;
	status = check_leaf(leaf, ek, trust->now, err);
	if (status != ATTEST_OK)
		return status;
	status = load_all(certificates + 1, certificate_count - 1, true, &helpers, err);
	if (status != ATTEST_OK)
		return status;
	status = load_all(trust->anchors, trust->anchor_count, false, &pinned, err);
	if (status != ATTEST_OK)
		return status;

	struct search search = {.helpers = helpers.items,
				.helper_count = helpers.count,
				.anchors = pinned.items,
				.anchor_count = pinned.count,
				.now = trust->now};
	if (find_path(&search, leaf, err))
		return report(&search, leaf, ret_chain, err);
	if (search.told)
		return err->status;
	return attest_fail(err, ATTEST_REFUSED, "ek.chain.anchor",
			   "no path to any of %zu anchors: the issuer is not known", pinned.count);
}

enum attest_status
attest_ek_from_certificate(struct bytes der, struct attest_ek **ret_ek, struct attest_error *err)
{
	auto_x509 *certificate = NULL;

	enum attest_status status = certificate_load(der, &certificate, err);
	if (status != ATTEST_OK)
		return status;
	auto_pkey *key = certificate_key(certificate);
	if (key == NULL)
		return attest_fail(err, ATTEST_UNSUPPORTED, "ek.certificate.key",
				   "the certified key is of an unknown kind");
	return ek_from_key(key, ret_ek, err);
}

static inline void
bio_free_at(BIO **bio)
{
	BIO_free(*bio);
}

enum attest_status
attest_anchor_describe(struct bytes der, uint8_t ret_id[ATTEST_HASH_SIZE], char ret_subject[160],
		       struct attest_error *err)
{
	auto_x509 *certificate = NULL;
	uint8_t id[ATTEST_HASH_SIZE];
	char subject[160] = {0};

	enum attest_status status = certificate_load(der, &certificate, err);
	if (status != ATTEST_OK)
		return status;
	status = certificate_check_issuer(certificate, err);
	if (status != ATTEST_OK)
		return status;
	__attribute__((cleanup(bio_free_at))) BIO *text = BIO_new(BIO_s_mem());
	if (text == NULL || !certificate_id(certificate, id) ||
	    X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0)
		return attest_fail_memory(err);
	BIO_read(text, subject, sizeof(subject) - 1);
	ERR_clear_error();
	memcpy(ret_id, id, sizeof(id));
	memcpy(ret_subject, subject, sizeof(subject));
	return ATTEST_OK;
}
