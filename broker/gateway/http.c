/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "http.h"
#include "routes.h"

struct http {
	struct MHD_Daemon *daemon;
	struct exchange *exchange;
	size_t bodies; /* capacity of all requests' bodies; the library's one thread counts */
};

/* One request, from its first header to its answer's last byte. */
struct request {
	struct MHD_Connection *connection;
	enum route_match match;
	const struct route *route;
	enum wire_status refusal; /* what is wrong with the body; WIRE_OK: nothing yet */
	bool sent;		  /* to the keeper: what comes next is the answer */
	enum frame_type type;
	enum route_view view;
	time_t begun;
	size_t received;
	uint8_t *body;
	size_t size;
	size_t capacity;
	char *answer; /* JSON text; NULL: no memory */
	unsigned status;
};

/* What operators send by stock clients stands here in clear. */
static void
request_drop_body(struct http *http, struct request *request)
{
	if (request->body != NULL)
		sodium_memzero(request->body, request->size);
	free(request->body);
	http->bodies -= request->capacity;
	request->body = NULL;
	request->size = request->capacity = 0;
}

static void
request_free(struct http *http, struct request *request)
{
	if (request == NULL)
		return;
	request_drop_body(http, request);
	free(request->answer);
	free(request);
}

static enum MHD_Result
respond(struct MHD_Connection *connection, unsigned status, char *json, const char *allow)
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
	if (allow != NULL)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
	enum MHD_Result result = MHD_queue_response(
		connection, json != NULL ? status : MHD_HTTP_SERVICE_UNAVAILABLE, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
refuse(struct MHD_Connection *connection, enum wire_status status, const char *problem)
{
	return respond(connection, wire_status_http(status), route_error(status, problem), NULL);
}

static enum MHD_Result
refuse_route(struct MHD_Connection *connection, const struct request *request)
{
	if (request->match == ROUTE_NOT_FOUND)
		return respond(connection, MHD_HTTP_NOT_FOUND, strdup("{\"errors\":[]}"), NULL);
	return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
		       strdup("{\"errors\":[\"unsupported method\"]}"),
		       route_methods(request->route));
}

/* In the thread that receives from the keeper. */
static void
answered(void *user, struct bytes answer)
{
	struct request *request = user;

	request->answer = route_answer(request->type, request->view, answer, &request->status);
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
	request->view = frame.view;
	request->sent = true;
	/* Suspended before it is sent: the answer may come before exchange_send returns. */
	MHD_suspend_connection(request->connection);
	if (!exchange_send(http->exchange, frame.type, (struct bytes){frame.memory, frame.size},
			   answered, request)) {
		request->status = wire_status_http(WIRE_BUSY);
		request->answer = route_error(WIRE_BUSY, NULL);
		MHD_resume_connection(request->connection);
	}
	sodium_memzero(frame.memory, frame.size);
	free(frame.memory);
	request_drop_body(http, request);
	return MHD_YES;
}

static time_t
time_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

/* Doubles, so that little is copied. Small ones always have room: those who send
 * large ones cannot shut the others out. */
static enum wire_status
request_grow(struct http *http, struct request *request, size_t needed)
{
	size_t capacity = 2 * needed < ROUTE_BODY_MAX ? 2 * needed : ROUTE_BODY_MAX;
	size_t more = capacity - request->capacity;
	uint8_t *body;

	if (capacity > HTTP_SMALL_BODY && http->bodies + more > HTTP_BODIES_MAX)
		return WIRE_BUSY;
	body = malloc(capacity);
	if (body == NULL)
		return WIRE_BUSY;
	size_t size = request->size;
	if (size > 0)
		memcpy(body, request->body, size);
	request_drop_body(http, request);
	request->body = body;
	request->size = size;
	request->capacity = capacity;
	http->bodies += capacity;
	return WIRE_OK;
}

static void
request_append(struct http *http, struct request *request, const char *data, size_t size)
{
	if (request->match != ROUTE_FOUND || request->refusal != WIRE_OK)
		return; /* swallowed: the library answers only after the upload */
	if (size > ROUTE_BODY_MAX - request->size)
		request->refusal = WIRE_LIMIT;
	else if (request->capacity - request->size < size)
		request->refusal = request_grow(http, request, request->size + size);
	if (request->refusal != WIRE_OK) {
		request_drop_body(http, request);
		return;
	}
	memcpy(request->body + request->size, data, size);
	request->size += size;
}

static enum MHD_Result
count_framing(void *user, enum MHD_ValueKind kind, const char *name, const char *text)
{
	unsigned *count = user;

	(void)kind;
	(void)text;
	*count += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 ||
		  strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
	return MHD_YES;
}

/* The library takes the first of two lengths; a proxy in front of us may take the last, and what is
 * a body there would be a request here (RFC 9112, 6.3). */
static bool
framed_once(struct MHD_Connection *connection)
{
	unsigned count = 0;

	(void)MHD_get_connection_values(connection, MHD_HEADER_KIND, count_framing, &count);
	return count <= 1;
}

static enum MHD_Result
request_begin(struct MHD_Connection *connection, const char *url, const char *method,
	      void **ret_request)
{
	struct request *request = framed_once(connection) ? calloc(1, sizeof(*request)) : NULL;

	if (request == NULL)
		return MHD_NO; /* closes the connection */
	request->connection = connection;
	request->begun = time_now();
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
		request->received += *upload_size;
		if (request->received > HTTP_UPLOAD_MAX ||
		    time_now() - request->begun > HTTP_UPLOAD_SECONDS)
			return MHD_NO;
		request_append(http, request, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (request->sent) {
		char *answer = request->answer;
		request->answer = NULL;
		return respond(connection, request->status, answer, NULL);
	}
	if (request->match != ROUTE_FOUND)
		return refuse_route(connection, request);
	if (request->refusal != WIRE_OK)
		return refuse(connection, request->refusal, NULL);
	return forward(http, request);
}

static void
on_completed(void *user, struct MHD_Connection *connection, void **request_slot,
	     enum MHD_RequestTerminationCode code)
{
	(void)connection;
	(void)code;
	request_free(user, *request_slot);
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
		(unsigned)HTTP_IDLE_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
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
