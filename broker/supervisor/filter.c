/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allow-lists, because a list of what is forbidden is never complete. What is not on a role's
 * list kills the process, and with it the daemon: a role that asks for something else is not ours
 * any more.
 */
#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "add this machine's AUDIT_ARCH, and see which of its system calls have another name"
#endif

#define X32_FIRST 0x40000000U
#define CODE_MAX  512

#ifndef PR_SET_VMA /* newer C libraries name their arenas with it */
#define PR_SET_VMA 0x53564d41
#endif

enum test { ALWAYS, BITS_CLEAR, BITS_SET, EQUALS, IS_NULL };

/* A call is allowed when any rule for it holds. Numbers are looked at in their low 32 bits, where
 * all of these are; a pointer in all its bits. */
struct rule {
	uint32_t call;
	enum test test;
	uint8_t argument;
	uint32_t value;
};
#define ALLOW(name)                                                                                \
	{                                                                                          \
		SYS_##name, ALWAYS, 0, 0                                                           \
	}
#define ALLOW_IF(name, argument, test, value)                                                      \
	{                                                                                          \
		SYS_##name, test, argument, (uint32_t)(value)                                      \
	}

/* Memory, time, frames, and a way out. */
static const struct rule common[] = {
	ALLOW(recvmsg),
	ALLOW(sendmsg),
	ALLOW(read),
	ALLOW(write),
	ALLOW(close),
	ALLOW(pread64),
	/* The sizes and seals of spilled frames. Landlock does not cover stat: it can tell that a
	 * path exists. */
	ALLOW(fstat),
	ALLOW(newfstatat),
	/* Not what has signals sent to others (F_SETOWN, F_SETSIG). */
	ALLOW_IF(fcntl, 1, EQUALS, F_GETFD),
	ALLOW_IF(fcntl, 1, EQUALS, F_SETFD),
	ALLOW_IF(fcntl, 1, EQUALS, F_GETFL),
	ALLOW_IF(fcntl, 1, EQUALS, F_SETFL),
	ALLOW_IF(fcntl, 1, EQUALS, F_ADD_SEALS),
	ALLOW_IF(fcntl, 1, EQUALS, F_GET_SEALS),
	/* Code cannot be brought in. */
	ALLOW_IF(mmap, 2, BITS_CLEAR, PROT_EXEC),
	ALLOW_IF(mprotect, 2, BITS_CLEAR, PROT_EXEC),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW(brk),
	ALLOW(mlock),
	ALLOW(munlock),
	ALLOW(futex),
	ALLOW(getrandom),
	ALLOW(clock_gettime),
	ALLOW(gettimeofday),
	ALLOW(rt_sigaction),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn),
	ALLOW(restart_syscall),
	ALLOW(sigaltstack),
	ALLOW(sched_yield),
	ALLOW(sched_getaffinity), /* malloc counts processors for its arenas */
	ALLOW(sysinfo),		  /* qsort asks how much memory there is */
	ALLOW(writev),		  /* what a failed assertion says */
	ALLOW(getpid),
	ALLOW(gettid),
	ALLOW(exit),
	ALLOW(exit_group),
};

static const struct rule threads[] = {
	ALLOW_IF(clone, 0, BITS_SET, CLONE_THREAD),
	ALLOW(set_robust_list),
#ifdef SYS_rseq
	ALLOW(rseq),
#endif
	ALLOW_IF(prctl, 0, EQUALS, PR_SET_NAME),
	ALLOW_IF(prctl, 0, EQUALS, PR_SET_VMA),
	ALLOW_IF(prlimit64, 2, IS_NULL, 0), /* reading a limit: the size of a new thread's stack */
	ALLOW(membarrier),
};

/* Frames too large for one datagram, and waiting for one. */
static const struct rule frames[] = {
	ALLOW(memfd_create),
	ALLOW(pwrite64),
	ALLOW(ppoll),
#ifdef SYS_poll
	ALLOW(poll),
#endif
};

