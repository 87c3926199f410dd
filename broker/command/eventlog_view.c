/* SPDX-License-Identifier: Apache-2.0 */
#include "eventlog_view.h"

#define ALWAYS_EXPECTED 0x3ffU	/* PCR 0-9: a whole boot's */
#define WHERE_LOGGED	0x7800U /* PCR 11-14: the operating system's to extend */
#define EVIDENCE_BANKS	(1U << ATTEST_SHA256 | 1U << ATTEST_SHA384)

static const char REFUSED_SHA1[] =
	"its only digests are SHA-1, for which two contents of one digest can be made: refused as "
	"evidence";
static const char REFUSED_BANKS[] = "it has no digests of SHA-256 or SHA-384: refused as evidence";
static const char REFUSED_GIVEN_SHA1[] =
	"the PCR values are of the SHA-1 bank alone: refused as evidence";
static const char REFUSED_GIVEN[] =
	"the PCR values are of no bank that can be compared (SHA-256 or SHA-384, of which the log "
	"has digests)";

/* Counts, once the whole log is known to parse. */
static enum attest_status
view_count(struct eventlog_view *view, struct attest_error *err)
{
	struct attest_eventlog log = view->form;
	struct attest_event event;
	bool end = false;

	for (;;) {
		enum attest_status status = attest_eventlog_next(&log, &event, &end, err);
		if (status != ATTEST_OK)
			return status;
		if (end)
			break;
		if (!event.extends || event.pcr >= ATTEST_PCRS)
			continue;
		view->logged |= 1U << event.pcr;
		for (unsigned bank = 0; bank < ATTEST_BANKS; bank++)
			if (event.digests[bank].size > 0)
				view->extended[bank] |= 1U << event.pcr;
	}
	view->event_count = log.event_count;
	return ATTEST_OK;
}

static const char *
refusal(const struct eventlog_view *view, uint32_t judged)
{
	if (view->banks == 1U << ATTEST_SHA1)
		return REFUSED_SHA1;
	if ((view->banks & EVIDENCE_BANKS) == 0)
		return REFUSED_BANKS;
	if (judged != 0)
		return NULL;
	return view->given.banks == 1U << ATTEST_SHA1 ? REFUSED_GIVEN_SHA1 : REFUSED_GIVEN;
}

/* Digests that are of the bank itself have its size, and the other bank's has none beside it. */
static bool
claims_same(struct attest_claim a, struct attest_claim b)
{
	bool digests = a.rule->kind == CLAIM_KIND_DIGEST || a.rule->id == CLAIM_UKI_SECTIONS;

	if (a.count != b.count)
		return false;
	for (uint32_t i = 0; i < a.count; i++) {
		struct bytes one = attest_claim_next_value(&a), other = attest_claim_next_value(&b);

		if (!bytes_equal(one, other) && !(digests && one.size != other.size))
			return false;
	}
	return true;
}

static bool
claims_agree(const struct eventlog_view *view, const struct attest_claim *claim)
{
	struct attest_claim other;

	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++)
		if ((view->judged >> bank & 1) != 0 &&
		    (!attest_claims_find(&view->reports[bank].claims, claim->rule->id, &other) ||
		     !claims_same(*claim, other)))
			return false;
	return true;
}

/* A bank that firmware leaves out is its machine's root's to fill with another story. */
static void
view_claims(struct eventlog_view *view)
{
	unsigned bank = eventlog_view_bank(view);
	struct writer w = writer_of(view->claims.encoded, sizeof(view->claims.encoded));
	struct attest_claim claim;

	if (bank == ATTEST_BANKS)
		return;
	const struct attest_claims *claims = &view->reports[bank].claims;
	struct reader r = reader_of((struct bytes){claims->encoded, claims->size});
	struct reader start = r;
	for (; attest_claim_next(&r, &claim); start = r)
		if (claims_agree(view, &claim))
			write_bytes(&w, read_bytes(&start, start.left - r.left));
	view->claims.size = w.size;
}

/* Without values of a TPM, those that the log itself leads to stand in for them. */
static enum attest_status
view_judge(struct eventlog_view *view, struct attest_error *err)
{
	uint32_t judged = view->banks & EVIDENCE_BANKS;

	if (view->compared)
		judged &= view->given.banks;
	view->refused = refusal(view, judged);
	if (view->refused != NULL)
		return ATTEST_OK;
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		const struct attest_pcrs *quoted =
			view->compared ? &view->given.pcrs[bank] : &view->replay[bank];
		if ((judged >> bank & 1) == 0)
			continue;
		enum attest_status status =
			attest_eventlog_examine(view->log, quoted, &view->reports[bank], err);
		if (status != ATTEST_OK)
			return status;
		view->judged |= 1U << bank;
	}
	view_claims(view);
	return ATTEST_OK;
}

/* Zeros that nobody extended are explained by a log of nothing. */
static bool
view_measured(const struct eventlog_view *view)
{
	uint32_t measured = 0;

	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++)
		if ((view->judged >> bank & 1) != 0)
			measured |= view->extended[bank] & view->given.pcrs[bank].known;
	return (measured & eventlog_view_checked(view)) != 0;
}

