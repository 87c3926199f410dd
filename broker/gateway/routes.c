/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "json.h"

_Static_assert(BASE64_ENCODED_SIZE(ATTEST_EVENTLOG_MAX) + BASE64_ENCODED_SIZE(WIRE_IMA_LOG_MAX) +
			       64 * 1024 <=
		       ROUTE_BODY_MAX,
	       "a release's logs fit a body");

typedef enum frame_type build(struct body *body, struct bytes peer, struct writer *w);

struct route {
	const char *method;
	const char *path;
	build *build; /* NULL: no body */
	enum frame_type type;
	enum route_view view;
};

static enum frame_type
build_challenge(struct body *body, struct bytes peer, struct writer *w)
{
	struct bytes evidence = body_text(body, "evidence");
	struct wire_challenge_request request = {
		.evidence = WIRE_EVIDENCE_TPM2,
		.ak_public = body_base64(body, "ak_public", true),
	};

	(void)peer;
	if (!bytes_equal(evidence, (struct bytes){(const uint8_t *)"tpm2", 4}) &&
	    body->problem == NULL)
		body->problem = "evidence";
	wire_challenge_request_write(w, &request);
	return FRAME_CHALLENGE;
}

static enum frame_type
build_release(struct body *body, struct bytes peer, struct writer *w)
{
	struct wire_release_request request = {
		.challenge = body_base64(body, "challenge", true),
		.ak_public = body_base64(body, "ak_public", true),
		.recipient_key = body_base64(body, "recipient_key", true),
		.wanted = body_wanted(body),
		.quote = body_base64(body, "quote", true),
		.signature = body_base64(body, "signature", true),
		.pcrs = body_base64(body, "pcrs", true),
		.event_log = body_log(body, "event_log", ATTEST_EVENTLOG_MAX),
		.ima_log = body_log(body, "ima_log", WIRE_IMA_LOG_MAX),
		.ima_offset = body_number(body, "ima_offset"),
		.peer = peer,
	};

	wire_release_request_write(w, &request);
	return FRAME_RELEASE;
}

/* All of the four members, or none. */
static struct wire_cloud
build_cloud(struct body *body)
{
	static const char *const members[] = {"cloud_public", "cloud_certificates", "cloud_message",
					      "cloud_signature"};
	struct wire_cloud cloud = {0};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		cloud.sent = cloud.sent || body_has(body, members[i]);
	if (!cloud.sent)
		return cloud;
	cloud.public_area = body_base64(body, "cloud_public", true);
	cloud.certificate_count = (uint8_t)body_base64_array(
		body, "cloud_certificates", ATTEST_CERTIFICATES_MAX, cloud.certificates);
	cloud.message = body_base64(body, "cloud_message", true);
	cloud.signature = body_base64(body, "cloud_signature", true);
	return cloud;
}

/* The second step of an enrolment is known by its challenge. */
static enum frame_type
build_activate(struct body *body, struct bytes peer, struct writer *w)
{
	struct wire_activate_request request = {
		.challenge = body_base64(body, "challenge", true),
		.proof = body_base64(body, "proof", true),
		.ek_public = body_base64(body, "ek_public", true),
		.ak_public = body_base64(body, "ak_public", true),
		.quote = body_base64(body, "quote", true),
		.signature = body_base64(body, "signature", true),
		.pcrs = body_base64(body, "pcrs", true),
		.event_log = body_log(body, "event_log", ATTEST_EVENTLOG_MAX),
		.cloud = build_cloud(body),
		.peer = peer,
	};

	request.certificate_count = (uint8_t)body_base64_array(
		body, "ek_certificates", ATTEST_CERTIFICATES_MAX, request.certificates);
	wire_activate_request_write(w, &request);
	return FRAME_ACTIVATE;
}

static enum frame_type
build_enroll(struct body *body, struct bytes peer, struct writer *w)
{
	if (body_has(body, "challenge"))
		return build_activate(body, peer, w);
	struct wire_enroll_request request = {
		.ek_public = body_base64(body, "ek_public", true),
		.ak_public = body_base64(body, "ak_public", true),
	};
	wire_enroll_request_write(w, &request);
	return FRAME_ENROLL;
}

static enum frame_type
build_operator_challenge(struct body *body, struct bytes peer, struct writer *w)
{
	struct wire_operator_challenge_request request = {
		.operator_name = body_text(body, "operator"),
	};

	(void)peer;
	wire_operator_challenge_request_write(w, &request);
	return FRAME_OPERATOR_CHALLENGE;
}

