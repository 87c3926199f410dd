/* SPDX-License-Identifier: Apache-2.0 */
/* Acts about what IMA lists are compared with: rows of acts.c's table. */
#ifndef POSTERN_KEEPER_ACTS_IMA_H
#define POSTERN_KEEPER_ACTS_IMA_H

#include "acts.h"

#define ACT(name)                                                                                  \
	enum operation_outcome act_check_##name(const struct trust *trust,                         \
						const struct operation_request *request,           \
						struct act_change *change);                        \
	bool act_apply_##name(struct trust *trust, const struct operation_request *request)
ACT(ima_key_add);
ACT(ima_allow_add);
ACT(ima_allow_end);
#undef ACT
/* Of kind "ima-key". */
enum operation_outcome act_check_ima_key_revoke(const struct trust *trust, struct bytes hex_id,
						struct act_change *change);
bool act_apply_ima_key_revoke(struct trust *trust, struct bytes hex_id);

#endif
