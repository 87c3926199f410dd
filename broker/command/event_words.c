/* SPDX-License-Identifier: Apache-2.0 */
#include "event_words.h"

#include "event_describe.h"

#define TYPE(type_, describe_)                                                                     \
	{                                                                                          \
		.type = (type_), .name = #type_, .describe = (describe_)                           \
	}

/* PFP 1.05, 10.4.1. */
static const struct {
	uint32_t type;
	const char *name;
	event_describer *describe;
} TYPES[] = {
	TYPE(EV_PREBOOT_CERT, describe_bytes),
	TYPE(EV_POST_CODE, describe_post_code),
	TYPE(EV_UNUSED, describe_bytes),
	TYPE(EV_NO_ACTION, describe_no_action),
	TYPE(EV_SEPARATOR, describe_separator),
	TYPE(EV_ACTION, describe_action),
	TYPE(EV_EVENT_TAG, describe_tag),
	TYPE(EV_S_CRTM_CONTENTS, describe_post_code),
	TYPE(EV_S_CRTM_VERSION, describe_crtm_version),
	TYPE(EV_CPU_MICROCODE, describe_bytes),
	TYPE(EV_PLATFORM_CONFIG_FLAGS, describe_bytes),
	TYPE(EV_TABLE_OF_DEVICES, describe_bytes),
	TYPE(EV_COMPACT_HASH, describe_bytes),
	TYPE(EV_IPL, describe_ipl),
	TYPE(EV_IPL_PARTITION_DATA, describe_bytes),
	TYPE(EV_NONHOST_CODE, describe_bytes),
	TYPE(EV_NONHOST_CONFIG, describe_bytes),
	TYPE(EV_NONHOST_INFO, describe_bytes),
	TYPE(EV_OMIT_BOOT_DEVICE_EVENTS, describe_bytes),
	TYPE(EV_POST_CODE2, describe_blob2),
	TYPE(EV_EFI_EVENT_BASE, describe_bytes),
	TYPE(EV_EFI_VARIABLE_DRIVER_CONFIG, describe_variable),
	TYPE(EV_EFI_VARIABLE_BOOT, describe_variable),
	TYPE(EV_EFI_BOOT_SERVICES_APPLICATION, describe_image),
	TYPE(EV_EFI_BOOT_SERVICES_DRIVER, describe_image),
	TYPE(EV_EFI_RUNTIME_SERVICES_DRIVER, describe_image),
	TYPE(EV_EFI_GPT_EVENT, describe_partitions),
	TYPE(EV_EFI_ACTION, describe_action),
	TYPE(EV_EFI_PLATFORM_FIRMWARE_BLOB, describe_blob),
	TYPE(EV_EFI_HANDOFF_TABLES, describe_tables),
	TYPE(EV_EFI_PLATFORM_FIRMWARE_BLOB2, describe_blob2),
	TYPE(EV_EFI_HANDOFF_TABLES2, describe_tables2),
	TYPE(EV_EFI_VARIABLE_BOOT2, describe_variable),
	TYPE(EV_EFI_GPT_EVENT2, describe_partitions),
	TYPE(EV_EFI_HCRTM_EVENT, describe_hcrtm),
	TYPE(EV_EFI_VARIABLE_AUTHORITY, describe_authority),
	TYPE(EV_EFI_SPDM_FIRMWARE_BLOB, describe_bytes),
	TYPE(EV_EFI_SPDM_FIRMWARE_CONFIG, describe_bytes),
	TYPE(EV_EFI_SPDM_DEVICE_POLICY, describe_bytes),
	TYPE(EV_EFI_SPDM_DEVICE_AUTHORITY, describe_bytes),
};
#define TYPE_COUNT (sizeof(TYPES) / sizeof(*TYPES))

