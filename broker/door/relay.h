/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One guest's connection: a handshake, then bytes copied both ways between TLS and the gateway's
 * plain socket, with one record's worth of memory in each direction: a slow reader stops its own
 * writer and nobody else.
 */
#ifndef POSTERN_DOOR_RELAY_H
#define POSTERN_DOOR_RELAY_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "tls.h"

#define RELAY_SOURCE_PREFIX 8 /* bytes of an IPv6 address: who has one has its whole /64 */

struct relay;

enum relay_state {
	RELAY_HANDSHAKE,
	RELAY_READY, /* the handshake has just ended: relay_connect is due */
	RELAY_OPEN,
	RELAY_OVER, /* relay_free is due */
};

/* Which of a relay's two sockets an event is about. */
struct relay_end {
	struct relay *relay;
	int fd;
	uint32_t interest; /* epoll events asked for */
};

struct relay {
	struct relay_end network;
	struct relay_end plain; /* fd -1 until connected */
	struct sockaddr_storage peer;
	socklen_t peer_size;
	int64_t deadline; /* milliseconds of the monotonic clock: the relay ends unless it moves on
			   */
	struct relay *next; /* the door's list */
	struct relay *previous;
	/* private to relay.c */
	enum relay_state state;
	struct tls *tls;
	bool tls_wants_write;
	bool read_again; /* as soon as the network can be written, whatever it has to say */
	struct relay_flow {
		size_t start;
		size_t end;
		uint8_t bytes[TLS_RECORD_MAX];
	} inbound, outbound;
};

/* Owns the accepted, non-blocking socket on success. */
struct relay *relay_new(struct tls_server *server, int socket, const struct sockaddr *peer,
			socklen_t peer_size);
void relay_free(struct relay *relay);

/* Goes on as far as it can without waiting. `readable`: which ends the events say may be read. */
enum relay_state relay_advance(struct relay *relay, bool network_readable, bool plain_readable);
/* RELAY_READY: the plain socket to copy to, which the relay owns. */
void relay_connect(struct relay *relay, int plain);
/* The same IPv4 address, or the same IPv6 network of one customer. */
bool relay_shares_source(const struct relay *relay, const struct sockaddr_storage *peer);
/* The epoll events that the relay now waits for, at each end. */
uint32_t relay_network_interest(const struct relay *relay);
uint32_t relay_plain_interest(const struct relay *relay);

#endif
