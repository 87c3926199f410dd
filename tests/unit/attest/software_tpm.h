/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TPM's keys in software: what a guest would send, good or spoiled, without a TPM. For the tests
 * of the verifier, and for everyone who needs Evidence: tests of the keeper, benchmarks, stories.
 * Link software_tpm_dep.
 *
 *	struct software_tpm tpm;
 *	software_tpm_open(&tpm, SOFTWARE_EK_RSA);	AK, EK, a root CA, the EK's certificate
 *	software_quote_make(&tpm, transcript, &quote);	over tpm.pcrs, with tpm.clock
 *	software_quote_fill(...); quote.magic = 1; software_quote_sign(...);	a spoiled one
 *	software_log_boot(&log, 100, true);		an event log; log.pcrs is what it replays to
 *
 * What cannot be done (memory, OpenSSL) ends the program by assert: this is for tests.
 */
#ifndef POSTERN_TESTS_SOFTWARE_TPM_H
#define POSTERN_TESTS_SOFTWARE_TPM_H

#include "attest/attest.h"

#include <openssl/evp.h>

enum software_ek { SOFTWARE_EK_RSA, SOFTWARE_EK_P256, SOFTWARE_EK_P384, SOFTWARE_EK_NONE };

struct software_tpm {
	EVP_PKEY *ak;
	EVP_PKEY *ek; /* NULL with SOFTWARE_EK_NONE, and then no certificates either: fast */
	EVP_PKEY *ca;
	enum software_ek kind;
	size_t ak_public_size; /* TPMT_PUBLIC */
	uint8_t ak_public[ATTEST_PUBLIC_SIZE_MAX];
	size_t ek_public_size;
	uint8_t ek_public[ATTEST_PUBLIC_SIZE_MAX];
	size_t ek_certificate_size; /* DER, signed by the CA, valid from 2020 to 9999 */
	uint8_t ek_certificate[ATTEST_CERTIFICATE_MAX];
	size_t ca_certificate_size; /* DER, self-signed: the anchor */
	uint8_t ca_certificate[ATTEST_CERTIFICATE_MAX];
	struct attest_clock clock;			  /* of the next quote */
	uint8_t pcrs[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE]; /* zero until you fill them */
};

void software_tpm_open(struct software_tpm *tpm, enum software_ek kind);
void software_tpm_close(struct software_tpm *tpm);
struct bytes software_tpm_pcrs(const struct software_tpm *tpm); /* the 512 bytes a guest sends */

/* TPM2_ActivateCredential; false where a TPM would refuse. `ret_secret` has room for 64 bytes. */
bool software_tpm_activate(const struct software_tpm *tpm, const struct attest_name *ak_name,
			   const struct attest_credential *credential, uint8_t *ret_secret,
			   size_t *ret_size);

/* A quote in parts. Fill, change any field, sign. */
struct software_quote {
	uint32_t magic;
	uint16_t type;
	size_t signer_size;
	uint8_t signer[ATTEST_NAME_SIZE_MAX];
	size_t extra_size;
	uint8_t extra[64];
	struct attest_clock clock;
	uint8_t safe;
	uint64_t firmware_version;
	size_t selection_size;
	uint8_t selection[64]; /* TPML_PCR_SELECTION */
	size_t digest_size;
	uint8_t digest[64];
	/* What software_quote_sign makes of it. */
	size_t message_size; /* TPMS_ATTEST */
	uint8_t message[ATTEST_QUOTE_SIZE_MAX];
	size_t signature_size; /* TPMT_SIGNATURE */
	uint8_t signature[ATTEST_QUOTE_SIZE_MAX];
};
void software_quote_fill(const struct software_tpm *tpm, const uint8_t qualifying[ATTEST_HASH_SIZE],
			 struct software_quote *ret_quote);
void software_quote_sign(const struct software_tpm *tpm, struct software_quote *quote);
/* Only the message, of the fields as they stand. */
void software_quote_encode(struct software_quote *quote);
/* Only the signature, over quote->message as it stands. */
void software_quote_sign_message(const struct software_tpm *tpm, struct software_quote *quote);
void software_quote_make(const struct software_tpm *tpm, const uint8_t qualifying[ATTEST_HASH_SIZE],
			 struct software_quote *ret_quote);

/* An event log that is being written, and the PCRs that it replays to. */
struct software_log {
	uint8_t *data; /* heap; software_log_free */
	size_t size;
	uint8_t pcrs[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE];
};
void software_log_begin(struct software_log *log); /* the Spec ID event, SHA-256 bank alone */
/* Digest = SHA-256(data), extended unless `type` is EV_NO_ACTION. */
void software_log_event(struct software_log *log, uint32_t pcr, uint32_t type, struct bytes data);
void software_log_event_with(struct software_log *log, uint32_t pcr, uint32_t type,
			     const uint8_t digest[ATTEST_HASH_SIZE], struct bytes data);
/* UEFI_VARIABLE_DATA; `image_security` chooses the GUID of db and dbx, else the global one. */
void software_log_variable(struct software_log *log, uint32_t type, bool image_security,
			   const char *name, struct bytes value);
/* A plausible boot with that many events beside the header (at least 16). */
void software_log_boot(struct software_log *log, uint32_t event_count, bool secure_boot);
void software_log_free(struct software_log *log);
/* pcr = H(pcr || H(text)): what systemd does with its words. */
void software_pcr_extend_text(uint8_t pcr[ATTEST_HASH_SIZE], const char *text);

#endif
