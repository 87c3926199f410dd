/* SPDX-License-Identifier: Apache-2.0 */
/* Each kind of damage is named, and what is sound never is, whoever writes meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"
#include "store/bytes.h"
#include "store/state.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BODY_MAX     4096
#define DEFECTS_MAX  32
#define WRITERS	     8
#define WRITE_MILLIS 1500

struct findings {
	char texts[DEFECTS_MAX][200];
	size_t count;
	uint64_t done, total;
	unsigned reports, stop_at;
	struct store_check report;
};

static void
see_defect(void *user, const char *text)
{
	struct findings *findings = user;

	assert_true(findings->count < DEFECTS_MAX);
	snprintf(findings->texts[findings->count++], sizeof findings->texts[0], "%s", text);
}

static bool
see_progress(void *user, uint64_t done, uint64_t total)
{
	struct findings *findings = user;

	assert_true(done <= total);
	assert_true(done >= findings->done);
	findings->done = done;
	findings->total = total;
	return ++findings->reports != findings->stop_at;
}

static void
must_check(struct store *store, struct findings *ret_findings)
{
	struct store_error err = {0};

	*ret_findings = (struct findings){0};
	if (store_check(store, see_progress, see_defect, ret_findings, &ret_findings->report,
			&err) != STORE_OK)
		fail_msg("check: %s", err.message);
	assert_int_equal(ret_findings->report.defects, ret_findings->count);
	assert_int_equal(ret_findings->done, ret_findings->total);
}

static void
must_be_sound(struct store *store)
{
	struct findings findings;

	must_check(store, &findings);
	if (findings.count > 0)
		fail_msg("%zu defects, %s", findings.count, findings.texts[0]);
}

/* ---- a store with some of everything ---- */

static void
commit(struct store *store, struct store_batch *batch)
{
	struct store_error err = {0};

	if (store_commit(store, batch, &err) != STORE_OK)
		fail_msg("%s", err.message);
	store_batch_free(batch);
}

static void
populate(struct store *store)
{
	for (int i = 0; i < 5; i++) {
		struct store_batch *batch = store_batch_new();
		char key[32];
		snprintf(key, sizeof key, "plain/%d", i);
		store_batch_put(batch, key, bytes_of(key));
		snprintf(key, sizeof key, "secret/%d", i);
		store_batch_put_erasable(batch, key, bytes_of(key));
		store_batch_append(batch, i % 2 ? "tag" : NULL, bytes_of("an entry"));
		commit(store, batch);
	}
}

/* ---- past the store ---- */

static void
write_raw(struct fixture *fixture, const char *name, uint64_t revision, struct store_bytes body,
	  bool remove)
{
	struct backend *backend = fixture->store->backend;
	struct backend_record head;
	struct view view = {0};
	const struct backend_write write = {
		.key = name, .revision = revision, .body = body, .remove = remove};

	assert_int_equal(view_open(backend, &view, NULL), STORE_OK);
	const bool headless = view_get(&view, HEAD_KEY, &head, NULL) != STORE_OK;
	const struct backend_expect expect = {HEAD_KEY, headless ? 0 : head.revision};
	view_close(&view);
	assert_int_equal(backend->class->apply(backend, &expect, &write, 1, NULL), STORE_OK);
}

struct raw {
	uint64_t revision;
	uint8_t body[BODY_MAX];
	size_t size;
};

static struct raw
read_raw(struct fixture *fixture, const char *name)
{
	struct backend_record record;
	struct raw raw = {0};
	auto_view view = {0};

	assert_int_equal(view_open(fixture->store->backend, &view, NULL), STORE_OK);
	assert_int_equal(view_get(&view, name, &record, NULL), STORE_OK);
	assert_true(record.body.size <= sizeof raw.body);
	raw.revision = record.revision;
	raw.size = record.body.size;
	memcpy(raw.body, record.body.data, raw.size);
	return raw;
}

static void
put_raw(struct fixture *fixture, const char *name, const struct raw *raw)
{
	write_raw(fixture, name, raw->revision, (struct store_bytes){raw->body, raw->size}, false);
}

static void
flip(struct fixture *fixture, const char *name)
{
	struct raw raw = read_raw(fixture, name);

	raw.body[raw.size - 1] ^= 0x40;
	put_raw(fixture, name, &raw);
}

static void
cut(struct fixture *fixture, const char *name)
{
	struct raw raw = read_raw(fixture, name);

	raw.size = 10;
	put_raw(fixture, name, &raw);
}

static void
take_away(struct fixture *fixture, const char *name)
{
	write_raw(fixture, name, 0, (struct store_bytes){0}, true);
}

static void
add(struct fixture *fixture, const char *name)
{
	write_raw(fixture, name, 3, (struct store_bytes){0}, false);
}

