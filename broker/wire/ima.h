/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far an IMA list has been examined, in questions and in answers.
 *
 *   progress = offset:u64 || entries:u64 || violations:u64 || all_listed:u8 || all_signed:u8, each
 *       number at most INT64_MAX, and no more violations than entries
 */
#ifndef POSTERN_WIRE_IMA_H
#define POSTERN_WIRE_IMA_H

#include "attest/ima.h"

void wire_ima_progress_write(struct writer *w, const struct attest_ima_point *point);
/* Into those members of the point; the rest is left as it is. */
void wire_ima_progress_read(struct reader *r, struct attest_ima_point *point);
/* At most INT64_MAX: as claims are, and Cedar's numbers. */
uint64_t wire_ima_number_read(struct reader *r);

/* SHA-256 digests, each greater than the one before; none at all is fine. */
bool wire_digests_ascend(struct bytes digests);

#endif
