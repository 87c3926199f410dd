/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The digest of all records in the head. Whoever has the disk puts whole records of the same store
 * back, takes them away or adds them: each is genuine, and it is noticed when the store is opened.
 * And whatever the store itself does, with every kind of failure, it opens again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "by_hand.h"
#include "store/commit.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- past the store ---- */

static void
must_be_refused(struct fixture *fixture, const char *what, const char *words)
{
	struct store_error err = {0};
	enum store_status status = fixture_open_with(fixture, fixture->root_key, &err);

	if (status != STORE_TAMPERED || !strstr(err.message, words))
		fail_msg("%s: %d %s", what, status, err.message);
}

#define OUTSIDE "a record was put back, added or removed outside"

/* Puts the snapshot in place of what is there, which must be noticed, and then mends that. */
static void
must_not_pass(struct fixture *fixture, const struct lying *snapshot, const char *what)
{
	const struct lying now = load(fixture, snapshot->key);

	save(fixture, snapshot);
	must_be_refused(fixture, what, OUTSIDE);
	save(fixture, &now);
	fixture_reopen(fixture);
	fixture_close(fixture);
}

static struct lying
put_and_take(struct fixture *fixture, const char *key, const char *value)
{
	char name[32];

	snprintf(name, sizeof name, "r/%s", key);
	fixture_reopen(fixture);
	must_put(fixture->store, key, value);
	fixture_close(fixture);
	return load(fixture, name);
}

static void
delete_and_close(struct fixture *fixture, const char *key)
{
	struct store_batch *batch = store_batch_new();

	fixture_reopen(fixture);
	store_batch_delete(batch, key);
	assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
	store_batch_free(batch);
	fixture_close(fixture);
}

/* ---- genuine records at the wrong time ---- */

static void
an_older_record_put_back_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	const struct lying first = put_and_take(fixture, "a", "first");
	const struct lying second = put_and_take(fixture, "a", "second");

	put_and_take(fixture, "a", "third");
	put_and_take(fixture, "b", "another record");
	must_not_pass(fixture, &first, "the first value");
	must_not_pass(fixture, &second, "the second value");
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "a"), "third");
}

/* The same value twice is two records, and only one is the newest. */
static void
an_older_record_of_the_same_value_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	const struct lying first = put_and_take(fixture, "a", "same");

	put_and_take(fixture, "a", "same");
	must_not_pass(fixture, &first, "the same value at an older revision");
}

static void
a_removed_record_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	const struct lying no_a = {.key = "r/a"}, no_b = {.key = "r/b"};

	put_and_take(fixture, "a", "1");
	must_not_pass(fixture, &no_a, "the only record removed");
	put_and_take(fixture, "b", "2");
	must_not_pass(fixture, &no_a, "the first record removed");
	must_not_pass(fixture, &no_b, "the last record removed");
	save(fixture, &no_a);
	save(fixture, &no_b);
	must_be_refused(fixture, "all records removed", OUTSIDE);
}

static void
a_deleted_record_put_back_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	const struct lying a = put_and_take(fixture, "a", "deleted later");

	delete_and_close(fixture, "a");
	must_not_pass(fixture, &a, "restored into an empty store");
	put_and_take(fixture, "b", "2");
	must_not_pass(fixture, &a, "restored beside another");
	put_and_take(fixture, "a", "made again");
	must_not_pass(fixture, &a, "restored over one that was made again");
}

/* Two histories of one store, made by putting the whole file back: a record of the one, at a
 * revision that the other has given out too. */
static void
a_record_of_another_history_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	const struct lying no_b = {.key = "r/b"};

	put_and_take(fixture, "a", "1");
	const struct lying head = load(fixture, "m/head");
	const struct lying b = put_and_take(fixture, "b", "of the other history");
	save(fixture, &head);
	save(fixture, &no_b);
	const struct lying c = put_and_take(fixture, "c", "of this history");
	assert_int_equal(c.revision, b.revision);
	must_not_pass(fixture, &b, "added");
}

/* An open store remembers what was durable, and goes on from nothing older. */
static void
an_older_head_under_an_open_store_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	const struct lying a = put_and_take(fixture, "a", "first");
	const struct lying head = load(fixture, HEAD_KEY);
	const struct lying newer_a = put_and_take(fixture, "a", "second");
	const struct lying newer_head = load(fixture, HEAD_KEY);
	struct store_batch *batch = store_batch_new();
	struct store_error err = {0};

	fixture_reopen(fixture);
	save_into(fixture->store->backend, &a);
	save_into(fixture->store->backend, &head);
	store_batch_put(batch, "b", bytes_of("of the other history"));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_commit(fixture->store, batch, &err), STORE_TAMPERED);
		assert_string_equal(err.message, HEAD_KEY ": an older one was put back");
	}
	save_into(fixture->store->backend, &newer_a);
	save_into(fixture->store->backend, &newer_head);
	assert_int_equal(store_commit(fixture->store, batch, &err), STORE_OK);
	store_batch_free(batch);
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "a"), "second");
}

