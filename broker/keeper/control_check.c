/* SPDX-License-Identifier: Apache-2.0 */
/* The check of all that the store holds, its defects named as they are found. */
#include "control.h"

#include "audit.h"
#include "store/upkeep.h"

#include <inttypes.h>

static void
send_defect(void *user, const char *text)
{
	struct control_stream *stream = user;

	stream->sent++;
	if (!stream->gone &&
	    !control_send(stream->connection, FRAME_CONTROL_DEFECT, text_bytes(text)))
		stream->gone = true;
}

static bool
audit_check_of_store(struct connection *connection, enum store_status status,
		     const struct store_check *check)
{
	pthread_rwlock_rdlock(&connection->keeper->lock);
	struct json *json = control_audit(connection, "check");
	out_text(json, "outcome",
		 status == STORE_CONFLICT ? "interrupted"
		 : status != STORE_OK	  ? "failed"
		 : check->defects > 0	  ? "defects"
					  : "good");
	out_number(json, "records", check->records);
	out_number(json, "entries", check->entries);
	out_number(json, "defects", check->defects);
	bool told = control_audit_end(connection, worker_batch(&connection->worker));
	pthread_rwlock_unlock(&connection->keeper->lock);
	return told;
}

static void
answer_check(struct connection *connection, const struct store_check *check, bool told)
{
	const struct control_checked checked = {check->records, check->entries, check->tags,
						check->bytes, check->defects};
	uint8_t memory[5 * 8];
	struct writer w = writer_of(memory, sizeof(memory));

	control_checked_write(&w, &checked);
	control_reply(connection, CONTROL_OK, writer_bytes(&w), "%" PRIu64 " defects%s",
		      check->defects, told ? "" : "; the audit log could not be told");
}

void
control_handle_check(struct connection *connection, struct bytes body)
{
	struct control_stream stream = {.connection = connection};
	struct store_check check = {0};
	struct store_error err = {.message = ""};

	if (!control_empty(connection, body))
		return;
	enum store_status status = store_check(connection->keeper->store, control_show_progress,
					       send_defect, &stream, &check, &err);
	bool told = audit_check_of_store(connection, status, &check);
	if (stream.gone)
		return;
	if (status == STORE_OK)
		answer_check(connection, &check, told);
	else
		control_say(connection, CONTROL_FAILED, "%s", err.message);
}
