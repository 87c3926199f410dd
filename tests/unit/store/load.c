/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "store/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BULK_SIZE   ((size_t)120 * 1000)
#define RECORDS_MAX 16
#define ERASED_MAX  8

/* ---- what the store must hold ---- */

struct record {
	const char *key;
	char fill; /* the value is `size` times this; 0: there is none */
	size_t size;
};

struct load {
	const struct load_fault *fault;
	struct secret *root_key;
	struct secret *next_key;
	struct store *store;
	struct record records[RECORDS_MAX];
	size_t count;
	uint64_t entries;
	struct store_batch *batch;
	struct record changes[RECORDS_MAX];
	size_t change_count;
	uint64_t new_entries;
	const char *step;
	uint64_t leaving[ERASED_MAX]; /* slots that are erased if the step succeeds */
	size_t leaving_count;
	uint64_t erased[ERASED_MAX];
	size_t erased_count;
	bool rekeyed;
};

__attribute__((format(printf, 1, 2), noreturn)) static void
die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("  ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	_exit(1);
}

static struct record *
find(struct load *load, const char *key)
{
	for (size_t i = 0; i < load->count; i++)
		if (strcmp(load->records[i].key, key) == 0)
			return &load->records[i];
	if (load->count == RECORDS_MAX)
		die("the work load has too many records");
	load->records[load->count] = (struct record){.key = key};
	return &load->records[load->count++];
}

static bool
reads_as(struct load *load, const struct record *want)
{
	auto_secret *value = NULL;
	uint64_t revision;
	struct store_error err = {0};
	enum store_status status = store_get(load->store, want->key, &value, &revision, &err);

	if (status == STORE_MISSING)
		return want->fill == 0;
	if (status != STORE_OK)
		die("%s: %s cannot be read: %s", load->step, want->key, err.message);
	if (value->size != want->size || want->fill == 0)
		return false;
	for (size_t i = 0; i < value->size; i++)
		if (value->bytes[i] != (uint8_t)want->fill)
			return false;
	return true;
}

static bool
count_key(void *user, const char *key, uint64_t revision)
{
	(void)key;
	(void)revision;
	++*(size_t *)user;
	return true;
}

static bool
count_entry(void *user, const struct store_log_entry *entry)
{
	(void)entry;
	++*(uint64_t *)user;
	return true;
}

static bool
holds(struct load *load)
{
	size_t listed = 0, there = 0;
	uint64_t entries = 0;

	for (size_t i = 0; i < load->count; i++) {
		there += load->records[i].fill != 0;
		if (!reads_as(load, &load->records[i]))
			return false;
	}
	if (store_list(load->store, "", NULL, count_key, &listed, NULL) != STORE_OK ||
	    store_log_read(load->store, 1, count_entry, &entries, NULL) != STORE_OK)
		die("%s: cannot be listed", load->step);
	return listed == there && entries == load->entries;
}

/* ---- steps: what is asked of the store ---- */

static void
adopt_changes(struct load *load)
{
	for (size_t i = 0; i < load->change_count; i++)
		*find(load, load->changes[i].key) = load->changes[i];
	load->entries += load->new_entries;
	for (size_t i = 0; i < load->leaving_count; i++)
		load->erased[load->erased_count++] = load->leaving[i];
	load->change_count = 0;
	load->leaving_count = 0;
	load->new_entries = 0;
}

/* The slot of an erasable record as it lies there. */
static uint64_t
slot_of(struct load *load, const char *key)
{
	char name[64];
	struct backend_record record;
	auto_view view = {0};
	struct store_error err = {0};

	snprintf(name, sizeof name, "r/%s", key);
	if (view_open(load->store->backend, &view, &err) != STORE_OK ||
	    view_get(&view, name, &record, &err) != STORE_OK)
		die("%s: no slot of %s: %s", load->step, key, err.message);
	return store_body_place(&record).slot;
}

static void
must_be_erased(struct load *load)
{
	for (size_t i = 0; i < load->erased_count; i++) {
		uint8_t bytes[BACKEND_SLOT_SIZE];
		struct backend *backend = load->store->backend;
		if (backend->class->slot_read(backend, load->erased[i], bytes, NULL) != STORE_OK ||
		    !sodium_is_zero(bytes, sizeof bytes))
			die("%s: slot %llu is not erased", load->step,
			    (unsigned long long)load->erased[i]);
	}
}

