/* SPDX-License-Identifier: Apache-2.0 */
/* What the attester's files share; nobody outside this folder but its tests includes it. */
#ifndef POSTERN_ATTEST_ATTESTER_INTERNAL_H
#define POSTERN_ATTEST_ATTESTER_INTERNAL_H

#include "../attester.h"

#include <tss2/tss2_esys.h>

struct attester {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	enum attester_ek_kind ek; /* what attester_ek returned last; ANY: nothing yet */
	TPM2B_NAME primary;	  /* of the storage primary key that opened a sealed file; or empty */
};

/* Takes over `tcti`, whatever it returns. Tests open over a TCTI of their own. */
enum attester_status attester_open_over(TSS2_TCTI_CONTEXT *tcti, struct attester **ret_attester,
					struct attester_error *err);

/*
 * TPM2_GetCapability: up to `count` of `capability` from `first` on. The answer, which the caller
 * holds as auto_esys, is of that capability: the stack itself does not look.
 */
enum attester_status attester_capability(struct attester *attester, TPM2_CAP capability,
					 UINT32 first, UINT32 count, const char *what,
					 TPMI_YES_NO *ret_more, TPMS_CAPABILITY_DATA **ret_answer,
					 struct attester_error *err);

/* ---- errors.c ---- */

enum attester_status attester_fail(struct attester_error *err, enum attester_status status,
				   const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The TPM's own code, without layer and numbers; 0 if the answer is not the TPM's. */
TPM2_RC attester_tpm_code(TSS2_RC rc);

/* The status and the sentence for what tpm2-tss or the TPM answered while doing `what`. */
enum attester_status attester_fail_tss(struct attester_error *err, TSS2_RC rc, const char *what);

/* The same of what takes the owner hierarchy's authorization. */
enum attester_status attester_fail_owner(struct attester_error *err, TSS2_RC rc, const char *what);

/*
 * Loop condition around one command: true, after a pause, while the TPM asks for the command again.
 * ESYS repeats such a command five times without a pause, which a TPM in its self-test outlasts.
 */
bool attester_again(TSS2_RC rc, unsigned *tries);

/* ---- what must be given back, on each path ---- */

/* A key or session in the TPM. */
struct attester_handle {
	ESYS_CONTEXT *esys;
	ESYS_TR id;
};

void attester_handle_flush(struct attester_handle *handle);

/* `pointer` is the address of a pointer to memory that ESYS returned. */
void attester_esys_free(void *pointer);

#define auto_handle __attribute__((cleanup(attester_handle_flush)))
#define auto_esys   __attribute__((cleanup(attester_esys_free)))
#define handle_of(attester)                                                                        \
	{                                                                                          \
		.esys = (attester)->esys, .id = ESYS_TR_NONE                                       \
	}

/* ---- keys.c ---- */

/* Makes the EK of that kind (not ANY), or the AK, into `key`, which the caller holds as
 * auto_handle. */
enum attester_status attester_make_ek(struct attester *attester, enum attester_ek_kind kind,
				      struct attester_handle *key, struct attester_error *err);
enum attester_status attester_make_ak(struct attester *attester, struct attester_handle *key,
				      struct attester_error *err);
/* The primary key of a hierarchy (ESYS_TR_RH_*) that `template` describes. */
enum attester_status attester_make_primary(struct attester *attester, ESYS_TR hierarchy,
					   const TPM2B_PUBLIC *template, const char *what,
					   struct attester_handle *key, struct attester_error *err);
/* TPMT_PUBLIC of a key that was made. */
enum attester_status attester_public_area(const struct attester_handle *key, size_t capacity,
					  uint8_t *ret_bytes, size_t *ret_size,
					  struct attester_error *err);

/* ---- nv.c ---- */

/* Indices that are defined from `first` to `last`, ascending, at most `capacity` of them. */
enum attester_status attester_nv_list(struct attester *attester, TPM2_HANDLE first,
				      TPM2_HANDLE last, size_t capacity, TPM2_HANDLE *ret_indices,
				      size_t *ret_count, struct attester_error *err);

/* An index as ESYS knows it: no handle in the TPM, only the stack's record. The caller holds it as
 * auto_index. */
enum attester_status attester_nv_open(struct attester *attester, TPM2_HANDLE handle,
				      struct attester_handle *index, TPMS_NV_PUBLIC *ret_public,
				      struct attester_error *err);
void attester_nv_close(struct attester_handle *index);
#define auto_index __attribute__((cleanup(attester_nv_close)))

/* All of an index's bytes; *ret_size is 0 where it is not there, or was never written. */
enum attester_status attester_nv_read(struct attester *attester, TPM2_HANDLE index, size_t capacity,
				      uint8_t *ret_bytes, size_t *ret_size,
				      struct attester_error *err);

#endif
