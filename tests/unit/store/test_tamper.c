/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever can write to data.mdb: what he changes there is noticed when the store opens, or at the
 * latest when the record is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"

#include <cmocka.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- past the store, with LMDB alone ---- */

struct raw {
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
};

struct raw_record {
	uint8_t bytes[512];
	size_t size;
};

static void
must(int code)
{
	if (code != 0)
		fail_msg("LMDB: %s", mdb_strerror(code));
}

static struct raw
raw_open(const struct fixture *fixture)
{
	struct raw raw;

	must(mdb_env_create(&raw.env));
	must(mdb_env_open(raw.env, fixture->path, MDB_NOSYNC, 0600));
	must(mdb_txn_begin(raw.env, NULL, 0, &raw.txn));
	must(mdb_dbi_open(raw.txn, NULL, 0, &raw.dbi));
	return raw;
}

static void
raw_close(struct raw *raw)
{
	must(mdb_txn_commit(raw->txn));
	mdb_env_close(raw->env);
}

static MDB_val
raw_key(const char *key)
{
	return (MDB_val){strlen(key), (void *)(uintptr_t)key};
}

static struct raw_record
raw_get(struct raw *raw, const char *key)
{
	struct raw_record record = {0};
	MDB_val name = raw_key(key), value;

	must(mdb_get(raw->txn, raw->dbi, &name, &value));
	assert_true(value.mv_size <= sizeof record.bytes);
	memcpy(record.bytes, value.mv_data, value.mv_size);
	record.size = value.mv_size;
	return record;
}

static void
raw_put(struct raw *raw, const char *key, const struct raw_record *record)
{
	MDB_val name = raw_key(key);
	MDB_val value = {record->size, (void *)(uintptr_t)record->bytes};

	must(mdb_put(raw->txn, raw->dbi, &name, &value, 0));
}

static void
raw_remove(struct raw *raw, const char *key)
{
	MDB_val name = raw_key(key);

	must(mdb_del(raw->txn, raw->dbi, &name, NULL));
}

static struct raw_record
load(struct fixture *fixture, const char *key)
{
	struct raw raw = raw_open(fixture);
	struct raw_record record = raw_get(&raw, key);

	raw_close(&raw);
	return record;
}

static void
replace(struct fixture *fixture, const char *key, const struct raw_record *record)
{
	struct raw raw = raw_open(fixture);

	raw_put(&raw, key, record);
	raw_close(&raw);
}

/* ---- what a reader of the store then sees ---- */

static bool
go_on_listing(void *user, const char *key, uint64_t revision)
{
	(void)user;
	(void)key;
	(void)revision;
	return true;
}

static bool
go_on(void *user, const struct store_log_entry *entry)
{
	(void)user;
	(void)entry;
	return true;
}

/* Opens, reads every record, the names, the log and the tags: the first answer that is not
 * STORE_OK. */
static enum store_status
examine(struct fixture *fixture, struct store_error *err)
{
	const char *keys[] = {"a", "b"};
	enum store_status status = fixture_open_with(fixture, fixture->root_key, err);

	for (size_t i = 0; i < 2 && status == STORE_OK; i++) {
		struct secret *value = NULL;
		uint64_t revision;
		status = store_get(fixture->store, keys[i], &value, &revision, err);
		if (status == STORE_OK) {
			auto_secret *into = secret_new(64);
			assert_int_equal(
				store_get_into(fixture->store, keys[i], into, &revision, err),
				STORE_OK);
		}
		secret_free(value);
	}
	if (status == STORE_OK)
		status = store_list(fixture->store, "", NULL, go_on_listing, NULL, err);
	if (status == STORE_OK)
		status = store_log_read(fixture->store, 1, go_on, NULL, err);
	if (status == STORE_OK)
		status = store_log_tagged(fixture->store, "odd", 9, go_on, NULL, err);
	if (status == STORE_OK)
		status = store_log_tagged(fixture->store, "even", 9, go_on, NULL, err);
	if (status == STORE_OK)
		status = store_log_tagged(fixture->store, "od", 9, go_on, NULL, err);
	fixture_close(fixture);
	return status;
}

