/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Small, so that every suite makes the map grow. */
#define FIXTURE_MAP_SIZE ((size_t)64 * 1024)

/* ---- the disk between ---- */

struct backend_disk {
	struct backend base;
	struct backend *inner;
	struct disk *disk;
};

static struct backend *
inner_of(struct backend *backend)
{
	return ((struct backend_disk *)backend)->inner;
}

struct pass {
	struct backend *inner;
	struct backend_view *view;
	const struct disk *disk;
};

static enum store_status
disk_view_open(struct backend *backend, struct backend_view **ret_view, struct store_error *err)
{
	struct pass *pass = malloc(sizeof *pass);

	if (!pass)
		return store_fail(err, STORE_MEMORY, "no memory");
	pass->inner = inner_of(backend);
	pass->disk = ((struct backend_disk *)backend)->disk;
	enum store_status status = pass->inner->class->view_open(pass->inner, &pass->view, err);
	if (status != STORE_OK)
		free(pass);
	else
		*ret_view = (struct backend_view *)pass;
	return status;
}

static void
disk_view_close(struct backend *backend, struct backend_view *view)
{
	struct pass *pass = (struct pass *)view;

	(void)backend;
	pass->inner->class->view_close(pass->inner, pass->view);
	free(pass);
}

static enum store_status
disk_get(struct backend_view *view, const char *key, struct backend_record *ret_record,
	 struct store_error *err)
{
	struct pass *pass = (struct pass *)view;
	const char *unreadable = pass->disk->unreadable;

	if (unreadable && strcmp(key, unreadable) == 0)
		return store_fail(err, STORE_IO, "%s: cannot be read", key);
	return pass->inner->class->get(pass->view, key, ret_record, err);
}

static enum store_status
disk_next(struct backend_view *view, const char *prefix, const char *from,
	  enum backend_direction direction, char ret_key[BACKEND_KEY_MAX + 1],
	  struct backend_record *ret_record, struct store_error *err)
{
	struct pass *pass = (struct pass *)view;

	return pass->inner->class->next(pass->view, prefix, from, direction, ret_key, ret_record,
					err);
}

static enum store_status
disk_apply(struct backend *backend, const struct backend_expect *expect,
	   const struct backend_write *writes, size_t count, struct store_error *err)
{
	struct disk *disk = ((struct backend_disk *)backend)->disk;
	struct backend *inner = inner_of(backend);

	pthread_mutex_lock(&disk->lock);
	unsigned arrival = ++disk->arrived;
	pthread_cond_broadcast(&disk->moved);
	while (disk->closed)
		pthread_cond_wait(&disk->moved, &disk->lock);
	enum disk_failure failure = arrival == disk->fail_at ? disk->failure : DISK_WORKS;
	bool forestalled = disk->conflicts > 0;
	disk->conflicts -= forestalled;
	unsigned delay_us = disk->delay_us;
	pthread_mutex_unlock(&disk->lock);
	if (delay_us > 0)
		usleep(delay_us);
	if (forestalled)
		return STORE_CONFLICT;
	if (failure == DISK_REFUSES)
		return store_fail(err, STORE_SPACE, "the disk is full");
	enum store_status status = inner->class->apply(inner, expect, writes, count, err);
	if (failure == DISK_LOSES_ANSWER)
		return store_fail(err, STORE_IO, "the answer is lost");
	return status;
}

static enum store_status
disk_slot_read(struct backend *backend, uint64_t slot, uint8_t ret_bytes[BACKEND_SLOT_SIZE],
	       struct store_error *err)
{
	struct backend *inner = inner_of(backend);
	struct disk *disk = ((struct backend_disk *)backend)->disk;
	void (*before)(void *) = atomic_exchange(&disk->before_slot_read, NULL);

	if (before)
		before(disk->user);
	return inner->class->slot_read(inner, slot, ret_bytes, err);
}

