/* SPDX-License-Identifier: Apache-2.0 */
/* Acts about machines, and revocation, which is mostly about them: the rows of acts.c's table. */
#ifndef POSTERN_KEEPER_ACTS_MACHINE_H
#define POSTERN_KEEPER_ACTS_MACHINE_H

#include "acts.h"

#define ACT(name)                                                                                  \
	enum operation_outcome act_check_##name(const struct trust *trust,                         \
						const struct operation_request *request,           \
						struct act_change *change);                        \
	bool act_apply_##name(struct trust *trust, const struct operation_request *request)
ACT(register);
ACT(admit);
ACT(suspend);
ACT(readmit);
ACT(group);
ACT(revoke);
#undef ACT

#endif
