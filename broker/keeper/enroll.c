/* SPDX-License-Identifier: Apache-2.0 */
/* Enrolment: PROTOCOL.md, "Enrolment". The first step keeps nothing; the second records a machine
 * that an operator may then admit. */
#include "enroll.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
ek_free_at(struct attest_ek **ek)
{
	attest_ek_free(*ek);
}
#define auto_ek __attribute__((cleanup(ek_free_at))) struct attest_ek

static void
ak_free_at(struct attest_ak **ak)
{
	attest_ak_free(*ak);
}
#define auto_ak __attribute__((cleanup(ak_free_at))) struct attest_ak

/* ---- the first step ---- */

static enum wire_status
make_credential(struct worker *worker, const struct wire_enroll_request *request,
		struct attest_credential *ret_credential,
		uint8_t ret_challenge[WIRE_CHALLENGE_SIZE])
{
	auto_ek *ek = NULL;
	auto_ak *ak = NULL;
	struct attest_error err;
	uint8_t secret[CHALLENGE_ACTIVATION_SIZE];

	if (attest_ek_decode(request->ek_public, &ek, &err) != ATTEST_OK ||
	    attest_ak_decode(request->ak_public, &ak, &err) != ATTEST_OK)
		return WIRE_MALFORMED;
	challenge_make(worker->keeper->challenges, CHALLENGE_FOR_ENROLMENT,
		       name_bytes(attest_ak_name(ak)), name_bytes(attest_ek_name(ek)),
		       ret_challenge);
	challenge_activation(worker->keeper->challenges,
			     (struct bytes){ret_challenge, WIRE_CHALLENGE_SIZE}, secret);
	enum attest_status status = attest_credential_make(ek, attest_ak_name(ak), BYTES_OF(secret),
							   ret_credential, &err);
	sodium_memzero(secret, sizeof(secret));
	return status == ATTEST_OK ? WIRE_OK : WIRE_FAILED;
}

void
handle_enroll(struct worker *worker, const struct frame *frame)
{
	struct wire_enroll_request request;
	struct attest_credential credential;
	uint8_t challenge[WIRE_CHALLENGE_SIZE];
	uint8_t memory[WIRE_CHALLENGE_SIZE + 2 * ATTEST_CREDENTIAL_MAX + 128];
	struct writer w = writer_of(memory, sizeof(memory));
	enum wire_status status = WIRE_MALFORMED;

	if (wire_enroll_request_read(frame->body, &request))
		status = make_credential(worker, &request, &credential, challenge);
	if (status == WIRE_OK) {
		struct wire_enroll_answer answer = {
			.challenge = BYTES_OF(challenge),
			.expires_in = worker->keeper->options.challenge_lifetime,
			.blob = {credential.blob, credential.blob_size},
			.secret = {credential.secret, credential.secret_size},
			.release_key = BYTES_OF(worker->keeper->keys.release_public),
		};
		wire_enroll_answer_write(&w, &answer);
	}
	worker_answer(worker, frame->id, status, writer_bytes(&w));
}

/* ---- the second step ---- */

static void
enrolment_clear(struct enrolment *enrolment)
{
	attest_ek_free(enrolment->ek);
	attest_ak_free(enrolment->ak);
	for (size_t i = 0; i < ATTEST_CRLS_MAX; i++)
		crl_bytes_drop(enrolment->crls[i]);
}

static void
enrolment_free_at(struct enrolment **enrolment)
{
	if (*enrolment)
		enrolment_clear(*enrolment);
	free(*enrolment);
}
#define auto_enrolment __attribute__((cleanup(enrolment_free_at))) struct enrolment

static enum wire_status
decode(const struct frame *frame, struct enrolment *enrolment)
{
	struct attest_error err;

	if (!wire_activate_request_read(frame->body, &enrolment->request))
		return WIRE_MALFORMED;
	if (enrolment->request.event_log.size > ATTEST_EVENTLOG_MAX)
		return WIRE_LIMIT;
	if (attest_ek_decode(enrolment->request.ek_public, &enrolment->ek, &err) != ATTEST_OK ||
	    attest_ak_decode(enrolment->request.ak_public, &enrolment->ak, &err) != ATTEST_OK)
		return WIRE_MALFORMED;
	attest_ek_id(enrolment->ek, enrolment->ek_id);
	machine_id_of(enrolment->ek_id, enrolment->id);
	enrolment->now = unix_now();
	return WIRE_OK;
}

