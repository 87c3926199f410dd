/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP by libmicrohttpd, which only http.c sees. */
#ifndef POSTERN_GATEWAY_HTTP_H
#define POSTERN_GATEWAY_HTTP_H

#include <sys/socket.h>

#include "exchange.h"

#define HTTP_HEADERS_MAX    (16 * 1024) /* bytes of a connection's request line and headers */
#define HTTP_IDLE_SECONDS   120		/* a connection without a byte */
#define HTTP_UPLOAD_SECONDS 60		/* a body, from its headers to its last byte */
#define HTTP_UPLOAD_MAX	    (16 * 1024 * 1024)	/* read before it is answered, whatever is wrong */
#define HTTP_BODIES_MAX	    (256 * 1024 * 1024) /* memory of all requests' bodies together */
#define HTTP_SMALL_BODY	    (64 * 1024)		/* has room beyond that */

struct http;

/* NULL: the library did not start. It ends with the process: when the door is gone nobody is left
 * to be answered. */
struct http *http_start(struct exchange *exchange, unsigned max_connections);
/* Owns the socket from here on, also on failure. */
void http_add(struct http *http, int socket, const struct sockaddr *peer, socklen_t peer_size);

#endif
