/* SPDX-License-Identifier: Apache-2.0 */
/* What supervisor and roles do before anything else. Private to the supervisor. */
#ifndef POSTERN_SUPERVISOR_START_H
#define POSTERN_SUPERVISOR_START_H

#include "role.h"

/* No core dumps, not dumpable (exec sets it again, so each process does it for itself), no new
 * privileges. False: said. */
__attribute__((warn_unused_result)) bool process_harden(void);
/* The same and the rest of what role.h promises; `kind` also names the process in role_complain. */
__attribute__((warn_unused_result)) bool role_start(enum role_kind kind);

#endif
