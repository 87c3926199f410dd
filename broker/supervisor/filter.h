/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of role_confine, in the order in which they are put on. Private to the supervisor,
 * and to its test. All: false with errno. */
#ifndef POSTERN_SUPERVISOR_FILTER_H
#define POSTERN_SUPERVISOR_FILTER_H

#include "role.h"

/* No capability, whoever the daemon runs as; the keeper keeps that of locking memory. */
__attribute__((warn_unused_result)) bool capabilities_drop(enum role_kind kind);
/* No path but the files in `folder` (NULL: none), no TCP and no signal to others, as far as the
 * kernel can; true where it cannot, and then nothing is denied. */
__attribute__((warn_unused_result)) bool landlock_deny(const char *folder, bool *ret_denied);
/* The role's list of system calls. With `may_open` it may ask to open files, because something else
 * says which. */
__attribute__((warn_unused_result)) bool filter_install(enum role_kind kind, bool may_open);

#endif
