/* SPDX-License-Identifier: Apache-2.0 */
/* Types of events: PFP 1.05, 10.4.1. */
#ifndef POSTERN_ATTEST_LOG_EVENTS_H
#define POSTERN_ATTEST_LOG_EVENTS_H

#include "attest/eventlog.h"

#define EV_NO_ACTION		      0x00000003U
#define EV_SEPARATOR		      0x00000004U
#define EV_EFI_VARIABLE_DRIVER_CONFIG 0x80000001U
#define EV_EFI_VARIABLE_AUTHORITY     0x800000e0U

#endif
