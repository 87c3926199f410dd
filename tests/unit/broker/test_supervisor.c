/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor with roles of this test's own: it starts roles by executing itself again, and
 * that is this program. The appraiser is the real one. What a role is to do stands in its setup.
 */
#include "supervisor_roles.h"

#include "supervisor/start.h"
#include "supervisor/supervise.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE 20 /* seconds for one supervisor */

/* ---- the supervisor under test ---- */

struct run {
	int status; /* as from waitpid */
	char said[4096];
	char notified[256]; /* states, each with a space behind */
};

static struct config config;

static void
set_mode(enum role_kind kind, const char *mode)
{
	int size = snprintf(config.setup[kind].text, CONFIG_SETUP_SIZE, "mode = %s\n", mode);
	config.setup[kind].size = (size_t)size;
}

static int
set_up(void **state)
{
	(void)state;
	set_mode(ROLE_DOOR, "stay");
	set_mode(ROLE_GATEWAY, "stay");
	set_mode(ROLE_KEEPER, "stay");
	config.sealed = false;
	config.control[0] = '\0';
	config.setup[ROLE_APPRAISER].size = 0;
	return 0;
}

static int
notify_socket(char name[64])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct timeval patience = {PATIENCE, 0};
	int size = snprintf(name, 64, "@postern-test-%d", (int)getpid());
	memcpy(address.sun_path, name, (size_t)size);
	address.sun_path[0] = '\0';
	int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(descriptor >= 0);
	assert_int_equal(bind(descriptor, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)size)),
			 0);
	assert_int_equal(
		setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	return descriptor;
}

static void
take_states(int descriptor, int flags, struct run *run)
{
	char state[64];
	ssize_t n;
	while ((n = recv(descriptor, state, sizeof(state) - 1, flags)) > 0) {
		state[n] = '\0';
		strncat(run->notified, state, sizeof(run->notified) - strlen(run->notified) - 1);
		strncat(run->notified, " ", sizeof(run->notified) - strlen(run->notified) - 1);
		if (flags == 0)
			return;
	}
}

/* With `stop_signal` it is sent when the supervisor is ready; else the supervisor is to end by
 * itself. */
static struct run
run_supervisor(int stop_signal)
{
	struct run run = {0};
	char name[64];
	char path[] = "/tmp/postern-supervisor-XXXXXX";
	int said = mkstemp(path);
	assert_true(said >= 0);
	unlink(path);
	int states = notify_socket(name);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(PATIENCE);
		setenv("NOTIFY_SOCKET", name, 1);
		dup2(said, STDERR_FILENO);
		signal(SIGCHLD, SIG_IGN); /* somebody's habit, and inherited */
		dup2(said, 40); /* somebody's, left open over exec: no role may inherit it */
		_exit(process_harden() ? supervise(&config) : 99);
	}
	if (stop_signal != 0) {
		take_states(states, 0, &run);
		kill(pid, stop_signal);
	}
	assert_int_equal(waitpid(pid, &run.status, 0), pid);
	take_states(states, MSG_DONTWAIT, &run);
	ssize_t size = pread(said, run.said, sizeof(run.said) - 1, 0);
	assert_true(size >= 0);
	close(said);
	close(states);
	return run;
}

static void
expect_exit(const struct run *run, int status, const char *line)
{
	if (!WIFEXITED(run->status) || WEXITSTATUS(run->status) != status ||
	    strstr(run->said, line) == NULL)
		fail_msg("status %x, said: %s", (unsigned)run->status, run->said);
}

static void
test_stops_cleanly(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct run run = run_supervisor(signals[i]);
		expect_exit(&run, 0, "posternd: ready\n");
		assert_string_equal(run.said, "posternd: ready\n");
		assert_string_equal(run.notified, "READY=1 STOPPING=1 ");
	}
}

