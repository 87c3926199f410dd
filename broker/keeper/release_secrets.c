/* SPDX-License-Identifier: Apache-2.0 */
/* Check 8 of a release: the values, the sealed body, and the one durable commit. */
#include "release.h"
#include "secrets.h"

#include "wire/hpke.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* wire_release_answer, in place: ima_offset, the sealed body's size, and it. */
#define ANSWER_HEADER 12

/* `version` 0: none in particular. */
static enum wire_status
missing(struct worker *worker, struct bytes path, uint32_t version, const char *seen)
{
	char expected[WIRE_PATH_MAX + 16];
	int size = snprintf(expected, sizeof(expected), "%.*s", PRINT(path));

	if (version != 0)
		snprintf(expected + size, sizeof(expected) - (size_t)size, "@%u", version);
	audit_check(worker, "secret", false, expected, seen);
	return WIRE_POLICY;
}

static enum wire_status
broken(struct worker *worker, struct bytes path, enum store_status status, const char *seen)
{
	missing(worker, path, 0, seen);
	return store_refusal(status);
}

/* Why nobody gets this version; NULL: it may be had. */
static const char *
withheld(struct secret_record *record, uint32_t number, int64_t now)
{
	const struct secret_version *version = secret_version_at(record, number);

	if (record->newest == 0)
		return "it has no version yet";
	if (!version)
		return "not in that version";
	switch (secret_version_state(version, now)) {
	case SECRET_ACTIVE:
		return NULL;
	case SECRET_EXPIRED:
		return "that version has expired: its deletion time is reached";
	case SECRET_DELETED:
		return "that version is deleted";
	case SECRET_DESTROYED:
		return "that version is destroyed";
	}
	return "that version is in no known state";
}

/* The record of a wanted secret, and which version is meant. The newest is the one with the
 * highest number: if that one is withheld, no older one takes its place. */
static enum wire_status
find_version(struct worker *worker, struct release *release, size_t index, uint32_t *ret_version)
{
	struct wanted_secret wanted = release->wanted.secrets[index];
	struct secret_record record;
	struct store_error err = {.message = ""};

	enum store_status status =
		secret_load(worker, wanted.path, &record, &release->secret_revisions[index], &err);
	if (status == STORE_MISSING)
		return missing(worker, wanted.path, 0, "there is none");
	if (status != STORE_OK)
		return broken(worker, wanted.path, status,
			      err.message[0] ? err.message : "does not parse");
	*ret_version = wanted.version == 0 ? record.newest : wanted.version;
	const char *why = withheld(&record, *ret_version, release->now);
	return why ? missing(worker, wanted.path, *ret_version, why) : WIRE_OK;
}

/* Into worker->record, which grows for a large one. */
static enum store_status
read_value(struct worker *worker, struct bytes path, uint32_t version, struct store_error *err)
{
	uint64_t revision;
	char key[RECORD_KEY_SIZE];

	record_value_key(path, version, key);
	enum store_status status =
		store_get_into(worker->keeper->store, key, worker->record, &revision, err);
	if (status != STORE_LIMIT)
		return status;
	if (!worker_secret(&worker->record, WIRE_SECRET_MAX))
		return STORE_MEMORY;
	return store_get_into(worker->keeper->store, key, worker->record, &revision, err);
}

/* Somebody has changed the secret since its record was read, and may have taken the value away. */
static bool
has_moved(struct worker *worker, const struct release *release, size_t index)
{
	struct secret_record record;
	struct store_error err;
	uint64_t revision;

	enum store_status status =
		secret_load(worker, release->wanted.secrets[index].path, &record, &revision, &err);
	return status == STORE_MISSING ||
	       (status == STORE_OK && revision != release->secret_revisions[index]);
}

/* Room for `size` more bytes behind `used` of worker->values. */
static bool
grow_values(struct worker *worker, size_t used, size_t size)
{
	if (worker->values->capacity - used >= size)
		return true;
	struct secret *larger = secret_new(WIRE_SECRET_MAX);
	if (!larger)
		return false;
	memcpy(larger->bytes, worker->values->bytes, used);
	secret_free(worker->values);
	worker->values = larger;
	return true;
}

/* The values in a row in worker->values; only then do they have addresses that stay. */
static void
place_values(struct worker *worker, struct release *release, const size_t sizes[WIRE_WANTED_MAX])
{
	size_t used = 0;

	for (size_t i = 0; i < release->body.count; i++) {
		release->body.secrets[i].value =
			(struct bytes){worker->values->bytes + used, sizes[i]};
		used += sizes[i];
	}
}

