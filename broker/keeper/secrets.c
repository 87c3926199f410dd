/* SPDX-License-Identifier: Apache-2.0 */
#include "secrets.h"

#include <stdio.h>

#define NO_CHECK UINT64_MAX

enum store_status
secret_load(struct worker *worker, struct bytes path, struct secret_record *ret_record,
	    uint64_t *ret_revision, struct store_error *err)
{
	struct store *store = worker->keeper->store;
	char key[RECORD_KEY_SIZE];

	record_secret_key(path, key);
	worker->record->size = worker->record->capacity;
	enum store_status status = store_get_into(store, key, worker->record, ret_revision, err);
	if (status == STORE_LIMIT) {
		if (!worker_secret(&worker->record, RECORD_SECRET_MAX))
			return STORE_MEMORY;
		status = store_get_into(store, key, worker->record, ret_revision, err);
	}
	if (status != STORE_OK)
		return status;
	struct bytes encoded = {worker->record->bytes, worker->record->size};
	return secret_record_read(encoded, ret_record) ? STORE_OK : STORE_TAMPERED;
}

enum operation_outcome
secret_open(struct worker *worker, const struct operation_call *call, bool must,
	    struct secret_edit *ret_edit)
{
	struct bytes path = call->request.fields[FIELD_PATH];
	struct store_error err = {.message = ""};

	ret_edit->path = path;
	enum store_status status =
		secret_load(worker, path, &ret_edit->record, &ret_edit->revision, &err);
	if (status == STORE_OK)
		return OUTCOME_OK;
	if (status != STORE_MISSING)
		return operation_error(worker, OUTCOME_FAILED, "%.*s: cannot be read: %s",
				       PRINT(path),
				       err.message[0] ? err.message : "it does not parse");
	if (must)
		return operation_error(worker, OUTCOME_MISSING, "%.*s: there is none", PRINT(path));
	ret_edit->record = secret_record_new(call->now);
	ret_edit->revision = 0;
	return OUTCOME_OK;
}

enum operation_outcome
secret_check(struct worker *worker, const struct operation_call *call,
	     const struct secret_edit *edit)
{
	uint64_t cas = operation_number(&call->request, FIELD_CAS, NO_CHECK);
	uint32_t newest = edit->record.newest;

	if (cas == NO_CHECK || cas == newest)
		return OUTCOME_OK;
	if (newest == 0)
		return operation_error(worker, OUTCOME_CONFLICT,
				       "%.*s: it has no version yet: its check-and-set is 0",
				       PRINT(edit->path));
	return operation_error(worker, OUTCOME_CONFLICT,
			       "%.*s: the newest version is %u, not %llu: see who wrote it, and "
			       "decide again",
			       PRINT(edit->path), newest, (unsigned long long)cas);
}

void
secret_name_versions(struct operation_call *call, const struct version_list *list)
{
	size_t size = sizeof(call->subject);
	int used = snprintf(call->subject, size, "Secret::%.*s",
			    PRINT(call->request.fields[FIELD_PATH]));

	for (uint16_t i = 0, last; i < list->count; i = (uint16_t)(last + 1)) {
		for (last = i; last + 1 < list->count &&
			       list->versions[last + 1] == list->versions[last] + 1;)
			last++;
		used += snprintf(call->subject + used, size - (size_t)used, "%c%u",
				 i == 0 ? '@' : ',', list->versions[i]);
		if (last > i)
			used += snprintf(call->subject + used, size - (size_t)used, "-%u",
					 list->versions[last]);
	}
}

void
secret_drop_value(struct store_batch *batch, struct bytes path, uint32_t version)
{
	char key[RECORD_KEY_SIZE];

	record_value_key(path, version, key);
	store_batch_delete(batch, key);
}

bool
secret_put_record(struct worker *worker, struct store_batch *batch, const struct secret_edit *edit)
{
	uint8_t *memory = worker_reserve(&worker->sealed, RECORD_SECRET_MAX);
	struct writer w = writer_of(memory, memory ? RECORD_SECRET_MAX : 0);
	char key[RECORD_KEY_SIZE];

	secret_record_write(&w, &edit->record);
	record_secret_key(edit->path, key);
	store_batch_put(batch, key, store_bytes_of(writer_bytes(&w)));
	return !w.failed;
}

enum operation_outcome
secret_commit(struct worker *worker, struct operation_call *call, struct store_batch *batch,
	      const struct secret_edit *edit)
{
	struct keeper *keeper = worker->keeper;
	struct store_error err;
	char key[RECORD_KEY_SIZE];

	record_secret_key(edit->path, key);
	store_batch_expect(batch, key, edit->revision);
	store_batch_expect(batch, RECORD_TRUST, keeper->trust.store_revision);
	operation_entry(worker, call, OUTCOME_OK, keeper->trust.revision);
	if (!audit_append(worker, batch, NULL))
		return operation_error(worker, OUTCOME_FAILED, "%.*s: no memory",
				       PRINT(edit->path));
	enum store_status status = worker_commit(worker, batch, &err);
	call->moved = status == STORE_CONFLICT;
	if (call->moved)
		return operation_error(worker, OUTCOME_CONFLICT,
				       "%.*s: it was changed meanwhile: look, and try again",
				       PRINT(edit->path));
	if (status != STORE_OK)
		return operation_error(worker, OUTCOME_FAILED, "%.*s: %s", PRINT(edit->path),
				       worker_refusal_text(worker));
	call->audited = true;
	return OUTCOME_OK;
}

void
secret_out_settings(struct json *json, const struct secret_record *record)
{
	const struct secret_settings *settings = &record->settings;
	struct custom_metadata custom;

	out_object(json, "settings");
	out_number(json, "versions_max", settings->versions_max);
	out_boolean(json, "cas_required", settings->cas_required);
	out_number(json, "delete_version_after", settings->delete_version_after);
	out_object_end(json);
	out_object(json, "custom");
	if (!custom_metadata_read(record->custom, &custom))
		json->failed = true;
	for (uint16_t i = 0; !json->failed && i < custom.count; i++)
		out_pair(json, custom.names[i], custom.values[i]);
	out_object_end(json);
}

void
secret_out_deletion(struct json *json, const struct secret_version *version)
{
	if (version->deletion == 0)
		out_null(json, "deletion");
	else
		out_number(json, "deletion", (uint64_t)version->deletion);
}
