/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's answers as JSON. No value in them needs an escape: they are base64, numbers, names
 * and texts of ours. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base64.h"
#include "routes.h"

static const char *
advice(enum wire_status status)
{
	switch (status) {
	case WIRE_OK:
	case WIRE_MALFORMED:
		return "the request does not parse";
	case WIRE_CHALLENGE:
		return "ask for a new challenge and try again";
	case WIRE_IDENTITY:
		return "this machine is unknown, not admitted, suspended or revoked";
	case WIRE_QUOTE:
		return "the quote does not prove what it must";
	case WIRE_POLICY:
		return "not allowed; an operator can explain";
	case WIRE_OPERATOR:
		return "no such operator, or the signature or challenge is not good";
	case WIRE_IMA:
		return "the list does not go on from what is known: send all of it";
	case WIRE_LIMIT:
		return "larger than a limit";
	case WIRE_BUSY:
		return "try again";
	case WIRE_FAILED:
		return "the broker failed; its log says why";
	case WIRE_SEALED:
		return "the broker is sealed: its key has to be given first";
	case WIRE_FROZEN:
		return "the broker's store may be an older one: whoever runs it has to look";
	case WIRE_STORE:
		return "the broker's disk takes no more, for now";
	}
	return "";
}

/* Beside the payload in base64: members' names, numbers, advice. */
#define ANSWER_EXTRA 512

static void
put(struct writer *w, const char *text)
{
	write_bytes(w, (struct bytes){(const uint8_t *)text, strlen(text)});
}

static void
put_member(struct writer *w, const char *member)
{
	put(w, w->size == 0 ? "{\"" : ",\"");
	put(w, member);
	put(w, "\":");
}

static void
put_text(struct writer *w, const char *member, struct bytes text)
{
	put_member(w, member);
	put(w, "\"");
	write_bytes(w, text);
	put(w, "\"");
}

static void
put_number(struct writer *w, const char *member, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, number);
	put_member(w, member);
	put(w, digits);
}

static void
put_base64(struct writer *w, const char *member, struct bytes value)
{
	size_t size = BASE64_ENCODED_SIZE(value.size);

	put_member(w, member);
	put(w, "\"");
	if (size > w->capacity - w->size) {
		w->failed = true;
		return;
	}
	base64_encode(value, (char *)w->start + w->size);
	w->size += size;
	put(w, "\"");
}

char *
route_error(enum wire_status status, const char *problem)
{
	char text[ANSWER_EXTRA];

	snprintf(text, sizeof(text), "{\"errors\":[\"%s: %s%s\"]}", wire_status_word(status),
		 problem != NULL ? "member or body: " : "",
		 problem != NULL ? problem : advice(status));
	return strdup(text);
}

static bool
answer_challenge(struct bytes payload, struct writer *w)
{
	struct wire_challenge_answer answer;

	if (!wire_challenge_answer_read(payload, &answer))
		return false;
	put_base64(w, "challenge", answer.challenge);
	put_number(w, "expires_in", answer.expires_in);
	put_member(w, "pcrs");
	put(w, "\"sha256:0-15\"");
	put_base64(w, "release_key", answer.release_key);
	return true;
}

static bool
answer_enroll(struct bytes payload, struct writer *w)
{
	struct wire_enroll_answer answer;

	if (!wire_enroll_answer_read(payload, &answer))
		return false;
	put_base64(w, "challenge", answer.challenge);
	put_number(w, "expires_in", answer.expires_in);
	put_base64(w, "credential_blob", answer.blob);
	put_base64(w, "secret", answer.secret);
	put_base64(w, "release_key", answer.release_key);
	return true;
}

static bool
answer_activate(struct bytes payload, struct writer *w)
{
	struct wire_activate_answer answer;

	/* The decoder takes names alone: letters, digits, '_', '.' and '-'. */
	if (!wire_activate_answer_read(payload, &answer))
		return false;
	put_text(w, "machine", answer.machine);
	put_member(w, "state");
	put(w, answer.admitted ? "\"admitted\"" : "\"pending\"");
	return true;
}

static bool
answer_operator_challenge(struct bytes payload, struct writer *w)
{
	struct wire_operator_challenge_answer answer;

	if (!wire_operator_challenge_answer_read(payload, &answer))
		return false;
	put_base64(w, "challenge", answer.challenge);
	put_number(w, "expires_in", answer.expires_in);
	put_number(w, "trust_revision", answer.trust_revision);
	return true;
}

static bool
answer_operator_request(struct bytes payload, struct writer *w)
{
	struct wire_operator_answer answer;

	if (!wire_operator_answer_read(payload, &answer))
		return false;
	put_base64(w, "answer", answer.answer);
	put_base64(w, "signature", answer.signature);
	return true;
}

static bool
answer_release(struct bytes payload, struct writer *w)
{
	struct wire_release_answer answer;

	if (!wire_release_answer_read(payload, &answer))
		return false;
	put_base64(w, "sealed", answer.sealed);
	if (answer.ima_offset > 0)
		put_number(w, "ima_offset", answer.ima_offset);
	return true;
}

static bool
answer_health(struct bytes payload, struct writer *w)
{
	put(w, "{\"initialized\":true,\"sealed\":false,\"standby\":false,"
	       "\"performance_standby\":false,\"version\":\"" POSTERN_VERSION "\"");
	put_number(w, "server_time_utc", (uint64_t)time(NULL));
	return payload.size == 8;
}

static const struct {
	enum frame_type type;
	bool (*answer)(struct bytes payload, struct writer *w);
} answers[] = {
	{FRAME_CHALLENGE, answer_challenge},
	{FRAME_RELEASE, answer_release},
	{FRAME_ENROLL, answer_enroll},
	{FRAME_ACTIVATE, answer_activate},
	{FRAME_OPERATOR_CHALLENGE, answer_operator_challenge},
	{FRAME_OPERATOR_REQUEST, answer_operator_request},
	{FRAME_HEALTH, answer_health},
};

static bool
answer_write(enum frame_type type, struct bytes payload, struct writer *w)
{
	bool answered = false;

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (answers[i].type == type)
			answered = answers[i].answer(payload, w);
	put(w, "}");
	write_u8(w, 0);
	return answered && !w->failed;
}

char *
route_answer(enum frame_type type, struct bytes encoded, unsigned *ret_http)
{
	struct wire_answer answer;

	if (!wire_answer_read(encoded, &answer))
		answer = (struct wire_answer){.status = WIRE_FAILED};
	*ret_http = wire_status_http(answer.status);
	if (answer.status != WIRE_OK)
		return route_error(answer.status, NULL);
	size_t capacity = BASE64_ENCODED_SIZE(answer.payload.size) + ANSWER_EXTRA;
	uint8_t *text = malloc(capacity);
	if (text == NULL)
		return NULL;
	struct writer w = writer_of(text, capacity);
	if (answer_write(type, answer.payload, &w))
		return (char *)text;
	free(text);
	*ret_http = wire_status_http(WIRE_FAILED);
	return route_error(WIRE_FAILED, NULL);
}
