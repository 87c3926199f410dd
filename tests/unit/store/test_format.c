/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FORMAT.md, read by one who has only that: the keys, records and chain of a store are derived here
 * a second time, without the store's code. It is also how a second generation of data keys comes
 * into a store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct buffer {
	uint8_t bytes[1024];
	size_t size;
};

static void
add(struct buffer *to, const void *bytes, size_t size)
{
	assert_true(size <= sizeof to->bytes - to->size);
	memcpy(to->bytes + to->size, bytes, size);
	to->size += size;
}

static void
add_number(struct buffer *to, uint64_t value, int size)
{
	for (int i = size - 1; i >= 0; i--) {
		uint8_t byte = (uint8_t)(value >> (8 * i));
		add(to, &byte, 1);
	}
}

/* Label and its NUL. */
static void
add_label(struct buffer *to, const char *label)
{
	add(to, label, strlen(label) + 1);
}

static uint64_t
number_at(const uint8_t *at, int size)
{
	uint64_t value = 0;

	for (int i = 0; i < size; i++)
		value = value * 256 + at[i];
	return value;
}

/* ---- records, past the store ---- */

static struct buffer
load(struct fixture *fixture, const char *key, uint64_t *ret_revision)
{
	struct backend *backend = backend_memory_open(fixture->map);
	struct view view = {0};
	struct backend_record record;
	struct buffer body = {0};

	assert_int_equal(view_open(backend, &view, NULL), STORE_OK);
	if (view_get(&view, key, &record, NULL) != STORE_OK)
		fail_msg("%s is not there", key);
	*ret_revision = record.revision;
	add(&body, record.body.data, record.body.size);
	view_close(&view);
	backend_close(backend);
	return body;
}

static void
save(struct fixture *fixture, const char *key, uint64_t revision, const struct buffer *body)
{
	struct backend *backend = backend_memory_open(fixture->map);
	const struct backend_write write = {
		.key = key, .revision = revision, .body = {body->bytes, body->size}};
	const struct backend_expect expect = {"never", 0};

	assert_int_equal(backend->class->apply(backend, &expect, &write, 1, NULL), STORE_OK);
	backend_close(backend);
}

/* ---- FORMAT.md ---- */

static void
derive(const struct fixture *fixture, const char *label, const uint8_t id[16], uint8_t ret_key[32])
{
	struct buffer input = {0};

	add_label(&input, label);
	add(&input, id, 16);
	crypto_generichash(ret_key, 32, input.bytes, input.size, fixture->root_key->bytes, 32);
}

static void
check_of(const struct fixture *fixture, const uint8_t id[16], uint32_t generation,
	 uint64_t revision, uint8_t ret_check[32])
{
	struct buffer input = {0};
	uint8_t key[32];

	derive(fixture, "postern/store/header/v1", id, key);
	add_number(&input, 2, 4);
	add(&input, id, 16);
	add_number(&input, generation, 4);
	add_number(&input, revision, 8);
	crypto_generichash(ret_check, 32, input.bytes, input.size, key, 32);
}

static struct buffer
data_key_associated(const uint8_t id[16], uint32_t generation, uint64_t revision)
{
	struct buffer associated = {0};

	add_label(&associated, "postern/store/data-key/v1");
	add(&associated, id, 16);
	add_number(&associated, generation, 4);
	add_number(&associated, revision, 8);
	return associated;
}

static void
unwrap(struct fixture *fixture, const uint8_t id[16], uint8_t ret_key[32])
{
	uint64_t revision;
	struct buffer wrapped = load(fixture, "m/key/00000001", &revision);
	struct buffer associated = data_key_associated(id, 1, revision);
	uint8_t key[32];

	derive(fixture, "postern/store/wrap/v1", id, key);
	assert_int_equal(wrapped.size, 72);
	assert_int_equal(crypto_aead_xchacha20poly1305_ietf_decrypt(
				 ret_key, NULL, NULL, wrapped.bytes + 24, 48, associated.bytes,
				 associated.size, wrapped.bytes, key),
			 0);
}

