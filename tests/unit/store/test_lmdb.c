/* SPDX-License-Identifier: Apache-2.0 */
/* What is the LMDB backend's own: files and their modes, one opener, a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY	65534
#define SKIPPED 77 /* a child's answer */

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static int
setup_path(void **state)
{
	*state = fixture_new(FIXTURE_LMDB);
	return 0;
}

static void
must_create(const struct fixture *fixture)
{
	struct store_error err = {0};

	if (store_create(fixture->path, fixture->root_key, (struct store_bytes){0}, &err) !=
	    STORE_OK)
		fail_msg("create: %s", err.message);
}

static mode_t
mode_of(const char *directory, const char *name)
{
	char path[256];
	struct stat found;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	assert_int_equal(stat(path, &found), 0);
	return found.st_mode & 07777;
}

static void
files_are_for_the_owner_alone(void **state)
{
	struct fixture *fixture = *state;
	mode_t mask = umask(0);

	assert_int_equal(rmdir(fixture->path), 0);
	must_create(fixture);
	umask(mask);
	assert_int_equal(mode_of(fixture->path, "."), 0700);
	assert_int_equal(mode_of(fixture->path, "data.mdb"), 0600);
	assert_int_equal(mode_of(fixture->path, "lock.mdb"), 0600);
	assert_int_equal(mode_of(fixture->path, "slots"), 0600);
}

static void
a_store_is_created_once(void **state)
{
	struct fixture *fixture = *state;
	struct store_error err = {0};

	must_create(fixture);
	assert_int_equal(store_open(fixture->path, fixture->root_key, &fixture->store, &err),
			 STORE_OK);
	must_put(fixture->store, "a", "kept");
	fixture_close(fixture);
	assert_int_equal(
		store_create(fixture->path, fixture->root_key, (struct store_bytes){0}, &err),
		STORE_EXISTS);
	assert_int_equal(store_open(fixture->path, fixture->root_key, &fixture->store, &err),
			 STORE_OK);
	assert_string_equal(text_of(fixture->store, "a"), "kept");
}

/* Somebody has moved data.mdb away, and may yet bring it back: without its slots it is lost. */
static void
slots_without_a_database_are_left_alone(void **state)
{
	struct fixture *fixture = *state;
	char from[128], to[128];
	struct store_error err = {0};

	assert_int_equal(
		store_create(fixture->path, fixture->root_key, (struct store_bytes){0}, NULL),
		STORE_OK);
	snprintf(from, sizeof from, "%s/data.mdb", fixture->path);
	snprintf(to, sizeof to, "%s/moved.mdb", fixture->path);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(
		store_create(fixture->path, fixture->root_key, (struct store_bytes){0}, &err),
		STORE_EXISTS);
	assert_non_null(strstr(err.message, "slots of a store without its data.mdb"));
	assert_int_equal(rename(to, from), 0);
	fixture_reopen(fixture);
}

static void
one_opener_at_a_time(void **state)
{
	struct fixture *fixture = *state;
	struct store_error err = {0};
	struct store *second = NULL;

	must_create(fixture);
	assert_int_equal(store_open(fixture->path, fixture->root_key, &fixture->store, &err),
			 STORE_OK);
	assert_int_equal(store_open(fixture->path, fixture->root_key, &second, &err), STORE_IO);
	assert_non_null(strstr(err.message, "another process"));
	assert_int_equal(
		store_create(fixture->path, fixture->root_key, (struct store_bytes){0}, &err),
		STORE_IO);
	assert_null(second);
	must_put(fixture->store, "a", "still works");
}

/* What this process executes has none of the store's files open. */
static void
files_are_closed_on_exec(void **state)
{
	struct fixture *fixture = *state;
	unsigned checked = 0;

	must_create(fixture);
	assert_int_equal(store_open(fixture->path, fixture->root_key, &fixture->store, NULL),
			 STORE_OK);
	for (int file = 3; file < 64; file++) {
		char name[64], target[256] = "";
		snprintf(name, sizeof name, "/proc/self/fd/%d", file);
		if (readlink(name, target, sizeof target - 1) < 0 ||
		    strncmp(target, fixture->path, strlen(fixture->path)) != 0)
			continue;
		assert_int_equal(fcntl(file, F_GETFD), FD_CLOEXEC);
		checked++;
	}
	assert_true(checked >= 3);
}

static void
what_is_no_store_is_not_opened(void **state)
{
	struct fixture *fixture = *state;
	const char *paths[] = {fixture->path, "/tmp/there-is-no-such-folder", "/dev/null", ""};
	const enum store_status want[] = {STORE_MISSING, STORE_MISSING, STORE_IO, STORE_MISSING};

	for (size_t i = 0; i < 4; i++) {
		struct store_error err = {0};
		struct store *store = NULL;
		assert_int_equal(store_open(paths[i], fixture->root_key, &store, &err), want[i]);
		assert_null(store);
		assert_true(err.message[0] != 0);
	}
	assert_int_not_equal(access(fixture->path, F_OK), -1);
	assert_int_equal(store_create("/tmp/no/such/parent", fixture->root_key,
				      (struct store_bytes){0}, NULL),
			 STORE_IO);
}

