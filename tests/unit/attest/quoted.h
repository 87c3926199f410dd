/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 PCR 0-15 of a test as the verifier takes quoted values. */
#ifndef POSTERN_TESTS_QUOTED_H
#define POSTERN_TESTS_QUOTED_H

#include "attest/eventlog.h"

/* `pcrs`: 16 arrays of 32 bytes. Overwritten by the next call. */
static inline const struct attest_pcrs *
quoted(const void *pcrs)
{
	static struct attest_pcrs values;

	attest_pcrs_of_quote((struct bytes){pcrs, ATTEST_PCR_COUNT * ATTEST_HASH_SIZE}, &values);
	return &values;
}

#endif
