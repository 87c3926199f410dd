/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp allow-lists. Private to the supervisor. */
#ifndef POSTERN_SUPERVISOR_FILTER_H
#define POSTERN_SUPERVISOR_FILTER_H

#include "role.h"

/* For gateway and appraiser. False with errno. */
__attribute__((warn_unused_result)) bool filter_install(enum role_kind kind);

#endif
