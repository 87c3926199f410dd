/* SPDX-License-Identifier: Apache-2.0 */
/* Real lists, each with the verdict that whoever published it gives. */
#include "attest/ima.h"
#include "corpora.h"
#include "software_ima.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define IMA	"ima/keylime/"
#define TPM	"ima/ibmtss/"
#define DETECT	IMA "create-runtime-policy/ima-log-"
#define VALID	IMA "entries-valid/"
#define INVALID IMA "entries-invalid/"

static struct attest_ima_list reading;

struct counts {
	enum attest_status status;
	unsigned entries, mismatches, misnamed;
	unsigned kinds[ATTEST_IMA_BUFFER + 1];
	unsigned signatures[ATTEST_IMA_SIGNATURE_GOOD + 1];
	char algorithm[16]; /* the last file's or buffer's */
	uint8_t digest[64];
};

static void
count(struct bytes list, const struct bytes *keys, size_t key_count, struct counts *counts)
{
	struct attest_ima_judge *judge = NULL;
	struct attest_ima_entry entry;
	struct attest_ima_verdict verdict;
	struct attest_error err;
	bool end = false;

	*counts = (struct counts){0};
	assert_int_equal(attest_ima_judge_new(NULL, keys, key_count, &judge, &err), ATTEST_OK);
	counts->status = attest_ima_open(list, &reading, &err);
	while (counts->status == ATTEST_OK && !end) {
		counts->status = attest_ima_next(&reading, &entry, &end, &err);
		if (counts->status != ATTEST_OK || end)
			break;
		assert_int_equal(attest_ima_judge_entry(judge, &entry, &verdict, &err), ATTEST_OK);
		counts->entries++;
		counts->mismatches += !verdict.digest_matches;
		counts->misnamed += !verdict.name_fits;
		counts->kinds[verdict.kind]++;
		counts->signatures[verdict.signature]++;
		if (entry.readable && !entry.violation && entry.algorithm.size < 16) {
			memset(counts->algorithm, 0, sizeof(counts->algorithm));
			memcpy(counts->algorithm, entry.algorithm.data, entry.algorithm.size);
			memcpy(counts->digest, entry.file_digest.data, entry.file_digest.size);
		}
	}
	attest_ima_judge_free(judge);
}

