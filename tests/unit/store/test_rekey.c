/* SPDX-License-Identifier: Apache-2.0 */
/* Another root key and note in one commit; and a store that is sealed. */
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
put_erasable(struct store *store, const char *key, const char *value)
{
	struct store_batch *batch = store_batch_new();

	store_batch_put_erasable(batch, key, bytes_of(value));
	store_batch_append(batch, "tag", bytes_of(value));
	assert_int_equal(store_commit(store, batch, NULL), STORE_OK);
	store_batch_free(batch);
}

static void
note_must_be(struct store *store, const char *want)
{
	uint8_t note[STORE_NOTE_MAX];
	size_t size = 0;
	struct store_error err = {0};

	if (store_note(store, note, &size, &err) != STORE_OK)
		fail_msg("note: %s", err.message);
	assert_int_equal(size, strlen(want));
	assert_memory_equal(note, want, size);
}

/* ---- another root key ---- */

static const char *const untouched[] = {"r/a", "r/e", "l/0000000000000001",
					"t/tag/0000000000000001"};
#define UNTOUCHED (sizeof untouched / sizeof untouched[0])

static void
the_old_key_is_refused_and_no_record_is_touched(void **state)
{
	struct fixture *fixture = *state;
	struct lying before[UNTOUCHED];
	auto_secret *new_key = fixture_key(0x77);
	struct store_error err = {0};

	must_put(fixture->store, "a", "plain");
	put_erasable(fixture->store, "e", "erasable");
	fixture_close(fixture);
	for (size_t i = 0; i < UNTOUCHED; i++)
		before[i] = load(fixture, untouched[i]);
	fixture_reopen(fixture);
	note_must_be(fixture->store, "");
	assert_int_equal(store_try_key(fixture->store, fixture->root_key, NULL), STORE_OK);
	assert_int_equal(store_try_key(fixture->store, new_key, NULL), STORE_KEY);
	assert_int_equal(store_rekey(fixture->store, new_key, bytes_of("new shares"), &err),
			 STORE_OK);
	note_must_be(fixture->store, "new shares");
	assert_int_equal(store_try_key(fixture->store, fixture->root_key, NULL), STORE_KEY);
	assert_int_equal(store_try_key(fixture->store, new_key, NULL), STORE_OK);
	assert_string_equal(text_of(fixture->store, "e"), "erasable");
	fixture_close(fixture);
	for (size_t i = 0; i < UNTOUCHED; i++) {
		const struct lying after = load(fixture, untouched[i]);
		assert_true(after.revision == before[i].revision);
		assert_int_equal(after.body.size, before[i].body.size);
		assert_memory_equal(after.body.bytes, before[i].body.bytes, after.body.size);
	}
	assert_int_equal(fixture_open_with(fixture, fixture->root_key, &err), STORE_KEY);
	assert_int_equal(fixture_open_with(fixture, new_key, &err), STORE_OK);
	note_must_be(fixture->store, "new shares");
	assert_string_equal(text_of(fixture->store, "a"), "plain");
	assert_string_equal(text_of(fixture->store, "e"), "erasable");
	must_put(fixture->store, "a", "goes on");
}

/* The old header and the old wrapped keys, which LMDB's free pages keep, with the old root key. */
static void
what_the_old_key_opened_it_opens_no_more(void **state)
{
	struct fixture *fixture = *state;
	auto_secret *new_key = fixture_key(0x77);
	struct by_hand hand;
	uint8_t key[32];

	fixture_close(fixture);
	const struct lying header = load(fixture, "m/header"), set = load(fixture, "m/key/set"),
			   wrapped = load(fixture, "m/key/00000001");
	assert_true(by_hand_begin(fixture, fixture->root_key, &header, &hand));
	assert_true(by_hand_unwrap(&hand, &wrapped, 1, key));
	fixture_reopen(fixture);
	assert_int_equal(store_rekey(fixture->store, new_key, (struct store_bytes){0}, NULL),
			 STORE_OK);
	fixture_close(fixture);
	assert_true(by_hand_begin(fixture, fixture->root_key, &header, &hand));
	assert_false(by_hand_unwrap(&hand, &wrapped, 1, key));
	assert_false(by_hand_unwrap(&hand, &set, 0, key));
	/* Put back into the file they are of no more use. */
	save(fixture, &header);
	save(fixture, &wrapped);
	save(fixture, &set);
	assert_int_not_equal(fixture_open_with(fixture, fixture->root_key, NULL), STORE_OK);
	assert_int_not_equal(fixture_open_with(fixture, new_key, NULL), STORE_OK);
}

