/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postern restore and postern store check, on stores made here: what is no backup of a broker
 * leaves nothing, what is one comes back frozen.
 */
#include "command/commands.h"
#include "store/upkeep.h"
#include "wire/frozen.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKUP_MAX ((size_t)1024 * 1024)

static char folder[] = "/tmp/postern-restore-XXXXXX";
static uint8_t key_bytes[STORE_ROOT_KEY_SIZE];

struct backup {
	size_t size;
	uint8_t bytes[BACKUP_MAX];
};

static const char *
path_of(const char *name)
{
	static char paths[4][128];
	static size_t next;

	next = (next + 1) % 4;
	(void)snprintf(paths[next], sizeof(paths[next]), "%s/%s", folder, name);
	return paths[next];
}

static void
file_put(const char *name, const void *data, size_t size)
{
	int descriptor = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(descriptor >= 0);
	assert_int_equal(write(descriptor, data, size), (ssize_t)size);
	(void)close(descriptor);
}

static int
entry_remove(const char *path, const struct stat *information, int kind, struct FTW *place)
{
	(void)information;
	(void)kind;
	(void)place;
	return remove(path);
}

static void
tree_remove(const char *path)
{
	(void)nftw(path, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Entries of the folder that a restore was to fill. */
static size_t
left_over(void)
{
	DIR *state = opendir(path_of("state"));
	const struct dirent *entry;
	size_t count = 0;

	assert_non_null(state);
	while ((entry = readdir(state)) != NULL)
		count += entry->d_name[0] != '.' ? 1 : 0;
	(void)closedir(state);
	return count;
}

static struct secret *
root_key(void)
{
	struct secret *key = secret_new(STORE_ROOT_KEY_SIZE);

	assert_non_null(key);
	memcpy(key->bytes, key_bytes, sizeof(key_bytes));
	return key;
}

static bool
sink(void *user, struct store_bytes piece)
{
	struct backup *backup = user;

	assert_true(backup->size + piece.size <= BACKUP_MAX);
	memcpy(backup->bytes + backup->size, piece.data, piece.size);
	backup->size += piece.size;
	return true;
}

static struct store *
store_made(const char *name)
{
	struct store *store = NULL;
	struct store_batch *batch = store_batch_new();
	struct secret *key = root_key();
	struct store_error err;

	assert_int_equal(store_create(path_of(name), key, (struct store_bytes){NULL, 0}, &err),
			 STORE_OK);
	assert_int_equal(store_open(path_of(name), key, &store, &err), STORE_OK);
	store_batch_put(batch, "one", (struct store_bytes){(const uint8_t *)"value", 5});
	assert_int_equal(store_commit(store, batch, &err), STORE_OK);
	store_batch_free(batch);
	secret_free(key);
	return store;
}

static struct backup *
backup_made(struct store_bytes label)
{
	struct backup *backup = calloc(1, sizeof(*backup));
	struct store *store = store_made("source");
	struct store_error err;

	assert_non_null(backup);
	assert_int_equal(store_backup(store, label, sink, NULL, backup, &err), STORE_OK);
	store_close(store);
	tree_remove(path_of("source"));
	return backup;
}

static size_t
label_make(uint8_t memory[BACKUP_LABEL_MAX])
{
	struct writer w = writer_of(memory, BACKUP_LABEL_MAX);
	const struct backup_label label = {.time = 1700000000,
					   .trust_revision = 41,
					   .store_revision = 7,
					   .version = {(const uint8_t *)"1", 1}};

	backup_label_write(&w, &label);
	assert_false(w.failed);
	return w.size;
}

static int
command_run(int (*run)(int, char **), const char *const *words, int count)
{
	char *argv[16] = {NULL};

	for (int i = 0; i < count; i++)
		assert_non_null(argv[i] = strdup(words[i]));
	int status = run(count, argv);
	for (int i = 0; i < count; i++)
		free(argv[i]);
	return status;
}

static int
restored(const void *data, size_t size)
{
	file_put("backup", data, size);
	const char *words[] = {path_of("backup"), "--state", path_of("state"), "--root-key",
			       path_of("key")};
	return command_run(cmd_restore, words, 5);
}

static int
checked(void)
{
	const char *words[] = {"--offline", "--store", path_of("state/store"), "--root-key",
			       path_of("key")};
	return command_run(cmd_store_check, words, 5);
}

/* ---- tests ---- */

static void
test_a_backup_comes_back_frozen(void **state)
{
	uint8_t memory[BACKUP_LABEL_MAX];
	struct backup *backup = backup_made((struct store_bytes){memory, label_make(memory)});
	struct secret *key = root_key(), *value = NULL;
	struct frozen_record record;
	struct store *store = NULL;
	struct store_error err;
	uint64_t revision = 0;
	(void)state;

	assert_int_equal(restored(backup->bytes, backup->size), 0);
	assert_int_equal(left_over(), 1);
	assert_int_equal(checked(), 0);
	assert_int_equal(store_open(path_of("state/store"), key, &store, &err), STORE_OK);
	assert_int_equal(store_get(store, FROZEN_KEY, &value, &revision, &err), STORE_OK);
	assert_true(frozen_record_read((struct bytes){value->bytes, value->size}, &record));
	assert_non_null(memmem(record.why.data, record.why.size, "2023-11-14T22:13:20Z", 20));
	assert_non_null(memmem(record.why.data, record.why.size, "trust revision 41", 17));
	store_close(store);
	secret_free(value);
	secret_free(key);
	/* and never over one that is there */
	assert_int_equal(restored(backup->bytes, backup->size), EX_CANTCREAT);
	assert_int_equal(left_over(), 1);
	free(backup);
}

/* Verified, and of somebody else's making: what was built from it goes again. */
static void
test_labels_of_others(void **state)
{
	uint8_t memory[BACKUP_LABEL_MAX + 1];
	size_t whole = label_make(memory);
	(void)state;

	for (size_t size = 0; size <= whole + 1; size++) {
		if (size == whole)
			continue;
		struct backup *backup = backup_made((struct store_bytes){memory, size});
		assert_int_equal(restored(backup->bytes, backup->size), EX_DATAERR);
		assert_int_equal(left_over(), 0);
		free(backup);
	}
}

static void
test_every_cut_and_every_flip(void **state)
{
	uint8_t memory[BACKUP_LABEL_MAX];
	struct backup *backup = backup_made((struct store_bytes){memory, label_make(memory)});
	(void)state;

	for (size_t at = 0; at < backup->size; at++) {
		int status = restored(backup->bytes, at);
		if (status != 1 && status != EX_DATAERR && status != EX_IOERR)
			fail_msg("cut to %zu: %d", at, status);
		backup->bytes[at] ^= (uint8_t)(1u << at % 8);
		status = restored(backup->bytes, backup->size);
		if (status != 1 && status != EX_DATAERR && status != EX_IOERR)
			fail_msg("flipped at %zu: %d", at, status);
		backup->bytes[at] ^= (uint8_t)(1u << at % 8);
		assert_int_equal(left_over(), 0);
	}
	assert_int_equal(restored(backup->bytes, backup->size + 1), 1);
	assert_int_equal(left_over(), 0);
	file_put("key", memory, STORE_ROOT_KEY_SIZE);
	assert_int_equal(restored(backup->bytes, backup->size), 1);
	assert_int_equal(left_over(), 0);
	free(backup);
}

/* ---- */

static int
set_up(void **state)
{
	(void)state;
	assert_true(sodium_init() >= 0);
	strcpy(strrchr(folder, '-'), "-XXXXXX");
	assert_non_null(mkdtemp(folder));
	randombytes_buf(key_bytes, sizeof(key_bytes));
	file_put("key", key_bytes, sizeof(key_bytes));
	assert_int_equal(mkdir(path_of("state"), 0700), 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	tree_remove(folder);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_backup_comes_back_frozen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_labels_of_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_cut_and_every_flip, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
