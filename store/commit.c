/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit. Whoever finds nobody committing leads: it takes all who wait, writes their batches
 * in one transaction, tells each its result, and hands the lead to the first who came meanwhile. A
 * ticket lives on its caller's stack, so it is touched only under the lock until it is done.
 */
#include "commit.h"

#define GROUP_MAX	256			   /* batches */
#define GROUP_BYTES_MAX ((size_t)16 * 1024 * 1024) /* a group takes no more once it holds this */
/* A conflict on the head means that another broker wrote: plan again from what is there now. */
#define ATTEMPTS_MAX 16

enum ticket_state { TICKET_WAITING, TICKET_LEADS, TICKET_DONE };

/* Asks for one of the three. */
struct ticket {
	struct store_batch *batch;
	const struct keyring_order *keyring;
	struct reseal_order *reseal;
	struct ticket *next;
	enum ticket_state state;
	pthread_cond_t moved;
	bool erases;
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
		ticket->erases = false;
		if (ticket->batch)
			ticket->batch->number = 0;
		if (ticket->reseal)
			ticket->reseal->done = 0;
	}
}

/* Up to the first that does not open: those before it are not held up. */
static enum store_status
plan_reseal(struct plan *plan, struct reseal_order *order, struct store_error *err)
{
	enum store_status status = STORE_OK;

	for (order->done = 0; order->done < order->count; order->done++) {
		status = store_plan_add_reseal(plan, order->names[order->done], &order->scratch,
					       err);
		if (status != STORE_OK)
			break;
	}
	return status;
}

/* Each ticket gets its own answer: one that conflicts does not stop the others. */
static void
plan_group(struct plan *plan, struct ticket *group)
{
	for (struct ticket *ticket = group; ticket; ticket = ticket->next) {
		const size_t erasing = plan->erasing.count;
		ticket->failure = (struct store_error){0};
		if (ticket->batch)
			ticket->status =
				store_plan_add_batch(plan, ticket->batch, &ticket->failure);
		else
			ticket->status = plan_reseal(plan, ticket->reseal, &ticket->failure);
		ticket->erases = plan->erasing.count > erasing;
	}
}

/* The batch is durable, and what it deleted may still be there: not what it asked for. */
static void
settle_unerased(struct ticket *group, const struct store_error *failure)
{
	for (struct ticket *ticket = group; ticket; ticket = ticket->next) {
		if (ticket->erases)
			ticket->status = store_fail(&ticket->failure, STORE_UNSURE,
						    "committed, but not erased yet: %.120s",
						    failure->message);
	}
}

/* What the plan removes from "x/" has been erased before; what it adds is erased now. The epoch
 * moves in between, for those whose views are older. */
static void
erase_planned(struct store *store, struct ticket *group)
{
	struct store_error failure = {0};

	store->erased.count = 0;
	if (store->erasing.count == 0)
		return;
	atomic_fetch_add(&store->epoch, 1);
	if (store_slots_erase(store, &failure) != STORE_OK)
		settle_unerased(group, &failure);
}

static void
adopt(struct store *store, const struct keyring_change *change)
{
	atomic_fetch_add(&store->epoch, 1);
	pthread_mutex_lock(&store->lock); /* for the note */
	store_keyring_adopt(&store->keyring, change);
	pthread_mutex_unlock(&store->lock);
}

/* With store->settling held. `change` may be NULL. */
static enum store_status
write_plan(struct plan *plan, const struct head *from, const struct keyring_change *change,
	   struct ticket *group, struct store_error *err)
{
	struct store *store = plan->store;
	struct backend *backend = store->backend;
	const struct backend_expect expect = {HEAD_KEY, from->revision};
	const size_t erasing = store->erasing.count;
	enum store_status status = store_plan_add_head(plan, err);

	if (status == STORE_OK) /* now, because afterwards it must not fail */
		status = store_slots_join(&store->erasing, &plan->erasing, err);
	if (status != STORE_OK)
		return status;
	status = backend->class->apply(backend, &expect, plan->writes, plan->count, err);
	if (status != STORE_OK) {
		store->erasing.count = erasing;
		return status;
	}
	if (change)
		adopt(store, change);
	erase_planned(store, group);
	return STORE_OK;
}

static enum store_status
settle_plan(struct plan *plan, struct head *head, const struct keyring_change *change,
	    struct ticket *group, struct store_error *err)
{
	struct store *store = plan->store;

	pthread_mutex_lock(&store->settling);
	enum store_status status = write_plan(plan, head, change, group, err);
	pthread_mutex_unlock(&store->settling);
	if (status == STORE_OK)
		*head = plan->head;
	return status;
}

/* STORE_CONFLICT only if the head has moved under us. */
static enum store_status
attempt_batches(struct store *store, struct ticket *group, struct head *head,
		struct store_error *err)
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
	return settle_plan(&plan, head, NULL, group, err);
}

static enum store_status
attempt_keyring(struct store *store, struct ticket *ticket, struct head *head,
		struct store_error *err)
{
	auto_plan plan = {.store = store, .head = *head};
	auto_keyring_change change = {0};
	enum store_status status =
		store_keyring_carry_out(&store->keyring, ticket->keyring, &change, err);

	if (status == STORE_OK)
		status = store_plan_add_keyring(&plan, &change, err);
	ticket->status = STORE_OK;
	ticket->erases = true;
	if (status != STORE_OK)
		return status;
	return settle_plan(&plan, head, &change, ticket, err);
}