/* The contributions must not cancel out: neither pairs that were swapped, nor one record twice. */
static void
two_changes_do_not_cancel_out(void **state)
{
	struct fixture *fixture = *state;
	struct lying a = put_and_take(fixture, "a", "1"), b = put_and_take(fixture, "b", "2");
	struct lying newer_a = put_and_take(fixture, "a", "3");
	const struct lying newer_b = put_and_take(fixture, "b", "4");

	save(fixture, &a);
	save(fixture, &b);
	must_be_refused(fixture, "two records put back", OUTSIDE);
	save(fixture, &newer_a);
	save(fixture, &newer_b);
	fixture_reopen(fixture);
	fixture_close(fixture);
	struct lying as_b = newer_a, as_a = newer_b;
	strcpy(as_b.key, "r/b");
	strcpy(as_a.key, "r/a");
	save(fixture, &as_b);
	save(fixture, &as_a);
	must_be_refused(fixture, "two records that changed places", OUTSIDE);
	save(fixture, &newer_a);
	save(fixture, &newer_b);
	strcpy(a.key, "r/c"); /* both under one more name, with one more revision */
	strcpy(newer_a.key, "r/d");
	save(fixture, &a);
	save(fixture, &newer_a);
	must_be_refused(fixture, "two copies", OUTSIDE);
}

static void
an_older_revision_of_the_same_body_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	struct lying a = put_and_take(fixture, "a", "1");
	const struct lying whole = a;

	put_and_take(fixture, "b", "2");
	for (uint64_t revision = 1; revision < 5; revision++) {
		a.revision = revision;
		if (revision != whole.revision)
			must_not_pass(fixture, &a, "another revision");
	}
	/* What the store cannot have given out is called by its name. */
	a.revision = 0;
	save(fixture, &a);
	must_be_refused(fixture, "revision 0", "r/a: revision 0");
	a.revision = 1u << 20;
	save(fixture, &a);
	must_be_refused(fixture, "a revision to come", "r/a: revision 1048576");
}

/* ---- what the store does itself ---- */

static void
an_empty_set_is_zero(void **state)
{
	struct fixture *fixture = *state;
	const uint8_t zero[DIGEST_SIZE] = {0};

	assert_memory_equal(fixture->store->head.digest, zero, sizeof zero);
	fixture_reopen(fixture);
	must_put(fixture->store, "a", "1");
	must_put(fixture->store, "b", "2");
	assert_memory_not_equal(fixture->store->head.digest, zero, sizeof zero);
	delete_and_close(fixture, "a");
	delete_and_close(fixture, "b");
	fixture_reopen(fixture);
	assert_memory_equal(fixture->store->head.digest, zero, sizeof zero);
}

static void
one_batch_may_change_a_record_often(void **state)
{
	struct fixture *fixture = *state;
	struct store_batch *batch = store_batch_new();

	must_put(fixture->store, "deleted", "0");
	store_batch_put(batch, "a", bytes_of("1"));
	store_batch_delete(batch, "a");
	store_batch_delete(batch, "a");
	store_batch_put(batch, "a", bytes_of("2"));
	store_batch_put(batch, "a", bytes_of("3"));
	store_batch_put(batch, "deleted", bytes_of("1"));
	store_batch_delete(batch, "deleted");
	store_batch_delete(batch, "was never there");
	store_batch_append(batch, "tag", bytes_of("entry"));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
		fixture_reopen(fixture);
		assert_string_equal(text_of(fixture->store, "a"), "3");
		assert_string_equal(text_of(fixture->store, "deleted"), "-");
	}
	store_batch_free(batch);
}

/* What a batch replaces cannot be read: nothing of it stays in the plan, whose other batches go on.
 */
static void
a_batch_that_cannot_be_counted_leaves_the_plan_as_it_was(void **state)
{
	struct fixture *fixture = *state;
	struct store_batch *good = store_batch_new(), *bad = store_batch_new();

	store_batch_put(good, "a", bytes_of("1"));
	store_batch_put(bad, "a", bytes_of("2"));
	store_batch_put(bad, "unreadable", bytes_of("3"));
	{
		auto_view view = {0};
		assert_int_equal(view_open(fixture->store->backend, &view, NULL), STORE_OK);
		auto_plan plan = {
			.store = fixture->store, .head = fixture->store->head, .view = &view};
		assert_int_equal(store_plan_add_batch(&plan, good, NULL), STORE_OK);
		const struct head head = plan.head;
		fixture->disk.unreadable = "r/unreadable";
		assert_int_equal(store_plan_add_batch(&plan, bad, NULL), STORE_IO);
		assert_memory_equal(&plan.head, &head, sizeof head);
		assert_int_equal(plan.count, 1);
		store_batch_expect(good, "a", plan.writes[0].revision);
		assert_int_equal(store_plan_add_batch(&plan, good, NULL), STORE_OK);
	}
	assert_int_equal(store_commit(fixture->store, bad, NULL), STORE_IO);
	fixture->disk.unreadable = NULL;
	assert_int_equal(store_commit(fixture->store, bad, NULL), STORE_OK);
	store_batch_free(good);
	store_batch_free(bad);
	fixture_reopen(fixture);
	assert_string_equal(text_of(fixture->store, "a"), "2");
}

