/* SPDX-License-Identifier: Apache-2.0 */
/* Operators' requests: one call, from its frame to its signed answer. operations.c has the table of
 * operations. */
#ifndef POSTERN_KEEPER_OPERATIONS_H
#define POSTERN_KEEPER_OPERATIONS_H

#include "acts.h"
#include "audit.h"
#include "keeper.h"
#include "records.h"

#define OPERATION_SUBJECT_SIZE (320 + OPERATION_VERSIONS_MAX * 11) /* with versions of a secret */
#define OPERATION_DETAIL_SIZE  128
#define OPERATION_COUNT_MAX    1000 /* items of one answer, where a count is asked for or none is */
#define OPERATION_TEXT_MAX     (OPERATION_ANSWER_MAX - 4096)

struct operation_call {
	struct wire_operator_request wire;
	struct operation_request request;
	const struct operation_info *info;
	const struct operator_record *signer;
	struct operator_view view;	      /* what policy decides */
	char subject[OPERATION_SUBJECT_SIZE]; /* the resource in words: audit */
	char detail[OPERATION_DETAIL_SIZE];   /* what it sets, in words: audit; empty: nothing */
	char resource_id[2 * 64 + 8];
	struct machine *machine; /* that the request is about; NULL: none, or unknown */
	int64_t now;
	bool audited; /* the operation's own commit held the audit entry */
	bool moved;   /* what it read was changed before it committed: it may be run again */
};

/* What policy is asked about. */
enum resource {
	RESOURCE_BROKER,
	RESOURCE_FOLDER, /* of FIELD_PATH, or the broker where that is empty */
	RESOURCE_SECRET,
	RESOURCE_MACHINE,
	RESOURCE_NEW_MACHINE, /* by FIELD_EK_ID, and each of its groups */
	RESOURCE_GROUPS,      /* each group that is joined or left */
	RESOURCE_BASELINE,
	RESOURCE_POLICY,
	RESOURCE_OPERATOR, /* and each of its roles */
	RESOURCE_ANCHOR,
	RESOURCE_CRL,
	RESOURCE_IMA_KEY,
	RESOURCE_IMA_ALLOW,
	RESOURCE_REVOKED, /* by FIELD_KIND */
};

/* Fills in the call's view, subject and machine. Lock held. */
void operation_resolve(const struct trust *trust, enum resource resource,
		       struct operation_call *call);
/* Whether policy lets the operator do it; `ret_why` says what decided. Lock held. */
bool operation_allowed(struct worker *worker, const struct operation_call *call,
		       enum resource resource, char ret_why[FACTS_WHY_SIZE]);

/* Each writes worker->text, an object, and answers how it went. The lock is held: shared, or
 * exclusive for acts. */
typedef enum operation_outcome operation_run(struct worker *worker, struct operation_call *call);
operation_run operation_status;
operation_run operation_secret_list;
operation_run operation_secret_show;
operation_run operation_machine_list;
operation_run operation_machine_show;
operation_run operation_baseline_list;
operation_run operation_policy_show;
operation_run operation_policy_check;
operation_run operation_operator_list;
operation_run operation_anchor_list;
operation_run operation_explain;
operation_run operation_audit_read;
operation_run operation_act_read;
operation_run operation_ima_key_list;
operation_run operation_ima_allow_list;
operation_run operation_crl_list;
operation_run operation_secret_put;
operation_run operation_secret_delete;
operation_run operation_secret_undelete;
operation_run operation_secret_destroy;
operation_run operation_secret_settings;
operation_run operation_secret_remove;
operation_run operation_seal;
operation_run operation_rotate;
operation_run operation_act;

/* Begins the answer anew: {. The caller ends it. */
struct json *operation_text(struct worker *worker);
/* {"errors":["..."]} */
enum operation_outcome operation_error(struct worker *worker, enum operation_outcome outcome,
				       const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The audit entry of a call, in worker->entry. */
void operation_entry(struct worker *worker, const struct operation_call *call,
		     enum operation_outcome outcome, uint64_t trust_revision);
/* What is kept of a machine's newest claims, read into worker->record; empty where there are none.
 * False: the store cannot be read. */
__attribute__((warn_unused_result)) bool operation_claims(struct worker *worker, const char *id,
							  const struct machine_record *machine,
							  struct claims_record *ret_claims);
/* FIELD_COUNT, at most OPERATION_COUNT_MAX and at least 1. */
size_t operation_count(const struct operation_call *call, size_t absent);

#endif
