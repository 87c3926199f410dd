/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A keeper whose store may be an older one than it had: it answers readings and nothing else, says
 * why, and goes on when somebody who has looked says so. PROTOCOL.md, "Sealed and frozen".
 */
#ifndef POSTERN_KEEPER_FREEZE_H
#define POSTERN_KEEPER_FREEZE_H

#include "wire/frozen.h"

#include <stdatomic.h>

struct keeper;
struct worker;

/* What is handed over beside the key: nothing, where it lies in a file, by whoever brings shares,
 * and by whoever asked no TPM. */
struct witness {
	bool counted;
	uint64_t counter;
};

/* Changed under the keeper's exclusive lock, or before it serves. */
struct freeze {
	atomic_bool
		frozen;	  /* may be looked at without the lock, by those who look again under it */
	bool recorded;	  /* as record `frozen`, or that is owed */
	atomic_bool owed; /* the disk would not take it yet */
	bool waiting;	  /* for a counter, and for nothing else */
	char why[FROZEN_WHY_MAX + 1];
	int64_t since;
	uint64_t counter; /* record `witness`; 0: there is none */
	uint64_t counter_revision;
	uint64_t heard; /* the newest counter that was handed over; 0: none */
};

/* At unsealing, once trust is folded: reads both records and compares. False: one of them cannot be
 * read, and `problem` (KEEPER_PROBLEM_SIZE) says which. */
__attribute__((warn_unused_result)) bool
freeze_decide(struct keeper *keeper, const struct witness *witness, char *ret_problem);
/* Makes what is owed durable, with an audit entry. */
void freeze_record(struct worker *worker);

/* What a counter that is handed over later, by a broker that serves or waits for it, says. */
enum freeze_verdict {
	FREEZE_GOOD = 0,
	FREEZE_FROZEN, /* by this: `why` says so */
	FREEZE_STORE,  /* the store refused to write it down */
};
/* Exclusive lock held. `uid`: who said it. Stage 1 writes down counter + 1, stage 2 what it came
 * to. */
enum freeze_verdict freeze_witness(struct worker *worker, unsigned stage, uint64_t counter,
				   unsigned uid);
/* Exclusive lock held: it is believed. The counter heard last is what is compared with from now on.
 * False: the store refused. */
__attribute__((warn_unused_result)) bool freeze_thaw(struct worker *worker, struct bytes reason,
						     unsigned uid);

#endif
