/* SPDX-License-Identifier: Apache-2.0 */
/* A new data key under readers, writers, failures and kills: every record is readable at each
 * moment, and in the end none is under an older key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "by_hand.h"
#include "store/state.h"

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
append(struct store *store, const char *entry)
{
	struct store_batch *batch = store_batch_new();

	store_batch_append(batch, "tag", bytes_of(entry));
	assert_int_equal(store_commit(store, batch, NULL), STORE_OK);
	store_batch_free(batch);
}

static struct store_rotation
now(struct store *store)
{
	struct store_rotation rotation;

	store_rotation(store, &rotation);
	return rotation;
}

/* Until there is one generation; bounded. */
static void
reseal_all(struct store *store, size_t count)
{
	struct store_error err = {0};
	struct store_rotation rotation = {0};

	for (int i = 0; i < 100000; i++) {
		if (store_reseal(store, count, &rotation, &err) != STORE_OK)
			fail_msg("re-sealing: %s", err.message);
		if (rotation.oldest == rotation.generation)
			return;
	}
	fail_msg("no end: %llu of %llu", (unsigned long long)rotation.done,
		 (unsigned long long)rotation.total);
}

static uint32_t
generation_of(struct fixture *fixture, const char *name)
{
	const struct lying record = load(fixture, name);

	return (uint32_t)number_at(record.body.bytes, 4);
}

/* ---- one thread ---- */

static void
records_keep_their_revisions_and_change_their_generation(void **state)
{
	struct fixture *fixture = *state;
	uint64_t revision = must_put(fixture->store, "a", "plain");
	must_put_erasable(fixture->store, "e", "erasable");
	const uint64_t erasable = store_revision(fixture->store) - 1;
	uint64_t got;
	auto_secret *value = NULL, *other = NULL;

	append(fixture->store, "entry");
	assert_int_equal(now(fixture->store).generation, 1);
	assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	assert_int_equal(now(fixture->store).generation, 2);
	assert_int_equal(now(fixture->store).oldest, 1);
	must_put(fixture->store, "b", "new");
	reseal_all(fixture->store, 2);
	assert_int_equal(now(fixture->store).oldest, 2);
	assert_int_equal(store_get(fixture->store, "a", &value, &got, NULL), STORE_OK);
	assert_true(got == revision);
	assert_int_equal(store_get(fixture->store, "e", &other, &got, NULL), STORE_OK);
	assert_true(got == erasable);
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "a"), "plain");
	assert_string_equal(text_of(fixture->store, "e"), "erasable");
	assert_string_equal(text_of(fixture->store, "b"), "new");
	fixture_close(fixture);
	assert_int_equal(generation_of(fixture, "r/a"), 2);
	assert_int_equal(generation_of(fixture, "r/b"), 2);
	assert_int_equal(generation_of(fixture, "r/e"), 2);
	assert_int_equal(generation_of(fixture, "l/0000000000000001"), 2);
	assert_int_equal(generation_of(fixture, "m/head"), 2);
	assert_int_equal(load(fixture, "m/key/00000001").revision, 0);
}

static void
progress_is_told_and_ends(void **state)
{
	struct fixture *fixture = *state;
	struct store_rotation rotation = {0};
	char key[32];
	uint64_t before = 0;

	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "key/%03d", i);
		must_put(fixture->store, key, "value");
	}
	for (int i = 0; i < 20; i++)
		append(fixture->store, "entry");
	assert_int_equal(store_reseal(fixture->store, 7, &rotation, NULL), STORE_OK);
	assert_int_equal(rotation.total, 0); /* there is nothing to do */
	assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	for (;;) {
		assert_int_equal(store_reseal(fixture->store, 7, &rotation, NULL), STORE_OK);
		assert_int_equal(rotation.total, 120);
		assert_in_range(rotation.done, before, before + 7);
		before = rotation.done;
		if (rotation.oldest == rotation.generation)
			break;
	}
	assert_int_equal(rotation.done, 120);
}

