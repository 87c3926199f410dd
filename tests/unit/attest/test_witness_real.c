/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What real logs claim, of every PCR but 7. Command lines are the ones that kernel-cmdlines.json
 * states; Windows' settings of a GCE machine those that its collection states; the rest was read
 * from the logs by hand.
 */
#include "corpora.h"
#include "forge.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LOGS	 "eventlogs/"
#define TOOLS	 LOGS "go-tpm-tools/"
#define FIXTURES LOGS "tpm2-tools/"
#define AMI	 "546bfb1e-1d0c-4055-a4ad-4ef4bf17b83a"

static struct forge machine;
static struct attest_report report;

/* A claim as a line: values with a comma between them, digests by their first three bytes. */
static void
print_claim(enum attest_claim_id id, char *line, size_t size)
{
	struct attest_claim claim;
	size_t at = 0;

	line[0] = '\0';
	if (!attest_claims_find(&report.claims, id, &claim)) {
		snprintf(line, size, "-");
		return;
	}
	for (uint32_t i = 0; i < claim.count && at < size; i++) {
		struct bytes value = attest_claim_next_value(&claim);
		const char *comma = i == 0 ? "" : ",";
		int length = 0;

		switch (claim.rule->kind) {
		case CLAIM_KIND_BOOLEAN:
			length = snprintf(line + at, size - at, "%s%d", comma,
					  attest_claim_value_boolean(value));
			break;
		case CLAIM_KIND_NUMBER:
			length = snprintf(line + at, size - at, "%s%llu", comma,
					  (unsigned long long)attest_claim_value_number(value));
			break;
		case CLAIM_KIND_TEXT:
			length = snprintf(line + at, size - at, "%s%.*s", comma, (int)value.size,
					  (const char *)value.data);
			break;
		case CLAIM_KIND_DIGEST:
			length = snprintf(line + at, size - at, "%s%02x%02x%02x", comma,
					  value.data[0], value.data[1], value.data[2]);
			break;
		}
		at += (size_t)length;
	}
}

static void
expect(const char *log, enum attest_claim_id id, const char *want)
{
	char line[8192];

	print_claim(id, line, sizeof(line));
	if (strcmp(line, want) != 0)
		fail_msg("%s: %s is %s, not %s", log, attest_claim_rule((uint8_t)id)->name, line,
			 want);
}

/* clang-format off: a table */
static const struct {
	const char *log;
	const char *firmware;
	const char *images;
	const char *files;
	const char *mok;
} LINUX[] = {
	{TOOLS "arch-linux-workstation.bin", AMI, "d51e9d,7b50cf", "-", "-"},
	{TOOLS "confidential-gke-debug-251000_eventlog.bin", "GCE Virtual Firmware v2",
	 "451bfd,004a19,540bea", "bdc28b,6cde9b", "8d8a3a,8d8a3a,4bf512"},
	{TOOLS "cos-101-amd-sev.bin", "GCE Virtual Firmware v1", "c7ac5d,c5d3b4,af4161,af4161",
	 "23d10d,c7a022", "8d8a3a,8d8a3a"},
	{TOOLS "cos-85-amd-sev.bin", "GCE Virtual Firmware v1", "dba8d6,f7bad8,6f6afb",
	 "b7ce03,e81373", "-"},
	{TOOLS "glinux-alex.bin", "-", "0e83d5", "-", "-"},
	{TOOLS "ubuntu-2104-no-dbx.bin", "GCE Virtual Firmware v1", "d99c93,b0a836",
	 "f60445,513725,32fc7f,1b766f,46f888,60b179,2d963f,2d963f,38c639", "2f196b,6c29c7"},
	{FIXTURES "event-postcode.bin", AMI, "007f4c,aa1bfb,b0a2cd", "4bdd31,befbf1,5d8a44,2c9d05",
	 "-"},
	{FIXTURES "event-sd-boot-fedora37.bin", "", "-", "643eef", "-"},
	{LOGS "HIRS/TpmLog.bin", "",
	 "ec78b0,9533df,cb8914,d76274,d76274,1e8344,454253,94f23e,e5d025,ab80ef,8ee7ef", "-", "-"},
	{LOGS "keylime/binary_bios_measurements-secureboot.bin", "edk2-20240524-7.el9",
	 "27b124,0abc88,219b8b", "6331c9,6331c9,e19ee2,13092d,46d203,7e209e,3d04fd,2142e3",
	 "c95310,8d8a3a,4bf512"},
	/* Boot Guard's words come before the version. */
	{LOGS "keylime/binary_bios_measurements.bin", "-", "81231b,94896c,a49a60",
	 "82925e,82925e,67afdd,21878e,cc44b6,501292,729f88,89285a,4a8f18,fcd505",
	 "e8e48e,8d8a3a,4bf512"},
	{LOGS "ibmtss/deb2.log", "SDV.RP.B11.04 Release Build", "4f13e1,7c3c36,bb52dd,d4e5d9",
	 "7a2014,cf0d1f,32fc7f,1b766f,46f888,5e590f,2e4234,2e4234,668b31,962867,9aedab",
	 "fcb873,8d8a3a"},
	{LOGS "ibmtss/p511.log", "N1UET78W ", "9a53b6", "-", "-"},
};

