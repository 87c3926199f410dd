/* SPDX-License-Identifier: Apache-2.0 */
#include "claims.h"

#include <string.h>

#define VALUES_MAX 4096

#define RULE(id_, name_, kind_, list_, meaning_)                                                   \
	{                                                                                          \
		.id = CLAIM_##id_, .name = (name_), .kind = CLAIM_KIND_##kind_, .list = (list_),   \
		.meaning = (meaning_)                                                              \
	}

static const struct attest_claim_rule RULES[] = {
	RULE(SECURE_BOOT, "secureBoot", BOOLEAN, false, "UEFI Secure Boot was on"),
	RULE(SETUP_MODE, "setupMode", BOOLEAN, false,
	     "no platform key was enrolled: anybody could change the keys"),
	RULE(AUDIT_MODE, "auditMode", BOOLEAN, false, "images were checked and run nonetheless"),
	RULE(DEPLOYED_MODE, "deployedMode", BOOLEAN, false, "keys change by signature alone"),
	RULE(PK, "pk", DIGEST, false, "SHA-256 of the variable PK"),
	RULE(KEK, "kek", DIGEST, false, "SHA-256 of the variable KEK"),
	RULE(DB, "db", DIGEST, false, "SHA-256 of the variable db"),
	RULE(DBX, "dbx", DIGEST, false, "SHA-256 of the variable dbx"),
	RULE(DBX_HASHES, "dbxHashes", DIGEST, true, "SHA-256 image hashes that dbx forbids"),
	RULE(AUTHORITIES, "authorities", DIGEST, true,
	     "SHA-256 of every certificate that authorized an image, or that image's hash"),
	RULE(SBAT_LEVEL, "sbatLevel", TEXT, false, "shim's SbatLevel, its lines joined by spaces"),
	RULE(DMA_PROTECTION_DISABLED, "dmaProtectionDisabled", BOOLEAN, false,
	     "firmware said that DMA protection was off"),
	RULE(UEFI_DEBUG_MODE, "uefiDebugMode", BOOLEAN, false,
	     "firmware said that a debugger was on"),
	RULE(FIRMWARE_VERSION, "firmwareVersion", TEXT, false,
	     "what the firmware calls its version"),
	RULE(BOOT_IMAGES, "bootImages", DIGEST, true,
	     "digests of all images in PCR 4, which firmware was asked to start"),
	RULE(GRUB_COMMAND_LINES, "grubCommandLines", TEXT, true,
	     "every text of GRUB's that may be a kernel's command line"),
	RULE(BOOT_FILES, "bootFiles", DIGEST, true,
	     "digests of all files that GRUB read, of load options and initrds"),
	RULE(UKI_SECTIONS, "ukiSections", TEXT, true,
	     "all sections of the unified kernel image, each with its digest"),
	RULE(UKI_COMMAND_LINE, "ukiCommandLine", DIGEST, false,
	     "digest of the unified kernel image's .cmdline"),
	RULE(STUB_COMMAND_LINES, "stubCommandLines", TEXT, true,
	     "all command lines from outside of the unified kernel image"),
	RULE(MOK, "mok", DIGEST, true, "digests of all that shim measured of the owner's keys"),
	RULE(WINDOWS_BOOT_COUNTER, "windowsBootCounter", NUMBER, false, "Windows' boot counter"),
	RULE(WINDOWS_COLD_BOOT, "windowsColdBoot", BOOLEAN, false,
	     "booted, not resumed from hibernation"),
	RULE(WINDOWS_DEP, "windowsDataExecutionPrevention", BOOLEAN, false,
	     "data execution prevention was on for all, or all but listed, programs"),
	RULE(WINDOWS_CODE_INTEGRITY, "windowsCodeIntegrity", BOOLEAN, false,
	     "code integrity was on at every stage"),
	RULE(WINDOWS_BOOT_DEBUGGING, "windowsBootDebugging", BOOLEAN, false,
	     "the boot loader could be debugged"),
	RULE(WINDOWS_KERNEL_DEBUGGING, "windowsKernelDebugging", BOOLEAN, false,
	     "the kernel could be debugged"),
	RULE(WINDOWS_HYPERVISOR_DEBUGGING, "windowsHypervisorDebugging", BOOLEAN, false,
	     "the hypervisor could be debugged"),
	RULE(WINDOWS_TEST_SIGNING, "windowsTestSigning", BOOLEAN, false,
	     "test signatures were accepted"),
	RULE(WINDOWS_FLIGHT_SIGNING, "windowsFlightSigning", BOOLEAN, false,
	     "signatures of preview builds were accepted"),
	RULE(WINDOWS_SAFE_MODE, "windowsSafeMode", BOOLEAN, false, "booted into safe mode"),
	RULE(WINDOWS_PE, "windowsPreinstallation", BOOLEAN, false,
	     "booted into the preinstallation environment"),
	RULE(WINDOWS_VSM_LAUNCH, "windowsVirtualSecureMode", NUMBER, false,
	     "launch type of virtual secure mode; 0 is off"),
	RULE(WINDOWS_BITLOCKER_UNLOCKS, "windowsBitLockerUnlocks", NUMBER, true,
	     "how volumes were unlocked, flags of each in order"),
	RULE(IMA_ENTRIES, "imaEntries", NUMBER, false,
	     "entries of the IMA list that PCR 10 covers"),
	RULE(IMA_VIOLATIONS, "imaViolations", NUMBER, false,
	     "of these, violations, whose data proves nothing"),
	RULE(IMA_ALL_LISTED, "imaAllListed", BOOLEAN, false,
	     "every measured file is on the allow-list"),
	RULE(IMA_ALL_SIGNED, "imaAllSigned", BOOLEAN, false,
	     "every measured file is signed by a trusted key"),
};
#define RULE_COUNT (sizeof(RULES) / sizeof(RULES[0]))

