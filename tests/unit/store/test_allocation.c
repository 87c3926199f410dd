/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of the store fails once. The linker puts these functions in place of the store's
 * own calls; LMDB and libc keep theirs. The fixture is not used, because its own allocations may
 * not fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "store/commit.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__real_sodium_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
void *__wrap_sodium_malloc(size_t size);
void __real_sodium_free(void *block);
void __wrap_sodium_free(void *block);

/* The allocation that fails counts down from here; 0: none does. */
static unsigned until_failure;
static bool failed;
/* Locked memory comes past malloc, so that a sanitizer does not see it leak. */
static int secrets_held;

static bool
fails_now(void)
{
	if (until_failure == 0 || --until_failure > 0)
		return false;
	failed = true;
	return true;
}

void *
__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : __real_calloc(count, size);
}

void *
__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return fails_now() ? NULL : __real_reallocarray(old, count, size);
}

char *
__wrap_strdup(const char *text)
{
	return fails_now() ? NULL : __real_strdup(text);
}

void *
__wrap_sodium_malloc(size_t size)
{
	void *block = fails_now() ? NULL : __real_sodium_malloc(size);

	secrets_held += block != NULL;
	return block;
}

void
__wrap_sodium_free(void *block)
{
	secrets_held -= block != NULL;
	__real_sodium_free(block);
}

static char path[] = "/tmp/store-allocation-XXXXXX";
static struct secret *root_key;
static uint8_t large[5000]; /* more than the buffers begin with */

static bool
see_key(void *user, const char *key, uint64_t revision)
{
	(void)user;
	(void)key;
	(void)revision;
	return true;
}

static bool
see_entry(void *user, const struct store_log_entry *entry)
{
	(void)user;
	(void)entry;
	return true;
}

static enum store_status
commit_all_kinds(struct store *store)
{
	struct store_batch *batch = store_batch_new();
	const struct store_bytes value = {large, sizeof large};

	for (int i = 0; i < 40; i++) { /* more than the tables begin with */
		char key[16];
		snprintf(key, sizeof key, "k/%d", i);
		store_batch_put(batch, key, (struct store_bytes){large, 10});
	}
	for (int i = 0; i < 20; i++) {
		char key[16];
		snprintf(key, sizeof key, "e/%d", i);
		store_batch_put_erasable(batch, key, (struct store_bytes){large, 10});
	}
	store_batch_put(batch, "large", value);
	store_batch_put_erasable(batch, "e/0", value);
	store_batch_delete(batch, "e/1");
	store_batch_delete(batch, "k/0");
	store_batch_append(batch, "tag", (struct store_bytes){large, 10});
	store_batch_append(batch, NULL, value);
	enum store_status status = store_commit(store, batch, NULL);
	store_batch_free(batch);
	return status;
}

/* The keys, changed in each way there is. */
static enum store_status
change_keys(struct store *store)
{
	struct store_rotation rotation = {.generation = 1};
	enum store_status status = store_rotate(store, NULL);

	while (status == STORE_OK && rotation.oldest != rotation.generation)
		status = store_reseal(store, 50, &rotation, NULL);
	if (status == STORE_OK)
		status = store_rekey(store, root_key, (struct store_bytes){large, 10}, NULL);
	if (status == STORE_OK)
		status = store_try_key(store, root_key, NULL);
	return status;
}

/* All that can be asked of a store, to its end or to the first failure. */
static enum store_status
use_store(void)
{
	struct store *store = NULL;
	struct secret *value = NULL;
	uint64_t revision;
	enum store_status status = store_create(path, root_key, (struct store_bytes){0}, NULL);

	if (status == STORE_OK || status == STORE_EXISTS)
		status = store_open(path, root_key, &store, NULL);
	if (status == STORE_OK)
		status = commit_all_kinds(store);
	if (status == STORE_OK)
		status = store_get(store, "large", &value, &revision, NULL);
	if (status == STORE_OK)
		status = store_list(store, "", NULL, see_key, NULL, NULL);
	if (status == STORE_OK)
		status = store_log_read(store, 1, see_entry, NULL, NULL);
	if (status == STORE_OK)
		status = store_log_tagged(store, "tag", 99, see_entry, NULL, NULL);
	secret_free(value);
	store_close(store);
	return status;
}

