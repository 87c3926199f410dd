/* SPDX-License-Identifier: Apache-2.0 */
/* What store.h promises about lists, on every backend: in order, in pages, each key once, also
 * beside a writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listing {
	struct store *store;
	char text[1024];
	int left; /* the visitor stops when it has seen so many */
};

static bool
list_key(void *user, const char *key, uint64_t revision)
{
	struct listing *listing = user;

	assert_true(revision > 0);
	assert_string_not_equal(text_of(listing->store, key), "-"); /* a visitor may read */
	snprintf(listing->text + strlen(listing->text),
		 sizeof listing->text - strlen(listing->text), "%s,", key);
	return --listing->left > 0;
}

static void
lists_are_ordered_and_bounded(void **state)
{
	struct fixture *fixture = *state;
	const char *keys[] = {"b/1", "b/10", "b/2", "a", "b", "b/", "b0", "c", "~", " "};
	const struct {
		const char *prefix;
		const char *after;
		int left;
		const char *want;
	} cases[] = {
		{"", NULL, 99, " ,a,b,b/,b/1,b/10,b/2,b0,c,~,"},
		{"b/", NULL, 99, "b/,b/1,b/10,b/2,"},
		{"b", NULL, 99, "b,b/,b/1,b/10,b/2,b0,"},
		{"b/1", NULL, 99, "b/1,b/10,"},
		{"b/", "b/1", 99, "b/10,b/2,"},
		{"b/", "b/11", 99, "b/2,"},
		{"b/", "a", 99, "b/,b/1,b/10,b/2,"},
		{"b/", "b/2", 99, ""},
		{"b/", "c", 99, ""},
		{"b/", NULL, 2, "b/,b/1,"},
		{"x", NULL, 99, ""},
		{"~", NULL, 99, "~,"},
	};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		must_put(fixture->store, keys[i], "v");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct listing listing = {.store = fixture->store, .left = cases[i].left};
		struct store_error err = {0};
		assert_int_equal(store_list(fixture->store, cases[i].prefix, cases[i].after,
					    list_key, &listing, &err),
				 STORE_OK);
		assert_string_equal(listing.text, cases[i].want);
	}
	assert_int_equal(store_list(fixture->store, "\n", NULL, list_key, NULL, NULL), STORE_LIMIT);
}

struct counting {
	struct store *store;
	char last[16];
	int count;
};

static bool
count_and_delete(void *user, const char *key, uint64_t revision)
{
	struct counting *counting = user;
	struct store_batch *batch = store_batch_new();

	assert_true(strcmp(counting->last, key) < 0);
	snprintf(counting->last, sizeof counting->last, "%s", key);
	counting->count++;
	store_batch_expect(batch, key, revision);
	store_batch_delete(batch, key);
	assert_int_equal(store_commit(counting->store, batch, NULL), STORE_OK);
	store_batch_free(batch);
	return true;
}

/* Around the size of a page, and with a visitor that changes what it is shown. */
static void
long_lists_are_whole(void **state)
{
	struct fixture *fixture = *state;
	const int sizes[] = {31, 32, 33, 64, 65, 200};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct counting counting = {.store = fixture->store};
		struct store_batch *batch = store_batch_new();
		for (int j = 0; j < sizes[i]; j++) {
			char key[16];
			snprintf(key, sizeof key, "k/%d", j);
			store_batch_put(batch, key, bytes_of("v"));
		}
		assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
		store_batch_free(batch);
		assert_int_equal(
			store_list(fixture->store, "k/", NULL, count_and_delete, &counting, NULL),
			STORE_OK);
		assert_int_equal(counting.count, sizes[i]);
		counting = (struct counting){.store = fixture->store};
		assert_int_equal(
			store_list(fixture->store, "", NULL, count_and_delete, &counting, NULL),
			STORE_OK);
		assert_int_equal(counting.count, 0);
	}
}

#define STEADY	 100 /* records that are there all the while, each between two that come and go */
#define LISTINGS 60

struct listed_beside {
	struct fixture *fixture;
	pthread_t writer;
	_Atomic bool stop;
	int steady;
	atomic_int fault;
	char last[16];
};

/* Rewrites the steady ones, and makes and deletes what is around them. */
static void *
write_around(void *user)
{
	struct listed_beside *beside = user;

	for (unsigned i = 0; !beside->stop; i++) {
		struct store_batch *batch = store_batch_new();
		char key[16];
		snprintf(key, sizeof key, "s/%03u", i * 7 % STEADY);
		store_batch_put(batch, key, bytes_of("steady"));
		for (unsigned j = 0; j < 20; j++) {
			snprintf(key, sizeof key, "s/%03u+%u", (i * 13 + j) % STEADY, j % 3);
			if ((i + j) % 2)
				store_batch_put(batch, key, bytes_of("here"));
			else
				store_batch_delete(batch, key);
		}
		beside->fault |= store_commit(beside->fixture->store, batch, NULL) != STORE_OK;
		store_batch_free(batch);
	}
	return NULL;
}

static bool
see_steady(void *user, const char *key, uint64_t revision)
{
	struct listed_beside *beside = user;

	beside->fault |= revision == 0 || strcmp(beside->last, key) >= 0;
	snprintf(beside->last, sizeof beside->last, "%s", key);
	beside->steady += strlen(key) == strlen("s/000");
	return true;
}

/* In one go, and as one who asks for page after page. */
static void
lists_show_each_once_beside_a_writer(void **state)
{
	struct listed_beside beside = {.fixture = *state};
	struct store *store = beside.fixture->store;
	struct store_batch *batch = store_batch_new();
	char key[16];

	for (int i = 0; i < STEADY; i++) {
		snprintf(key, sizeof key, "s/%03d", i);
		store_batch_put(batch, key, bytes_of("steady"));
	}
	assert_int_equal(store_commit(store, batch, NULL), STORE_OK);
	store_batch_free(batch);
	pthread_create(&beside.writer, NULL, write_around, &beside);
	for (int i = 0; i < LISTINGS; i++) {
		beside.steady = 0;
		beside.last[0] = 0;
		assert_int_equal(store_list(store, "s/", NULL, see_steady, &beside, NULL),
				 STORE_OK);
		assert_int_equal(beside.steady, STEADY);
	}
	beside.stop = true;
	pthread_join(beside.writer, NULL);
	assert_int_equal(beside.fault, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_EACH_BACKEND(lists_are_ordered_and_bounded),
		ON_EACH_BACKEND(long_lists_are_whole),
		ON_EACH_BACKEND(lists_show_each_once_beside_a_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