static void
copy_of_record(struct fixture *fixture, const char *name)
{
	struct raw raw = read_raw(fixture, "r/plain/1");

	put_raw(fixture, name, &raw);
}

static void
swap(struct fixture *fixture, const char *name)
{
	struct raw one = read_raw(fixture, name), two = read_raw(fixture, "r/plain/1");
	uint64_t revision = one.revision;

	one.revision = two.revision;
	two.revision = revision;
	put_raw(fixture, name, &two);
	put_raw(fixture, "r/plain/1", &one);
}

static void
put_back(struct fixture *fixture, const char *name)
{
	struct raw raw = read_raw(fixture, name);

	must_put(fixture->store, name + strlen(RECORD_PREFIX), "newer");
	put_raw(fixture, name, &raw);
}

/* As it was before the data key was renewed. */
static void
put_back_header(struct fixture *fixture, const char *name)
{
	struct raw raw = read_raw(fixture, name);

	assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	put_raw(fixture, name, &raw);
}

static void
age(struct fixture *fixture, const char *name)
{
	struct raw raw = read_raw(fixture, name);

	put_be32(raw.body, 77);
	put_raw(fixture, name, &raw);
}

static void
hasten(struct fixture *fixture, const char *name)
{
	struct raw raw = read_raw(fixture, name);

	raw.revision = 1000000;
	put_raw(fixture, name, &raw);
}

static void
write_slot_of(struct fixture *fixture, const char *name, uint8_t fill)
{
	struct backend *backend = fixture->store->backend;
	struct raw raw = read_raw(fixture, name);
	uint8_t bytes[BACKEND_SLOT_SIZE];

	memset(bytes, fill, sizeof bytes);
	assert_int_equal(
		backend->class->slots_write(backend, get_be(raw.body + 4, 8), bytes, 1, NULL),
		STORE_OK);
}

static void
erase_slot(struct fixture *fixture, const char *name)
{
	write_slot_of(fixture, name, 0);
}

static void
change_slot(struct fixture *fixture, const char *name)
{
	write_slot_of(fixture, name, 7);
}

/* An entry of another text, sealed as the store would, with the hash that was there. */
static void
forge_entry(struct fixture *fixture, const char *name)
{
	struct raw raw = read_raw(fixture, name);
	const struct backend_record record = {raw.revision, {raw.body, raw.size}};
	uint8_t value[BODY_MAX];
	struct keyring *keyring = &fixture->store->keyring;
	const size_t size = raw.size - BODY_OVERHEAD;

	assert_int_equal(
		store_body_open(fixture->store->backend, keyring, name, &record, value, NULL),
		STORE_OK);
	value[size - 1] ^= 1;
	store_body_seal(keyring, name, raw.revision, SLOT_NONE, NULL,
			(struct store_bytes){value, size}, raw.body);
	put_raw(fixture, name, &raw);
}

static void
give_body(struct fixture *fixture, const char *name)
{
	struct raw raw = read_raw(fixture, name);

	raw.size = 1;
	put_raw(fixture, name, &raw);
}

static void
lose_three(struct fixture *fixture, const char *name)
{
	(void)name;
	take_away(fixture, "l/0000000000000001");
	take_away(fixture, "l/0000000000000002");
	take_away(fixture, "l/0000000000000003");
}

/* ---- each is named ---- */

