/* SPDX-License-Identifier: Apache-2.0 */
/* The local socket's clients of the keeper's tests. */
#include "keeper_fixture.h"

#include "wire/local.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

void
control_open(struct house *house, struct house_control *control)
{
	*control = (struct house_control){.channel = local_connect(house->control),
					  .buffer = {.locked = true}};
	assert(control->channel >= 0);
}

void
control_close(struct house_control *control)
{
	close(control->channel);
	frame_buffer_clear(&control->buffer);
	sodium_memzero(control->payload, sizeof(control->payload));
}

static void
keep(struct house_control *control, struct bytes body)
{
	struct control_answer answer;

	assert(control_answer_read(body, &answer));
	control->status = answer.status;
	if (answer.text.size > 0)
		memcpy(control->text, answer.text.data, answer.text.size);
	control->text[answer.text.size] = '\0';
	if (answer.payload.size > 0)
		memcpy(control->payload, answer.payload.data, answer.payload.size);
	control->payload_size = answer.payload.size;
}

int
control_ask(struct house_control *control, enum frame_type type, struct bytes body)
{
	const struct frame request = {(uint16_t)type, ++control->id, body, -1};
	struct frame frame;

	if (channel_send(control->channel, &request) != CHANNEL_OK)
		return -1;
	for (;;) {
		if (channel_receive(control->channel, &control->buffer, &frame) != CHANNEL_OK)
			return -1;
		assert(frame.id == control->id && frame.descriptor == -1);
		if (frame.type == FRAME_CONTROL_ANSWER)
			break;
		assert(control->piece);
		control->piece(control, frame.type, frame.body);
	}
	keep(control, frame.body);
	return control->status;
}

int
control_give(struct house_control *control, const struct house *house, enum control_purpose purpose,
	     uint8_t number, bool wrong)
{
	const struct share *share = &house->shares[number - 1];
	struct control_share message = {(uint8_t)purpose, {0},		 share->threshold,
					share->count,	  share->number, {0}};
	uint8_t memory[64];
	struct writer w = writer_of(memory, sizeof(memory));

	memcpy(message.set, share->set, sizeof(message.set));
	memcpy(message.bytes, share->bytes, sizeof(message.bytes));
	message.bytes[7] ^= wrong ? 0x10 : 0;
	control_share_write(&w, &message);
	assert(!w.failed);
	return control_ask(control, FRAME_CONTROL_SHARE, writer_bytes(&w));
}

int
control_give_key(struct house_control *control, const uint8_t key[CONTROL_KEY_SIZE],
		 enum control_purpose purpose, uint64_t witness)
{
	struct control_key message = {.purpose = (uint8_t)purpose, .witness = witness};
	uint8_t memory[64];
	struct writer w = writer_of(memory, sizeof(memory));

	memcpy(message.key, key, sizeof(message.key));
	control_key_write(&w, &message);
	assert(!w.failed);
	return control_ask(control, FRAME_CONTROL_KEY, writer_bytes(&w));
}

int
control_witness(struct house_control *control, uint8_t stage, uint64_t counter)
{
	const struct control_witness message = {stage, counter};
	uint8_t memory[16];
	struct writer w = writer_of(memory, sizeof(memory));

	control_witness_write(&w, &message);
	return control_ask(control, FRAME_CONTROL_WITNESS, writer_bytes(&w));
}

int
control_thaw(struct house_control *control, uint64_t revision)
{
	const struct control_thaw message = {revision, text_bytes("looked at it")};
	uint8_t memory[64];
	struct writer w = writer_of(memory, sizeof(memory));

	control_thaw_write(&w, &message);
	return control_ask(control, FRAME_CONTROL_THAW, writer_bytes(&w));
}

struct control_state
control_state(struct house_control *control)
{
	struct control_state state;

	assert(control_ask(control, FRAME_CONTROL_STATUS, (struct bytes){0}) == CONTROL_OK);
	assert(control_state_read((struct bytes){control->payload, control->payload_size}, &state));
	return state;
}
