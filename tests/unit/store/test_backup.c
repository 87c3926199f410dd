/* SPDX-License-Identifier: Apache-2.0 */
/* Backups: what comes back is what there was at the moment, whatever goes on meanwhile; and what
 * could not come back is not backed up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "store/state.h"
#include "tape.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
what_is_restored_is_what_there_was(void **state)
{
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	auto_place place = place_new();

	populate(fixture->store);
	assert_int_equal(store_rotate(fixture->store, NULL), STORE_OK);
	must_put(fixture->store, "of two", "generations");
	char *before = dump_of(fixture->store);
	must_back_up(fixture, &tape);
	must_restore(fixture, &tape, &place);
	must_hold(fixture, &place, before);
	assert_int_not_equal(access(place.part, F_OK), 0);
	free(before);
}

static void
an_empty_store_comes_back(void **state)
{
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	auto_place place = place_new();

	must_back_up(fixture, &tape);
	must_restore(fixture, &tape, &place);
	must_hold(fixture, &place, "");
}

/* Values of all sizes up to the largest: many chunks, some of one item. */
static void
large_values_come_back(void **state)
{
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	auto_place place = place_new();
	uint8_t *value = malloc(STORE_VALUE_MAX);
	struct store *store = NULL;

	if (!fixture_may_lock((size_t)32 * 1024 * 1024))
		skip();
	randombytes_buf(value, STORE_VALUE_MAX);
	for (size_t size = 1; size <= STORE_VALUE_MAX; size *= 4) {
		struct store_batch *batch = store_batch_new();
		char key[32];
		snprintf(key, sizeof key, "size/%zu", size);
		store_batch_put_erasable(batch, key, (struct store_bytes){value, size});
		store_batch_append(batch, "tag", (struct store_bytes){value, size});
		must_commit(fixture->store, batch);
	}
	must_back_up(fixture, &tape);
	must_restore(fixture, &tape, &place);
	assert_int_equal(store_open(place.path, fixture->root_key, &store, NULL), STORE_OK);
	for (size_t size = 1; size <= STORE_VALUE_MAX; size *= 4) {
		char key[32];
		auto_secret *back = NULL;
		uint64_t revision;
		snprintf(key, sizeof key, "size/%zu", size);
		assert_int_equal(store_get(store, key, &back, &revision, NULL), STORE_OK);
		assert_int_equal(back->size, size);
		assert_memory_equal(back->bytes, value, size);
	}
	store_close(store);
	free(value);
}

/* ---- what happens meanwhile ---- */

/* The fixture's map is small, and cannot grow while a backup reads through it. */
static void
make_room(struct store *store)
{
	static char value[1024 * 1024];

	memset(value, 'v', sizeof value - 1);
	struct store_batch *batch = store_batch_new();
	store_batch_put(batch, "room", bytes_of(value));
	must_commit(store, batch);
	delete_record(store, "room");
}

static void
write_much(struct store *store)
{
	must_put(store, "plain/0", "changed");
	must_put(store, "aaa", "new");
	delete_record(store, "plain/2");
	for (int i = 0; i < 50; i++) {
		struct store_batch *batch = store_batch_new();
		store_batch_append(batch, "tag", bytes_of("later"));
		must_commit(store, batch);
	}
}

static void
renew_data_key(struct store *store)
{
	assert_int_equal(store_rotate(store, NULL), STORE_OK);
	reseal_all(store);
}

static void
renew_root_key(struct store *store)
{
	struct secret *other = fixture_key(0x77);

	assert_int_equal(store_rekey(store, other, bytes_of("another note"), NULL), STORE_OK);
	secret_free(other);
	renew_data_key(store);
}

static void
destroy_some(struct store *store)
{
	delete_record(store, "secret/3");
	put_erasable(store, "secret/4", "put anew");
	renew_data_key(store);
}

static void
a_backup_is_one_moment(void **state)
{
	static void (*const rows[])(struct store *) = {write_much, renew_data_key, renew_root_key};
	struct fixture *fixture = *state;

	make_room(fixture->store);
	populate(fixture->store);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		auto_tape tape = {.meanwhile = rows[i]};
		auto_place place = place_new();
		char *before = dump_of(fixture->store);
		must_back_up(fixture, &tape);
		must_restore(fixture, &tape, &place);
		must_hold(fixture, &place, before);
		free(before);
	}
}

/* Their slots may be gone before the backup comes to them: they do not come back, and all else
 * does. */
