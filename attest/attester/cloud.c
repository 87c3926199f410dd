/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AK of a cloud's virtual TPM certifies Postern's (TPM2_Certify, TPM 2.0 Library Part 3, 18.2):
 * whoever trusts the cloud's CA then knows in which machine of the cloud Postern's AK lives,
 * without an EK certificate.
 */
#include "internal.h"

#include <string.h>
#include <tss2/tss2_mu.h>

struct place {
	const char *cloud;
	TPM2_HANDLE certificate;
	TPM2_HANDLE template; /* NV index of a TPMT_PUBLIC; 0: `key` instead */
	TPM2_HANDLE key;      /* persistent */
};

/* In this order, the first that is there. */
static const struct place places[] = {
	{"google", 0x01C10002, 0x01C10003, 0},
	{"google", 0x01C10000, 0x01C10001, 0},
	{"azure", 0x01C101D0, 0, 0x81000003},
};
#define PLACES (sizeof(places) / sizeof(places[0]))

static enum attester_status
make_from_template(struct attester *attester, const struct place *place,
		   struct attester_handle *key, struct attester_error *err)
{
	uint8_t area[ATTEST_PUBLIC_SIZE_MAX];
	TPM2B_PUBLIC template = {0};
	size_t size = 0;
	size_t offset = 0;

	enum attester_status status =
		attester_nv_read(attester, place->template, sizeof(area), area, &size, err);
	if (status != ATTESTER_OK)
		return status;
	if (size == 0 || Tss2_MU_TPMT_PUBLIC_Unmarshal(area, size, &offset, &template.publicArea) !=
				 TSS2_RC_SUCCESS)
		return attester_fail(err, ATTESTER_UNSUPPORTED,
				     "%s's attestation key: NV index 0x%x holds no template",
				     place->cloud, place->template);
	return attester_make_primary(attester, ESYS_TR_RH_ENDORSEMENT, &template,
				     "the cloud's attestation key", key, err);
}

/* A persistent key is not ours to flush: closed, ESYS forgets it. */
static enum attester_status
open_persistent(struct attester *attester, const struct place *place, ESYS_TR *ret_key,
		struct attester_error *err)
{
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_TR_FromTPMPublic(attester->esys, place->key, ESYS_TR_NONE, ESYS_TR_NONE,
					   ESYS_TR_NONE, ret_key);
	while (attester_again(rc, &tries));
	if (rc == TSS2_RC_SUCCESS)
		return ATTESTER_OK;
	*ret_key = ESYS_TR_NONE;
	return attester_fail_tss(err, rc, "the cloud's attestation key");
}

static enum attester_status
certify(struct attester *attester, ESYS_TR signer, const uint8_t qualifying[ATTEST_HASH_SIZE],
	struct attester_cloud *cloud, struct attester_error *err)
{
	static const TPMT_SIG_SCHEME own_scheme = {.scheme = TPM2_ALG_NULL};
	auto_handle struct attester_handle ak = handle_of(attester);
	auto_esys TPM2B_ATTEST *message = NULL;
	auto_esys TPMT_SIGNATURE *signature = NULL;
	TPM2B_DATA nonce = {.size = ATTEST_HASH_SIZE};
	unsigned tries = 0;
	TSS2_RC rc;

	enum attester_status status = attester_make_ak(attester, &ak, err);
	if (status != ATTESTER_OK)
		return status;
	memcpy(nonce.buffer, qualifying, ATTEST_HASH_SIZE);
	do
		rc = Esys_Certify(attester->esys, ak.id, signer, ESYS_TR_PASSWORD, ESYS_TR_PASSWORD,
				  ESYS_TR_NONE, &nonce, &own_scheme, &message, &signature);
	while (attester_again(rc, &tries));
	if (rc == TSS2_RC_SUCCESS)
		rc = Tss2_MU_TPMT_SIGNATURE_Marshal(signature, cloud->signature,
						    sizeof(cloud->signature),
						    &cloud->signature_size);
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "certification by the cloud's attestation key");
	if (message->size > sizeof(cloud->message))
		return attester_fail(err, ATTESTER_UNAVAILABLE,
				     "certification: %u bytes are too many", message->size);
	cloud->message_size = message->size;
	memcpy(cloud->message, message->attestationData, message->size);
	return ATTESTER_OK;
}

static enum attester_status
use_template(struct attester *attester, const struct place *place,
	     const uint8_t qualifying[ATTEST_HASH_SIZE], struct attester_cloud *cloud,
	     struct attester_error *err)
{
	auto_handle struct attester_handle key = handle_of(attester);

	enum attester_status status = make_from_template(attester, place, &key, err);
	if (status == ATTESTER_OK)
		status = attester_public_area(&key, sizeof(cloud->public_area), cloud->public_area,
					      &cloud->public_size, err);
	return status == ATTESTER_OK ? certify(attester, key.id, qualifying, cloud, err) : status;
}

static enum attester_status
use_persistent(struct attester *attester, const struct place *place,
	       const uint8_t qualifying[ATTEST_HASH_SIZE], struct attester_cloud *cloud,
	       struct attester_error *err)
{
	struct attester_handle key = handle_of(attester);

	enum attester_status status = open_persistent(attester, place, &key.id, err);
	if (status != ATTESTER_OK)
		return status;
	status = attester_public_area(&key, sizeof(cloud->public_area), cloud->public_area,
				      &cloud->public_size, err);
	if (status == ATTESTER_OK)
		status = certify(attester, key.id, qualifying, cloud, err);
	Esys_TR_Close(attester->esys, &key.id);
	return status;
}

enum attester_status
attester_cloud(struct attester *attester, const uint8_t qualifying[ATTEST_HASH_SIZE],
	       struct attester_cloud *ret_cloud, struct attester_error *err)
{
	struct attester_cloud cloud = {0};

	for (size_t i = 0; i < PLACES; i++) {
		const struct place *place = &places[i];
		enum attester_status status =
			attester_nv_read(attester, place->certificate, sizeof(cloud.certificate),
					 cloud.certificate, &cloud.certificate_size, err);

		if (status != ATTESTER_OK)
			return status;
		if (cloud.certificate_size == 0)
			continue;
		cloud.cloud = place->cloud;
		status = place->template != 0
				 ? use_template(attester, place, qualifying, &cloud, err)
				 : use_persistent(attester, place, qualifying, &cloud, err);
		if (status == ATTESTER_OK)
			*ret_cloud = cloud;
		return status;
	}
	*ret_cloud = cloud;
	return ATTESTER_OK;
}
