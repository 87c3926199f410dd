/* SPDX-License-Identifier: Apache-2.0 */
/* What `audit verify` recomputes: the log's hash chain, its signed head, and the signatures of all
 * acts. */
#ifndef POSTERN_COMMAND_LEDGER_H
#define POSTERN_COMMAND_LEDGER_H

#include "wire/operation.h"

#define LEDGER_PROBLEM_SIZE 240

/* The log: store.h, store_batch_append. Begins zeroed. */
struct ledger {
	uint64_t number;
	uint8_t hash[32];
};
/* The next entry; `hash` is what the broker says of it. */
bool ledger_add(struct ledger *ledger, uint64_t number, struct bytes entry, const uint8_t hash[32],
		char ret_problem[LEDGER_PROBLEM_SIZE]);
bool checkpoint_signed(const struct checkpoint *checkpoint, const uint8_t answer_key[32]);

/* The acts: who is an operator, as the acts themselves say, from genesis on. */
struct act_fold;
struct act_fold *act_fold_new(const uint8_t answer_key[32]);
void act_fold_free(struct act_fold *fold);
/* Checks that it applies to the revision before it, is for this broker, and is signed by an
 * operator that an act before made and none ended. */
bool act_fold_add(struct act_fold *fold, uint64_t revision, struct bytes frame,
		  const uint8_t signature[64], char ret_problem[LEDGER_PROBLEM_SIZE]);
uint64_t act_fold_revision(const struct act_fold *fold);

#endif
