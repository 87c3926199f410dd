/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new root key: an operator's act asks for it, the holders of the present one prove themselves,
 * the new one is drawn and handed over, and is in force once the commit says that it arrived. Until
 * then the present one is, and the new one lies in locked memory alone. One act makes one key.
 */
#include "control.h"

#include "audit.h"
#include "records.h"
#include "supervisor/role.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

void
rekeying_clear(struct control *control)
{
	gathering_clear(&control->to_rekey);
	secret_free(control->rekeying.key);
	control->rekeying = (struct rekeying){0};
}

/* ---- what an operator has asked for ---- */

/* Lock and mutex held. Says what is missing; NULL: nothing. */
static const char *
not_asked(const struct keeper *keeper, const struct control_rekey *wanted)
{
	const struct trust_rekey *act = &keeper->trust.rekey;

	if (act->revision == 0)
		return "no operator has asked for it: `postern rekey authorize` first";
	if (act->revision <= keeper->rekeyed)
		return "the newest act that asked for it is used up: `postern rekey authorize` "
		       "again";
	if (act->signer->ended)
		return "the operator who asked for it was revoked: `postern rekey authorize` again";
	if (act->count != wanted->count || act->threshold != wanted->threshold)
		return "the act that asked for it is for other numbers of shares: give them, or "
		       "`postern rekey authorize` again";
	return NULL;
}

void
control_handle_rekey(struct connection *connection, struct bytes body)
{
	struct keeper *keeper = connection->keeper;
	struct control *control = keeper->control;
	struct control_rekey wanted;

	if (!control_rekey_read(body, &wanted)) {
		control_say(connection, CONTROL_MALFORMED, "not a number of shares");
		return;
	}
	pthread_rwlock_rdlock(&keeper->lock);
	pthread_mutex_lock(&control->mutex);
	const char *missing = not_asked(keeper, &wanted);
	if (missing) {
		control_say(connection, CONTROL_REFUSED, "%s", missing);
	} else if (control->rekeying.owner && control->rekeying.owner != connection) {
		control_say(connection, CONTROL_REFUSED,
			    "a rekey is under way on another connection");
	} else {
		rekeying_clear(control);
		control->rekeying = (struct rekeying){
			.owner = connection,
			.wanted = wanted,
			.act = keeper->trust.rekey.revision,
			.until = control_clock() + control->patience,
		};
		control_say(connection, CONTROL_OK, "now the present %s: %u of them",
			    control->set.count ? "shares" : "key",
			    control->set.count ? control->set.threshold : 1);
	}
	pthread_mutex_unlock(&control->mutex);
	pthread_rwlock_unlock(&keeper->lock);
}

/* ---- the present key, and then the new one ---- */

static void
fill_shares(const struct share *shares, uint8_t count, struct control_rekeyed *ret_message)
{
	ret_message->count = count;
	for (uint8_t i = 0; i < count; i++) {
		struct control_share *share = &ret_message->shares[i];
		*share = (struct control_share){.threshold = shares[i].threshold,
						.count = shares[i].count,
						.number = shares[i].number};
		memcpy(share->set, shares[i].set, sizeof(share->set));
		memcpy(share->bytes, shares[i].bytes, sizeof(share->bytes));
	}
}

/* Into rekeying and the connection's scratch. */
static bool
draw(struct connection *connection)
{
	struct rekeying *rekeying = &connection->keeper->control->rekeying;
	struct control_rekeyed *message = &connection->scratch->message.rekeyed;
	uint8_t count = rekeying->wanted.count;
	auto_secret *shares = secret_new(SHARES_MAX * sizeof(struct share));

	secret_free(rekeying->key);
	rekeying->key = secret_new(STORE_ROOT_KEY_SIZE);
	if (!shares || !rekeying->key)
		return false;
	randombytes_buf(rekeying->key->bytes, STORE_ROOT_KEY_SIZE);
	rekeying->set = (struct share_set){0};
	struct share *drawn = (struct share *)(void *)shares->bytes;
	if (count > 0 &&
	    !shares_split(rekeying->key, rekeying->wanted.threshold, count, drawn, &rekeying->set))
		return false;
	memcpy(message->key, rekeying->key->bytes, sizeof(message->key));
	fill_shares(drawn, count, message);
	return true;
}

/* Mutex held: whoever speaks has the present key. */
static void
proved(struct connection *connection)
{
	struct control *control = connection->keeper->control;
	struct control_scratch *scratch = connection->scratch;
	struct writer w = writer_of(scratch->payload, sizeof(scratch->payload));

	if (draw(connection))
		control_rekeyed_write(&w, &scratch->message.rekeyed);
	if (!control->rekeying.key || w.size == 0 || w.failed) {
		rekeying_clear(control);
		control_say(connection, CONTROL_FAILED, "no locked memory: raise RLIMIT_MEMLOCK");
		return;
	}
	control->rekeying.until = control_clock() + control->patience;
	control_reply(connection, CONTROL_OK, writer_bytes(&w),
		      "the new key: not in force until it is committed");
}

static bool
is_owner(struct connection *connection)
{
	if (connection->keeper->control->rekeying.owner == connection)
		return true;
	control_say(connection, CONTROL_REFUSED, "no rekey was begun on this connection");
	return false;
}

static void
try_present(struct connection *connection, const struct secret *key)
{
	struct store_error err;

	enum store_status status = store_try_key(connection->keeper->store, key, &err);
	if (status == STORE_OK)
		proved(connection);
	else if (status == STORE_KEY)
		control_say(connection, CONTROL_WRONG, "that is not the present root key");
	else
		control_say(connection, CONTROL_FAILED, "%s", err.message);
}

