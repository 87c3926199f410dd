/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor with roles of this test's own: it starts roles by executing itself again, and
 * that is this program. The appraiser is the real one. What a role is to do stands in its setup.
 */
#include "supervisor/start.h"
#include "supervisor/supervise.h"
#include "wire/message.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define AS_EXPECTED 42 /* what a role exits with when all it saw was right */
#define PATIENCE    20 /* seconds for one supervisor */

/* ---- roles ---- */

static const struct settings_key role_keys[] = {
	{"mode", false, true}, {"sealed", false, false}, {NULL, false, false}};

/* Until a channel closes, as a good role does. */
static int
stay(void)
{
	struct pollfd watched[] = {{ROLE_SUPERVISOR_CHANNEL, 0, 0}, {4, 0, 0}};
	while (poll(watched, 2, -1) <= 0)
		continue;
	return ROLE_EXIT_ORPHANED;
}

/* One question to an appraiser: a log and a certificate that are none. */
static bool
appraise(int channel, uint16_t type)
{
	static const uint8_t pcrs[WIRE_PCRS_SIZE];
	static const uint8_t junk[] = "junk";
	static struct wire_examine_enrolment enrolment;
	uint8_t memory[2048];
	struct writer w = writer_of(memory, sizeof(memory));
	const struct wire_examine_log log = {.pcrs = BYTES_OF(pcrs), .event_log = BYTES_OF(junk)};
	if (type == FRAME_EXAMINE_LOG) {
		wire_examine_log_write(&w, &log);
	} else {
		enrolment.ek_public = BYTES_OF(junk);
		enrolment.ak_public = BYTES_OF(junk);
		enrolment.transcript = (struct bytes){pcrs, ATTEST_HASH_SIZE};
		enrolment.cloud = (struct wire_cloud){.sent = true,
						      .public_area = BYTES_OF(junk),
						      .certificate_count = 1,
						      .certificates = {BYTES_OF(junk)},
						      .message = BYTES_OF(junk),
						      .signature = BYTES_OF(junk)};
		enrolment.crl_count = 1;
		enrolment.crls[0] = BYTES_OF(junk);
		enrolment.certificate_count = 1;
		enrolment.certificates[0] = BYTES_OF(junk);
		enrolment.pcrs = BYTES_OF(pcrs);
		wire_examine_enrolment_write(&w, &enrolment);
	}
	const struct frame question = {type, 99, writer_bytes(&w), -1};
	struct frame_buffer buffer = {0};
	struct frame frame;
	struct wire_appraisal appraisal;
	bool right = !w.failed && channel_send(channel, &question) == CHANNEL_OK &&
		     channel_receive(channel, &buffer, &frame) == CHANNEL_OK &&
		     frame.type == FRAME_APPRAISED && frame.id == 99 &&
		     wire_appraisal_read(frame.body, &appraisal);
	frame_buffer_clear(&buffer);
	if (!right)
		return false;
	if (type == FRAME_EXAMINE_LOG)
		return appraisal.log == WIRE_REFUSED && appraisal.chain == WIRE_ABSENT;
	return appraisal.log == WIRE_ABSENT && appraisal.chain == WIRE_REFUSED;
}

/* -1: none was given. */
static int
ask_for_appraiser(uint64_t id)
{
	const struct frame need = {FRAME_NEED_APPRAISER, id, {NULL, 0}, -1};
	struct frame_buffer buffer = {0};
	struct frame frame = {.descriptor = -1};
	if (channel_send(ROLE_SUPERVISOR_CHANNEL, &need) != CHANNEL_OK ||
	    channel_receive(ROLE_SUPERVISOR_CHANNEL, &buffer, &frame) != CHANNEL_OK ||
	    frame.type != FRAME_APPRAISER || frame.id != id)
		exit(ROLE_EXIT_FAILED);
	frame_buffer_clear(&buffer);
	return frame.descriptor;
}

