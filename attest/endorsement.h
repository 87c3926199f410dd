/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who vouches for a TPM: EK certificates of its vendor (TCG EK Credential Profile 2.5), and AK
 * certificates of a cloud, whose key then certifies Postern's AK. Judged here rather than with
 * OpenSSL's purposes, which know no EKs. The caller gives the time, the anchors and the CRLs.
 */
#ifndef POSTERN_ATTEST_ENDORSEMENT_H
#define POSTERN_ATTEST_ENDORSEMENT_H

#include "attest.h"

#define ATTEST_CHAIN_MAX	4    /* certificates in a path, leaf and root included */
#define ATTEST_CERTIFICATES_MAX 8    /* certificates a guest may send */
#define ATTEST_ANCHORS_MAX	256  /* trusted CAs that a broker keeps */
#define ATTEST_PILE_MAX		2048 /* anchors, or certificates, given to one verification */
#define ATTEST_CRLS_MAX		64
#define ATTEST_CRL_MAX		(1024 * 1024)	  /* bytes of one */
#define ATTEST_BUNDLE_MAX	(4 * 1024 * 1024) /* bytes of a file of certificates or CRLs */
#define ATTEST_SUBJECT_SIZE	160
#define ATTEST_LINKS_MAX	8 /* certificates of a path, or above it, that a known CA issued */

/* Google's instance-info extension, 1.3.6.1.4.1.11129.2.1.21: which machine of whose. Whoever is
 * trusted to certify EKs can write it: it says something where ca_ids names one of Google's CAs. */
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
	char ca_subjects[ATTEST_CHAIN_MAX][ATTEST_SUBJECT_SIZE]; /* for people; may be cut */
	bool ca_pinned[ATTEST_CHAIN_MAX];
	bool ca_asked[ATTEST_CHAIN_MAX]; /* a CRL of it said whom it revoked */
	uint32_t path_count;		 /* so many of them are the path, the others above it */
	char manufacturer[16];		 /* "id:53544D20", empty if absent */
	char model[64];
	char version[16];
	int64_t expires; /* the earliest notAfter of the path */
	struct attest_instance instance;
	/* Each certificate that one of the CAs issued, as attest_crl_revoked names it. */
	uint32_t link_count;
	uint8_t links[ATTEST_LINKS_MAX][ATTEST_HASH_SIZE];
};

/* What a verification leans on, beside what the guest sent. */
struct attest_trust {
	const struct bytes *anchors; /* DER */
	size_t anchor_count;
	const struct bytes *crls; /* DER, as operators uploaded them, at most ATTEST_CRLS_MAX */
	size_t crl_count;
	bool stale_crls; /* a CA's CRLs that are all past their nextUpdate count; else they refuse
			  */
	int64_t now;	 /* Unix seconds */
};

/* certificates[0] is the EK's, the others may help to build the path, in any order. Each issuer for
 * which there is a CRL is asked, anchors above the path too: "ek.chain.revoked". A CRL that bears
 * an issuer's name and cannot be used refuses ("ek.chain.crl.signature", "...expired",
 * "...parse"...), one of a CA elsewhere does not matter. Leaf: "ek.certificate.signs",
 * "...platform",
 * "...attestation", "...usage", "...purpose", "...ca", "...key". */
__attribute__((warn_unused_result)) enum attest_status
attest_chain_verify(const struct attest_ek *ek, const struct bytes *certificates,
		    size_t certificate_count, const struct attest_trust *trust,
		    struct attest_chain *ret_chain, struct attest_error *err);
/* The same id of a CA certificate (DER) fit to be an anchor, and its subject as text. */
__attribute__((warn_unused_result)) enum attest_status
attest_anchor_describe(struct bytes der, uint8_t ret_id[ATTEST_HASH_SIZE],
		       char ret_subject[ATTEST_SUBJECT_SIZE], struct attest_error *err);
/* A CRL (DER) fit to be uploaded: it parses, and one of the certificates signed it. */
struct attest_crl {
	uint8_t issuer_id[ATTEST_HASH_SIZE];
	/* What a newer one replaces: issuer_id, or where the CRL is one distribution point's, SHA-256
	 * of issuer_id and the issuing distribution point. */
	uint8_t id[ATTEST_HASH_SIZE];
	char issuer[ATTEST_SUBJECT_SIZE];
	int64_t issued;
	int64_t expires;  /* nextUpdate; refused without one */
	uint32_t revoked; /* how many */
};
__attribute__((warn_unused_result)) enum attest_status
attest_crl_describe(struct bytes der, const struct bytes *issuers, size_t issuer_count,
		    struct attest_crl *ret_crl, struct attest_error *err);
/* Whom a CRL that attest_crl_describe has taken revokes: SHA-256 of issuer_id and serial number
 * (DER, tag and length included), ascending, each once. ATTEST_LIMIT: more than `capacity`. */
__attribute__((warn_unused_result)) enum attest_status
attest_crl_revoked(struct bytes der, const uint8_t issuer_id[ATTEST_HASH_SIZE], size_t capacity,
		   uint8_t (*ret_links)[ATTEST_HASH_SIZE], size_t *ret_count,
		   struct attest_error *err);

/* ---- a cloud's AK: TPM2_Certify of Postern's AK by the key that the cloud certified ---- */

struct attest_cloud_input {
	const struct attest_ak *ak;	  /* Postern's, whose name must be the certified one */
	struct bytes cloud_public;	  /* TPMT_PUBLIC, as the guest tells it */
	const struct bytes *certificates; /* [0] is that key's, the others help */
	size_t certificate_count;
	struct bytes message;	/* TPMS_ATTEST of TPM2_Certify */
	struct bytes signature; /* TPMT_SIGNATURE */
	uint8_t qualifying[ATTEST_HASH_SIZE];
};
/* The chain tells the cloud's CAs and the instance. Certificate: digitalSignature, no CA, and if it
 * has extended usages, an EK's or an AK's ("cloud.certificate..."); path as above
 * ("cloud.chain..."); the certified key is cloud_public's ("cloud.key"), the certification is of
 * this AK, in the endorsement hierarchy ("certify..."). That the cloud's key is restricted is what
 * its certificate means: cloud_public is bound by no name, and must merely say so too
 * ("cloud.ak..."). */
__attribute__((warn_unused_result)) enum attest_status
attest_cloud_verify(const struct attest_cloud_input *input, const struct attest_trust *trust,
		    struct attest_chain *ret_chain, struct attest_error *err);

/* ---- files of them ---- */

enum attest_item { ATTEST_CERTIFICATE, ATTEST_CRL };
struct attest_bundle {
	size_t count;
	struct bytes *items; /* DER, not judged */
	uint8_t *memory;
};
/* PEM with any number of them (other things between are passed over), DER one after the other, or
 * what an NV index of a TPM holds. ATTEST_MALFORMED where there is none, or one is cut off. */
__attribute__((warn_unused_result)) enum attest_status
attest_bundle_read(struct bytes file, enum attest_item kind, struct attest_bundle *ret_bundle,
		   struct attest_error *err);
void attest_bundle_clear(struct attest_bundle *bundle);
/* "id:53544D20" -> "STMicroelectronics", of the TCG's vendor registry; NULL: not in it. */
const char *attest_manufacturer_name(const char *id);

#endif
