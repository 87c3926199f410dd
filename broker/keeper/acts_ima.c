/* SPDX-License-Identifier: Apache-2.0 */
#include "acts_ima.h"

#include "json_out.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRINT(text) (int)(text).size, (const char *)(text).data

static struct bytes
field(const struct operation_request *request, enum operation_field which)
{
	return request->fields[which];
}

static uint8_t *
copy_of(struct bytes bytes)
{
	uint8_t *copy = malloc(bytes.size);

	if (copy)
		memcpy(copy, bytes.data, bytes.size);
	return copy;
}

/* ---- keys ---- */

enum operation_outcome
act_check_ima_key_add(const struct trust *trust, const struct operation_request *request,
		      struct act_change *change)
{
	struct bytes hex = field(request, FIELD_ID);
	struct bytes der = field(request, FIELD_PUBLIC_KEY);
	const struct ima_key *key = trust_ima_key(&trust->ima, hex);
	uint8_t hash[crypto_hash_sha256_BYTES];
	char own[2 * sizeof(hash) + 1];

	crypto_hash_sha256(hash, der.data, der.size);
	sodium_bin2hex(own, sizeof(own), hash, sizeof(hash));
	if (!bytes_equal(text_bytes(own), hex))
		return act_refuse(change, OUTCOME_INVALID, "ima-key: its id is not its SHA-256");
	if (key && key->revoked)
		return act_refuse(change, OUTCOME_INVALID,
				  "ima-key %.*s: is revoked, and stays revoked", PRINT(hex));
	if (key)
		return act_refuse(change, OUTCOME_INVALID, "ima-key %.*s: is there already",
				  PRINT(hex));
	if (trust_ima_active_keys(&trust->ima) >= ATTEST_IMA_KEYS_MAX ||
	    trust->ima.key_count >= TRUST_IMA_KEYS_MAX)
		return act_refuse(change, OUTCOME_INVALID,
				  "more than %d keys for files, or than %d with those revoked",
				  ATTEST_IMA_KEYS_MAX, TRUST_IMA_KEYS_MAX);
	snprintf(change->effect, ACT_TEXT_SIZE, "Files signed by %.*s count as signed.",
		 PRINT(field(request, FIELD_SUBJECT)));
	return OUTCOME_OK;
}

bool
act_apply_ima_key_add(struct trust *trust, const struct operation_request *request)
{
	struct trust_ima *ima = &trust->ima;
	struct bytes der = field(request, FIELD_PUBLIC_KEY);
	uint8_t *copy = copy_of(der);
	struct ima_key *keys =
		copy ? realloc(ima->keys, (ima->key_count + 1) * sizeof(*keys)) : NULL;

	if (!keys) {
		free(copy);
		return false;
	}
	ima->keys = keys;
	struct ima_key *key = &keys[ima->key_count++];
	*key = (struct ima_key){.der = copy, .size = der.size};
	act_set_text(key->id, sizeof(key->id), field(request, FIELD_ID));
	act_set_text(key->subject, sizeof(key->subject), field(request, FIELD_SUBJECT));
	return trust_ima_settle(ima, trust->revision + 1);
}

enum operation_outcome
act_check_ima_key_revoke(const struct trust *trust, struct bytes hex_id, struct act_change *change)
{
	const struct ima_key *key = trust_ima_key(&trust->ima, hex_id);

	if (!key)
		return act_refuse(change, OUTCOME_MISSING, "ima-key %.*s: there is none",
				  PRINT(hex_id));
	if (key->revoked)
		return act_refuse(change, OUTCOME_INVALID, "ima-key %.*s: revoked already",
				  PRINT(hex_id));
	snprintf(change->effect, ACT_TEXT_SIZE,
		 "ima-key %.*s is revoked: files that it signed count as unsigned.", PRINT(hex_id));
	return OUTCOME_OK;
}

bool
act_apply_ima_key_revoke(struct trust *trust, struct bytes hex_id)
{
	struct ima_key *key = trust_ima_key(&trust->ima, hex_id);

	if (!key)
		return false;
	key->revoked = true;
	return trust_ima_settle(&trust->ima, trust->revision + 1);
}

/* ---- allow-lists ---- */

enum operation_outcome
act_check_ima_allow_add(const struct trust *trust, const struct operation_request *request,
			struct act_change *change)
{
	struct bytes name = field(request, FIELD_NAME);
	size_t count = field(request, FIELD_DIGESTS).size / ATTEST_HASH_SIZE;
	size_t before = trust_ima_digests(&trust->ima);

	if (trust_ima_list(&trust->ima, name))
		return act_refuse(change, OUTCOME_INVALID,
				  "allow-list %.*s: is there already: end it first", PRINT(name));
	if (trust->ima.list_count >= TRUST_IMA_LISTS_MAX)
		return act_refuse(change, OUTCOME_INVALID, "more than %d allow-lists",
				  TRUST_IMA_LISTS_MAX);
	if (count > TRUST_IMA_DIGESTS_MAX - before)
		return act_refuse(change, OUTCOME_INVALID,
				  "more than %d digests in all allow-lists: %zu are there",
				  TRUST_IMA_DIGESTS_MAX, before);
	snprintf(change->effect, ACT_TEXT_SIZE, "The %zu files of allow-list %.*s count as listed.",
		 count, PRINT(name));
	return OUTCOME_OK;
}

bool
act_apply_ima_allow_add(struct trust *trust, const struct operation_request *request)
{
	struct trust_ima *ima = &trust->ima;
	struct bytes digests = field(request, FIELD_DIGESTS);
	uint8_t *copy = copy_of(digests);
	struct ima_list *lists =
		copy ? realloc(ima->lists, (ima->list_count + 1) * sizeof(*lists)) : NULL;

	if (!lists) {
		free(copy);
		return false;
	}
	ima->lists = lists;
	struct ima_list *list = &lists[ima->list_count++];
	*list = (struct ima_list){.digests = copy,
				  .count = digests.size / ATTEST_HASH_SIZE,
				  .revision = trust->revision + 1};
	act_set_text(list->name, sizeof(list->name), field(request, FIELD_NAME));
	act_set_text(list->operator_name, sizeof(list->operator_name), request->operator_name);
	return trust_ima_settle(ima, trust->revision + 1);
}

enum operation_outcome
act_check_ima_allow_end(const struct trust *trust, const struct operation_request *request,
			struct act_change *change)
{
	struct bytes name = field(request, FIELD_NAME);
	const struct ima_list *list = trust_ima_list(&trust->ima, name);

	if (!list)
		return act_refuse(change, OUTCOME_MISSING, "allow-list %.*s: there is none",
				  PRINT(name));
	snprintf(change->effect, ACT_TEXT_SIZE,
		 "The files of allow-list %.*s no longer count as listed by it.", PRINT(name));
	return OUTCOME_OK;
}

bool
act_apply_ima_allow_end(struct trust *trust, const struct operation_request *request)
{
	struct trust_ima *ima = &trust->ima;
	struct ima_list *list = trust_ima_list(ima, field(request, FIELD_NAME));

	if (!list)
		return false;
	free(list->digests);
	*list = ima->lists[--ima->list_count];
	return trust_ima_settle(ima, trust->revision + 1);
}
