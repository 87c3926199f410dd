/* SPDX-License-Identifier: Apache-2.0 */
/* A secret under an operator's hands: its record as it was read and as it is to be. Private to the
 * operations on secrets, and to the release, which reads the same record. */
#ifndef POSTERN_KEEPER_SECRETS_H
#define POSTERN_KEEPER_SECRETS_H

#include "operations.h"

#define PRINT(text) (int)(text).size, (const char *)(text).data

/* What `ret_record` points to lies in worker->record, which grows for a large one. Missing:
 * STORE_MISSING; one that does not parse: STORE_TAMPERED. */
__attribute__((warn_unused_result)) enum store_status
secret_load(struct worker *worker, struct bytes path, struct secret_record *ret_record,
	    uint64_t *ret_revision, struct store_error *err);

struct secret_edit {
	struct bytes path;
	uint64_t revision; /* of the record as it was read; 0: there was none */
	struct secret_record record;
};

/* The secret that the request names; where there is none a new record, or OUTCOME_MISSING if it
 * `must` be there. Whatever is not OUTCOME_OK has been said in worker->text: also below. */
enum operation_outcome secret_open(struct worker *worker, const struct operation_call *call,
				   bool must, struct secret_edit *ret_edit);
/* FIELD_CAS against the newest version; absent or UINT64_MAX: no check. */
enum operation_outcome secret_check(struct worker *worker, const struct operation_call *call,
				    const struct secret_edit *edit);
/* "Secret::db/prod@1,3-5": what the audit entry is about. */
void secret_name_versions(struct operation_call *call, const struct version_list *list);
void secret_drop_value(struct store_batch *batch, struct bytes path, uint32_t version);

/* Puts the record into the batch. */
__attribute__((warn_unused_result)) bool
secret_put_record(struct worker *worker, struct store_batch *batch, const struct secret_edit *edit);
/* One commit with the audit entry, conditional on the secret as it was read and on who is trusted.
 */
enum operation_outcome secret_commit(struct worker *worker, struct operation_call *call,
				     struct store_batch *batch, const struct secret_edit *edit);

/* "settings" and "custom" of an answer. */
void secret_out_settings(struct json *json, const struct secret_record *record);
/* Unix seconds, or null. */
void secret_out_deletion(struct json *json, const struct secret_version *version);

#endif
