/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "by_hand.h"

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

void
add(struct buffer *to, const void *bytes, size_t size)
{
	assert_true(size <= sizeof to->bytes - to->size);
	if (size > 0)
		memcpy(to->bytes + to->size, bytes, size);
	to->size += size;
}

void
add_number(struct buffer *to, uint64_t value, int size)
{
	for (int i = size - 1; i >= 0; i--) {
		uint8_t byte = (uint8_t)(value >> (8 * i));
		add(to, &byte, 1);
	}
}

void
add_label(struct buffer *to, const char *label)
{
	add(to, label, strlen(label) + 1);
}

uint64_t
number_at(const uint8_t *at, int size)
{
	uint64_t value = 0;

	for (int i = 0; i < size; i++)
		value = value * 256 + at[i];
	return value;
}

/* ---- past the store ---- */

struct lying
load(struct fixture *fixture, const char *key)
{
	auto_backend *backend = fixture_open_backend(fixture);
	auto_view view = {0};
	struct backend_record record;
	struct lying lying = {0};

	snprintf(lying.key, sizeof lying.key, "%s", key);
	assert_int_equal(view_open(backend, &view, NULL), STORE_OK);
	enum store_status status = view_get(&view, key, &record, NULL);
	if (status == STORE_MISSING)
		return lying;
	assert_int_equal(status, STORE_OK);
	lying.revision = record.revision;
	add(&lying.body, record.body.data, record.body.size);
	return lying;
}

void
save_into(struct backend *backend, const struct lying *record)
{
	const struct backend_write write = {.key = record->key,
					    .remove =
						    record->revision == 0 && record->body.size == 0,
					    .revision = record->revision,
					    .body = {record->body.bytes, record->body.size}};
	const struct backend_expect expect = {"never", 0};

	assert_int_equal(backend->class->apply(backend, &expect, &write, 1, NULL), STORE_OK);
}

void
save(struct fixture *fixture, const struct lying *record)
{
	auto_backend *backend = fixture_open_backend(fixture);

	save_into(backend, record);
}

void
load_slot(struct fixture *fixture, uint64_t slot, uint8_t ret_bytes[32])
{
	auto_backend *backend = fixture_open_backend(fixture);

	assert_int_equal(backend->class->slot_read(backend, slot, ret_bytes, NULL), STORE_OK);
}

void
save_slot(struct fixture *fixture, uint64_t slot, const uint8_t bytes[32])
{
	auto_backend *backend = fixture_open_backend(fixture);

	assert_int_equal(backend->class->slots_write(backend, slot, bytes, 1, NULL), STORE_OK);
}

/* ---- header and wrapped keys ---- */

static void
derive(const struct secret *root_key, const char *label, const uint8_t id[16], uint8_t ret_key[32])
{
	struct buffer input = {0};

	add_label(&input, label);
	add(&input, id, 16);
	crypto_generichash(ret_key, 32, input.bytes, input.size, root_key->bytes, 32);
}

static void
mac_of(const struct by_hand *hand, const struct buffer *covered, uint8_t ret_mac[32])
{
	struct buffer input = *covered;

	add_number(&input, hand->revision, 8);
	crypto_generichash(ret_mac, 32, input.bytes, input.size, hand->header, 32);
}

static void
derive_all(struct fixture *fixture, const struct secret *root_key, struct by_hand *hand)
{
	struct buffer input = {0};
	uint8_t wrap[32], slot_bytes[32];

	derive(root_key, "postern/store/header/v2", hand->id, hand->header);
	derive(root_key, "postern/store/wrap/v2", hand->id, wrap);
	load_slot(fixture, hand->slot, slot_bytes);
	add_label(&input, "postern/store/wrap-slot/v1");
	add_number(&input, hand->slot, 8);
	add(&input, slot_bytes, 32);
	crypto_generichash(hand->wrap, 32, input.bytes, input.size, wrap, 32);
}

bool
by_hand_begin(struct fixture *fixture, const struct secret *root_key, const struct lying *header,
	      struct by_hand *ret_hand)
{
	const uint8_t *at = header->body.bytes;
	struct by_hand hand = {.revision = header->revision};
	struct buffer covered = {0};
	uint8_t key_check[32], mac[32];

