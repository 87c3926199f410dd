/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One act onto the trust state: the same two steps when the keeper starts and when it serves.
 * act_check changes nothing and finds all that an act can be refused for by the state alone;
 * act_apply, after the act is durable, cannot refuse. What also depends on enrolments or on the
 * time (a pending machine's keys, the lock-out guard) is operations_acts.c's.
 */
#ifndef POSTERN_KEEPER_ACTS_H
#define POSTERN_KEEPER_ACTS_H

#include "trust.h"

#define ACT_TEXT_SIZE	480
#define ACT_PROBLEM_MAX 8

/* What act_check prepared for act_apply, and what it tells. */
struct act_change {
	struct policy_set *set;	       /* POLICY_*, GENESIS: all policies as they would be */
	struct policy_source *sources; /* POLICY_*, GENESIS: the array of them */
	size_t source_count;
	size_t problem_count;
	char problems[ACT_PROBLEM_MAX]
		     [ACT_TEXT_SIZE]; /* where it is refused: for {"errors":[...]} */
	char effect[ACT_TEXT_SIZE];   /* one sentence, for whoever did it */
};
void act_change_clear(struct act_change *change);

/* OUTCOME_OK, OUTCOME_INVALID or OUTCOME_MISSING with problems. Never by the clock: what was good
 * once is good again. */
__attribute__((warn_unused_result)) enum operation_outcome
act_check(const struct trust *trust, const struct operation_request *request,
	  struct act_change *change);
/* False: no memory, and the state is broken: the process must end (what is durable is folded again
 * at its next start). */
__attribute__((warn_unused_result)) bool act_apply(struct trust *trust,
						   const struct operation_request *request,
						   uint64_t revision, struct act_change *change);

/* A policy set as it would be with `name` replaced, added, or (text.data NULL) left out: for
 * POLICY_* and policy-check. */
__attribute__((warn_unused_result)) enum operation_outcome
act_policies_with(const struct trust *trust, struct bytes name, struct bytes text,
		  struct bytes operator_name, uint64_t revision, struct act_change *change);

enum operation_outcome act_refuse(struct act_change *change, enum operation_outcome outcome,
				  const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A field as a text; the forms of fields (wire/field.c) see to the size. */
void act_set_text(char *ret, size_t capacity, struct bytes text);

#define auto_change __attribute__((cleanup(act_change_clear))) struct act_change

#endif
