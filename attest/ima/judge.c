/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One entry. Its template's name is never asked, for it is not hashed: whoever forges a list could
 * call a file's entry `ima-buf`. What an entry is follows from data that hash to what the TPM saw;
 * what could be two things is the one that must be listed and signed.
 */
#include "attest/error.h"
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define SM3	ATTEST_BANKS /* of template digests alone, and not in every OpenSSL */
#define HASHERS (ATTEST_BANKS + 1)

struct attest_ima_judge {
	struct bytes allowed;
	struct ima_key keys[ATTEST_IMA_KEYS_MAX];
	size_t key_count;
	uint64_t cost;
	struct hasher hashers[HASHERS]; /* opened when they are first needed */
};

/* Ascending: so that a search may halve it, and that a list is one list. */
static bool
ascends(struct bytes digests)
{
	struct reader r = reader_of(digests);
	struct bytes last = read_bytes(&r, r.left == 0 ? 0 : ATTEST_HASH_SIZE);

	while (r.left > 0) {
		struct bytes next = read_bytes(&r, ATTEST_HASH_SIZE);
		if (r.failed || memcmp(last.data, next.data, ATTEST_HASH_SIZE) >= 0)
			return false;
		last = next;
	}
	return !r.failed;
}

void
attest_ima_judge_free(struct attest_ima_judge *judge)
{
	if (judge == NULL)
		return;
	for (size_t i = 0; i < judge->key_count; i++)
		ima_key_clear(&judge->keys[i]);
	for (size_t i = 0; i < HASHERS; i++)
		hasher_close(&judge->hashers[i]);
	free(judge);
}

static enum attest_status
fill(struct attest_ima_judge *judge, const struct attest_ima_allowed *allowed,
     const struct bytes *keys, size_t key_count, struct attest_error *err)
{
	if (allowed != NULL && !ascends(allowed->digests))
		return attest_fail(err, ATTEST_MALFORMED, "ima.allowed",
				   "the allow-list is not of SHA-256 digests in ascending order");
	if (key_count > ATTEST_IMA_KEYS_MAX)
		return attest_fail(err, ATTEST_LIMIT, "ima.keys", "%zu keys, at most %d", key_count,
				   ATTEST_IMA_KEYS_MAX);
	if (allowed != NULL)
		judge->allowed = allowed->digests;
	for (size_t i = 0; i < key_count; i++) {
		enum attest_status status = ima_key_load(keys[i], &judge->keys[i], err);
		if (status != ATTEST_OK)
			return status;
		judge->key_count++;
	}
	return ATTEST_OK;
}

enum attest_status
attest_ima_judge_new(const struct attest_ima_allowed *allowed, const struct bytes *keys,
		     size_t key_count, struct attest_ima_judge **ret_judge,
		     struct attest_error *err)
{
	struct attest_ima_judge *judge = calloc(1, sizeof(*judge));

	if (judge == NULL)
		return attest_fail_memory(err);
	enum attest_status status = fill(judge, allowed, keys, key_count, err);
	if (status != ATTEST_OK) {
		attest_ima_judge_free(judge);
		return status;
	}
	*ret_judge = judge;
	return ATTEST_OK;
}

uint64_t
ima_judge_cost(const struct attest_ima_judge *judge)
{
	return judge->cost;
}

/* ATTEST_BANKS: of none of them. */
static unsigned
bank_named(struct bytes algorithm)
{
	unsigned bank = 0;

	while (bank < ATTEST_BANKS &&
	       !bytes_equal(algorithm, ima_text(attest_bank_name((enum attest_bank)bank))))
		bank++;
	return bank;
}

/* EVM_IMA_XATTR_DIGSIG, EVM_XATTR_PORTABLE_DIGSIG, IMA_VERITY_DIGSIG. */
static bool
is_signature_type(uint8_t type)
{
	return type == 3 || type == 5 || type == 6;
}

/* A file's content may be what stands in its signature's place, and then looks like a buffer. The
 * kernel takes nothing as a signature that does not begin with one of these types, and no buffer
 * that it measures does; nor has a buffer a path for a name. */
static bool
may_be_buffer(const struct attest_ima_entry *entry)
{
	struct reader r = reader_of(entry->third);
	uint8_t type = read_u8(&r);

	return entry->fields == 3 && entry->third.size > 0 && !is_signature_type(type) &&
	       memchr(entry->name.data, '/', entry->name.size) == NULL;
}

static bool
hash_with(struct attest_ima_judge *judge, unsigned bank, struct bytes input,
	  uint8_t ret_digest[HASH_SIZE_MAX])
{
	struct hasher *hasher = &judge->hashers[bank];
	const char *name = bank == SM3 ? "SM3" : attest_bank_name((enum attest_bank)bank);

	if (hasher->algorithm == NULL && !hasher_open(hasher, name)) {
		hasher_close(hasher);
		return false;
	}
	return hash_pieces(hasher, &input, 1, ret_digest);
}

static bool
is_buffer(struct attest_ima_judge *judge, const struct attest_ima_entry *entry, bool *ret_failed)
{
	unsigned bank = bank_named(entry->algorithm);
	uint8_t digest[HASH_SIZE_MAX];

	if (bank == ATTEST_BANKS || !may_be_buffer(entry))
		return false;
	*ret_failed = !hash_with(judge, bank, entry->third, digest);
	return !*ret_failed &&
	       bytes_equal(entry->file_digest,
			   (struct bytes){digest, attest_bank_size((enum attest_bank)bank)});
}

