/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log is the guest's word; PCR values are the TPM's. Both meet here: what the log's digests do
 * not replay to yields no claim, whatever the log says. CLAIMS.md has the reasons.
 */
#include "attest/error.h"
#include "attest/events.h"
#include "extend.h"
#include "witness.h"
#include "witnesses.h"

#include <stdlib.h>
#include <string.h>

/* Of the localities that TPM2_Startup and H-CRTM give PCR 0: the event that tells which is not
 * authenticated, so PCR 0 is replayed from each, and the quoted value decides. */
static const uint8_t LOCALITIES[] = {0, 3, 4};
#define LOCALITY_COUNT sizeof(LOCALITIES)

/* What may follow a log unlogged, in this order, each at most once. */
struct words {
	uint32_t pcrs; /* bit per PCR */
	const char *words[7];
};
static const struct words WORDS[] = {
	/* systemd-pcrosseparator(8), and the boot phases of systemd-pcrphase(8). */
	{0x72ff, {"os-separator"}},
	{1U << 11, {"enter-initrd", "leave-initrd", "sysinit", "ready", "shutdown", "final"}},
	/* PFP 3.3.4.6: some firmware measures these after the operating system has taken the log.
	 */
	{1U << 5,
	 {"Exit Boot Services Invocation", "Exit Boot Services Returned with Success",
	  "os-separator"}},
};

/* Of these a whole boot consists; the others are the operating system's to extend. */
#define BOOT_PCRS 0x43ffU
/* PFP 1.05, 3.3.4.1: what measures first measures its own version. Without a word of it a log of
 * nothing would explain a TPM that nothing was measured into. */
#define FIRST_PCRS 0x1U

/* In ascending order of the claims that they make. */
static const struct witness *const WITNESSES[] = {
	&witness_secureboot, &witness_firmware, &witness_images,  &witness_grub,
	&witness_stub,	     &witness_mok,	&witness_windows,
};
#define WITNESS_COUNT (sizeof(WITNESSES) / sizeof(WITNESSES[0]))

struct replay {
	struct hasher hasher;
	struct hasher sha256; /* open where the bank is another */
	struct witness_hash hash;
	size_t size;	   /* of the bank's digests */
	uint32_t extended; /* a bit per PCR */
	uint8_t pcrs[ATTEST_PCR_COUNT][ATTEST_DIGEST_MAX];
	uint8_t pcr0[LOCALITY_COUNT][ATTEST_DIGEST_MAX];
	void *states[WITNESS_COUNT];
};

static void
replay_close(struct replay *replay)
{
	for (size_t i = 0; i < WITNESS_COUNT; i++)
		free(replay->states[i]);
	hasher_close(&replay->hasher);
	hasher_close(&replay->sha256);
}
#define auto_replay __attribute__((cleanup(replay_close))) struct replay

static bool
replay_open(struct replay *replay, enum attest_bank bank)
{
	replay->hash = (struct witness_hash){.bank = bank,
					     .hasher = &replay->hasher,
					     .sha256 = bank == ATTEST_SHA256 ? &replay->hasher
									     : &replay->sha256};
	replay->size = attest_bank_size(bank);
	for (size_t i = 0; i < LOCALITY_COUNT; i++)
		replay->pcr0[i][replay->size - 1] = LOCALITIES[i];
	for (size_t i = 0; i < WITNESS_COUNT; i++) {
		replay->states[i] = calloc(1, WITNESSES[i]->state_size);
		if (replay->states[i] == NULL)
			return false;
	}
	if (bank != ATTEST_SHA256 && !hasher_open(&replay->sha256, attest_bank_name(ATTEST_SHA256)))
		return false;
	return hasher_open(&replay->hasher, attest_bank_name(bank));
}

static bool
hash_of(struct witness_hash *hash, struct bytes first, struct bytes second, uint8_t *ret)
{
	const struct bytes pieces[] = {first, second};

	if (!hash_pieces(hash->hasher, pieces, second.size == 0 ? 1 : 2, ret))
		hash->failed = true;
	return !hash->failed;
}