static enum frame_type
build_operator_request(struct body *body, struct bytes peer, struct writer *w)
{
	struct wire_operator_request request = {
		.request = body_base64(body, "request", true),
		.signature = body_base64(body, "signature", true),
		.peer = peer,
	};

	wire_operator_request_write(w, &request);
	return FRAME_OPERATOR_REQUEST;
}

static const struct route routes[] = {
	/* proved by: nobody; the answer is worth nothing without the AK it names */
	{"POST", "/v1/attest/challenge", build_challenge, FRAME_CHALLENGE, ROUTE_VIEW_WHOLE},
	/* proved by: an admitted machine's quote over this challenge */
	{"POST", "/v1/attest/release", build_release, FRAME_RELEASE, ROUTE_VIEW_WHOLE},
	/* proved by: credential activation and a quote; then an operator's act */
	{"POST", "/v1/attest/enroll", build_enroll, FRAME_ENROLL, ROUTE_VIEW_WHOLE},
	/* proved by: nobody; the answer is worth nothing without the operator's key */
	{"POST", "/v1/operator/challenge", build_operator_challenge, FRAME_OPERATOR_CHALLENGE,
	 ROUTE_VIEW_WHOLE},
	/* proved by: an operator's signature over the request */
	{"POST", "/v1/operator/request", build_operator_request, FRAME_OPERATOR_REQUEST,
	 ROUTE_VIEW_WHOLE},
	/* proved by: nobody */
	{"GET", "/v1/sys/health", NULL, FRAME_HEALTH, ROUTE_VIEW_WHOLE},
	{"HEAD", "/v1/sys/health", NULL, FRAME_HEALTH, ROUTE_VIEW_WHOLE},
	{"GET", "/v1/sys/seal-status", NULL, FRAME_HEALTH, ROUTE_VIEW_SEAL},
	{"HEAD", "/v1/sys/seal-status", NULL, FRAME_HEALTH, ROUTE_VIEW_SEAL},
};

enum route_match
route_find(const char *method, const char *path, const struct route **ret_route)
{
	enum route_match match = ROUTE_NOT_FOUND;

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(path, routes[i].path) != 0)
			continue;
		match = ROUTE_WRONG_METHOD;
		*ret_route = &routes[i];
		/* Vault's clients PUT and POST alike. */
		bool same = strcmp(method, routes[i].method) == 0 ||
			    (strcmp(method, "PUT") == 0 && strcmp(routes[i].method, "POST") == 0);
		if (!same)
			continue;
		return ROUTE_FOUND;
	}
	return match;
}

const char *
route_methods(const struct route *route)
{
	return strcmp(route->method, "POST") == 0 ? "POST, PUT" : "GET, HEAD";
}

enum wire_status
route_request(const struct route *route, struct bytes text, const char *peer,
	      struct route_frame *ret_frame, const char **problem)
{
	struct body body;
	/* Base64 shrinks; what frames add is lengths, the peer, and WIRE_WANTED_MAX versions. */
	size_t capacity = text.size + 4096;
	uint8_t *memory;

	if (route->build == NULL) {
		*ret_frame = (struct route_frame){.type = route->type, .view = route->view};
		return WIRE_OK;
	}
	if (!body_open(text, &body)) {
		*problem = "the body is not a JSON object within the limits";
		return WIRE_MALFORMED;
	}
	memory = malloc(capacity);
	if (memory == NULL) {
		body_close(&body);
		return WIRE_BUSY;
	}
	struct writer w = writer_of(memory, capacity);
	struct bytes source = {(const uint8_t *)peer, strlen(peer)};
	enum frame_type type = route->build(&body, source, &w);
	*problem = body.problem;
	bool too_large = body.too_large || w.size > FRAME_BODY_MAX;
	body_close(&body);
	/* There is room: what an encoder refuses is a member of the wrong size. */
	if (*problem == NULL && w.failed)
		*problem = "a member has a size that it cannot have";
	if (*problem != NULL || too_large) {
		sodium_memzero(memory, w.size);
		free(memory);
		return *problem != NULL ? WIRE_MALFORMED : WIRE_LIMIT;
	}
	*ret_frame = (struct route_frame){.type = type, .memory = memory, .size = w.size};
	return WIRE_OK;
}