#define ENTRY(n) "l/000000000000000" n
#define TAG(n)	 "t/tag/000000000000000" n
static const struct row {
	const char *name;
	void (*damage)(struct fixture *fixture, const char *name);
	const char *at;
	const char *texts[4]; /* each begins one defect; in order */
} rows[] = {
	{"a bit of a record", flip, "r/plain/3", {"r/plain/3: does not open"}},
	{"a record cut short", cut, "r/plain/3", {"r/plain/3: too short"}},
	{"a bit of an erasable record", flip, "r/secret/3", {"r/secret/3: does not open"}},
	{"two records swapped",
	 swap,
	 "r/plain/3",
	 {"r/plain/1: does not open", "r/plain/3: does not open"}},
	{"a record put back", put_back, "r/plain/3", {"digest:"}},
	{"a record removed", take_away, "r/plain/3", {"digest:"}},
	{"a record added", copy_of_record, "r/another", {"digest:", "r/another: does not open"}},
	{"a data key that is not there", age, "r/plain/3", {"r/plain/3: sealed under data key 77"}},
	{"a revision from the future",
	 hasten,
	 "r/plain/3",
	 {"digest:", "r/plain/3: does not open", "r/plain/3: revision 1000000"}},
	{"a slot erased", erase_slot, "r/secret/3", {"r/secret/3: slot "}},
	{"a slot changed", change_slot, "r/secret/3", {"r/secret/3: does not open"}},
	{"a bit of an entry", flip, ENTRY("3"), {ENTRY("3") ": does not open"}},
	{"a bit of an entry with a tag",
	 flip,
	 ENTRY("2"),
	 {ENTRY("2") ": does not open", TAG("2") ": names an entry that cannot be read"}},
	{"an entry removed", take_away, ENTRY("3"), {ENTRY("3") ": the log's entry is gone"}},
	{"the first entries removed",
	 lose_three,
	 "",
	 {ENTRY("1") " to 0000000000000003: the log's entries are gone",
	  TAG("2") ": names an entry that cannot be read"}},
	{"the last entry removed",
	 take_away,
	 ENTRY("5"),
	 {"log: ends at 4, its head says 5", ENTRY("5") ": the log's entry is gone"}},
	{"an entry added", add, ENTRY("6"), {"log: ends at 6, its head says 5"}},
	{"an entry of another name", add, "l/x", {"l/x: no log key", "l/x: no log key"}},
	{"an entry rewritten", forge_entry, ENTRY("3"), {"log: the chain breaks at 3"}},
	{"the last entry rewritten", forge_entry, ENTRY("5"), {"log: the chain breaks at 5"}},
	{"an index entry removed", take_away, TAG("2"), {TAG("2") ": gone from the index"}},
	{"an index entry added", add, TAG("3"), {TAG("3") ": the entry has another tag"}},
	{"an index entry of nothing",
	 add,
	 TAG("9"),
	 {TAG("9") ": names an entry that is not there"}},
	{"an index entry without a tag",
	 add,
	 "t/0000000000000001",
	 {"t/0000000000000001: no index"}},
	{"an index entry without a number", add, "t/tag/2", {"t/tag/2: no index entry"}},
	{"an index entry with a body",
	 give_body,
	 TAG("4"),
	 {TAG("4") ": not as its entry wrote it"}},
	{"an index entry's revision", hasten, TAG("4"), {TAG("4") ": not as its entry wrote it"}},
	{"a bit of a data key", flip, "m/key/00000001", {"m/key/00000001: does not open"}},
	{"a data key removed", take_away, "m/key/00000001", {"m/key/00000001: the key is gone"}},
	{"a bit of the digest's key", flip, "m/key/set", {"m/key/set: does not open"}},
	{"a bit of the header", flip, "m/header", {"m/header: was changed"}},
	{"the header put back",
	 put_back_header,
	 "m/header",
	 {"m/header: an older one was put back"}},
	{"the header removed", take_away, "m/header", {"there is no store: it has no header"}},
	{"something among the keys", add, "m/key/00000002", {"m/key/00000002: not the store's"}},
	{"a bit of the head", flip, "m/head", {"m/head: does not open"}},
	{"an order to erase",
	 add,
	 "x/0000000000000003",
	 {"x/0000000000000003: not written by this"}},
	{"an order to erase nothing", add, "x/me", {"x/me: not written by this store"}},
};

static void
each_damage_is_named(void **state)
{
	const enum fixture_kind kind = ((struct fixture *)*state)->kind;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];
		struct findings findings;
		void *made = NULL;
		assert_int_equal(kind == FIXTURE_LMDB ? fixture_setup_lmdb(&made)
						      : fixture_setup_memory(&made),
				 0);
		struct fixture *fixture = made;
		populate(fixture->store);
		must_be_sound(fixture->store);
		row->damage(fixture, row->at);
		must_check(fixture->store, &findings);
		for (size_t j = 0; j < 4 && row->texts[j]; j++) {
			if (j >= findings.count ||
			    strncmp(findings.texts[j], row->texts[j], strlen(row->texts[j])) != 0)
				fail_msg("%s: not %s but %s", row->name, row->texts[j],
					 findings.texts[j]);
			if (!row->texts[j + 1 < 4 ? j + 1 : j])
				assert_int_equal(findings.count, j + 1);
		}
		fixture_free(fixture);
	}
}

/* Damage does not end the check: each piece of it is found beside all others. */
static void
all_damage_is_named_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct findings findings;

	populate(fixture->store);
	flip(fixture, "r/plain/0");
	cut(fixture, "r/plain/4");
	erase_slot(fixture, "r/secret/2");
	flip(fixture, ENTRY("1"));
	flip(fixture, ENTRY("3"));
	take_away(fixture, TAG("4"));
	add(fixture, "m/other");
	must_check(fixture->store, &findings);
	assert_int_equal(findings.count, 7);
}

/* ---- a sound store ---- */

