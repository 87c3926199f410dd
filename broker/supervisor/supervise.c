/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper starts first, because what is wrong with the store is what an operator wants to
 * hear; the others when it is ready. Any role's end is the daemon's end: nothing is restarted in
 * here, that is the service manager's work. But for one: a keeper that was told to forget its key
 * ends, all others are ended with it, and all are started anew, without the key; and from then on,
 * until somebody brings the key, so they are when any of them ends.
 */
#include "supervise.h"

#include "enrolments.h"
#include "notify.h"
#include "spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_PATIENCE	5000 /* milliseconds for the roles to end by themselves */
#define ORPHAN_PATIENCE 1000 /* milliseconds for the end of its peer to arrive */
#define RESTART_SPACING 1000 /* milliseconds from one start to the next, where one follows */
#define RUNNING		(-1) /* no exit status decided yet */

struct child {
	pid_t pid;   /* 0: none */
	int channel; /* the supervisor's end; -1: closed */
	bool ready;
};

struct supervisor {
	struct config *config;
	int signals;
	bool asked_to_stop;
	bool announced; /* a service manager is told once that all is ready */
	bool told;	/* to be sealed, and it still is */
	int64_t started;
	struct child children[ROLE_COUNT];
	struct enrolments enrolments;
	/* Both ends of the channels between roles, until both have been handed over. */
	int door_gateway[2];
	int gateway_keeper[2];
	int keeper_appraiser[2];
	struct frame_buffer buffer;
	int watchdog; /* milliseconds, -1: none */
	int64_t next_sign;
	int64_t orphaned_until; /* 0: no role has said that it is alone */
	int status;		/* RUNNING, or what to exit with */
};

static int64_t
now_milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
close_at(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
	*descriptor = -1;
}

static void
close_both(int ends[2])
{
	close_at(&ends[0]);
	close_at(&ends[1]);
}

/* The first reason counts. */
static void
give_up(struct supervisor *supervisor, int status)
{
	if (supervisor->status == RUNNING)
		supervisor->status = status;
}

/* ---- starting ---- */

static void
start_role(struct supervisor *supervisor, enum role_kind kind, const int *others, size_t count)
{
	struct child *child = &supervisor->children[kind];
	if (spawn_role(kind, others, count, supervisor->config->setup[kind].text,
		       supervisor->config->setup[kind].size, &child->pid, &child->channel))
		return;
	role_complain("cannot start the %s: %s", role_name(kind), strerror(errno));
	give_up(supervisor, ROLE_EXIT_FAILED);
}

static void
start_keeper(struct supervisor *supervisor)
{
	const int others[] = {supervisor->gateway_keeper[1], supervisor->keeper_appraiser[0]};
	start_role(supervisor, ROLE_KEEPER, others, 2);
}

static void
start_others(struct supervisor *supervisor)
{
	const int gateway[] = {supervisor->door_gateway[1], supervisor->gateway_keeper[0]};
	start_role(supervisor, ROLE_APPRAISER, &supervisor->keeper_appraiser[1], 1);
	start_role(supervisor, ROLE_GATEWAY, gateway, 2);
	start_role(supervisor, ROLE_DOOR, &supervisor->door_gateway[0], 1);
	/* A role must see the end of its peer, so no end stays here. */
	close_both(supervisor->door_gateway);
	close_both(supervisor->gateway_keeper);
	close_both(supervisor->keeper_appraiser);
}

static void
show_seal(const struct supervisor *supervisor)
{
	notify("STATUS=sealed");
	/* Without a socket the key can only be in a file, which the next start reads. */
	if (supervisor->config->control[0] != '\0')
		role_complain("sealed: it tells its status alone until 'postern unseal' gives it "
			      "the key, "
			      "at %s",
			      supervisor->config->control);
	else
		role_complain(
			"sealed: it tells its status alone until it is restarted, for 'control' is "
			"not set");
}

