/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit. Whoever finds nobody committing leads: it takes all who wait, writes their batches
 * in one transaction, tells each its result, and hands the lead to the first who came meanwhile. A
 * ticket lives on its caller's stack, so it is touched only under the lock until it is done.
 */
#include "state.h"

#define GROUP_MAX	256			   /* batches */
#define GROUP_BYTES_MAX ((size_t)16 * 1024 * 1024) /* a group takes no more once it holds this */
/* A conflict on the head means that another broker wrote: plan again from what is there now. */
#define ATTEMPTS_MAX 16

enum ticket_state { TICKET_WAITING, TICKET_LEADS, TICKET_DONE };

struct ticket {
	struct store_batch *batch;
	struct ticket *next;
	enum ticket_state state;
	pthread_cond_t moved;
	enum store_status status;
	struct store_error failure;
};

/* ---- one group ---- */

static void
settle_all(struct ticket *group, const struct store_error *failure)
{
	for (struct ticket *ticket = group; ticket; ticket = ticket->next) {
		ticket->status = failure->status;
		ticket->failure = *failure;
		ticket->batch->number = 0;
	}
}

/* Each ticket gets its own answer: one that conflicts does not stop the others. */
static void
plan_group(struct plan *plan, struct ticket *group)
{
	for (struct ticket *ticket = group; ticket; ticket = ticket->next) {
		ticket->failure = (struct store_error){0};
		ticket->status = store_plan_add_batch(plan, ticket->batch, &ticket->failure);
	}
}

static enum store_status
write_plan(struct plan *plan, const struct head *from, struct store_error *err)
{
	struct backend *backend = plan->store->backend;
	const struct backend_expect expect = {HEAD_KEY, from->revision};
	enum store_status status = store_plan_add_head(plan, err);

	if (status != STORE_OK)
		return status;
	return backend->class->apply(backend, &expect, plan->writes, plan->count, err);
}

/* STORE_CONFLICT only if the head has moved under us. */
static enum store_status
attempt_group(struct store *store, struct ticket *group, struct head *head, struct store_error *err)
{
	auto_plan plan = {.store = store, .head = *head};
	auto_view view = {0};
	enum store_status status = view_open(store->backend, &view, err);

	if (status != STORE_OK)
		return status;
	plan.view = &view;
	plan_group(&plan, group);
	view_close(&view); /* no thread waits for the disk, or for a greater map, with a view */
	if (plan.count == 0)
		return STORE_OK;
	status = write_plan(&plan, head, err);
	if (status == STORE_OK)
		*head = plan.head;
	return status;
}

static enum store_status
reload_head(struct store *store, struct head *ret_head, struct store_error *err)
{
	auto_view view = {0};
	enum store_status status = view_open(store->backend, &view, err);

	if (status != STORE_OK)
		return status;
	return store_log_load_head(&view, &store->keyring, ret_head, err);
}

static void
commit_group(struct store *store, struct ticket *group, struct head *head)
{
	struct store_error failure = {0};
	enum store_status status = STORE_CONFLICT;

	for (int i = 0; i < ATTEMPTS_MAX && status == STORE_CONFLICT; i++) {
		if (i > 0 && reload_head(store, head, &failure) != STORE_OK)
			break;
		status = attempt_group(store, group, head, &failure);
	}
	if (status == STORE_OK)
		return;
	if (failure.status == STORE_OK)
		store_fail(&failure, STORE_IO, "other writers leave no turn");
	settle_all(group, &failure);
}

/* ---- the queue ---- */

/* The front of the queue, `self` first, until the group is large enough. */
static struct ticket *
take_group(struct store *store)
{
	struct ticket *group = store->first_waiting, *last = group;
	size_t bytes = 0;

	for (size_t count = 1;; count++) {
		if (last->batch->values)
			bytes += last->batch->values->size;
		if (!last->next || count == GROUP_MAX || bytes > GROUP_BYTES_MAX)
			break;
		last = last->next;
	}
	store->first_waiting = last->next;
	if (!last->next)
		store->last_waiting = NULL;
	last->next = NULL;
	return group;
}

static void
release_group(struct ticket *group)
{
	for (struct ticket *next; group; group = next) {
		next = group->next; /* once it is done, the ticket may be gone */
		group->state = TICKET_DONE;
		pthread_cond_signal(&group->moved);
	}
}

/* With the lock held, which is let go while the disk works. */
static void
lead(struct store *store)
{
	struct ticket *group = take_group(store);
	struct head head = store->head;

	pthread_mutex_unlock(&store->lock);
	commit_group(store, group, &head);
	pthread_mutex_lock(&store->lock);
	store->head = head;
	release_group(group);
	store->leading = store->first_waiting != NULL;
	if (store->leading) {
		store->first_waiting->state = TICKET_LEADS;
		pthread_cond_signal(&store->first_waiting->moved);
	}
}

static void
enqueue(struct store *store, struct ticket *ticket)
{
	if (store->last_waiting)
		store->last_waiting->next = ticket;
	else
		store->first_waiting = ticket;
	store->last_waiting = ticket;
	if (!store->leading) {
		store->leading = true;
		ticket->state = TICKET_LEADS;
	}
}

static enum store_status
check_batch(const struct store_batch *batch, struct store_error *err)
{
	if (!batch)
		return store_fail(err, STORE_MEMORY, "no memory for a batch");
	if (batch->failure.status != STORE_OK)
		return store_fail(err, batch->failure.status, "%s", batch->failure.message);
	return STORE_OK;
}

enum store_status
store_commit(struct store *store, struct store_batch *batch, struct store_error *err)
{
	struct ticket ticket = {.batch = batch, .state = TICKET_WAITING};
	enum store_status status = check_batch(batch, err);

	if (status != STORE_OK)
		return status;
	pthread_cond_init(&ticket.moved, NULL);
	pthread_mutex_lock(&store->lock);
	enqueue(store, &ticket);
	while (ticket.state == TICKET_WAITING)
		pthread_cond_wait(&ticket.moved, &store->lock);
	if (ticket.state == TICKET_LEADS)
		lead(store);
	pthread_mutex_unlock(&store->lock);
	pthread_cond_destroy(&ticket.moved);
	if (ticket.status != STORE_OK)
		return store_fail(err, ticket.status, "%s", ticket.failure.message);
	return STORE_OK;
}

size_t
store_waiting(struct store *store)
{
	size_t count = 0;

	pthread_mutex_lock(&store->lock);
	for (const struct ticket *ticket = store->first_waiting; ticket; ticket = ticket->next)
		count++;
	pthread_mutex_unlock(&store->lock);
	return count;
}

uint64_t
store_revision(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	uint64_t revision = store->head.revision;
	pthread_mutex_unlock(&store->lock);
	return revision;
}
