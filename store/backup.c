/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One moment of the store, written to a stream while readers and writers go on. Each record is
 * opened before it is written, and digest and chain are computed anew: a backup that could not be
 * restored is not made.
 *
 * What lies outside of the moment's view may change meanwhile. The keys are copied as they are at
 * the moment. A slot may be erased before it is read; its record is then written as destroyed, and
 * afterwards one makes sure that it was the store who did it.
 */
#include "bytes.h"
#include "state.h"
#include "stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESTROYED_MAX  4096 /* records, while one backup is made */
#define PROGRESS_EVERY 256  /* records */

/* In key order. */
static const char *const rooms[] = {LOG_PREFIX, "m/", RECORD_PREFIX, TAG_PREFIX, ERASE_PREFIX};

struct destroyed {
	char *name;
	uint64_t revision;
};

struct backup {
	struct store *store;
	store_progress *progress;
	void *user;
	struct view view;
	struct keyring keyring; /* as it was at the moment */
	uint8_t header_slot[BACKEND_SLOT_SIZE];
	struct head head;
	uint64_t expected; /* records and entries */
	uint64_t done;

	struct stream_writer out;
	struct stream_counts counts;
	struct destroyed *destroyed;
	size_t destroyed_count;

	struct secret *opened;
	uint8_t digest[DIGEST_SIZE];
	uint8_t hash[STORE_HASH_SIZE];
	uint64_t number;
};

static void
backup_clear(struct backup *backup)
{
	view_close(&backup->view);
	stream_writer_clear(&backup->out);
	store_keyring_clear(&backup->keyring);
	sodium_memzero(backup->header_slot, sizeof backup->header_slot);
	for (size_t i = 0; i < backup->destroyed_count; i++)
		free(backup->destroyed[i].name);
	free(backup->destroyed);
	secret_free(backup->opened);
}
#define auto_backup __attribute__((cleanup(backup_clear))) struct backup

/* ---- the moment ---- */

/* A keyring of our own: the store may let a generation go before its records are read. */
static enum store_status
copy_keyring(struct backup *backup, struct store_error *err)
{
	struct store *store = backup->store;
	struct keyring_change copy = {0};

	pthread_mutex_lock(&store->lock);
	enum store_status status = store_keyring_prepare(&store->keyring, &copy, err);
	backup->expected = store->head.records + store->head.number;
	pthread_mutex_unlock(&store->lock);
	if (status != STORE_OK)
		return status;
	backup->keyring.header = copy.header;
	backup->keyring.secret = copy.secret;
	backup->keyring.keys = keys_of(copy.secret);
	atomic_store(&backup->keyring.current, copy.header.current);
	atomic_store(&backup->keyring.oldest, copy.header.oldest);
	return STORE_OK;
}

static enum store_status
check_header(const struct backup *backup, struct store_error *err)
{
	struct header header = {0};
	enum store_status status = store_header_read(&backup->view, &header, err);

	if (status == STORE_OK && header.revision != backup->keyring.header.revision)
		status = store_fail(err, STORE_TAMPERED, HEADER_KEY ": was changed");
	if (status == STORE_OK)
		status = store_header_prove(&header, backup->keyring.header.key_check,
					    backup->keyring.keys->header, err);
	return status;
}

/* Nothing is erased and no key changes while this is held: view, keys and the header's slot agree.
 */
static enum store_status
take_moment(struct backup *backup, struct store_error *err)
{
	struct store *store = backup->store;
	struct backend *backend = store->backend;

	pthread_mutex_lock(&store->settling);
	enum store_status status = view_open(backend, &backup->view, err);
	if (status == STORE_OK)
		status = copy_keyring(backup, err);
	if (status == STORE_OK)
		status = check_header(backup, err);
	if (status == STORE_OK)
		status = backend->class->slot_read(backend, backup->keyring.header.slot,
						   backup->header_slot, err);
	pthread_mutex_unlock(&store->settling);
	if (status == STORE_OK)
		status = store_log_load_head(&backup->view, &backup->keyring, &backup->head, err);
	return status;
}

/* ---- records ---- */

