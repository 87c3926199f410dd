/* SPDX-License-Identifier: Apache-2.0 */
/* Real event logs: what they replay to, and what is claimed of them. */
#include "attest/signaturelist.h"
#include "attest/variable.h"
#include "corpora.h"
#include "oracles.h"
#include "software_tpm.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOOLS	 "eventlogs/go-tpm-tools/"
#define EXPECTED TOOLS "expected-pcrs.json"
#define GO	 "eventlogs/go-attestation/"
#define STATED	 GO "expected-pcrs.json"
#define TPM2	 "eventlogs/tpm2-tools/"
#define YAML	 TPM2 "expected-yaml/"
#define IBM	 "eventlogs/ibmtss/"
#define CCEL	 "eventlogs/go-eventlog/ccel/"
#define RTMRS	 CCEL "expected-rtmrs.json"
#define KEYLIME	 "eventlogs/keylime/"

#define SHA1	  ATTEST_UNSUPPORTED, "eventlog.sha1"
#define MALFORMED ATTEST_MALFORMED, "eventlog.parse"
#define GOOD	  ATTEST_OK, ""

#define SBAT_2021 "sbat,1,2021030218"
#define NONE	  (-1) /* no such claim */
#define UNCLAIMED ATTEST_UNKNOWN, NONE, NONE, NULL

