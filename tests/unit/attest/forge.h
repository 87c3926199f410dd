/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine whose log is forged by its root. What was extended stays; he may change all that an
 * event says beside its digest, leave events out, add some, and extend PCRs further.
 *
 *	forge_boot(&forge, log);			a real boot, or forge_begin and
 *forge_measure index = forge_find(&forge, 8, 0);		the first event of PCR 8
 *	forge.events[index].type = 3;
 *	forge_measure(&forge, 8, EV_IPL, text);		later, so the TPM has it too
 *	forge_examine(&forge, &report);			against what the TPM holds
 */
#ifndef POSTERN_TESTS_FORGE_H
#define POSTERN_TESTS_FORGE_H

#include "attest/eventlog.h"

#define FORGE_EVENTS_MAX 1024
#define FORGE_TEXT(text) ((struct bytes){(const uint8_t *)(text), sizeof(text) - 1})

struct forge_event {
	uint32_t pcr;
	uint32_t type;
	bool bare;			  /* logged without a digest, so it extended nothing */
	uint8_t digest[ATTEST_HASH_SIZE]; /* SHA-256 */
	struct bytes data;		  /* somebody else's */
};

struct forge {
	size_t count;
	struct forge_event events[FORGE_EVENTS_MAX];
	uint8_t pcrs[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE]; /* of the TPM */
};

void forge_begin(struct forge *forge);
/* As `log` says, which must outlive it. Where an event has no SHA-256 digest, it is of the data. */
void forge_boot(struct forge *forge, struct bytes log);
/* Extends the TPM and appends to the log. */
void forge_measure(struct forge *forge, uint32_t pcr, uint32_t type, struct bytes data);
void forge_measure_digest(struct forge *forge, uint32_t pcr, uint32_t type,
			  const uint8_t digest[ATTEST_HASH_SIZE], struct bytes data);
/* Only in the TPM. */
void forge_extend(struct forge *forge, uint32_t pcr, struct bytes data);
/* Of the events of a PCR the nth; fails the test where there is none. */
size_t forge_find(const struct forge *forge, uint32_t pcr, unsigned nth);
void forge_remove(struct forge *forge, size_t index);
/* A log that does not parse claims nothing. */
void forge_examine(const struct forge *forge, struct attest_report *ret_report);

/* What became of a claim. */
enum forge_fate {
	FORGE_NONE, /* neither had it */
	FORGE_SAME, /* as it was */
	FORGE_GONE,
	FORGE_MORE,  /* a list with all that it had, in order, and more */
	FORGE_NEW,   /* only the forged log has it */
	FORGE_FALSE, /* another value, or a list that lacks something */
};
enum forge_fate forge_fate(const struct attest_claims *honest, const struct attest_claims *forged,
			   enum attest_claim_id id);
const char *forge_fate_name(enum forge_fate fate);

#endif
