/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP by libmicrohttpd, which only http.c sees. */
#ifndef POSTERN_GATEWAY_HTTP_H
#define POSTERN_GATEWAY_HTTP_H

#include <sys/socket.h>

#include "exchange.h"

#define HTTP_HEADERS_MAX                                                                           \
	(16 * 1024) /* libmicrohttpd's memory for one connection's request line and headers */
#define HTTP_IDLE_SECONDS 120

struct http;

/* NULL: the library did not start. */
struct http *http_start(struct exchange *exchange, unsigned max_connections);
/* Owns the socket from here on, also on failure. */
void http_add(struct http *http, int socket, const struct sockaddr *peer, socklen_t peer_size);
/* Waits until no request is being worked on, at most a few seconds. */
void http_stop(struct http *http);

#endif