static bool
is_listed(const struct attest_ima_judge *judge, const struct attest_ima_entry *entry)
{
	size_t low = 0;
	size_t high = judge->allowed.size / ATTEST_HASH_SIZE;

	/* fs-verity's digest is of a description of the file, which could be another's content. */
	if (entry->verity || bank_named(entry->algorithm) != ATTEST_SHA256)
		return false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order =
			memcmp(entry->file_digest.data,
			       judge->allowed.data + middle * ATTEST_HASH_SIZE, ATTEST_HASH_SIZE);
		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

enum attest_status
ima_judge_content(struct attest_ima_judge *judge, const struct attest_ima_entry *entry, bool first,
		  bool ask_signature, struct attest_ima_verdict *ret_verdict,
		  struct attest_error *err)
{
	struct attest_ima_verdict verdict = {.kind = ATTEST_IMA_FILE};
	unsigned bank = bank_named(entry->algorithm);
	bool failed = false;
	uint32_t cost = 0;

	if (entry->violation)
		verdict.kind = ATTEST_IMA_VIOLATION;
	else if (!entry->readable)
		verdict.kind = ATTEST_IMA_UNREADABLE;
	else if (first && bytes_equal(entry->name, ima_text("boot_aggregate")))
		verdict.kind = ATTEST_IMA_AGGREGATE;
	else if (is_buffer(judge, entry, &failed))
		verdict.kind = ATTEST_IMA_BUFFER;
	if (failed)
		return attest_fail_memory(err);
	verdict.sound = bank != ATTEST_BANKS && bank != ATTEST_SHA1;
	if (verdict.kind == ATTEST_IMA_FILE) {
		verdict.listed = is_listed(judge, entry);
		if (ask_signature)
			verdict.signature =
				ima_signature_judge(entry, judge->keys, judge->key_count, &cost);
		judge->cost += cost;
	}
	*ret_verdict = verdict;
	return ATTEST_OK;
}

/* SM3 is of SHA-256's size. Where it cannot be computed, what it made is not matched. */
static enum attest_status
match_digest(struct attest_ima_judge *judge, const struct attest_ima_entry *entry,
	     bool *ret_matches, struct attest_error *err)
{
	uint8_t digest[HASH_SIZE_MAX];
	bool matches = entry->violation;

	for (unsigned bank = 0; bank < HASHERS && !matches; bank++) {
		size_t size =
			attest_bank_size(bank == SM3 ? ATTEST_SHA256 : (enum attest_bank)bank);
		if (size != entry->digest_size)
			continue;
		if (hash_with(judge, bank, entry->data, digest))
			matches = memcmp(digest, entry->digest, size) == 0;
		else if (bank != SM3)
			return attest_fail_memory(err);
	}
	*ret_matches = matches;
	return ATTEST_OK;
}

/* For people: what a name says and the data do not have is somebody's mistake, or lie. */
static bool
name_fits(const struct attest_ima_entry *entry, enum attest_ima_kind kind)
{
	const struct ima_field *fields[IMA_FIELDS_MAX];
	size_t count = ima_template_fields(entry->template_name, fields);
	struct reader r = reader_of(entry->third);
	uint8_t type = read_u8(&r);

	if (kind == ATTEST_IMA_VIOLATION)
		return true;
	if (count == 0 || count != entry->fields || !entry->readable)
		return false;
	if (count < 3)
		return true;
	if (bytes_equal(ima_text(fields[2]->name), ima_text("buf")))
		return kind == ATTEST_IMA_BUFFER;
	bool is_signature = bytes_equal(ima_text(fields[2]->name), ima_text("sig")) ||
			    bytes_equal(ima_text(fields[2]->name), ima_text("evmsig"));
	return !is_signature || entry->third.size == 0 || is_signature_type(type);
}

enum attest_status
attest_ima_judge_entry(struct attest_ima_judge *judge, const struct attest_ima_entry *entry,
		       struct attest_ima_verdict *ret_verdict, struct attest_error *err)
{
	struct attest_ima_verdict verdict;
	enum attest_status status =
		ima_judge_content(judge, entry, entry->number == 0, true, &verdict, err);

	if (status != ATTEST_OK)
		return status;
	verdict.name_fits = name_fits(entry, verdict.kind);
	status = match_digest(judge, entry, &verdict.digest_matches, err);
	if (status == ATTEST_OK)
		*ret_verdict = verdict;
	return status;
}

/* ima_calc_boot_aggregate: PCR 0-7 by SHA-1 and by kernels before 5.8, else PCR 0-9. */
enum attest_answer
ima_aggregate_matches(const struct attest_ima_entry *entry, const struct attest_pcrs *boot)
{
	static const unsigned COUNTS[] = {10, 8};
	auto_hasher hasher = {0};
	struct bytes values[10];
	uint8_t digest[HASH_SIZE_MAX];

	if (boot == NULL || bank_named(entry->algorithm) != boot->bank ||
	    (~boot->known & 0x3ff) != 0)
		return ATTEST_UNKNOWN;
	size_t size = attest_bank_size(boot->bank);
	for (unsigned i = 0; i < 10; i++)
		values[i] = (struct bytes){boot->values[i], size};
	if (!hasher_open(&hasher, attest_bank_name(boot->bank)))
		return ATTEST_UNKNOWN;
	for (unsigned i = boot->bank == ATTEST_SHA1 ? 1 : 0; i < 2; i++)
		if (hash_pieces(&hasher, values, COUNTS[i], digest) &&
		    bytes_equal(entry->file_digest, (struct bytes){digest, size}))
			return ATTEST_YES;
	return ATTEST_NO;
}
