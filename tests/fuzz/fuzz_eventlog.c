/* SPDX-License-Identifier: Apache-2.0 */
/* The values of PCR 0-15, and an event log. A claim needs PCR 7 explained. */
#include "attest/attest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of((struct bytes){data, size});
	struct attest_quote quoted;
	const struct attest_quote *pcrs = &quoted;
	struct attest_report report;
	struct attest_error err;

	read_copy(&r, quoted.pcrs[0], sizeof(quoted.pcrs));
	if (r.failed ||
	    attest_eventlog_examine(read_bytes(&r, r.left), pcrs->pcrs, &report, &err) != ATTEST_OK)
		return 0;
	if (report.secure_boot != ATTEST_UNKNOWN && report.pcrs[7] == ATTEST_PCR_UNEXPLAINED)
		abort();
	for (unsigned i = 0; i < 10; i++)
		if (report.replays && report.pcrs[i] == ATTEST_PCR_UNEXPLAINED)
			abort();
	return 0;
}
