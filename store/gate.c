/* SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include <time.h>

/* Longer than any view of one record or one page of a list is held. */
#define MOMENT_MS 20

/* The state: the counts of both sides, the side that newcomers enter, and two flags. */
#define COUNT_BITS 30
#define COUNT_MASK (((uint64_t)1 << COUNT_BITS) - 1)
#define SIDE	   ((uint64_t)1 << 60)
#define CLOSED	   ((uint64_t)1 << 61) /* newcomers wait */
#define WATCHED	   ((uint64_t)1 << 62) /* whoever leaves tells */

void
gate_init(struct gate *gate)
{
	pthread_condattr_t attributes;

	atomic_init(&gate->state, 0);
	gate->taking = false;
	pthread_mutex_init(&gate->lock, NULL);
	/* A clock that is set must not lengthen a wait. */
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&gate->moved, &attributes);
	pthread_condattr_destroy(&attributes);
}

void
gate_destroy(struct gate *gate)
{
	pthread_mutex_destroy(&gate->lock);
	pthread_cond_destroy(&gate->moved);
}

static unsigned
side_of(uint64_t state)
{
	return (state & SIDE) != 0;
}

static uint64_t
one_on(unsigned side)
{
	return (uint64_t)1 << (side * COUNT_BITS);
}

static uint64_t
count_on(uint64_t state, unsigned side)
{
	return state >> (side * COUNT_BITS) & COUNT_MASK;
}

/* ---- sharing ---- */

static void
wait_until_open(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	while (atomic_load(&gate->state) & CLOSED)
		pthread_cond_wait(&gate->moved, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
}

unsigned
gate_enter(struct gate *gate)
{
	uint64_t state = atomic_load(&gate->state);

	for (;;) {
		if (state & CLOSED) {
			wait_until_open(gate);
			state = atomic_load(&gate->state);
		} else if (atomic_compare_exchange_weak(&gate->state, &state,
							state + one_on(side_of(state)))) {
			return side_of(state);
		}
	}
}

void
gate_leave(struct gate *gate, unsigned side)
{
	if (!(atomic_fetch_sub(&gate->state, one_on(side)) & WATCHED))
		return;
	/* Who watches looks at the state and waits under the lock: it cannot miss this. */
	pthread_mutex_lock(&gate->lock);
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

/* ---- alone ---- */

static struct timespec
after(unsigned milliseconds)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += milliseconds / 1000;
	at.tv_nsec += (long)(milliseconds % 1000) * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	return at;
}

static bool
is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* With the lock held. False: the time came first. */
static bool
wait_until_empty(struct gate *gate, unsigned side, const struct timespec *until)
{
	while (count_on(atomic_load(&gate->state), side) > 0)
		if (pthread_cond_timedwait(&gate->moved, &gate->lock, until) != 0)
			return count_on(atomic_load(&gate->state), side) == 0;
	return true;
}

/* One attempt, with the lock held: newcomers wait for as long as it takes. */
static bool
close_for_a_moment(struct gate *gate, const struct timespec *deadline)
{
	const struct timespec moment = after(MOMENT_MS);
	const struct timespec *until = is_before(&moment, deadline) ? &moment : deadline;

	atomic_fetch_or(&gate->state, CLOSED);
	if (wait_until_empty(gate, 0, until) && wait_until_empty(gate, 1, until))
		return true;
	/* Those who are inside are there to stay. Newcomers enter by the other side, so that one
	 * can tell when the others have left; that side is empty, or it would not have been tried.
	 */
	atomic_fetch_xor(&gate->state, SIDE);
	atomic_fetch_and(&gate->state, ~CLOSED);
	pthread_cond_broadcast(&gate->moved);
	return false;
}

static bool
take_by(struct gate *gate, const struct timespec *deadline)
{
	do {
		unsigned other = !side_of(atomic_load(&gate->state));
		if (!wait_until_empty(gate, other, deadline))
			return false;
		if (close_for_a_moment(gate, deadline))
			return true;
		const struct timespec now = after(0);
		if (!is_before(&now, deadline))
			return false;
	} while (true);
}

/* With the lock held: is it ours to take? */
static bool
wait_for_turn(struct gate *gate, const struct timespec *deadline)
{
	while (gate->taking)
		if (pthread_cond_timedwait(&gate->moved, &gate->lock, deadline) != 0)
			return !gate->taking;
	return true;
}

static void
stop_taking(struct gate *gate)
{
	gate->taking = false;
	atomic_fetch_and(&gate->state, ~(CLOSED | WATCHED));
	pthread_cond_broadcast(&gate->moved);
}

static bool
take_at_once(struct gate *gate)
{
	uint64_t state = atomic_load(&gate->state) & SIDE;

	return !gate->taking &&
	       atomic_compare_exchange_strong(&gate->state, &state, state | CLOSED | WATCHED);
}

bool
gate_take(struct gate *gate, unsigned patience_ms)
{
	const struct timespec deadline = after(patience_ms);
	bool taken = false;

	pthread_mutex_lock(&gate->lock);
	if (patience_ms == 0) {
		taken = take_at_once(gate);
		gate->taking = gate->taking || taken;
	} else if (wait_for_turn(gate, &deadline)) {
		gate->taking = true;
		atomic_fetch_or(&gate->state, WATCHED);
		taken = take_by(gate, &deadline);
		if (!taken)
			stop_taking(gate);
	}
	pthread_mutex_unlock(&gate->lock);
	return taken;
}

void
gate_give_back(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	stop_taking(gate);
	pthread_mutex_unlock(&gate->lock);
}