static void
role_is_ready(struct supervisor *supervisor, enum role_kind kind)
{
	supervisor->children[kind].ready = true;
	if (kind == ROLE_KEEPER)
		start_others(supervisor);
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		if (!supervisor->children[i].ready)
			return;
	}
	if (!supervisor->announced)
		notify("READY=1");
	supervisor->announced = true;
	role_complain("ready");
	if (supervisor->config->sealed)
		show_seal(supervisor);
}

/* ---- what happens ---- */

static void
need_appraiser(struct supervisor *supervisor, uint64_t id)
{
	int end = enrolments_start(&supervisor->enrolments, now_milliseconds());
	const struct frame frame = {.type = FRAME_APPRAISER, .id = id, .descriptor = end};
	if (channel_send(supervisor->children[ROLE_KEEPER].channel, &frame) == CHANNEL_IO)
		role_complain("an appraiser could not be handed to the keeper");
	close_at(&end);
}

/* No role ends well by itself either: it has seen a channel close. */
static bool
left_alone(int how)
{
	return WIFEXITED(how) &&
	       (WEXITSTATUS(how) == ROLE_EXIT_ORPHANED || WEXITSTATUS(how) == ROLE_EXIT_OK);
}

static void
role_ended(struct supervisor *supervisor, enum role_kind kind, int how)
{
	struct child *child = &supervisor->children[kind];
	bool sealed = kind == ROLE_KEEPER && child->ready && WIFEXITED(how) &&
		      WEXITSTATUS(how) == ROLE_EXIT_SEALED;
	close_at(&child->channel);
	child->pid = 0;
	/* Though another may have ended first: see starts_anew. */
	if (sealed)
		supervisor->told = true;
	/* What ends because of the stop says nothing, unless it did not end by itself. */
	if (supervisor->status != RUNNING && WIFEXITED(how))
		return;
	/* A dying process closes its channels before it can be waited for: its peers may be here
	 * first. */
	if (left_alone(how)) {
		if (supervisor->orphaned_until == 0)
			supervisor->orphaned_until = now_milliseconds() + ORPHAN_PATIENCE;
		return;
	}
	if (sealed) {
		give_up(supervisor, ROLE_EXIT_SEALED);
		return;
	}
	if (WIFSIGNALED(how))
		role_complain("the %s was killed by signal %d (%s)", role_name(kind), WTERMSIG(how),
			      strsignal(WTERMSIG(how)));
	else
		role_complain("the %s ended with status %d", role_name(kind), WEXITSTATUS(how));
	bool configuration = WIFEXITED(how) && WEXITSTATUS(how) == ROLE_EXIT_CONFIGURATION;
	give_up(supervisor, configuration ? ROLE_EXIT_CONFIGURATION : ROLE_EXIT_FAILED);
}

static void
reap(struct supervisor *supervisor)
{
	int how;
	for (pid_t pid; (pid = waitpid(-1, &how, WNOHANG)) > 0;) {
		for (unsigned i = 0; i < ROLE_COUNT; i++) {
			if (supervisor->children[i].pid == pid)
				role_ended(supervisor, (enum role_kind)i, how);
		}
		enrolments_ended(&supervisor->enrolments, pid, how);
	}
}

static void
take_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;
	while (read(supervisor->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			supervisor->asked_to_stop = true;
	}
}

static void
on_signal(struct supervisor *supervisor)
{
	take_signals(supervisor);
	if (supervisor->asked_to_stop)
		give_up(supervisor, ROLE_EXIT_OK);
	/* After the stop was noted: see role_ended. */
	reap(supervisor);
}

static bool
frame_is_allowed(const struct frame *frame, enum role_kind kind, const struct child *child)
{
	if (frame->body.size != 0 || frame->descriptor >= 0)
		return false;
	if (frame->type == FRAME_READY)
		return !child->ready;
	return kind == ROLE_KEEPER &&
	       (frame->type == FRAME_NEED_APPRAISER || frame->type == FRAME_UNSEALED);
}