static void
must_be_noticed(struct fixture *fixture, const char *what)
{
	struct store_error err = {0};
	enum store_status status = examine(fixture, &err);

	if (status != STORE_TAMPERED || err.status != STORE_TAMPERED)
		fail_msg("%s: %d %s", what, status, err.message);
}

static void
must_be_whole(struct fixture *fixture)
{
	struct store_error err = {0};

	if (examine(fixture, &err) != STORE_OK)
		fail_msg("untouched: %s", err.message);
}

/* Two records of one size, four entries of one size under two tags; and the store is closed. */
static int
setup_records(void **state)
{
	if (fixture_setup_lmdb(state) != 0)
		return -1;
	struct fixture *fixture = *state;
	must_put(fixture->store, "a", "value-1");
	must_put(fixture->store, "b", "value-2");
	for (int i = 1; i <= 4; i++) {
		struct store_batch *batch = store_batch_new();
		char entry[8];
		snprintf(entry, sizeof entry, "e%d", i);
		store_batch_append(batch, i % 2 ? "odd" : "even", bytes_of(entry));
		if (store_commit(fixture->store, batch, NULL) != STORE_OK)
			return -1;
		store_batch_free(batch);
	}
	fixture_close(fixture);
	must_be_whole(fixture);
	return 0;
}

#define ENTRY_1 "l/0000000000000001"
#define ENTRY_2 "l/0000000000000002"
#define ENTRY_3 "l/0000000000000003"
#define ENTRY_4 "l/0000000000000004"

static const char *const sealed_records[] = {"r/a",   "r/b",	ENTRY_1,	 ENTRY_2,
					     ENTRY_4, "m/head", "m/key/00000001",
					     "m/key/set"};

static void
every_bit_of_a_sealed_record_counts(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof sealed_records / sizeof sealed_records[0]; i++) {
		const struct raw_record good = load(fixture, sealed_records[i]);
		for (size_t bit = 0; bit < good.size * 8; bit++) {
			struct raw_record bad = good;
			bad.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			replace(fixture, sealed_records[i], &bad);
			must_be_noticed(fixture, sealed_records[i]);
		}
		replace(fixture, sealed_records[i], &good);
		must_be_whole(fixture);
	}
}

static void
every_length_of_a_sealed_record_counts(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof sealed_records / sizeof sealed_records[0]; i++) {
		const struct raw_record good = load(fixture, sealed_records[i]);
		struct raw_record bad = good;
		for (bad.size = 0; bad.size < good.size; bad.size++) {
			replace(fixture, sealed_records[i], &bad);
			must_be_noticed(fixture, sealed_records[i]);
		}
		bad.size = good.size + 1;
		replace(fixture, sealed_records[i], &bad);
		must_be_noticed(fixture, sealed_records[i]);
		replace(fixture, sealed_records[i], &good);
		must_be_whole(fixture);
	}
}

/* Where in the stored header, revision first, a bit is for the root key to answer. */
static bool
proves_the_key(size_t byte)
{
	bool id = byte >= 8 + 4 && byte < 8 + 20, check = byte >= 8 + 36 && byte < 8 + 68;

	return id || check;
}

/* A spoilt identity or key check is taken for another key; of all else it is said that it was
 * changed. */
