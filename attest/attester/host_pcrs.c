/* SPDX-License-Identifier: Apache-2.0 */
/* The PCRs that a key is sealed to: their values, and the policy that they make. */
#include "host_session.h"

#include <openssl/evp.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#define READS_MAX                                                                                  \
	3 /* more than eight PCRs take several commands: tried so often to have them at once */

TPML_PCR_SELECTION
host_pcrs_selection(uint32_t mask)
{
	return (TPML_PCR_SELECTION){
		.count = 1,
		.pcrSelections = {{.hash = TPM2_ALG_SHA256,
				   .sizeofSelect = 3,
				   .pcrSelect = {(BYTE)mask, (BYTE)(mask >> 8),
						 (BYTE)(mask >> 16)}}},
	};
}

/* Takes the values of one answer, lowest PCR first, and removes them from `wanted`. False: it
 * brought nothing new. */
static bool
take_values(const TPML_PCR_SELECTION *selection, const TPML_DIGEST *values, uint32_t *wanted,
	    struct host_pcrs *pcrs)
{
	const TPMS_PCR_SELECTION *bank = &selection->pcrSelections[0];
	UINT32 used = 0;

	if (selection->count != 1 || bank->hash != TPM2_ALG_SHA256 || bank->sizeofSelect != 3)
		return false;
	for (unsigned pcr = 0; pcr < HOST_PCR_COUNT && used < values->count; pcr++) {
		if (!(bank->pcrSelect[pcr / 8] & 1U << pcr % 8))
			continue;
		const TPM2B_DIGEST *value = &values->digests[used++];
		if (value->size != ATTEST_HASH_SIZE || !(*wanted & 1U << pcr))
			return false;
		memcpy(pcrs->values[pcr], value->buffer, ATTEST_HASH_SIZE);
		*wanted &= ~(1U << pcr);
	}
	return used > 0;
}

/* `ret_moved`: an extension lay between two of the commands that it took. */
static enum attester_status
read_once(struct attester *attester, uint32_t mask, struct host_pcrs *ret_pcrs, bool *ret_moved,
	  struct attester_error *err)
{
	struct host_pcrs pcrs = {.mask = mask};
	UINT32 counter = 0, first = 0;
	uint32_t wanted = mask;

	*ret_moved = false;
	while (wanted != 0) {
		auto_esys TPML_PCR_SELECTION *selected = NULL;
		auto_esys TPML_DIGEST *values = NULL;
		const TPML_PCR_SELECTION question = host_pcrs_selection(wanted);
		const bool whole = wanted == mask;
		unsigned tries = 0;
		TSS2_RC rc;

		do
			rc = Esys_PCR_Read(attester->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					   &question, &counter, &selected, &values);
		while (attester_again(rc, &tries));
		if (rc != TSS2_RC_SUCCESS)
			return attester_fail_tss(err, rc, "PCR values");
		if (!take_values(selected, values, &wanted, &pcrs))
			return attester_fail(
				err, ATTESTER_UNSUPPORTED,
				"the TPM keeps no SHA-256 PCRs: allocate that bank in the "
				"firmware's settings or by tpm2_pcrallocate, and restart");
		if (whole)
			first = counter;
		*ret_moved = *ret_moved || counter != first;
	}
	*ret_pcrs = pcrs;
	return ATTESTER_OK;
}

enum attester_status
host_pcrs_read(struct attester *attester, uint32_t mask, struct host_pcrs *ret_pcrs,
	       struct attester_error *err)
{
	bool moved = true;

	for (int i = 0; i < READS_MAX && moved; i++) {
		enum attester_status status = read_once(attester, mask, ret_pcrs, &moved, err);
		if (status != ATTESTER_OK)
			return status;
	}
	if (moved)
		return attester_fail(err, ATTESTER_MOVED,
				     "PCRs were extended while they were read, %d times: try again "
				     "when the boot has settled",
				     READS_MAX);
	return ATTESTER_OK;
}

static bool
update(EVP_MD_CTX *hash, const void *data, size_t size)
{
	return EVP_DigestUpdate(hash, data, size) == 1;
}

/* SHA-256 of the selected values, one after the other: TPM 2.0 Library Part 1, "Selecting multiple
 * PCR". */
static bool
digest_values(EVP_MD_CTX *hash, const struct host_pcrs *pcrs, uint8_t ret_digest[ATTEST_HASH_SIZE])
{
	if (EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
		return false;
	for (unsigned pcr = 0; pcr < HOST_PCR_COUNT; pcr++)
		if (pcrs->mask & 1U << pcr && !update(hash, pcrs->values[pcr], ATTEST_HASH_SIZE))
			return false;
	return EVP_DigestFinal_ex(hash, ret_digest, NULL) == 1;
}

/* TPM 2.0 Library Part 3, TPM2_PolicyPCR: policyDigest = H(zeros || TPM_CC_PolicyPCR || pcrs ||
 * digestTPM). */
static bool
extend_policy(EVP_MD_CTX *hash, const struct host_pcrs *pcrs, TPM2B_DIGEST *ret_policy)
{
	static const uint8_t zeros[ATTEST_HASH_SIZE];
	const TPML_PCR_SELECTION selection = host_pcrs_selection(pcrs->mask);
	uint8_t values[ATTEST_HASH_SIZE], command[64];
	size_t size = 0;

	if (Tss2_MU_UINT32_Marshal(TPM2_CC_PolicyPCR, command, sizeof(command), &size) !=
		    TSS2_RC_SUCCESS ||
	    Tss2_MU_TPML_PCR_SELECTION_Marshal(&selection, command, sizeof(command), &size) !=
		    TSS2_RC_SUCCESS)
		return false;
	if (!digest_values(hash, pcrs, values) ||
	    EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1 ||
	    !update(hash, zeros, sizeof(zeros)) || !update(hash, command, size) ||
	    !update(hash, values, sizeof(values)) ||
	    EVP_DigestFinal_ex(hash, ret_policy->buffer, NULL) != 1)
		return false;
	ret_policy->size = ATTEST_HASH_SIZE;
	return true;
}

bool
host_pcrs_policy(const struct host_pcrs *pcrs, TPM2B_DIGEST *ret_policy)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	bool made = hash != NULL && extend_policy(hash, pcrs, ret_policy);

	EVP_MD_CTX_free(hash);
	return made;
}
