/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "relay.h"

#define RELAY_RECORDS_A_TURN 8

struct relay *
relay_new(struct tls_server *server, int socket, const struct sockaddr *peer, socklen_t peer_size)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (relay == NULL || peer_size > sizeof(relay->peer)) {
		free(relay);
		return NULL;
	}
	relay->tls = tls_new(server, socket);
	if (relay->tls == NULL) {
		free(relay);
		return NULL;
	}
	relay->network = (struct relay_end){.relay = relay, .fd = socket};
	relay->plain = (struct relay_end){.relay = relay, .fd = -1};
	memcpy(&relay->peer, peer, peer_size);
	relay->peer_size = peer_size;
	return relay;
}

void
relay_free(struct relay *relay)
{
	if (relay == NULL)
		return;
	tls_free(relay->tls);
	close(relay->network.fd);
	if (relay->plain.fd >= 0)
		close(relay->plain.fd);
	/* What guests and operators sent passes through here in clear. */
	explicit_bzero(relay, sizeof(*relay));
	free(relay);
}

void
relay_connect(struct relay *relay, int plain)
{
	relay->plain.fd = plain;
	relay->state = RELAY_OPEN;
}

static bool
flow_empty(const struct relay_flow *flow)
{
	return flow->start == flow->end;
}

static void
flow_filled(struct relay_flow *flow, size_t size)
{
	flow->start = 0;
	flow->end = size;
}

bool
relay_shares_source(const struct relay *relay, const struct sockaddr_storage *peer)
{
	if (relay->peer.ss_family != peer->ss_family)
		return false;
	if (peer->ss_family == AF_INET)
		return memcmp(&((const struct sockaddr_in *)&relay->peer)->sin_addr,
			      &((const struct sockaddr_in *)peer)->sin_addr,
			      sizeof(struct in_addr)) == 0;
	const struct in6_addr *a = &((const struct sockaddr_in6 *)&relay->peer)->sin6_addr;
	const struct in6_addr *b = &((const struct sockaddr_in6 *)peer)->sin6_addr;
	return memcmp(a, b, IN6_IS_ADDR_V4MAPPED(a) ? sizeof(*a) : RELAY_SOURCE_PREFIX) == 0;
}

/* False: the gateway's end is gone. */
static bool
write_plain(struct relay *relay)
{
	struct relay_flow *flow = &relay->inbound;
	ssize_t written = send(relay->plain.fd, flow->bytes + flow->start, flow->end - flow->start,
			       MSG_NOSIGNAL);

	if (written < 0)
		return errno == EAGAIN || errno == EINTR;
	flow->start += (size_t)written;
	return true;
}

/* Record by record, until all is written or the socket is full: a guest may have asked for small
 * records (RFC 6066, 4), and no event would come for the second one. */
static bool
write_network(struct relay *relay)
{
	struct relay_flow *flow = &relay->outbound;
	enum tls_result result = TLS_OK;

	while (!flow_empty(flow) && result == TLS_OK) {
		size_t written = 0;
		result = tls_write(relay->tls, flow->bytes + flow->start, flow->end - flow->start,
				   &written);
		if (result == TLS_OK)
			flow->start += written;
	}
	relay->tls_wants_write = result == TLS_WANT_WRITE;
	return result != TLS_CLOSED;
}

/* Network to gateway. */
static bool
copy_in(struct relay *relay, bool readable)
{
	bool again = readable || relay->read_again;

	relay->read_again = false;
	for (int i = 0; i < RELAY_RECORDS_A_TURN; i++) {
		if (!flow_empty(&relay->inbound) && !write_plain(relay))
			return false;
		if (!flow_empty(&relay->inbound) || !(again || tls_pending(relay->tls)))
			return true;
		size_t size = 0;
		enum tls_result result =
			tls_read(relay->tls, relay->inbound.bytes, TLS_RECORD_MAX, &size);
		if (result == TLS_CLOSED)
			return false;
		relay->read_again = result == TLS_WANT_WRITE;
		if (result != TLS_OK)
			return true;
		flow_filled(&relay->inbound, size);
		/* A record is mostly a whole request: epoll says when there is more. */
		again = false;
	}
	/* The others' turn. What TLS still holds raises no event of its own. */
	relay->read_again = true;
	return flow_empty(&relay->inbound) || write_plain(relay);
}

/* Gateway to network. */
static bool
copy_out(struct relay *relay, bool readable)
{
	if (!flow_empty(&relay->outbound) && !write_network(relay))
		return false;
	if (!flow_empty(&relay->outbound) || !readable)
		return true;
	ssize_t size = recv(relay->plain.fd, relay->outbound.bytes, TLS_RECORD_MAX, 0);
	if (size < 0)
		return errno == EAGAIN || errno == EINTR;
	if (size == 0)
		return false;
	flow_filled(&relay->outbound, (size_t)size);
	return write_network(relay);
}

enum relay_state
relay_advance(struct relay *relay, bool network_readable, bool plain_readable)
{
	if (relay->state == RELAY_HANDSHAKE) {
		enum tls_result result = tls_handshake(relay->tls);
		relay->tls_wants_write = result == TLS_WANT_WRITE;
		if (result == TLS_OK)
			relay->state = RELAY_READY;
		else if (result == TLS_CLOSED)
			relay->state = RELAY_OVER;
	} else if (relay->state == RELAY_OPEN) {
		if (!copy_out(relay, plain_readable) || !copy_in(relay, network_readable))
			relay->state = RELAY_OVER;
	}
	return relay->state;
}

uint32_t
relay_network_interest(const struct relay *relay)
{
	uint32_t events = relay->tls_wants_write || relay->read_again ? EPOLLOUT : 0;

	/* A full inbound flow waits for the gateway; TLS may read to go on writing. */
	if (relay->state == RELAY_HANDSHAKE || flow_empty(&relay->inbound))
		events |= EPOLLIN;
	return events;
}

uint32_t
relay_plain_interest(const struct relay *relay)
{
	return (flow_empty(&relay->inbound) ? 0u : (uint32_t)EPOLLOUT) |
	       (flow_empty(&relay->outbound) ? (uint32_t)EPOLLIN : 0u);
}