const struct attest_claim_rule *
attest_claim_rule_at(size_t index)
{
	return index < RULE_COUNT ? &RULES[index] : NULL;
}

const struct attest_claim_rule *
attest_claim_rule(uint8_t id)
{
	for (size_t i = 0; i < RULE_COUNT; i++)
		if (RULES[i].id == id)
			return &RULES[i];
	return NULL;
}

static uint32_t
continuation(struct reader *r, unsigned count)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < count; i++) {
		uint8_t byte = read_u8(r);

		if ((byte & 0xc0) != 0x80)
			reader_fail(r);
		bits = bits << 6 | (byte & 0x3f);
	}
	return bits;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF; and no control characters,
 * for these texts reach terminals. */
static bool
text_valid(struct bytes text)
{
	struct reader r = reader_of(text);

	if (text.size > ATTEST_CLAIM_TEXT_MAX)
		return false;
	while (r.left > 0) {
		uint32_t c = read_u8(&r);
		uint32_t least = 0x20;

		if (c >= 0xf0 && c <= 0xf7) {
			c = (c & 7) << 18 | continuation(&r, 3);
			least = 0x10000;
		} else if (c >= 0xe0 && c < 0xf0) {
			c = (c & 15) << 12 | continuation(&r, 2);
			least = 0x800;
		} else if (c >= 0xc0 && c < 0xe0) {
			c = (c & 31) << 6 | continuation(&r, 1);
			least = 0xa0;
		} else if (c >= 0x7f) {
			return false;
		}
		if (r.failed || c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	return true;
}

static bool
value_valid(enum attest_claim_kind kind, struct bytes value)
{
	switch (kind) {
	case CLAIM_KIND_BOOLEAN:
		return value.size == 1 && value.data[0] <= 1;
	case CLAIM_KIND_NUMBER:
		return value.size == 8 && (value.data[0] & 0x80) == 0;
	case CLAIM_KIND_TEXT:
		return text_valid(value);
	case CLAIM_KIND_DIGEST:
		return value.size == 32 || value.size == 48 || value.size == 64;
	}
	return false;
}

/* The highest id so far; 0 without any. Remembered, for claims may be thousands of values. */
static uint8_t
last_id(const struct attest_claims *claims)
{
	struct reader r = reader_of((struct bytes){claims->encoded, claims->size});
	struct attest_claim claim;
	bool remembered = claims->size == 0 || claims->last != 0;
	uint8_t id = claims->size == 0 ? 0 : claims->last;

	while (!remembered && attest_claim_next(&r, &claim))
		id = (uint8_t)claim.rule->id;
	return id;
}

static bool
append(struct attest_claims *claims, enum attest_claim_id id, enum attest_claim_kind least,
       enum attest_claim_kind most, const struct bytes *values, size_t count)
{
	const struct attest_claim_rule *rule = attest_claim_rule((uint8_t)id);
	struct writer w =
		writer_of(claims->encoded + claims->size, sizeof(claims->encoded) - claims->size);

	if (rule == NULL || rule->kind < least || rule->kind > most || count > VALUES_MAX ||
	    (!rule->list && count != 1) || last_id(claims) >= id)
		return false;
	write_u8(&w, (uint8_t)id);
	write_be16(&w, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		if (!value_valid(rule->kind, values[i]))
			return false;
		write_bytes_be16(&w, values[i]);
	}
	if (w.failed)
		return false;
	claims->size += w.size;
	claims->last = (uint8_t)id;
	return true;
}

bool
attest_claim_boolean(struct attest_claims *claims, enum attest_claim_id id, bool value)
{
	const uint8_t byte = value;
	const struct bytes bytes = {&byte, 1};

	return append(claims, id, CLAIM_KIND_BOOLEAN, CLAIM_KIND_BOOLEAN, &bytes, 1);
}

bool
attest_claim_number(struct attest_claims *claims, enum attest_claim_id id, uint64_t value)
{
	uint8_t memory[8];
	struct writer w = writer_of(memory, sizeof(memory));
	const struct bytes bytes = BYTES_OF(memory);

	write_be64(&w, value);
	return append(claims, id, CLAIM_KIND_NUMBER, CLAIM_KIND_NUMBER, &bytes, 1);
}

bool
attest_claim_values(struct attest_claims *claims, enum attest_claim_id id,
		    const struct bytes *values, size_t count)
{
	return append(claims, id, CLAIM_KIND_NUMBER, CLAIM_KIND_DIGEST, values, count);
}

bool
attest_claim_next(struct reader *claims, struct attest_claim *ret_claim)
{
	struct attest_claim claim = {0};

	if (claims->left == 0)
		return false;
	claim.rule = attest_claim_rule(read_u8(claims));
	claim.count = read_count(claims, read_be16(claims), VALUES_MAX);
	claim.values = *claims;
	if (claim.rule == NULL || (!claim.rule->list && claim.count != 1))
		reader_fail(claims);
	for (uint32_t i = 0; i < claim.count && !claims->failed; i++)
		if (!value_valid(claim.rule->kind, read_bytes_be16(claims)))
			reader_fail(claims);
	if (claims->failed)
		return false;
	claim.values.left -= claims->left;
	*ret_claim = claim;
	return true;
}

struct bytes
attest_claim_next_value(struct attest_claim *claim)
{
	return read_bytes_be16(&claim->values);
}

bool
attest_claim_value_boolean(struct bytes value)
{
	struct reader r = reader_of(value);

	return read_u8(&r) == 1;
}

uint64_t
attest_claim_value_number(struct bytes value)
{
	struct reader r = reader_of(value);

	return read_be64(&r);
}

bool
attest_claims_valid(struct bytes encoded)
{
	struct reader r = reader_of(encoded);
	struct attest_claim claim;
	uint8_t last = 0;

	while (attest_claim_next(&r, &claim)) {
		if (claim.rule->id <= last)
			return false;
		last = (uint8_t)claim.rule->id;
	}
	return encoded.size <= ATTEST_CLAIMS_MAX && !r.failed;
}

bool
attest_claims_find(const struct attest_claims *claims, enum attest_claim_id id,
		   struct attest_claim *ret_claim)
{
	struct reader r = reader_of((struct bytes){claims->encoded, claims->size});
	struct attest_claim claim;

	while (attest_claim_next(&r, &claim))
		if (claim.rule->id == id) {
			*ret_claim = claim;
			return true;
		}
	return false;
}

enum attest_answer
attest_claims_answer(const struct attest_claims *claims, enum attest_claim_id id)
{
	struct attest_claim claim;

	if (!attest_claims_find(claims, id, &claim) || claim.rule->kind != CLAIM_KIND_BOOLEAN)
		return ATTEST_UNKNOWN;
	return attest_claim_value_boolean(attest_claim_next_value(&claim)) ? ATTEST_YES : ATTEST_NO;
}
