/* SPDX-License-Identifier: Apache-2.0 */
/* What validation of a set keeps from one policy to the next. */
#ifndef POLICY_VALIDATE_H
#define POLICY_VALIDATE_H

#include "typecheck.h"

/* An action; those with equal contexts stand together and have one number. */
struct ordered_action {
	const struct schema_action *action;
	size_t context;
};

/* What holds for all policies of a set. */
struct course {
	struct ordered_action *actions;
	/* By pair of types: when it was last checked. NULL: too many to keep. */
	uint32_t *seen;
	uint32_t now; /* changes with the policy, and with the context where that matters */
};

/* ---- validate_policy.c ---- */

/* Tells what is found of a policy, template or link. */
void validate_policy(struct checker *checker, const struct policy *policy, struct course *course);

#endif
