/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: what operators put in, and what they may see of it, which is never a value. */
#include "secrets.h"

#include "wire/hpke.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define NO_CHECK    UINT64_MAX
#define INTAKE_INFO "postern/intake/v1"

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

static void
show_versions(struct json *json, const struct secret_record *record, int64_t now)
{
	out_array(json, "versions");
	for (uint32_t i = 0; i < secret_version_count(record); i++) {
		const struct secret_version *version = &record->versions[i];
		out_object(json, NULL);
		out_number(json, "version", record->oldest + i);
		out_text(json, "state", secret_state_text(secret_version_state(version, now)));
		out_number(json, "created", (uint64_t)version->created);
		secret_out_deletion(json, version);
		out_boolean(json, "destroyed", version->destroyed);
		out_number(json, "size", version->size);
		out_string(json, "operator", version->operator_name);
		out_object_end(json);
	}
	out_array_end(json);
}

enum operation_outcome
operation_secret_show(struct worker *worker, struct operation_call *call)
{
	struct secret_edit edit;
	struct secret_record *record = &edit.record;

	enum operation_outcome outcome = secret_open(worker, call, true, &edit);
	if (outcome != OUTCOME_OK)
		return outcome;
	struct json *json = operation_text(worker);
	out_string(json, "path", edit.path);
	out_number(json, "version", record->newest);
	out_number(json, "oldest", record->oldest);
	out_number(json, "created", (uint64_t)record->created);
	out_number(json, "updated", (uint64_t)record->updated);
	secret_out_settings(json, record);
	show_versions(json, record, call->now);
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

/* What may be refused before the value is opened. */
static enum operation_outcome
check_put(struct worker *worker, const struct operation_call *call, const struct secret_edit *edit)
{
	uint64_t cas = operation_number(&call->request, FIELD_CAS, NO_CHECK);

	if (cas == NO_CHECK && edit->record.settings.cas_required)
		return operation_error(worker, OUTCOME_INVALID,
				       "%.*s: its settings require check-and-set: say which "
				       "version it replaces (the newest is %u)",
				       PRINT(edit->path), edit->record.newest);
	if (edit->record.newest == UINT32_MAX)
		return operation_error(worker, OUTCOME_INVALID, "%.*s: no more versions",
				       PRINT(edit->path));
	return secret_check(worker, call, edit);
}

/* The new version, and the oldest that go for it. */
static bool
fill_put(struct worker *worker, struct operation_call *call, struct store_batch *batch,
	 struct secret_edit *edit, size_t size)
{
	uint32_t first = edit->record.oldest;
	uint32_t dropped;
	char key[RECORD_KEY_SIZE];

	secret_version_add(&edit->record, call->now, (uint32_t)size, call->request.operator_name,
			   &dropped);
	for (uint32_t i = 0; i < dropped; i++)
		secret_drop_value(batch, edit->path, first + i);
	record_value_key(edit->path, edit->record.newest, key);
	store_batch_put_erasable(batch, key, (struct store_bytes){worker->values->bytes, size});
	sodium_memzero(worker->values->bytes, size);
	return secret_put_record(worker, batch, edit);
}

enum operation_outcome
operation_secret_put(struct worker *worker, struct operation_call *call)
{
	struct store_batch *batch = worker_batch(worker);
	struct secret_edit edit;
	size_t size;

	enum operation_outcome outcome = secret_open(worker, call, false, &edit);
	if (outcome == OUTCOME_OK)
		outcome = check_put(worker, call, &edit);
	if (outcome != OUTCOME_OK)
		return outcome;
	if (!open_value(worker, call, &size))
		return operation_error(
			worker, OUTCOME_INVALID,
			"%.*s: the value does not open for this path, check-and-set and operator",
			PRINT(edit.path));
	if (!fill_put(worker, call, batch, &edit, size))
		return operation_error(worker, OUTCOME_FAILED, "%.*s: no memory", PRINT(edit.path));
	struct version_list put = {1, {edit.record.newest}};
	secret_name_versions(call, &put);
	outcome = secret_commit(worker, call, batch, &edit);
	if (outcome != OUTCOME_OK)
		return outcome;
	const struct secret_version *version = secret_version_at(&edit.record, put.versions[0]);
	struct json *json = operation_text(worker);
	out_string(json, "path", edit.path);
	out_number(json, "version", put.versions[0]);
	out_number(json, "created", (uint64_t)version->created);
	secret_out_deletion(json, version);
	out_object_end(json);
	return OUTCOME_OK;
}
