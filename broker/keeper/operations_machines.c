/* SPDX-License-Identifier: Apache-2.0 */
/* Status, and machines as operators see them. */
#include "operations.h"

#include "store/upkeep.h"

#include <stdlib.h>
#include <string.h>

static struct bytes
text_or_empty(struct bytes text)
{
	return text.data ? text : text_bytes("");
}

static void
endorsement_members(struct json *json, const struct machine_endorsement *endorsement)
{
	static const char *const verdicts[] = {"absent", "refused", "verified"};
	struct bytes anchor = machine_anchor(endorsement);

	out_text(json, "verdict", verdicts[endorsement->verdict]);
	if (anchor.size > 0)
		out_hex(json, "anchor", anchor);
	else
		out_null(json, "anchor");
	out_string(json, "problem", text_or_empty(endorsement->problem));
}

static void
endorsements(struct json *json, const struct machine_fixed *fixed)
{
	out_object(json, "endorsement");
	endorsement_members(json, &fixed->endorsement);
	out_string(json, "manufacturer", text_or_empty(fixed->manufacturer));
	out_string(json, "model", text_or_empty(fixed->model));
	out_string(json, "version", text_or_empty(fixed->version));
	out_object_end(json);
	out_object(json, "cloud");
	endorsement_members(json, &fixed->cloud);
	if (fixed->instance.known) {
		out_object(json, "instance");
		out_machine_instance(json, &fixed->instance);
		out_object_end(json);
	} else {
		out_null(json, "instance");
	}
	out_object_end(json);
}

static void
measured(struct json *json, const struct machine_record *record)
{
	out_number(json, "first_seen", (uint64_t)record->fixed.first_seen);
	out_number(json, "last_seen", (uint64_t)record->last_seen);
	if (record->clock_known) {
		out_object(json, "clock");
		out_number(json, "reset", record->clock.reset_count);
		out_number(json, "restart", record->clock.restart_count);
		out_number(json, "clock", record->clock.clock);
		out_object_end(json);
	} else {
		out_null(json, "clock");
	}
	out_object(json, "pcrs");
	for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++)
		out_hex_numbered(json, i, BYTES_OF(record->pcrs[i]));
	out_object_end(json);
	out_text(json, "event_log", log_state_text(record->log));
	out_text(json, "ima", ima_state_text(record->ima));
	if (record->secure_boot == ATTEST_UNKNOWN)
		out_null(json, "secure_boot");
	else
		out_boolean(json, "secure_boot", record->secure_boot == ATTEST_YES);
}

/* Of a machine that an act registered and that has not enrolled. */
static void
unmeasured(struct json *json)
{
	static const char *const members[] = {"ak_name",   "ek_kind", "first_seen",
					      "last_seen", "clock",   "pcrs"};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		out_null(json, members[i]);
	endorsements(json, &(const struct machine_fixed){0});
	out_text(json, "event_log", "absent");
	out_text(json, "ima", "absent");
	out_null(json, "secure_boot");
}

bool
operation_claims(struct worker *worker, const char *id, const struct machine_record *machine,
		 struct claims_record *ret_claims)
{
	static const uint8_t none[ATTEST_HASH_SIZE];
	struct claims_record claims;
	struct store_error err;
	uint64_t revision;
	char key[RECORD_KEY_SIZE];

	*ret_claims = (struct claims_record){0};
	if (memcmp(machine->claims, none, sizeof(none)) == 0)
		return true;
	record_claims_key(id, key);
	worker->record->size = worker->record->capacity;
	if (store_get_into(worker->keeper->store, key, worker->record, &revision, &err) !=
		    STORE_OK ||
	    !claims_record_read((struct bytes){worker->record->bytes, worker->record->size},
				&claims))
		return false;
	/* A release may have come between this snapshot of the machine and the reading. */
	if (memcmp(claims.hash, machine->claims, sizeof(claims.hash)) == 0)
		*ret_claims = claims;
	return true;
}

