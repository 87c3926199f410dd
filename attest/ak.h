/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of an AK, for the quotes that it signs. */
#ifndef POSTERN_ATTEST_AK_H
#define POSTERN_ATTEST_AK_H

#include "publickey.h"

#define QUALIFIED_NAME_SIZE (2 + ATTEST_HASH_SIZE)

struct attest_ak {
	struct signing_key key;
	struct attest_name name;
	uint8_t qualified_name[QUALIFIED_NAME_SIZE]; /* as a child of the endorsement hierarchy */
};

#endif
