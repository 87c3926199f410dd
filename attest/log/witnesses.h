/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POSTERN_ATTEST_LOG_WITNESSES_H
#define POSTERN_ATTEST_LOG_WITNESSES_H

#include "witness.h"

extern const struct witness witness_secureboot; /* PCR 7 */

#endif
