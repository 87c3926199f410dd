/* SPDX-License-Identifier: Apache-2.0 */
/* What names a TPM's endorsement key, from the files that tell of it. */
#ifndef POSTERN_COMMAND_EK_H
#define POSTERN_COMMAND_EK_H

#include "attest/attest.h"

#define MACHINE_ID_SIZE 19 /* "m-", 16 hex digits, NUL */

/* From an EK certificate, PEM or DER. 0, or an exit status that was said. */
int ek_id_from_certificate(const char *path, uint8_t ret_id[ATTEST_HASH_SIZE]);
/* From TPMT_PUBLIC, TPM2B_PUBLIC (what tpm2_createek -u writes) or a PEM public key. */
int ek_id_from_public(const char *path, uint8_t ret_id[ATTEST_HASH_SIZE]);
/* From a TPMT_PUBLIC in memory; false: it is no EK. */
bool ek_id_from_area(struct bytes tpmt_public, uint8_t ret_id[ATTEST_HASH_SIZE]);
/* The id of the machine that has that EK. */
void machine_id_text(const uint8_t ek_id[ATTEST_HASH_SIZE], char ret_text[MACHINE_ID_SIZE]);

#endif
