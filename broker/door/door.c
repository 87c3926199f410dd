/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door: accepts, terminates TLS, and hands each connection to the gateway as one end of a
 * socket pair. One thread, one epoll. It understands no byte of what it copies.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "listen.h"
#include "relay.h"
#include "supervisor/role.h"

#define DOOR_LISTEN_MAX	  16
#define DOOR_HANDSHAKE_MS 10000
#define DOOR_IDLE_MS                                                                               \
	130000 /* a little over the gateway's own limit, which ends idle ones properly */
#define DOOR_SWEEP_MS	       1000
#define DOOR_EVENTS	       64
#define DOOR_ACCEPTS_PER_EVENT 32

struct door {
	int epoll;
	struct tls_server *tls;
	int listeners[DOOR_LISTEN_MAX];
	size_t listener_count;
	long max_connections;
	long connections;
	struct relay *relays;
	struct relay
		*over; /* ended, and freed when no event of this round can name them any more */
};

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* An end that waits for nothing leaves the set: epoll would report its hang-up for ever. */
static bool
set_interest(struct door *door, struct relay_end *end, uint32_t interest)
{
	struct epoll_event event = {.events = interest, .data.ptr = end};
	int operation = EPOLL_CTL_MOD;

	if (interest == end->interest)
		return true;
	if (interest == 0)
		operation = EPOLL_CTL_DEL;
	else if (end->interest == 0)
		operation = EPOLL_CTL_ADD;
	end->interest = interest;
	return epoll_ctl(door->epoll, operation, end->fd, &event) == 0;
}

static void
end_relay(struct door *door, struct relay *relay)
{
	(void)set_interest(door, &relay->network, 0);
	if (relay->plain.fd >= 0)
		(void)set_interest(door, &relay->plain, 0);
	if (relay->previous != NULL)
		relay->previous->next = relay->next;
	else
		door->relays = relay->next;
	if (relay->next != NULL)
		relay->next->previous = relay->previous;
	relay->next = door->over;
	door->over = relay;
	door->connections--;
}

static void
free_ended(struct door *door)
{
	while (door->over != NULL) {
		struct relay *next = door->over->next;
		relay_free(door->over);
		door->over = next;
	}
}

/* Gives the gateway its end of a new pair, with the peer's address. */
static bool
hand_over(struct relay *relay)
{
	int ends[2];
	struct frame frame = {
		.type = FRAME_CONNECTION,
		.body = {(const uint8_t *)&relay->peer, relay->peer_size},
	};

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	frame.descriptor = ends[1];
	bool sent = channel_send(DOOR_GATEWAY_CHANNEL, &frame) == CHANNEL_OK;
	close(ends[1]);
	if (!sent) {
		close(ends[0]);
		return false;
	}
	relay_connect(relay, ends[0]);
	return true;
}

static void
advance(struct door *door, struct relay *relay, bool network_readable, bool plain_readable)
{
	enum relay_state state = relay_advance(relay, network_readable, plain_readable);

	if (state == RELAY_READY) {
		/* What came with the end of the handshake is already inside. */
		state = hand_over(relay) ? relay_advance(relay, true, false) : RELAY_OVER;
	}
	if (state == RELAY_OPEN)
		relay->deadline = now_ms() + DOOR_IDLE_MS;
	if (state == RELAY_OVER ||
	    !set_interest(door, &relay->network, relay_network_interest(relay)) ||
	    (relay->plain.fd >= 0 &&
	     !set_interest(door, &relay->plain, relay_plain_interest(relay))))
		end_relay(door, relay);
}

/* One source may hold half of all connections, so that none can shut the others out; the only one
 * there may be is anybody's. */
static bool
has_room(const struct door *door, const struct sockaddr_storage *peer)
{
	long share = (door->max_connections + 1) / 2;
	long same = 0;

	if (door->connections >= door->max_connections)
		return false;
	if (door->connections < share)
		return true;
	for (const struct relay *relay = door->relays; relay != NULL; relay = relay->next)
		same += relay_shares_source(relay, peer);
	return same < share;
}

