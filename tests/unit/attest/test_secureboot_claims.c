/* SPDX-License-Identifier: Apache-2.0 */
/* What is claimed of PCR 7 beside Secure Boot itself, and when it is not. */
#include "attest/signaturelist.h"
#include "quoted.h"
#include "software_tpm.h"
#include "spoil.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CONFIG	   0x80000001U
#define AUTHORITY  0x800000e0U
#define EFI_ACTION 0x80000007U

enum guid { GLOBAL, IMAGE, SHIM };
static const uint8_t GUIDS[][16] = {
	[GLOBAL] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98,
		    0x03, 0x2b, 0x8c},
	[IMAGE] = {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e,
		   0x67, 0x65, 0x6f},
	[SHIM] = {0x50, 0xab, 0x5d, 0x60, 0x46, 0xe0, 0x00, 0x43, 0xab, 0xb6, 0x3d, 0xd8, 0x10,
		  0xdd, 0x8b, 0x23},
};

/* ---- values ---- */

#define DER_SIZE 132
/* As much of a certificate as is looked at: a SEQUENCE of 129 bytes. */
#define DER 0x30, 0x81, 129
static const uint8_t ON[] = {1};
static const uint8_t ZERO[4];
static const uint8_t KEY[20] = {9, 8, 7};
static const uint8_t BARE[DER_SIZE] = {DER, 5};
static const uint8_t OWNED[16 + DER_SIZE] = {7, [16] = DER, 6};
/* Both readings: an owner that begins like DER of the whole. */
static const uint8_t AMBIGUOUS[16 + DER_SIZE] = {0x30, 0x81, 145, [16] = DER};
static const uint8_t LONGER[1 + DER_SIZE] = {DER};
static const uint8_t HASH[32] = {1, 2, 3};
static const uint8_t HASH_OWNED[48] = {[16] = 1, 2, 3};
static const uint8_t LEVEL[] = {'s', 'b', 'a', 't', ',', '1', '\n',
				's', 'h', 'i', 'm', ',', '2', '\n'};
static const uint8_t LEVEL_3[] = {'s', 'b', 'a', 't', ',', '3', '\n'};
static const uint8_t CONTROL[] = {'s', 'b', 'a', 't', 0x1b, '['};
/* Two hashes, and a list of another type between them. */
#define LIST_SHA256                                                                                \
	0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43,  \
		0x28
static const uint8_t DBX[76 + 28 + 24 + 76] = {
	LIST_SHA256,
	76,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	48,
	[28 + 16] = 0xaa,
	[76] = 1,
	[76 + 16] = 52,
	[76 + 24] = 24,
	[128] = 0x26,
	0x16,
	0xc4,
	0xc1,
	0x4c,
	0x50,
	0x92,
	0x40,
	0xac,
	0xa9,
	0x41,
	0xf9,
	0x36,
	0x93,
	0x43,
	0x28,
	76,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	48,
	[128 + 28 + 16] = 0xbb,
};

/* ---- events ---- */

enum item {
	END,
	SB_ON,
	SB_OFF,
	PK,
	PK_NONE,
	KEK,
	DB,
	DBX_TWO,
	DBX_NONE,
	DBX_BAD,
	AUDIT_OFF,
	AUDIT_ON,
	AUDIT_EMPTY,
	AUDIT_STRANGE,
	DEPLOYED,
	DBT,
	CERT,
	CERT_SHIM,
	CERT_BARE_DB,
	CERT_AMBIGUOUS,
	CERT_LONGER,
	IMAGE_HASH,
	IMAGE_HASH_BARE,
	SBAT,
	SBAT_3,
	SBAT_CONTROL,
	SBAT_NOT_SHIMS,
	TRUSTED,
	MOK_STATE,
	NO_VARIABLE,
	SEPARATE,
	DMA,
	DMA_NUL,
	DEBUG,
	OTHER_ACTION,
};
#define VALUE(array) (array), sizeof(array)

