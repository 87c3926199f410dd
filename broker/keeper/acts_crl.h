/* SPDX-License-Identifier: Apache-2.0 */
/* Acts about CRLs: rows of acts.c's table. */
#ifndef POSTERN_KEEPER_ACTS_CRL_H
#define POSTERN_KEEPER_ACTS_CRL_H

#include "acts.h"

#define ACT(name)                                                                                  \
	enum operation_outcome act_check_##name(const struct trust *trust,                         \
						const struct operation_request *request,           \
						struct act_change *change);                        \
	bool act_apply_##name(struct trust *trust, const struct operation_request *request)
ACT(crl_add);
ACT(crl_end);
#undef ACT

#endif