static bool
proof_holds(struct worker *worker, const struct wire_activate_request *request,
	    const uint8_t transcript[TRANSCRIPT_SIZE])
{
	uint8_t secret[CHALLENGE_ACTIVATION_SIZE];
	uint8_t proof[TRANSCRIPT_SIZE];

	challenge_activation(worker->keeper->challenges, request->challenge, secret);
	activation_proof(BYTES_OF(secret), transcript, proof);
	sodium_memzero(secret, sizeof(secret));
	return request->proof.size == sizeof(proof) &&
	       sodium_memcmp(proof, request->proof.data, sizeof(proof)) == 0;
}

/* Challenge, activation proof, quote: only then is the challenge used up, and only then is anything
 * audited. */
static enum wire_status
prove(struct worker *worker, struct enrolment *enrolment)
{
	struct keeper *keeper = worker->keeper;
	const struct wire_activate_request *request = &enrolment->request;
	struct attest_quote_input input = {
		.ak = enrolment->ak,
		.message = request->quote,
		.signature = request->signature,
		.pcrs = request->pcrs,
	};
	struct attest_error err;
	uint64_t issued;

	if (challenge_check(keeper->challenges, CHALLENGE_FOR_ENROLMENT,
			    name_bytes(attest_ak_name(enrolment->ak)),
			    name_bytes(attest_ek_name(enrolment->ek)), request->challenge,
			    &issued) != CHALLENGE_GOOD)
		return WIRE_CHALLENGE;
	transcript_enroll(BYTES_OF(keeper->keys.release_public), request->challenge,
			  request->ek_public, request->ak_public, input.qualifying);
	memcpy(enrolment->transcript, input.qualifying, sizeof(enrolment->transcript));
	if (!proof_holds(worker, request, input.qualifying) ||
	    attest_quote_verify(&input, &enrolment->quote, &err) != ATTEST_OK)
		return WIRE_QUOTE;
	enum challenge_verdict verdict = challenge_consume(keeper->challenges, request->challenge);
	if (verdict != CHALLENGE_GOOD)
		return verdict == CHALLENGE_CROWDED ? WIRE_BUSY : WIRE_CHALLENGE;
	enrolment->proved = true;
	return WIRE_OK;
}

/* A refusal of who has proved itself is durable before it is told, but for strangers that are too
 * many. */
static enum wire_status
refuse(struct worker *worker, struct enrolment *enrolment, enum wire_status status)
{
	struct keeper *keeper = worker->keeper;

	atomic_fetch_add(&keeper->counters.denied, 1);
	pthread_rwlock_rdlock(&keeper->lock);
	const struct machine *machine = trust_machine(&keeper->trust, text_bytes(enrolment->id));
	bool stranger = !machine || machine->standing == STANDING_NONE;
	enrolment_entry(worker, enrolment, machine, "refused");
	pthread_rwlock_unlock(&keeper->lock);
	if (stranger && !audit_stranger(worker)) {
		atomic_fetch_add(&keeper->counters.unknown, 1);
		return status;
	}
	return audit_write(worker, enrolment->id) ? status : worker_refusal(worker);
}

static void
answer(struct worker *worker, const struct frame *frame, struct enrolment *enrolment,
       enum wire_status status)
{
	uint8_t memory[64];
	struct writer w = writer_of(memory, sizeof(memory));
	struct wire_activate_answer said = {enrolment->admitted, text_bytes(enrolment->id)};

	if (status == WIRE_OK) {
		wire_activate_answer_write(&w, &said);
	} else if (!enrolment->proved) {
		atomic_fetch_add(&worker->keeper->counters.unknown, 1);
	} else if (status != WIRE_STORE && status != WIRE_SEALED && status != WIRE_FROZEN) {
		status = refuse(worker, enrolment, status);
	}
	worker_answer(worker, frame->id, status, writer_bytes(&w));
}

void
handle_activate(struct worker *worker, const struct frame *frame)
{
	auto_enrolment *enrolment = calloc(1, sizeof(*enrolment));

	if (!enrolment) {
		worker_answer(worker, frame->id, WIRE_FAILED, (struct bytes){0});
		return;
	}
	audit_checks_start(worker);
	enum wire_status status = decode(frame, enrolment);
	if (status == WIRE_OK)
		status = prove(worker, enrolment);
	if (status == WIRE_OK)
		status = enrolment_record(worker, enrolment);
	answer(worker, frame, enrolment, status);
}
