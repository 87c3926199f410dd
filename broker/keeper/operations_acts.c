/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Acts, live: what acts.c cannot know (enrolments, the time), the durable commit, and then the
 * state. The exclusive lock is held from before the revision is compared until the answer is sent.
 */
#include "operations.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define AFFECTED_MAX                                                                               \
	20000 /* machines in the answer to a revocation: it must fit whatever happens */

/* ---- rules beside acts.c's ---- */

static enum operation_outcome
rule_admit(const struct trust *trust, const struct operation_call *call, struct act_change *change)
{
	struct machine *machine = call->machine;
	struct machine_record record;
	const char *why;

	if (!machine || !machine->enrolled)
		return act_refuse(change, OUTCOME_MISSING, "%s: it has not enrolled",
				  call->subject);
	if (!bytes_equal(call->request.fields[FIELD_AK_NAME], machine->record.fixed.ak_name))
		return act_refuse(change, OUTCOME_INVALID, "machine %s: enrolled with another AK",
				  machine->id);
	machine_snapshot(machine, &record, NULL);
	if (trust_machine_state(trust, machine, &record, &why) == MACHINE_REVOKED)
		return act_refuse(change, OUTCOME_INVALID, "machine %s: %s", machine->id, why);
	return OUTCOME_OK;
}

static enum operation_outcome
rule_readmit(const struct trust *trust, const struct operation_call *call,
	     struct act_change *change)
{
	struct machine *machine = call->machine;
	struct machine_record record;
	const char *why;

	if (!machine)
		return act_refuse(change, OUTCOME_MISSING, "%s: there is none", call->subject);
	machine_snapshot(machine, &record, NULL);
	enum machine_state state =
		trust_machine_state(trust, machine, machine->enrolled ? &record : NULL, &why);
	if (state == MACHINE_REVOKED)
		return act_refuse(change, OUTCOME_INVALID, "machine %s: %s, and that stays",
				  machine->id, why);
	if (state != MACHINE_SUSPENDED)
		return act_refuse(change, OUTCOME_INVALID, "machine %s: not suspended",
				  machine->id);
	return OUTCOME_OK;
}

static enum operation_outcome
rule_revoke(const struct operation_call *call, struct act_change *change)
{
	if (bytes_equal(call->request.fields[FIELD_KIND], text_bytes("machine")) && !call->machine)
		return act_refuse(change, OUTCOME_MISSING, "%s: there is none", call->subject);
	return OUTCOME_OK;
}

/* Whoever changes policy must be able to change it again. */
static enum operation_outcome
rule_policy(struct worker *worker, const struct operation_call *call, struct act_change *change)
{
	struct operator_view view = call->view;
	char why[FACTS_WHY_SIZE];

	view.action = "policy-apply";
	if (facts_operator_allowed(change->set, NULL, worker->facts, &view, why))
		return OUTCOME_OK;
	return act_refuse(change, OUTCOME_INVALID,
			  "with these policies %s could no longer apply policy %.*s: %s",
			  call->signer->name, (int)view.resource_id.size,
			  (const char *)view.resource_id.data, why);
}

static enum operation_outcome
check(struct worker *worker, const struct operation_call *call, struct act_change *change)
{
	const struct trust *trust = &worker->keeper->trust;
	uint16_t operation = call->request.operation;
	enum operation_outcome outcome = act_check(trust, &call->request, change);

	if (outcome != OUTCOME_OK)
		return outcome;
	if (operation == OPERATION_MACHINE_ADMIT)
		return rule_admit(trust, call, change);
	if (operation == OPERATION_MACHINE_READMIT)
		return rule_readmit(trust, call, change);
	if (operation == OPERATION_REVOKE)
		return rule_revoke(call, change);
	if (operation == OPERATION_POLICY_APPLY || operation == OPERATION_POLICY_DELETE)
		return rule_policy(worker, call, change);
	return OUTCOME_OK;
}

/* ---- the commit ---- */

/* The keeper's own suspension ends with an operator's readmission, and the clock it had seen is
 * forgotten. */
