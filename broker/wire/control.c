/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes stand beside the structs in control.h. */
#include "control.h"

#include "text.h"

#include <sodium.h>

#define REASON_MAX 200
#define STAGE_LAST 2

_Static_assert(CONTROL_SHARE_SIZE == CONTROL_SET_SIZE + 3 + CONTROL_KEY_SIZE, "a share's fields");

static void
write_flag(struct writer *w, bool flag)
{
	write_u8(w, flag ? 1 : 0);
}

static bool
read_flag(struct reader *r)
{
	return read_count(r, read_u8(r), 1) == 1;
}

/* Text for people: a terminal shows it. */
static void
write_words(struct writer *w, struct bytes words, size_t max)
{
	if (words.size > max || !text_printable(words))
		w->failed = true;
	write_lp(w, words);
}

static struct bytes
read_words(struct reader *r, size_t max)
{
	struct bytes words = read_lp(r, max);
	if (!text_printable(words))
		reader_fail(r);
	return words;
}

static uint8_t
read_purpose(struct reader *r)
{
	uint8_t purpose = read_u8(r);
	if (purpose < CONTROL_TO_UNSEAL || purpose > CONTROL_TO_VERIFY)
		reader_fail(r);
	return purpose;
}

bool
control_numbers_valid(uint8_t count, uint8_t threshold)
{
	if (count == 0)
		return threshold == 0;
	return count <= CONTROL_SHARES_MAX && threshold <= count &&
	       threshold >= (count == 1 ? 1 : 2);
}

static void
write_share(struct writer *w, const struct control_share *share)
{
	write_bytes(w, BYTES_OF(share->set));
	write_u8(w, share->threshold);
	write_u8(w, share->count);
	write_u8(w, share->number);
	write_bytes(w, BYTES_OF(share->bytes));
}

static void
read_share(struct reader *r, struct control_share *ret_share)
{
	read_copy(r, ret_share->set, sizeof(ret_share->set));
	ret_share->threshold = read_u8(r);
	ret_share->count = read_u8(r);
	ret_share->number = read_u8(r);
	read_copy(r, ret_share->bytes, sizeof(ret_share->bytes));
	if (ret_share->number == 0 || ret_share->number > ret_share->count ||
	    !control_numbers_valid(ret_share->count, ret_share->threshold))
		reader_fail(r);
}

/* ---- keys: what is refused leaves no copy behind ---- */

void
control_share_write(struct writer *w, const struct control_share *message)
{
	write_u8(w, message->purpose);
	write_share(w, message);
}

bool
control_share_read(struct bytes body, struct control_share *ret_message)
{
	struct reader r = reader_of(body);
	struct control_share message = {0};

	message.purpose = read_purpose(&r);
	read_share(&r, &message);
	bool whole = reader_finished(&r);
	if (whole)
		*ret_message = message;
	sodium_memzero(&message, sizeof(message));
	return whole;
}

void
control_key_write(struct writer *w, const struct control_key *message)
{
	write_u8(w, message->purpose);
	write_bytes(w, BYTES_OF(message->key));
	write_be64(w, message->witness);
}

bool
control_key_read(struct bytes body, struct control_key *ret_message)
{
	struct reader r = reader_of(body);
	struct control_key message = {0};

	message.purpose = read_purpose(&r);
	read_copy(&r, message.key, sizeof(message.key));
	message.witness = read_be64(&r);
	bool whole = reader_finished(&r);
	if (whole)
		*ret_message = message;
	sodium_memzero(&message, sizeof(message));
	return whole;
}

void
control_rekeyed_write(struct writer *w, const struct control_rekeyed *message)
{
	if (message->count > CONTROL_SHARES_MAX) {
		w->failed = true;
		return;
	}
	write_bytes(w, BYTES_OF(message->key));
	write_u8(w, message->count);
	for (uint8_t i = 0; i < message->count; i++)
		write_share(w, &message->shares[i]);
}

/* All shares of one set, in the order of their numbers. */
static bool
shares_are_one_set(const struct control_rekeyed *message)
{
	const struct control_share *first = &message->shares[0];
	for (uint8_t i = 0; i < message->count; i++) {
		const struct control_share *share = &message->shares[i];
		if (share->count != message->count || share->number != i + 1 ||
		    share->threshold != first->threshold ||
		    !bytes_equal(BYTES_OF(share->set), BYTES_OF(first->set)))
			return false;
	}
	return true;
}

bool
control_rekeyed_read(struct bytes body, struct control_rekeyed *ret_message)
{
	struct reader r = reader_of(body);
	struct control_rekeyed message = {0};

	read_copy(&r, message.key, sizeof(message.key));
	message.count = (uint8_t)read_count(&r, read_u8(&r), CONTROL_SHARES_MAX);
	for (uint8_t i = 0; i < message.count; i++)
		read_share(&r, &message.shares[i]);
	bool whole = reader_finished(&r) && shares_are_one_set(&message);
	if (whole)
		*ret_message = message;
	sodium_memzero(&message, sizeof(message));
	return whole;
}

/* ---- the other requests ---- */

void
control_reset_write(struct writer *w, const struct control_reset *message)
{
	write_u8(w, message->purpose);
}

bool
control_reset_read(struct bytes body, struct control_reset *ret_message)
{
	struct reader r = reader_of(body);
	struct control_reset message = {.purpose = read_purpose(&r)};
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}

void
control_rekey_write(struct writer *w, const struct control_rekey *message)
{
	write_u8(w, message->count);
	write_u8(w, message->threshold);
}