/* clang-format off: a table */
static const struct {
	const char *log;
	enum attest_status status; /* of its examination, by SHA-256 or what it has */
	const char *check;
	const char *oracle; /* NULL: nobody states values */
	const char *key;
	enum attest_answer secure_boot;
	int authorities;
	int dbx_hashes;
	const char *sbat_level;
} LOGS[] = {
	/* With values that others state. */
	{TOOLS "arch-linux-workstation.bin", GOOD, EXPECTED, "ArchLinuxWorkstation", ATTEST_NO,
	 NONE, 77, NULL},
	{TOOLS "confidential-gke-debug-251000_eventlog.bin", GOOD, EXPECTED, "CGKE251000",
	 ATTEST_YES, 2, 0, SBAT_2021},
	{TOOLS "cos-101-amd-sev.bin", GOOD, EXPECTED, "COS101AmdSev", ATTEST_YES, 2, 0, SBAT_2021},
	{TOOLS "cos-85-amd-sev.bin", GOOD, EXPECTED, "COS85AmdSev", ATTEST_YES, 3, 0, NULL},
	{TOOLS "cos-93-amd-sev.bin", GOOD, EXPECTED, "COS93AmdSev", ATTEST_YES, 3, 0, NULL},
	{TOOLS "debian-10.bin", SHA1, EXPECTED, "Debian10GCE", UNCLAIMED},
	{TOOLS "eventlogwithsp800155.bin", GOOD, EXPECTED, "SP800155EventLog", ATTEST_YES, 2, 0,
	 SBAT_2021},
	{TOOLS "glinux-alex.bin", GOOD, EXPECTED, "GlinuxNoSecureBootLaptop", ATTEST_NO, NONE, 77,
	 NULL},
	{TOOLS "ubuntu-1804-amd-sev.bin", GOOD, EXPECTED, "UbuntuAmdSevGCE", ATTEST_NO, NONE, 77,
	 NULL},
	{TOOLS "ubuntu-2104-no-dbx.bin", GOOD, EXPECTED, "Ubuntu2104NoDbxGCE", ATTEST_NO, NONE, 0,
	 NULL},
	{TOOLS "ubuntu-2104-no-dbx.bin", GOOD, YAML "raw-event-gce-ubuntu-2104-log.bin.yaml", NULL,
	 ATTEST_NO, NONE, 0, NULL},
	{TOOLS "ubuntu-2104-no-secure-boot.bin", GOOD, EXPECTED, "Ubuntu2104NoSecureBootGCE",
	 ATTEST_NO, NONE, 183, NULL},
	{GO "linux_tpm12.bin", SHA1, STATED, "linux_tpm12.bin", UNCLAIMED},
	{GO "option_rom_eventlog.bin", SHA1, STATED, "option_rom_eventlog.bin", ATTEST_YES, 2, 78,
	 NULL},
	{GO "sb_cert_eventlog.bin", GOOD, STATED, "sb_cert_eventlog.bin", ATTEST_YES, 3, 77, NULL},
	{GO "windows_gcp_shielded_vm.bin", SHA1, STATED, "windows_gcp_shielded_vm.bin", ATTEST_YES,
	 1, 77, NULL},
	{"eventlogs/HIRS/TpmLog.bin", GOOD, "eventlogs/HIRS/TpmLogExpectedPcrs.txt", NULL,
	 ATTEST_NO, NONE, 0, NULL},
	{"eventlogs/HIRS/TpmLogSHA1.bin", SHA1, "eventlogs/HIRS/TpmLogSHA1ExpectedPcrs.txt", NULL,
	 UNCLAIMED},
	{TPM2 "event-arch-linux.bin", GOOD, YAML "raw-event-arch-linux.bin.yaml", NULL, ATTEST_NO,
	 NONE, 77, NULL},
	{TPM2 "event-bootorder.bin", GOOD, YAML "raw-event-bootorder.bin.yaml", NULL, ATTEST_NO,
	 NONE, 0, NULL},
	{TPM2 "event-moklisttrusted.bin", GOOD, YAML "raw-event-moklisttrusted.bin.yaml", NULL,
	 ATTEST_YES, 2, 1, SBAT_2021},
	{TPM2 "event-postcode.bin", GOOD, YAML "raw-event-postcode.bin.yaml", NULL, ATTEST_YES, 3,
	 77, NULL},
	{TPM2 "event-sd-boot-fedora37.bin", GOOD, YAML "raw-event-sd-boot-fedora37.bin.yaml", NULL,
	 ATTEST_NO, NONE, 0, NULL},
	{TPM2 "event-uefi-sha1-log.bin", SHA1, YAML "raw-event-uefi-sha1-log.bin.yaml", NULL,
	 UNCLAIMED},
	{TPM2 "event-uefiaction.bin", GOOD, YAML "raw-event-uefiaction.bin.yaml", NULL, UNCLAIMED},
	{TPM2 "event-uefiservices.bin", GOOD, YAML "raw-event-uefiservices.bin.yaml", NULL,
	 UNCLAIMED},
	{TPM2 "event-uefivar.bin", GOOD, YAML "raw-event-uefivar.bin.yaml", NULL, ATTEST_UNKNOWN,
	 NONE, NONE, NULL},
	{TPM2 "event.bin", GOOD, YAML "event.bin.yaml", NULL, UNCLAIMED},
	{TPM2 "specid-vendordata.bin", GOOD, YAML "specid-vendordata.bin.yaml", NULL, UNCLAIMED},
	{CCEL "cos-113-intel-tdx.bin", GOOD, RTMRS, "cos-113-intel-tdx.bin", ATTEST_UNKNOWN, NONE,
	 NONE, NULL},
	{CCEL "cos-113-intel-tdx-dupe-separator.bin", GOOD, RTMRS,
	 "cos-113-intel-tdx-dupe-separator.bin", UNCLAIMED},
	{CCEL "cos-113-intel-tdx-dupe-separator-unpadded.bin", GOOD, RTMRS,
	 "cos-113-intel-tdx-dupe-separator-unpadded.bin", UNCLAIMED},
	/* Without. */
	{GO "append_extra_log.bin", GOOD, NULL, NULL, UNCLAIMED},
	{GO "coreos_36_shielded_vm_no_secure_boot_eventlog.bin", GOOD, NULL, NULL, ATTEST_NO, NONE,
	 183, NULL},
	{GO "crypto_agile_eventlog.bin", GOOD, NULL, NULL, ATTEST_NO, NONE, 77, NULL},
	{GO "ebs_event_missing_eventlog.bin", SHA1, NULL, NULL, UNCLAIMED},
	{GO "short_no_action_eventlog.bin", SHA1, NULL, NULL, UNCLAIMED},
	{TOOLS "ubuntu-2204-intel-tdx.bin", GOOD, NULL, NULL, ATTEST_NO, NONE, 77, NULL},
	{CCEL "CCEL_unpadded.data.bin", GOOD, NULL, NULL, UNCLAIMED},
	{CCEL "event_log.bin", GOOD, NULL, NULL, UNCLAIMED},
	{IBM "deb2.log", GOOD, NULL, NULL, ATTEST_YES, 3, 0, NULL},
	{IBM "dell1.log", GOOD, NULL, NULL, ATTEST_YES, 1, 83, NULL},
	{IBM "p511.log", GOOD, NULL, NULL, ATTEST_YES, 1, 83, NULL},
	{IBM "sm2.log", GOOD, NULL, NULL, ATTEST_YES, 3, 77, NULL},
	{IBM "sm4.log", GOOD, NULL, NULL, ATTEST_YES, 3, 77, NULL},
	{IBM "ubuntu1.log", GOOD, NULL, NULL, ATTEST_NO, NONE, 0, NULL},
	{IBM "ubuntu3.log", GOOD, NULL, NULL, ATTEST_YES, 3, 1, NULL},
	{KEYLIME "binary_bios_measurements-secureboot.bin", GOOD, NULL, NULL, ATTEST_YES, 2, 371,
	 "sbat,1,2023012900 shim,2 grub,3 grub.debian,4"},
	{KEYLIME "binary_bios_measurements.bin", GOOD, NULL, NULL, ATTEST_NO, NONE, 458, NULL},
	{KEYLIME "mb_log.bin", GOOD, NULL, NULL, ATTEST_YES, 2, 1, NULL},
	/* A log of one event without data; and what is no log: an event without its log, ACPI
	   tables. */
	{GO "malformed/raw_event_size_zero.bin", SHA1, NULL, NULL, ATTEST_UNKNOWN, NONE, NONE,
	 NULL},
	{GO "malformed/raw_event2_size_zero.bin", MALFORMED, NULL, NULL, ATTEST_UNKNOWN, NONE, NONE,
	 NULL},
	{GO "malformed/event_size_too_large.bin", MALFORMED, NULL, NULL, ATTEST_UNKNOWN, NONE, NONE,
	 NULL},
	{KEYLIME "malformed/binary_bios_measurements-bogus.bin", MALFORMED, NULL, NULL, UNCLAIMED},
	{KEYLIME "malformed/binary_bios_measurements-empty.bin", MALFORMED, NULL, NULL, UNCLAIMED},
	{CCEL "CCEL.bin", MALFORMED, NULL, NULL, UNCLAIMED},
	{CCEL "cos-113-intel-tdx.table.bin", MALFORMED, NULL, NULL, ATTEST_UNKNOWN, NONE, NONE,
	 NULL},
};
/* clang-format on */
#define LOG_COUNT (sizeof(LOGS) / sizeof(LOGS[0]))

