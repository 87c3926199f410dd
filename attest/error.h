/* SPDX-License-Identifier: Apache-2.0 */
/* How a check fails: one line at the place of the check. Private to the verifier. */
#ifndef POSTERN_ATTEST_ERROR_H
#define POSTERN_ATTEST_ERROR_H

#include "attest.h"

/* What went wrong, in words that stand alone; no expected or seen value to show. */
__attribute__((format(printf, 4, 5))) enum attest_status attest_fail(struct attest_error *err,
								     enum attest_status status,
								     const char *check,
								     const char *format, ...);

/* A check that compared two values, as hex; long ones are shortened. */
enum attest_status attest_differs(struct attest_error *err, enum attest_status status,
				  const char *check, struct bytes expected, struct bytes seen,
				  const char *message);

/* The same for values that are words. */
enum attest_status attest_differs_text(struct attest_error *err, enum attest_status status,
				       const char *check, const char *expected, const char *seen,
				       const char *message);

enum attest_status attest_fail_memory(struct attest_error *err);

#endif
