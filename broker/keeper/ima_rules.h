/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What files of IMA lists are compared with: keys that sign them, and digests that are known to be
 * good. Operators' acts change both; a release takes the rules in force with it out of the lock,
 * into the appraiser.
 */
#ifndef POSTERN_KEEPER_IMA_RULES_H
#define POSTERN_KEEPER_IMA_RULES_H

#include "wire/operation.h"

#include <stdatomic.h>

#define TRUST_IMA_KEYS_MAX    256 /* ever added; ATTEST_IMA_KEYS_MAX of them not revoked */
#define TRUST_IMA_LISTS_MAX   64
#define TRUST_IMA_DIGESTS_MAX WIRE_IMA_ALLOWED_MAX /* in all lists together */

struct ima_key {
	char id[65]; /* hex of SHA-256 of `der` */
	char subject[162];
	uint8_t *der;
	size_t size;
	bool revoked;
};

struct ima_list {
	char name[65];
	char operator_name[65];
	uint64_t revision; /* of the act that added it */
	uint8_t *digests;
	size_t count;
};

/* Never changed once made: whoever uses them outside of the keeper's lock holds them. */
struct ima_rules {
	atomic_uint holders;
	uint8_t key_count;
	struct bytes keys[ATTEST_IMA_KEYS_MAX];
	struct bytes digests; /* of all lists: ascending, each once */
	uint8_t memory[];
};
struct ima_rules *ima_rules_hold(struct ima_rules *rules); /* NULL is fine */
void ima_rules_drop(struct ima_rules *rules);

struct trust_ima {
	struct ima_key *keys;
	size_t key_count;
	struct ima_list *lists;
	size_t list_count;
	struct ima_rules *rules; /* in force; NULL: none */
	uint64_t revision;	 /* of the newest act that changed them */
};
void trust_ima_clear(struct trust_ima *ima);
struct ima_key *trust_ima_key(const struct trust_ima *ima, struct bytes hex_id);
struct ima_list *trust_ima_list(const struct trust_ima *ima, struct bytes name);
size_t trust_ima_digests(const struct trust_ima *ima); /* in all lists */
size_t trust_ima_active_keys(const struct trust_ima *ima);
/* Makes the rules anew from keys and lists; what was examined by the old ones is void from
 * `revision` on. False: no memory, and nothing changed. */
__attribute__((warn_unused_result)) bool trust_ima_settle(struct trust_ima *ima, uint64_t revision);

#endif