/* PCR 10 is IMA's, which starts with a measurement that is in no firmware's log. */
#define IMA_PCR 10

static void
logs_replay_to_the_stated_values(void **state)
{
	(void)state;
	corpora_need();
	for (size_t i = 0; i < LOG_COUNT; i++) {
		/* A log for TDX numbers RTMR 0 as 1. */
		unsigned shift = LOGS[i].oracle != NULL && strcmp(LOGS[i].oracle, RTMRS) == 0;
		struct attest_pcrs pcrs[ATTEST_BANKS];
		struct attest_error err = {0};
		struct oracle oracle;
		uint32_t banks;

		if (LOGS[i].oracle == NULL)
			continue;
		struct bytes log = corpora_load(LOGS[i].log);
		oracle_load(LOGS[i].oracle, LOGS[i].key, &oracle);
		if (attest_eventlog_replay(log, pcrs, &banks, &err) != ATTEST_OK)
			fail_msg("%s: %s", LOGS[i].log, err.message);
		for (unsigned k = 0; k < ATTEST_BANKS * ATTEST_PCRS; k++) {
			unsigned bank = k / ATTEST_PCRS;
			unsigned pcr = k % ATTEST_PCRS;

			if ((oracle.banks[bank].known >> pcr & 1) == 0 || pcr == IMA_PCR)
				continue;
			assert_int_equal(banks >> bank & 1, 1);
			if (memcmp(oracle.banks[bank].values[pcr], pcrs[bank].values[pcr + shift],
				   attest_bank_size((enum attest_bank)bank)) != 0)
				fail_msg("%s: %s PCR %u", LOGS[i].log,
					 attest_bank_name((enum attest_bank)bank), pcr);
		}
		corpora_unload(log);
	}
}

