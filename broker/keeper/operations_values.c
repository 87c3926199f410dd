/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: what operators write, and what they may see of it, which is never a value. */
#include "operations.h"

#include "wire/hpke.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define PRINT(text) (int)(text).size, (const char *)(text).data
#define NO_CHECK    UINT64_MAX
#define INTAKE_INFO "postern/intake/v1"

/* The record's store revision is 0 where there is none. `record` points into worker->record. */
static enum store_status
read_record(struct worker *worker, struct bytes path, struct secret_record *ret_record,
	    uint64_t *ret_revision)
{
	struct store_error err;
	char key[RECORD_KEY_SIZE];

	record_secret_key(path, key);
	worker->record->size = worker->record->capacity;
	enum store_status status =
		store_get_into(worker->keeper->store, key, worker->record, ret_revision, &err);
	if (status == STORE_MISSING) {
		*ret_record = (struct secret_record){0};
		*ret_revision = 0;
	}
	if (status == STORE_OK &&
	    !secret_record_read((struct bytes){worker->record->bytes, worker->record->size},
				ret_record))
		return STORE_TAMPERED;
	return status;
}

/* ---- reading ---- */

struct listing {
	struct json *json;
	struct bytes prefix;
	size_t left;
	bool more;
	char last[WIRE_PATH_MAX + 1];
};

static bool
list_one(void *user, const char *key, uint64_t revision)
{
	struct listing *listing = user;
	const char *path = key + strlen("secret/");

	(void)revision;
	/* Whole components: "db" lists db and db/prod, and not dbx. */
	if (listing->prefix.size > 0 && path[listing->prefix.size] != '\0' &&
	    path[listing->prefix.size] != '/')
		return true;
	if (listing->left == 0) {
		listing->more = true;
		return false;
	}
	listing->left--;
	out_text(listing->json, NULL, path);
	snprintf(listing->last, sizeof(listing->last), "%s", path);
	return true;
}

enum operation_outcome
operation_secret_list(struct worker *worker, struct operation_call *call)
{
	struct json *json = operation_text(worker);
	struct bytes after = call->request.fields[FIELD_AFTER];
	struct listing listing = {
		.json = json,
		.prefix = call->request.fields[FIELD_PATH],
		.left = operation_count(call, OPERATION_COUNT_MAX),
	};
	struct store_error err;
	char prefix[RECORD_KEY_SIZE];
	char after_key[RECORD_KEY_SIZE];

	record_secret_key(listing.prefix, prefix);
	if (after.size > WIRE_PATH_MAX)
		return operation_error(worker, OUTCOME_INVALID, "after: not a path");
	record_secret_key(after, after_key);
	out_array(json, "secrets");
	enum store_status status =
		store_list(worker->keeper->store, prefix, after.size > 0 ? after_key : NULL,
			   list_one, &listing, &err);
	out_array_end(json);
	out_text(json, "next", listing.more ? listing.last : NULL);
	out_object_end(json);
	return status == STORE_OK
		       ? OUTCOME_OK
		       : operation_error(worker, OUTCOME_FAILED, "the store cannot be listed");
}

enum operation_outcome
operation_secret_show(struct worker *worker, struct operation_call *call)
{
	struct bytes path = call->request.fields[FIELD_PATH];
	struct secret_record record;
	uint64_t revision;

	enum store_status status = read_record(worker, path, &record, &revision);
	if (status == STORE_MISSING)
		return operation_error(worker, OUTCOME_MISSING, "%.*s: there is none", PRINT(path));
	if (status != STORE_OK)
		return operation_error(worker, OUTCOME_FAILED, "%.*s: cannot be read", PRINT(path));
	struct json *json = operation_text(worker);
	out_string(json, "path", path);
	out_number(json, "version", record.newest);
	out_number(json, "created", (uint64_t)record.created);
	out_number(json, "updated", (uint64_t)record.updated);
	out_string(json, "operator", record.operator_name);
	out_number(json, "size", record.size);
	out_object_end(json);
	return OUTCOME_OK;
}

/* ---- writing ---- */

/* Into worker->values. False: it does not open for this path, check-and-set and operator, or there
 * is no locked memory. */
static bool
open_value(struct worker *worker, const struct operation_call *call, size_t *ret_size)
{
	struct keeper_keys *keys = &worker->keeper->keys;
	struct bytes sealed = call->request.fields[FIELD_SEALED];
	struct bytes path = call->request.fields[FIELD_PATH];
	uint64_t cas = operation_number(&call->request, FIELD_CAS, NO_CHECK);
	uint8_t aad[INTAKE_AAD_MAX];
	uint8_t info[4 + sizeof(INTAKE_INFO) - 1];
	struct writer w = writer_of(info, sizeof(info));

	if (sealed.size < HPKE_OVERHEAD || sealed.size - HPKE_OVERHEAD > WIRE_SECRET_MAX)
		return false;
	size_t size = sealed.size - HPKE_OVERHEAD;
	size_t aad_size = intake_aad(path, cas, call->request.operator_name, aad);
	write_lp_text(&w, INTAKE_INFO);
	if (!worker_secret(&worker->values, size))
		return false;
	*ret_size = size;
	return hpke_open(keys->intake->bytes, keys->intake_public, NULL, writer_bytes(&w),
			 (struct bytes){aad, aad_size}, sealed, worker->values->bytes);
}