/* A group either changes the keys, and then it is one ticket, or it does not. */
static enum store_status
attempt_group(struct store *store, struct ticket *group, struct head *head, struct store_error *err)
{
	uint64_t end = head->slots;

	for (const struct ticket *ticket = group; ticket; ticket = ticket->next) {
		if (ticket->keyring)
			end = store_slots_page(end) + SLOTS_PAGE;
		else if (ticket->batch)
			end += ticket->batch->erasable;
	}
	enum store_status status = store_slots_reserve(store, head->slots, end, err);
	if (status != STORE_OK)
		return status;
	if (group->keyring)
		return attempt_keyring(store, group, head, err);
	return attempt_batches(store, group, head, err);
}

/* With store->settling held. */
static enum store_status
reload_keyring(struct store *store, const struct view *view, struct store_error *err)
{
	auto_keyring_change change = {0};
	enum store_status status = store_keyring_reload(view, &store->keyring, &change, err);

	if (status == STORE_OK)
		adopt(store, &change);
	return status;
}

/* What is in memory was durable: from something older there is no going on. With store->settling
 * held. */
static enum store_status
read_again(struct store *store, uint64_t durable, struct head *ret_head,
	   struct slot_list *ret_erasing, struct store_error *err)
{
	struct head head = {0};
	auto_view view = {0};
	enum store_status status = view_open(store->backend, &view, err);

	if (status == STORE_OK)
		status = store_log_load_head(&view, &store->keyring, &head, err);
	if (status == STORE_OK && head.revision < durable)
		status = store_fail(err, STORE_TAMPERED, HEAD_KEY ": an older one was put back");
	if (status == STORE_OK && head.header_revision != store->keyring.header.revision)
		status = reload_keyring(store, &view, err);
	if (status == STORE_OK)
		status = store_slots_load(&view, &store->keyring, ret_erasing, err);
	if (status == STORE_OK)
		*ret_head = head;
	return status;
}

/* What the file says, after another broker has written, or a write whose outcome nobody knows. */
static enum store_status
reload_head(struct store *store, struct head *head, struct store_error *err)
{
	struct head now = {0};
	struct slot_list erasing = {0};

	pthread_mutex_lock(&store->settling); /* before a view, as everywhere */
	enum store_status status = read_again(store, head->revision, &now, &erasing, err);
	pthread_mutex_unlock(&store->settling);
	if (status != STORE_OK) {
		store_slots_clear(&erasing);
		return status;
	}
	now.records = head->records;
	*head = now;
	store_slots_clear(&store->erasing);
	store->erasing = erasing;
	store->erased.count = 0;
	/* Slots that failed attempts had taken are filled anew: what was tried with them is gone.
	 */
	store->filled = now.slots;
	store->doubtful = false;
	return STORE_OK;
}

/* A slot that cannot be taken stays so, until those that are filled ahead are filled anew. */
static bool
any_failed(const struct ticket *group)
{
	for (const struct ticket *ticket = group; ticket; ticket = ticket->next) {
		if (ticket->status == STORE_IO)
			return true;
	}
	return false;
}

static void
commit_group(struct store *store, struct ticket *group, struct head *head)
{
	struct store_error failure = {0};
	enum store_status status = STORE_CONFLICT;

	for (int i = 0; i < ATTEMPTS_MAX && status == STORE_CONFLICT; i++) {
		if (store->doubtful && reload_head(store, head, &failure) != STORE_OK)
			break;
		status = attempt_group(store, group, head, &failure);
		store->doubtful = status != STORE_OK || any_failed(group);
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
		if (last->batch && last->batch->values)
			bytes += last->batch->values->size;
		if (!last->next || count == GROUP_MAX || bytes > GROUP_BYTES_MAX)
			break;
		if (last->keyring || last->next->keyring)
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

/* Until someone has done what the ticket asks for: this thread, or one that led meanwhile. */
static enum store_status
wait_in_queue(struct store *store, struct ticket *ticket, struct store_error *err)
{
	pthread_cond_init(&ticket->moved, NULL);
	pthread_mutex_lock(&store->lock);
	enqueue(store, ticket);
	while (ticket->state == TICKET_WAITING)
		pthread_cond_wait(&ticket->moved, &store->lock);
	if (ticket->state == TICKET_LEADS)
		lead(store);
	pthread_mutex_unlock(&store->lock);
	pthread_cond_destroy(&ticket->moved);
	if (ticket->status != STORE_OK)
		return store_fail(err, ticket->status, "%s", ticket->failure.message);
	return STORE_OK;
}

enum store_status
store_commit(struct store *store, struct store_batch *batch, struct store_error *err)
{
	struct ticket ticket = {.batch = batch, .state = TICKET_WAITING};
	enum store_status status = store_check_unsealed(store, err);

	if (status == STORE_OK)
		status = check_batch(batch, err);
	return status == STORE_OK ? wait_in_queue(store, &ticket, err) : status;
}

enum store_status
store_commit_keyring(struct store *store, const struct keyring_order *order,
		     struct store_error *err)
{
	struct ticket ticket = {.keyring = order, .state = TICKET_WAITING};

	return wait_in_queue(store, &ticket, err);
}

enum store_status
store_commit_reseal(struct store *store, struct reseal_order *order, struct store_error *err)
{
	struct ticket ticket = {.reseal = order, .state = TICKET_WAITING};

	return wait_in_queue(store, &ticket, err);
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
