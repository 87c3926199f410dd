/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations fail while quotes, logs and certificates are judged: nothing bad is accepted for it,
 * nothing crashes. */
#include "attest/endorsement.h"
#include "attest/inspect.h"
#include "failing.h"
#include "quoted.h"
#include "software_ca.h"
#include "software_signer.h"
#include "software_tpm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct software_tpm tpms[2];
static struct software_tpm
	platform; /* tpms[1] with a platform certificate in the place of its EK's */
static struct software_quote good;
static struct software_quote forged;
static struct software_log honest;
static const struct attest_pcrs inspected_pcrs = {.bank = ATTEST_SHA256, .known = 0xff};
static char pss_pem[1024];
static struct software_quote pss_good;
static struct software_quote pss_forged;
static const uint8_t QUALIFYING[32] = {1};

static void
make_inspected(void)
{
	struct software_signer signer = {
		.type = SOFTWARE_RSA, .bits = 2048, .scheme = 0x0016, .hash = 0x000b, .salt = 32};

	software_signer_open(&signer);
	software_signer_pem(&signer, pss_pem, sizeof(pss_pem));
	software_signer_fill(&signer, &inspected_pcrs, 0xff, (struct bytes){0}, &pss_good);
	software_signer_sign(&signer, &pss_good);
	pss_forged = pss_good;
	pss_forged.message[60] ^= 1;
	software_signer_close(&signer);
}

static int
set_up(void **state)
{
	(void)state;
	software_tpm_open(&tpms[0], SOFTWARE_EK_RSA);
	software_tpm_open(&tpms[1], SOFTWARE_EK_P384);
	platform = tpms[1];
	platform.ek_certificate_size = software_certificate_make(
		&(struct software_certificate){.issuer = "Software TPM root",
					       .key = platform.ek,
					       .signer = platform.ca,
					       .constraints = "critical,CA:FALSE",
					       .usage = "critical,keyAgreement",
					       .purpose = "2.23.133.8.2"},
		platform.ek_certificate, sizeof(platform.ek_certificate));
	software_quote_make(&tpms[0], QUALIFYING, &good);
	forged = good;
	forged.message[80] ^= 1;
	software_log_boot(&honest, 20, false);
	make_inspected();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	software_tpm_close(&tpms[0]);
	software_tpm_close(&tpms[1]);
	software_log_free(&honest);
	return 0;
}

static enum attest_status
verify(const struct software_quote *quote)
{
	struct attest_quote_input input = {.message = {quote->message, quote->message_size},
					   .signature = {quote->signature, quote->signature_size},
					   .pcrs = software_tpm_pcrs(&tpms[0])};
	struct attest_quote seen;
	struct attest_error err;
	struct attest_ak *ak;

	enum attest_status status = attest_ak_decode(
		(struct bytes){tpms[0].ak_public, tpms[0].ak_public_size}, &ak, &err);
	if (status != ATTEST_OK)
		return status;
	memcpy(input.qualifying, QUALIFYING, sizeof(QUALIFYING));
	input.ak = ak;
	status = attest_quote_verify(&input, &seen, &err);
	attest_ak_free(ak);
	return status;
}

static enum attest_status
verify_good(void)
{
	return verify(&good);
}

static enum attest_status
verify_forged(void)
{
	return verify(&forged) == ATTEST_OK ? ATTEST_OK : ATTEST_REFUSED;
}

/* A key in PEM, whose hash the signature names, and whose salt has two lengths. */
static enum attest_status
inspect(const struct software_quote *quote)
{
	struct attest_inspect_input input = {.key = {(const uint8_t *)pss_pem, strlen(pss_pem)},
					     .message = {quote->message, quote->message_size},
					     .signature = {quote->signature, quote->signature_size},
					     .pcrs = &inspected_pcrs,
					     .pcrs_count = 1};
	struct attest_inspection seen;
	struct attest_error err;

	return attest_inspect_quote(&input, &seen, &err);
}

static enum attest_status
inspect_good(void)
{
	return inspect(&pss_good);
}

static enum attest_status
inspect_forged(void)
{
	return inspect(&pss_forged) == ATTEST_OK ? ATTEST_OK : ATTEST_REFUSED;
}

