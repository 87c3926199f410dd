/* SPDX-License-Identifier: Apache-2.0 */
/* An EK's certificate: that it is for this EK, and one, and from whom. */
#include "certificate.h"
#include "error.h"
#include "path.h"

#include <openssl/err.h>
#include <string.h>

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
	status = certificate_check_leaf(leaf, LEAF_EK, err);
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

	enum attest_status status = path_check_sizes("ek", certificate_count, trust, err);
	if (status != ATTEST_OK)
		return status;
	status = certificate_load(certificates[0], &leaf, err);
	if (status != ATTEST_OK)
		return status;
	status = check_leaf(leaf, ek, trust->now, err);
	if (status != ATTEST_OK)
		return status;
	return path_verify(leaf, LEAF_EK, certificates, certificate_count, trust, ret_chain, err);
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

enum attest_status
attest_anchor_describe(struct bytes der, uint8_t ret_id[ATTEST_HASH_SIZE],
		       char ret_subject[ATTEST_SUBJECT_SIZE], struct attest_error *err)
{
	auto_x509 *certificate = NULL;
	uint8_t id[ATTEST_HASH_SIZE];

	enum attest_status status = certificate_load(der, &certificate, err);
	if (status != ATTEST_OK)
		return status;
	/* Of EKs or of a cloud's AKs: what it may issue is asked again when it does. */
	status = certificate_check_issuer(certificate, LEAF_CLOUD_AK, err);
	if (status != ATTEST_OK)
		return status;
	if (!certificate_id(certificate, id) ||
	    !certificate_print_name(X509_get_subject_name(certificate), ret_subject))
		return attest_fail_memory(err);
	memcpy(ret_id, id, sizeof(id));
	return ATTEST_OK;
}
