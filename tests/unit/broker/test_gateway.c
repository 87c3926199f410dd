/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from outside -> frames, and frames -> JSON: the gateway's only decoder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "gateway/routes.h"
#include "wire/transcript.h"

/* 58 times 'c'. */
#define CHALLENGE "Y2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjYw=="
#define KEY32	  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static char release_body[2048];
static char activate_body[2048];

/* 512 zero bytes, as base64. */
static const char *
pcrs_text(void)
{
	static char text[700];

	memset(text, 'A', 683);
	text[683] = '=';
	text[684] = '\0';
	return text;
}

static int
make_bodies(void **state)
{
	(void)state;
	snprintf(release_body, sizeof(release_body),
		 "{\"challenge\":\"" CHALLENGE
		 "\",\"ak_public\":\"YWs=\",\"recipient_key\":\"" KEY32 "\",\"secrets\":["
		 "{\"path\":\"a/b\"},{\"path\":\"db/"
		 "prod\",\"version\":3}],\"quote\":\"cXU=\",\"signature\":\"c2k=\","
		 "\"pcrs\":\"%s\",\"event_log\":\"bG9n\",\"later\":[1,{\"x\":null}]}",
		 pcrs_text());
	snprintf(activate_body, sizeof(activate_body),
		 "{\"challenge\":\"" CHALLENGE "\",\"proof\":\"" KEY32
		 "\",\"ek_public\":\"ZWs=\",\"ak_public\":\"YWs=\","
		 "\"ek_certificates\":[\"YQ==\",\"YmI=\"],\"quote\":\"cXU=\",\"signature\":\"c2k="
		 "\",\"pcrs\":\"%s\"}",
		 pcrs_text());
	return 0;
}

static const struct route *
route_at(const char *path)
{
	const struct route *route = NULL;

	assert_int_equal(route_find("POST", path, &route), ROUTE_FOUND);
	return route;
}

/* Through an exact-size copy, so that a read past the end is seen. */
static enum wire_status
submit(const char *path, const char *text, size_t size, struct route_frame *ret_frame)
{
	const char *problem = NULL;
	uint8_t *copy = malloc(size != 0 ? size : 1);

	assert_non_null(copy);
	memcpy(copy, text, size);
	enum wire_status status = route_request(route_at(path), (struct bytes){copy, size},
						"127.0.0.1 9", ret_frame, &problem);
	free(copy);
	if (status == WIRE_MALFORMED)
		assert_non_null(problem);
	return status;
}

static void
assert_bytes(struct bytes seen, const char *want)
{
	assert_int_equal(seen.size, strlen(want));
	assert_memory_equal(seen.data, want, seen.size);
}

static void
release_becomes_a_frame(void **state)
{
	struct route_frame frame;
	struct wire_release_request request;
	struct wanted wanted;

	(void)state;
	assert_int_equal(submit("/v1/attest/release", release_body, strlen(release_body), &frame),
			 WIRE_OK);
	assert_int_equal(frame.type, FRAME_RELEASE);
	assert_true(wire_release_request_read((struct bytes){frame.memory, frame.size}, &request));
	assert_int_equal(request.challenge.size, WIRE_CHALLENGE_SIZE);
	assert_int_equal(request.challenge.data[57], 'c');
	assert_bytes(request.ak_public, "ak");
	assert_int_equal(request.recipient_key.data[31], 31);
	assert_bytes(request.quote, "qu");
	assert_bytes(request.signature, "si");
	assert_bytes(request.event_log, "log");
	assert_int_equal(request.ima_log.size, 0);
	assert_bytes(request.peer, "127.0.0.1 9");
	assert_true(wanted_read(request.wanted, &wanted));
	assert_int_equal(wanted.count, 2);
	assert_bytes(wanted.secrets[0].path, "a/b");
	assert_int_equal(wanted.secrets[0].version, 0);
	assert_bytes(wanted.secrets[1].path, "db/prod");
	assert_int_equal(wanted.secrets[1].version, 3);
	free(frame.memory);
}