static const struct {
	const char *log;
	const char *line; /* how it begins */
} GRUB[] = {
	{TOOLS "ubuntu-1804-amd-sev.bin",
	 "/boot/vmlinuz-5.4.0-1046-gcp root=LABEL=cloudimg-rootfs ro console=ttyS0"},
	{FIXTURES "event-moklisttrusted.bin", "(hd0,gpt2)/vmlinuz-5.14.0-130.el9.x86_64 root="},
	/* Red Hat's older prefix, and commands measured with their NUL. */
	{LOGS "ibmtss/sm4.log", "/xcat/osimage/rhels8-x86_64-netboot-hostos-boot_RHEL-4.18.0.240"},
	{LOGS "ibmtss/deb2.log", "/boot/vmlinuz-5.10.0-rc1+ root="},
	{LOGS "keylime/mb_log.bin", "(hd0,gpt2)/vmlinuz-5.14.0-183.el9.x86_64 root="},
	{LOGS "go-attestation/coreos_36_shielded_vm_no_secure_boot_eventlog.bin",
	 "(hd0,gpt3)/ostree/fedora-coreos-28f8e018c4312083b210ce13c9fdab9dcb7883a0200802dca4"},
	/* systemd-boot used PCR 8 once, and logged less than it measured. */
	{TOOLS "arch-linux-workstation.bin", "-"},
	{FIXTURES "event-sd-boot-fedora37.bin", "-"},
	{LOGS "HIRS/TpmLog.bin", "-"},
};

static const struct {
	const char *log;
	const char *values[13]; /* in the order of WINDOWS_CLAIMS */
} WINDOWS[] = {
	{LOGS "go-attestation/windows_gcp_shielded_vm.bin",
	 {"4", "1", "1", "1", "0", "0", "-", "0", "0", "0", "0", "0", "0,0"}},
	/* Started a hypervisor before the loader; a volume was unlocked by the TPM. */
	{LOGS "ibmtss/p511.log",
	 {"155", "1", "0", "1", "0", "0", "0", "0", "0", "0", "0", "1", "4,1"}},
	{LOGS "ibmtss/dell1.log",
	 {"1039716173", "1", "0", "1", "0", "0", "-", "0", "0", "0", "0", "0", "0,0"}},
	{TOOLS "cos-101-amd-sev.bin",
	 {"-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"}},
	{FIXTURES "event-sd-boot-fedora37.bin",
	 {"-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-"}},
};
static const enum attest_claim_id WINDOWS_CLAIMS[] = {
	CLAIM_WINDOWS_BOOT_COUNTER,
	CLAIM_WINDOWS_COLD_BOOT,
	CLAIM_WINDOWS_DEP,
	CLAIM_WINDOWS_CODE_INTEGRITY,
	CLAIM_WINDOWS_BOOT_DEBUGGING,
	CLAIM_WINDOWS_KERNEL_DEBUGGING,
	CLAIM_WINDOWS_HYPERVISOR_DEBUGGING,
	CLAIM_WINDOWS_TEST_SIGNING,
	CLAIM_WINDOWS_FLIGHT_SIGNING,
	CLAIM_WINDOWS_SAFE_MODE,
	CLAIM_WINDOWS_PE,
	CLAIM_WINDOWS_VSM_LAUNCH,
	CLAIM_WINDOWS_BITLOCKER_UNLOCKS,
};
/* clang-format on */

static struct bytes
examine(const char *name)
{
	struct bytes log = corpora_load(name);

	forge_boot(&machine, log);
	forge_examine(&machine, &report);
	return log;
}

static void
firmware_images_files_and_owners_keys(void **state)
{
	(void)state;
	corpora_need();
	for (size_t i = 0; i < sizeof(LINUX) / sizeof(LINUX[0]); i++) {
		struct bytes log = examine(LINUX[i].log);

		expect(LINUX[i].log, CLAIM_FIRMWARE_VERSION, LINUX[i].firmware);
		expect(LINUX[i].log, CLAIM_BOOT_IMAGES, LINUX[i].images);
		expect(LINUX[i].log, CLAIM_BOOT_FILES, LINUX[i].files);
		expect(LINUX[i].log, CLAIM_MOK, LINUX[i].mok);
		corpora_unload(log);
	}
}

