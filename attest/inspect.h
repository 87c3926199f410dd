/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anybody's quotes, with keys and files of any form: what `postern quote verify` asks. The release
 * protocol asks attest_quote_verify, which takes Postern's own keys and nothing to choose. Both are
 * of the same parts, and give the same names to the same checks.
 */
#ifndef POSTERN_ATTEST_INSPECT_H
#define POSTERN_ATTEST_INSPECT_H

#include "eventlog.h"

#define ATTEST_KEY_FILE_MAX   8192 /* bytes of a key in any form */
#define ATTEST_BANKS_SELECTED 16

struct attest_inspect_input {
	/* TPMT_PUBLIC, TPM2B_PUBLIC, or SubjectPublicKeyInfo in PEM or DER: ECDSA on P-256 or
	 * P-384, RSASSA or RSAPSS of 2048 to 4096 bits, with SHA-256, SHA-384 or SHA-512. */
	struct bytes key;
	struct bytes message;		/* TPMS_ATTEST or TPM2B_ATTEST */
	struct bytes signature;		/* TPMT_SIGNATURE */
	const struct bytes *qualifying; /* extraData, byte for byte. NULL, or empty: skipped */
	const struct attest_pcrs *pcrs; /* values of banks, each once; NULL: not compared */
	size_t pcrs_count;
};

/* In the order in which they are made: what costs nothing first. */
enum attest_quote_check {
	ATTEST_CHECK_ATTRIBUTES, /* restricted and fixedTPM: else it signs what it is given */
	ATTEST_CHECK_KEY,	 /* its algorithms are accepted, its numbers are a key */
	ATTEST_CHECK_MAGIC,	 /* ff544347: no restricted key signs other data that begin so */
	ATTEST_CHECK_TYPE,	 /* a quote */
	ATTEST_CHECK_SIGNER,	 /* qualifiedSigner is this key; skipped of a key below others */
	ATTEST_CHECK_QUALIFYING, /* extraData equals what was asked for */
	ATTEST_CHECK_SELECTION,	 /* one bank, SHA-2, PCR 0-23, not empty */
	ATTEST_CHECK_SIGNATURE,	 /* by the key, with its scheme */
	ATTEST_CHECK_PCRS,	 /* the values hash to what was signed */
};
#define ATTEST_QUOTE_CHECKS (ATTEST_CHECK_PCRS + 1)

enum attest_check_state {
	ATTEST_UNREACHED = 0, /* an earlier one failed */
	ATTEST_PASSED,
	ATTEST_FAILED,
	ATTEST_SKIPPED, /* nothing was given to compare with: nothing is proved of it */
};

enum attest_key_form { ATTEST_TPMT_PUBLIC, ATTEST_TPM2B_PUBLIC, ATTEST_SPKI_DER, ATTEST_SPKI_PEM };

struct attest_selected {
	uint16_t algorithm;
	uint32_t pcrs; /* a bit per PCR */
};

/* What the three files say. Its bytes point into the input. */
struct attest_inspection {
	enum attest_check_state checks[ATTEST_QUOTE_CHECKS];

	enum attest_key_form key_form;
	char key_kind[16]; /* "rsa-2048", "ecc-p256"; empty where the key is none */
	bool area_known;   /* the following are only of a TPMT_PUBLIC or TPM2B_PUBLIC */
	uint32_t attributes;
	struct attest_name key_name;
	const char *hierarchy; /* "endorsement"...: the signer is this key as its primary key */

	uint32_t magic;
	uint16_t type;
	bool message_sized; /* TPM2B_ATTEST */
	struct bytes signer;
	struct bytes extra_data;
	struct attest_clock clock;
	bool clock_safe;
	uint64_t firmware_version;
	uint32_t selected_count; /* of a quote */
	struct attest_selected selected[ATTEST_BANKS_SELECTED];
	struct bytes pcr_digest;
	struct bytes certified_name; /* of a certification */

	uint16_t signature_scheme;
	uint16_t signature_hash;

	uint32_t resettable; /* of the selected PCRs: 16 and 23, which software may reset */
	uint32_t not_quoted; /* PCRs whose values were given, and nothing signed */
};

/* The verdict; err names the first check that fails. *ret_inspection is written whenever all three
 * files parse, so that people see what was refused: that is, unless the status is ATTEST_MALFORMED,
 * ATTEST_LIMIT or ATTEST_MEMORY. Of a quote that is refused nothing in it is proved. */
__attribute__((warn_unused_result)) enum attest_status
attest_inspect_quote(const struct attest_inspect_input *input,
		     struct attest_inspection *ret_inspection, struct attest_error *err);

/* "qualifying" */
const char *attest_quote_check_name(enum attest_quote_check check);
/* "sha256", "rsassa"; "unknown" of others than are known here. */
const char *attest_algorithm_name(uint16_t algorithm);

#endif
