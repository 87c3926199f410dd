/* SPDX-License-Identifier: Apache-2.0 */
/* What store.h promises about records and batches, on every backend. One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- get and put ---- */

static void
fill(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 251);
}

static void
values_of_every_size_come_back(void **state)
{
	struct fixture *fixture = *state;
	const size_t sizes[] = {0,    1,    15,	   16,	   1024,	   2047,
				2048, 2049, 65537, 500000, STORE_VALUE_MAX};

	if (!fixture_may_lock((size_t)8 * STORE_VALUE_MAX))
		skip();
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		uint8_t *bytes = malloc(sizes[i] + 1);
		struct store_batch *batch = store_batch_new();
		struct store_error err = {0};
		uint64_t revision = 0;
		auto_secret *got = NULL;
		auto_secret *into = secret_new(sizes[i]);
		assert_non_null(bytes);
		assert_non_null(into);
		fill(bytes, sizes[i]);
		into->size = 0;
		store_batch_put(batch, "a", (struct store_bytes){bytes, sizes[i]});
		assert_int_equal(store_commit(fixture->store, batch, &err), STORE_OK);
		assert_int_equal(store_get(fixture->store, "a", &got, &revision, &err), STORE_OK);
		assert_int_equal(got->size, sizes[i]);
		assert_memory_equal(got->bytes, bytes, sizes[i]);
		assert_int_equal(store_get_into(fixture->store, "a", into, &revision, &err),
				 STORE_OK);
		assert_true(secret_equals(got, into));
		store_batch_free(batch);
		free(bytes);
	}
}

static void
a_cleared_batch_is_as_new(void **state)
{
	struct fixture *fixture = *state;
	struct store_batch *batch = store_batch_new();
	struct store_error err = {0};
	auto_secret *got = NULL;
	uint64_t revision = 0;
	uint8_t bytes[3000];

	fill(bytes, sizeof(bytes));
	store_batch_put(batch, "first", (struct store_bytes){bytes, sizeof(bytes)});
	store_batch_put(batch, "", (struct store_bytes){bytes, 1}); /* a failure that sticks */
	assert_int_equal(store_commit(fixture->store, batch, &err), STORE_LIMIT);
	store_batch_clear(batch);
	store_batch_put(batch, "second", (struct store_bytes){bytes + 1, sizeof(bytes) - 1});
	store_batch_append(batch, NULL, (struct store_bytes){bytes, 10});
	assert_int_equal(store_commit(fixture->store, batch, &err), STORE_OK);
	assert_int_equal(store_batch_number(batch), 1);
	assert_int_equal(store_get(fixture->store, "first", &got, &revision, &err), STORE_MISSING);
	assert_int_equal(store_get(fixture->store, "second", &got, &revision, &err), STORE_OK);
	assert_int_equal(got->size, sizeof(bytes) - 1);
	assert_memory_equal(got->bytes, bytes + 1, got->size);
	store_batch_clear(batch);
	assert_int_equal(store_batch_number(batch), 0);
	store_batch_free(batch);
}

static void
get_into_short_memory_leaves_the_size(void **state)
{
	struct fixture *fixture = *state;
	auto_secret *into = secret_new(4);
	struct store_error err = {0};
	uint64_t revision = 77;

	must_put(fixture->store, "a", "five5");
	into->size = 3;
	assert_int_equal(store_get_into(fixture->store, "a", into, &revision, &err), STORE_LIMIT);
	assert_int_equal(err.status, STORE_LIMIT);
	assert_int_equal(into->size, 3);
	assert_int_equal(revision, 77);
	must_put(fixture->store, "a", "four");
	assert_int_equal(store_get_into(fixture->store, "a", into, &revision, &err), STORE_OK);
	assert_int_equal(into->size, 4);
}

static void
missing_records_say_so(void **state)
{
	struct fixture *fixture = *state;
	auto_secret *into = secret_new(4);
	struct secret *got = NULL;
	struct store_error err = {0};
	uint64_t revision = 77;

	assert_int_equal(store_get(fixture->store, "a", &got, &revision, &err), STORE_MISSING);
	assert_null(got);
	assert_int_equal(store_get_into(fixture->store, "a", into, &revision, &err), STORE_MISSING);
	assert_int_equal(revision, 77);
	assert_string_equal(err.message, "a: no such record");
	/* The error struct is optional everywhere. */
	assert_int_equal(store_get(fixture->store, "a", &got, &revision, NULL), STORE_MISSING);
}

