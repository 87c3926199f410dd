/* SPDX-License-Identifier: Apache-2.0 */
/* Backups: what comes back is what there was at the moment, whatever goes on meanwhile; and nothing
 * but a whole backup comes back at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"
#include "store/state.h"
#include "store/stream.h"

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DUMP_MAX (256 * 1024)

/* ---- a backup in memory ---- */

struct tape {
	uint8_t *bytes;
	size_t size;
	size_t capacity;
	size_t read; /* how far it was restored */
	size_t end;  /* where reading ends; SIZE_MAX: at its end */
	bool broken; /* reading fails there */
	unsigned pieces;
	unsigned fail_at; /* the sink refuses this piece */
	unsigned reports;
	unsigned stop_at; /* the progress that says no */
	uint64_t done, total;
	void (*meanwhile)(struct store *store); /* before the first piece is taken */
	struct store *store;
};

static void
tape_free(struct tape *tape)
{
	free(tape->bytes);
}
#define auto_tape __attribute__((cleanup(tape_free))) struct tape

static void *
run_meanwhile(void *user)
{
	struct tape *tape = user;

	tape->meanwhile(tape->store);
	return NULL;
}

static bool
record(void *user, struct store_bytes piece)
{
	struct tape *tape = user;

	if (tape->pieces == 0 && tape->meanwhile) {
		pthread_t thread; /* no thread has two views */
		assert_int_equal(pthread_create(&thread, NULL, run_meanwhile, tape), 0);
		pthread_join(thread, NULL);
	}
	if (++tape->pieces == tape->fail_at)
		return false;
	if (tape->size + piece.size > tape->capacity) {
		tape->capacity = 2 * (tape->size + piece.size);
		tape->bytes = realloc(tape->bytes, tape->capacity);
	}
	memcpy(tape->bytes + tape->size, piece.data, piece.size);
	tape->size += piece.size;
	return true;
}

static long
play(void *user, uint8_t *buffer, size_t size)
{
	struct tape *tape = user;
	size_t end = tape->end < tape->size ? tape->end : tape->size;
	size_t left = end - tape->read;

	if (left == 0)
		return tape->broken ? -1 : 0;
	if (size > left)
		size = left;
	if (size > 1000) /* a source need not fill what it is given */
		size = 1000;
	memcpy(buffer, tape->bytes + tape->read, size);
	tape->read += size;
	return (long)size;
}

static bool
count_progress(void *user, uint64_t done, uint64_t total)
{
	struct tape *tape = user;

	assert_true(done <= total);
	tape->done = done;
	tape->total = total;
	return ++tape->reports != tape->stop_at;
}

static enum store_status
back_up(struct fixture *fixture, struct tape *tape, struct store_error *err)
{
	tape->size = 0;
	tape->pieces = 0;
	tape->reports = 0;
	tape->store = fixture->store;
	return store_backup(fixture->store, bytes_of("label"), record, count_progress, tape, err);
}

static void
must_back_up(struct fixture *fixture, struct tape *tape)
{
	struct store_error err = {0};

	if (back_up(fixture, tape, &err) != STORE_OK)
		fail_msg("backup: %s", err.message);
	assert_int_equal(tape->done, tape->total);
}

struct place {
	char folder[64];
	char path[96];
	char part[96];
};

static struct place
place_new(void)
{
	struct place place = {.folder = "/tmp/store-restore-XXXXXX"};

	assert_non_null(mkdtemp(place.folder));
	snprintf(place.path, sizeof place.path, "%s/store", place.folder);
	snprintf(place.part, sizeof place.part, "%s/store.part", place.folder);
	return place;
}

static void
remove_store(const char *path)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "slots"};
	char name[128];

	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "%s/%s", path, names[i]);
		unlink(name);
	}
	rmdir(path);
}

/* Fails if anything is left that the test has not made. */
static void
place_free(struct place *place)
{
	remove_store(place->path);
	if (rmdir(place->folder) != 0)
		fail_msg("something was left in %s", place->folder);
}
#define auto_place __attribute__((cleanup(place_free))) struct place

static enum store_status
restore_as(struct fixture *fixture, const struct secret *root_key, struct tape *tape,
	   const struct place *place, struct store_error *err)
{
	uint8_t label[STORE_LABEL_MAX];
	size_t size = 0;

	(void)fixture;
	tape->read = 0;
	tape->reports = 0;
	if (tape->end == 0)
		tape->end = SIZE_MAX;
	enum store_status status =
		store_restore(place->path, root_key, play, count_progress, tape, label, &size, err);
	if (status == STORE_OK) {
		assert_int_equal(size, strlen("label"));
		assert_memory_equal(label, "label", size);
	}
	return status;
}

static void
must_restore(struct fixture *fixture, struct tape *tape, const struct place *place)
{
	struct store_error err = {0};

	if (restore_as(fixture, fixture->root_key, tape, place, &err) != STORE_OK)
		fail_msg("restore: %s", err.message);
}

/* ---- a store as text ---- */

struct dump {
	struct store *store;
	char text[DUMP_MAX];
	size_t size;
};

static void
dump_line(struct dump *dump, const char *name, uint64_t number, struct store_bytes value)
{
	dump->size += (size_t)snprintf(dump->text + dump->size, DUMP_MAX - dump->size, "%s %llu ",
				       name, (unsigned long long)number);
	for (size_t i = 0; i < value.size; i++)
		dump->size += (size_t)snprintf(dump->text + dump->size, DUMP_MAX - dump->size,
					       "%02x", value.data[i]);
	dump->size += (size_t)snprintf(dump->text + dump->size, DUMP_MAX - dump->size, "\n");
	assert_true(dump->size < DUMP_MAX - 1024);
}

