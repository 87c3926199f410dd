/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway: HTTP and JSON on one side, small typed frames on the other. It holds no key and
 * decides nothing: what it forwards is checked in the keeper.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "http.h"
#include "json.h"
#include "supervisor/role.h"

#define GATEWAY_EXCHANGES_MAX 4096 /* requests waiting for the keeper */

static void *
receive_answers(void *exchange)
{
	exchange_run(exchange);
	/* The keeper is gone: so is the daemon. */
	_exit(ROLE_EXIT_ORPHANED);
}

static void
receive_connections(struct http *http)
{
	struct frame_buffer buffer = {0};
	struct frame frame;

	while (channel_receive(GATEWAY_DOOR_CHANNEL, &buffer, &frame) == CHANNEL_OK) {
		struct sockaddr_storage peer = {0};
		if (frame.descriptor < 0)
			continue;
		if (frame.type != FRAME_CONNECTION || frame.body.size > sizeof(peer)) {
			close(frame.descriptor);
			continue;
		}
		memcpy(&peer, frame.body.data, frame.body.size);
		http_add(http, frame.descriptor, (const struct sockaddr *)&peer,
			 (socklen_t)frame.body.size);
	}
	frame_buffer_clear(&buffer);
}

static const struct settings_key gateway_keys[] = {
	{"max_connections", false, true},
	{NULL, false, false},
};

int
gateway_main(void)
{
	long max_connections;
	pthread_t receiver;

	auto_settings *settings = role_begin(gateway_keys);
	if (settings == NULL ||
	    !settings_number(settings, "max_connections", 1, 1000000, 1, &max_connections))
		return ROLE_EXIT_FAILED;
	if (!role_confine(ROLE_GATEWAY))
		return ROLE_EXIT_FAILED;
	body_start();
	struct exchange *exchange = exchange_new(GATEWAY_KEEPER_CHANNEL, GATEWAY_EXCHANGES_MAX);
	struct http *http =
		exchange != NULL ? http_start(exchange, (unsigned)max_connections) : NULL;
	if (http == NULL) {
		role_complain("the HTTP server does not start: %s", strerror(errno));
		return ROLE_EXIT_FAILED;
	}
	int error = pthread_create(&receiver, NULL, receive_answers, exchange);
	if (error != 0) {
		role_complain("no thread: %s", strerror(error));
		return ROLE_EXIT_FAILED;
	}
	if (!role_ready())
		return ROLE_EXIT_FAILED;
	receive_connections(http);
	return ROLE_EXIT_ORPHANED;
}
