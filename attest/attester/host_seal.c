/* SPDX-License-Identifier: Apache-2.0 */
/* A key sealed to this TPM and to what its PCRs say: TPM 2.0 Library Part 1, "Sealed Data". */
#include "host_session.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <tss2/tss2_mu.h>

/* No userWithAuth: the policy is the only way in. */
#define SEALED_ATTRIBUTES                                                                          \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_ADMINWITHPOLICY |            \
	 TPMA_OBJECT_NODA)

/* What one sealing or opening holds in the TPM. */
struct vault {
	struct attester_handle primary;
	struct attester_handle session; /* HMAC */
	struct attester_handle policy;
	struct attester_handle object;
	TPM2B_NAME name; /* the primary key's */
};
#define vault_of(attester)                                                                         \
	{                                                                                          \
		.primary = handle_of(attester), .session = handle_of(attester),                    \
		.policy = handle_of(attester), .object = handle_of(attester)                       \
	}

static void
vault_flush(struct vault *vault)
{
	attester_handle_flush(&vault->object);
	attester_handle_flush(&vault->policy);
	attester_handle_flush(&vault->session);
	attester_handle_flush(&vault->primary);
}
#define auto_vault __attribute__((cleanup(vault_flush))) struct vault

/* ESYS keeps the last answer in a buffer of its own, decrypted: a longer answer takes its place. */
static void
wash(struct attester *attester)
{
	auto_esys TPMS_CAPABILITY_DATA *answer = NULL;
	struct attester_error ignored;
	TPMI_YES_NO more;

	(void)attester_capability(attester, TPM2_CAP_TPM_PROPERTIES, TPM2_PT_FIXED,
				  TPM2_MAX_TPM_PROPERTIES, "wash", &more, &answer, &ignored);
}

static enum attester_status
vault_open(struct attester *attester, struct vault *vault, struct attester_error *err)
{
	enum attester_status status = host_primary(attester, &vault->primary, &vault->name, err);

	if (status == ATTESTER_OK)
		status =
			host_session(attester, &vault->primary, TPM2_SE_HMAC, &vault->session, err);
	return status;
}

/* ---- opening ---- */

static enum attester_status
load(struct vault *vault, const struct host_sealed *sealed, struct attester_error *err)
{
	TPM2B_PUBLIC public = {.size = 0};
	TPM2B_PRIVATE private = {.size = (UINT16)sealed->private_area.size};
	unsigned tries = 0;
	size_t offset = 0;
	TSS2_RC rc;

	if (sealed->private_area.size > sizeof(private.buffer) ||
	    Tss2_MU_TPMT_PUBLIC_Unmarshal(sealed->public_area.data, sealed->public_area.size,
					  &offset, &public.publicArea) != TSS2_RC_SUCCESS ||
	    offset != sealed->public_area.size)
		return attester_fail(err, ATTESTER_REFUSED, "sealed key: the file is damaged");
	memcpy(private.buffer, sealed->private_area.data, sealed->private_area.size);
	do
		rc = Esys_Load(vault->primary.esys, vault->primary.id, vault->session.id,
			       ESYS_TR_NONE, ESYS_TR_NONE, &private, &public, &vault->object.id);
	while (attester_again(rc, &tries));
	if (rc == TSS2_RC_SUCCESS)
		return ATTESTER_OK;
	vault->object.id = ESYS_TR_NONE;
	return attester_fail_tss(err, rc, "sealed key");
}

/* "7, 11" */
static void
list_moved(const struct host_pcrs *then, const struct host_pcrs *now, char *ret_text,
	   size_t capacity)
{
	size_t size = 0;

	ret_text[0] = '\0';
	for (unsigned pcr = 0; pcr < HOST_PCR_COUNT && size < capacity; pcr++)
		if (memcmp(then->values[pcr], now->values[pcr], ATTEST_HASH_SIZE) != 0)
			size += (size_t)snprintf(ret_text + size, capacity - size, "%s%u",
						 size > 0 ? ", " : "", pcr);
}

static enum attester_status
fail_policy(struct attester *attester, const struct host_pcrs *sealed, struct attester_error *err)
{
	struct host_pcrs now;
	char moved[100];

	enum attester_status status = host_pcrs_read(attester, sealed->mask, &now, err);
	if (status != ATTESTER_OK)
		return status;
	list_moved(sealed, &now, moved, sizeof(moved));
	if (moved[0] == '\0')
		return attester_fail(err, ATTESTER_REFUSED,
				     "sealed key: the TPM's policy says no, though the PCRs are "
				     "what they were: was the file altered?");
	return attester_fail(err, ATTESTER_REFUSED,
			     "sealed key: this host is not in the state that it was sealed to: "
			     "other values in PCR %s",
			     moved);
}

