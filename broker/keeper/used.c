/* SPDX-License-Identifier: Apache-2.0 */
#include "used.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define GENERATION_FIRST 1024 /* a power of two */

struct generation {
	uint64_t number;		/* the span of time it is for: now / lifetime */
	uint8_t (*keys)[USED_KEY_SIZE]; /* zeros: a free place */
	size_t capacity;
	size_t count;
};

struct used_set {
	pthread_mutex_t mutex;
	uint64_t lifetime;
	size_t max;
	struct generation newest;
	struct generation before;
};

struct used_set *
used_set_new(uint64_t lifetime, size_t max)
{
	struct used_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	pthread_mutex_init(&set->mutex, NULL);
	set->lifetime = lifetime > 0 ? lifetime : 1;
	set->max = max;
	return set;
}

void
used_set_free(struct used_set *set)
{
	if (!set)
		return;
	free(set->newest.keys);
	free(set->before.keys);
	pthread_mutex_destroy(&set->mutex);
	free(set);
}

/* The keys are random bytes of our own: their first bytes are hash enough. */
static uint8_t *
probe(const struct generation *generation, const uint8_t key[USED_KEY_SIZE])
{
	size_t mask = generation->capacity - 1;
	uint64_t hash;

	memcpy(&hash, key, sizeof(hash));
	for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
		uint8_t *place = generation->keys[i];
		if (sodium_is_zero(place, USED_KEY_SIZE) || memcmp(place, key, USED_KEY_SIZE) == 0)
			return place;
	}
}

static bool
contains(const struct generation *generation, const uint8_t key[USED_KEY_SIZE])
{
	return generation->count > 0 && !sodium_is_zero(probe(generation, key), USED_KEY_SIZE);
}

static bool
grow(struct generation *generation)
{
	struct generation larger = *generation;

	larger.capacity = generation->capacity == 0 ? GENERATION_FIRST : generation->capacity * 2;
	larger.keys = calloc(larger.capacity, USED_KEY_SIZE);
	if (!larger.keys)
		return false;
	for (size_t i = 0; i < generation->capacity; i++) {
		if (!sodium_is_zero(generation->keys[i], USED_KEY_SIZE))
			memcpy(probe(&larger, generation->keys[i]), generation->keys[i],
			       USED_KEY_SIZE);
	}
	free(generation->keys);
	*generation = larger;
	return true;
}

static void
turn(struct used_set *set, uint64_t number)
{
	if (number == set->newest.number)
		return;
	free(set->before.keys);
	set->before = set->newest;
	if (number != set->newest.number + 1) { /* a whole span without a call: all of it is old */
		free(set->before.keys);
		set->before = (struct generation){0};
	}
	set->newest = (struct generation){.number = number};
}

static enum challenge_verdict
add(struct used_set *set, const uint8_t key[USED_KEY_SIZE], uint64_t now)
{
	struct generation *newest = &set->newest;

	turn(set, now / set->lifetime);
	if (sodium_is_zero(key, USED_KEY_SIZE) || contains(newest, key) ||
	    contains(&set->before, key))
		return CHALLENGE_USED;
	if (newest->count >= set->max)
		return CHALLENGE_CROWDED;
	if (newest->count * 4 >= newest->capacity * 3 && !grow(newest))
		return CHALLENGE_CROWDED;
	memcpy(probe(newest, key), key, USED_KEY_SIZE);
	newest->count++;
	return CHALLENGE_GOOD;
}

enum challenge_verdict
used_set_add(struct used_set *set, const uint8_t key[USED_KEY_SIZE], uint64_t now)
{
	pthread_mutex_lock(&set->mutex);
	/* Two threads may read the clock in one order and come here in the other. */
	uint64_t newest = set->newest.number * set->lifetime;
	enum challenge_verdict verdict = add(set, key, now > newest ? now : newest);
	pthread_mutex_unlock(&set->mutex);
	return verdict;
}