/* ---- a model ---- */

#define KEYS   8
#define ROUNDS 200

struct model {
	struct fixture *fixture;
	uint32_t random;
	char values[KEYS][16]; /* "-": none */
};

static uint32_t
random_below(struct model *model, uint32_t bound)
{
	model->random = model->random * 1664525 + 1013904223;
	return (model->random >> 8) % bound;
}

static struct store_batch *
random_batch(struct model *model, char values[KEYS][16])
{
	struct store_batch *batch = store_batch_new();

	memcpy(values, model->values, sizeof model->values);
	for (uint32_t i = 1 + random_below(model, 6); i > 0; i--) {
		uint32_t which = random_below(model, KEYS);
		char key[16];
		snprintf(key, sizeof key, "k/%u", which);
		if (random_below(model, 3) == 0) {
			store_batch_delete(batch, key);
			strcpy(values[which], "-");
		} else {
			snprintf(values[which], 16, "%u", random_below(model, 1000));
			store_batch_put(batch, key, bytes_of(values[which]));
		}
	}
	if (random_below(model, 2))
		store_batch_append(batch, "tag", bytes_of("entry"));
	return batch;
}

/* One batch on a disk in one of its moods; what is then true goes into the model. */
static void
commit_randomly(struct model *model)
{
	struct disk *disk = &model->fixture->disk;
	char values[KEYS][16];
	struct store_batch *batch = random_batch(model, values);
	bool conflicts = random_below(model, 6) == 0;

	disk->failure = random_below(model, 4) ? DISK_WORKS : DISK_REFUSES + random_below(model, 2);
	disk->fail_at = disk->arrived + 1;
	disk->conflicts = random_below(model, 4) ? 0 : 1;
	if (disk->conflicts)
		disk->failure = DISK_WORKS;
	if (conflicts)
		store_batch_expect(batch, "k/0", 1); /* where only the founding records are */
	enum store_status status = store_commit(model->fixture->store, batch, NULL);
	if (conflicts)
		assert_int_equal(status, STORE_CONFLICT);
	else
		assert_int_equal(status == STORE_OK, disk->failure == DISK_WORKS);
	disk->conflicts = 0;
	if (!conflicts && disk->failure != DISK_REFUSES)
		memcpy(model->values, values, sizeof values);
	store_batch_free(batch);
}

/* A record as it once was comes back, or one goes. */
static void
tamper_randomly(struct model *model, struct lying *old)
{
	char key[16];

	fixture_close(model->fixture);
	snprintf(key, sizeof key, "r/k/%u", random_below(model, KEYS));
	const struct lying now = load(model->fixture, old->key[0] ? old->key : key);
	if (old->key[0] && now.revision != old->revision)
		must_not_pass(model->fixture, old, "as it once was");
	*old = load(model->fixture, key);
	fixture_reopen(model->fixture);
}

static void
whatever_happens_it_opens_again(void **state)
{
	struct model model = {.fixture = *state, .random = 7};
	struct lying old = {0};

	for (int i = 0; i < KEYS; i++)
		strcpy(model.values[i], "-");
	for (int round = 0; round < ROUNDS; round++) {
		for (uint32_t i = random_below(&model, 4); i > 0; i--)
			commit_randomly(&model);
		fixture_reopen(model.fixture);
		for (int i = 0; i < KEYS; i++) {
			char key[16];
			snprintf(key, sizeof key, "k/%d", i);
			assert_string_equal(text_of(model.fixture->store, key), model.values[i]);
		}
		tamper_randomly(&model, &old);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_EACH_BACKEND(an_older_record_put_back_is_noticed),
		ON_EACH_BACKEND(an_older_record_of_the_same_value_is_noticed),
		ON_EACH_BACKEND(a_removed_record_is_noticed),
		ON_EACH_BACKEND(a_deleted_record_put_back_is_noticed),
		ON_EACH_BACKEND(a_record_of_another_history_is_noticed),
		ON_EACH_BACKEND(an_older_head_under_an_open_store_is_noticed),
		ON_EACH_BACKEND(two_changes_do_not_cancel_out),
		ON_EACH_BACKEND(an_older_revision_of_the_same_body_is_noticed),
		ON_EACH_BACKEND(an_empty_set_is_zero),
		ON_EACH_BACKEND(one_batch_may_change_a_record_often),
		ON_EACH_BACKEND(a_batch_that_cannot_be_counted_leaves_the_plan_as_it_was),
		ON_EACH_BACKEND(whatever_happens_it_opens_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