static struct buffer
unseal(struct fixture *fixture, const uint8_t data_key[32], uint32_t generation, const char *name)
{
	uint64_t revision;
	struct buffer sealed = load(fixture, name, &revision), associated = {0}, value = {0};

	assert_int_equal(number_at(sealed.bytes, 4), generation);
	add_label(&associated, "postern/store/record/v1");
	add_number(&associated, generation, 4);
	add_number(&associated, strlen(name), 2);
	add(&associated, name, strlen(name));
	add_number(&associated, revision, 8);
	assert_int_equal(crypto_aead_xchacha20poly1305_ietf_decrypt(
				 value.bytes, NULL, NULL, sealed.bytes + 28, sealed.size - 28,
				 associated.bytes, associated.size, sealed.bytes + 4, data_key),
			 0);
	value.size = sealed.size - 44;
	return value;
}

static void
read_id(struct fixture *fixture, uint8_t ret_id[16], uint32_t want_generation)
{
	uint64_t revision;
	struct buffer header = load(fixture, "m/header", &revision);
	uint8_t check[32];

	assert_int_equal(header.size, 4 + 16 + 4 + 32);
	assert_int_equal(number_at(header.bytes, 4), 2);
	memcpy(ret_id, header.bytes + 4, 16);
	assert_int_equal(number_at(header.bytes + 20, 4), want_generation);
	check_of(fixture, ret_id, want_generation, revision, check);
	assert_memory_equal(header.bytes + 24, check, 32);
}

/* XORs what one record adds to the set: as it lies there, never opened. */
static void
add_to_set(struct fixture *fixture, const uint8_t id[16], const char *name, uint8_t set[32])
{
	uint64_t revision;
	uint8_t key[32], contribution[32];
	struct buffer input = {0};

	load(fixture, name, &revision);
	derive(fixture, "postern/store/set-key/v1", id, key);
	add_label(&input, "postern/store/set/v1");
	add_number(&input, strlen(name), 2);
	add(&input, name, strlen(name));
	add_number(&input, revision, 8);
	crypto_generichash(contribution, 32, input.bytes, input.size, key, 32);
	for (int i = 0; i < 32; i++)
		set[i] ^= contribution[i];
}

/* ---- tests ---- */

static void
the_document_is_enough_to_read_a_store(void **state)
{
	struct fixture *fixture = *state;
	struct store_batch *batch = store_batch_new();
	uint8_t id[16], data_key[32], hash[32], set[32] = {0};
	uint64_t number, revision, head_revision;

	must_put(fixture->store, "a/b", "old value");
	must_put(fixture->store, "c", "other");
	revision = must_put(fixture->store, "a/b", "value");
	store_batch_append(batch, "tag", bytes_of("entry"));
	assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
	store_batch_free(batch);
	store_log_head(fixture->store, &number, hash);
	fixture_close(fixture);

	read_id(fixture, id, 1);
	unwrap(fixture, id, data_key);
	struct buffer value = unseal(fixture, data_key, 1, "r/a/b");
	assert_int_equal(value.size, 5);
	assert_memory_equal(value.bytes, "value", 5);
	struct buffer entry = unseal(fixture, data_key, 1, "l/0000000000000001");
	assert_int_equal(entry.size, 8 + 32 + 1 + 3 + 5);
	assert_int_equal(number_at(entry.bytes, 8), 1);
	assert_memory_equal(entry.bytes + 8, hash, 32);
	assert_memory_equal(entry.bytes + 40, "\x03tagentry", 9);
	struct buffer head = unseal(fixture, data_key, 1, "m/head");
	assert_int_equal(head.size, 72);
	assert_memory_equal(head.bytes, entry.bytes, 40);
	add_to_set(fixture, id, "r/a/b", set);
	add_to_set(fixture, id, "r/c", set);
	assert_memory_equal(head.bytes + 40, set, 32);
	assert_int_equal(load(fixture, "t/tag/0000000000000001", &number).size, 0);
	load(fixture, "l/0000000000000001", &number);
	load(fixture, "m/head", &head_revision);
	assert_true(head_revision == number + 1 && number > revision);
}

