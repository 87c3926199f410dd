/* SPDX-License-Identifier: Apache-2.0 */
#include "quotecheck.h"

#include "error.h"
#include "tpm.h"

#include <stdio.h>

enum attest_status
quote_check_magic(const struct attestation *message, struct attest_error *err)
{
	char expected[16], seen[16];

	if (message->magic == TPM_GENERATED_VALUE)
		return ATTEST_OK;
	snprintf(expected, sizeof(expected), "%08x", TPM_GENERATED_VALUE);
	snprintf(seen, sizeof(seen), "%08x", message->magic);
	return attest_differs_text(err, ATTEST_REFUSED, "quote.magic", expected, seen,
				   "not made by a TPM");
}

enum attest_status
quote_check_type(const struct attestation *message, struct attest_error *err)
{
	char expected[16], seen[16];

	if (message->type == TPM_ST_ATTEST_QUOTE)
		return ATTEST_OK;
	snprintf(expected, sizeof(expected), "%04x", TPM_ST_ATTEST_QUOTE);
	snprintf(seen, sizeof(seen), "%04x", message->type);
	return attest_differs_text(err, ATTEST_REFUSED, "quote.type", expected, seen,
				   "an attestation, but not a quote");
}

enum attest_status
quote_check_qualifying(const struct attestation *message, struct bytes qualifying,
		       struct attest_error *err)
{
	if (bytes_equal(message->extra_data, qualifying))
		return ATTEST_OK;
	return attest_differs(err, ATTEST_REFUSED, "quote.qualifying", qualifying,
			      message->extra_data, "made for another exchange");
}

enum attest_status
quote_check_values(const struct attestation *message, const struct bytes *values, size_t count,
		   struct hasher *hasher, struct attest_error *err)
{
	uint8_t digest[HASH_SIZE_MAX];

	if (!hash_pieces(hasher, values, count, digest))
		return attest_fail_memory(err);
	struct bytes seen = {digest, (size_t)EVP_MD_get_size(hasher->algorithm)};
	if (bytes_equal(message->pcr_digest, seen))
		return ATTEST_OK;
	return attest_differs(err, ATTEST_REFUSED, "quote.pcrs", message->pcr_digest, seen,
			      "the PCR values given are not those that were quoted");
}
