/* SPDX-License-Identifier: Apache-2.0 */
/* The values of PCR 0-15, and an event log. A claim needs PCR 7 explained. */
#include "attest/eventlog.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of((struct bytes){data, size});
	struct attest_pcrs quoted;
	struct attest_report report;
	struct attest_error err;

	attest_pcrs_of_quote(read_bytes(&r, ATTEST_PCR_COUNT * ATTEST_HASH_SIZE), &quoted);
	if (r.failed ||
	    attest_eventlog_examine(read_bytes(&r, r.left), &quoted, &report, &err) != ATTEST_OK)
		return 0;
	if (!attest_claims_valid((struct bytes){report.claims.encoded, report.claims.size}))
		abort();
	if (attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT) != ATTEST_UNKNOWN &&
	    report.pcrs[7] == ATTEST_PCR_UNEXPLAINED)
		abort();
	for (unsigned i = 0; i < 10; i++)
		if (report.replays && report.pcrs[i] == ATTEST_PCR_UNEXPLAINED)
			abort();
	return 0;
}
