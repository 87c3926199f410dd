/* SPDX-License-Identifier: Apache-2.0 */
/* A signing key in whatever form somebody has it. Private to the verifier. */
#ifndef POSTERN_ATTEST_KEYFORM_H
#define POSTERN_ATTEST_KEYFORM_H

#include "inspect.h"
#include "publickey.h"

struct key_given {
	enum attest_key_form form;
	bool area_known;
	struct public_area area; /* points into what was read */
	EVP_PKEY *foreign;	 /* where there is no area */
};
void key_given_clear(struct key_given *given);
#define auto_key_given __attribute__((cleanup(key_given_clear))) struct key_given

/* The contents of a TPM2B whose size is just what follows it; else `input` as it is. */
struct bytes sized_contents(struct bytes input, bool *ret_sized);
/* Parses, and judges nothing: "ak.parse", "ak.size". */
__attribute__((warn_unused_result)) enum attest_status
key_given_read(struct bytes input, struct key_given *ret_given, struct attest_error *err);

#endif
