/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of a log, and no meaning. Real firmware leaves banks out of events, orders digests
 * otherwise than its header, pads, and notes events at a PCR that does not exist: that much is let
 * pass, and no more.
 */
#include "attest/error.h"
#include "attest/eventlog.h"
#include "attest/events.h"
#include "attest/tpm.h"

#include <string.h>

#define SIGNATURE_SIZE 16
#define EVENTS_MAX     16384	   /* thirty times the longest log seen */
#define PCR_NONE       0xffffffffU /* Windows notes things here that it extends nowhere */
#define LISTED_MAX     (sizeof(((struct attest_eventlog *)NULL)->listed) / 4)

static const char SPEC_ID[SIGNATURE_SIZE] = "Spec ID Event03";

static const struct {
	const char *name;
	uint16_t algorithm;
	uint16_t size;
} BANKS[ATTEST_BANKS] = {
	[ATTEST_SHA1] = {"sha1", TPM_ALG_SHA1, 20},
	[ATTEST_SHA256] = {"sha256", TPM_ALG_SHA256, 32},
	[ATTEST_SHA384] = {"sha384", TPM_ALG_SHA384, 48},
	[ATTEST_SHA512] = {"sha512", TPM_ALG_SHA512, 64},
};

const char *
attest_bank_name(enum attest_bank bank)
{
	return BANKS[bank].name;
}

size_t
attest_bank_size(enum attest_bank bank)
{
	return BANKS[bank].size;
}

size_t
attest_bank_of(uint16_t algorithm)
{
	size_t bank = 0;

	while (bank < ATTEST_BANKS && BANKS[bank].algorithm != algorithm)
		bank++;
	return bank;
}

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

static const uint16_t *
listed_size(const struct attest_eventlog *log, uint16_t algorithm)
{
	for (uint32_t i = 0; i < log->listed_count; i++)
		if (log->listed[i].algorithm == algorithm)
			return &log->listed[i].size;
	return NULL;
}

/* TCG_EfiSpecIDEvent, PFP 10.4.5.1, after its signature. The size of an algorithm that we do not
 * know is what the header says. */
static bool
read_spec_id(struct attest_eventlog *log, struct reader *r)
{
	read_le32(r); /* platformClass */
	read_le32(r); /* specVersionMinor, specVersionMajor, specErrata, uintnSize */
	uint32_t count = read_count(r, read_le32(r), LISTED_MAX);
	for (uint32_t i = 0; i < count; i++) {
		uint16_t algorithm = read_le16(r);
		uint16_t size = read_le16(r);
		size_t bank = attest_bank_of(algorithm);

		if (size == 0 || listed_size(log, algorithm) != NULL ||
		    (bank < ATTEST_BANKS && size != BANKS[bank].size))
			reader_fail(r);
		if (bank < ATTEST_BANKS)
			log->banks |= 1U << bank;
		log->listed[log->listed_count].algorithm = algorithm;
		log->listed[log->listed_count].size = size;
		log->listed_count++;
	}
	/* tpm2-tools knows a log whose event ends before vendorInfo, which then follows the event.
	 */
	uint8_t vendor_info_size = read_u8(r);
	if (r->left == 0)
		log->vendor_info_outside = vendor_info_size;
	else
		read_bytes(r, vendor_info_size);
	return reader_finished(r);
}

/* TCG_PCClientPCREvent, PFP 10.2.1: the old format's events, and the header of the new one. */
static bool
read_old_event(struct reader *r, struct attest_event *event)
{
	event->pcr = read_le32(r);
	event->type = read_le32(r);
	event->digests[ATTEST_SHA1] = read_bytes(r, BANKS[ATTEST_SHA1].size);
	event->data = read_bytes(r, read_le32(r));
	return !r->failed;
}

enum attest_status
attest_eventlog_open(struct bytes input, struct attest_eventlog *ret_log, struct attest_error *err)
{
	struct attest_eventlog log = {
		.reader = reader_of(input), .size = input.size, .padding = padding_size(input)};
	struct reader first = log.reader;
	struct attest_event event = {0};

	if (input.size > ATTEST_EVENTLOG_MAX)
		return attest_fail(err, ATTEST_LIMIT, "eventlog.size",
				   "event log of %zu bytes, at most %d", input.size,
				   ATTEST_EVENTLOG_MAX);
	if (!read_old_event(&first, &event) || event.pcr >= ATTEST_PCRS)
		return attest_fail(err, ATTEST_MALFORMED, "eventlog.parse",
				   "not an event log: its first event does not parse");
	struct reader header = reader_of(event.data);
	struct bytes signature = read_bytes(&header, SIGNATURE_SIZE);
	log.legacy =
		event.type != EV_NO_ACTION ||
		!bytes_equal(signature, (struct bytes){(const uint8_t *)SPEC_ID, SIGNATURE_SIZE});
	if (log.legacy)
		log.banks = 1U << ATTEST_SHA1;
	else if (!read_spec_id(&log, &header))
		return attest_fail(err, ATTEST_MALFORMED, "eventlog.header",
				   "Spec ID event: %zu bytes do not parse", event.data.size);
	*ret_log = log;
	return ATTEST_OK;
}

/* TCG_PCR_EVENT2, PFP 10.2.2. Digests may come in any order, and not every event has all. */
static bool
read_event(struct attest_eventlog *log, struct attest_event *event)
{
	struct reader *r = &log->reader;

	event->pcr = read_le32(r);
	event->type = read_le32(r);
	uint32_t count = read_count(r, read_le32(r), log->listed_count);
	for (uint32_t i = 0; i < count; i++) {
		uint16_t algorithm = read_le16(r);
		const uint16_t *size = listed_size(log, algorithm);
		size_t bank = attest_bank_of(algorithm);

		if (size == NULL) {
			reader_fail(r);
			return false;
		}
		struct bytes digest = read_bytes(r, *size);
		if (bank == ATTEST_BANKS)
			continue;
		if (event->digests[bank].size != 0) /* a second one: which was extended? */
			reader_fail(r);
		event->digests[bank] = digest;
	}
	event->data = read_bytes(r, read_le32(r));
	return !r->failed;
}

enum attest_status
attest_eventlog_next(struct attest_eventlog *log, struct attest_event *ret_event, bool *ret_end,
		     struct attest_error *err)
{
	struct attest_event event = {.number = log->event_count,
				     .offset = log->size - log->reader.left,
				     .banks = log->banks};

	if (log->reader.left <= log->padding) {
		*ret_end = true;
		return ATTEST_OK;
	}
	if (log->event_count == EVENTS_MAX)
		return attest_fail(err, ATTEST_LIMIT, "eventlog.count", "more than %d events",
				   EVENTS_MAX);
	bool old = log->legacy || log->event_count == 0;
	bool good = old ? read_old_event(&log->reader, &event) : read_event(log, &event);
	if (good && log->event_count == 0)
		read_bytes(&log->reader, log->vendor_info_outside);
	if (!good || log->reader.failed)
		return attest_fail(err, ATTEST_MALFORMED, "eventlog.parse",
				   "event %u does not parse", log->event_count);
	if (event.pcr >= ATTEST_PCRS && !(event.pcr == PCR_NONE && event.type == EV_NO_ACTION))
		return attest_fail(err, ATTEST_MALFORMED, "eventlog.pcr",
				   "event %u is of PCR %u, which no TPM has", log->event_count,
				   event.pcr);
	event.extends = event.type != EV_NO_ACTION;
	log->event_count++;
	*ret_event = event;
	*ret_end = false;
	return ATTEST_OK;
}
