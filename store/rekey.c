/* SPDX-License-Identifier: Apache-2.0 */
/* The root key, the caller's note, and a new data key: what changes header and wrapped keys. */
#include "commit.h"

#include <string.h>

/* ---- the header, sealed or not ---- */

static enum store_status
read_header(struct store *store, struct header *ret_header, struct store_error *err)
{
	auto_view view = {0};
	enum store_status status = view_open(store->backend, &view, err);

	return status == STORE_OK ? store_header_read(&view, ret_header, err) : status;
}

/* An unsealed store's is the one that was proven. */
enum store_status
store_note(struct store *store, uint8_t ret_note[STORE_NOTE_MAX], size_t *ret_size,
	   struct store_error *err)
{
	struct header header;
	enum store_status status = STORE_OK;

	if (atomic_load(&store->unsealed)) {
		pthread_mutex_lock(&store->lock);
		header = store->keyring.header;
		pthread_mutex_unlock(&store->lock);
	} else {
		status = read_header(store, &header, err);
	}
	if (status != STORE_OK)
		return status;
	memcpy(ret_note, header.note, header.note_size);
	*ret_size = header.note_size;
	return STORE_OK;
}

enum store_status
store_try_key(struct store *store, const struct secret *root_key, struct store_error *err)
{
	struct header header;
	uint8_t key_check[HEADER_CHECK_SIZE];

	if (root_key->size != STORE_ROOT_KEY_SIZE)
		return store_fail(err, STORE_KEY, "a root key has %d bytes", STORE_ROOT_KEY_SIZE);
	enum store_status status = read_header(store, &header, err);
	if (status != STORE_OK)
		return status;
	auto_secret *derived = store_keyring_derive(root_key, header.id, key_check);
	if (!derived)
		return store_fail(err, STORE_MEMORY, "no memory that can be locked");
	return store_header_prove(&header, key_check, keys_of(derived)->header, err);
}

/* ---- changes ---- */

static enum store_status
change_root_key(const struct keyring_order *order, struct keyring_change *change,
		struct store_error *err)
{
	struct header *header = &change->header;
	struct keys *keys = keys_of(change->secret);
	auto_secret *derived = store_keyring_derive(order->root_key, header->id, header->key_check);

	if (!derived)
		return store_fail(err, STORE_MEMORY, "no memory that can be locked");
	memcpy(keys->wrap, keys_of(derived)->wrap, KEY_SIZE);
	memcpy(keys->header, keys_of(derived)->header, KEY_SIZE);
	memcpy(keys->backup, keys_of(derived)->backup, KEY_SIZE);
	if (order->note.size > 0)
		memcpy(header->note, order->note.data, order->note.size);
	header->note_size = order->note.size;
	return STORE_OK;
}

static enum store_status
add_generation(struct keyring_change *change, struct store_error *err)
{
	struct header *header = &change->header;

	if (header->current - header->oldest + 1 == GENERATIONS_LIVE ||
	    header->current == UINT32_MAX)
		return store_fail(err, STORE_LIMIT,
				  "%d data keys are in use: re-seal what is under the older ones",
				  GENERATIONS_LIVE);
	header->current++;
	randombytes_buf(data_key_of(keys_of(change->secret), header->current), KEY_SIZE);
	return STORE_OK;
}

/* The store may have gone on since the order was given: it never asks for what is not there. */
static void
retire(const struct keyring_order *order, struct keyring_change *change)
{
	struct header *header = &change->header;

	if (order->oldest > header->oldest && order->oldest <= header->current)
		header->oldest = order->oldest;
}

enum store_status
store_keyring_carry_out(const struct keyring *keyring, const struct keyring_order *order,
			struct keyring_change *ret_change, struct store_error *err)
{
	enum store_status status = store_keyring_prepare(keyring, ret_change, err);

	if (status != STORE_OK)
		return status;
	switch (order->wish) {
	case WISH_ROOT_KEY:
		return change_root_key(order, ret_change, err);
	case WISH_GENERATION:
		return add_generation(ret_change, err);
	case WISH_RETIREMENT:
		retire(order, ret_change);
		break;
	}
	return STORE_OK;
}

enum store_status
store_rekey(struct store *store, const struct secret *new_root_key, struct store_bytes note,
	    struct store_error *err)
{
	const struct keyring_order order = {
		.wish = WISH_ROOT_KEY, .root_key = new_root_key, .note = note};
	enum store_status status = store_check_unsealed(store, err);

	if (status != STORE_OK)
		return status;
	if (new_root_key->size != STORE_ROOT_KEY_SIZE)
		return store_fail(err, STORE_KEY, "a root key has %d bytes", STORE_ROOT_KEY_SIZE);
	if (note.size > STORE_NOTE_MAX)
		return store_fail(err, STORE_LIMIT, "a note of %zu bytes", note.size);
	return store_commit_keyring(store, &order, err);
}

enum store_status
store_rotate(struct store *store, struct store_error *err)
{
	const struct keyring_order order = {.wish = WISH_GENERATION};
	enum store_status status = store_check_unsealed(store, err);

	return status == STORE_OK ? store_commit_keyring(store, &order, err) : status;
}
