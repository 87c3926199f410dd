/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of host.h share. The first part knows no TPM stack: a fuzz target reads it too. */
#ifndef POSTERN_ATTEST_ATTESTER_HOST_INTERNAL_H
#define POSTERN_ATTEST_ATTESTER_HOST_INTERNAL_H

#include "../bytes.h"
#include "../host.h"

#define HOST_SEALED_MAGIC   0x70737470U /* "pstp" */
#define HOST_SEALED_VERSION 1
#define HOST_PCRS_ALL	    ((1U << HOST_PCR_COUNT) - 1)

struct host_pcrs {
	uint32_t mask;					  /* within HOST_PCRS_ALL */
	uint8_t values[HOST_PCR_COUNT][ATTEST_HASH_SIZE]; /* zeros where the mask has no bit */
};

/*
 * file = magic:u32 || version:u16 || pcrs:u32 || 32 bytes for each PCR, ascending || TPM2B name of
 * the storage primary key || TPM2B TPMT_PUBLIC || TPM2B private area || SHA-256 of all before
 *
 * What binds the key is in the public and private areas, which the TPM checks. The PCRs' values say
 * which of them moved, the name which TPM it was, the hash that the file is whole: words, not
 * security.
 */
struct host_sealed {
	struct host_pcrs pcrs;
	struct bytes primary;
	struct bytes public_area;
	struct bytes private_area;
};
/* `ret_sealed` points into `file`. */
__attribute__((warn_unused_result)) bool host_sealed_read(struct bytes file,
							  struct host_sealed *ret_sealed);
__attribute__((warn_unused_result)) bool host_sealed_write(const struct host_sealed *sealed,
							   uint8_t ret_file[HOST_SEALED_MAX],
							   size_t *ret_size);

#endif
