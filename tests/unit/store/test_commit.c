/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit: many callers, one transaction; and what happens when the disk says no. A gate holds
 * the disk where a test must know who waits for whom; no test relies on how long something takes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS	      16
#define BATCHES	      50
#define BATCHES_TOTAL (THREADS * BATCHES)

/* One thread's one batch. cmocka's asserts are for the main thread only. */
struct caller {
	pthread_t thread;
	struct store *store;
	struct store_batch *batch;
	enum store_status status;
	struct store_error err;
	uint64_t number;
};

static void *
commit_batch(void *user)
{
	struct caller *caller = user;

	caller->status = store_commit(caller->store, caller->batch, &caller->err);
	return NULL;
}

static void
caller_start(struct caller *caller, struct fixture *fixture)
{
	caller->store = fixture->store;
	assert_int_equal(pthread_create(&caller->thread, NULL, commit_batch, caller), 0);
}

static void
caller_join(struct caller *caller)
{
	assert_int_equal(pthread_join(caller->thread, NULL), 0);
	caller->number = store_batch_number(caller->batch);
	store_batch_free(caller->batch);
}

static void
wait_for_waiting(struct fixture *fixture, size_t count)
{
	while (fixture_waiting(fixture) < count)
		sched_yield();
}

/* The disk is stopped with one batch in it; `callers` queue up behind in order. */
static void
hold_disk(struct fixture *fixture, struct caller *first)
{
	unsigned arrived = fixture->disk.arrived;

	disk_close_gate(&fixture->disk);
	first->batch = store_batch_new();
	store_batch_append(first->batch, NULL, bytes_of("holds the disk"));
	caller_start(first, fixture);
	disk_wait_arrived(&fixture->disk, arrived + 1);
}

static void
queue_up(struct fixture *fixture, struct caller *caller)
{
	size_t waiting = fixture_waiting(fixture);

	caller_start(caller, fixture);
	wait_for_waiting(fixture, waiting + 1);
}

/* ---- one transaction for all who wait ---- */

static void
those_who_wait_share_one_transaction(void **state)
{
	struct fixture *fixture = *state;
	struct caller first = {0}, callers[THREADS] = {0};
	unsigned arrived = fixture->disk.arrived;

	hold_disk(fixture, &first);
	for (int i = 0; i < THREADS; i++) {
		char key[16];
		snprintf(key, sizeof key, "k/%d", i);
		callers[i].batch = store_batch_new();
		store_batch_put(callers[i].batch, key, bytes_of("v"));
		store_batch_append(callers[i].batch, "tag", bytes_of(key));
		queue_up(fixture, &callers[i]);
	}
	disk_open_gate(&fixture->disk);
	caller_join(&first);
	for (int i = 0; i < THREADS; i++) {
		caller_join(&callers[i]);
		assert_int_equal(callers[i].status, STORE_OK);
		assert_int_equal(callers[i].number, i + 2); /* in the order of arrival */
	}
	assert_int_equal(fixture->disk.arrived, arrived + 2);
}

static void
a_conflict_does_not_fail_the_others(void **state)
{
	struct fixture *fixture = *state;
	struct caller first = {0}, callers[THREADS] = {0};
	uint64_t stale = must_put(fixture->store, "a", "1"), number;
	uint8_t hash[32];

	must_put(fixture->store, "a", "2");
	hold_disk(fixture, &first);
	for (int i = 0; i < THREADS; i++) {
		char key[16];
		snprintf(key, sizeof key, "k/%d", i);
		callers[i].batch = store_batch_new();
		store_batch_append(callers[i].batch, NULL, bytes_of(key));
		store_batch_put(callers[i].batch, key, bytes_of("v"));
		if (i % 3 == 1)
			store_batch_expect(callers[i].batch, "a", stale);
		queue_up(fixture, &callers[i]);
	}
	disk_open_gate(&fixture->disk);
	caller_join(&first);
	for (int i = 0; i < THREADS; i++) {
		char key[16];
		caller_join(&callers[i]);
		snprintf(key, sizeof key, "k/%d", i);
		assert_int_equal(callers[i].status, i % 3 == 1 ? STORE_CONFLICT : STORE_OK);
		assert_string_equal(text_of(fixture->store, key), i % 3 == 1 ? "-" : "v");
	}
	store_log_head(fixture->store, &number, hash);
	assert_int_equal(number, 1 + THREADS - 5);
	fixture_reopen(fixture); /* the log has no gaps */
}

