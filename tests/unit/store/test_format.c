/* SPDX-License-Identifier: Apache-2.0 */
/* FORMAT.md is enough to read a store, and to write one that this program takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "by_hand.h"
#include "store/state.h"

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct by_hand
begin(struct fixture *fixture)
{
	const struct lying header = load(fixture, "m/header");
	struct by_hand hand = {0};

	assert_true(by_hand_begin(fixture, fixture->root_key, &header, &hand));
	return hand;
}

static void
unwrap(struct fixture *fixture, const struct by_hand *hand, uint32_t generation,
       uint8_t ret_key[32])
{
	char name[32];

	snprintf(name, sizeof name, generation ? "m/key/%08x" : "m/key/set", generation);
	const struct lying wrapped = load(fixture, name);
	assert_int_equal(wrapped.revision, hand->revision);
	assert_true(by_hand_unwrap(hand, &wrapped, generation, ret_key));
}

static struct buffer
unseal(struct fixture *fixture, const uint8_t data_key[32], const char *name)
{
	const struct lying sealed = load(fixture, name);
	struct buffer value = {0};
	uint8_t slot_bytes[32] = {0};

	if (number_at(sealed.body.bytes + 4, 8) != UINT64_MAX)
		load_slot(fixture, number_at(sealed.body.bytes + 4, 8), slot_bytes);
	assert_true(by_hand_unseal(data_key, &sealed, slot_bytes, &value));
	return value;
}

/* XORs what one record adds to the set: as it lies there, never opened. */
static void
add_to_set(struct fixture *fixture, const uint8_t set_key[32], const char *name, uint8_t set[32])
{
	const struct lying record = load(fixture, name);
	uint8_t contribution[32];
	struct buffer input = {0};

	add_label(&input, "postern/store/set/v2");
	add_number(&input, strlen(name), 2);
	add(&input, name, strlen(name));
	add_number(&input, record.revision, 8);
	add(&input, record.body.bytes + 4, 8);
	crypto_generichash(contribution, 32, input.bytes, input.size, set_key, 32);
	for (int i = 0; i < 32; i++)
		set[i] ^= contribution[i];
}

static void
write_all_there_can_be(struct fixture *fixture)
{
	struct store_batch *batch = store_batch_new();

	must_put(fixture->store, "a/b", "old value");
	must_put(fixture->store, "c", "other");
	must_put_erasable(fixture->store, "e", "erased");
	must_put_erasable(fixture->store, "e", "erasable");
	must_put(fixture->store, "a/b", "value");
	store_batch_append(batch, "tag", bytes_of("entry"));
	assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
	store_batch_free(batch);
}

static void
read_entry_and_head(struct fixture *fixture, const struct by_hand *hand, const uint8_t data_key[32])
{
	uint8_t set_key[32], hash[32], set[32] = {0};
	uint64_t number;

	fixture_reopen(fixture);
	store_log_head(fixture->store, &number, hash);
	fixture_close(fixture);
	unwrap(fixture, hand, 0, set_key);
	struct buffer entry = unseal(fixture, data_key, "l/0000000000000001");
	assert_int_equal(entry.size, 8 + 32 + 1 + 3 + 5);
	assert_int_equal(number_at(entry.bytes, 8), 1);
	assert_memory_equal(entry.bytes + 8, hash, 32);
	assert_memory_equal(entry.bytes + 40, "\x03tagentry", 9);
	struct buffer head = unseal(fixture, data_key, "m/head");
	assert_int_equal(head.size, 8 + 32 + 32 + 8 + 8);
	assert_memory_equal(head.bytes, entry.bytes, 40);
	add_to_set(fixture, set_key, "r/a/b", set);
	add_to_set(fixture, set_key, "r/c", set);
	add_to_set(fixture, set_key, "r/e", set);
	assert_memory_equal(head.bytes + 40, set, 32);
	assert_int_equal(number_at(head.bytes + 72, 8), 128 + 2); /* slots given out */
	assert_int_equal(number_at(head.bytes + 80, 8), hand->revision);
}

