/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper is, told and changed: status, watch, seal, rotate, and the end of a freeze. */
#include "control.h"

#include "audit.h"
#include "store/upkeep.h"
#include "supervisor/role.h"

#include <inttypes.h>
#include <string.h>

#define WATCH_MS 200

/* ---- told ---- */

/* `why` points into the keeper: lock held. */
static void
fill_open(struct keeper *keeper, struct control_state *state)
{
	struct store_rotation rotation;

	store_rotation(keeper->store, &rotation);
	state->frozen = atomic_load(&keeper->freeze.frozen);
	state->why = text_bytes(keeper->freeze.why);
	state->trust_revision = keeper->trust.revision;
	state->store_revision = store_revision(keeper->store);
	state->witness = keeper->freeze.counter;
	state->generation = rotation.generation;
	state->oldest = rotation.oldest;
	state->resealed = rotation.done;
	state->records = rotation.total;
}

static void
fill_shares(struct control *control, bool sealed, struct control_state *state)
{
	pthread_mutex_lock(&control->mutex);
	memcpy(state->set, control->set.set, sizeof(state->set));
	state->count = control->set.count;
	state->threshold = control->set.threshold;
	state->given = sealed ? control->to_unseal.count : 0;
	state->rekey_given = sealed ? 0 : control->to_rekey.count;
	pthread_mutex_unlock(&control->mutex);
}

void
control_handle_status(struct connection *connection, struct bytes body)
{
	struct keeper *keeper = connection->keeper;
	struct control_scratch *scratch = connection->scratch;
	struct control_state state = {.sealed = !atomic_load(&keeper->open)};
	struct writer w = writer_of(scratch->payload, sizeof(scratch->payload));

	if (!control_empty(connection, body))
		return;
	fill_shares(keeper->control, state.sealed, &state);
	if (!state.sealed)
		pthread_rwlock_rdlock(&keeper->lock);
	if (!state.sealed)
		fill_open(keeper, &state);
	control_state_write(&w, &state);
	if (!state.sealed)
		pthread_rwlock_unlock(&keeper->lock);
	control_reply(connection, w.failed ? CONTROL_FAILED : CONTROL_OK,
		      w.failed ? (struct bytes){0} : writer_bytes(&w), "%s",
		      state.sealed ? "sealed" : "");
}

static uint64_t
trust_revision(struct keeper *keeper)
{
	pthread_rwlock_rdlock(&keeper->lock);
	uint64_t revision = keeper->trust.revision;
	pthread_rwlock_unlock(&keeper->lock);
	return revision;
}

void
control_handle_watch(struct connection *connection, struct bytes body)
{
	uint8_t memory[8];
	struct writer w = writer_of(memory, sizeof(memory));

	if (!control_empty(connection, body))
		return;
	uint64_t revision = trust_revision(connection->keeper);
	while (connection->watched && revision == connection->watched_revision) {
		if (!control_waits(connection, WATCH_MS))
			return;
		revision = trust_revision(connection->keeper);
	}
	connection->watched = true;
	connection->watched_revision = revision;
	write_be64(&w, revision);
	control_reply(connection, CONTROL_OK, writer_bytes(&w), "trust revision %" PRIu64,
		      revision);
}

/* ---- changed ---- */

void
control_handle_seal(struct connection *connection, struct bytes body)
{
	struct keeper *keeper = connection->keeper;

	if (!control_empty(connection, body))
		return;
	/* Whatever was decided before has left, and what is decided after this does not. */
	if (!keeper_lock_to_seal(keeper)) {
		keeper_seal(keeper);
		control_say(connection, CONTROL_OK, "sealed; the audit log could not be told");
		keeper_end_sealed(keeper);
	}
	if (atomic_load(&keeper->sealing)) {
		pthread_rwlock_unlock(&keeper->lock);
		return;
	}
	(void)control_audit(connection, "seal");
	bool told = control_audit_end(connection, worker_batch(&connection->worker));
	/* Who fills the disk must not be able to keep it unsealed. */
	if (!told)
		role_complain("sealing, and the audit log could not be told: %s",
			      worker_refusal_text(&connection->worker));
	keeper_seal(keeper);
	control_say(connection, CONTROL_OK, "sealed%s",
		    told ? "" : "; the audit log could not be told");
	keeper_leave(keeper);
	pthread_rwlock_unlock(&keeper->lock);
}

