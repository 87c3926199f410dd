/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier: Evidence of a TPM 2.0 -> claims. Pure: no I/O, no clock, no globals; every function
 * may be called from any thread. CLAIMS.md says what each claim rests on. Keys, credentials and
 * quotes of the release protocol are here; endorsement.h has certificates, eventlog.h and ima.h
 * logs, claims.h what they say, inspect.h anybody's quotes, image.h what an image will measure. */
#ifndef POSTERN_ATTEST_H
#define POSTERN_ATTEST_H

#include "bytes.h"

#define ATTEST_HASH_SIZE       32   /* SHA-256 */
#define ATTEST_NAME_SIZE_MAX   66   /* TPM2B_NAME: nameAlg and a digest of up to SHA-512 */
#define ATTEST_PUBLIC_SIZE_MAX 1024 /* TPMT_PUBLIC */
#define ATTEST_QUOTE_SIZE_MAX  1024 /* TPMS_ATTEST */
#define ATTEST_PCR_COUNT       16   /* PCR 0-15 of the SHA-256 bank */
#define ATTEST_CERTIFICATE_MAX 8192 /* bytes of one X.509 certificate */
#define ATTEST_EVENTLOG_MAX    (2 * 1024 * 1024)
#define ATTEST_CREDENTIAL_MAX  512 /* bytes of each part of a credential */

enum attest_status {
	ATTEST_OK = 0,
	ATTEST_MALFORMED,   /* does not parse */
	ATTEST_UNSUPPORTED, /* parses, but is an algorithm or form that is not accepted */
	ATTEST_REFUSED,	    /* a check failed: err says which */
	ATTEST_SIGNATURE,   /* a signature does not verify */
	ATTEST_LIMIT,
	ATTEST_MEMORY, /* ran out, or the cryptographic library failed */
};

struct attest_error {
	enum attest_status status;
	char check[40];	    /* a stable short name: "quote.magic", "ek.chain.anchor" */
	char expected[140]; /* empty, as `seen`, where nothing was compared */
	char seen[140];
	char message[200];
};

struct attest_name {
	size_t size; /* TPM2B_NAME's contents: nameAlg || H(TPMT_PUBLIC) */
	uint8_t bytes[ATTEST_NAME_SIZE_MAX];
};

/* ---- keys: not changed after they are made, so threads may share them ---- */

struct attest_ak;
struct attest_ek;
/* TPMT_PUBLIC; refused unless equal to Postern's template but for `unique`. */
__attribute__((warn_unused_result)) enum attest_status
attest_ak_decode(struct bytes tpmt_public, struct attest_ak **ret_ak, struct attest_error *err);
void attest_ak_free(struct attest_ak *ak);
const struct attest_name *attest_ak_name(const struct attest_ak *ak);

/* TPMT_PUBLIC as the TPM prints it; refused unless it is one of the TCG templates (L-1, L-2, H-1,
 * H-2, H-3, H-6, H-7) but for `unique`. A bad modulus or a point off the curve is refused. */
__attribute__((warn_unused_result)) enum attest_status
attest_ek_decode(struct bytes tpmt_public, struct attest_ek **ret_ek, struct attest_error *err);
/* The key that an EK certificate (DER) certifies: it is parsed, its chain is NOT judged. */
__attribute__((warn_unused_result)) enum attest_status
attest_ek_from_certificate(struct bytes der, struct attest_ek **ret_ek, struct attest_error *err);
void attest_ek_free(struct attest_ek *ek);
/* What names the key whatever its template: SHA-256 of the big-endian modulus, or of x || y. */
void attest_ek_id(const struct attest_ek *ek, uint8_t ret_id[ATTEST_HASH_SIZE]);
const struct attest_name *attest_ek_name(const struct attest_ek *ek);
const char *attest_ek_kind(const struct attest_ek *ek); /* "rsa-2048", "ecc-p384"... */

/* TPM2_MakeCredential in software (Part 1, 24): what only the TPM that holds both keys can open. */
struct attest_credential {
	size_t blob_size; /* TPM2B_ID_OBJECT's contents: TPM2B integrity || encIdentity */
	uint8_t blob[ATTEST_CREDENTIAL_MAX];
	size_t secret_size; /* TPM2B_ENCRYPTED_SECRET's contents */
	uint8_t secret[ATTEST_CREDENTIAL_MAX];
};
__attribute__((warn_unused_result)) enum attest_status
attest_credential_make(const struct attest_ek *ek, const struct attest_name *ak_name,
		       struct bytes secret, struct attest_credential *ret_credential,
		       struct attest_error *err);

/* ---- quotes ---- */

struct attest_clock { /* compared as one tuple, in this order; a machine's may never go back */
	uint32_t reset_count;
	uint32_t restart_count;
	uint64_t clock; /* milliseconds */
};

struct attest_quote_input {
	const struct attest_ak *ak;
	struct bytes message;	/* TPMS_ATTEST */
	struct bytes signature; /* TPMT_SIGNATURE */
	uint8_t qualifying[ATTEST_HASH_SIZE];
	const struct attest_clock *previous; /* NULL: first seen */
	struct bytes pcrs;		     /* the values of PCR 0-15, 16 * 32 bytes */
};

struct attest_quote {
	struct attest_clock clock;
	bool clock_safe;
	uint64_t firmware_version;
	uint8_t pcrs[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE];
};
/* In this order: parse, magic, type, qualified signer, extraData, signed selection, clock,
 * signature, PCR values; err names the first that fails. "quote.clock.*" precedes the signature:
 * whoever acts on it first verifies again with previous = NULL, or anybody could make it act. */
__attribute__((warn_unused_result)) enum attest_status
attest_quote_verify(const struct attest_quote_input *input, struct attest_quote *ret_quote,
		    struct attest_error *err);

#endif