static void
the_document_is_enough_to_read_a_store(void **state)
{
	struct fixture *fixture = *state;
	uint8_t data_key[32];

	write_all_there_can_be(fixture);
	fixture_close(fixture);
	const struct by_hand hand = begin(fixture);
	assert_int_equal(hand.current, 1);
	assert_int_equal(hand.oldest, 1);
	assert_int_equal(hand.slot, 0);
	unwrap(fixture, &hand, 1, data_key);
	struct buffer value = unseal(fixture, data_key, "r/a/b");
	assert_int_equal(value.size, 5);
	assert_memory_equal(value.bytes, "value", 5);
	value = unseal(fixture, data_key, "r/e");
	assert_int_equal(value.size, 8);
	assert_memory_equal(value.bytes, "erasable", 8);
	assert_int_equal(load(fixture, "t/tag/0000000000000001").body.size, 0);
	assert_int_equal(load(fixture, "m/head").revision,
			 load(fixture, "l/0000000000000001").revision + 1);
	read_entry_and_head(fixture, &hand, data_key);
}

static void
an_erasure_is_written_down_and_proven(void **state)
{
	struct fixture *fixture = *state;
	uint8_t set_key[32], proof[32];
	struct buffer input = {0};

	must_put_erasable(fixture->store, "e", "erasable");
	must_put_erasable(fixture->store, "e", "another");
	fixture_close(fixture);
	const struct by_hand hand = begin(fixture);
	unwrap(fixture, &hand, 0, set_key);
	const struct lying erased = load(fixture, "x/0000000000000080"); /* behind the first page */
	add_label(&input, "postern/store/erase/v1");
	add_number(&input, 128, 8);
	add_number(&input, erased.revision, 8);
	crypto_generichash(proof, 32, input.bytes, input.size, set_key, 32);
	assert_int_equal(erased.body.size, 32);
	assert_memory_equal(erased.body.bytes, proof, 32);
	fixture_reopen(fixture);
	must_put(fixture->store, "a", "a later commit");
	fixture_close(fixture);
	assert_int_equal(load(fixture, "x/0000000000000080").revision, 0);
}

static void
the_note_and_generations_are_where_the_document_says(void **state)
{
	struct fixture *fixture = *state;
	const struct store_bytes note = bytes_of("whose shares");
	uint8_t first[32], second[32];

	must_put(fixture->store, "old", "first generation");
	assert_int_equal(store_rekey(fixture->store, fixture->root_key, note, NULL), STORE_OK);
	assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	must_put(fixture->store, "new", "second generation");
	fixture_close(fixture);
	const struct by_hand hand = begin(fixture);
	assert_int_equal(hand.current, 2);
	assert_int_equal(hand.oldest, 1);
	assert_int_equal(hand.slot, 2 * 128);
	assert_int_equal(hand.note.size, note.size);
	assert_memory_equal(hand.note.bytes, note.data, note.size);
	unwrap(fixture, &hand, 1, first);
	unwrap(fixture, &hand, 2, second);
	assert_memory_equal(unseal(fixture, first, "r/old").bytes, "first generation", 16);
	assert_memory_equal(unseal(fixture, second, "r/new").bytes, "second generation", 17);
}

/* ---- written by hand ---- */

/* A header with other generations, and all keys under it: genuine in all but the head's word. */
static void
write_generations(struct fixture *fixture, const struct by_hand *hand, uint32_t oldest,
		  uint32_t current)
{
	struct by_hand other = *hand;
	struct lying header = load(fixture, "m/header");
	uint8_t key[32], key_check[32];

	memcpy(key_check, header.body.bytes + 36, 32);
	other.oldest = oldest;
	other.current = current;
	unwrap(fixture, hand, 1, key);
	header = by_hand_header(&other, key_check);
	save(fixture, &header);
	for (uint32_t g = oldest; g >= 1 && g <= current && g < oldest + 70; g++) {
		struct lying wrapped = by_hand_wrap(&other, g, key);
		save(fixture, &wrapped);
	}
}

static void
what_is_written_by_hand_is_read(void **state)
{
	struct fixture *fixture = *state;

	must_put(fixture->store, "a", "value");
	fixture_close(fixture);
	const struct by_hand hand = begin(fixture);
	write_generations(fixture, &hand, 1, 64);
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "a"), "value");
}

/* Even if two generations had one key, a record says which it was sealed under. */
static void
the_generation_is_part_of_the_seal(void **state)
{
	struct fixture *fixture = *state;
	uint64_t revision;
	struct secret *got = NULL;

	must_put(fixture->store, "a", "value");
	fixture_close(fixture);
	const struct by_hand hand = begin(fixture);
	write_generations(fixture, &hand, 1, 2);
	struct lying sealed = load(fixture, "r/a");
	sealed.body.bytes[3] = 2;
	save(fixture, &sealed);
	fixture_reopen(fixture);
	assert_int_equal(store_get(fixture->store, "a", &got, &revision, NULL), STORE_TAMPERED);
	assert_null(got);
}

