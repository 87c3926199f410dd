/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads read and write while one system call after the other fails, now this, now that: the
 * environment is opened again under them. Each writer knows what was acknowledged to it, and finds
 * that and nothing else, at once and after the store was opened anew.
 */
#include "die.h"
#include "fault.h"
#include "store/backend.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRITERS	 8
#define READERS	 4
#define FAULTS	 400
#define PAUSE_US 3000
#define MAP_SIZE ((size_t)64 * 1024) /* it grows meanwhile */

static char folder[] = "/tmp/store-storm-XXXXXX";
static struct secret *root_key;
static struct store *store;
static atomic_bool stop;
static atomic_uint committed, refused, unsure, unread;

struct writer {
	pthread_t thread;
	unsigned id;
	unsigned last; /* acknowledged, or found after it was not sure */
};

/* -1: none there, or it cannot be read now. */
static long
read_number(unsigned id, int part, enum store_status *ret_status)
{
	char key[32];
	auto_secret *value = NULL;
	uint64_t revision;
	struct store_error err = {0};

	snprintf(key, sizeof key, "w/%u/%d", id, part);
	*ret_status = store_get(store, key, &value, &revision, &err);
	if (*ret_status == STORE_TAMPERED || *ret_status == STORE_KEY)
		die("%s: %s", key, err.message);
	return *ret_status == STORE_OK ? strtol((const char *)value->bytes, NULL, 10) : -1;
}

static enum store_status
commit(unsigned id, unsigned number, struct store_error *err)
{
	struct store_batch *batch = store_batch_new();
	char key[32], text[600];

	if (!batch)
		return STORE_MEMORY;
	memset(text, ' ', sizeof text);
	snprintf(text, sizeof text, "%u", number);
	for (int part = 0; part < 2; part++) {
		snprintf(key, sizeof key, "w/%u/%d", id, part);
		struct store_bytes value = {(const uint8_t *)text, sizeof text};
		if (part == 0)
			store_batch_put(batch, key, value);
		else
			store_batch_put_erasable(batch, key, value);
	}
	store_batch_append(batch, "storm", (struct store_bytes){(const uint8_t *)text, 8});
	enum store_status status = store_commit(store, batch, err);
	store_batch_free(batch);
	return status;
}

/* Reads until that is possible. */
static unsigned
find_out(unsigned id)
{
	enum store_status status = STORE_IO;
	long found = -1;

	for (int i = 0; i < 100000 && status != STORE_OK && status != STORE_MISSING; i++)
		found = read_number(id, 0, &status);
	return found < 0 ? 0 : (unsigned)found;
}

static void *
write_on(void *user)
{
	struct writer *writer = user;

	while (!stop) {
		struct store_error err = {0};
		unsigned number = writer->last + 1;
		enum store_status status = commit(writer->id, number, &err);
		if (status == STORE_OK) {
			writer->last = number;
			committed++;
		} else if (status == STORE_UNSURE) {
			unsigned found = find_out(writer->id);
			if (found != number && found != writer->last)
				die("writer %u: %u found, neither %u nor %u", writer->id, found,
				    writer->last, number);
			writer->last = found;
			unsure++;
		} else {
			refused++;
			if (find_out(writer->id) != writer->last)
				die("writer %u: %u was refused (%d %s), and is there", writer->id,
				    number, status, err.message);
		}
	}
	return NULL;
}

static void *
read_on(void *user)
{
	(void)user;
	for (unsigned i = 0; !stop; i++) {
		enum store_status status;
		(void)read_number(i % WRITERS, (int)(i / WRITERS % 2), &status);
		unread += status != STORE_OK && status != STORE_MISSING;
	}
	return NULL;
}

static void
make_faults(void)
{
	static const struct {
		const char *call;
		int error;
		enum fault_mode mode;
	} kinds[] = {
		{"pwrite", EIO, FAULT_ONCE},	{"pwrite", EIO, FAULT_DONE},
		{"pwrite", EIO, FAULT_STAYS},	{"pwrite", ENOSPC, FAULT_LASTS},
		{"fdatasync", EIO, FAULT_ONCE}, {"fdatasync", EIO, FAULT_LASTS},
		{"writev", ENOSPC, FAULT_ONCE}, {"mmap", ENOMEM, FAULT_ONCE},
		{"pread", EIO, FAULT_ONCE},	{"open", EACCES, FAULT_LASTS},
		{"openat", EMFILE, FAULT_ONCE}, {"mlock", ENOMEM, FAULT_ONCE},
	};

	for (int i = 0; i < FAULTS; i++) {
		long kind = random() % (long)(sizeof kinds / sizeof kinds[0]);
		fault_arm(kinds[kind].call, 1 + (unsigned)random() % 4, kinds[kind].error,
			  kinds[kind].mode);
		usleep(PAUSE_US);
		fault_disarm();
		usleep(PAUSE_US / 3);
	}
}

static void
open_store(void)
{
	struct backend *backend = NULL;
	struct store_error err = {0};

	if (backend_lmdb_open(folder, false, MAP_SIZE, &backend, &err) != STORE_OK ||
	    store_open_on(backend, root_key, &store, &err) != STORE_OK)
		die("open: %s", err.message);
}

static void
must_hold(const struct writer *writers)
{
	for (unsigned i = 0; i < WRITERS; i++) {
		for (int part = 0; part < 2; part++) {
			enum store_status status;
			long found = read_number(i, part, &status);
			if (found != (writers[i].last ? (long)writers[i].last : -1))
				die("writer %u: %ld found, %u acknowledged", i, found,
				    writers[i].last);
		}
	}
}

static void
remove_all(void)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "slots", ""};
	char path[64];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		remove(path);
	}
}

int
main(void)
{
	struct writer writers[WRITERS];
	pthread_t readers[READERS];
	struct store_error err = {0};

	root_key = secret_new(STORE_ROOT_KEY_SIZE);
	if (!root_key || !mkdtemp(folder) ||
	    store_create(folder, root_key, (struct store_bytes){0}, &err) != STORE_OK)
		die("create: %s", err.message);
	open_store();
	srandom(20261122);
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){.id = i};
		pthread_create(&writers[i].thread, NULL, write_on, &writers[i]);
	}
	for (int i = 0; i < READERS; i++)
		pthread_create(&readers[i], NULL, read_on, NULL);
	make_faults();
	stop = true;
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	must_hold(writers);
	store_close(store);
	open_store();
	must_hold(writers);
	store_close(store);
	secret_free(root_key);
	remove_all();
	printf("%d faults: %u commits, %u refused, %u not sure, %u readings failed\n", FAULTS,
	       committed, refused, unsure, unread);
	return committed == 0 || refused == 0;
}
