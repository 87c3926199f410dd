/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"
#include "records.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One more reason, unless it does not fit any more: the first ones weigh most. */
__attribute__((format(printf, 2, 3))) static void
add_reason(struct freeze *freeze, const char *format, ...)
{
	char reason[FROZEN_WHY_MAX + 1];
	size_t size = strlen(freeze->why);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	/* As it was recorded at an earlier start. */
	if (strstr(freeze->why, reason))
		return;
	if (size + strlen(reason) + 2 <= FROZEN_WHY_MAX)
		snprintf(freeze->why + size, sizeof(freeze->why) - size, "%s%s", size ? "; " : "",
			 reason);
	freeze->recorded = true;
	freeze->owed = true;
}

/* ---- at unsealing ---- */

/* A small record that may be absent: false with the problem. */
static bool
get_small(struct keeper *keeper, const char *key, struct secret *into, uint64_t *ret_revision,
	  char *ret_problem)
{
	struct store_error err;

	into->size = into->capacity;
	enum store_status status = store_get_into(keeper->store, key, into, ret_revision, &err);
	if (status == STORE_MISSING) {
		into->size = 0;
		*ret_revision = 0;
		return true;
	}
	if (status != STORE_OK)
		snprintf(ret_problem, KEEPER_PROBLEM_SIZE, "record %s: %s", key, err.message);
	return status == STORE_OK;
}

static bool
read_records(struct keeper *keeper, struct secret *into, char *ret_problem)
{
	struct freeze *freeze = &keeper->freeze;
	struct frozen_record frozen;
	uint64_t revision;

	if (!get_small(keeper, FROZEN_KEY, into, &revision, ret_problem))
		return false;
	if (into->size > 0) {
		if (!frozen_record_read((struct bytes){into->bytes, into->size}, &frozen)) {
			snprintf(ret_problem, KEEPER_PROBLEM_SIZE, "record frozen: does not parse");
			return false;
		}
		memcpy(freeze->why, frozen.why.data, frozen.why.size);
		freeze->why[frozen.why.size] = '\0';
		freeze->since = frozen.since;
		freeze->recorded = true;
	}
	if (!get_small(keeper, WITNESS_KEY, into, &freeze->counter_revision, ret_problem))
		return false;
	if (into->size > 0 &&
	    !witness_record_read((struct bytes){into->bytes, into->size}, &freeze->counter)) {
		snprintf(ret_problem, KEEPER_PROBLEM_SIZE, "record witness: does not parse");
		return false;
	}
	return true;
}

/* The record runs one ahead between the two stages of a round, and the round may have ended there:
 * that is the only way in which the TPM may know less than the store. */
static void
compare_counter(struct freeze *freeze, uint64_t counter)
{
	if (counter > freeze->counter)
		add_reason(freeze,
			   "the TPM has counted %" PRIu64 ", and this store knows %" PRIu64
			   ": it is an older one",
			   counter, freeze->counter);
	else if (counter + 1 < freeze->counter)
		add_reason(freeze,
			   "the TPM has counted %" PRIu64 ", and this store knows %" PRIu64
			   ": it is another TPM, or its counter was defined anew",
			   counter, freeze->counter);
}

/* A store that is used to a counter is not believed before it was compared. */
static void
compare_witness(struct freeze *freeze, const struct witness *witness)
{
	freeze->waiting = !witness->counted && freeze->counter > 0;
	if (!witness->counted)
		return;
	freeze->heard = witness->counter;
	compare_counter(freeze, witness->counter);
}

bool
freeze_decide(struct keeper *keeper, const struct witness *witness, char *ret_problem)
{
	struct freeze *freeze = &keeper->freeze;
	auto_secret *into = secret_new(FROZEN_SIZE_MAX);

	if (!into) {
		snprintf(ret_problem, KEEPER_PROBLEM_SIZE,
			 "no locked memory: raise RLIMIT_MEMLOCK");
		return false;
	}
	if (!read_records(keeper, into, ret_problem))
		return false;
	if (keeper->trust.revision < keeper->options.min_revision)
		add_reason(freeze,
			   "its trust revision is %" PRIu64 ", and %" PRIu64
			   " has been seen (min_revision): it is an older one",
			   keeper->trust.revision, keeper->options.min_revision);
	compare_witness(freeze, witness);
	if (freeze->recorded)
		freeze->waiting = false;
	if (freeze->waiting)
		snprintf(freeze->why, sizeof(freeze->why),
			 "this store is used to a TPM's counter, and none was handed over: "
			 "`postern witness` compares it");
	if (freeze->since == 0)
		freeze->since = keeper->started;
	atomic_store(&freeze->frozen, freeze->recorded || freeze->waiting);
	return true;
}

/* ---- writing it down ---- */