static bool
dump_record(void *user, const char *key, uint64_t revision)
{
	struct dump *dump = user;
	auto_secret *value = NULL;
	struct store_error err = {0};
	uint64_t found = 0;

	if (store_get(dump->store, key, &value, &found, &err) != STORE_OK)
		fail_msg("%s", err.message);
	assert_int_equal(found, revision);
	dump_line(dump, key, revision, (struct store_bytes){value->bytes, value->size});
	return true;
}

static bool
dump_entry(void *user, const struct store_log_entry *entry)
{
	dump_line(user, "log", entry->number, entry->entry);
	dump_line(user, "hash", entry->number, (struct store_bytes){entry->hash, STORE_HASH_SIZE});
	return true;
}

static char *
dump_of(struct store *store)
{
	struct dump *dump = calloc(1, sizeof *dump);

	dump->store = store;
	assert_int_equal(store_list(store, "", NULL, dump_record, dump, NULL), STORE_OK);
	assert_int_equal(store_log_read(store, 1, dump_entry, dump, NULL), STORE_OK);
	assert_int_equal(store_log_tagged(store, "tag", 1000, dump_entry, dump, NULL), STORE_OK);
	char *text = strdup(dump->text);
	free(dump);
	return text;
}

static void
must_hold(struct fixture *fixture, const struct place *place, const char *dump)
{
	struct store *store = NULL;
	struct store_error err = {0};
	struct stat folder;

	if (store_open(place->path, fixture->root_key, &store, &err) != STORE_OK)
		fail_msg("the restored store: %s", err.message);
	char *restored = dump_of(store);
	assert_string_equal(restored, dump);
	free(restored);
	assert_int_equal(stat(place->path, &folder), 0);
	assert_int_equal(folder.st_mode & 07777, 0700);
	must_put(store, "after", "it can be written to");
	store_close(store);
}

static void
must_not_be(const struct place *place)
{
	assert_int_not_equal(access(place->path, F_OK), 0);
	assert_int_not_equal(access(place->part, F_OK), 0);
}

/* ---- what is in it ---- */

static void
commit(struct store *store, struct store_batch *batch)
{
	struct store_error err = {0};

	if (store_commit(store, batch, &err) != STORE_OK)
		fail_msg("%s", err.message);
	store_batch_free(batch);
}

static void
put_erasable(struct store *store, const char *key, const char *value)
{
	struct store_batch *batch = store_batch_new();

	store_batch_put_erasable(batch, key, bytes_of(value));
	commit(store, batch);
}

static void delete (struct store *store, const char *key)
{
	struct store_batch *batch = store_batch_new();

	store_batch_delete(batch, key);
	commit(store, batch);
}

static void
populate(struct store *store)
{
	for (int i = 0; i < 5; i++) {
		struct store_batch *batch = store_batch_new();
		char key[32];
		snprintf(key, sizeof key, "plain/%d", i);
		store_batch_put(batch, key, bytes_of(key));
		store_batch_append(batch, i % 2 ? "tag" : NULL, bytes_of("an entry"));
		commit(store, batch);
		snprintf(key, sizeof key, "secret/%d", i);
		put_erasable(store, key, key);
	}
	must_put(store, "empty", "");
	delete (store, "plain/1");
	delete (store, "secret/1");
	put_erasable(store, "secret/2", "anew");
}

static void
reseal_all(struct store *store)
{
	struct store_rotation rotation = {.generation = 1};

	for (int i = 0; i < 1000 && rotation.oldest != rotation.generation; i++)
		assert_int_equal(store_reseal(store, 100, &rotation, NULL), STORE_OK);
	assert_int_equal(rotation.oldest, rotation.generation);
}

/* ---- tests ---- */

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
		commit(fixture->store, batch);
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
	commit(store, batch);
	delete (store, "room");
}

static void
write_much(struct store *store)
{
	must_put(store, "plain/0", "changed");
	must_put(store, "aaa", "new");
	delete (store, "plain/2");
	for (int i = 0; i < 50; i++) {
		struct store_batch *batch = store_batch_new();
		store_batch_append(batch, "tag", bytes_of("later"));
		commit(store, batch);
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
	delete (store, "secret/3");
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
			delete (churn->store, key);
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

/* Body of one record, changed past the store, which is opened again without looking. */
static void
spoil_record(struct fixture *fixture, const char *name)
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
	body[write.body.size - 1] ^= 1;
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
	static const char *const names[] = {"r/plain/3", "l/0000000000000002", "m/header"};
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	struct store_error err = {0};

	populate(fixture->store);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		spoil_record(fixture, names[i]);
		assert_int_equal(back_up(fixture, &tape, &err), STORE_TAMPERED);
		if (!strstr(err.message, names[i]))
			fail_msg("%s: %s", names[i], err.message);
		spoil_record(fixture, names[i]);
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
		commit(fixture->store, batch);
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
				      record, NULL, &tape, &err),
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
	assert_int_equal(store_backup(store, bytes_of(""), record, NULL, &tape, &err),
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
	auto_stream_writer out = {.sink = record, .user = tape, .key = keyring->keys->backup};
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
		ON_EACH_BACKEND(what_is_restored_is_what_there_was),
		ON_EACH_BACKEND(an_empty_store_comes_back),
		ON_LMDB(large_values_come_back),
		ON_LMDB(a_backup_is_one_moment),
		ON_LMDB(values_destroyed_meanwhile_do_not_come_back),
		ON_EACH_BACKEND(the_former_root_key_opens_the_former_backup),
		ON_LMDB(backups_beside_writers_are_sound),
		ON_EACH_BACKEND(what_could_not_be_restored_is_not_backed_up),
		ON_EACH_BACKEND(what_does_not_add_up_is_not_backed_up),
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
