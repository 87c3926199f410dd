/* SPDX-License-Identifier: Apache-2.0 */
/* Enrolment: PROTOCOL.md, "Enrolment". The first step keeps nothing; the second records a machine
 * that an operator may then admit. */
#include "audit.h"
#include "keeper.h"
#include "records.h"

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

static struct bytes
name_bytes(const struct attest_name *name)
{
	return (struct bytes){name->bytes, name->size};
}

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

struct enrolment {
	struct wire_activate_request request;
	struct attest_ek *ek;
	struct attest_ak *ak;
	uint8_t ek_id[ATTEST_HASH_SIZE];
	char id[MACHINE_ID_SIZE];
	int64_t now;
	struct attest_quote quote;
	struct wire_examine_enrolment examine;
	struct wire_appraisal appraisal;
	bool proved; /* the caller is the TPM that it says it is */
	bool admitted;
};

static void
enrolment_clear(struct enrolment *enrolment)
{
	attest_ek_free(enrolment->ek);
	attest_ak_free(enrolment->ak);
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
	if (!proof_holds(worker, request, input.qualifying) ||
	    attest_quote_verify(&input, &enrolment->quote, &err) != ATTEST_OK)
		return WIRE_QUOTE;
	enum challenge_verdict verdict = challenge_consume(keeper->challenges, request->challenge);
	if (verdict != CHALLENGE_GOOD)
		return verdict == CHALLENGE_CROWDED ? WIRE_BUSY : WIRE_CHALLENGE;
	enrolment->proved = true;
	return WIRE_OK;
}

static bool
has_revoked_ca(const struct trust *trust, const struct attest_chain *chain)
{
	for (size_t i = 0; i < chain->ca_count && i < ATTEST_CHAIN_MAX; i++) {
		if (trust_revoked(&trust->revoked_cas, BYTES_OF(chain->ca_ids[i])))
			return true;
	}
	return false;
}

/* Lock held. What bars this TPM from being recorded, or from being what it is recorded as. */
static enum wire_status
check_standing(struct worker *worker, const struct enrolment *enrolment,
	       const struct machine *machine)
{
	const struct trust *trust = &worker->keeper->trust;
	struct bytes ak_name = name_bytes(attest_ak_name(enrolment->ak));
	const struct machine *owner = trust_machine_by_ak(trust, ak_name);
	const char *problem = NULL;

	if (trust_revoked(&trust->revoked_eks, BYTES_OF(enrolment->ek_id)))
		problem = "its EK is revoked";
	else if (trust_revoked(&trust->revoked_aks, ak_name))
		problem = "its AK is revoked";
	else if (machine && machine->standing == STANDING_REVOKED)
		problem = "the machine is revoked";
	else if (machine && machine->ek_known &&
		 !bytes_equal(BYTES_OF(machine->ek_id), BYTES_OF(enrolment->ek_id)))
		problem = "another EK has this machine's id";
	else if (machine && machine->enrolled &&
		 !bytes_equal(machine->record.fixed.ek_id, BYTES_OF(enrolment->ek_id)))
		problem = "another EK has this machine's id";
	else if (machine && machine->enrolled && owner != machine)
		problem = "the machine enrolled with another AK";
	else if (owner && owner != machine)
		problem = "another machine enrolled with this AK";
	else if (machine && machine->ak_name.size > 0 &&
		 !bytes_equal(name_bytes(&machine->ak_name), ak_name))
		problem = "the machine was admitted with another AK";
	audit_check(worker, "identity", problem == NULL, NULL, problem);
	if (problem)
		return WIRE_IDENTITY;
	bool pending = !machine || (!machine->enrolled && machine->standing == STANDING_NONE);
	if (pending && trust->pending >= worker->keeper->options.pending_max) {
		audit_check(worker, "pending", false, "fewer than pending_max", "as many as that");
		return WIRE_LIMIT;
	}
	return WIRE_OK;
}

static struct bytes
text_field(const char *text, size_t size)
{
	return (struct bytes){(const uint8_t *)text, strnlen(text, size)};
}