/* Two events of PCR 5 were measured and not logged. */
static void
an_unlogged_exit_is_named(void **state)
{
	static const char *const words[] = {"Exit Boot Services Invocation",
					    "Exit Boot Services Returned with Success"};
	struct oracle replayed;
	struct oracle stated;
	uint8_t *pcr = replayed.banks[ATTEST_SHA1].values[5];

	(void)state;
	corpora_need();
	struct bytes log = corpora_load(GO "ebs_event_missing_eventlog.bin");
	oracle_of_log(log, &replayed);
	oracle_load(STATED, "ebs_event_missing_eventlog.bin", &stated);
	assert_memory_not_equal(pcr, stated.banks[ATTEST_SHA1].values[5], 20);
	for (size_t i = 0; i < 2; i++) {
		uint8_t both[40];

		memcpy(both, pcr, 20);
		EVP_Digest(words[i], strlen(words[i]), both + 20, NULL, EVP_sha1(), NULL);
		EVP_Digest(both, sizeof(both), pcr, NULL, EVP_sha1(), NULL);
	}
	assert_memory_equal(pcr, stated.banks[ATTEST_SHA1].values[5], 20);
	corpora_unload(log);
}

/* NONE: there is no such claim. */
static int
count_of(const struct attest_claims *claims, enum attest_claim_id id)
{
	struct attest_claim claim;

	return attest_claims_find(claims, id, &claim) ? (int)claim.count : NONE;
}

static void
check_claims(size_t index, const struct attest_claims *claims)
{
	const char *want = LOGS[index].sbat_level;
	struct attest_claim claim;
	bool sbat_level = attest_claims_find(claims, CLAIM_SBAT_LEVEL, &claim);

	if (attest_claims_answer(claims, CLAIM_SECURE_BOOT) != LOGS[index].secure_boot ||
	    count_of(claims, CLAIM_AUTHORITIES) != LOGS[index].authorities ||
	    count_of(claims, CLAIM_DBX_HASHES) != LOGS[index].dbx_hashes ||
	    sbat_level != (want != NULL))
		fail_msg("%s: Secure Boot %d, %d authorities, %d hashes in dbx, SbatLevel %d",
			 LOGS[index].log, attest_claims_answer(claims, CLAIM_SECURE_BOOT),
			 count_of(claims, CLAIM_AUTHORITIES), count_of(claims, CLAIM_DBX_HASHES),
			 sbat_level);
	if (sbat_level) {
		struct bytes text = attest_claim_next_value(&claim);
		assert_int_equal(text.size, strlen(want));
		assert_memory_equal(text.data, want, text.size);
	}
	assert_int_equal(attest_claims_answer(claims, CLAIM_DMA_PROTECTION_DISABLED),
			 LOGS[index].secure_boot == ATTEST_UNKNOWN ? ATTEST_UNKNOWN : ATTEST_NO);
	assert_int_equal(attest_claims_answer(claims, CLAIM_UEFI_DEBUG_MODE),
			 LOGS[index].secure_boot == ATTEST_UNKNOWN ? ATTEST_UNKNOWN : ATTEST_NO);
}

/* Fragments of logs, and those of TDX, have no event of PCR 0: they explain no boot. */
static bool
measures_firmware(struct bytes input, enum attest_bank bank)
{
	struct attest_eventlog log;
	struct attest_event event;
	struct attest_error err;
	bool found = false;
	bool end = false;

	assert_int_equal(attest_eventlog_open(input, &log, &err), ATTEST_OK);
	while (!end && attest_eventlog_next(&log, &event, &end, &err) == ATTEST_OK)
		found = found ||
			(!end && event.extends && event.pcr == 0 && event.digests[bank].size > 0);
	return found;
}

