/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>

#include "exchange.h"

/* A slot's id changes with each use, so that a late or invented answer meets nobody. */
struct slot {
	uint64_t id;	     /* generation << 32 | index; generation 0: never used */
	exchange_done *done; /* NULL: free */
	void *user;
	size_t next_free;
};

struct exchange {
	int channel;
	pthread_mutex_t lock;
	size_t count;
	size_t free; /* index of the first free slot; count: none */
	struct slot slots[];
};

struct exchange *
exchange_new(int channel, size_t max)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange) + max * sizeof(struct slot));

	if (exchange == NULL)
		return NULL;
	exchange->channel = channel;
	exchange->count = max;
	pthread_mutex_init(&exchange->lock, NULL);
	for (size_t i = 0; i < max; i++)
		exchange->slots[i] = (struct slot){.id = i, .next_free = i + 1};
	return exchange;
}

static bool
take_slot(struct exchange *exchange, exchange_done *done, void *user, uint64_t *ret_id)
{
	bool taken = false;

	pthread_mutex_lock(&exchange->lock);
	if (exchange->free < exchange->count) {
		struct slot *slot = &exchange->slots[exchange->free];
		exchange->free = slot->next_free;
		slot->id += (uint64_t)1 << 32;
		slot->done = done;
		slot->user = user;
		*ret_id = slot->id;
		taken = true;
	}
	pthread_mutex_unlock(&exchange->lock);
	return taken;
}

/* Frees the slot and tells whose it was; false for an id that is not on its way. */
static bool
release_slot(struct exchange *exchange, uint64_t id, struct slot *ret_was)
{
	size_t index = (size_t)(id & UINT32_MAX);
	bool found = false;

	pthread_mutex_lock(&exchange->lock);
	if (index < exchange->count) {
		struct slot *slot = &exchange->slots[index];
		if (slot->id == id && slot->done != NULL) {
			*ret_was = *slot;
			slot->done = NULL;
			slot->next_free = exchange->free;
			exchange->free = index;
			found = true;
		}
	}
	pthread_mutex_unlock(&exchange->lock);
	return found;
}

bool
exchange_send(struct exchange *exchange, enum frame_type type, struct bytes body,
	      exchange_done *done, void *user)
{
	struct frame frame = {.type = (uint16_t)type, .body = body, .descriptor = -1};
	struct slot was;

	if (!take_slot(exchange, done, user, &frame.id))
		return false;
	if (channel_send(exchange->channel, &frame) == CHANNEL_OK)
		return true;
	/* The keeper is gone, and the daemon with it; unless its end was noticed first, nobody was
	 * told. */
	return !release_slot(exchange, frame.id, &was);
}

void
exchange_run(struct exchange *exchange)
{
	struct frame_buffer buffer = {0};
	struct frame frame;
	struct slot was;

	while (channel_receive(exchange->channel, &buffer, &frame) == CHANNEL_OK) {
		if (frame.type == FRAME_ANSWER && frame.descriptor < 0 &&
		    release_slot(exchange, frame.id, &was))
			was.done(was.user, frame.body);
	}
	frame_buffer_clear(&buffer);
}
