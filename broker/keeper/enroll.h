/* SPDX-License-Identifier: Apache-2.0 */
/* The second step of an enrolment on its way. Private to enroll.c, which proves, and
 * enroll_record.c, which decides and records. */
#ifndef POSTERN_KEEPER_ENROLL_H
#define POSTERN_KEEPER_ENROLL_H

#include "audit.h"
#include "keeper.h"
#include "records.h"

struct enrolment {
	struct wire_activate_request request;
	struct attest_ek *ek;
	struct attest_ak *ak;
	uint8_t ek_id[ATTEST_HASH_SIZE];
	char id[MACHINE_ID_SIZE];
	int64_t now;
	uint8_t transcript[TRANSCRIPT_SIZE];
	struct attest_quote quote;
	struct wire_examine_enrolment examine;
	struct crl_bytes *crls[ATTEST_CRLS_MAX]; /* held: those that `examine` points at */
	struct wire_appraisal appraisal;
	bool proved; /* the caller is the TPM that it says it is */
	bool admitted;
};

static inline struct bytes
name_bytes(const struct attest_name *name)
{
	return (struct bytes){name->bytes, name->size};
}

/* Decides on a TPM that has proved itself, with an appraiser if it is a new one, and records it. No
 * lock held. */
enum wire_status enrolment_record(struct worker *worker, struct enrolment *enrolment);
/* The audit entry of an enrolment, in worker->entry. Lock held. */
void enrolment_entry(struct worker *worker, const struct enrolment *enrolment,
		     const struct machine *machine, const char *outcome);

#endif
