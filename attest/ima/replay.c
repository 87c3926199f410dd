/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What entries do to a PCR (ima_queue.c). Since Linux 5.8 each bank is extended by its own hash of
 * the template data. Older kernels, and newer ones where they lack that hash when IMA starts
 * (Debian 12: SHA-384), extend SHA-1 and zeros instead: nothing is accepted that rests on SHA-1.
 */
#include "attest/error.h"
#include "internal.h"

#include <string.h>

bool
ima_extend(struct hasher *hasher, uint8_t *pcr, size_t size, const struct attest_ima_entry *entry)
{
	uint8_t digest[ATTEST_DIGEST_MAX];
	const struct bytes pieces[] = {{pcr, size}, {digest, size}};

	if (entry->violation)
		memset(digest, 0xff, size);
	else if (!hash_pieces(hasher, &entry->data, 1, digest))
		return false;
	return hash_pieces(hasher, pieces, 2, pcr);
}

struct replay {
	struct hasher hashers[ATTEST_BANKS];
	struct attest_pcrs pcrs[ATTEST_BANKS];
	struct attest_ima_list list;
};

static void
replay_close(struct replay *replay)
{
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++)
		hasher_close(&replay->hashers[bank]);
}
#define auto_replay __attribute__((cleanup(replay_close))) struct replay

static bool
replay_open(struct replay *replay)
{
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		replay->pcrs[bank].bank = (enum attest_bank)bank;
		if (!hasher_open(&replay->hashers[bank], attest_bank_name((enum attest_bank)bank)))
			return false;
	}
	return true;
}

static bool
replay_entry(struct replay *replay, const struct attest_ima_entry *entry)
{
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		struct attest_pcrs *pcrs = &replay->pcrs[bank];

		pcrs->known |= 1U << entry->pcr;
		if (!ima_extend(&replay->hashers[bank], pcrs->values[entry->pcr],
				attest_bank_size(pcrs->bank), entry))
			return false;
	}
	return true;
}

enum attest_status
attest_ima_replay(struct bytes list, struct attest_pcrs ret_pcrs[ATTEST_BANKS],
		  struct attest_error *err)
{
	auto_replay replay = {0};
	struct attest_ima_entry entry;
	bool end = false;

	enum attest_status status = attest_ima_open(list, &replay.list, err);
	if (status != ATTEST_OK)
		return status;
	if (!replay_open(&replay))
		return attest_fail_memory(err);
	for (;;) {
		status = attest_ima_next(&replay.list, &entry, &end, err);
		if (status != ATTEST_OK)
			return status;
		if (end)
			break;
		if (!replay_entry(&replay, &entry))
			return attest_fail_memory(err);
	}
	memcpy(ret_pcrs, replay.pcrs, sizeof(replay.pcrs));
	return ATTEST_OK;
}
