/* SPDX-License-Identifier: Apache-2.0 */
/* What each role may still do once it is confined, and that it dies of all else. */
#include "supervisor/filter.h"
#include "supervisor/start.h"
#include "wire/local.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <lmdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define GOOD	 0
#define MAP_SIZE (1 << 20)

/* ---- what is needed ---- */

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(uint64_t));
}

/* The C library's, in every role. */
static int
use_library(void)
{
	static uint64_t numbers[1000];
	struct tm parts;
	time_t now = time(NULL);
	/* More than fits its stack: it asks how much memory there is. */
	qsort(numbers, sizeof(numbers) / sizeof(numbers[0]), sizeof(numbers[0]), compare);
	if (gmtime_r(&now, &parts) == NULL || sched_yield() != 0)
		return 10;
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || mlock(page, 4096) != 0 || madvise(page, 4096, MADV_DONTDUMP) != 0)
		return 11;
	if (mprotect(page, 4096, PROT_NONE) != 0 || munlock(page, 4096) != 0)
		return 12;
#ifndef POSTERN_SANITIZED
	if (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		return 13;
#endif
	return GOOD;
}

static void *
touch_memory(void *argument)
{
	free(malloc(4 << 20));
	(void)argument;
	return NULL;
}

static int
run_thread(void)
{
	pthread_t thread;
	return pthread_create(&thread, NULL, touch_memory, NULL) == 0 &&
			       pthread_join(thread, NULL) == 0
		       ? GOOD
		       : 20;
}

/* The largest frame through channels that were there before. */
static int
exchange(const int ends[2])
{
	static uint8_t body[FRAME_BODY_MAX];
	const struct frame large = {FRAME_RELEASE, 1, BYTES_OF(body), -1};
	struct frame_buffer buffer = {0};
	struct frame received;
	struct pollfd ready = {ends[1], POLLIN, 0};
	if (channel_send(ends[0], &large) != CHANNEL_OK || poll(&ready, 1, -1) != 1 ||
	    channel_receive(ends[1], &buffer, &received) != CHANNEL_OK)
		return 30;
	frame_buffer_clear(&buffer);
	return shutdown(ends[0], SHUT_RDWR) == 0 ? GOOD : 31;
}

/* What the store does with files that it has open. */
static int
use_files(int file)
{
	uint8_t bytes[16] = {1};
	struct iovec piece = {bytes, sizeof(bytes)};
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
	struct statfs system;
	if (ftruncate(file, MAP_SIZE) != 0 || pwrite(file, bytes, sizeof(bytes), 0) < 0 ||
	    pwritev(file, &piece, 1, 4096) < 0 || writev(file, &piece, 1) < 0 ||
	    lseek(file, 0, SEEK_SET) != 0 || pread(file, bytes, sizeof(bytes), 0) < 0)
		return 40;
	if (fdatasync(file) != 0 || fstatfs(file, &system) != 0 || fcntl(file, F_SETLK, &lock) != 0)
		return 41;
	void *map = mmap(NULL, MAP_SIZE, PROT_READ, MAP_SHARED, file, 0);
	return map != MAP_FAILED && madvise(map, MAP_SIZE, MADV_RANDOM) == 0 &&
			       munmap(map, MAP_SIZE) == 0
		       ? GOOD
		       : 42;
}

/* The local socket of the keeper. Who connects is there before. */
static int
take_callers(int listener)
{
	const struct timespec moment = {0, 1000000};
	const struct timeval patience = {1, 0};
	struct pollfd ready = {listener, POLLIN, 0};
	uid_t uid = 77;
	if (poll(&ready, 1, 1000) != 1)
		return 110;
	int connection = local_accept(listener, &uid);
	if (connection < 0 || uid != geteuid())
		return 111;
	if (setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
	    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0)
		return 112;
	if (nanosleep(&moment, NULL) != 0 ||
	    clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL) != 0)
		return 113;
	return shutdown(connection, SHUT_RDWR) == 0 && close(connection) == 0 ? GOOD : 114;
}

static int
listen_in(const char *folder)
{
	char path[128];
	char problem[LOCAL_PROBLEM_SIZE];
	snprintf(path, sizeof(path), "%s/socket", folder);
	int listener = local_listen(path, problem);
	if (listener < 0 || local_connect(path) < 0 || unlink(path) != 0)
		return -1;
	return listener;
}

static int
accept_and_wait(int epoll, int listener)
{
	int ends[2];
	struct epoll_event event = {.events = EPOLLIN};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) != 0 || write(ends[1], "x", 1) != 1 ||
	    epoll_wait(epoll, &event, 1, -1) != 1)
		return 50;
	/* Nobody is there; what counts is that it may ask. */
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC) < 0 && errno == EAGAIN ? GOOD : 51;
}