static void
values_destroyed_meanwhile_do_not_come_back(void **state)
{
	struct fixture *fixture = *state;
	auto_tape tape = {.meanwhile = destroy_some};
	auto_place place = place_new();
	struct store *store = NULL;

	make_room(fixture->store);
	populate(fixture->store);
	must_back_up(fixture, &tape);
	must_restore(fixture, &tape, &place);
	for (int i = 0; i < 2; i++) { /* and the digest is right when it is opened once more */
		assert_int_equal(store_open(place.path, fixture->root_key, &store, NULL), STORE_OK);
		assert_string_equal(text_of(store, "secret/3"), "-");
		assert_string_equal(text_of(store, "secret/4"), "-");
		assert_string_equal(text_of(store, "secret/2"), "anew");
		assert_string_equal(text_of(store, "plain/4"), "plain/4");
		store_close(store);
	}
}

static void
the_former_root_key_opens_the_former_backup(void **state)
{
	struct fixture *fixture = *state;
	auto_secret *other = fixture_key(0x77);
	auto_tape before = {0}, after = {0};
	auto_place place = place_new();
	struct store_error err = {0};

	populate(fixture->store);
	must_back_up(fixture, &before);
	assert_int_equal(store_rekey(fixture->store, other, (struct store_bytes){0}, NULL),
			 STORE_OK);
	must_back_up(fixture, &after);
	assert_int_equal(restore_as(fixture, other, &before, &place, &err), STORE_KEY);
	assert_int_equal(restore_as(fixture, fixture->root_key, &after, &place, &err), STORE_KEY);
	must_not_be(&place);
	assert_int_equal(restore_as(fixture, other, &after, &place, &err), STORE_OK);
	remove_store(place.path);
	must_restore(fixture, &before, &place);
}

struct churn {
	pthread_t thread;
	struct store *store;
	atomic_bool stop;
	unsigned rounds;
};

static void *
churn_secrets(void *user)
{
	struct churn *churn = user;

	for (; !atomic_load(&churn->stop); churn->rounds++) {
		char key[32];
		snprintf(key, sizeof key, "secret/%u", churn->rounds % 40);
		if (churn->rounds % 3 == 0)
			delete_record(churn->store, key);
		else
			put_erasable(churn->store, key, key);
	}
	return NULL;
}

static void *
churn_keys(void *user)
{
	struct churn *churn = user;

	for (; !atomic_load(&churn->stop); churn->rounds++)
		renew_data_key(churn->store);
	return NULL;
}

/* Each of many backups, made while secrets are destroyed and data keys go, is a sound store. */
static void
backups_beside_writers_are_sound(void **state)
{
	struct fixture *fixture = *state;
	struct churn secrets = {.store = fixture->store}, keys = {.store = fixture->store};

	make_room(fixture->store);
	populate(fixture->store);
	assert_int_equal(pthread_create(&secrets.thread, NULL, churn_secrets, &secrets), 0);
	assert_int_equal(pthread_create(&keys.thread, NULL, churn_keys, &keys), 0);
	for (int i = 0; i < 40; i++) {
		auto_tape tape = {0};
		auto_place place = place_new();
		struct store *store = NULL;
		struct store_check report;
		must_back_up(fixture, &tape);
		must_restore(fixture, &tape, &place);
		assert_int_equal(store_open(place.path, fixture->root_key, &store, NULL), STORE_OK);
		assert_int_equal(store_check(store, NULL, NULL, NULL, &report, NULL), STORE_OK);
		assert_int_equal(report.defects, 0);
		assert_true(report.records > 0);
		store_close(store);
	}
	atomic_store(&secrets.stop, true);
	atomic_store(&keys.stop, true);
	pthread_join(secrets.thread, NULL);
	pthread_join(keys.thread, NULL);
	print_message("beside %u commits and %u data keys\n", secrets.rounds, keys.rounds);
	assert_true(secrets.rounds > 10 && keys.rounds > 2);
}

/* ---- a damaged store ---- */

/* One bit of a record's body, changed past the store and under it. `at` -1: of the last byte. */
static void
spoil_record(struct fixture *fixture, const char *name, int at)
{
	struct backend *backend = fixture->store->backend;
	struct backend_record found;
	struct view view = {0};
	uint8_t body[1024];

	assert_int_equal(view_open(backend, &view, NULL), STORE_OK);
	assert_int_equal(view_get(&view, name, &found, NULL), STORE_OK);
	const struct backend_write write = {
		.key = name, .revision = found.revision, .body = {body, found.body.size}};
	assert_true(found.body.size <= sizeof body);
	memcpy(body, found.body.data, found.body.size);
	view_close(&view);
	body[at < 0 ? write.body.size - 1 : (size_t)at] ^= 0x80;
	const struct backend_expect expect = {HEAD_KEY, store_revision(fixture->store)};
	assert_int_equal(backend->class->apply(backend, &expect, &write, 1, NULL), STORE_OK);
}