static void
on_frame(struct supervisor *supervisor, enum role_kind kind)
{
	struct child *child = &supervisor->children[kind];
	struct frame frame = {.descriptor = -1};
	enum channel_status status = channel_receive(child->channel, &supervisor->buffer, &frame);
	if (status == CHANNEL_CLOSED) { /* its end follows */
		close_at(&child->channel);
		return;
	}
	bool allowed = status == CHANNEL_OK && frame_is_allowed(&frame, kind, child);
	close_at(&frame.descriptor);
	if (!allowed) {
		role_complain("the %s said what it may not", role_name(kind));
		give_up(supervisor, ROLE_EXIT_FAILED);
	} else if (frame.type == FRAME_READY) {
		role_is_ready(supervisor, kind);
	} else if (frame.type == FRAME_UNSEALED) {
		supervisor->told = false;
		notify("STATUS=unsealed");
		role_complain("unsealed");
	} else {
		need_appraiser(supervisor, frame.id);
	}
}

/* ---- the loop ---- */

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
give_up_on_orphans(struct supervisor *supervisor, int64_t now)
{
	if (supervisor->orphaned_until == 0)
		return INT64_MAX;
	if (supervisor->orphaned_until > now)
		return supervisor->orphaned_until;
	role_complain("a role closed its channel and did not end");
	give_up(supervisor, ROLE_EXIT_FAILED);
	return now;
}

static int64_t
show_life(struct supervisor *supervisor, int64_t now)
{
	if (supervisor->watchdog <= 0)
		return INT64_MAX;
	if (supervisor->next_sign <= now) {
		notify("WATCHDOG=1");
		supervisor->next_sign = now + supervisor->watchdog;
	}
	return supervisor->next_sign;
}

/* Does what is due, and says how many milliseconds nothing else is. */
static int
do_timed(struct supervisor *supervisor)
{
	int64_t now = now_milliseconds();
	int64_t next = enrolments_end_late(&supervisor->enrolments, now);
	next = sooner(next, give_up_on_orphans(supervisor, now));
	next = sooner(next, show_life(supervisor, now));
	return next == INT64_MAX ? -1 : (int)(next - now);
}

static void
wait_and_serve(struct supervisor *supervisor)
{
	struct pollfd watched[1 + ROLE_COUNT] = {{supervisor->signals, POLLIN, 0}};
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		watched[1 + i].fd = supervisor->children[i].channel;
		watched[1 + i].events = POLLIN;
	}
	int timeout = do_timed(supervisor);
	if (supervisor->status != RUNNING || poll(watched, 1 + ROLE_COUNT, timeout) <= 0)
		return;
	if (watched[0].revents != 0)
		on_signal(supervisor);
	for (unsigned i = 0; i < ROLE_COUNT && supervisor->status == RUNNING; i++) {
		if (watched[1 + i].revents != 0 && supervisor->children[i].channel >= 0)
			on_frame(supervisor, (enum role_kind)i);
	}
}

/* ---- stopping ---- */

static bool
any_role_left(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		if (supervisor->children[i].pid != 0)
			return true;
	}
	return false;
}

static void
await_ends(struct supervisor *supervisor)
{
	int64_t deadline = now_milliseconds() + STOP_PATIENCE;
	for (reap(supervisor); any_role_left(supervisor); reap(supervisor)) {
		int64_t left = deadline - now_milliseconds();
		struct pollfd watched = {supervisor->signals, POLLIN, 0};
		if (left <= 0)
			return;
		(void)poll(&watched, 1, (int)left);
		take_signals(supervisor);
	}
}

/* Afterwards nothing of any role is left. */
static void
stop(struct supervisor *supervisor)
{
	if (supervisor->status == ROLE_EXIT_OK)
		notify("STOPPING=1");
	/* The keeper may wait for one of these, or for a new one: those enrolments are refused. */
	enrolments_kill(&supervisor->enrolments);
	close_at(&supervisor->children[ROLE_KEEPER].channel);
	/* The door ends when its channel does, and then each role when its neighbour has gone: what
	 * the keeper has in hand is finished, its end is audited and its keys are wiped. Where they
	 * are not joined yet there is nothing in hand. */
	close_at(&supervisor->children[ROLE_DOOR].channel);
	if (supervisor->door_gateway[0] < 0)
		await_ends(supervisor);
	/* Only what has not been waited for: no other process has its id. */
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		if (supervisor->children[i].pid != 0)
			kill(supervisor->children[i].pid, SIGKILL);
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
	frame_buffer_clear(&supervisor->buffer);
	for (size_t i = 0; i < ROLE_COUNT; i++)
		close_at(&supervisor->children[i].channel);
	enrolments_clear(&supervisor->enrolments);
	close_both(supervisor->door_gateway);
	close_both(supervisor->gateway_keeper);
	close_both(supervisor->keeper_appraiser);
}

