/* SPDX-License-Identifier: Apache-2.0 */
/* A TCTI between ESYS and a real TPM that spoils what a table asks it to spoil. */
#ifndef POSTERN_TESTS_SPOILED_TCTI_H
#define POSTERN_TESTS_SPOILED_TCTI_H

#include <stdbool.h>
#include <tss2/tss2_tcti.h>
#include <tss2/tss2_tpm2_types.h>

struct attester;

struct spoiled_tcti {
	TSS2_TCTI_CONTEXT_COMMON_V1 common; /* first: ESYS sees this */
	TSS2_TCTI_CONTEXT *inner;
	unsigned commands;   /* seen so far, TPM2_FlushContext not counted */
	unsigned fail_first; /* commands from this one on, counted from 1; 0: none */
	unsigned fail_count; /* this many */
	TSS2_RC fail_with;   /* a TPM's code is its answer; a TCTI's is transmit's */
	unsigned move_count; /* before this many TPM2_PCR_Read, PCR 10 is extended */
	uint32_t
		nv_buffer; /* what TPM2_GetCapability says of TPM2_PT_NV_BUFFER_MAX; 0: the truth */
	bool pending_nv_buffer;
	const uint8_t *handles; /* the answer to TPM2_GetCapability of handles; NULL: the truth */
	size_t handles_size;
	bool pending_handles;
	unsigned nv_reads;     /* TPM2_NV_Read seen */
	bool pending;	       /* the answer is fail_with's */
	const uint8_t *needle; /* bytes to be looked for in what passes either way; NULL: none */
	size_t needle_size;
	unsigned needle_seen; /* messages that had them */
	bool flip_nv_read;    /* one bit of each answer to TPM2_NV_Read */
	bool pending_flip;
	uint32_t move_after; /* the command once after which PCR 10 is extended; 0: none */
	bool pending_move;
};

/* An attester over one; its commands count from here. Closed by close_spoiled. */
struct attester *open_spoiled(struct spoiled_tcti *spoiled);
void close_spoiled(struct attester *attester, struct spoiled_tcti *spoiled);

#endif
