/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an event's digest proves of its data. A type only says where to look: whatever matches is
 * proved, for only who knows the data can extend its digest, and what does not match is not,
 * whatever the type. The readings are those that real firmware, GRUB, shim and systemd-stub use.
 */
#include "attest/variable.h"

#include "attest/crypto.h"
#include "attest/error.h"
#include "attest/eventlog.h"
#include "attest/events.h"

#include <string.h>

#define SECTION_NAME_MAX 32 /* characters, with the NUL; PE's are up to 8 */

/* One event and the bank by which it is judged. */
struct trial {
	struct hasher hasher;
	const struct attest_event *event;
	struct bytes digest;
	bool failed; /* the cryptographic library did */
};

static bool
is_hash_of(struct trial *trial, struct bytes first, struct bytes second)
{
	const struct bytes pieces[] = {first, second};
	uint8_t memory[ATTEST_DIGEST_MAX];

	if (!hash_pieces(&trial->hasher, pieces, 2, memory)) {
		trial->failed = true;
		return false;
	}
	return bytes_equal(trial->digest, (struct bytes){memory, trial->digest.size});
}

static void
trial_close(struct trial *trial)
{
	hasher_close(&trial->hasher);
}
#define auto_trial __attribute__((cleanup(trial_close))) struct trial

/* The strongest bank that the event extended; SHA-1 counts where the log has nothing else.
 * ATTEST_BANKS: none. */
static unsigned
strongest(const struct attest_event *event)
{
	unsigned least = event->banks == 1U << ATTEST_SHA1 ? ATTEST_SHA1 : ATTEST_SHA256;

	for (unsigned bank = ATTEST_BANKS; bank-- > least;)
		if (event->digests[bank].size != 0)
			return bank;
	return ATTEST_BANKS;
}

static bool
trial_open(struct trial *trial, const struct attest_event *event, unsigned bank)
{
	trial->event = event;
	trial->digest = event->digests[bank];
	return hasher_open(&trial->hasher, attest_bank_name((enum attest_bank)bank));
}

/* Shims log an authority with a byte more than they measure. */
static bool
but_last(struct trial *trial, struct bytes *ret_proved)
{
	*ret_proved = trial->event->data;
	if (ret_proved->size == 0)
		return false;
	ret_proved->size--;
	return is_hash_of(trial, *ret_proved, (struct bytes){0});
}

/* PFP 1.05, 10.4.1 leaves open whether EV_EFI_VARIABLE_BOOT is of all or of the value; most
 * firmware takes the value. */
static bool
value_alone(struct trial *trial, struct bytes *ret_proved)
{
	struct variable variable;

	if (!attest_variable_decode(trial->event->data, &variable))
		return false;
	*ret_proved = variable.value;
	return is_hash_of(trial, variable.value, (struct bytes){0});
}

/* GRUB, commands/tpm.c: "grub_cmd: " or "kernel_cmdline: ", then what is measured, then a NUL that
 * is not. Red Hat's older ones have no colon, and measure the NUL of commands. */
static struct bytes
without_prefix(struct bytes data)
{
	static const char *const prefixes[] = {"grub_cmd ", "grub_kernel_cmdline "};
	struct reader r;
	uint8_t last = 0;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct bytes prefix = {(const uint8_t *)prefixes[i], strlen(prefixes[i])};

		r = reader_of(data);
		if (bytes_equal(read_bytes(&r, prefix.size), prefix))
			return read_bytes(&r, r.left);
	}
	r = reader_of(data);
	while (r.left > 0) {
		uint8_t c = read_u8(&r);

		if (last == ':' && c == ' ')
			return read_bytes(&r, r.left);
		last = c;
	}
	return (struct bytes){0};
}

