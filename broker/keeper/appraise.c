/* SPDX-License-Identifier: Apache-2.0 */
#include "appraise.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void
appraiser_link_start(struct appraiser_link *link, int channel, int supervisor)
{
	*link = (struct appraiser_link){.channel = channel,
					.supervisor = supervisor,
					.timeout_ms = APPRAISE_TIMEOUT_MS,
					.hung_ms = APPRAISE_HUNG_MS};
	pthread_mutex_init(&link->channel_mutex, NULL);
	pthread_mutex_init(&link->supervisor_mutex, NULL);
}

static uint64_t
next_id(struct appraiser_link *link)
{
	return __atomic_add_fetch(&link->next_id, 1, __ATOMIC_RELAXED);
}

static int64_t
milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The frame that answers `id`. Answers to requests that were given up before are dropped. */
static bool
await(int channel, uint64_t id, uint16_t type, int timeout_ms, struct frame_buffer *buffer,
      struct frame *ret_frame)
{
	int64_t until = milliseconds() + timeout_ms;

	for (int64_t left; (left = until - milliseconds()) > 0;) {
		struct pollfd ready = {.fd = channel, .events = POLLIN};
		if (poll(&ready, 1, (int)left) <= 0)
			continue;
		if (channel_receive(channel, buffer, ret_frame) != CHANNEL_OK)
			return false;
		if (ret_frame->id == id && ret_frame->type == type)
			return true;
		if (ret_frame->descriptor >= 0)
			close(ret_frame->descriptor);
	}
	return false;
}

/* `ret_answered`: something came, whatever it was. */
static bool
exchange(const struct appraiser_link *link, int channel, const struct frame *request,
	 struct wire_appraisal *ret_appraisal, bool *ret_answered)
{
	struct frame_buffer buffer = {0};
	struct frame answer = {.descriptor = -1};

	bool good =
		channel_send(channel, request) == CHANNEL_OK &&
		await(channel, request->id, FRAME_APPRAISED, link->timeout_ms, &buffer, &answer);
	*ret_answered = good;
	if (good && answer.descriptor >= 0) {
		close(answer.descriptor);
		good = false;
	}
	good = good && wire_appraisal_read(answer.body, ret_appraisal);
	frame_buffer_clear(&buffer);
	return good;
}

/* Mutex held. APPRAISE_DONE: the appraiser waits for a request. */
static enum appraise_outcome
settle(struct appraiser_link *link)
{
	struct frame_buffer buffer = {0};
	struct frame answer = {.descriptor = -1};

	if (link->overdue == 0)
		return APPRAISE_DONE;
	bool answered = await(link->channel, link->overdue, FRAME_APPRAISED, 1, &buffer, &answer);
	frame_buffer_clear(&buffer);
	if (answered) {
		link->overdue = 0;
		if (answer.descriptor >= 0)
			close(answer.descriptor);
		return APPRAISE_DONE;
	}
	return milliseconds() - link->overdue_since > link->hung_ms ? APPRAISE_HUNG : APPRAISE_NONE;
}

/* Mutex held. */
static enum appraise_outcome
examine(struct appraiser_link *link, const struct frame *request,
	struct wire_appraisal *ret_appraisal)
{
	bool answered;
	enum appraise_outcome outcome = settle(link);

	if (outcome != APPRAISE_DONE)
		return outcome;
	if (exchange(link, link->channel, request, ret_appraisal, &answered))
		return APPRAISE_DONE;
	if (!answered) {
		link->overdue = request->id;
		link->overdue_since = milliseconds();
	}
	return APPRAISE_NONE;
}

/* Its end of a new channel; -1: none. */
static int
fresh_appraiser(struct appraiser_link *link)
{
	struct frame_buffer buffer = {0};
	struct frame answer = {.descriptor = -1};
	struct frame request = {FRAME_NEED_APPRAISER, next_id(link), {0}, -1};

	pthread_mutex_lock(&link->supervisor_mutex);
	bool good = channel_send(link->supervisor, &request) == CHANNEL_OK &&
		    await(link->supervisor, request.id, FRAME_APPRAISER, link->timeout_ms, &buffer,
			  &answer);
	pthread_mutex_unlock(&link->supervisor_mutex);
	frame_buffer_clear(&buffer);
	return good ? answer.descriptor : -1;
}

/* By an appraiser of its own, which then ends. */
static bool
examine_apart(struct appraiser_link *link, const struct frame *request,
	      struct wire_appraisal *ret_appraisal)
{
	bool answered;
	int channel = fresh_appraiser(link);

	if (channel < 0)
		return false;
	bool good = exchange(link, channel, request, ret_appraisal, &answered);
	close(channel);
	return good;
}

static size_t
question_size(const struct wire_examine_log *request)
{
	size_t size = 256 + request->pcrs.size + request->event_log.size + request->ima_log.size +
		      request->allowed.size;

	for (size_t i = 0; i < request->key_count; i++)
		size += 4 + request->keys[i].size;
	return size;
}

bool
appraise_is_apart(const struct wire_examine_log *request)
{
	return request->ima_log.size >
	       (request->key_count > 0 ? APPRAISE_SHARED_SIGNED_MAX : APPRAISE_SHARED_IMA_MAX);
}

enum appraise_outcome
appraise_log(struct appraiser_link *link, const struct wire_examine_log *request,
	     struct wire_appraisal *ret_appraisal)
{
	size_t capacity = question_size(request);
	uint8_t *memory = malloc(capacity);

	if (!memory)
		return APPRAISE_NONE;
	struct writer w = writer_of(memory, capacity);
	wire_examine_log_write(&w, request);
	struct frame frame = {FRAME_EXAMINE_LOG, next_id(link), writer_bytes(&w), -1};
	enum appraise_outcome outcome = APPRAISE_NONE;
	if (!w.failed && appraise_is_apart(request)) {
		outcome =
			examine_apart(link, &frame, ret_appraisal) ? APPRAISE_DONE : APPRAISE_NONE;
	} else if (!w.failed) {
		pthread_mutex_lock(&link->channel_mutex);
		outcome = examine(link, &frame, ret_appraisal);
		pthread_mutex_unlock(&link->channel_mutex);
	}
	free(memory);
	return outcome;
}

bool
appraise_enrolment(struct appraiser_link *link, const struct wire_examine_enrolment *request,
		   struct wire_appraisal *ret_appraisal)
{
	uint8_t *memory = malloc(FRAME_BODY_MAX);

	if (!memory)
		return false;
	struct writer w = writer_of(memory, FRAME_BODY_MAX);
	wire_examine_enrolment_write(&w, request);
	struct frame frame = {FRAME_EXAMINE_ENROLMENT, next_id(link), writer_bytes(&w), -1};
	bool good = !w.failed && examine_apart(link, &frame, ret_appraisal);
	free(memory);
	return good;
}

enum log_state
appraisal_log_state(const struct wire_appraisal *appraisal)
{
	switch (appraisal->log) {
	case WIRE_ABSENT:
		return LOG_ABSENT;
	case WIRE_REFUSED:
		return LOG_REFUSED;
	case WIRE_VERIFIED:
		return appraisal->report.replays ? LOG_REPLAYS : LOG_UNEXPLAINED;
	}
	return LOG_REFUSED;
}

struct bytes
appraisal_claims(const struct wire_appraisal *appraisal)
{
	const struct attest_claims *claims = &appraisal->report.claims;

	return (struct bytes){claims->encoded, claims->size};
}

enum attest_answer
appraisal_secure_boot(const struct wire_appraisal *appraisal)
{
	return attest_claims_answer(&appraisal->report.claims, CLAIM_SECURE_BOOT);
}
