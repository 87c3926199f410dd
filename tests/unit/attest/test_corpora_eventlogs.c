/* SPDX-License-Identifier: Apache-2.0 */
/* Real event logs. */
#include "corpora.h"
#include "quoted.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct values {
	bool known[ATTEST_PCR_COUNT];
	uint8_t pcrs[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE];
};

static void
set_value(struct values *values, unsigned long pcr, const char *hex)
{
	long size = 0;

	if (pcr >= ATTEST_PCR_COUNT)
		return;
	unsigned char *bytes = OPENSSL_hexstr2buf(hex, &size);
	assert_int_equal(size, ATTEST_HASH_SIZE);
	memcpy(values->pcrs[pcr], bytes, ATTEST_HASH_SIZE);
	values->known[pcr] = true;
	OPENSSL_free(bytes);
}

/* expected-pcrs.json of go-tpm-tools and go-attestation. */
static void
values_from_json(const char *name, const char *key, struct values *values)
{
	struct bytes text = corpora_load(name);
	json_t *root = json_loadb((const char *)text.data, text.size, 0, NULL);
	json_t *log = json_object_get(root, key);
	json_t *banks = json_object_get(log, "banks");
	const char *pcr;
	json_t *value;

	assert_non_null(log);
	json_object_foreach(json_object_get(banks == NULL ? log : banks, "sha256"), pcr, value)
		set_value(values, strtoul(pcr, NULL, 10), json_string_value(value));
	json_decref(root);
	corpora_unload(text);
}

/* The `pcrs` section of tpm2_eventlog. It extends events that extend nothing, so its PCR 0 says
 * nothing. */
static void
values_from_yaml(const char *name, struct values *values)
{
	char path[CORPORA_PATH_SIZE];
	char line[256];
	bool in_pcrs = false;
	bool in_bank = false;

	corpora_path(name, path);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		char hex[65];
		unsigned pcr;

		in_pcrs = in_pcrs || strncmp(line, "pcrs:", 5) == 0;
		if (strstr(line, "sha") != NULL)
			in_bank = strstr(line, "sha256:") != NULL;
		if (in_pcrs && in_bank && sscanf(line, " %u : 0x%64[0-9a-f]", &pcr, hex) == 2 &&
		    pcr > 0)
			set_value(values, pcr, hex);
	}
	fclose(file);
}

/* A line for each PCR. */
static void
values_from_lines(const char *name, struct values *values)
{
	struct bytes text = corpora_load(name);
	struct reader r = reader_of(text);

	for (unsigned long pcr = 0; pcr < 24; pcr++) {
		char hex[65] = {0};

		read_copy(&r, (uint8_t *)hex, 64);
		set_value(values, pcr, hex);
		while (r.left > 0 && (*r.next == '\n' || *r.next == '\r'))
			read_u8(&r);
	}
	corpora_unload(text);
}

/* clang-format off: a table */
static const struct {
	const char *log;
	const char *oracle;
	const char *key;
	enum attest_answer secure_boot;
} LOGS[] = {
#define TOOLS	 "eventlogs/go-tpm-tools/"
#define EXPECTED TOOLS "expected-pcrs.json"
#define YAML	 "eventlogs/tpm2-tools/expected-yaml/raw-"
	{TOOLS "arch-linux-workstation.bin", EXPECTED, "ArchLinuxWorkstation", ATTEST_NO},
	{TOOLS "confidential-gke-debug-251000_eventlog.bin", EXPECTED, "CGKE251000", ATTEST_YES},
	{TOOLS "cos-101-amd-sev.bin", EXPECTED, "COS101AmdSev", ATTEST_YES},
	{TOOLS "cos-85-amd-sev.bin", EXPECTED, "COS85AmdSev", ATTEST_YES},
	{TOOLS "cos-93-amd-sev.bin", EXPECTED, "COS93AmdSev", ATTEST_YES},
	{TOOLS "glinux-alex.bin", EXPECTED, "GlinuxNoSecureBootLaptop", ATTEST_NO},
	{TOOLS "eventlogwithsp800155.bin", EXPECTED, "SP800155EventLog", ATTEST_YES},
	{TOOLS "ubuntu-2104-no-dbx.bin", EXPECTED, "Ubuntu2104NoDbxGCE", ATTEST_NO},
	{TOOLS "ubuntu-2104-no-secure-boot.bin", EXPECTED, "Ubuntu2104NoSecureBootGCE", ATTEST_NO},
	{TOOLS "ubuntu-1804-amd-sev.bin", EXPECTED, "UbuntuAmdSevGCE", ATTEST_NO},
	{"eventlogs/go-attestation/sb_cert_eventlog.bin",
	 "eventlogs/go-attestation/expected-pcrs.json", "sb_cert_eventlog.bin", ATTEST_YES},
	{"eventlogs/HIRS/TpmLog.bin", "eventlogs/HIRS/TpmLogExpectedPcrs.txt", NULL, ATTEST_NO},
	{"eventlogs/tpm2-tools/event-arch-linux.bin", YAML "event-arch-linux.bin.yaml", NULL,
	 ATTEST_NO},
	{"eventlogs/tpm2-tools/event-bootorder.bin", YAML "event-bootorder.bin.yaml", NULL,
	 ATTEST_NO},
	{"eventlogs/tpm2-tools/event-moklisttrusted.bin", YAML "event-moklisttrusted.bin.yaml",
	 NULL, ATTEST_YES},
	{"eventlogs/tpm2-tools/event-postcode.bin", YAML "event-postcode.bin.yaml", NULL,
	 ATTEST_YES},
	{"eventlogs/tpm2-tools/event-sd-boot-fedora37.bin", YAML "event-sd-boot-fedora37.bin.yaml",
	 NULL, ATTEST_NO},
};
/* clang-format on */

