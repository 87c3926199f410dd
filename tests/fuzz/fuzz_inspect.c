/* SPDX-License-Identifier: Apache-2.0 */
/* TPM2B key, TPM2B message, TPM2B signature, one byte of what is compared, and the rest values: all
 * that `postern quote verify` reads. */
#include "attest/inspect.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fill(struct attest_pcrs *pcrs, struct bytes values)
{
	size_t size = attest_bank_size(pcrs->bank);
	struct reader r = reader_of(values);

	for (unsigned pcr = 0; pcr < ATTEST_PCRS && r.left >= size; pcr++) {
		read_copy(&r, pcrs->values[pcr], size);
		pcrs->known |= 1U << pcr;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t question[] = {7};
	const struct bytes qualifying = BYTES_OF(question);
	struct reader r = reader_of((struct bytes){data, size});
	struct attest_inspect_input input = {.key = read_bytes_be16(&r),
					     .message = read_bytes_be16(&r),
					     .signature = read_bytes_be16(&r)};
	uint8_t compared = read_u8(&r);
	struct attest_pcrs pcrs = {.bank = (enum attest_bank)(compared & 3)};
	struct attest_inspection seen;
	struct attest_error err;

	fill(&pcrs, read_bytes(&r, r.left));
	input.qualifying = (compared & 4) != 0 ? &qualifying : NULL;
	input.pcrs = &pcrs;
	input.pcrs_count = (compared & 8) != 0;
	if (r.failed || attest_inspect_quote(&input, &seen, &err) != ATTEST_OK)
		return 0;
	/* Verified: then nothing failed, and what was given was compared. */
	for (unsigned i = 0; i < ATTEST_QUOTE_CHECKS; i++)
		if (seen.checks[i] != ATTEST_PASSED && seen.checks[i] != ATTEST_SKIPPED)
			abort();
	if (seen.selected_count != 1 || seen.selected[0].pcrs == 0 ||
	    (input.pcrs_count > 0 && seen.checks[ATTEST_CHECK_PCRS] != ATTEST_PASSED) ||
	    (input.qualifying != NULL && !bytes_equal(seen.extra_data, qualifying)))
		abort();
	return 0;
}