static void
revisions_only_rise(void **state)
{
	struct fixture *fixture = *state;
	struct store_error err = {0};
	uint64_t first = must_put(fixture->store, "a", "1");
	uint64_t other = must_put(fixture->store, "b", "1");
	uint64_t second = must_put(fixture->store, "a", "1");
	struct store_batch *batch = store_batch_new();

	assert_true(first >= 1 && other > first && second > other);
	store_batch_delete(batch, "a");
	assert_int_equal(store_commit(fixture->store, batch, &err), STORE_OK);
	store_batch_free(batch);
	assert_string_equal(text_of(fixture->store, "a"), "-");
	uint64_t third = must_put(fixture->store, "a", "1");
	assert_true(third > second);
	uint64_t newest = store_revision(fixture->store);
	assert_true(newest >= third);
	fixture_reopen(fixture);
	assert_int_equal(store_revision(fixture->store), newest);
	assert_true(must_put(fixture->store, "c", "1") > third);
}

/* ---- what is refused ---- */

static void
keys_are_printable_and_bounded(void **state)
{
	struct fixture *fixture = *state;
	char longest[STORE_KEY_MAX + 1], too_long[STORE_KEY_MAX + 2];
	memset(longest, 'k', STORE_KEY_MAX);
	longest[STORE_KEY_MAX] = 0;
	memset(too_long, 'k', STORE_KEY_MAX + 1);
	too_long[STORE_KEY_MAX + 1] = 0;
	const struct {
		const char *name;
		const char *key;
		enum store_status want;
	} cases[] = {
		{"one byte", "k", STORE_OK},
		{"slashes", "a/b//c/", STORE_OK},
		{"all that is printable", " !~\"'%s", STORE_OK},
		{"looks like the log's own", "l/0000000000000001", STORE_OK},
		{"looks like the header", "m/header", STORE_OK},
		{"longest", longest, STORE_OK},
		{"too long", too_long, STORE_LIMIT},
		{"empty", "", STORE_LIMIT},
		{"newline", "a\nb", STORE_LIMIT},
		{"delete character", "a\x7f", STORE_LIMIT},
		{"UTF-8", "caf\xc3\xa9", STORE_LIMIT},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct store_batch *batch = store_batch_new();
		struct store_error err = {0};
		auto_secret *got = NULL;
		uint64_t revision;
		store_batch_put(batch, cases[i].key, bytes_of("value"));
		if (store_commit(fixture->store, batch, &err) != cases[i].want)
			fail_msg("put %s: %d %s", cases[i].name, err.status, err.message);
		if (store_get(fixture->store, cases[i].key, &got, &revision, &err) != cases[i].want)
			fail_msg("get %s: %d %s", cases[i].name, err.status, err.message);
		store_batch_free(batch);
	}
	fixture_reopen(fixture); /* and none of them got in the way of the store's own */
}

static void
batch_with(struct store_batch *batch, int operations)
{
	for (int i = 0; i < operations; i++) {
		char key[16];
		snprintf(key, sizeof key, "k/%d", i);
		store_batch_put(batch, key, bytes_of("v"));
	}
}

static void
limits_stick_and_nothing_is_written(void **state)
{
	struct fixture *fixture = *state;
	struct store_error err = {0};

	if (!fixture_may_lock((size_t)48 * STORE_VALUE_MAX))
		skip();
	uint8_t *large = calloc(1, STORE_VALUE_MAX + 1);

	for (int i = 0; i < 4; i++) {
		struct store_batch *batch = store_batch_new();
		if (i == 0)
			batch_with(batch, STORE_BATCH_MAX + 1);
		store_batch_put(batch, "a", bytes_of("v"));
		if (i == 1)
			store_batch_put(batch, "b",
					(struct store_bytes){large, STORE_VALUE_MAX + 1});
		if (i == 2)
			store_batch_append(batch, NULL,
					   (struct store_bytes){large, STORE_VALUE_MAX + 1});
		if (i == 3) /* 64 MiB and a little */
			for (int j = 0; j < 17; j++)
				store_batch_put(batch, "b",
						(struct store_bytes){large, STORE_VALUE_MAX});
		store_batch_put(batch, "c", bytes_of("v"));
		assert_int_equal(store_commit(fixture->store, batch, &err), STORE_LIMIT);
		assert_int_equal(store_commit(fixture->store, batch, &err), STORE_LIMIT);
		store_batch_free(batch);
		assert_string_equal(text_of(fixture->store, "a"), "-");
		assert_string_equal(text_of(fixture->store, "c"), "-");
		assert_string_equal(text_of(fixture->store, "k/0"), "-");
	}
	struct store_batch *batch = store_batch_new();
	batch_with(batch, STORE_BATCH_MAX);
	assert_int_equal(store_commit(fixture->store, batch, &err), STORE_OK);
	store_batch_free(batch);
	free(large);
}

