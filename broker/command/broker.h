/* SPDX-License-Identifier: Apache-2.0 */
/* The brokers that a configuration names, asked in its order; what they answer, sorted into exit
 * statuses. */
#ifndef POSTERN_COMMAND_BROKER_H
#define POSTERN_COMMAND_BROKER_H

#include "http.h"
#include "json.h"
#include "wire/settings.h"

#include <stdbool.h>

#define BROKER_ADDRESSES_MAX	  8
#define BROKER_FIRST_MILLISECONDS 1800 /* the next address is tried within two seconds */

struct broker {
	struct http *http;
	size_t count;
	const char *addresses[BROKER_ADDRESSES_MAX]; /* the settings' */
	bool cautious; /* what may have been carried out is not sent again, to whatever address */
	bool begun;    /* the exchange under way has asked its first question */
};

/* Why there is no answer. */
struct broker_problem {
	int status;	   /* an exit status */
	bool uncertain;	   /* the request may have been carried out */
	bool unasked;	   /* it is not the broker: nothing was sent there */
	char word[16];	   /* the broker's coarse word, if it gave one */
	char message[400]; /* one line */
};

/* From `broker` (one or more) and `ca` (a path, beside `config` where relative). 0 or EX_CONFIG,
 * said. */
int broker_open(const struct settings *settings, const char *config, struct broker *ret_broker);
void broker_close(struct broker *broker);

/* POSTs `body` (taken over, also on failure) to one address. True: ret_json is its 200. What an
 * exchange asks first is awaited for BROKER_FIRST_MILLISECONDS only while another address is left:
 * it is a challenge, which changes nothing and is quickly made. */
bool broker_post(struct broker *broker, size_t index, const char *route, json_t *body,
		 json_t **ret_json, struct broker_problem *ret_problem);

/* One whole exchange with one address: challenges are good only where they came from. */
typedef bool broker_exchange(void *user, size_t index, struct broker_problem *ret_problem);
/* Tries the addresses in order, while they are unreachable, broken, busy or not the broker; and
 * each once again where it says that a challenge is too old. False: *ret_problem is the last one's.
 */
bool broker_try(struct broker *broker, broker_exchange *exchange, void *user,
		struct broker_problem *ret_problem);

/* Fills a problem of our own finding. Returns false. */
bool broker_fail(struct broker_problem *problem, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
