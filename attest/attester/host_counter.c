/* SPDX-License-Identifier: Apache-2.0 */
/* A counter in the TPM's NV. Reading and incrementing are authorized by a session that is salted to
 * the primary key, so that what comes back is the TPM's word. */
#include "host_session.h"

#define COUNTER_SIZE 8

/* Its own empty authorization opens it, also where the owner got a password later; noDA: or a
 * lockout would keep the broker from starting. */
#define COUNTER_ATTRIBUTES                                                                         \
	((TPMA_NV)TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT | TPMA_NV_OWNERWRITE |                  \
	 TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA)

struct counter {
	struct attester_handle primary;
	struct attester_handle session;
	struct attester_handle index;
	bool written;
};
#define counter_of(attester)                                                                       \
	{                                                                                          \
		.primary = handle_of(attester), .session = handle_of(attester),                    \
		.index = handle_of(attester)                                                       \
	}

static void
counter_close(struct counter *counter)
{
	attester_nv_close(&counter->index);
	attester_handle_flush(&counter->session);
	attester_handle_flush(&counter->primary);
}
#define auto_counter __attribute__((cleanup(counter_close))) struct counter

enum attester_status
host_counter_defined(struct attester *attester, uint32_t index, bool *ret_defined,
		     struct attester_error *err)
{
	TPM2_HANDLE found;
	size_t count = 0;

	if (index < HOST_COUNTER_MIN || index > HOST_COUNTER_MAX)
		return attester_fail(err, ATTESTER_REFUSED,
				     "counter: 0x%x is not among the owner's NV indices, 0x%x to "
				     "0x%x",
				     index, HOST_COUNTER_MIN, HOST_COUNTER_MAX);
	enum attester_status status =
		attester_nv_list(attester, index, index, 1, &found, &count, err);
	if (status == ATTESTER_OK)
		*ret_defined = count > 0;
	return status;
}

static enum attester_status
open_defined(struct attester *attester, uint32_t index, struct counter *counter,
	     struct attester_error *err)
{
	TPMS_NV_PUBLIC public = {.nvIndex = 0};
	TPM2B_NAME name;

	enum attester_status status =
		attester_nv_open(attester, index, &counter->index, &public, err);
	if (status != ATTESTER_OK)
		return status;
	const TPMA_NV type = (public.attributes & TPMA_NV_TPM2_NT_MASK) >> TPMA_NV_TPM2_NT_SHIFT;
	if (type != TPM2_NT_COUNTER || public.dataSize != COUNTER_SIZE)
		return attester_fail(err, ATTESTER_REFUSED,
				     "counter: NV index 0x%x holds something else: take another",
				     index);
	counter->written = (public.attributes & TPMA_NV_WRITTEN) != 0;
	status = host_primary(attester, &counter->primary, &name, err);
	if (status == ATTESTER_OK)
		status = host_session(attester, &counter->primary, TPM2_SE_HMAC, &counter->session,
				      err);
	return status;
}

static enum attester_status
open_counter(struct attester *attester, uint32_t index, struct counter *counter,
	     struct attester_error *err)
{
	bool there = false;

	enum attester_status status = host_counter_defined(attester, index, &there, err);
	if (status == ATTESTER_OK && !there)
		status = attester_fail(err, ATTESTER_REFUSED,
				       "counter: the TPM has none at NV index 0x%x", index);
	return status == ATTESTER_OK ? open_defined(attester, index, counter, err) : status;
}

static enum attester_status
increment(const struct counter *counter, struct attester_error *err)
{
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_NV_Increment(counter->index.esys, counter->index.id, counter->index.id,
				       counter->session.id, ESYS_TR_NONE, ESYS_TR_NONE);
	while (attester_again(rc, &tries));
	return rc == TSS2_RC_SUCCESS ? ATTESTER_OK : attester_fail_tss(err, rc, "counter");
}

static enum attester_status
read_value(const struct counter *counter, uint64_t *ret_value, struct attester_error *err)
{
	auto_esys TPM2B_MAX_NV_BUFFER *answer = NULL;
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_NV_Read(counter->index.esys, counter->index.id, counter->index.id,
				  counter->session.id, ESYS_TR_NONE, ESYS_TR_NONE, COUNTER_SIZE, 0,
				  &answer);
	while (attester_again(rc, &tries));
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, "counter");
	struct reader r = reader_of((struct bytes){answer->buffer, answer->size});
	uint64_t value = read_be64(&r);
	if (!reader_finished(&r))
		return attester_fail(err, ATTESTER_UNAVAILABLE, "counter: %u bytes came",
				     answer->size);
	*ret_value = value;
	return ATTESTER_OK;
}

enum attester_status
host_counter_read(struct attester *attester, uint32_t index, uint64_t *ret_value,
		  struct attester_error *err)
{
	auto_counter counter = counter_of(attester);

	enum attester_status status = open_counter(attester, index, &counter, err);
	if (status == ATTESTER_OK && !counter.written)
		status = attester_fail(err, ATTESTER_REFUSED,
				       "counter: NV index 0x%x was never incremented", index);
	return status == ATTESTER_OK ? read_value(&counter, ret_value, err) : status;
}

enum attester_status
host_counter_increment(struct attester *attester, uint32_t index, uint64_t *ret_value,
		       struct attester_error *err)
{
	auto_counter counter = counter_of(attester);

	enum attester_status status = open_counter(attester, index, &counter, err);
	if (status == ATTESTER_OK)
		status = increment(&counter, err);
	if (status == ATTESTER_OK && !counter.written) {
		/* Its first increment changed its attributes, and so its name: known anew. */
		counter_close(&counter);
		return host_counter_read(attester, index, ret_value, err);
	}
	return status == ATTESTER_OK ? read_value(&counter, ret_value, err) : status;
}

static enum attester_status
define(struct attester *attester, uint32_t index, struct attester_error *err)
{
	static const TPM2B_AUTH no_auth = {.size = 0};
	const TPM2B_NV_PUBLIC public = {.nvPublic = {.nvIndex = index,
						     .nameAlg = TPM2_ALG_SHA256,
						     .attributes = COUNTER_ATTRIBUTES,
						     .dataSize = COUNTER_SIZE}};
	auto_index struct attester_handle made = handle_of(attester);
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_NV_DefineSpace(attester->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
					 ESYS_TR_NONE, ESYS_TR_NONE, &no_auth, &public, &made.id);
	while (attester_again(rc, &tries));
	if (rc == TSS2_RC_SUCCESS)
		return ATTESTER_OK;
	made.id = ESYS_TR_NONE;
	return attester_fail_owner(err, rc, "counter");
}

enum attester_status
host_counter_define(struct attester *attester, uint32_t index, uint64_t *ret_value,
		    struct attester_error *err)
{
	bool there = false;

	enum attester_status status = host_counter_defined(attester, index, &there, err);
	if (status == ATTESTER_OK && !there)
		status = define(attester, index, err);
	if (status != ATTESTER_OK)
		return status;
	/* Defined before, perhaps by a run that was interrupted: what matters is that it can be
	 * read. */
	auto_counter counter = counter_of(attester);
	status = open_defined(attester, index, &counter, err);
	if (status == ATTESTER_OK && counter.written)
		return read_value(&counter, ret_value, err);
	counter_close(&counter);
	return status == ATTESTER_OK ? host_counter_increment(attester, index, ret_value, err)
				     : status;
}
