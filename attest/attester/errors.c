/* SPDX-License-Identifier: Apache-2.0 */
/* What a TPM or its software stack answers, as one of our statuses and a sentence that says what to
 * do. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <tss2/tss2_rc.h>

/* 10 + 20 + ... + 640 ms: a self-test that a command set off takes up to about a second. */
#define TRIES_MAX		7
#define FIRST_PAUSE_NANOSECONDS (10L * 1000 * 1000)

/* TPM 2.0 Library Part 2, 6.6.2: bit 7 marks a code that also carries a parameter, handle or
 * session number. */
#define FORMAT_ONE	0x080u
#define FORMAT_ONE_CODE 0x0bfu

struct answer {
	TPM2_RC code;
	enum attester_status status;
	const char *advice;
};

static const struct answer answers[] = {
	{TPM2_RC_INITIALIZE, ATTESTER_UNAVAILABLE, "the TPM was not started: run tpm2_startup -c"},
	{TPM2_RC_FAILURE, ATTESTER_UNAVAILABLE, "the TPM is in failure mode: restart the machine"},
	{TPM2_RC_REBOOT, ATTESTER_UNAVAILABLE, "the TPM asks for a restart of the machine"},
	{TPM2_RC_LOCKOUT, ATTESTER_UNAVAILABLE,
	 "the TPM is locked out after wrong authorizations: wait, or run "
	 "tpm2_dictionarylockout --clear-lockout"},
	{TPM2_RC_RETRY, ATTESTER_UNAVAILABLE, "the TPM stays busy"},
	{TPM2_RC_YIELDED, ATTESTER_UNAVAILABLE, "the TPM stays busy"},
	{TPM2_RC_TESTING, ATTESTER_UNAVAILABLE, "the TPM's self-test does not end"},
	{TPM2_RC_CANCELED, ATTESTER_UNAVAILABLE, "the command was cancelled"},
	{TPM2_RC_NV_RATE, ATTESTER_UNAVAILABLE, "the TPM limits writes to its NV: wait"},
	{TPM2_RC_OBJECT_MEMORY, ATTESTER_UNAVAILABLE,
	 "no room for another key: use /dev/tpmrm0, or run tpm2_flushcontext -t"},
	{TPM2_RC_OBJECT_HANDLES, ATTESTER_UNAVAILABLE,
	 "no room for another key: use /dev/tpmrm0, or run tpm2_flushcontext -t"},
	{TPM2_RC_SESSION_MEMORY, ATTESTER_UNAVAILABLE,
	 "no room for another session: run tpm2_flushcontext -l"},
	{TPM2_RC_SESSION_HANDLES, ATTESTER_UNAVAILABLE,
	 "no room for another session: run tpm2_flushcontext -l"},
	{TPM2_RC_MEMORY, ATTESTER_UNAVAILABLE, "the TPM is out of memory: use /dev/tpmrm0"},
	{TPM2_RC_COMMAND_CODE, ATTESTER_UNSUPPORTED, "the TPM lacks this command"},
	{TPM2_RC_CURVE, ATTESTER_UNSUPPORTED, "the TPM lacks this curve"},
	{TPM2_RC_HASH, ATTESTER_UNSUPPORTED, "the TPM lacks this hash"},
	{TPM2_RC_ASYMMETRIC, ATTESTER_UNSUPPORTED, "the TPM lacks this algorithm"},
	{TPM2_RC_SYMMETRIC, ATTESTER_UNSUPPORTED, "the TPM lacks this cipher"},
	{TPM2_RC_MODE, ATTESTER_UNSUPPORTED, "the TPM lacks this mode"},
	{TPM2_RC_SCHEME, ATTESTER_UNSUPPORTED, "the TPM lacks this scheme"},
	{TPM2_RC_KEY_SIZE, ATTESTER_UNSUPPORTED, "the TPM lacks this key size"},
	{TPM2_RC_BAD_AUTH, ATTESTER_REFUSED,
	 "an authorization is set; Postern needs the endorsement hierarchy's to be empty"},
	{TPM2_RC_AUTH_FAIL, ATTESTER_REFUSED,
	 "an authorization is set; Postern needs the endorsement hierarchy's to be empty"},
	{TPM2_RC_HIERARCHY, ATTESTER_REFUSED, "the endorsement hierarchy is disabled"},
	{TPM2_RC_INTEGRITY, ATTESTER_REFUSED, "it was not made for these keys of this TPM"},
	{TPM2_RC_NV_SPACE, ATTESTER_REFUSED,
	 "no room in its NV: tpm2_getcap handles-nv-index lists what is there"},
	{TPM2_RC_NV_LOCKED, ATTESTER_REFUSED, "the NV index is locked until the next start"},
};

