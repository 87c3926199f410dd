/* SPDX-License-Identifier: Apache-2.0 */
/* What the attester's tests share: one TPM for all tests of a program, and what is asked of each
 * answer. */
#ifndef POSTERN_TESTS_FIXTURE_H
#define POSTERN_TESTS_FIXTURE_H

#include "attest/attester/internal.h"
#include "private_tpm.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

extern struct private_tpm tpm;
extern const uint8_t some_secret[32];
extern const uint8_t some_nonce[ATTEST_HASH_SIZE];

/* Skips the test where swtpm is not installed. */
struct attester *open_tpm(void);
/* No key and no session stays behind. */
void assert_nothing_left(struct attester *attester);
/* Both. */
void close_tpm(struct attester *attester);

/* The TPM's own TPM2_MakeCredential for the EK and AK that the attester describes. */
struct attest_credential make_credential(struct attester *attester, const struct attester_ek *ek,
					 const uint8_t secret[32]);

/* Signature, some_nonce and PCR digest, as OpenSSL sees them; and that a changed quote does not
 * verify. */
void assert_quote_holds(struct attester *attester, const struct attester_quote *quote);

/* An NV index that the owner writes, and its end. Without `bytes` it is never written. */
void define_nv(struct attester *attester, TPM2_HANDLE index, TPMA_NV attributes,
	       const uint8_t *bytes, size_t size);
void undefine_nv(struct attester *attester, TPM2_HANDLE index, ESYS_TR hierarchy);

/* A cmocka group's teardown. */
int stop_tpm(void **state);

#endif
