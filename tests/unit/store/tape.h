/* SPDX-License-Identifier: Apache-2.0 */
/* Backups in memory, places to restore them to, and a store with some of everything. */
#ifndef TESTS_STORE_TAPE_H
#define TESTS_STORE_TAPE_H

#include "fixture.h"
#include "store/upkeep.h"

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

void tape_free(struct tape *tape);
#define auto_tape __attribute__((cleanup(tape_free))) struct tape
/* A store_sink. */
bool tape_record(void *user, struct store_bytes piece);
/* With the label "label". */
enum store_status back_up(struct fixture *fixture, struct tape *tape, struct store_error *err);
void must_back_up(struct fixture *fixture, struct tape *tape);

struct place {
	char folder[64];
	char path[96];
	char part[96];
};

struct place place_new(void);
/* Fails if anything is left that the test has not made. */
void place_free(struct place *place);
#define auto_place __attribute__((cleanup(place_free))) struct place
void remove_store(const char *path);
enum store_status restore_as(struct fixture *fixture, const struct secret *root_key,
			     struct tape *tape, const struct place *place, struct store_error *err);
void must_restore(struct fixture *fixture, struct tape *tape, const struct place *place);
void must_not_be(const struct place *place);

/* Records, entries and the index as text, which the caller frees. */
char *dump_of(struct store *store);
/* The restored store holds just this. */
void must_hold(struct fixture *fixture, const struct place *place, const char *dump);

void must_commit(struct store *store, struct store_batch *batch);
void put_erasable(struct store *store, const char *key, const char *value);
void delete_record(struct store *store, const char *key);
void populate(struct store *store);
/* Until only one data key is left. */
void reseal_all(struct store *store);

#endif
