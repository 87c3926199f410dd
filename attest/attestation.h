/* SPDX-License-Identifier: Apache-2.0 */
/* TPMS_ATTEST of TPM2_Quote and of TPM2_Certify, decoded and not judged. Private to the verifier.
 */
#ifndef POSTERN_ATTEST_ATTESTATION_H
#define POSTERN_ATTEST_ATTESTATION_H

#include "attest.h"

#define SELECTION_BANKS_MAX 16 /* HASH_COUNT of any TPM there is */

/* Everything points into what was decoded. */
struct attestation {
	uint32_t magic;	     /* TPM_GENERATED_VALUE, or no TPM made it */
	uint16_t type;	     /* TPM_ST_ATTEST_* */
	struct bytes signer; /* qualifiedSigner, TPM2B_NAME's contents */
	struct bytes extra_data;
	struct attest_clock clock;
	bool clock_safe;
	uint64_t firmware_version;
	/* Of a quote: TPML_PCR_SELECTION as it stands, and the digest. */
	struct bytes selection;
	struct bytes pcr_digest;
	/* Of a certification: the certified object's names. */
	struct bytes name;
	struct bytes qualified_name;
};

/* False: it does not parse, or something follows it. The body of another type than these two is not
 * looked at, so that its type can be told. */
bool attestation_decode(struct bytes input, struct attestation *ret_attestation);

/* TPMS_PCR_SELECTION, Part 2, 10.6.2. */
struct selected_bank {
	uint16_t algorithm;
	uint32_t pcrs; /* a bit per PCR, of a bitmap of at most 4 bytes */
};
struct selection {
	uint32_t count;
	struct selected_bank banks[SELECTION_BANKS_MAX];
};
/* TPML_PCR_SELECTION, 10.9.7. */
void read_selection(struct reader *r, struct selection *ret_selection);

#endif