static void
enrolment_is_told_by_its_challenge(void **state)
{
	static const char first[] = "{\"ek_public\":\"ZWs=\",\"ak_public\":\"YWs=\"}";
	struct route_frame frame;
	struct wire_enroll_request enroll;
	struct wire_activate_request activate;

	(void)state;
	assert_int_equal(submit("/v1/attest/enroll", first, strlen(first), &frame), WIRE_OK);
	assert_int_equal(frame.type, FRAME_ENROLL);
	assert_true(wire_enroll_request_read((struct bytes){frame.memory, frame.size}, &enroll));
	assert_bytes(enroll.ek_public, "ek");
	free(frame.memory);

	assert_int_equal(submit("/v1/attest/enroll", activate_body, strlen(activate_body), &frame),
			 WIRE_OK);
	assert_int_equal(frame.type, FRAME_ACTIVATE);
	assert_true(
		wire_activate_request_read((struct bytes){frame.memory, frame.size}, &activate));
	assert_int_equal(activate.certificate_count, 2);
	assert_bytes(activate.certificates[1], "bb");
	free(frame.memory);
}

/* The evidence of a cloud's key: all four members, or none. */
static void
a_clouds_evidence_is_whole(void **state)
{
	static const char *const members[] = {
		"\"cloud_public\":\"cHU=\"", "\"cloud_certificates\":[\"Yw==\",\"aA==\"]",
		"\"cloud_message\":\"bWU=\"", "\"cloud_signature\":\"c2c=\""};
	struct wire_activate_request activate;
	struct route_frame frame;
	char body[2400];

	(void)state;
	for (unsigned mask = 0; mask < 16; mask++) {
		size_t size = strlen(activate_body) - 1; /* without the bracket */
		memcpy(body, activate_body, size);
		for (unsigned i = 0; i < 4; i++)
			if (mask & 1u << i)
				size += (size_t)snprintf(body + size, sizeof(body) - size, ",%s",
							 members[i]);
		body[size++] = '}';
		bool whole = mask == 0 || mask == 15;
		assert_int_equal(submit("/v1/attest/enroll", body, size, &frame),
				 whole ? WIRE_OK : WIRE_MALFORMED);
		if (!whole)
			continue;
		assert_true(wire_activate_request_read((struct bytes){frame.memory, frame.size},
						       &activate));
		assert_int_equal(activate.cloud.sent, mask == 15);
		if (mask == 15) {
			assert_bytes(activate.cloud.public_area, "pu");
			assert_int_equal(activate.cloud.certificate_count, 2);
			assert_bytes(activate.cloud.certificates[1], "h");
			assert_bytes(activate.cloud.message, "me");
			assert_bytes(activate.cloud.signature, "sg");
		}
		free(frame.memory);
	}
}

/* ---- what must be refused ---- */

#define PREFIX "{\"evidence\":\"tpm2\",\"ak_public\":"

static const struct {
	const char *name;
	const char *path;
	const char *body;
} refused[] = {
	{"empty", "/v1/attest/challenge", ""},
	{"not an object", "/v1/attest/challenge", "[]"},
	{"evidence of another kind", "/v1/attest/challenge",
	 "{\"evidence\":\"snp\",\"ak_public\":\"YWs=\"}"},
	{"evidence missing", "/v1/attest/challenge", "{\"ak_public\":\"YWs=\"}"},
	{"member missing", "/v1/attest/challenge", "{\"evidence\":\"tpm2\"}"},
	{"member null", "/v1/attest/challenge", PREFIX "null}"},
	{"member a number", "/v1/attest/challenge", PREFIX "7}"},
	{"duplicate member", "/v1/attest/challenge", PREFIX "\"YWs=\",\"ak_public\":\"YWs=\"}"},
	{"base64 without padding", "/v1/attest/challenge", PREFIX "\"YWs\"}"},
	{"base64 with white space", "/v1/attest/challenge", PREFIX "\"YW s=\"}"},
	{"base64 with a tail", "/v1/attest/challenge", PREFIX "\"YWs=YWs=\"}"},
	{"base64 with loose bits", "/v1/attest/challenge", PREFIX "\"YWt=\"}"},
	{"base64 with a character that is none", "/v1/attest/challenge", PREFIX "\"YW\xc3\xa4=\"}"},
	{"base64 for URLs", "/v1/attest/challenge", PREFIX "\"__8=\"}"},
	{"nested too deep", "/v1/attest/challenge", PREFIX "\"YWs=\",\"x\":[[[[[[[[1]]]]]]]]}"},
	{"something after the object", "/v1/attest/challenge", PREFIX "\"YWs=\"}x"},
	{"certificates not a list", "/v1/attest/enroll",
	 "{\"challenge\":\"" CHALLENGE "\",\"ek_certificates\":\"YQ==\"}"},
	{"operator's signature too short", "/v1/operator/request",
	 "{\"request\":\"YQ==\",\"signature\":\"YQ==\"}"},
};

