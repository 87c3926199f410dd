/* SPDX-License-Identifier: Apache-2.0 */
/* The storage primary key, sessions that are salted to it, and the PCRs that a key is sealed to. */
#ifndef POSTERN_ATTEST_ATTESTER_HOST_SESSION_H
#define POSTERN_ATTEST_ATTESTER_HOST_SESSION_H

#include "host_internal.h"
#include "internal.h"

/* ECC P-256 of the owner hierarchy, and its name. ATTESTER_REFUSED where a sealed file was opened
 * by another one's TPM. */
enum attester_status host_primary(struct attester *attester, struct attester_handle *primary,
				  TPM2B_NAME *ret_name, struct attester_error *err);
/* TPM2_SE_HMAC or TPM2_SE_POLICY. Salted: who has not the primary key can neither read what the
 * session encrypts (AES-128-CFB, the first parameters both ways) nor answer for the TPM. */
enum attester_status host_session(struct attester *attester, const struct attester_handle *primary,
				  TPM2_SE type, struct attester_handle *session,
				  struct attester_error *err);

/* ATTESTER_MOVED: they changed while they were read. */
enum attester_status host_pcrs_read(struct attester *attester, uint32_t mask,
				    struct host_pcrs *ret_pcrs, struct attester_error *err);
TPML_PCR_SELECTION host_pcrs_selection(uint32_t mask);
/* The authPolicy of TPM2_PolicyPCR over these values. False: no memory. */
bool host_pcrs_policy(const struct host_pcrs *pcrs, TPM2B_DIGEST *ret_policy);

#endif
