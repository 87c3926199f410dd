/* SPDX-License-Identifier: Apache-2.0 */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum call {
	CALL_WRITE,
	CALL_PWRITE,
	CALL_WRITEV,
	CALL_PWRITEV,
	CALL_READ,
	CALL_PREAD,
	CALL_FSYNC,
	CALL_FDATASYNC,
	CALL_MSYNC,
	CALL_MMAP,
	CALL_MREMAP,
	CALL_FTRUNCATE,
	CALL_FALLOCATE,
	CALL_OPEN,
	CALL_OPENAT,
	CALL_MLOCK,
	CALL_MALLOC,
	CALL_CALLOC,
	CALL_REALLOC,
	CALL_COUNT
};

const char *const fault_calls[CALL_COUNT + 1] = {
	"write",     "pwrite", "writev", "pwritev", "read",	 "pread",     "fsync",
	"fdatasync", "msync",  "mmap",	 "mremap",  "ftruncate", "fallocate", "open",
	"openat",    "mlock",  "malloc", "calloc",  "realloc",
};

static atomic_int armed = CALL_COUNT;
static atomic_uint calls;
static atomic_bool happened;
static atomic_bool resting;
static unsigned fail_at;
static int fail_with;
static enum fault_mode fail_how;
static atomic_bool done; /* FAULT_STAYS: this one */

/* ---- the trigger ---- */

void
fault_arm(const char *call, unsigned at, int error, enum fault_mode mode)
{
	fail_at = at;
	fail_with = error;
	fail_how = mode;
	atomic_store(&calls, 0);
	atomic_store(&happened, false);
	for (int i = 0; i < CALL_COUNT; i++)
		if (strcmp(fault_calls[i], call) == 0)
			atomic_store(&armed, i);
}

unsigned
fault_disarm(void)
{
	atomic_store(&armed, CALL_COUNT);
	return atomic_load(&calls);
}

void
fault_pause(int paused)
{
	atomic_store(&resting, paused);
}

int
fault_happened(void)
{
	return atomic_load(&happened);
}

static bool
fails(enum call call)
{
	if (atomic_load(&armed) != (int)call || atomic_load(&resting))
		return false;
	unsigned number = atomic_fetch_add(&calls, 1) + 1;
	bool now = number == fail_at ||
		   (fail_at > 0 && fail_how == FAULT_LASTS && number > fail_at) ||
		   (fail_at > 0 && fail_how == FAULT_STAYS && number == fail_at + 1);
	if (now && fail_how == FAULT_STAYS)
		done = number == fail_at;
	if (now)
		atomic_store(&happened, true);
	return now;
}

__attribute__((constructor)) static void
arm_from_environment(void)
{
	char call[32];
	unsigned at, mode;
	int error;
	const char *text = getenv("FAULT");

	if (text && sscanf(text, "%31[a-z]:%u:%d:%u", call, &at, &error, &mode) == 4)
		fault_arm(call, at, error, (enum fault_mode)mode);
}

/* ---- calls that move bytes ---- */

/* Is it to be done at all, though it fails? */
static bool
is_done(bool fault)
{
	return !fault || fail_how == FAULT_DONE || (fail_how == FAULT_STAYS && done);
}

/* How many of `size` bytes are to be moved. */
static size_t
ordered(size_t size, bool fault)
{
	if (is_done(fault))
		return size;
	return fail_how == FAULT_SHORT ? size / 2 : 0;
}

static long
answer(long result, bool fault)
{
	if (!fault || fail_how == FAULT_SHORT)
		return result;
	errno = fail_with;
	return -1;
}

ssize_t
write(int file, const void *bytes, size_t size)
{
	const bool fault = fails(CALL_WRITE);
	const size_t moved = ordered(size, fault);

	return answer(moved < size && moved == 0 ? 0 : syscall(SYS_write, file, bytes, moved),
		      fault);
}

ssize_t
pwrite64(int file, const void *bytes, size_t size, off64_t at)
{
	const bool fault = fails(CALL_PWRITE);
	const size_t moved = ordered(size, fault);

	return answer(moved < size && moved == 0 ? 0
						 : syscall(SYS_pwrite64, file, bytes, moved, at),
		      fault);
}

/* Short: half of the first piece, and no other. */
static long
move_pieces(long number, int file, const struct iovec *pieces, int count, off64_t at, bool fault)
{
	struct iovec first = pieces[0];

	if (is_done(fault))
		return syscall(number, file, pieces, count, (unsigned long)at, 0UL);
	first.iov_len = ordered(first.iov_len, true);
	return first.iov_len == 0 ? 0 : syscall(number, file, &first, 1, (unsigned long)at, 0UL);
}

ssize_t
writev(int file, const struct iovec *pieces, int count)
{
	const bool fault = fails(CALL_WRITEV);

	return answer(move_pieces(SYS_writev, file, pieces, count, 0, fault), fault);
}

ssize_t
pwritev64(int file, const struct iovec *pieces, int count, off64_t at)
{
	const bool fault = fails(CALL_PWRITEV);

	return answer(move_pieces(SYS_pwritev, file, pieces, count, at, fault), fault);
}

