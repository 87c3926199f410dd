/* SPDX-License-Identifier: Apache-2.0 */
/* TPM2B AK, 32 bytes of qualifying data, TPM2B message, TPM2B signature, and the rest PCR values.
 */
#include "attest/attest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
verify(struct attest_ak *ak, struct reader *r)
{
	static const struct attest_clock previous = {1, 1, 1};
	struct attest_quote_input input = {.ak = ak, .previous = &previous};
	struct attest_quote quote;
	struct attest_error err;

	read_copy(r, input.qualifying, sizeof(input.qualifying));
	input.message = read_bytes_be16(r);
	input.signature = read_bytes_be16(r);
	input.pcrs = read_bytes(r, r->left);
	if (r->failed || attest_quote_verify(&input, &quote, &err) != ATTEST_OK)
		return;
	/* Accepted: then it says what was asked. TPMS_ATTEST has one length only. */
	if (input.message.size != 145 || input.pcrs.size != sizeof(quote.pcrs) ||
	    memcmp(quote.pcrs, input.pcrs.data, sizeof(quote.pcrs)) != 0 ||
	    quote.clock.reset_count < previous.reset_count)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of((struct bytes){data, size});
	struct attest_ak *ak;
	struct attest_error err;

	if (attest_ak_decode(read_bytes_be16(&r), &ak, &err) != ATTEST_OK)
		return 0;
	verify(ak, &r);
	attest_ak_free(ak);
	return 0;
}