void
control_handle_rotate(struct connection *connection, struct bytes body)
{
	struct keeper *keeper = connection->keeper;
	struct store_rotation rotation;
	struct store_error err;

	if (!control_empty(connection, body))
		return;
	pthread_rwlock_rdlock(&keeper->lock);
	bool may = keeper_standing(keeper) == WIRE_OK;
	enum store_status status = may ? store_rotate(keeper->store, &err) : STORE_OK;
	if (status == STORE_UNSURE)
		keeper_give_up(keeper, err.message);
	if (!may) {
		control_say(connection, CONTROL_REFUSED, "not now");
	} else if (status != STORE_OK) {
		control_say(connection, CONTROL_FAILED, "%s", err.message);
	} else {
		store_rotation(keeper->store, &rotation);
		struct json *json = control_audit(connection, "rotate");
		out_number(json, "generation", rotation.generation);
		bool told = control_audit_end(connection, worker_batch(&connection->worker));
		control_say(connection, CONTROL_OK,
			    "what is written now is under data key %u; older records follow in the "
			    "background%s",
			    rotation.generation, told ? "" : "; the audit log could not be told");
	}
	pthread_rwlock_unlock(&keeper->lock);
}

void
control_handle_witness(struct connection *connection, struct bytes body)
{
	struct keeper *keeper = connection->keeper;
	struct control_witness message;

	if (!control_witness_read(body, &message) || message.counter == 0) {
		control_say(connection, CONTROL_MALFORMED, "not a counter");
		return;
	}
	pthread_rwlock_wrlock(&keeper->lock);
	enum freeze_verdict verdict = atomic_load(&keeper->sealing)
					      ? FREEZE_STORE
					      : freeze_witness(&connection->worker, message.stage,
							       message.counter, connection->uid);
	if (verdict == FREEZE_GOOD)
		control_say(connection, CONTROL_OK, "%" PRIu64 " is the lowest that counts",
			    keeper->freeze.counter);
	else if (verdict == FREEZE_FROZEN)
		control_say(connection, CONTROL_REFUSED, "frozen: %.380s", keeper->freeze.why);
	else
		control_say(connection, CONTROL_FAILED, "not written down: %s",
			    worker_refusal_text(&connection->worker));
	pthread_rwlock_unlock(&keeper->lock);
}

/* Lock held. */
static void
thaw(struct connection *connection, const struct control_thaw *message)
{
	struct keeper *keeper = connection->keeper;
	uint64_t revision = keeper->trust.revision;

	if (atomic_load(&keeper->sealing) || !atomic_load(&keeper->freeze.frozen)) {
		control_say(connection, CONTROL_REFUSED, "it is not frozen");
	} else if (message->trust_revision != revision) {
		control_say(connection, CONTROL_REFUSED,
			    "the trust revision is %" PRIu64 ", not %" PRIu64
			    ": look at what lies there first",
			    revision, message->trust_revision);
	} else if (!freeze_thaw(&connection->worker, message->reason, connection->uid)) {
		control_say(connection, CONTROL_FAILED, "still frozen: %s",
			    worker_refusal_text(&connection->worker));
	} else if (revision < keeper->options.min_revision) {
		control_say(connection, CONTROL_OK,
			    "thawed; min_revision is %" PRIu64
			    ", and freezes it again at the next start: lower it",
			    keeper->options.min_revision);
	} else {
		control_say(connection, CONTROL_OK, "thawed");
	}
}

void
control_handle_thaw(struct connection *connection, struct bytes body)
{
	struct keeper *keeper = connection->keeper;
	struct control_thaw message;

	if (!control_thaw_read(body, &message)) {
		control_say(connection, CONTROL_MALFORMED, "not a revision and a reason");
		return;
	}
	pthread_rwlock_wrlock(&keeper->lock);
	thaw(connection, &message);
	pthread_rwlock_unlock(&keeper->lock);
}
