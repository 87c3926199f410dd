/* SPDX-License-Identifier: Apache-2.0 */
#include "spoiled_tcti.h"
#include "fixture.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <tss2/tss2_tctildr.h>

#include <cmocka.h>

#define COMMAND_CODE_OFFSET 6
#define CAPABILITY_OFFSET   10
#define PROPERTY_OFFSET	    14
#define ANSWER_SIZE	    10
#define COUNTER_END	    (10 + 4 + 2 + 8) /* of an answer in a session: its TPM2B of 8 bytes */

static uint32_t
be32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static void
put_be32(uint8_t *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static struct spoiled_tcti *
spoiled_of(TSS2_TCTI_CONTEXT *context)
{
	return (struct spoiled_tcti *)context;
}

/* TPM2_PCR_Extend of PCR 10, with an empty password, and one SHA-256 digest of zeros. */
static TSS2_RC
extend(TSS2_TCTI_CONTEXT *inner)
{
	static const uint8_t head[] = {
		0x80, 0x02, 0x00, 0x00, 0x00, 0x41, 0x00, 0x00, 0x01, 0x82, /* sessions, size, code
									     */
		0x00, 0x00, 0x00, 0x0a,					    /* PCR 10 */
		0x00, 0x00, 0x00, 0x09, 0x40, 0x00, 0x00, 0x09, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x0b, /* one digest, SHA-256 */
	};
	uint8_t command[sizeof(head) + 32] = {0};
	uint8_t answer[64];
	size_t size = sizeof(answer);

	_Static_assert(sizeof(command) == 0x41, "the size in the head");
	memcpy(command, head, sizeof(head));
	TSS2_RC rc = Tss2_Tcti_Transmit(inner, sizeof(command), command);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	rc = Tss2_Tcti_Receive(inner, &size, answer, TSS2_TCTI_TIMEOUT_BLOCK);
	return rc != TSS2_RC_SUCCESS ? rc : be32(answer + 6);
}

static void
look(struct spoiled_tcti *spoiled, const uint8_t *message, size_t size)
{
	if (spoiled->needle != NULL &&
	    memmem(message, size, spoiled->needle, spoiled->needle_size) != NULL)
		spoiled->needle_seen++;
}

static TSS2_RC
transmit(TSS2_TCTI_CONTEXT *context, size_t size, uint8_t const *command)
{
	struct spoiled_tcti *spoiled = spoiled_of(context);
	uint32_t code = be32(command + COMMAND_CODE_OFFSET);

	assert(size >= ANSWER_SIZE);
	look(spoiled, command, size);
	if (code == TPM2_CC_PCR_Read && spoiled->move_count > 0) {
		spoiled->move_count--;
		TSS2_RC rc = extend(spoiled->inner);
		assert(rc == TSS2_RC_SUCCESS);
	}
	spoiled->nv_reads += code == TPM2_CC_NV_Read;
	spoiled->pending_flip = spoiled->flip_nv_read && code == TPM2_CC_NV_Read;
	spoiled->pending_move = spoiled->move_after == code;
	spoiled->pending_nv_buffer = spoiled->nv_buffer != 0 && code == TPM2_CC_GetCapability &&
				     be32(command + PROPERTY_OFFSET) == TPM2_PT_NV_BUFFER_MAX;
	spoiled->pending_handles = spoiled->handles != NULL && code == TPM2_CC_GetCapability &&
				   be32(command + CAPABILITY_OFFSET) == TPM2_CAP_HANDLES;
	if (code == TPM2_CC_FlushContext)
		return Tss2_Tcti_Transmit(spoiled->inner, size, command);
	spoiled->commands++;
	if (spoiled->fail_first == 0 || spoiled->commands < spoiled->fail_first ||
	    spoiled->commands >= spoiled->fail_first + spoiled->fail_count)
		return Tss2_Tcti_Transmit(spoiled->inner, size, command);
	if ((spoiled->fail_with & TSS2_RC_LAYER_MASK) != TSS2_TPM_RC_LAYER)
		return spoiled->fail_with;
	spoiled->pending = true;
	return TSS2_RC_SUCCESS;
}

/* What comes back is ours to alter, and the TPM ours to ask, before anybody looks. */
static void
meddle(struct spoiled_tcti *spoiled, uint8_t *answer, size_t size)
{
	look(spoiled, answer, size);
	if (spoiled->pending_nv_buffer)
		put_be32(answer + size - 4, spoiled->nv_buffer); /* the value comes last */
	if (spoiled->pending_flip && size >= COUNTER_END)
		answer[COUNTER_END - 1] ^= 1;
	if (spoiled->pending_move) {
		spoiled->move_after = 0;
		TSS2_RC rc = extend(spoiled->inner);
		assert(rc == TSS2_RC_SUCCESS);
	}
}

static TSS2_RC
receive(TSS2_TCTI_CONTEXT *context, size_t *size, uint8_t *answer, int32_t timeout)
{
	struct spoiled_tcti *spoiled = spoiled_of(context);
	TSS2_RC rc = spoiled->fail_with;
	uint8_t spoil[ANSWER_SIZE] = {0x80, 0x01, 0, 0, 0, ANSWER_SIZE};

	if (!spoiled->pending) {
		rc = Tss2_Tcti_Receive(spoiled->inner, size, answer, timeout);
		if (rc == TSS2_RC_SUCCESS && answer != NULL)
			meddle(spoiled, answer, *size);
		if (rc == TSS2_RC_SUCCESS && answer != NULL && spoiled->pending_handles) {
			memcpy(answer, spoiled->handles, spoiled->handles_size);
			*size = spoiled->handles_size;
		}
		return rc;
	}
	*size = ANSWER_SIZE;
	if (answer == NULL)
		return TSS2_RC_SUCCESS;
	put_be32(spoil + 6, rc);
	memcpy(answer, spoil, ANSWER_SIZE);
	spoiled->pending = false;
	return TSS2_RC_SUCCESS;
}

static TSS2_RC
cancel(TSS2_TCTI_CONTEXT *context)
{
	return Tss2_Tcti_Cancel(spoiled_of(context)->inner);
}

static TSS2_RC
set_locality(TSS2_TCTI_CONTEXT *context, uint8_t locality)
{
	return Tss2_Tcti_SetLocality(spoiled_of(context)->inner, locality);
}

static void
spoiled_tcti_init(struct spoiled_tcti *spoiled, TSS2_TCTI_CONTEXT *inner)
{
	*spoiled = (struct spoiled_tcti){
		.common = {.version = 1,
			   .transmit = transmit,
			   .receive = receive,
			   .cancel = cancel,
			   .setLocality = set_locality},
		.inner = inner,
	};
}

struct attester *
open_spoiled(struct spoiled_tcti *spoiled)
{
	TSS2_TCTI_CONTEXT *inner = NULL;
	struct attester *attester = NULL;
	struct attester_error err;

	close_tpm(open_tpm());
	assert_int_equal(Tss2_TctiLdr_Initialize(tpm.tcti, &inner), TSS2_RC_SUCCESS);
	spoiled_tcti_init(spoiled, inner);
	assert_int_equal(attester_open_over((TSS2_TCTI_CONTEXT *)spoiled, &attester, &err),
			 ATTESTER_OK);
	spoiled->commands = 0;
	return attester;
}

void
close_spoiled(struct attester *attester, struct spoiled_tcti *spoiled)
{
	attester_close(attester);
	Tss2_TctiLdr_Finalize(&spoiled->inner);
}
