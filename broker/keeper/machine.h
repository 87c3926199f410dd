/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machines: what acts say of one (trust.c folds it) and what the keeper recorded of it
 * (`machine/<id>`).
 *
 * record = 3:u8 || last_seen:u64 || clock_known:u8 || reset:u32 || restart:u32 || clock:u64 ||
 * pcrs:512 || log:u8 || ima:u8 || secure_boot:u8 || claims:32 || suspended:u8 || lp(reason) ||
 * lp(fixed)
 * claims = SHA-256 of the newest quote's (claims.h has their record); zeros: none
 * fixed  =
 * first_seen:u64 || u16-sized ek_public || u16-sized ak_public || u16-sized ek_name || u16-sized
 * ak_name || ek_id:32 || lp(ek_kind) || endorsement || lp(manufacturer) || lp(model) || lp(version)
 * || endorsement (the cloud's) || 0:u8 || or 1:u8 || lp(zone) || lp(project) || project_number:u64
 * || number:u64 || lp(name)
 * endorsement = verdict:u8 || count:u8 || ca_id:32 * count || count:u8 || link:32 * count ||
 * lp(problem)
 */
#ifndef POSTERN_KEEPER_MACHINE_H
#define POSTERN_KEEPER_MACHINE_H

#include "wire/operation.h"

#include <pthread.h>

#define MACHINE_ID_SIZE	    19 /* "m-", 16 hex digits, NUL */
#define NAME_SIZE	    65 /* name_valid's longest and NUL */
#define MACHINE_RECORD_MAX  8192
#define MACHINE_REASON_SIZE 120
#define MACHINE_TEXT_MAX    256 /* bytes of one text of the endorsement */

/* What the newest event log said. */
enum log_state { LOG_ABSENT = 0, LOG_REFUSED, LOG_UNEXPLAINED, LOG_REPLAYS };
const char *log_state_text(enum log_state state);

/* What the newest IMA list was: nothing was sent, it did not lead to PCR 10, or it did. */
enum ima_state { IMA_ABSENT = 0, IMA_REFUSED, IMA_VERIFIED };
const char *ima_state_text(enum ima_state state);

/* What a path of certificates came to, from the EK's or from that of a cloud's AK. */
struct machine_endorsement {
	enum wire_verdict verdict;
	uint8_t ca_count;
	struct bytes ca_ids; /* ca_count * 32 */
	uint8_t link_count;
	struct bytes links;   /* link_count * 32: what CRLs revoke (attest_crl_revoked) */
	struct bytes problem; /* where it was refused */
};

/* Which machine of a cloud it is, as the certificate of the cloud's AK has it. */
struct machine_instance {
	bool known;
	struct bytes zone;
	struct bytes project;
	uint64_t project_number;
	uint64_t number;
	struct bytes name;
};

/* What enrolment proved; texts and keys point into `encoded`. */
struct machine_fixed {
	int64_t first_seen;
	struct bytes ek_public;
	struct bytes ak_public;
	struct bytes ek_name;
	struct bytes ak_name;
	struct bytes ek_id;
	struct bytes ek_kind;
	struct machine_endorsement endorsement; /* of the EK's certificate */
	struct bytes manufacturer;
	struct bytes model;
	struct bytes version;
	struct machine_endorsement cloud; /* of the AK that a cloud certified */
	struct machine_instance instance;
};
/* The CAs above the EK and above the cloud's AK, one after the other, and the links of both paths.
 * False: there are no more. */
bool machine_ca(const struct machine_fixed *fixed, size_t index, struct bytes *ret_id);
bool machine_link(const struct machine_fixed *fixed, size_t index, struct bytes *ret_link);
/* The CA that is trusted without another above it: empty where nothing was verified. */
struct bytes machine_anchor(const struct machine_endorsement *endorsement);
struct json;
/* As members. */
void out_machine_instance(struct json *json, const struct machine_instance *instance);

struct machine_record {
	int64_t last_seen;
	bool clock_known; /* not after an operator's readmission */
	struct attest_clock clock;
	uint8_t pcrs[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE];
	enum log_state log;
	enum ima_state ima;
	enum attest_answer secure_boot;
	uint8_t claims[ATTEST_HASH_SIZE];
	bool suspended; /* by the keeper itself */
	char reason[MACHINE_REASON_SIZE];
	struct bytes encoded; /* the fixed part */
	struct machine_fixed fixed;
};
void machine_fixed_write(struct writer *w, const struct machine_fixed *fixed);
void machine_record_write(struct writer *w, const struct machine_record *record);
/* Points into `encoded`. */
__attribute__((warn_unused_result)) bool machine_record_read(struct bytes encoded,
							     struct machine_record *ret_record);

/* What acts say. A machine without an act is pending, once it has enrolled. */
enum standing { STANDING_NONE = 0, STANDING_ADMITTED, STANDING_SUSPENDED, STANDING_REVOKED };

/* Of audit entries in a minute: audit.c. */
struct allowance {
	uint64_t since;
	unsigned used;
};

struct machine {
	/* By acts; changed under the exclusive lock alone. */
	char id[MACHINE_ID_SIZE];
	char name[NAME_SIZE]; /* empty: none */
	enum standing standing;
	bool ek_known;
	uint8_t ek_id[ATTEST_HASH_SIZE]; /* by the act that registered it */
	struct attest_name
		ak_name; /* by the act that admitted it; size 0: whichever it enrolled with */
	uint16_t group_count;
	char (*groups)[NAME_SIZE];
	char reason[OPERATION_REASON_MAX + 1]; /* the operator's, for a suspension */

	/* By enrolment; set once, under the exclusive lock. */
	bool enrolled;
	uint8_t *fixed_memory;
	struct attest_ak *ak; /* decoded at its first use, under the mutex: decoding costs more than
				 verifying */

	/* Under the mutex: the moving part of the record, and when its clock was accepted
	 * (challenges_now; 0: before this start). */
	pthread_mutex_t mutex;
	struct machine_record record;
	uint64_t accepted_at;
	struct machine_ima
		*ima;	      /* how far its IMA list is known: release_ima.c; NULL: not at all */
	unsigned large_lists; /* IMA lists that appraisers of their own examine now */
	struct allowance unproved; /* denials whose caller proved nothing */
};
struct machine *machine_new(const char *id);
void machine_free(struct machine *machine);
void machine_id_of(const uint8_t ek_id[ATTEST_HASH_SIZE], char ret_id[MACHINE_ID_SIZE]);
bool machine_id_valid(struct bytes text);
/* Takes a copy of the record's fixed part. False: no memory. */
__attribute__((warn_unused_result)) bool machine_enrol(struct machine *machine,
						       const struct machine_record *record);
/* A consistent copy; its fixed part stays the machine's. */
void machine_snapshot(struct machine *machine, struct machine_record *ret_record,
		      uint64_t *ret_accepted_at);
/* The AK, ready; NULL if it does not decode. */
const struct attest_ak *machine_ak(struct machine *machine);
/* AK name of a TPMT_PUBLIC whose nameAlg is SHA-256: 000b || SHA-256. */
#define AK_NAME_SIZE 34
void ak_name_of(struct bytes tpmt_public, uint8_t ret_name[AK_NAME_SIZE]);

#endif