static bool
put_readmitted(struct store_batch *batch, struct machine *machine)
{
	uint8_t memory[MACHINE_RECORD_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	char key[RECORD_KEY_SIZE];
	struct machine_record record;

	if (!machine->enrolled)
		return true;
	machine_snapshot(machine, &record, NULL);
	record.suspended = false;
	record.reason[0] = '\0';
	record.clock_known = false;
	record.clock = (struct attest_clock){0};
	machine_record_write(&w, &record);
	record_machine_key(machine->id, key);
	store_batch_put(batch, key, store_bytes_of(writer_bytes(&w)));
	return !w.failed;
}

static void
forget_clock(struct machine *machine)
{
	pthread_mutex_lock(&machine->mutex);
	machine->record.suspended = false;
	machine->record.reason[0] = '\0';
	machine->record.clock_known = false;
	machine->record.clock = (struct attest_clock){0};
	machine->accepted_at = 0;
	pthread_mutex_unlock(&machine->mutex);
}

static bool
put_act(struct store_batch *batch, const struct operation_call *call, uint64_t revision,
	uint8_t ret_head[32])
{
	size_t capacity = call->wire.request.size + 128;
	uint8_t *memory = malloc(capacity);
	uint8_t trust[RECORD_TRUST_SIZE];
	struct act_record record = {call->wire.request, call->wire.signature};
	struct trust_record head = {.revision = revision};
	char key[RECORD_KEY_SIZE];

	if (!memory)
		return false;
	struct writer w = writer_of(memory, capacity);
	act_record_write(&w, &record);
	record_act_key(revision, key);
	store_batch_expect(batch, key, 0);
	store_batch_put(batch, key, store_bytes_of(writer_bytes(&w)));
	crypto_hash_sha256(head.head, memory, w.size);
	memcpy(ret_head, head.head, sizeof(head.head));
	free(memory);
	struct writer trust_w = writer_of(trust, sizeof(trust));
	trust_record_write(&trust_w, &head);
	store_batch_put(batch, RECORD_TRUST, store_bytes_of(writer_bytes(&trust_w)));
	return !w.failed && !trust_w.failed;
}

static enum store_status
commit(struct worker *worker, struct operation_call *call, uint64_t revision, uint8_t ret_head[32])
{
	struct keeper *keeper = worker->keeper;
	struct store_batch *batch = worker_batch(worker);
	struct store_error err;

	store_batch_expect(batch, RECORD_TRUST, keeper->trust.store_revision);
	bool good = put_act(batch, call, revision, ret_head);
	if (call->request.operation == OPERATION_MACHINE_READMIT)
		good = good && put_readmitted(batch, call->machine);
	operation_entry(worker, call, OUTCOME_OK, revision);
	good = good && audit_append(worker, batch, call->machine ? call->machine->id : NULL);
	return good ? worker_commit(worker, batch, &err) : STORE_MEMORY;
}

/* The revision of the record `trust` on the disk; 0: it cannot be read. */
static uint64_t
durable_trust(struct worker *worker)
{
	struct store_error err;
	uint64_t revision;

	worker->record->size = worker->record->capacity;
	return store_get_into(worker->keeper->store, RECORD_TRUST, worker->record, &revision,
			      &err) == STORE_OK
		       ? revision
		       : 0;
}

/* The act is durable: either the state follows, or this process must not serve another frame. The
 * next one folds it. */
static void
apply(struct worker *worker, struct operation_call *call, uint64_t revision, const uint8_t head[32],
      struct act_change *change)
{
	struct trust *trust = &worker->keeper->trust;

	bool good = act_apply(trust, &call->request, revision, change);
	memcpy(trust->head, head, sizeof(trust->head));
	if (call->request.operation == OPERATION_MACHINE_READMIT)
		forget_clock(call->machine);
	trust->store_revision = durable_trust(worker);
	if (!good || trust->store_revision == 0)
		abort();
}

/* ---- the answer ---- */

static int
compare_hashes(const void *one, const void *other)
{
	return memcmp(one, other, ATTEST_HASH_SIZE);
}

/* By the CRL that was added. */
static bool
is_listed(const struct operation_call *call, const struct machine_record *record)
{
	struct bytes revoked = call->request.fields[FIELD_DIGESTS];
	struct bytes link;

	for (size_t i = 0; record && revoked.size > 0 && machine_link(&record->fixed, i, &link);
	     i++) {
		if (bsearch(link.data, revoked.data, revoked.size / ATTEST_HASH_SIZE,
			    ATTEST_HASH_SIZE, compare_hashes))
			return true;
	}
	return false;
}

static bool
is_affected(const struct operation_call *call, const struct machine *machine,
	    const struct machine_record *record, const struct baseline *baseline, struct bytes id)
{
	struct bytes kind = call->request.fields[FIELD_KIND];

	if (call->request.operation == OPERATION_CRL_ADD)
		return is_listed(call, record);
	if (bytes_equal(kind, text_bytes("machine")))
		return machine == call->machine;
	if (bytes_equal(kind, text_bytes("baseline")))
		return record && baseline && baseline_matches(baseline, record->pcrs[0]);
	if (bytes_equal(kind, text_bytes("ek")))
		return (machine->ek_known && bytes_equal(BYTES_OF(machine->ek_id), id)) ||
		       (record && bytes_equal(record->fixed.ek_id, id));
	if (bytes_equal(kind, text_bytes("ak")))
		return record && bytes_equal(record->fixed.ak_name, id);
	struct bytes ca;
	for (size_t i = 0;
	     record && bytes_equal(kind, text_bytes("ek-ca")) && machine_ca(&record->fixed, i, &ca);
	     i++) {
		if (bytes_equal(ca, id))
			return true;
	}
	return false;
}

static void
list_affected(struct worker *worker, const struct operation_call *call)
{
	const struct trust *trust = &worker->keeper->trust;
	struct json *json = &worker->text;
	struct bytes hex = call->request.fields[FIELD_ID];
	const struct baseline *baseline = trust_baseline(trust, hex);
	uint8_t id[AK_NAME_SIZE];
	size_t id_size = 0;

	if (sodium_hex2bin(id, sizeof(id), (const char *)hex.data, hex.size, NULL, &id_size,
			   NULL) != 0)
		id_size = 0;
	size_t listed = 0;
	out_array(json, "machines");
	for (size_t i = 0; i < trust->machine_count && listed < AFFECTED_MAX; i++) {
		struct machine *machine = trust->machines[i];
		struct machine_record record;
		machine_snapshot(machine, &record, NULL);
		if (!is_affected(call, machine, machine->enrolled ? &record : NULL, baseline,
				 (struct bytes){id, id_size}))
			continue;
		out_text(json, NULL, machine->id);
		listed++;
	}
	out_array_end(json);
	if (listed == AFFECTED_MAX)
		out_boolean(json, "truncated", true);
}

static enum operation_outcome
refuse(struct worker *worker, enum operation_outcome outcome, const struct act_change *change)
{
	struct json *json = operation_text(worker);

	out_array(json, "errors");
	for (size_t i = 0; i < change->problem_count; i++)
		out_text(json, NULL, change->problems[i]);
	out_array_end(json);
	out_object_end(json);
	return outcome;
}

enum operation_outcome
operation_act(struct worker *worker, struct operation_call *call)
{
	struct trust *trust = &worker->keeper->trust;
	uint64_t revision = trust->revision + 1;
	auto_change change = {0};
	uint8_t head[32];

	enum operation_outcome outcome = check(worker, call, &change);
	if (outcome != OUTCOME_OK)
		return refuse(worker, outcome, &change);
	enum store_status status = commit(worker, call, revision, head);
	if (status != STORE_OK) {
		const char *why = worker_refusal_text(worker);
		/* A store that says that nothing was changed is taken at its word, unless it can be
		 * seen that it was: then the act is in force from the next start. */
		uint64_t durable = durable_trust(worker);
		if (durable != trust->store_revision && durable != 0)
			keeper_give_up(worker->keeper, "an act's commit is in doubt");
		return operation_error(worker, OUTCOME_FAILED, "%s", why);
	}
	call->audited = true;
	apply(worker, call, revision, head, &change);
	struct json *json = operation_text(worker);
	out_number(json, "trust_revision", trust->revision);
	out_text(json, "effect", change.effect);
	if (call->request.operation == OPERATION_REVOKE ||
	    call->request.operation == OPERATION_CRL_ADD)
		list_affected(worker, call);
	out_object_end(json);
	return OUTCOME_OK;
}