/* Two batches of one group that both make the same record: the second sees the first. */
static void
a_group_is_judged_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct caller first = {0}, callers[5] = {0};
	uint64_t old = must_put(fixture->store, "old", "0");
	enum store_status want[5] = {STORE_OK, STORE_CONFLICT, STORE_OK, STORE_CONFLICT, STORE_OK};

	hold_disk(fixture, &first);
	for (int i = 0; i < 5; i++)
		callers[i].batch = store_batch_new();
	store_batch_expect(callers[0].batch, "a", 0);
	store_batch_put(callers[0].batch, "a", bytes_of("first"));
	store_batch_expect(callers[1].batch, "a", 0);
	store_batch_put(callers[1].batch, "a", bytes_of("second"));
	store_batch_expect(callers[2].batch, "old", old);
	store_batch_delete(callers[2].batch, "old");
	store_batch_expect(callers[3].batch, "old", old);
	store_batch_put(callers[3].batch, "old", bytes_of("3"));
	store_batch_expect(callers[4].batch, "old", 0);
	store_batch_put(callers[4].batch, "old", bytes_of("4"));
	for (int i = 0; i < 5; i++)
		queue_up(fixture, &callers[i]);
	disk_open_gate(&fixture->disk);
	caller_join(&first);
	for (int i = 0; i < 5; i++) {
		caller_join(&callers[i]);
		assert_int_equal(callers[i].status, want[i]);
	}
	assert_string_equal(text_of(fixture->store, "a"), "first");
	assert_string_equal(text_of(fixture->store, "old"), "4");
	fixture_reopen(fixture);
}

static bool
see_key(void *user, const char *key, uint64_t revision)
{
	(void)key;
	(void)revision;
	++*(int *)user;
	return true;
}

static bool
see_entry(void *user, const struct store_log_entry *entry)
{
	(void)entry;
	++*(int *)user;
	return true;
}

/* Would hang, not fail, if a reader waited: meson's timeout is the judge. */
static void
readers_do_not_wait_for_a_writer(void **state)
{
	struct fixture *fixture = *state;
	struct caller first = {0};
	int seen = 0;

	must_put(fixture->store, "a", "1");
	hold_disk(fixture, &first);
	assert_string_equal(text_of(fixture->store, "a"), "1");
	assert_int_equal(store_list(fixture->store, "", NULL, see_key, &seen, NULL), STORE_OK);
	assert_int_equal(store_log_read(fixture->store, 1, see_entry, &seen, NULL), STORE_OK);
	assert_int_equal(store_log_tagged(fixture->store, "t", 9, see_entry, &seen, NULL),
			 STORE_OK);
	assert_int_equal(seen, 1);
	disk_open_gate(&fixture->disk);
	caller_join(&first);
}

/* ---- when the disk says no ---- */

/* Behind the batch that holds the disk: four that put "b", of which the third conflicts. */
static void
commit_failing_group(struct fixture *fixture, enum disk_failure failure,
		     struct caller callers[static 4])
{
	struct caller first = {0};

	hold_disk(fixture, &first);
	fixture->disk.fail_at = fixture->disk.arrived + 1;
	fixture->disk.failure = failure;
	for (int i = 0; i < 4; i++) {
		callers[i] = (struct caller){.batch = store_batch_new()};
		store_batch_put(callers[i].batch, "b", bytes_of("new"));
		store_batch_append(callers[i].batch, "tag", bytes_of("entry"));
		if (i == 2) /* there is one only if the first of this group is durable */
			store_batch_expect(callers[i].batch, "b", 0);
		queue_up(fixture, &callers[i]);
	}
	disk_open_gate(&fixture->disk);
	caller_join(&first);
	assert_int_equal(first.status, STORE_OK);
	for (int i = 0; i < 4; i++)
		caller_join(&callers[i]);
}

