/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's side of a sealed keeper: it tells its state, and of everything else that it is
 * sealed. Nothing is decoded. */
#include "control.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static void
answer(struct keeper *keeper, const struct frame *frame)
{
	struct wire_health health = {.state = WIRE_IS_SEALED};
	struct wire_answer said = {.status = WIRE_SEALED};
	uint8_t payload[32], memory[64];
	struct writer payload_w = writer_of(payload, sizeof(payload));
	struct writer w = writer_of(memory, sizeof(memory));

	if (frame->type == FRAME_HEALTH && frame->body.size == 0) {
		control_shares(keeper->control, &health);
		wire_health_write(&payload_w, &health);
		said = (struct wire_answer){WIRE_OK, writer_bytes(&payload_w)};
	}
	wire_answer_write(&w, &said);
	const struct frame sent = {FRAME_ANSWER, frame->id, writer_bytes(&w), -1};
	/* A gateway that is gone is seen by the next receive. */
	if (channel_send(keeper->options.gateway, &sent) != CHANNEL_OK)
		return;
}

void
keeper_await_unsealing(struct keeper *keeper)
{
	struct pollfd watched[] = {{keeper->wake[0], POLLIN, 0},
				   {keeper->options.gateway, POLLIN, 0}};
	struct frame_buffer buffer = {0};
	struct frame frame;

	while (!atomic_load(&keeper->open)) {
		if (poll(watched, 2, -1) <= 0 || watched[1].revents == 0)
			continue;
		if (channel_receive(keeper->options.gateway, &buffer, &frame) != CHANNEL_OK)
			break;
		if (frame.descriptor >= 0)
			close(frame.descriptor);
		answer(keeper, &frame);
	}
	frame_buffer_clear(&buffer);
	/* Whoever unsealed it waits for this. */
	(void)shutdown(keeper->wake[0], SHUT_RDWR);
}
