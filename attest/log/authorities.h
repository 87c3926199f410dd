/* SPDX-License-Identifier: Apache-2.0 */
/* What follows PCR 7's separator: whatever authorized an image, and what shim notes there. */
#ifndef POSTERN_ATTEST_LOG_AUTHORITIES_H
#define POSTERN_ATTEST_LOG_AUTHORITIES_H

#include "witness.h"

#define AUTHORITIES_MAX 64 /* the most seen is four */

struct authority {
	bool certificate;   /* otherwise an image's hash */
	struct bytes bytes; /* DER, or 32 bytes */
};

struct authorities {
	uint32_t count;
	struct authority found[AUTHORITIES_MAX];
	bool unclear; /* one was neither a certificate nor a hash: no list is of all */
	bool shim;    /* an authority was not in the firmware's form: shim has begun */
	bool sbat_seen;
	bool sbat_unclear;
	struct bytes sbat_level;
};

/* `proved`: the authenticated bytes of an EV_EFI_VARIABLE_AUTHORITY event. */
void authorities_add(struct authorities *authorities, struct bytes proved);
void authorities_claim(const struct authorities *authorities, struct witness_hash *hash,
		       struct attest_claims *claims);

#endif
