/* SPDX-License-Identifier: Apache-2.0 */
/* Readings of what IMA lists are compared with. */
#include "operations.h"

#include <sodium.h>

enum operation_outcome
operation_ima_key_list(struct worker *worker, struct operation_call *call)
{
	const struct trust_ima *ima = &worker->keeper->trust.ima;
	struct json *json = operation_text(worker);

	(void)call;
	out_array(json, "keys");
	for (size_t i = 0; i < ima->key_count; i++) {
		const struct ima_key *key = &ima->keys[i];
		out_object(json, NULL);
		out_text(json, "id", key->id);
		out_text(json, "subject", key->subject);
		out_text(json, "state", key->revoked ? "revoked" : "active");
		out_object_end(json);
	}
	out_array_end(json);
	out_object_end(json);
	return OUTCOME_OK;
}

enum operation_outcome
operation_ima_allow_list(struct worker *worker, struct operation_call *call)
{
	const struct trust_ima *ima = &worker->keeper->trust.ima;
	struct json *json = operation_text(worker);

	(void)call;
	out_array(json, "lists");
	for (size_t i = 0; i < ima->list_count; i++) {
		const struct ima_list *list = &ima->lists[i];
		uint8_t hash[crypto_hash_sha256_BYTES];
		crypto_hash_sha256(hash, list->digests, list->count * ATTEST_HASH_SIZE);
		out_object(json, NULL);
		out_text(json, "name", list->name);
		out_number(json, "digests", list->count);
		out_hex(json, "sha256", BYTES_OF(hash));
		out_text(json, "operator", list->operator_name);
		out_number(json, "revision", list->revision);
		out_object_end(json);
	}
	out_array_end(json);
	out_number(json, "most", TRUST_IMA_DIGESTS_MAX);
	out_object_end(json);
	return OUTCOME_OK;
}
