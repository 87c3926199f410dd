/* SPDX-License-Identifier: Apache-2.0 */
/* A quote over SHA-256 PCR 0-15, and the values that it covers. */
#include "internal.h"

#include <openssl/evp.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#define QUOTES_MAX 5 /* PCRs that move in each of five quotes are not a boot that settles */

_Static_assert(ATTEST_PCR_COUNT == 16, "the selections below are two full bytes and an empty one");

static const TPML_PCR_SELECTION all_pcrs = {
	.count = 1,
	.pcrSelections = {{.hash = TPM2_ALG_SHA256,
			   .sizeofSelect = 3,
			   .pcrSelect = {0xff, 0xff, 0x00}}},
};

static bool
selects_all(const TPML_PCR_SELECTION *selection)
{
	const TPMS_PCR_SELECTION *bank = &selection->pcrSelections[0];

	return selection->count == 1 && bank->hash == TPM2_ALG_SHA256 && bank->sizeofSelect == 3 &&
	       memcmp(bank->pcrSelect, all_pcrs.pcrSelections[0].pcrSelect, 3) == 0;
}

static enum attester_status
fail_bank(struct attester_error *err)
{
	return attester_fail(err, ATTESTER_UNSUPPORTED,
			     "the TPM keeps no SHA-256 PCRs: allocate that bank in the firmware's "
			     "settings or by tpm2_pcrallocate, and restart");
}

/* The TPM's own quote is only looked into for its PCR digest; judging it is the verifier's. */
static enum attester_status
quoted_digest(const struct attester_quote *quote, TPM2B_DIGEST *ret_digest,
	      struct attester_error *err)
{
	TPMS_ATTEST attest = {0};
	size_t offset = 0;

	TSS2_RC rc = Tss2_MU_TPMS_ATTEST_Unmarshal(quote->message, quote->message_size, &offset,
						   &attest);
	if (rc != TSS2_RC_SUCCESS || attest.type != TPM2_ST_ATTEST_QUOTE)
		return attester_fail(err, ATTESTER_UNAVAILABLE,
				     "quote: the TPM's answer does not parse");
	if (!selects_all(&attest.attested.quote.pcrSelect))
		return fail_bank(err);
	*ret_digest = attest.attested.quote.pcrDigest;
	return ATTESTER_OK;
}

static enum attester_status
sign(struct attester *attester, const struct attester_handle *ak,
     const uint8_t qualifying[ATTEST_HASH_SIZE], struct attester_quote *ret_quote,
     struct attester_error *err)
{
	static const TPMT_SIG_SCHEME own_scheme = {.scheme = TPM2_ALG_NULL};
	auto_esys TPM2B_ATTEST *message = NULL;
	auto_esys TPMT_SIGNATURE *signature = NULL;
	TPM2B_DATA nonce = {.size = ATTEST_HASH_SIZE};
	unsigned tries = 0;
	size_t size = 0;
	TSS2_RC rc;

	memcpy(nonce.buffer, qualifying, ATTEST_HASH_SIZE);
	do
		rc = Esys_Quote(attester->esys, ak->id, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				ESYS_TR_NONE, &nonce, &own_scheme, &all_pcrs, &message, &signature);
	while (attester_again(rc, &tries));
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPMT_SIGNATURE_Marshal(signature, ret_quote->signature,
						    sizeof(ret_quote->signature), &size);
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "quote");
	if (message->size > sizeof(ret_quote->message))
		return attester_fail(err, ATTESTER_UNAVAILABLE, "quote: %u bytes are too many",
				     message->size);
	ret_quote->signature_size = size;
	ret_quote->message_size = message->size;
	memcpy(ret_quote->message, message->attestationData, message->size);
	return ATTESTER_OK;
}

/* Takes the values of one answer, lowest PCR first, and removes them from `wanted`. False: it
 * brought nothing new. */