static bool
show_claims(struct worker *worker, struct machine *machine)
{
	struct json *json = &worker->text;
	struct machine_record record = {0};
	struct claims_record claims;

	if (machine->enrolled)
		machine_snapshot(machine, &record, NULL);
	if (!operation_claims(worker, machine->id, &record, &claims))
		return false;
	if (claims.kept.size == 0 && claims.left_out_count == 0) {
		out_null(json, "claims_sha256");
		out_null(json, "claims");
	} else {
		out_hex(json, "claims_sha256", BYTES_OF(claims.hash));
		out_object(json, "claims");
		claims_out(json, claims.kept);
		out_object_end(json);
	}
	out_array(json, "claims_left_out");
	for (size_t i = 0; i < claims.left_out_count; i++)
		out_text(json, NULL, attest_claim_rule(claims.left_out[i])->name);
	out_array_end(json);
	return true;
}

/* One machine as the lists show it; the caller ends the object. */
static void
write_machine(struct json *json, const struct trust *trust, struct machine *machine)
{
	struct machine_record record;
	const char *why;

	machine_snapshot(machine, &record, NULL);
	enum machine_state state =
		trust_machine_state(trust, machine, machine->enrolled ? &record : NULL, &why);
	out_object(json, NULL);
	out_text(json, "id", machine->id);
	out_text(json, "name", machine->name[0] ? machine->name : NULL);
	out_text(json, "state", machine_state_text(state));
	out_array(json, "groups");
	for (size_t i = 0; i < machine->group_count; i++)
		out_text(json, NULL, machine->groups[i]);
	out_array_end(json);
	out_text(json, "reason", why[0] ? why : NULL);
	if (machine->enrolled) {
		out_hex(json, "ek_id", record.fixed.ek_id);
		out_string(json, "ek_kind", record.fixed.ek_kind);
		out_hex(json, "ak_name", record.fixed.ak_name);
		endorsements(json, &record.fixed);
		measured(json, &record);
	} else {
		if (machine->ek_known)
			out_hex(json, "ek_id", BYTES_OF(machine->ek_id));
		else
			out_null(json, "ek_id");
		unmeasured(json);
	}
}

enum operation_outcome
operation_machine_show(struct worker *worker, struct operation_call *call)
{
	const struct trust *trust = &worker->keeper->trust;

	if (!call->machine)
		return operation_error(worker, OUTCOME_MISSING, "%s: there is none", call->subject);
	out_start(&worker->text, OPERATION_TEXT_MAX);
	write_machine(&worker->text, trust, call->machine);
	if (!show_claims(worker, call->machine))
		return operation_error(worker, OUTCOME_FAILED, "its claims cannot be read");
	out_object_end(&worker->text);
	return OUTCOME_OK;
}

/* ---- the list ---- */

static enum machine_state
state_of(const struct trust *trust, struct machine *machine)
{
	struct machine_record record;

	machine_snapshot(machine, &record, NULL);
	return trust_machine_state(trust, machine, machine->enrolled ? &record : NULL, NULL);
}

static int
compare_ids(const void *a, const void *b)
{
	const struct machine *const *left = a;
	const struct machine *const *right = b;

	return strcmp((*left)->id, (*right)->id);
}

static bool
is_wanted(const struct trust *trust, const struct operation_call *call, struct machine *machine)
{
	struct bytes after = call->request.fields[FIELD_AFTER];
	struct bytes state = call->request.fields[FIELD_STATE];
	size_t size = after.size < MACHINE_ID_SIZE ? after.size : MACHINE_ID_SIZE;

	if (!machine->enrolled && machine->standing == STANDING_NONE)
		return false; /* an enrolment that memory ran out for */
	if (size > 0 && strncmp(machine->id, (const char *)after.data, size) <= 0)
		return false;
	return !operation_has(&call->request, FIELD_STATE) ||
	       bytes_equal(state, text_bytes(machine_state_text(state_of(trust, machine))));
}