static void
every_bit_of_the_header_counts(void **state)
{
	struct fixture *fixture = *state;
	const struct raw_record good = load(fixture, "m/header");

	for (size_t bit = 0; bit < good.size * 8; bit++) {
		struct raw_record bad = good;
		struct store_error err = {0};
		bool version = bit / 8 >= 8 && bit / 8 < 12;
		enum store_status want = proves_the_key(bit / 8) ? STORE_KEY : STORE_TAMPERED;
		bad.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		replace(fixture, "m/header", &bad);
		assert_int_equal(examine(fixture, &err), version ? STORE_IO : want);
		assert_int_equal(strstr(err.message, "is not known to this program") != NULL,
				 version);
	}
	for (size_t size = 0; size < good.size; size++) {
		struct raw_record bad = good;
		struct store_error err = {0};
		bad.size = size;
		replace(fixture, "m/header", &bad);
		assert_int_not_equal(examine(fixture, &err), STORE_OK);
	}
	replace(fixture, "m/header", &good);
	must_be_whole(fixture);
}

/* ---- whole records, moved ---- */

/* The bodies change places and the revisions stay, so that only the seal can tell. */
static void
swap_bodies(struct fixture *fixture, const char *one, const char *other)
{
	struct raw raw = raw_open(fixture);
	struct raw_record first = raw_get(&raw, one), second = raw_get(&raw, other);
	uint8_t revision[8];

	memcpy(revision, first.bytes, 8);
	memcpy(first.bytes, second.bytes, 8);
	memcpy(second.bytes, revision, 8);
	raw_put(&raw, one, &second);
	raw_put(&raw, other, &first);
	raw_close(&raw);
}

enum spoil { SPOIL_SWAP, SPOIL_COPY, SPOIL_REMOVE, SPOIL_MOVE };

static void
do_spoil(struct fixture *fixture, enum spoil spoil, const char *from, const char *to)
{
	struct raw raw = raw_open(fixture);
	struct raw_record first = raw_get(&raw, from);

	if (spoil == SPOIL_SWAP) {
		struct raw_record second = raw_get(&raw, to);
		raw_put(&raw, from, &second);
	}
	if (spoil != SPOIL_REMOVE)
		raw_put(&raw, to, &first);
	if (spoil == SPOIL_REMOVE || spoil == SPOIL_MOVE)
		raw_remove(&raw, from);
	raw_close(&raw);
}

