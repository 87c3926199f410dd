/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators' requests: challenge, frame, signature, answer. Nothing of an answer is given out
 * before the broker's signature over it, and the hash of the request in it, are verified with the
 * pinned key.
 */
#ifndef POSTERN_COMMAND_CLIENT_H
#define POSTERN_COMMAND_CLIENT_H

#include "command.h"
#include "json.h"
#include "wire/operation.h"

struct client;

/* `config` NULL: $HOME/.config/postern/operator.conf, else /etc/postern/operator.conf. Locks the
 * process first. On failure it has said why. */
int client_open(const char *config, struct client **ret_client);
void client_close(struct client *client);
static inline void
client_close_at(struct client **client)
{
	client_close(*client);
}
#define auto_client __attribute__((cleanup(client_close_at))) struct client

const uint8_t *client_answer_key(const struct client *client);
const uint8_t *client_intake_key(const struct client *client);
const char *client_operator(const struct client *client);

struct client_answer {
	json_t *json; /* an object; the caller's */
	uint64_t trust_revision;
};
static inline void
client_answer_clear(struct client_answer *answer)
{
	json_decref(answer->json);
}
#define auto_answer __attribute__((cleanup(client_answer_clear))) struct client_answer

/* `request` has an operation and its fields; the rest is filled here. An act applies to the
 * revision that the broker is at, and is signed again where another act was quicker: what it rests
 * on stands in its own fields. 0, or the exit status of a failure that was said. */
int client_ask(struct client *client, struct operation_request *request,
	       struct client_answer *ret_answer);

/* A list that comes in pages: asks again with FIELD_AFTER while the answer has "next", and gives
 * all items of `member` in one array. */
int client_ask_all(struct client *client, struct operation_request *request, const char *member,
		   struct client_answer *ret_answer);

/* client_open, client_ask and client_close, for commands that ask one thing. */
int client_once(const char *config, struct operation_request *request,
		struct client_answer *ret_answer);

/* The act that trusts in what has an id and a subject: the request has all but these two. Prints both,
 * and what it did. */
int client_trust(const struct common *common, struct operation_request *request, const char *id,
		 const char *subject);

/* The plainest commands: --json, --config and one argument, which is `field`'s and called
 * `argument` ("PATH"); NULL: none. */
int client_command(int argc, char **argv, enum operation operation, enum operation_field field,
		   const char *argument, bool *ret_json, struct client_answer *ret_answer);

/* ---- for tests ---- */

/* Verifies and decodes one answer: false unless it is signed by `answer_key` and names the
 * request's hash. */
bool client_answer_open(struct bytes request, struct bytes answer, const uint8_t signature[64],
			const uint8_t answer_key[32], struct operation_answer *ret_answer,
			const char **ret_problem);

#endif