static void
what_is_there_is_counted(void **state)
{
	struct fixture *fixture = *state;
	struct findings findings;

	must_be_sound(fixture->store);
	populate(fixture->store);
	must_check(fixture->store, &findings);
	assert_int_equal(findings.report.records, 10);
	assert_int_equal(findings.report.entries, 5);
	assert_int_equal(findings.report.tags, 2);
	assert_true(findings.report.bytes > 10 * strlen("plain/0") + 5 * strlen("an entry"));
	assert_int_equal(findings.total, 15);
	assert_int_equal(findings.count, 0);
	for (int i = 0; i < 200; i++) { /* more than a page of each */
		struct store_batch *batch = store_batch_new();
		char key[32];
		snprintf(key, sizeof key, "many/%d", i);
		store_batch_put_erasable(batch, key, bytes_of(key));
		store_batch_append(batch, key + 5, bytes_of(key));
		commit(fixture->store, batch);
	}
	must_check(fixture->store, &findings);
	assert_int_equal(findings.report.records, 210);
	assert_int_equal(findings.report.entries, 205);
	assert_int_equal(findings.report.tags, 202);
	assert_int_equal(findings.count, 0);
	assert_int_equal(store_check(fixture->store, NULL, NULL, NULL, &findings.report, NULL),
			 STORE_OK);
}

static void
a_check_can_be_stopped_and_is_refused_while_sealed(void **state)
{
	struct fixture *fixture = *state;
	struct findings findings = {.stop_at = 1};
	struct store *store = NULL;

	populate(fixture->store);
	assert_int_equal(store_check(fixture->store, see_progress, see_defect, &findings,
				     &findings.report, NULL),
			 STORE_CONFLICT);
	fixture_close(fixture);
	assert_int_equal(store_attach(fixture->path, &store, NULL), STORE_OK);
	assert_int_equal(store_check(store, NULL, NULL, NULL, &findings.report, NULL),
			 STORE_SEALED);
	store_close(store);
}

/* ---- beside writers ---- */

struct writer {
	pthread_t thread;
	struct store *store;
	atomic_bool *stop;
	unsigned number;
	unsigned commits;
};

static void *
write_on(void *user)
{
	struct writer *writer = user;
	struct store_batch *batch = store_batch_new();
	unsigned seed = writer->number;

	while (!atomic_load(writer->stop)) {
		char key[32];
		snprintf(key, sizeof key, "w/%u/%d", writer->number, rand_r(&seed) % 20);
		int act = rand_r(&seed) % 4;
		store_batch_clear(batch);
		if (act == 0)
			store_batch_delete(batch, key);
		else if (act == 1)
			store_batch_put(batch, key, bytes_of("plain"));
		else
			store_batch_put_erasable(batch, key, bytes_of("erasable"));
		store_batch_append(batch, act % 2 ? "tag" : NULL, bytes_of(key));
		assert_int_equal(store_commit(writer->store, batch, NULL), STORE_OK);
		writer->commits++;
	}
	store_batch_free(batch);
	return NULL;
}

static void *
rotate_on(void *user)
{
	struct writer *writer = user;

	while (!atomic_load(writer->stop)) {
		struct store_rotation rotation = {.generation = 1};
		assert_int_equal(store_rotate(writer->store, NULL), STORE_OK);
		while (rotation.oldest != rotation.generation && !atomic_load(writer->stop))
			assert_int_equal(store_reseal(writer->store, 20, &rotation, NULL),
					 STORE_OK);
		writer->commits++;
	}
	return NULL;
}

static int64_t
millis(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
writers_are_no_defect(void **state)
{
	struct fixture *fixture = *state;
	struct writer writers[WRITERS + 1];
	atomic_bool stop = false;
	const int64_t end = millis() + WRITE_MILLIS;
	unsigned checks = 0;

	populate(fixture->store);
	for (unsigned i = 0; i <= WRITERS; i++) {
		writers[i] = (struct writer){.store = fixture->store, .stop = &stop, .number = i};
		assert_int_equal(pthread_create(&writers[i].thread, NULL,
						i < WRITERS ? write_on : rotate_on, &writers[i]),
				 0);
	}
	while (millis() < end) {
		must_be_sound(fixture->store);
		checks++;
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i <= WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		assert_true(writers[i].commits > 0);
	}
	print_message("%u checks\n", checks);
	assert_true(checks > 0);
	must_be_sound(fixture->store);
}

int
main(void)
{
#define ON_LMDB(test)                                                                              \
	{                                                                                          \
#test, test, fixture_setup_lmdb, fixture_teardown, NULL                            \
	}
	const struct CMUnitTest tests[] = {
		ON_EACH_BACKEND(each_damage_is_named),
		ON_EACH_BACKEND(all_damage_is_named_at_once),
		ON_EACH_BACKEND(what_is_there_is_counted),
		ON_LMDB(a_check_can_be_stopped_and_is_refused_while_sealed),
		ON_LMDB(writers_are_no_defect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
