/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POSTERN_SUPERVISOR_SPAWN_H
#define POSTERN_SUPERVISOR_SPAWN_H

#include "role.h"

#include <sys/types.h>

#define SPAWN_CHANNELS_MAX 3

/* Starts this executable anew as a role, with channels[i] as descriptor 3 + i and nothing else
 * but stderr. The channels stay the caller's to close. -1 with errno. */
pid_t spawn_role(enum role_kind kind, const int *channels, size_t count);

#endif