enum wire_status
release_gather(struct worker *worker, struct release *release)
{
	size_t sizes[WIRE_WANTED_MAX] = {0};
	size_t used = 0;
	struct store_error err = {.message = "it cannot be read"};

	for (size_t i = 0; i < release->wanted.count; i++) {
		struct bytes path = release->wanted.secrets[i].path;
		uint32_t version = 0;
		enum wire_status status = find_version(worker, release, i, &version);
		if (status != WIRE_OK)
			return status;
		worker->record->size = worker->record->capacity;
		enum store_status read = read_value(worker, path, version, &err);
		if (read != STORE_OK) {
			release->moved = has_moved(worker, release, i);
			return broken(worker, path, read, err.message); /* names the record */
		}
		if (worker->record->size > WIRE_SECRET_MAX - used)
			return missing(worker, path, 0,
				       "all values together are over the limit of one release");
		if (!grow_values(worker, used, worker->record->size))
			return broken(worker, path, STORE_MEMORY,
				      "no locked memory: raise RLIMIT_MEMLOCK");
		memcpy(worker->values->bytes + used, worker->record->bytes, worker->record->size);
		sizes[i] = worker->record->size;
		used += sizes[i];
		release->body.secrets[i] =
			(struct release_secret){.path = path, .version = version};
		release->lease.secrets[i] = (struct wanted_secret){path, version};
	}
	release->body.count = release->wanted.count;
	place_values(worker, release, sizes);
	return WIRE_OK;
}

static size_t
body_size(const struct release *release)
{
	size_t size = 256; /* all but the secrets: transcript.h */

	for (size_t i = 0; i < release->body.count; i++)
		size += 12 + release->body.secrets[i].path.size +
			release->body.secrets[i].value.size;
	return size;
}

enum wire_status
release_seal(struct worker *worker, struct release *release, struct bytes *ret_payload)
{
	struct keeper *keeper = worker->keeper;
	struct release_body *body = &release->body;
	uint8_t info[RELEASE_INFO_SIZE];
	size_t capacity = body_size(release);

	randombytes_buf(body->lease_id, sizeof(body->lease_id));
	body->lifetime = keeper->options.lease_lifetime;
	body->trust_revision = release->trust_revision;
	checkpoint_newest(keeper, false, &body->checkpoint);
	uint8_t *output = worker_reserve(&worker->sealed, ANSWER_HEADER + capacity + HPKE_OVERHEAD);
	if (!output || !worker_secret(&worker->body, capacity))
		return WIRE_FAILED;
	struct writer w = writer_of(worker->body->bytes, worker->body->capacity);
	release_body_write(&w, body);
	if (w.failed || w.size > capacity)
		return WIRE_FAILED;
	release_info(release->transcript, info);
	bool sealed = hpke_seal(release->request.recipient_key.data, keeper->keys.release->bytes,
				keeper->keys.release_public, BYTES_OF(info), (struct bytes){0},
				writer_bytes(&w), output + ANSWER_HEADER);
	if (!sealed) {
		audit_check(worker, "recipient", false, "a point of prime order",
			    "a low-order point");
		return WIRE_MALFORMED;
	}
	bool known = release->view.ima == IMA_VERIFIED;
	struct writer header = writer_of(output, ANSWER_HEADER);
	write_be64(&header, known ? release->appraisal.ima_report.point.offset : 0);
	write_be32(&header, (uint32_t)(w.size + HPKE_OVERHEAD));
	*ret_payload = (struct bytes){output, ANSWER_HEADER + w.size + HPKE_OVERHEAD};
	return WIRE_OK;
}

void
release_entry(struct worker *worker, const struct release *release, bool released)
{
	struct json *json = audit_begin(worker, "release", release->now);
	char text[WIRE_PATH_MAX + 16];

	audit_machine(worker, release->machine, release->request.peer);
	out_text(json, "outcome", released ? "released" : "denied");
	out_array(json, "secrets");
	for (size_t i = 0; i < release->wanted.count; i++) {
		struct wanted_secret secret =
			released ? release->lease.secrets[i] : release->wanted.secrets[i];
		int size = (int)secret.path.size;
		if (secret.version == 0)
			snprintf(text, sizeof(text), "%.*s", size, (const char *)secret.path.data);
		else
			snprintf(text, sizeof(text), "%.*s@%u", size,
				 (const char *)secret.path.data, secret.version);
		out_text(json, NULL, text);
	}
	out_array_end(json);
	if (released)
		out_hex(json, "lease", BYTES_OF(release->body.lease_id));
	if (release->view.claims.size > 0) {
		out_object(json, "claims");
		out_hex(json, "sha256", BYTES_OF(release->claims.hash));
		claims_out_small(json, release->view.claims);
		out_object_end(json);
	}
	audit_end(worker, true, release->trust_revision);
}