bool
control_rekey_read(struct bytes body, struct control_rekey *ret_message)
{
	struct reader r = reader_of(body);
	struct control_rekey message;

	message.count = read_u8(&r);
	message.threshold = read_u8(&r);
	if (!reader_finished(&r) || !control_numbers_valid(message.count, message.threshold))
		return false;
	*ret_message = message;
	return true;
}

void
control_rekey_commit_write(struct writer *w, const struct control_rekey_commit *message)
{
	write_bytes(w, BYTES_OF(message->set));
}

bool
control_rekey_commit_read(struct bytes body, struct control_rekey_commit *ret_message)
{
	struct reader r = reader_of(body);
	struct control_rekey_commit message;

	read_copy(&r, message.set, sizeof(message.set));
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}

void
control_witness_write(struct writer *w, const struct control_witness *message)
{
	write_u8(w, message->stage);
	write_be64(w, message->counter);
}

bool
control_witness_read(struct bytes body, struct control_witness *ret_message)
{
	struct reader r = reader_of(body);
	struct control_witness message;

	message.stage = read_u8(&r);
	message.counter = read_be64(&r);
	/* The largest number says that there is no counter. */
	if (!reader_finished(&r) || message.stage == 0 || message.stage > STAGE_LAST ||
	    message.counter == CONTROL_NO_WITNESS)
		return false;
	*ret_message = message;
	return true;
}

void
control_thaw_write(struct writer *w, const struct control_thaw *message)
{
	write_be64(w, message->trust_revision);
	write_words(w, message->reason, REASON_MAX);
}

bool
control_thaw_read(struct bytes body, struct control_thaw *ret_message)
{
	struct reader r = reader_of(body);
	struct control_thaw message;

	message.trust_revision = read_be64(&r);
	message.reason = read_words(&r, REASON_MAX);
	if (!reader_finished(&r) || message.reason.size == 0)
		return false;
	*ret_message = message;
	return true;
}

/* ---- answers ---- */

void
control_state_write(struct writer *w, const struct control_state *message)
{
	write_flag(w, message->sealed);
	write_flag(w, message->frozen);
	write_bytes(w, BYTES_OF(message->set));
	write_u8(w, message->count);
	write_u8(w, message->threshold);
	write_u8(w, message->given);
	write_u8(w, message->rekey_given);
	write_be64(w, message->trust_revision);
	write_be64(w, message->store_revision);
	write_be64(w, message->witness);
	write_be32(w, message->generation);
	write_be32(w, message->oldest);
	write_be64(w, message->resealed);
	write_be64(w, message->records);
	write_words(w, message->why, CONTROL_TEXT_MAX);
}

/* What a sealed broker cannot know, and what only a frozen one says. */
static bool
state_makes_sense(const struct control_state *state)
{
	bool knows = state->trust_revision != 0 || state->store_revision != 0 ||
		     state->witness != 0 || state->generation != 0 || state->oldest != 0 ||
		     state->resealed != 0 || state->records != 0;
	if (state->sealed && (state->frozen || state->rekey_given != 0 || knows))
		return false;
	return control_numbers_valid(state->count, state->threshold) &&
	       state->given <= state->threshold && state->oldest <= state->generation &&
	       state->frozen == (state->why.size > 0);
}

bool
control_state_read(struct bytes body, struct control_state *ret_message)
{
	struct reader r = reader_of(body);
	struct control_state message = {0};

	message.sealed = read_flag(&r);
	message.frozen = read_flag(&r);
	read_copy(&r, message.set, sizeof(message.set));
	message.count = read_u8(&r);
	message.threshold = read_u8(&r);
	message.given = read_u8(&r);
	message.rekey_given = read_u8(&r);
	message.trust_revision = read_be64(&r);
	message.store_revision = read_be64(&r);
	message.witness = read_be64(&r);
	message.generation = read_be32(&r);
	message.oldest = read_be32(&r);
	message.resealed = read_be64(&r);
	message.records = read_be64(&r);
	message.why = read_words(&r, CONTROL_TEXT_MAX);
	if (!reader_finished(&r) || !state_makes_sense(&message))
		return false;
	*ret_message = message;
	return true;
}

void
control_checked_write(struct writer *w, const struct control_checked *message)
{
	write_be64(w, message->records);
	write_be64(w, message->entries);
	write_be64(w, message->tags);
	write_be64(w, message->bytes);
	write_be64(w, message->defects);
}

bool
control_checked_read(struct bytes body, struct control_checked *ret_message)
{
	struct reader r = reader_of(body);
	struct control_checked message;

	message.records = read_be64(&r);
	message.entries = read_be64(&r);
	message.tags = read_be64(&r);
	message.bytes = read_be64(&r);
	message.defects = read_be64(&r);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}

void
control_progress_write(struct writer *w, const struct control_progress *message)
{
	write_be64(w, message->done);
	write_be64(w, message->total);
}

bool
control_progress_read(struct bytes body, struct control_progress *ret_message)
{
	struct reader r = reader_of(body);
	struct control_progress message;

	message.done = read_be64(&r);
	message.total = read_be64(&r);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}

void
control_answer_write(struct writer *w, const struct control_answer *message)
{
	if (message->payload.size > CONTROL_PAYLOAD_MAX)
		w->failed = true;
	write_u8(w, message->status);
	write_words(w, message->text, CONTROL_TEXT_MAX);
	write_lp(w, message->payload);
}

bool
control_answer_read(struct bytes body, struct control_answer *ret_message)
{
	struct reader r = reader_of(body);
	struct control_answer message;

	message.status = (uint8_t)read_count(&r, read_u8(&r), CONTROL_FAILED);
	message.text = read_words(&r, CONTROL_TEXT_MAX);
	message.payload = read_lp(&r, CONTROL_PAYLOAD_MAX);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}
