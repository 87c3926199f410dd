/* SPDX-License-Identifier: Apache-2.0 */
/* A second backend, so that the contract is not what LMDB happens to do. Sorted array, one lock.
 * Each of its steps can be told to fail. */
#include "fixture.h"

#include <stdlib.h>
#include <string.h>

struct memory_record {
	char *key;
	uint64_t revision;
	uint8_t *data;
	size_t size;
};

struct memory_map {
	pthread_rwlock_t lock;
	pthread_mutex_t slots_lock; /* not the other: they are read under views */
	struct memory_record *records;
	size_t count;
	uint8_t *slots;
	size_t slot_count;
	uint8_t *synced; /* slots as the disk itself has them: so many */
	size_t synced_count;
	struct memory_fault fault;
	_Atomic unsigned calls[MEMORY_STEPS];
	_Atomic bool struck;
	_Atomic bool paused;
};

struct backend_memory {
	struct backend base;
	struct memory_map *map;
};

struct backend_view {
	struct memory_map *map;
};

/* ---- failure ---- */

void
memory_map_fail(struct memory_map *map, const struct memory_fault *fault)
{
	map->fault = *fault;
	map->struck = false;
	for (int i = 0; i < MEMORY_STEPS; i++)
		map->calls[i] = 0;
}

void
memory_map_pause(struct memory_map *map, bool paused)
{
	map->paused = paused;
}

bool
memory_map_failed(const struct memory_map *map)
{
	return map->struck;
}

unsigned
memory_map_calls(const struct memory_map *map, enum memory_step step)
{
	return map->calls[step];
}

static enum store_status
step_of(struct memory_map *map, enum memory_step step, struct store_error *err)
{
	const struct memory_fault *fault = &map->fault;

	if (map->paused)
		return STORE_OK;
	const unsigned call = ++map->calls[step];
	if (step != fault->step || fault->at == 0 || call < fault->at ||
	    (call > fault->at && !fault->lasts))
		return STORE_OK;
	map->struck = true;
	return store_fail(err, fault->status, "step %d is told to fail", (int)step);
}

/* ---- the records ---- */

