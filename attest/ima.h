/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of the Linux Integrity Measurement Architecture: what was opened, run or loaded after boot,
 * by the kernel's word in PCR 10. A list is binary (binary_runtime_measurements, in the byte order
 * of x86 and arm64, or canonical) or ASCII; only what leads to the quoted PCR 10 counts, and what
 * follows that prefix is dropped. Names of templates are not hashed, so nothing is judged by them;
 * a violation proves nothing but itself. CLAIMS.md has the reasons.
 */
#ifndef POSTERN_ATTEST_IMA_H
#define POSTERN_ATTEST_IMA_H

#include "eventlog.h"

#define ATTEST_IMA_MAX	    (8 * 1024 * 1024) /* bytes of one list */
#define ATTEST_IMA_KEYS_MAX 16
#define ATTEST_IMA_PCR	    10
#define ATTEST_IMA_DATA_MAX 65536 /* template data of an ASCII entry */

/* ---- reading ---- */

struct attest_ima_list { /* opened by attest_ima_open; touch only what is named here */
	bool ascii;
	size_t digest_size; /* of binary lists: of each template digest */
	uint64_t count;	    /* entries read so far */
	struct bytes whole;
	struct reader reader;
	uint8_t data[ATTEST_IMA_DATA_MAX]; /* of the entry, where the list has it in another form */
};

struct attest_ima_entry { /* valid until the next one is read */
	uint64_t number;  /* from 0 */
	size_t offset;	  /* in the list */
	uint32_t pcr;
	struct bytes template_name; /* "ima-ng": not authenticated */
	bool violation;		    /* template digest of zeros: the PCR was extended by all ones */
	size_t digest_size;	    /* of the template digest as the list has it */
	uint8_t digest[ATTEST_DIGEST_MAX];
	struct bytes data; /* template data as the kernel hashed it */

	/* Of `data` alone, whatever the template is called; nothing of a violation is
	 * authenticated. Not readable: it has another form, and proves nothing of any file. */
	bool readable;
	bool verity;		/* the digest is fs-verity's, not of the content */
	bool algorithm_known;	/* to the kernel: file_digest has the size that it should */
	struct bytes algorithm; /* "sha256"; "sha1" of the `ima` template, which spells none */
	struct bytes file_digest;
	struct bytes name;  /* not empty, without NUL; may hold anything else */
	struct bytes third; /* signature or buffer; empty: neither */
	uint32_t fields;    /* that `data` has; 2: no third */
};

/* The list must outlive what is read of it. An empty list has no entries. */
__attribute__((warn_unused_result)) enum attest_status
attest_ima_open(struct bytes list, struct attest_ima_list *ret_list, struct attest_error *err);
/* *ret_end: there was none. */
__attribute__((warn_unused_result)) enum attest_status
attest_ima_next(struct attest_ima_list *list, struct attest_ima_entry *ret_entry, bool *ret_end,
		struct attest_error *err);
/* What all of the list leads to: every PCR that it names, in all four banks. */
__attribute__((warn_unused_result)) enum attest_status
attest_ima_replay(struct bytes list, struct attest_pcrs ret_pcrs[ATTEST_BANKS],
		  struct attest_error *err);

/* ---- one entry ---- */

/* File digests that are known to be good: SHA-256, 32 bytes each, strictly ascending. */
struct attest_ima_allowed {
	struct bytes digests;
};

/* A key that signs files: a SubjectPublicKeyInfo or a certificate, which is not judged: whoever
 * gives it trusts it. RSA of 2048-8192 bits, or a named curve of 256-521. Signatures name their key
 * by 4 bytes: the last of SHA-1 of the public key, or of the certificate's subjectKeyIdentifier. */
struct attest_ima_key {
	size_t size;
	uint8_t der[ATTEST_CERTIFICATE_MAX];
	uint8_t id[4];
};
/* `file` is PEM or DER. */
__attribute__((warn_unused_result)) enum attest_status
attest_ima_key_decode(struct bytes file, struct attest_ima_key *ret_key, struct attest_error *err);