static int
work(enum role_kind kind)
{
	char path[] = "/tmp/postern-confine-XXXXXX";
	int ends[2];
	int file = mkstemp(path);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char folder[] = "/tmp/postern-confine-XXXXXX";
	int local = mkdtemp(folder) != NULL ? listen_in(folder) : -1;
	if (local < 0 || rmdir(folder) != 0)
		return 61;
	if (file < 0 || unlink(path) != 0 || channel_pair(ends) != CHANNEL_OK || epoll < 0 ||
	    listen(listener, 1) != 0 || !role_confine(kind))
		return 60;
	int result = use_library();
	bool threads = kind == ROLE_GATEWAY || kind == ROLE_KEEPER;
	if (result == GOOD && threads)
		result = run_thread();
	if (result == GOOD && threads)
		result = exchange(ends);
	if (result == GOOD && kind == ROLE_KEEPER)
		result = use_files(file);
	if (result == GOOD && kind == ROLE_KEEPER)
		result = take_callers(local);
	if (result == GOOD && kind == ROLE_DOOR)
		result = accept_and_wait(epoll, listener);
	return result;
}

/* ---- a store that is opened again ---- */

#ifndef POSTERN_SANITIZED
static MDB_env *
open_store(const char *path)
{
	MDB_env *env = NULL;
	MDB_txn *txn;
	MDB_dbi dbi;
	if (mdb_env_create(&env) != 0)
		return NULL;
	if (mdb_env_open(env, path, MDB_NOTLS | MDB_NORDAHEAD, 0600) == 0 &&
	    mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, NULL, 0, &dbi) == 0 &&
	    mdb_txn_commit(txn) == 0)
		return env;
	mdb_env_close(env);
	return NULL;
}

static bool
refused(int descriptor)
{
	return descriptor < 0 && errno == EACCES;
}

/* Files of the folder that are there, and nothing else: no other file, no new one, no folder, none
 * cut off. */
static int
reopen_in(const char *folder)
{
	char path[64];
	char outside[160];
	int beneath = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", beneath);
	snprintf(outside, sizeof(outside), "%s/../../etc/passwd", folder);
	MDB_env *env = open_store(folder);
	bool landlock =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 0;
	if (beneath < 0 || env == NULL || !role_confine_beside(ROLE_KEEPER, folder))
		return 120;
	mdb_env_close(env);
	env = open_store(path);
	if ((env != NULL) != landlock)
		return 121;
	if (env != NULL)
		mdb_env_close(env);
	if (!refused(open("/etc/passwd", O_RDONLY | O_CLOEXEC)) ||
	    !refused(open("/proc/self/mem", O_RDWR | O_CLOEXEC)) ||
	    !refused(openat(beneath, "../../etc/passwd", O_RDONLY | O_CLOEXEC)) ||
	    !refused(open(outside, O_RDONLY | O_CLOEXEC)))
		return 122;
	if (!refused(openat(beneath, "new", O_RDWR | O_CREAT | O_CLOEXEC, 0600)) ||
	    !refused(openat(beneath, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) ||
	    !refused(openat(beneath, "data.mdb", O_RDWR | O_TRUNC | O_CLOEXEC)) ||
	    !refused(openat(beneath, "data.mdb", O_PATH | O_CLOEXEC)))
		return 123;
	return GOOD;
}

/* Without a folder not even those. */
static int
reopen_without(const char *folder)
{
	MDB_env *env = open_store(folder);
	if (env == NULL || !role_confine(ROLE_KEEPER))
		return 130;
	return open_store(folder) == NULL ? GOOD : 131;
}
#endif

/* ---- what is not ---- */

#ifndef POSTERN_SANITIZED
enum transgression { SOCKET, PAIR, EXECUTE, FORK, THREAD, CODE, SIGNAL, OWNER, LIMIT, OPTION };

/* Each of these is a signal's end; a number is returned where it was not. */
static int
transgress(enum role_kind kind, enum transgression transgression)
{
	pid_t parent = getppid();
	int pair[2];
	static uint8_t page[8192];
	uint8_t *code = page + (4096 - (uintptr_t)page % 4096);
	if (!role_confine(kind))
		return 70;
	switch (transgression) {
	case SOCKET:
		return 71 + (socket(AF_INET, SOCK_STREAM, 0) < 0);
	case PAIR: /* the door alone makes them, of one kind */
		return 71 + socketpair(kind == ROLE_DOOR ? AF_INET : AF_UNIX, SOCK_STREAM, 0, pair);
	case EXECUTE:
		return 71 + execl("/bin/true", "true", (char *)NULL);
	case FORK:
		return 71 + (fork() < 0);
	case THREAD:
		return run_thread();
	case CODE:
		return 71 + mprotect(code, 4096, PROT_READ | PROT_EXEC);
	case SIGNAL:
		return 71 + (int)syscall(SYS_tgkill, parent, parent, 0);
	case OWNER: /* who SIGIO goes to */
		return 71 + fcntl(STDIN_FILENO, F_SETOWN, parent);
	case LIMIT: /* a pointer whose low half is zero */
		return 71 + (int)syscall(SYS_prlimit64, 0, RLIMIT_CORE, 1ULL << 32, NULL);
	case OPTION: /* the keeper asks who connected, and nothing else of a socket */
		return 71 + setsockopt(STDIN_FILENO, SOL_SOCKET, SO_ATTACH_FILTER, page, 16);
	}
	return 72;
}
#endif

/* ---- the layers below ---- */

/* Landlock by itself: files, TCP and signals are out of reach where the kernel's is new enough to
 * take them; else nobody listens there. */
static int
try_landlock(void)
{
	const struct sockaddr_in nobody = {
		.sin_family = AF_INET,
		.sin_port = htons(1),
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	bool denied = false;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !landlock_deny(NULL, &denied) ||
	    denied != (abi >= 0))
		return 80;
	int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0 ||
	    connect(descriptor, (const struct sockaddr *)&nobody, sizeof(nobody)) == 0 ||
	    errno != (abi >= 4 ? EACCES : ECONNREFUSED))
		return 81;
	if (kill(getppid(), 0) != (abi >= 6 ? -1 : 0))
		return 82;
	bool opened = open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0;
	return opened == (abi < 1) ? GOOD : 83;
}

