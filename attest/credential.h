/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a credential that no chance is in, for published vectors and for fuzzing. Private to
 * the verifier: whoever makes credentials calls attest_credential_make, which draws seeds and
 * ephemeral keys itself and takes none.
 */
#ifndef POSTERN_ATTEST_CREDENTIAL_H
#define POSTERN_ATTEST_CREDENTIAL_H

#include "ek.h"

/* What a TPM opens that has `seed` (as long as the template's hash): TPM2B integrity ||
 * encIdentity. False: too large, or OpenSSL failed. */
bool credential_seal(const struct ek_template *template, const uint8_t *seed,
		     const struct attest_name *ak_name, struct bytes secret,
		     struct writer *ret_blob);
/* The seed that an ECC EK and this ephemeral key agree on, and the ephemeral point as the TPM takes
 * it. */
bool credential_agree(const struct attest_ek *ek, EVP_PKEY *ephemeral,
		      uint8_t ret_seed[HASH_SIZE_MAX], struct writer *ret_secret);

#endif