static void
several_rotations_before_anything_is_re_sealed(void **state)
{
	struct fixture *fixture = *state;
	struct store_error err = {0};
	char key[32];

	for (int i = 1; i < GENERATIONS_LIVE; i++) {
		snprintf(key, sizeof key, "of/%02d", i);
		must_put(fixture->store, key, key);
		assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	}
	assert_int_equal(store_rotate(fixture->store, &err), STORE_LIMIT);
	assert_int_equal(now(fixture->store).generation, GENERATIONS_LIVE);
	fixture_reopen(fixture);
	for (int round = 0; round < 3; round++) {
		for (int i = 1; i < GENERATIONS_LIVE; i++) {
			snprintf(key, sizeof key, "of/%02d", i);
			assert_string_equal(text_of(fixture->store, key), key);
		}
		reseal_all(fixture->store, 64);
		if (round > 0)
			fixture_reopen(fixture);
	}
	/* The ring goes round. */
	for (int i = 0; i < 2 * GENERATIONS_LIVE; i++) {
		assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
		reseal_all(fixture->store, 64);
	}
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "of/01"), "of/01");
	assert_int_equal(now(fixture->store).oldest, 3 * GENERATIONS_LIVE);
}

static void
a_rotation_in_the_middle_of_a_pass(void **state)
{
	struct fixture *fixture = *state;
	struct store_rotation rotation;

	must_put(fixture->store, "a", "first");
	must_put(fixture->store, "b", "first");
	assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	assert_int_equal(store_reseal(fixture->store, 1, &rotation, NULL), STORE_OK);
	assert_int_equal(store_reseal(fixture->store, 1, &rotation, NULL), STORE_OK);
	assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	reseal_all(fixture->store, 1);
	fixture_close(fixture);
	assert_int_equal(generation_of(fixture, "r/a"), 3);
	assert_int_equal(generation_of(fixture, "r/b"), 3);
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "a"), "first");
}

/* It stays where it is, under a key that stays; all others go on. */
static void
a_record_that_does_not_open_obstructs_only_itself(void **state)
{
	struct fixture *fixture = *state;
	struct store_rotation rotation;
	struct store_error err = {0};
	int refusals = 0;

	must_put(fixture->store, "a", "value-a");
	must_put(fixture->store, "b", "value-b");
	must_put(fixture->store, "c", "value-c");
	fixture_close(fixture);
	const struct lying good = load(fixture, "r/b");
	struct lying bad = good;
	bad.body.bytes[40] ^= 1;
	save(fixture, &bad);
	fixture_reopen(fixture);
	assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	for (int i = 0; i < 20; i++) {
		enum store_status status = store_reseal(fixture->store, 2, &rotation, &err);
		if (status != STORE_OK) {
			assert_int_equal(status, STORE_TAMPERED);
			assert_non_null(strstr(err.message, "r/b"));
			refusals++;
		}
	}
	assert_in_range(refusals, 2, 10); /* each pass says so anew */
	assert_int_equal(now(fixture->store).oldest, 1);
	fixture_close(fixture);
	assert_int_equal(generation_of(fixture, "r/a"), 2);
	assert_int_equal(generation_of(fixture, "r/c"), 2);
	save(fixture, &good);
	fixture_reopen(fixture);
	reseal_all(fixture->store, 2);
	assert_string_equal(text_of(fixture->store, "b"), "value-b");
}

/* What the file still holds of the older key, in LMDB's free pages, opens no more: not even with
 * the root key. */
