/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims: what a verifier found in authenticated bytes. One table names them all (claims.c), and
 * one encoding carries them from whoever makes them to policy and to people, so that a new claim is
 * a row there, the code that makes it, and a row in CLAIMS.md. A claim that is absent was not
 * proved; a list is of all that there is, never of some.
 *
 *   claims = claim*, ids strictly ascending
 *   claim  = id:u8 || count:u16 || (size:u16 || value)*; count is 1 unless the rule says list
 *   value  = boolean: 1 byte, 0 or 1; number: u64, at most INT64_MAX; text: 0-4096 bytes of UTF-8
 *            without control characters; digest: 32, 48 or 64 bytes
 */
#ifndef POSTERN_ATTEST_CLAIMS_H
#define POSTERN_ATTEST_CLAIMS_H

#include "bytes.h"

#define ATTEST_CLAIMS_MAX     32768 /* bytes of all of one report */
#define ATTEST_CLAIM_TEXT_MAX 4096

enum attest_claim_id {
	/* PCR 7 */
	CLAIM_SECURE_BOOT = 1,
	CLAIM_SETUP_MODE,
	CLAIM_AUDIT_MODE,
	CLAIM_DEPLOYED_MODE,
	CLAIM_PK,
	CLAIM_KEK,
	CLAIM_DB,
	CLAIM_DBX,
	CLAIM_DBX_HASHES,
	CLAIM_AUTHORITIES,
	CLAIM_SBAT_LEVEL,
	CLAIM_DMA_PROTECTION_DISABLED,
	CLAIM_UEFI_DEBUG_MODE,
	/* PCR 0, 4, 8, 9, 11, 12, 14 */
	CLAIM_FIRMWARE_VERSION = 32,
	CLAIM_BOOT_IMAGES,
	CLAIM_GRUB_COMMAND_LINES,
	CLAIM_BOOT_FILES,
	CLAIM_UKI_SECTIONS,
	CLAIM_UKI_COMMAND_LINE,
	CLAIM_STUB_COMMAND_LINES,
	CLAIM_MOK,
	/* Windows, PCR 12 and 13 */
	CLAIM_WINDOWS_BOOT_COUNTER = 64,
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
	/* IMA, PCR 10 */
	CLAIM_IMA_ENTRIES = 96,
	CLAIM_IMA_VIOLATIONS,
	CLAIM_IMA_ALL_LISTED,
	CLAIM_IMA_ALL_SIGNED,
};

enum attest_claim_kind {
	CLAIM_KIND_BOOLEAN,
	CLAIM_KIND_NUMBER,
	CLAIM_KIND_TEXT,
	CLAIM_KIND_DIGEST,
};

struct attest_claim_rule {
	enum attest_claim_id id;
	const char *name; /* "secureBoot", as policy and JSON call it */
	enum attest_claim_kind kind;
	bool list;
	const char *meaning; /* a line for people */
};
/* NULL: no such claim. */
const struct attest_claim_rule *attest_claim_rule(uint8_t id);
/* All rules, for schemas and documents; NULL after the last. */
const struct attest_claim_rule *attest_claim_rule_at(size_t index);

struct attest_claims { /* all zeros: none yet */
	size_t size;
	uint8_t last; /* id, if one was made here: whoever only carries claims leaves it */
	uint8_t encoded[ATTEST_CLAIMS_MAX];
};

/* Made in ascending order of ids. False, and nothing written: it does not fit, is not of the rule's
 * kind, or is out of order. The caller leaves such a claim out. */
bool attest_claim_boolean(struct attest_claims *claims, enum attest_claim_id id, bool value);
bool attest_claim_number(struct attest_claims *claims, enum attest_claim_id id, uint64_t value);
/* Texts and digests; for a rule without list `count` is 1. */
bool attest_claim_values(struct attest_claims *claims, enum attest_claim_id id,
			 const struct bytes *values, size_t count);

struct attest_claim {
	const struct attest_claim_rule *rule;
	uint32_t count;
	struct reader values; /* for attest_claim_next_value */
};
/* Reads the next of encoded claims; false at the end, and with claims->failed where they do not
 * parse. Values are validated when the claim is read. */
bool attest_claim_next(struct reader *claims, struct attest_claim *ret_claim);
struct bytes attest_claim_next_value(struct attest_claim *claim);
/* Of a value's bytes. */
bool attest_claim_value_boolean(struct bytes value);
uint64_t attest_claim_value_number(struct bytes value);
/* Is this wholly made of claims? For whoever takes them from another process. */
bool attest_claims_valid(struct bytes encoded);
enum attest_answer { ATTEST_UNKNOWN = 0, ATTEST_NO, ATTEST_YES };
/* Of a boolean claim; unknown where it is absent. */
enum attest_answer attest_claims_answer(const struct attest_claims *claims,
					enum attest_claim_id id);
/* False: absent. */
bool attest_claims_find(const struct attest_claims *claims, enum attest_claim_id id,
			struct attest_claim *ret_claim);

#endif