static void
moved_records_are_noticed(void **state)
{
	const struct {
		const char *name;
		enum spoil spoil;
		const char *from;
		const char *to;
	} cases[] = {
		{"two records swapped", SPOIL_SWAP, "r/a", "r/b"},
		{"record copied over another", SPOIL_COPY, "r/a", "r/b"},
		{"entry in place of a record", SPOIL_COPY, ENTRY_1, "r/a"},
		{"two entries swapped", SPOIL_SWAP, ENTRY_2, ENTRY_3},
		{"entry copied over the next", SPOIL_COPY, ENTRY_2, ENTRY_3},
		{"entry copied beyond the newest", SPOIL_COPY, ENTRY_4, "l/0000000000000005"},
		{"first entry removed", SPOIL_REMOVE, ENTRY_1, NULL},
		{"middle entry removed", SPOIL_REMOVE, ENTRY_2, NULL},
		{"newest entry removed", SPOIL_REMOVE, ENTRY_4, NULL},
		{"entry moved beyond the newest", SPOIL_MOVE, ENTRY_2, "l/0000000000000005"},
		{"entry with another spelling", SPOIL_MOVE, ENTRY_2, "l/000000000000002"},
		{"an entry that is no number", SPOIL_COPY, ENTRY_2, "l/z"},
		{"a name that would write to a terminal", SPOIL_COPY, "r/a", "r/\x1b[2J"},
		{"a name that is not ASCII", SPOIL_COPY, "r/a", "r/caf\xc3\xa9"},
		{"head removed", SPOIL_REMOVE, "m/head", NULL},
		{"record as head", SPOIL_COPY, "r/a", "m/head"},
		{"data key removed", SPOIL_REMOVE, "m/key/00000001", NULL},
		{"index names another tag's entry", SPOIL_COPY, "t/odd/0000000000000001",
		 "t/odd/0000000000000002"},
		{"index of a tag that begins the entry's", SPOIL_COPY, "t/odd/0000000000000001",
		 "t/od/0000000000000001"},
		{"index names what is not there", SPOIL_COPY, "t/odd/0000000000000001",
		 "t/odd/0000000000000009"},
		{"index names no number", SPOIL_COPY, "t/odd/0000000000000001", "t/odd/x"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		do_spoil(*state, cases[i].spoil, cases[i].from, cases[i].to);
		must_be_noticed(*state, cases[i].name);
		fixture_teardown(state);
		assert_int_equal(setup_records(state), 0);
	}
}

/* Without reading the log: a broker that starts must not go on after a gap. */
static void
a_gap_is_noticed_when_opening(void **state)
{
	const char *entries[] = {ENTRY_1, ENTRY_2, ENTRY_3, ENTRY_4};

	for (size_t i = 0; i < 4; i++) {
		struct fixture *fixture = *state;
		do_spoil(fixture, SPOIL_REMOVE, entries[i], NULL);
		assert_int_equal(fixture_open_with(fixture, fixture->root_key, NULL),
				 STORE_TAMPERED);
		fixture_teardown(state);
		assert_int_equal(setup_records(state), 0);
	}
}

static void
append_and_close(struct fixture *fixture, const char *entry)
{
	struct store_batch *batch = store_batch_new();

	fixture_reopen(fixture);
	store_batch_append(batch, NULL, bytes_of(entry));
	assert_int_equal(store_commit(fixture->store, batch, NULL), STORE_OK);
	store_batch_free(batch);
	fixture_close(fixture);
}

/* Two histories of one store, made by putting the file back: an entry of the one, genuine under its
 * number and revision, does not pass for the other's. */
static void
an_entry_of_another_history_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	const struct raw_record head = load(fixture, "m/head");
	const char *fifth = "l/0000000000000005";

	append_and_close(fixture, "one history");
	const struct raw_record entry = load(fixture, fifth);
	replace(fixture, "m/head", &head);
	struct raw raw = raw_open(fixture);
	raw_remove(&raw, fifth);
	raw_close(&raw);
	append_and_close(fixture, "the other");
	must_be_whole(fixture);
	const struct raw_record other = load(fixture, fifth);
	replace(fixture, fifth, &entry);
	assert_int_equal(fixture_open_with(fixture, fixture->root_key, NULL), STORE_TAMPERED);
	/* Further back in the log it is the chain that tells. */
	replace(fixture, fifth, &other);
	append_and_close(fixture, "goes on");
	replace(fixture, fifth, &entry);
	assert_int_equal(fixture_open_with(fixture, fixture->root_key, NULL), STORE_OK);
	fixture_close(fixture);
	must_be_noticed(fixture, "another history, further back");
}

/* The head alone put back, and the log cut to fit it: a record that is newer than it gives it away.
 */
static void
an_older_head_with_a_cut_log_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	const struct raw_record head = load(fixture, "m/head"), old = load(fixture, "r/a");

	fixture_reopen(fixture);
	must_put(fixture->store, "a", "value-3");
	fixture_close(fixture);
	append_and_close(fixture, "that the record was read");
	struct raw raw = raw_open(fixture);
	raw_put(&raw, "m/head", &head);
	raw_remove(&raw, "l/0000000000000005");
	raw_close(&raw);
	assert_int_equal(fixture_open_with(fixture, fixture->root_key, NULL), STORE_TAMPERED);
	/* With all that has changed since put back, it is the file as it was. */
	replace(fixture, "r/a", &old);
	must_be_whole(fixture);
}

/* The plain size of data.mdb is LMDB's matter: short of it there must be an answer, not a bus
 * error. */
static void
a_file_cut_short_is_refused(void **state)
{
	struct fixture *fixture = *state;
	char path[128];
	struct stat whole;

	snprintf(path, sizeof path, "%s/data.mdb", fixture->path);
	assert_int_equal(stat(path, &whole), 0);
	for (off_t size = whole.st_size - 1; size > 0; size -= 1000) {
		struct store_error err = {0};
		assert_int_equal(truncate(path, size), 0);
		if (examine(fixture, &err) == STORE_OK)
			fail_msg("%ld of %ld bytes", (long)size, (long)whole.st_size);
	}
}