static void
a_refused_group_fails_whole(void **state)
{
	struct fixture *fixture = *state;
	struct caller callers[4];
	uint64_t number;
	uint8_t hash[32];

	commit_failing_group(fixture, DISK_REFUSES, callers);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(callers[i].status, STORE_SPACE);
		assert_string_equal(callers[i].err.message, "the disk is full");
	}
	assert_string_equal(text_of(fixture->store, "b"), "-");
	store_log_head(fixture->store, &number, hash);
	assert_int_equal(number, 1);
	uint64_t revision = must_put(fixture->store, "c", "goes on");
	commit_failing_group(fixture, DISK_WORKS, callers);
	for (int i = 0; i < 4; i++)
		assert_int_equal(callers[i].status, i == 2 ? STORE_CONFLICT : STORE_OK);
	store_log_head(fixture->store, &number, hash);
	assert_int_equal(number, 5);
	fixture_reopen(fixture);
	assert_true(must_put(fixture->store, "c", "again") > revision);
}

/* The writes are durable and the answer was an error: the next commit must not give their numbers
 * twice. */
static void
a_lost_answer_is_found_out(void **state)
{
	struct fixture *fixture = *state;
	struct caller callers[4];
	uint64_t number;
	uint8_t hash[32];
	int seen = 0;

	commit_failing_group(fixture, DISK_LOSES_ANSWER, callers);
	for (int i = 0; i < 4; i++)
		assert_int_equal(callers[i].status, STORE_IO);
	commit_failing_group(fixture, DISK_WORKS, callers);
	store_log_head(fixture->store, &number, hash);
	assert_int_equal(number, 1 + 3 + 1 + 3);
	assert_int_equal(store_log_read(fixture->store, 1, see_entry, &seen, NULL), STORE_OK);
	assert_int_equal(seen, 8);
	fixture_reopen(fixture);
}

static void
another_broker_is_waited_for_but_not_for_ever(void **state)
{
	struct fixture *fixture = *state;
	struct store_batch *batch = store_batch_new();
	const struct {
		unsigned conflicts;
		enum store_status want;
	} cases[] = {{1, STORE_OK}, {15, STORE_OK}, {16, STORE_IO}, {0, STORE_OK}};

	store_batch_put(batch, "a", bytes_of("v"));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		fixture->disk.conflicts = cases[i].conflicts;
		assert_int_equal(store_commit(fixture->store, batch, NULL), cases[i].want);
		assert_int_equal(fixture->disk.conflicts, 0);
	}
	store_batch_free(batch);
	fixture_reopen(fixture);
}

/* ---- many threads, no gate ---- */

struct worker {
	pthread_t thread;
	struct store *store;
	int id;
	uint64_t numbers[BATCHES];
	int failures;
	int conflicts;
};

static void *
append_many(void *user)
{
	struct worker *worker = user;

	for (int i = 0; i < BATCHES; i++) {
		struct store_batch *batch = store_batch_new();
		char text[32];
		snprintf(text, sizeof text, "w/%d/%d", worker->id, i);
		store_batch_put(batch, text, bytes_of(text));
		store_batch_append(batch, worker->id % 2 ? "odd" : "even", bytes_of(text));
		if (store_commit(worker->store, batch, NULL) != STORE_OK)
			worker->failures++;
		worker->numbers[i] = store_batch_number(batch);
		store_batch_free(batch);
	}
	return NULL;
}

struct seen_log {
	uint64_t next;
	char entries[BATCHES_TOTAL + 1][32];
};