enum attester_status
attester_fail(struct attester_error *err, enum attester_status status, const char *format, ...)
{
	va_list arguments;

	err->status = status;
	va_start(arguments, format);
	vsnprintf(err->message, sizeof(err->message), format, arguments);
	va_end(arguments);
	return status;
}

TPM2_RC
attester_tpm_code(TSS2_RC rc)
{
	TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

	if (layer != TSS2_TPM_RC_LAYER && layer != TSS2_RESMGR_TPM_RC_LAYER)
		return 0;
	rc &= ~TSS2_RC_LAYER_MASK;
	return rc & FORMAT_ONE ? rc & FORMAT_ONE_CODE : rc;
}

static enum attester_status
fail_stack(struct attester_error *err, TSS2_RC rc, const char *what)
{
	if ((rc & ~TSS2_RC_LAYER_MASK) == TSS2_BASE_RC_MEMORY)
		return attester_fail(err, ATTESTER_MEMORY, "%s: out of memory", what);
	return attester_fail(err, ATTESTER_UNAVAILABLE, "%s: the TPM does not answer (0x%x: %s)",
			     what, rc, Tss2_RC_Decode(rc));
}

enum attester_status
attester_fail_tss(struct attester_error *err, TSS2_RC rc, const char *what)
{
	TPM2_RC code = attester_tpm_code(rc);

	if (code == 0)
		return fail_stack(err, rc, what);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (answers[i].code == code)
			return attester_fail(err, answers[i].status, "%s: %s (0x%x)", what,
					     answers[i].advice, rc);
	return attester_fail(err, ATTESTER_REFUSED, "%s: the TPM says no (0x%x: %s)", what, rc,
			     Tss2_RC_Decode(rc));
}

enum attester_status
attester_fail_owner(struct attester_error *err, TSS2_RC rc, const char *what)
{
	TPM2_RC code = attester_tpm_code(rc);

	if (code == TPM2_RC_BAD_AUTH || code == TPM2_RC_AUTH_FAIL)
		return attester_fail(err, ATTESTER_REFUSED,
				     "%s: the TPM's owner hierarchy has a password, and Postern "
				     "wants it empty: tpm2_changeauth -c owner -p PASSWORD (0x%x)",
				     what, rc);
	if (code == TPM2_RC_HIERARCHY)
		return attester_fail(err, ATTESTER_REFUSED,
				     "%s: the TPM's owner hierarchy is disabled: enable it in the "
				     "firmware's settings (0x%x)",
				     what, rc);
	return attester_fail_tss(err, rc, what);
}

bool
attester_again(TSS2_RC rc, unsigned *tries)
{
	TPM2_RC code = attester_tpm_code(rc);

	if (code != TPM2_RC_RETRY && code != TPM2_RC_YIELDED && code != TPM2_RC_TESTING)
		return false;
	if (*tries >= TRIES_MAX)
		return false;
	struct timespec pause = {.tv_nsec = FIRST_PAUSE_NANOSECONDS << *tries};
	nanosleep(&pause, NULL);
	(*tries)++;
	return true;
}

void
attester_handle_flush(struct attester_handle *handle)
{
	unsigned tries = 0;
	TSS2_RC rc;

	if (handle->id == ESYS_TR_NONE)
		return;
	do
		rc = Esys_FlushContext(handle->esys, handle->id);
	while (attester_again(rc, &tries));
	/* A TPM that cannot even flush has nothing better to be asked; the stack's own record goes.
	 */
	if (rc != TSS2_RC_SUCCESS)
		Esys_TR_Close(handle->esys, &handle->id);
	handle->id = ESYS_TR_NONE;
}

void
attester_esys_free(void *pointer)
{
	void *memory;

	memcpy(&memory, pointer,
	       sizeof(memory)); /* the address of some T *, read without aliasing it */
	Esys_Free(memory);
}