static enum store_status
disk_slots_write(struct backend *backend, uint64_t slot, const uint8_t *bytes, size_t count,
		 struct store_error *err)
{
	struct backend *inner = inner_of(backend);

	if (((struct backend_disk *)backend)->disk->slots_fail)
		return store_fail(err, STORE_READONLY, "slots: cannot be written");
	return inner->class->slots_write(inner, slot, bytes, count, err);
}

static enum store_status
disk_slots_sync(struct backend *backend, struct store_error *err)
{
	struct backend *inner = inner_of(backend);

	return inner->class->slots_sync(inner, err);
}

static void
disk_close(struct backend *backend)
{
	backend_close(inner_of(backend));
	free(backend);
}

static const struct backend_class disk_class = {
	.view_open = disk_view_open,
	.view_close = disk_view_close,
	.get = disk_get,
	.next = disk_next,
	.apply = disk_apply,
	.slot_read = disk_slot_read,
	.slots_write = disk_slots_write,
	.slots_sync = disk_slots_sync,
	.close = disk_close,
};

static struct backend *
put_disk_before(struct backend *inner, struct disk *disk)
{
	struct backend_disk *before = malloc(sizeof *before);

	if (!before)
		abort();
	*before = (struct backend_disk){{&disk_class}, inner, disk};
	return &before->base;
}

bool
fixture_may_lock(size_t bytes)
{
	struct rlimit limit;

	return geteuid() == 0 ||
	       (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur >= bytes);
}

void
disk_close_gate(struct disk *disk)
{
	pthread_mutex_lock(&disk->lock);
	disk->closed = true;
	pthread_mutex_unlock(&disk->lock);
}

void
disk_open_gate(struct disk *disk)
{
	pthread_mutex_lock(&disk->lock);
	disk->closed = false;
	pthread_cond_broadcast(&disk->moved);
	pthread_mutex_unlock(&disk->lock);
}

void
disk_wait_arrived(struct disk *disk, unsigned arrived)
{
	pthread_mutex_lock(&disk->lock);
	while (disk->arrived < arrived)
		pthread_cond_wait(&disk->moved, &disk->lock);
	pthread_mutex_unlock(&disk->lock);
}

/* ---- stores ---- */

struct secret *
fixture_key(uint8_t fill)
{
	struct secret *key = secret_new(STORE_ROOT_KEY_SIZE);

	if (!key)
		abort();
	memset(key->bytes, fill, key->size);
	return key;
}

struct store_bytes
bytes_of(const char *text)
{
	return (struct store_bytes){(const uint8_t *)text, strlen(text)};
}

struct fixture *
fixture_new(enum fixture_kind kind)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	if (!fixture)
		abort();
	fixture->kind = kind;
	strcpy(fixture->path, "/tmp/store-test-XXXXXX");
	if (!mkdtemp(fixture->path))
		abort();
	fixture->map = memory_map_new();
	fixture->root_key = fixture_key(0x5a);
	pthread_mutex_init(&fixture->disk.lock, NULL);
	pthread_cond_init(&fixture->disk.moved, NULL);
	return fixture;
}

void
fixture_free(struct fixture *fixture)
{
	store_close(fixture->store);
	DIR *directory = opendir(fixture->path);
	for (struct dirent *entry; directory && (entry = readdir(directory));)
		unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	rmdir(fixture->path);
	memory_map_free(fixture->map);
	secret_free(fixture->root_key);
	pthread_mutex_destroy(&fixture->disk.lock);
	pthread_cond_destroy(&fixture->disk.moved);
	free(fixture);
}

static enum store_status
open_lmdb(struct fixture *fixture, bool create, struct backend **ret_backend,
	  struct store_error *err)
{
	return backend_lmdb_open(fixture->path, create, FIXTURE_MAP_SIZE, ret_backend, err);
}

static enum store_status
open_memory(struct fixture *fixture, bool create, struct backend **ret_backend,
	    struct store_error *err)
{
	(void)create;
	(void)err;
	*ret_backend = backend_memory_open(fixture->map);
	return STORE_OK;
}