static bool
keep_entry(void *user, const struct store_log_entry *entry)
{
	struct seen_log *seen = user;

	assert_int_equal(entry->number, ++seen->next);
	assert_true(seen->next <= BATCHES_TOTAL && entry->entry.size < 32);
	memcpy(seen->entries[seen->next], entry->entry.data, entry->entry.size);
	return true;
}

static void
numbers_have_no_gaps_and_commits_are_shared(void **state)
{
	struct fixture *fixture = *state;
	static struct worker workers[THREADS];
	static struct seen_log seen;
	unsigned arrived = fixture->disk.arrived;
	int tagged = 0;

	memset(workers, 0, sizeof workers);
	memset(&seen, 0, sizeof seen);
	fixture->disk.delay_us = 1000; /* a disk, not a cache */
	for (int i = 0; i < THREADS; i++) {
		workers[i].store = fixture->store;
		workers[i].id = i;
		pthread_create(&workers[i].thread, NULL, append_many, &workers[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].failures, 0);
	}
	assert_int_equal(store_log_read(fixture->store, 1, keep_entry, &seen, NULL), STORE_OK);
	assert_int_equal(seen.next, BATCHES_TOTAL);
	for (int i = 0; i < THREADS; i++) {
		for (int j = 0; j < BATCHES; j++) {
			char text[32];
			snprintf(text, sizeof text, "w/%d/%d", i, j);
			assert_string_equal(seen.entries[workers[i].numbers[j]], text);
			assert_string_equal(text_of(fixture->store, text), text);
		}
	}
	assert_int_equal(
		store_log_tagged(fixture->store, "odd", BATCHES_TOTAL, see_entry, &tagged, NULL),
		STORE_OK);
	assert_int_equal(tagged, BATCHES_TOTAL / 2);
	fixture_reopen(fixture);
	assert_true(fixture->disk.arrived - arrived <= BATCHES_TOTAL / 4);
}

/* Read, add one, and commit if nobody else did: no increment may be lost. */
static void *
increment_many(void *user)
{
	struct worker *worker = user;

	for (int done = 0; done < BATCHES;) {
		auto_secret *value = secret_new(16);
		uint64_t revision = 0;
		char text[17] = "";
		if (!value ||
		    store_get_into(worker->store, "counter", value, &revision, NULL) != STORE_OK)
			break;
		memcpy(text, value->bytes, value->size);
		text[value->size] = 0;
		snprintf(text, sizeof text, "%d", atoi(text) + 1);
		struct store_batch *batch = store_batch_new();
		store_batch_expect(batch, "counter", revision);
		store_batch_put(batch, "counter", bytes_of(text));
		enum store_status status = store_commit(worker->store, batch, NULL);
		store_batch_free(batch);
		if (status == STORE_OK)
			done++;
		else if (status == STORE_CONFLICT)
			worker->conflicts++;
		else
			worker->failures++;
		if (worker->failures > 0)
			break;
	}
	return NULL;
}

static void
no_increment_is_lost(void **state)
{
	struct fixture *fixture = *state;
	struct worker workers[4];
	char want[16];
	int conflicts = 0;

	must_put(fixture->store, "counter", "0");
	fixture->disk.delay_us =
		300; /* long enough for the others to read what is about to change */
	for (int i = 0; i < 4; i++) {
		workers[i] = (struct worker){.store = fixture->store, .id = i};
		pthread_create(&workers[i].thread, NULL, increment_many, &workers[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].failures, 0);
		conflicts += workers[i].conflicts;
	}
	snprintf(want, sizeof want, "%d", 4 * BATCHES);
	assert_string_equal(text_of(fixture->store, "counter"), want);
	fixture_reopen(fixture);
	assert_true(conflicts > 0); /* else the threads never met, and this proves nothing */
}

/* All put and delete the same few records, so that groups hold many changes of each: the head's
 * digest has to come out right for the store to open again. */
