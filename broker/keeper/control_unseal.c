/* SPDX-License-Identifier: Apache-2.0 */
/* Shares and keys: given one by one, named where they are wrong, and what they open. */
#include "control.h"

#include "audit.h"
#include "supervisor/role.h"

#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define SET_TEXT_SIZE (2 * CONTROL_SET_SIZE + 1)
#define ROUSE_MS      5000

static struct share *
shares_of(const struct gathering *gathering)
{
	/* Bytes alone: no alignment to want. */
	return (struct share *)(void *)gathering->shares->bytes;
}

_Static_assert(_Alignof(struct share) == 1, "shares lie in a secret's bytes");

void
gathering_clear(struct gathering *gathering)
{
	secret_free(gathering->shares);
	*gathering = (struct gathering){0};
}

void
control_expire(struct control *control, int64_t now)
{
	if (control->to_unseal.shares && now >= control->to_unseal.until)
		gathering_clear(&control->to_unseal);
	if (control->to_rekey.shares && now >= control->to_rekey.until)
		gathering_clear(&control->to_rekey);
	if (control->rekeying.owner && now >= control->rekeying.until)
		rekeying_clear(control);
}

/* ---- one share ---- */

static void
take(const struct control_share *from, struct share *ret_share)
{
	memcpy(ret_share->set, from->set, sizeof(ret_share->set));
	ret_share->threshold = from->threshold;
	ret_share->count = from->count;
	ret_share->number = from->number;
	memcpy(ret_share->bytes, from->bytes, sizeof(ret_share->bytes));
}

/* By the hashes that the store's note has of each. */
static enum share_verdict
verdict_of(const struct share_set *set, const struct control_share *from)
{
	auto_secret *memory = secret_new(sizeof(struct share));

	if (!memory)
		return SHARE_WRONG;
	struct share *share = (struct share *)(void *)memory->bytes;
	take(from, share);
	return share_check(set, share);
}

/* Answers what is wrong with it. */
static void
refuse(struct connection *connection, const struct share_set *set,
       const struct control_share *share, enum share_verdict verdict)
{
	char given[SET_TEXT_SIZE], present[SET_TEXT_SIZE];

	sodium_bin2hex(given, sizeof(given), share->set, sizeof(share->set));
	sodium_bin2hex(present, sizeof(present), set->set, sizeof(set->set));
	if (set->count == 0)
		control_say(connection, CONTROL_REFUSED,
			    "the root key is in no shares: it lies in a file or a TPM");
	else if (verdict == SHARE_OTHER_SET)
		control_say(connection, CONTROL_WRONG,
			    "share %u of set %s: the present set is %s: it is of an older set, or "
			    "of another broker",
			    share->number, given, present);
	else
		control_say(connection, CONTROL_WRONG,
			    "share %u of set %s is not what was handed out", share->number, given);
}

static bool
has(const struct gathering *gathering, uint8_t number)
{
	for (uint8_t i = 0; i < gathering->count; i++) {
		if (shares_of(gathering)[i].number == number)
			return true;
	}
	return false;
}

static void
say_more(struct connection *connection, const struct gathering *gathering,
	 const struct share_set *set, uint8_t number, const char *how)
{
	control_say(connection, CONTROL_MORE, "share %u %s: %u of %u", number, how,
		    gathering->count, set->threshold);
}

/* What they make, or NULL, answered; they are forgotten either way. */
static struct secret *
combine(struct connection *connection, struct gathering *gathering)
{
	struct secret *key = secret_new(STORE_ROOT_KEY_SIZE);

	if (key && shares_combine(shares_of(gathering), gathering->count, key)) {
		gathering_clear(gathering);
		return key;
	}
	gathering_clear(gathering);
	secret_free(key);
	control_say(connection, CONTROL_FAILED,
		    "the shares do not make a key, or there is no locked memory: give them again");
	return NULL;
}

enum gathered
control_gather(struct connection *connection, struct gathering *gathering,
	       const struct control_share *share, struct secret **ret_key)
{
	struct control *control = connection->keeper->control;
	const struct share_set *set = &control->set;
	enum share_verdict verdict = verdict_of(set, share);

	if (verdict != SHARE_GOOD) {
		gathering->refused++;
		refuse(connection, set, share, verdict);
		return GATHERED_ANSWERED;
	}
	if (!gathering->shares)
		gathering->shares = secret_new(SHARES_MAX * sizeof(struct share));
	if (!gathering->shares) {
		control_say(connection, CONTROL_FAILED, "no locked memory: raise RLIMIT_MEMLOCK");
		return GATHERED_ANSWERED;
	}
	gathering->until = control_clock() + control->patience;
	if (has(gathering, share->number)) {
		say_more(connection, gathering, set, share->number, "was given already");
		return GATHERED_ANSWERED;
	}
	take(share, &shares_of(gathering)[gathering->count++]);
	if (gathering->count < set->threshold) {
		say_more(connection, gathering, set, share->number, "taken");
		return GATHERED_ANSWERED;
	}
	struct secret *key = combine(connection, gathering);
	if (!key)
		return GATHERED_ANSWERED;
	*ret_key = key;
	return GATHERED_KEY;
}

