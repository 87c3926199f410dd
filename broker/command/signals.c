/* SPDX-License-Identifier: Apache-2.0 */
#include "signals.h"

#include <signal.h>
#include <stddef.h>

static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
#define END_COUNT (sizeof(ends) / sizeof(*ends))

static volatile sig_atomic_t noted;

static void
note(int signal)
{
	(void)signal;
	noted = 1;
}

void
signals_note(void)
{
	const struct sigaction action = {.sa_handler = note};

	for (size_t i = 0; i < END_COUNT; i++)
		(void)sigaction(ends[i], &action, NULL);
	(void)signal(SIGXFSZ, SIG_IGN);
}

void
signals_hold(void)
{
	sigset_t held;

	(void)sigemptyset(&held);
	for (size_t i = 0; i < END_COUNT; i++)
		(void)sigaddset(&held, ends[i]);
	(void)sigprocmask(SIG_BLOCK, &held, NULL);
}

bool
signals_came(void)
{
	sigset_t pending;
	bool came = noted != 0;

	if (sigpending(&pending) != 0)
		return came;
	for (size_t i = 0; i < END_COUNT; i++)
		came = came || sigismember(&pending, ends[i]) == 1;
	return came;
}
