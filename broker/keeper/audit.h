/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit entries: JSON, appended in the same commit as what they record, before the answer leaves.
 * Never a secret's value, and never bytes from outside that did not pass their form.
 */
#ifndef POSTERN_KEEPER_AUDIT_H
#define POSTERN_KEEPER_AUDIT_H

#include "keeper.h"

#define AUDIT_ENTRY_MAX (128 * 1024)
#define AUDIT_UNPROVED_PER_MINUTE                                                                  \
	60 /* entries for one machine from callers that proved nothing; more are counted */
/* Entries about TPMs that have proved themselves and are in no act, all together: anyone can make
 * a TPM. */
#define AUDIT_STRANGERS_PER_MINUTE 120
#define AUDIT_UNKNOWN_SECONDS	   60

/* The checks of the entry to come: started once, added in order. */
void audit_checks_start(struct worker *worker);
void audit_check(struct worker *worker, const char *check, bool good, const char *expected,
		 const char *seen);

/* {"time","kind",...: the caller adds members and calls audit_end, which adds checks where
 * `checks`, and the trust revision. */
struct json *audit_begin(struct worker *worker, const char *kind, int64_t now);
void audit_machine(struct worker *worker, const struct machine *machine, struct bytes peer);
void audit_end(struct worker *worker, bool checks, uint64_t trust_revision);
/* Puts the entry into a batch; false: it did not fit. `tag`: the machine's id; NULL: of none. */
__attribute__((warn_unused_result)) bool audit_append(struct worker *worker,
						      struct store_batch *batch, const char *tag);
/* As a batch of its own. */
__attribute__((warn_unused_result)) bool audit_write(struct worker *worker, const char *tag);

/* Whether one more entry for a caller that proved nothing is due; else it only counts. */
bool audit_unproved(struct worker *worker, struct machine *machine);
/* Whether one more entry about a stranger is due. */
bool audit_stranger(struct worker *worker);
/* {"kind":"start"} and {"kind":"stop"}. */
bool audit_daemon(struct worker *worker, const char *kind);
/* If a minute brought unknown callers: {"kind":"unknown","count":n}. */
void audit_unknown_callers(struct worker *worker);

/* The newest signed statement of the log's head: signed again when the head has moved, and at most
 * once a second unless `at_once`. */
void checkpoint_newest(struct keeper *keeper, bool at_once, struct checkpoint *ret_checkpoint);

#endif
