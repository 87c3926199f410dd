/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is trusted with what: the fold of the acts, and beside it the machines that have enrolled.
 * Guarded by the keeper's lock: shared for reading, exclusive for acts.c and for adding a machine.
 */
#ifndef POSTERN_KEEPER_TRUST_H
#define POSTERN_KEEPER_TRUST_H

#include "crls.h"
#include "ima_rules.h"
#include "index.h"
#include "machine.h"
#include "policy/schema.h"

#define TRUST_BASELINES_MAX 4096
#define TRUST_POLICIES_MAX  1024
#define TRUST_OPERATORS_MAX 1024
#define TRUST_REVOKED_MAX   (1024 * 1024)
#define TRUST_MACHINES_MAX  (256 * 1024)
#define TRUST_SUBJECT_SIZE  256

struct baseline {
	char name[NAME_SIZE];
	struct pcr_values pcrs;
	int64_t from;
	int64_t until; /* exclusive; INT64_MAX: none */
	bool revoked;
};

struct operator_record {
	char name[NAME_SIZE];
	uint8_t key[32];
	struct name_list roles; /* pointing into role_names */
	char role_names[OPERATION_LIST_MAX][NAME_SIZE];
	bool ended;
};

struct anchor {
	char id[65]; /* hex of its SubjectPublicKeyInfo's SHA-256 */
	char subject[TRUST_SUBJECT_SIZE];
	uint8_t *certificate;
	size_t certificate_size;
};

struct policy_source {
	char name[NAME_SIZE];
	char operator_name[NAME_SIZE];
	uint64_t revision;
	char *text;
	size_t size;
	size_t policy_count;
};

/* The newest act that allows a new root key. */
struct trust_rekey {
	uint64_t revision; /* 0: there was none */
	uint8_t count;	   /* of shares; 0: none */
	uint8_t threshold;
	const struct operator_record *signer; /* allows nothing any more once he has ended */
};

/* Ids that stay revoked: a set of short byte strings. */
struct revoked {
	struct index index;
};

struct trust {
	uint64_t revision;
	uint8_t head[32];	 /* SHA-256 of the newest act's record */
	uint64_t store_revision; /* of the record `trust` */

	struct machine **machines;
	size_t machine_count;
	size_t machine_capacity;
	struct index by_id;
	struct index by_name;
	struct index by_ak; /* of enrolled machines */
	size_t pending;	    /* enrolled, and in no act */

	struct baseline *baselines;
	size_t baseline_count;
	struct operator_record **operators;
	size_t operator_count;
	struct anchor *anchors;
	size_t anchor_count;
	struct policy_source *policies;
	size_t policy_count;
	struct policy_set *set;	      /* all of policies, parsed as one text */
	/* What new policies are held against; NULL while acts of the past are folded, for what was
	 * good once is good again, whatever the schema has become. */
	const struct policy_schema *schema;
	uint64_t named_claims;	      /* facts_claims_named of it */
	struct trust_ima ima;	      /* what IMA lists are compared with */
	struct trust_rekey rekey;
	struct trust_crls crls;	      /* whom CAs have revoked, for enrolments */
	struct revoked revoked_cas;   /* ids of 32 bytes */
	struct revoked revoked_eks;   /* ids of 32 bytes */
	struct revoked revoked_aks;   /* AK names */
	struct revoked revoked_links; /* certificates, by CRLs: attest_crl_revoked */
};

void trust_start(struct trust *trust);
void trust_clear(struct trust *trust);

struct machine *trust_machine(const struct trust *trust, struct bytes id);
/* By id or by name. */
struct machine *trust_machine_named(const struct trust *trust, struct bytes text);
struct machine *trust_machine_by_ak(const struct trust *trust, struct bytes ak_name);
/* NULL: no memory, or TRUST_MACHINES_MAX. */
struct machine *trust_machine_add(struct trust *trust, const char *id);
__attribute__((warn_unused_result)) bool
trust_machine_name(struct trust *trust, struct machine *machine, struct bytes name);
/* Puts a machine's record in; false where it contradicts what acts say of it (another EK or AK), or
 * there is no memory. */
__attribute__((warn_unused_result)) bool trust_machine_enrol(struct trust *trust,
							     struct machine *machine,
							     const struct machine_record *record);
/* What an act makes of it; keeps count of those that are pending. */
void trust_machine_stand(struct trust *trust, struct machine *machine, enum standing standing);

bool trust_revoked(const struct revoked *revoked, struct bytes id);
__attribute__((warn_unused_result)) bool trust_revoke(struct revoked *revoked, struct bytes id);

enum machine_state {
	MACHINE_REGISTERED = 0, /* by an act, and not yet enrolled */
	MACHINE_PENDING,
	MACHINE_ADMITTED,
	MACHINE_SUSPENDED,
	MACHINE_REVOKED,
};
const char *machine_state_text(enum machine_state state);
/* `record` is a snapshot of the machine's, NULL where it has not enrolled. `ret_why` (may be NULL)
 * says why it is suspended or revoked, "" else. */
enum machine_state trust_machine_state(const struct trust *trust, const struct machine *machine,
				       const struct machine_record *record, const char **ret_why);

enum baseline_state { BASELINE_ACTIVE, BASELINE_FUTURE, BASELINE_ENDED, BASELINE_REVOKED };
enum baseline_state baseline_state(const struct baseline *baseline, int64_t now);
bool baseline_matches(const struct baseline *baseline, const uint8_t *pcrs);
/* How many of its PCRs differ. `pcrs` is WIRE_PCRS_SIZE bytes, here and where baselines are
 * matched. */
unsigned baseline_distance(const struct baseline *baseline, const uint8_t *pcrs);
struct baseline *trust_baseline(const struct trust *trust, struct bytes name);
struct operator_record *trust_operator(const struct trust *trust, struct bytes name);
struct anchor *trust_anchor(const struct trust *trust, struct bytes hex_id);
struct policy_source *trust_policy(const struct trust *trust, struct bytes name);

#endif