static enum store_status
note_destroyed(struct backup *backup, const char *name, uint64_t revision, struct store_error *err)
{
	if (backup->destroyed_count == DESTROYED_MAX)
		return store_fail(err, STORE_CONFLICT,
				  "more than %d values were destroyed while the backup was made: "
				  "make it again",
				  DESTROYED_MAX);
	if (!backup->destroyed)
		backup->destroyed = calloc(DESTROYED_MAX, sizeof *backup->destroyed);
	char *copy = backup->destroyed ? strdup(name) : NULL;
	if (!copy)
		return store_fail(err, STORE_MEMORY, "no memory");
	backup->destroyed[backup->destroyed_count++] = (struct destroyed){copy, revision};
	backup->counts.destroyed++;
	return STORE_OK;
}

static bool
is_erased(const uint8_t bytes[BACKEND_SLOT_SIZE])
{
	return sodium_is_zero(bytes, BACKEND_SLOT_SIZE) == 1;
}

/*
 * The slot is read before the record is opened: a slot only ever goes from what it was to zeros, so
 * that if the record opened after that, what was read is what it was. `ret_opened` false:
 * destroyed.
 */
static enum store_status
open_record(struct backup *backup, const char *name, const struct backend_record *record,
	    uint8_t slot_bytes[BACKEND_SLOT_SIZE], bool *ret_opened, struct store_error *err)
{
	struct backend *backend = backup->store->backend;
	size_t size = 0;
	uint64_t slot = SLOT_NONE;
	enum store_status status = store_body_size(name, record, &size, err);

	if (status == STORE_OK)
		status = store_reserve_secret(&backup->opened, size, err);
	if (status == STORE_OK)
		slot = store_body_place(record).slot;
	if (slot != SLOT_NONE && slot >= backup->head.slots)
		return store_fail(err, STORE_TAMPERED, "%s: names a slot that was not given out",
				  name);
	if (status == STORE_OK && slot != SLOT_NONE)
		status = backend->class->slot_read(backend, slot, slot_bytes, err);
	if (status != STORE_OK)
		return status;
	backup->opened->size = size;
	*ret_opened = true;
	status = store_body_open(backend, &backup->keyring, name, record, backup->opened->bytes,
				 err);
	if (status != STORE_TAMPERED || slot == SLOT_NONE)
		return status;
	if (backend->class->slot_read(backend, slot, slot_bytes, NULL) != STORE_OK ||
	    !is_erased(slot_bytes))
		return status;
	*ret_opened = false;
	return note_destroyed(backup, name, record->revision, err);
}

static enum store_status
add_sealed(struct backup *backup, const char *name, const struct backend_record *record,
	   struct store_error *err)
{
	uint8_t slot_bytes[BACKEND_SLOT_SIZE];
	bool opened = false;
	enum store_status status = open_record(backup, name, record, slot_bytes, &opened, err);

	if (status == STORE_OK && store_body_place(record).slot != SLOT_NONE) {
		stream_add_slot(&backup->out, store_body_place(record).slot,
				opened ? slot_bytes : NULL);
		backup->counts.slots += opened;
	}
	sodium_memzero(slot_bytes, sizeof slot_bytes);
	return status;
}

static enum store_status
add_entry(struct backup *backup, const char *name, const struct backend_record *record,
	  struct store_error *err)
{
	struct entry entry;
	enum store_status status = add_sealed(backup, name, record, err);

	if (status == STORE_OK)
		status = store_log_parse(
			name, ++backup->number,
			(struct store_bytes){backup->opened->bytes, backup->opened->size}, &entry,
			err);
	if (status != STORE_OK)
		return status;
	store_log_chain(backup->hash, entry.public.entry);
	if (memcmp(backup->hash, entry.public.hash, sizeof backup->hash) != 0)
		return store_fail(err, STORE_TAMPERED, "%s: the chain breaks here", name);
	return STORE_OK;
}

static enum store_status
add_record(struct backup *backup, const char *name, const struct backend_record *found,
	   struct store_error *err)
{
	struct backend_record copy = {.revision = found->revision};
	const struct backend_record *record = &copy;
	enum store_status status = stream_add_record(&backup->out, name, found, &copy.body, err);

	/* What is proven is the copy: the file may change underneath. */
	if (status != STORE_OK)
		return status;
	backup->counts.records++;
	if (strcmp(name, HEADER_KEY) == 0) {
		stream_add_slot(&backup->out, backup->keyring.header.slot, backup->header_slot);
		backup->counts.slots++;
	}
	if (name[0] == LOG_PREFIX[0])
		return add_entry(backup, name, record, err);
	if (name[0] != RECORD_PREFIX[0])
		return STORE_OK;
	store_digest_turn(&backup->keyring, name, store_standing_of(record), backup->digest);
	return add_sealed(backup, name, record, err);
}

