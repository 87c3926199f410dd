/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_rules.h"

#include "json_out.h"

#include <stdlib.h>
#include <string.h>

struct ima_rules *
ima_rules_hold(struct ima_rules *rules)
{
	if (rules)
		atomic_fetch_add(&rules->holders, 1);
	return rules;
}

void
ima_rules_drop(struct ima_rules *rules)
{
	if (rules && atomic_fetch_sub(&rules->holders, 1) == 1)
		free(rules);
}

void
trust_ima_clear(struct trust_ima *ima)
{
	for (size_t i = 0; i < ima->key_count; i++)
		free(ima->keys[i].der);
	free(ima->keys);
	for (size_t i = 0; i < ima->list_count; i++)
		free(ima->lists[i].digests);
	free(ima->lists);
	ima_rules_drop(ima->rules);
	*ima = (struct trust_ima){0};
}

struct ima_key *
trust_ima_key(const struct trust_ima *ima, struct bytes hex_id)
{
	for (size_t i = 0; i < ima->key_count; i++) {
		if (bytes_equal(text_bytes(ima->keys[i].id), hex_id))
			return &ima->keys[i];
	}
	return NULL;
}

struct ima_list *
trust_ima_list(const struct trust_ima *ima, struct bytes name)
{
	for (size_t i = 0; i < ima->list_count; i++) {
		if (bytes_equal(text_bytes(ima->lists[i].name), name))
			return &ima->lists[i];
	}
	return NULL;
}

size_t
trust_ima_digests(const struct trust_ima *ima)
{
	size_t count = 0;

	for (size_t i = 0; i < ima->list_count; i++)
		count += ima->lists[i].count;
	return count;
}

size_t
trust_ima_active_keys(const struct trust_ima *ima)
{
	size_t count = 0;

	for (size_t i = 0; i < ima->key_count; i++)
		count += !ima->keys[i].revoked;
	return count;
}

/* ---- the rules in force ---- */

static size_t
memory_size(const struct trust_ima *ima)
{
	size_t size = trust_ima_digests(ima) * ATTEST_HASH_SIZE;

	for (size_t i = 0; i < ima->key_count; i++)
		size += ima->keys[i].revoked ? 0 : ima->keys[i].size;
	return size;
}

static int
compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, ATTEST_HASH_SIZE);
}

/* At `place`, all lists in one, in order, each digest once. */
static struct bytes
join_lists(const struct trust_ima *ima, uint8_t *place)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < ima->list_count; i++) {
		const struct ima_list *list = &ima->lists[i];
		memcpy(place + count * ATTEST_HASH_SIZE, list->digests,
		       list->count * ATTEST_HASH_SIZE);
		count += list->count;
	}
	if (count > 0)
		qsort(place, count, ATTEST_HASH_SIZE, compare_digests);
	for (size_t i = 0; i < count; i++) {
		uint8_t *digest = place + i * ATTEST_HASH_SIZE;
		uint8_t *last = place + kept * ATTEST_HASH_SIZE;
		if (kept > 0 && compare_digests(last - ATTEST_HASH_SIZE, digest) == 0)
			continue;
		memmove(last, digest, ATTEST_HASH_SIZE);
		kept++;
	}
	return (struct bytes){place, kept * ATTEST_HASH_SIZE};
}

static uint8_t *
copy_keys(const struct trust_ima *ima, struct ima_rules *rules, uint8_t *place)
{
	for (size_t i = 0; i < ima->key_count && rules->key_count < ATTEST_IMA_KEYS_MAX; i++) {
		const struct ima_key *key = &ima->keys[i];
		if (key->revoked)
			continue;
		memcpy(place, key->der, key->size);
		rules->keys[rules->key_count++] = (struct bytes){place, key->size};
		place += key->size;
	}
	return place;
}

bool
trust_ima_settle(struct trust_ima *ima, uint64_t revision)
{
	struct ima_rules *rules = calloc(1, sizeof(*rules) + memory_size(ima));

	if (!rules)
		return false;
	atomic_init(&rules->holders, 1);
	rules->digests = join_lists(ima, copy_keys(ima, rules, rules->memory));
	ima_rules_drop(ima->rules);
	ima->rules = rules;
	ima->revision = revision;
	return true;
}