static void *
change_many(void *user)
{
	struct worker *worker = user;

	for (int i = 0; i < BATCHES; i++) {
		struct store_batch *batch = store_batch_new();
		char key[16], value[16];
		snprintf(key, sizeof key, "shared/%d", (worker->id + i) % 3);
		snprintf(value, sizeof value, "%d", i);
		if (i % 4 == 3)
			store_batch_delete(batch, key);
		else
			store_batch_put(batch, key, bytes_of(value));
		if (i % 5 == 0) /* mostly stale */
			store_batch_expect(batch, key, (uint64_t)(i / 5) + 1);
		enum store_status status = store_commit(worker->store, batch, NULL);
		store_batch_free(batch);
		worker->conflicts += status == STORE_CONFLICT;
		worker->failures += status != STORE_OK && status != STORE_CONFLICT;
	}
	return NULL;
}

static void
what_many_threads_change_opens_again(void **state)
{
	struct fixture *fixture = *state;
	static struct worker workers[THREADS];
	unsigned arrived = fixture->disk.arrived;
	int conflicts = 0;

	memset(workers, 0, sizeof workers);
	fixture->disk.delay_us = 300;
	for (int i = 0; i < THREADS; i++) {
		workers[i].store = fixture->store;
		workers[i].id = i;
		pthread_create(&workers[i].thread, NULL, change_many, &workers[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].failures, 0);
		conflicts += workers[i].conflicts;
	}
	assert_true(conflicts > 0);
	assert_true(fixture->disk.arrived - arrived < BATCHES_TOTAL); /* there were groups */
	fixture_reopen(fixture);
}

/* Readers all the while, with values that make the small map grow under them. */
struct churn {
	struct store *store;
	bool stop; /* by __atomic */
	int failures;
};

static void *
read_many(void *user)
{
	struct churn *churn = user;
	auto_secret *value = secret_new(64 * 1024);

	while (value && !__atomic_load_n(&churn->stop, __ATOMIC_ACQUIRE)) {
		uint64_t revision = 0;
		if (store_get_into(churn->store, "a", value, &revision, NULL) != STORE_OK ||
		    value->size != 64 * 1024 || value->bytes[0] != value->bytes[value->size - 1])
			__atomic_add_fetch(&churn->failures, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void
the_map_grows_under_readers(void **state)
{
	struct fixture *fixture = *state;
	struct churn churn = {.store = fixture->store};
	static uint8_t bytes[64 * 1024];
	pthread_t readers[3];

	for (int i = 0; i < 200; i++) {
		struct store_batch *batch = store_batch_new();
		char key[16];
		snprintf(key, sizeof key, "k/%d", i);
		memset(bytes, i, sizeof bytes);
		store_batch_put(batch, "a", (struct store_bytes){bytes, sizeof bytes});
		store_batch_put(batch, key, (struct store_bytes){bytes, sizeof bytes});
		assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
		store_batch_free(batch);
		if (i == 0)
			for (int j = 0; j < 3; j++)
				pthread_create(&readers[j], NULL, read_many, &churn);
	}
	__atomic_store_n(&churn.stop, true, __ATOMIC_RELEASE);
	for (int j = 0; j < 3; j++)
		pthread_join(readers[j], NULL);
	assert_int_equal(churn.failures, 0);
	fixture_reopen(fixture);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_EACH_BACKEND(those_who_wait_share_one_transaction),
		ON_EACH_BACKEND(a_conflict_does_not_fail_the_others),
		ON_EACH_BACKEND(a_group_is_judged_in_order),
		ON_EACH_BACKEND(readers_do_not_wait_for_a_writer),
		ON_EACH_BACKEND(a_refused_group_fails_whole),
		ON_EACH_BACKEND(a_lost_answer_is_found_out),
		ON_EACH_BACKEND(another_broker_is_waited_for_but_not_for_ever),
		ON_EACH_BACKEND(numbers_have_no_gaps_and_commits_are_shared),
		ON_EACH_BACKEND(no_increment_is_lost),
		ON_EACH_BACKEND(what_many_threads_change_opens_again),
		ON_EACH_BACKEND(the_map_grows_under_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
