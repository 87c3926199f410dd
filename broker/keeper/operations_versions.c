/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done to versions of a secret: soft deletion and back, destruction; to its settings; and
 * to all of it. A value is stored so that whatever drops its record has erased it when the commit
 * answers (store.h, store_batch_put_erasable).
 */
#include "secrets.h"

#include <stdio.h>

/* ---- versions ---- */

/* False: it is so already. */
typedef bool change_version(struct secret_version *version, int64_t now);

static bool
delete_version(struct secret_version *version, int64_t now)
{
	/* When it was first out of reach stays what it was. */
	if (secret_version_state(version, now) != SECRET_ACTIVE)
		return false;
	version->deletion = now;
	version->deleted = true;
	return true;
}

/* A time that lies ahead is taken away as well: whoever undeletes wants it to stay. */
static bool
undelete_version(struct secret_version *version, int64_t now)
{
	(void)now;
	if (version->deletion == 0)
		return false;
	version->deletion = 0;
	version->deleted = false;
	return true;
}

static bool
destroy_version(struct secret_version *version, int64_t now)
{
	(void)now;
	if (version->destroyed)
		return false;
	version->destroyed = true;
	return true;
}

/* The versions that the request names; the newest, where it names none. */
static enum operation_outcome
wanted_versions(struct worker *worker, const struct operation_call *call, struct secret_edit *edit,
		struct version_list *ret_list)
{
	struct secret_record *record = &edit->record;

	if (record->newest == 0)
		return operation_error(worker, OUTCOME_MISSING, "%.*s: it has no version yet",
				       PRINT(edit->path));
	*ret_list = (struct version_list){1, {record->newest}};
	if (operation_has(&call->request, FIELD_VERSIONS) &&
	    !version_list_read(call->request.fields[FIELD_VERSIONS], ret_list))
		return operation_error(worker, OUTCOME_INVALID, "versions: do not parse");
	for (uint16_t i = 0; i < ret_list->count; i++) {
		uint32_t number = ret_list->versions[i];
		const struct secret_version *version = secret_version_at(record, number);
		if (!version)
			return operation_error(worker, OUTCOME_MISSING,
					       "%.*s: there is no version %u: %u to %u are kept",
					       PRINT(edit->path), number, record->oldest,
					       record->newest);
		if (version->destroyed && call->request.operation == OPERATION_SECRET_UNDELETE)
			return operation_error(worker, OUTCOME_INVALID,
					       "%.*s: version %u is destroyed, and nothing brings "
					       "it back: put the value anew",
					       PRINT(edit->path), number);
	}
	return OUTCOME_OK;
}

static enum operation_outcome
answer_versions(struct worker *worker, const struct secret_edit *edit,
		const struct version_list *changed)
{
	struct json *json = operation_text(worker);

	out_string(json, "path", edit->path);
	out_array(json, "versions");
	for (uint16_t i = 0; i < changed->count; i++)
		out_number(json, NULL, changed->versions[i]);
	out_array_end(json);
	out_object_end(json);
	return OUTCOME_OK;
}

/* All of them or none; those that are so already stay as they are. */
static enum operation_outcome
change_versions(struct worker *worker, struct operation_call *call, change_version *change)
{
	struct store_batch *batch = worker_batch(worker);
	bool destroys = call->request.operation == OPERATION_SECRET_DESTROY;
	struct version_list wanted, changed = {.count = 0};
	struct secret_edit edit;

	enum operation_outcome outcome = secret_open(worker, call, true, &edit);
	if (outcome == OUTCOME_OK)
		outcome = secret_check(worker, call, &edit);
	if (outcome == OUTCOME_OK)
		outcome = wanted_versions(worker, call, &edit, &wanted);
	if (outcome != OUTCOME_OK)
		return outcome;
	secret_name_versions(call, &wanted);
	for (uint16_t i = 0; i < wanted.count; i++) {
		uint32_t number = wanted.versions[i];
		if (!change(secret_version_at(&edit.record, number), call->now))
			continue;
		changed.versions[changed.count++] = number;
		if (destroys)
			secret_drop_value(batch, edit.path, number);
	}
	if (changed.count == 0) /* the caller writes the audit entry */
		return answer_versions(worker, &edit, &changed);
	if (!secret_put_record(worker, batch, &edit))
		return operation_error(worker, OUTCOME_FAILED, "%.*s: no memory", PRINT(edit.path));
	outcome = secret_commit(worker, call, batch, &edit);
	return outcome != OUTCOME_OK ? outcome : answer_versions(worker, &edit, &changed);
}