enum operation_outcome
operation_machine_list(struct worker *worker, struct operation_call *call)
{
	const struct trust *trust = &worker->keeper->trust;
	size_t limit = operation_count(call, 500);
	struct machine **found = calloc(trust->machine_count + 1, sizeof(struct machine *));
	size_t count = 0;

	if (!found)
		return operation_error(worker, OUTCOME_FAILED, "no memory");
	for (size_t i = 0; i < trust->machine_count; i++) {
		if (is_wanted(trust, call, trust->machines[i]))
			found[count++] = trust->machines[i];
	}
	qsort(found, count, sizeof(struct machine *), compare_ids);
	struct json *json = operation_text(worker);
	size_t shown = 0;
	out_array(json, "machines");
	/* One takes up to some 8 KiB: the page ends early before the answer is full. */
	for (; shown < count && shown < limit && json->size < OPERATION_TEXT_MAX / 2; shown++) {
		write_machine(json, trust, found[shown]);
		out_object_end(json);
	}
	out_array_end(json);
	out_text(json, "next", shown < count ? found[shown - 1]->id : NULL);
	out_object_end(json);
	free(found);
	return OUTCOME_OK;
}

/* ---- status ---- */

static void
count_machines(struct json *json, const struct trust *trust)
{
	size_t counts[MACHINE_REVOKED + 1] = {0};

	for (size_t i = 0; i < trust->machine_count; i++)
		counts[state_of(trust, trust->machines[i])]++;
	out_object(json, "machines");
	out_number(json, "pending", counts[MACHINE_PENDING]);
	out_number(json, "admitted", counts[MACHINE_ADMITTED]);
	out_number(json, "suspended", counts[MACHINE_SUSPENDED]);
	out_object_end(json);
}

static size_t
active_operators(const struct trust *trust)
{
	size_t count = 0;

	for (size_t i = 0; i < trust->operator_count; i++)
		count += !trust->operators[i]->ended;
	return count;
}

static const char *
trouble_text(int trouble)
{
	return trouble == STORE_SPACE	   ? "no room"
	       : trouble == STORE_READONLY ? "read-only"
	       : trouble == STORE_IO	   ? "I/O error"
					   : NULL;
}

static void
describe_store(struct json *json, struct keeper *keeper)
{
	struct store_rotation rotation;

	store_rotation(keeper->store, &rotation);
	out_object(json, "store");
	out_number(json, "revision", store_revision(keeper->store));
	out_text(json, "trouble", trouble_text(atomic_load(&keeper->trouble)));
	out_number(json, "generation", rotation.generation);
	out_number(json, "oldest_generation", rotation.oldest);
	if (rotation.oldest != rotation.generation) {
		out_number(json, "resealed", rotation.done);
		out_number(json, "records", rotation.total);
	}
	if (keeper->freeze.counter > 0)
		out_number(json, "witness", keeper->freeze.counter);
	else
		out_null(json, "witness");
	out_object_end(json);
}

enum operation_outcome
operation_status(struct worker *worker, struct operation_call *call)
{
	struct keeper *keeper = worker->keeper;
	const struct trust *trust = &keeper->trust;
	struct json *json = operation_text(worker);
	uint64_t number;
	uint8_t hash[STORE_HASH_SIZE];

	store_log_head(keeper->store, &number, hash);
	out_text(json, "version", POSTERN_VERSION);
	out_number(json, "trust_revision", trust->revision);
	out_number(json, "uptime",
		   call->now > keeper->started ? (uint64_t)(call->now - keeper->started) : 0);
	bool frozen = atomic_load(&keeper->freeze.frozen);
	out_boolean(json, "frozen", frozen);
	out_text(json, "frozen_why", frozen ? keeper->freeze.why : NULL);
	describe_store(json, keeper);
	count_machines(json, trust);
	out_number(json, "baselines", trust->baseline_count);
	out_number(json, "policies", trust->policy_count);
	out_number(json, "operators", active_operators(trust));
	out_number(json, "anchors", trust->anchor_count);
	out_object(json, "audit");
	out_number(json, "number", number);
	out_hex(json, "hash", BYTES_OF(hash));
	out_object_end(json);
	out_base64(json, "release_key", BYTES_OF(keeper->keys.release_public));
	out_base64(json, "intake_key", BYTES_OF(keeper->keys.intake_public));
	out_object(json, "counters");
	out_number(json, "released", atomic_load(&keeper->counters.released));
	out_number(json, "denied", atomic_load(&keeper->counters.denied));
	out_number(json, "unknown_callers", atomic_load(&keeper->counters.unknown));
	out_object_end(json);
	out_object_end(json);
	return OUTCOME_OK;
}
