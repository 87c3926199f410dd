/* SPDX-License-Identifier: Apache-2.0 */
/* Policies in one layout: the same tokens and comments, other blanks. What is formatted once stays
 * as it is when it is formatted again. */
#ifndef POLICY_FORMAT_H
#define POLICY_FORMAT_H

#include "policy.h"

#define POLICY_FORMAT_WIDTH 80 /* columns that lines keep to where they can */

/* A text that does not parse is refused as policy_set_parse refuses it, and so is one that would
 * not once it is laid out, for its size. *ret_text is the caller's to free(); it is not terminated.
 */
__attribute__((warn_unused_result)) enum policy_status policy_format(struct policy_text source,
								     char **ret_text,
								     size_t *ret_size,
								     struct policy_error *err);

#endif
