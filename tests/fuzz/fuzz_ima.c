/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte of choices, then an IMA list, binary or ASCII. The PCR 10 that it leads to is quoted: the
 * list must be examined to its last entry, entry by entry it must say the same, from each entry on
 * it must go on to the same end, and with another PCR 10 it must be refused.
 */
#include "attest/ima.h"

#include <stdlib.h>
#include <string.h>

#define BANK_BITS  3
#define WITH_ALLOW 4
#define WITH_KEY   8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A key that signed a seed (make_ima_seeds.c), and nothing else. */
static const uint8_t KEY[] = {
	0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
	0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
	0x04, 0xcd, 0x8a, 0x91, 0xf2, 0x17, 0x14, 0xb7, 0x62, 0x74, 0x60, 0xe6, 0xd2,
	0xac, 0x06, 0xbd, 0xa4, 0x9c, 0xad, 0x6f, 0x12, 0x63, 0x18, 0x70, 0x71, 0xd0,
	0xe0, 0x03, 0xc0, 0xa2, 0xb3, 0xb6, 0xb2, 0xdf, 0x80, 0x4c, 0x77, 0x44, 0x45,
	0x45, 0x96, 0xc4, 0x49, 0xfd, 0xeb, 0x74, 0x08, 0xb4, 0x92, 0x7d, 0x3f, 0x9d,
	0xd0, 0x02, 0xfa, 0xcd, 0x4a, 0x74, 0x43, 0x11, 0xd2, 0x99, 0x91, 0x34, 0x56};
/* SHA-256 of "true". */
static const uint8_t ALLOWED[] = {0xb5, 0xbe, 0xa4, 0x1b, 0x6c, 0x62, 0x3f, 0x7c, 0x09, 0xf1, 0xbf,
				  0x24, 0xdc, 0xae, 0x58, 0xeb, 0xab, 0x3c, 0x0c, 0xdd, 0x90, 0xad,
				  0x96, 0x6b, 0xc4, 0x3a, 0x45, 0xb4, 0x48, 0x67, 0xe1, 0x2b};

static struct attest_ima_list list;

static void
demand(bool condition)
{
	if (!condition)
		abort();
}

static void
check_entry(const struct attest_ima_entry *entry, const struct attest_ima_verdict *verdict)
{
	demand(entry->pcr < ATTEST_PCRS && entry->digest_size <= ATTEST_DIGEST_MAX);
	if (!entry->readable) {
		demand(!verdict->listed && verdict->signature == ATTEST_IMA_UNSIGNED);
		return;
	}
	demand(entry->name.size > 0 && memchr(entry->name.data, 0, entry->name.size) == NULL);
	demand(entry->fields >= 2 && entry->file_digest.size > 0);
	if (verdict->kind != ATTEST_IMA_FILE)
		demand(!verdict->listed && verdict->signature == ATTEST_IMA_UNSIGNED);
	if (verdict->listed || verdict->signature == ATTEST_IMA_SIGNATURE_GOOD)
		demand(verdict->sound && !entry->violation);
}

/* What is demanded of `all_listed` and so on, told entry by entry. */
struct seen {
	uint64_t entries, violations;
	bool all_listed, all_signed;
	size_t ends[64]; /* where entries of PCR 10 end */
};

/* Made once for each choice: most inputs are no list, and to fetch hash functions costs more than
 * to see that. */
static struct attest_ima_judge *
judge_for(const struct attest_ima_input *input)
{
	static struct attest_ima_judge *judges[4];
	size_t choice = (input->allowed != NULL ? 2U : 0U) + (input->key_count > 0 ? 1U : 0U);
	struct attest_error err;

	if (judges[choice] == NULL)
		demand(attest_ima_judge_new(input->allowed, input->keys, input->key_count,
					    &judges[choice], &err) == ATTEST_OK);
	return judges[choice];
}

