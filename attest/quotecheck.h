/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a quote that the release protocol and an inspection make alike. Private to the
 * verifier. */
#ifndef POSTERN_ATTEST_QUOTECHECK_H
#define POSTERN_ATTEST_QUOTECHECK_H

#include "attestation.h"
#include "signature.h"

/* "quote.magic". */
__attribute__((warn_unused_result)) enum attest_status
quote_check_magic(const struct attestation *message, struct attest_error *err);
/* "quote.type". */
__attribute__((warn_unused_result)) enum attest_status
quote_check_type(const struct attestation *message, struct attest_error *err);
/* "quote.qualifying". */
__attribute__((warn_unused_result)) enum attest_status
quote_check_qualifying(const struct attestation *message, struct bytes qualifying,
		       struct attest_error *err);
/* The values, in the order of the selection, hash to what was signed: "quote.pcrs". */
__attribute__((warn_unused_result)) enum attest_status
quote_check_values(const struct attestation *message, const struct bytes *values, size_t count,
		   struct hasher *hasher, struct attest_error *err);

#endif
