/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing but a whole backup is restored, and nothing is left of what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "store/state.h"
#include "store/stream.h"
#include "tape.h"

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a damaged backup ---- */

static void
no_part_of_a_backup_is_restored(void **state)
{
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	auto_place place = place_new();
	struct store_error err = {0};

	populate(fixture->store);
	must_back_up(fixture, &tape);
	for (size_t end = 1; end < tape.size; end++) {
		tape.end = end;
		assert_int_equal(restore_as(fixture, fixture->root_key, &tape, &place, &err),
				 STORE_TAMPERED);
		must_not_be(&place);
	}
	tape.end = SIZE_MAX;
	tape.bytes[tape.size++] = 0;
	assert_int_equal(restore_as(fixture, fixture->root_key, &tape, &place, &err),
			 STORE_TAMPERED);
	must_not_be(&place);
	tape.size = 0;
	assert_int_equal(restore_as(fixture, fixture->root_key, &tape, &place, &err),
			 STORE_TAMPERED);
}

static void
no_changed_backup_is_restored(void **state)
{
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	auto_place place = place_new();
	struct store_error err = {0};

	populate(fixture->store);
	must_back_up(fixture, &tape);
	for (size_t bit = 0; bit < 8 * tape.size; bit++) {
		const bool names_key =
			bit / 8 >= 20 && bit / 8 < 20 + STORE_ID_SIZE + HEADER_CHECK_SIZE;
		tape.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		err = (struct store_error){0};
		enum store_status status =
			restore_as(fixture, fixture->root_key, &tape, &place, &err);
		if (status != (names_key ? STORE_KEY : STORE_TAMPERED))
			fail_msg("bit %zu: %d, %s", bit, status, err.message);
		assert_true(err.message[0] != 0);
		must_not_be(&place);
		tape.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	must_restore(fixture, &tape, &place);
}

/* Begun, and then something is wrong: what was made is removed. */
static void
nothing_is_left_of_a_restore_that_fails_late(void **state)
{
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	auto_place place = place_new();
	struct store_error err = {0};
	static char value[60000];

	memset(value, 'v', sizeof value - 1);
	for (int i = 0; i < 100; i++) { /* three chunks */
		char key[16];
		snprintf(key, sizeof key, "k/%d", i);
		struct store_batch *batch = store_batch_new();
		store_batch_put(batch, key, bytes_of(value));
		must_commit(fixture->store, batch);
	}
	must_back_up(fixture, &tape);
	for (unsigned i = 1; i <= 20; i++) {
		size_t at = tape.size - tape.size / 2 / i;
		tape.bytes[at - 1] ^= 0x10;
		assert_int_equal(restore_as(fixture, fixture->root_key, &tape, &place, &err),
				 STORE_TAMPERED);
		tape.bytes[at - 1] ^= 0x10;
		must_not_be(&place);
		tape.end = at;
		tape.broken = i % 2;
		assert_int_equal(restore_as(fixture, fixture->root_key, &tape, &place, &err),
				 i == 20 && at == tape.size ? STORE_OK
				 : tape.broken		    ? STORE_IO
							    : STORE_TAMPERED);
		must_not_be(&place);
		tape.end = SIZE_MAX;
	}
	for (tape.stop_at = 1;; tape.stop_at++) {
		enum store_status status =
			restore_as(fixture, fixture->root_key, &tape, &place, &err);
		if (status == STORE_OK)
			break;
		assert_int_equal(status, STORE_CONFLICT);
		must_not_be(&place);
	}
	assert_true(tape.stop_at > 3);
}

static void
a_sink_that_fails_or_a_stop_ends_the_backup(void **state)
{
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	struct store_error err = {0};

	populate(fixture->store);
	must_back_up(fixture, &tape);
	const unsigned pieces = tape.pieces;
	for (tape.fail_at = 1; tape.fail_at <= pieces; tape.fail_at++)
		assert_int_equal(back_up(fixture, &tape, &err), STORE_IO);
	tape.stop_at = 1;
	assert_int_equal(back_up(fixture, &tape, &err), STORE_CONFLICT);
	tape.stop_at = 0;
	tape.fail_at = 0;
	must_back_up(fixture, &tape);
	uint8_t label[STORE_LABEL_MAX + 1] = {0};
	assert_int_equal(store_backup(fixture->store, (struct store_bytes){label, sizeof label},
				      tape_record, NULL, &tape, &err),
			 STORE_LIMIT);
}

/* ---- where it goes ---- */

static void
what_is_there_already_stays(void **state)
{
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	auto_place place = place_new();
	struct store_error err = {0};
	char inside[128];

	must_back_up(fixture, &tape);
	assert_int_equal(mkdir(place.path, 0700), 0);
	assert_int_equal(restore_as(fixture, fixture->root_key, &tape, &place, &err), STORE_EXISTS);
	assert_int_equal(rmdir(place.path), 0);
	assert_int_equal(symlink("nowhere", place.path), 0);
	assert_int_equal(restore_as(fixture, fixture->root_key, &tape, &place, &err), STORE_EXISTS);
	assert_int_equal(unlink(place.path), 0);
	/* Of a restore that was killed. */
	assert_int_equal(mkdir(place.part, 0700), 0);
	snprintf(inside, sizeof inside, "%s/data.mdb", place.part);
	close(open(inside, O_CREAT | O_WRONLY, 0600));
	must_restore(fixture, &tape, &place);
	remove_store(place.path);
	/* Somebody else's. */
	assert_int_equal(mkdir(place.part, 0700), 0);
	snprintf(inside, sizeof inside, "%s/mine", place.part);
	close(open(inside, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(restore_as(fixture, fixture->root_key, &tape, &place, &err), STORE_EXISTS);
	assert_int_equal(unlink(inside), 0);
	assert_int_equal(rmdir(place.part), 0);
}

static void
a_sealed_store_is_not_backed_up(void **state)
{
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	struct store *store = NULL;
	struct store_error err = {0};

	fixture_close(fixture);
	assert_int_equal(store_attach(fixture->path, &store, &err), STORE_OK);
	assert_int_equal(store_backup(store, bytes_of(""), tape_record, NULL, &tape, &err),
			 STORE_SEALED);
	assert_int_equal(tape.size, 0);
	store_close(store);
}

/* ---- authenticated, and yet not a backup ---- */

/* A true backup in one chunk, with more items before its end, which is counted anew. */
static void
forge(struct fixture *fixture, struct tape *tape, struct store_bytes more)
{
	const struct keyring *keyring = &fixture->store->keyring;
	auto_stream_writer out = {.sink = tape_record, .user = tape, .key = keyring->keys->backup};
	const size_t end_size = 1 + 3 * 8;
	struct stream_counts counts = {0};
	struct item item;

	auto_tape true_one = {0};
	must_back_up(fixture, &true_one);
	const uint8_t *items = true_one.bytes + STREAM_PROLOGUE_SIZE + 5;
	const size_t size = (size_t)get_be(items - 4, 4) - end_size;
	assert_int_equal(true_one.size,
			 STREAM_PROLOGUE_SIZE + 5 + size + end_size + STREAM_MAC_SIZE);
	tape->size = 0;
	assert_int_equal(stream_begin(&out, &keyring->header, bytes_of(""), 0, NULL), STORE_OK);
	memcpy(out.chunk, items, size);
	if (more.data)
		memcpy(out.chunk + size, more.data, more.size);
	else /* the end itself */
		memcpy(out.chunk + size, items + size, more.size = end_size);
	out.used = size + more.size;
	struct reader r = {.rest = {out.chunk, out.used}};
	while (r.rest.size > 0 && stream_read_item(&r, &item)) {
		counts.records += item.kind == ITEM_RECORD;
		counts.slots += item.kind == ITEM_SLOT;
		counts.destroyed += item.kind == ITEM_DESTROYED;
	}
	assert_int_equal(stream_end(&out, &counts, NULL), STORE_OK);
}

#define RECORD(key, body) "R\0" key "\0\0\0\0\0\0\0\1\0\0\0" body
static void
what_no_backup_writes_is_refused(void **state)
{
	static const struct {
		const char *name;
		const char *items;
		size_t size;
	} rows[] = {
#define ROW(name, items) {name, items, sizeof items - 1}
		ROW("a second beginning", "B\0\0\0\0\0\0\0\0\0\0"),
		ROW("an unknown item", "Q"),
		ROW("a record cut short", "R\0\5r/a"),
		ROW("a record without a key", RECORD("\0", "\0")),
		ROW("a room alone", RECORD("\2t/", "\0")),
		ROW("a room that is none", RECORD("\3q/a", "\0")),
		ROW("a key that is not printable", RECORD("\3t/\1", "\0")),
		ROW("a body that is not there", RECORD("\3t/a", "\7")),
		ROW("another header", RECORD("\10m/header", "\1x")),
		ROW("another head", RECORD("\6m/head", "\1x")),
		ROW("another record", RECORD("\3r/a", "\1x")),
		ROW("another entry", RECORD("\3l/a", "\1x")),
		ROW("a slot cut short", "S\0\0\0\0\0\0\0\1abc"),
		{"another end", NULL, 0},
	};
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	auto_place place = place_new();
	struct store_error err = {0};

	forge(fixture, &tape, bytes_of("")); /* which is one */
	must_restore(fixture, &tape, &place);
	remove_store(place.path);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		forge(fixture, &tape,
		      (struct store_bytes){(const uint8_t *)rows[i].items, rows[i].size});
		enum store_status status =
			restore_as(fixture, fixture->root_key, &tape, &place, &err);
		if (status != STORE_TAMPERED)
			fail_msg("%s: %d", rows[i].name, status);
		must_not_be(&place);
	}
}

int
main(void)
{
#define ON_LMDB(test)                                                                              \
	{                                                                                          \
#test, test, fixture_setup_lmdb, fixture_teardown, NULL                            \
	}
	const struct CMUnitTest tests[] = {
		ON_LMDB(no_part_of_a_backup_is_restored),
		ON_LMDB(no_changed_backup_is_restored),
		ON_LMDB(nothing_is_left_of_a_restore_that_fails_late),
		ON_EACH_BACKEND(a_sink_that_fails_or_a_stop_ends_the_backup),
		ON_LMDB(what_is_there_already_stays),
		ON_LMDB(a_sealed_store_is_not_backed_up),
		ON_LMDB(what_no_backup_writes_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