/* The first index whose key does not sort before `key`. */
static size_t
lower_bound(const struct memory_map *map, const char *key)
{
	size_t low = 0, high = map->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(map->records[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_at(const struct memory_map *map, size_t index, const char *key)
{
	return index < map->count && strcmp(map->records[index].key, key) == 0;
}

static enum store_status
memory_view_open(struct backend *backend, struct backend_view **ret_view, struct store_error *err)
{
	struct memory_map *map = ((struct backend_memory *)backend)->map;
	enum store_status status = step_of(map, MEMORY_VIEW_OPEN, err);

	if (status != STORE_OK)
		return status;
	struct backend_view *view = malloc(sizeof *view);
	if (!view)
		return store_fail(err, STORE_MEMORY, "no memory");
	pthread_rwlock_rdlock(&map->lock);
	view->map = map;
	*ret_view = view;
	return STORE_OK;
}

static void
memory_view_close(struct backend *backend, struct backend_view *view)
{
	(void)backend;
	pthread_rwlock_unlock(&view->map->lock);
	free(view);
}

static void
show(const struct memory_record *from, struct backend_record *ret_record)
{
	ret_record->revision = from->revision;
	ret_record->body = (struct store_bytes){from->data, from->size};
}

static enum store_status
memory_get(struct backend_view *view, const char *key, struct backend_record *ret_record,
	   struct store_error *err)
{
	size_t index = lower_bound(view->map, key);
	enum store_status status = step_of(view->map, MEMORY_GET, err);

	if (status != STORE_OK)
		return status;
	if (!is_at(view->map, index, key))
		return STORE_MISSING;
	show(&view->map->records[index], ret_record);
	return STORE_OK;
}

static enum store_status
memory_next(struct backend_view *view, const char *prefix, const char *from,
	    enum backend_direction direction, char ret_key[BACKEND_KEY_MAX + 1],
	    struct backend_record *ret_record, struct store_error *err)
{
	const struct memory_map *map = view->map;
	size_t size = strlen(prefix), index = 0;
	bool found = false;
	enum store_status status = step_of(view->map, MEMORY_NEXT, err);

	if (status != STORE_OK)
		return status;
	for (size_t i = 0; i < map->count; i++) {
		const char *key = map->records[i].key;
		int order = from ? strcmp(key, from) : 0;
		if (strncmp(key, prefix, size) != 0)
			continue;
		if (from && (direction == BACKEND_FORWARD ? order <= 0 : order >= 0))
			continue;
		found = true;
		index = i;
		if (direction == BACKEND_FORWARD)
			break;
	}
	if (!found)
		return STORE_MISSING;
	strcpy(ret_key, map->records[index].key);
	show(&map->records[index], ret_record);
	return STORE_OK;
}

static void
remove_at(struct memory_map *map, size_t index)
{
	free(map->records[index].key);
	free(map->records[index].data);
	map->count--;
	memmove(&map->records[index], &map->records[index + 1],
		(map->count - index) * sizeof *map->records);
}

static void
write_one(struct memory_map *map, const struct backend_write *write)
{
	size_t index = lower_bound(map, write->key);

	if (is_at(map, index, write->key))
		remove_at(map, index);
	if (write->remove)
		return;
	map->records = reallocarray(map->records, map->count + 1, sizeof *map->records);
	if (!map->records)
		abort();
	memmove(&map->records[index + 1], &map->records[index],
		(map->count - index) * sizeof *map->records);
	map->count++;
	struct memory_record *record = &map->records[index];
	*record = (struct memory_record){
		.key = strdup(write->key),
		.revision = write->revision,
		.data = malloc(write->body.size + 1),
		.size = write->body.size,
	};
	if (!record->key || !record->data)
		abort();
	if (write->body.size > 0)
		memcpy(record->data, write->body.data, write->body.size);
}

static enum store_status
memory_apply(struct backend *backend, const struct backend_expect *expect,
	     const struct backend_write *writes, size_t count, struct store_error *err)
{
	struct memory_map *map = ((struct backend_memory *)backend)->map;

	enum store_status status = step_of(map, MEMORY_APPLY, err);

	if (status != STORE_OK)
		return status;
	pthread_rwlock_wrlock(&map->lock);
	size_t index = lower_bound(map, expect->key);
	uint64_t revision = is_at(map, index, expect->key) ? map->records[index].revision : 0;
	bool holds = revision == expect->revision;
	for (size_t i = 0; i < count && holds; i++)
		write_one(map, &writes[i]);
	pthread_rwlock_unlock(&map->lock);
	status = holds ? step_of(map, MEMORY_ANSWER, err) : STORE_CONFLICT;
	return status;
}

static enum store_status
memory_slot_read(struct backend *backend, uint64_t slot, uint8_t ret_bytes[BACKEND_SLOT_SIZE],
		 struct store_error *err)
{
	struct memory_map *map = ((struct backend_memory *)backend)->map;

	enum store_status status = step_of(map, MEMORY_SLOT_READ, err);

	if (status != STORE_OK)
		return status;
	pthread_mutex_lock(&map->slots_lock);
	memset(ret_bytes, 0, BACKEND_SLOT_SIZE);
	if (slot < map->slot_count)
		memcpy(ret_bytes, map->slots + slot * BACKEND_SLOT_SIZE, BACKEND_SLOT_SIZE);
	pthread_mutex_unlock(&map->slots_lock);
	return STORE_OK;
}

static enum store_status
memory_slots_write(struct backend *backend, uint64_t slot, const uint8_t *bytes, size_t count,
		   struct store_error *err)
{
	struct memory_map *map = ((struct backend_memory *)backend)->map;
	enum store_status status = step_of(map, MEMORY_SLOTS_WRITE, err);
	/* A write that fails may have been done by half. */
	count = status == STORE_OK ? count : count / 2;
	const size_t end = (size_t)slot + count;

	pthread_mutex_lock(&map->slots_lock);
	if (end > map->slot_count) {
		map->slots = reallocarray(map->slots, end, BACKEND_SLOT_SIZE);
		if (!map->slots)
			abort();
		memset(map->slots + map->slot_count * BACKEND_SLOT_SIZE, 0,
		       (end - map->slot_count) * BACKEND_SLOT_SIZE);
		map->slot_count = end;
	}
	if (count > 0)
		memcpy(map->slots + slot * BACKEND_SLOT_SIZE, bytes, count * BACKEND_SLOT_SIZE);
	pthread_mutex_unlock(&map->slots_lock);
	return status;
}

static void
copy_slots(uint8_t **to, size_t *to_count, const uint8_t *from, size_t count)
{
	uint8_t *copy = count > 0 ? malloc(count * BACKEND_SLOT_SIZE) : NULL;

	if (count > 0 && !copy)
		abort();
	if (count > 0)
		memcpy(copy, from, count * BACKEND_SLOT_SIZE);
	free(*to);
	*to = copy;
	*to_count = count;
}

void
memory_map_cut_power(struct memory_map *map)
{
	copy_slots(&map->slots, &map->slot_count, map->synced, map->synced_count);
}

static enum store_status
memory_slots_sync(struct backend *backend, struct store_error *err)
{
	struct memory_map *map = ((struct backend_memory *)backend)->map;
	enum store_status status = step_of(map, MEMORY_SLOTS_SYNC, err);

	if (status != STORE_OK)
		return status;
	pthread_mutex_lock(&map->slots_lock);
	copy_slots(&map->synced, &map->synced_count, map->slots, map->slot_count);
	pthread_mutex_unlock(&map->slots_lock);
	return STORE_OK;
}

static void
memory_close(struct backend *backend)
{
	free(backend);
}

static const struct backend_class memory_class = {
	.view_open = memory_view_open,
	.view_close = memory_view_close,
	.get = memory_get,
	.next = memory_next,
	.apply = memory_apply,
	.slot_read = memory_slot_read,
	.slots_write = memory_slots_write,
	.slots_sync = memory_slots_sync,
	.close = memory_close,
};

struct memory_map *
memory_map_new(void)
{
	struct memory_map *map = calloc(1, sizeof *map);
	pthread_rwlockattr_t attributes;

	if (!map)
		abort();
	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&map->lock, &attributes);
	pthread_rwlockattr_destroy(&attributes);
	pthread_mutex_init(&map->slots_lock, NULL);
	return map;
}

void
memory_map_free(struct memory_map *map)
{
	if (!map)
		return;
	while (map->count > 0)
		remove_at(map, map->count - 1);
	free(map->records);
	free(map->slots);
	free(map->synced);
	pthread_rwlock_destroy(&map->lock);
	pthread_mutex_destroy(&map->slots_lock);
	free(map);
}

struct backend *
backend_memory_open(struct memory_map *map)
{
	struct backend_memory *memory = calloc(1, sizeof *memory);

	if (!memory)
		abort();
	memory->base.class = &memory_class;
	memory->map = map;
	return &memory->base;
}