static void
put(struct load *load, const char *key, char fill, size_t size)
{
	static uint8_t bytes[BULK_SIZE];

	memset(bytes, fill, size);
	store_batch_put(load->batch, key, (struct store_bytes){bytes, size});
	load->changes[load->change_count++] = (struct record){key, fill, size};
}

static void
put_erasable(struct load *load, const char *key, char fill)
{
	uint8_t bytes[100];

	memset(bytes, fill, sizeof bytes);
	store_batch_put_erasable(load->batch, key, (struct store_bytes){bytes, sizeof bytes});
	load->changes[load->change_count++] = (struct record){key, fill, sizeof bytes};
}

/* The step overwrites or deletes it. */
static void
leave(struct load *load, const char *key)
{
	load->fault->pause(load->fault, true);
	load->leaving[load->leaving_count++] = slot_of(load, key);
	load->fault->pause(load->fault, false);
}

static void
drop(struct load *load, const char *key)
{
	store_batch_delete(load->batch, key);
	load->changes[load->change_count++] = (struct record){.key = key};
}

static void
append(struct load *load, const char *tag)
{
	store_batch_append(load->batch, tag, (struct store_bytes){(const uint8_t *)"entry", 5});
	load->new_entries++;
}

static enum store_status
create(struct load *load, struct store_error *err)
{
	auto_backend *backend = NULL;
	enum store_status status = load->fault->open_backend(load->fault, true, &backend, err);

	if (status != STORE_OK)
		return status;
	return store_create_on(backend, load->root_key, (struct store_bytes){0}, err);
}

static enum store_status
open_store(struct load *load, struct store_error *err)
{
	struct backend *backend = NULL;
	enum store_status status = load->fault->open_backend(load->fault, false, &backend, err);

	if (status != STORE_OK)
		return status;
	return store_open_on(backend, load->rekeyed ? load->next_key : load->root_key, &load->store,
			     err);
}

static enum store_status
reopen_store(struct load *load, struct store_error *err)
{
	store_close(load->store);
	load->store = NULL;
	return open_store(load, err);
}

static enum store_status
commit(struct load *load, struct store_error *err)
{
	return store_commit(load->store, load->batch, err);
}

static enum store_status
first_records(struct load *load, struct store_error *err)
{
	put(load, "a", 'a', 10);
	put(load, "b", 'b', 2000);
	put(load, "c", 'c', 0x100);
	append(load, "tag");
	return commit(load, err);
}

static enum store_status
change_records(struct load *load, struct store_error *err)
{
	put(load, "a", 'A', 11);
	drop(load, "b");
	append(load, NULL);
	append(load, "tag");
	return commit(load, err);
}

static enum store_status
outgrow_the_map(struct load *load, struct store_error *err)
{
	put(load, "bulk/1", '1', BULK_SIZE);
	return commit(load, err);
}

static enum store_status
outgrow_it_again(struct load *load, struct store_error *err)
{
	put(load, "bulk/2", '2', BULK_SIZE);
	put(load, "bulk/3", '3', BULK_SIZE);
	put(load, "d", 'd', 5);
	append(load, "bulk");
	return commit(load, err);
}

static enum store_status
expect_what_is_not(struct load *load, struct store_error *err)
{
	store_batch_expect(load->batch, "a", 1000000);
	store_batch_delete(load->batch, "a");
	enum store_status status = commit(load, err);
	return status == STORE_CONFLICT ? STORE_OK : status;
}

static enum store_status
make_room(struct load *load, struct store_error *err)
{
	drop(load, "bulk/1");
	drop(load, "bulk/3");
	put(load, "e", 'e', 900);
	return commit(load, err);
}

static enum store_status
read_all(struct load *load, struct store_error *err)
{
	auto_secret *value = NULL;
	uint64_t revision, entries = 0;
	size_t listed = 0;
	enum store_status status = store_get(load->store, "bulk/2", &value, &revision, err);

	if (status == STORE_OK)
		status = store_list(load->store, "", NULL, count_key, &listed, err);
	if (status == STORE_OK)
		status = store_log_read(load->store, 1, count_entry, &entries, err);
	return status;
}

