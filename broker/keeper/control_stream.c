/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup, and what other long work on the whole store has in common with it: it holds no lock of
 * the keeper's, so that nothing waits for it, and ends with its client or with the keeper.
 */
#include "control.h"

#include "audit.h"
#include "store/upkeep.h"
#include "supervisor/role.h"

#include <inttypes.h>
#include <string.h>

#define PROGRESS_MS 100 /* at most ten times a second */

_Static_assert(BACKUP_LABEL_MAX <= STORE_LABEL_MAX, "a label fits");

bool
control_show_progress(void *user, uint64_t done, uint64_t total)
{
	struct control_stream *stream = user;
	const struct control_progress progress = {done, total};
	uint8_t memory[16];
	struct writer w = writer_of(memory, sizeof(memory));
	int64_t now = control_clock();

	if (stream->gone || !control_waits(stream->connection, 0)) {
		stream->gone = true;
		return false;
	}
	if (now < stream->next_progress && done != total)
		return true;
	stream->next_progress = now + PROGRESS_MS;
	control_progress_write(&w, &progress);
	if (!control_send(stream->connection, FRAME_CONTROL_PROGRESS, writer_bytes(&w)))
		stream->gone = true;
	return !stream->gone;
}

static bool
send_piece(void *user, struct store_bytes piece)
{
	struct control_stream *stream = user;

	for (size_t done = 0; done < piece.size && !stream->gone;) {
		size_t size = piece.size - done < CONTROL_PIECE_MAX ? piece.size - done
								    : CONTROL_PIECE_MAX;
		if (!control_send(stream->connection, FRAME_CONTROL_DATA,
				  (struct bytes){piece.data + done, size}))
			stream->gone = true;
		done += size;
		stream->sent += size;
	}
	return !stream->gone;
}

bool
control_empty(struct connection *connection, struct bytes body)
{
	if (body.size == 0)
		return true;
	control_say(connection, CONTROL_MALFORMED, "this request has no body");
	return false;
}

/* ---- backup ---- */

static size_t
make_label(struct keeper *keeper, uint8_t ret_label[BACKUP_LABEL_MAX])
{
	struct writer w = writer_of(ret_label, BACKUP_LABEL_MAX);

	pthread_rwlock_rdlock(&keeper->lock);
	const struct backup_label label = {
		.time = unix_now(),
		.trust_revision = keeper->trust.revision,
		.store_revision = store_revision(keeper->store),
		.version = text_bytes(POSTERN_VERSION),
	};
	pthread_rwlock_unlock(&keeper->lock);
	backup_label_write(&w, &label);
	return w.failed ? 0 : w.size;
}

/* The entry is there before the first piece leaves. A disk that takes none is when a backup is
 * wanted most: then it is said instead. */
static bool
audit_backup(struct connection *connection)
{
	pthread_rwlock_rdlock(&connection->keeper->lock);
	(void)control_audit(connection, "backup");
	bool told = control_audit_end(connection, worker_batch(&connection->worker));
	pthread_rwlock_unlock(&connection->keeper->lock);
	if (!told)
		role_complain("a backup was asked for, and the audit log could not be told: %s",
			      worker_refusal_text(&connection->worker));
	return told;
}

void
control_handle_backup(struct connection *connection, struct bytes body)
{
	struct keeper *keeper = connection->keeper;
	struct control_stream stream = {.connection = connection};
	uint8_t label[BACKUP_LABEL_MAX];
	struct store_error err;

	if (!control_empty(connection, body))
		return;
	bool told = audit_backup(connection);
	size_t size = make_label(keeper, label);
	enum store_status status = store_backup(keeper->store, (struct store_bytes){label, size},
						send_piece, control_show_progress, &stream, &err);
	if (stream.gone)
		return;
	if (status == STORE_OK)
		control_say(connection, CONTROL_OK, "%" PRIu64 " bytes%s", stream.sent,
			    told ? "" : "; the audit log could not be told");
	else
		control_say(connection, CONTROL_FAILED, "%s", err.message);
}
