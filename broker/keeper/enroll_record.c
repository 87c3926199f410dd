/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a TPM that has proved itself may be recorded, and as what. */
#include "enroll.h"

#include <stdio.h>
#include <string.h>

static bool
has_revoked_ca(const struct trust *trust, const struct attest_chain *chain)
{
	for (size_t i = 0; i < chain->ca_count && i < ATTEST_CHAIN_MAX; i++) {
		if (trust_revoked(&trust->revoked_cas, BYTES_OF(chain->ca_ids[i])))
			return true;
	}
	return false;
}

/* By a CRL that was there once, or that came while the appraiser looked: what the newest one makes
 * of a certificate, and nothing worse. */
static void
refuse_revoked(const struct trust *trust, const struct attest_chain *chain,
	       enum wire_verdict *verdict, char problem[200])
{
	for (size_t i = 0; *verdict == WIRE_VERIFIED && i < chain->link_count; i++) {
		if (!trust_revoked(&trust->revoked_links, BYTES_OF(chain->links[i])))
			continue;
		*verdict = WIRE_REFUSED;
		snprintf(problem, 200, "its issuer has revoked a certificate of the path");
	}
}

/* Ids are made of 64 bits of an EK's. */
static bool
has_other_ek(struct machine *machine, struct bytes ek_id)
{
	struct machine_record record;

	machine_snapshot(machine, &record, NULL);
	return (machine->ek_known && !bytes_equal(BYTES_OF(machine->ek_id), ek_id)) ||
	       (machine->enrolled && !bytes_equal(record.fixed.ek_id, ek_id));
}

/* Lock held. What bars this TPM from being recorded, or from being what it is recorded as. */
static enum wire_status
check_standing(struct worker *worker, const struct enrolment *enrolment, struct machine *machine)
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
	else if (machine && has_other_ek(machine, BYTES_OF(enrolment->ek_id)))
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
static struct machine_endorsement
endorsement_of(enum wire_verdict verdict, const struct attest_chain *chain, const char *problem,
	       size_t problem_size)
{
	struct machine_endorsement endorsement = {.verdict = verdict};
	size_t cas = chain->ca_count < ATTEST_CHAIN_MAX ? chain->ca_count : ATTEST_CHAIN_MAX;
	size_t links = chain->link_count < ATTEST_LINKS_MAX ? chain->link_count : ATTEST_LINKS_MAX;

	if (verdict == WIRE_REFUSED)
		endorsement.problem = text_field(problem, problem_size);
	if (verdict != WIRE_VERIFIED)
		return endorsement;
	endorsement.ca_count = (uint8_t)cas;
	endorsement.ca_ids = (struct bytes){chain->ca_ids[0], cas * ATTEST_HASH_SIZE};
	endorsement.link_count = (uint8_t)links;
	endorsement.links = (struct bytes){chain->links[0], links * ATTEST_HASH_SIZE};
	return endorsement;
}

static struct machine_instance
instance_of(const struct attest_instance *instance)
{
	return (struct machine_instance){
		.known = true,
		.zone = text_field(instance->zone, sizeof(instance->zone)),
		.project = text_field(instance->project, sizeof(instance->project)),
		.project_number = instance->project_number,
		.number = instance->number,
		.name = text_field(instance->name, sizeof(instance->name)),
	};
}

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
		.endorsement = endorsement_of(appraisal->chain, chain, appraisal->chain_error,
					      sizeof(appraisal->chain_error)),
		.cloud = endorsement_of(appraisal->cloud, &appraisal->cloud_chain,
					appraisal->cloud_error, sizeof(appraisal->cloud_error)),
	};
	if (appraisal->cloud == WIRE_VERIFIED && appraisal->cloud_chain.instance.known)
		fixed->instance = instance_of(&appraisal->cloud_chain.instance);
	if (appraisal->chain != WIRE_VERIFIED)
		return;
	fixed->manufacturer = text_field(chain->manufacturer, sizeof(chain->manufacturer));
	fixed->model = text_field(chain->model, sizeof(chain->model));
	fixed->version = text_field(chain->version, sizeof(chain->version));
}

static void
instance_entry(struct json *json, const struct enrolment *enrolment)
{
	const struct attest_instance *instance = &enrolment->appraisal.cloud_chain.instance;

	if (enrolment->appraisal.cloud != WIRE_VERIFIED || !instance->known)
		return;
	const struct machine_instance own = instance_of(instance);
	out_object(json, "instance");
	out_machine_instance(json, &own);
	out_object_end(json);
}

void
enrolment_entry(struct worker *worker, const struct enrolment *enrolment,
		const struct machine *machine, const char *outcome)
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
	out_text(json, "cloud", verdicts[enrolment->appraisal.cloud]);
	instance_entry(json, enrolment);
	audit_end(worker, true, worker->keeper->trust.revision);
}

/* Machine's record as it will be, durable, and its claims (NULL: none); worker->entry goes with
 * both. */