enum operation_outcome
operation_secret_delete(struct worker *worker, struct operation_call *call)
{
	return change_versions(worker, call, delete_version);
}

enum operation_outcome
operation_secret_undelete(struct worker *worker, struct operation_call *call)
{
	return change_versions(worker, call, undelete_version);
}

enum operation_outcome
operation_secret_destroy(struct worker *worker, struct operation_call *call)
{
	return change_versions(worker, call, destroy_version);
}

/* ---- settings ---- */

/* False: the field does not parse. */
static bool
apply_settings(const struct operation_call *call, struct secret_record *record)
{
	struct secret_settings *settings = &record->settings;
	struct secret_settings changes = {.mask = 0};

	if (operation_has(&call->request, FIELD_SETTINGS) &&
	    !secret_settings_read(call->request.fields[FIELD_SETTINGS], &changes))
		return false;
	if (changes.mask & SETTING_VERSIONS_MAX)
		settings->versions_max = changes.versions_max;
	if (changes.mask & SETTING_CAS_REQUIRED)
		settings->cas_required = changes.cas_required;
	if (changes.mask & SETTING_DELETE_VERSION_AFTER)
		settings->delete_version_after = changes.delete_version_after;
	if (operation_has(&call->request, FIELD_CUSTOM))
		record->custom = call->request.fields[FIELD_CUSTOM];
	return true;
}

static void
name_settings(struct operation_call *call, const struct secret_record *record)
{
	const struct secret_settings *settings = &record->settings;
	bool custom = operation_has(&call->request, FIELD_CUSTOM);

	snprintf(call->detail, sizeof(call->detail),
		 "versions_max %u, cas_required %s, delete_version_after %llu%s",
		 settings->versions_max, settings->cas_required ? "yes" : "no",
		 (unsigned long long)settings->delete_version_after,
		 custom ? ", other custom metadata" : "");
}

/* For what is put from now on: versions beyond a lower maximum go with the next put, and those
 * that are there keep the deletion time that they were given. */
enum operation_outcome
operation_secret_settings(struct worker *worker, struct operation_call *call)
{
	struct store_batch *batch = worker_batch(worker);
	struct secret_edit edit;

	if (!operation_has(&call->request, FIELD_SETTINGS) &&
	    !operation_has(&call->request, FIELD_CUSTOM))
		return operation_error(worker, OUTCOME_INVALID,
				       "%.*s: neither settings nor custom metadata are given",
				       PRINT(call->request.fields[FIELD_PATH]));
	enum operation_outcome outcome = secret_open(worker, call, false, &edit);
	if (outcome != OUTCOME_OK)
		return outcome;
	if (!apply_settings(call, &edit.record))
		return operation_error(worker, OUTCOME_INVALID, "settings: do not parse");
	name_settings(call, &edit.record);
	if (!secret_put_record(worker, batch, &edit))
		return operation_error(worker, OUTCOME_FAILED, "%.*s: no memory", PRINT(edit.path));
	outcome = secret_commit(worker, call, batch, &edit);
	if (outcome != OUTCOME_OK)
		return outcome;
	struct json *json = operation_text(worker);
	out_string(json, "path", edit.path);
	out_number(json, "version", edit.record.newest);
	secret_out_settings(json, &edit.record);
	out_object_end(json);
	return OUTCOME_OK;
}

/* ---- all of it ---- */

enum operation_outcome
operation_secret_remove(struct worker *worker, struct operation_call *call)
{
	struct store_batch *batch = worker_batch(worker);
	struct version_list all = {.count = 0};
	struct secret_edit edit;
	char key[RECORD_KEY_SIZE];

	enum operation_outcome outcome = secret_open(worker, call, true, &edit);
	if (outcome == OUTCOME_OK)
		outcome = secret_check(worker, call, &edit);
	if (outcome != OUTCOME_OK)
		return outcome;
	for (uint32_t i = 0; i < secret_version_count(&edit.record); i++) {
		uint32_t number = edit.record.oldest + i;
		all.versions[all.count++] = number;
		if (!edit.record.versions[i].destroyed)
			secret_drop_value(batch, edit.path, number);
	}
	secret_name_versions(call, &all);
	record_secret_key(edit.path, key);
	store_batch_delete(batch, key);
	outcome = secret_commit(worker, call, batch, &edit);
	if (outcome != OUTCOME_OK)
		return outcome;
	struct json *json = operation_text(worker);
	out_string(json, "path", edit.path);
	out_number(json, "versions", all.count);
	out_object_end(json);
	return OUTCOME_OK;
}
