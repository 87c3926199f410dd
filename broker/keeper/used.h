/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random parts of used challenges, in bounded memory: two generations of one lifetime each. What
 * goes into one is expired by the time the generation after it ends, so whole generations can be
 * dropped.
 */
#ifndef POSTERN_KEEPER_USED_H
#define POSTERN_KEEPER_USED_H

#include "challenge.h"

#define USED_KEY_SIZE 16

struct used_set;

/* `max` is per generation. */
struct used_set *used_set_new(uint64_t lifetime, size_t max);
void used_set_free(struct used_set *set);
/* `now` is on any clock that does not go back, in the unit of the lifetime. Safe from many threads.
 */
enum challenge_verdict used_set_add(struct used_set *set, const uint8_t key[USED_KEY_SIZE],
				    uint64_t now);

#endif