ssize_t
read(int file, void *bytes, size_t size)
{
	const bool fault = fails(CALL_READ);

	return answer(syscall(SYS_read, file, bytes, ordered(size, fault)), fault);
}

ssize_t
pread64(int file, void *bytes, size_t size, off64_t at)
{
	const bool fault = fails(CALL_PREAD);

	return answer(syscall(SYS_pread64, file, bytes, ordered(size, fault), at), fault);
}

/* What a hardened program calls instead, where it knows how large its memory is. */
ssize_t __read_chk(int file, void *bytes, size_t size, size_t capacity);
ssize_t __pread64_chk(int file, void *bytes, size_t size, off64_t at, size_t capacity);

ssize_t
__read_chk(int file, void *bytes, size_t size, size_t capacity)
{
	if (size > capacity)
		abort();
	return read(file, bytes, size);
}

ssize_t
__pread64_chk(int file, void *bytes, size_t size, off64_t at, size_t capacity)
{
	if (size > capacity)
		abort();
	return pread64(file, bytes, size, at);
}

/* ---- calls that do one thing ---- */

int
fsync(int file)
{
	const bool fault = fails(CALL_FSYNC);

	return (int)answer(is_done(fault) ? syscall(SYS_fsync, file) : 0, fault);
}

int
fdatasync(int file)
{
	const bool fault = fails(CALL_FDATASYNC);

	return (int)answer(is_done(fault) ? syscall(SYS_fdatasync, file) : 0, fault);
}

int
msync(void *from, size_t size, int flags)
{
	const bool fault = fails(CALL_MSYNC);

	return (int)answer(is_done(fault) ? syscall(SYS_msync, from, size, flags) : 0, fault);
}

int
ftruncate64(int file, off64_t size)
{
	const bool fault = fails(CALL_FTRUNCATE);

	return (int)answer(is_done(fault) ? syscall(SYS_ftruncate, file, size) : 0, fault);
}

int
mlock(const void *from, size_t size)
{
	if (fails(CALL_MLOCK))
		return errno = fail_with, -1;
	return (int)syscall(SYS_mlock, from, size);
}

int
fallocate64(int file, int mode, off64_t from, off64_t size)
{
	const bool fault = fails(CALL_FALLOCATE);

	return (int)answer(is_done(fault) ? syscall(SYS_fallocate, file, mode, from, size) : 0,
			   fault);
}

/* It answers an errno. Where fallocate cannot, libc would write zeros: no test needs that. */
int
posix_fallocate64(int file, off64_t from, off64_t size)
{
	return fallocate64(file, 0, from, size) == 0 ? 0 : errno;
}

void *
mmap64(void *at, size_t size, int protection, int flags, int file, off64_t from)
{
	if (fails(CALL_MMAP)) {
		errno = fail_with;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, at, size, protection, flags, file, from);
}

void *
mremap(void *old, size_t old_size, size_t size, int flags, ...)
{
	va_list arguments;

	va_start(arguments, flags);
	void *at = flags & MREMAP_FIXED ? va_arg(arguments, void *) : NULL;
	va_end(arguments);
	if (fails(CALL_MREMAP)) {
		errno = fail_with;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mremap, old, old_size, size, flags, at);
}

static int
open_at(enum call call, int folder, const char *path, int flags, mode_t mode)
{
	if (fails(call)) {
		errno = fail_with;
		return -1;
	}
	return (int)syscall(SYS_openat, folder, path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	va_list arguments;

	va_start(arguments, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	return open_at(CALL_OPEN, AT_FDCWD, path, flags, mode);
}

int
openat64(int folder, const char *path, int flags, ...)
{
	va_list arguments;

	va_start(arguments, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	return open_at(CALL_OPENAT, folder, path, flags, mode);
}

/* ---- memory: libc's own functions under the names that it keeps for such modules ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static void *
no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *
malloc(size_t size)
{
	return fails(CALL_MALLOC) ? no_memory() : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fails(CALL_CALLOC) ? no_memory() : __libc_calloc(count, size);
}

void *
realloc(void *old, size_t size)
{
	return fails(CALL_REALLOC) ? no_memory() : __libc_realloc(old, size);
}

void *
reallocarray(void *old, size_t count, size_t size)
{
	size_t whole;

	return __builtin_mul_overflow(count, size, &whole) ? no_memory() : realloc(old, whole);
}

/* ---- the names that programs built without large files use ---- */

#define ALSO(name) __attribute__((alias(#name)))
ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) ALSO(pwrite64);
ssize_t pwritev(int file, const struct iovec *pieces, int count, off_t at) ALSO(pwritev64);
ssize_t pread(int file, void *bytes, size_t size, off_t at) ALSO(pread64);
int ftruncate(int file, off_t size) ALSO(ftruncate64);
int fallocate(int file, int mode, off_t from, off_t size) ALSO(fallocate64);
int posix_fallocate(int file, off_t from, off_t size) ALSO(posix_fallocate64);
void *mmap(void *at, size_t size, int protection, int flags, int file, off_t from) ALSO(mmap64);
int open(const char *path, int flags, ...) ALSO(open64);
int openat(int folder, const char *path, int flags, ...) ALSO(openat64);