/* The standing appraiser answers again and again; one for an enrolment once. */
static int
enrol(void)
{
	for (int i = 0; i < 3; i++) {
		if (!appraise(KEEPER_APPRAISER_CHANNEL, FRAME_EXAMINE_LOG))
			return 50;
	}
	for (uint64_t id = 7; id < 27; id++) {
		int channel = ask_for_appraiser(id);
		if (channel < 0 || !appraise(channel, FRAME_EXAMINE_ENROLMENT))
			return 51;
		/* It exits: nobody answers the second. */
		if (appraise(channel, FRAME_EXAMINE_ENROLMENT))
			return 52;
		close(channel);
	}
	return AS_EXPECTED;
}

/* The ninth that is open at once is refused, and one that is broken harms nobody. */
static int
enrol_many(void)
{
	int channels[8];
	for (size_t i = 0; i < 8; i++) {
		channels[i] = ask_for_appraiser(i);
		if (channels[i] < 0)
			return 53;
	}
	if (ask_for_appraiser(9) >= 0)
		return 54;
	const struct frame nonsense = {FRAME_RELEASE, 1, {NULL, 0}, -1};
	for (size_t i = 0; i < 8; i++) {
		if (channel_send(channels[i], &nonsense) != CHANNEL_OK)
			return 55;
		struct frame_buffer buffer = {0};
		struct frame frame;
		if (channel_receive(channels[i], &buffer, &frame) != CHANNEL_CLOSED)
			return 56;
		frame_buffer_clear(&buffer);
		close(channels[i]);
	}
	return appraise(KEEPER_APPRAISER_CHANNEL, FRAME_EXAMINE_LOG) ? AS_EXPECTED : 57;
}

/* One that is given nothing to do is killed after ten seconds. */
static int
enrol_idle(void)
{
	struct frame_buffer buffer = {0};
	struct frame frame;
	time_t before = time(NULL);
	int channel = ask_for_appraiser(1);
	if (channel < 0 || channel_receive(channel, &buffer, &frame) != CHANNEL_CLOSED)
		return 58;
	frame_buffer_clear(&buffer);
	time_t passed = time(NULL) - before;
	if (passed < 9 || passed > 13)
		return 59;
	return appraise(KEEPER_APPRAISER_CHANNEL, FRAME_EXAMINE_LOG) ? AS_EXPECTED : 57;
}

/* What a role must find when it starts. */
static int
inspect(int last_descriptor)
{
	struct rlimit core;
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0)
		return 60;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 61;
	int signal_number = 0;
	if (prctl(PR_GET_PDEATHSIG, &signal_number) < 0 || signal_number != SIGKILL)
		return 62;
	sigset_t blocked;
	if (sigprocmask(SIG_BLOCK, NULL, &blocked) < 0 || sigismember(&blocked, SIGTERM) != 0)
		return 63;
	for (int i = 0; i < 1024; i++) {
		if ((fcntl(i, F_GETFD) >= 0) != (i <= last_descriptor))
			return 64;
	}
#ifndef POSTERN_SANITIZED
	if (environ[0] != NULL || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 65;
#endif
	char null;
	return read(STDIN_FILENO, &null, 1) == 0 ? AS_EXPECTED : 66;
}

static void
pause_milliseconds(long count)
{
	const struct timespec time = {count / 1000, count % 1000 * 1000000};
	(void)nanosleep(&time, NULL);
}

/* Of the supervisor: how many roles there are. 0: cannot be told. */
static int
count_siblings(void)
{
	char path[64];
	int count = 0;
	int pid;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)getppid(), (int)getppid());
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0;
	while (fscanf(file, "%d", &pid) == 1)
		count++;
	(void)fclose(file);
	return count;
}

/* Told to forget its key; then started anew, alone. "seal-again": told so each time. */
static int
seal(const char *mode, bool sealed, int siblings)
{
	if (!sealed || strcmp(mode, "seal-again") == 0) {
		pause_milliseconds(300);
		return ROLE_EXIT_SEALED;
	}
	if (siblings != 1)
		return 67;
	const struct frame unsealed = {FRAME_UNSEALED, 0, {NULL, 0}, -1};
	pause_milliseconds(300);
	if (channel_send(ROLE_SUPERVISOR_CHANNEL, &unsealed) != CHANNEL_OK)
		return 68;
	pause_milliseconds(100);
	return AS_EXPECTED;
}

