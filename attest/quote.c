/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A quote: TPMS_ATTEST, its signature, and the PCR values that it stands for. Decoded here and not
 * by tpm2-tss, whose decoder had a hole (CVE-2024-29040). What costs nothing is checked before the
 * signature, so that a forger with a wrong nonce buys no public-key operation; and nothing is
 * returned before everything holds.
 */
#include "ak.h"
#include "error.h"
#include "tpm.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#define BANKS_MAX	16 /* TPM 2.0 Library Part 2, HASH_COUNT of any TPM there is */
#define PCR_SELECT_MAX	4
#define SCALAR_SIZE	32 /* r and s on P-256 */
#define DER_INTEGER_MAX (2 + 1 + SCALAR_SIZE)

static const uint8_t MAGIC[] = {0xff, 'T', 'C', 'G'}; /* TPM_GENERATED_VALUE */
static const uint8_t QUOTE[] = {0x80, 0x18};	      /* TPM_ST_ATTEST_QUOTE */

/* TPML_PCR_SELECTION of exactly PCR 0-15 of the SHA-256 bank. */
static const uint8_t REQUIRED_SELECTION[] = {0x00, 0x00, 0x00, 0x01, 0x00,
					     0x0b, 0x03, 0xff, 0xff, 0x00};

/* TPMS_ATTEST with a TPMS_QUOTE_INFO. */
struct attest_message {
	struct bytes magic;
	struct bytes type;
	struct bytes signer;
	struct bytes extra_data;
	struct attest_clock clock;
	uint8_t safe;
	uint64_t firmware_version;
	struct bytes selection;
	struct bytes pcr_digest;
};

/* TPML_PCR_SELECTION, as the bytes it takes: they are compared whole. */
static struct bytes
read_selection(struct reader *r)
{
	struct reader whole = *r;
	uint32_t banks = read_count(r, read_be32(r), BANKS_MAX);

	for (uint32_t i = 0; i < banks; i++) {
		read_be16(r);
		read_bytes(r, read_count(r, read_u8(r), PCR_SELECT_MAX));
	}
	return read_bytes(&whole, r->failed ? 0 : whole.left - r->left);
}

/* TPMS_ATTEST, Part 2, 10.12.12; TPMS_CLOCK_INFO, 10.11.1; TPMS_QUOTE_INFO, 10.12.4. */
static enum attest_status
decode(struct bytes input, struct attest_message *ret_message, struct attest_error *err)
{
	struct attest_message message;
	struct reader r = reader_of(input);

	message.magic = read_bytes(&r, sizeof(MAGIC));
	message.type = read_bytes(&r, sizeof(QUOTE));
	message.signer = read_bytes_be16(&r);
	message.extra_data = read_bytes_be16(&r);
	message.clock.clock = read_be64(&r);
	message.clock.reset_count = read_be32(&r);
	message.clock.restart_count = read_be32(&r);
	message.safe = read_u8(&r);
	message.firmware_version = read_be64(&r);
	if (bytes_equal(message.type, BYTES_OF(QUOTE))) {
		message.selection = read_selection(&r);
		message.pcr_digest = read_bytes_be16(&r);
	} else {
		/* Another attestation: its body is not looked at, so that its type can be told. */
		message.selection = read_bytes(&r, r.left);
		message.pcr_digest = (struct bytes){0};
	}
	if (!reader_finished(&r) || message.safe > 1)
		return attest_fail(err, ATTEST_MALFORMED, "quote.parse",
				   "TPMS_ATTEST: %zu bytes do not parse", input.size);
	*ret_message = message;
	return ATTEST_OK;
}

static enum attest_status
check_kind(const struct attest_message *message, struct attest_error *err)
{
	if (!bytes_equal(message->magic, BYTES_OF(MAGIC)))
		return attest_differs(err, ATTEST_REFUSED, "quote.magic", BYTES_OF(MAGIC),
				      message->magic, "not made by a TPM");
	if (!bytes_equal(message->type, BYTES_OF(QUOTE)))
		return attest_differs(err, ATTEST_REFUSED, "quote.type", BYTES_OF(QUOTE),
				      message->type, "an attestation, but not a quote");
	return ATTEST_OK;
}

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
check_message(const struct attest_quote_input *input, const struct attest_message *message,
	      struct attest_error *err)
{
	struct bytes signer = BYTES_OF(input->ak->qualified_name);
	struct bytes qualifying = BYTES_OF(input->qualifying);

	enum attest_status status = check_kind(message, err);
	if (status != ATTEST_OK)
		return status;
	if (!bytes_equal(message->signer, signer))
		return attest_differs(
			err, ATTEST_REFUSED, "quote.signer", signer, message->signer,
			"qualifiedSigner is not this AK in the endorsement hierarchy");
	if (!bytes_equal(message->extra_data, qualifying))
		return attest_differs(err, ATTEST_REFUSED, "quote.qualifying", qualifying,
				      message->extra_data, "made for another transcript");
	status = check_selection(message->selection, err);
	if (status != ATTEST_OK)
		return status;
	return check_clock(&message->clock, input->previous, err);
}

/* One INTEGER of ECDSA-Sig-Value from an unsigned number of 1-32 bytes. */
static bool
write_der_integer(struct writer *w, struct bytes number)
{
	struct reader r = reader_of(number);

	while (r.left > 0 && *r.next == 0)
		read_u8(&r);
	/* Nothing left: zero, which no ECDSA signature holds. */
	if (r.left == 0)
		return false;
	bool negative = (*r.next & 0x80) != 0;
	write_u8(w, 0x02);
	write_u8(w, (uint8_t)(r.left + negative));
	if (negative)
		write_u8(w, 0);
	write_bytes(w, read_bytes(&r, r.left));
	return !w->failed;
}

