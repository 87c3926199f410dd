/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http.h"
#include "routes.h"

struct http {
	struct MHD_Daemon *daemon;
	struct exchange *exchange;
};

/* One request, from its first header to its answer's last byte. */
struct request {
	struct MHD_Connection *connection;
	enum route_match match;
	const struct route *route;
	bool too_large;
	bool sent; /* to the keeper: what comes next is the answer */
	enum frame_type type;
	uint8_t *body;
	size_t size;
	size_t capacity;
	char *answer; /* JSON text; NULL: no memory */
	unsigned status;
};

static void
request_free(struct request *request)
{
	if (request == NULL)
		return;
	free(request->body);
	free(request->answer);
	free(request);
}

static enum MHD_Result
respond(struct MHD_Connection *connection, unsigned status, char *json)
{
	static char no_memory[] = "{\"errors\":[\"busy: try again\"]}";
	/* The library frees a text of ours with free(), or keeps its hands off a literal. */
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(json != NULL ? json : no_memory), json != NULL ? json : no_memory,
		json != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);

	if (response == NULL) {
		free(json);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	enum MHD_Result result = MHD_queue_response(
		connection, json != NULL ? status : MHD_HTTP_SERVICE_UNAVAILABLE, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
refuse(struct MHD_Connection *connection, enum wire_status status, const char *problem)
{
	return respond(connection, wire_status_http(status), route_error(status, problem));
}

static enum MHD_Result
refuse_route(struct MHD_Connection *connection, enum route_match match)
{
	bool method = match == ROUTE_WRONG_METHOD;
	char *json = strdup(method ? "{\"errors\":[\"unsupported method\"]}" : "{\"errors\":[]}");

	return respond(connection, method ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND, json);
}

/* In the thread that receives from the keeper. */
static void
answered(void *user, struct bytes answer)
{
	struct request *request = user;

	request->answer = route_answer(request->type, answer, &request->status);
	MHD_resume_connection(request->connection);
}

static void
peer_text(struct MHD_Connection *connection, char ret_text[64])
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	char address[INET6_ADDRSTRLEN] = "unknown";
	unsigned port = 0;

	if (info != NULL && info->client_addr != NULL && info->client_addr->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, info->client_addr, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, address, sizeof(address));
		port = ntohs(in.sin_port);
	} else if (info != NULL && info->client_addr != NULL &&
		   info->client_addr->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, info->client_addr, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, address, sizeof(address));
		port = ntohs(in6.sin6_port);
	}
	snprintf(ret_text, 64, "%s %u", address, port);
}

static enum MHD_Result
forward(struct http *http, struct request *request)
{
	struct route_frame frame;
	const char *problem = NULL;
	char peer[64];

	peer_text(request->connection, peer);
	enum wire_status status =
		route_request(request->route, (struct bytes){request->body, request->size}, peer,
			      &frame, &problem);
	if (status != WIRE_OK)
		return refuse(request->connection, status, problem);
	request->type = frame.type;
	request->sent = true;
	/* Suspended before it is sent: the answer may come before exchange_send returns. */
	MHD_suspend_connection(request->connection);
	if (!exchange_send(http->exchange, frame.type, (struct bytes){frame.memory, frame.size},
			   answered, request)) {
		request->status = wire_status_http(WIRE_BUSY);
		request->answer = route_error(WIRE_BUSY, NULL);
		MHD_resume_connection(request->connection);
	}
	free(frame.memory);
	return MHD_YES;
}

static void
request_append(struct request *request, const char *data, size_t size)
{
	if (request->too_large || request->match != ROUTE_FOUND)
		return; /* swallowed: the library answers only after the upload */
	if (size > ROUTE_BODY_MAX - request->size) {
		request->too_large = true;
		return;
	}
	if (request->capacity - request->size < size) {
		size_t capacity = 2 * (request->size + size);
		uint8_t *body = realloc(request->body, capacity);
		if (body == NULL) {
			request->too_large = true;
			return;
		}
		request->body = body;
		request->capacity = capacity;
	}
	memcpy(request->body + request->size, data, size);
	request->size += size;
}

static enum MHD_Result
request_begin(struct MHD_Connection *connection, const char *url, const char *method,
	      void **ret_request)
{
	struct request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		return MHD_NO;
	request->connection = connection;
	request->match = route_find(method, url, &request->route);
	*ret_request = request;
	return MHD_YES;
}

/* Called by the library: first with the headers, then for each piece of the body, then at its end,
 * and once more after a suspended request was resumed. */
static enum MHD_Result
on_request(void *user, struct MHD_Connection *connection, const char *url, const char *method,
	   const char *version, const char *upload, size_t *upload_size, void **request_slot)
{
	struct http *http = user;
	struct request *request = *request_slot;

	(void)version;
	if (request == NULL)
		return request_begin(connection, url, method, request_slot);
	if (*upload_size > 0) {
		request_append(request, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (request->sent) {
		char *answer = request->answer;
		request->answer = NULL;
		return respond(connection, request->status, answer);
	}
	if (request->match != ROUTE_FOUND)
		return refuse_route(connection, request->match);
	if (request->too_large)
		return refuse(connection, WIRE_LIMIT, NULL);
	return forward(http, request);
}

static void
on_completed(void *user, struct MHD_Connection *connection, void **request_slot,
	     enum MHD_RequestTerminationCode code)
{
	(void)user;
	(void)connection;
	(void)code;
	request_free(*request_slot);
	*request_slot = NULL;
}

/* The library decodes %00 to an end of text and %2e%2e to "..". No route of ours needs an escape:
 * left as they are, they match none. */
static size_t
keep_escapes(void *user, struct MHD_Connection *connection, char *text)
{
	(void)user;
	(void)connection;
	return strlen(text);
}

/* Its messages quote what clients sent: they go nowhere. */
static void
drop_message(void *user, const char *format, va_list arguments)
{
	(void)user;
	(void)format;
	(void)arguments;
}

struct http *
http_start(struct exchange *exchange, unsigned max_connections)
{
	struct http *http = calloc(1, sizeof(*http));

	if (http == NULL)
		return NULL;
	http->exchange = exchange;
	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
			MHD_ALLOW_SUSPEND_RESUME,
		0, NULL, NULL, on_request, http,
		/* first, so that what the others complain of is dropped too */
		MHD_OPTION_EXTERNAL_LOGGER, drop_message, NULL, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, http, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
		MHD_OPTION_CONNECTION_LIMIT, max_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HTTP_HEADERS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)HTTP_IDLE_SECONDS, MHD_OPTION_END);
	if (http->daemon == NULL) {
		free(http);
		return NULL;
	}
	return http;
}

void
http_add(struct http *http, int socket, const struct sockaddr *peer, socklen_t peer_size)
{
	/* It closes the socket itself when it cannot take it. */
	(void)MHD_add_connection(http->daemon, socket, peer, peer_size);
}

void
http_stop(struct http *http)
{
	if (http == NULL)
		return;
	/* Suspended connections may not be stopped: wait for the keeper's answers, which are on
	 * their way. */
	for (int i = 0; i < 50; i++) {
		const union MHD_DaemonInfo *info =
			MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
		if (info == NULL || info->num_connections == 0)
			break;
		usleep(20000);
	}
	MHD_stop_daemon(http->daemon);
	free(http);
}