static void
command_lines_of_grub(void **state)
{
	(void)state;
	corpora_need();
	for (size_t i = 0; i < sizeof(GRUB) / sizeof(GRUB[0]); i++) {
		struct bytes log = examine(GRUB[i].log);
		struct attest_claim claim;
		char line[8192];

		print_claim(CLAIM_GRUB_COMMAND_LINES, line, sizeof(line));
		if (strncmp(line, GRUB[i].line, strlen(GRUB[i].line)) != 0)
			fail_msg("%s: %s", GRUB[i].log, line);
		/* One kernel was booted, so there is one. */
		if (attest_claims_find(&report.claims, CLAIM_GRUB_COMMAND_LINES, &claim))
			assert_int_equal(claim.count, 1);
		corpora_unload(log);
	}
}

static void
command_lines_are_the_stated_ones(void **state)
{
	static const char *const logs[][2] = {
		{TOOLS "cos-85-amd-sev.bin", "Cos85AmdSevCmdline"},
		{TOOLS "cos-93-amd-sev.bin", "Cos93AmdSevCmdline"},
		{TOOLS "cos-101-amd-sev.bin", "Cos101AmdSevCmdline"},
	};

	(void)state;
	corpora_need();
	struct bytes text = corpora_load(TOOLS "kernel-cmdlines.json");
	json_t *root = json_loadb((const char *)text.data, text.size, JSON_ALLOW_NUL, NULL);
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		struct bytes log = examine(logs[i][0]);
		const json_t *line = json_object_get(root, logs[i][1]);

		/* Terminated there. */
		assert_int_equal(json_string_length(line), strlen(json_string_value(line)) + 1);
		expect(logs[i][0], CLAIM_GRUB_COMMAND_LINES, json_string_value(line));
		corpora_unload(log);
	}
	json_decref(root);
	corpora_unload(text);
}

static void
command_lines_of_systemd_boot(void **state)
{
	static const char line[] = " console=ttyS0 console=tty0 efi=debug ";
	char twice[2 * sizeof(line)];

	(void)state;
	corpora_need();
	/* By the boot menu and by the stub. */
	snprintf(twice, sizeof(twice), "%s,%s", line, line);
	struct bytes log = examine(FIXTURES "event-sd-boot-fedora37.bin");
	expect("fedora37", CLAIM_STUB_COMMAND_LINES, twice);
	expect("fedora37", CLAIM_UKI_SECTIONS, "-");
	corpora_unload(log);
}

static void
settings_of_windows(void **state)
{
	(void)state;
	corpora_need();
	for (size_t i = 0; i < sizeof(WINDOWS) / sizeof(WINDOWS[0]); i++) {
		struct bytes log = examine(WINDOWS[i].log);

		for (size_t k = 0; k < sizeof(WINDOWS_CLAIMS) / sizeof(WINDOWS_CLAIMS[0]); k++)
			expect(WINDOWS[i].log, WINDOWS_CLAIMS[k], WINDOWS[i].values[k]);
		corpora_unload(log);
	}
}

/* Of a log with both banks: SHA-384 proves the same texts, by digests of its own. */
static void
the_other_bank_proves_the_same(void **state)
{
	static const enum attest_claim_id texts[] = {CLAIM_FIRMWARE_VERSION,
						     CLAIM_GRUB_COMMAND_LINES};
	static struct attest_pcrs pcrs[ATTEST_BANKS];
	static struct attest_report other;
	struct attest_error err;
	struct attest_claim claim;
	uint32_t banks;

	(void)state;
	corpora_need();
	struct bytes log = examine(TOOLS "cos-101-amd-sev.bin");
	assert_int_equal(attest_eventlog_replay(log, pcrs, &banks, &err), ATTEST_OK);
	assert_int_equal(attest_eventlog_examine(log, &pcrs[ATTEST_SHA384], &other, &err),
			 ATTEST_OK);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(forge_fate(&report.claims, &other.claims, texts[i]), FORGE_SAME);
	assert_true(attest_claims_find(&other.claims, CLAIM_BOOT_IMAGES, &claim));
	assert_int_equal(claim.count, 4);
	for (uint32_t i = 0; i < claim.count; i++)
		assert_int_equal(attest_claim_next_value(&claim).size, 48);
	corpora_unload(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(firmware_images_files_and_owners_keys),
		cmocka_unit_test(command_lines_of_grub),
		cmocka_unit_test(command_lines_are_the_stated_ones),
		cmocka_unit_test(command_lines_of_systemd_boot),
		cmocka_unit_test(settings_of_windows),
		cmocka_unit_test(the_other_bank_proves_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