bool
witness_hash_matches(struct witness_hash *hash, struct bytes digest, struct bytes first,
		     struct bytes second)
{
	uint8_t memory[ATTEST_DIGEST_MAX];
	bool whole =
		second.size == 0 && first.data == hash->data.data && first.size == hash->data.size;
	uint8_t *computed = whole ? hash->data_digest : memory;

	if (!(whole && hash->data_hashed) && !hash_of(hash, first, second, computed))
		return false;
	hash->data_hashed = hash->data_hashed || whole;
	return bytes_equal(digest, (struct bytes){computed, attest_bank_size(hash->bank)});
}

bool
witness_hash_matches_word(struct witness_hash *hash, struct bytes digest, struct bytes word)
{
	uint32_t i = 0;

	while (i < hash->word_count &&
	       (hash->words[i].word.data != word.data || hash->words[i].word.size != word.size))
		i++;
	if (i == WITNESS_WORDS_MAX)
		return witness_hash_matches(hash, digest, word, (struct bytes){0});
	if (i == hash->word_count) {
		if (!hash_of(hash, word, (struct bytes){0}, hash->words[i].digest))
			return false;
		hash->words[i].word = word;
		hash->word_count++;
	}
	return bytes_equal(digest,
			   (struct bytes){hash->words[i].digest, attest_bank_size(hash->bank)});
}

bool
witness_hash_sha256(struct witness_hash *hash, struct bytes bytes,
		    uint8_t ret_digest[ATTEST_HASH_SIZE])
{
	if (!hash_pieces(hash->sha256, &bytes, 1, ret_digest))
		hash->failed = true;
	return !hash->failed;
}

static bool
extend(struct replay *replay, uint8_t *pcr, struct bytes digest)
{
	return pcr_extend(&replay->hasher, pcr, replay->size, digest);
}

static bool
replay_event(struct replay *replay, const struct attest_event *event)
{
	struct bytes digest = event->digests[replay->hash.bank];

	if (!event->extends || event->pcr >= ATTEST_PCR_COUNT)
		return true;
	replay->hash.data = event->data;
	replay->hash.data_hashed = false;
	for (size_t i = 0; i < WITNESS_COUNT; i++)
		if ((WITNESSES[i]->pcrs >> event->pcr & 1) != 0)
			WITNESSES[i]->event(replay->states[i], event, &replay->hash);
	if (replay->hash.failed)
		return false;
	if (digest.size == 0)
		return true;
	replay->extended |= 1U << event->pcr;
	if (event->pcr > 0)
		return extend(replay, replay->pcrs[event->pcr], digest);
	for (size_t i = 0; i < LOCALITY_COUNT; i++)
		if (!extend(replay, replay->pcr0[i], digest))
			return false;
	return true;
}

/* Does `value`, extended by some of words[from...] in order, give `quoted`? At most two to the
 * power of the words' number hashes. */
static bool
words_lead_to(struct replay *replay, const uint8_t *value, const struct words *words, size_t from,
	      const uint8_t *quoted)
{
	if (memcmp(value, quoted, replay->size) == 0)
		return true;
	for (size_t i = from; i < sizeof(words->words) / sizeof(words->words[0]); i++) {
		uint8_t next[ATTEST_DIGEST_MAX];
		uint8_t digest[ATTEST_DIGEST_MAX];
		const char *word = words->words[i];

		if (word == NULL)
			break;
		struct bytes text = {(const uint8_t *)word, strlen(word)};
		memcpy(next, value, replay->size);
		if (hash_pieces(&replay->hasher, &text, 1, digest) &&
		    extend(replay, next, (struct bytes){digest, replay->size}) &&
		    words_lead_to(replay, next, words, i + 1, quoted))
			return true;
	}
	return false;
}

static enum attest_pcr_verdict
judge(struct replay *replay, unsigned pcr, const uint8_t *value, const uint8_t *quoted)
{
	if (memcmp(value, quoted, replay->size) == 0)
		return ATTEST_PCR_EXACT;
	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
		if ((WORDS[i].pcrs >> pcr & 1) != 0 &&
		    words_lead_to(replay, value, &WORDS[i], 0, quoted))
			return ATTEST_PCR_PREFIX;
	return ATTEST_PCR_UNEXPLAINED;
}