/* Something must have been compared, and all of it be explained. */
static bool
view_verified(const struct eventlog_view *view)
{
	uint32_t checked = eventlog_view_checked(view);
	enum attest_pcr_verdict verdict;

	for (uint32_t pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++)
		if ((checked >> pcr & 1) != 0 && eventlog_view_verdict(view, pcr, &verdict) &&
		    verdict == ATTEST_PCR_UNEXPLAINED)
			return false;
	return view->measured;
}

enum attest_status
eventlog_view_make(struct bytes log, const struct pcr_file *given, struct eventlog_view *ret_view,
		   struct attest_error *err)
{
	struct eventlog_view *view = ret_view;

	*view = (struct eventlog_view){.log = log, .compared = given != NULL};
	if (given != NULL)
		view->given = *given;
	enum attest_status status = attest_eventlog_open(log, &view->form, err);
	if (status == ATTEST_OK)
		status = attest_eventlog_replay(log, view->replay, &view->banks, err);
	if (status == ATTEST_OK)
		status = view_count(view, err);
	if (status == ATTEST_OK)
		status = view_judge(view, err);
	if (status == ATTEST_OK && view->compared) {
		view->measured = view_measured(view);
		view->verified = view_verified(view);
	}
	return status;
}

uint32_t
eventlog_view_expected(const struct eventlog_view *view)
{
	return ALWAYS_EXPECTED | (WHERE_LOGGED & view->logged);
}

uint32_t
eventlog_view_checked(const struct eventlog_view *view)
{
	uint32_t expected = eventlog_view_expected(view), checked = 0;
	enum attest_pcr_verdict verdict;

	for (uint32_t pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++)
		if ((expected >> pcr & 1) != 0 && eventlog_view_verdict(view, pcr, &verdict))
			checked |= 1U << pcr;
	return checked;
}

/* UNEXPLAINED is worse than PREFIX, which is worse than EXACT. */
static bool
worse(enum attest_pcr_verdict a, enum attest_pcr_verdict b)
{
	return b != ATTEST_PCR_UNEXPLAINED &&
	       (a == ATTEST_PCR_UNEXPLAINED || (a == ATTEST_PCR_PREFIX && b == ATTEST_PCR_EXACT));
}

bool
eventlog_view_verdict(const struct eventlog_view *view, uint32_t pcr,
		      enum attest_pcr_verdict *ret_verdict)
{
	enum attest_pcr_verdict worst = ATTEST_PCR_EXACT;
	bool given = false;

	if (!view->compared || pcr >= ATTEST_PCR_COUNT)
		return false;
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		if ((view->judged >> bank & 1) == 0 ||
		    (view->given.pcrs[bank].known >> pcr & 1) == 0)
			continue;
		given = true;
		if (worse(view->reports[bank].pcrs[pcr], worst))
			worst = view->reports[bank].pcrs[pcr];
	}
	if (given)
		*ret_verdict = worst;
	return given;
}

/* The event as it would be if this were the only bank. */
static struct attest_event
event_of_bank(const struct attest_event *event, unsigned bank)
{
	struct attest_event own = *event;

	own.banks = 1U << bank;
	for (unsigned i = 0; i < ATTEST_BANKS; i++)
		if (i != bank)
			own.digests[i] = (struct bytes){.size = 0};
	return own;
}

enum attest_status
eventlog_view_proof(const struct eventlog_view *view, const struct attest_event *event,
		    enum attest_proof *ret_proof, struct bytes *ret_proved,
		    struct attest_error *err)
{
	enum attest_proof proof = ATTEST_PROOF_NOTHING;
	struct bytes proved = {.size = 0};
	bool first = true;

	if (view->judged == 0)
		return attest_event_proof(event, ret_proof, ret_proved, err);
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		const struct attest_event own = event_of_bank(event, bank);
		enum attest_proof one = ATTEST_PROOF_NOTHING;
		struct bytes of = {.size = 0};

		if ((view->judged >> bank & 1) == 0)
			continue;
		enum attest_status status = attest_event_proof(&own, &one, &of, err);
		if (status != ATTEST_OK)
			return status;
		if (!first && (one != proof || !bytes_equal(of, proved))) {
			one = ATTEST_PROOF_MISMATCH;
			of = (struct bytes){.size = 0};
		}
		first = false;
		proof = one;
		proved = of;
	}
	*ret_proof = proof;
	*ret_proved = proved;
	return ATTEST_OK;
}

const char *
eventlog_view_unproved(const struct eventlog_view *view, uint32_t pcr)
{
	enum attest_pcr_verdict verdict = ATTEST_PCR_UNEXPLAINED;

	if (view->refused != NULL)
		return "there is no evidence";
	if (!view->compared)
		return NULL;
	if (!eventlog_view_verdict(view, pcr, &verdict))
		return "the PCR was not judged";
	return verdict == ATTEST_PCR_UNEXPLAINED ? "the PCR is unexplained" : NULL;
}

const char *
eventlog_verdict_word(enum attest_pcr_verdict verdict)
{
	switch (verdict) {
	case ATTEST_PCR_UNEXPLAINED:
		return "unexplained";
	case ATTEST_PCR_EXACT:
		return "exact";
	case ATTEST_PCR_PREFIX:
		return "prefix";
	}
	return "unexplained";
}

unsigned
eventlog_view_bank(const struct eventlog_view *view)
{
	unsigned bank = 0;

	while (bank < ATTEST_BANKS && (view->judged >> bank & 1) == 0)
		bank++;
	return bank;
}
