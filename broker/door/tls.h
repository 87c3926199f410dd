/* SPDX-License-Identifier: Apache-2.0 */
/* TLS 1.3 by OpenSSL over a non-blocking socket; only tls.c sees OpenSSL. */
#ifndef POSTERN_DOOR_TLS_H
#define POSTERN_DOOR_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_RECORD_MAX (16 * 1024)

struct tls_server;
struct tls;

enum tls_result {
	TLS_OK = 0,
	TLS_WANT_READ,	/* call again when the socket can be read */
	TLS_WANT_WRITE, /* call again, with the same bytes, when it can be written */
	TLS_CLOSED,	/* by the peer, or broken */
};

/* PEM files: certificate chain, leaf first, and its key. NULL, and a problem in words, if they are
 * not good. */
struct tls_server *tls_server_new(const char *certificate, const char *key, char problem[200]);
void tls_server_free(struct tls_server *server);

struct tls *tls_new(struct tls_server *server, int socket);
/* Says goodbye if the socket takes it at once; does not close the socket. */
void tls_free(struct tls *tls);

enum tls_result tls_handshake(struct tls *tls);
enum tls_result tls_read(struct tls *tls, uint8_t *memory, size_t capacity, size_t *ret_size);
/* At most one record: `ret_size` may be less than `size`. */
enum tls_result tls_write(struct tls *tls, const uint8_t *data, size_t size, size_t *ret_size);
/* Bytes are waiting inside, whatever the socket says. */
bool tls_pending(const struct tls *tls);

#endif