static enum store_status
first_erasable(struct load *load, struct store_error *err)
{
	put_erasable(load, "secret/1", 's');
	put_erasable(load, "secret/2", 't');
	return commit(load, err);
}

static enum store_status
overwrite_one(struct load *load, struct store_error *err)
{
	leave(load, "secret/1");
	put_erasable(load, "secret/1", 'S');
	put_erasable(load, "secret/3", 'u');
	append(load, "secret");
	return commit(load, err);
}

static enum store_status
destroy_both(struct load *load, struct store_error *err)
{
	leave(load, "secret/1");
	leave(load, "secret/2");
	put(load, "secret/1", 'n', 10);
	drop(load, "secret/2");
	append(load, "secret");
	return commit(load, err);
}

static enum store_status
rotate(struct load *load, struct store_error *err)
{
	return store_rotate(load->store, err);
}

static enum store_status
reseal(struct load *load, struct store_error *err)
{
	struct store_rotation rotation = {0};
	enum store_status status = STORE_OK;

	for (int i = 0; i < 100 && status == STORE_OK; i++) {
		status = store_reseal(load->store, 4, &rotation, err);
		if (status == STORE_OK && rotation.oldest == rotation.generation)
			return STORE_OK;
	}
	return status == STORE_OK ? store_fail(err, STORE_CONFLICT, "there is no end") : status;
}

/* It may have been done before, when it was not sure. */
static enum store_status
rekey(struct load *load, struct store_error *err)
{
	enum store_status status = store_try_key(load->store, load->next_key, err);

	if (status == STORE_KEY)
		status = store_rekey(load->store, load->next_key,
				     (struct store_bytes){(const uint8_t *)"note", 4}, err);
	load->rekeyed = status == STORE_OK;
	return status;
}

static void
see_defect(void *user, const char *text)
{
	(void)user;
	(void)text;
}

/* A defect where there is none is as bad as one that is not seen. */
static enum store_status
check_all(struct load *load, struct store_error *err)
{
	struct store_check check = {0};
	enum store_status status = store_check(load->store, NULL, see_defect, NULL, &check, err);

	if (status == STORE_OK && check.defects > 0)
		die("%s: %llu defects in a sound store", load->step,
		    (unsigned long long)check.defects);
	return status;
}

static bool
take_piece(void *user, struct store_bytes piece)
{
	*(size_t *)user += piece.size;
	return true;
}

static enum store_status
back_up(struct load *load, struct store_error *err)
{
	size_t size = 0;
	const struct store_bytes label = {(const uint8_t *)"label", 5};

	return store_backup(load->store, label, take_piece, NULL, &size, err);
}

static const struct step {
	const char *name;
	enum store_status (*act)(struct load *load, struct store_error *err);
} steps[] = {
	{"create", create},
	{"open", open_store},
	{"first records", first_records},
	{"change records", change_records},
	{"first erasable records", first_erasable},
	{"overwrite one", overwrite_one},
	{"outgrow the map", outgrow_the_map},
	{"outgrow it again", outgrow_it_again},
	{"expect what is not", expect_what_is_not},
	{"make room", make_room},
	{"rotate", rotate},
	{"destroy both", destroy_both},
	{"re-seal", reseal},
	{"rekey", rekey},
	{"check", check_all},
	{"back up", back_up},
	{"read all", read_all},
	{"open again", reopen_store},
	{"read again", read_all},
};
#define STEP_COUNT (sizeof steps / sizeof steps[0])

/* ---- the walk ---- */

static enum store_status
act(struct load *load, const struct step *step, struct store_error *err)
{
	load->step = step->name;
	load->batch = store_batch_new();
	load->change_count = 0;
	load->leaving_count = 0;
	load->new_entries = 0;
	*err = (struct store_error){0};
	enum store_status status = step->act(load, err);
	store_batch_free(load->batch);
	return status;
}

