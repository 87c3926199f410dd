/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stateless challenges: fields and a MAC under a key drawn at each start; only those that were used
 * are remembered, until they would have expired. PROTOCOL.md, "Challenges".
 */
#ifndef POSTERN_KEEPER_CHALLENGE_H
#define POSTERN_KEEPER_CHALLENGE_H

#include "wire/message.h"

#define CHALLENGE_ACTIVATION_SIZE 32
/* Used challenges remembered in each of two spans of two lifetimes; above it callers are asked to
 * try again. */
#define CHALLENGE_USED_MAX (768 * 1024)

enum challenge_kind { CHALLENGE_FOR_RELEASE = 1, CHALLENGE_FOR_ENROLMENT, CHALLENGE_FOR_OPERATOR };

enum challenge_verdict {
	CHALLENGE_GOOD = 0,
	CHALLENGE_FORGED, /* not ours, of another kind, or for somebody else */
	CHALLENGE_EXPIRED,
	CHALLENGE_USED,
	CHALLENGE_CROWDED, /* too many used ones to remember another */
};

struct challenges;

/* NULL: no memory, or it could not be locked. */
struct challenges *challenges_new(uint32_t lifetime_seconds);
void challenges_free(struct challenges *challenges);
/* Milliseconds since challenges_new, from 1: 0 is before any challenge (machine.h, accepted_at). */
uint64_t challenges_now(const struct challenges *challenges);

void challenge_make(const struct challenges *challenges, enum challenge_kind kind,
		    struct bytes name, struct bytes second,
		    uint8_t ret_challenge[WIRE_CHALLENGE_SIZE]);
/* Everything but whether it was used. `ret_issued` is on the clock of challenges_now. */
__attribute__((warn_unused_result)) enum challenge_verdict
challenge_check(const struct challenges *challenges, enum challenge_kind kind, struct bytes name,
		struct bytes second, struct bytes challenge, uint64_t *ret_issued);
/* For one that challenge_check called good: CHALLENGE_GOOD once and CHALLENGE_USED from then on. */
__attribute__((warn_unused_result)) enum challenge_verdict
challenge_consume(struct challenges *challenges, struct bytes challenge);
const char *challenge_verdict_text(enum challenge_verdict verdict);

/* s of an enrolment: what the TPM that holds EK and AK can recover from the credential. */
void challenge_activation(const struct challenges *challenges, struct bytes challenge,
			  uint8_t ret_secret[CHALLENGE_ACTIVATION_SIZE]);

static inline void
challenges_free_at(struct challenges **challenges)
{
	challenges_free(*challenges);
}
#define auto_challenges __attribute__((cleanup(challenges_free_at))) struct challenges

#endif
