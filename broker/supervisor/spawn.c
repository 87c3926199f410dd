/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FIRST_CHANNEL ROLE_SUPERVISOR_CHANNEL
#define ABOVE_ALL     16 /* out of the way of every number that a role starts with */

static bool
place_null(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	return null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0;
}

/* First all up, then all down: a channel's number may be another's place. */
static bool
place_channels(const int *channels, size_t count)
{
	int above[SPAWN_CHANNELS_MAX];
	for (size_t i = 0; i < count; i++) {
		above[i] = fcntl(channels[i], F_DUPFD_CLOEXEC, ABOVE_ALL);
		if (above[i] < 0)
			return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (dup2(above[i], FIRST_CHANNEL + (int)i) < 0)
			return false;
	}
	return close_range(FIRST_CHANNEL + (unsigned)count, ~0U, 0) == 0;
}

/* The supervisor blocks what it reads from its signalfd; a role starts with nothing blocked. */
static bool
reset_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

__attribute__((noreturn)) static void
become(enum role_kind kind, pid_t supervisor, const int *channels, size_t count)
{
	char role[32];
	snprintf(role, sizeof(role), "--role=%s", role_name(kind));
	char program[] = "posternd";
	char *arguments[] = {program, role, NULL};
#ifdef POSTERN_SANITIZED
	char **environment = environ; /* the sanitizers' options */
#else
	char *environment[] = {NULL};
#endif
	/* If the supervisor went between fork and prctl nobody would ever end us. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != supervisor)
		_exit(ROLE_EXIT_FAILED);
	if (place_null() && place_channels(channels, count) && reset_signals())
		execve("/proc/self/exe", arguments, environment);
	role_complain("cannot start the %s: %s", role_name(kind), strerror(errno));
	_exit(ROLE_EXIT_FAILED);
}

/* With channels[i] as descriptor 3 + i and nothing else but stderr. -1 with errno. */
static pid_t
spawn(enum role_kind kind, const int *channels, size_t count)
{
	pid_t supervisor = getpid();
	pid_t pid = fork();
	if (pid == 0)
		become(kind, supervisor, channels, count);
	return pid;
}

static bool
send_setup(int channel, const char *text, size_t size)
{
	const struct frame frame = {
		.type = FRAME_SETUP,
		.body = {(const uint8_t *)text, size},
		.descriptor = -1,
	};
	return channel_send(channel, &frame) == CHANNEL_OK;
}

bool
spawn_role(enum role_kind kind, const int *others, size_t count, const char *setup,
	   size_t setup_size, pid_t *ret_pid, int *ret_channel)
{
	int ends[2];
	assert(1 + count <= SPAWN_CHANNELS_MAX);
	if (channel_pair(ends) != CHANNEL_OK)
		return false;
	int channels[SPAWN_CHANNELS_MAX] = {ends[1]};
	for (size_t i = 0; i < count; i++)
		channels[1 + i] = others[i];
	pid_t pid = spawn(kind, channels, 1 + count);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return false;
	}
	/* If this fails the child has ended, and its end will tell. */
	(void)send_setup(ends[0], setup, setup_size);
	*ret_pid = pid;
	*ret_channel = ends[0];
	return true;
}
