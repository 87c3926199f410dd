/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's answers as JSON. */
#include <stdlib.h>
#include <time.h>

#include "json.h"

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
	case WIRE_LIMIT:
		return "larger than a limit";
	case WIRE_BUSY:
		return "try again";
	case WIRE_FAILED:
		return "the broker failed; its log says why";
	}
	return "";
}

static char *
dump(json_t *root)
{
	char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;

	json_decref(root);
	return text;
}

char *
route_error(enum wire_status status, const char *problem)
{
	return dump(json_pack("{s:[s+++]}", "errors", wire_status_word(status), ": ",
			      problem != NULL ? "member or body: " : "",
			      problem != NULL ? problem : advice(status)));
}

static void
answer_challenge(struct bytes payload, json_t *root, bool *ok)
{
	struct wire_challenge_answer answer;

	*ok = wire_challenge_answer_read(payload, &answer);
	if (!*ok)
		return;
	answer_base64(root, "challenge", answer.challenge);
	json_object_set_new(root, "expires_in", json_integer(answer.expires_in));
	json_object_set_new(root, "pcrs", json_string("sha256:0-15"));
	answer_base64(root, "release_key", answer.release_key);
}

static void
answer_enroll(struct bytes payload, json_t *root, bool *ok)
{
	struct wire_enroll_answer answer;

	*ok = wire_enroll_answer_read(payload, &answer);
	if (!*ok)
		return;
	answer_base64(root, "challenge", answer.challenge);
	json_object_set_new(root, "expires_in", json_integer(answer.expires_in));
	answer_base64(root, "credential_blob", answer.blob);
	answer_base64(root, "secret", answer.secret);
	answer_base64(root, "release_key", answer.release_key);
}

static void
answer_activate(struct bytes payload, json_t *root, bool *ok)
{
	struct wire_activate_answer answer;

	*ok = wire_activate_answer_read(payload, &answer);
	if (!*ok)
		return;
	json_object_set_new(root, "machine",
			    json_stringn((const char *)answer.machine.data, answer.machine.size));
	json_object_set_new(root, "state", json_string(answer.admitted ? "admitted" : "pending"));
}

static void
answer_operator_challenge(struct bytes payload, json_t *root, bool *ok)
{
	struct wire_operator_challenge_answer answer;

	*ok = wire_operator_challenge_answer_read(payload, &answer);
	if (!*ok)
		return;
	answer_base64(root, "challenge", answer.challenge);
	json_object_set_new(root, "expires_in", json_integer(answer.expires_in));
	json_object_set_new(root, "trust_revision",
			    json_integer((json_int_t)answer.trust_revision));
}

static void
answer_operator_request(struct bytes payload, json_t *root, bool *ok)
{
	struct wire_operator_answer answer;

	*ok = wire_operator_answer_read(payload, &answer);
	if (!*ok)
		return;
	answer_base64(root, "answer", answer.answer);
	answer_base64(root, "signature", answer.signature);
}

static void
answer_release(struct bytes payload, json_t *root, bool *ok)
{
	*ok = payload.size > 0;
	answer_base64(root, "sealed", payload);
}

static void
answer_health(struct bytes payload, json_t *root, bool *ok)
{
	*ok = payload.size == 8;
	json_object_set_new(root, "initialized", json_true());
	json_object_set_new(root, "sealed", json_false());
	json_object_set_new(root, "standby", json_false());
	json_object_set_new(root, "performance_standby", json_false());
	json_object_set_new(root, "version", json_string(POSTERN_VERSION));
	json_object_set_new(root, "server_time_utc", json_integer((json_int_t)time(NULL)));
}

static const struct {
	enum frame_type type;
	void (*answer)(struct bytes payload, json_t *root, bool *ok);
} answers[] = {
	{FRAME_CHALLENGE, answer_challenge},
	{FRAME_RELEASE, answer_release},
	{FRAME_ENROLL, answer_enroll},
	{FRAME_ACTIVATE, answer_activate},
	{FRAME_OPERATOR_CHALLENGE, answer_operator_challenge},
	{FRAME_OPERATOR_REQUEST, answer_operator_request},
	{FRAME_HEALTH, answer_health},
};

char *
route_answer(enum frame_type type, struct bytes encoded, unsigned *ret_http)
{
	struct wire_answer answer;
	json_t *root;
	bool ok = false;

	if (!wire_answer_read(encoded, &answer))
		answer = (struct wire_answer){.status = WIRE_FAILED};
	*ret_http = wire_status_http(answer.status);
	if (answer.status != WIRE_OK)
		return route_error(answer.status, NULL);
	root = json_object();
	for (size_t i = 0; root != NULL && i < sizeof(answers) / sizeof(answers[0]); i++)
		if (answers[i].type == type)
			answers[i].answer(answer.payload, root, &ok);
	if (!ok) {
		json_decref(root);
		*ret_http = wire_status_http(WIRE_FAILED);
		return route_error(WIRE_FAILED, NULL);
	}
	return dump(root);
}