static const char *const PURPOSES[ATTEST_PCRS] = {
	[0] = "the firmware's own code",
	[1] = "the firmware's settings: boot order, options, tables",
	[2] = "drivers and firmware from add-in cards",
	[3] = "settings of those",
	[4] = "boot loaders: what the firmware started, up to the operating system",
	[5] = "what boot loaders are given, the partition table, the hand-over",
	[6] = "the machine's maker's own",
	[7] = "Secure Boot: whether on, its keys, and which of them let something run",
	[8] = "GRUB: the commands it ran, and the kernel's command line",
	[9] = "GRUB: the files it read; Linux: the initrd and the kernel's options",
	[10] = "Linux IMA: files that the running system opens, in a list of its own",
	[11] = "systemd-stub: the unified kernel image, and phases of boot; Windows: BitLocker",
	[12] = "systemd-stub: what its image was given from outside; Windows: how it was started",
	[13] = "systemd-stub: extensions of the system; Windows: what it loaded",
	[14] = "shim: the owner's own keys; Windows: who signed what it loaded",
	[15] = "systemd: which machine and which volumes this is",
	[16] = "debugging: anybody can reset it, so it proves nothing",
	[17] = "late launch (Intel TXT, AMD SKINIT): what was launched",
	[18] = "late launch: what was launched",
	[19] = "late launch: what was launched",
	[20] = "late launch: what was launched",
	[21] = "late launch: what was launched",
	[22] = "late launch: what was launched",
	[23] = "programs' own: anybody can reset it, so it proves nothing",
};

static size_t
type_find(uint32_t type)
{
	size_t i = 0;

	while (i < TYPE_COUNT && TYPES[i].type != type)
		i++;
	return i;
}

void
words_add_event_type(struct words *words, uint32_t type)
{
	size_t i = type_find(type);

	if (i < TYPE_COUNT)
		words_add(words, "%s", TYPES[i].name);
	else
		words_add(words, "0x%08x", type);
}

void
words_add_event(struct words *words, const struct attest_event *event)
{
	size_t i = type_find(event->type);

	if (i < TYPE_COUNT)
		TYPES[i].describe(words, event);
	else
		describe_bytes(words, event);
}

const char *
pcr_purpose(uint32_t pcr)
{
	return pcr < ATTEST_PCRS ? PURPOSES[pcr] : "notes that are of no PCR";
}

const char *
proof_word(enum attest_proof proof)
{
	switch (proof) {
	case ATTEST_PROOF_NOTHING:
		return "nothing";
	case ATTEST_PROOF_DIGEST:
		return "digest";
	case ATTEST_PROOF_DATA:
		return "data";
	case ATTEST_PROOF_DATA_BUT_LAST:
		return "data-but-last";
	case ATTEST_PROOF_VALUE:
		return "value";
	case ATTEST_PROOF_TEXT:
		return "text";
	case ATTEST_PROOF_NAME:
		return "name";
	case ATTEST_PROOF_MISMATCH:
		return "mismatch";
	}
	return "nothing";
}

static const char *
digest_sentence(uint32_t type)
{
	if (type >= EV_EFI_BOOT_SERVICES_APPLICATION && type <= EV_EFI_RUNTIME_SERVICES_DRIVER)
		return "proves: only the image's digest (device path: NOT authenticated)";
	if (type == EV_IPL)
		return "proves: only a digest of bytes outside of the log (name: NOT "
		       "authenticated)";
	return "proves: only a digest of bytes outside of the log";
}

const char *
proof_sentence(enum attest_proof proof, uint32_t type)
{
	switch (proof) {
	case ATTEST_PROOF_NOTHING:
		return "extends nothing: proves nothing";
	case ATTEST_PROOF_DIGEST:
		return digest_sentence(type);
	case ATTEST_PROOF_DATA:
		return "proves: the data";
	case ATTEST_PROOF_DATA_BUT_LAST:
		return "proves: the data but for its last byte";
	case ATTEST_PROOF_VALUE:
		return "proves: the variable's value (its name: NOT authenticated)";
	case ATTEST_PROOF_TEXT:
		return "proves: the text after the prefix";
	case ATTEST_PROOF_NAME:
		return "proves: this name; the next event's digest is of what bears it";
	case ATTEST_PROOF_MISMATCH:
		return "MISMATCH: the data is not what was measured";
	}
	return "proves nothing";
}
