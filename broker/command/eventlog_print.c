/* SPDX-License-Identifier: Apache-2.0 */
/* The log as a lesson: by PCR, what was measured, and what of it is proved. */
#include "claims_out.h"
#include "command.h"
#include "encode.h"
#include "event_words.h"
#include "eventlog_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PCR_IMA	 10
#define PCR_NONE UINT32_MAX

static void
banks_print(uint32_t banks)
{
	const char *before = "";

	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		if ((banks >> bank & 1) == 0)
			continue;
		(void)printf("%s%s", before, attest_bank_name((enum attest_bank)bank));
		before = ", ";
	}
}

static void
head_print(const struct eventlog_view *view)
{
	(void)printf("TCG event log, %s: %" PRIu32 " events, digests of ",
		     view->form.legacy ? "in the form of TPM 1.2" : "crypto-agile",
		     view->event_count);
	banks_print(view->banks);
	(void)puts("\n\n"
		   "The log is the machine's word. Each event extended a PCR by a digest: PCR := "
		   "H(PCR || digest).\n"
		   "Where these lead to the values that a TPM quotes, the digests are true, and of "
		   "each event's\n"
		   "words as much as its \"proves\" says. The type of an event is never proved.");
	if (view->refused != NULL)
		(void)printf("\nNO EVIDENCE: %s.\n", view->refused);
}

/* " 0 1 7" */
static void
numbers_print(uint32_t pcrs)
{
	for (uint32_t pcr = 0; pcr < ATTEST_PCRS; pcr++)
		if ((pcrs >> pcr & 1) != 0)
			(void)printf(" %" PRIu32, pcr);
	(void)puts("");
}

static void
value_print(const char *before, unsigned bank, const uint8_t *value)
{
	char hex[2 * ATTEST_DIGEST_MAX + 1];

	hex_encode(value, attest_bank_size((enum attest_bank)bank), hex);
	(void)printf("  %-7s %-6s %s\n", before, attest_bank_name((enum attest_bank)bank), hex);
}

static const char *
verdict_sentence(const struct eventlog_view *view, uint32_t pcr, enum attest_pcr_verdict verdict)
{
	switch (verdict) {
	case ATTEST_PCR_EXACT:
		return "exact: the log leads to this value";
	case ATTEST_PCR_PREFIX:
		return "prefix: the log leads there, and known words of the system follow";
	case ATTEST_PCR_UNEXPLAINED:
		break;
	}
	if ((eventlog_view_expected(view) >> pcr & 1) != 0)
		return "UNEXPLAINED: the log does not lead to this value; nothing of it is proved";
	return pcr == PCR_IMA ? "unexplained by this log: Linux IMA's list may (`postern ima`)"
			      : "unexplained: not by this log, and it need not be";
}

/* The log's value in each bank; what was given beside it, where it is another. */
static void
values_print(const struct eventlog_view *view, uint32_t pcr)
{
	enum attest_pcr_verdict verdict;

	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		const uint8_t *own = view->replay[bank].values[pcr];
		const uint8_t *given = view->given.pcrs[bank].values[pcr];
		bool has_own = (view->banks >> bank & 1) != 0;

		if (has_own)
			value_print("log", bank, own);
		if (view->compared && (view->given.pcrs[bank].known >> pcr & 1) != 0 &&
		    (!has_own || memcmp(own, given, attest_bank_size((enum attest_bank)bank)) != 0))
			value_print("given", bank, given);
	}
	if (eventlog_view_verdict(view, pcr, &verdict))
		(void)printf("  %s\n", verdict_sentence(view, pcr, verdict));
	else if (view->compared && pcr >= ATTEST_PCR_COUNT)
		(void)puts("  not judged: PCR 16-23 can be reset after boot");
	else if (view->compared)
		(void)puts("  not judged: no value of it was given that could be");
}

static bool
bank_digest_print(const struct attest_event *event, unsigned bank)
{
	if (bank >= ATTEST_BANKS ||
	    event->digests[bank].size != attest_bank_size((enum attest_bank)bank))
		return false;
	(void)fputs("    ", stdout);
	value_print("digest", bank, event->digests[bank].data);
	return true;
}

/* Where nothing else is known of what was measured: by the bank that claims are of, for the others'
 * are anybody's; where none was judged, by the strongest. */
static void
digest_print(const struct eventlog_view *view, const struct attest_event *event)
{
	if (bank_digest_print(event, eventlog_view_bank(view)))
		return;
	for (unsigned bank = ATTEST_BANKS; bank-- > 0;)
		if ((view->judged == 0 || (view->judged >> bank & 1) != 0) &&
		    bank_digest_print(event, bank))
			return;
}

static void
proof_print(const struct eventlog_view *view, const struct attest_event *event)
{
	const char *unproved = eventlog_view_unproved(view, event->pcr);
	enum attest_proof proof = ATTEST_PROOF_NOTHING;
	struct attest_error err = {.status = ATTEST_OK};
	struct bytes proved;

	if (eventlog_view_proof(view, event, &proof, &proved, &err) != ATTEST_OK)
		(void)puts("      proves: could not be computed");
	else if (unproved == NULL || proof == ATTEST_PROOF_NOTHING)
		(void)printf("      %s\n", proof_sentence(proof, event->type));
	else if (proof == ATTEST_PROOF_MISMATCH)
		(void)printf("      %s, and %s\n", proof_sentence(proof, event->type), unproved);
	else
		(void)printf("      proves nothing: %s\n", unproved);
	if (proof == ATTEST_PROOF_DIGEST || proof == ATTEST_PROOF_MISMATCH)
		digest_print(view, event);
}

