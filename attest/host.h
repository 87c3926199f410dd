/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a broker's own host asks of its TPM: to keep a root key that opens only in the state that
 * the host was in, and to count. Through tpm2-tss ESYS, like the attester, and never in a process
 * that reads the network.
 */
#ifndef POSTERN_ATTEST_HOST_H
#define POSTERN_ATTEST_HOST_H

#include "attester.h"

#define HOST_KEY_SIZE	 32
#define HOST_PCR_COUNT	 24
#define HOST_SEALED_MAX	 1536
#define HOST_COUNTER_MIN 0x01800000U /* owner's NV indices: TCG's registry of reserved handles */
#define HOST_COUNTER_MAX 0x01bfffffU

/* Seals `key` under the storage primary key (ECC P-256, TCG's SRK template) to the present values
 * of the SHA-256 PCRs in `pcrs` (bit n = PCR n; not 0), with no password beside it, and opens it
 * once to be sure. The sessions' parameters are encrypted: the key does not cross the bus in clear.
 * `ret_sealed` is a file for this TPM alone, with a version of its own, and nothing secret.
 * ATTESTER_MOVED: the PCRs changed meanwhile. */
__attribute__((warn_unused_result)) enum attester_status
host_seal(struct attester *attester, const uint8_t key[HOST_KEY_SIZE], uint32_t pcrs,
	  uint8_t ret_sealed[HOST_SEALED_MAX], size_t *ret_size, struct attester_error *err);
/* ATTESTER_REFUSED: PCRs have other values (the message says which), it is another TPM's, or it
 * does not parse. `ret_key` is the caller's locked memory. From then on the attester's counters are
 * read from the TPM that opened it, and from no other on the way to it. */
__attribute__((warn_unused_result)) enum attester_status
host_unseal(struct attester *attester, const uint8_t *sealed, size_t size,
	    uint8_t ret_key[HOST_KEY_SIZE], struct attester_error *err);
/* The PCRs that a sealed key is bound to; false: it does not parse. */
__attribute__((warn_unused_result)) bool host_sealed_pcrs(const uint8_t *sealed, size_t size,
							  uint32_t *ret_pcrs);

/* A counter in NV that only rises, also over its deletion: TPM 2.0 Library Part 1, "NV Counter".
 * Defined where it is not there, and then incremented once, for before that it cannot be read. The
 * owner's empty authorization defines it; reading and incrementing take its own, which is empty
 * too. */
__attribute__((warn_unused_result)) enum attester_status
host_counter_define(struct attester *attester, uint32_t index, uint64_t *ret_value,
		    struct attester_error *err);
/* Whether anything is at that index. */
__attribute__((warn_unused_result)) enum attester_status
host_counter_defined(struct attester *attester, uint32_t index, bool *ret_defined,
		     struct attester_error *err);
/* ATTESTER_REFUSED: there is none, or it is no counter. */
__attribute__((warn_unused_result)) enum attester_status
host_counter_read(struct attester *attester, uint32_t index, uint64_t *ret_value,
		  struct attester_error *err);
__attribute__((warn_unused_result)) enum attester_status
host_counter_increment(struct attester *attester, uint32_t index, uint64_t *ret_value,
		       struct attester_error *err);

#endif