/* What came from the appraiser is bounded once more here. */
static void
describe(const struct enrolment *enrolment, struct machine_fixed *fixed)
{
	const struct wire_appraisal *appraisal = &enrolment->appraisal;
	const struct attest_chain *chain = &appraisal->ek_chain;
	const char *kind = attest_ek_kind(enrolment->ek);

	*fixed = (struct machine_fixed){
		.first_seen = enrolment->now,
		.ek_public = enrolment->request.ek_public,
		.ak_public = enrolment->request.ak_public,
		.ek_name = name_bytes(attest_ek_name(enrolment->ek)),
		.ak_name = name_bytes(attest_ak_name(enrolment->ak)),
		.ek_id = BYTES_OF(enrolment->ek_id),
		.ek_kind = text_bytes(kind),
		.verdict = appraisal->chain,
	};
	if (appraisal->chain == WIRE_REFUSED)
		fixed->problem = text_field(appraisal->chain_error, sizeof(appraisal->chain_error));
	if (appraisal->chain != WIRE_VERIFIED)
		return;
	fixed->ca_count =
		(uint8_t)(chain->ca_count < ATTEST_CHAIN_MAX ? chain->ca_count : ATTEST_CHAIN_MAX);
	fixed->ca_ids =
		(struct bytes){chain->ca_ids[0], (size_t)fixed->ca_count * ATTEST_HASH_SIZE};
	fixed->manufacturer = text_field(chain->manufacturer, sizeof(chain->manufacturer));
	fixed->model = text_field(chain->model, sizeof(chain->model));
	fixed->version = text_field(chain->version, sizeof(chain->version));
}

static void
write_entry(struct worker *worker, const struct enrolment *enrolment, const struct machine *machine,
	    const char *outcome)
{
	static const char *const verdicts[] = {"absent", "refused", "verified"};
	struct json *json = audit_begin(worker, "enroll", enrolment->now);

	out_text(json, "machine", enrolment->id);
	out_text(json, "name", machine && machine->name[0] ? machine->name : NULL);
	out_string(json, "peer", enrolment->request.peer);
	out_text(json, "outcome", outcome);
	out_hex(json, "ek_id", BYTES_OF(enrolment->ek_id));
	out_hex(json, "ak_name", name_bytes(attest_ak_name(enrolment->ak)));
	out_text(json, "endorsement", verdicts[enrolment->appraisal.chain]);
	audit_end(worker, true, worker->keeper->trust.revision);
}

