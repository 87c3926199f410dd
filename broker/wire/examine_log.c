/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's question about a release's logs.
 *
 *   point = progress (ima.h) || pcr:32
 *
 * PCR 10 is in `pcrs`; that the point is of the same boot the keeper has seen to.
 */
#include "ima.h"
#include "message.h"

#include <string.h>

bool
wire_digests_ascend(struct bytes digests)
{
	struct reader r = reader_of(digests);
	struct bytes last = {0};

	while (r.left > 0) {
		struct bytes digest = read_bytes(&r, ATTEST_HASH_SIZE);
		if (r.failed ||
		    (last.data && memcmp(last.data, digest.data, ATTEST_HASH_SIZE) >= 0))
			return false;
		last = digest;
	}
	return true;
}

static void
write_ima(struct writer *w, const struct wire_examine_log *message)
{
	write_lp(w, message->ima_log);
	if (message->ima == WIRE_IMA_REST) {
		wire_ima_progress_write(w, &message->from);
		write_bytes(w, (struct bytes){message->from.pcr, ATTEST_HASH_SIZE});
	}
	write_lp(w, message->allowed);
	if (message->key_count > ATTEST_IMA_KEYS_MAX) {
		w->failed = true;
		return;
	}
	write_u8(w, message->key_count);
	for (size_t i = 0; i < message->key_count; i++)
		write_lp(w, message->keys[i]);
}

static void
read_ima(struct reader *r, struct wire_examine_log *message)
{
	message->ima_log = read_lp(r, WIRE_IMA_LOG_MAX);
	if (message->ima == WIRE_IMA_REST) {
		wire_ima_progress_read(r, &message->from);
		message->from.bank = ATTEST_SHA256;
		read_copy(r, message->from.pcr, ATTEST_HASH_SIZE);
		if (message->from.offset == 0)
			reader_fail(r);
	}
	message->allowed = read_lp(r, (size_t)WIRE_IMA_ALLOWED_MAX * ATTEST_HASH_SIZE);
	if (!wire_digests_ascend(message->allowed))
		reader_fail(r);
	message->key_count = (uint8_t)read_count(r, read_u8(r), ATTEST_IMA_KEYS_MAX);
	for (size_t i = 0; i < message->key_count; i++) {
		message->keys[i] = read_lp(r, ATTEST_CERTIFICATE_MAX);
		if (message->keys[i].size == 0)
			reader_fail(r);
	}
}

void
wire_examine_log_write(struct writer *w, const struct wire_examine_log *message)
{
	if (message->pcrs.size != WIRE_PCRS_SIZE)
		w->failed = true;
	write_bytes(w, message->pcrs);
	write_lp(w, message->event_log);
	write_u8(w, (uint8_t)message->ima);
	if (message->ima != WIRE_IMA_NONE)
		write_ima(w, message);
}

bool
wire_examine_log_read(struct bytes body, struct wire_examine_log *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_examine_log message = {0};

	message.pcrs = read_bytes(&r, WIRE_PCRS_SIZE);
	message.event_log = read_lp(&r, ATTEST_EVENTLOG_MAX);
	message.ima = (enum wire_ima)read_count(&r, read_u8(&r), WIRE_IMA_REST);
	if (message.ima != WIRE_IMA_NONE)
		read_ima(&r, &message);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}