static bool
commit_record(struct worker *worker, const char *id, const struct machine_record *record,
	      const struct claims_record *claims)
{
	uint8_t memory[MACHINE_RECORD_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	char key[RECORD_KEY_SIZE];
	struct store_batch *batch = worker_batch(worker);
	struct store_error err;

	machine_record_write(&w, record);
	record_machine_key(id, key);
	if (w.failed || (claims && !record_put_claims(batch, id, claims)))
		return false;
	store_batch_expect(batch, RECORD_TRUST, worker->keeper->trust.store_revision);
	store_batch_put(batch, key, store_bytes_of(writer_bytes(&w)));
	return audit_append(worker, batch, id) && worker_commit(worker, batch, &err) == STORE_OK;
}

/* Exclusive lock held. On the disk first: what the disk refuses must not stay in memory, where
 * nothing would count it. `machine` NULL: no act has said anything of it. */
static enum wire_status
record_machine(struct worker *worker, struct enrolment *enrolment, struct machine *machine)
{
	struct trust *trust = &worker->keeper->trust;
	uint8_t memory[MACHINE_RECORD_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	struct machine_record record = {
		.last_seen = enrolment->now,
		.clock_known = true,
		.clock = enrolment->quote.clock,
		.log = appraisal_log_state(&enrolment->appraisal),
		.secure_boot = appraisal_secure_boot(&enrolment->appraisal),
	};

	uint8_t kept[CLAIMS_KEPT_MAX];
	struct writer kept_w = writer_of(kept, sizeof(kept));
	struct claims_record claims;

	if (!machine && trust->machine_count >= TRUST_MACHINES_MAX)
		return WIRE_LIMIT;
	claims_select(appraisal_claims(&enrolment->appraisal), &kept_w, &claims);
	memcpy(record.claims, claims.hash, sizeof(record.claims));
	memcpy(record.pcrs, enrolment->quote.pcrs, sizeof(record.pcrs));
	describe(enrolment, &record.fixed);
	machine_fixed_write(&w, &record.fixed);
	record.encoded = writer_bytes(&w);
	enrolment->admitted = machine && machine->standing == STANDING_ADMITTED;
	enrolment_entry(worker, enrolment, machine, enrolment->admitted ? "admitted" : "pending");
	if (w.failed || !commit_record(worker, enrolment->id, &record, &claims))
		return worker_refusal(worker);
	if (!machine)
		machine = trust_machine_add(trust, enrolment->id);
	return machine && trust_machine_enrol(trust, machine, &record) ? WIRE_OK : WIRE_FAILED;
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
	if (state == MACHINE_PENDING && !audit_stranger(worker))
		return WIRE_BUSY;
	enrolment->admitted = state == MACHINE_ADMITTED;
	enrolment->appraisal.chain = record.fixed.endorsement.verdict;
	enrolment->appraisal.cloud = record.fixed.cloud.verdict;
	enrolment_entry(worker, enrolment, machine, machine_state_text(state));
	pthread_mutex_lock(&machine->mutex);
	record = machine->record;
	record.last_seen = enrolment->now;
	memcpy(record.pcrs, enrolment->quote.pcrs, sizeof(record.pcrs));
	record.log = LOG_ABSENT;
	record.ima = IMA_ABSENT;
	record.secure_boot = ATTEST_UNKNOWN;
	memset(record.claims, 0, sizeof(record.claims));
	bool good = commit_record(worker, machine->id, &record, NULL);
	if (good)
		machine->record = record;
	pthread_mutex_unlock(&machine->mutex);
	return good ? WIRE_OK : worker_refusal(worker);
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
	examine->ak_public = enrolment->request.ak_public;
	examine->transcript = BYTES_OF(enrolment->transcript);
	examine->cloud = enrolment->request.cloud;
	examine->crl_count = (uint8_t)trust->crls.count;
	for (size_t i = 0; i < trust->crls.count; i++) {
		enrolment->crls[i] = crl_bytes_hold(trust->crls.items[i].bytes);
		examine->crls[i] =
			(struct bytes){enrolment->crls[i]->der, enrolment->crls[i]->size};
	}
	examine->stale_crls = worker->keeper->options.stale_crls;
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
	struct wire_appraisal *appraisal = &enrolment->appraisal;
	if ((appraisal->chain == WIRE_VERIFIED && has_revoked_ca(trust, &appraisal->ek_chain)) ||
	    (appraisal->cloud == WIRE_VERIFIED && has_revoked_ca(trust, &appraisal->cloud_chain))) {
		audit_check(worker, "revocation", false,
			    "no revoked CA above its EK or its cloud's key", "one is revoked");
		return WIRE_IDENTITY;
	}
	refuse_revoked(trust, &appraisal->ek_chain, &appraisal->chain, appraisal->chain_error);
	refuse_revoked(trust, &appraisal->cloud_chain, &appraisal->cloud, appraisal->cloud_error);
	return record_machine(worker, enrolment, machine);
}

enum wire_status
enrolment_record(struct worker *worker, struct enrolment *enrolment)
{
	struct keeper *keeper = worker->keeper;
	enum wire_status status;

	pthread_rwlock_rdlock(&keeper->lock);
	status = keeper_standing(keeper);
	bool decided = status != WIRE_OK || decide_early(worker, enrolment, &status);
	pthread_rwlock_unlock(&keeper->lock);
	if (decided)
		return status;
	if (!appraise_enrolment(&keeper->appraisers, &enrolment->examine, &enrolment->appraisal)) {
		audit_check(worker, "appraisal", false, "an answer", "none in time");
		return WIRE_BUSY;
	}
	audit_checks_start(worker);
	pthread_rwlock_wrlock(&keeper->lock);
	status = keeper_standing(keeper);
	if (status == WIRE_OK)
		status = decide_late(worker, enrolment);
	pthread_rwlock_unlock(&keeper->lock);
	return status;
}
