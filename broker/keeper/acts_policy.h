/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POSTERN_KEEPER_ACTS_POLICY_H
#define POSTERN_KEEPER_ACTS_POLICY_H

#include "acts.h"

/* The policies that the first act brings. */
enum operation_outcome act_policies_genesis(const struct operation_request *request,
					    struct act_change *change);
/* Moves what act_check prepared into the state. */
void act_policies_install(struct trust *trust, struct act_change *change);

#endif
