/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which records there are, at which revisions, in 32 bytes of the sealed head. A seal proves that a
 * record once was what it is; only this proves that it still is, and that none is gone. A record
 * contributes a pseudorandom value, and contributions are added by XOR, so that a commit costs what
 * it changes and not what the store holds. Whoever has the file knows neither the key nor the sum.
 */
#include "bytes.h"
#include "state.h"

#include <string.h>

#define SET_LABEL "postern/store/set/v2" /* with its NUL */

/* FORMAT.md: BLAKE2b-256 over label || size of key:u16 || key || revision:u64 || slot:u64. The slot
 * is there because deleting a record erases the one that it names. */
static void
contribution_of(const struct keyring *keyring, const char *key, struct standing standing,
		uint8_t ret_contribution[DIGEST_SIZE])
{
	uint8_t input[sizeof SET_LABEL + 2 + BACKEND_KEY_MAX + 8 + 8];
	size_t key_size = strnlen(key, BACKEND_KEY_MAX);
	uint8_t *at = input + sizeof SET_LABEL;

	memcpy(input, SET_LABEL, sizeof SET_LABEL);
	at[0] = (uint8_t)(key_size >> 8);
	at[1] = (uint8_t)key_size;
	memcpy(at + 2, key, key_size);
	put_be64(at + 2 + key_size, standing.revision);
	put_be64(at + 2 + key_size + 8, standing.slot);
	crypto_generichash(ret_contribution, DIGEST_SIZE, input,
			   sizeof SET_LABEL + 2 + key_size + 8 + 8, keyring->keys->set, KEY_SIZE);
}

struct standing
store_standing_of(const struct backend_record *record)
{
	bool sealed = record->body.size >= BODY_OVERHEAD;

	return (struct standing){record->revision,
				 sealed ? store_body_place(record).slot : SLOT_NONE};
}

void
store_digest_turn(const struct keyring *keyring, const char *key, struct standing standing,
		  uint8_t digest[DIGEST_SIZE])
{
	uint8_t contribution[DIGEST_SIZE];

	if (standing.revision == 0)
		return;
	contribution_of(keyring, key, standing, contribution);
	for (size_t i = 0; i < DIGEST_SIZE; i++)
		digest[i] ^= contribution[i];
}

/* No record is newer than the head, which is written last. Where one is, an older head was put
 * back, to go with a log that was cut. The digest would tell as well, but not which record. */
enum store_status
store_digest_check(const struct view *view, const struct keyring *keyring, struct head *head,
		   struct store_error *err)
{
	char name[BACKEND_KEY_MAX + 1];
	const char *from = NULL;
	struct backend_record record;
	uint8_t digest[DIGEST_SIZE] = {0};
	uint64_t records = 0;
	enum store_status status;

	for (;;) {
		status = view->backend->class->next(view->at, RECORD_PREFIX, from, BACKEND_FORWARD,
						    name, &record, err);
		if (status != STORE_OK)
			break;
		if (record.revision == 0 || record.revision > head->revision)
			return store_fail(err, STORE_TAMPERED,
					  "%s: revision %llu, which the store has not given out",
					  name, (unsigned long long)record.revision);
		store_digest_turn(keyring, name, store_standing_of(&record), digest);
		records++;
		from = name;
	}
	if (status != STORE_MISSING)
		return status;
	if (sodium_memcmp(digest, head->digest, DIGEST_SIZE) != 0)
		return store_fail(err, STORE_TAMPERED,
				  "a record was put back, added or removed outside of the store, "
				  "which cannot tell the one: put back a whole backup");
	head->records = records;
	return STORE_OK;
}
