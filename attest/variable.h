/* SPDX-License-Identifier: Apache-2.0 */
/* UEFI_VARIABLE_DATA, PFP 1.05, 10.2.6: what firmware logs of a UEFI variable. */
#ifndef POSTERN_ATTEST_VARIABLE_H
#define POSTERN_ATTEST_VARIABLE_H

#include "bytes.h"

#define VARIABLE_GUID_SIZE	 16
#define VARIABLE_NAME_CHARACTERS 256 /* the longest of a boot variable is far below */

struct variable {
	struct bytes guid;
	struct bytes name; /* UTF-16LE, without a NUL */
	struct bytes value;
	struct bytes rest; /* what follows: old shims logged some bytes more than the structure */
};
/* False: too short, or the name is too long. */
bool attest_variable_decode(struct bytes data, struct variable *ret_variable);

struct variable_name {
	const uint8_t *guid; /* one of those below */
	const char *name;    /* ASCII */
};
extern const uint8_t VARIABLE_GLOBAL[VARIABLE_GUID_SIZE];	  /* EFI_GLOBAL_VARIABLE */
extern const uint8_t VARIABLE_IMAGE_SECURITY[VARIABLE_GUID_SIZE]; /* of db and dbx */
extern const uint8_t VARIABLE_SHIM_LOCK[VARIABLE_GUID_SIZE];	  /* shim's own */
bool attest_variable_is(const struct variable *variable, const struct variable_name *wanted);

#endif
