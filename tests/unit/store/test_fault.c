/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One work load on LMDB, again and again: each time another call of the process fails (fault.c).
 *
 *     test-store-fault [EVERY]     each so many-th call of each kind, from another one on; 1: all
 */
#include "fault.h"
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAP_SIZE    ((size_t)64 * 1024) /* it must grow */
#define EVERY_SLICE 1

/* In memory, where there is such a place: it is the call that fails, and no disk is waited for. */
static char folder[64];

static bool
make_folder(void)
{
	static const char *const places[] = {"/dev/shm", "/tmp"};

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		snprintf(folder, sizeof folder, "%s/store-fault-XXXXXX", places[i]);
		if (mkdtemp(folder))
			return true;
	}
	return false;
}

struct fault {
	const char *call;
	int error;
	enum fault_mode mode;
	unsigned wanted;
};

#define BIT(status) LOAD_BIT(status)
#define MEMORY	    BIT(STORE_MEMORY)
#define IO	    BIT(STORE_IO)

/* ---- one of them, in a process of its own ---- */

static const struct fault *chosen;
static unsigned chosen_at;
static unsigned counted; /* of calls, to the fault or to the end */

static enum store_status
open_backend(const struct load_fault *fault, bool create, struct backend **ret_backend,
	     struct store_error *err)
{
	char path[96];

	(void)fault;
	snprintf(path, sizeof path, "%s/store", folder);
	return backend_lmdb_open(path, create, MAP_SIZE, ret_backend, err);
}

static void
begin(const struct load_fault *fault)
{
	(void)fault;
	fault_arm(chosen->call, chosen_at, chosen->error, chosen->mode);
}

static bool
happened(const struct load_fault *fault)
{
	(void)fault;
	return fault_happened();
}

static void
end(const struct load_fault *fault)
{
	(void)fault;
	counted = fault_disarm();
}

static void
rest(const struct load_fault *fault, bool paused)
{
	(void)fault;
	fault_pause(paused);
}

static unsigned
carry_out(const struct fault *fault, unsigned at)
{
	const struct load_fault load = {
		.wanted = fault->wanted,
		.may_be_unsure = fault->mode == FAULT_LASTS,
		.open_backend = open_backend,
		.begin = begin,
		.happened = happened,
		.end = end,
		.pause = rest,
	};

	chosen = fault;
	chosen_at = at;
	load_carry_out(&load);
	return counted;
}

__attribute__((noreturn)) static void
die(const char *text)
{
	fprintf(stderr, "%s\n", text);
	exit(2);
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

/* Which a fault may not bring down. */
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

	if (every == 0 || !make_folder())
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