static bool
take_values(const TPML_PCR_SELECTION *selection, const TPML_DIGEST *values, uint32_t *wanted,
	    uint8_t ret_pcrs[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE])
{
	const TPMS_PCR_SELECTION *bank = &selection->pcrSelections[0];
	UINT32 used = 0;

	if (selection->count != 1 || bank->hash != TPM2_ALG_SHA256 || bank->sizeofSelect != 3)
		return false;
	for (unsigned pcr = 0; pcr < ATTEST_PCR_COUNT && used < values->count; pcr++) {
		if (!(bank->pcrSelect[pcr / 8] & 1u << pcr % 8))
			continue;
		const TPM2B_DIGEST *value = &values->digests[used++];
		if (value->size != ATTEST_HASH_SIZE || !(*wanted & 1u << pcr))
			return false;
		memcpy(ret_pcrs[pcr], value->buffer, ATTEST_HASH_SIZE);
		*wanted &= ~(1u << pcr);
	}
	return used > 0;
}

/* A TPM returns at most eight values at a time. */
static enum attester_status
read_pcrs(struct attester *attester, uint8_t ret_pcrs[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE],
	  struct attester_error *err)
{
	uint32_t wanted = (1u << ATTEST_PCR_COUNT) - 1;

	while (wanted != 0) {
		auto_esys TPML_PCR_SELECTION *selected = NULL;
		auto_esys TPML_DIGEST *values = NULL;
		TPML_PCR_SELECTION question = all_pcrs;
		unsigned tries = 0;
		TSS2_RC rc;

		question.pcrSelections[0].pcrSelect[0] = (BYTE)wanted;
		question.pcrSelections[0].pcrSelect[1] = (BYTE)(wanted >> 8);
		do
			rc = Esys_PCR_Read(attester->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					   &question, NULL, &selected, &values);
		while (attester_again(rc, &tries));
		if (rc != TSS2_RC_SUCCESS)
			return attester_fail_tss(err, rc, "PCR values");
		if (!take_values(selected, values, &wanted, ret_pcrs))
			return fail_bank(err);
	}
	return ATTESTER_OK;
}

/* One quote and one reading; ATTESTER_MOVED if they differ. */
static enum attester_status
quote_once(struct attester *attester, const struct attester_handle *ak,
	   const uint8_t qualifying[ATTEST_HASH_SIZE], struct attester_quote *ret_quote,
	   struct attester_error *err)
{
	uint8_t digest[ATTEST_HASH_SIZE];
	TPM2B_DIGEST quoted = {0};

	enum attester_status status = sign(attester, ak, qualifying, ret_quote, err);
	if (status == ATTESTER_OK)
		status = quoted_digest(ret_quote, &quoted, err);
	if (status == ATTESTER_OK)
		status = read_pcrs(attester, ret_quote->pcrs, err);
	if (status != ATTESTER_OK)
		return status;
	/* The hash is that of the AK's scheme: SHA-256. */
	if (EVP_Digest(ret_quote->pcrs, sizeof(ret_quote->pcrs), digest, NULL, EVP_sha256(),
		       NULL) != 1)
		return attester_fail(err, ATTESTER_MEMORY, "quote: hashing failed");
	if (quoted.size != sizeof(digest) || memcmp(quoted.buffer, digest, sizeof(digest)) != 0)
		return attester_fail(err, ATTESTER_MOVED,
				     "PCRs were extended during each of %d quotes: try again when "
				     "the boot has settled",
				     QUOTES_MAX);
	return ATTESTER_OK;
}

enum attester_status
attester_quote(struct attester *attester, const uint8_t qualifying[ATTEST_HASH_SIZE],
	       struct attester_quote *ret_quote, struct attester_error *err)
{
	auto_handle struct attester_handle ak = handle_of(attester);
	struct attester_quote quote = {0};

	enum attester_status status = attester_make_ak(attester, &ak, err);
	if (status != ATTESTER_OK)
		return status;
	status = ATTESTER_MOVED;
	for (int i = 0; i < QUOTES_MAX && status == ATTESTER_MOVED; i++)
		status = quote_once(attester, &ak, qualifying, &quote, err);
	if (status == ATTESTER_OK)
		*ret_quote = quote;
	return status;
}