static void
load_values(size_t index, struct values *values)
{
	const char *oracle = LOGS[index].oracle;

	*values = (struct values){0};
	if (LOGS[index].key != NULL)
		values_from_json(oracle, LOGS[index].key, values);
	else if (strstr(oracle, ".yaml") != NULL)
		values_from_yaml(oracle, values);
	else
		values_from_lines(oracle, values);
}

static void
real_logs_replay_to_the_stated_values(void **state)
{
	(void)state;
	corpora_need();
	for (size_t i = 0; i < sizeof(LOGS) / sizeof(LOGS[0]); i++) {
		struct bytes log = corpora_load(LOGS[i].log);
		struct values values;
		const struct values *expected = &values;
		struct attest_report report;
		struct attest_error err = {0};
		unsigned known = 0;

		load_values(i, &values);
		if (attest_eventlog_examine(log, quoted(expected->pcrs), &report, &err) !=
		    ATTEST_OK)
			fail_msg("%s: %s", LOGS[i].log, err.message);
		for (unsigned pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++) {
			/* PCR 10 is IMA's: the firmware's log does not explain it. */
			if (!values.known[pcr] || pcr == 10)
				continue;
			known++;
			if (report.pcrs[pcr] != ATTEST_PCR_EXACT)
				fail_msg("%s: PCR %u", LOGS[i].log, pcr);
		}
		assert_true(known >= 8);
		if (attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT) != LOGS[i].secure_boot)
			fail_msg("%s: Secure Boot %d", LOGS[i].log,
				 attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT));
		corpora_unload(log);
	}
}

/* Whatever log it is: another machine's values explain no PCR 7 that differs, and claim nothing. */
static void
no_log_speaks_for_another_machine(void **state)
{
	enum { COUNT = sizeof(LOGS) / sizeof(LOGS[0]) };
	unsigned different = 0;

	(void)state;
	corpora_need();
	for (size_t i = 0; i < COUNT; i++) {
		struct bytes log = corpora_load(LOGS[i].log);
		for (size_t k = 0; k < COUNT; k++) {
			struct values values;
			const struct values *expected = &values;
			struct attest_report report;
			struct attest_error err;

			load_values(k, &values);
			assert_int_equal(
				attest_eventlog_examine(log, quoted(expected->pcrs), &report, &err),
				ATTEST_OK);
			if (attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT) ==
			    ATTEST_UNKNOWN)
				different++;
			else
				assert_int_equal(
					attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT),
					LOGS[k].secure_boot);
		}
		corpora_unload(log);
	}
	assert_true(different > COUNT);
}

static uint32_t
le32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

/* Where a log's events begin, behind the header, and the size of the event at `at` with banks of
 * known sizes. */
static size_t
first_event(struct bytes log)
{
	return 32 + le32(log.data + 28);
}

static size_t
event_size(struct bytes log, size_t at)
{
	size_t size = 12;

	for (uint32_t i = 0; i < le32(log.data + at + 8); i++) {
		uint8_t algorithm = log.data[at + size];
		size += 2 + (algorithm == 4 ? 20U : algorithm == 0x0b ? 32U : 48U);
	}
	return size + 4 + le32(log.data + at + size);
}

/* Secure Boot was off. Its own events of PCR 7 become something else, and those of a machine with
 * Secure Boot on are appended, as they are or as events that extend nothing. */