/* A page of what is not LMDB's, in its place. */
static void
a_foreign_file_is_refused(void **state)
{
	struct fixture *fixture = *state;
	char path[128], page[8192];
	struct store *store = NULL;

	memset(page, 'x', sizeof page);
	snprintf(path, sizeof path, "%s/data.mdb", fixture->path);
	int file = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(file, page, sizeof page), sizeof page);
	close(file);
	assert_int_equal(store_open(fixture->path, fixture->root_key, &store, NULL),
			 STORE_TAMPERED);
	assert_int_equal(
		store_create(fixture->path, fixture->root_key, (struct store_bytes){0}, NULL),
		STORE_TAMPERED);
}

/* ---- what the system may refuse, seen in a child ---- */

static void
must_do_in_a_child(struct fixture *fixture, int (*work)(const struct fixture *fixture))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(work(fixture));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == SKIPPED) {
		print_message("skipped: may not do what this needs\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define MEBIBYTE ((size_t)1024 * 1024)

static enum store_status
put_mebibyte(struct store *store, const char *key)
{
	static uint8_t bytes[MEBIBYTE];
	struct store_batch *batch = store_batch_new();

	store_batch_put(batch, key, (struct store_bytes){bytes, sizeof bytes});
	enum store_status status = store_commit(store, batch, NULL);
	store_batch_free(batch);
	return status;
}

static bool
count_key(void *user, const char *key, uint64_t revision)
{
	(void)key;
	(void)revision;
	++*(int *)user;
	return true;
}

/* No address space but what this process has now, and `more`. */
static bool
limit_addresses(size_t more)
{
	size_t pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");

	if (!statm || fscanf(statm, "%zu", &pages) != 1)
		return false;
	fclose(statm);
	const rlim_t size = pages * (size_t)sysconf(_SC_PAGESIZE) + more;
	return setrlimit(RLIMIT_AS, &(struct rlimit){size, RLIM_INFINITY}) == 0;
}

/* 0, or the step that found fault. A commit needs some 5 MiB, the greater map 16 MiB more. */
static int
outgrow_the_addresses(const struct fixture *fixture)
{
	struct backend *backend = NULL;
	struct store *store = NULL;
	struct secret *value = NULL;
	enum store_status status = STORE_OK;
	uint64_t revision;
	int written = 1, found = 0;

	if (store_create(fixture->path, fixture->root_key, (struct store_bytes){0}, NULL) !=
		    STORE_OK ||
	    backend_lmdb_open(fixture->path, false, 16 * MEBIBYTE, &backend, NULL) != STORE_OK ||
	    store_open_on(backend, fixture->root_key, &store, NULL) != STORE_OK)
		return 1;
	if (put_mebibyte(store, "0") != STORE_OK || !limit_addresses(8 * MEBIBYTE))
		return 2;
	for (char key[] = "1"; key[0] < 'a' && status == STORE_OK; key[0]++) {
		status = put_mebibyte(store, key);
		written += status == STORE_OK;
	}
	if (status != STORE_MEMORY)
		return 3;
	/* What was there is read, what was refused is not there, and once there is room it can be.
	 */
	if (store_get(store, "0", &value, &revision, NULL) != STORE_OK)
		return 4;
	if (store_list(store, "", NULL, count_key, &found, NULL) != STORE_OK || found != written)
		return 5;
	if (setrlimit(RLIMIT_AS, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}) != 0 ||
	    put_mebibyte(store, "again") != STORE_OK)
		return 6;
	secret_free(value);
	store_close(store);
	return 0;
}

static void
a_map_that_may_not_grow_is_read_on(void **state)
{
	if (SANITIZED)
		skip(); /* it needs addresses too */
	must_do_in_a_child(*state, outgrow_the_addresses);
}

/* systemd's StateDirectory= with DynamicUser=: the folder is the store's, the one above is not. */
static int
create_below_a_closed_folder(const struct fixture *fixture)
{
	char path[128];

	snprintf(path, sizeof path, "%s/store", fixture->path);
	if (geteuid() != 0)
		return SKIPPED;
	if (mkdir(path, 0700) != 0 || chown(path, NOBODY, NOBODY) != 0 ||
	    chmod(fixture->path, 0711) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
		return 1;
	return store_create(path, fixture->root_key, (struct store_bytes){0}, NULL) == STORE_OK ? 0
												: 2;
}

static void
the_folder_above_may_be_closed(void **state)
{
	struct fixture *fixture = *state;
	char path[128];

	must_do_in_a_child(fixture, create_below_a_closed_folder);
	for (const char *const *name =
		     (const char *const[]){"/data.mdb", "/lock.mdb", "/slots", "", NULL};
	     *name; name++) {
		snprintf(path, sizeof path, "%s/store%s", fixture->path, *name);
		assert_int_equal(remove(path), 0);
	}
}

/* ---- a full disk: in a child with a small file system of its own ---- */

static enum store_status
put_bulk(struct store *store, int number)
{
	static uint8_t bulk[20000];
	struct store_batch *batch = store_batch_new();
	char key[32];

	snprintf(key, sizeof key, "bulk/%d", number);
	store_batch_put(batch, key, (struct store_bytes){bulk, sizeof bulk});
	store_batch_append(batch, "tag", bytes_of("bulk"));
	enum store_status status = store_commit(store, batch, NULL);
	store_batch_free(batch);
	return status;
}

static bool
mount_small(const char *path, const char *size)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", path, "tmpfs", 0, size) == 0;
}

/* 0, or the step that found fault. */
static int
fill_the_disk(const struct fixture *fixture)
{
	struct store *store = NULL;
	auto_secret *value = secret_new(20000);
	enum store_status status = STORE_OK;
	uint64_t revision;
	int written = 0, found = 0;

	if (!mount_small(fixture->path, "size=2m"))
		return SKIPPED;
	if (store_create(fixture->path, fixture->root_key, (struct store_bytes){0}, NULL) !=
		    STORE_OK ||
	    store_open(fixture->path, fixture->root_key, &store, NULL) != STORE_OK)
		return 1;
	while (written < 1000 && (status = put_bulk(store, written)) == STORE_OK)
		written++;
	if (status != STORE_SPACE || written < 20)
		return 2;
	/* Full: what is there can be read, a commit fails again, and making room helps. */
	if (store_get_into(store, "bulk/0", value, &revision, NULL) != STORE_OK)
		return 3;
	if (put_bulk(store, written) != STORE_SPACE)
		return 4;
	if (store_list(store, "bulk/", NULL, count_key, &found, NULL) != STORE_OK ||
	    found != written)
		return 5;
	if (mount("tmpfs", fixture->path, "tmpfs", MS_REMOUNT, "size=4m") != 0)
		return 6;
	if (put_bulk(store, written) != STORE_OK)
		return 7;
	store_close(store);
	if (store_open(fixture->path, fixture->root_key, &store, NULL) != STORE_OK)
		return 8;
	store_close(store);
	return 0;
}

/* Many readers at once take reader slots that nobody has touched yet. */
static int
read_on_a_full_disk(const struct fixture *fixture)
{
	static uint8_t bulk[4096];
	struct backend *backend = NULL;
	struct view views[400] = {0};
	char name[128];

	if (!mount_small(fixture->path, "size=1m"))
		return SKIPPED;
	if (store_create(fixture->path, fixture->root_key, (struct store_bytes){0}, NULL) !=
		    STORE_OK ||
	    backend_lmdb_open(fixture->path, false, BACKEND_LMDB_MAP_SIZE, &backend, NULL) !=
		    STORE_OK)
		return 1;
	snprintf(name, sizeof name, "%s/filler", fixture->path);
	int file = open(name, O_WRONLY | O_CREAT, 0600);
	while (write(file, bulk, sizeof bulk) == sizeof bulk)
		;
	if (errno != ENOSPC)
		return 2;
	for (size_t i = 0; i < 400; i++)
		if (view_open(backend, &views[i], NULL) != STORE_OK)
			return 3;
	for (size_t i = 0; i < 400; i++)
		view_close(&views[i]);
	backend_close(backend);
	return 0;
}

static void
a_full_disk_is_said_and_survived(void **state)
{
	must_do_in_a_child(*state, fill_the_disk);
}

static void
a_full_disk_does_not_stop_readers(void **state)
{
	must_do_in_a_child(*state, read_on_a_full_disk);
}

int
main(void)
{
#define ON_PATH(test) cmocka_unit_test_setup_teardown(test, setup_path, fixture_teardown)
	const struct CMUnitTest tests[] = {
		ON_PATH(files_are_for_the_owner_alone),
		ON_PATH(a_store_is_created_once),
		ON_PATH(slots_without_a_database_are_left_alone),
		ON_PATH(one_opener_at_a_time),
		ON_PATH(files_are_closed_on_exec),
		ON_PATH(what_is_no_store_is_not_opened),
		ON_PATH(a_foreign_file_is_refused),
		ON_PATH(a_map_that_may_not_grow_is_read_on),
		ON_PATH(the_folder_above_may_be_closed),
		ON_PATH(a_full_disk_is_said_and_survived),
		ON_PATH(a_full_disk_does_not_stop_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
