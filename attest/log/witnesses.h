/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POSTERN_ATTEST_LOG_WITNESSES_H
#define POSTERN_ATTEST_LOG_WITNESSES_H

#include "witness.h"

extern const struct witness witness_secureboot; /* PCR 7 */
extern const struct witness witness_firmware;	/* PCR 0 */
extern const struct witness witness_images;	/* PCR 4 */
extern const struct witness witness_grub;	/* PCR 8, 9 */
extern const struct witness witness_stub;	/* PCR 11, 12 */
extern const struct witness witness_mok;	/* PCR 14 */
extern const struct witness witness_windows;	/* PCR 12, 13 */

#endif