static void
a_retired_key_is_gone_for_good(void **state)
{
	struct fixture *fixture = *state;
	struct by_hand hand;
	uint8_t key[32];

	must_put(fixture->store, "a", "value");
	fixture_close(fixture);
	const struct lying header = load(fixture, "m/header"),
			   wrapped = load(fixture, "m/key/00000001");
	assert_true(by_hand_begin(fixture, fixture->root_key, &header, &hand));
	assert_true(by_hand_unwrap(&hand, &wrapped, 1, key));
	fixture_reopen(fixture);
	assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	reseal_all(fixture->store, 9);
	fixture_close(fixture);
	assert_true(by_hand_begin(fixture, fixture->root_key, &header, &hand));
	assert_false(by_hand_unwrap(&hand, &wrapped, 1, key));
	const struct lying new_header = load(fixture, "m/header");
	assert_true(by_hand_begin(fixture, fixture->root_key, &new_header, &hand));
	assert_false(by_hand_unwrap(&hand, &wrapped, 1, key));
}

/* ---- a disk that fails ---- */

static void
may_put(struct store *store, const char *key, const char *value)
{
	struct store_batch *batch = store_batch_new();

	store_batch_put(batch, key, bytes_of(value));
	(void)!store_commit(store, batch, NULL);
	store_batch_free(batch);
}

/* At whichever commit of the whole rotation: what is in memory is what is in the file. */
static void
each_commit_fails_once(void **state)
{
	const enum disk_failure failures[] = {DISK_REFUSES, DISK_LOSES_ANSWER};
	struct fixture *fixture = *state;
	struct store_rotation rotation;
	char key[32];

	for (int i = 0; i < 6; i++) {
		snprintf(key, sizeof key, "k%d", i);
		must_put(fixture->store, key, key);
		must_put_erasable(fixture->store, key + 1, key);
	}
	for (unsigned at = 1; at < 24; at++) {
		fixture->disk.failure = failures[at % 2];
		fixture->disk.fail_at = fixture->disk.arrived + (at + 1) / 2;
		(void)!store_rotate(fixture->store, NULL);
		for (int i = 0; i < 100; i++) {
			(void)!store_reseal(fixture->store, 3, &rotation, NULL);
			may_put(fixture->store, "between", "commits");
			assert_string_equal(text_of(fixture->store, "k0"), "k0");
			assert_string_equal(text_of(fixture->store, "5"), "k5");
			store_rotation(fixture->store, &rotation);
			if (rotation.oldest == rotation.generation)
				break;
		}
		assert_int_equal(rotation.oldest, rotation.generation);
		fixture_reopen(fixture);
		for (int i = 0; i < 6; i++) {
			snprintf(key, sizeof key, "k%d", i);
			assert_string_equal(text_of(fixture->store, key), key);
			assert_string_equal(text_of(fixture->store, key + 1), key);
		}
	}
}

/* ---- a reader whose view is outdated ---- */

static void *
replace_it(void *user)
{
	struct fixture *fixture = user;

	must_put_erasable(fixture->store, "e", "new");
	return NULL;
}

static void *
retire_its_key(void *user)
{
	struct fixture *fixture = user;

	assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	reseal_all(fixture->store, 9);
	return NULL;
}

static void *(*meanwhile)(void *);

/* In another thread: none holds two views. */
static void
do_meanwhile(void *user)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, meanwhile, user), 0);
	pthread_join(thread, NULL);
}

/* Between its view of the record and the reading of its slot. */
static void
a_reader_that_is_overtaken_reads_again(void **state)
{
	void *(*const acts[])(void *) = {replace_it, retire_its_key};
	struct fixture *fixture = *state;
	struct store_error err = {0};
	uint64_t revision;

	for (size_t i = 0; i < 2; i++) {
		auto_secret *value = NULL;
		must_put_erasable(fixture->store, "e", "old");
		meanwhile = acts[i];
		fixture->disk.user = fixture;
		fixture->disk.before_slot_read = do_meanwhile;
		if (store_get(fixture->store, "e", &value, &revision, &err) != STORE_OK)
			fail_msg("act %zu: %s", i, err.message);
		assert_int_equal(err.status, STORE_OK);
		assert_int_equal(value->size, 3);
		assert_memory_equal(value->bytes, i == 0 ? "new" : "old", 3);
	}
}

/* ---- many threads ---- */

#define THREADS	  16
#define KEYS	  64
#define ROTATIONS 6

