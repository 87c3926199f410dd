/* SPDX-License-Identifier: Apache-2.0 */
/* What `postern eventlog` found of a log, and how it is shown. */
#ifndef POSTERN_COMMAND_EVENTLOG_VIEW_H
#define POSTERN_COMMAND_EVENTLOG_VIEW_H

#include "attest/eventlog.h"
#include "pcr_file.h"

#include <jansson.h>

struct eventlog_view {
	struct bytes log;
	struct attest_eventlog form;
	uint32_t event_count;		 /* with the Spec ID event */
	uint32_t logged;		 /* a bit per PCR that some event extended */
	uint32_t extended[ATTEST_BANKS]; /* the same of each bank */
	uint32_t banks;
	struct attest_pcrs replay[ATTEST_BANKS];
	bool compared; /* with `given`; else claims are what a quote of `replay` would prove */
	struct pcr_file given;
	uint32_t judged; /* a bit per bank that `reports` is of */
	struct attest_report reports[ATTEST_BANKS];
	struct attest_claims
		claims;	     /* that the reports agree on; digests are SHA-256's if judged */
	const char *refused; /* why nothing here can be evidence; NULL: it can */
	bool measured;	     /* the log extended some PCR that is compared */
	bool verified;	     /* compared, measured, and nothing it should explain is unexplained */
};

/* `given`: NULL compares with nothing. The log outlives the view, which after a failure holds
 * nothing of use. */
__attribute__((warn_unused_result)) enum attest_status
eventlog_view_make(struct bytes log, const struct pcr_file *given, struct eventlog_view *ret_view,
		   struct attest_error *err);
/* PCRs that this log must explain where they are given: 0-9, and 11-14 where it has events. */
uint32_t eventlog_view_expected(const struct eventlog_view *view);
/* Of those, the ones of which a value was given that could be judged. */
uint32_t eventlog_view_checked(const struct eventlog_view *view);
/* The worst verdict in the banks that were judged. False: none was given of this PCR. */
bool eventlog_view_verdict(const struct eventlog_view *view, uint32_t pcr,
			   enum attest_pcr_verdict *ret_verdict);
/* What the event's digest proves of its data, where the banks that are judged say the same; else a
 * mismatch. Digests of other banks are anybody's, and are not asked. */
__attribute__((warn_unused_result)) enum attest_status
eventlog_view_proof(const struct eventlog_view *view, const struct attest_event *event,
		    enum attest_proof *ret_proof, struct bytes *ret_proved,
		    struct attest_error *err);
/* Why digests of this PCR prove nothing at all; NULL: they do, or would if a quote confirmed it. */
const char *eventlog_view_unproved(const struct eventlog_view *view, uint32_t pcr);
const char *eventlog_verdict_word(enum attest_pcr_verdict verdict);
/* The first bank that was judged, whose digests claims have; ATTEST_BANKS: none was. */
unsigned eventlog_view_bank(const struct eventlog_view *view);

/* New; NULL without memory. */
json_t *eventlog_json(const struct eventlog_view *view);
/* To stdout. */
void eventlog_print(const struct eventlog_view *view);

#endif