void
control_rekey_share(struct connection *connection, const struct control_share *share)
{
	struct control *control = connection->keeper->control;
	auto_secret *key = NULL;

	if (!is_owner(connection))
		return;
	control->rekeying.until = control_clock() + control->patience;
	if (control_gather(connection, &control->to_rekey, share, &key) == GATHERED_KEY)
		try_present(connection, key);
}

void
control_rekey_key(struct connection *connection, const struct secret *key)
{
	if (is_owner(connection))
		try_present(connection, key);
}

/* ---- in force ---- */

static struct json *
entry(struct connection *connection, const char *outcome)
{
	const struct rekeying *rekeying = &connection->keeper->control->rekeying;
	struct json *json = control_audit(connection, "rekey");

	out_text(json, "outcome", outcome);
	out_number(json, "act", rekeying->act);
	out_number(json, "shares", rekeying->wanted.count);
	out_number(json, "threshold", rekeying->wanted.threshold);
	if (rekeying->wanted.count > 0)
		out_hex(json, "set", BYTES_OF(rekeying->set.set));
	return json;
}

/* Lock and mutex held. The act is used up before the key is in force: a crash between the two costs
 * another act, and never makes two keys of one. */
static bool
claim(struct connection *connection)
{
	struct keeper *keeper = connection->keeper;
	struct rekeying *rekeying = &keeper->control->rekeying;
	struct store_batch *batch = worker_batch(&connection->worker);
	uint8_t memory[8];
	struct writer w = writer_of(memory, sizeof(memory));

	if (rekeying->claimed)
		return true;
	write_be64(&w, rekeying->act);
	store_batch_expect(batch, RECORD_TRUST, keeper->trust.store_revision);
	store_batch_put(batch, RECORD_REKEYED, store_bytes_of(writer_bytes(&w)));
	(void)entry(connection, "begins");
	if (!control_audit_end(connection, batch))
		return false;
	keeper->rekeyed = rekeying->act;
	rekeying->claimed = true;
	return true;
}

static bool
put_in_force(struct connection *connection, struct store_error *err)
{
	struct keeper *keeper = connection->keeper;
	const struct rekeying *rekeying = &keeper->control->rekeying;
	uint8_t note[SHARES_NOTE_SIZE];
	size_t size = share_set_write(&rekeying->set, note);

	enum store_status status =
		store_rekey(keeper->store, rekeying->key, (struct store_bytes){note, size}, err);
	if (status == STORE_UNSURE)
		keeper_give_up(keeper, "whether the old or the new root key opens the store is in "
				       "doubt: keep both");
	return status == STORE_OK;
}

/* Lock and mutex held. */
static void
commit(struct connection *connection)
{
	struct control *control = connection->keeper->control;
	const struct rekeying *rekeying = &control->rekeying;
	struct store_error err = {.message = ""};

	if (!claim(connection)) {
		control_say(connection, CONTROL_FAILED,
			    "the old root key is in force: %s: commit again",
			    worker_refusal_text(&connection->worker));
		return;
	}
	if (!put_in_force(connection, &err)) {
		control_say(connection, CONTROL_FAILED,
			    err.status == STORE_UNSURE
				    ? "either root key may be in force, keep both: %s"
				    : "the old root key is in force: %s: commit again",
			    err.message);
		return;
	}
	(void)entry(connection, "done");
	if (!control_audit_end(connection, worker_batch(&connection->worker)))
		role_complain("the root key is new, and the audit log could not be told: %s",
			      worker_refusal_text(&connection->worker));
	control->set = rekeying->set;
	rekeying_clear(control);
	control_say(connection, CONTROL_OK,
		    "the new root key is in force, and the old one opens "
		    "nothing of this store any more");
}

static bool
set_matches(const struct rekeying *rekeying, const struct control_rekey_commit *message)
{
	return sodium_memcmp(rekeying->set.set, message->set, sizeof(message->set)) == 0;
}

void
control_handle_rekey_commit(struct connection *connection, struct bytes body)
{
	struct keeper *keeper = connection->keeper;
	struct control *control = keeper->control;
	struct control_rekey_commit message;
	const char *missing = NULL;

	if (!control_rekey_commit_read(body, &message)) {
		control_say(connection, CONTROL_MALFORMED, "not a set");
		return;
	}
	pthread_rwlock_rdlock(&keeper->lock);
	pthread_mutex_lock(&control->mutex);
	const struct rekeying *rekeying = &control->rekeying;
	if (keeper_standing(keeper) != WIRE_OK)
		control_say(connection, CONTROL_REFUSED, "not now");
	else if (rekeying->owner != connection || !rekeying->key)
		control_say(connection, CONTROL_REFUSED, "no new key was drawn on this connection");
	else if (!set_matches(rekeying, &message))
		control_say(connection, CONTROL_REFUSED, "that is not the set that was drawn");
	else if (!rekeying->claimed && (keeper->trust.rekey.revision != rekeying->act ||
					(missing = not_asked(keeper, &rekeying->wanted)) != NULL))
		control_say(connection, CONTROL_REFUSED, "%s",
			    missing ? missing : "another act has come between: begin again");
	else
		commit(connection);
	pthread_mutex_unlock(&control->mutex);
	pthread_rwlock_unlock(&keeper->lock);
}
