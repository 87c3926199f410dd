/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer is killed in the middle of its work, again and again. What it was told is durable is
 * there, whole; what it was not told is there whole or not at all. (The machine's memory outlives
 * the kill: that LMDB also flushes is seen in its system calls, not here.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS	      50
#define WRITERS	      4
#define PARTS	      3	   /* records of one batch */
#define BATCHES_ROUND 4000 /* of one writer: more than it has time for */

struct acknowledged {
	uint32_t writer;
	uint32_t batch;
};

/* ---- the child ---- */

struct writer {
	pthread_t thread;
	struct store *store;
	uint32_t id;
	uint32_t round;
	int acknowledgements;
};

static void *
write_batches(void *user)
{
	struct writer *writer = user;

	for (uint32_t i = 0; i < BATCHES_ROUND; i++) {
		const struct acknowledged done = {writer->id, writer->round * BATCHES_ROUND + i};
		struct store_batch *batch = store_batch_new();
		char key[64], value[64];
		for (int part = 0; part < PARTS; part++) {
			snprintf(key, sizeof key, "%d/%u/%08u", part, done.writer, done.batch);
			snprintf(value, sizeof value, "value of %u/%08u", done.writer, done.batch);
			store_batch_put(batch, key, bytes_of(value));
		}
		snprintf(value, sizeof value, "%u/%08u", done.writer, done.batch);
		store_batch_append(batch, "writer", bytes_of(value));
		if (store_commit(writer->store, batch, NULL) != STORE_OK)
			_exit(3);
		store_batch_free(batch);
		if (write(writer->acknowledgements, &done, sizeof done) != sizeof done)
			_exit(4);
	}
	return NULL;
}

/* Never returns: it is killed, or has written all there is. */
static void
be_the_writer(const struct fixture *fixture, uint32_t round, int acknowledgements)
{
	struct writer writers[WRITERS];
	struct store *store = NULL;

	if (store_open(fixture->path, fixture->root_key, &store, NULL) != STORE_OK)
		_exit(2);
	for (uint32_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){.store = store,
					     .id = i,
					     .round = round,
					     .acknowledgements = acknowledgements};
		pthread_create(&writers[i].thread, NULL, write_batches, &writers[i]);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	_exit(0);
}

/* ---- the parent ---- */

struct tally {
	struct store *store;
	uint64_t batches; /* found whole */
	uint64_t entries;
};

static void
must_be_there(struct store *store, const struct acknowledged *done)
{
	char key[64], want[64];

	snprintf(want, sizeof want, "value of %u/%08u", done->writer, done->batch);
	for (int part = 0; part < PARTS; part++) {
		snprintf(key, sizeof key, "%d/%u/%08u", part, done->writer, done->batch);
		assert_string_equal(text_of(store, key), want);
	}
}

static bool
check_parts(void *user, const char *key, uint64_t revision)
{
	struct tally *tally = user;
	struct acknowledged found;

	(void)revision;
	assert_int_equal(sscanf(key, "0/%u/%u", &found.writer, &found.batch), 2);
	must_be_there(tally->store, &found);
	tally->batches++;
	return true;
}

static bool
count_key(void *user, const char *key, uint64_t revision)
{
	(void)key;
	(void)revision;
	++*(uint64_t *)user;
	return true;
}

static bool
check_entry(void *user, const struct store_log_entry *entry)
{
	struct tally *tally = user;
	char key[64];

	assert_true(entry->entry.size < 32);
	snprintf(key, sizeof key, "0/%.*s", (int)entry->entry.size,
		 (const char *)entry->entry.data);
	assert_string_not_equal(text_of(tally->store, key), "-");
	tally->entries++;
	return true;
}

/* Reads what was acknowledged until the pipe is at its end; checks it in the store. */
static size_t
check_acknowledged(int acknowledgements, struct store *store)
{
	struct acknowledged done;
	size_t count = 0;

	while (read(acknowledgements, &done, sizeof done) == sizeof done) {
		must_be_there(store, &done);
		count++;
	}
	return count;
}

static void
check_whole(struct store *store, uint64_t *ret_batches)
{
	struct tally tally = {.store = store};
	uint64_t last_parts = 0, head;
	uint8_t hash[32];

	assert_int_equal(store_list(store, "0/", NULL, check_parts, &tally, NULL), STORE_OK);
	assert_int_equal(store_list(store, "2/", NULL, count_key, &last_parts, NULL), STORE_OK);
	assert_int_equal(last_parts, tally.batches);
	assert_int_equal(store_log_read(store, 1, check_entry, &tally, NULL), STORE_OK);
	assert_int_equal(tally.entries, tally.batches);
	store_log_head(store, &head, hash);
	assert_int_equal(head, tally.batches);
	*ret_batches = tally.batches;
}

static int
start_writer(struct fixture *fixture, uint32_t round, pid_t *ret_child)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ends[0]);
		be_the_writer(fixture, round, ends[1]);
	}
	close(ends[1]);
	*ret_child = child;
	return ends[0];
}