static bool
prepare_signals(struct supervisor *supervisor)
{
	sigset_t set;
	/* Whoever started us may have ignored it, and then ends of children cannot be waited for.
	 */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN); /* stderr may be a pipe that nobody reads any more */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP); /* blocked and not looked at: reloading is a restart */
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return false;
	sigdelset(&set, SIGHUP);
	supervisor->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return supervisor->signals >= 0;
}

static bool
make_channels(struct supervisor *supervisor)
{
	return channel_pair(supervisor->door_gateway) == CHANNEL_OK &&
	       channel_pair(supervisor->gateway_keeper) == CHANNEL_OK &&
	       channel_pair(supervisor->keeper_appraiser) == CHANNEL_OK;
}

/* All roles, from their start to their end. */
static void
run(struct supervisor *supervisor)
{
	for (size_t i = 0; i < ROLE_COUNT; i++)
		supervisor->children[i] = (struct child){.channel = -1};
	supervisor->orphaned_until = 0;
	supervisor->started = now_milliseconds();
	supervisor->status = RUNNING;
	if (!make_channels(supervisor)) {
		role_complain("cannot make channels: %s", strerror(errno));
		give_up(supervisor, ROLE_EXIT_FAILED);
	} else {
		start_keeper(supervisor);
	}
	while (supervisor->status == RUNNING)
		wait_and_serve(supervisor);
	stop(supervisor);
}

/* Where the keeper was told to forget its key. To end instead would be to be started again by the
 * service manager, and then with the key that lies in a file: nor may a role that is not ours any
 * more bring that about, by ending. Hence however often it happens, it is only made slow. */
static bool
stays_sealed(struct supervisor *supervisor)
{
	if (supervisor->status == ROLE_EXIT_SEALED)
		role_complain("sealed as told: starting all roles anew, without the key");
	else if (supervisor->told && supervisor->status == ROLE_EXIT_FAILED)
		role_complain("it stays sealed: starting all roles anew, without the key");
	else
		return false;
	config_seal(supervisor->config);
	return true;
}

static bool
starts_anew(struct supervisor *supervisor)
{
	if (!stays_sealed(supervisor)) {
		if (supervisor->status != ROLE_EXIT_OK)
			notify("STOPPING=1");
		return false;
	}
	take_signals(supervisor);
	int64_t due = supervisor->started + RESTART_SPACING;
	for (int64_t left; !supervisor->asked_to_stop && (left = due - now_milliseconds()) > 0;) {
		struct pollfd watched = {supervisor->signals, POLLIN, 0};
		(void)poll(&watched, 1, (int)left);
		take_signals(supervisor);
	}
	if (!supervisor->asked_to_stop)
		return true;
	notify("STOPPING=1");
	supervisor->status = ROLE_EXIT_OK;
	return false;
}

int
supervise(struct config *config)
{
	struct supervisor supervisor = {
		.config = config,
		.signals = -1,
		.door_gateway = {-1, -1},
		.gateway_keeper = {-1, -1},
		.keeper_appraiser = {-1, -1},
		.watchdog = notify_watchdog_interval(),
	};
	if (!prepare_signals(&supervisor)) {
		role_complain("cannot take signals: %s", strerror(errno));
		return ROLE_EXIT_FAILED;
	}
	do
		run(&supervisor);
	while (starts_anew(&supervisor));
	close_at(&supervisor.signals);
	return supervisor.status;
}
