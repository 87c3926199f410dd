/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event logs: TCG PC Client Platform Firmware Profile (PFP) 1.05, 10. A log is the guest's word;
 * only digests are bound to PCRs (CLAIMS.md). Reading and replaying judge nothing;
 * attest_eventlog_examine compares with quoted values, and makes claims of authenticated bytes.
 */
#ifndef POSTERN_ATTEST_EVENTLOG_H
#define POSTERN_ATTEST_EVENTLOG_H

#include "attest.h"
#include "claims.h"

#define ATTEST_PCRS	  24 /* that a PC's TPM has */
#define ATTEST_DIGEST_MAX 64

enum attest_bank { ATTEST_SHA1 = 0, ATTEST_SHA256, ATTEST_SHA384, ATTEST_SHA512 };
#define ATTEST_BANKS 4
const char *attest_bank_name(enum attest_bank bank); /* "sha256" */
size_t attest_bank_size(enum attest_bank bank);
size_t attest_bank_of(uint16_t algorithm); /* TPM_ALG_ID; ATTEST_BANKS: none of these */

/* Values of one bank. */
struct attest_pcrs {
	enum attest_bank bank;
	uint32_t known; /* a bit per PCR */
	uint8_t values[ATTEST_PCRS][ATTEST_DIGEST_MAX];
};

/* ---- reading ---- */

struct attest_eventlog { /* opened by attest_eventlog_open; touch only what is named here */
	bool legacy;	 /* TCG 1.2 form: SHA-1 alone, which is never evidence */
	uint32_t banks;	 /* a bit per enum attest_bank that the header lists */
	uint32_t event_count;
	struct reader reader;
	size_t size;
	size_t padding;
	size_t vendor_info_outside;
	uint32_t listed_count;
	struct {
		uint16_t algorithm;
		uint16_t size;
	} listed[16];
};

struct attest_event {
	uint32_t number; /* from 0, which is the Spec ID event where there is one */
	size_t offset;	 /* in the log */
	uint32_t pcr;	 /* below ATTEST_PCRS, or 0xffffffff of an event that extends nothing */
	uint32_t type;
	uint32_t banks;			    /* as the log's */
	bool extends;			    /* EV_NO_ACTION does not, whatever its digests */
	struct bytes digests[ATTEST_BANKS]; /* empty: not extended into that bank */
	struct bytes data;
};

/* The log must outlive what is read of it. */
__attribute__((warn_unused_result)) enum attest_status
attest_eventlog_open(struct bytes log, struct attest_eventlog *ret_log, struct attest_error *err);
/* *ret_end: there was none; padding after the last event is skipped. */
__attribute__((warn_unused_result)) enum attest_status
attest_eventlog_next(struct attest_eventlog *log, struct attest_event *ret_event, bool *ret_end,
		     struct attest_error *err);

/* What an event's digest proves of its data: recomputed, never believed. The type of an event is
 * never proved. */
enum attest_proof {
	ATTEST_PROOF_NOTHING = 0,   /* it extended nothing */
	ATTEST_PROOF_DIGEST,	    /* of bytes outside of the log: the digest alone */
	ATTEST_PROOF_DATA,	    /* H(data) */
	ATTEST_PROOF_DATA_BUT_LAST, /* H(data without its last byte) */
	ATTEST_PROOF_VALUE,	    /* of a UEFI variable the value, not the name */
	ATTEST_PROOF_TEXT,	    /* a boot loader's text, without prefix and NUL */
	ATTEST_PROOF_NAME,     /* systemd-stub: the name of the section that the next one is of */
	ATTEST_PROOF_MISMATCH, /* the digest should be of the data, and is not */
};
/* `ret_proved` is the part of event->data that is authenticated, if the PCR is. By the strongest
 * bank above SHA-1 that the event has; by SHA-1 in a log that has nothing else. */
__attribute__((warn_unused_result)) enum attest_status
attest_event_proof(const struct attest_event *event, enum attest_proof *ret_proof,
		   struct bytes *ret_proved, struct attest_error *err);

/* What the log's digests lead to, in every bank that it has. PCR 0 starts at the locality that the
 * log notes (not authenticated), PCR 17-22 at all ones. `ret_banks`: a bit per bank written. */
__attribute__((warn_unused_result)) enum attest_status
attest_eventlog_replay(struct bytes log, struct attest_pcrs ret_pcrs[ATTEST_BANKS],
		       uint32_t *ret_banks, struct attest_error *err);

/* ---- judging ---- */

enum attest_pcr_verdict {
	ATTEST_PCR_UNEXPLAINED = 0, /* the log does not replay to the quoted value */
	ATTEST_PCR_EXACT,	    /* it does */
	ATTEST_PCR_PREFIX,	    /* it does, and known words of the system follow */
};
struct attest_report {
	uint32_t event_count;
	enum attest_pcr_verdict pcrs[ATTEST_PCR_COUNT];
	bool replays; /* PCR 0-9 and 14 are all exact or prefix, and PCR 0 was extended */
	struct attest_claims claims;
};
/* `quoted`: SHA-256 or SHA-384, at least PCR 0-15. A log in the SHA-1 form, or without that bank,
 * is ATTEST_UNSUPPORTED. Claims are made only of PCRs that are exact or prefix. */
__attribute__((warn_unused_result)) enum attest_status
attest_eventlog_examine(struct bytes log, const struct attest_pcrs *quoted,
			struct attest_report *ret_report, struct attest_error *err);
/* As quotes of the release protocol carry them: SHA-256 PCR 0-15, 16 * 32 bytes. */
void attest_pcrs_of_quote(struct bytes values, struct attest_pcrs *ret_pcrs);

#endif
