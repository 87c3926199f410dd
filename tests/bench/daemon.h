/* SPDX-License-Identifier: Apache-2.0 */
/* A posternd of the benchmark's own in a temporary folder, and the CPU that all its processes have
 * used. */
#ifndef POSTERN_BENCH_DAEMON_H
#define POSTERN_BENCH_DAEMON_H

#include <sys/types.h>

#define DAEMON_ROLES_MAX 16

struct daemon_cpu {
	char role[DAEMON_ROLES_MAX][16]; /* "supervisor", "door", ... */
	double us[DAEMON_ROLES_MAX];	 /* microseconds of CPU since each began */
	int count;
};

struct daemon {
	char folder[128];
	unsigned port;
	pid_t pid;
};

/* `workers` threads in the keeper. Runs `postern init` and `posternd` until it says that it is
 * ready; exits with a word where they fail. */
void daemon_start(struct daemon *daemon, const char *posternd, const char *postern,
		  unsigned workers);
/* Ends it and removes its folder. Safe to call again. */
void daemon_stop(struct daemon *daemon);
/* User and system time of the supervisor and all its children. */
void daemon_cpu(const struct daemon *daemon, struct daemon_cpu *ret_cpu);

#endif
