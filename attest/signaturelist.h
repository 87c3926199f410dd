/* SPDX-License-Identifier: Apache-2.0 */
/* EFI_SIGNATURE_LIST, UEFI 2.10, 32.4.1: what PK, KEK, db and dbx hold. */
#ifndef POSTERN_ATTEST_SIGNATURELIST_H
#define POSTERN_ATTEST_SIGNATURELIST_H

#include "bytes.h"

#define SIGNATURE_GUID_SIZE 16

extern const uint8_t SIGNATURE_SHA256[SIGNATURE_GUID_SIZE]; /* EFI_CERT_SHA256_GUID */
extern const uint8_t SIGNATURE_X509[SIGNATURE_GUID_SIZE];   /* EFI_CERT_X509_GUID */

struct signature {
	struct bytes type;  /* a GUID, of those above or another */
	struct bytes owner; /* a GUID */
	struct bytes data;
};

struct signature_lists {
	struct reader lists;
	struct reader signatures; /* of the current list */
	struct bytes type;
	uint32_t signature_size;
};

struct signature_lists attest_signature_lists_of(struct bytes variable);
/* False: there are no more, or lists->lists.failed and they do not parse. */
bool attest_signature_next(struct signature_lists *lists, struct signature *ret_signature);

#endif