static void
what_cannot_be_is_refused(void **state)
{
	struct fixture *fixture = *state;
	static const uint8_t long_note[STORE_NOTE_MAX + 1] = {1};
	auto_secret *short_key = secret_new(STORE_ROOT_KEY_SIZE - 1), *key = fixture_key(0x77);
	uint8_t note[STORE_NOTE_MAX];
	size_t size;

	assert_int_equal(store_rekey(fixture->store, short_key, (struct store_bytes){0}, NULL),
			 STORE_KEY);
	assert_int_equal(store_rekey(fixture->store, key,
				     (struct store_bytes){long_note, sizeof long_note}, NULL),
			 STORE_LIMIT);
	assert_int_equal(store_try_key(fixture->store, short_key, NULL), STORE_KEY);
	assert_int_equal(store_rekey(fixture->store, key,
				     (struct store_bytes){long_note, STORE_NOTE_MAX}, NULL),
			 STORE_OK);
	fixture_close(fixture);
	assert_int_equal(fixture_open_with(fixture, key, NULL), STORE_OK);
	assert_int_equal(store_note(fixture->store, note, &size, NULL), STORE_OK);
	assert_int_equal(size, STORE_NOTE_MAX);
	assert_memory_equal(note, long_note, size);
}

/* Either key, and never both or neither; in memory what is in the file. */
static void
a_failure_leaves_one_key_in_force(void **state)
{
	const struct {
		enum disk_failure failure;
		bool new_key_holds;
	} cases[] = {{DISK_REFUSES, false}, {DISK_LOSES_ANSWER, true}};
	struct fixture *fixture = *state;
	auto_secret *new_key = fixture_key(0x77);

	must_put(fixture->store, "a", "value");
	for (size_t i = 0; i < 2; i++) {
		fixture->disk.failure = cases[i].failure;
		fixture->disk.fail_at = fixture->disk.arrived + 1;
		assert_int_not_equal(store_rekey(fixture->store, new_key, bytes_of("n"), NULL),
				     STORE_OK);
		assert_string_equal(text_of(fixture->store, "a"), "value");
		if (!cases[i].new_key_holds) {
			note_must_be(fixture->store, "");
			must_put(fixture->store, "a", "value");
		} else {
			/* Only whoever unseals it anew has the new keys. */
			struct store_batch *batch = store_batch_new();
			store_batch_put(batch, "a", bytes_of("never"));
			assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_KEY);
			store_batch_free(batch);
		}
		fixture_close(fixture);
		assert_int_equal(fixture_open_with(fixture, new_key, NULL),
				 cases[i].new_key_holds ? STORE_OK : STORE_KEY);
		if (!cases[i].new_key_holds)
			fixture_reopen(fixture);
		assert_string_equal(text_of(fixture->store, "a"), "value");
	}
}

#define KILLS 20

static void
rekey_for_ever(struct fixture *fixture, const struct secret *one, const struct secret *other)
{
	if (fixture_open_with(fixture, one, NULL) != STORE_OK &&
	    fixture_open_with(fixture, other, NULL) != STORE_OK)
		_exit(1);
	for (unsigned i = 0;; i++) {
		const struct secret *key = i % 2 ? one : other;
		const char *note = i % 2 ? "one" : "other";
		if (store_rekey(fixture->store, key, bytes_of(note), NULL) != STORE_OK)
			_exit(2);
	}
}