static enum store_status
report_progress(struct backup *backup, bool now, struct store_error *err)
{
	const uint64_t total = backup->expected > backup->done ? backup->expected : backup->done;

	if (!backup->progress || (!now && backup->done % PROGRESS_EVERY != 0))
		return STORE_OK;
	if (!backup->progress(backup->user, backup->done, now ? backup->done : total))
		return store_fail(err, STORE_CONFLICT, "the backup was stopped");
	return STORE_OK;
}

static enum store_status
add_room(struct backup *backup, const char *room, struct store_error *err)
{
	const struct view *view = &backup->view;
	const bool counted = room[0] == RECORD_PREFIX[0] || room[0] == LOG_PREFIX[0];
	char name[BACKEND_KEY_MAX + 1];
	const char *from = NULL;
	struct backend_record record;
	enum store_status status = STORE_OK;

	while (status == STORE_OK) {
		status = view->backend->class->next(view->at, room, from, BACKEND_FORWARD, name,
						    &record, err);
		if (status == STORE_OK)
			status = add_record(backup, name, &record, err);
		if (status == STORE_OK && counted) {
			backup->done++;
			status = report_progress(backup, false, err);
		}
		from = name;
	}
	return status == STORE_MISSING ? STORE_OK : status;
}

/* ---- after the last record ---- */

static enum store_status
check_sums(const struct backup *backup, struct store_error *err)
{
	if (backup->number != backup->head.number ||
	    memcmp(backup->hash, backup->head.hash, sizeof backup->hash) != 0)
		return store_fail(err, STORE_TAMPERED, "log: does not end as its head says");
	if (sodium_memcmp(backup->digest, backup->head.digest, sizeof backup->digest) != 0)
		return store_fail(err, STORE_TAMPERED,
				  "a record was put back, added or removed outside of the store");
	return STORE_OK;
}

/* What the store has destroyed is gone, or is another by now. What is still there lost its slot
 * otherwise. */
static enum store_status
check_destroyed(const struct backup *backup, struct store_error *err)
{
	auto_view view = {0};
	enum store_status status = view_open(backup->store->backend, &view, err);

	for (size_t i = 0; i < backup->destroyed_count && status == STORE_OK; i++) {
		const struct destroyed *destroyed = &backup->destroyed[i];
		struct backend_record record;
		status = view_get(&view, destroyed->name, &record, err);
		if (status == STORE_OK && record.revision == destroyed->revision)
			return store_fail(err, STORE_TAMPERED,
					  "%s: its slot was erased outside of the store",
					  destroyed->name);
		if (status == STORE_MISSING)
			status = STORE_OK;
	}
	return status;
}

static enum store_status
write_backup(struct backup *backup, struct store_bytes label, struct store_error *err)
{
	enum store_status status = take_moment(backup, err);

	if (status != STORE_OK)
		return status;
	backup->out.key = backup->keyring.keys->backup;
	status = stream_begin(&backup->out, &backup->keyring.header, label, backup->expected, err);
	for (size_t i = 0; i < sizeof rooms / sizeof rooms[0] && status == STORE_OK; i++)
		status = add_room(backup, rooms[i], err);
	if (status == STORE_OK)
		status = check_sums(backup, err);
	view_close(&backup->view);
	if (status == STORE_OK)
		status = check_destroyed(backup, err);
	if (status == STORE_OK)
		status = stream_end(&backup->out, &backup->counts, err);
	if (status == STORE_OK)
		status = report_progress(backup, true, err);
	return status;
}

enum store_status
store_backup(struct store *store, struct store_bytes label, store_sink *sink,
	     store_progress *progress, void *user, struct store_error *err)
{
	auto_backup backup = {
		.store = store,
		.progress = progress,
		.user = user,
		.out = {.sink = sink, .user = user},
	};
	enum store_status status = store_check_unsealed(store, err);

	if (status == STORE_OK && label.size > STORE_LABEL_MAX)
		status = store_fail(err, STORE_LIMIT, "a label of %zu bytes", label.size);
	if (status == STORE_OK)
		status = write_backup(&backup, label, err);
	return status;
}
