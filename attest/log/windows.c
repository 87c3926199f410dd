/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows' boot manager and loader measure SIPA events (wbcl.h of the Windows SDK) into PCR 12 and
 * 13, each block with the header that wraps it, and cap both with "WBCL" before the kernel runs.
 * Every word up to the cap must be of such a block; what follows the cap is anybody's, and is not
 * looked at.
 */
#include "list.h"
#include "text.h"
#include "witnesses.h"

#define DEPTH_MAX   8 /* aggregations in one another; real ones nest three deep */
#define UNLOCKS_MAX 64
#define AGGREGATION 0x40000000U /* SIPAEVENTTYPE_AGGREGATION */

#define BOOT_COUNTER	 0x00020002U
#define TRANSFER_CONTROL 0x00020003U
#define BITLOCKER_UNLOCK 0x00020005U
#define DEP_POLICY	 0x00050004U
#define VSM_LAUNCH_TYPE	 0x00050012U

/* Whom the boot manager started: these two are seen where Windows boots. */
#define TRANSFER_LOADER	    1
#define TRANSFER_HYPERVISOR 5 /* on the way to the loader */

/* Settings of one byte. A weak one is on where it ever was; a strong one where it always was. */
static const struct {
	uint32_t type;
	enum attest_claim_id id;
	bool strong;
} SETTINGS[] = {
	{0x00050002, CLAIM_WINDOWS_CODE_INTEGRITY, true},
	{0x00040001, CLAIM_WINDOWS_BOOT_DEBUGGING, false},
	{0x00050001, CLAIM_WINDOWS_KERNEL_DEBUGGING, false},
	{0x0005000d, CLAIM_WINDOWS_HYPERVISOR_DEBUGGING, false},
	{0x00050003, CLAIM_WINDOWS_TEST_SIGNING, false},
	{0x00050021, CLAIM_WINDOWS_FLIGHT_SIGNING, false},
	{0x00050005, CLAIM_WINDOWS_SAFE_MODE, false},
	{0x00050006, CLAIM_WINDOWS_PE, false},
};
#define SETTING_COUNT (sizeof(SETTINGS) / sizeof(SETTINGS[0]))

struct number {
	bool seen;
	bool conflicting;
	uint64_t value;
};

struct windows {
	bool broken;
	bool capped[2]; /* PCR 12, 13 */
	bool begun[2];
	bool resumed; /* something other than a loader or a hypervisor was started */
	struct number boot_counter;
	struct number transfer; /* the first one */
	struct number vsm;
	enum attest_answer dep;
	enum attest_answer settings[SETTING_COUNT];
	size_t unlock_count;
	uint32_t unlocks[UNLOCKS_MAX];
};

static void
note_number(struct number *number, uint64_t value)
{
	number->conflicting = number->conflicting || (number->seen && number->value != value);
	number->value = value;
	number->seen = true;
}

static void
note_setting(enum attest_answer *answer, bool on, bool strong)
{
	enum attest_answer stays = strong ? ATTEST_NO : ATTEST_YES;

	if (*answer != stays)
		*answer = on ? ATTEST_YES : ATTEST_NO;
}

static void
note_transfer(struct windows *windows, uint32_t to)
{
	if (!windows->transfer.seen)
		note_number(&windows->transfer, to);
	if (to != TRANSFER_LOADER && to != TRANSFER_HYPERVISOR)
		windows->resumed = true;
}

/* PCR 13 has them again. */
static bool
note_unlock(struct windows *windows, uint32_t pcr, uint32_t flags)
{
	if (pcr != 12)
		return true;
	if (windows->unlock_count == UNLOCKS_MAX)
		return false;
	windows->unlocks[windows->unlock_count++] = flags;
	return true;
}

