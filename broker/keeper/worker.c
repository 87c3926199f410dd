/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"
#include "supervisor/role.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SCRATCH_SECRET	 (32 * 1024) /* kept by each worker, thrice; larger ones are given back */
#define SCRATCH_BUFFER	 (256 * 1024)
#define TROUBLE_QUIET_MS 5000

int64_t
unix_now(void)
{
	return (int64_t)time(NULL);
}

bool
keeper_lock_stack(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t end = ((uintptr_t)__builtin_frame_address(0) + page) & ~(page - 1);
	uintptr_t from = end - KEEPER_STACK;

	sodium_stackzero(KEEPER_STACK); /* grown so far: a hole cannot be locked */
	if (mlock((const void *)from, KEEPER_STACK) == 0 &&
	    madvise((void *)from, KEEPER_STACK, MADV_DONTDUMP) == 0)
		return true;
	role_complain("a stack cannot be locked in memory: raise RLIMIT_MEMLOCK");
	return false;
}

bool
worker_start(struct worker *worker, struct keeper *keeper)
{
	*worker = (struct worker){.keeper = keeper};
	worker->common = policy_facts_new(keeper->actions);
	worker->facts = worker->common ? policy_facts_new(worker->common) : NULL;
	worker->record = secret_new(SCRATCH_SECRET);
	worker->values = secret_new(SCRATCH_SECRET);
	worker->body = secret_new(SCRATCH_SECRET);
	worker->batch = store_batch_new();
	if (worker->facts && worker->record && worker->values && worker->body && worker->batch)
		return true;
	worker_clear(worker);
	return false;
}

void
worker_clear(struct worker *worker)
{
	frame_buffer_clear(&worker->input);
	frame_buffer_clear(&worker->answer);
	frame_buffer_clear(&worker->sealed);
	policy_facts_free(worker->facts);
	policy_facts_free(worker->common);
	out_clear(&worker->entry);
	out_clear(&worker->checks);
	out_clear(&worker->text);
	secret_free(worker->record);
	secret_free(worker->values);
	secret_free(worker->body);
	store_batch_free(worker->batch);
	release_scratch_free(worker->release);
	*worker = (struct worker){0};
}

uint8_t *
worker_reserve(struct frame_buffer *buffer, size_t size)
{
	if (buffer->capacity >= size)
		return buffer->memory;
	frame_buffer_clear(buffer);
	*buffer = (struct frame_buffer){.memory = malloc(size), .capacity = size};
	if (!buffer->memory)
		buffer->capacity = 0;
	return buffer->memory;
}

bool
worker_secret(struct secret **secret, size_t capacity)
{
	if (*secret && (*secret)->capacity >= capacity) {
		(*secret)->size = (*secret)->capacity;
		return true;
	}
	struct secret *larger = secret_new(capacity);
	if (!larger)
		return false;
	secret_free(*secret);
	*secret = larger;
	return true;
}

/* What it held is not kept until the next request. */
static void
trim(struct secret **secret)
{
	struct secret *smaller =
		(*secret)->capacity > SCRATCH_SECRET ? secret_new(SCRATCH_SECRET) : NULL;

	if (smaller) {
		secret_free(*secret);
		*secret = smaller;
	} else {
		sodium_memzero((*secret)->bytes, (*secret)->capacity);
	}
}

struct store_batch *
worker_batch(struct worker *worker)
{
	store_batch_clear(worker->batch);
	worker->stored = STORE_OK;
	return worker->batch;
}

static bool
ends_with_its_cause(enum store_status status)
{
	return status == STORE_SPACE || status == STORE_READONLY || status == STORE_IO;
}

/* Once when it begins and once when it ends, not for each request: it has ended when for a while
 * nothing was refused, for small commits may find room where large ones do not. A commit that is
 * refused for its own sake, or for want of memory, tells nothing of the disk. */
static void
note_trouble(struct keeper *keeper, enum store_status status, const char *message)
{
	int64_t now = control_clock();

	if (status != STORE_OK && !ends_with_its_cause(status))
		return;
	atomic_store(&keeper->trouble, (int)status);
	if (status != STORE_OK)
		atomic_store(&keeper->trouble_at, now);
	int told = atomic_load(&keeper->trouble_told);
	if (told == (int)status ||
	    (status == STORE_OK && now - atomic_load(&keeper->trouble_at) < TROUBLE_QUIET_MS) ||
	    !atomic_compare_exchange_strong(&keeper->trouble_told, &told, (int)status))
		return;
	if (status != STORE_OK)
		role_complain("the store cannot be written: %s", message);
	else
		role_complain("the store can be written again");
}

enum store_status
worker_commit(struct worker *worker, struct store_batch *batch, struct store_error *err)
{
	enum store_status status = store_commit(worker->keeper->store, batch, err);

	worker->stored = status;
	if (status == STORE_UNSURE)
		keeper_give_up(worker->keeper, err->message);
	note_trouble(worker->keeper, status, err->message);
	return status;
}

enum wire_status
store_refusal(enum store_status status)
{
	return ends_with_its_cause(status) ? WIRE_STORE : WIRE_FAILED;
}

enum wire_status
worker_refusal(const struct worker *worker)
{
	return store_refusal(worker->stored);
}

const char *
worker_refusal_text(const struct worker *worker)
{
	switch (worker->stored) {
	case STORE_SPACE:
		return "no room on the broker's disk: nothing was changed";
	case STORE_READONLY:
		return "the broker's disk may not be written: nothing was changed";
	case STORE_IO:
		return "the broker's disk fails: nothing was changed";
	case STORE_UNSURE:
		return "the broker's disk failed while it was written: it may be done or not, look "
		       "again";
	case STORE_OK:
	case STORE_MISSING:
	case STORE_CONFLICT:
	case STORE_TAMPERED:
	case STORE_KEY:
	case STORE_EXISTS:
	case STORE_LIMIT:
	case STORE_MEMORY:
	case STORE_SEALED:
		break;
	}
	return "the store refused it: nothing was changed";
}

void
worker_trim(struct worker *worker)
{
	store_batch_clear(worker->batch);
	policy_facts_clear(worker->facts);
	policy_facts_clear(worker->common); /* an operator's decision is to see nothing of it */
	trim(&worker->record);
	trim(&worker->values);
	trim(&worker->body);
	if (worker->sealed.capacity > SCRATCH_BUFFER)
		frame_buffer_clear(&worker->sealed);
	if (worker->answer.capacity > SCRATCH_BUFFER)
		frame_buffer_clear(&worker->answer);
	if (worker->text.capacity > SCRATCH_BUFFER)
		out_clear(&worker->text);
}

void
worker_answer(struct worker *worker, uint64_t id, enum wire_status status, struct bytes payload)
{
	struct wire_answer answer = {status, status == WIRE_OK ? payload : (struct bytes){0}};
	uint8_t small[64];
	struct writer w;

	if (atomic_load(&worker->keeper->sealing) && !worker->last_word)
		answer = (struct wire_answer){.status = WIRE_SEALED};
	if (worker_reserve(&worker->answer, answer.payload.size + 16)) {
		w = writer_of(worker->answer.memory, worker->answer.capacity);
	} else {
		answer = (struct wire_answer){WIRE_FAILED, {0}};
		w = writer_of(small, sizeof(small));
	}
	wire_answer_write(&w, &answer);
	struct frame frame = {FRAME_ANSWER, id, writer_bytes(&w), -1};
	/* A gateway that is gone is seen by the next receive. */
	if (channel_send(worker->keeper->options.gateway, &frame) != CHANNEL_OK)
		return;
}