/* clang-format off: a table */
static const struct {
	uint32_t type;
	enum guid guid;
	const char *name; /* NULL: the value is all of the data */
	const uint8_t *value;
	size_t size;
	size_t more; /* bytes behind the structure; the last is not hashed */
} ITEMS[] = {
	[SB_ON] = {CONFIG, GLOBAL, "SecureBoot", VALUE(ON), 0},
	[SB_OFF] = {CONFIG, GLOBAL, "SecureBoot", ZERO, 1, 0},
	[PK] = {CONFIG, GLOBAL, "PK", VALUE(KEY), 0},
	[PK_NONE] = {CONFIG, GLOBAL, "PK", NULL, 0, 0},
	[KEK] = {CONFIG, GLOBAL, "KEK", VALUE(OWNED), 0},
	[DB] = {CONFIG, IMAGE, "db", VALUE(BARE), 0},
	[DBX_TWO] = {CONFIG, IMAGE, "dbx", VALUE(DBX), 0},
	[DBX_NONE] = {CONFIG, IMAGE, "dbx", NULL, 0, 0},
	[DBX_BAD] = {CONFIG, IMAGE, "dbx", DBX, sizeof(DBX) - 1, 0},
	[AUDIT_OFF] = {CONFIG, GLOBAL, "AuditMode", ZERO, 1, 0},
	[AUDIT_ON] = {CONFIG, GLOBAL, "AuditMode", VALUE(ON), 0},
	[AUDIT_EMPTY] = {CONFIG, GLOBAL, "AuditMode", NULL, 0, 0},
	[AUDIT_STRANGE] = {CONFIG, GLOBAL, "AuditMode", KEY, 1, 0},
	[DEPLOYED] = {CONFIG, GLOBAL, "DeployedMode", VALUE(ON), 0},
	[DBT] = {CONFIG, IMAGE, "dbt", VALUE(KEY), 0},
	[CERT] = {AUTHORITY, IMAGE, "db", VALUE(OWNED), 0},
	[CERT_SHIM] = {AUTHORITY, SHIM, "Shim", VALUE(BARE), 6},
	[CERT_BARE_DB] = {AUTHORITY, IMAGE, "db", VALUE(BARE), 0},
	[CERT_AMBIGUOUS] = {AUTHORITY, IMAGE, "db", VALUE(AMBIGUOUS), 0},
	[CERT_LONGER] = {AUTHORITY, SHIM, "Shim", VALUE(LONGER), 0},
	[IMAGE_HASH] = {AUTHORITY, IMAGE, "db", VALUE(HASH_OWNED), 0},
	[IMAGE_HASH_BARE] = {AUTHORITY, SHIM, "MokList", VALUE(HASH), 0},
	[SBAT] = {AUTHORITY, SHIM, "SbatLevel", VALUE(LEVEL), 0},
	[SBAT_3] = {AUTHORITY, SHIM, "SbatLevel", VALUE(LEVEL_3), 0},
	[SBAT_CONTROL] = {AUTHORITY, SHIM, "SbatLevel", VALUE(CONTROL), 0},
	[SBAT_NOT_SHIMS] = {AUTHORITY, IMAGE, "SbatLevel", VALUE(LEVEL), 0},
	[TRUSTED] = {AUTHORITY, SHIM, "MokListTrusted", VALUE(ON), 0},
	[MOK_STATE] = {AUTHORITY, SHIM, "MokSBState", VALUE(ON), 0},
	[NO_VARIABLE] = {AUTHORITY, GLOBAL, NULL, VALUE(KEY), 0},
	[SEPARATE] = {4, GLOBAL, NULL, VALUE(ZERO), 0},
	[DMA] = {EFI_ACTION, GLOBAL, NULL, (const uint8_t *)"DMA Protection Disabled", 23, 0},
	[DMA_NUL] = {EFI_ACTION, GLOBAL, NULL, (const uint8_t *)"DMA Protection Disabled", 24, 0},
	[DEBUG] = {EFI_ACTION, GLOBAL, NULL, (const uint8_t *)"UEFI Debug Mode", 15, 0},
	[OTHER_ACTION] = {EFI_ACTION, GLOBAL, NULL, (const uint8_t *)"UEFI Debug Node", 15, 0},
};
/* clang-format on */

static void
write_le64(struct writer *w, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		write_u8(w, (uint8_t)(value >> 8 * i));
}

