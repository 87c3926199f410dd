/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at all that a store holds, beside its readers and writers: short views, in which records
 * may seem damaged that were re-sealed or erased since the view was opened. Whatever seems so is
 * looked at once more while the store is settled, when keys and slots agree with the view; only
 * what is wrong then is a defect. The caller's code runs between the views.
 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PAGE	   64 /* records looked at under one view */
#define KEY_PREFIX "m/"

/* ---- what is found ---- */

enum store_status
check_note(struct check *check, const char *format, ...)
{
	va_list arguments;

	if (!check->settled || check->found_count == FOUND_MAX)
		return STORE_TAMPERED;
	va_start(arguments, format);
	vsnprintf(check->found[check->found_count++], sizeof check->found[0], format, arguments);
	va_end(arguments);
	return STORE_TAMPERED;
}

void
check_report(struct check *check)
{
	for (size_t i = 0; i < check->found_count; i++) {
		check->report.defects++;
		if (check->defect)
			check->defect(check->user, check->found[i]);
	}
	check->found_count = 0;
}

static enum store_status
report_progress(struct check *check, struct store_error *err)
{
	const uint64_t total = check->total > check->done ? check->total : check->done;

	if (!check->progress || check->progress(check->user, check->done, total))
		return STORE_OK;
	return store_fail(err, STORE_CONFLICT, "the check was stopped");
}

/* ---- walking through a room ---- */

/* `name` once more, in a view that keys and slots agree with. */
static enum store_status
look_settled(struct check *check, const char *name, look_at *look, struct store_error *err)
{
	struct store *store = check->store;
	struct view view = {0};
	struct backend_record record;

	pthread_mutex_lock(&store->settling);
	enum store_status status = view_open(store->backend, &view, err);
	if (status == STORE_OK)
		status = view_get(&view, name, &record, err);
	check->settled = true;
	if (status == STORE_OK)
		status = look(check, &view, name, &record, err);
	else if (status == STORE_TAMPERED)
		check_note(check, "%s", err->message);
	check->settled = false;
	view_close(&view);
	pthread_mutex_unlock(&store->settling);
	check_report(check);
	/* Gone by now, or named by now. */
	return status == STORE_MISSING || status == STORE_TAMPERED ? STORE_OK : status;
}

/* Up to PAGE records after `from`, which is moved. STORE_TAMPERED: the one at `from` seems damaged,
 * or, with `ret_stuck`, the backend does not come past it; STORE_MISSING: there are no more. */
static enum store_status
look_at_page(struct check *check, const char *room, char from[BACKEND_KEY_MAX + 1], look_at *look,
	     bool *ret_stuck, struct store_error *err)
{
	char name[BACKEND_KEY_MAX + 1];
	struct backend_record record;
	auto_view view = {0};
	enum store_status status = view_open(check->store->backend, &view, err);

	for (int i = 0; i < PAGE && status == STORE_OK; i++) {
		name[0] = 0;
		status = view.backend->class->next(view.at, room, from[0] ? from : NULL,
						   BACKEND_FORWARD, name, &record, err);
		*ret_stuck = status == STORE_TAMPERED && name[0] == 0;
		if (status == STORE_MISSING || name[0] == 0)
			break;
		memcpy(from, name, sizeof name);
		if (status == STORE_OK)
			status = look(check, &view, name, &record, err);
	}
	return status;
}

static void
report_stuck(struct check *check, const char *message)
{
	check->settled = true;
	check_note(check, "%s; what is behind it was not looked at", message);
	check->settled = false;
	check_report(check);
}

enum store_status
check_room(struct check *check, const char *room, look_at *look, struct store_error *err)
{
	char from[BACKEND_KEY_MAX + 1] = "";
	bool stuck = false;
	enum store_status status = STORE_OK;

	while (status == STORE_OK) {
		status = look_at_page(check, room, from, look, &stuck, err);
		if (stuck) {
			report_stuck(check, err->message);
			return STORE_OK;
		}
		if (status == STORE_TAMPERED)
			status = look_settled(check, from, look, err);
		if (status == STORE_OK)
			status = report_progress(check, err);
	}
	return status == STORE_MISSING ? STORE_OK : status;
}

/* ---- the whole ---- */