/* By the stated values where they are enough, else by those that the log leads to: in SHA-256 and
 * in SHA-384, whichever it has. */
static void
check_examination(size_t index, struct bytes log)
{
	struct attest_report report;
	struct attest_error err = {0};
	struct oracle oracle;
	unsigned examined = 0;

	oracle_of_log(log, &oracle);
	for (unsigned bank = ATTEST_SHA256; bank <= ATTEST_SHA384; bank++) {
		const struct attest_pcrs *quoted = &oracle.banks[bank];

		if (quoted->known == 0)
			continue;
		if (attest_eventlog_examine(log, quoted, &report, &err) != ATTEST_OK)
			fail_msg("%s: %s", LOGS[index].log, err.message);
		for (unsigned pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++)
			if (report.pcrs[pcr] != ATTEST_PCR_EXACT)
				fail_msg("%s: PCR %u", LOGS[index].log, pcr);
		assert_int_equal(report.replays, measures_firmware(log, (enum attest_bank)bank));
		check_claims(index, &report.claims);
		examined++;
	}
	assert_true(examined > 0);
}

static void
logs_are_examined_or_refused_by_a_clear_word(void **state)
{
	(void)state;
	corpora_need();
	for (size_t i = 0; i < LOG_COUNT; i++) {
		struct bytes log = corpora_load(LOGS[i].log);
		struct attest_pcrs quoted = {.bank = ATTEST_SHA256, .known = 0xffff};
		struct attest_report report;
		struct attest_error err = {0};

		enum attest_status status = attest_eventlog_examine(log, &quoted, &report, &err);
		/* A log for TDX has SHA-384 alone. */
		if (LOGS[i].status == ATTEST_OK && status == ATTEST_UNSUPPORTED)
			assert_string_equal(err.check, "eventlog.bank");
		else if (status != LOGS[i].status || strcmp(err.check, LOGS[i].check) != 0)
			fail_msg("%s: %d %s %s", LOGS[i].log, status, err.check, err.message);
		if (LOGS[i].status == ATTEST_OK)
			check_examination(i, log);
		corpora_unload(log);
	}
}

/* An event that is in no log, in one. */
static void
an_event_without_data_parses(void **state)
{
	struct software_log log;
	struct oracle oracle;

	(void)state;
	corpora_need();
	struct bytes event = corpora_load(GO "malformed/raw_event2_size_zero.bin");
	software_log_begin(&log);
	uint8_t *both = malloc(log.size + event.size);
	assert_non_null(both);
	memcpy(both, log.data, log.size);
	memcpy(both + log.size, event.data, event.size);
	oracle_of_log((struct bytes){both, log.size + event.size}, &oracle);
	free(both);
	software_log_free(&log);
	corpora_unload(event);
}

/* Those of LOGS with SHA-256 PCR 7 stated. */
static bool
state_quoted(size_t index, struct attest_pcrs *ret_quoted)
{
	struct oracle oracle;

	if (LOGS[index].status != ATTEST_OK || LOGS[index].oracle == NULL)
		return false;
	oracle_load(LOGS[index].oracle, LOGS[index].key, &oracle);
	*ret_quoted = oracle.banks[ATTEST_SHA256];
	return (ret_quoted->known >> 7 & 1) != 0;
}

static void
logs_explain_the_stated_values(void **state)
{
	unsigned examined = 0;

	(void)state;
	corpora_need();
	for (size_t i = 0; i < LOG_COUNT; i++) {
		struct attest_pcrs quoted;
		struct attest_report report;
		struct attest_error err;

		if (!state_quoted(i, &quoted))
			continue;
		struct bytes log = corpora_load(LOGS[i].log);
		assert_int_equal(attest_eventlog_examine(log, &quoted, &report, &err), ATTEST_OK);
		for (unsigned pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++)
			if (pcr != IMA_PCR)
				assert_int_equal(report.pcrs[pcr],
						 (quoted.known >> pcr & 1) != 0
							 ? ATTEST_PCR_EXACT
							 : ATTEST_PCR_UNEXPLAINED);
		check_claims(i, &report.claims);
		corpora_unload(log);
		examined++;
	}
	assert_int_equal(examined, 19);
}

