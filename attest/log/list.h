/* SPDX-License-Identifier: Apache-2.0 */
/* Values that a witness gathers, for a claim of all of them: one too many, and there is no claim.
 */
#ifndef POSTERN_ATTEST_LOG_LIST_H
#define POSTERN_ATTEST_LOG_LIST_H

#include "attest/claims.h"

#define LIST_MAX 512 /* the longest real one has 60 */

struct list { /* all zeros: empty */
	size_t count;
	bool broken; /* something did not fit, or could not be read */
	struct bytes values[LIST_MAX];
};

static inline void
list_add(struct list *list, struct bytes value)
{
	if (list->count == LIST_MAX || value.size == 0)
		list->broken = true;
	else
		list->values[list->count++] = value;
}

/* A list that is empty says that nothing was measured, which a policy of the kind "all of these are
 * among those I know" would take for good: it is no claim. */
static inline void
list_claim(const struct list *list, struct attest_claims *claims, enum attest_claim_id id)
{
	if (!list->broken && list->count > 0)
		attest_claim_values(claims, id, list->values, list->count);
}

#endif