static enum attest_pcr_verdict
judge_pcr0(struct replay *replay, const uint8_t *quoted)
{
	enum attest_pcr_verdict verdict = ATTEST_PCR_UNEXPLAINED;

	for (size_t i = 0; i < LOCALITY_COUNT && verdict == ATTEST_PCR_UNEXPLAINED; i++)
		verdict = judge(replay, 0, replay->pcr0[i], quoted);
	return verdict;
}

static void
conclude(struct replay *replay, const struct attest_pcrs *quoted, struct attest_report *report)
{
	uint32_t held = 0;

	report->pcrs[0] = judge_pcr0(replay, quoted->values[0]);
	for (unsigned i = 1; i < ATTEST_PCR_COUNT; i++)
		report->pcrs[i] = judge(replay, i, replay->pcrs[i], quoted->values[i]);
	for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++)
		if ((quoted->known >> i & 1) == 0)
			report->pcrs[i] = ATTEST_PCR_UNEXPLAINED;
		else if (report->pcrs[i] != ATTEST_PCR_UNEXPLAINED)
			held |= 1U << i;
	report->replays = (held & BOOT_PCRS) == BOOT_PCRS && (replay->extended & FIRST_PCRS) != 0;
	for (size_t i = 0; i < WITNESS_COUNT; i++)
		WITNESSES[i]->conclude(replay->states[i], held, &replay->hash, &report->claims);
}

static enum attest_status
open_checked(struct bytes input, enum attest_bank bank, struct attest_eventlog *ret_log,
	     struct attest_error *err)
{
	enum attest_status status = attest_eventlog_open(input, ret_log, err);

	if (status != ATTEST_OK)
		return status;
	if (ret_log->legacy)
		return attest_fail(err, ATTEST_UNSUPPORTED, "eventlog.sha1",
				   "a log in the SHA-1 format, without a Spec ID event: "
				   "not accepted");
	if (bank != ATTEST_SHA256 && bank != ATTEST_SHA384)
		return attest_fail(err, ATTEST_UNSUPPORTED, "eventlog.bank",
				   "PCR values of the %s bank: not accepted",
				   attest_bank_name(bank));
	if ((ret_log->banks >> bank & 1) == 0)
		return attest_fail(err, ATTEST_UNSUPPORTED, "eventlog.bank",
				   "a log without digests of the %s bank", attest_bank_name(bank));
	return ATTEST_OK;
}

enum attest_status
attest_eventlog_examine(struct bytes input, const struct attest_pcrs *quoted,
			struct attest_report *ret_report, struct attest_error *err)
{
	auto_replay replay = {0};
	struct attest_eventlog log;
	struct attest_event event;
	bool end;

	enum attest_status status = open_checked(input, quoted->bank, &log, err);
	if (status != ATTEST_OK)
		return status;
	if (!replay_open(&replay, quoted->bank))
		return attest_fail_memory(err);
	for (;;) {
		status = attest_eventlog_next(&log, &event, &end, err);
		if (status != ATTEST_OK)
			return status;
		if (end)
			break;
		if (!replay_event(&replay, &event))
			return attest_fail_memory(err);
	}
	/* Without the Spec ID event. */
	*ret_report = (struct attest_report){.event_count = log.event_count - 1};
	conclude(&replay, quoted, ret_report);
	if (!replay.hash.failed)
		return ATTEST_OK;
	/* Too large to be made elsewhere first; no claim of half an examination stays. */
	*ret_report = (struct attest_report){0};
	return attest_fail_memory(err);
}

void
attest_pcrs_of_quote(struct bytes values, struct attest_pcrs *ret_pcrs)
{
	struct reader r = reader_of(values);

	*ret_pcrs = (struct attest_pcrs){.bank = ATTEST_SHA256, .known = 0xffff};
	for (size_t i = 0; i < ATTEST_PCR_COUNT; i++)
		read_copy(&r, ret_pcrs->values[i], ATTEST_HASH_SIZE);
	if (!reader_finished(&r))
		*ret_pcrs = (struct attest_pcrs){.bank = ATTEST_SHA256};
}