static void
bad_bodies_are_refused(void **state)
{
	struct route_frame frame;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		enum wire_status status =
			submit(refused[i].path, refused[i].body, strlen(refused[i].body), &frame);
		if (status != WIRE_MALFORMED)
			fail_msg("%s: status %d", refused[i].name, (int)status);
	}
}

/* A spoiled copy of the release body: `from` (which must be in it) replaced by `to`. */
static enum wire_status
submit_spoiled(const char *from, const char *to)
{
	char body[4096];
	const char *at = strstr(release_body, from);
	struct route_frame frame;

	assert_non_null(at);
	snprintf(body, sizeof(body), "%.*s%s%s", (int)(at - release_body), release_body, to,
		 at + strlen(from));
	enum wire_status status = submit("/v1/attest/release", body, strlen(body), &frame);
	if (status == WIRE_OK)
		free(frame.memory);
	return status;
}

static void
bad_release_members_are_refused(void **state)
{
	(void)state;
	assert_int_equal(submit_spoiled("\"" CHALLENGE "\"", "\"" CHALLENGE "\""), WIRE_OK);
	assert_int_equal(submit_spoiled(KEY32, "YQ=="), WIRE_MALFORMED);
	assert_int_equal(submit_spoiled("AAAA=\"", "\""), WIRE_MALFORMED);
	assert_int_equal(submit_spoiled("\"version\":3", "\"version\":-1"), WIRE_MALFORMED);
	assert_int_equal(submit_spoiled("\"version\":3", "\"version\":4294967296"), WIRE_MALFORMED);
	assert_int_equal(submit_spoiled("\"version\":3", "\"version\":\"3\""), WIRE_MALFORMED);
	assert_int_equal(submit_spoiled("{\"path\":\"a/b\"},", "7,"), WIRE_MALFORMED);
	assert_int_equal(submit_spoiled("\"secrets\":[", "\"secrets\":[],\"x\":["), WIRE_MALFORMED);
}

static void
too_many_secrets_are_refused(void **state)
{
	char list[4096] = "";
	size_t used = 0;

	(void)state;
	for (int i = 0; i <= WIRE_WANTED_MAX; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "{\"path\":\"p%03d\"},",
					 i);
	assert_int_equal(submit_spoiled("{\"path\":\"a/b\"},", list), WIRE_MALFORMED);
}

/* A challenge's body with an unknown member of so many elements. */
static enum wire_status
submit_values(size_t count)
{
	char body[2 * ROUTE_VALUES_MAX + 128] = PREFIX "\"YWs=\",\"later\":[";
	size_t size = strlen(body);
	struct route_frame frame;

	for (size_t i = 0; i < count; i++) {
		body[size++] = '0';
		body[size++] = ',';
	}
	memcpy(body + size - 1, "]}", 2);
	enum wire_status status = submit("/v1/attest/challenge", body, size + 1, &frame);
	if (status == WIRE_OK)
		free(frame.memory);
	return status;
}

/* What is unknown is ignored, but not without end: a value takes much more memory than text. */
static void
too_many_values_are_refused(void **state)
{
	(void)state;
	assert_int_equal(submit_values(1), WIRE_OK);
	assert_int_equal(submit_values(ROUTE_VALUES_MAX - 2), WIRE_OK);
	assert_int_equal(submit_values(ROUTE_VALUES_MAX - 1), WIRE_MALFORMED);
	assert_int_equal(submit_values(ROUTE_VALUES_MAX), WIRE_MALFORMED);
}

