/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attester: makes Evidence on the guest, through tpm2-tss ESYS. Keeps no state: EK and AK are primary keys made
 * anew from fixed templates, and every handle and session is flushed. A header of its own so that a verifier never
 * links a TPM stack.
 */
#ifndef POSTERN_ATTEST_ATTESTER_H
#define POSTERN_ATTEST_ATTESTER_H

#include "endorsement.h"

enum attester_status {
	ATTESTER_OK = 0,
	ATTESTER_UNAVAILABLE, /* no TPM there, or it does not answer: worth trying again */
	ATTESTER_UNSUPPORTED, /* the TPM lacks an algorithm or a PCR bank */
	ATTESTER_REFUSED,     /* the TPM says no: authorization, a credential not made for it */
	ATTESTER_MOVED,	      /* PCRs changed between quote and read, too often */
	ATTESTER_MEMORY,
};

struct attester_error {
	enum attester_status status;
	char message[200];
};

struct attester;

/* `tcti` as tpm2-tools write it ("device:/dev/tpmrm0", "swtpm:host=127.0.0.1,port=2321"); NULL: the first of /dev/tpmrm0,
 * /dev/tpm0 that is there. Libraries of tpm2-tss print to stderr unless told otherwise: this silences them through
 * the environment, so open the first one before starting threads. After ATTESTER_UNAVAILABLE close it and open anew. */
__attribute__((warn_unused_result)) enum attester_status
attester_open(const char *tcti, struct attester **ret_attester, struct attester_error *err);
void attester_close(struct attester *attester);

/* The EK that a certificate in NV speaks for, else the RSA-2048 one, else P-384, P-256. */
struct attester_ek {
	size_t public_size; /* TPMT_PUBLIC */
	uint8_t public_area[ATTEST_PUBLIC_SIZE_MAX];
	uint32_t certificate_count; /* 0 where the TPM has none (libvirt) */
	struct {
		size_t size;
		uint8_t der[ATTEST_CERTIFICATE_MAX];
	} certificates[1 + ATTEST_CHAIN_MAX]; /* the EK's first, then what NV holds of its chain */
};
enum attester_ek_kind { ATTESTER_EK_ANY = 0, ATTESTER_EK_RSA_2048, ATTESTER_EK_P256, ATTESTER_EK_P384 };
__attribute__((warn_unused_result)) enum attester_status
attester_ek(struct attester *attester, enum attester_ek_kind kind, struct attester_ek *ret_ek,
	    struct attester_error *err);

/* Postern's AK (ECC P-256), TPMT_PUBLIC. */
struct attester_ak {
	size_t public_size;
	uint8_t public_area[ATTEST_PUBLIC_SIZE_MAX];
};
__attribute__((warn_unused_result)) enum attester_status
attester_ak(struct attester *attester, struct attester_ak *ret_ak, struct attester_error *err);

/* TPM2_ActivateCredential with the EK last returned by attester_ek. ret_secret has room for 64 bytes. */
__attribute__((warn_unused_result)) enum attester_status
attester_activate(struct attester *attester, const struct attest_credential *credential, uint8_t ret_secret[64],
		  size_t *ret_size, struct attester_error *err);

/* The AK that a cloud put into its virtual TPM and certified, and what it signed of Postern's: TPM2_Certify of that
 * AK's name. Google: templates in NV, certificates beside them. Azure: a persistent key, its certificate in NV. */
struct attester_cloud {
	const char *cloud;  /* "google", "azure"; NULL: this TPM has none, and nothing below is set */
	size_t public_size; /* TPMT_PUBLIC of the cloud's AK */
	uint8_t public_area[ATTEST_PUBLIC_SIZE_MAX];
	size_t certificate_size; /* as it lies in NV */
	uint8_t certificate[ATTEST_CERTIFICATE_MAX];
	size_t message_size; /* TPMS_ATTEST */
	uint8_t message[ATTEST_QUOTE_SIZE_MAX];
	size_t signature_size; /* TPMT_SIGNATURE */
	uint8_t signature[ATTEST_QUOTE_SIZE_MAX];
};
__attribute__((warn_unused_result)) enum attester_status
attester_cloud(struct attester *attester, const uint8_t qualifying[ATTEST_HASH_SIZE],
	       struct attester_cloud *ret_cloud, struct attester_error *err);

struct attester_quote {
	size_t message_size; /* TPMS_ATTEST */
	uint8_t message[ATTEST_QUOTE_SIZE_MAX];
	size_t signature_size; /* TPMT_SIGNATURE */
	uint8_t signature[ATTEST_QUOTE_SIZE_MAX];
	uint8_t pcrs[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE];
};
/* SHA-256 PCR 0-15 under the AK; reads the PCRs, compares the digest and tries again if they moved. */
__attribute__((warn_unused_result)) enum attester_status
attester_quote(struct attester *attester, const uint8_t qualifying[ATTEST_HASH_SIZE],
	       struct attester_quote *ret_quote, struct attester_error *err);

#endif