/* Whoever runs it; root's keeper may lock memory. */
static int
try_capabilities(enum role_kind kind)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct before[2];
	struct __user_cap_data_struct after[2];
	if (syscall(SYS_capget, &header, before) != 0 || !capabilities_drop(kind) ||
	    syscall(SYS_capget, &header, after) != 0)
		return 90;
	uint32_t kept = kind == ROLE_KEEPER ? before[0].permitted & 1u << CAP_IPC_LOCK : 0;
	if (after[0].permitted != kept || after[0].effective != kept || after[1].permitted != 0)
		return 91;
	return after[1].effective == 0 && (after[0].inheritable | after[1].inheritable) == 0 ? GOOD
											     : 92;
}

/* Under a unit that takes the capabilities and refuses capset (systemd's @privileged). */
static int
try_under_unit(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, SYS_capset, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog filter = {sizeof(code) / sizeof(code[0]), code};
	if (!capabilities_drop(ROLE_DOOR) || !process_harden() ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0)
		return 95;
	for (unsigned kind = 0; kind < ROLE_COUNT; kind++) {
		if (!capabilities_drop((enum role_kind)kind))
			return 96;
	}
	return GOOD;
}

/* ---- in a child each ---- */

static int
status_of(pid_t child)
{
	int status = 0;
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void
test_work(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < ROLE_COUNT; kind++) {
		pid_t child = fork();
		if (child == 0)
			_exit(process_harden() ? work((enum role_kind)kind) : 1);
		int status = status_of(child);
		if (status != 0)
			fail_msg("%s: status %x", role_name((enum role_kind)kind),
				 (unsigned)status);
	}
}

static void
test_transgressions(void **state)
{
	(void)state;
#ifndef POSTERN_SANITIZED
	for (unsigned kind = 0; kind < ROLE_COUNT; kind++) {
		for (unsigned what = SOCKET; what <= OPTION; what++) {
			if (what == THREAD && (kind == ROLE_GATEWAY || kind == ROLE_KEEPER))
				continue;
			if (what == OPTION && (kind == ROLE_GATEWAY || kind == ROLE_DOOR))
				continue; /* they live on sockets */
			pid_t child = fork();
			if (child == 0)
				_exit(process_harden() ? transgress((enum role_kind)kind,
								    (enum transgression)what)
						       : 1);
			int status = status_of(child);
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
				fail_msg("%s, %u: status %x", role_name((enum role_kind)kind), what,
					 (unsigned)status);
		}
	}
#endif
}

static void
test_opens_its_store_again(void **state)
{
	(void)state;
#ifndef POSTERN_SANITIZED
	char folder[] = "/tmp/postern-confine-XXXXXX";
	char path[64];
	static const char *const names[] = {"data.mdb", "lock.mdb"};
	assert_non_null(mkdtemp(folder));
	for (unsigned i = 0; i < 2; i++) {
		pid_t child = fork();
		if (child == 0)
			_exit(!process_harden() ? 1
			      : i == 0		? reopen_in(folder)
						: reopen_without(folder));
		int status = status_of(child);
		if (status != 0)
			fail_msg("%u: status %x", i, (unsigned)status);
	}
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(folder), 0);
#endif
}

static void
test_landlock(void **state)
{
	(void)state;
	pid_t child = fork();
	if (child == 0)
		_exit(try_landlock());
	assert_int_equal(status_of(child), 0);
}

static void
test_capabilities(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < ROLE_COUNT; kind++) {
		pid_t child = fork();
		if (child == 0)
			_exit(try_capabilities((enum role_kind)kind));
		assert_int_equal(status_of(child), 0);
	}
	pid_t child = fork();
	if (child == 0)
		_exit(try_under_unit());
	assert_int_equal(status_of(child), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_work),
		cmocka_unit_test(test_transgressions),
		cmocka_unit_test(test_opens_its_store_again),
		cmocka_unit_test(test_landlock),
		cmocka_unit_test(test_capabilities),
	};
	return cmocka_run_group_tests_name("confine", tests, NULL, NULL);
}