static void
add_relay(struct door *door, int fd, const struct sockaddr_storage *peer, socklen_t peer_size)
{
	int yes = 1;
	struct relay *relay = NULL;

	if (has_room(door, peer))
		relay = relay_new(door->tls, fd, (const struct sockaddr *)peer, peer_size);
	if (relay == NULL) {
		close(fd);
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	relay->deadline = now_ms() + DOOR_HANDSHAKE_MS;
	relay->next = door->relays;
	if (door->relays != NULL)
		door->relays->previous = relay;
	door->relays = relay;
	door->connections++;
	advance(door, relay, true, false);
}

static void
accept_some(struct door *door, int listener)
{
	for (int i = 0; i < DOOR_ACCEPTS_PER_EVENT; i++) {
		struct sockaddr_storage peer = {0};
		socklen_t size = sizeof(peer);
		int fd = accept4(listener, (struct sockaddr *)&peer, &size,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		add_relay(door, fd, &peer, size);
	}
}

static void
sweep(struct door *door)
{
	int64_t now = now_ms();

	for (struct relay *relay = door->relays, *next; relay != NULL; relay = next) {
		next = relay->next;
		if (relay->deadline < now)
			end_relay(door, relay);
	}
}

static void
dispatch(struct door *door, const struct epoll_event *event)
{
	for (size_t i = 0; i < door->listener_count; i++) {
		if (event->data.ptr == &door->listeners[i]) {
			accept_some(door, door->listeners[i]);
			return;
		}
	}
	struct relay_end *end = event->data.ptr;
	if (end->interest == 0)
		return; /* its other end's event, in this same round, has ended it */
	bool readable = (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
	bool network = end == &end->relay->network;
	advance(door, end->relay, network && readable, !network && readable);
}

/* Until the gateway or the supervisor is gone. */
static void
serve(struct door *door)
{
	struct epoll_event events[DOOR_EVENTS];
	int64_t next_sweep = now_ms() + DOOR_SWEEP_MS;

	while (true) {
		int count = epoll_wait(door->epoll, events, DOOR_EVENTS, DOOR_SWEEP_MS);
		if (count < 0 && errno != EINTR)
			return;
		for (int i = 0; i < count; i++) {
			/* Both channels are for sending, or hung up. */
			if (events[i].data.ptr == NULL)
				return;
			dispatch(door, &events[i]);
		}
		if (now_ms() >= next_sweep) {
			sweep(door);
			next_sweep = now_ms() + DOOR_SWEEP_MS;
		}
		free_ended(door);
	}
}

static bool
watch(struct door *door, int fd, void *what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};

	return epoll_ctl(door->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool
open_listeners(struct door *door, const struct settings *settings)
{
	const char *address;
	char problem[200];

	while ((address = settings_get(settings, "listen", door->listener_count)) != NULL) {
		size_t i = door->listener_count;
		if (i == DOOR_LISTEN_MAX) {
			role_complain("listen: at most %d addresses", DOOR_LISTEN_MAX);
			return false;
		}
		door->listeners[i] = listen_at(address, problem);
		if (door->listeners[i] < 0) {
			role_complain("%s", problem);
			return false;
		}
		door->listener_count++;
		if (!watch(door, door->listeners[i], &door->listeners[i]))
			return false;
	}
	return true;
}

static const struct settings_key door_keys[] = {
	{"listen", true, true},	  {"tls_certificate", false, true},
	{"tls_key", false, true}, {"max_connections", false, true},
	{NULL, false, false},
};

static int
run(struct door *door, const struct settings *settings)
{
	if (!open_listeners(door, settings))
		return ROLE_EXIT_CONFIGURATION;
	if (!watch(door, ROLE_SUPERVISOR_CHANNEL, NULL) || !watch(door, DOOR_GATEWAY_CHANNEL, NULL))
		return ROLE_EXIT_FAILED;
	if (!role_confine(ROLE_DOOR) || !role_ready())
		return ROLE_EXIT_FAILED;
	serve(door);
	while (door->relays != NULL)
		end_relay(door, door->relays);
	free_ended(door);
	return ROLE_EXIT_ORPHANED;
}

int
door_main(void)
{
	struct door door = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
	char problem[200] = "no memory";

	auto_settings *settings = role_begin(door_keys);
	if (settings == NULL || door.epoll < 0)
		return ROLE_EXIT_FAILED;
	if (!settings_number(settings, "max_connections", 1, 1000000, 1, &door.max_connections))
		return ROLE_EXIT_FAILED;
	door.tls = tls_server_new(settings_get(settings, "tls_certificate", 0),
				  settings_get(settings, "tls_key", 0), problem);
	if (door.tls == NULL) {
		role_complain("%s", problem);
		return ROLE_EXIT_CONFIGURATION;
	}
	int status = run(&door, settings);
	tls_server_free(door.tls);
	return status;
}
