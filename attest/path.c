/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL parses and verifies single signatures; the path and its rules are ours, because
 * X509_verify_cert has purposes for TLS and none for EKs, and a clock.
 *
 * Candidates are tried in the order of their fingerprints, those that the subject's key identifier
 * points at first. So the answer depends on what was given and not on how it was ordered, and a
 * wrong identifier costs time and hides nothing.
 */
#include "path.h"

#include "crl.h"
#include "error.h"
#include "instance.h"
#include "revocation.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define ISSUERS_MAX    (ATTEST_CHAIN_MAX - 1)
#define SIGNATURES_MAX 48 /* verified for one answer: many CAs of one name must not cost more */
#define MEMBERS_MAX    16 /* certificates of the path's CAs, above it and for the same keys too */

struct search {
	const char *subject; /* "ek" gives "ek.chain.anchor" */
	enum leaf_kind kind;
	struct pile helpers; /* what the guest sent beside its own */
	struct pile anchors;
	int64_t now;
	unsigned signatures;
	struct revocation revocation;
	X509 *path[ISSUERS_MAX];
	bool asked[ISSUERS_MAX]; /* a CRL of that issuer answered */
	size_t path_size;
	bool abandoned;		  /* no use in going on */
	struct attest_error told; /* the gravest that was wrong with an issuer that was found */
};

static void
search_clear(struct search *search)
{
	pile_clear(&search->helpers);
	pile_clear(&search->anchors);
}
#define auto_search __attribute__((cleanup(search_clear))) struct search

static enum attest_status
refuse(const struct search *search, struct attest_error *err, enum attest_status status,
       const char *what, const char *message)
{
	char check[sizeof(err->check)];

	snprintf(check, sizeof(check), "%s.chain.%s", search->subject, what);
	return attest_fail(err, status, check, "%s", message);
}

/* ---- one link ---- */

static bool
is_issuer_by_name(const X509 *issuer, const X509 *subject)
{
	return X509_NAME_cmp(X509_get_subject_name(issuer), X509_get_issuer_name(subject)) == 0;
}

static enum attest_status
verify_signature(struct search *search, const X509 *issuer, X509 *subject, struct attest_error *err)
{
	const X509_ALGOR *algorithm = NULL;

	if (search->signatures++ >= SIGNATURES_MAX)
		return refuse(search, err, ATTEST_LIMIT, "work",
			      "too many CAs of one name: no answer within the bound on work");
	EVP_PKEY *key = X509_get0_pubkey(issuer);
	ERR_clear_error();
	if (key == NULL) /* not "it did not sign": nobody knows */
		return refuse(search, err, ATTEST_UNSUPPORTED, "key",
			      "the key of an issuer of that name cannot be read");
	X509_get0_signature(NULL, &algorithm, subject);
	enum attest_status status = signature_verdict(algorithm, key, X509_verify(subject, key));
	/* Some allocations fail without a trace: "no" is believed when it is said twice. */
	if (status == ATTEST_SIGNATURE)
		status = signature_verdict(algorithm, key, X509_verify(subject, key));
	if (status == ATTEST_SIGNATURE)
		return refuse(search, err, ATTEST_SIGNATURE, "signature",
			      "the issuer of that name did not sign the certificate");
	return status == ATTEST_OK ? ATTEST_OK : attest_fail_memory(err);
}

static enum attest_status
check_issuer_of(struct search *search, X509 *issuer, X509 *subject, bool *ret_asked,
		struct attest_error *err)
{
	const X509_ALGOR *algorithm = NULL;

	enum attest_status status = certificate_check_issuer(issuer, search->kind, err);
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
	X509_get0_signature(NULL, &algorithm, subject);
	status = certificate_check_algorithm(algorithm, "certificate.algorithm", err);
	if (status != ATTEST_OK)
		return status;
	status = verify_signature(search, issuer, subject, err);
	if (status != ATTEST_OK)
		return status;
	return revocation_check(&search->revocation, issuer, subject, ret_asked, err);
}

/* ---- the path ---- */

