/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask for what: the one place to read authorization in. A handler is entered with nothing
 * proved; the column says what it establishes before it acts. Frozen, the keeper answers what is
 * marked as a reading, or may be the way to one; sealed, sealed.c answers.
 */
#include "control.h"

#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct handler {
	enum frame_type type;
	void (*handle)(struct worker *worker, const struct frame *frame);
	bool frozen; /* also then */
	const char *proves;
} handlers[] = {
	{FRAME_HEALTH, handle_health, true, "nothing: tells the trust revision"},
	{FRAME_CHALLENGE, handle_challenge, false,
	 "nothing: keeps nothing, and says nothing of whether the AK is known"},
	{FRAME_OPERATOR_CHALLENGE, handle_operator_challenge, true,
	 "nothing: keeps nothing, and says nothing of whether the operator is known"},
	{FRAME_ENROLL, handle_enroll, false,
	 "nothing: keeps nothing; the credential opens in the TPM that holds both keys alone"},
	{FRAME_ACTIVATE, handle_activate, false,
	 "that AK and EK share a TPM (activation proof), and a quote under the AK for this "
	 "challenge"},
	{FRAME_RELEASE, handle_release, false,
	 "an admitted machine's AK, by a quote for this challenge, recipient and list of secrets; "
	 "then policy"},
	{FRAME_OPERATOR_REQUEST, handle_operator_request, true,
	 "an operator's signature for this broker and challenge; then policy, by the operation's "
	 "name"},
};

static const struct handler *
find(uint16_t type)
{
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
		if ((uint16_t)handlers[i].type == type)
			return &handlers[i];
	}
	return NULL;
}

void
worker_run(struct worker *worker)
{
	struct keeper *keeper = worker->keeper;
	struct frame frame;

	while (channel_receive(keeper->options.gateway, &worker->input, &frame) == CHANNEL_OK &&
	       !atomic_load(&keeper->given_up)) {
		const struct handler *handler = find(frame.type);
		if (frame.descriptor >= 0)
			close(frame.descriptor); /* the gateway has none to give */
		if (!handler)
			worker_answer(worker, frame.id, WIRE_MALFORMED, (struct bytes){0});
		else if (!handler->frozen && atomic_load(&keeper->freeze.frozen))
			worker_answer(worker, frame.id, WIRE_FROZEN, (struct bytes){0});
		else
			handler->handle(worker, &frame);
		worker_trim(worker);
		sodium_stackzero(KEEPER_STACK);
	}
	/* Closed, or not to be understood any more: then for all threads, so that the daemon ends
	 * rather than limps. What they are answering still leaves. */
	(void)shutdown(keeper->options.gateway, SHUT_RD);
}

void
handle_health(struct worker *worker, const struct frame *frame)
{
	uint8_t memory[16];
	struct writer w = writer_of(memory, sizeof(memory));
	struct wire_health health = {0};

	if (frame->body.size != 0) {
		worker_answer(worker, frame->id, WIRE_MALFORMED, (struct bytes){0});
		return;
	}
	pthread_rwlock_rdlock(&worker->keeper->lock);
	health.state = atomic_load(&worker->keeper->freeze.frozen) ? WIRE_IS_FROZEN : WIRE_SERVING;
	health.trust_revision = worker->keeper->trust.revision;
	pthread_rwlock_unlock(&worker->keeper->lock);
	control_shares(worker->keeper->control, &health);
	wire_health_write(&w, &health);
	worker_answer(worker, frame->id, WIRE_OK, writer_bytes(&w));
}

void
handle_challenge(struct worker *worker, const struct frame *frame)
{
	struct keeper *keeper = worker->keeper;
	struct wire_challenge_request request;
	uint8_t ak_name[AK_NAME_SIZE];
	uint8_t challenge[WIRE_CHALLENGE_SIZE];
	uint8_t memory[WIRE_CHALLENGE_SIZE + 64];
	struct writer w = writer_of(memory, sizeof(memory));

	if (!wire_challenge_request_read(frame->body, &request) ||
	    request.evidence != WIRE_EVIDENCE_TPM2 || request.ak_public.size == 0) {
		worker_answer(worker, frame->id, WIRE_MALFORMED, (struct bytes){0});
		return;
	}
	ak_name_of(request.ak_public, ak_name);
	challenge_make(keeper->challenges, CHALLENGE_FOR_RELEASE, BYTES_OF(ak_name),
		       (struct bytes){0}, challenge);
	struct wire_challenge_answer answer = {
		.challenge = BYTES_OF(challenge),
		.expires_in = keeper->options.challenge_lifetime,
		.release_key = BYTES_OF(keeper->keys.release_public),
	};
	wire_challenge_answer_write(&w, &answer);
	worker_answer(worker, frame->id, WIRE_OK, writer_bytes(&w));
}

void
handle_operator_challenge(struct worker *worker, const struct frame *frame)
{
	struct keeper *keeper = worker->keeper;
	struct wire_operator_challenge_request request;
	uint8_t challenge[WIRE_CHALLENGE_SIZE];
	uint8_t memory[WIRE_CHALLENGE_SIZE + 64];
	struct writer w = writer_of(memory, sizeof(memory));

	if (!wire_operator_challenge_request_read(frame->body, &request) ||
	    !name_valid(request.operator_name)) {
		worker_answer(worker, frame->id, WIRE_MALFORMED, (struct bytes){0});
		return;
	}
	challenge_make(keeper->challenges, CHALLENGE_FOR_OPERATOR, request.operator_name,
		       (struct bytes){0}, challenge);
	pthread_rwlock_rdlock(&keeper->lock);
	uint64_t revision = keeper->trust.revision;
	pthread_rwlock_unlock(&keeper->lock);
	struct wire_operator_challenge_answer answer = {
		.challenge = BYTES_OF(challenge),
		.expires_in = keeper->options.challenge_lifetime,
		.trust_revision = revision,
	};
	wire_operator_challenge_answer_write(&w, &answer);
	worker_answer(worker, frame->id, WIRE_OK, writer_bytes(&w));
}
