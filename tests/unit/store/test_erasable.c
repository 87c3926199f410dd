/* SPDX-License-Identifier: Apache-2.0 */
/* What was deleted or replaced cannot be read by one who has the files, with what LMDB keeps in its
 * free pages, and the root key; what was not can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "by_hand.h"
#include "store/state.h"
#include "store/upkeep.h"

#include <cmocka.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum act { PUT, PUT_ERASABLE, DELETE };

static enum store_status
commit(struct store *store, enum act act, const char *key, const char *value,
       struct store_error *err)
{
	struct store_batch *batch = store_batch_new();

	if (act == PUT)
		store_batch_put(batch, key, bytes_of(value));
	else if (act == PUT_ERASABLE)
		store_batch_put_erasable(batch, key, bytes_of(value));
	else
		store_batch_delete(batch, key);
	enum store_status status = store_commit(store, batch, err);
	store_batch_free(batch);
	return status;
}

static void
must(struct fixture *fixture, enum act act, const char *key, const char *value)
{
	struct store_error err = {0};

	if (commit(fixture->store, act, key, value, &err) != STORE_OK)
		fail_msg("%s: %s", key, err.message);
}

/* A record that lay in the file once, opened with all that is there now: root key, wrapped keys,
 * and whatever is in its slot. */
static bool
can_be_read(struct fixture *fixture, const struct lying *record)
{
	const struct lying header = load(fixture, "m/header");
	struct by_hand hand;
	uint8_t data_key[32], slot_bytes[32] = {0};
	struct buffer value;
	char name[32];
	uint32_t generation = (uint32_t)number_at(record->body.bytes, 4);

	assert_true(by_hand_begin(fixture, fixture->root_key, &header, &hand));
	snprintf(name, sizeof name, "m/key/%08x", generation);
	const struct lying wrapped = load(fixture, name);
	assert_true(by_hand_unwrap(&hand, &wrapped, generation, data_key));
	if (number_at(record->body.bytes + 4, 8) != UINT64_MAX)
		load_slot(fixture, number_at(record->body.bytes + 4, 8), slot_bytes);
	return by_hand_unseal(data_key, record, slot_bytes, &value);
}

/* LMDB does not clean up behind itself. */
static bool
file_holds(const struct fixture *fixture, const struct buffer *bytes)
{
	char path[128];
	static uint8_t file[4 * 1024 * 1024];

	snprintf(path, sizeof path, "%s/data.mdb", fixture->path);
	int fd = open(path, O_RDONLY);
	ssize_t size = read(fd, file, sizeof file);
	close(fd);
	assert_true(size > 0 && (size_t)size < sizeof file);
	return memmem(file, (size_t)size, bytes->bytes, bytes->size) != NULL;
}

static struct lying
put_and_load(struct fixture *fixture, enum act act, const char *value)
{
	must(fixture, act, "e", value);
	fixture_close(fixture);
	const struct lying record = load(fixture, "r/e");
	assert_true(can_be_read(fixture, &record));
	fixture_reopen(fixture);
	return record;
}

static void
what_was_deleted_or_replaced_is_gone(void **state)
{
	const struct {
		const char *name;
		enum act first;
		enum act then;
		bool readable;
	} cases[] = {
		{"erasable, deleted", PUT_ERASABLE, DELETE, false},
		{"erasable, replaced by its like", PUT_ERASABLE, PUT_ERASABLE, false},
		{"erasable, replaced by a plain one", PUT_ERASABLE, PUT, false},
		/* So that we know that the above is not for another reason. */
		{"plain, deleted", PUT, DELETE, true},
		{"plain, replaced by an erasable one", PUT, PUT_ERASABLE, true},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct lying record = put_and_load(fixture, cases[i].first, "the old value");
		must(fixture, cases[i].then, "e", "the new value");
		fixture_close(fixture);
		if (fixture->kind == FIXTURE_LMDB && !file_holds(fixture, &record.body))
			fail_msg("%s: nothing shown, it is not there", cases[i].name);
		if (can_be_read(fixture, &record) != cases[i].readable)
			fail_msg("%s", cases[i].name);
		fixture_reopen(fixture);
		assert_string_equal(text_of(fixture->store, "e"),
				    cases[i].then == DELETE ? "-" : "the new value");
	}
}