static void
no_batch_is_no_memory(void **state)
{
	struct fixture *fixture = *state;
	struct store_error err = {0};

	store_batch_put(NULL, "a", bytes_of("v"));
	store_batch_expect(NULL, "a", 1);
	store_batch_delete(NULL, "a");
	store_batch_append(NULL, NULL, bytes_of("v"));
	assert_int_equal(store_commit(fixture->store, NULL, &err), STORE_MEMORY);
	store_batch_free(NULL);
}

/* ---- slots ---- */

static void
must_be(struct backend *backend, uint64_t slot, uint8_t fill)
{
	uint8_t found[BACKEND_SLOT_SIZE], wanted[BACKEND_SLOT_SIZE];

	memset(wanted, fill, sizeof wanted);
	memset(found, 0xee, sizeof found);
	assert_int_equal(backend->class->slot_read(backend, slot, found, NULL), STORE_OK);
	assert_memory_equal(found, wanted, sizeof wanted);
}

static void
slots_are_overwritten_where_they_are(void **state)
{
	struct fixture *fixture = *state;
	uint8_t bytes[3 * BACKEND_SLOT_SIZE];
	const uint64_t first = 100000; /* past all that the store has filled */

	fixture_close(fixture);
	struct backend *backend = fixture_open_backend(fixture);
	must_be(backend, first, 0);
	must_be(backend, (uint64_t)1 << 40, 0);
	memset(bytes, 7, sizeof bytes);
	assert_int_equal(backend->class->slots_write(backend, first, bytes, 3, NULL), STORE_OK);
	memset(bytes, 9, sizeof bytes);
	assert_int_equal(backend->class->slots_write(backend, first + 1, bytes, 1, NULL), STORE_OK);
	assert_int_equal(backend->class->slots_write(backend, first, bytes, 0, NULL), STORE_OK);
	assert_int_equal(backend->class->slots_sync(backend, NULL), STORE_OK);
	for (int i = 0; i < 2; i++) { /* and opened again */
		must_be(backend, first - 1, 0);
		must_be(backend, first, 7);
		must_be(backend, first + 1, 9);
		must_be(backend, first + 2, 7);
		must_be(backend, first + 3, 0);
		backend_close(backend);
		backend = fixture_open_backend(fixture);
	}
	backend_close(backend);
	fixture_reopen(fixture);
}

/* ---- the backend's own conditions ---- */

/* What a store never asks for twice in the same way, straight from the backend. */
static void
a_set_of_writes_is_whole_or_not_there(void **state)
{
	struct fixture *fixture = *state;
	const struct store_bytes body = {(const uint8_t *)"body", 4};
	const struct backend_write writes[] = {
		{.key = "z/1", .revision = 5, .body = body},
		{.key = "z/2", .revision = 6, .body = body},
		{.key = "z/1", .remove = true},
		{.key = "z/never", .remove = true},
		{.key = "z/3", .revision = 7},
	};
	const struct {
		struct backend_expect expect;
		enum store_status want;
	} cases[] = {
		{{"z/3", 1}, STORE_CONFLICT}, {{"z/3", 0}, STORE_OK}, {{"z/3", 0}, STORE_CONFLICT},
		{{"z/3", 6}, STORE_CONFLICT}, {{"z/3", 7}, STORE_OK},
	};
	bool there = false;

	fixture_close(fixture);
	struct backend *backend = fixture_open_backend(fixture);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct backend_record record;
		assert_int_equal(backend->class->apply(backend, &cases[i].expect, writes, 5, NULL),
				 cases[i].want);
		there = there || cases[i].want == STORE_OK;
		auto_view view = {0};
		assert_int_equal(view_open(backend, &view, NULL), STORE_OK);
		assert_int_equal(view_get(&view, "z/1", &record, NULL), STORE_MISSING);
		assert_int_equal(view_get(&view, "z/2", &record, NULL),
				 there ? STORE_OK : STORE_MISSING);
		assert_int_equal(view_get(&view, "z/3", &record, NULL),
				 there ? STORE_OK : STORE_MISSING);
		assert_int_equal(there ? record.body.size : 0, 0);
	}
	backend_close(backend);
	fixture_reopen(fixture);
}

/* ---- expectations ---- */