struct worker {
	struct fixture *fixture;
	unsigned number;
	atomic_bool *stop;
	struct store_error failure;
};

static void
key_of(unsigned writer, unsigned i, char key[32])
{
	snprintf(key, 32, "w%02u/%02u", writer, i % (KEYS / 8));
}

/* Each value is its own key, so that any reader knows what it must find. */
static void *
write_on(void *user)
{
	struct worker *worker = user;
	struct store_batch *batch = store_batch_new();
	char key[32];

	for (unsigned i = 0; !atomic_load(worker->stop) && worker->failure.status == STORE_OK;
	     i++) {
		key_of(worker->number, i, key);
		store_batch_clear(batch);
		if (i % 3 == 0)
			store_batch_put(batch, key, bytes_of(key));
		else
			store_batch_put_erasable(batch, key, bytes_of(key));
		if (i % 5 == 0)
			store_batch_append(batch, NULL, bytes_of(key));
		(void)!store_commit(worker->fixture->store, batch, &worker->failure);
	}
	store_batch_free(batch);
	return NULL;
}

static bool
is_whole(void *user, const struct store_log_entry *entry)
{
	(void)user;
	return entry->entry.size > 0;
}

static void
read_one(struct worker *worker, unsigned i, struct secret *into)
{
	struct store *store = worker->fixture->store;
	uint64_t revision;
	char key[32];

	key_of(i % 8, i / 8, key);
	enum store_status status = store_get_into(store, key, into, &revision, &worker->failure);
	if (status == STORE_MISSING)
		worker->failure.status = STORE_OK;
	else if (status == STORE_OK &&
		 (into->size != strlen(key) || memcmp(into->bytes, key, into->size) != 0))
		store_fail(&worker->failure, STORE_TAMPERED, "%s: another value", key);
}

static void *
read_on(void *user)
{
	struct worker *worker = user;
	struct secret *into = secret_new(64);

	for (unsigned i = worker->number; !atomic_load(worker->stop); i++) {
		read_one(worker, i, into);
		usleep(20); /* the memory backend's lock prefers readers */
		if (worker->failure.status == STORE_OK && i % 97 == 0)
			(void)!store_log_read(worker->fixture->store, 1, is_whole, NULL,
					      &worker->failure);
		if (worker->failure.status != STORE_OK)
			break;
	}
	secret_free(into);
	return NULL;
}

static void
every_record_is_readable_at_each_moment(void **state)
{
	struct fixture *fixture = *state;
	struct worker workers[THREADS] = {0};
	pthread_t threads[THREADS];
	atomic_bool stop = false;

	append(fixture->store, "first");
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.fixture = fixture, .number = i, .stop = &stop};
		assert_int_equal(
			pthread_create(&threads[i], NULL, i < 8 ? write_on : read_on, &workers[i]),
			0);
	}
	for (int i = 0; i < ROTATIONS; i++) {
		assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
		reseal_all(fixture->store, 8);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		if (workers[i].failure.status != STORE_OK)
			fail_msg("thread %u: %s", i, workers[i].failure.message);
	}
	assert_int_equal(now(fixture->store).oldest, 1 + ROTATIONS);
	fixture_reopen(fixture);
	for (unsigned i = 0; i < KEYS; i++) {
		char key[32];
		const char *text;
		key_of(i % 8, i / 8, key);
		text = text_of(fixture->store, key);
		assert_true(strcmp(text, "-") == 0 || strcmp(text, key) == 0);
	}
}

static void *
retire_the_first(void *user)
{
	struct keyring *keyring = user;
	auto_keyring_change change = {0};

	if (store_keyring_prepare(keyring, &change, NULL) != STORE_OK)
		abort();
	change.header.oldest = 2;
	store_keyring_adopt(keyring, &change);
	return NULL;
}

