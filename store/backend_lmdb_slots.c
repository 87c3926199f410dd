/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slots, in a file of their own beside LMDB's: what is deleted from LMDB stays in its free
 * pages, what is overwritten here does not. A store that lost this file is refused by whoever asks
 * for a slot, and not before: so that its format can be told first.
 */
#include "backend_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS_NAME "slots"
#define SLOTS_END  (INT64_MAX / BACKEND_SLOT_SIZE) /* no file has more */

static enum store_status
slots_fail(struct store_error *err, int code, const char *what)
{
	return store_fail(err, backend_lmdb_status(code), SLOTS_NAME ": %s: %s", what,
			  strerror(code));
}

/* A creation fills them when there is a database: whoever has moved one away may bring it back. */
enum store_status
backend_lmdb_check_no_slots(const struct backend_lmdb *lmdb, struct store_error *err)
{
	struct stat slots;

	if (fstatat(lmdb->directory, SLOTS_NAME, &slots, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? STORE_OK : slots_fail(err, errno, "cannot be looked at");
	if (slots.st_size == 0)
		return STORE_OK;
	return store_fail(err, STORE_EXISTS,
			  "there are slots of a store without its data.mdb: move them away");
}

enum store_status
backend_lmdb_open_slots(struct backend_lmdb *lmdb, bool create, struct store_error *err)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0);

	lmdb->slots = openat(lmdb->directory, SLOTS_NAME, flags, 0600);
	if (lmdb->slots < 0 && (create || errno != ENOENT))
		return slots_fail(err, errno, "cannot be opened");
	return STORE_OK;
}

static enum store_status
check_slots(const struct backend_lmdb *lmdb, uint64_t slot, size_t count, struct store_error *err)
{
	if (lmdb->slots < 0)
		return store_fail(err, STORE_TAMPERED, SLOTS_NAME ": the file is missing");
	if (slot >= SLOTS_END || count >= SLOTS_END - slot)
		return store_fail(err, STORE_LIMIT, SLOTS_NAME ": no slot has such a number");
	return STORE_OK;
}

enum store_status
backend_lmdb_slot_read(struct backend *backend, uint64_t slot, uint8_t ret_bytes[BACKEND_SLOT_SIZE],
		       struct store_error *err)
{
	struct backend_lmdb *lmdb = (struct backend_lmdb *)backend;
	uint8_t bytes[BACKEND_SLOT_SIZE] = {0}; /* beyond the end are zeros */
	enum store_status status = check_slots(lmdb, slot, 1, err);

	for (size_t done = 0; status == STORE_OK && done < sizeof bytes;) {
		off_t at = (off_t)(slot * BACKEND_SLOT_SIZE + done);
		ssize_t size = pread(lmdb->slots, bytes + done, sizeof bytes - done, at);
		if (size == 0)
			break;
		if (size > 0)
			done += (size_t)size;
		else if (errno != EINTR)
			status = slots_fail(err, errno, "cannot be read");
	}
	if (status == STORE_OK)
		memcpy(ret_bytes, bytes, sizeof bytes);
	explicit_bzero(bytes, sizeof bytes);
	return status;
}

enum store_status
backend_lmdb_slots_write(struct backend *backend, uint64_t slot, const uint8_t *bytes, size_t count,
			 struct store_error *err)
{
	struct backend_lmdb *lmdb = (struct backend_lmdb *)backend;
	const size_t whole = count * BACKEND_SLOT_SIZE;
	enum store_status status = check_slots(lmdb, slot, count, err);

	for (size_t done = 0; status == STORE_OK && done < whole;) {
		off_t at = (off_t)(slot * BACKEND_SLOT_SIZE + done);
		ssize_t size = pwrite(lmdb->slots, bytes + done, whole - done, at);
		if (size > 0)
			done += (size_t)size;
		else if (size == 0) /* which no disk answers: and forever is too long */
			status = slots_fail(err, EIO, "cannot be written");
		else if (errno != EINTR)
			status = slots_fail(err, errno, "cannot be written");
	}
	return status;
}

enum store_status
backend_lmdb_slots_sync(struct backend *backend, struct store_error *err)
{
	const struct backend_lmdb *lmdb = (const struct backend_lmdb *)backend;
	enum store_status status = check_slots(lmdb, 0, 0, err);

	if (status == STORE_OK && fdatasync(lmdb->slots) != 0)
		status = slots_fail(err, errno, "cannot be made durable");
	return status;
}
