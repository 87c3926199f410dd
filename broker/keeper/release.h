/* SPDX-License-Identifier: Apache-2.0 */
/* One release on its way through DESIGN's nine checks. Private to the release*.c files. */
#ifndef POSTERN_KEEPER_RELEASE_H
#define POSTERN_KEEPER_RELEASE_H

#include "audit.h"
#include "claims.h"
#include "keeper.h"
#include "records.h"

struct release {
	struct wire_release_request request;
	struct wanted wanted;
	uint8_t ak_name[AK_NAME_SIZE];
	uint8_t transcript[TRANSCRIPT_SIZE];
	int64_t now;	 /* Unix seconds: one for the whole release */
	uint64_t issued; /* the challenge, on the clock of challenges_now */
	bool consumed;	 /* the caller has proved itself, and the challenge is used up */
	bool examined;

	uint64_t trust_revision; /* that phase A read */
	struct machine *machine;
	struct machine_record record; /* phase A's snapshot */
	struct attest_quote quote;
	struct wire_appraisal appraisal;
	enum wire_ima ima;
	struct ima_rules *ima_rules;	  /* held */
	uint64_t ima_revision;		  /* of those */
	struct attest_ima_point ima_from; /* of a rest */
	enum attest_answer secure_boot;
	struct claims_record claims; /* of the appraisal, as the machine's record keeps them */
	uint8_t claims_memory[CLAIMS_KEPT_MAX];
	struct release_view view;
	struct release_facts facts;

	struct release_body body;
	uint64_t secret_revisions[WIRE_WANTED_MAX];
	bool moved; /* release_gather failed because a secret changed under it: try again */
	struct lease_record lease;
};

/* Quote and PCR values; suspends a machine whose TPM's clock went back. Shared lock held. */
enum wire_status release_check_quote(struct worker *worker, struct release *release);
/* Of the quote's clock against the newest accepted: equal or later, or earlier only because two
 * releases overtook each other. */
bool release_clock_fair(const struct worker *worker, const struct release *release,
			const struct machine_record *record, uint64_t accepted_at);

/* What the list will be compared with, and from where. Shared lock held. */
enum wire_status release_start_ima(struct worker *worker, struct release *release);
/* That part of the question to the appraiser. */
void release_ask_ima(const struct release *release, struct wire_examine_log *question);
/* A large list holds a worker for seconds, and one machine must not hold them all. True: it may be
 * examined, and release_leave_ima follows. */
#define RELEASE_LARGE_LISTS_MAX 2 /* of one machine at once */
__attribute__((warn_unused_result)) bool release_enter_ima(struct machine *machine);
void release_leave_ima(struct machine *machine);
/* Puts what was proved into view and claims. False: the appraiser's answer cannot be. */
__attribute__((warn_unused_result)) bool release_take_ima(struct release *release);
/* The furthest that is known of this boot, by these rules: of a release that leaves, for nobody
 * else is told how far that is. Machine's mutex held. */
void release_remember_ima(const struct release *release);
void release_check_ima(struct worker *worker, const struct release *release);

/* Reads all values and fills body and lease. Shared lock held. */
enum wire_status release_gather(struct worker *worker, struct release *release);
/* Encodes and seals the body into worker->sealed: a wire_release_answer. */
enum wire_status release_seal(struct worker *worker, struct release *release,
			      struct bytes *ret_payload);

enum release_commit {
	RELEASE_COMMITTED,
	RELEASE_AGAIN,
	RELEASE_STALE,
	RELEASE_SUSPENDED,
	RELEASE_BROKEN
};
/* Lease, machine and audit entry, durable, conditional on what was read. Shared lock held. */
enum release_commit release_commit(struct worker *worker, struct release *release);
/* The audit entry of this release, in worker->entry. */
void release_entry(struct worker *worker, const struct release *release, bool released);

#endif