static bool
read_all(const struct attest_ima_input *input, struct seen *seen)
{
	struct attest_ima_judge *judge = judge_for(input);
	struct attest_ima_entry entry;
	struct attest_ima_verdict verdict;
	struct attest_error err;
	bool end = false;

	*seen = (struct seen){.all_listed = input->allowed != NULL,
			      .all_signed = input->key_count > 0};
	bool good = attest_ima_open(input->list, &list, &err) == ATTEST_OK;
	while (good && !end) {
		good = attest_ima_next(&list, &entry, &end, &err) == ATTEST_OK;
		if (!good || end)
			break;
		demand(attest_ima_judge_entry(judge, &entry, &verdict, &err) == ATTEST_OK);
		check_entry(&entry, &verdict);
		if (entry.pcr != ATTEST_IMA_PCR)
			continue;
		if (seen->entries < 64)
			seen->ends[seen->entries] = list.whole.size - list.reader.left;
		seen->entries++;
		seen->violations += verdict.kind == ATTEST_IMA_VIOLATION;
		bool other = verdict.kind == ATTEST_IMA_AGGREGATE ||
			     (verdict.kind == ATTEST_IMA_BUFFER && verdict.sound);
		seen->all_listed &= other || verdict.listed;
		seen->all_signed &= other || verdict.signature == ATTEST_IMA_SIGNATURE_GOOD;
	}
	return good;
}

static void
check_whole(struct attest_ima_input input, const struct seen *seen)
{
	struct attest_ima_report report;
	struct attest_error err;
	struct attest_claims claims = {.size = 0};
	bool sound = input.bank != ATTEST_SHA1;

	demand(attest_ima_examine(&input, &report, &err) == ATTEST_OK);
	demand(report.point.entries == seen->entries &&
	       report.point.violations == seen->violations);
	demand(report.point.all_listed == (seen->all_listed && sound));
	demand(report.point.all_signed == (seen->all_signed && sound));
	attest_ima_claims(&report, &claims);
	demand(attest_claims_valid((struct bytes){claims.encoded, claims.size}));

	uint8_t other[ATTEST_DIGEST_MAX];
	memcpy(other, input.quoted.data, input.quoted.size);
	other[0] ^= 1;
	input.quoted.data = other;
	demand(attest_ima_examine(&input, &report, &err) == ATTEST_REFUSED);
}

/* The list up to an entry, then the rest of it: as a whole, or the rest alone. */
static void
check_resumed(struct attest_ima_input input, const struct seen *seen, size_t middle)
{
	struct attest_pcrs pcrs[ATTEST_BANKS];
	struct attest_ima_report first;
	struct attest_ima_report second;
	struct attest_error err;
	struct attest_ima_input prefix = input;

	prefix.list.size = middle;
	demand(attest_ima_replay(prefix.list, pcrs, &err) == ATTEST_OK);
	prefix.quoted.data = pcrs[input.bank].values[ATTEST_IMA_PCR];
	demand(attest_ima_examine(&prefix, &first, &err) == ATTEST_OK);
	demand(first.point.offset <= middle);
	input.from = &first.point;
	/* The form of the rest is found anew: it may be read otherwise, and then leads elsewhere.
	 */
	if (attest_ima_examine(&input, &second, &err) != ATTEST_OK)
		return;
	demand(second.point.violations == seen->violations &&
	       second.point.entries == seen->entries);
	/* A file may be called boot_aggregate where a rest begins: never more is known by that. */
	demand(!second.point.all_listed || seen->all_listed);
	demand(!second.point.all_signed || seen->all_signed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct attest_ima_allowed allowed = {BYTES_OF(ALLOWED)};
	const struct bytes keys[] = {BYTES_OF(KEY)};
	struct reader r = reader_of((struct bytes){data, size});
	struct attest_pcrs pcrs[ATTEST_BANKS];
	struct attest_error err;
	struct seen seen;

	uint8_t choices = read_u8(&r);
	struct attest_ima_input input = {
		.bank = (enum attest_bank)(choices & BANK_BITS),
		.list = read_bytes(&r, r.left),
		.allowed = (choices & WITH_ALLOW) != 0 ? &allowed : NULL,
		.keys = keys,
		.key_count = (choices & WITH_KEY) != 0 ? 1 : 0,
	};
	if (!read_all(&input, &seen))
		return 0;
	demand(attest_ima_replay(input.list, pcrs, &err) == ATTEST_OK);
	input.quoted = (struct bytes){pcrs[input.bank].values[ATTEST_IMA_PCR],
				      attest_bank_size(input.bank)};
	if (seen.entries == 0)
		return 0;
	check_whole(input, &seen);
	if (seen.entries <= 64)
		check_resumed(input, &seen, seen.ends[choices / 16 % seen.entries]);
	return 0;
}
