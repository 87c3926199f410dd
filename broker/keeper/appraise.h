/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's side of the appraiser. It trusts nothing that comes back beyond a log's claims and a
 * chain's verdict. */
#ifndef POSTERN_KEEPER_APPRAISE_H
#define POSTERN_KEEPER_APPRAISE_H

#include "machine.h"
#include "wire/frame.h"

#define APPRAISE_TIMEOUT_MS 10000
#define APPRAISE_HUNG_MS    60000 /* without an answer: it will never come */
/* Larger IMA lists get an appraiser of their own. Where there are keys, less is large: 64 KiB of
 * signatures by a slow curve take a tenth of a second. */
#define APPRAISE_SHARED_IMA_MAX	   (256 * 1024)
#define APPRAISE_SHARED_SIGNED_MAX (64 * 1024)

struct appraiser_link {
	int channel;	/* to the lasting appraiser, for logs */
	int supervisor; /* who starts one for each enrolment, and each large list */
	pthread_mutex_t channel_mutex;
	pthread_mutex_t supervisor_mutex;
	uint64_t next_id; /* under either mutex: atomic */
	int timeout_ms;
	int hung_ms;
	/* Of the lasting appraiser, under its mutex: a request that was given up and is still
	 * unanswered, and since when; 0: none. */
	uint64_t overdue;
	int64_t overdue_since;
};
void appraiser_link_start(struct appraiser_link *link, int channel, int supervisor);

enum appraise_outcome {
	APPRAISE_DONE,
	APPRAISE_NONE, /* no answer, in time or at all */
	APPRAISE_HUNG, /* none for so long that there will be none */
};
bool appraise_is_apart(const struct wire_examine_log *request);
/* One log after another, but for large IMA lists. While one is overdue the next are refused at
 * once: a log that the appraiser hangs on must not hold every worker for its whole time, one by
 * one. */
__attribute__((warn_unused_result)) enum appraise_outcome
appraise_log(struct appraiser_link *link, const struct wire_examine_log *request,
	     struct wire_appraisal *ret_appraisal);
/* By an appraiser of its own, which then ends. */
__attribute__((warn_unused_result)) bool
appraise_enrolment(struct appraiser_link *link, const struct wire_examine_enrolment *request,
		   struct wire_appraisal *ret_appraisal);
/* What of an appraisal goes into records and policy. */
enum log_state appraisal_log_state(const struct wire_appraisal *appraisal);
/* Empty where nothing was proved. */
struct bytes appraisal_claims(const struct wire_appraisal *appraisal);
enum attest_answer appraisal_secure_boot(const struct wire_appraisal *appraisal);

#endif