static bool
loader_text(struct trial *trial, struct bytes *ret_proved)
{
	static const uint8_t nul[1];
	struct bytes text = without_prefix(trial->event->data);
	struct bytes data = trial->event->data;

	/* systemd-boot once logged its UTF-16 a byte short. */
	*ret_proved = data;
	if (data.size % 2 == 1 && is_hash_of(trial, data, BYTES_OF(nul)))
		return true;
	*ret_proved = text;
	if (text.size == 0 || text.data[text.size - 1] != '\0')
		return false;
	ret_proved->size--;
	return is_hash_of(trial, *ret_proved, (struct bytes){0}) ||
	       is_hash_of(trial, text, (struct bytes){0});
}

/* systemd-stub logs the section's name in UTF-16 and measures it in ASCII, both with their NUL. */
static bool
section_name(struct trial *trial, struct bytes *ret_proved)
{
	struct reader r = reader_of(trial->event->data);
	uint8_t name[SECTION_NAME_MAX];
	struct writer w = writer_of(name, sizeof(name));
	uint16_t c = 1;

	if (r.left > 2 * sizeof(name))
		return false;
	while (r.left > 0 && c != 0) {
		c = read_le16(&r);
		if (c > 0x7e)
			return false;
		write_u8(&w, (uint8_t)c);
	}
	*ret_proved = trial->event->data;
	return reader_finished(&r) && c == 0 && !w.failed &&
	       is_hash_of(trial, writer_bytes(&w), (struct bytes){0});
}

/* Where the digest is not of the data: of which types is that a lie or a fault? */
static enum attest_proof
not_of_data(uint32_t type)
{
	static const uint32_t of_data[] = {
		EV_SEPARATOR,
		EV_ACTION,
		EV_S_CRTM_VERSION,
		EV_OMIT_BOOT_DEVICE_EVENTS,
		EV_EFI_VARIABLE_DRIVER_CONFIG,
		EV_EFI_VARIABLE_BOOT,
		EV_EFI_VARIABLE_BOOT2,
		EV_EFI_VARIABLE_AUTHORITY,
		EV_EFI_GPT_EVENT,
		EV_EFI_GPT_EVENT2,
		EV_EFI_ACTION,
		EV_EFI_SPDM_DEVICE_POLICY,
		EV_EFI_SPDM_DEVICE_AUTHORITY,
	};

	for (size_t i = 0; i < sizeof(of_data) / sizeof(of_data[0]); i++)
		if (of_data[i] == type)
			return ATTEST_PROOF_MISMATCH;
	return ATTEST_PROOF_DIGEST;
}

static enum attest_proof
try_readings(struct trial *trial, struct bytes *ret_proved)
{
	uint32_t type = trial->event->type;

	*ret_proved = trial->event->data;
	if (is_hash_of(trial, trial->event->data, (struct bytes){0}))
		return ATTEST_PROOF_DATA;
	if (type == EV_EFI_VARIABLE_AUTHORITY && but_last(trial, ret_proved))
		return ATTEST_PROOF_DATA_BUT_LAST;
	if ((type == EV_EFI_VARIABLE_BOOT || type == EV_EFI_VARIABLE_BOOT2) &&
	    value_alone(trial, ret_proved))
		return ATTEST_PROOF_VALUE;
	if (type == EV_IPL && loader_text(trial, ret_proved))
		return ATTEST_PROOF_TEXT;
	if (type == EV_IPL && section_name(trial, ret_proved))
		return ATTEST_PROOF_NAME;
	*ret_proved = (struct bytes){0};
	return not_of_data(type);
}

enum attest_status
attest_event_proof(const struct attest_event *event, enum attest_proof *ret_proof,
		   struct bytes *ret_proved, struct attest_error *err)
{
	auto_trial trial = {0};
	enum attest_proof proof = ATTEST_PROOF_NOTHING;
	struct bytes proved = {0};
	unsigned bank = strongest(event);

	if (!event->extends || bank == ATTEST_BANKS) {
		*ret_proof = proof;
		*ret_proved = proved;
		return ATTEST_OK;
	}
	if (!trial_open(&trial, event, bank))
		return attest_fail_memory(err);
	proof = try_readings(&trial, &proved);
	if (trial.failed)
		return attest_fail_memory(err);
	*ret_proof = proof;
	*ret_proved = proved;
	return ATTEST_OK;
}