static enum attest_status
examine(void)
{
	const struct software_log *log = &honest;
	struct attest_report report = {0};
	struct attest_error err;

	enum attest_status status = attest_eventlog_examine((struct bytes){log->data, log->size},
							    quoted(log->pcrs), &report, &err);
	if (status == ATTEST_OK)
		assert_int_equal(attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT),
				 ATTEST_NO);
	else /* half an examination leaves no half of its claims */
		assert_true(report.claims.size == 0 && !report.replays);
	return status;
}

static enum attest_status
replay(void)
{
	static struct attest_pcrs pcrs[ATTEST_BANKS];
	struct attest_error err;
	uint32_t banks;

	enum attest_status status = attest_eventlog_replay((struct bytes){honest.data, honest.size},
							   pcrs, &banks, &err);
	if (status == ATTEST_OK)
		assert_memory_equal(pcrs[ATTEST_SHA256].values[7], honest.pcrs[7], 32);
	return status;
}

/* Every event of this log is of its data: what is not found out is not told otherwise. */
static enum attest_status
prove(void)
{
	struct attest_eventlog log;
	struct attest_event event;
	struct attest_error err;
	bool end = false;

	enum attest_status status =
		attest_eventlog_open((struct bytes){honest.data, honest.size}, &log, &err);
	while (status == ATTEST_OK) {
		enum attest_proof proof;
		struct bytes proved;

		status = attest_eventlog_next(&log, &event, &end, &err);
		if (status != ATTEST_OK || end)
			return status;
		status = attest_event_proof(&event, &proof, &proved, &err);
		if (status == ATTEST_OK)
			assert_int_equal(proof,
					 event.extends ? ATTEST_PROOF_DATA : ATTEST_PROOF_NOTHING);
	}
	return status;
}

static enum attest_status
judge(const struct software_tpm *tpm, const struct software_tpm *issuer)
{
	struct bytes certificate = {tpm->ek_certificate, tpm->ek_certificate_size};
	struct bytes anchor = {issuer->ca_certificate, issuer->ca_certificate_size};
	static const uint8_t secret[32] = {2};
	const struct attest_name name = {.size = 34, .bytes = {0, 0x0b}};
	struct attest_credential credential;
	struct attest_chain chain;
	struct attest_error err;
	struct attest_ek *ek;

	enum attest_status status =
		attest_ek_decode((struct bytes){tpm->ek_public, tpm->ek_public_size}, &ek, &err);
	if (status != ATTEST_OK)
		return status;
	status = attest_chain_verify(ek, &certificate, 1,
				     &(const struct attest_trust){.anchors = &anchor,
								  .anchor_count = 1,
								  .now = 1800000000},
				     &chain, &err);
	if (status == ATTEST_OK)
		status = attest_credential_make(ek, &name, BYTES_OF(secret), &credential, &err);
	attest_ek_free(ek);
	return status;
}

static enum attest_status
judge_rsa(void)
{
	return judge(&tpms[0], &tpms[0]);
}

static enum attest_status
judge_ecc(void)
{
	return judge(&tpms[1], &tpms[1]);
}

static enum attest_status
judge_strange(void)
{
	return judge(&tpms[0], &tpms[1]) == ATTEST_OK ? ATTEST_OK : ATTEST_REFUSED;
}

/* What a failed allocation hides must not be taken for absent. */
static enum attest_status
judge_platform(void)
{
	return judge(&platform, &platform) == ATTEST_OK ? ATTEST_OK : ATTEST_REFUSED;
}

static void
each_allocation_may_fail(void **state)
{
	static const struct failing_case cases[] = {
		{"a good quote", verify_good, ATTEST_OK},
		{"a forged quote", verify_forged, ATTEST_REFUSED},
		{"an inspected quote", inspect_good, ATTEST_OK},
		{"an inspected forgery", inspect_forged, ATTEST_REFUSED},
		{"an event log", examine, ATTEST_OK},
		{"a log's values", replay, ATTEST_OK},
		{"its events' proofs", prove, ATTEST_OK},
		{"an RSA EK", judge_rsa, ATTEST_OK},
		{"an ECC EK", judge_ecc, ATTEST_OK},
		{"an EK of another issuer", judge_strange, ATTEST_REFUSED},
		{"a platform certificate", judge_platform, ATTEST_REFUSED},
	};

	(void)state;
	failing_run(cases, sizeof(cases) / sizeof(cases[0]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_may_fail)};

	if (!failing_install())
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