/* What a person needs most to hear: that it is revoked, before that some namesake did not sign. */
static int
gravity(const struct attest_error *err)
{
	switch (err->status) {
	case ATTEST_OK:
		return 0;
	case ATTEST_SIGNATURE:
		return 1;
	case ATTEST_MALFORMED:
	case ATTEST_UNSUPPORTED:
		return 3;
	case ATTEST_REFUSED:
		if (strstr(err->check, ".chain.depth") != NULL)
			return 2;
		return strstr(err->check, ".chain.revoked") != NULL ? 4 : 3;
	case ATTEST_LIMIT:
	case ATTEST_MEMORY:
		return 5;
	}
	return 5;
}

static void
tell(struct search *search, const struct attest_error *err)
{
	if (gravity(err) > gravity(&search->told))
		search->told = *err;
	search->abandoned = search->abandoned || gravity(err) == 5;
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
accept(struct search *search, X509 *candidate, X509 *subject)
{
	struct attest_error err;
	bool asked = false;

	if (search->abandoned || !is_issuer_by_name(candidate, subject) ||
	    in_path(search, candidate))
		return false;
	if (check_issuer_of(search, candidate, subject, &asked, &err) != ATTEST_OK) {
		tell(search, &err);
		return false;
	}
	search->asked[search->path_size] = asked;
	search->path[search->path_size++] = candidate;
	return true;
}

/* A hint and no more (RFC 5280, 4.2.1.1). */
static bool
is_pointed_at(const X509 *candidate, X509 *subject)
{
	const ASN1_OCTET_STRING *wanted = X509_get0_authority_key_id(subject);
	/* It is the cache of extensions that both calls fill. */
	const ASN1_OCTET_STRING *own = X509_get0_subject_key_id((X509 *)(uintptr_t)candidate);

	return wanted != NULL && own != NULL && ASN1_OCTET_STRING_cmp(wanted, own) == 0;
}

/* In two rounds: first those that the subject points at. */
static bool
find_anchor(struct search *search, X509 *subject)
{
	for (unsigned round = 0; round < 2; round++)
		for (size_t i = 0; i < search->anchors.count; i++) {
			X509 *anchor = search->anchors.items[i].certificate;

			if (is_pointed_at(anchor, subject) == (round == 0) &&
			    accept(search, anchor, subject))
				return true;
		}
	return false;
}

/* Depth first, and no deeper than ISSUERS_MAX. The first anchor ends the path. */
static bool
find_path(struct search *search, X509 *subject)
{
	struct attest_error err;

	if (search->path_size == ISSUERS_MAX) {
		refuse(search, &err, ATTEST_REFUSED, "depth", "no anchor within four certificates");
		tell(search, &err);
		return false;
	}
	if (find_anchor(search, subject))
		return true;
	for (unsigned round = 0; round < 2; round++)
		for (size_t i = 0; i < search->helpers.count; i++) {
			X509 *helper = search->helpers.items[i].certificate;

			if (is_pointed_at(helper, subject) != (round == 0) ||
			    !accept(search, helper, subject))
				continue;
			if (find_path(search, helper))
				return true;
			search->path_size--;
		}
	return false;
}

/* ---- what is above it ---- */

/* The path's CAs and all pinned certificates that vouch for one of them, or are for one's key:
 * whoever revokes any of those means what is below it too. */
struct members {
	size_t count;
	X509 *items[MEMBERS_MAX];
	bool asked[MEMBERS_MAX];
};

static enum attest_status
add_member(struct search *search, struct members *members, X509 *certificate, bool asked,
	   struct attest_error *err)
{
	for (size_t i = 0; i < members->count; i++)
		if (X509_cmp(members->items[i], certificate) == 0) {
			members->asked[i] = members->asked[i] || asked;
			return ATTEST_OK;
		}
	if (members->count == MEMBERS_MAX)
		return refuse(search, err, ATTEST_REFUSED, "depth",
			      "too many anchors above the path");
	members->asked[members->count] = asked;
	members->items[members->count++] = certificate;
	return ATTEST_OK;
}

/* Another certificate of the same CA. */
static enum attest_status
is_twin(const X509 *one, const X509 *other, bool *ret_twin, struct attest_error *err)
{
	uint8_t ids[2][ATTEST_HASH_SIZE];

	*ret_twin = false;
	if (X509_NAME_cmp(X509_get_subject_name(one), X509_get_subject_name(other)) != 0)
		return ATTEST_OK;
	if (!certificate_id(one, ids[0]) || !certificate_id(other, ids[1]))
		return attest_fail_memory(err);
	*ret_twin = memcmp(ids[0], ids[1], sizeof(ids[0])) == 0;
	return ATTEST_OK;
}

/* Every link that a CRL could cut later. */
static enum attest_status
add_link(struct search *search, struct attest_chain *chain, const X509 *issuer, const X509 *subject,
	 struct attest_error *err)
{
	uint8_t id[ATTEST_HASH_SIZE];
	uint8_t link[ATTEST_HASH_SIZE];

	if (!certificate_id(issuer, id) || !crl_link(id, X509_get0_serialNumber(subject), link))
		return attest_fail_memory(err);
	for (uint32_t i = 0; i < chain->link_count; i++)
		if (memcmp(chain->links[i], link, sizeof(link)) == 0)
			return ATTEST_OK;
	if (chain->link_count == ATTEST_LINKS_MAX)
		return refuse(search, err, ATTEST_REFUSED, "depth",
			      "too many anchors above the path");
	memcpy(chain->links[chain->link_count++], link, sizeof(link));
	return ATTEST_OK;
}

/* Anything but a signature that does not verify is a refusal: what could not be looked at may be
 * what was revoked. A root that lists itself is believed. */
static enum attest_status
climb_to(struct search *search, struct members *members, X509 *member, X509 *anchor,
	 struct attest_chain *chain, struct attest_error *err)
{
	bool twin = false;
	bool asked = false;

	enum attest_status status = is_twin(anchor, member, &twin, err);
	if (status != ATTEST_OK)
		return status;
	if (is_issuer_by_name(anchor, member)) {
		status = verify_signature(search, anchor, member, err);
		if (status == ATTEST_OK)
			status = revocation_check(&search->revocation, anchor, member, &asked, err);
		else if (status == ATTEST_SIGNATURE)
			return twin ? add_member(search, members, anchor, false, err) : ATTEST_OK;
		if (status == ATTEST_OK)
			status = add_link(search, chain, anchor, member, err);
		if (status != ATTEST_OK)
			return status;
		return add_member(search, members, anchor, asked, err);
	}
	return twin ? add_member(search, members, anchor, false, err) : ATTEST_OK;
}

static enum attest_status
climb(struct search *search, struct members *members, struct attest_chain *chain,
      struct attest_error *err)
{
	for (size_t m = 0; m < members->count; m++)
		for (size_t i = 0; i < search->anchors.count; i++) {
			enum attest_status status =
				climb_to(search, members, members->items[m],
					 search->anchors.items[i].certificate, chain, err);
			if (status != ATTEST_OK)
				return status;
		}
	return ATTEST_OK;
}

/* ---- the answer ---- */

static bool
is_pinned(const struct search *search, const X509 *certificate)
{
	for (size_t i = 0; i < search->anchors.count; i++)
		if (X509_cmp(search->anchors.items[i].certificate, certificate) == 0)
			return true;
	return false;
}

/* A CA twice, or with two certificates for one key, is named once. */
static enum attest_status
add_ca(struct search *search, struct attest_chain *chain, const X509 *certificate, bool asked,
       struct attest_error *err)
{
	uint8_t id[ATTEST_HASH_SIZE];
	bool pinned = is_pinned(search, certificate);

	if (!certificate_id(certificate, id))
		return attest_fail_memory(err);
	for (uint32_t i = 0; i < chain->ca_count; i++)
		if (memcmp(chain->ca_ids[i], id, sizeof(id)) == 0) {
			chain->ca_pinned[i] = chain->ca_pinned[i] || pinned;
			chain->ca_asked[i] = chain->ca_asked[i] || asked;
			return ATTEST_OK;
		}
	if (chain->ca_count == ATTEST_CHAIN_MAX)
		return refuse(search, err, ATTEST_REFUSED, "depth",
			      "more than four CAs, with the anchors above the path");
	if (!certificate_print_name(X509_get_subject_name(certificate),
				    chain->ca_subjects[chain->ca_count]))
		return attest_fail_memory(err);
	chain->ca_pinned[chain->ca_count] = pinned;
	chain->ca_asked[chain->ca_count] = asked;
	memcpy(chain->ca_ids[chain->ca_count++], id, sizeof(id));
	return ATTEST_OK;
}

static void
expire_no_later(struct attest_chain *chain, const X509 *certificate)
{
	int64_t expires;

	if (certificate_expires(certificate, &expires) && expires < chain->expires)
		chain->expires = expires;
}

static enum attest_status
report(struct search *search, X509 *leaf, struct attest_chain *ret_chain, struct attest_error *err)
{
	struct attest_chain chain = {.expires = INT64_MAX};
	struct members members = {.count = search->path_size};

	enum attest_status status = ATTEST_OK;

	expire_no_later(&chain, leaf);
	for (size_t i = 0; i < search->path_size && status == ATTEST_OK; i++) {
		members.items[i] = search->path[i];
		members.asked[i] = search->asked[i];
		expire_no_later(&chain, search->path[i]);
		status = add_link(search, &chain, search->path[i],
				  i == 0 ? leaf : search->path[i - 1], err);
	}
	if (status == ATTEST_OK)
		status = climb(search, &members, &chain, err);
	for (size_t i = 0; i < members.count && status == ATTEST_OK; i++) {
		status = add_ca(search, &chain, members.items[i], members.asked[i], err);
		if (i + 1 == search->path_size)
			chain.path_count = chain.ca_count;
	}
	if (status == ATTEST_OK)
		status = certificate_describe(leaf, &chain, err);
	if (status == ATTEST_OK)
		status = certificate_instance(leaf, &chain.instance, err);
	if (status == ATTEST_OK)
		*ret_chain = chain;
	return status;
}

enum attest_status
path_check_sizes(const char *subject, size_t certificate_count, const struct attest_trust *trust,
		 struct attest_error *err)
{
	char check[sizeof(err->check)];

	if (certificate_count > 0 && certificate_count <= ATTEST_PILE_MAX &&
	    trust->anchor_count <= ATTEST_PILE_MAX && trust->crl_count <= ATTEST_CRLS_MAX)
		return ATTEST_OK;
	snprintf(check, sizeof(check), "%s.chain.count", subject);
	return attest_fail(err, ATTEST_LIMIT, check,
			   "%zu certificates (1 to %d), %zu anchors (up to %d) and %zu CRLs (up to "
			   "%d)",
			   certificate_count, ATTEST_PILE_MAX, trust->anchor_count, ATTEST_PILE_MAX,
			   trust->crl_count, ATTEST_CRLS_MAX);
}

enum attest_status
path_verify(X509 *leaf, enum leaf_kind kind, const struct bytes *certificates,
	    size_t certificate_count, const struct attest_trust *trust,
	    struct attest_chain *ret_chain, struct attest_error *err)
{
	auto_search search = {
		.subject = kind == LEAF_EK ? "ek" : "cloud", .kind = kind, .now = trust->now};

	enum attest_status status =
		pile_load(certificates + 1, certificate_count - 1, true, &search.helpers, err);
	if (status == ATTEST_OK)
		status =
			pile_load(trust->anchors, trust->anchor_count, false, &search.anchors, err);
	if (status != ATTEST_OK)
		return status;
	search.revocation = (struct revocation){
		.subject = search.subject, .trust = trust, .anchors = &search.anchors};
	if (find_path(&search, leaf))
		return report(&search, leaf, ret_chain, err);
	if (search.told.status == ATTEST_OK)
		return refuse(&search, err, ATTEST_REFUSED, "anchor",
			      "no path to an anchor: the issuer is not known");
	*err = search.told;
	return err->status;
}