/* Each success adds two entries: the failures in between must have added none, or both. */
static uint64_t
count_entries(void)
{
	struct store *store = NULL;
	uint64_t number;
	uint8_t hash[STORE_HASH_SIZE];

	assert_int_equal(store_open(path, root_key, &store, NULL), STORE_OK);
	store_log_head(store, &number, hash);
	store_close(store);
	return number;
}

static void
each_allocation_fails_once(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (unsigned at = 1;; at++) {
		failed = false;
		until_failure = at;
		enum store_status status = use_store();
		until_failure = 0;
		if (!failed) {
			assert_int_equal(status, STORE_OK);
			break;
		}
		if (status != STORE_MEMORY)
			fail_msg("allocation %u: %d", at, status);
		if (secrets_held != 1) /* the root key */
			fail_msg("allocation %u: %d secrets left", at, secrets_held - 1);
		tried++;
		assert_int_equal(use_store(), STORE_OK);
		assert_int_equal(count_entries() % 2, 0);
	}
	print_message("%u allocations failed\n", tried);
	assert_true(tried > 40);
}

/* And all that was in the store is there again, whatever has failed. */
static void
each_allocation_of_a_change_of_keys_fails_once(void **state)
{
	unsigned tried = 0;

	(void)state;
	assert_int_equal(use_store(), STORE_OK);
	for (;; tried++) {
		struct store *store = NULL;
		struct secret *value = NULL;
		uint64_t revision;
		assert_int_equal(store_open(path, root_key, &store, NULL), STORE_OK);
		failed = false;
		until_failure = tried + 1;
		enum store_status status = change_keys(store);
		until_failure = 0;
		assert_int_equal(status, failed ? STORE_MEMORY : STORE_OK);
		assert_int_equal(change_keys(store), STORE_OK);
		assert_int_equal(store_get(store, "e/0", &value, &revision, NULL), STORE_OK);
		assert_int_equal(value->size, sizeof large);
		secret_free(value);
		store_close(store);
		assert_int_equal(secrets_held, 1);
		if (!failed)
			break;
	}
	assert_true(tried > 60);
}

/* In a group, a batch for which memory runs out leaves no trace in what the others write. */
static void
a_failed_batch_leaves_the_plan_as_it_was(void **state)
{
	struct store *store = NULL;
	struct store_batch *batch = store_batch_new();

	(void)state;
	assert_int_equal(use_store(), STORE_OK);
	assert_int_equal(store_open(path, root_key, &store, NULL), STORE_OK);
	store_batch_put(batch, "a", (struct store_bytes){large, 10});
	store_batch_append(batch, "tag", (struct store_bytes){large, 10});
	store_batch_append(batch, "tag", (struct store_bytes){large, 10});
	for (unsigned at = 1;; at++) {
		auto_view view = {0};
		assert_int_equal(view_open(store->backend, &view, NULL), STORE_OK);
		auto_plan plan = {.store = store, .head = store->head, .view = &view};
		assert_int_equal(store_plan_add_batch(&plan, batch, NULL), STORE_OK);
		const struct head head = plan.head;
		const size_t count = plan.count;
		failed = false;
		until_failure = at;
		enum store_status status = store_plan_add_batch(&plan, batch, NULL);
		until_failure = 0;
		if (!failed) {
			assert_true(at > 5); /* each write is one */
			break;
		}
		assert_int_equal(status, STORE_MEMORY);
		assert_int_equal(plan.count, count);
		assert_memory_equal(&plan.head, &head, sizeof head);
		assert_int_equal(store_batch_number(batch), 0);
	}
	store_batch_free(batch);
	store_close(store);
}

/* ---- check, backup, restore ---- */

static struct {
	uint8_t bytes[4 * 1024 * 1024];
	size_t size;
	size_t read;
} tape;

