/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One work load, again and again: each time another call of the process fails (fault.c). Whatever
 * fails, what was acknowledged is there and whole, what was refused as unchanged has changed
 * nothing, the same call succeeds once the cause has ended, with the store open as it was, and all
 * of it is there after the store was opened anew.
 *
 *     test-store-fault [every]     each `every`-th call of each kind; 1: all
 */
#include "fault.h"
#include "store/state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAP_SIZE    ((size_t)64 * 1024) /* it must grow */
#define BULK_SIZE   ((size_t)120 * 1000)
#define RECORDS_MAX 16
#define ERASED_MAX  8
#define EVERY_SLICE 3

static char folder[] = "/tmp/store-fault-XXXXXX";

/* ---- what the store must hold ---- */

struct record {
	const char *key;
	char fill; /* the value is `size` times this; 0: there is none */
	size_t size;
};

struct load {
	char path[64];
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

	fault_disarm();
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
	fault_pause(true);
	load->leaving[load->leaving_count++] = slot_of(load, key);
	fault_pause(false);
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
	return store_create(load->path, load->root_key, (struct store_bytes){0}, err);
}

static enum store_status
open_store(struct load *load, struct store_error *err)
{
	struct backend *backend = NULL;
	enum store_status status = backend_lmdb_open(load->path, false, MAP_SIZE, &backend, err);

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
	{"read all", read_all},
	{"open again", reopen_store},
	{"read again", read_all},
};
#define STEP_COUNT (sizeof steps / sizeof steps[0])

/* ---- the walk ---- */

struct fault {
	const char *call;
	int error;
	enum fault_mode mode;
	unsigned wanted; /* a bit for each status that it may lead to */
};

#define BIT(status) (1U << (status))
#define MEMORY	    BIT(STORE_MEMORY)
#define IO	    BIT(STORE_IO)

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

/* After STORE_UNSURE either is right, and reading tells which. */
static bool
settle(struct load *load)
{
	struct load as_it_was = *load;

	if (holds(load))
		return false;
	adopt_changes(load);
	if (holds(load))
		return true;
	*load = as_it_was;
	die("%s: in part", load->step);
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
	fault_pause(true);
	if (load->store)
		must_be_erased(load);
	fault_pause(false);
}

/* One step fails; then the fault is over. */
static void
survive(struct load *load, const struct fault *fault, const struct step *step,
	const struct store_error *failure)
{
	/* The only doubts that one call can cast: deleted for sure, but perhaps still to be read.
	 */
	bool unerased = strstr(failure->message, "not erased yet");
	bool unsure = failure->status == STORE_UNSURE && (fault->mode == FAULT_LASTS || unerased);
	bool done = false;
	struct store_error err;

	if (!(fault->wanted & BIT(failure->status)) && !unsure)
		die("%s: status %d: %s", step->name, failure->status, failure->message);
	if (failure->message[0] == 0)
		die("%s: status %d says nothing", step->name, failure->status);
	if (failure->status == STORE_UNSURE && load->store)
		done = settle(load);
	must_hold(load, "after a refusal");
	if (!done && act(load, step, &err) == STORE_OK)
		settle_success(load);
	else if (!done && !(step->act == create && failure->status == STORE_UNSURE &&
			    err.status == STORE_EXISTS))
		die("%s: cannot go on: %d %s", step->name, err.status, err.message);
	must_hold(load, "after it was done again");
}

/* How many calls there were, to the fault or to the end. */
static unsigned
carry_out(const struct fault *fault, unsigned at)
{
	struct load load = {.step = "begin"};
	struct store_error err;
	bool over = false;
	unsigned count = 0;

	snprintf(load.path, sizeof load.path, "%s/store", folder);
	load.root_key = secret_new(STORE_ROOT_KEY_SIZE);
	load.next_key = secret_new(STORE_ROOT_KEY_SIZE);
	if (!load.root_key || !load.next_key)
		die("no keys");
	memset(load.next_key->bytes, 'n', STORE_ROOT_KEY_SIZE);
	fault_arm(fault->call, at, fault->error, fault->mode);
	for (size_t i = 0; i < STEP_COUNT; i++) {
		enum store_status status = act(&load, &steps[i], &err);
		bool struck = !over && fault_happened();
		if (struck)
			count = fault_disarm();
		over = over || struck;
		if (status == STORE_OK)
			settle_success(&load);
		else if (struck)
			survive(&load, fault, &steps[i], &err);
		else
			die("%s: no fault, and yet: %d %s", steps[i].name, err.status, err.message);
	}
	if (!over)
		count = fault_disarm();
	must_hold(&load, "at the end");
	must_be_erased(&load);
	if (reopen_store(&load, &err) != STORE_OK)
		die("cannot be opened at the end: %s", err.message);
	must_hold(&load, "opened at the end");
	must_be_erased(&load);
	store_close(load.store);
	secret_free(load.root_key);
	secret_free(load.next_key);
	return count;
}

static void
remove_store(void)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "slots", ""};
	char path[128];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/store/%s", folder, names[i]);
		remove(path);
	}
}

