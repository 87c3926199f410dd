/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys in software of every kind that quotes are inspected with: RSA and ECC, any scheme, hash and
 * attributes, good or not. Beside software_tpm.h, whose AK is Postern's own.
 *
 *	struct software_signer signer = {.type = SOFTWARE_RSA, .bits = 2048, .scheme = 0x0014,
 *					 .hash = 0x000b};
 *	software_signer_open(&signer);
 *	software_signer_fill(&signer, &pcrs, 0x00ffff, qualifying, &quote);
 *	software_signer_sign(&signer, &quote);
 */
#ifndef POSTERN_TESTS_SOFTWARE_SIGNER_H
#define POSTERN_TESTS_SOFTWARE_SIGNER_H

#include "attest/eventlog.h"
#include "software_tpm.h"

enum software_type { SOFTWARE_RSA, SOFTWARE_ECC };

struct software_signer {
	enum software_type type;
	unsigned bits;
	uint16_t scheme;     /* TPM_ALG_ID */
	uint16_t hash;	     /* TPM_ALG_ID of SHA-1 or SHA-2 */
	int salt;	     /* of RSAPSS, as OpenSSL says it; 0 is none */
	uint32_t attributes; /* 0: those of a good AK */
	bool postern;	     /* with the policy of Postern's template */
	/* What software_signer_open makes of it. */
	EVP_PKEY *key;
	size_t public_size; /* TPMT_PUBLIC */
	uint8_t public_area[ATTEST_PUBLIC_SIZE_MAX];
};

void software_signer_open(struct software_signer *signer);
void software_signer_close(struct software_signer *signer);
/* The public area anew, after a field was changed. */
void software_signer_describe(struct software_signer *signer);
/* A quote in parts over those of `pcrs` that have a bit in `select`. */
void software_signer_fill(const struct software_signer *signer, const struct attest_pcrs *pcrs,
			  uint32_t select, struct bytes qualifying,
			  struct software_quote *ret_quote);
void software_signer_sign(const struct software_signer *signer, struct software_quote *quote);
/* Only the signature, over quote->message as it stands. */
void software_signer_sign_message(const struct software_signer *signer,
				  struct software_quote *quote);
/* "BEGIN PUBLIC KEY", with a NUL behind it. */
void software_signer_pem(const struct software_signer *signer, char *ret_pem, size_t capacity);

#endif
