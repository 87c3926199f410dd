/* SPDX-License-Identifier: Apache-2.0 */
#include "start.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_SIZE 512

static const char *const names[ROLE_COUNT] = {
	[ROLE_DOOR] = "door",
	[ROLE_GATEWAY] = "gateway",
	[ROLE_KEEPER] = "keeper",
	[ROLE_APPRAISER] = "appraiser",
};

/* What this process is, for role_complain; NULL in the supervisor. Set once, before any thread. */
static const char *own_name;

const char *
role_name(enum role_kind kind)
{
	return names[kind];
}

void
role_complain(const char *format, ...)
{
	char line[LINE_MAX_SIZE];
	int start = own_name != NULL ? snprintf(line, sizeof(line), "posternd %s: ", own_name)
				     : snprintf(line, sizeof(line), "posternd: ");
	va_list arguments;
	va_start(arguments, format);
	int rest = vsnprintf(line + start, sizeof(line) - (size_t)start, format, arguments);
	va_end(arguments);
	if (rest < 0)
		return;
	size_t size = strlen(line);
	if (size == sizeof(line) - 1)
		size--;
	line[size] = '\n';
	/* In one write: lines of several processes must not mix. If stderr is gone nobody is
	 * there to be told. */
	ssize_t written = write(STDERR_FILENO, line, size + 1);
	(void)written;
}

bool
process_harden(void)
{
	const struct rlimit none = {0, 0};
#ifdef POSTERN_SANITIZED
	const unsigned long dumpable = 1; /* the leak checker attaches to its own process */
#else
	const unsigned long dumpable = 0;
#endif
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		role_complain("cannot harden the process: %s", strerror(errno));
		return false;
	}
	return true;
}

/* Door and gateway hold descriptors for every connection: the soft limit of 1024 is there for
 * select() alone. */
static bool
raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

bool
role_start(enum role_kind kind)
{
	own_name = role_name(kind);
	char title[16]; /* as much as the kernel keeps */
	snprintf(title, sizeof(title), "postern-%.7s", own_name);
	(void)prctl(PR_SET_NAME, title, 0, 0, 0);
	/* Before the supervisor started us it made sure that it was still there (spawn.c). */
	if (!process_harden())
		return false;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) {
		role_complain("cannot be made to end with the supervisor: %s", strerror(errno));
		return false;
	}
	/* Ctrl-C reaches the whole group, and a service manager's SIGTERM all that belongs to it:
	 * they are the supervisor's to act on. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	/* gmtime_r reads the time zone's file at its first use, which a confined role cannot. */
	tzset();
	if ((kind == ROLE_DOOR || kind == ROLE_GATEWAY) && !raise_descriptor_limit()) {
		role_complain("cannot raise the limit of open files: %s", strerror(errno));
		return false;
	}
	if (sodium_init() < 0) {
		role_complain("libsodium does not start");
		return false;
	}
	return true;
}

struct settings *
role_begin(const struct settings_key *keys)
{
	struct frame_buffer buffer = {0};
	struct frame frame = {0};
	struct settings *settings = NULL;
	enum channel_status status = channel_receive(ROLE_SUPERVISOR_CHANNEL, &buffer, &frame);
	if (status != CHANNEL_OK || frame.type != FRAME_SETUP) {
		role_complain("no setup from the supervisor (roles are started by posternd alone)");
	} else {
		char problem[200];
		settings = settings_parse((const char *)frame.body.data, frame.body.size, "setup",
					  keys, problem);
		if (settings == NULL)
			role_complain("%s", problem);
	}
	if (status == CHANNEL_OK && frame.descriptor >= 0)
		close(frame.descriptor);
	frame_buffer_clear(&buffer);
	return settings;
}

bool
role_ready(void)
{
	const struct frame frame = {.type = FRAME_READY, .descriptor = -1};
	if (channel_send(ROLE_SUPERVISOR_CHANNEL, &frame) == CHANNEL_OK)
		return true;
	role_complain("the supervisor is gone");
	return false;
}
