/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_codecs.h"

#include "wire/control.h"

#include <string.h>

#define RECODE(name)                                                                               \
	bool recode_control_##name(struct bytes encoded, struct writer *w)                         \
	{                                                                                          \
		static struct control_##name message;                                              \
		if (!control_##name##_read(encoded, &message))                                     \
			return false;                                                              \
		control_##name##_write(w, &message);                                               \
		return true;                                                                       \
	}
RECODE(share)
RECODE(key)
RECODE(reset)
RECODE(rekey)
RECODE(rekeyed)
RECODE(rekey_commit)
RECODE(witness)
RECODE(thaw)
RECODE(state)
RECODE(checked)
RECODE(progress)
RECODE(answer)

static struct bytes
word(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static struct control_share
share_numbered(uint8_t number)
{
	struct control_share share = {
		.set = "ABCDEFG", .threshold = 3, .count = 5, .number = number};
	memset(share.bytes, number, sizeof(share.bytes));
	return share;
}

void
sample_control_share(struct writer *w)
{
	struct control_share message = share_numbered(4);
	message.purpose = CONTROL_TO_REKEY;
	control_share_write(w, &message);
}

void
sample_control_key(struct writer *w)
{
	const struct control_key message = {CONTROL_TO_UNSEAL, "0123456789abcdefghijklmnopqrstu",
					    CONTROL_NO_WITNESS};
	control_key_write(w, &message);
}

void
sample_control_reset(struct writer *w)
{
	const struct control_reset message = {CONTROL_TO_VERIFY};
	control_reset_write(w, &message);
}

void
sample_control_rekey(struct writer *w)
{
	const struct control_rekey message = {5, 3};
	control_rekey_write(w, &message);
}

void
sample_control_rekeyed(struct writer *w)
{
	struct control_rekeyed message = {.key = "0123456789abcdefghijklmnopqrstu", .count = 5};
	for (uint8_t i = 0; i < message.count; i++)
		message.shares[i] = share_numbered((uint8_t)(i + 1));
	control_rekeyed_write(w, &message);
}

void
sample_control_rekey_commit(struct writer *w)
{
	const struct control_rekey_commit message = {"ABCDEFG"};
	control_rekey_commit_write(w, &message);
}

void
sample_control_witness(struct writer *w)
{
	const struct control_witness message = {2, 0x0102030405060708};
	control_witness_write(w, &message);
}

void
sample_control_thaw(struct writer *w)
{
	const struct control_thaw message = {7, word("restored on purpose, \xc3\xbc")};
	control_thaw_write(w, &message);
}

void
sample_control_state(struct writer *w)
{
	const struct control_state message = {
		.frozen = true,
		.set = "ABCDEFG",
		.count = 5,
		.threshold = 3,
		.rekey_given = 1,
		.trust_revision = 7,
		.store_revision = 4711,
		.witness = 12,
		.generation = 4,
		.oldest = 2,
		.resealed = 1000,
		.records = 100000,
		.why = word("restored from a backup"),
	};
	control_state_write(w, &message);
}

void
sample_control_checked(struct writer *w)
{
	const struct control_checked message = {1, 2, 3, 4, 5};
	control_checked_write(w, &message);
}

void
sample_control_progress(struct writer *w)
{
	const struct control_progress message = {10, 1000};
	control_progress_write(w, &message);
}

void
sample_control_answer(struct writer *w)
{
	const struct control_answer message = {CONTROL_WRONG, word("share 4 is of another set"),
					       word("payload")};
	control_answer_write(w, &message);
}
