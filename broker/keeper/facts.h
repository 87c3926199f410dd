/* SPDX-License-Identifier: Apache-2.0 */
/* What policy sees: PROTOCOL.md, "What policy sees". Any failure of evaluation denies. */
#ifndef POSTERN_KEEPER_FACTS_H
#define POSTERN_KEEPER_FACTS_H

#include "trust.h"

#define FACTS_WHY_SIZE	    320
#define FACTS_BASELINES_MAX 64 /* that match one machine at once; more deny */

/* The layer below all requests: the schema's actions and their groups. It never changes. NULL: no
 * memory. */
struct policy_facts *facts_actions_new(const struct policy_schema *schema);

struct release_view {
	const struct machine *machine;
	const struct machine_record *record; /* for its endorsement */
	int64_t now;
	const struct baseline *baselines[FACTS_BASELINES_MAX]; /* those that match */
	size_t baseline_count;
	enum log_state log;
	enum ima_state ima;
	struct bytes claims; /* valid by attest_claims_valid */
	uint64_t named;	     /* facts_claims_named of all sets that will decide */
};
/* Which claims' names occur in a set: a bit per row of attest/claims.h's table. */
uint64_t facts_claims_named(const struct policy_set *set);
bool facts_claim_is_named(uint64_t named, uint8_t id);
/* False: more match than FACTS_BASELINES_MAX. */
__attribute__((warn_unused_result)) bool
facts_match_baselines(const struct trust *trust, const uint8_t *pcrs, struct release_view *view);

struct operator_view {
	const struct operator_record *signer;
	int64_t now;
	const char *action;
	const char *resource_type;
	struct bytes resource_id;
	const struct machine *machine; /* where the resource is one that is known; else NULL */
};

/* context.claims; facts_claims.c. */
const struct policy_value *facts_claims(struct policy_facts *facts,
					const struct release_view *view);

/* What all decisions of one release have in common. */
struct release_facts {
	const struct policy_value *machine;
	const struct policy_value *context;
};
/* Built once, in `common`, a layer on facts_actions_new's, which is cleared before. Failures show
 * in each decision. */
void facts_release_start(struct policy_facts *common, const struct release_view *view,
			 struct release_facts *ret_facts);
/* `trust` (may be NULL) is for the names of policies in `ret_why`, which tells what decided.
 * `facts` is a layer on the common one and is cleared. */
bool facts_release_allowed(const struct policy_set *set, const struct trust *trust,
			   struct policy_facts *facts, const struct release_facts *common,
			   struct bytes path, char ret_why[FACTS_WHY_SIZE]);
bool facts_operator_allowed(const struct policy_set *set, const struct trust *trust,
			    struct policy_facts *facts, const struct operator_view *view,
			    char ret_why[FACTS_WHY_SIZE]);

static inline void
policy_facts_free_at(struct policy_facts **facts)
{
	policy_facts_free(*facts);
}
#define auto_facts __attribute__((cleanup(policy_facts_free_at))) struct policy_facts

static inline void
policy_set_free_at(struct policy_set **set)
{
	policy_set_free(*set);
}
#define auto_policy_set __attribute__((cleanup(policy_set_free_at))) struct policy_set

#endif