static void
generations_are_bounded_and_all_there(void **state)
{
	struct fixture *fixture = *state;
	const struct {
		uint32_t oldest;
		uint32_t current;
		const char *gone;
	} cases[] = {
		{0, 1, NULL},	       {2, 1, NULL}, {1, 65, NULL},
		{1, UINT32_MAX, NULL}, {0, 0, NULL}, {1, 3, "m/key/00000002"},
		{1, 2, "m/key/set"},
	};

	fixture_close(fixture);
	const struct lying header = load(fixture, "m/header"),
			   key = load(fixture, "m/key/00000001");
	const struct by_hand hand = begin(fixture);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct store_error err = {0};
		const struct lying none = {.key = "m/key/00000002"},
				   set = load(fixture, "m/key/set");
		write_generations(fixture, &hand, cases[i].oldest, cases[i].current);
		struct lying gone = none;
		if (cases[i].gone)
			snprintf(gone.key, sizeof gone.key, "%s", cases[i].gone);
		save(fixture, &gone);
		assert_int_equal(fixture_open_with(fixture, fixture->root_key, &err),
				 STORE_TAMPERED);
		assert_non_null(strstr(err.message, cases[i].gone ? cases[i].gone : "generations"));
		save(fixture, &header);
		save(fixture, &key);
		save(fixture, &set);
	}
	fixture_reopen(fixture);
}

static void
other_versions_are_refused_by_their_number(void **state)
{
	const struct {
		uint8_t version;
		const char *says;
	} cases[] = {
		{1, "format version 1 is from before the first release"},
		{2, "format version 2 is from before the first release"},
		{4, "format version 4 is not known to this program (it knows 3)"},
	};
	struct fixture *fixture = *state;

	fixture_close(fixture);
	struct lying header = load(fixture, "m/header");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct store_error err = {0};
		header.body.bytes[3] = cases[i].version;
		save(fixture, &header);
		assert_int_equal(fixture_open_with(fixture, fixture->root_key, &err), STORE_IO);
		assert_non_null(strstr(err.message, cases[i].says));
	}
}

static void
note_defect(void *user, const char *text)
{
	snprintf(user, 256, "%s", text);
}

/* Whoever can write to the file is not to have us lock what memory there is. */
static void
a_body_larger_than_any_is_not_read(void **state)
{
	struct fixture *fixture = *state;
	struct backend *backend = fixture->store->backend;
	const size_t size = (size_t)STORE_VALUE_MAX + 1025;
	const struct backend_write write = {
		.key = "r/a", .revision = 1, .body = {calloc(1, size), size}};
	const struct backend_expect expect = {"never", 0};
	auto_secret *value = NULL;
	uint64_t revision;
	char defect[256] = "";
	struct store_check check = {0};
	struct store_error err = {0};

	assert_int_equal(backend->class->apply(backend, &expect, &write, 1, NULL), STORE_OK);
	free((void *)(uintptr_t)write.body.data);
	assert_int_equal(store_get(fixture->store, "a", &value, &revision, &err), STORE_TAMPERED);
	assert_non_null(strstr(err.message, "r/a: 4195329 bytes, which no store has sealed"));
	assert_int_equal(store_check(fixture->store, NULL, note_defect, defect, &check, &err),
			 STORE_OK);
	assert_int_equal(check.defects, 2); /* the digest tells, too, and first */
	assert_string_equal(defect, "r/a: 4195329 bytes, which no store has sealed");
}

int
main(void)
{
#define IN_MEMORY(test)                                                                            \
	cmocka_unit_test_setup_teardown(test, fixture_setup_memory, fixture_teardown)
	const struct CMUnitTest tests[] = {
		IN_MEMORY(the_document_is_enough_to_read_a_store),
		IN_MEMORY(an_erasure_is_written_down_and_proven),
		IN_MEMORY(the_note_and_generations_are_where_the_document_says),
		IN_MEMORY(what_is_written_by_hand_is_read),
		IN_MEMORY(the_generation_is_part_of_the_seal),
		IN_MEMORY(generations_are_bounded_and_all_there),
		IN_MEMORY(other_versions_are_refused_by_their_number),
		IN_MEMORY(a_body_larger_than_any_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