static bool
record_piece(void *user, struct store_bytes piece)
{
	(void)user;
	if (piece.size > sizeof tape.bytes - tape.size)
		return false;
	memcpy(tape.bytes + tape.size, piece.data, piece.size);
	tape.size += piece.size;
	return true;
}

static long
play_piece(void *user, uint8_t *buffer, size_t size)
{
	size_t left = tape.size - tape.read;

	(void)user;
	size = size < left ? size : left;
	memcpy(buffer, tape.bytes + tape.read, size);
	tape.read += size;
	return (long)size;
}

static enum store_status
keep_up(struct store *store, const char *restored)
{
	struct store_check report;
	uint8_t label[STORE_LABEL_MAX];
	size_t label_size;
	enum store_status status = store_check(store, NULL, NULL, NULL, &report, NULL);

	tape.size = 0;
	tape.read = 0;
	if (status == STORE_OK)
		status = store_backup(store, (struct store_bytes){0}, record_piece, NULL, NULL,
				      NULL);
	if (status == STORE_OK)
		status = store_restore(restored, root_key, play_piece, NULL, NULL, label,
				       &label_size, NULL);
	return status;
}

static void
remove_store_at(const char *folder)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "slots"};
	char name[96];

	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "%s/%s", folder, names[i]);
		unlink(name);
	}
	assert_int_equal(rmdir(folder), 0);
}

static void
upkeep_survives_each_failure(void **state)
{
	struct store *store = NULL;
	char restored[64], part[80];
	unsigned at = 1;

	(void)state;
	snprintf(restored, sizeof restored, "%s.restored", path);
	snprintf(part, sizeof part, "%s.part", restored);
	assert_int_equal(use_store(), STORE_OK);
	assert_int_equal(store_open(path, root_key, &store, NULL), STORE_OK);
	const int held = secrets_held;
	for (;; at++) {
		failed = false;
		until_failure = at;
		enum store_status status = keep_up(store, restored);
		until_failure = 0;
		if (secrets_held != held)
			fail_msg("allocation %u: %d secrets left", at, secrets_held - held);
		if (!failed) {
			assert_int_equal(status, STORE_OK);
			break;
		}
		if (status != STORE_MEMORY)
			fail_msg("allocation %u: %d", at, status);
		assert_int_not_equal(access(restored, F_OK), 0);
		assert_int_not_equal(access(part, F_OK), 0);
	}
	remove_store_at(restored);
	store_close(store);
	print_message("%u allocations failed\n", at - 1);
	assert_true(at > 10);
}

/* Nor may the hot path allocate at all, once a first reader has been. */
static void
get_into_does_not_allocate(void **state)
{
	struct store *store = NULL;
	auto_secret *value = secret_new(sizeof large);
	uint64_t revision;

	(void)state;
	assert_int_equal(use_store(), STORE_OK);
	assert_int_equal(store_open(path, root_key, &store, NULL), STORE_OK);
	assert_int_equal(store_get_into(store, "large", value, &revision, NULL), STORE_OK);
	for (int i = 0; i < 100; i++) {
		until_failure = 1;
		assert_int_equal(store_get_into(store, "large", value, &revision, NULL), STORE_OK);
		assert_int_equal(until_failure, 1); /* still armed */
		until_failure = 0;
	}
	store_close(store);
}

static int
setup(void **state)
{
	(void)state;
	root_key = secret_new(STORE_ROOT_KEY_SIZE);
	return mkdtemp(path) && root_key ? 0 : -1;
}

static int
teardown(void **state)
{
	char name[64];

	(void)state;
	secret_free(root_key);
	snprintf(name, sizeof name, "%s/data.mdb", path);
	unlink(name);
	snprintf(name, sizeof name, "%s/lock.mdb", path);
	unlink(name);
	snprintf(name, sizeof name, "%s/slots", path);
	unlink(name);
	return rmdir(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_allocation_fails_once),
		cmocka_unit_test(each_allocation_of_a_change_of_keys_fails_once),
		cmocka_unit_test(a_failed_batch_leaves_the_plan_as_it_was),
		cmocka_unit_test(upkeep_survives_each_failure),
		cmocka_unit_test(get_into_does_not_allocate),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
