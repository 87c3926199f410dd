/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCR 4, PFP 1.05, 3.3.4.5: what was loaded. An image's digest is of bytes outside of the log, or
 * of bytes that a liar could put into the log as some event's data, so data proves nothing here:
 * every word counts as an image but those that are digests of the few texts firmware has for PCR 4.
 */
#include "list.h"
#include "text.h"
#include "witnesses.h"

struct images {
	struct list digests;
};

static bool
is_action(struct bytes digest, struct witness_hash *hash)
{
	static const uint8_t separator[4];
	const struct bytes actions[] = {
		BYTES_OF(separator),
		log_text_of("Calling EFI Application from Boot Option"),
		log_text_of("Returning from EFI Application from Boot Option"),
	};

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (witness_hash_matches_word(hash, digest, actions[i]))
			return true;
	return false;
}

static void
witness_event(void *state, const struct attest_event *event, struct witness_hash *hash)
{
	struct images *images = state;
	struct bytes digest = event->digests[hash->bank];

	if (!is_action(digest, hash))
		list_add(&images->digests, digest);
}

static void
conclude(const void *state, uint32_t held, struct witness_hash *hash, struct attest_claims *claims)
{
	const struct images *images = state;

	(void)hash;
	if ((held >> 4 & 1) != 0)
		list_claim(&images->digests, claims, CLAIM_BOOT_IMAGES);
}

const struct witness witness_images = {
	.name = "images",
	.pcrs = 1U << 4,
	.state_size = sizeof(struct images),
	.event = witness_event,
	.conclude = conclude,
};