static void
every_truncation_is_refused(void **state)
{
	struct route_frame frame;

	(void)state;
	for (size_t size = 0; size < strlen(release_body); size++)
		assert_int_equal(submit("/v1/attest/release", release_body, size, &frame),
				 WIRE_MALFORMED);
	for (size_t size = 0; size < strlen(activate_body); size++)
		assert_int_equal(submit("/v1/attest/enroll", activate_body, size, &frame),
				 WIRE_MALFORMED);
}

/* A flipped bit is refused, or gives a frame that the keeper's own decoder takes. */
static void
every_bit_flip_is_harmless(void **state)
{
	char body[sizeof(release_body)];
	size_t size = strlen(release_body);
	struct route_frame frame;
	struct wire_release_request request;
	size_t refusals = 0;

	(void)state;
	for (size_t bit = 0; bit < 8 * size; bit++) {
		memcpy(body, release_body, size);
		body[bit / 8] = (char)(body[bit / 8] ^ (1 << (bit % 8)));
		if (submit("/v1/attest/release", body, size, &frame) != WIRE_OK) {
			refusals++;
			continue;
		}
		assert_true(wire_release_request_read((struct bytes){frame.memory, frame.size},
						      &request));
		free(frame.memory);
	}
	assert_true(refusals > size);
}

static void
routes_are_matched_exactly(void **state)
{
	const struct route *route;

	(void)state;
	assert_int_equal(route_find("GET", "/v1/attest/release", &route), ROUTE_WRONG_METHOD);
	assert_string_equal(route_methods(route), "POST, PUT");
	assert_int_equal(route_find("PUT", "/v1/sys/health", &route), ROUTE_WRONG_METHOD);
	assert_string_equal(route_methods(route), "GET, HEAD");
	assert_int_equal(route_find("PUT", "/v1/attest/release", &route), ROUTE_FOUND);
	assert_int_equal(route_find("GET", "/v1/sys/health", &route), ROUTE_FOUND);
	assert_int_equal(route_find("POST", "/v1/attest/release/", &route), ROUTE_NOT_FOUND);
	assert_int_equal(route_find("POST", "/v1/attest/%72elease", &route), ROUTE_NOT_FOUND);
	assert_int_equal(route_find("POST", "//v1/attest/release", &route), ROUTE_NOT_FOUND);
}

/* ---- answers ---- */

static char *
answer_text(enum frame_type type, enum wire_status status, struct bytes payload, unsigned *ret_http)
{
	static uint8_t memory[4096];
	struct writer w = writer_of(memory, sizeof(memory));
	struct wire_answer answer = {.status = status, .payload = payload};

	wire_answer_write(&w, &answer);
	assert_false(w.failed);
	return route_answer(type, ROUTE_VIEW_WHOLE, writer_bytes(&w), ret_http);
}

static void
a_challenge_answer_becomes_json(void **state)
{
	uint8_t memory[256];
	uint8_t challenge[WIRE_CHALLENGE_SIZE] = {1};
	uint8_t key[WIRE_KEY_SIZE] = {2};
	struct writer w = writer_of(memory, sizeof(memory));
	struct wire_challenge_answer answer = {BYTES_OF(challenge), 60, BYTES_OF(key)};
	unsigned http;

	(void)state;
	wire_challenge_answer_write(&w, &answer);
	char *text = answer_text(FRAME_CHALLENGE, WIRE_OK, writer_bytes(&w), &http);
	json_t *root = json_loads(text, 0, NULL);
	assert_int_equal(http, 200);
	assert_int_equal(json_integer_value(json_object_get(root, "expires_in")), 60);
	assert_string_equal(json_string_value(json_object_get(root, "pcrs")), "sha256:0-15");
	assert_int_equal(json_string_length(json_object_get(root, "release_key")), 44);
	assert_int_equal(
		strncmp(json_string_value(json_object_get(root, "release_key")), "AgAA", 4), 0);
	json_decref(root);
	free(text);
}

