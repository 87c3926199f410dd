/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCR 14 belongs to shim, which measures MokList and its kin there by their contents; the names
 * beside them are not measured. Windows uses it too, and ends with a word of its own.
 */
#include "list.h"
#include "text.h"
#include "witnesses.h"

struct mok {
	struct list digests;
};

static void
witness_event(void *state, const struct attest_event *event, struct witness_hash *hash)
{
	struct mok *mok = state;
	struct bytes digest = event->digests[hash->bank];

	if (witness_hash_matches_word(hash, digest, log_text_of("WBCL")))
		mok->digests.broken = true;
	list_add(&mok->digests, digest);
}

static void
conclude(const void *state, uint32_t held, struct witness_hash *hash, struct attest_claims *claims)
{
	const struct mok *mok = state;

	(void)hash;
	if ((held >> 14 & 1) != 0)
		list_claim(&mok->digests, claims, CLAIM_MOK);
}

const struct witness witness_mok = {
	.name = "machine owner's keys",
	.pcrs = 1U << 14,
	.state_size = sizeof(struct mok),
	.event = witness_event,
	.conclude = conclude,
};