/* One event that is no aggregation. Known ones must have their size; others may be anything. */
static bool
note(struct windows *windows, uint32_t pcr, uint32_t type, struct bytes value)
{
	struct reader r = reader_of(value);

	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (SETTINGS[i].type != type)
			continue;
		note_setting(&windows->settings[i], read_u8(&r) != 0, SETTINGS[i].strong);
		return reader_finished(&r);
	}
	switch (type) {
	case BOOT_COUNTER:
		note_number(&windows->boot_counter, read_le64(&r));
		return reader_finished(&r);
	case TRANSFER_CONTROL:
		note_transfer(windows, read_le32(&r));
		return reader_finished(&r);
	case BITLOCKER_UNLOCK:
		return note_unlock(windows, pcr, read_le32(&r)) && reader_finished(&r);
	case DEP_POLICY: {
		/* The boot configuration's NxPolicy: 0 opt-in, 1 opt-out, 2 off, 3 on. */
		uint64_t policy = read_le64(&r);
		note_setting(&windows->dep, policy == 1 || policy == 3, true);
		return reader_finished(&r);
	}
	case VSM_LAUNCH_TYPE:
		note_number(&windows->vsm, read_le64(&r));
		return reader_finished(&r);
	default:
		return true;
	}
}

/* Events one after the other: type:le32, size:le32, value. */
static bool
read_block(struct windows *windows, uint32_t pcr, struct bytes block, unsigned depth)
{
	struct reader r = reader_of(block);

	if (depth == DEPTH_MAX)
		return false;
	while (r.left > 0) {
		uint32_t type = read_le32(&r);
		struct bytes value = read_bytes(&r, read_le32(&r));
		bool fits;

		if (r.failed)
			return false;
		if ((type & AGGREGATION) != 0)
			fits = read_block(windows, pcr, value, depth + 1);
		else
			fits = note(windows, pcr, type, value);
		if (!fits)
			return false;
	}
	return block.size > 0;
}

static void
witness_event(void *state, const struct attest_event *event, struct witness_hash *hash)
{
	struct windows *windows = state;
	struct bytes digest = event->digests[hash->bank];
	unsigned at = event->pcr - 12;

	if (windows->broken || windows->capped[at])
		return;
	if (witness_hash_matches_word(hash, digest, log_text_of("WBCL"))) {
		windows->capped[at] = true;
		return;
	}
	windows->begun[at] = true;
	windows->broken = !witness_hash_matches(hash, digest, event->data, (struct bytes){0}) ||
			  !read_block(windows, event->pcr, event->data, 0);
}

static void
claim_answer(struct attest_claims *claims, enum attest_claim_id id, enum attest_answer answer)
{
	if (answer != ATTEST_UNKNOWN)
		attest_claim_boolean(claims, id, answer == ATTEST_YES);
}

static void
claim_number(struct attest_claims *claims, enum attest_claim_id id, const struct number *number)
{
	if (number->seen && !number->conflicting)
		attest_claim_number(claims, id, number->value);
}

static void
claim_unlocks(const struct windows *windows, struct attest_claims *claims)
{
	uint8_t memory[UNLOCKS_MAX][8];
	struct bytes values[UNLOCKS_MAX];

	for (size_t i = 0; i < windows->unlock_count; i++) {
		struct writer w = writer_of(memory[i], sizeof(memory[i]));

		write_be64(&w, windows->unlocks[i]);
		values[i] = writer_bytes(&w);
	}
	if (windows->unlock_count > 0)
		attest_claim_values(claims, CLAIM_WINDOWS_BITLOCKER_UNLOCKS, values,
				    windows->unlock_count);
}

static void
conclude(const void *state, uint32_t held, struct witness_hash *hash, struct attest_claims *claims)
{
	const struct windows *windows = state;

	(void)hash;
	if ((held >> 12 & 3) != 3 || windows->broken)
		return;
	for (size_t i = 0; i < 2; i++)
		if (!windows->begun[i] || !windows->capped[i])
			return;
	claim_number(claims, CLAIM_WINDOWS_BOOT_COUNTER, &windows->boot_counter);
	if (windows->transfer.seen)
		attest_claim_boolean(claims, CLAIM_WINDOWS_COLD_BOOT,
				     !windows->resumed &&
					     windows->transfer.value == TRANSFER_LOADER);
	claim_answer(claims, CLAIM_WINDOWS_DEP, windows->dep);
	for (size_t i = 0; i < SETTING_COUNT; i++)
		claim_answer(claims, SETTINGS[i].id, windows->settings[i]);
	claim_number(claims, CLAIM_WINDOWS_VSM_LAUNCH, &windows->vsm);
	claim_unlocks(windows, claims);
}

const struct witness witness_windows = {
	.name = "Windows",
	.pcrs = 1U << 12 | 1U << 13,
	.state_size = sizeof(struct windows),
	.event = witness_event,
	.conclude = conclude,
};