/* clang-format off: a table */
static const struct {
	const char *name;
	enum attest_status status;
	unsigned entries, mismatches, violations, files, buffers;
	const char *algorithm;
} LISTS[] = {
	{TPM "sha1.log", ATTEST_OK, 362, 0, 0, 361, 0, "sha256"},
	{TPM "sha256.log", ATTEST_OK, 362, 0, 0, 361, 0, "sha256"},
	{IMA "archive/ascii_runtime_measurements.txt", ATTEST_OK, 826, 0, 0, 825, 0, "sha1"},
	{IMA "archive/ascii_runtime_measurements_ima.txt", ATTEST_OK, 867, 0, 9, 857, 0, "sha1"},
	{IMA "measurements.txt", ATTEST_OK, 3, 0, 0, 2, 0, "sha256"},
	{IMA "signatures.txt", ATTEST_OK, 2, 0, 0, 2, 0, "sha256"},
	{IMA "bad_signatures.txt", ATTEST_OK, 1, 1, 0, 1, 0, "sha256"},
	{IMA "keyrings.txt", ATTEST_OK, 1, 0, 0, 0, 1, "sha256"},
	{IMA "dm_entries.txt", ATTEST_OK, 15, 0, 0, 0, 15, "sha256"},
	{DETECT "sha1.txt", ATTEST_OK, 2, 0, 1, 1, 0, "sha1"},
	{DETECT "sha256.txt", ATTEST_OK, 2, 0, 0, 1, 0, "sha256"},
	{DETECT "sha384.txt", ATTEST_OK, 2, 0, 1, 1, 0, "sha384"},
	{DETECT "sha512.txt", ATTEST_OK, 2, 0, 1, 1, 0, "sha512"},
	{DETECT "sm3_256.txt", ATTEST_OK, 2, 0, 1, 1, 0, "sm3_256"},
	{DETECT "unknown.txt", ATTEST_OK, 2, 1, 1, 1, 0, "unknown"},
	{VALID "ima.txt", ATTEST_OK, 1, 0, 0, 1, 0, "sha1"},
	{VALID "ima-ng.txt", ATTEST_OK, 1, 0, 0, 1, 0, "sha1"},
	{VALID "ima-buf.txt", ATTEST_OK, 1, 0, 0, 0, 1, "sha1"},
	{VALID "ima-sig-ec.txt", ATTEST_OK, 1, 0, 0, 1, 0, "sha256"},
	{VALID "ima-sig-rsa.txt", ATTEST_OK, 1, 0, 0, 1, 0, "sha256"},
	{VALID "ima-sig-missing.txt", ATTEST_OK, 1, 0, 0, 1, 0, "sha256"},
	{INVALID "invalid-digest.txt", ATTEST_MALFORMED, 0, 0, 0, 0, 0, ""},
	{INVALID "invalid-mode.txt", ATTEST_MALFORMED, 0, 0, 0, 0, 0, ""},
	{INVALID "invalid-template-hash.txt", ATTEST_MALFORMED, 0, 0, 0, 0, 0, ""},
	{INVALID "not-ima-string.txt", ATTEST_MALFORMED, 0, 0, 0, 0, 0, ""},
	{IMA "ima_keyring_string.json", ATTEST_MALFORMED, 0, 0, 0, 0, 0, ""},
	{TPM "imakvtpcr10.txt", ATTEST_MALFORMED, 0, 0, 0, 0, 0, ""},
};
/* clang-format on */

static void
real_lists_are_read(void **state)
{
	(void)state;
	corpora_need();
	for (size_t i = 0; i < sizeof(LISTS) / sizeof(LISTS[0]); i++) {
		struct bytes list = corpora_load(LISTS[i].name);
		struct counts seen;

		count(list, NULL, 0, &seen);
		if (seen.status != LISTS[i].status || seen.entries != LISTS[i].entries ||
		    seen.mismatches != LISTS[i].mismatches || seen.misnamed != 0 ||
		    seen.kinds[ATTEST_IMA_VIOLATION] != LISTS[i].violations ||
		    seen.kinds[ATTEST_IMA_FILE] != LISTS[i].files ||
		    seen.kinds[ATTEST_IMA_BUFFER] != LISTS[i].buffers ||
		    strcmp(seen.algorithm, LISTS[i].algorithm) != 0)
			fail_msg("%s: status %d, %u entries, %u mismatch, %u misnamed, %s",
				 LISTS[i].name, seen.status, seen.entries, seen.mismatches,
				 seen.misnamed, seen.algorithm);
		corpora_unload(list);
	}
}

/* Lines of " PCR 10: 9b e6 ...", one per bank. */
static void
quoted_values(uint8_t ret[ATTEST_BANKS][ATTEST_DIGEST_MAX])
{
	struct bytes text = corpora_load(TPM "imakvtpcr10.txt");
	char *copy = calloc(1, text.size + 1);
	char *at = copy;

	assert_non_null(copy);
	memcpy(copy, text.data, text.size);
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		at = strstr(at, "10: ");
		assert_non_null(at);
		at += 4;
		for (size_t i = 0; i < attest_bank_size((enum attest_bank)bank); i++)
			ret[bank][i] = (uint8_t)strtoul(at, &at, 16);
	}
	free(copy);
	corpora_unload(text);
}

/* A machine's list in two forms, and what its TPM held in four banks. Every shorter list leads
 * elsewhere. */