static void
add_item(struct software_log *log, enum item item)
{
	uint8_t memory[1024];
	uint8_t digest[32];
	struct writer w = writer_of(memory, sizeof(memory));
	const char *name = ITEMS[item].name;

	if (name != NULL) {
		write_bytes(&w, BYTES_OF(GUIDS[ITEMS[item].guid]));
		write_le64(&w, strlen(name));
		write_le64(&w, ITEMS[item].size);
		for (; *name != '\0'; name++) {
			write_u8(&w, (uint8_t)*name);
			write_u8(&w, 0);
		}
	}
	write_bytes(&w, (struct bytes){ITEMS[item].value, ITEMS[item].size});
	for (size_t i = 0; i < ITEMS[item].more; i++)
		write_u8(&w, i + 1 == ITEMS[item].more ? 0xaf : 0);
	assert_false(w.failed);
	EVP_Digest(memory, w.size - (ITEMS[item].more > 0), digest, NULL, EVP_sha256(), NULL);
	software_log_event_with(log, 7, ITEMS[item].type, digest, writer_bytes(&w));
}

/* Of the claims of PCR 7 but for the digests of keys: "secureBoot:1 authorities[2] ..." */
static void
describe(const struct attest_claims *claims, char *text, size_t size)
{
	struct reader r = reader_of((struct bytes){claims->encoded, claims->size});
	struct attest_claim claim;

	*text = '\0';
	while (attest_claim_next(&r, &claim) && claim.rule->id <= CLAIM_UEFI_DEBUG_MODE) {
		size_t used = strlen(text);
		struct bytes value = attest_claim_next_value(&claim);

		if (claim.rule->list)
			snprintf(text + used, size - used, "%s[%u] ", claim.rule->name,
				 claim.count);
		else if (claim.rule->kind == CLAIM_KIND_BOOLEAN)
			snprintf(text + used, size - used, "%s:%d ", claim.rule->name,
				 value.data[0]);
		else if (claim.rule->kind == CLAIM_KIND_TEXT)
			snprintf(text + used, size - used, "%s:%.*s ", claim.rule->name,
				 (int)value.size, (const char *)value.data);
	}
}

static void
examine_items(const enum item *items, struct attest_claims *ret_claims)
{
	struct software_log log;
	struct attest_report report;
	struct attest_error err;

	software_log_begin(&log);
	for (; *items != END; items++)
		add_item(&log, *items);
	assert_int_equal(attest_eventlog_examine((struct bytes){log.data, log.size},
						 quoted(log.pcrs), &report, &err),
			 ATTEST_OK);
	assert_int_equal(report.pcrs[7], ATTEST_PCR_EXACT);
	*ret_claims = report.claims;
	software_log_free(&log);
}

#define START  SB_ON, PK, KEK, DB, DBX_NONE
#define USER   "secureBoot:1 setupMode:0 "
#define NO_DBX "dbxHashes[0] "
#define QUIET  "dmaProtectionDisabled:0 uefiDebugMode:0 "

