/* SPDX-License-Identifier: Apache-2.0 */
/* TPMT_SIGNATURE. Of the schemes that are accepted, what is decoded is all of it. */
#include "attest/signature.h"
#include "attest/tpm.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = {data, size};
	struct signature seen;
	uint8_t again[ATTEST_QUOTE_SIZE_MAX];
	struct writer w = writer_of(again, sizeof(again));

	if (size > sizeof(again) || !signature_decode(input, &seen))
		return 0;
	if (seen.algorithm != TPM_ALG_ECDSA && seen.algorithm != TPM_ALG_RSASSA &&
	    seen.algorithm != TPM_ALG_RSAPSS)
		return 0;
	write_be16(&w, seen.algorithm);
	write_be16(&w, seen.hash);
	write_bytes_be16(&w, seen.numbers[0]);
	if (seen.algorithm == TPM_ALG_ECDSA)
		write_bytes_be16(&w, seen.numbers[1]);
	if (w.failed || !bytes_equal(input, writer_bytes(&w)))
		abort();
	return 0;
}