static void
real_lists_lead_to_real_values(void **state)
{
	static const char *const names[] = {TPM "sha1.log", TPM "sha256.log"};
	uint8_t values[ATTEST_BANKS][ATTEST_DIGEST_MAX];

	(void)state;
	corpora_need();
	quoted_values(values);
	for (size_t i = 0; i < 2 * ATTEST_BANKS; i++) {
		struct bytes list = corpora_load(names[i / ATTEST_BANKS]);
		enum attest_bank bank = (enum attest_bank)(i % ATTEST_BANKS);
		struct attest_ima_report report;
		struct attest_error err = {0};
		struct attest_ima_input input = {
			.list = list,
			.bank = bank,
			.quoted = {values[bank], attest_bank_size(bank)},
		};

		if (attest_ima_examine(&input, &report, &err) != ATTEST_OK)
			fail_msg("%s %s", names[i / ATTEST_BANKS], err.message);
		assert_int_equal(report.point.entries, 362);
		assert_int_equal(report.dropped, 0);
		for (size_t cut = 1; cut < list.size; cut += 997) {
			input.list.size = list.size - cut;
			assert_int_not_equal(attest_ima_examine(&input, &report, &err), ATTEST_OK);
		}
		corpora_unload(list);
	}
}

static struct bytes
load_key(const char *name, struct attest_ima_key *key)
{
	struct bytes file = corpora_load(name);
	struct attest_error err;

	assert_int_equal(attest_ima_key_decode(file, key, &err), ATTEST_OK);
	corpora_unload(file);
	return (struct bytes){key->der, key->size};
}

static void
real_signatures_verify(void **state)
{
	static struct attest_ima_key decoded[2];
	struct counts seen;

	(void)state;
	corpora_need();
	const struct bytes keys[] = {
		load_key(IMA "ima_keys/rsa2048pub.pem", &decoded[0]),
		load_key(IMA "ima_keys/secp256k1.pub.pem", &decoded[1]),
	};
	struct bytes list = corpora_load(IMA "signatures.txt");
	count(list, keys, 2, &seen);
	assert_int_equal(seen.signatures[ATTEST_IMA_SIGNATURE_GOOD], 2);
	for (size_t i = 0; i < 2; i++) {
		count(list, &keys[i], 1, &seen);
		assert_int_equal(seen.signatures[ATTEST_IMA_SIGNATURE_GOOD], 1);
		assert_int_equal(seen.signatures[ATTEST_IMA_SIGNATURE_NO_KEY], 1);
	}
	corpora_unload(list);

	list = corpora_load(IMA "bad_signatures.txt");
	count(list, keys, 2, &seen);
	assert_int_equal(seen.signatures[ATTEST_IMA_SIGNATURE_MALFORMED], 1);
	corpora_unload(list);
}

/* The certificate that was added to a keyring, by its digest. */
static void
a_real_certificate_was_measured(void **state)
{
	static const uint8_t want[] = {0xa7, 0xd5, 0x2a, 0xaa, 0x18, 0xc2, 0x3d, 0x2d,
				       0x9b, 0xb2, 0xab, 0xb4, 0x30, 0x8c, 0x0e, 0xee,
				       0xe6, 0x73, 0x87, 0xa4, 0x22, 0x59, 0xf4, 0xa6,
				       0xb1, 0xa4, 0x22, 0x57, 0x06, 0x5f, 0x3d, 0x5a};
	struct counts seen;

	(void)state;
	corpora_need();
	struct bytes list = corpora_load(IMA "keyrings.txt");
	count(list, NULL, 0, &seen);
	assert_int_equal(seen.kinds[ATTEST_IMA_BUFFER], 1);
	assert_memory_equal(seen.digest, want, sizeof(want));
	corpora_unload(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_lists_are_read),
		cmocka_unit_test(real_lists_lead_to_real_values),
		cmocka_unit_test(real_signatures_verify),
		cmocka_unit_test(a_real_certificate_was_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