/* ---- unsealing ---- */

/* Whose shares they were, the log should be able to tell: numbers say so, and nothing else. */
struct unsealing {
	const char *by;
	uint8_t numbers[CONTROL_SHARES_MAX];
	uint8_t count;
	unsigned wrong;
	struct witness witness;
};

static void
audit_unsealing(struct connection *connection, const struct unsealing *unsealing)
{
	struct json *json = control_audit(connection, "unseal");

	out_text(json, "by", unsealing->by);
	if (unsealing->count > 0) {
		out_array(json, "shares");
		for (uint8_t i = 0; i < unsealing->count; i++)
			out_number(json, NULL, unsealing->numbers[i]);
		out_array_end(json);
	}
	if (unsealing->witness.counted)
		out_number(json, "witness", unsealing->witness.counter);
	out_number(json, "wrong", unsealing->wrong);
	/* A disk that takes no entry does not keep the broker from what it is there for. */
	if (!control_audit_end(connection, worker_batch(&connection->worker)))
		role_complain("unsealed, and the audit log could not be told: %s",
			      worker_refusal_text(&connection->worker));
}

/* The keeper's own thread tells the gateway that all is sealed, until it hears of this: who is told
 * that it is unsealed must not hear the contrary any more. */
static void
rouse(struct keeper *keeper)
{
	const struct frame frame = {.type = FRAME_UNSEALED, .descriptor = -1};
	struct pollfd watched = {keeper->wake[1], POLLIN, 0};

	if (channel_send(keeper->wake[1], &frame) == CHANNEL_OK)
		(void)poll(&watched, 1, ROUSE_MS);
	/* Whoever watches the daemon is told; if the supervisor is gone, so are we. */
	(void)!channel_send(keeper->options.supervisor, &frame);
}

static void
unsealed(struct connection *connection, const struct unsealing *unsealing)
{
	struct keeper *keeper = connection->keeper;

	/* Where it was the key that came after some of its shares. */
	pthread_mutex_lock(&keeper->control->mutex);
	gathering_clear(&keeper->control->to_unseal);
	pthread_mutex_unlock(&keeper->control->mutex);
	rouse(keeper);
	pthread_rwlock_rdlock(&keeper->lock);
	audit_unsealing(connection, unsealing);
	if (atomic_load(&keeper->freeze.frozen))
		control_say(connection, CONTROL_OK, "unsealed, and frozen: %.360s",
			    keeper->freeze.why);
	else
		control_say(connection, CONTROL_OK, "unsealed");
	pthread_rwlock_unlock(&keeper->lock);
}

/* Mutex held, and held again at the end: others hear meanwhile that it is being unsealed. */
static void
unseal(struct connection *connection, const struct secret *key, const struct unsealing *unsealing)
{
	struct keeper *keeper = connection->keeper;
	struct control *control = keeper->control;
	char problem[KEEPER_PROBLEM_SIZE] = "";

	control->unsealing = true;
	pthread_mutex_unlock(&control->mutex);
	enum keeper_unsealing outcome = keeper_unseal(keeper, key, &unsealing->witness, problem);
	if (outcome == KEEPER_UNSEALED) {
		unsealed(connection, unsealing);
	} else if (outcome == KEEPER_KEY) {
		control_say(
			connection, CONTROL_WRONG, "%s",
			unsealing->count > 0
				? "these are the shares that the store's file names, and they do "
				  "not open it: the file was changed"
				: "this key does not open the store");
	} else {
		role_complain("%s", problem);
		control_say(connection, CONTROL_FAILED, "%s", problem);
	}
	if (outcome == KEEPER_BROKEN)
		keeper_give_up(keeper, "the store holds what this broker does not start with");
	pthread_mutex_lock(&control->mutex);
	control->wrong += outcome == KEEPER_KEY;
	control->unsealing = false;
}

/* Mutex held. False: answered. */
static bool
may_unseal(struct connection *connection)
{
	if (atomic_load(&connection->keeper->open)) {
		control_say(connection, CONTROL_UNSEALED, "it is unsealed already");
		return false;
	}
	if (connection->keeper->control->unsealing || atomic_load(&connection->keeper->given_up)) {
		control_say(connection, CONTROL_REFUSED, "it is being unsealed at this moment");
		return false;
	}
	return true;
}