/* Header and wrapped keys as they lie there, against those in use. */
static enum store_status
check_keys(struct check *check, const struct view *view, struct store_error *err)
{
	const struct keyring *keyring = &check->store->keyring;
	auto_secret *secret = secret_new(sizeof(struct keys));
	struct header header = {0};
	enum store_status status = store_header_read(view, &header, err);

	if (!secret)
		return store_fail(err, STORE_MEMORY, "no memory that can be locked");
	struct keys *keys = keys_of(secret);
	if (status == STORE_OK)
		status = store_header_prove(&header, keyring->header.key_check,
					    keyring->keys->header, err);
	if (status == STORE_MISSING || status == STORE_KEY || status == STORE_TAMPERED)
		return check_note(check, "%s",
				  status == STORE_KEY ? HEADER_KEY ": of another root key"
						      : err->message);
	if (status != STORE_OK)
		return status;
	if (header.revision != keyring->header.revision)
		return check_note(check, HEADER_KEY ": an older one was put back");
	memcpy(keys->wrap, keyring->keys->wrap, KEY_SIZE);
	status = store_keyring_unwrap(view, &header, keys, err);
	if (status == STORE_TAMPERED)
		return check_note(check, "%s", err->message);
	if (status != STORE_OK)
		return status;
	bool same = sodium_memcmp(keys->set, keyring->keys->set, KEY_SIZE) == 0;
	for (uint32_t g = header.oldest; g <= header.current && same; g++)
		same = sodium_memcmp(data_key_of(keys, g), data_key_of(keyring->keys, g),
				     KEY_SIZE) == 0;
	return same ? STORE_OK
		    : check_note(check, WRAPPED_KEY_PREFIX ": other keys than those in use");
}

static enum store_status
check_digest(struct check *check, const struct view *view, struct store_error *err)
{
	char name[BACKEND_KEY_MAX + 1];
	const char *from = NULL;
	struct backend_record record;
	uint8_t digest[DIGEST_SIZE] = {0};
	enum store_status status;

	for (;; from = name) {
		status = view->backend->class->next(view->at, RECORD_PREFIX, from, BACKEND_FORWARD,
						    name, &record, err);
		if (status != STORE_OK)
			break;
		store_digest_turn(&check->store->keyring, name, store_standing_of(&record), digest);
	}
	if (status == STORE_TAMPERED)
		return STORE_OK; /* it is named where records are looked at */
	if (status != STORE_MISSING)
		return status;
	if (sodium_memcmp(digest, check->head.digest, sizeof digest) != 0)
		return check_note(check,
				  "digest: a record was put back, added or removed outside of the "
				  "store");
	return STORE_OK;
}

/* Keys and head while the store is settled; the digest in the same view, which takes longer. */
static enum store_status
check_beginning(struct check *check, struct store_error *err)
{
	struct store *store = check->store;
	auto_view view = {0};

	check->settled = true;
	pthread_mutex_lock(&store->settling);
	enum store_status status = view_open(store->backend, &view, err);
	if (status == STORE_OK)
		status = check_keys(check, &view, err);
	if (status == STORE_OK || status == STORE_TAMPERED)
		status = store_log_load_head(&view, &store->keyring, &check->head, err);
	pthread_mutex_lock(&store->lock);
	if (status == STORE_TAMPERED) {
		check_note(check, "%s", err->message);
		check->head = store->head;
	}
	check->total = store->head.records + store->head.number;
	pthread_mutex_unlock(&store->lock);
	pthread_mutex_unlock(&store->settling);
	if (status == STORE_OK || status == STORE_TAMPERED)
		status = check_digest(check, &view, err);
	view_close(&view);
	check->settled = false;
	check_report(check);
	return status == STORE_TAMPERED ? STORE_OK : status;
}

static enum store_status
check_all(struct check *check, struct store_error *err)
{
	enum store_status status = check_beginning(check, err);

	if (status == STORE_OK)
		status = check_room(check, RECORD_PREFIX, check_record, err);
	if (status == STORE_OK)
		status = check_log(check, err);
	if (status == STORE_OK)
		status = check_room(check, KEY_PREFIX, check_own, err);
	if (status == STORE_OK)
		status = check_room(check, ERASE_PREFIX, check_erasure, err);
	check->total = check->done;
	return status == STORE_OK ? report_progress(check, err) : status;
}

enum store_status
store_check(struct store *store, store_progress *progress, store_defect *defect, void *user,
	    struct store_check *ret_check, struct store_error *err)
{
	struct check check = {
		.store = store,
		.progress = progress,
		.defect = defect,
		.user = user,
	};
	struct store_error own = {0};
	enum store_status status = store_check_unsealed(store, err);

	if (status != STORE_OK)
		return status;
	/* What a record is found to have goes through messages, wanted or not. */
	status = check_all(&check, &own);
	secret_free(check.opened);
	if (status != STORE_OK)
		return store_fail(err, status, "%s", own.message);
	*ret_check = check.report;
	return STORE_OK;
}
