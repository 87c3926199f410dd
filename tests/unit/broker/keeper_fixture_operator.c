/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of the keeper's tests: what they sign, and their check of what comes back. */
#include "keeper_fixture.h"

#include "wire/hpke.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes
house_names(uint8_t *memory, size_t size, const char *names)
{
	struct writer w = writer_of(memory, size);
	struct name_list list = {0};

	for (const char *at = names; *at;) {
		size_t length = strcspn(at, " ");
		list.names[list.count++] = (struct bytes){(const uint8_t *)at, length};
		at += length + (at[length] == ' ');
	}
	name_list_write(&w, &list);
	assert(!w.failed);
	return writer_bytes(&w);
}

static uint64_t
operator_challenge(struct house *house, const char *name,
		   uint8_t ret_challenge[WIRE_CHALLENGE_SIZE])
{
	uint8_t memory[128];
	struct writer w = writer_of(memory, sizeof(memory));
	struct wire_operator_challenge_request request = {text_bytes(name)};
	struct wire_operator_challenge_answer answer;
	struct bytes payload;

	wire_operator_challenge_request_write(&w, &request);
	assert(house_call(house, FRAME_OPERATOR_CHALLENGE, writer_bytes(&w), &payload) == WIRE_OK);
	assert(wire_operator_challenge_answer_read(payload, &answer));
	memcpy(ret_challenge, answer.challenge.data, WIRE_CHALLENGE_SIZE);
	free((void *)(uintptr_t)payload.data);
	return answer.trust_revision;
}

static void
read_operator_answer(const struct house *house, struct bytes request, struct bytes payload,
		     struct house_answer *answer)
{
	struct wire_operator_answer wire;
	struct operation_answer inner;
	uint8_t hash[32];

	assert(wire_operator_answer_read(payload, &wire));
	assert(crypto_sign_verify_detached(wire.signature.data, wire.answer.data, wire.answer.size,
					   house->answer_key) == 0);
	assert(operation_answer_read(wire.answer, &inner));
	crypto_hash_sha256(hash, request.data, request.size);
	assert(bytes_equal(inner.request_hash, BYTES_OF(hash)));
	answer->outcome = (enum operation_outcome)inner.outcome;
	answer->trust_revision = inner.trust_revision;
	answer->json = (char *)(uintptr_t)house_copy(inner.json).data;
}

struct house_answer
house_operate_as(struct house *house, uint64_t id, const struct house_operator *signer,
		 struct operation_request *request, void (*spoil)(uint8_t *frame, size_t size))
{
	uint8_t challenge[WIRE_CHALLENGE_SIZE], signature[64];
	uint8_t *frame = malloc(OPERATION_REQUEST_MAX), *body = malloc(OPERATION_REQUEST_MAX + 256);
	struct writer w = writer_of(frame, OPERATION_REQUEST_MAX);
	struct writer body_w = writer_of(body, OPERATION_REQUEST_MAX + 256);
	struct house_answer answer = {.operation = request->operation};
	struct bytes payload = {0};

	uint64_t revision = operator_challenge(house, signer->name, challenge);
	const struct operation_info *info = operation_find(request->operation);
	request->answer_key = BYTES_OF(house->answer_key);
	request->operator_name = text_bytes(signer->name);
	request->challenge = BYTES_OF(challenge);
	if (info && info->act && request->trust_revision == 0)
		request->trust_revision = revision;
	operation_request_write(&w, request);
	assert(!w.failed);
	crypto_sign_detached(signature, NULL, frame, w.size, signer->secret_key);
	if (spoil)
		spoil(frame, w.size);
	struct wire_operator_request wire = {writer_bytes(&w), BYTES_OF(signature),
					     text_bytes("127.0.0.1 1")};
	wire_operator_request_write(&body_w, &wire);
	answer.status =
		house_call_as(house, id, FRAME_OPERATOR_REQUEST, writer_bytes(&body_w), &payload);
	if (answer.status == WIRE_OK)
		read_operator_answer(house, writer_bytes(&w), payload, &answer);
	request->trust_revision = 0;
	free((void *)(uintptr_t)payload.data);
	free(frame);
	free(body);
	return answer;
}

struct house_answer
house_operate(struct house *house, const struct house_operator *signer,
	      struct operation_request *request)
{
	return house_operate_as(house, house_id(house), signer, request, NULL);
}

void
house_must(struct house *house, struct operation_request *request)
{
	struct house_answer answer = house_operate(house, &house->alice, request);

	if (answer.status != WIRE_OK || answer.outcome != OUTCOME_OK) {
		fprintf(stderr, "operation %u: status %d, outcome %d: %s\n", request->operation,
			answer.status, answer.outcome, answer.json ? answer.json : "");
		abort();
	}
	free(answer.json);
}

struct house_answer
house_put_as(struct house *house, const char *path, uint64_t cas, struct bytes value)
{
	struct operation_request request = {.operation = OPERATION_SECRET_PUT};
	uint8_t aad[INTAKE_AAD_MAX], info[64], number[8];
	uint8_t *sealed = malloc(value.size + HPKE_OVERHEAD);
	struct writer w = writer_of(info, sizeof(info));

	size_t size = intake_aad(text_bytes(path), cas, text_bytes(house->alice.name), aad);
	write_lp_text(&w, "postern/intake/v1");
	assert(hpke_seal(house->intake_key, NULL, NULL, writer_bytes(&w), (struct bytes){aad, size},
			 value, sealed));
	operation_set_text(&request, FIELD_PATH, path);
	operation_set_number(&request, FIELD_CAS, cas, number);
	operation_set(&request, FIELD_SEALED, (struct bytes){sealed, value.size + HPKE_OVERHEAD});
	struct house_answer answer = house_operate(house, &house->alice, &request);
	free(sealed);
	return answer;
}

void
house_put(struct house *house, const char *path, struct bytes value)
{
	struct house_answer answer = house_put_as(house, path, UINT64_MAX, value);

	if (answer.status != WIRE_OK || answer.outcome != OUTCOME_OK) {
		fprintf(stderr, "put: status %d, outcome %d: %s\n", answer.status, answer.outcome,
			answer.json ? answer.json : "");
		abort();
	}
	free(answer.json);
}

char *
house_audit(struct house *house)
{
	struct operation_request request = {.operation = OPERATION_AUDIT_READ};
	uint8_t from[8], count[8];

	operation_set_number(&request, FIELD_FROM, 1, from);
	operation_set_number(&request, FIELD_COUNT, 1000, count);
	struct house_answer answer = house_operate(house, &house->alice, &request);
	assert(answer.status == WIRE_OK && answer.outcome == OUTCOME_OK);
	return answer.json;
}
