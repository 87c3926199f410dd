/* SPDX-License-Identifier: Apache-2.0 */
/* A look at each record that is not the log's. */
#include "bytes.h"
#include "check.h"

#include <string.h>

enum store_status
check_open(struct check *check, const struct view *view, const char *name,
	   const struct backend_record *record, struct store_bytes *ret_value,
	   struct store_error *err)
{
	size_t size = 0;
	enum store_status status = store_body_size(name, record, &size, err);

	if (status == STORE_OK)
		status = store_reserve_secret(&check->opened, size, err);
	if (status == STORE_OK)
		status = store_body_open(view->backend, &check->store->keyring, name, record,
					 check->opened->bytes, err);
	if (status == STORE_OK)
		*ret_value = (struct store_bytes){check->opened->bytes, size};
	return status;
}

enum store_status
check_note_sealed(struct check *check, const struct view *view, const char *name,
		  const struct backend_record *record, const struct store_error *err)
{
	const struct keyring *keyring = &check->store->keyring;
	uint8_t bytes[BACKEND_SLOT_SIZE] = {1};

	if (record->body.size < BODY_OVERHEAD || record->body.size > BODY_SIZE_MAX)
		return check_note(check, "%s", err->message);
	const struct body_place place = store_body_place(record);
	if (place.generation < atomic_load(&keyring->oldest) ||
	    place.generation > atomic_load(&keyring->current))
		return check_note(check, "%s: sealed under data key %u, which there is not", name,
				  place.generation);
	if (place.slot != SLOT_NONE &&
	    view->backend->class->slot_read(view->backend, place.slot, bytes, NULL) == STORE_OK &&
	    sodium_is_zero(bytes, sizeof bytes))
		return check_note(check, "%s: slot %llu, which it needs, is erased", name,
				  (unsigned long long)place.slot);
	return check_note(check, "%s", err->message);
}

enum store_status
check_record(struct check *check, const struct view *view, const char *name,
	     const struct backend_record *record, struct store_error *err)
{
	struct backend_record head;
	struct store_bytes value = {0};
	enum store_status status = check_open(check, view, name, record, &value, err);

	if (status == STORE_TAMPERED)
		check_note_sealed(check, view, name, record, err);
	else if (status != STORE_OK)
		return status;
	if (view_get(view, HEAD_KEY, &head, err) == STORE_OK && record->revision > head.revision)
		status = check_note(check, "%s: revision %llu, which the store has not given out",
				    name, (unsigned long long)record->revision);
	if (status == STORE_TAMPERED && !check->settled)
		return status;
	check->done++;
	check->report.records++;
	check->report.bytes += value.size;
	return status;
}

/* ---- the store's own ---- */

enum store_status
check_erasure(struct check *check, const struct view *view, const char *name,
	      const struct backend_record *record, struct store_error *err)
{
	uint8_t proof[ERASE_PROOF_SIZE];
	uint64_t slot = 0;

	(void)view;
	(void)err;
	if (!store_log_parse_number(name + strlen(ERASE_PREFIX), &slot))
		return check_note(check, "%s: not written by this store", name);
	store_slots_prove(&check->store->keyring, slot, record->revision, proof);
	if (record->body.size != sizeof proof ||
	    sodium_memcmp(record->body.data, proof, sizeof proof) != 0)
		return check_note(check, "%s: not written by this store", name);
	return STORE_OK;
}

/* Header, head and keys are looked at elsewhere; here, whether there is anything else. */
enum store_status
check_own(struct check *check, const struct view *view, const char *name,
	  const struct backend_record *record, struct store_error *err)
{
	const struct keyring *keyring = &check->store->keyring;
	char known[WRAPPED_NAME_SIZE];

	(void)view;
	(void)record;
	(void)err;
	if (strcmp(name, HEADER_KEY) == 0 || strcmp(name, HEAD_KEY) == 0 ||
	    strcmp(name, WRAPPED_SET_KEY) == 0)
		return STORE_OK;
	for (uint32_t g = atomic_load(&keyring->oldest); g <= atomic_load(&keyring->current); g++) {
		store_keyring_name(g, known);
		if (strcmp(name, known) == 0)
			return STORE_OK;
	}
	return check_note(check, "%s: not the store's", name);
}
