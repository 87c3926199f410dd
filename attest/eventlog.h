/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over a crypto-agile event log: TCG PC Client Platform Firmware Profile (PFP) 1.05, 10.
 */
#ifndef POSTERN_ATTEST_EVENTLOG_H
#define POSTERN_ATTEST_EVENTLOG_H

#include "attest.h"

#define EV_NO_ACTION		      0x00000003U
#define EV_SEPARATOR		      0x00000004U
#define EV_EFI_VARIABLE_DRIVER_CONFIG 0x80000001U
#define EV_EFI_VARIABLE_AUTHORITY     0x800000e0U

#define EVENTLOG_BANKS_MAX  16
#define EVENTLOG_EVENTS_MAX 16384 /* thirty times the longest log seen */

/* A log that is being read; opened by its Spec ID event. */
struct eventlog {
	struct reader reader;
	size_t padding; /* so many of the last bytes say nothing */
	uint32_t event_count;
	uint32_t bank_count;
	struct {
		uint16_t algorithm;
		uint16_t size;
	} banks[EVENTLOG_BANKS_MAX];
};

struct event {
	uint32_t pcr;
	uint32_t type;
	struct bytes digest; /* of the SHA-256 bank; empty where the event extended none */
	struct bytes data;
};

__attribute__((warn_unused_result)) enum attest_status
eventlog_open(struct bytes log, struct eventlog *ret_log, struct attest_error *err);
/* ret_end tells that there was no further event; padding after the last is skipped. */
__attribute__((warn_unused_result)) enum attest_status eventlog_next(struct eventlog *log,
								     struct event *ret_event,
								     bool *ret_end,
								     struct attest_error *err);

#endif
