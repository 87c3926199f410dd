/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A quote of the release protocol: TPMS_ATTEST, its signature, and the PCR values that it stands
 * for. What costs nothing is checked before the signature, so that a forger with a wrong nonce buys
 * no public-key operation; and nothing is returned before everything holds.
 */
#include "ak.h"
#include "error.h"
#include "quotecheck.h"
#include "tpm.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* TPML_PCR_SELECTION of exactly PCR 0-15 of the SHA-256 bank. */
static const uint8_t REQUIRED_SELECTION[] = {0x00, 0x00, 0x00, 0x01, 0x00,
					     0x0b, 0x03, 0xff, 0xff, 0x00};

static enum attest_status
check_selection(struct bytes selection, struct attest_error *err)
{
	struct bytes required = BYTES_OF(REQUIRED_SELECTION);

	if (bytes_equal(selection, required))
		return ATTEST_OK;
	/* One bank alone, and that one SHA-1: worth a word of its own, for it is what old tools
	 * quote. */
	struct reader r = reader_of(selection);
	if (read_be32(&r) == 1 && read_be16(&r) == TPM_ALG_SHA1)
		return attest_differs(err, ATTEST_REFUSED, "quote.sha1", required, selection,
				      "the quote is over the SHA-1 bank, which is not accepted");
	return attest_differs(err, ATTEST_REFUSED, "quote.selection", required, selection,
			      "the signed PCR selection is not SHA-256 PCR 0-15");
}

static bool
clock_is_before(const struct attest_clock *a, const struct attest_clock *b)
{
	if (a->reset_count != b->reset_count)
		return a->reset_count < b->reset_count;
	if (a->restart_count != b->restart_count)
		return a->restart_count < b->restart_count;
	return a->clock < b->clock;
}

static void
print_clock(char *ret, size_t size, const struct attest_clock *clock)
{
	snprintf(ret, size, "reset %" PRIu32 ", restart %" PRIu32 ", clock %" PRIu64 " ms",
		 clock->reset_count, clock->restart_count, clock->clock);
}

static enum attest_status
check_clock(const struct attest_clock *seen, const struct attest_clock *previous,
	    struct attest_error *err)
{
	char least[sizeof(err->expected)], shown[sizeof(err->seen)];

	if (previous == NULL || !clock_is_before(seen, previous))
		return ATTEST_OK;
	print_clock(least, sizeof(least), previous);
	print_clock(shown, sizeof(shown), seen);
	const char *check = seen->reset_count < previous->reset_count ? "quote.clock.reset"
			    : seen->reset_count == previous->reset_count &&
					    seen->restart_count < previous->restart_count
				    ? "quote.clock.restart"
				    : "quote.clock.time";
	return attest_differs_text(
		err, ATTEST_REFUSED, check, least, shown,
		"(resetCount, restartCount, clock) is below what this machine had: "
		"a copied or rolled-back TPM, or TPM2_Clear");
}

/* What the message says, before anything is computed with keys. */
static enum attest_status
check_message(const struct attest_quote_input *input, const struct attestation *message,
	      struct attest_error *err)
{
	struct bytes signer = BYTES_OF(input->ak->qualified_name);

	enum attest_status status = quote_check_magic(message, err);
	if (status == ATTEST_OK)
		status = quote_check_type(message, err);
	if (status != ATTEST_OK)
		return status;
	if (!bytes_equal(message->signer, signer))
		return attest_differs(
			err, ATTEST_REFUSED, "quote.signer", signer, message->signer,
			"qualifiedSigner is not this AK in the endorsement hierarchy");
	status = quote_check_qualifying(message, BYTES_OF(input->qualifying), err);
	if (status == ATTEST_OK)
		status = check_selection(message->selection, err);
	if (status != ATTEST_OK)
		return status;
	return check_clock(&message->clock, input->previous, err);
}

static enum attest_status
check_pcrs(const struct attest_quote_input *input, const struct attestation *message,
	   struct hasher *hasher, struct attest_error *err)
{
	if (input->pcrs.size != ATTEST_PCR_COUNT * ATTEST_HASH_SIZE)
		return attest_fail(err, ATTEST_REFUSED, "quote.pcrs.count",
				   "%zu bytes of PCR values, not %d times %d", input->pcrs.size,
				   ATTEST_PCR_COUNT, ATTEST_HASH_SIZE);
	return quote_check_values(message, &input->pcrs, 1, hasher, err);
}

enum attest_status
attest_quote_verify(const struct attest_quote_input *input, struct attest_quote *ret_quote,
		    struct attest_error *err)
{
	struct attestation message;
	struct signature signature;
	auto_hasher hasher = {0};

	if (input->message.size > ATTEST_QUOTE_SIZE_MAX ||
	    input->signature.size > ATTEST_QUOTE_SIZE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "quote.size",
				   "quote of %zu and signature of %zu bytes, at most %d",
				   input->message.size, input->signature.size,
				   ATTEST_QUOTE_SIZE_MAX);
	if (!attestation_decode(input->message, &message))
		return attest_fail(err, ATTEST_MALFORMED, "quote.parse",
				   "TPMS_ATTEST: %zu bytes do not parse", input->message.size);
	enum attest_status status = check_message(input, &message, err);
	if (status == ATTEST_OK)
		status =
			signature_read("quote", &input->ak->key, input->signature, &signature, err);
	if (status != ATTEST_OK)
		return status;
	if (!signature_open_hasher(&input->ak->key, &signature, &hasher))
		return attest_fail_memory(err);
	status = signature_verify("quote", &input->ak->key, &signature, &hasher, input->message,
				  err);
	if (status == ATTEST_OK)
		status = check_pcrs(input, &message, &hasher, err);
	if (status != ATTEST_OK)
		return status;

	*ret_quote = (struct attest_quote){.clock = message.clock,
					   .clock_safe = message.clock_safe,
					   .firmware_version = message.firmware_version};
	memcpy(ret_quote->pcrs, input->pcrs.data, sizeof(ret_quote->pcrs));
	return ATTEST_OK;
}