/* Sealed under two generations, of which the older stays in the free pages: one slot for both. */
static void
re_sealing_leaves_nothing_behind(void **state)
{
	struct fixture *fixture = *state;
	struct store_rotation rotation;

	const struct lying first = put_and_load(fixture, PUT_ERASABLE, "value");
	assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	/* Log, records; the older key stays as long as the pass has not ended. */
	assert_int_equal(store_reseal(fixture->store, 1, &rotation, NULL), STORE_OK);
	assert_int_equal(store_reseal(fixture->store, 1, &rotation, NULL), STORE_OK);
	assert_int_equal(rotation.oldest, 1);
	fixture_close(fixture);
	const struct lying second = load(fixture, "r/e");
	assert_int_equal(number_at(second.body.bytes, 4), 2);
	assert_true(can_be_read(fixture, &first));
	assert_true(can_be_read(fixture, &second));
	fixture_reopen(fixture);
	must(fixture, DELETE, "e", NULL);
	fixture_close(fixture);
	assert_false(can_be_read(fixture, &first));
	assert_false(can_be_read(fixture, &second));
}

static void
batches_of_one_group_and_one_batch_with_both(void **state)
{
	struct fixture *fixture = *state;
	struct store_batch *batch = store_batch_new();

	const struct lying first = put_and_load(fixture, PUT_ERASABLE, "first");
	store_batch_put_erasable(batch, "e", bytes_of("second"));
	store_batch_put_erasable(batch, "e", bytes_of("third"));
	store_batch_put_erasable(batch, "f", bytes_of("other"));
	assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
	store_batch_free(batch);
	assert_string_equal(text_of(fixture->store, "e"), "third");
	assert_string_equal(text_of(fixture->store, "f"), "other");
	fixture_close(fixture);
	assert_false(can_be_read(fixture, &first));
	uint8_t second[32], zeros[32] = {0};
	const struct lying third = load(fixture, "r/e");
	load_slot(fixture, number_at(third.body.bytes + 4, 8) - 1, second);
	assert_memory_equal(second, zeros, 32);
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "e"), "third");
}

/* A refused batch must not erase what it would have replaced. */
static void
a_batch_that_fails_erases_nothing(void **state)
{
	const enum disk_failure failures[] = {DISK_WORKS, DISK_REFUSES};
	struct fixture *fixture = *state;

	must(fixture, PUT_ERASABLE, "e", "value");
	for (size_t i = 0; i < 2; i++) {
		struct store_batch *batch = store_batch_new();
		fixture->disk.failure = failures[i];
		fixture->disk.fail_at = fixture->disk.arrived + 1;
		if (failures[i] == DISK_WORKS)
			store_batch_expect(batch, "e", 99999);
		store_batch_delete(batch, "e");
		store_batch_put_erasable(batch, "f", bytes_of("never"));
		assert_int_not_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
		store_batch_free(batch);
		assert_string_equal(text_of(fixture->store, "e"), "value");
		must(fixture, PUT_ERASABLE, "g", "next");
		assert_string_equal(text_of(fixture->store, "g"), "next");
		assert_string_equal(text_of(fixture->store, "f"), "-");
		fixture_reopen(fixture);
		assert_string_equal(text_of(fixture->store, "e"), "value");
		assert_string_equal(text_of(fixture->store, "g"), "next");
	}
}

/* Written, and the answer lost: the store finds out, and erases with its next commit. */
static void
a_lost_answer_erases_later(void **state)
{
	struct fixture *fixture = *state;

	const struct lying old = put_and_load(fixture, PUT_ERASABLE, "value");
	fixture->disk.failure = DISK_LOSES_ANSWER;
	fixture->disk.fail_at = fixture->disk.arrived + 1;
	assert_int_not_equal(commit(fixture->store, PUT_ERASABLE, "e", "new", NULL), STORE_OK);
	must(fixture, PUT_ERASABLE, "f", "other");
	assert_string_equal(text_of(fixture->store, "e"), "new");
	assert_string_equal(text_of(fixture->store, "f"), "other");
	fixture_close(fixture);
	assert_false(can_be_read(fixture, &old));
	assert_int_equal(load(fixture, "x/0000000000000080").body.size, 32);
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "e"), "new");
	assert_string_equal(text_of(fixture->store, "f"), "other");
}

