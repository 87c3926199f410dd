/* SPDX-License-Identifier: Apache-2.0 */
/* What operators have done to the store as a whole. */
#include "operations.h"

#include "store/upkeep.h"

/* Exclusive lock held. Its audit entry follows, durable before the answer where the disk takes one;
 * where it does not, the keeper seals all the same: who fills a disk must not keep it open. */
enum operation_outcome
operation_seal(struct worker *worker, struct operation_call *call)
{
	struct json *json = operation_text(worker);

	(void)call;
	out_text(json, "effect", "Sealed: the broker answers its status and nothing else.");
	out_object_end(json);
	worker->last_word = true;
	return OUTCOME_OK;
}

enum operation_outcome
operation_rotate(struct worker *worker, struct operation_call *call)
{
	struct store_rotation rotation;
	struct store_error err;

	(void)call;
	enum store_status status = store_rotate(worker->keeper->store, &err);
	if (status == STORE_UNSURE)
		keeper_give_up(worker->keeper, err.message);
	if (status != STORE_OK)
		return operation_error(worker,
				       status == STORE_LIMIT ? OUTCOME_INVALID : OUTCOME_FAILED,
				       "%s", err.message);
	store_rotation(worker->keeper->store, &rotation);
	struct json *json = operation_text(worker);
	out_number(json, "generation", rotation.generation);
	out_text(json, "effect",
		 "New records are under a new data key; older ones follow in the background.");
	out_object_end(json);
	return OUTCOME_OK;
}
