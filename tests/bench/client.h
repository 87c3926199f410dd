/* SPDX-License-Identifier: Apache-2.0 */
/* A small blocking HTTPS client, so that what is measured is the daemon: TCP_NODELAY, TCP_QUICKACK,
 * TLS 1.3, sessions resumed. */
#ifndef POSTERN_BENCH_CLIENT_H
#define POSTERN_BENCH_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "attest/bytes.h"

struct client; /* one thread's connection */

/* `ca`: PEM file. */
struct client *client_new(const char *ca, unsigned port);
void client_free(struct client *client);
/* Ends the connection; the next request makes a new one, resumed by the session's ticket where
 * there is one. */
void client_disconnect(struct client *client);
/* POSTs and returns the answer's JSON; the request's reference is taken. Exits the program on a
 * broken connection. */
json_t *client_post(struct client *client, const char *path, json_t *request, int *ret_status);
/* Connections made, and how many of them resumed. */
void client_counts(const struct client *client, unsigned *ret_made, unsigned *ret_resumed);

json_t *json_of(struct bytes value); /* base64 */
/* Decodes a base64 member into memory of that exact or smaller size; exits where it is not there.
 */
size_t json_bytes(const json_t *object, const char *member, uint8_t *ret_memory, size_t capacity);

__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);

#endif
