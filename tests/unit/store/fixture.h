/* SPDX-License-Identifier: Apache-2.0 */
/* A store on a backend of each kind, behind a disk that can be slow, stopped, or broken. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "store/backend.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

/* Between store and backend: what happens to `apply`. */
enum disk_failure {
	DISK_WORKS,
	DISK_REFUSES,	   /* nothing is written, and it says so */
	DISK_LOSES_ANSWER, /* all is written, and it says that nothing is */
};

struct disk {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool closed;		   /* apply waits */
	unsigned arrived;	   /* how many applies have come so far */
	unsigned delay_us;	   /* each apply takes so much longer */
	enum disk_failure failure; /* of the apply that arrives as number fail_at */
	unsigned fail_at;
	unsigned conflicts; /* how many applies another broker will forestall */
	void (*_Atomic before_slot_read)(void *user); /* once, if not NULL; a view is open then */
	void *user;
	bool slots_fail;	/* slots can be read, and not be overwritten */
	const char *unreadable; /* the backend's key that cannot be looked up; NULL: none */
};

void disk_close_gate(struct disk *disk);
void disk_open_gate(struct disk *disk);
void disk_wait_arrived(struct disk *disk, unsigned arrived);

/* May this process lock that much? Ordinary users mostly have 8 MiB: what needs more is skipped. */
bool fixture_may_lock(size_t bytes);

/* Each contract holds on each backend. Another is one more line here, and open_name in fixture.c.
 */
/* clang-format off */
#define FIXTURE_BACKENDS(X, argument, AND) \
	X(LMDB, lmdb, argument) AND \
	X(MEMORY, memory, argument)

#define FIXTURE_COMMA ,
#define FIXTURE_KIND(NAME, name, argument) FIXTURE_##NAME
#define FIXTURE_SETUP(NAME, name, argument) int fixture_setup_##name(void **state)
#define FIXTURE_ROW(NAME, name, test) \
	{#test ", " #name, test, fixture_setup_##name, fixture_teardown, NULL}
/* clang-format on */

enum fixture_kind { FIXTURE_BACKENDS(FIXTURE_KIND, , FIXTURE_COMMA) };

struct memory_map; /* what a memory backend keeps while no store is open */

struct fixture {
	enum fixture_kind kind;
	char path[64];
	struct memory_map *map;
	struct secret *root_key;
	struct disk disk;
	struct store *store;
};

/* cmocka's setup and teardown: a fresh store, opened. */
FIXTURE_BACKENDS(FIXTURE_SETUP, , ;);
int fixture_teardown(void **state);
/* Rows of a table of tests, one for each backend. */
#define ON_EACH_BACKEND(test) FIXTURE_BACKENDS(FIXTURE_ROW, test, FIXTURE_COMMA)
/* Without a store: path and root key only. */
struct fixture *fixture_new(enum fixture_kind kind);
void fixture_free(struct fixture *fixture);

enum store_status fixture_open_with(struct fixture *fixture, const struct secret *root_key,
				    struct store_error *err);
/* The backend alone: past the store, while that is closed. */
struct backend *fixture_open_backend(struct fixture *fixture);
void fixture_reopen(struct fixture *fixture);
void fixture_close(struct fixture *fixture);
/* Tickets that wait in the store's queue. */
size_t fixture_waiting(const struct fixture *fixture);

struct secret *fixture_key(uint8_t fill);
struct store_bytes bytes_of(const char *text);

/* One put, which must succeed; its revision. */
uint64_t must_put(struct store *store, const char *key, const char *value);
void must_put_erasable(struct store *store, const char *key, const char *value);
/* The value as text (up to 255 bytes), or "-" if there is none. Not for use by two threads. */
const char *text_of(struct store *store, const char *key);

/* ---- backend_memory.c ---- */

struct memory_map *memory_map_new(void);
void memory_map_free(struct memory_map *map);
struct backend *backend_memory_open(struct memory_map *map);

/* Its steps, in the order of struct backend_class. */
enum memory_step {
	MEMORY_VIEW_OPEN,
	MEMORY_GET,
	MEMORY_NEXT,
	MEMORY_APPLY,  /* nothing is written */
	MEMORY_ANSWER, /* ... of an apply that has written all */
	MEMORY_SLOT_READ,
	MEMORY_SLOTS_WRITE, /* the first half is written */
	MEMORY_SLOTS_SYNC,
	MEMORY_STEPS
};
struct memory_fault {
	enum memory_step step;
	unsigned at; /* its at-th call from now on, 1 is the next; 0: none */
	bool lasts;  /* and all after it */
	enum store_status status;
};
void memory_map_fail(struct memory_map *map, const struct memory_fault *fault);
/* What was not synced is lost. No store is open on it. */
void memory_map_cut_power(struct memory_map *map);
/* Calls while it is paused are neither counted nor made to fail. */
void memory_map_pause(struct memory_map *map, bool paused);
/* Has one failed since? */
bool memory_map_failed(const struct memory_map *map);
unsigned memory_map_calls(const struct memory_map *map, enum memory_step step);

#endif