/* Machine's record as it will be, durable; worker->entry goes with it. */
static bool
commit_record(struct worker *worker, const char *id, const struct machine_record *record)
{
	uint8_t memory[MACHINE_RECORD_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	char key[RECORD_KEY_SIZE];
	auto_batch *batch = store_batch_new();
	struct store_error err;

	machine_record_write(&w, record);
	record_machine_key(id, key);
	if (!batch || w.failed)
		return false;
	store_batch_expect(batch, RECORD_TRUST, worker->keeper->trust.store_revision);
	store_batch_put(batch, key, store_bytes_of(writer_bytes(&w)));
	return audit_append(worker, batch, id) &&
	       store_commit(worker->keeper->store, batch, &err) == STORE_OK;
}

/* Exclusive lock held. */
static enum wire_status
record_machine(struct worker *worker, struct enrolment *enrolment)
{
	struct trust *trust = &worker->keeper->trust;
	struct machine *machine = trust_machine(trust, text_bytes(enrolment->id));
	uint8_t memory[MACHINE_RECORD_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	struct machine_record record = {
		.last_seen = enrolment->now,
		.clock_known = true,
		.clock = enrolment->quote.clock,
		.log = appraisal_log_state(&enrolment->appraisal),
		.secure_boot = appraisal_secure_boot(&enrolment->appraisal),
	};

	if (!machine)
		machine = trust_machine_add(trust, enrolment->id);
	if (!machine)
		return WIRE_LIMIT;
	memcpy(record.pcrs, enrolment->quote.pcrs, sizeof(record.pcrs));
	describe(enrolment, &record.fixed);
	machine_fixed_write(&w, &record.fixed);
	record.encoded = writer_bytes(&w);
	enrolment->admitted = machine->standing == STANDING_ADMITTED;
	write_entry(worker, enrolment, machine, enrolment->admitted ? "admitted" : "pending");
	if (w.failed || !commit_record(worker, machine->id, &record))
		return WIRE_FAILED;
	return trust_machine_enrol(trust, machine, &record) ? WIRE_OK : WIRE_FAILED;
}

/* Shared lock held. A machine that is known keeps everything but its newest PCR values. */
static enum wire_status
record_again(struct worker *worker, struct enrolment *enrolment, struct machine *machine)
{
	struct machine_record record;
	const char *why;

	machine_snapshot(machine, &record, NULL);
	enum machine_state state =
		trust_machine_state(&worker->keeper->trust, machine, &record, &why);
	if (state != MACHINE_ADMITTED && state != MACHINE_PENDING) {
		audit_check(worker, "identity", false, "admitted or pending",
			    machine_state_text(state));
		return WIRE_IDENTITY;
	}
	enrolment->admitted = state == MACHINE_ADMITTED;
	enrolment->appraisal.chain = record.fixed.verdict;
	write_entry(worker, enrolment, machine, machine_state_text(state));
	pthread_mutex_lock(&machine->mutex);
	record = machine->record;
	record.last_seen = enrolment->now;
	memcpy(record.pcrs, enrolment->quote.pcrs, sizeof(record.pcrs));
	record.log = LOG_ABSENT;
	record.secure_boot = ATTEST_UNKNOWN;
	bool good = commit_record(worker, machine->id, &record);
	if (good)
		machine->record = record;
	pthread_mutex_unlock(&machine->mutex);
	return good ? WIRE_OK : WIRE_FAILED;
}

/* True: decided. Else an appraiser has to look first; what it needs is in enrolment->examine. */
static bool
decide_early(struct worker *worker, struct enrolment *enrolment, enum wire_status *ret_status)
{
	const struct trust *trust = &worker->keeper->trust;
	struct machine *machine = trust_machine(trust, text_bytes(enrolment->id));
	struct wire_examine_enrolment *examine = &enrolment->examine;

	*ret_status = check_standing(worker, enrolment, machine);
	if (*ret_status != WIRE_OK)
		return true;
	if (machine && machine->enrolled) {
		*ret_status = record_again(worker, enrolment, machine);
		return true;
	}
	examine->now = enrolment->now;
	examine->ek_public = enrolment->request.ek_public;
	examine->certificate_count = enrolment->request.certificate_count;
	memcpy(examine->certificates, enrolment->request.certificates,
	       sizeof(examine->certificates));
	examine->anchor_count = (uint16_t)trust->anchor_count;
	for (size_t i = 0; i < trust->anchor_count;
	     i++) /* their bytes stay as long as the keeper */
		examine->anchors[i] = (struct bytes){trust->anchors[i].certificate,
						     trust->anchors[i].certificate_size};
	examine->pcrs = enrolment->request.pcrs;
	examine->event_log = enrolment->request.event_log;
	return false;
}

/* Exclusive lock held; everything that was looked at before may have changed. */
static enum wire_status
decide_late(struct worker *worker, struct enrolment *enrolment)
{
	const struct trust *trust = &worker->keeper->trust;
	struct machine *machine = trust_machine(trust, text_bytes(enrolment->id));

	enum wire_status status = check_standing(worker, enrolment, machine);
	if (status != WIRE_OK)
		return status;
	if (machine && machine->enrolled)
		return record_again(worker, enrolment, machine);
	if (enrolment->appraisal.chain == WIRE_VERIFIED &&
	    has_revoked_ca(trust, &enrolment->appraisal.ek_chain)) {
		audit_check(worker, "revocation", false, "no revoked CA above its EK",
			    "one is revoked");
		return WIRE_IDENTITY;
	}
	return record_machine(worker, enrolment);
}

static enum wire_status
enrol(struct worker *worker, struct enrolment *enrolment)
{
	struct keeper *keeper = worker->keeper;
	enum wire_status status;

	pthread_rwlock_rdlock(&keeper->lock);
	bool decided = decide_early(worker, enrolment, &status);
	pthread_rwlock_unlock(&keeper->lock);
	if (decided)
		return status;
	if (!appraise_enrolment(&keeper->appraisers, &enrolment->examine, &enrolment->appraisal)) {
		audit_check(worker, "appraisal", false, "an answer", "none in time");
		return WIRE_BUSY;
	}
	audit_checks_start(worker);
	pthread_rwlock_wrlock(&keeper->lock);
	status = decide_late(worker, enrolment);
	pthread_rwlock_unlock(&keeper->lock);
	return status;
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
	} else {
		atomic_fetch_add(&worker->keeper->counters.denied, 1);
		pthread_rwlock_rdlock(&worker->keeper->lock);
		write_entry(worker, enrolment,
			    trust_machine(&worker->keeper->trust, text_bytes(enrolment->id)),
			    "refused");
		pthread_rwlock_unlock(&worker->keeper->lock);
		if (!audit_write(worker, enrolment->id))
			status = WIRE_FAILED;
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
		status = enrol(worker, enrolment);
	answer(worker, frame, enrolment, status);
}
