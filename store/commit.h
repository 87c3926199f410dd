/* SPDX-License-Identifier: Apache-2.0 */
/* What joins a group beside batches, and the set of writes that a group becomes. */
#ifndef POSTERN_STORE_COMMIT_H
#define POSTERN_STORE_COMMIT_H

#include "state.h"

/* ---- commit.c ---- */

/* What a ticket may ask for beside a batch. */
enum keyring_wish { WISH_ROOT_KEY, WISH_GENERATION, WISH_RETIREMENT };
struct keyring_order {
	enum keyring_wish wish;
	const struct secret *root_key; /* WISH_ROOT_KEY */
	struct store_bytes note;
	uint32_t oldest; /* WISH_RETIREMENT */
};
/* The leader asks: what the keys will be. */
__attribute__((warn_unused_result)) enum store_status
store_keyring_carry_out(const struct keyring *keyring, const struct keyring_order *order,
			struct keyring_change *ret_change, struct store_error *err);
__attribute__((warn_unused_result)) enum store_status
store_commit_keyring(struct store *store, const struct keyring_order *order,
		     struct store_error *err);

/* Records to re-seal, by their names in the backend. */
struct reseal_order {
	char (*names)[BACKEND_KEY_MAX + 1];
	size_t count;
	size_t done;		/* the first so many are under the newest key, or gone */
	struct secret *scratch; /* where they are opened; grows */
};
__attribute__((warn_unused_result)) enum store_status
store_commit_reseal(struct store *store, struct reseal_order *order, struct store_error *err);

/* ---- plan.c ---- */

/* What one group will write, with what has changed by it so far. */
struct plan {
	struct store *store;
	const struct view *view; /* NULL while a store is founded */
	struct head head;	 /* as it will be */
	struct backend_write *writes;
	size_t count;
	size_t capacity;
	uint32_t *table; /* by hash: index + 1 of the newest write of a record; 0 is free */
	size_t table_size;
	struct slot_list erasing; /* by this plan */
};

void store_plan_clear(struct plan *plan);
#define auto_plan __attribute__((cleanup(store_plan_clear))) struct plan
/* Adds the batch, whole or not at all. STORE_CONFLICT if an expectation does not hold. */
__attribute__((warn_unused_result)) enum store_status
store_plan_add_batch(struct plan *plan, struct store_batch *batch, struct store_error *err);
/* Header and wrapped keys. The change is given its revision and slot, which must be ready. */
__attribute__((warn_unused_result)) enum store_status
store_plan_add_keyring(struct plan *plan, struct keyring_change *change, struct store_error *err);
/* The record as it stands, under the newest data key; nothing if it is so already, or gone. */
__attribute__((warn_unused_result)) enum store_status
store_plan_add_reseal(struct plan *plan, const char *key, struct secret **scratch,
		      struct store_error *err);
/* Last: what has been erased is forgotten, and the head. */
__attribute__((warn_unused_result)) enum store_status store_plan_add_head(struct plan *plan,
									  struct store_error *err);

#endif
