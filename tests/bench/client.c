/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

#define CLIENT_ANSWER_MAX (256 * 1024)

struct client {
	SSL_CTX *context;
	SSL *ssl;
	SSL_SESSION *session;
	int fd;
	unsigned port;
	unsigned made;
	unsigned resumed;
	char answer[CLIENT_ANSWER_MAX];
};

void
bench_die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	exit(1);
}

static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct client *client = SSL_get_app_data(ssl);

	SSL_SESSION_free(client->session);
	client->session = session;
	return 1; /* the reference is kept */
}

struct client *
client_new(const char *ca, unsigned port)
{
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		bench_die("no memory");
	client->fd = -1;
	client->port = port;
	client->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(client->context, TLS1_3_VERSION);
	SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(client->context,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(client->context, keep_session);
	if (SSL_CTX_load_verify_file(client->context, ca) != 1)
		bench_die("%s is not a CA", ca);
	return client;
}

void
client_disconnect(struct client *client)
{
	if (client->ssl != NULL) {
		(void)SSL_shutdown(client->ssl);
		SSL_free(client->ssl);
		client->ssl = NULL;
	}
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

void
client_free(struct client *client)
{
	if (client == NULL)
		return;
	client_disconnect(client);
	SSL_SESSION_free(client->session);
	SSL_CTX_free(client->context);
	free(client);
}

void
client_counts(const struct client *client, unsigned *ret_made, unsigned *ret_resumed)
{
	*ret_made = client->made;
	*ret_resumed = client->resumed;
}

static void
quick_ack(const struct client *client)
{
	int yes = 1;

	/* The kernel turns it off again by itself. */
	(void)setsockopt(client->fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof(yes));
}

static void
connect_now(struct client *client)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)client->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int yes = 1;

	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		bench_die("the broker's port does not answer");
	(void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	quick_ack(client);
	client->ssl = SSL_new(client->context);
	SSL_set_app_data(client->ssl, client);
	SSL_set_fd(client->ssl, client->fd);
	if (client->session != NULL)
		SSL_set_session(client->ssl, client->session);
	if (SSL_connect(client->ssl) != 1)
		bench_die("TLS handshake: %s", ERR_reason_error_string(ERR_peek_last_error()));
	client->made++;
	client->resumed += SSL_session_reused(client->ssl) == 1;
}

/* Reads one answer: headers, then Content-Length bytes. Returns its status; the body is in
 * client->answer. */
static int
read_answer(struct client *client, char **ret_body)
{
	size_t size = 0;
	char *end = NULL;
	long length = -1;
	int status = 0;

	while (end == NULL || size < (size_t)(end + 4 - client->answer) + (size_t)length) {
		size_t got = 0;
		if (SSL_read_ex(client->ssl, client->answer + size, CLIENT_ANSWER_MAX - 1 - size,
				&got) != 1)
			bench_die("the connection ended within an answer");
		quick_ack(client);
		size += got;
		client->answer[size] = '\0';
		if (end == NULL && (end = strstr(client->answer, "\r\n\r\n")) != NULL) {
			const char *header = strcasestr(client->answer, "\r\nContent-Length:");
			if (header == NULL || sscanf(client->answer, "HTTP/1.1 %d", &status) != 1)
				bench_die("an answer without a status or length");
			length = strtol(header + strlen("\r\nContent-Length:"), NULL, 10);
		}
	}
	*ret_body = end + 4;
	return status;
}

json_t *
client_post(struct client *client, const char *path, json_t *request, int *ret_status)
{
	char *text = json_dumps(request, JSON_COMPACT);
	char *message = NULL;
	char *body = NULL;
	size_t written = 0;

	if (client->ssl == NULL)
		connect_now(client);
	int size =
		asprintf(&message,
			 "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
			 "Content-Length: %zu\r\n\r\n%s",
			 path, strlen(text), text);
	if (size < 0 || SSL_write_ex(client->ssl, message, (size_t)size, &written) != 1)
		bench_die("the connection does not take a request");
	free(message);
	free(text);
	json_decref(request);
	*ret_status = read_answer(client, &body);
	json_t *answer = json_loads(body, 0, NULL);
	if (answer == NULL)
		bench_die("an answer that is not JSON");
	return answer;
}

json_t *
json_of(struct bytes value)
{
	size_t size = sodium_base64_encoded_len(value.size, sodium_base64_VARIANT_ORIGINAL);
	char *text = malloc(size);

	sodium_bin2base64(text, size, value.data, value.size, sodium_base64_VARIANT_ORIGINAL);
	json_t *string = json_stringn_nocheck(text, size - 1);
	free(text);
	return string;
}

size_t
json_bytes(const json_t *object, const char *member, uint8_t *ret_memory, size_t capacity)
{
	const json_t *value = json_object_get(object, member);
	size_t size = 0;

	if (!json_is_string(value) ||
	    sodium_base642bin(ret_memory, capacity, json_string_value(value),
			      json_string_length(value), NULL, &size, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0)
		bench_die("an answer without %s", member);
	return size;
}