static bool
cas_holds(uint64_t cas, const struct secret_record *record)
{
	return cas == NO_CHECK || cas == record->newest;
}

static void
put_version(struct store_batch *batch, struct bytes path, const struct secret_record *record,
	    struct bytes value)
{
	uint8_t memory[RECORD_SECRET_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	char key[RECORD_KEY_SIZE];

	secret_record_write(&w, record);
	record_secret_key(path, key);
	store_batch_put(batch, key, store_bytes_of(writer_bytes(&w)));
	record_value_key(path, record->newest, key);
	store_batch_put(batch, key, store_bytes_of(value));
}

/* One commit with the audit entry, conditional on the secret and on who is trusted. */
static enum operation_outcome
commit(struct worker *worker, struct operation_call *call, struct store_batch *batch,
       uint64_t revision)
{
	struct keeper *keeper = worker->keeper;
	struct bytes path = call->request.fields[FIELD_PATH];
	struct store_error err;
	char key[RECORD_KEY_SIZE];

	record_secret_key(path, key);
	store_batch_expect(batch, key, revision);
	store_batch_expect(batch, RECORD_TRUST, keeper->trust.store_revision);
	operation_entry(worker, call, OUTCOME_OK, keeper->trust.revision);
	if (!audit_append(worker, batch, NULL))
		return operation_error(worker, OUTCOME_FAILED, "%.*s: no memory", PRINT(path));
	enum store_status status = worker_commit(worker, batch, &err);
	if (status == STORE_CONFLICT)
		return operation_error(worker, OUTCOME_CONFLICT, "%.*s: it was written meanwhile",
				       PRINT(path));
	if (status != STORE_OK)
		return operation_error(worker, OUTCOME_FAILED, "%.*s: the store refused it",
				       PRINT(path));
	call->audited = true;
	return OUTCOME_OK;
}

enum operation_outcome
operation_secret_put(struct worker *worker, struct operation_call *call)
{
	struct bytes path = call->request.fields[FIELD_PATH];
	struct secret_record record;
	struct store_batch *batch = worker_batch(worker);
	uint64_t revision;
	size_t size;
	char key[RECORD_KEY_SIZE];

	enum store_status status = read_record(worker, path, &record, &revision);
	if (status != STORE_OK && status != STORE_MISSING)
		return operation_error(worker, OUTCOME_FAILED, "%.*s: cannot be read", PRINT(path));
	if (!cas_holds(operation_number(&call->request, FIELD_CAS, NO_CHECK), &record))
		return operation_error(worker, OUTCOME_CONFLICT, "%.*s: the newest version is %u",
				       PRINT(path), record.newest);
	if (record.newest == UINT32_MAX)
		return operation_error(worker, OUTCOME_INVALID, "%.*s: no more versions",
				       PRINT(path));
	if (!open_value(worker, call, &size))
		return operation_error(
			worker, OUTCOME_INVALID,
			"%.*s: the value does not open for this path, check-and-set and operator",
			PRINT(path));
	record.newest++;
	record.oldest = record.oldest == 0 ? 1 : record.oldest;
	record.created = revision == 0 ? call->now : record.created;
	record.updated = call->now;
	record.size = (uint32_t)size;
	record.operator_name = call->request.operator_name;
	if (record.newest - record.oldest >= RECORD_VERSIONS_KEPT) {
		record_value_key(path, record.oldest++, key);
		store_batch_delete(batch, key);
	}
	put_version(batch, path, &record, (struct bytes){worker->values->bytes, size});
	sodium_memzero(worker->values->bytes, size);
	enum operation_outcome outcome = commit(worker, call, batch, revision);
	if (outcome != OUTCOME_OK)
		return outcome;
	struct json *json = operation_text(worker);
	out_string(json, "path", path);
	out_number(json, "version", record.newest);
	out_object_end(json);
	return OUTCOME_OK;
}

enum operation_outcome
operation_secret_delete(struct worker *worker, struct operation_call *call)
{
	struct bytes path = call->request.fields[FIELD_PATH];
	struct secret_record record;
	struct store_batch *batch = worker_batch(worker);
	uint64_t revision;
	char key[RECORD_KEY_SIZE];

	enum store_status status = read_record(worker, path, &record, &revision);
	if (status == STORE_MISSING)
		return operation_error(worker, OUTCOME_MISSING, "%.*s: there is none", PRINT(path));
	if (status != STORE_OK)
		return operation_error(worker, OUTCOME_FAILED, "%.*s: cannot be read", PRINT(path));
	if (!cas_holds(operation_number(&call->request, FIELD_CAS, NO_CHECK), &record))
		return operation_error(worker, OUTCOME_CONFLICT, "%.*s: the newest version is %u",
				       PRINT(path), record.newest);
	for (uint32_t version = record.oldest; version <= record.newest && version != 0;
	     version++) {
		record_value_key(path, version, key);
		store_batch_delete(batch, key);
	}
	record_secret_key(path, key);
	store_batch_delete(batch, key);
	enum operation_outcome outcome = commit(worker, call, batch, revision);
	if (outcome != OUTCOME_OK)
		return outcome;
	struct json *json = operation_text(worker);
	out_string(json, "path", path);
	out_number(json, "versions", record.newest - record.oldest + 1);
	out_object_end(json);
	return OUTCOME_OK;
}
