/* SPDX-License-Identifier: Apache-2.0 */
/* TPM2_PCR_Extend, TPM 2.0 Library Part 1, 17.2: new value = H(value || digest). */
#ifndef POSTERN_ATTEST_LOG_EXTEND_H
#define POSTERN_ATTEST_LOG_EXTEND_H

#include "attest/crypto.h"

static inline bool
pcr_extend(struct hasher *hasher, uint8_t *pcr, size_t size, struct bytes digest)
{
	const struct bytes pieces[] = {{pcr, size}, digest};

	return hash_pieces(hasher, pieces, 2, pcr);
}

#endif