/* The crash between commit and erasure, as far as the files can tell. Nobody has been told that the
 * old value is gone; the next unsealing makes it so, before it answers. */
static void
an_erasure_that_did_not_happen_happens_at_the_next_unsealing(void **state)
{
	struct fixture *fixture = *state;
	struct store_error err = {0};

	const struct lying old = put_and_load(fixture, PUT_ERASABLE, "value");
	must(fixture, PUT, "else", "is not concerned");
	fixture->disk.slots_fail = true;
	assert_int_equal(commit(fixture->store, DELETE, "e", NULL, &err), STORE_UNSURE);
	assert_non_null(strstr(err.message, "not erased yet"));
	must(fixture, PUT, "else", "goes on");
	fixture_close(fixture);
	assert_true(can_be_read(fixture, &old));
	assert_int_equal(fixture_open_with(fixture, fixture->root_key, &err), STORE_READONLY);
	fixture->disk.slots_fail = false;
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "e"), "-");
	fixture_close(fixture);
	assert_false(can_be_read(fixture, &old));
}

static void
an_erasure_that_failed_is_made_up_for_by_the_next_commit(void **state)
{
	struct fixture *fixture = *state;

	const struct lying old = put_and_load(fixture, PUT_ERASABLE, "value");
	must(fixture, PUT_ERASABLE, "f", "takes a slot from those that are filled");
	fixture->disk.slots_fail = true;
	assert_int_equal(commit(fixture->store, PUT, "e", "new", NULL), STORE_UNSURE);
	fixture->disk.slots_fail = false;
	must(fixture, PUT, "a", "b");
	must(fixture, PUT, "a", "c");
	fixture_close(fixture);
	assert_false(can_be_read(fixture, &old));
	assert_int_equal(load(fixture, "x/0000000000000080").revision, 0);
}

/* What is not the store's own word is not obeyed: neither a slot that lives, nor that of the keys.
 */
static void
nobody_else_has_a_slot_erased(void **state)
{
	struct fixture *fixture = *state;
	const char *names[] = {"x/0000000000000080", "x/0000000000000000", "x/80", "x/z"};
	struct store_error err = {0};

	must(fixture, PUT_ERASABLE, "e", "value");
	must(fixture, PUT_ERASABLE, "f", "value");
	must(fixture, DELETE, "f", NULL);
	fixture_close(fixture);
	const struct lying genuine = load(fixture, "x/0000000000000081");
	assert_int_equal(genuine.body.size, 32);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct lying forged = genuine;
		snprintf(forged.key, sizeof forged.key, "%s", names[i]);
		save(fixture, &forged);
		assert_int_equal(fixture_open_with(fixture, fixture->root_key, &err),
				 STORE_TAMPERED);
		assert_non_null(strstr(err.message, names[i]));
		forged.revision = forged.body.size = 0;
		save(fixture, &forged);
	}
	for (size_t bit = 0; bit < genuine.body.size * 8; bit++) {
		struct lying forged = genuine;
		forged.body.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		save(fixture, &forged);
		assert_int_equal(fixture_open_with(fixture, fixture->root_key, NULL),
				 STORE_TAMPERED);
	}
	save(fixture, &genuine);
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "e"), "value");
}

static void
every_bit_of_a_slot_counts(void **state)
{
	struct fixture *fixture = *state;
	uint8_t good[32], other[32];
	struct secret *got = NULL;
	uint64_t revision;

	must(fixture, PUT_ERASABLE, "e", "value-e");
	must(fixture, PUT_ERASABLE, "f", "value-f");
	fixture_close(fixture);
	load_slot(fixture, 128, good);
	load_slot(fixture, 129, other);
	for (size_t bit = 0; bit <= 256; bit++) {
		uint8_t bad[32];
		memcpy(bad, bit == 256 ? other : good, 32);
		if (bit < 256)
			bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		save_slot(fixture, 128, bad);
		fixture_reopen(fixture);
		assert_int_equal(store_get(fixture->store, "e", &got, &revision, NULL),
				 STORE_TAMPERED);
		assert_string_equal(text_of(fixture->store, "f"), "value-f");
		fixture_close(fixture);
	}
	save_slot(fixture, 128, good);
	load_slot(fixture, 0, good); /* the keys' */
	good[9] ^= 16;
	save_slot(fixture, 0, good);
	assert_int_equal(fixture_open_with(fixture, fixture->root_key, NULL), STORE_TAMPERED);
	good[9] ^= 16;
	save_slot(fixture, 0, good);
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "e"), "value-e");
}