/* Whoever reads under a key has it until he lets go; then it is wiped. */
static void
a_key_in_use_is_wiped_later(void **state)
{
	struct fixture *fixture = *state;
	struct keyring *keyring = &fixture->store->keyring;
	uint8_t before[KEY_SIZE], zeros[KEY_SIZE] = {0};
	uint32_t side;
	pthread_t retiring;

	assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	for (int i = 0; i < 2; i++) { /* whichever side he has come by */
		atomic_store(&keyring->oldest, 1);
		memset(data_key_of(keyring->keys, 1), 'k', KEY_SIZE);
		const uint8_t *key = store_keyring_hold(keyring, 1, &side);
		memcpy(before, key, sizeof before);
		assert_int_equal(pthread_create(&retiring, NULL, retire_the_first, keyring), 0);
		while (atomic_load(&keyring->oldest) == 1)
			usleep(100);
		usleep(20000);
		assert_memory_equal(key, before, sizeof before);
		store_keyring_release(keyring, side);
		pthread_join(retiring, NULL);
		assert_memory_equal(key, zeros, sizeof zeros);
		assert_null(store_keyring_hold(keyring, 1, &side));
		store_keyring_release(keyring, side);
		atomic_store(&keyring->side, 1);
	}
}

/* ---- kills ---- */

#define KILLS	24
#define RECORDS 60

/* Rotates for ever, on an open store of its own. */
static void
rotate_for_ever(struct fixture *fixture)
{
	struct store_rotation rotation;
	char key[32];

	if (fixture_open_with(fixture, fixture->root_key, NULL) != STORE_OK)
		_exit(1);
	for (unsigned i = 0;; i++) {
		store_rotation(fixture->store, &rotation);
		if (rotation.oldest == rotation.generation &&
		    store_rotate(fixture->store, NULL) != STORE_OK)
			_exit(2);
		if (store_reseal(fixture->store, 5, &rotation, NULL) != STORE_OK)
			_exit(3);
		snprintf(key, sizeof key, "%u", i % 8);
		must_put_erasable(fixture->store, key, key);
	}
}

static void
a_killed_rotation_goes_on(void **state)
{
	struct fixture *fixture = *state;
	char key[32];
	uint32_t generation = 1;

	for (int i = 0; i < RECORDS; i++) {
		snprintf(key, sizeof key, "record/%02d", i);
		must_put_erasable(fixture->store, key, key);
	}
	fixture_close(fixture);
	for (unsigned i = 0; i < KILLS; i++) {
		pid_t pid = fork();
		if (pid == 0)
			rotate_for_ever(fixture);
		assert_true(pid > 0);
		usleep(3000 + randombytes_uniform(30000));
		kill(pid, SIGKILL);
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		fixture_reopen(fixture);
		for (int j = 0; j < RECORDS; j++) {
			snprintf(key, sizeof key, "record/%02d", j);
			assert_string_equal(text_of(fixture->store, key), key);
		}
		assert_true(now(fixture->store).generation >= generation);
		generation = now(fixture->store).generation;
		if (i % 4 == 3)
			reseal_all(fixture->store, 64);
		fixture_close(fixture);
	}
	assert_true(generation > 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_EACH_BACKEND(records_keep_their_revisions_and_change_their_generation),
		ON_EACH_BACKEND(progress_is_told_and_ends),
		ON_EACH_BACKEND(several_rotations_before_anything_is_re_sealed),
		ON_EACH_BACKEND(a_rotation_in_the_middle_of_a_pass),
		ON_EACH_BACKEND(a_record_that_does_not_open_obstructs_only_itself),
		ON_EACH_BACKEND(a_retired_key_is_gone_for_good),
		ON_EACH_BACKEND(each_commit_fails_once),
		ON_EACH_BACKEND(a_key_in_use_is_wiped_later),
		ON_EACH_BACKEND(every_record_is_readable_at_each_moment),
		/* The other backend's views keep writers away. */
		cmocka_unit_test_setup_teardown(a_reader_that_is_overtaken_reads_again,
						fixture_setup_lmdb, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_killed_rotation_goes_on, fixture_setup_lmdb,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