/* Each role, each way to end: one line that names it, and status 1; 78 is passed on. */
static void
test_a_role_ends(void **state)
{
	static const struct {
		enum role_kind kind;
		const char *mode;
		int status;
		const char *line;
	} table[] = {
		{ROLE_DOOR, "end", 1, "posternd: the door ended with status 3\n"},
		{ROLE_GATEWAY, "end", 1, "posternd: the gateway ended with status 3\n"},
		{ROLE_KEEPER, "end", 1, "posternd: the keeper ended with status 3\n"},
		{ROLE_KEEPER, "crash", 1, "posternd: the keeper was killed by signal 11"},
		{ROLE_GATEWAY, "crash", 1, "posternd: the gateway was killed by signal 11"},
		{ROLE_KEEPER, "misconfigured", 78, "posternd: the keeper ended with status 78\n"},
		{ROLE_DOOR, "misconfigured", 78, "posternd: the door ended with status 78\n"},
		{ROLE_KEEPER, "leave", 1, "posternd: a role closed its channel and did not end\n"},
		{ROLE_GATEWAY, "chatter", 1, "posternd: the gateway said what it may not\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		set_up(NULL);
		set_mode(table[i].kind, table[i].mode);
		struct run run = run_supervisor(0);
		expect_exit(&run, table[i].status, table[i].line);
		assert_non_null(strstr(run.notified, "STOPPING=1"));
	}
}

static void
test_not_ready_before_all_are(void **state)
{
	(void)state;
	set_mode(ROLE_GATEWAY, "misconfigured");
	struct run run = run_supervisor(0);
	expect_exit(&run, 78, "gateway");
	assert_null(strstr(run.said, "ready"));
	assert_null(strstr(run.notified, "READY"));
	/* And nobody is started while the keeper cannot. */
	set_mode(ROLE_KEEPER, "misconfigured");
	run = run_supervisor(0);
	expect_exit(&run, 78, "keeper");
	assert_null(strstr(run.said, "gateway"));
}

static void
test_kills_what_does_not_stop(void **state)
{
	(void)state;
	set_mode(ROLE_DOOR, "deaf");
	struct timespec before, after;
	clock_gettime(CLOCK_MONOTONIC, &before);
	struct run run = run_supervisor(SIGTERM);
	clock_gettime(CLOCK_MONOTONIC, &after);
	expect_exit(&run, 0, "ready");
	assert_in_range(after.tv_sec - before.tv_sec, 4, 8);
}

/* A role that a signal ends while the others stop is told of. */
static void
test_tells_of_a_crash_while_it_stops(void **state)
{
	(void)state;
	set_mode(ROLE_KEEPER, "crash-later");
	struct run run = run_supervisor(SIGTERM);
	expect_exit(&run, 0, "posternd: the keeper was killed by signal 11");
}

/* A service manager signals all processes: the roles go on, and end in their order. */
static void
test_leaves_signals_to_the_supervisor(void **state)
{
	(void)state;
	set_mode(ROLE_KEEPER, "signalled");
	struct run run = run_supervisor(0);
	expect_exit(&run, 1, "posternd: the keeper ended with status 42\n");
}

static void
test_keeper_side(void **state)
{
	static const char *const modes[] = {"enrol", "enrol-many", "enrol-idle", "inspect"};
	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		set_mode(ROLE_KEEPER, modes[i]);
		struct run run = run_supervisor(0);
		expect_exit(&run, 1, "posternd: the keeper ended with status 42\n");
	}
}

/* All are started anew, the keeper is told to do without its key, and of the old ones nothing is
 * left, not even one that does not stop. READY is said once. */
static void
test_starts_anew_when_sealed(void **state)
{
	static const char *const gateways[] = {"stay", "deaf"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		set_up(NULL);
		set_mode(ROLE_GATEWAY, gateways[i]);
		set_mode(ROLE_KEEPER, "seal");
		struct run run = run_supervisor(0);
		expect_exit(&run, 1, "posternd: the keeper ended with status 42\n");
		assert_string_equal(run.said,
				    "posternd: ready\n"
				    "posternd: sealed as told: starting all roles anew, without "
				    "the key\n"
				    "posternd: ready\n"
				    "posternd: sealed: it tells its status alone until it is restarted, "
				    "for 'control' is not set\n"
				    "posternd: unsealed\n"
				    "posternd: the keeper ended with status 42\n");
		assert_string_equal(run.notified,
				    "READY=1 STATUS=sealed STATUS=unsealed STOPPING=1 ");
	}
}

static int
count_of(const char *said, const char *line)
{
	int count = 0;
	for (const char *at = said; (at = strstr(at, line)) != NULL; at++)
		count++;
	return count;
}

/* However often: to end would be to be started again with the key. But slowly, and with one line
 * more in the keeper's setup, not with ever more. */
static void
expect_sealed_for_good(const char *keeper, const char *gateway, const char *line)
{
	char path[] = "/tmp/postern-supervisor-XXXXXX";
	char said[4096] = "";
	int status = 0;
	set_mode(ROLE_KEEPER, keeper);
	set_mode(ROLE_GATEWAY, gateway);
	int file = mkstemp(path);
	assert_true(file >= 0);
	unlink(path);
	pid_t pid = fork();
	if (pid == 0) {
		char setup[CONFIG_SETUP_SIZE];
		alarm(PATIENCE);
		memcpy(setup, config.setup[ROLE_KEEPER].text, sizeof(setup));
		dup2(file, STDERR_FILENO);
		status = process_harden() ? supervise(&config) : 99;
		strcat(setup, "sealed = yes\n");
		_exit(strcmp(setup, config.setup[ROLE_KEEPER].text) == 0 ? status : 98);
	}
	pause_milliseconds(3500);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(pread(file, said, sizeof(said) - 1, 0) > 0);
	close(file);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || count_of(said, line) < 2 ||
	    count_of(said, line) > 4)
		fail_msg("%s, %s: status %x, said: %s", keeper, gateway, (unsigned)status, said);
}

