/* SPDX-License-Identifier: Apache-2.0 */
/* The hash-chained log, on every backend. The chain is computed here a second time, from its
 * definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t
must_append(struct store *store, const char *tag, const char *entry)
{
	struct store_batch *batch = store_batch_new();
	struct store_error err = {0};

	store_batch_append(batch, tag, bytes_of(entry));
	if (store_commit(store, batch, &err) != STORE_OK)
		fail_msg("append: %s", err.message);
	uint64_t number = store_batch_number(batch);
	store_batch_free(batch);
	return number;
}

struct reading {
	char text[1024];
	int left;
};

static bool
note(void *user, const struct store_log_entry *entry)
{
	struct reading *reading = user;
	size_t used = strlen(reading->text);

	snprintf(reading->text + used, sizeof reading->text - used, "%llu:%.*s,",
		 (unsigned long long)entry->number, (int)entry->entry.size,
		 (const char *)entry->entry.data);
	return --reading->left > 0;
}

static void
an_empty_log_has_a_zero_head(void **state)
{
	struct fixture *fixture = *state;
	const uint8_t zero[STORE_HASH_SIZE] = {0};
	uint8_t hash[STORE_HASH_SIZE];
	uint64_t number = 99;
	struct reading reading = {.left = 9};

	must_put(fixture->store, "a", "a record is no entry");
	store_log_head(fixture->store, &number, hash);
	assert_int_equal(number, 0);
	assert_memory_equal(hash, zero, sizeof hash);
	assert_int_equal(store_log_read(fixture->store, 0, note, &reading, NULL), STORE_OK);
	assert_int_equal(store_log_read(fixture->store, 1, note, &reading, NULL), STORE_OK);
	assert_int_equal(store_log_tagged(fixture->store, "t", 9, note, &reading, NULL), STORE_OK);
	assert_string_equal(reading.text, "");
}

/* hash(n) = SHA-256("postern/log/v1" NUL || hash(n-1) || entry) */
static void
chain(uint8_t hash[32], const char *entry)
{
	uint8_t input[15 + 32 + 64];
	size_t size = strlen(entry);

	memcpy(input, "postern/log/v1", 15);
	memcpy(input + 15, hash, 32);
	memcpy(input + 47, entry, size);
	crypto_hash_sha256(hash, input, 47 + size);
}

struct chained {
	uint8_t hash[32];
};

static bool
check_chain(void *user, const struct store_log_entry *entry)
{
	struct chained *chained = user;
	char text[64];

	assert_true(entry->entry.size < sizeof text);
	memcpy(text, entry->entry.data, entry->entry.size);
	text[entry->entry.size] = 0;
	chain(chained->hash, text);
	assert_memory_equal(chained->hash, entry->hash, 32);
	return true;
}

static void
the_chain_is_the_documented_one(void **state)
{
	struct fixture *fixture = *state;
	const char *entries[] = {"first", "", "third", "third"};
	uint8_t wanted[32] = {0}, hash[32];
	struct chained chained = {0};
	uint64_t number;

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(must_append(fixture->store, i % 2 ? "odd" : NULL, entries[i]),
				 i + 1);
		chain(wanted, entries[i]);
		store_log_head(fixture->store, &number, hash);
		assert_int_equal(number, i + 1);
		assert_memory_equal(hash, wanted, 32);
	}
	assert_int_equal(store_log_read(fixture->store, 1, check_chain, &chained, NULL), STORE_OK);
	assert_memory_equal(chained.hash, wanted, 32);
	fixture_reopen(fixture);
	store_log_head(fixture->store, &number, hash);
	assert_int_equal(number, 4);
	assert_memory_equal(hash, wanted, 32);
	assert_int_equal(must_append(fixture->store, NULL, "fifth"), 5);
}

static void
many_entries_in_one_batch(void **state)
{
	struct fixture *fixture = *state;
	struct store_batch *batch = store_batch_new();
	struct chained chained = {0};
	struct reading reading = {.left = 9};

	for (int i = 0; i < STORE_BATCH_MAX; i++) {
		char text[16];
		snprintf(text, sizeof text, "%d", i + 1);
		store_batch_append(batch, "tag", bytes_of(text));
	}
	assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
	assert_int_equal(store_batch_number(batch), STORE_BATCH_MAX);
	store_batch_free(batch);
	assert_int_equal(store_log_read(fixture->store, 1, check_chain, &chained, NULL), STORE_OK);
	assert_int_equal(store_log_tagged(fixture->store, "tag", 2, note, &reading, NULL),
			 STORE_OK);
	assert_string_equal(reading.text, "256:256,255:255,");
	fixture_reopen(fixture);
}