/* The text, and that jansson takes it. */
static void
assert_json(enum frame_type type, struct writer *payload, const char *want)
{
	unsigned http;
	char *text = answer_text(type, WIRE_OK, writer_bytes(payload), &http);
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	assert_int_equal(http, 200);
	assert_non_null(root);
	assert_string_equal(text, want);
	json_decref(root);
	free(text);
	payload->size = 0;
}

#define TEXT(text) ((struct bytes){(const uint8_t *)(text), strlen(text)})
#define C58	   "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define R32	   "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"
#define R32_BASE64 "cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI="
#define R64_BASE64                                                                                 \
	"cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycg="  \
	"="

static void
answers_become_json(void **state)
{
	uint8_t memory[512];
	struct writer w = writer_of(memory, sizeof(memory));

	(void)state;
	wire_release_answer_write(&w, &(struct wire_release_answer){0, TEXT("abcd")});
	assert_json(FRAME_RELEASE, &w, "{\"sealed\":\"YWJjZA==\"}");
	wire_release_answer_write(&w, &(struct wire_release_answer){4711, TEXT("abcd")});
	assert_json(FRAME_RELEASE, &w, "{\"sealed\":\"YWJjZA==\",\"ima_offset\":4711}");
	wire_enroll_answer_write(
		&w, &(struct wire_enroll_answer){TEXT(C58), 60, TEXT("b"), TEXT("se"), TEXT(R32)});
	assert_json(FRAME_ENROLL, &w,
		    "{\"challenge\":\"" CHALLENGE "\",\"expires_in\":60,\"credential_blob\":"
		    "\"Yg==\",\"secret\":\"c2U=\",\"release_key\":\"" R32_BASE64 "\"}");
	wire_activate_answer_write(&w, &(struct wire_activate_answer){true, TEXT("m-0123")});
	assert_json(FRAME_ACTIVATE, &w, "{\"machine\":\"m-0123\",\"state\":\"admitted\"}");
	wire_activate_answer_write(&w, &(struct wire_activate_answer){false, TEXT("m-0123")});
	assert_json(FRAME_ACTIVATE, &w, "{\"machine\":\"m-0123\",\"state\":\"pending\"}");
	wire_operator_challenge_answer_write(
		&w, &(struct wire_operator_challenge_answer){TEXT(C58), 5, INT64_MAX});
	assert_json(FRAME_OPERATOR_CHALLENGE, &w,
		    "{\"challenge\":\"" CHALLENGE
		    "\",\"expires_in\":5,\"trust_revision\":9223372036854775807}");
	wire_operator_answer_write(&w, &(struct wire_operator_answer){TEXT("abc"), TEXT(R32 R32)});
	assert_json(FRAME_OPERATOR_REQUEST, &w,
		    "{\"answer\":\"YWJj\",\"signature\":\"" R64_BASE64 "\"}");
}

/* What the keeper names a machine stands in JSON as it is: nothing that would need an escape. */
static void
a_name_with_a_quote_is_a_failure(void **state)
{
	uint8_t memory[64];
	struct writer w = writer_of(memory, sizeof(memory));
	unsigned http;

	(void)state;
	wire_activate_answer_write(&w, &(struct wire_activate_answer){true, TEXT("m-\",\"x\":\"")});
	char *text = answer_text(FRAME_ACTIVATE, WIRE_OK, writer_bytes(&w), &http);
	assert_int_equal(http, 500);
	free(text);
}

static void
refusals_carry_word_and_status(void **state)
{
	static const struct {
		enum wire_status status;
		unsigned http;
		const char *word;
	} table[] = {
		{WIRE_CHALLENGE, 403, "challenge: "},
		{WIRE_IDENTITY, 403, "identity: "},
		{WIRE_QUOTE, 403, "quote: "},
		{WIRE_POLICY, 403, "policy: "},
		{WIRE_OPERATOR, 403, "operator: "},
		{WIRE_LIMIT, 413, "limit: "},
		{WIRE_IMA, 409, "ima: "},
		{WIRE_BUSY, 503, "busy: "},
		{WIRE_FAILED, 500, "failed: "},
		{WIRE_MALFORMED, 400, "malformed: "},
	};
	unsigned http;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char *text = answer_text(FRAME_RELEASE, table[i].status, (struct bytes){0}, &http);
		assert_int_equal(http, table[i].http);
		assert_non_null(strstr(text, table[i].word));
		free(text);
	}
}

