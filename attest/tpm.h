/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of TPM 2.0 Library Part 2 that the verifier knows. */
#ifndef POSTERN_ATTEST_TPM_H
#define POSTERN_ATTEST_TPM_H

#define TPM_ALG_RSA    0x0001
#define TPM_ALG_SHA1   0x0004
#define TPM_ALG_AES    0x0006
#define TPM_ALG_SHA256 0x000b
#define TPM_ALG_SHA384 0x000c
#define TPM_ALG_SHA512 0x000d
#define TPM_ALG_NULL   0x0010
#define TPM_ALG_ECC    0x0023
#define TPM_ALG_CFB    0x0043

#define TPM_ECC_NIST_P256 0x0003
#define TPM_ECC_NIST_P384 0x0004

#endif
