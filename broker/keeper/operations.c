/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators' requests: PROTOCOL.md, "Operators' requests". Whoever sends one has to have signed it,
 * for this broker and one challenge, with the key of an operator that is not ended; policy then
 * decides on action and resource; only then does the operation's own function run. The table below
 * is all there is.
 */
#include "operations.h"

#include "supervisor/role.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 64 /* of one that others were quicker than; each time one of them is done */

static const struct row {
	enum operation operation;
	enum resource resource;
	operation_run *run;
} rows[] = {
	{OPERATION_STATUS, RESOURCE_BROKER, operation_status},
	{OPERATION_SECRET_LIST, RESOURCE_FOLDER, operation_secret_list},
	{OPERATION_SECRET_SHOW, RESOURCE_SECRET, operation_secret_show},
	{OPERATION_MACHINE_LIST, RESOURCE_BROKER, operation_machine_list},
	{OPERATION_MACHINE_SHOW, RESOURCE_MACHINE, operation_machine_show},
	{OPERATION_BASELINE_LIST, RESOURCE_BROKER, operation_baseline_list},
	{OPERATION_POLICY_SHOW, RESOURCE_BROKER, operation_policy_show},
	{OPERATION_POLICY_CHECK, RESOURCE_BROKER, operation_policy_check},
	{OPERATION_OPERATOR_LIST, RESOURCE_BROKER, operation_operator_list},
	{OPERATION_ANCHOR_LIST, RESOURCE_BROKER, operation_anchor_list},
	{OPERATION_EXPLAIN, RESOURCE_MACHINE, operation_explain},
	{OPERATION_AUDIT_READ, RESOURCE_BROKER, operation_audit_read},
	{OPERATION_ACT_READ, RESOURCE_BROKER, operation_act_read},
	{OPERATION_IMA_KEY_LIST, RESOURCE_BROKER, operation_ima_key_list},
	{OPERATION_IMA_ALLOW_LIST, RESOURCE_BROKER, operation_ima_allow_list},
	{OPERATION_CRL_LIST, RESOURCE_BROKER, operation_crl_list},
	{OPERATION_SECRET_PUT, RESOURCE_SECRET, operation_secret_put},
	{OPERATION_SECRET_DELETE, RESOURCE_SECRET, operation_secret_delete},
	{OPERATION_SECRET_UNDELETE, RESOURCE_SECRET, operation_secret_undelete},
	{OPERATION_SECRET_DESTROY, RESOURCE_SECRET, operation_secret_destroy},
	{OPERATION_SECRET_SETTINGS, RESOURCE_SECRET, operation_secret_settings},
	{OPERATION_SECRET_REMOVE, RESOURCE_SECRET, operation_secret_remove},
	{OPERATION_SEAL, RESOURCE_BROKER, operation_seal},
	{OPERATION_ROTATE, RESOURCE_BROKER, operation_rotate},
	{OPERATION_MACHINE_REGISTER, RESOURCE_NEW_MACHINE, operation_act},
	{OPERATION_MACHINE_ADMIT, RESOURCE_NEW_MACHINE, operation_act},
	{OPERATION_MACHINE_SUSPEND, RESOURCE_MACHINE, operation_act},
	{OPERATION_MACHINE_READMIT, RESOURCE_MACHINE, operation_act},
	{OPERATION_MACHINE_GROUP, RESOURCE_GROUPS, operation_act},
	{OPERATION_BASELINE_ADD, RESOURCE_BASELINE, operation_act},
	{OPERATION_BASELINE_END, RESOURCE_BASELINE, operation_act},
	{OPERATION_POLICY_APPLY, RESOURCE_POLICY, operation_act},
	{OPERATION_POLICY_DELETE, RESOURCE_POLICY, operation_act},
	{OPERATION_ANCHOR_ADD, RESOURCE_ANCHOR, operation_act},
	{OPERATION_REVOKE, RESOURCE_REVOKED, operation_act},
	{OPERATION_OPERATOR_ADD, RESOURCE_OPERATOR, operation_act},
	{OPERATION_IMA_KEY_ADD, RESOURCE_IMA_KEY, operation_act},
	{OPERATION_IMA_ALLOW_ADD, RESOURCE_IMA_ALLOW, operation_act},
	{OPERATION_IMA_ALLOW_END, RESOURCE_IMA_ALLOW, operation_act},
	{OPERATION_CRL_ADD, RESOURCE_CRL, operation_act},
	{OPERATION_CRL_END, RESOURCE_CRL, operation_act},
	{OPERATION_REKEY, RESOURCE_BROKER, operation_act},
	/* OPERATION_GENESIS is not here: nobody may send it. */
};

static const struct row *
find(uint16_t operation)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((uint16_t)rows[i].operation == operation)
			return &rows[i];
	}
	return NULL;
}

/* ---- answers ---- */

struct json *
operation_text(struct worker *worker)
{
	out_start(&worker->text, OPERATION_TEXT_MAX);
	out_object(&worker->text, NULL);
	return &worker->text;
}