static void
unseal_share(struct connection *connection, const struct control_share *share)
{
	struct control *control = connection->keeper->control;
	struct gathering *gathering = &control->to_unseal;
	struct unsealing unsealing = {.by = "shares"};
	auto_secret *key = NULL;

	if (!may_unseal(connection))
		return;
	for (uint8_t i = 0; i < gathering->count; i++)
		unsealing.numbers[unsealing.count++] = shares_of(gathering)[i].number;
	unsealing.numbers[unsealing.count] = share->number;
	unsealing.wrong = control->wrong + gathering->refused;
	if (control_gather(connection, gathering, share, &key) != GATHERED_KEY)
		return;
	unsealing.count++;
	unseal(connection, key, &unsealing);
}

/* ---- the requests ---- */

void
control_handle_share(struct connection *connection, struct bytes body)
{
	struct control *control = connection->keeper->control;
	struct control_share *share = &connection->scratch->message.share;

	if (!control_share_read(body, share)) {
		control_say(connection, CONTROL_MALFORMED, "not a share");
		return;
	}
	pthread_mutex_lock(&control->mutex);
	if (share->purpose == CONTROL_TO_UNSEAL) {
		unseal_share(connection, share);
	} else if (share->purpose == CONTROL_TO_REKEY) {
		control_rekey_share(connection, share);
	} else {
		enum share_verdict verdict = verdict_of(&control->set, share);
		if (verdict == SHARE_GOOD)
			control_say(connection, CONTROL_OK, "share %u of %u is what was handed out",
				    share->number, share->count);
		else
			refuse(connection, &control->set, share, verdict);
	}
	pthread_mutex_unlock(&control->mutex);
}

/* Anyone may ask this of a key that he has; it says no more than unsealing with it would. */
static void
verify_key(struct connection *connection, const struct secret *key)
{
	struct store_error err;

	if (connection->keeper->control->unsealing) {
		control_say(connection, CONTROL_REFUSED, "it is being unsealed at this moment");
		return;
	}
	enum store_status status = store_try_key(connection->keeper->store, key, &err);
	if (status == STORE_OK)
		control_say(connection, CONTROL_OK, "this key opens the store");
	else if (status == STORE_KEY)
		control_say(connection, CONTROL_WRONG, "this key does not open the store");
	else
		control_say(connection, CONTROL_FAILED, "%s", err.message);
}

static void
use_key(struct connection *connection, const struct control_key *message, const struct secret *key)
{
	struct control *control = connection->keeper->control;
	struct unsealing unsealing = {.by = "key",
				      .wrong = control->wrong + control->to_unseal.refused};

	if (message->witness != CONTROL_NO_WITNESS)
		unsealing.witness = (struct witness){true, message->witness};
	if (message->purpose == CONTROL_TO_VERIFY)
		verify_key(connection, key);
	else if (message->purpose == CONTROL_TO_REKEY)
		control_rekey_key(connection, key);
	else if (may_unseal(connection))
		unseal(connection, key, &unsealing);
}

void
control_handle_key(struct connection *connection, struct bytes body)
{
	struct control *control = connection->keeper->control;
	struct control_key *message = &connection->scratch->message.key;
	auto_secret *key = secret_new(STORE_ROOT_KEY_SIZE);

	if (!control_key_read(body, message)) {
		control_say(connection, CONTROL_MALFORMED, "not a key");
		return;
	}
	if (!key) {
		control_say(connection, CONTROL_FAILED, "no locked memory: raise RLIMIT_MEMLOCK");
		return;
	}
	memcpy(key->bytes, message->key, sizeof(message->key));
	pthread_mutex_lock(&control->mutex);
	use_key(connection, message, key);
	pthread_mutex_unlock(&control->mutex);
}

void
control_handle_reset(struct connection *connection, struct bytes body)
{
	struct control *control = connection->keeper->control;
	struct control_reset reset;

	if (!control_reset_read(body, &reset)) {
		control_say(connection, CONTROL_MALFORMED, "not a purpose");
		return;
	}
	pthread_mutex_lock(&control->mutex);
	if (reset.purpose == CONTROL_TO_UNSEAL) {
		gathering_clear(&control->to_unseal);
	} else if (reset.purpose == CONTROL_TO_REKEY) {
		gathering_clear(&control->to_rekey);
		rekeying_clear(control);
	}
	pthread_mutex_unlock(&control->mutex);
	control_say(connection, CONTROL_OK, "the shares given so far are forgotten");
}