/* The policy session is salted too, and encrypts the answer. */
static enum attester_status
unseal(struct attester *attester, struct vault *vault, const struct host_pcrs *pcrs,
       uint8_t ret_key[HOST_KEY_SIZE], struct attester_error *err)
{
	static const TPM2B_DIGEST present = {.size = 0};
	const TPML_PCR_SELECTION selection = host_pcrs_selection(pcrs->mask);
	auto_esys TPM2B_SENSITIVE_DATA *opened = NULL;
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_PolicyPCR(attester->esys, vault->policy.id, ESYS_TR_NONE, ESYS_TR_NONE,
				    ESYS_TR_NONE, &present, &selection);
	while (attester_again(rc, &tries));
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "policy of PCRs");
	tries = 0;
	do
		rc = Esys_Unseal(attester->esys, vault->object.id, vault->policy.id, ESYS_TR_NONE,
				 ESYS_TR_NONE, &opened);
	while (attester_again(rc, &tries));
	const TPM2_RC code = attester_tpm_code(rc);
	if (code == TPM2_RC_POLICY_FAIL || code == TPM2_RC_PCR_CHANGED)
		return fail_policy(attester, pcrs, err);
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "sealed key");
	const bool fits = opened->size == HOST_KEY_SIZE;
	if (fits)
		memcpy(ret_key, opened->buffer, HOST_KEY_SIZE);
	OPENSSL_cleanse(opened, sizeof(*opened));
	wash(attester);
	return fits ? ATTESTER_OK
		    : attester_fail(err, ATTESTER_REFUSED, "sealed key: what it holds is no key");
}

static enum attester_status
open_sealed(struct attester *attester, struct vault *vault, const struct host_sealed *sealed,
	    uint8_t ret_key[HOST_KEY_SIZE], struct attester_error *err)
{
	enum attester_status status = load(vault, sealed, err);

	if (status == ATTESTER_OK)
		status = host_session(attester, &vault->primary, TPM2_SE_POLICY, &vault->policy,
				      err);
	if (status == ATTESTER_OK)
		status = unseal(attester, vault, &sealed->pcrs, ret_key, err);
	return status;
}

enum attester_status
host_unseal(struct attester *attester, const uint8_t *sealed, size_t size,
	    uint8_t ret_key[HOST_KEY_SIZE], struct attester_error *err)
{
	auto_vault vault = vault_of(attester);
	struct host_sealed parsed;

	if (!host_sealed_read((struct bytes){sealed, size}, &parsed))
		return attester_fail(err, ATTESTER_REFUSED,
				     "sealed key: the file is damaged, or is none");
	enum attester_status status = host_primary(attester, &vault.primary, &vault.name, err);
	if (status != ATTESTER_OK)
		return status;
	/* Before anything is salted to it: a key on the way to the TPM would be told the secret. */
	if (!bytes_equal(parsed.primary, (struct bytes){vault.name.name, vault.name.size}))
		return attester_fail(err, ATTESTER_REFUSED,
				     "sealed key: it was sealed by another TPM, or this one was "
				     "cleared since");
	status = host_session(attester, &vault.primary, TPM2_SE_HMAC, &vault.session, err);
	if (status == ATTESTER_OK)
		status = open_sealed(attester, &vault, &parsed, ret_key, err);
	if (status == ATTESTER_OK)
		attester->primary = vault.name;
	return status;
}

/* ---- sealing ---- */

static enum attester_status
create(struct vault *vault, const uint8_t key[HOST_KEY_SIZE], const TPM2B_DIGEST *policy,
       TPM2B_PRIVATE **ret_private, TPM2B_PUBLIC **ret_public, struct attester_error *err)
{
	static const TPM2B_DATA no_outside_info = {.size = 0};
	static const TPML_PCR_SELECTION no_pcrs = {.count = 0};
	const TPM2B_PUBLIC template = {
		.publicArea = {.type = TPM2_ALG_KEYEDHASH,
			       .nameAlg = TPM2_ALG_SHA256,
			       .objectAttributes = SEALED_ATTRIBUTES,
			       .authPolicy = *policy,
			       .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL},
	};
	TPM2B_SENSITIVE_CREATE sensitive = {.sensitive.data.size = HOST_KEY_SIZE};
	unsigned tries = 0;
	TSS2_RC rc;

	memcpy(sensitive.sensitive.data.buffer, key, HOST_KEY_SIZE);
	do
		rc = Esys_Create(vault->primary.esys, vault->primary.id, vault->session.id,
				 ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &template,
				 &no_outside_info, &no_pcrs, ret_private, ret_public, NULL, NULL,
				 NULL);
	while (attester_again(rc, &tries));
	OPENSSL_cleanse(&sensitive, sizeof(sensitive));
	return rc == TSS2_RC_SUCCESS ? ATTESTER_OK : attester_fail_tss(err, rc, "sealing");
}