static void
relabelled_real_logs_claim_nothing(void **state)
{
	static const uint32_t types[] = {0x3, 0x4, 0x5, 0xd, 0x80000001, 0x800000e0};
	struct values values;
	const struct values *expected = &values;
	struct bytes honest;
	struct bytes donor;

	(void)state;
	corpora_need();
	honest = corpora_load(LOGS[8].log); /* ubuntu-2104-no-secure-boot */
	donor = corpora_load(LOGS[2].log);  /* cos-101 */
	load_values(8, &values);
	for (size_t type = 0; type < sizeof(types) / sizeof(types[0]); type++) {
		size_t size = honest.size + donor.size - first_event(donor);
		uint8_t *forged = malloc(size);
		struct attest_report report;
		struct attest_error err;

		assert_non_null(forged);
		memcpy(forged, honest.data, honest.size);
		memcpy(forged + honest.size, donor.data + first_event(donor),
		       donor.size - first_event(donor));
		for (size_t at = first_event(honest); at < honest.size;
		     at += event_size(honest, at))
			if (forged[at] == 7)
				for (unsigned i = 0; i < 4; i++)
					forged[at + 4 + i] = (uint8_t)(types[type] >> 8 * i);
		assert_int_equal(attest_eventlog_examine((struct bytes){forged, size},
							 quoted(expected->pcrs), &report, &err),
				 ATTEST_OK);
		assert_int_not_equal(attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT),
				     ATTEST_YES);
		/* Without the appended half: PCR 7 replays, and the claim must still not be made.
		 */
		assert_int_equal(attest_eventlog_examine((struct bytes){forged, honest.size},
							 quoted(expected->pcrs), &report, &err),
				 ATTEST_OK);
		assert_int_equal(attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT),
				 ATTEST_UNKNOWN);
		free(forged);
	}
	corpora_unload(honest);
	corpora_unload(donor);
}

static void
logs_that_are_not_accepted_say_why(void **state)
{
	/* clang-format off: a table */
	static const struct {
		const char *log;
		enum attest_status want;
		const char *check;
	} cases[] = {
		{TOOLS "debian-10.bin", ATTEST_UNSUPPORTED, "eventlog.sha1"},
		{"eventlogs/HIRS/TpmLogSHA1.bin", ATTEST_UNSUPPORTED, "eventlog.sha1"},
		{"eventlogs/go-attestation/linux_tpm12.bin", ATTEST_UNSUPPORTED, "eventlog.sha1"},
		{"eventlogs/go-attestation/ebs_event_missing_eventlog.bin", ATTEST_UNSUPPORTED,
		 "eventlog.sha1"},
		{"eventlogs/go-attestation/option_rom_eventlog.bin", ATTEST_UNSUPPORTED,
		 "eventlog.sha1"},
		{"eventlogs/go-attestation/short_no_action_eventlog.bin", ATTEST_UNSUPPORTED,
		 "eventlog.sha1"},
		{"eventlogs/tpm2-tools/event-uefi-sha1-log.bin", ATTEST_UNSUPPORTED,
		 "eventlog.sha1"},
		{"eventlogs/go-eventlog/ccel/cos-113-intel-tdx.bin", ATTEST_UNSUPPORTED,
		 "eventlog.bank"},
		{"eventlogs/go-attestation/malformed/event_size_too_large.bin", ATTEST_MALFORMED,
		 "eventlog.parse"},
		{"eventlogs/keylime/malformed/binary_bios_measurements-bogus.bin", ATTEST_MALFORMED,
		 "eventlog.parse"},
		{"eventlogs/keylime/malformed/binary_bios_measurements-empty.bin", ATTEST_MALFORMED,
		 "eventlog.parse"},
		{"eventlogs/go-attestation/crypto_agile_eventlog.bin", ATTEST_OK, ""},
		{"eventlogs/go-attestation/coreos_36_shielded_vm_no_secure_boot_eventlog.bin",
		 ATTEST_OK, ""},
		{"eventlogs/go-attestation/append_extra_log.bin", ATTEST_OK, ""},
		{"eventlogs/ibmtss/deb2.log", ATTEST_OK, ""},
		{"eventlogs/ibmtss/dell1.log", ATTEST_OK, ""},
		{"eventlogs/ibmtss/p511.log", ATTEST_OK, ""},
		{"eventlogs/ibmtss/sm2.log", ATTEST_OK, ""},
		{"eventlogs/ibmtss/ubuntu3.log", ATTEST_OK, ""},
		{"eventlogs/keylime/binary_bios_measurements-secureboot.bin", ATTEST_OK, ""},
		{"eventlogs/keylime/mb_log.bin", ATTEST_OK, ""},
		/* Its vendorInfo lies outside the event's own size. */
		{"eventlogs/tpm2-tools/specid-vendordata.bin", ATTEST_MALFORMED, "eventlog.header"},
	};
	/* clang-format on */
	static const uint8_t zero[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE];

	(void)state;
	corpora_need();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes log = corpora_load(cases[i].log);
		struct attest_report report;
		struct attest_error err = {0};

		enum attest_status status =
			attest_eventlog_examine(log, quoted(zero), &report, &err);
		if (status != cases[i].want || strcmp(err.check, cases[i].check) != 0)
			fail_msg("%s: %d %s %s", cases[i].log, status, err.check, err.message);
		corpora_unload(log);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_logs_replay_to_the_stated_values),
		cmocka_unit_test(no_log_speaks_for_another_machine),
		cmocka_unit_test(relabelled_real_logs_claim_nothing),
		cmocka_unit_test(logs_that_are_not_accepted_say_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
