/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's side of the appraiser. It trusts nothing that comes back beyond a log's claims and a
 * chain's verdict. */
#ifndef POSTERN_KEEPER_APPRAISE_H
#define POSTERN_KEEPER_APPRAISE_H

#include "machine.h"
#include "wire/frame.h"

#define APPRAISE_TIMEOUT_MS 10000

struct appraiser_link {
	int channel;	/* to the lasting appraiser, for logs */
	int supervisor; /* who starts one for each enrolment */
	pthread_mutex_t channel_mutex;
	pthread_mutex_t supervisor_mutex;
	uint64_t next_id; /* under either mutex: atomic */
};
void appraiser_link_start(struct appraiser_link *link, int channel, int supervisor);

/* False: no answer, in time or at all. */
__attribute__((warn_unused_result)) bool appraise_log(struct appraiser_link *link,
						      const struct wire_examine_log *request,
						      struct wire_appraisal *ret_appraisal);
/* By an appraiser of its own, which then ends. */
__attribute__((warn_unused_result)) bool
appraise_enrolment(struct appraiser_link *link, const struct wire_examine_enrolment *request,
		   struct wire_appraisal *ret_appraisal);
/* What of an appraisal goes into records and policy. */
enum log_state appraisal_log_state(const struct wire_appraisal *appraisal);
enum attest_answer appraisal_secure_boot(const struct wire_appraisal *appraisal);

#endif
