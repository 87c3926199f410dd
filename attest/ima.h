/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of the Linux Integrity Measurement Architecture: what was opened, run or loaded after boot,
 * by the kernel's word in PCR 10. A list is binary (binary_runtime_measurements, in the byte order
 * of x86 and arm64, or canonical) or ASCII; only what leads to the quoted PCR 10 counts, and what
 * follows that prefix is dropped. Names of templates are not hashed; a violation proves nothing but
 * itself. CLAIMS.md has the reasons.
 */
#ifndef POSTERN_ATTEST_IMA_H
#define POSTERN_ATTEST_IMA_H

#include "eventlog.h"

#define ATTEST_IMA_MAX	    (8 * 1024 * 1024) /* bytes of one list */
#define ATTEST_IMA_KEYS_MAX 16

/* From where the next examination may go on: nobody but whoever examined made it. */
struct attest_ima_point {
	uint32_t reset_count; /* of the quote: another boot begins anew */
	uint32_t restart_count;
	enum attest_bank bank;
	uint64_t offset; /* bytes of the list that were examined */
	uint64_t entries;
	uint64_t violations;
	bool all_listed; /* so far */
	bool all_signed;
	uint8_t pcr[ATTEST_DIGEST_MAX];
};

/* File digests that are known to be good: SHA-256, 32 bytes each, strictly ascending. */
struct attest_ima_allowed {
	struct bytes digests;
};

struct attest_ima_input {
	struct bytes list; /* whole, or from `from->offset` on */
	enum attest_bank bank;
	struct bytes quoted;		     /* PCR 10 in that bank */
	const struct attest_ima_point *from; /* NULL: from the beginning */
	uint32_t reset_count;		     /* of this quote; must equal those of `from` */
	uint32_t restart_count;
	const struct attest_ima_allowed *allowed; /* NULL: none to compare with, no claim */
	const struct bytes *keys;		  /* SubjectPublicKeyInfo; none: no claim */
	size_t key_count;
};

struct attest_ima_report {
	struct attest_ima_point point; /* after the matching prefix; its entries and violations */
	uint64_t dropped;	       /* bytes after the prefix */
	bool listed_known;	       /* there was an allow-list: point.all_listed is a claim */
	bool signed_known;
};
/* ATTEST_OK: verified. ATTEST_REFUSED "ima.pcr": no prefix of the list leads to PCR 10, or PCR 10
 * is extended and the prefix empty. An allow-list or keys that changed since `from` need a whole
 * list: the caller sees to that. */
__attribute__((warn_unused_result)) enum attest_status
attest_ima_examine(const struct attest_ima_input *input, struct attest_ima_report *ret_report,
		   struct attest_error *err);
/* The report as claims, after those that `claims` has. */
void attest_ima_claims(const struct attest_ima_report *report, struct attest_claims *claims);

#endif
