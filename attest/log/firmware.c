/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCR 0 begins with the firmware's version: PFP 1.05, 3.3.4.1. Nothing but its place tells it from
 * other texts there, so it is the first word of PCR 0 or nothing: before firmware nobody extends.
 */
#include "attest/events.h"
#include "text.h"
#include "witnesses.h"

#define VERSION_MAX 512 /* bytes of UTF-8; the longest seen has 27 */
#define GUID_SIZE   16

struct firmware {
	bool begun;
	bool proved; /* the first word is of this data */
	struct bytes version;
};

static void
witness_event(void *state, const struct attest_event *event, struct witness_hash *hash)
{
	struct firmware *firmware = state;

	if (firmware->begun)
		return;
	firmware->begun = true;
	firmware->version = event->data;
	/* The type is the guest's word; it keeps an honest log from naming something else. */
	firmware->proved = event->type == EV_S_CRTM_VERSION &&
			   witness_hash_matches(hash, event->digests[hash->bank], event->data,
						(struct bytes){0});
}

static bool
printable(struct bytes text)
{
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] < 0x20 || text.data[i] > 0x7e)
			return false;
	return text.size > 0;
}

/* EFI_GUID: three little-endian numbers, then bytes. */
static void
write_guid(struct writer *w, struct bytes guid)
{
	static const uint8_t order[GUID_SIZE] = {3, 2, 1,  0,  5,  4,  7,  6,
						 8, 9, 10, 11, 12, 13, 14, 15};

	for (size_t i = 0; i < GUID_SIZE; i++) {
		uint8_t byte = guid.data[order[i]];

		if (i == 4 || i == 6 || i == 8 || i == 10)
			write_u8(w, '-');
		write_u8(w, (uint8_t) "0123456789abcdef"[byte >> 4]);
		write_u8(w, (uint8_t) "0123456789abcdef"[byte & 15]);
	}
}

/* PFP 10.4.1: a UTF-16 text with its NUL, or a GUID; some write ASCII. */
static bool
write_version(struct writer *w, struct bytes data)
{
	const struct writer start = *w;

	if (text_from_utf16(data, w))
		return true;
	*w = start;
	if (data.size > 0 && data.data[data.size - 1] == '\0' && data.size != GUID_SIZE)
		data.size--;
	if (printable(data))
		write_bytes(w, data);
	else if (data.size == GUID_SIZE)
		write_guid(w, data);
	else
		return false;
	return !w->failed;
}

static void
conclude(const void *state, uint32_t held, struct witness_hash *hash, struct attest_claims *claims)
{
	const struct firmware *firmware = state;
	uint8_t memory[VERSION_MAX];
	struct writer w = writer_of(memory, sizeof(memory));

	(void)hash;
	if ((held & 1U) == 0 || !firmware->proved || !write_version(&w, firmware->version))
		return;
	const struct bytes version = writer_bytes(&w);
	attest_claim_values(claims, CLAIM_FIRMWARE_VERSION, &version, 1);
}

const struct witness witness_firmware = {
	.name = "firmware",
	.pcrs = 1U << 0,
	.state_size = sizeof(struct firmware),
	.event = witness_event,
	.conclude = conclude,
};
