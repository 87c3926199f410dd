/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"

#include <sodium.h>
#include <string.h>

#define ALLOWANCE_SPAN_MS 60000

void
audit_checks_start(struct worker *worker)
{
	out_start(&worker->checks, AUDIT_ENTRY_MAX);
	out_array(&worker->checks, NULL);
}

void
audit_check(struct worker *worker, const char *check, bool good, const char *expected,
	    const char *seen)
{
	struct json *json = &worker->checks;

	out_object(json, NULL);
	out_text(json, "check", check);
	out_boolean(json, "ok", good);
	if (expected && expected[0])
		out_text(json, "expected", expected);
	if (seen && seen[0])
		out_text(json, "seen", seen);
	out_object_end(json);
}

struct json *
audit_begin(struct worker *worker, const char *kind, int64_t now)
{
	struct json *json = &worker->entry;

	out_start(json, AUDIT_ENTRY_MAX);
	out_object(json, NULL);
	out_number(json, "time", (uint64_t)now);
	out_text(json, "kind", kind);
	return json;
}

void
audit_machine(struct worker *worker, const struct machine *machine, struct bytes peer)
{
	out_text(&worker->entry, "machine", machine->id);
	out_text(&worker->entry, "name", machine->name[0] ? machine->name : NULL);
	out_string(&worker->entry, "peer", peer);
}

/* They stay open: a release that fails at its commit adds another check and another entry. */
static void
embed_checks(struct worker *worker)
{
	struct json *checks = &worker->checks;
	size_t size = checks->size;

	out_array_end(checks);
	if (out_finish(checks))
		out_embed(&worker->entry, "checks", out_bytes(checks));
	else
		worker->entry.failed = true;
	checks->size = size;
	checks->depth = 1;
	checks->comma = size > 1;
}

void
audit_end(struct worker *worker, bool checks, uint64_t trust_revision)
{
	if (checks)
		embed_checks(worker);
	out_number(&worker->entry, "trust_revision", trust_revision);
	out_object_end(&worker->entry);
}

bool
audit_append(struct worker *worker, struct store_batch *batch, const char *tag)
{
	if (!out_finish(&worker->entry))
		return false;
	store_batch_append(batch, tag, store_bytes_of(out_bytes(&worker->entry)));
	return true;
}

bool
audit_write(struct worker *worker, const char *tag)
{
	struct store_batch *batch = worker_batch(worker);
	struct store_error err;

	return audit_append(worker, batch, tag) && worker_commit(worker, batch, &err) == STORE_OK;
}

static bool
take(struct allowance *allowance, unsigned most, uint64_t now)
{
	if (allowance->used == 0 || now - allowance->since > ALLOWANCE_SPAN_MS)
		*allowance = (struct allowance){.since = now};
	if (allowance->used >= most)
		return false;
	allowance->used++;
	return true;
}

bool
audit_stranger(struct worker *worker)
{
	struct keeper *keeper = worker->keeper;
	uint64_t now = challenges_now(keeper->challenges);

	pthread_mutex_lock(&keeper->strangers_mutex);
	bool due = take(&keeper->strangers, AUDIT_STRANGERS_PER_MINUTE, now);
	pthread_mutex_unlock(&keeper->strangers_mutex);
	return due;
}

bool
audit_unproved(struct worker *worker, struct machine *machine)
{
	uint64_t now = challenges_now(worker->keeper->challenges);

	pthread_mutex_lock(&machine->mutex);
	bool due = take(&machine->unproved, AUDIT_UNPROVED_PER_MINUTE, now);
	pthread_mutex_unlock(&machine->mutex);
	if (!due)
		atomic_fetch_add(&worker->keeper->counters.unknown, 1);
	return due;
}

bool
audit_daemon(struct worker *worker, const char *kind)
{
	struct json *json = audit_begin(worker, kind, unix_now());

	out_text(json, "version", POSTERN_VERSION);
	audit_end(worker, false, worker->keeper->trust.revision);
	return audit_write(worker, NULL);
}

void
audit_unknown_callers(struct worker *worker)
{
	struct keeper *keeper = worker->keeper;
	unsigned long long count = atomic_load(&keeper->counters.unknown);

	if (count == keeper->unknown_written)
		return;
	struct json *json = audit_begin(worker, "unknown", unix_now());
	out_number(json, "count", count - keeper->unknown_written);
	out_text(json, "outcome", "denied");
	pthread_rwlock_rdlock(&keeper->lock);
	uint64_t revision = keeper->trust.revision;
	pthread_rwlock_unlock(&keeper->lock);
	audit_end(worker, false, revision);
	if (audit_write(worker, NULL))
		keeper->unknown_written = count;
}

void
checkpoint_newest(struct keeper *keeper, bool at_once, struct checkpoint *ret_checkpoint)
{
	uint8_t message[CHECKPOINT_MESSAGE_SIZE];
	struct checkpoint *kept = &keeper->checkpoint;
	struct checkpoint head = {.time = unix_now()};

	pthread_mutex_lock(&keeper->checkpoint_mutex);
	if (at_once || kept->time == 0 || head.time != kept->time) {
		store_log_head(keeper->store, &head.number, head.hash);
		if (kept->time == 0 || head.number != kept->number) {
			checkpoint_message(&head, message);
			crypto_sign_detached(head.signature, NULL, message, sizeof(message),
					     keeper->keys.answer->bytes);
			*kept = head;
		}
	}
	*ret_checkpoint = *kept;
	pthread_mutex_unlock(&keeper->checkpoint_mutex);
}