/* The place of a slot in a record: told at the unsealing, before a deletion believes it. */
static void
a_record_that_names_another_slot_is_noticed(void **state)
{
	const uint64_t slots[] = {0, 129, 130, 1u << 30, UINT64_MAX - 1, UINT64_MAX};
	struct fixture *fixture = *state;

	must(fixture, PUT_ERASABLE, "e", "value-e");
	must(fixture, PUT_ERASABLE, "f", "value-f");
	fixture_close(fixture);
	const struct lying good = load(fixture, "r/e");
	for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
		struct lying bad = good;
		struct buffer slot = {0};
		add_number(&slot, slots[i], 8);
		memcpy(bad.body.bytes + 4, slot.bytes, 8);
		save(fixture, &bad);
		assert_int_equal(fixture_open_with(fixture, fixture->root_key, NULL),
				 STORE_TAMPERED);
	}
	save(fixture, &good);
	fixture_reopen(fixture);
}

/* Told by nobody while the store is open: but our own keys are not lost by it. */
static void
no_record_has_the_keys_slot_erased(void **state)
{
	struct fixture *fixture = *state;
	const struct backend_expect expect = {"never", 0};
	uint8_t before[32], after[32];

	must(fixture, PUT_ERASABLE, "e", "value");
	fixture_close(fixture);
	struct lying record = load(fixture, "r/e");
	load_slot(fixture, 0, before); /* the keys' */
	memset(record.body.bytes + 4, 0, 8);
	fixture_reopen(fixture);
	struct backend *backend = fixture->store->backend;
	const struct backend_write write = {.key = record.key,
					    .revision = record.revision,
					    .body = {record.body.bytes, record.body.size}};
	assert_int_equal(backend->class->apply(backend, &expect, &write, 1, NULL), STORE_OK);
	must(fixture, DELETE, "e", NULL);
	fixture_close(fixture);
	load_slot(fixture, 0, after);
	assert_memory_equal(after, before, sizeof after);
}

/* More than one chunk of them, and again after a start. */
static void
slots_are_never_given_twice(void **state)
{
	struct fixture *fixture = *state;
	uint64_t next = 128;
	char key[16];

	for (int round = 0; round < 20; round++) {
		struct store_batch *batch = store_batch_new();
		for (int i = 0; i < 250; i++) {
			snprintf(key, sizeof key, "%d", i);
			store_batch_put_erasable(batch, key, bytes_of(key));
		}
		assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
		store_batch_free(batch);
		if (round % 7 == 0)
			fixture_reopen(fixture);
	}
	fixture_close(fixture);
	next += 20 * 250;
	assert_int_equal(number_at(load(fixture, "r/249").body.bytes + 4, 8), next - 1);
	assert_int_equal(number_at(load(fixture, "r/0").body.bytes + 4, 8), next - 250);
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "77"), "77");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_EACH_BACKEND(what_was_deleted_or_replaced_is_gone),
		ON_EACH_BACKEND(re_sealing_leaves_nothing_behind),
		ON_EACH_BACKEND(batches_of_one_group_and_one_batch_with_both),
		ON_EACH_BACKEND(a_batch_that_fails_erases_nothing),
		ON_EACH_BACKEND(a_lost_answer_erases_later),
		ON_EACH_BACKEND(an_erasure_that_did_not_happen_happens_at_the_next_unsealing),
		ON_EACH_BACKEND(an_erasure_that_failed_is_made_up_for_by_the_next_commit),
		ON_EACH_BACKEND(nobody_else_has_a_slot_erased),
		ON_EACH_BACKEND(every_bit_of_a_slot_counts),
		ON_EACH_BACKEND(a_record_that_names_another_slot_is_noticed),
		ON_EACH_BACKEND(no_record_has_the_keys_slot_erased),
		ON_EACH_BACKEND(slots_are_never_given_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
