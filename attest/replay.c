/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log is the guest's word; PCR values are the TPM's. Both meet here: what the log's digests do
 * not replay to yields no claim, whatever the log says. CLAIMS.md has the reasons.
 */
#include "crypto.h"
#include "error.h"
#include "eventlog.h"
#include "secureboot.h"

#include <string.h>

#define PCR_SECURE_BOOT 7
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

struct replay {
	struct hasher sha256;
	uint8_t pcrs[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE];
	uint8_t pcr0[LOCALITY_COUNT][ATTEST_HASH_SIZE];
	struct secureboot secureboot;
};

static void
replay_close(struct replay *replay)
{
	hasher_close(&replay->sha256);
}
#define auto_replay __attribute__((cleanup(replay_close))) struct replay

static bool
extend(struct hasher *sha256, uint8_t pcr[ATTEST_HASH_SIZE], struct bytes digest)
{
	struct bytes pieces[] = {{pcr, ATTEST_HASH_SIZE}, digest};

	return hash_pieces(sha256, pieces, 2, pcr);
}

static bool
replay_event(struct replay *replay, const struct event *event)
{
	/* EV_NO_ACTION extends nothing, whatever its digest field holds (PFP 10.4.5). */
	if (event->type == EV_NO_ACTION || event->pcr >= ATTEST_PCR_COUNT)
		return true;
	/* Before the question whether it extended this bank: one that did not breaks the grammar.
	 */
	if (event->pcr == PCR_SECURE_BOOT &&
	    !secureboot_event(&replay->secureboot, event, &replay->sha256))
		return false;
	if (event->digest.size == 0)
		return true;
	if (event->pcr > 0)
		return extend(&replay->sha256, replay->pcrs[event->pcr], event->digest);
	for (size_t i = 0; i < LOCALITY_COUNT; i++)
		if (!extend(&replay->sha256, replay->pcr0[i], event->digest))
			return false;
	return true;
}

/* Does `value`, extended by some of words[from...] in order, give `quoted`? At most two to the
 * power of the words' number hashes. */
static bool
words_lead_to(struct hasher *sha256, const uint8_t value[ATTEST_HASH_SIZE],
	      const struct words *words, size_t from, const uint8_t quoted[ATTEST_HASH_SIZE])
{
	if (memcmp(value, quoted, ATTEST_HASH_SIZE) == 0)
		return true;
	for (size_t i = from; i < sizeof(words->words) / sizeof(words->words[0]); i++) {
		uint8_t next[ATTEST_HASH_SIZE];
		uint8_t digest[ATTEST_HASH_SIZE];
		const char *word = words->words[i];

		if (word == NULL)
			break;
		struct bytes text = {(const uint8_t *)word, strlen(word)};
		memcpy(next, value, sizeof(next));
		if (hash_pieces(sha256, &text, 1, digest) &&
		    extend(sha256, next, BYTES_OF(digest)) &&
		    words_lead_to(sha256, next, words, i + 1, quoted))
			return true;
	}
	return false;
}

static enum attest_pcr_verdict
judge(struct hasher *sha256, unsigned pcr, const uint8_t value[ATTEST_HASH_SIZE],
      const uint8_t quoted[ATTEST_HASH_SIZE])
{
	if (memcmp(value, quoted, ATTEST_HASH_SIZE) == 0)
		return ATTEST_PCR_EXACT;
	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
		if ((WORDS[i].pcrs >> pcr & 1) != 0 &&
		    words_lead_to(sha256, value, &WORDS[i], 0, quoted))
			return ATTEST_PCR_PREFIX;
	return ATTEST_PCR_UNEXPLAINED;
}

static enum attest_pcr_verdict
judge_pcr0(struct replay *replay, const uint8_t quoted[ATTEST_HASH_SIZE])
{
	enum attest_pcr_verdict verdict = ATTEST_PCR_UNEXPLAINED;

	for (size_t i = 0; i < LOCALITY_COUNT && verdict == ATTEST_PCR_UNEXPLAINED; i++)
		verdict = judge(&replay->sha256, 0, replay->pcr0[i], quoted);
	return verdict;
}

static void
conclude(struct replay *replay, const uint8_t pcrs[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE],
	 struct attest_report *report)
{
	report->replays = true;
	report->pcrs[0] = judge_pcr0(replay, pcrs[0]);
	for (unsigned i = 1; i < ATTEST_PCR_COUNT; i++)
		report->pcrs[i] = judge(&replay->sha256, i, replay->pcrs[i], pcrs[i]);
	for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++)
		if ((BOOT_PCRS >> i & 1) != 0 && report->pcrs[i] == ATTEST_PCR_UNEXPLAINED)
			report->replays = false;
	if (report->pcrs[PCR_SECURE_BOOT] != ATTEST_PCR_UNEXPLAINED)
		report->secure_boot = secureboot_answer(&replay->secureboot);
}

enum attest_status
attest_eventlog_examine(struct bytes input, const uint8_t pcrs[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE],
			struct attest_report *ret_report, struct attest_error *err)
{
	auto_replay replay = {0};
	struct attest_report report = {0};
	struct eventlog log;
	struct event event;
	bool end;

	enum attest_status status = eventlog_open(input, &log, err);
	if (status != ATTEST_OK)
		return status;
	if (!hasher_open(&replay.sha256, "SHA256"))
		return attest_fail_memory(err);
	for (size_t i = 0; i < LOCALITY_COUNT; i++)
		replay.pcr0[i][ATTEST_HASH_SIZE - 1] = LOCALITIES[i];

	for (;;) {
		status = eventlog_next(&log, &event, &end, err);
		if (status != ATTEST_OK)
			return status;
		if (end)
			break;
		if (!replay_event(&replay, &event))
			return attest_fail_memory(err);
	}
	report.event_count = log.event_count;
	conclude(&replay, pcrs, &report);
	*ret_report = report;
	return ATTEST_OK;
}