/* Sockets that it has or is given, and epoll; no new ones. */
static const struct rule sockets[] = {
	ALLOW(recvfrom),    ALLOW(sendto),     ALLOW(shutdown),
	ALLOW(setsockopt),  ALLOW(getsockopt), ALLOW(getsockname),
	ALLOW(getpeername), ALLOW(epoll_ctl),  ALLOW(epoll_pwait),
#ifdef SYS_epoll_wait
	ALLOW(epoll_wait),
#endif
};

static const struct rule door[] = {
	ALLOW(accept4),
	/* One end is for the gateway: not of any network. */
	ALLOW_IF(socketpair, 0, EQUALS, AF_UNIX),
};

/* libmicrohttpd. */
static const struct rule gateway[] = {
	ALLOW(clock_nanosleep),
	ALLOW(nanosleep),
	ALLOW(readv),
	ALLOW(epoll_create1),
	ALLOW(pselect6),
#ifdef SYS_select
	ALLOW(select),
#endif
	ALLOW(eventfd2),
	ALLOW(pipe2),
	ALLOW_IF(ioctl, 1, EQUALS, FIONBIO),
	ALLOW_IF(ioctl, 1, EQUALS, FIONREAD),
};

/* The store's files, which are open: LMDB of any version, and what the store asks itself. */
static const struct rule keeper[] = {
	ALLOW_IF(fcntl, 1, EQUALS, F_SETLK), /* LMDB's reader table, when it opens and closes */
	ALLOW_IF(fcntl, 1, EQUALS, F_SETLKW),
	ALLOW_IF(fcntl, 1, EQUALS, F_GETLK),
	ALLOW(lseek),
	ALLOW(preadv),
	ALLOW(pwritev),
	ALLOW(fsync),
	ALLOW(fdatasync),
	ALLOW(msync),
	ALLOW(ftruncate),
	ALLOW(fallocate),
	ALLOW(fstatfs),
	/* The local socket: whoever connects is asked of the kernel, and bounded in how long it may
	 * let a thread wait. */
	ALLOW(accept4),
	ALLOW(geteuid),
	ALLOW_IF(getsockopt, 2, EQUALS, SO_PEERCRED),
	ALLOW_IF(setsockopt, 2, EQUALS, SO_RCVTIMEO),
	ALLOW_IF(setsockopt, 2, EQUALS, SO_SNDTIMEO),
	/* Of channels and of local connections: ends the threads that wait on them. */
	ALLOW(shutdown),
	/* Whoever works in the background pauses between pieces. */
	ALLOW(clock_nanosleep),
	ALLOW(nanosleep),
};

/* Which ones, Landlock says; no folders, and nothing that being opened cuts off. */
static const struct rule opening[] = {
	ALLOW_IF(openat, 2, BITS_CLEAR, O_PATH | O_DIRECTORY | O_TMPFILE | O_TRUNC),
	ALLOW(uname), /* LMDB knows of a defect of old kernels */
};

/* Refused in a way that libraries cope with: the C library asks for a file of the time zone,
 * jansson for /dev/urandom and OpenSSL for its configuration, each with something to fall back
 * on. A refusal is as strong as a kill. */
static const struct {
	uint32_t call;
	uint32_t error;
} refused[] = {
#ifdef SYS_open
	{SYS_open, EACCES},
#endif
	{SYS_openat, EACCES},
#ifdef SYS_access
	{SYS_access, EACCES},
#endif
	{SYS_faccessat, EACCES},
#ifdef SYS_readlink
	{SYS_readlink, EACCES},
#endif
	{SYS_readlinkat, EACCES},
	/* Its flags lie in memory, where a filter cannot look: the C library then uses clone. */
	{SYS_clone3, ENOSYS},
};

struct program {
	struct sock_filter code[CODE_MAX];
	unsigned short count;
	bool full;
};

static void
emit(struct program *program, struct sock_filter instruction)
{
	if (program->count == CODE_MAX) {
		program->full = true;
		return;
	}
	program->code[program->count++] = instruction;
}

