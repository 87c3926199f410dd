/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of a log, and no meaning. Real firmware leaves banks out of events, orders digests
 * otherwise than its header, pads, and notes events at a PCR that does not exist: that much is let
 * pass, and no more.
 */
#include "eventlog.h"

#include "error.h"
#include "tpm.h"

#include <string.h>

#define SHA1_SIZE      20
#define SIGNATURE_SIZE 16
#define PCR_MAX	       23
#define PCR_NONE       0xffffffffU /* Windows notes things here that it extends nowhere */

static const char SPEC_ID[SIGNATURE_SIZE] = "Spec ID Event03";

/* How many of the last bytes are all 00 or all ff. Counted once: a search at every event would let
 * a log of zeros cost the square of its size. */
static size_t
padding_size(struct bytes log)
{
	size_t count = 0;

	if (log.size == 0)
		return 0;
	uint8_t last = log.data[log.size - 1];
	if (last != 0x00 && last != 0xff)
		return 0;
	while (count < log.size && log.data[log.size - 1 - count] == last)
		count++;
	return count;
}

/* The size that the algorithm has; 0 for one that we do not know, whose size the header may say. */
static uint16_t
digest_size(uint16_t algorithm)
{
	switch (algorithm) {
	case TPM_ALG_SHA1:
		return SHA1_SIZE;
	case TPM_ALG_SHA256:
		return 32;
	case TPM_ALG_SHA384:
		return 48;
	case TPM_ALG_SHA512:
		return 64;
	default:
		return 0;
	}
}

static const uint16_t *
bank_size(const struct eventlog *log, uint16_t algorithm)
{
	for (uint32_t i = 0; i < log->bank_count; i++)
		if (log->banks[i].algorithm == algorithm)
			return &log->banks[i].size;
	return NULL;
}

/* TCG_EfiSpecIDEvent, PFP 10.4.5.1, after its signature. */
static bool
read_spec_id(struct eventlog *log, struct reader *r)
{
	read_le32(r); /* platformClass */
	read_le32(r); /* specVersionMinor, specVersionMajor, specErrata, uintnSize */
	uint32_t count = read_count(r, read_le32(r), EVENTLOG_BANKS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		uint16_t algorithm = read_le16(r);
		uint16_t size = read_le16(r);
		uint16_t known = digest_size(algorithm);

		if (size == 0 || (known != 0 && size != known) || bank_size(log, algorithm) != NULL)
			reader_fail(r);
		log->banks[log->bank_count].algorithm = algorithm;
		log->banks[log->bank_count].size = size;
		log->bank_count++;
	}
	read_bytes(r, read_u8(r)); /* vendorInfo */
	return reader_finished(r);
}

enum attest_status
eventlog_open(struct bytes input, struct eventlog *ret_log, struct attest_error *err)
{
	struct eventlog log = {.reader = reader_of(input), .padding = padding_size(input)};
	struct reader *r = &log.reader;

	if (input.size > ATTEST_EVENTLOG_MAX)
		return attest_fail(err, ATTEST_LIMIT, "eventlog.size",
				   "event log of %zu bytes, at most %d", input.size,
				   ATTEST_EVENTLOG_MAX);
	/* TCG_PCClientPCREvent, PFP 10.2.1: the header has the form of the old format's events. */
	uint32_t pcr = read_le32(r);
	uint32_t type = read_le32(r);
	read_bytes(r, SHA1_SIZE);
	struct bytes data = read_bytes(r, read_le32(r));
	if (r->failed || pcr > PCR_MAX)
		return attest_fail(err, ATTEST_MALFORMED, "eventlog.parse",
				   "not an event log: its first event does not parse");

	struct reader header = reader_of(data);
	struct bytes signature = read_bytes(&header, SIGNATURE_SIZE);
	if (type != EV_NO_ACTION ||
	    !bytes_equal(signature, (struct bytes){(const uint8_t *)SPEC_ID, SIGNATURE_SIZE}))
		return attest_fail(err, ATTEST_UNSUPPORTED, "eventlog.sha1",
				   "a log in the SHA-1 format, without a Spec ID event: "
				   "not accepted");
	if (!read_spec_id(&log, &header))
		return attest_fail(err, ATTEST_MALFORMED, "eventlog.header",
				   "Spec ID event: %zu bytes do not parse", data.size);
	if (bank_size(&log, TPM_ALG_SHA256) == NULL)
		return attest_fail(err, ATTEST_UNSUPPORTED, "eventlog.bank",
				   "a log without digests of the SHA-256 bank");
	*ret_log = log;
	return ATTEST_OK;
}

/* TCG_PCR_EVENT2, PFP 10.2.2. Digests may come in any order, and not every event has all. */
static bool
read_event(struct eventlog *log, struct event *event)
{
	struct reader *r = &log->reader;

	event->pcr = read_le32(r);
	event->type = read_le32(r);
	event->digest = (struct bytes){0};
	uint32_t count = read_count(r, read_le32(r), log->bank_count);
	for (uint32_t i = 0; i < count; i++) {
		uint16_t algorithm = read_le16(r);
		const uint16_t *size = bank_size(log, algorithm);

		if (size == NULL) {
			reader_fail(r);
			return false;
		}
		struct bytes digest = read_bytes(r, *size);
		if (algorithm != TPM_ALG_SHA256)
			continue;
		if (event->digest.size != 0) /* a second one: which was extended? */
			reader_fail(r);
		event->digest = digest;
	}
	event->data = read_bytes(r, read_le32(r));
	return !r->failed;
}

enum attest_status
eventlog_next(struct eventlog *log, struct event *ret_event, bool *ret_end,
	      struct attest_error *err)
{
	struct event event;

	if (log->reader.left <= log->padding) {
		*ret_end = true;
		return ATTEST_OK;
	}
	if (log->event_count == EVENTLOG_EVENTS_MAX)
		return attest_fail(err, ATTEST_LIMIT, "eventlog.count", "more than %d events",
				   EVENTLOG_EVENTS_MAX);
	if (!read_event(log, &event))
		return attest_fail(err, ATTEST_MALFORMED, "eventlog.parse",
				   "event %u does not parse", log->event_count);
	if (event.pcr > PCR_MAX && !(event.pcr == PCR_NONE && event.type == EV_NO_ACTION))
		return attest_fail(err, ATTEST_MALFORMED, "eventlog.pcr",
				   "event %u is of PCR %u, which no TPM has", log->event_count,
				   event.pcr);
	log->event_count++;
	*ret_event = event;
	*ret_end = false;
	return ATTEST_OK;
}