static int
act(const char *mode, enum role_kind kind)
{
	if (strcmp(mode, "end") == 0)
		return 3;
	if (strcmp(mode, "crash") == 0) {
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	if (strcmp(mode, "crash-later") == 0) {
		(void)stay();
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	if (strcmp(mode, "signalled") == 0) {
		static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
			raise(numbers[i]);
		return AS_EXPECTED;
	}
	if (strcmp(mode, "chatter") == 0) {
		const struct frame frame = {FRAME_NEED_APPRAISER, 1, {NULL, 0}, -1};
		(void)!channel_send(ROLE_SUPERVISOR_CHANNEL, &frame);
	}
	if (strcmp(mode, "leave") == 0) {
		close(KEEPER_GATEWAY_CHANNEL);
		close(KEEPER_APPRAISER_CHANNEL);
	}
	if (strcmp(mode, "enrol") == 0)
		return enrol();
	if (strcmp(mode, "enrol-many") == 0)
		return enrol_many();
	if (strcmp(mode, "enrol-idle") == 0)
		return enrol_idle();
	if (strcmp(mode, "inspect") == 0)
		return inspect(kind == ROLE_DOOR ? 4 : 5);
	if (strcmp(mode, "leave") == 0 || strcmp(mode, "deaf") == 0) {
		for (;;)
			pause();
	}
	return stay();
}

static int
run_role(const char *name)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		enum role_kind kind = (enum role_kind)i;
		if (strcmp(name, role_name(kind)) != 0)
			continue;
		if (!role_start(kind))
			return ROLE_EXIT_FAILED;
		if (kind == ROLE_APPRAISER)
			return appraiser_main();
		auto_settings *settings = role_begin(role_keys);
		const char *mode = settings != NULL ? settings_get(settings, "mode", 0) : "failed";
		if (strcmp(mode, "misconfigured") == 0)
			return ROLE_EXIT_CONFIGURATION;
		if (strcmp(mode, "seal-early") == 0)
			return ROLE_EXIT_SEALED;
		bool sealed = settings != NULL && settings_get(settings, "sealed", 0) != NULL;
		int siblings = count_siblings();
		if (!role_ready())
			return ROLE_EXIT_FAILED;
		if (strncmp(mode, "seal", 4) == 0)
			return seal(mode, sealed, siblings);
		return act(mode, kind);
	}
	return ROLE_EXIT_USAGE;
}

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
				    "posternd: sealed: it answers nothing until it is restarted, "
				    "for 'control' is not set\n"
				    "posternd: unsealed\n"
				    "posternd: the keeper ended with status 42\n");
		assert_string_equal(run.notified,
				    "READY=1 STATUS=sealed STATUS=unsealed STOPPING=1 ");
	}
}

/* However often: to end would be to be started again with the key. But slowly, and with one line
 * more in the keeper's setup, not with ever more. */
static void
test_is_sealed_again_and_again(void **state)
{
	static const char told[] = "sealed as told";
	char path[] = "/tmp/postern-supervisor-XXXXXX";
	char said[4096] = "";
	int count = 0;
	int status = 0;
	(void)state;
	set_mode(ROLE_KEEPER, "seal-again");
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
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(pread(file, said, sizeof(said) - 1, 0) > 0);
	close(file);
	for (const char *at = said; (at = strstr(at, told)) != NULL; at += sizeof(told))
		count++;
	assert_in_range(count, 2, 4);
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
		    "posternd: sealed: it answers nothing until 'postern unseal' gives it the key, "
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
		return run_role(arguments[1] + sizeof(option) - 1);
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
		cmocka_unit_test_setup(test_other_ends_with_that_status, set_up),
		cmocka_unit_test_setup(test_says_that_it_is_sealed, set_up),
		cmocka_unit_test_setup(test_start_of_door_and_gateway, set_up),
		cmocka_unit_test_setup(test_roles_die_with_it, set_up),
	};
	return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
