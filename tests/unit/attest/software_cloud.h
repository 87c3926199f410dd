/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cloud in software: it certifies an AK of its own in a machine's TPM, and that AK certifies
 * Postern's (TPM2_Certify). Shaped like Google's and Azure's certificates.
 *
 *	software_cloud_open(&cloud, SOFTWARE_ECC);
 *	software_certify_fill(&tpm, qualifying, &statement); statement.magic = 1;
 *	software_certify_sign(&cloud, &statement);
 */
#ifndef POSTERN_TESTS_SOFTWARE_CLOUD_H
#define POSTERN_TESTS_SOFTWARE_CLOUD_H

#include "software_ca.h"
#include "software_signer.h"

struct software_cloud {
	struct software_signer ak;
	EVP_PKEY *keys[2];			/* of the root and of the intermediate CA */
	struct software_certificate recipes[3]; /* root, intermediate, AK: change, then certify */
	uint8_t der[3][ATTEST_CERTIFICATE_MAX];
	struct bytes certificates[3];
};
void software_cloud_open(struct software_cloud *cloud, enum software_type type);
void software_cloud_close(struct software_cloud *cloud);
/* The certificates anew, of the recipes as they stand. */
void software_cloud_certify(struct software_cloud *cloud);

/* TPMS_ATTEST of TPM2_Certify in parts. */
struct software_certification {
	uint32_t magic;
	uint16_t type;
	size_t extra_size;
	uint8_t extra[64];
	size_t name_size;
	uint8_t name[ATTEST_NAME_SIZE_MAX];
	size_t qualified_size;
	uint8_t qualified[ATTEST_NAME_SIZE_MAX];
	struct software_quote made; /* its message and signature */
};
void software_certify_fill(const struct software_tpm *tpm,
			   const uint8_t qualifying[ATTEST_HASH_SIZE],
			   struct software_certification *ret_statement);
void software_certify_sign(const struct software_cloud *cloud,
			   struct software_certification *statement);

#endif
