/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a TPM, and asking what it has. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#define DEVICE_PREFIX "device:"

/* The kernel's resource manager first: it swaps keys, and flushes what a killed process left
 * behind. */
static const char *const default_tctis[] = {
	DEVICE_PREFIX "/dev/tpmrm0",
	DEVICE_PREFIX "/dev/tpm0",
};

static const char *
default_tcti(void)
{
	for (size_t i = 0; i < sizeof(default_tctis) / sizeof(default_tctis[0]); i++)
		if (access(default_tctis[i] + strlen(DEVICE_PREFIX), F_OK) == 0)
			return default_tctis[i];
	return NULL;
}

/* The stack says only "IO failure" of a device; why, is worth a look. It words the message and
 * decides nothing. */
static enum attester_status
fail_device(struct attester_error *err, const char *path)
{
	if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0)
		return attester_fail(err, ATTESTER_UNAVAILABLE,
				     "%s does not open: is another program using it?", path);
	if (errno == EACCES || errno == EPERM || errno == EROFS)
		return attester_fail(
			err, ATTESTER_UNAVAILABLE,
			"%s: no permission: add the user to the group tss, or run as root", path);
	return attester_fail(err, ATTESTER_UNAVAILABLE,
			     "%s: %s: has this machine a TPM, and the kernel its driver?", path,
			     strerror(errno));
}

static enum attester_status
fail_tcti(struct attester_error *err, TSS2_RC rc, const char *tcti)
{
	if (strncmp(tcti, DEVICE_PREFIX, strlen(DEVICE_PREFIX)) == 0)
		return fail_device(err, tcti + strlen(DEVICE_PREFIX));
	return attester_fail(err, ATTESTER_UNAVAILABLE,
			     "TPM \"%.80s\" does not open (0x%x): is it running, and its "
			     "libtss2-tcti-* installed?",
			     tcti, rc);
}

enum attester_status
attester_open(const char *tcti, struct attester **ret_attester, struct attester_error *err)
{
	TSS2_TCTI_CONTEXT *context = NULL;

	if (tcti == NULL)
		tcti = default_tcti();
	if (tcti == NULL)
		return attester_fail(err, ATTESTER_UNAVAILABLE,
				     "no TPM: neither /dev/tpmrm0 nor /dev/tpm0 is there");
	/*
	 * The stack reads this variable at its first message and has no call for it. Who set it
	 * wants the messages. setenv is not for use beside other threads' getenv: open the first
	 * TPM before starting any.
	 */
	if (setenv("TSS2_LOG", "all+NONE", 0) != 0)
		return attester_fail(err, ATTESTER_MEMORY, "out of memory");
	TSS2_RC rc = Tss2_TctiLdr_Initialize(tcti, &context);
	if (rc != TSS2_RC_SUCCESS)
		return fail_tcti(err, rc, tcti);
	return attester_open_over(context, ret_attester, err);
}

enum attester_status
attester_capability(struct attester *attester, TPM2_CAP capability, UINT32 first, UINT32 count,
		    const char *what, TPMI_YES_NO *ret_more, TPMS_CAPABILITY_DATA **ret_answer,
		    struct attester_error *err)
{
	auto_esys TPMS_CAPABILITY_DATA *answer = NULL;
	unsigned tries = 0;
	TSS2_RC rc;

	do
		rc = Esys_GetCapability(attester->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					capability, first, count, ret_more, &answer);
	while (attester_again(rc, &tries));
	if (rc != TSS2_RC_SUCCESS)
		return attester_fail_tss(err, rc, what);
	/* Read as another member of the union, an answer may be longer than there is room. */
	if (answer->capability != capability)
		return attester_fail(err, ATTESTER_UNAVAILABLE,
				     "%s: the TPM answers another question (0x%x)", what,
				     answer->capability);
	*ret_answer = answer;
	answer = NULL;
	return ATTESTER_OK;
}

/* One question that every TPM 2.0 answers: finds what is no TPM, TPM 1.2, or not started, before it
 * is relied on. */
static enum attester_status
greet(struct attester *attester, struct attester_error *err)
{
	auto_esys TPMS_CAPABILITY_DATA *answer = NULL;
	TPMI_YES_NO more;

	return attester_capability(attester, TPM2_CAP_TPM_PROPERTIES, TPM2_PT_FAMILY_INDICATOR, 1,
				   "open", &more, &answer, err);
}

enum attester_status
attester_open_over(TSS2_TCTI_CONTEXT *tcti, struct attester **ret_attester,
		   struct attester_error *err)
{
	struct attester *attester = calloc(1, sizeof(*attester));

	if (attester == NULL) {
		Tss2_TctiLdr_Finalize(&tcti);
		return attester_fail(err, ATTESTER_MEMORY, "out of memory");
	}
	attester->tcti = tcti;
	TSS2_RC rc = Esys_Initialize(&attester->esys, tcti, NULL);
	enum attester_status status =
		rc == TSS2_RC_SUCCESS ? greet(attester, err) : attester_fail_tss(err, rc, "open");
	if (status != ATTESTER_OK) {
		attester_close(attester);
		return status;
	}
	*ret_attester = attester;
	return ATTESTER_OK;
}

void
attester_close(struct attester *attester)
{
	if (attester == NULL)
		return;
	Esys_Finalize(&attester->esys);
	Tss2_TctiLdr_Finalize(&attester->tcti);
	free(attester);
}