static void
a_kill_leaves_one_key_in_force(void **state)
{
	struct fixture *fixture = *state;
	auto_secret *other = fixture_key(0x77);

	put_erasable(fixture->store, "e", "value");
	fixture_close(fixture);
	for (int i = 0; i < KILLS; i++) {
		int status;
		pid_t pid = fork();
		if (pid == 0)
			rekey_for_ever(fixture, fixture->root_key, other);
		assert_true(pid > 0);
		usleep(2000 + randombytes_uniform(20000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		bool one = fixture_open_with(fixture, fixture->root_key, NULL) == STORE_OK;
		if (!one)
			assert_int_equal(fixture_open_with(fixture, other, NULL), STORE_OK);
		if (i > 0 && !one)
			note_must_be(fixture->store, "other");
		assert_string_equal(text_of(fixture->store, "e"), "value");
		const struct secret *not_it = one ? other : fixture->root_key;
		assert_int_equal(store_try_key(fixture->store, not_it, NULL), STORE_KEY);
		fixture_close(fixture);
	}
}

/* ---- a header or a wrapped key put back ---- */

static void
a_header_that_is_put_back_is_noticed(void **state)
{
	const char *names[] = {"m/header", "m/key/set", "m/key/00000001"};
	struct fixture *fixture = *state;
	struct lying old[3], new[3];
	struct store_error err = {0};
	uint8_t slot[32], zeros[32] = {0};

	fixture_close(fixture);
	load_slot(fixture, 0, slot);
	for (size_t i = 0; i < 3; i++)
		old[i] = load(fixture, names[i]);
	fixture_reopen(fixture);
	assert_int_equal(store_rekey(fixture->store, fixture->root_key, bytes_of("new"), NULL),
			 STORE_OK);
	fixture_close(fixture);
	for (size_t i = 0; i < 3; i++)
		new[i] = load(fixture, names[i]);
	for (unsigned which = 1; which < 8; which++) {
		for (size_t i = 0; i < 3; i++)
			save(fixture, which >> i & 1 ? &old[i] : &new[i]);
		assert_int_equal(fixture_open_with(fixture, fixture->root_key, &err),
				 STORE_TAMPERED);
	}
	/* The last left all old ones there: with their slot only the head can tell. */
	save_slot(fixture, 0, slot);
	assert_int_equal(fixture_open_with(fixture, fixture->root_key, &err), STORE_TAMPERED);
	assert_non_null(strstr(err.message, "m/header: was put back"));
	save_slot(fixture, 0, zeros);
	for (size_t i = 0; i < 3; i++)
		save(fixture, &new[i]);
	fixture_reopen(fixture);
}

/* ---- sealed ---- */

static bool
never_visited(void *user, const char *key, uint64_t revision)
{
	(void)user;
	(void)key;
	(void)revision;
	fail_msg("visited");
	return false;
}

static bool
never_read(void *user, const struct store_log_entry *entry)
{
	(void)user;
	(void)entry;
	fail_msg("read");
	return false;
}

static void
all_must_be_sealed(struct store *store, const struct secret *key)
{
	struct secret *value = NULL;
	auto_secret *into = secret_new(64);
	struct store_batch *batch = store_batch_new();
	struct store_rotation rotation = {.done = 7};
	uint64_t revision = 7;
	uint8_t hash[STORE_HASH_SIZE], zeros[STORE_HASH_SIZE] = {0};

	store_batch_put(batch, "a", bytes_of("never"));
	assert_int_equal(store_get(store, "a", &value, &revision, NULL), STORE_SEALED);
	assert_int_equal(store_get_into(store, "a", into, &revision, NULL), STORE_SEALED);
	assert_int_equal(store_list(store, "", NULL, never_visited, NULL, NULL), STORE_SEALED);
	assert_int_equal(store_commit(store, batch, NULL), STORE_SEALED);
	assert_int_equal(store_log_read(store, 1, never_read, NULL, NULL), STORE_SEALED);
	assert_int_equal(store_log_tagged(store, "tag", 9, never_read, NULL, NULL), STORE_SEALED);
	assert_int_equal(store_rekey(store, key, bytes_of("n"), NULL), STORE_SEALED);
	assert_int_equal(store_rotate(store, NULL), STORE_SEALED);
	assert_int_equal(store_reseal(store, 9, &rotation, NULL), STORE_SEALED);
	assert_true(revision == 7 && rotation.done == 7 && !value);
	assert_true(store_revision(store) == 0);
	store_log_head(store, &revision, hash);
	assert_true(revision == 0);
	assert_memory_equal(hash, zeros, sizeof zeros);
	store_rotation(store, &rotation);
	assert_int_equal(rotation.generation, 0);
	store_batch_free(batch);
}

static void
a_sealed_store_answers_its_note_and_tries_keys(void **state)
{
	struct fixture *fixture = *state;
	auto_secret *wrong = fixture_key(0x77);
	struct store *store = NULL;
	struct store_error err = {0};

	put_erasable(fixture->store, "a", "value");
	assert_int_equal(store_rekey(fixture->store, fixture->root_key, bytes_of("note"), NULL),
			 STORE_OK);
	fixture_close(fixture);
	assert_int_equal(store_attach_on(fixture_open_backend(fixture), &store, &err), STORE_OK);
	for (int i = 0; i < 2; i++) {
		all_must_be_sealed(store, wrong);
		note_must_be(store, "note");
		assert_int_equal(store_try_key(store, wrong, NULL), STORE_KEY);
		assert_int_equal(store_try_key(store, fixture->root_key, NULL), STORE_OK);
		assert_int_equal(store_unseal(store, wrong, &err), STORE_KEY);
	}
	assert_int_equal(store_unseal(store, fixture->root_key, &err), STORE_OK);
	assert_string_equal(text_of(store, "a"), "value");
	note_must_be(store, "note");
	/* Again: nothing happens, and another key is still another. */
	assert_int_equal(store_unseal(store, fixture->root_key, NULL), STORE_OK);
	assert_int_equal(store_unseal(store, wrong, NULL), STORE_KEY);
	must_put(store, "a", "goes on");
	store_close(store);
}

/* An unsealing that fails half way leaves no key behind, and can be tried again. */
static void
a_failed_unsealing_leaves_the_store_sealed(void **state)
{
	const char *spoilt[] = {"m/head", "m/key/00000001", "m/key/set", "l/0000000000000001",
				"r/a"};
	struct fixture *fixture = *state;

	put_erasable(fixture->store, "a", "value");
	fixture_close(fixture);
	for (size_t i = 0; i < sizeof spoilt / sizeof spoilt[0]; i++) {
		const struct lying good = load(fixture, spoilt[i]);
		struct lying bad = good;
		struct store *store = NULL;
		bad.body.bytes[5] ^= 1; /* of a record: its slot */
		save(fixture, &bad);
		assert_int_equal(store_attach_on(fixture_open_backend(fixture), &store, NULL),
				 STORE_OK);
		assert_int_equal(store_unseal(store, fixture->root_key, NULL), STORE_TAMPERED);
		all_must_be_sealed(store, fixture->root_key);
		assert_null(store->keyring.keys);
		store_close(store);
		save(fixture, &good);
	}
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "a"), "value");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_EACH_BACKEND(the_old_key_is_refused_and_no_record_is_touched),
		ON_EACH_BACKEND(what_the_old_key_opened_it_opens_no_more),
		ON_EACH_BACKEND(what_cannot_be_is_refused),
		ON_EACH_BACKEND(a_failure_leaves_one_key_in_force),
		ON_EACH_BACKEND(a_header_that_is_put_back_is_noticed),
		ON_EACH_BACKEND(a_sealed_store_answers_its_note_and_tries_keys),
		ON_EACH_BACKEND(a_failed_unsealing_leaves_the_store_sealed),
		cmocka_unit_test_setup_teardown(a_kill_leaves_one_key_in_force, fixture_setup_lmdb,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