/* What rotation will do: another wrapped key, and a header that names it. */
static void
add_generation(struct fixture *fixture, const uint8_t id[16], const uint8_t data_key[32],
	       uint32_t generation)
{
	struct buffer header = {0}, wrapped = {0};
	struct buffer associated = data_key_associated(id, generation, 9);
	uint8_t check[32], key[32], text[48];
	char name[32];

	derive(fixture, "postern/store/wrap/v1", id, key);
	randombytes_buf(wrapped.bytes, 24);
	crypto_aead_xchacha20poly1305_ietf_encrypt(text, NULL, data_key, 32, associated.bytes,
						   associated.size, NULL, wrapped.bytes, key);
	wrapped.size = 24;
	add(&wrapped, text, sizeof text);
	snprintf(name, sizeof name, "m/key/%08x", generation);
	save(fixture, name, 9, &wrapped);
	check_of(fixture, id, generation, 9, check);
	add_number(&header, 2, 4);
	add(&header, id, 16);
	add_number(&header, generation, 4);
	add(&header, check, 32);
	save(fixture, "m/header", 9, &header);
}

static void
generations_live_side_by_side(void **state)
{
	struct fixture *fixture = *state;
	uint8_t id[16], second_key[32];
	uint64_t revision;

	must_put(fixture->store, "old", "first generation");
	fixture_close(fixture);
	read_id(fixture, id, 1);
	randombytes_buf(second_key, sizeof second_key);
	add_generation(fixture, id, second_key, 2);
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "old"), "first generation");
	must_put(fixture->store, "new", "second generation");
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "old"), "first generation");
	assert_string_equal(text_of(fixture->store, "new"), "second generation");
	fixture_close(fixture);
	struct buffer value = unseal(fixture, second_key, 2, "r/new");
	assert_memory_equal(value.bytes, "second generation", 17);
	struct buffer sealed = load(fixture, "r/old", &revision);
	assert_int_equal(number_at(sealed.bytes, 4), 1);
}

/* Even if two generations had one key, a record says which it was sealed under. */
static void
the_generation_is_part_of_the_seal(void **state)
{
	struct fixture *fixture = *state;
	uint8_t id[16], data_key[32];
	uint64_t revision;
	struct secret *got = NULL;

	must_put(fixture->store, "a", "value");
	fixture_close(fixture);
	read_id(fixture, id, 1);
	unwrap(fixture, id, data_key);
	add_generation(fixture, id, data_key, 2);
	struct buffer sealed = load(fixture, "r/a", &revision);
	sealed.bytes[3] = 2;
	save(fixture, "r/a", revision, &sealed);
	fixture_reopen(fixture);
	assert_int_equal(store_get(fixture->store, "a", &got, &revision, NULL), STORE_TAMPERED);
	assert_null(got);
}

static void
generations_are_bounded_and_all_there(void **state)
{
	struct fixture *fixture = *state;
	const uint32_t generations[] = {0, 3, 1025, UINT32_MAX}; /* no key 2; beyond the limit */
	uint8_t id[16], data_key[32];

	fixture_close(fixture);
	read_id(fixture, id, 1);
	randombytes_buf(data_key, sizeof data_key);
	for (size_t i = 0; i < sizeof generations / sizeof generations[0]; i++) {
		add_generation(fixture, id, data_key, generations[i]);
		assert_int_equal(fixture_open_with(fixture, fixture->root_key, NULL),
				 STORE_TAMPERED);
	}
}

static void
the_version_before_is_refused_by_its_number(void **state)
{
	struct fixture *fixture = *state;
	struct store_error err = {0};
	uint64_t revision;

	fixture_close(fixture);
	struct buffer header = load(fixture, "m/header", &revision);
	header.bytes[3] = 1;
	save(fixture, "m/header", revision, &header);
	assert_int_equal(fixture_open_with(fixture, fixture->root_key, &err), STORE_IO);
	assert_non_null(strstr(err.message, "format version 1 is not known"));
}

int
main(void)
{
#define IN_MEMORY(test)                                                                            \
	cmocka_unit_test_setup_teardown(test, fixture_setup_memory, fixture_teardown)
	const struct CMUnitTest tests[] = {
		IN_MEMORY(the_document_is_enough_to_read_a_store),
		IN_MEMORY(generations_live_side_by_side),
		IN_MEMORY(the_generation_is_part_of_the_seal),
		IN_MEMORY(generations_are_bounded_and_all_there),
		IN_MEMORY(the_version_before_is_refused_by_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