/* ---- a record is bound to its revision ---- */

static void
an_older_value_with_a_newer_revision_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	struct raw_record old = load(fixture, "r/a");

	fixture_reopen(fixture);
	must_put(fixture->store, "a", "value-3");
	fixture_close(fixture);
	struct raw_record new = load(fixture, "r/a");
	memcpy(old.bytes, new.bytes, 8);
	replace(fixture, "r/a", &old);
	must_be_noticed(fixture, "older value");
}

/* ---- a record is bound to its name ---- */

/* The digest is compared at an opening only: under an open store the seal itself has to notice. */
static void
records_swapped_under_an_open_store_are_noticed(void **state)
{
	struct fixture *fixture = *state;
	struct secret *value = NULL;
	uint64_t revision;
	int status;

	fixture_reopen(fixture);
	pid_t pid = fork(); /* LMDB opens a file once in a process */
	if (pid == 0) {
		struct raw raw = raw_open(fixture);
		struct raw_record a = raw_get(&raw, "r/a");
		struct raw_record b = raw_get(&raw, "r/b");
		raw_put(&raw, "r/a", &b);
		raw_put(&raw, "r/b", &a);
		raw_close(&raw);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(store_get(fixture->store, "a", &value, &revision, NULL), STORE_TAMPERED);
	assert_int_equal(store_get(fixture->store, "b", &value, &revision, NULL), STORE_TAMPERED);
	assert_null(value);
}

static void
another_stores_record_is_noticed(void **state)
{
	struct fixture *fixture = *state;
	void *other = NULL;

	assert_int_equal(setup_records(&other), 0); /* the same root key, keys and values */
	struct raw_record foreign = load(other, "r/a");
	struct raw_record foreign_key = load(other, "m/key/00000001");
	fixture_teardown(&other);
	replace(fixture, "r/a", &foreign);
	must_be_noticed(fixture, "another store's record");
	replace(fixture, "m/key/00000001", &foreign_key);
	must_be_noticed(fixture, "another store's data key");
}

static void
a_failure_names_the_record_and_no_value(void **state)
{
	struct fixture *fixture = *state;
	struct store_error err = {0};

	swap_bodies(fixture, "r/a", "r/b");
	assert_int_equal(examine(fixture, &err), STORE_TAMPERED);
	assert_non_null(strstr(err.message, "r/a"));
	assert_null(strstr(err.message, "value"));
	swap_bodies(fixture, "r/a", "r/b");
	do_spoil(fixture, SPOIL_SWAP, ENTRY_2, ENTRY_3);
	assert_int_equal(examine(fixture, &err), STORE_TAMPERED);
	assert_non_null(strstr(err.message, ENTRY_2));
}

int
main(void)
{
#define ON_RECORDS(test) cmocka_unit_test_setup_teardown(test, setup_records, fixture_teardown)
	const struct CMUnitTest tests[] = {
		ON_RECORDS(every_bit_of_a_sealed_record_counts),
		ON_RECORDS(every_length_of_a_sealed_record_counts),
		ON_RECORDS(every_bit_of_the_header_counts),
		ON_RECORDS(moved_records_are_noticed),
		ON_RECORDS(a_gap_is_noticed_when_opening),
		ON_RECORDS(an_entry_of_another_history_is_noticed),
		ON_RECORDS(an_older_head_with_a_cut_log_is_noticed),
		ON_RECORDS(a_file_cut_short_is_refused),
		ON_RECORDS(an_older_value_with_a_newer_revision_is_noticed),
		ON_RECORDS(records_swapped_under_an_open_store_are_noticed),
		ON_RECORDS(another_stores_record_is_noticed),
		ON_RECORDS(a_failure_names_the_record_and_no_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
