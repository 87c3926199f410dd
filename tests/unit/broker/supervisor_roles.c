/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor_roles.h"

#include "supervisor/start.h"
#include "wire/message.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

void
pause_milliseconds(long count)
{
	const struct timespec time = {count / 1000, count % 1000 * 1000000};
	(void)nanosleep(&time, NULL);
}

static const struct settings_key role_keys[] = {
	{"mode", false, true}, {"sealed", false, false}, {NULL, false, false}};

static int
crash(void)
{
	signal(SIGSEGV, SIG_DFL);
	return raise(SIGSEGV);
}

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

/* Told to forget its key; then started anew, alone. "seal-again": told so each time; "seal-last":
 * ends after the gateway has; the others: end in another way from then on. */
static int
seal(const char *mode, bool sealed, int siblings)
{
	if (strcmp(mode, "seal-last") == 0) {
		int status = stay();
		pause_milliseconds(100);
		return sealed ? status : ROLE_EXIT_SEALED;
	}
	if (sealed && strcmp(mode, "seal-end") == 0)
		return 3;
	if (sealed && strcmp(mode, "seal-crash") == 0)
		return crash();
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
	if (strcmp(mode, "crash") == 0)
		return crash();
	if (strcmp(mode, "crash-later") == 0) {
		(void)stay();
		return crash();
	}
	if (strcmp(mode, "end-late") == 0 || strcmp(mode, "crash-late") == 0) {
		pause_milliseconds(300);
		return strcmp(mode, "end-late") == 0 ? 3 : crash();
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

int
run_test_role(const char *name)
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