static void
claims_follow_the_events(void **state)
{
	/* clang-format off: a table */
	static const struct {
		const char *name;
		enum item items[16];
		const char *want;
	} cases[] = {
		{"plain", {START, SEPARATE}, USER NO_DBX QUIET},
		{"setup mode",
		 {SB_OFF, PK_NONE, KEK, DB, DBX_NONE, SEPARATE},
		 "secureBoot:0 setupMode:1 " NO_DBX QUIET},
		{"modes",
		 {START, AUDIT_OFF, DEPLOYED, SEPARATE},
		 USER "auditMode:0 deployedMode:1 " NO_DBX QUIET},
		{"audit mode", {START, DBT, AUDIT_ON, SEPARATE}, USER "auditMode:1 " NO_DBX QUIET},
		{"no such mode", {START, AUDIT_EMPTY, SEPARATE}, USER NO_DBX QUIET},
		{"a strange mode", {START, AUDIT_STRANGE, SEPARATE}, ""},
		{"a mode twice", {START, AUDIT_ON, AUDIT_OFF, SEPARATE}, ""},
		{"dbt twice", {START, DBT, DBT, SEPARATE}, ""},
		{"a mode too early", {SB_ON, AUDIT_ON, PK, KEK, DB, DBX_NONE, SEPARATE}, ""},
		{"a mode too late", {START, SEPARATE, AUDIT_ON}, ""},
		{"dbx", {SB_ON, PK, KEK, DB, DBX_TWO, SEPARATE}, USER "dbxHashes[2] " QUIET},
		{"dbx that does not parse", {SB_ON, PK, KEK, DB, DBX_BAD, SEPARATE}, USER QUIET},

		{"an authority", {START, SEPARATE, CERT}, USER NO_DBX "authorities[1] " QUIET},
		{"three",
		 {START, SEPARATE, CERT, CERT_SHIM, CERT_BARE_DB},
		 USER NO_DBX "authorities[3] " QUIET},
		{"an image's hash",
		 {START, SEPARATE, CERT, IMAGE_HASH, IMAGE_HASH_BARE},
		 USER NO_DBX "authorities[3] " QUIET},
		{"with Secure Boot off",
		 {SB_OFF, PK, KEK, DB, DBX_NONE, SEPARATE, CERT, SBAT},
		 "secureBoot:0 setupMode:0 " NO_DBX QUIET},
		{"two readings", {START, SEPARATE, CERT, CERT_AMBIGUOUS}, USER NO_DBX QUIET},
		{"no DER", {START, SEPARATE, CERT, CERT_LONGER}, USER NO_DBX QUIET},
		{"shim's checks off", {START, SEPARATE, CERT, MOK_STATE}, USER NO_DBX QUIET},
		{"no variable", {START, SEPARATE, NO_VARIABLE}, USER NO_DBX QUIET},
		{"what authorizes nothing",
		 {START, SEPARATE, CERT, SBAT, TRUSTED, CERT_SHIM},
		 USER NO_DBX "authorities[2] sbatLevel:sbat,1 shim,2 " QUIET},

		{"SbatLevel first",
		 {START, SEPARATE, SBAT, CERT},
		 USER NO_DBX "authorities[1] sbatLevel:sbat,1 shim,2 " QUIET},
		{"SbatLevel twice",
		 {START, SEPARATE, CERT, SBAT, CERT_SHIM, SBAT},
		 USER NO_DBX "authorities[2] sbatLevel:sbat,1 shim,2 " QUIET},
		{"another SbatLevel",
		 {START, SEPARATE, CERT, SBAT, SBAT_3},
		 USER NO_DBX "authorities[1] " QUIET},
		{"SbatLevel after shim's work",
		 {START, SEPARATE, CERT, CERT_SHIM, SBAT},
		 USER NO_DBX "authorities[2] " QUIET},
		{"SbatLevel after shim's check by db",
		 {START, SEPARATE, CERT, CERT_BARE_DB, SBAT},
		 USER NO_DBX "authorities[2] " QUIET},
		{"SbatLevel with an escape",
		 {START, SEPARATE, CERT, SBAT_CONTROL},
		 USER NO_DBX "authorities[1] " QUIET},
		{"SbatLevel of somebody else",
		 {START, SEPARATE, CERT, SBAT_NOT_SHIMS},
		 USER NO_DBX QUIET},

		{"DMA protection off",
		 {START, DMA, SEPARATE},
		 USER NO_DBX "dmaProtectionDisabled:1 uefiDebugMode:0 "},
		{"with its NUL",
		 {DMA_NUL, START, SEPARATE},
		 USER NO_DBX "dmaProtectionDisabled:1 uefiDebugMode:0 "},
		{"both",
		 {SB_ON, DEBUG, PK, KEK, DB, DBX_NONE, DMA, SEPARATE},
		 USER NO_DBX "dmaProtectionDisabled:1 uefiDebugMode:1 "},
		{"twice", {START, DMA, DMA_NUL, SEPARATE}, ""},
		{"after the separator", {START, SEPARATE, DEBUG}, ""},
		{"another action", {START, OTHER_ACTION, SEPARATE}, ""},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct attest_claims claims;
		char text[512];

		examine_items(cases[i].items, &claims);
		describe(&claims, text, sizeof(text));
		if (strcmp(text, cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].name, text);
	}
}

static void
assert_digest(const struct attest_claims *claims, enum attest_claim_id id, unsigned index,
	      struct bytes value)
{
	struct attest_claim claim;
	struct bytes found = {0};
	uint8_t digest[32];

	EVP_Digest(value.data, value.size, digest, NULL, EVP_sha256(), NULL);
	assert_true(attest_claims_find(claims, id, &claim));
	for (unsigned i = 0; i <= index; i++)
		found = attest_claim_next_value(&claim);
	assert_true(bytes_equal(found, BYTES_OF(digest)));
}