/* Machine's mutex held. The newest clock and PCR values stay the newest. */
static void
merge_record(const struct release *release, struct machine_record *record)
{
	const struct attest_clock *seen = &release->quote.clock;
	const struct attest_clock *newest = &record->clock;
	bool overtaken = record->clock_known && seen->reset_count == newest->reset_count &&
			 seen->restart_count == newest->restart_count &&
			 seen->clock < newest->clock;

	if (release->now > record->last_seen)
		record->last_seen = release->now;
	if (overtaken)
		return;
	record->clock_known = true;
	record->clock = *seen;
	memcpy(record->pcrs, release->quote.pcrs, sizeof(record->pcrs));
	record->log = release->view.log;
	record->ima = release->view.ima;
	record->secure_boot = release->secure_boot;
	memcpy(record->claims, release->claims.hash, sizeof(record->claims));
}

static bool
fill_batch(struct worker *worker, struct release *release, const struct machine_record *record,
	   struct store_batch *batch)
{
	uint8_t machine[MACHINE_RECORD_MAX];
	uint8_t lease[RECORD_LEASE_MAX];
	struct writer machine_w = writer_of(machine, sizeof(machine));
	struct writer lease_w = writer_of(lease, sizeof(lease));
	char key[RECORD_KEY_SIZE];

	store_batch_expect(batch, RECORD_TRUST, worker->keeper->trust.store_revision);
	for (size_t i = 0; i < release->wanted.count; i++) {
		record_secret_key(release->wanted.secrets[i].path, key);
		store_batch_expect(batch, key, release->secret_revisions[i]);
	}
	release->lease.machine = text_bytes(release->machine->id);
	release->lease.issued = release->now;
	release->lease.lifetime = release->body.lifetime;
	release->lease.trust_revision = release->trust_revision;
	release->lease.count = release->wanted.count;
	lease_record_write(&lease_w, &release->lease);
	record_lease_key(release->body.lease_id, key);
	store_batch_put(batch, key, store_bytes_of(writer_bytes(&lease_w)));
	machine_record_write(&machine_w, record);
	record_machine_key(release->machine->id, key);
	store_batch_put(batch, key, store_bytes_of(writer_bytes(&machine_w)));
	/* They change with a boot, mostly, and not with each release. */
	if (memcmp(record->claims, release->machine->record.claims, sizeof(record->claims)) != 0 &&
	    !record_put_claims(batch, release->machine->id, &release->claims))
		return false;
	return !lease_w.failed && !machine_w.failed &&
	       audit_append(worker, batch, release->machine->id);
}

/* Machine's mutex held through the commit: records of one machine go to the disk in the order of
 * their clocks. */
static enum release_commit
commit_locked(struct worker *worker, struct release *release, struct store_batch *batch)
{
	struct machine *machine = release->machine;
	struct machine_record record = machine->record;
	struct store_error err;

	if (record.suspended)
		return RELEASE_SUSPENDED;
	if (!release_clock_fair(worker, release, &record,
				challenges_now(worker->keeper->challenges)))
		return RELEASE_STALE;
	merge_record(release, &record);
	if (!fill_batch(worker, release, &record, batch))
		return RELEASE_BROKEN;
	enum store_status status = worker_commit(worker, batch, &err);
	if (status != STORE_OK)
		return status == STORE_CONFLICT ? RELEASE_AGAIN : RELEASE_BROKEN;
	bool moved = memcmp(&machine->record.clock, &record.clock, sizeof(record.clock)) != 0;
	machine->record = record;
	if (moved)
		machine->accepted_at = challenges_now(worker->keeper->challenges);
	release_remember_ima(release);
	return RELEASE_COMMITTED;
}

enum release_commit
release_commit(struct worker *worker, struct release *release)
{
	struct store_batch *batch = worker_batch(worker);

	release_entry(worker, release, true);
	pthread_mutex_lock(&release->machine->mutex);
	enum release_commit outcome = commit_locked(worker, release, batch);
	pthread_mutex_unlock(&release->machine->mutex);
	return outcome;
}
