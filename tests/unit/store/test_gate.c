/* SPDX-License-Identifier: Apache-2.0 */
/* The map grows beside readers who come and go, and beside one who stays: nobody waits for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"
#include "store/gate.h"
#include "store/state.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static long
milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the gate alone ---- */

static int
setup_gate(void **state)
{
	*state = calloc(1, sizeof(struct gate));
	gate_init(*state);
	return 0;
}

static int
teardown_gate(void **state)
{
	gate_destroy(*state);
	free(*state);
	return 0;
}

static void
who_asks_at_once_gets_an_empty_gate_only(void **state)
{
	struct gate *gate = *state;
	unsigned side = gate_enter(gate);

	assert_false(gate_take(gate, 0));
	gate_leave(gate, gate_enter(gate)); /* still open */
	gate_leave(gate, side);
	assert_true(gate_take(gate, 0));
	assert_false(gate_take(gate, 0));
	assert_false(gate_take(gate, 30));
	gate_give_back(gate);
	gate_leave(gate, gate_enter(gate));
}

static void
patience_ends(void **state)
{
	struct gate *gate = *state;
	unsigned side = gate_enter(gate);

	for (int i = 0; i < 3; i++) { /* and leaves the gate as it was, on either side */
		const long before = milliseconds();
		assert_false(gate_take(gate, 60));
		assert_in_range(milliseconds() - before, 59, 1000);
		gate_leave(gate, gate_enter(gate));
	}
	gate_leave(gate, side);
	assert_true(gate_take(gate, 60));
	gate_give_back(gate);
}

struct taker {
	pthread_t thread;
	struct gate *gate;
	unsigned patience_ms;
	bool taken;
	_Atomic bool ended;
};

static void *
take(void *user)
{
	struct taker *taker = user;

	taker->taken = gate_take(taker->gate, taker->patience_ms);
	taker->ended = true;
	if (taker->taken)
		gate_give_back(taker->gate);
	return NULL;
}

/* One stays for a second. Newcomers go in and out meanwhile, and in the end it is taken. */
static void
newcomers_do_not_wait_for_one_who_stays(void **state)
{
	struct gate *gate = *state;
	struct taker taker = {.gate = gate, .patience_ms = 20000};
	unsigned staying = gate_enter(gate);
	long longest = 0, entered = 0;
	const long begin = milliseconds();

	pthread_create(&taker.thread, NULL, take, &taker);
	while (milliseconds() - begin < 1000) {
		const long before = milliseconds();
		gate_leave(gate, gate_enter(gate));
		const long took = milliseconds() - before;
		longest = took > longest ? took : longest;
		entered++;
		assert_false(taker.ended);
	}
	gate_leave(gate, staying);
	pthread_join(taker.thread, NULL);
	assert_true(taker.taken);
	assert_true(entered > 1000);
	assert_true(longest < 500); /* a moment is 20; the machine may be busy */
	gate_leave(gate, gate_enter(gate));
}

#define CROWD 8

struct crowd {
	struct gate gate;
	atomic_int inside;
	atomic_int alone;
	atomic_int faults;
	atomic_int taken;
	atomic_bool stop;
};

static void *
come_and_go(void *user)
{
	struct crowd *crowd = user;

	while (!crowd->stop) {
		unsigned side = gate_enter(&crowd->gate);
		crowd->inside++;
		crowd->faults += crowd->alone != 0;
		crowd->inside--;
		gate_leave(&crowd->gate, side);
	}
	return NULL;
}

static void *
take_often(void *user)
{
	struct crowd *crowd = user;

	for (int i = 0; i < 300; i++) {
		if (!gate_take(&crowd->gate, i % 3 == 0 ? 0 : 10000))
			continue;
		crowd->faults += crowd->alone++ != 0;
		usleep(50); /* for someone to come in where nobody may */
		crowd->faults += crowd->inside != 0;
		crowd->alone--;
		crowd->taken++;
		gate_give_back(&crowd->gate);
	}
	return NULL;
}

