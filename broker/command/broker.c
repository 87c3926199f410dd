/* SPDX-License-Identifier: Apache-2.0 */
#include "broker.h"

#include "command.h"
#include "file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
broker_open(const struct settings *settings, const char *config, struct broker *ret_broker)
{
	struct broker broker = {.http = NULL};
	char ca[FILE_PATH_MAX];
	const char *address;

	for (; (address = settings_get(settings, "broker", broker.count)) != NULL; broker.count++) {
		if (broker.count == BROKER_ADDRESSES_MAX)
			return complain(EX_CONFIG, "%s: more than %d lines 'broker'", config,
					BROKER_ADDRESSES_MAX);
		if (strncmp(address, "https://", 8) != 0 || address[8] == '\0')
			return complain(EX_CONFIG,
					"%s: broker = %s: only https://HOST:PORT is used", config,
					address);
		broker.addresses[broker.count] = address;
	}
	const char *named = settings_get(settings, "ca", 0);
	if (broker.count == 0 || named == NULL)
		return complain(EX_CONFIG, "%s: 'broker' or 'ca' is missing", config);
	if (!file_beside(config, named, ca) || access(ca, R_OK) != 0)
		return complain(EX_CONFIG, "%s: ca = %s cannot be read", config, named);
	broker.http = http_new(ca);
	if (broker.http == NULL)
		return complain(EX_SOFTWARE,
				"no HTTPS client: out of memory, or libcurl is too old");
	*ret_broker = broker;
	return 0;
}

void
broker_close(struct broker *broker)
{
	http_free(broker->http);
	broker->http = NULL;
}

bool
broker_fail(struct broker_problem *problem, int status, const char *format, ...)
{
	va_list list;

	*problem = (struct broker_problem){.status = status};
	va_start(list, format);
	(void)vsnprintf(problem->message, sizeof(problem->message), format, list);
	va_end(list);
	return false;
}

/* True: there is an answer. */
static bool
transport_check(enum http_status status, const char *address, const char *why,
		struct broker_problem *problem)
{
	switch (status) {
	case HTTP_OK:
		return true;
	case HTTP_UNREACHABLE:
		return broker_fail(problem, EX_TEMPFAIL, "%s is not reachable: %s", address, why);
	case HTTP_BROKEN:
		(void)broker_fail(problem, EX_TEMPFAIL, "%s did not answer: %s", address, why);
		problem->uncertain = true;
		return false;
	case HTTP_UNTRUSTED:
		(void)broker_fail(problem, EX_CONFIG,
				  "%s is not the broker whose CA is pinned here: %s", address, why);
		problem->unasked = true;
		return false;
	case HTTP_LIMIT:
		return broker_fail(problem, EX_DATAERR, "%s answers with more than %d bytes",
				   address, HTTP_ANSWER_MAX);
	case HTTP_SETUP:
		break;
	}
	return broker_fail(problem, EX_CONFIG, "%s: %s", address, why);
}

/* "quote: the quote does not ..." -> "quote". Only short lower-case words are words. */
static void
word_take(const char *error, char *ret_word, size_t capacity)
{
	size_t size = strspn(error, "abcdefghijklmnopqrstuvwxyz");

	ret_word[0] = '\0';
	if (size > 0 && size < capacity && error[size] == ':')
		(void)snprintf(ret_word, capacity, "%.*s", (int)size, error);
}

static int
status_of(long http)
{
	if (http == 403)
		return EX_NOPERM;
	if (http == 400 || http == 409 || http == 413)
		return EX_DATAERR;
	return http >= 500 ? EX_TEMPFAIL : EX_CONFIG;
}

static bool
refusal_take(const struct http_answer *answer, const char *address, const json_t *json,
	     struct broker_problem *problem)
{
	const json_t *first = json_array_get(json_object_get(json, "errors"), 0);
	const char *error = json_is_string(first) ? json_string_value(first) : "";
	int status = status_of(answer->status);

	if (status == EX_CONFIG)
		return broker_fail(problem, status, "%s answers %ld: is it a Postern broker?",
				   address, answer->status);
	const char *reason = error[0] != '\0' ? error : "no reason was given";
	if (status == EX_TEMPFAIL)
		(void)broker_fail(problem, status, "%s answers: %s", address, reason);
	else
		(void)broker_fail(problem, status, "%s", reason);
	word_take(error, problem->word, sizeof(problem->word));
	/* 503 is said before anything is done; another 5xx may come afterwards */
	problem->uncertain = answer->status >= 500 && answer->status != 503;
	return false;
}

/* Sends one question; false with the problem filled where no answer comes. */
static bool
question_send(struct broker *broker, size_t index, const char *route, const char *text,
	      struct http_answer *ret_answer, struct broker_problem *problem)
{
	const char *address = broker->addresses[index];
	bool first = !broker->begun, another = index + 1 < broker->count;
	char url[HTTP_URL_MAX], why[HTTP_PROBLEM_SIZE];
	size_t size = strlen(address);

	while (size > 0 && address[size - 1] == '/')
		size--;
	int used = snprintf(url, sizeof(url), "%.*s%s", (int)size, address, route);
	if (used < 0 || (size_t)used >= sizeof(url))
		return broker_fail(problem, EX_CONFIG, "%s: too long an address", address);
	const struct http_request request = {
		.url = url,
		.json = text,
		.size = strlen(text),
		.milliseconds = first && another ? BROKER_FIRST_MILLISECONDS : HTTP_MILLISECONDS,
		.once = !first && broker->cautious,
	};
	broker->begun = true;
	return transport_check(http_post(broker->http, &request, ret_answer, why), address, why,
			       problem);
}

bool
broker_post(struct broker *broker, size_t index, const char *route, json_t *body, json_t **ret_json,
	    struct broker_problem *ret_problem)
{
	auto_json *owned = body, *json = NULL;
	const char *address = broker->addresses[index];
	struct http_answer answer = {.status = 0};
	char *text = owned != NULL ? json_dumps(owned, JSON_COMPACT) : NULL;

	if (text == NULL)
		return broker_fail(ret_problem, EX_SOFTWARE, "out of memory");
	bool answered = question_send(broker, index, route, text, &answer, ret_problem);
	free(text);
	if (!answered)
		return false;
	json = json_parse(answer.body, answer.size);
	if (answer.status != 200)
		return refusal_take(&answer, address, json, ret_problem);
	if (json == NULL)
		return broker_fail(ret_problem, EX_DATAERR, "%s answers with malformed JSON",
				   address);
	*ret_json = json;
	json = NULL;
	return true;
}

static bool
exchange_begin(struct broker *broker, broker_exchange *exchange, void *user, size_t index,
	       struct broker_problem *ret_problem)
{
	*ret_problem = (struct broker_problem){.status = 0};
	broker->begun = false;
	return exchange(user, index, ret_problem);
}

bool
broker_try(struct broker *broker, broker_exchange *exchange, void *user,
	   struct broker_problem *ret_problem)
{
	for (size_t i = 0; i < broker->count; i++) {
		if (exchange_begin(broker, exchange, user, i, ret_problem) ||
		    (strcmp(ret_problem->word, "challenge") == 0 &&
		     exchange_begin(broker, exchange, user, i, ret_problem)))
			return true;
		if ((ret_problem->status != EX_TEMPFAIL && !ret_problem->unasked) ||
		    (broker->cautious && ret_problem->uncertain))
			return false;
		if (i + 1 < broker->count)
			remark("%s; trying the next", ret_problem->message);
	}
	return false;
}