static void
reading_starts_and_stops_where_asked(void **state)
{
	struct fixture *fixture = *state;
	const struct {
		uint64_t from;
		int left;
		const char *want;
	} cases[] = {
		{0, 9, "1:a,2:b,3:c,4:d,"}, {1, 9, "1:a,2:b,3:c,4:d,"},
		{3, 9, "3:c,4:d,"},	    {4, 9, "4:d,"},
		{2, 2, "2:b,3:c,"},	    {5, 9, ""},
		{UINT64_MAX, 9, ""},
	};
	const char *entries[] = {"a", "b", "c", "d"};

	for (size_t i = 0; i < 4; i++)
		must_append(fixture->store, NULL, entries[i]);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct reading reading = {.left = cases[i].left};
		assert_int_equal(
			store_log_read(fixture->store, cases[i].from, note, &reading, NULL),
			STORE_OK);
		assert_string_equal(reading.text, cases[i].want);
	}
}

static void
tags_are_kept_apart(void **state)
{
	struct fixture *fixture = *state;
	const struct {
		const char *tag;
		const char *entry;
	} entries[] = {{"m", "1"},  {"mm", "2"}, {"m", "3"}, {NULL, "4"},
		       {"m ", "5"}, {"m", "6"},	 {"~", "7"}, {" ", "8"}};
	const struct {
		const char *tag;
		size_t count;
		int left;
		const char *want;
	} cases[] = {
		{"m", 9, 9, "6:6,3:3,1:1,"},
		{"m", 2, 9, "6:6,3:3,"},
		{"m", 9, 1, "6:6,"},
		{"m", 0, 9, ""},
		{"mm", 9, 9, "2:2,"},
		{"m ", 9, 9, "5:5,"},
		{"~", 9, 9, "7:7,"},
		{" ", 9, 9, "8:8,"},
		{"a", 9, 9, ""},
		{"mmm", 9, 9, ""},
	};

	for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
		must_append(fixture->store, entries[i].tag, entries[i].entry);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct reading reading = {.left = cases[i].left};
		assert_int_equal(store_log_tagged(fixture->store, cases[i].tag, cases[i].count,
						  note, &reading, NULL),
				 STORE_OK);
		assert_string_equal(reading.text, cases[i].want);
	}
}

static void
tags_are_bounded(void **state)
{
	struct fixture *fixture = *state;
	char longest[129], too_long[130];
	memset(longest, 't', 128);
	longest[128] = 0;
	memset(too_long, 't', 129);
	too_long[129] = 0;
	const struct {
		const char *tag;
		enum store_status want;
	} cases[] = {{longest, STORE_OK},  {too_long, STORE_LIMIT}, {"", STORE_LIMIT},
		     {"a/b", STORE_LIMIT}, {"a\n", STORE_LIMIT},    {"\xc3\xa9", STORE_LIMIT}};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct store_batch *batch = store_batch_new();
		struct reading reading = {.left = 9};
		store_batch_append(batch, cases[i].tag, bytes_of("e"));
		assert_int_equal(store_commit(fixture->store, batch, NULL), cases[i].want);
		assert_int_equal(
			store_log_tagged(fixture->store, cases[i].tag, 9, note, &reading, NULL),
			cases[i].want);
		assert_string_equal(reading.text, cases[i].want == STORE_OK ? "1:e," : "");
		store_batch_free(batch);
	}
}

static bool
append_while_reading(void *user, const struct store_log_entry *entry)
{
	struct fixture *fixture = user;

	(void)entry;
	must_append(fixture->store, "tag", "written by the visitor");
	return true;
}

/* A visitor may commit; what it appends is not part of what is being read. */
static void
visitors_may_commit(void **state)
{
	struct fixture *fixture = *state;
	uint8_t hash[32];
	uint64_t number;

	must_append(fixture->store, "tag", "1");
	must_append(fixture->store, "tag", "2");
	assert_int_equal(store_log_read(fixture->store, 1, append_while_reading, fixture, NULL),
			 STORE_OK);
	store_log_head(fixture->store, &number, hash);
	assert_int_equal(number, 4);
	assert_int_equal(
		store_log_tagged(fixture->store, "tag", 3, append_while_reading, fixture, NULL),
		STORE_OK);
	store_log_head(fixture->store, &number, hash);
	assert_int_equal(number, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_EACH_BACKEND(an_empty_log_has_a_zero_head),
		ON_EACH_BACKEND(the_chain_is_the_documented_one),
		ON_EACH_BACKEND(many_entries_in_one_batch),
		ON_EACH_BACKEND(reading_starts_and_stops_where_asked),
		ON_EACH_BACKEND(tags_are_kept_apart),
		ON_EACH_BACKEND(tags_are_bounded),
		ON_EACH_BACKEND(visitors_may_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