static void
acknowledged_batches_survive_a_kill(void **state)
{
	struct fixture *fixture = *state;
	uint64_t acknowledged = 0, batches = 0;
	unsigned killed = 0;

	assert_int_equal(
		store_create(fixture->path, fixture->root_key, (struct store_bytes){0}, NULL),
		STORE_OK);
	srandom(20240229); /* when each is killed; what it does then is chance enough */
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct store_error err = {0};
		struct store *store = NULL;
		pid_t child;
		int status, end = start_writer(fixture, round, &child);
		/* Every other one is killed at work, the rest perhaps as they open. */
		struct acknowledged first = {0};
		bool at_work = round % 2 == 1;
		if (at_work)
			assert_int_equal(read(end, &first, sizeof first), sizeof first);
		usleep((useconds_t)(random() % 20000));
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		killed += WIFSIGNALED(status);
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		if (store_open(fixture->path, fixture->root_key, &store, &err) != STORE_OK)
			fail_msg("round %u: %s", round, err.message);
		if (at_work)
			must_be_there(store, &first);
		acknowledged += at_work + check_acknowledged(end, store);
		check_whole(store, &batches);
		store_close(store);
		close(end);
	}
	assert_true(batches >= acknowledged);
	assert_true(killed > ROUNDS / 2); /* else it was not killed in the middle */
	assert_true(acknowledged >= ROUNDS / 2);
	print_message("%u killed, %llu acknowledged, %llu found\n", killed,
		      (unsigned long long)acknowledged, (unsigned long long)batches);
}

static int
setup_path(void **state)
{
	*state = fixture_new(FIXTURE_LMDB);
	return 0;
}

/* A creation that is killed leaves a store or none, and creating again settles it. */
static void
creation_is_whole_or_nothing(void **state)
{
	struct fixture *fixture = *state;

	for (int round = 0; round < 20; round++) {
		struct store *store = NULL;
		int status;
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			_exit((int)store_create(fixture->path, fixture->root_key,
						(struct store_bytes){0}, NULL));
		usleep((useconds_t)round * 100);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		enum store_status opened =
			store_open(fixture->path, fixture->root_key, &store, NULL);
		enum store_status wanted = opened == STORE_OK ? STORE_EXISTS : STORE_OK;
		assert_true(opened == STORE_OK || opened == STORE_MISSING);
		store_close(store);
		assert_int_equal(store_create(fixture->path, fixture->root_key,
					      (struct store_bytes){0}, NULL),
				 wanted);
		fixture_free(fixture);
		fixture = fixture_new(FIXTURE_LMDB);
		*state = fixture;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(acknowledged_batches_survive_a_kill, setup_path,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(creation_is_whole_or_nothing, setup_path,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