static void
alone_is_alone(void **state)
{
	struct crowd crowd = {0};
	pthread_t threads[CROWD];

	(void)state;
	gate_init(&crowd.gate);
	for (int i = CROWD; i-- > 0;)
		pthread_create(&threads[i], NULL, i < 2 ? take_often : come_and_go, &crowd);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	crowd.stop = true;
	for (int i = 2; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	gate_destroy(&crowd.gate);
	assert_int_equal(crowd.faults, 0);
	assert_true(crowd.taken >= 400); /* all that were patient */
}

/* ---- LMDB's map ---- */

struct writing {
	pthread_t thread;
	struct store *store;
	enum store_status status;
	long took;
};

/* More than any map of the fixture has room for. */
static void *
write_much(void *user)
{
	struct writing *writing = user;
	const size_t size = (size_t)1024 * 1024;
	uint8_t *bytes = calloc(1, size);
	struct store_batch *batch = store_batch_new();
	const long before = milliseconds();

	store_batch_put(batch, "much", (struct store_bytes){bytes, size});
	writing->status = store_commit(writing->store, batch, NULL);
	writing->took = milliseconds() - before;
	store_batch_free(batch);
	free(bytes);
	return NULL;
}

/* `stay_ms`: how long a view stays while a commit needs a greater map. */
static void
write_beside_a_view(struct fixture *fixture, long stay_ms, struct writing *writing)
{
	struct backend *backend = fixture->store->backend;
	struct view staying = {0};
	const long begin = milliseconds();
	long longest = 0;
	struct backend_record record;
	uint64_t revision = must_put(fixture->store, "a", "before");

	assert_int_equal(view_open(backend, &staying, NULL), STORE_OK);
	writing->store = fixture->store;
	pthread_create(&writing->thread, NULL, write_much, writing);
	while (milliseconds() - begin < stay_ms) {
		const long before = milliseconds();
		assert_string_equal(text_of(fixture->store, "a"), "before");
		const long took = milliseconds() - before;
		longest = took > longest ? took : longest;
		usleep(1000);
	}
	assert_true(longest < 1000);
	/* Its moment is what it was. */
	assert_int_equal(view_get(&staying, "r/a", &record, NULL), STORE_OK);
	assert_int_equal(record.revision, revision);
	assert_int_equal(view_get(&staying, "r/much", &record, NULL), STORE_MISSING);
	view_close(&staying);
	pthread_join(writing->thread, NULL);
}

static void
the_map_grows_when_a_long_reading_has_ended(void **state)
{
	struct fixture *fixture = *state;
	struct writing writing = {0};

	write_beside_a_view(fixture, 700, &writing);
	assert_int_equal(writing.status, STORE_OK);
	assert_in_range(writing.took, 500, 5000);
}

static void
a_commit_does_not_wait_for_ever(void **state)
{
	struct fixture *fixture = *state;
	struct writing writing = {0};

	write_beside_a_view(fixture, 6500, &writing);
	assert_int_equal(writing.status, STORE_SPACE);
	assert_in_range(writing.took, 4000, 6400);
	assert_string_equal(text_of(fixture->store, "much"), "-");
	write_much(&writing);
	assert_int_equal(writing.status, STORE_OK);
}

int
main(void)
{
#define ON_GATE(test) cmocka_unit_test_setup_teardown(test, setup_gate, teardown_gate)
#define ON_LMDB(test) cmocka_unit_test_setup_teardown(test, fixture_setup_lmdb, fixture_teardown)
	const struct CMUnitTest tests[] = {
		ON_GATE(who_asks_at_once_gets_an_empty_gate_only),
		ON_GATE(patience_ends),
		ON_GATE(newcomers_do_not_wait_for_one_who_stays),
		cmocka_unit_test(alone_is_alone),
		ON_LMDB(the_map_grows_when_a_long_reading_has_ended),
		ON_LMDB(a_commit_does_not_wait_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
