/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "tls.h"

struct tls_server {
	SSL_CTX *context;
};

/* A guest's handshake is two or three messages; what follows can only be changes of its key, which
 * it needs after 2^24 records. */
#define TLS_MESSAGES_MAX 32

struct tls {
	SSL *ssl;
	unsigned messages; /* handshake messages received */
};

static struct tls_server *
fail(struct tls_server *server, char problem[200], const char *what, const char *file)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	snprintf(problem, 200, "%s %.120s: %s", what, file, reason != NULL ? reason : "not good");
	ERR_clear_error();
	tls_server_free(server);
	return NULL;
}

/* One SSL_read goes on for as long as messages come, and this is all guests' one thread: too many,
 * and the socket is taken away from under it. */
static void
count_message(int sent, int version, int content_type, const void *message, size_t size, SSL *ssl,
	      void *argument)
{
	struct tls *tls = argument;

	(void)version;
	(void)message;
	(void)size;
	if (sent || content_type != SSL3_RT_HANDSHAKE)
		return;
	if (++tls->messages > TLS_MESSAGES_MAX)
		(void)BIO_set_fd(SSL_get_rbio(ssl), -1, BIO_NOCLOSE);
}

static bool
configure(SSL_CTX *context)
{
	static const unsigned char session_context[] = "postern";

	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
					     SSL_OP_CLEANSE_PLAINTEXT);
	/* Records are read whole, not header and body in two calls; retried writes may move. */
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					  SSL_MODE_RELEASE_BUFFERS);
	/* Returning guests resume by tickets, whose keys live in this process and die with it.
	 * Early data stays off: it could be replayed. */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_early_data(context, 0);
	return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_num_tickets(context, 1) == 1 &&
	       SSL_CTX_set_session_id_context(context, session_context, sizeof(session_context)) ==
		       1 &&
	       SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
	       SSL_CTX_set_ciphersuites(context,
					"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
					"TLS_AES_256_GCM_SHA384") == 1;
}

struct tls_server *
tls_server_new(const char *certificate, const char *key, char problem[200])
{
	struct tls_server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return NULL;
	server->context = SSL_CTX_new(TLS_server_method());
	if (server->context == NULL || !configure(server->context))
		return fail(server, problem, "TLS", "set-up");
	if (SSL_CTX_use_certificate_chain_file(server->context, certificate) != 1)
		return fail(server, problem, "tls_certificate", certificate);
	if (SSL_CTX_use_PrivateKey_file(server->context, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(server->context) != 1)
		return fail(server, problem, "tls_key", key);
	return server;
}

void
tls_server_free(struct tls_server *server)
{
	if (server == NULL)
		return;
	SSL_CTX_free(server->context);
	free(server);
}

struct tls *
tls_new(struct tls_server *server, int socket)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (tls == NULL)
		return NULL;
	tls->ssl = SSL_new(server->context);
	if (tls->ssl == NULL || SSL_set_fd(tls->ssl, socket) != 1) {
		tls_free(tls);
		return NULL;
	}
	SSL_set_msg_callback(tls->ssl, count_message);
	SSL_set_msg_callback_arg(tls->ssl, tls);
	SSL_set_accept_state(tls->ssl);
	return tls;
}

void
tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	if (tls->ssl != NULL && SSL_is_init_finished(tls->ssl))
		(void)SSL_shutdown(tls->ssl);
	ERR_clear_error();
	SSL_free(tls->ssl);
	free(tls);
}

static enum tls_result
result_of(struct tls *tls, int returned)
{
	int error = SSL_get_error(tls->ssl, returned);

	if (error == SSL_ERROR_WANT_READ)
		return TLS_WANT_READ;
	if (error == SSL_ERROR_WANT_WRITE)
		return TLS_WANT_WRITE;
	/* After a failure the connection may not be touched again, not even by a goodbye. */
	if (error != SSL_ERROR_ZERO_RETURN)
		SSL_set_quiet_shutdown(tls->ssl, 1);
	ERR_clear_error();
	return TLS_CLOSED;
}

enum tls_result
tls_handshake(struct tls *tls)
{
	int returned = SSL_do_handshake(tls->ssl);

	return returned == 1 ? TLS_OK : result_of(tls, returned);
}

enum tls_result
tls_read(struct tls *tls, uint8_t *memory, size_t capacity, size_t *ret_size)
{
	int returned = SSL_read_ex(tls->ssl, memory, capacity, ret_size);

	return returned == 1 ? TLS_OK : result_of(tls, returned);
}

enum tls_result
tls_write(struct tls *tls, const uint8_t *data, size_t size, size_t *ret_size)
{
	int returned = SSL_write_ex(tls->ssl, data, size, ret_size);

	return returned == 1 ? TLS_OK : result_of(tls, returned);
}

bool
tls_pending(const struct tls *tls)
{
	return SSL_has_pending(tls->ssl) == 1;
}
