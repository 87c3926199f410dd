/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a rotation: all that is sealed, log and records, goes under the newest data key, a few at a
 * time, and once nothing is under the older ones they go. The pass looks at each record once, in
 * the order of their names. It needs no memory beyond the process: what it has done is under the
 * newest key already and is passed over quickly.
 *
 * Each record is read again by the leader of the group that writes it, so that no put is undone.
 */
#include "commit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDER_MAX	64			  /* records of one commit, ... */
#define ORDER_BYTES_MAX ((size_t)4 * 1024 * 1024) /* ... which takes no more once it has these */
#define LOOKED_AT_MAX	1024			  /* records under one view */

struct page {
	char names[ORDER_MAX][BACKEND_KEY_MAX + 1]; /* of those under older keys */
	size_t count;
	size_t bytes;
	size_t wanted;
	uint64_t looked_at;
	char last[BACKEND_KEY_MAX + 1]; /* looked at; empty: none */
	bool ended;			/* there is nothing behind it */
};

static void
take(struct page *page, const char *name, const struct backend_record *record, uint32_t generation)
{
	memcpy(page->last, name, sizeof page->last);
	page->looked_at++;
	/* One that is too short is taken: the leader says what is wrong. */
	if (record->body.size >= BODY_OVERHEAD && store_body_place(record).generation >= generation)
		return;
	memcpy(page->names[page->count++], name, sizeof page->names[0]);
	page->bytes += record->body.size;
}

static bool
is_full(const struct page *page)
{
	return page->count == page->wanted || page->bytes >= ORDER_BYTES_MAX ||
	       page->looked_at == LOOKED_AT_MAX;
}

static enum store_status
look(struct store *store, const struct reseal_pass *pass, struct page *page,
     struct store_error *err)
{
	const char *prefix = pass->in_records ? RECORD_PREFIX : LOG_PREFIX;
	char name[BACKEND_KEY_MAX + 1];
	struct backend_record record;
	auto_view view = {0};
	enum store_status status = view_open(store->backend, &view, err);

	memcpy(page->last, pass->from, sizeof page->last);
	while (status == STORE_OK && !is_full(page)) {
		status = store->backend->class->next(view.at, prefix,
						     page->last[0] ? page->last : NULL,
						     BACKEND_FORWARD, name, &record, err);
		if (status == STORE_OK)
			take(page, name, &record, pass->generation);
	}
	page->ended = status == STORE_MISSING;
	return page->ended ? STORE_OK : status;
}

/* ---- the pass ---- */

static void
begin_pass(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	store->pass = (struct reseal_pass){
		.generation = store->keyring.header.current,
		.total = store->head.number + store->head.records,
	};
	pthread_mutex_unlock(&store->lock);
}

/* Behind the last record that was looked at, or in the next room. */
static void
move_on(struct store *store, const struct page *page, uint64_t looked_at, const char *last)
{
	struct reseal_pass *pass = &store->pass;

	pthread_mutex_lock(&store->lock);
	pass->done += looked_at;
	memcpy(pass->from, last, sizeof pass->from);
	if (page->ended && !pass->in_records) {
		pass->in_records = true;
		pass->from[0] = 0;
	} else if (page->ended) {
		pass->finished = true;
	}
	pthread_mutex_unlock(&store->lock);
}

static enum store_status
reseal_page(struct store *store, struct page *page, struct store_error *err)
{
	struct reseal_order order = {.names = page->names, .count = page->count};
	enum store_status status = STORE_OK;

	if (page->count > 0)
		status = store_commit_reseal(store, &order, err);
	secret_free(order.scratch);
	if (status == STORE_OK) {
		move_on(store, page, page->looked_at, page->last);
	} else if (status == STORE_TAMPERED && order.done < order.count) {
		/* Past the one that does not open: what is behind it is not to wait. */
		page->ended = false;
		move_on(store, page, order.done + 1, page->names[order.done]);
		store->pass.obstructed = true;
	}
	return status;
}

/* With something under it that does not open, an older key stays: it may be mended yet. */
static enum store_status
end_pass(struct store *store, struct store_error *err)
{
	const struct keyring_order order = {.wish = WISH_RETIREMENT,
					    .oldest = store->pass.generation};
	enum store_status status = STORE_OK;

	if (!store->pass.obstructed)
		status = store_commit_keyring(store, &order, err);
	if (status == STORE_OK) {
		pthread_mutex_lock(&store->lock);
		store->pass.generation = 0;
		pthread_mutex_unlock(&store->lock);
	}
	return status;
}

static enum store_status
go_on(struct store *store, size_t count, struct store_error *err)
{
	struct page *page = calloc(1, sizeof *page);

	if (!page)
		return store_fail(err, STORE_MEMORY, "no memory");
	page->wanted = count < ORDER_MAX ? count : ORDER_MAX;
	enum store_status status = look(store, &store->pass, page, err);
	if (status == STORE_OK)
		status = reseal_page(store, page, err);
	if (status == STORE_OK && store->pass.finished)
		status = end_pass(store, err);
	free(page);
	return status;
}

static bool
under_way(struct store *store)
{
	struct store_rotation rotation;

	store_rotation(store, &rotation);
	return rotation.oldest != rotation.generation;
}

enum store_status
store_reseal(struct store *store, size_t count, struct store_rotation *ret_rotation,
	     struct store_error *err)
{
	enum store_status status = store_check_unsealed(store, err);

	if (status != STORE_OK)
		return status;
	if (under_way(store) && count > 0) {
		if (store->pass.generation == 0)
			begin_pass(store);
		status = go_on(store, count, err);
	}
	if (status == STORE_OK)
		store_rotation(store, ret_rotation);
	return status;
}

void
store_rotation(struct store *store, struct store_rotation *ret_rotation)
{
	pthread_mutex_lock(&store->lock);
	*ret_rotation = (struct store_rotation){
		.generation = store->keyring.header.current,
		.oldest = store->keyring.header.oldest,
		.done = store->pass.done,
		.total = store->pass.total,
	};
	pthread_mutex_unlock(&store->lock);
}
