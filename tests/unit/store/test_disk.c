/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk says no, and stops saying no: full at each point of a work load, the file immutable, the
 * file system read-only, the permissions gone. Each is said to be what it is, loses nothing, and
 * ends with its cause, with the store open as it was.
 */
#include "load.h"

#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED	  77
#define NOBODY	  65534
#define DISK_KIB  4096
#define STEP_KIB  12 /* three pages */
#define MAP_SIZE  ((size_t)64 * 1024)
#define KIB(size) ((size_t)(size)*1024)

static char folder[] = "/tmp/store-disk-XXXXXX";

static const char *
path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static bool
mount_own(const char *options)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", folder, "tmpfs", 0, options) == 0;
}

/* ---- full ---- */

static size_t left_kib; /* before the work load begins */

static enum store_status
open_backend(const struct load_fault *fault, bool create, struct backend **ret_backend,
	     struct store_error *err)
{
	(void)fault;
	return backend_lmdb_open(path_of("store"), create, MAP_SIZE, ret_backend, err);
}

static void
fill_disk(const struct load_fault *fault)
{
	int file = open(path_of("filler"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	(void)fault;
	if (file < 0 || posix_fallocate(file, 0, (off_t)KIB(DISK_KIB - left_kib)) != 0)
		_exit(2);
	close(file);
}

static bool
is_full(const struct load_fault *fault)
{
	(void)fault;
	return access(path_of("filler"), F_OK) == 0;
}

static void
make_room(const struct load_fault *fault)
{
	(void)fault;
	unlink(path_of("filler"));
}

static void
do_nothing(const struct load_fault *fault, bool paused)
{
	(void)fault;
	(void)paused;
}

static int
run_out_of_room(void)
{
	const struct load_fault load = {
		.wanted = LOAD_BIT(STORE_SPACE),
		.open_backend = open_backend,
		.begin = fill_disk,
		.happened = is_full,
		.end = make_room,
		.pause = do_nothing,
	};

	if (!mount_own("size=4m"))
		return SKIPPED;
	load_carry_out(&load);
	return 0;
}

/* ---- not to be written ---- */

static struct secret *root_key;

static enum store_status
put(struct store *store, const char *key, struct store_error *err)
{
	struct store_batch *batch = store_batch_new();

	*err = (struct store_error){0};
	store_batch_put_erasable(batch, key, (struct store_bytes){(const uint8_t *)key, 1});
	enum store_status status = store_commit(store, batch, err);
	store_batch_free(batch);
	return status;
}

static bool
reads(struct store *store, const char *key)
{
	auto_secret *value = NULL;
	uint64_t revision;

	return store_get(store, key, &value, &revision, NULL) == STORE_OK;
}

static enum store_status
create_and_open(struct store **ret_store, struct store_error *err)
{
	enum store_status status =
		store_create(path_of("store"), root_key, (struct store_bytes){0}, err);

	return status == STORE_OK ? store_open(path_of("store"), root_key, ret_store, err) : status;
}

static bool
set_immutable(const char *name, bool immutable)
{
	int flags = 0, file = open(path_of(name), O_RDONLY | O_CLOEXEC);
	bool set = file >= 0 && ioctl(file, FS_IOC_GETFLAGS, &flags) == 0;

	flags = immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
	set = set && ioctl(file, FS_IOC_SETFLAGS, &flags) == 0;
	if (file >= 0)
		close(file);
	return set;
}

/* chattr +i on each file in turn, while the store is open. */
static int
make_immutable(void)
{
	static const char *const names[] = {"store/data.mdb", "store/slots"};
	struct store *store = NULL;
	struct store_error err = {0};

	if (create_and_open(&store, &err) != STORE_OK || put(store, "a", &err) != STORE_OK)
		return 1;
	for (int i = 0; i < 2; i++) {
		if (!set_immutable(names[i], true))
			return SKIPPED;
		enum store_status status = put(store, "a", &err); /* writes to both */
		bool read = reads(store, "a");
		if (!set_immutable(names[i], false))
			return 2;
		/* With the slots alone it is committed, and what it replaced not erased. */
		if (status != (i == 0 ? STORE_READONLY : STORE_UNSURE) || !read)
			return fprintf(stderr, "  %s: %d %s\n", names[i], status, err.message), 3;
		if (put(store, "b", &err) != STORE_OK || put(store, "a", &err) != STORE_OK ||
		    !reads(store, "b"))
			return fprintf(stderr, "  %s: %s\n", names[i], err.message), 4;
	}
	store_close(store);
	return store_open(path_of("store"), root_key, &store, &err) == STORE_OK ? 0 : 5;
}

static int
make_read_only(void)
{
	struct store *store = NULL;
	struct store_error err = {0};

	if (!mount_own("size=4m"))
		return SKIPPED;
	if (create_and_open(&store, &err) != STORE_OK || put(store, "a", &err) != STORE_OK)
		return 1;
	store_close(store);
	store = NULL;
	if (mount(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY, NULL) != 0)
		return SKIPPED;
	if (store_open(path_of("store"), root_key, &store, &err) != STORE_READONLY || store)
		return fprintf(stderr, "  %d %s\n", err.status, err.message), 2;
	if (mount(NULL, folder, NULL, MS_REMOUNT, "size=4m") != 0 ||
	    store_open(path_of("store"), root_key, &store, &err) != STORE_OK ||
	    !reads(store, "a") || put(store, "b", &err) != STORE_OK)
		return 3;
	return 0;
}

/* As someone for whom permissions count. */
static int
take_permissions(void)
{
	struct store *store = NULL;
	struct store_error err = {0};

	if (geteuid() == 0 &&
	    (chown(folder, NOBODY, NOBODY) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
		return 1;
	if (create_and_open(&store, &err) != STORE_OK ||
	    chmod(path_of("store/data.mdb"), 0400) != 0)
		return 2;
	/* What is open stays so. */
	if (put(store, "a", &err) != STORE_OK)
		return 3;
	store_close(store);
	store = NULL;
	if (store_open(path_of("store"), root_key, &store, &err) != STORE_READONLY || store)
		return fprintf(stderr, "  %d %s\n", err.status, err.message), 4;
	if (chmod(path_of("store/data.mdb"), 0600) != 0 || chmod(path_of("store"), 0) != 0 ||
	    store_open(path_of("store"), root_key, &store, &err) != STORE_READONLY)
		return fprintf(stderr, "  %d %s\n", err.status, err.message), 5;
	if (chmod(path_of("store"), 0700) != 0 ||
	    store_open(path_of("store"), root_key, &store, &err) != STORE_OK || !reads(store, "a"))
		return 6;
	return 0;
}

/* ---- all of them, each in a process of its own ---- */

static void
clean(void)
{
	static const char *const names[] = {"store/data.mdb", "store/lock.mdb", "store/slots",
					    "store"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		remove(path_of(names[i]));
}

static int
in_a_child(int (*work)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(work());
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 1;
	clean();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
main(void)
{
	static const struct {
		const char *name;
		int (*work)(void);
	} cases[] = {
		{"immutable files", make_immutable},
		{"a read-only file system", make_read_only},
		{"permissions taken", take_permissions},
	};
	int failed = 0, result = 0;
	unsigned full = 0;

	root_key = secret_new(STORE_ROOT_KEY_SIZE);
	if (!root_key || !mkdtemp(folder))
		return 2;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		result = in_a_child(cases[i].work);
		printf("%s: %s %d\n", cases[i].name,
		       result == SKIPPED ? "skipped: may not do what this needs" : "result",
		       result);
		failed += result != 0 && result != SKIPPED;
	}
	for (left_kib = 0; left_kib < DISK_KIB / 2 && result != SKIPPED; left_kib += STEP_KIB) {
		result = in_a_child(run_out_of_room);
		full += result == 0;
		if (result != 0 && result != SKIPPED)
			fprintf(stderr, "%zu KiB left: %d\n", left_kib, result);
		failed += result != 0 && result != SKIPPED;
	}
	printf("the disk ran full at %u points, %d failures\n", full, failed);
	rmdir(folder);
	return failed;
}
