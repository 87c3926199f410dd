/* SPDX-License-Identifier: Apache-2.0 */
/* A creation is killed in the middle (for a store that is there already: crash.c), and the power
 * fails after an answer: what was not synced is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "by_hand.h"
#include "store/upkeep.h"

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* ---- the power fails ---- */

static void
cut_power(struct fixture *fixture)
{
	fixture_close(fixture);
	memory_map_cut_power(fixture->map);
}

static enum store_status
drop(struct store *store, const char *key)
{
	struct store_batch *batch = store_batch_new();

	store_batch_delete(batch, key);
	enum store_status status = store_commit(store, batch, NULL);
	store_batch_free(batch);
	return status;
}

static uint64_t
slot_of(struct fixture *fixture, const char *key)
{
	const struct lying record = load(fixture, key);
	const int at = strcmp(key, "m/header") == 0 ? 4 + 16 + 4 + 4 : 4;

	assert_int_not_equal(record.revision, 0);
	return number_at(record.body.bytes + at, 8);
}

static bool
is_erased(struct fixture *fixture, uint64_t slot)
{
	static const uint8_t zeros[BACKEND_SLOT_SIZE];
	uint8_t bytes[BACKEND_SLOT_SIZE];

	load_slot(fixture, slot, bytes);
	return memcmp(bytes, zeros, sizeof zeros) == 0;
}

/* More than are filled at one time. */
static void
what_was_put_outlives_the_power(void **state)
{
	struct fixture *fixture = *state;
	char key[16];

	cut_power(fixture); /* after its creation */
	for (int i = 0; i < 5000; i++) {
		if (!fixture->store)
			fixture_reopen(fixture);
		snprintf(key, sizeof key, "s/%d", i);
		must_put_erasable(fixture->store, key, key);
		if (i % 500 == 0 || i == 4999) {
			cut_power(fixture);
			fixture_reopen(fixture);
			assert_string_equal(text_of(fixture->store, key), key);
		}
	}
	assert_string_equal(text_of(fixture->store, "s/0"), "s/0");
}

static void
what_was_erased_stays_so(void **state)
{
	struct fixture *fixture = *state;

	must_put_erasable(fixture->store, "deleted", "1");
	must_put_erasable(fixture->store, "replaced", "2");
	const uint64_t deleted = slot_of(fixture, "r/deleted");
	const uint64_t replaced = slot_of(fixture, "r/replaced");
	assert_int_equal(drop(fixture->store, "deleted"), STORE_OK);
	must_put_erasable(fixture->store, "replaced", "3");
	cut_power(fixture);
	assert_true(is_erased(fixture, deleted) && is_erased(fixture, replaced));
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "replaced"), "3");
}

/* The answer was that it is not known, and then the power failed: unsealing erases, and syncs. */
static void
what_was_to_be_erased_is_so_after_unsealing(void **state)
{
	struct fixture *fixture = *state;
	const struct memory_fault fails = {MEMORY_SLOTS_SYNC, 1, true, STORE_IO};
	const struct memory_fault none = {0};

	must_put_erasable(fixture->store, "deleted", "1");
	const uint64_t slot = slot_of(fixture, "r/deleted");
	memory_map_fail(fixture->map, &fails);
	assert_int_equal(drop(fixture->store, "deleted"), STORE_UNSURE);
	memory_map_fail(fixture->map, &none);
	cut_power(fixture);
	assert_false(is_erased(fixture, slot));
	fixture_reopen(fixture);
	cut_power(fixture);
	assert_true(is_erased(fixture, slot));
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "deleted"), "-");
}

static void
changed_keys_outlive_the_power(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t first = slot_of(fixture, "m/header");
	auto_secret *next = fixture_key(7);

	must_put_erasable(fixture->store, "a", "1");
	assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	const uint64_t second = slot_of(fixture, "m/header");
	cut_power(fixture);
	assert_true(is_erased(fixture, first) && !is_erased(fixture, second));
	fixture_reopen(fixture);
	assert_int_equal(store_rekey(fixture->store, next, (struct store_bytes){0}, NULL),
			 STORE_OK);
	cut_power(fixture);
	assert_true(is_erased(fixture, second));
	assert_int_equal(fixture_open_with(fixture, next, NULL), STORE_OK);
	assert_string_equal(text_of(fixture->store, "a"), "1");
}

/* What a commit that failed has sealed may lie somewhere on the disk. */
static void
a_slot_of_a_failed_commit_is_filled_anew(void **state)
{
	struct fixture *fixture = *state;
	uint8_t tried[BACKEND_SLOT_SIZE], given[BACKEND_SLOT_SIZE];

	must_put_erasable(fixture->store, "a", "1");
	const uint64_t next = slot_of(fixture, "r/a") + 1;
	load_slot(fixture, next, tried);
	struct store_batch *batch = store_batch_new();
	store_batch_put_erasable(batch, "b", bytes_of("2"));
	fixture->disk.failure = DISK_REFUSES;
	fixture->disk.fail_at = fixture->disk.arrived + 1;
	assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_SPACE);
	store_batch_free(batch);
	must_put_erasable(fixture->store, "b", "3");
	assert_int_equal(slot_of(fixture, "r/b"), next);
	load_slot(fixture, next, given);
	assert_memory_not_equal(given, tried, sizeof given);
	cut_power(fixture);
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "b"), "3");
}

/* Under zeros it would be known to all who have the data key. */
static void
a_slot_that_was_emptied_is_not_given_out(void **state)
{
	struct fixture *fixture = *state;
	static const uint8_t zeros[BACKEND_SLOT_SIZE];
	struct store_batch *batch = store_batch_new();
	struct store_error err = {0};

	must_put_erasable(fixture->store, "a", "1");
	save_slot(fixture, slot_of(fixture, "r/a") + 1, zeros);
	store_batch_put_erasable(batch, "b", bytes_of("2"));
	assert_int_equal(store_commit(fixture->store, batch, &err), STORE_IO);
	assert_non_null(strstr(err.message, "is empty: the file was changed"));
	assert_int_equal(store_commit(fixture->store, batch, &err), STORE_OK);
	assert_string_equal(text_of(fixture->store, "b"), "2");
	store_batch_free(batch);
}

#define IN_MEMORY(test)                                                                            \
	cmocka_unit_test_setup_teardown(test, fixture_setup_memory, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(creation_is_whole_or_nothing, setup_path,
						fixture_teardown),
		IN_MEMORY(what_was_put_outlives_the_power),
		IN_MEMORY(what_was_erased_stays_so),
		IN_MEMORY(what_was_to_be_erased_is_so_after_unsealing),
		IN_MEMORY(changed_keys_outlive_the_power),
		IN_MEMORY(a_slot_of_a_failed_commit_is_filled_anew),
		IN_MEMORY(a_slot_that_was_emptied_is_not_given_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