enum operation_outcome
operation_error(struct worker *worker, enum operation_outcome outcome, const char *format, ...)
{
	struct json *json = operation_text(worker);
	char message[ACT_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	out_array(json, "errors");
	out_text(json, NULL, message);
	out_array_end(json);
	out_object_end(json);
	return outcome;
}

static const char *
outcome_text(enum operation_outcome outcome)
{
	switch (outcome) {
	case OUTCOME_OK:
		return "done";
	case OUTCOME_DENIED:
		return "denied";
	case OUTCOME_STALE:
		return "stale";
	case OUTCOME_INVALID:
		return "invalid";
	case OUTCOME_MISSING:
		return "missing";
	case OUTCOME_CONFLICT:
		return "conflict";
	case OUTCOME_FAILED:
		return "failed";
	case OUTCOME_FROZEN:
		return "frozen";
	}
	return "failed";
}

void
operation_entry(struct worker *worker, const struct operation_call *call,
		enum operation_outcome outcome, uint64_t trust_revision)
{
	struct json *json = audit_begin(worker, "operator", call->now);
	struct bytes reason = call->request.fields[FIELD_REASON];

	out_text(json, "operator", call->signer->name);
	out_text(json, "operation", call->info->name);
	out_text(json, "subject", call->subject);
	out_string(json, "peer", call->wire.peer);
	out_text(json, "outcome", outcome_text(outcome));
	if (call->detail[0])
		out_text(json, "detail", call->detail);
	if (operation_has(&call->request, FIELD_REASON))
		out_string(json, "reason", reason);
	if (call->machine)
		out_text(json, "machine", call->machine->id);
	audit_end(worker, false, trust_revision);
}

size_t
operation_count(const struct operation_call *call, size_t absent)
{
	uint64_t count = operation_number(&call->request, FIELD_COUNT, absent);

	return count == 0 ? 1 : count > OPERATION_COUNT_MAX ? OPERATION_COUNT_MAX : (size_t)count;
}

/* ---- one call ---- */

/* Shared lock held: signature of an operator that is known and not ended. NULL: not so. */
static const struct operator_record *
authenticate(struct worker *worker, struct operation_call *call)
{
	struct keeper *keeper = worker->keeper;
	const struct operation_request *request = &call->request;
	uint64_t issued;

	if (!bytes_equal(request->answer_key, BYTES_OF(keeper->keys.answer_public)))
		return NULL;
	if (challenge_check(keeper->challenges, CHALLENGE_FOR_OPERATOR, request->operator_name,
			    (struct bytes){0}, request->challenge, &issued) != CHALLENGE_GOOD)
		return NULL;
	const struct operator_record *signer =
		trust_operator(&keeper->trust, request->operator_name);
	if (!signer || signer->ended)
		return NULL;
	if (crypto_sign_verify_detached(call->wire.signature.data, call->wire.request.data,
					call->wire.request.size, signer->key) != 0)
		return NULL;
	return signer;
}

/* Lock held. */
static enum operation_outcome
run(struct worker *worker, const struct row *row, struct operation_call *call)
{
	const struct trust *trust = &worker->keeper->trust;
	char why[FACTS_WHY_SIZE] = "";

	call->view = (struct operator_view){
		.signer = call->signer,
		.now = call->now,
		.action = call->info->name,
	};
	operation_resolve(trust, row->resource, call);
	/* A frozen keeper shows what it has, and can be sealed: that answers less still. */
	bool reads = strcmp(call->info->group, "read") == 0;
	if (atomic_load(&worker->keeper->freeze.frozen) && !reads &&
	    row->operation != OPERATION_SEAL)
		return operation_error(worker, OUTCOME_FROZEN, "%s", worker->keeper->freeze.why);
	if (call->info->act && call->request.trust_revision != trust->revision)
		return operation_error(worker, OUTCOME_STALE,
				       "the trust revision is %llu: look again, and sign again",
				       (unsigned long long)trust->revision);
	bool allowed = operation_allowed(worker, call, row->resource, why);
	if (!allowed)
		return operation_error(worker, OUTCOME_DENIED, "%s on %.320s: %s", call->info->name,
				       call->subject, why);
	enum operation_outcome outcome = OUTCOME_CONFLICT;
	call->moved = true;
	for (size_t i = 0; i < ATTEMPTS && call->moved; i++) {
		call->moved = false;
		outcome = row->run(worker, call);
	}
	if (!out_finish(&worker->text))
		return operation_error(worker, OUTCOME_FAILED,
				       "the answer is too large: ask for less");
	return outcome;
}

/* Lock held: signed, and sent. */
static void
send_answer(struct worker *worker, const struct frame *frame, const struct operation_call *call,
	    enum operation_outcome outcome)
{
	struct keeper *keeper = worker->keeper;
	uint8_t hash[crypto_hash_sha256_BYTES];
	uint8_t signature[crypto_sign_BYTES];
	size_t capacity = out_bytes(&worker->text).size + 512;
	uint8_t *memory = worker_reserve(&worker->sealed, 2 * capacity);
	struct operation_answer answer = {
		.request_hash = BYTES_OF(hash),
		.outcome = (uint8_t)outcome,
		.trust_revision = keeper->trust.revision,
		.json = out_bytes(&worker->text),
	};

	if (!memory) {
		worker_answer(worker, frame->id, WIRE_FAILED, (struct bytes){0});
		return;
	}
	crypto_hash_sha256(hash, call->wire.request.data, call->wire.request.size);
	struct writer inner = writer_of(memory, capacity);
	operation_answer_write(&inner, &answer);
	crypto_sign_detached(signature, NULL, memory, inner.size, keeper->keys.answer->bytes);
	struct wire_operator_answer sealed = {writer_bytes(&inner), BYTES_OF(signature)};
	struct writer outer = writer_of(memory + capacity, capacity);
	wire_operator_answer_write(&outer, &sealed);
	bool good = !inner.failed && !outer.failed;
	worker_answer(worker, frame->id, good ? WIRE_OK : WIRE_FAILED, writer_bytes(&outer));
}

static enum operation_outcome
unaudited(struct worker *worker, enum operation_outcome outcome)
{
	const char *why = worker_refusal_text(worker);

	if (!worker->last_word)
		return operation_error(worker, OUTCOME_FAILED,
				       "the audit log cannot be written: %s", why);
	role_complain("sealing, and the audit log could not be told: %s", why);
	return outcome;
}

/* Lock held, and let go. Everything an operator asks is durable in the audit log before it is
 * answered. */
static void
serve(struct worker *worker, const struct frame *frame, const struct row *row,
      struct operation_call *call)
{
	enum operation_outcome outcome = run(worker, row, call);
	/* Who looks at a machine decides nothing about it: `explain` does not show it. */
	bool reads = strcmp(call->info->group, "read") == 0;
	const char *tag = call->machine && !reads ? call->machine->id : NULL;

	if (!call->audited) {
		operation_entry(worker, call, outcome, worker->keeper->trust.revision);
		if (!audit_write(worker, tag))
			outcome = unaudited(worker, outcome);
	}
	if (worker->last_word)
		keeper_seal(worker->keeper);
	send_answer(worker, frame, call, outcome);
	if (worker->last_word)
		keeper_leave(worker->keeper);
	worker->last_word = false;
}

static enum wire_status
decode(const struct frame *frame, struct operation_call *call)
{
	const char *problem;

	if (!wire_operator_request_read(frame->body, &call->wire) ||
	    call->wire.signature.size != crypto_sign_BYTES ||
	    !operation_request_read(call->wire.request, &call->request, &problem))
		return WIRE_MALFORMED;
	call->info = operation_find(call->request.operation);
	call->now = unix_now();
	return call->info ? WIRE_OK : WIRE_MALFORMED;
}

static enum wire_status
prove(struct worker *worker, struct operation_call *call)
{
	struct keeper *keeper = worker->keeper;

	/* Under the shared lock even for acts: whoever proves nothing must not hold up releases. */
	pthread_rwlock_rdlock(&keeper->lock);
	call->signer = authenticate(worker, call);
	pthread_rwlock_unlock(&keeper->lock);
	if (!call->signer)
		return WIRE_OPERATOR;
	enum challenge_verdict verdict =
		challenge_consume(keeper->challenges, call->request.challenge);
	if (verdict != CHALLENGE_GOOD)
		return verdict == CHALLENGE_CROWDED ? WIRE_BUSY : WIRE_OPERATOR;
	return WIRE_OK;
}

/* As acts do they hold the lock alone until they are answered: no version leaves the keeper behind
 * the answer that says it is gone, or that the keeper is sealed. */
static bool
takes_away(uint16_t operation)
{
	return operation == OPERATION_SECRET_DELETE || operation == OPERATION_SECRET_DESTROY ||
	       operation == OPERATION_SECRET_REMOVE || operation == OPERATION_SEAL;
}

void
handle_operator_request(struct worker *worker, const struct frame *frame)
{
	struct keeper *keeper = worker->keeper;
	struct operation_call call = {0};
	const struct row *row = NULL;

	enum wire_status status = decode(frame, &call);
	if (status == WIRE_OK && !(row = find(call.request.operation)))
		status = WIRE_MALFORMED;
	if (status == WIRE_OK)
		status = prove(worker, &call);
	if (status == WIRE_OK) {
		if (call.info->act || takes_away(call.request.operation))
			pthread_rwlock_wrlock(&keeper->lock);
		else
			pthread_rwlock_rdlock(&keeper->lock);
		/* Operators are never freed; but this one may have been ended between the locks. */
		if (atomic_load(&keeper->sealing))
			status = WIRE_SEALED;
		else if (call.signer->ended)
			status = WIRE_OPERATOR;
		else
			serve(worker, frame, row, &call);
		pthread_rwlock_unlock(&keeper->lock);
	}
	if (status != WIRE_OK) {
		atomic_fetch_add(&keeper->counters.unknown, 1);
		worker_answer(worker, frame->id, status, (struct bytes){0});
	}
}