enum attest_ima_kind {
	ATTEST_IMA_UNREADABLE = 0,
	ATTEST_IMA_VIOLATION,
	ATTEST_IMA_AGGREGATE, /* the list's first entry, "boot_aggregate": H of PCR 0-7 or 0-9 */
	ATTEST_IMA_FILE,
	ATTEST_IMA_BUFFER, /* a key, a command line...: its digest is H(third) */
};
enum attest_ima_signature {
	ATTEST_IMA_UNSIGNED = 0,
	ATTEST_IMA_SIGNATURE_OTHER,	/* of a form that is not verified here, or by SHA-1 */
	ATTEST_IMA_SIGNATURE_MALFORMED, /* neither empty nor the form that it begins as */
	ATTEST_IMA_SIGNATURE_NO_KEY,	/* by none of the keys */
	ATTEST_IMA_SIGNATURE_BAD,
	ATTEST_IMA_SIGNATURE_GOOD,
};
struct attest_ima_verdict {
	enum attest_ima_kind kind;
	bool digest_matches; /* the template digest is of the data; a violation's is zeros */
	bool name_fits;	     /* the data have the form that the template's name says */
	bool sound;	     /* the digest of the file or buffer is SHA-2 */
	bool listed;	     /* a file whose SHA-256, not fs-verity's, is on the allow-list */
	enum attest_ima_signature signature; /* of files */
};
/* Not for two threads at once. `allowed` may be NULL; it and `keys` (attest_ima_key.der) are
 * refused where they are not what they should be. The list must outlive the judge. */
struct attest_ima_judge;
__attribute__((warn_unused_result)) enum attest_status
attest_ima_judge_new(const struct attest_ima_allowed *allowed, const struct bytes *keys,
		     size_t key_count, struct attest_ima_judge **ret_judge,
		     struct attest_error *err);
void attest_ima_judge_free(struct attest_ima_judge *judge);
__attribute__((warn_unused_result)) enum attest_status
attest_ima_judge_entry(struct attest_ima_judge *judge, const struct attest_ima_entry *entry,
		       struct attest_ima_verdict *ret_verdict, struct attest_error *err);

/* ---- all of it, against a quote ---- */

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

struct attest_ima_input {
	struct bytes list; /* whole, or from `from->offset` on: both are tried */
	enum attest_bank bank;
	struct bytes quoted;		     /* PCR 10 in that bank */
	const struct attest_ima_point *from; /* NULL: from the beginning */
	uint32_t reset_count;		     /* of this quote; must equal those of `from` */
	uint32_t restart_count;
	const struct attest_ima_allowed *allowed; /* NULL: none to compare with, no claim */
	const struct bytes *keys;		  /* attest_ima_key.der; none: no claim */
	size_t key_count;
	const struct attest_pcrs *boot; /* PCR 0-9 at boot, for boot_aggregate; NULL: unknown */
};

struct attest_ima_report {
	struct attest_ima_point point; /* after the matching prefix; its entries and violations */
	uint64_t dropped;	       /* bytes after the prefix */
	uint64_t other_pcrs;	       /* entries of other PCRs in it, which nothing covers */
	bool listed_known;	       /* there was an allow-list: point.all_listed is a claim */
	bool signed_known;
	/* Is the first entry's digest that of input.boot? Unknown where this does not begin with
	 * the list, or the entry is of an algorithm other than that bank's. */
	enum attest_answer boot_aggregate;
};
/* ATTEST_OK: verified. ATTEST_REFUSED "ima.pcr": no prefix of the list leads to PCR 10 (with a PCR
 * 10 of zeros goes the empty list alone); "ima.point": `from` is of another boot or bank. By the
 * SHA-1 bank nothing is known of files. An allow-list or keys that changed since `from` need a
 * whole list: the caller sees to that. */
__attribute__((warn_unused_result)) enum attest_status
attest_ima_examine(const struct attest_ima_input *input, struct attest_ima_report *ret_report,
		   struct attest_error *err);
/* The report as claims, after those that `claims` has. A PCR 10 that nothing extended claims that
 * there are no entries, and nothing of files. */
void attest_ima_claims(const struct attest_ima_report *report, struct attest_claims *claims);

#endif