static void
remove_record(struct fixture *fixture, const char *name)
{
	struct backend *backend = fixture->store->backend;
	const struct backend_write write = {.key = name, .remove = true};
	const struct backend_expect expect = {HEAD_KEY, store_revision(fixture->store)};

	assert_int_equal(backend->class->apply(backend, &expect, &write, 1, NULL), STORE_OK);
}

/* An entry of another text, sealed as the store would, with the hash that was there. */
static void
forge_entry(struct fixture *fixture, const char *name)
{
	struct backend *backend = fixture->store->backend;
	struct keyring *keyring = &fixture->store->keyring;
	struct backend_record found;
	struct view view = {0};
	uint8_t value[1024], body[1024];

	assert_int_equal(view_open(backend, &view, NULL), STORE_OK);
	assert_int_equal(view_get(&view, name, &found, NULL), STORE_OK);
	const size_t size = found.body.size - BODY_OVERHEAD;
	const uint64_t revision = found.revision;
	assert_true(found.body.size <= sizeof body);
	assert_int_equal(store_body_open(backend, keyring, name, &found, value, NULL), STORE_OK);
	view_close(&view);
	value[size - 1] ^= 1;
	store_body_seal(keyring, name, revision, SLOT_NONE, NULL, (struct store_bytes){value, size},
			body);
	const struct backend_write write = {
		.key = name, .revision = revision, .body = {body, size + BODY_OVERHEAD}};
	const struct backend_expect expect = {HEAD_KEY, store_revision(fixture->store)};
	assert_int_equal(backend->class->apply(backend, &expect, &write, 1, NULL), STORE_OK);
}

static void
erase_slot_of(struct fixture *fixture, const char *name)
{
	static const uint8_t zeros[BACKEND_SLOT_SIZE];
	struct backend *backend = fixture->store->backend;
	struct backend_record found;
	struct view view = {0};

	assert_int_equal(view_open(backend, &view, NULL), STORE_OK);
	assert_int_equal(view_get(&view, name, &found, NULL), STORE_OK);
	uint64_t slot = store_body_place(&found).slot;
	view_close(&view);
	assert_int_equal(backend->class->slots_write(backend, slot, zeros, 1, NULL), STORE_OK);
}

static void
what_could_not_be_restored_is_not_backed_up(void **state)
{
	static const struct {
		const char *name;
		int at;
	} cases[] = {
		{"r/plain/3", -1},	    {"r/plain/3", 0}, /* its generation */
		{"r/plain/3", 4}, /* its slot: none, and now one that cannot be */
		{"r/plain/3", 11},	    {"r/secret/3", 4},	       {"r/secret/3", 11},
		{"l/0000000000000002", -1}, {"l/0000000000000002", 4}, {"m/header", -1},
	};
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	struct store_error err = {0};

	populate(fixture->store);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		spoil_record(fixture, cases[i].name, cases[i].at);
		enum store_status status = back_up(fixture, &tape, &err);
		if (status != STORE_TAMPERED || !strstr(err.message, cases[i].name))
			fail_msg("%s, %d: %d %s", cases[i].name, cases[i].at, status, err.message);
		spoil_record(fixture, cases[i].name, cases[i].at);
		must_back_up(fixture, &tape);
	}
	erase_slot_of(fixture, "r/secret/3");
	assert_int_equal(back_up(fixture, &tape, &err), STORE_TAMPERED);
	assert_non_null(strstr(err.message, "r/secret/3"));
}

static void
what_does_not_add_up_is_not_backed_up(void **state)
{
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	struct store_error err = {0};

	populate(fixture->store);
	forge_entry(fixture, "l/0000000000000002");
	assert_int_equal(back_up(fixture, &tape, &err), STORE_TAMPERED);
	assert_non_null(strstr(err.message, "the chain breaks"));
	forge_entry(fixture, "l/0000000000000002");
	must_back_up(fixture, &tape);
	remove_record(fixture, "r/plain/3");
	assert_int_equal(back_up(fixture, &tape, &err), STORE_TAMPERED);
	assert_non_null(strstr(err.message, "put back, added or removed"));
}

int
main(void)
{
#define ON_LMDB(test)                                                                              \
	{                                                                                          \
#test, test, fixture_setup_lmdb, fixture_teardown, NULL                            \
	}
	const struct CMUnitTest tests[] = {
		ON_EACH_BACKEND(what_is_restored_is_what_there_was),
		ON_EACH_BACKEND(an_empty_store_comes_back),
		ON_LMDB(large_values_come_back),
		ON_LMDB(a_backup_is_one_moment),
		ON_LMDB(values_destroyed_meanwhile_do_not_come_back),
		ON_EACH_BACKEND(the_former_root_key_opens_the_former_backup),
		ON_LMDB(backups_beside_writers_are_sound),
		ON_EACH_BACKEND(what_could_not_be_restored_is_not_backed_up),
		ON_EACH_BACKEND(what_does_not_add_up_is_not_backed_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