/* Whatever log it is: another machine's values explain no PCR 7 that differs, and claim nothing. */
static void
no_log_speaks_for_another_machine(void **state)
{
	unsigned unknown = 0;

	(void)state;
	corpora_need();
	for (size_t i = 0; i < LOG_COUNT; i++) {
		struct attest_pcrs quoted;

		if (!state_quoted(i, &quoted))
			continue;
		for (size_t k = 0; k < LOG_COUNT; k++) {
			struct bytes log = corpora_load(LOGS[k].log);
			struct attest_report report;
			struct attest_error err;

			if (attest_eventlog_examine(log, &quoted, &report, &err) != ATTEST_OK) {
				assert_true(LOGS[k].status != ATTEST_OK ||
					    err.status == ATTEST_UNSUPPORTED);
			} else if (report.pcrs[7] == ATTEST_PCR_UNEXPLAINED) {
				assert_int_equal(
					attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT),
					ATTEST_UNKNOWN);
				unknown++;
			} else {
				check_claims(i, &report.claims);
			}
			corpora_unload(log);
		}
	}
	assert_true(unknown > 10 * LOG_COUNT);
}

/* ---- keys ---- */

/* The value of the variable `name` in the log, authenticated. */
static struct bytes
variable_of(struct bytes input, const char *name)
{
	struct attest_eventlog log;
	struct attest_event event;
	struct attest_error err;
	enum attest_proof proof;
	struct variable variable;
	struct bytes proved;
	bool end;

	assert_int_equal(attest_eventlog_open(input, &log, &err), ATTEST_OK);
	for (;;) {
		assert_int_equal(attest_eventlog_next(&log, &event, &end, &err), ATTEST_OK);
		assert_false(end);
		assert_int_equal(attest_event_proof(&event, &proof, &proved, &err), ATTEST_OK);
		if (event.pcr == 7 && proof == ATTEST_PROOF_DATA &&
		    attest_variable_decode(proved, &variable) &&
		    (attest_variable_is(&variable,
					&(struct variable_name){VARIABLE_GLOBAL, name}) ||
		     attest_variable_is(&variable,
					&(struct variable_name){VARIABLE_IMAGE_SECURITY, name})))
			return variable.value;
	}
}

/* clang-format off: a table */
static const struct {
	const char *variable;
	enum attest_claim_id claim;
	const char *certificates[3];
} UBUNTU_1804[] = {
#define WELL_KNOWN TOOLS "secure-boot-wellknown/"
	{"PK", CLAIM_PK, {WELL_KNOWN "GcePk.crt"}},
	{"KEK", CLAIM_KEK, {WELL_KNOWN "MicCorKEKCA2011_2011-06-24.crt"}},
	{"db",
	 CLAIM_DB,
	 {WELL_KNOWN "MicCorUEFCA2011_2011-06-27.crt",
	  WELL_KNOWN "MicWinProPCA2011_2011-10-19.crt"}},
};
/* clang-format on */

static void
real_keys_are_those_that_are_well_known(void **state)
{
	struct attest_report report;
	struct attest_error err;
	struct oracle oracle;

	(void)state;
	corpora_need();
	struct bytes log = corpora_load(TOOLS "ubuntu-1804-amd-sev.bin");
	oracle_of_log(log, &oracle);
	assert_int_equal(attest_eventlog_examine(log, &oracle.banks[ATTEST_SHA256], &report, &err),
			 ATTEST_OK);
	for (size_t i = 0; i < sizeof(UBUNTU_1804) / sizeof(UBUNTU_1804[0]); i++) {
		struct bytes value = variable_of(log, UBUNTU_1804[i].variable);
		struct signature_lists lists = attest_signature_lists_of(value);
		struct signature signature;
		struct attest_claim claim;
		uint8_t digest[ATTEST_HASH_SIZE];
		size_t count = 0;

		EVP_Digest(value.data, value.size, digest, NULL, EVP_sha256(), NULL);
		assert_true(attest_claims_find(&report.claims, UBUNTU_1804[i].claim, &claim));
		assert_true(bytes_equal(attest_claim_next_value(&claim), BYTES_OF(digest)));
		for (; attest_signature_next(&lists, &signature); count++) {
			struct bytes want = corpora_load(UBUNTU_1804[i].certificates[count]);

			assert_true(bytes_equal(signature.type, BYTES_OF(SIGNATURE_X509)));
			assert_true(bytes_equal(signature.data, want));
			corpora_unload(want);
		}
		assert_false(lists.lists.failed);
		assert_null(UBUNTU_1804[i].certificates[count]);
	}
	corpora_unload(log);
}