static void
digests_are_of_the_values_alone(void **state)
{
	static const enum item items[] = {SB_ON,    PK,	  KEK,	     DB,	 DBX_TWO,
					  SEPARATE, CERT, CERT_SHIM, IMAGE_HASH, END};
	static struct attest_claims claims;
	struct attest_claim claim;
	uint8_t first[32] = {0xaa};

	(void)state;
	examine_items(items, &claims);
	assert_digest(&claims, CLAIM_PK, 0, BYTES_OF(KEY));
	assert_digest(&claims, CLAIM_KEK, 0, BYTES_OF(OWNED));
	assert_digest(&claims, CLAIM_DB, 0, BYTES_OF(BARE));
	assert_digest(&claims, CLAIM_DBX, 0, BYTES_OF(DBX));
	assert_digest(&claims, CLAIM_AUTHORITIES, 0, (struct bytes){OWNED + 16, DER_SIZE});
	assert_digest(&claims, CLAIM_AUTHORITIES, 1, BYTES_OF(BARE));
	assert_true(attest_claims_find(&claims, CLAIM_AUTHORITIES, &claim));
	attest_claim_next_value(&claim);
	attest_claim_next_value(&claim);
	assert_true(bytes_equal(attest_claim_next_value(&claim), BYTES_OF(HASH)));
	assert_true(attest_claims_find(&claims, CLAIM_DBX_HASHES, &claim));
	assert_true(bytes_equal(attest_claim_next_value(&claim), BYTES_OF(first)));
}

/* One more than a list holds, and there is none. */
static void
lists_are_whole_or_absent(void **state)
{
	static struct attest_claims claims;
	enum item items[80] = {START, SEPARATE};
	struct attest_claim claim;

	(void)state;
	for (size_t i = 0; i < 64; i++)
		items[6 + i] = CERT;
	examine_items(items, &claims);
	assert_true(attest_claims_find(&claims, CLAIM_AUTHORITIES, &claim));
	assert_int_equal(claim.count, 64);
	items[6 + 64] = CERT;
	examine_items(items, &claims);
	assert_false(attest_claims_find(&claims, CLAIM_AUTHORITIES, &claim));
	assert_int_equal(attest_claims_answer(&claims, CLAIM_SECURE_BOOT), ATTEST_YES);
}

/* ---- signature lists ---- */

static bool
parses(struct bytes input, void *user)
{
	struct signature_lists lists = attest_signature_lists_of(input);
	struct signature signature;
	size_t *count = user;

	for (*count = 0; attest_signature_next(&lists, &signature); ++*count)
		assert_true(signature.type.size == 16 && signature.owner.size == 16);
	return !lists.lists.failed;
}

static void
signature_lists_parse_wholly_or_not(void **state)
{
	/* clang-format off: a table */
	static const struct {
		const char *name;
		size_t at;
		uint8_t value;
		bool want;
	} spoils[] = {
		{"as it is", 0, 0x26, true},
		{"another type", 0, 0x27, true},
		{"a list of 27 bytes", 16, 27, false},
		{"a list of no signatures", 16, 28, false}, /* what follows is none then */
		{"a list beyond its variable", 18, 1, false},
		{"a header of a signature's size", 20, 48, true},
		{"a header that leaves a part of one", 20, 1, false},
		{"a header larger than the list", 21, 1, false},
		{"signatures without data", 24, 16, false},
		{"signatures of size 0", 24, 0, false},
		{"hashes of 8 bytes", 24, 24, false},
		{"signatures of 16 MiB", 27, 1, false},
	};
	/* clang-format on */
	size_t count;

	(void)state;
	assert_true(accepts_copy(BYTES_OF(DBX), parses, &count));
	assert_int_equal(count, 3);
	assert_true(accepts_copy((struct bytes){DBX, 0}, parses, &count));
	assert_int_equal(count, 0);
	for (size_t size = 0; size < sizeof(DBX); size++)
		assert_int_equal(accepts_copy((struct bytes){DBX, size}, parses, &count),
				 size == 0 || size == 76 || size == 128);
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		uint8_t copy[sizeof(DBX)];

		memcpy(copy, DBX, sizeof(DBX));
		copy[spoils[i].at] = spoils[i].value;
		if (accepts_copy(BYTES_OF(copy), parses, &count) != spoils[i].want)
			fail_msg("%s", spoils[i].name);
	}
	/* Sizes are in these bytes; flipped, they do not fit any more, but for the header's size
	 * where that leaves whole signatures. */
	refuses_flips(BYTES_OF(DBX), 16, 20, parses, &count);
	refuses_flips(BYTES_OF(DBX), 24, 28, parses, &count);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_follow_the_events),
		cmocka_unit_test(digests_are_of_the_values_alone),
		cmocka_unit_test(lists_are_whole_or_absent),
		cmocka_unit_test(signature_lists_parse_wholly_or_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
