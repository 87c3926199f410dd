/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "tape.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DUMP_MAX (256 * 1024)

/* ---- a backup in memory ---- */

void
tape_free(struct tape *tape)
{
	free(tape->bytes);
}

static void *
run_meanwhile(void *user)
{
	struct tape *tape = user;

	tape->meanwhile(tape->store);
	return NULL;
}

bool
tape_record(void *user, struct store_bytes piece)
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

enum store_status
back_up(struct fixture *fixture, struct tape *tape, struct store_error *err)
{
	tape->size = 0;
	tape->pieces = 0;
	tape->reports = 0;
	tape->store = fixture->store;
	return store_backup(fixture->store, bytes_of("label"), tape_record, count_progress, tape,
			    err);
}

void
must_back_up(struct fixture *fixture, struct tape *tape)
{
	struct store_error err = {0};

	if (back_up(fixture, tape, &err) != STORE_OK)
		fail_msg("backup: %s", err.message);
	assert_int_equal(tape->done, tape->total);
}

struct place
place_new(void)
{
	struct place place = {.folder = "/tmp/store-restore-XXXXXX"};

	assert_non_null(mkdtemp(place.folder));
	snprintf(place.path, sizeof place.path, "%s/store", place.folder);
	snprintf(place.part, sizeof place.part, "%s/store.part", place.folder);
	return place;
}

void
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
void
place_free(struct place *place)
{
	remove_store(place->path);
	if (rmdir(place->folder) != 0)
		fail_msg("something was left in %s", place->folder);
}

enum store_status
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

void
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

char *
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

void
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

void
must_not_be(const struct place *place)
{
	assert_int_not_equal(access(place->path, F_OK), 0);
	assert_int_not_equal(access(place->part, F_OK), 0);
}

/* ---- what is in it ---- */

void
must_commit(struct store *store, struct store_batch *batch)
{
	struct store_error err = {0};

	if (store_commit(store, batch, &err) != STORE_OK)
		fail_msg("%s", err.message);
	store_batch_free(batch);
}

void
put_erasable(struct store *store, const char *key, const char *value)
{
	struct store_batch *batch = store_batch_new();

	store_batch_put_erasable(batch, key, bytes_of(value));
	must_commit(store, batch);
}

void
delete_record(struct store *store, const char *key)
{
	struct store_batch *batch = store_batch_new();

	store_batch_delete(batch, key);
	must_commit(store, batch);
}

void
populate(struct store *store)
{
	for (int i = 0; i < 5; i++) {
		struct store_batch *batch = store_batch_new();
		char key[32];
		snprintf(key, sizeof key, "plain/%d", i);
		store_batch_put(batch, key, bytes_of(key));
		store_batch_append(batch, i % 2 ? "tag" : NULL, bytes_of("an entry"));
		must_commit(store, batch);
		snprintf(key, sizeof key, "secret/%d", i);
		put_erasable(store, key, key);
	}
	must_put(store, "empty", "");
	delete_record(store, "plain/1");
	delete_record(store, "secret/1");
	put_erasable(store, "secret/2", "anew");
}

void
reseal_all(struct store *store)
{
	struct store_rotation rotation = {.generation = 1};

	for (int i = 0; i < 1000 && rotation.oldest != rotation.generation; i++)
		assert_int_equal(store_reseal(store, 100, &rotation, NULL), STORE_OK);
	assert_int_equal(rotation.oldest, rotation.generation);
}