/* How many of the update's hashes are in the claim; -1: the update does not parse. */
static int
hashes_in_claim(struct bytes update, const struct attest_claims *claims, int *ret_total)
{
	struct reader r = reader_of(update);
	struct signature signature;
	int found = 0;

	/* EFI_VARIABLE_AUTHENTICATION_2: a time, and a WIN_CERTIFICATE with its size. */
	read_bytes(&r, 16);
	read_bytes(&r, read_le32(&r) - 4);
	struct signature_lists lists = attest_signature_lists_of(read_bytes(&r, r.left));
	for (*ret_total = 0; attest_signature_next(&lists, &signature);) {
		struct attest_claim claim;
		bool listed = false;

		if (!bytes_equal(signature.type, BYTES_OF(SIGNATURE_SHA256)))
			continue;
		assert_true(attest_claims_find(claims, CLAIM_DBX_HASHES, &claim));
		for (uint32_t i = 0; i < claim.count; i++)
			listed = bytes_equal(attest_claim_next_value(&claim), signature.data) ||
				 listed;
		*ret_total += 1;
		found += listed;
	}
	return lists.lists.failed || r.failed ? -1 : found;
}

/* The lists that vendors published, against what machines have measured. */
static void
dbx_has_what_its_updates_brought(void **state)
{
	/* clang-format off: a table */
	static const struct {
		const char *log;
		const char *update;
		int total;
		int found;
	} cases[] = {
		{TOOLS "ubuntu-1804-amd-sev.bin", WELL_KNOWN "dbxupdate-2014-08-11.bin", 13, 13},
		{TOOLS "ubuntu-1804-amd-sev.bin", WELL_KNOWN "dbxupdate_x64-2020-10-12.bin", 183,
		 27},
		{TOOLS "ubuntu-2104-no-secure-boot.bin", WELL_KNOWN "dbxupdate_x64-2020-10-12.bin",
		 183, 183},
		{TOOLS "ubuntu-2104-no-secure-boot.bin", WELL_KNOWN "dbxupdate_x64-2021-04-29.bin",
		 211, 180},
		{KEYLIME "binary_bios_measurements.bin", WELL_KNOWN "dbxupdate_x64-2021-04-29.bin",
		 211, 211},
	};
	/* clang-format on */

	(void)state;
	corpora_need();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes log = corpora_load(cases[i].log);
		struct bytes update = corpora_load(cases[i].update);
		struct attest_report report;
		struct attest_error err;
		struct oracle oracle;
		int total;

		oracle_of_log(log, &oracle);
		assert_int_equal(
			attest_eventlog_examine(log, &oracle.banks[ATTEST_SHA256], &report, &err),
			ATTEST_OK);
		assert_int_equal(hashes_in_claim(update, &report.claims, &total), cases[i].found);
		assert_int_equal(total, cases[i].total);
		corpora_unload(update);
		corpora_unload(log);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logs_replay_to_the_stated_values),
		cmocka_unit_test(an_unlogged_exit_is_named),
		cmocka_unit_test(logs_are_examined_or_refused_by_a_clear_word),
		cmocka_unit_test(an_event_without_data_parses),
		cmocka_unit_test(logs_explain_the_stated_values),
		cmocka_unit_test(no_log_speaks_for_another_machine),
		cmocka_unit_test(real_keys_are_those_that_are_well_known),
		cmocka_unit_test(dbx_has_what_its_updates_brought),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
