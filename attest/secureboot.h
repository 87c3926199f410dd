/* SPDX-License-Identifier: Apache-2.0 */
/* What the events of PCR 7 say about Secure Boot, where they say it with authenticated bytes. */
#ifndef POSTERN_ATTEST_SECUREBOOT_H
#define POSTERN_ATTEST_SECUREBOOT_H

#include "crypto.h"
#include "eventlog.h"

struct secureboot {
	unsigned step; /* how far the grammar has come */
	bool broken;   /* an event did not fit, or its digest is not of its data: no claim */
	enum attest_answer answer;
};

/* Every event that extended PCR 7, in order. False when the cryptographic library failed. */
bool secureboot_event(struct secureboot *secureboot, const struct event *event,
		      struct hasher *sha256);
/* Meaningful only where PCR 7 was replayed to its quoted value. */
enum attest_answer secureboot_answer(const struct secureboot *secureboot);

#endif