static bool
write_der_signature(struct writer *w, struct bytes r, struct bytes s)
{
	uint8_t body[2 * DER_INTEGER_MAX];
	struct writer inner = writer_of(body, sizeof(body));

	if (!write_der_integer(&inner, r) || !write_der_integer(&inner, s))
		return false;
	write_u8(w, 0x30);
	write_u8(w, (uint8_t)inner.size);
	write_bytes(w, writer_bytes(&inner));
	return !w->failed;
}

/* TPMT_SIGNATURE, Part 2, 11.3.4, to DER. The algorithm is the key's: nothing is tried. */
static enum attest_status
decode_signature(struct bytes input, struct writer *ret_der, struct attest_error *err)
{
	static const uint8_t scheme[] = {0x00, 0x18, 0x00, 0x0b};
	struct reader reader = reader_of(input);

	struct bytes algorithm = read_bytes(&reader, sizeof(scheme));
	if (!reader.failed && !bytes_equal(algorithm, BYTES_OF(scheme)))
		return attest_differs(err, ATTEST_REFUSED, "quote.scheme", BYTES_OF(scheme),
				      algorithm, "not signed with the AK's scheme, ECDSA-SHA256");
	struct bytes r = read_bytes_be16(&reader);
	struct bytes s = read_bytes_be16(&reader);
	if (!reader_finished(&reader))
		return attest_fail(err, ATTEST_MALFORMED, "quote.signature.parse",
				   "TPMT_SIGNATURE: %zu bytes do not parse", input.size);
	if (r.size == 0 || r.size > SCALAR_SIZE || s.size == 0 || s.size > SCALAR_SIZE)
		return attest_fail(err, ATTEST_REFUSED, "quote.signature.size",
				   "r of %zu and s of %zu bytes on P-256", r.size, s.size);
	if (!write_der_signature(ret_der, r, s))
		return attest_fail(err, ATTEST_REFUSED, "quote.signature.zero",
				   "r or s is zero, which no signature has");
	return ATTEST_OK;
}

static enum attest_status
check_signature(const struct attest_quote_input *input, struct hasher *hasher,
		struct attest_error *err)
{
	uint8_t der[2 + 2 * DER_INTEGER_MAX];
	struct writer w = writer_of(der, sizeof(der));
	uint8_t digest[ATTEST_HASH_SIZE];

	enum attest_status status = decode_signature(input->signature, &w, err);
	if (status != ATTEST_OK)
		return status;
	auto_pkey_operation *operation = EVP_PKEY_CTX_new_from_pkey(NULL, input->ak->key, NULL);
	if (operation == NULL || !hash_pieces(hasher, &input->message, 1, digest) ||
	    EVP_PKEY_verify_init(operation) != 1)
		return attest_fail_memory(err);
	int verified = EVP_PKEY_verify(operation, der, w.size, digest, sizeof(digest));
	if (verified == 1)
		return ATTEST_OK;
	ERR_clear_error();
	return attest_fail(err, ATTEST_SIGNATURE, "quote.signature",
			   "the AK did not sign this message");
}

static enum attest_status
check_pcrs(const struct attest_quote_input *input, const struct attest_message *message,
	   struct hasher *hasher, struct attest_error *err)
{
	uint8_t digest[ATTEST_HASH_SIZE];

	if (input->pcrs.size != ATTEST_PCR_COUNT * ATTEST_HASH_SIZE)
		return attest_fail(err, ATTEST_REFUSED, "quote.pcrs.count",
				   "%zu bytes of PCR values, not %d times %d", input->pcrs.size,
				   ATTEST_PCR_COUNT, ATTEST_HASH_SIZE);
	if (!hash_pieces(hasher, &input->pcrs, 1, digest))
		return attest_fail_memory(err);
	if (!bytes_equal(message->pcr_digest, BYTES_OF(digest)))
		return attest_differs(err, ATTEST_REFUSED, "quote.pcrs", message->pcr_digest,
				      BYTES_OF(digest),
				      "the PCR values sent are not those that were quoted");
	return ATTEST_OK;
}

enum attest_status
attest_quote_verify(const struct attest_quote_input *input, struct attest_quote *ret_quote,
		    struct attest_error *err)
{
	struct attest_message message = {0};
	auto_hasher hasher = {0};

	if (input->message.size > ATTEST_QUOTE_SIZE_MAX ||
	    input->signature.size > ATTEST_QUOTE_SIZE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "quote.size",
				   "quote of %zu and signature of %zu bytes, at most %d",
				   input->message.size, input->signature.size,
				   ATTEST_QUOTE_SIZE_MAX);
	enum attest_status status = decode(input->message, &message, err);
	if (status != ATTEST_OK)
		return status;
	status = check_message(input, &message, err);
	if (status != ATTEST_OK)
		return status;
	if (!hasher_open_with(&hasher, input->ak->hash))
		return attest_fail_memory(err);
	status = check_signature(input, &hasher, err);
	if (status != ATTEST_OK)
		return status;
	status = check_pcrs(input, &message, &hasher, err);
	if (status != ATTEST_OK)
		return status;

	*ret_quote = (struct attest_quote){.clock = message.clock,
					   .clock_safe = message.safe == 1,
					   .firmware_version = message.firmware_version};
	memcpy(ret_quote->pcrs, input->pcrs.data, sizeof(ret_quote->pcrs));
	return ATTEST_OK;
}