static void
broken_answers_are_failures(void **state)
{
	static const enum frame_type types[] = {
		FRAME_CHALLENGE,	  FRAME_RELEASE,	  FRAME_ENROLL, FRAME_ACTIVATE,
		FRAME_OPERATOR_CHALLENGE, FRAME_OPERATOR_REQUEST, FRAME_HEALTH};
	unsigned http;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		char *text = answer_text(types[i], WIRE_OK, (struct bytes){0}, &http);
		assert_int_equal(http, 500);
		free(text);
		text = route_answer(types[i], ROUTE_VIEW_WHOLE, (struct bytes){0}, &http);
		assert_int_equal(http, 500);
		free(text);
	}
}

/* Health is worth 200 where it serves; a seal's status always. */
static void
health_and_seal_have_their_views(void **state)
{
	static const struct {
		struct wire_health health;
		unsigned http;
		const char *health_has;
		const char *seal;
	} table[] = {
		{{WIRE_SERVING, 7, 3, 5, 0},
		 200,
		 "\"sealed\":false,\"frozen\":false,",
		 "\"sealed\":false,\"t\":3,\"n\":5,\"progress\":0,"},
		{{WIRE_IS_SEALED, 0, 3, 5, 2},
		 503,
		 "\"sealed\":true,\"frozen\":false,",
		 "\"sealed\":true,\"t\":3,\"n\":5,\"progress\":2,"},
		{{WIRE_IS_FROZEN, 7, 0, 0, 0},
		 503,
		 "\"sealed\":false,\"frozen\":true,",
		 "\"sealed\":false,\"t\":0,\"n\":0,\"progress\":0,"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint8_t payload[32], memory[64];
		unsigned http = 0;
		struct writer payload_w = writer_of(payload, sizeof(payload));
		struct writer w = writer_of(memory, sizeof(memory));
		wire_health_write(&payload_w, &table[i].health);
		const struct wire_answer answer = {WIRE_OK, writer_bytes(&payload_w)};
		wire_answer_write(&w, &answer);
		char *text = route_answer(FRAME_HEALTH, ROUTE_VIEW_WHOLE, writer_bytes(&w), &http);
		assert_non_null(strstr(text, table[i].health_has));
		assert_int_equal(http, table[i].http);
		free(text);
		text = route_answer(FRAME_HEALTH, ROUTE_VIEW_SEAL, writer_bytes(&w), &http);
		assert_non_null(strstr(text, table[i].seal));
		assert_int_equal(http, 200);
		json_t *json = json_loads(text, 0, NULL);
		assert_string_equal(json_string_value(json_object_get(json, "type")), "shamir");
		json_decref(json);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(release_becomes_a_frame),
		cmocka_unit_test(enrolment_is_told_by_its_challenge),
		cmocka_unit_test(a_clouds_evidence_is_whole),
		cmocka_unit_test(bad_bodies_are_refused),
		cmocka_unit_test(bad_release_members_are_refused),
		cmocka_unit_test(too_many_secrets_are_refused),
		cmocka_unit_test(too_many_values_are_refused),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_bit_flip_is_harmless),
		cmocka_unit_test(routes_are_matched_exactly),
		cmocka_unit_test(a_challenge_answer_becomes_json),
		cmocka_unit_test(answers_become_json),
		cmocka_unit_test(a_name_with_a_quote_is_a_failure),
		cmocka_unit_test(refusals_carry_word_and_status),
		cmocka_unit_test(broken_answers_are_failures),
		cmocka_unit_test(health_and_seal_have_their_views),
	};

	return cmocka_run_group_tests(tests, make_bodies, NULL);
}
