/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTPS client: TLS 1.3, the pinned CA and no other, no redirect, no proxy, bounded answers. */
#ifndef POSTERN_COMMAND_HTTP_H
#define POSTERN_COMMAND_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_ANSWER_MAX	     (4 * 1024 * 1024)
#define HTTP_URL_MAX	     512
#define HTTP_CONNECT_SECONDS 2
#define HTTP_MILLISECONDS    30000 /* for one question and its answer, where nothing presses */
#define HTTP_PROBLEM_SIZE    256

enum http_status {
	HTTP_OK = 0,	  /* there is an answer, whatever its status */
	HTTP_UNREACHABLE, /* no connection was made: nothing was sent */
	HTTP_BROKEN,	/* the connection was lost or timed out: what was sent may have been done */
	HTTP_UNTRUSTED, /* the server's certificate is not one of the pinned CA for that name */
	HTTP_LIMIT,
	HTTP_SETUP, /* the CA's file, the URL, or memory */
};

struct http_answer {
	long status;
	char *body; /* of the client, until its next call */
	size_t size;
};

struct http;
/* NULL without memory. `ca` is the path of the pinned CA's PEM. */
struct http *http_new(const char *ca);
void http_free(struct http *http);

struct http_request {
	const char *url;
	const char *json;
	size_t size;
	long milliseconds; /* from the name's resolution to the answer's last byte */
	bool once;	   /* never sent a second time, whatever becomes of the connection */
};

/* POSTs JSON. `problem` tells what failed. */
__attribute__((warn_unused_result)) enum http_status http_post(struct http *http,
							       const struct http_request *request,
							       struct http_answer *ret_answer,
							       char problem[HTTP_PROBLEM_SIZE]);

#endif