static void
emit_load(struct program *program, size_t offset)
{
	emit(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void
emit_jump(struct program *program, uint16_t test, uint32_t value, uint8_t yes, uint8_t no)
{
	emit(program,
	     (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | BPF_K | test), value, yes, no));
}

static void
emit_return(struct program *program, uint32_t action)
{
	emit(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Expects the call's number in the accumulator, and leaves it there. */
static void
emit_rule(struct program *program, const struct rule *rule)
{
	if (rule->test == ALWAYS) {
		emit_jump(program, BPF_JEQ, rule->call, 0, 1);
		emit_return(program, SECCOMP_RET_ALLOW);
		return;
	}
	/* Little-endian: the low half comes first. */
	size_t argument = offsetof(struct seccomp_data, args) + 8 * (size_t)rule->argument;
	bool whole = rule->test == IS_NULL;
	emit_jump(program, BPF_JEQ, rule->call, 0, whole ? 6 : 4);
	emit_load(program, argument);
	if (whole) {
		emit_jump(program, BPF_JEQ, 0, 0, 3);
		emit_load(program, argument + 4);
	}
	if (rule->test == EQUALS || whole)
		emit_jump(program, BPF_JEQ, rule->value, 0, 1);
	else if (rule->test == BITS_SET)
		emit_jump(program, BPF_JSET, rule->value, 0, 1);
	else
		emit_jump(program, BPF_JSET, rule->value, 1, 0);
	emit_return(program, SECCOMP_RET_ALLOW);
	emit_load(program, offsetof(struct seccomp_data, nr));
}

struct rules {
	const struct rule *list;
	size_t count;
};
#define RULES(array)                                                                               \
	{                                                                                          \
		array, sizeof(array) / sizeof((array)[0])                                          \
	}
#define RULE_SETS_MAX 5

static const struct rules role_rules[ROLE_COUNT][RULE_SETS_MAX] = {
	[ROLE_DOOR] = {RULES(common), RULES(sockets), RULES(door)},
	[ROLE_GATEWAY] = {RULES(common), RULES(threads), RULES(frames), RULES(sockets),
			  RULES(gateway)},
	[ROLE_KEEPER] = {RULES(common), RULES(threads), RULES(frames), RULES(keeper)},
	[ROLE_APPRAISER] = {RULES(common)},
};

static void
emit_rules(struct program *program, const struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		emit_rule(program, &rules->list[i]);
}

static void
build(struct program *program, enum role_kind kind, bool may_open)
{
	const struct rules opening_rules = RULES(opening);

	emit_load(program, offsetof(struct seccomp_data, arch));
	emit_jump(program, BPF_JEQ, OWN_ARCHITECTURE, 1, 0);
	emit_return(program, SECCOMP_RET_KILL_PROCESS);
	emit_load(program, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	emit_jump(program, BPF_JGE, X32_FIRST, 0, 1);
	emit_return(program, SECCOMP_RET_KILL_PROCESS);
#endif
	for (size_t i = 0; i < RULE_SETS_MAX; i++)
		emit_rules(program, &role_rules[kind][i]);
	if (may_open)
		emit_rules(program, &opening_rules);
	/* abort(), and nobody else's end. */
	const struct rule own = {SYS_tgkill, EQUALS, 0, (uint32_t)getpid()};
	emit_rule(program, &own);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		emit_jump(program, BPF_JEQ, refused[i].call, 0, 1);
		emit_return(program, SECCOMP_RET_ERRNO | refused[i].error);
	}
	emit_return(program, SECCOMP_RET_KILL_PROCESS);
}

bool
filter_install(enum role_kind kind, bool may_open)
{
	struct program program = {.count = 0};
	build(&program, kind, may_open);
	if (program.full) {
		errno = E2BIG;
		return false;
	}
	struct sock_fprog filter = {.len = program.count, .filter = program.code};
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}
