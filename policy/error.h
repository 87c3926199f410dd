/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POLICY_ERROR_H
#define POLICY_ERROR_H

#include "policy.h"

/* Fills `err` (which may be NULL) and returns `status`. */
__attribute__((format(printf, 5, 6))) enum policy_status
policy_fail_at(struct policy_error *err, enum policy_status status, uint32_t line, uint32_t column,
	       const char *format, ...);

#define QUOTED_SIZE 41

/* What a message may show of a text: printable ASCII, the rest as '?', and cut. Terminated. */
void policy_quote(char quoted[QUOTED_SIZE], const char *data, size_t size);

/* Where no place in a text is meant. */
#define policy_fail(err, status, ...) policy_fail_at((err), (status), 0, 0, __VA_ARGS__)

#endif