static void
expectations_are_exact(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t a = must_put(fixture->store, "a", "old");
	const uint64_t b = must_put(fixture->store, "b", "old");
	const struct {
		const char *name;
		const char *key;
		uint64_t revision;
		enum store_status want;
	} cases[] = {
		{"there, said absent", "a", 0, STORE_CONFLICT},
		{"there, an older revision", "a", a - 1, STORE_CONFLICT},
		{"there, a newer revision", "a", a + 1, STORE_CONFLICT},
		{"there, another's revision", "a", b, STORE_CONFLICT},
		{"absent, said there", "x", 1, STORE_CONFLICT},
		{"absent, beginning of a name", "ab", a, STORE_CONFLICT},
		{"absent", "x", 0, STORE_OK},
		{"there", "b", b, STORE_OK},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct store_batch *batch = store_batch_new();
		struct store_error err = {0};
		store_batch_put(batch, "y", bytes_of(cases[i].name)); /* before what it expects */
		store_batch_delete(batch, "a");
		store_batch_append(batch, "tag", bytes_of("entry"));
		store_batch_expect(batch, cases[i].key, cases[i].revision);
		if (store_commit(fixture->store, batch, &err) != cases[i].want)
			fail_msg("%s: %d %s", cases[i].name, err.status, err.message);
		uint64_t number;
		uint8_t hash[STORE_HASH_SIZE];
		store_log_head(fixture->store, &number, hash);
		bool done = cases[i].want == STORE_OK;
		assert_string_equal(text_of(fixture->store, "a"), done ? "-" : "old");
		assert_string_equal(text_of(fixture->store, "y"), done ? cases[i].name : "-");
		assert_int_equal(store_batch_number(batch), done ? number : 0);
		assert_int_equal(number > 0, done);
		store_batch_free(batch);
		if (done) {
			batch = store_batch_new();
			store_batch_delete(batch, "y");
			assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
			store_batch_free(batch);
		}
	}
}

static void
operations_happen_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct store_batch *batch = store_batch_new();
	uint64_t old = must_put(fixture->store, "a", "0");

	/* What a batch expects is the state before it. */
	store_batch_put(batch, "a", bytes_of("1"));
	store_batch_expect(batch, "a", old);
	store_batch_put(batch, "a", bytes_of("2"));
	store_batch_put(batch, "b", bytes_of("1"));
	store_batch_delete(batch, "b");
	store_batch_delete(batch, "c");
	store_batch_put(batch, "c", bytes_of("3"));
	store_batch_delete(batch, "never was");
	assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
	assert_string_equal(text_of(fixture->store, "a"), "2");
	assert_string_equal(text_of(fixture->store, "b"), "-");
	assert_string_equal(text_of(fixture->store, "c"), "3");
	assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_CONFLICT);
	store_batch_free(batch);
}

static void
nothing_to_do_is_done(void **state)
{
	struct fixture *fixture = *state;
	struct store_batch *batch = store_batch_new();
	unsigned arrived = fixture->disk.arrived;

	assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
	store_batch_expect(batch, "x", 0);
	assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
	store_batch_expect(batch, "x", 4);
	assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_CONFLICT);
	assert_int_equal(fixture->disk.arrived, arrived);
	store_batch_free(batch);
}

/* ---- opening ---- */

static void
only_the_root_key_opens(void **state)
{
	struct fixture *fixture = *state;
	struct store_error err = {0};

	must_put(fixture->store, "a", "kept");
	fixture_close(fixture);
	for (size_t i = 0; i <= STORE_ROOT_KEY_SIZE; i++) {
		auto_secret *key = fixture_key(0x5a);
		if (i < STORE_ROOT_KEY_SIZE)
			key->bytes[i] ^= 0x01;
		else
			key->size--;
		assert_int_equal(fixture_open_with(fixture, key, &err), STORE_KEY);
		assert_null(fixture->store);
	}
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "a"), "kept");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_EACH_BACKEND(values_of_every_size_come_back),
		ON_EACH_BACKEND(a_cleared_batch_is_as_new),
		ON_EACH_BACKEND(get_into_short_memory_leaves_the_size),
		ON_EACH_BACKEND(missing_records_say_so),
		ON_EACH_BACKEND(revisions_only_rise),
		ON_EACH_BACKEND(keys_are_printable_and_bounded),
		ON_EACH_BACKEND(limits_stick_and_nothing_is_written),
		ON_EACH_BACKEND(no_batch_is_no_memory),
		ON_EACH_BACKEND(slots_are_overwritten_where_they_are),
		ON_EACH_BACKEND(a_set_of_writes_is_whole_or_not_there),
		ON_EACH_BACKEND(expectations_are_exact),
		ON_EACH_BACKEND(operations_happen_in_order),
		ON_EACH_BACKEND(nothing_to_do_is_done),
		ON_EACH_BACKEND(only_the_root_key_opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
