/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of four kinds, values of all banks, and a question: what the tests of inspection begin
 * with. One copy for each test program. */
#ifndef POSTERN_TESTS_INSPECTED_H
#define POSTERN_TESTS_INSPECTED_H

#include "attest/inspect.h"
#include "software_signer.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RSASSA 0x0014
#define RSAPSS 0x0016
#define ECDSA  0x0018
#define SHA1   0x0004
#define SHA256 0x000b
#define SHA384 0x000c
#define SHA512 0x000d

#define FIRST_EIGHT 0x0000ffU

static const uint8_t NONCE[] = "a question";
static struct bytes nonce = {NONCE, sizeof(NONCE) - 1};
static struct attest_pcrs banks[ATTEST_BANKS];

enum { ECC_256, ECC_384, RSA_SSA, RSA_PSS, SIGNERS };
static struct software_signer signers[SIGNERS] = {
	[ECC_256] = {.type = SOFTWARE_ECC, .bits = 256, .scheme = ECDSA, .hash = SHA256},
	[ECC_384] = {.type = SOFTWARE_ECC, .bits = 384, .scheme = ECDSA, .hash = SHA384},
	[RSA_SSA] = {.type = SOFTWARE_RSA, .bits = 2048, .scheme = RSASSA, .hash = SHA256},
	[RSA_PSS] = {.type = SOFTWARE_RSA, .bits = 3072, .scheme = RSAPSS, .hash = SHA384},
};

static int
set_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SIGNERS; i++)
		software_signer_open(&signers[i]);
	signers[RSA_PSS].salt = RSA_PSS_SALTLEN_DIGEST;
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		banks[bank].bank = (enum attest_bank)bank;
		banks[bank].known = 0xffffff;
		for (unsigned pcr = 0; pcr < ATTEST_PCRS; pcr++)
			memset(banks[bank].values[pcr], (int)(pcr + 32 * bank), ATTEST_DIGEST_MAX);
	}
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SIGNERS; i++)
		software_signer_close(&signers[i]);
	return 0;
}

static struct attest_inspect_input
input_of(const struct software_signer *signer, const struct software_quote *quote)
{
	return (struct attest_inspect_input){.key = {signer->public_area, signer->public_size},
					     .message = {quote->message, quote->message_size},
					     .signature = {quote->signature, quote->signature_size},
					     .qualifying = &nonce,
					     .pcrs = banks,
					     .pcrs_count = ATTEST_BANKS};
}

static void
make(const struct software_signer *signer, enum attest_bank bank, struct software_quote *ret_quote)
{
	software_signer_fill(signer, &banks[bank], FIRST_EIGHT, nonce, ret_quote);
	software_signer_sign(signer, ret_quote);
}

static void
expect(const char *name, const struct attest_inspect_input *input, enum attest_status status,
       const char *check)
{
	struct attest_inspection seen;
	struct attest_error err = {.status = ATTEST_OK};

	enum attest_status got = attest_inspect_quote(input, &seen, &err);
	if (got != status || strcmp(err.check, check) != 0)
		fail_msg("%s: %d %s: %s", name, got, err.check, err.message);
}

#endif