static void
event_print(const struct eventlog_view *view, const struct attest_event *event)
{
	struct words type = {.size = 0}, summary = {.size = 0};

	words_add_event_type(&type, event->type);
	words_add_event(&summary, event);
	(void)printf("  #%" PRIu32 " %s\n      %s\n", event->number, type.text, summary.text);
	proof_print(view, event);
}

static uint32_t
events_print(const struct eventlog_view *view, uint32_t pcr)
{
	struct attest_eventlog log = view->form;
	struct attest_error err = {.status = ATTEST_OK};
	struct attest_event event;
	uint32_t count = 0;
	bool end = false;

	while (attest_eventlog_next(&log, &event, &end, &err) == ATTEST_OK && !end)
		if (event.pcr == pcr) {
			event_print(view, &event);
			count++;
		}
	return count;
}

/* A bit per PCR that some event names, extending or not; *ret_none: some are of no PCR. */
static uint32_t
pcrs_named(const struct eventlog_view *view, bool *ret_none)
{
	struct attest_eventlog log = view->form;
	struct attest_error err = {.status = ATTEST_OK};
	struct attest_event event;
	uint32_t named = 0;
	bool end = false;

	*ret_none = false;
	while (attest_eventlog_next(&log, &event, &end, &err) == ATTEST_OK && !end)
		if (event.pcr < ATTEST_PCRS)
			named |= 1U << event.pcr;
		else
			*ret_none = true;
	return named;
}

static uint32_t
pcrs_given(const struct eventlog_view *view)
{
	uint32_t given = 0;

	for (unsigned bank = 0; bank < ATTEST_BANKS && view->compared; bank++)
		given |= view->given.pcrs[bank].known;
	return given;
}

static void
pcrs_print(const struct eventlog_view *view)
{
	bool none = false;
	uint32_t named = pcrs_named(view, &none), given = pcrs_given(view), without = 0;

	for (uint32_t pcr = 0; pcr < ATTEST_PCRS; pcr++) {
		if (((named | given) >> pcr & 1) == 0) {
			without |= 1U << pcr;
			continue;
		}
		(void)printf("\nPCR %" PRIu32 ": %s\n", pcr, pcr_purpose(pcr));
		values_print(view, pcr);
		if (events_print(view, pcr) == 0)
			(void)puts("  no events");
	}
	if (none) {
		(void)puts("\nOf no PCR: notes that extend nothing");
		events_print(view, PCR_NONE);
	}
	if (without == 0)
		return;
	(void)fputs("\nPCRs without events:", stdout);
	numbers_print(without);
}

static void
claims_section_print(const struct eventlog_view *view)
{
	if (view->compared)
		(void)puts("\nClaims: what the log and the given values prove together, if a TPM "
			   "quoted those values");
	else
		(void)puts("\nClaims: what WOULD be proved if a quote confirmed the log's own "
			   "values (give --pcrs)");
	if (claims_print(&view->claims) == 0)
		(void)puts("  none");
	(void)puts("\nNot proved, whatever the log says: types of events; names of files, device "
		   "paths, boot options'\nnames; anything of a PCR that is unexplained; that the "
		   "values are a TPM's (`postern quote verify`\ndoes that); what ran after the "
		   "last event.");
}

static void
verdict_print(const struct eventlog_view *view)
{
	uint32_t checked = eventlog_view_checked(view), unexplained = 0;
	enum attest_pcr_verdict verdict;

	if (!view->compared) {
		(void)puts("\nNothing is verified: no TPM's values were given (--pcrs)");
		return;
	}
	for (uint32_t pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++)
		if ((checked >> pcr & 1) != 0 && eventlog_view_verdict(view, pcr, &verdict) &&
		    verdict == ATTEST_PCR_UNEXPLAINED)
			unexplained |= 1U << pcr;
	if (view->refused != NULL) {
		(void)printf("\nNOT VERIFIED: %s\n", view->refused);
	} else if (view->verified) {
		(void)fputs("\nVerified, by ", stdout);
		banks_print(view->judged);
		(void)fputs(": the log explains PCR", stdout);
		numbers_print(checked);
		if ((eventlog_view_expected(view) & ~checked) == 0)
			return;
		(void)fputs("Not compared, for no value was given: PCR", stdout);
		numbers_print(eventlog_view_expected(view) & ~checked);
	} else if (checked == 0) {
		(void)puts("\nNOT VERIFIED: no value was given of a PCR that this log explains");
	} else if (unexplained == 0) {
		(void)puts("\nNOT VERIFIED: the log measured nothing into the PCRs that were "
			   "compared");
	} else {
		(void)fputs("\nNOT VERIFIED: unexplained are PCR", stdout);
		numbers_print(unexplained);
	}
}

void
eventlog_print(const struct eventlog_view *view)
{
	head_print(view);
	pcrs_print(view);
	claims_section_print(view);
	verdict_print(view);
}