static bool
put_frozen(struct store_batch *batch, const struct freeze *freeze)
{
	uint8_t memory[FROZEN_SIZE_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	struct frozen_record record = {text_bytes(freeze->why), freeze->since};

	frozen_record_write(&w, &record);
	store_batch_put(batch, FROZEN_KEY, store_bytes_of(writer_bytes(&w)));
	return !w.failed;
}

static bool
put_witness(struct store_batch *batch, const struct freeze *freeze, uint64_t counter)
{
	uint8_t memory[WITNESS_SIZE];
	struct writer w = writer_of(memory, sizeof(memory));

	witness_record_write(&w, counter);
	store_batch_expect(batch, WITNESS_KEY, freeze->counter_revision);
	store_batch_put(batch, WITNESS_KEY, store_bytes_of(writer_bytes(&w)));
	return !w.failed;
}

void
freeze_record(struct worker *worker)
{
	struct freeze *freeze = &worker->keeper->freeze;
	struct store_batch *batch = worker_batch(worker);
	struct store_error err;

	struct json *json = audit_begin(worker, "frozen", unix_now());
	out_text(json, "reason", freeze->why);
	audit_end(worker, false, worker->keeper->trust.revision);
	if (put_frozen(batch, freeze) && audit_append(worker, batch, NULL) &&
	    worker_commit(worker, batch, &err) == STORE_OK)
		freeze->owed = false;
}

/* The record's revision as it is now. */
static void
reread_counter(struct worker *worker, uint64_t counter)
{
	struct freeze *freeze = &worker->keeper->freeze;
	auto_secret *into = secret_new(WITNESS_SIZE);
	struct store_error err;
	uint64_t revision;

	freeze->counter = counter;
	freeze->counter_revision = into && store_get_into(worker->keeper->store, WITNESS_KEY, into,
							  &revision, &err) == STORE_OK
					   ? revision
					   : 0;
}

/* ---- rounds ---- */

/* The entry tells what is new: a first counter, one that moved by more than a round, the end of a
 * wait. */
static bool
write_counter(struct worker *worker, uint64_t counter, bool tells, unsigned uid)
{
	struct freeze *freeze = &worker->keeper->freeze;
	struct store_batch *batch = worker_batch(worker);
	struct store_error err;

	bool good = put_witness(batch, freeze, counter);
	if (tells) {
		struct json *json = audit_begin(worker, "witness", unix_now());
		out_number(json, "uid", uid);
		out_number(json, "counter", counter);
		out_number(json, "before", freeze->counter);
		audit_end(worker, false, worker->keeper->trust.revision);
		good = good && audit_append(worker, batch, NULL);
	}
	if (!good || worker_commit(worker, batch, &err) != STORE_OK)
		return false;
	reread_counter(worker, counter);
	return true;
}

/* A TPM that knows more than the store does is what a witness is there for. */
static bool
contradicts(struct freeze *freeze, uint64_t counter)
{
	return freeze->counter > 0 && (counter > freeze->counter || counter + 1 < freeze->counter);
}

static enum freeze_verdict
freeze_now(struct worker *worker, uint64_t counter)
{
	struct freeze *freeze = &worker->keeper->freeze;

	if (freeze->waiting)
		freeze->why[0] = '\0';
	freeze->waiting = false;
	freeze->since = unix_now();
	compare_counter(freeze, counter);
	atomic_store(&freeze->frozen, true);
	freeze_record(worker);
	return FREEZE_FROZEN;
}

enum freeze_verdict
freeze_witness(struct worker *worker, unsigned stage, uint64_t counter, unsigned uid)
{
	struct freeze *freeze = &worker->keeper->freeze;
	/* Stage 1 comes before the TPM counts, stage 2 after it. */
	uint64_t lowest = stage == 1 ? counter + 1 : counter;

	freeze->heard = counter;
	if (freeze->recorded)
		return FREEZE_FROZEN;
	if (contradicts(freeze, counter))
		return freeze_now(worker, counter);
	bool tells = freeze->waiting || freeze->counter == 0;
	if ((tells || lowest > freeze->counter) && !write_counter(worker, lowest, tells, uid))
		return FREEZE_STORE;
	if (freeze->waiting) {
		freeze->waiting = false;
		freeze->why[0] = '\0';
		atomic_store(&freeze->frozen, false);
	}
	return FREEZE_GOOD;
}

/* ---- the way out ---- */

bool
freeze_thaw(struct worker *worker, struct bytes reason, unsigned uid)
{
	struct freeze *freeze = &worker->keeper->freeze;
	struct store_batch *batch = worker_batch(worker);
	uint64_t revision = worker->keeper->trust.revision;
	struct store_error err;
	uint64_t counter = freeze->heard;
	bool good = true;

	struct json *json = audit_begin(worker, "thaw", unix_now());
	out_number(json, "uid", uid);
	out_string(json, "reason", reason);
	out_text(json, "was", freeze->why);
	audit_end(worker, false, revision);
	store_batch_delete(batch, FROZEN_KEY);
	if (counter > 0 && counter != freeze->counter)
		good = put_witness(batch, freeze, counter);
	else if (counter == 0 && freeze->waiting)
		store_batch_delete(batch, WITNESS_KEY); /* there is no TPM any more */
	if (!good || !audit_append(worker, batch, NULL) ||
	    worker_commit(worker, batch, &err) != STORE_OK)
		return false;
	if (counter > 0)
		reread_counter(worker, counter);
	else if (freeze->waiting)
		freeze->counter = freeze->counter_revision = 0;
	freeze->recorded = false;
	freeze->owed = false;
	freeze->waiting = false;
	freeze->why[0] = '\0';
	atomic_store(&freeze->frozen, false);
	return true;
}
