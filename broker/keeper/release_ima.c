/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IMA list of a release: what it is compared with, from where its examination goes on, and how
 * far it has come. PCR 10 only ever grows within a boot: what led to its value at an earlier quote
 * led to it for good, so that a machine which stays up need not send all of its list each time.
 */
#include "release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By the rules of `revision`; of another boot, or of older rules, it is worth nothing. */
struct machine_ima {
	uint64_t revision;
	struct attest_ima_point point;
};

static bool
same_boot(const struct attest_ima_point *point, const struct attest_clock *clock)
{
	return point->reset_count == clock->reset_count &&
	       point->restart_count == clock->restart_count;
}

/* Whether the last point is where this list begins. */
static bool
resume(struct release *release)
{
	struct machine *machine = release->machine;

	pthread_mutex_lock(&machine->mutex);
	const struct machine_ima *last = machine->ima;
	bool known = last && last->revision == release->ima_revision &&
		     same_boot(&last->point, &release->quote.clock) &&
		     last->point.offset == release->request.ima_offset;
	if (known)
		release->ima_from = last->point;
	pthread_mutex_unlock(&machine->mutex);
	return known;
}

enum wire_status
release_start_ima(struct worker *worker, struct release *release)
{
	const struct trust_ima *ima = &worker->keeper->trust.ima;
	const struct wire_release_request *request = &release->request;
	char seen[80];

	release->ima = request->ima_offset > 0	   ? WIRE_IMA_REST
		       : request->ima_log.size > 0 ? WIRE_IMA_WHOLE
						   : WIRE_IMA_NONE;
	if (release->ima == WIRE_IMA_NONE)
		return WIRE_OK;
	/* Another attempt: by the same rules what was found still holds, even where another release
	 * has moved the point meanwhile. */
	if (release->examined && release->ima_revision == ima->revision)
		return WIRE_OK;
	release->examined = false;
	release->ima_revision = ima->revision;
	ima_rules_drop(release->ima_rules);
	release->ima_rules = ima_rules_hold(ima->rules);
	if (release->ima == WIRE_IMA_WHOLE || resume(release))
		return WIRE_OK;
	snprintf(seen, sizeof(seen), "what follows byte %llu, up to which nothing is known",
		 (unsigned long long)request->ima_offset);
	audit_check(worker, "ima", false, "the whole list", seen);
	return WIRE_IMA;
}

void
release_ask_ima(const struct release *release, struct wire_examine_log *question)
{
	const struct ima_rules *rules = release->ima_rules;

	question->ima = release->ima;
	question->ima_log = release->request.ima_log;
	question->from = release->ima_from;
	if (!rules || release->ima == WIRE_IMA_NONE)
		return;
	question->allowed = rules->digests;
	question->key_count = rules->key_count;
	memcpy(question->keys, rules->keys, sizeof(question->keys));
}

bool
release_enter_ima(struct machine *machine)
{
	pthread_mutex_lock(&machine->mutex);
	bool enter = machine->large_lists < RELEASE_LARGE_LISTS_MAX;
	machine->large_lists += enter;
	pthread_mutex_unlock(&machine->mutex);
	return enter;
}

void
release_leave_ima(struct machine *machine)
{
	pthread_mutex_lock(&machine->mutex);
	machine->large_lists--;
	pthread_mutex_unlock(&machine->mutex);
}

/* What the appraiser says of its progress can be no more than the list has, and takes back nothing
 * that was known. */
static bool
plausible(const struct release *release, const struct attest_ima_report *report)
{
	static const struct attest_ima_point nothing;
	const struct attest_ima_point *from =
		release->ima == WIRE_IMA_REST ? &release->ima_from : &nothing;
	const struct attest_ima_point *to = &report->point;
	const struct ima_rules *rules = release->ima_rules;
	bool listed = rules && rules->digests.size > 0;
	bool keyed = rules && rules->key_count > 0;

	return to->offset >= from->offset &&
	       to->offset - from->offset <= release->request.ima_log.size &&
	       to->entries >= from->entries && to->violations >= from->violations &&
	       (listed || !report->listed_known) && (keyed || !report->signed_known) &&
	       (release->ima == WIRE_IMA_WHOLE ||
		(from->all_listed >= to->all_listed && from->all_signed >= to->all_signed));
}

void
release_remember_ima(const struct release *release)
{
	const struct attest_ima_point *point = &release->appraisal.ima_report.point;
	struct machine *machine = release->machine;

	if (release->view.ima != IMA_VERIFIED)
		return;
	if (!machine->ima)
		machine->ima = calloc(1, sizeof(*machine->ima));
	struct machine_ima *last = machine->ima;
	bool further = last && (last->revision != release->ima_revision ||
				!same_boot(&last->point, &release->quote.clock) ||
				last->point.offset < point->offset);
	if (further)
		*last = (struct machine_ima){release->ima_revision, *point};
}

bool
release_take_ima(struct release *release)
{
	struct wire_appraisal *appraisal = &release->appraisal;
	struct attest_ima_report *report = &appraisal->ima_report;
	struct attest_ima_point *point = &report->point;

	if ((release->ima == WIRE_IMA_NONE) != (appraisal->ima == WIRE_ABSENT))
		return false;
	release->view.ima = (enum ima_state)appraisal->ima;
	if (appraisal->ima != WIRE_VERIFIED)
		return true;
	if (!plausible(release, report))
		return false;
	/* The prefix led to the quoted value, in the quote's boot: the keeper knows both itself. */
	point->reset_count = release->quote.clock.reset_count;
	point->restart_count = release->quote.clock.restart_count;
	memcpy(point->pcr, release->quote.pcrs[ATTEST_IMA_PCR], ATTEST_HASH_SIZE);
	attest_ima_claims(report, &appraisal->report.claims);
	return true;
}

void
release_check_ima(struct worker *worker, const struct release *release)
{
	const struct wire_appraisal *appraisal = &release->appraisal;
	const struct attest_ima_report *report = &appraisal->ima_report;
	char seen[192];

	if (release->ima == WIRE_IMA_NONE)
		return;
	if (release->view.ima != IMA_VERIFIED) {
		audit_check(worker, "ima", false, "a list that leads to PCR 10",
			    appraisal->ima_error);
		return;
	}
	snprintf(seen, sizeof(seen), "%llu entries, %llu violations%s",
		 (unsigned long long)report->point.entries,
		 (unsigned long long)report->point.violations,
		 report->boot_aggregate == ATTEST_NO
			 ? "; boot_aggregate does not follow from the quoted PCRs (a kexec, or "
			   "PCRs extended since)"
			 : "");
	audit_check(worker, "ima", true, NULL, seen);
}
