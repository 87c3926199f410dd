/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the TPM's NV indices. */
#include "internal.h"

#include <string.h>

#define CHUNK_MAX 512 /* bytes of one TPM2_NV_Read; less where the TPM's own limit is lower */

enum attester_status
attester_nv_list(struct attester *attester, TPM2_HANDLE first, TPM2_HANDLE last, size_t capacity,
		 TPM2_HANDLE *ret_indices, size_t *ret_count, struct attester_error *err)
{
	TPMI_YES_NO more = TPM2_YES;
	size_t count = 0;

	while (more == TPM2_YES && count < capacity) {
		auto_esys TPMS_CAPABILITY_DATA *answer = NULL;
		enum attester_status status = attester_capability(
			attester, TPM2_CAP_HANDLES, first, (UINT32)(capacity - count),
			"list of NV indices", &more, &answer, err);

		if (status != ATTESTER_OK)
			return status;
		const TPML_HANDLE *handles = &answer->data.handles;
		if (handles->count == 0)
			break;
		for (UINT32 i = 0; i < handles->count && count < capacity; i++)
			if (handles->handle[i] >= first && handles->handle[i] <= last)
				ret_indices[count++] = handles->handle[i];
		/* Ascending, so that each question is above the one before, and the loop ends. */
		const TPM2_HANDLE highest = handles->handle[handles->count - 1];
		if (highest < first)
			return attester_fail(err, ATTESTER_UNAVAILABLE,
					     "list of NV indices: not in order");
		if (highest >= last)
			break;
		first = highest + 1;
	}
	*ret_count = count;
	return ATTESTER_OK;
}

void
attester_nv_close(struct attester_handle *index)
{
	if (index->id != ESYS_TR_NONE)
		Esys_TR_Close(index->esys, &index->id);
}

enum attester_status
attester_nv_open(struct attester *attester, TPM2_HANDLE handle, struct attester_handle *index,
		 TPMS_NV_PUBLIC *ret_public, struct attester_error *err)
{
	auto_esys TPM2B_NV_PUBLIC *public = NULL;
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_TR_FromTPMPublic(attester->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE,
					   ESYS_TR_NONE, &index->id);
	while (attester_again(rc, &tries));
	if (rc != TSS2_RC_SUCCESS) {
		index->id = ESYS_TR_NONE;
		return attester_fail_tss(err, rc, "NV index");
	}
	tries = 0;
	do
		rc = Esys_NV_ReadPublic(attester->esys, index->id, ESYS_TR_NONE, ESYS_TR_NONE,
					ESYS_TR_NONE, &public, NULL);
	while (attester_again(rc, &tries));
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "NV index");
	*ret_public = public->nvPublic;
	return ATTESTER_OK;
}

static enum attester_status
read_chunk(const struct attester_handle *index, ESYS_TR authorizer, uint16_t offset, uint16_t size,
	   uint8_t *ret_bytes, struct attester_error *err)
{
	auto_esys TPM2B_MAX_NV_BUFFER *chunk = NULL;
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_NV_Read(index->esys, authorizer, index->id, ESYS_TR_PASSWORD,
				  ESYS_TR_NONE, ESYS_TR_NONE, size, offset, &chunk);
	while (attester_again(rc, &tries));
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "certificate in NV");
	if (chunk->size != size)
		return attester_fail(err, ATTESTER_UNAVAILABLE,
				     "certificate in NV: %u bytes asked for, %u came", size,
				     chunk->size);
	memcpy(ret_bytes, chunk->buffer, size);
	return ATTESTER_OK;
}

static enum attester_status
chunk_size(struct attester *attester, uint16_t *ret_size, struct attester_error *err)
{
	auto_esys TPMS_CAPABILITY_DATA *answer = NULL;
	TPMI_YES_NO more;
	enum attester_status status =
		attester_capability(attester, TPM2_CAP_TPM_PROPERTIES, TPM2_PT_NV_BUFFER_MAX, 1,
				    "size of NV reads", &more, &answer, err);

	if (status != ATTESTER_OK)
		return status;
	const TPML_TAGGED_TPM_PROPERTY *found = &answer->data.tpmProperties;
	uint32_t limit = CHUNK_MAX;
	if (found->count > 0 && found->tpmProperty[0].property == TPM2_PT_NV_BUFFER_MAX &&
	    found->tpmProperty[0].value > 0 && found->tpmProperty[0].value < CHUNK_MAX)
		limit = found->tpmProperty[0].value;
	*ret_size = (uint16_t)limit;
	return ATTESTER_OK;
}

static enum attester_status
read_defined(struct attester *attester, TPM2_HANDLE handle, size_t capacity, uint8_t *ret_bytes,
	     size_t *ret_size, struct attester_error *err)
{
	auto_index struct attester_handle index = handle_of(attester);
	TPMS_NV_PUBLIC public = {0};
	uint16_t chunk = 0;

	enum attester_status status = attester_nv_open(attester, handle, &index, &public, err);
	if (status != ATTESTER_OK)
		return status;
	if (!(public.attributes & TPMA_NV_WRITTEN)) {
		*ret_size = 0;
		return ATTESTER_OK;
	}
	if (public.dataSize > capacity)
		return attester_fail(err, ATTESTER_UNSUPPORTED,
				     "NV index 0x%x: %u bytes, at most %zu are taken", handle,
				     public.dataSize, capacity);
	status = chunk_size(attester, &chunk, err);
	if (status != ATTESTER_OK)
		return status;
	/* By the index's own empty authorization where it may: the owner's is often set. */
	ESYS_TR authorizer =
		public.attributes & TPMA_NV_AUTHREAD ? index.id : (ESYS_TR)ESYS_TR_RH_OWNER;
	for (uint16_t done = 0; done < public.dataSize;) {
		uint16_t left = (uint16_t)(public.dataSize - done);
		uint16_t size = left < chunk ? left : chunk;

		status = read_chunk(&index, authorizer, done, size, ret_bytes + done, err);
		if (status != ATTESTER_OK)
			return status;
		done = (uint16_t)(done + size);
	}
	*ret_size = public.dataSize;
	return ATTESTER_OK;
}

enum attester_status
attester_nv_read(struct attester *attester, TPM2_HANDLE handle, size_t capacity, uint8_t *ret_bytes,
		 size_t *ret_size, struct attester_error *err)
{
	TPM2_HANDLE found;
	size_t count = 0;

	enum attester_status status =
		attester_nv_list(attester, handle, handle, 1, &found, &count, err);
	if (status == ATTESTER_OK && count == 0)
		*ret_size = 0;
	if (status != ATTESTER_OK || count == 0)
		return status;
	return read_defined(attester, handle, capacity, ret_bytes, ret_size, err);
}