/* In a process of its own, which a fault may not bring down. */
static bool
carry_out_in_a_child(const struct fault *fault, unsigned at, unsigned *ret_count)
{
	int status, ends[2];

	remove_store();
	if (pipe(ends) != 0)
		die("no pipe");
	pid_t child = fork();
	if (child < 0)
		die("no process");
	if (child == 0) {
		unsigned count = carry_out(fault, at);
		_exit(write(ends[1], &count, sizeof count) == sizeof count ? 0 : 2);
	}
	close(ends[1]);
	bool told = read(ends[0], ret_count, sizeof *ret_count) == sizeof *ret_count;
	close(ends[0]);
	if (waitpid(child, &status, 0) != child)
		die("no child");
	if (told && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	fprintf(stderr, "FAULT=%s:%u:%d:%d: %s %d\n", fault->call, at, fault->error, fault->mode,
		WIFSIGNALED(status) ? "signal" : "exit",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return false;
}

static const struct fault faults[] = {
	{"pwrite", ENOSPC, FAULT_ONCE, BIT(STORE_SPACE)},
	{"pwrite", EDQUOT, FAULT_LASTS, BIT(STORE_SPACE)},
	{"pwrite", EIO, FAULT_ONCE, IO},
	{"pwrite", EIO, FAULT_DONE, IO},
	{"pwrite", EIO, FAULT_STAYS, IO},
	{"pwrite", EIO, FAULT_LASTS, IO},
	{"pwrite", EROFS, FAULT_LASTS, BIT(STORE_READONLY)},
	{"pwrite", EPERM, FAULT_ONCE, BIT(STORE_READONLY)},
	{"pwrite", 0, FAULT_SHORT, IO | BIT(STORE_SPACE)},
	{"writev", ENOSPC, FAULT_ONCE, BIT(STORE_SPACE)},
	{"writev", EIO, FAULT_DONE, IO},
	{"writev", EIO, FAULT_LASTS, IO},
	{"writev", 0, FAULT_SHORT, IO | BIT(STORE_SPACE)},
	{"pwritev", ENOSPC, FAULT_ONCE, BIT(STORE_SPACE)},
	{"pwritev", EIO, FAULT_DONE, IO},
	{"pwritev", EIO, FAULT_LASTS, IO},
	{"pwritev", 0, FAULT_SHORT, IO | BIT(STORE_SPACE)},
	{"write", EIO, FAULT_ONCE, IO},
	{"fdatasync", EIO, FAULT_ONCE, IO},
	{"fdatasync", EIO, FAULT_DONE, IO},
	{"fdatasync", ENOSPC, FAULT_LASTS, BIT(STORE_SPACE)},
	{"fsync", EIO, FAULT_ONCE, IO},
	{"fsync", EDQUOT, FAULT_LASTS, BIT(STORE_SPACE)},
	{"msync", EIO, FAULT_ONCE, IO},
	{"fallocate", ENOSPC, FAULT_ONCE, BIT(STORE_SPACE)},
	{"ftruncate", EIO, FAULT_ONCE, IO},
	{"open", EACCES, FAULT_ONCE, BIT(STORE_READONLY)},
	{"open", EMFILE, FAULT_LASTS, IO},
	{"openat", EROFS, FAULT_ONCE, BIT(STORE_READONLY)},
	{"openat", ENFILE, FAULT_LASTS, IO},
	{"read", EIO, FAULT_ONCE, IO},
	{"pread", EIO, FAULT_ONCE, IO},
	{"pread", EIO, FAULT_LASTS, IO},
	/* LMDB takes its first pages, read in part, for what it did not write. */
	{"pread", 0, FAULT_SHORT, IO | BIT(STORE_TAMPERED)},
	{"mmap", ENOMEM, FAULT_ONCE, MEMORY},
	{"mmap", ENOMEM, FAULT_LASTS, MEMORY},
	{"mremap", ENOMEM, FAULT_ONCE, MEMORY},
	{"mlock", ENOMEM, FAULT_ONCE, MEMORY},
	{"malloc", ENOMEM, FAULT_ONCE, MEMORY},
	{"malloc", ENOMEM, FAULT_LASTS, MEMORY},
	{"calloc", ENOMEM, FAULT_ONCE, MEMORY},
	{"calloc", ENOMEM, FAULT_LASTS, MEMORY},
	{"realloc", ENOMEM, FAULT_ONCE, MEMORY},
};
#define FAULT_COUNT (sizeof faults / sizeof faults[0])

int
main(int argument_count, char **arguments)
{
	unsigned every = argument_count > 1 ? (unsigned)atoi(arguments[1]) : EVERY_SLICE;
	unsigned tried = 0, failed = 0;

	if (every == 0 || !mkdtemp(folder))
		return 2;
	for (size_t i = 0; i < FAULT_COUNT; i++) {
		unsigned calls = 0, reached, before = tried;
		if (!carry_out_in_a_child(&faults[i], 0, &calls))
			return 1;
		/* Another first one for each fault, so that a slice goes by all calls in time. */
		for (unsigned at = 1 + (unsigned)i % every; at <= calls; at += every) {
			failed += !carry_out_in_a_child(&faults[i], at, &reached);
			tried++;
		}
		printf("%-10s errno %2d, mode %d: %4u of %4u calls\n", faults[i].call,
		       faults[i].error, faults[i].mode, tried - before, calls);
	}
	remove_store();
	rmdir(folder);
	printf("%u calls made to fail, %u of them not survived\n", tried, failed);
	return failed > 0 || tried == 0;
}