/* The file, and its contents as they will be read. */
static enum attester_status
write_sealed(const struct vault *vault, const struct host_pcrs *pcrs, const TPM2B_PRIVATE *private,
	     const TPM2B_PUBLIC *public, uint8_t ret_file[HOST_SEALED_MAX], size_t *ret_size,
	     struct attester_error *err)
{
	uint8_t area[sizeof(TPMT_PUBLIC)];
	size_t size = 0;

	TSS2_RC rc = Tss2_MU_TPMT_PUBLIC_Marshal(&public->publicArea, area, sizeof(area), &size);
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "sealing");
	const struct host_sealed sealed = {
		.pcrs = *pcrs,
		.primary = {vault->name.name, vault->name.size},
		.public_area = {area, size},
		.private_area = {private->buffer, private->size},
	};
	if (!host_sealed_write(&sealed, ret_file, ret_size))
		return attester_fail(err, ATTESTER_UNSUPPORTED,
				     "sealing: what the TPM made is larger than expected");
	return ATTESTER_OK;
}

/* A key that was never opened again is not known to be sealed. */
static enum attester_status
prove(struct attester *attester, struct vault *vault, struct bytes file,
      const uint8_t key[HOST_KEY_SIZE], struct attester_error *err)
{
	struct host_sealed sealed;
	uint8_t opened[HOST_KEY_SIZE];

	if (!host_sealed_read(file, &sealed))
		return attester_fail(err, ATTESTER_UNSUPPORTED, "sealing: the file does not parse");
	enum attester_status status = open_sealed(attester, vault, &sealed, opened, err);
	if (status == ATTESTER_OK && CRYPTO_memcmp(opened, key, HOST_KEY_SIZE) != 0)
		status = attester_fail(err, ATTESTER_UNAVAILABLE,
				       "sealing: the TPM gives another key back");
	OPENSSL_cleanse(opened, sizeof(opened));
	/* They were something else a moment ago. */
	if (status == ATTESTER_REFUSED)
		return attester_fail(err, ATTESTER_MOVED,
				     "PCRs were extended during the sealing: try again when the "
				     "boot has settled");
	return status;
}

enum attester_status
host_seal(struct attester *attester, const uint8_t key[HOST_KEY_SIZE], uint32_t pcrs,
	  uint8_t ret_sealed[HOST_SEALED_MAX], size_t *ret_size, struct attester_error *err)
{
	auto_vault vault = vault_of(attester);
	auto_esys TPM2B_PRIVATE *private = NULL;
	auto_esys TPM2B_PUBLIC *public = NULL;
	uint8_t file[HOST_SEALED_MAX];
	struct host_pcrs values = {.mask = 0};
	TPM2B_DIGEST policy;
	size_t size = 0;

	if (pcrs == 0 || (pcrs & ~HOST_PCRS_ALL) != 0)
		return attester_fail(err, ATTESTER_REFUSED,
				     "sealing: wants one PCR of 0 to %d at least",
				     HOST_PCR_COUNT - 1);
	enum attester_status status = host_pcrs_read(attester, pcrs, &values, err);
	if (status == ATTESTER_OK && !host_pcrs_policy(&values, &policy))
		status = attester_fail(err, ATTESTER_MEMORY, "sealing: out of memory");
	if (status == ATTESTER_OK)
		status = vault_open(attester, &vault, err);
	if (status == ATTESTER_OK)
		status = create(&vault, key, &policy, &private, &public, err);
	if (status == ATTESTER_OK)
		status = write_sealed(&vault, &values, private, public, file, &size, err);
	if (status == ATTESTER_OK)
		status = prove(attester, &vault, (struct bytes){file, size}, key, err);
	if (status != ATTESTER_OK)
		return status;
	memcpy(ret_sealed, file, size);
	*ret_size = size;
	return ATTESTER_OK;
}