static void
test_is_sealed_again_and_again(void **state)
{
	(void)state;
	expect_sealed_for_good("seal-again", "stay", "sealed as told");
}

/* Whoever owns a role could else have the service manager start the daemon with the key again, by
 * ending: after it was sealed, and while it is. */
static void
test_stays_sealed_when_a_role_ends(void **state)
{
	static const char line[] = "it stays sealed: starting all roles anew";
	(void)state;
	expect_sealed_for_good("seal-end", "stay", line);
	expect_sealed_for_good("seal-crash", "stay", line);
	expect_sealed_for_good("seal-last", "end-late", line);
	expect_sealed_for_good("seal-last", "crash-late", line);
}

/* Of a keeper alone that was ready, and from no other role. */
static void
test_other_ends_with_that_status(void **state)
{
	(void)state;
	set_mode(ROLE_KEEPER, "seal-early");
	struct run run = run_supervisor(0);
	expect_exit(&run, 1, "posternd: the keeper ended with status 70\n");
	set_up(NULL);
	set_mode(ROLE_DOOR, "seal");
	run = run_supervisor(0);
	expect_exit(&run, 1, "posternd: the door ended with status 70\n");
}

static void
test_says_that_it_is_sealed(void **state)
{
	(void)state;
	config.sealed = true;
	strcpy(config.control, "/run/postern/control");
	struct run run = run_supervisor(SIGTERM);
	expect_exit(&run, 0, "posternd: ready\n");
	assert_string_equal(run.notified, "READY=1 STATUS=sealed STOPPING=1 ");
	expect_exit(&run, 0,
		    "posternd: sealed: it tells its status alone until 'postern unseal' gives it the key, "
		    "at /run/postern/control\n");
}

static void
test_start_of_door_and_gateway(void **state)
{
	(void)state;
	set_mode(ROLE_DOOR, "inspect");
	struct run run = run_supervisor(0);
	expect_exit(&run, 1, "posternd: the door ended with status 42\n");
	set_up(NULL);
	set_mode(ROLE_GATEWAY, "inspect");
	run = run_supervisor(0);
	expect_exit(&run, 1, "posternd: the gateway ended with status 42\n");
}

/* No role outlives a supervisor that is killed. */
static void
test_roles_die_with_it(void **state)
{
	int alive[2];
	(void)state;
	assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
	/* Not because a channel closes, either. */
	set_mode(ROLE_DOOR, "deaf");
	set_mode(ROLE_GATEWAY, "deaf");
	set_mode(ROLE_KEEPER, "deaf");
	char name[64];
	int states = notify_socket(name);
	pid_t pid = fork();
	if (pid == 0) {
		/* Roles keep stderr: the pipe's end is with them until the last has gone. */
		setenv("NOTIFY_SOCKET", name, 1);
		dup2(alive[1], STDERR_FILENO);
		close(alive[0]);
		_exit(supervise(&config));
	}
	close(alive[1]);
	struct run run = {0};
	take_states(states, 0, &run);
	assert_string_equal(run.notified, "READY=1 ");
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &run.status, 0), pid);
	char text[64];
	alarm(PATIENCE);
	while (read(alive[0], text, sizeof(text)) > 0)
		;
	alarm(0);
	close(alive[0]);
	close(states);
}

int
main(int count, char **arguments)
{
	static const char option[] = "--role=";
	if (count == 2 && strncmp(arguments[1], option, sizeof(option) - 1) == 0)
		return run_test_role(arguments[1] + sizeof(option) - 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_stops_cleanly, set_up),
		cmocka_unit_test_setup(test_a_role_ends, set_up),
		cmocka_unit_test_setup(test_not_ready_before_all_are, set_up),
		cmocka_unit_test_setup(test_kills_what_does_not_stop, set_up),
		cmocka_unit_test_setup(test_tells_of_a_crash_while_it_stops, set_up),
		cmocka_unit_test_setup(test_leaves_signals_to_the_supervisor, set_up),
		cmocka_unit_test_setup(test_keeper_side, set_up),
		cmocka_unit_test_setup(test_starts_anew_when_sealed, set_up),
		cmocka_unit_test_setup(test_is_sealed_again_and_again, set_up),
		cmocka_unit_test_setup(test_stays_sealed_when_a_role_ends, set_up),
		cmocka_unit_test_setup(test_other_ends_with_that_status, set_up),
		cmocka_unit_test_setup(test_says_that_it_is_sealed, set_up),
		cmocka_unit_test_setup(test_start_of_door_and_gateway, set_up),
		cmocka_unit_test_setup(test_roles_die_with_it, set_up),
	};
	return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
