/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who vouches for a TPM: EK certificates of its vendor (TCG EK Credential Profile 2.5), and AK
 * certificates of a cloud, whose key then certifies Postern's AK. Judged here rather than with
 * OpenSSL's purposes, which know no EKs. The caller gives the time, the anchors and the CRLs.
 */
#ifndef POSTERN_ATTEST_ENDORSEMENT_H
#define POSTERN_ATTEST_ENDORSEMENT_H

#include "attest.h"

#define ATTEST_CHAIN_MAX	4   /* certificates in a path, leaf and root included */
#define ATTEST_CERTIFICATES_MAX 8   /* certificates a guest may send */
#define ATTEST_ANCHORS_MAX	256 /* trusted CAs given to one verification */
#define ATTEST_CRLS_MAX		64
#define ATTEST_CRL_MAX		(1024 * 1024) /* bytes of one */

/* Google's instance-info extension, 1.3.6.1.4.1.11129.2.1.21: which machine of whose. */
struct attest_instance {
	bool known;
	char zone[64];
	char project[64];
	uint64_t project_number;
	uint64_t number; /* the instance's */
	char name[128];
};

struct attest_chain {
	/* SHA-256 of each CA's SubjectPublicKeyInfo: the issuers of the path, nearest first, then
	 * all pinned anchors above them. */
	uint32_t ca_count;
	uint8_t ca_ids[ATTEST_CHAIN_MAX][ATTEST_HASH_SIZE];
	char manufacturer[16]; /* "id:53544D20", empty if absent */
	char model[64];
	char version[16];
	int64_t expires; /* the earliest notAfter of the path */
	struct attest_instance instance;
};

/* What a verification leans on, beside what the guest sent. */
struct attest_trust {
	const struct bytes *anchors; /* DER */
	size_t anchor_count;
	const struct bytes *crls; /* DER, as operators uploaded them, at most ATTEST_CRLS_MAX */
	size_t crl_count;
	bool stale_crls; /* a CRL past its nextUpdate still counts; else it refuses */
	int64_t now;	 /* Unix seconds */
};

/* certificates[0] is the EK's, the others may help to build the path. Each issuer for which there
 * is a CRL is asked: "ek.chain.revoked", "ek.chain.crl" (expired, or not signed by it). */
__attribute__((warn_unused_result)) enum attest_status
attest_chain_verify(const struct attest_ek *ek, const struct bytes *certificates,
		    size_t certificate_count, const struct attest_trust *trust,
		    struct attest_chain *ret_chain, struct attest_error *err);
/* The same id of a CA certificate (DER) fit to be an anchor, and its subject as text. */
__attribute__((warn_unused_result)) enum attest_status
attest_anchor_describe(struct bytes der, uint8_t ret_id[ATTEST_HASH_SIZE], char ret_subject[160],
		       struct attest_error *err);
/* A CRL (DER) fit to be uploaded: it parses, and one of the certificates signed it. */
struct attest_crl {
	uint8_t issuer_id[ATTEST_HASH_SIZE];
	char issuer[160];
	int64_t issued;
	int64_t expires;  /* nextUpdate; refused without one */
	uint32_t revoked; /* how many */
};
__attribute__((warn_unused_result)) enum attest_status
attest_crl_describe(struct bytes der, const struct bytes *issuers, size_t issuer_count,
		    struct attest_crl *ret_crl, struct attest_error *err);

/* ---- a cloud's AK: TPM2_Certify of Postern's AK by the key that the cloud certified ---- */

struct attest_cloud_input {
	const struct attest_ak *ak;	  /* Postern's, whose name must be the certified one */
	struct bytes cloud_public;	  /* TPMT_PUBLIC: restricted, fixedTPM, signs */
	const struct bytes *certificates; /* [0] is that key's, the others help */
	size_t certificate_count;
	struct bytes message;	/* TPMS_ATTEST of TPM2_Certify */
	struct bytes signature; /* TPMT_SIGNATURE */
	uint8_t qualifying[ATTEST_HASH_SIZE];
};
/* The chain tells the cloud's CAs and the instance. Not an EK certificate, and not one whose key is
 * not for digitalSignature alone. */
__attribute__((warn_unused_result)) enum attest_status
attest_cloud_verify(const struct attest_cloud_input *input, const struct attest_trust *trust,
		    struct attest_chain *ret_chain, struct attest_error *err);

#endif
