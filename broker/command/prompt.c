/* SPDX-License-Identifier: Apache-2.0 */
#include "prompt.h"

#include "command.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define INTERRUPT 3 /* ^C */

/* The terminal must come back whatever ends us: signals wait until the line is read. */
struct quiet {
	int terminal;
	struct termios before;
	sigset_t signals;
};

static bool
quiet_begin(struct quiet *quiet)
{
	sigset_t held;
	struct termios silent;

	quiet->terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (quiet->terminal < 0)
		return false;
	(void)sigemptyset(&held);
	(void)sigaddset(&held, SIGINT);
	(void)sigaddset(&held, SIGTERM);
	(void)sigaddset(&held, SIGHUP);
	(void)sigaddset(&held, SIGTSTP);
	(void)sigprocmask(SIG_BLOCK, &held, &quiet->signals);
	if (tcgetattr(quiet->terminal, &quiet->before) == 0) {
		silent = quiet->before;
		silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
		silent.c_lflag |= ICANON;
		silent.c_cc[VEOL] = INTERRUPT;
		if (tcsetattr(quiet->terminal, TCSAFLUSH, &silent) == 0)
			return true;
	}
	(void)sigprocmask(SIG_SETMASK, &quiet->signals, NULL);
	(void)close(quiet->terminal);
	return false;
}

static void
quiet_end(struct quiet *quiet)
{
	(void)tcsetattr(quiet->terminal, TCSAFLUSH, &quiet->before);
	(void)file_write_all(quiet->terminal, "\n", 1);
	(void)close(quiet->terminal);
	(void)sigprocmask(SIG_SETMASK, &quiet->signals, NULL);
}

/* ISIG is off, so that ^C arrives as a byte (and ends a line): nothing was taken then. */
static int
read_line(int terminal, struct secret *secret)
{
	secret->size = 0;
	for (;;) {
		uint8_t byte = 0;
		ssize_t got = read(terminal, &byte, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || byte == INTERRUPT)
			return complain(EX_IOERR, "nothing was typed");
		if (byte == '\n')
			return 0;
		if (secret->size == secret->capacity)
			return complain(EX_DATAERR, "longer than %d bytes: give it in a file",
					PROMPT_MAX);
		secret->bytes[secret->size++] = byte;
	}
}

int
prompt_secret(const char *question, const char *instead, struct secret **ret_secret)
{
	struct quiet quiet;
	auto_secret *secret = secret_new(PROMPT_MAX);

	if (secret == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	if (!quiet_begin(&quiet))
		return complain(EX_USAGE, "no terminal to ask at; %s", instead);
	int status = file_write_all(quiet.terminal, question, strlen(question));
	if (status == 0)
		status = read_line(quiet.terminal, secret);
	quiet_end(&quiet);
	if (status != 0)
		return status;
	*ret_secret = secret;
	secret = NULL;
	return 0;
}

int
prompt_sure(const char *question, const char *instead)
{
	char answer[8];
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (terminal < 0)
		return complain(EX_USAGE, "no terminal to ask at; %s", instead);
	int status = file_write_all(terminal, question, strlen(question));
	/* The terminal gives a line at a time: what is longer than any yes is no. */
	ssize_t got = status == 0 ? read(terminal, answer, sizeof(answer)) : -1;
	(void)tcflush(terminal, TCIFLUSH); /* the shell is to get nothing of it */
	(void)close(terminal);
	if (got == 4 && memcmp(answer, "yes\n", 4) == 0)
		return 0;
	return complain(EX_DATAERR, "not confirmed; nothing was changed");
}

bool
prompt_possible(void)
{
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	return terminal >= 0 && close(terminal) == 0;
}

int
prompt_secret_twice(const char *question, const char *instead, struct secret **ret_secret)
{
	auto_secret *first = NULL, *second = NULL;
	int status = prompt_secret(question, instead, &first);

	if (status != 0)
		return status;
	if (first->size == 0)
		return complain(EX_DATAERR, "empty");
	status = prompt_secret("Once more: ", instead, &second);
	if (status != 0)
		return status;
	if (!secret_equals(first, second))
		return complain(EX_DATAERR, "the two differ; nothing was changed");
	*ret_secret = first;
	first = NULL;
	return 0;
}