	assert_int_equal(number_at(at, 4), 3);
	memcpy(hand.id, at + 4, 16);
	hand.current = (uint32_t)number_at(at + 20, 4);
	hand.oldest = (uint32_t)number_at(at + 24, 4);
	hand.slot = number_at(at + 28, 8);
	size_t note_size = (size_t)number_at(at + 68, 2);
	assert_int_equal(header->body.size, 70 + note_size + 32);
	add(&hand.note, at + 70, note_size);
	derive(root_key, "postern/store/key-check/v1", hand.id, key_check);
	if (memcmp(key_check, at + 36, 32) != 0)
		return false;
	derive_all(fixture, root_key, &hand);
	add(&covered, at, 70 + note_size);
	mac_of(&hand, &covered, mac);
	assert_memory_equal(mac, at + 70 + note_size, 32);
	*ret_hand = hand;
	return true;
}

static struct buffer
wrapped_associated(const struct by_hand *hand, uint32_t generation, uint64_t revision)
{
	struct buffer associated = {0};

	add_label(&associated, "postern/store/data-key/v2");
	add(&associated, hand->id, 16);
	add_number(&associated, generation, 4);
	add_number(&associated, revision, 8);
	return associated;
}

bool
by_hand_unwrap(const struct by_hand *hand, const struct lying *wrapped, uint32_t generation,
	       uint8_t ret_key[32])
{
	struct buffer associated = wrapped_associated(hand, generation, wrapped->revision);

	assert_int_equal(wrapped->body.size, 72);
	return crypto_aead_xchacha20poly1305_ietf_decrypt(
		       ret_key, NULL, NULL, wrapped->body.bytes + 24, 48, associated.bytes,
		       associated.size, wrapped->body.bytes, hand->wrap) == 0;
}

struct lying
by_hand_wrap(const struct by_hand *hand, uint32_t generation, const uint8_t key[32])
{
	struct lying wrapped = {.revision = hand->revision, .body = {.size = 72}};
	struct buffer associated = wrapped_associated(hand, generation, hand->revision);

	snprintf(wrapped.key, sizeof wrapped.key, generation ? "m/key/%08x" : "m/key/set",
		 generation);
	randombytes_buf(wrapped.body.bytes, 24);
	crypto_aead_xchacha20poly1305_ietf_encrypt(wrapped.body.bytes + 24, NULL, key, 32,
						   associated.bytes, associated.size, NULL,
						   wrapped.body.bytes, hand->wrap);
	return wrapped;
}

struct lying
by_hand_header(const struct by_hand *hand, const uint8_t key_check[32])
{
	struct lying header = {.key = "m/header", .revision = hand->revision};
	uint8_t mac[32];

	add_number(&header.body, 3, 4);
	add(&header.body, hand->id, 16);
	add_number(&header.body, hand->current, 4);
	add_number(&header.body, hand->oldest, 4);
	add_number(&header.body, hand->slot, 8);
	add(&header.body, key_check, 32);
	add_number(&header.body, hand->note.size, 2);
	add(&header.body, hand->note.bytes, hand->note.size);
	mac_of(hand, &header.body, mac);
	add(&header.body, mac, 32);
	return header;
}

/* ---- records ---- */

bool
by_hand_unseal(const uint8_t data_key[32], const struct lying *sealed, const uint8_t slot_bytes[32],
	       struct buffer *ret_value)
{
	const uint8_t *at = sealed->body.bytes;
	struct buffer associated = {0}, place = {0};
	uint8_t key[32], cover[32];

	assert_true(sealed->body.size >= 52);
	memcpy(key, data_key, 32);
	if (number_at(at + 4, 8) != UINT64_MAX) {
		add(&place, "erasable", 8);
		add(&place, at + 4, 8);
		crypto_core_hchacha20(key, place.bytes, data_key, NULL);
		crypto_core_hchacha20(cover, place.bytes, slot_bytes, NULL);
		for (size_t i = 0; i < sizeof key; i++)
			key[i] ^= cover[i];
	}
	add_label(&associated, "postern/store/record/v2");
	add(&associated, at, 12);
	add_number(&associated, strlen(sealed->key), 2);
	add(&associated, sealed->key, strlen(sealed->key));
	add_number(&associated, sealed->revision, 8);
	ret_value->size = sealed->body.size - 52;
	return crypto_aead_xchacha20poly1305_ietf_decrypt(ret_value->bytes, NULL, NULL, at + 36,
							  sealed->body.size - 36, associated.bytes,
							  associated.size, at + 12, key) == 0;
}
