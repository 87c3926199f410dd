/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POSTERN_SUPERVISOR_SPAWN_H
#define POSTERN_SUPERVISOR_SPAWN_H

#include "role.h"

#include <sys/types.h>

#define SPAWN_CHANNELS_MAX 3

/* Starts this executable anew as a role, with a channel of its own to the caller, the `count`
 * others behind that, and nothing else but stderr; `setup` is its first frame. The others stay the
 * caller's to close. False with errno. */
__attribute__((warn_unused_result)) bool spawn_role(enum role_kind kind, const int *others,
						    size_t count, const char *setup,
						    size_t setup_size, pid_t *ret_pid,
						    int *ret_channel);

#endif