static enum store_status
open_backend(struct fixture *fixture, bool create, struct backend **ret_backend,
	     struct store_error *err)
{
	static enum store_status (*const openers[])(struct fixture * fixture, bool create,
						    struct backend **ret_backend,
						    struct store_error *err) = {
#define OPENER(NAME, name, argument) [FIXTURE_##NAME] = open_##name
		FIXTURE_BACKENDS(OPENER, , FIXTURE_COMMA)};

	return openers[fixture->kind](fixture, create, ret_backend, err);
}

enum store_status
fixture_open_with(struct fixture *fixture, const struct secret *root_key, struct store_error *err)
{
	struct backend *backend = NULL;
	enum store_status status = open_backend(fixture, false, &backend, err);

	if (status != STORE_OK)
		return status;
	return store_open_on(put_disk_before(backend, &fixture->disk), root_key, &fixture->store,
			     err);
}

struct backend *
fixture_open_backend(struct fixture *fixture)
{
	struct backend *backend = NULL;
	struct store_error err = {0};

	if (open_backend(fixture, false, &backend, &err) != STORE_OK)
		fail_msg("opening the backend: %s", err.message);
	return backend;
}

void
fixture_close(struct fixture *fixture)
{
	store_close(fixture->store);
	fixture->store = NULL;
}

void
fixture_reopen(struct fixture *fixture)
{
	struct store_error err = {0};

	fixture_close(fixture);
	if (fixture_open_with(fixture, fixture->root_key, &err) != STORE_OK)
		fail_msg("reopening: %s", err.message);
}

static int
setup(void **state, enum fixture_kind kind)
{
	struct fixture *fixture = fixture_new(kind);
	struct backend *backend = NULL;
	struct store_error err = {0};

	*state = fixture;
	if (open_backend(fixture, true, &backend, &err) != STORE_OK ||
	    store_create_on(backend, fixture->root_key, (struct store_bytes){0}, &err) != STORE_OK)
		return -1;
	backend_close(backend);
	fixture_reopen(fixture);
	return 0;
}

#define SETUP(NAME, name, argument)                                                                \
	int fixture_setup_##name(void **state)                                                     \
	{                                                                                          \
		return setup(state, FIXTURE_##NAME);                                               \
	}
FIXTURE_BACKENDS(SETUP, , )

int
fixture_teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

size_t
fixture_waiting(const struct fixture *fixture)
{
	return store_waiting(fixture->store);
}

void
must_put_erasable(struct store *store, const char *key, const char *value)
{
	struct store_error err = {0};
	struct store_batch *batch = store_batch_new();

	store_batch_put_erasable(batch, key, bytes_of(value));
	if (store_commit(store, batch, &err) != STORE_OK)
		fail_msg("%s: %s", key, err.message);
	store_batch_free(batch);
}

uint64_t
must_put(struct store *store, const char *key, const char *value)
{
	struct store_error err = {0};
	struct store_batch *batch = store_batch_new();
	auto_secret *got = NULL;
	uint64_t revision = 0;

	store_batch_put(batch, key, bytes_of(value));
	if (store_commit(store, batch, &err) != STORE_OK ||
	    store_get(store, key, &got, &revision, &err) != STORE_OK)
		fail_msg("%s: %s", key, err.message);
	store_batch_free(batch);
	return revision;
}

const char *
text_of(struct store *store, const char *key)
{
	static char text[256];
	auto_secret *value = NULL;
	uint64_t revision;
	struct store_error err = {0};
	enum store_status status = store_get(store, key, &value, &revision, &err);

	if (status == STORE_MISSING)
		return "-";
	if (status != STORE_OK)
		fail_msg("%s: %s", key, err.message);
	assert_true(value->size < sizeof text);
	memcpy(text, value->bytes, value->size);
	text[value->size] = 0;
	return text;
}
