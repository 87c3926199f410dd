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
		return "its key has to be given first: `postern unseal`, on its host";
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

static void
put_flag(struct writer *w, const char *member, bool flag)
{
	put_member(w, member);
	put(w, flag ? "true" : "false");
}

static void
put_version(struct writer *w)
{
	put_member(w, "version");
	put(w, "\"" POSTERN_VERSION "\"");
}

/* Vault's members, and whether it answers nothing but readings. */
static bool
answer_health(struct bytes payload, struct writer *w)
{
	struct wire_health health;

	if (!wire_health_read(payload, &health))
		return false;
	put_flag(w, "initialized", true);
	put_flag(w, "sealed", health.state == WIRE_IS_SEALED);
	put_flag(w, "frozen", health.state == WIRE_IS_FROZEN);
	put_flag(w, "standby", false);
	put_flag(w, "performance_standby", false);
	put_version(w);
	put_number(w, "server_time_utc", (uint64_t)time(NULL));
	return true;
}

/* Vault's shape, for its clients. */
static bool
answer_seal(struct bytes payload, struct writer *w)
{
	struct wire_health health;

	if (!wire_health_read(payload, &health))
		return false;
	put_member(w, "type");
	put(w, "\"shamir\"");
	put_flag(w, "initialized", true);
	put_flag(w, "sealed", health.state == WIRE_IS_SEALED);
	put_number(w, "t", health.threshold);
	put_number(w, "n", health.count);
	put_number(w, "progress", health.given);
	put_member(w, "nonce");
	put(w, "\"\"");
	put_version(w);
	return true;
}

static const struct {
	enum frame_type type;
	enum route_view view;
	bool (*answer)(struct bytes payload, struct writer *w);
} answers[] = {
	{FRAME_CHALLENGE, ROUTE_VIEW_WHOLE, answer_challenge},
	{FRAME_RELEASE, ROUTE_VIEW_WHOLE, answer_release},
	{FRAME_ENROLL, ROUTE_VIEW_WHOLE, answer_enroll},
	{FRAME_ACTIVATE, ROUTE_VIEW_WHOLE, answer_activate},
	{FRAME_OPERATOR_CHALLENGE, ROUTE_VIEW_WHOLE, answer_operator_challenge},
	{FRAME_OPERATOR_REQUEST, ROUTE_VIEW_WHOLE, answer_operator_request},
	{FRAME_HEALTH, ROUTE_VIEW_WHOLE, answer_health},
	{FRAME_HEALTH, ROUTE_VIEW_SEAL, answer_seal},
};

static bool
answer_write(enum frame_type type, enum route_view view, struct bytes payload, struct writer *w)
{
	bool answered = false;

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (answers[i].type == type && answers[i].view == view)
			answered = answers[i].answer(payload, w);
	put(w, "}");
	write_u8(w, 0);
	return answered && !w->failed;
}

/* Who watches health sends its guests elsewhere while they would be refused here; what a seal's
 * status says is no failure. */
static unsigned
http_of_answer(enum frame_type type, enum route_view view, struct bytes payload)
{
	struct wire_health health;

	if (type != FRAME_HEALTH || view != ROUTE_VIEW_WHOLE ||
	    !wire_health_read(payload, &health) || health.state == WIRE_SERVING)
		return wire_status_http(WIRE_OK);
	return wire_status_http(health.state == WIRE_IS_SEALED ? WIRE_SEALED : WIRE_FROZEN);
}

char *
route_answer(enum frame_type type, enum route_view view, struct bytes encoded, unsigned *ret_http)
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
	if (answer_write(type, view, answer.payload, &w)) {
		*ret_http = http_of_answer(type, view, answer.payload);
		return (char *)text;
	}
	free(text);
	*ret_http = wire_status_http(WIRE_FAILED);
	return route_error(WIRE_FAILED, NULL);
}
