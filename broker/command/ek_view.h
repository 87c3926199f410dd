/* SPDX-License-Identifier: Apache-2.0 */
/* What was found out of an EK's certificate, for people and for programs. */
#ifndef POSTERN_COMMAND_EK_VIEW_H
#define POSTERN_COMMAND_EK_VIEW_H

#include "attest/endorsement.h"

struct ek_view {
	enum attest_status status;
	bool key_known; /* kind and id are there */
	char kind[16];
	uint8_t ek_id[ATTEST_HASH_SIZE];
	struct attest_chain chain; /* where status is ATTEST_OK */
	struct attest_error err;   /* and where not */
	size_t anchor_count;
	size_t crl_count;
};

/* 0 or EX_SOFTWARE. */
int ek_view_json(const struct ek_view *view);
void ek_view_print(const struct ek_view *view);

#endif