/* The log is read up to the head that the store knows; the next commit finds the one that is. */
static void
find_head(struct load *load)
{
	struct store_batch *batch = store_batch_new();
	struct store_error err = {0};
	struct record *record = find(load, "found");

	*record = (struct record){"found", 'f', 3};
	store_batch_put(batch, record->key, (struct store_bytes){(const uint8_t *)"fff", 3});
	if (store_commit(load->store, batch, &err) != STORE_OK)
		die("%s: cannot go on: %d %s", load->step, err.status, err.message);
	store_batch_free(batch);
}

/* After STORE_UNSURE either is right, and reading tells which. */
static bool
settle(struct load *load)
{
	find_head(load);
	struct load as_it_was = *load;

	if (holds(load))
		return false;
	adopt_changes(load);
	if (holds(load))
		return true;
	*load = as_it_was;
	die("%s: in part", load->step);
}

/* A root key that may be in force is not one that an open store knows. */
static bool
reopen_under_either(struct load *load)
{
	struct store_error err = {0};

	load->rekeyed = store_try_key(load->store, load->next_key, &err) == STORE_OK;
	if (reopen_store(load, &err) != STORE_OK)
		die("%s: opens under neither key: %s", load->step, err.message);
	return load->rekeyed;
}

static void
must_hold(struct load *load, const char *when)
{
	if (load->store && !holds(load))
		die("%s: not what was acknowledged, %s", load->step, when);
}

/* What was erased is so from the moment of the answer. */
static void
settle_success(struct load *load)
{
	adopt_changes(load);
	load->fault->pause(load->fault, true);
	if (load->store)
		must_be_erased(load);
	load->fault->pause(load->fault, false);
}

/* One step fails; then the fault is over. */
static void
survive(struct load *load, const struct step *step, const struct store_error *failure)
{
	/* The only doubts that one call can cast: deleted for sure, but perhaps still to be read.
	 */
	bool unerased = strstr(failure->message, "not erased yet");
	bool unsure = failure->status == STORE_UNSURE && (load->fault->may_be_unsure || unerased);
	bool done = false;
	struct store_error err;

	if (!(load->fault->wanted & LOAD_BIT(failure->status)) && !unsure)
		die("%s: status %d: %s", step->name, failure->status, failure->message);
	if (failure->message[0] == 0)
		die("%s: status %d says nothing", step->name, failure->status);
	if (failure->status == STORE_UNSURE && step->act == rekey && !unerased)
		done = reopen_under_either(load);
	else if (failure->status == STORE_UNSURE && load->store)
		done = settle(load);
	must_hold(load, "after a refusal");
	if (!done && act(load, step, &err) == STORE_OK)
		settle_success(load);
	else if (!done && !(step->act == create && failure->status == STORE_UNSURE &&
			    err.status == STORE_EXISTS))
		die("%s: cannot go on: %d %s", step->name, err.status, err.message);
	must_hold(load, "after it was done again");
}

void
load_carry_out(const struct load_fault *fault)
{
	struct load load = {.step = "begin", .fault = fault};
	struct store_error err;
	bool over = false;

	load.root_key = secret_new(STORE_ROOT_KEY_SIZE);
	load.next_key = secret_new(STORE_ROOT_KEY_SIZE);
	if (!load.root_key || !load.next_key)
		die("no keys");
	memset(load.next_key->bytes, 'n', STORE_ROOT_KEY_SIZE);
	fault->begin(fault);
	for (size_t i = 0; i < STEP_COUNT; i++) {
		enum store_status status = act(&load, &steps[i], &err);
		bool struck = status != STORE_OK && !over && fault->happened(fault);
		if (struck)
			fault->end(fault);
		over = over || struck;
		if (status == STORE_OK)
			settle_success(&load);
		else if (struck)
			survive(&load, &steps[i], &err);
		else
			die("%s: no fault, and yet: %d %s", steps[i].name, err.status, err.message);
	}
	if (!over)
		fault->end(fault);
	must_hold(&load, "at the end");
	must_be_erased(&load);
	if (reopen_store(&load, &err) != STORE_OK)
		die("cannot be opened at the end: %s", err.message);
	must_hold(&load, "opened at the end");
	must_be_erased(&load);
	store_close(load.store);
	secret_free(load.root_key);
	secret_free(load.next_key);
}
