/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A release: DESIGN 5, the checks in their order; PROTOCOL.md, "Release", the phases and the lock.
 * Nothing leaves before phase C has committed under the trust revision that phase A read.
 */
#include "release.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RELEASE_ATTEMPTS                                                                           \
	8 /* acts may come one after another; then the caller is asked to try again */

void
release_scratch_free(struct release *release)
{
	free(release);
}

/* ---- refusing ---- */

/* A refusal of a known machine is durable before it is told; whoever is unknown is only counted. */
static void
refuse(struct worker *worker, const struct frame *frame, struct release *release,
       enum wire_status status)
{
	struct keeper *keeper = worker->keeper;
	struct machine *machine = release->machine;

	atomic_fetch_add(&keeper->counters.denied, 1);
	if (!machine) {
		atomic_fetch_add(&keeper->counters.unknown, 1);
	} else if (status != WIRE_SEALED && status != WIRE_FROZEN &&
		   (release->consumed || audit_unproved(worker, machine))) {
		pthread_rwlock_rdlock(&keeper->lock); /* the machine's name */
		release_entry(worker, release, false);
		pthread_rwlock_unlock(&keeper->lock);
		if (!audit_write(worker, machine->id))
			status = worker_refusal(worker);
	}
	worker_answer(worker, frame->id, status, (struct bytes){0});
}

static enum wire_status
consume(struct worker *worker, struct release *release)
{
	if (release->consumed)
		return WIRE_OK;
	enum challenge_verdict verdict =
		challenge_consume(worker->keeper->challenges, release->request.challenge);
	if (verdict == CHALLENGE_GOOD) {
		release->consumed = true;
		return WIRE_OK;
	}
	audit_check(worker, "challenge", false, "unused", challenge_verdict_text(verdict));
	return verdict == CHALLENGE_CROWDED ? WIRE_BUSY : WIRE_CHALLENGE;
}

/* ---- phase A: challenge, identity, revocation, quote, PCR values ---- */

static enum wire_status
check_challenge(struct worker *worker, struct release *release)
{
	enum challenge_verdict verdict = CHALLENGE_GOOD;

	if (!release->consumed) /* else this is another attempt, and its age no longer matters */
		verdict = challenge_check(worker->keeper->challenges, CHALLENGE_FOR_RELEASE,
					  BYTES_OF(release->ak_name), (struct bytes){0},
					  release->request.challenge, &release->issued);
	if (verdict == CHALLENGE_GOOD)
		audit_check(worker, "challenge", true, NULL, NULL);
	else
		audit_check(worker, "challenge", false, NULL, challenge_verdict_text(verdict));
	return verdict == CHALLENGE_GOOD ? WIRE_OK : WIRE_CHALLENGE;
}

static enum wire_status
check_identity(struct worker *worker, struct release *release)
{
	const char *why;
	char seen[OPERATION_REASON_MAX + 64];

	machine_snapshot(release->machine, &release->record, NULL);
	enum machine_state state = trust_machine_state(&worker->keeper->trust, release->machine,
						       &release->record, &why);
	if (state == MACHINE_ADMITTED) {
		audit_check(worker, "identity", true, NULL, NULL);
		audit_check(worker, "revocation", true, NULL, NULL);
		return WIRE_OK;
	}
	snprintf(seen, sizeof(seen), "%s%s%s", machine_state_text(state), why[0] ? ": " : "", why);
	if (state == MACHINE_REVOKED) {
		audit_check(worker, "identity", true, NULL, NULL);
		audit_check(worker, "revocation", false, "nothing of the machine revoked", seen);
	} else {
		audit_check(worker, "identity", false, "admitted", seen);
	}
	return WIRE_IDENTITY;
}

static enum wire_status
phase_a(struct worker *worker, struct release *release)
{
	struct trust *trust = &worker->keeper->trust;

	audit_checks_start(worker);
	release->trust_revision = trust->revision;
	release->machine = trust_machine_by_ak(trust, BYTES_OF(release->ak_name));
	enum wire_status status = check_challenge(worker, release);
	if (status == WIRE_OK && !release->machine)
		status = WIRE_IDENTITY;
	if (status == WIRE_OK)
		status = check_identity(worker, release);
	if (status == WIRE_OK)
		status = release_check_quote(worker, release);
	if (status == WIRE_OK)
		status = consume(worker, release);
	if (status == WIRE_OK)
		status = release_start_ima(worker, release);
	return status;
}

/* ---- phase B: the appraiser, without the lock ---- */

/* False: it does not answer what was asked. */
static bool
take_appraisal(struct release *release)
{
	struct writer w = writer_of(release->claims_memory, sizeof(release->claims_memory));
	const struct wire_appraisal *appraisal = &release->appraisal;
	bool sent = release->request.event_log.size > 0;

	if (sent == (appraisal->log == WIRE_ABSENT) || appraisal->chain != WIRE_ABSENT ||
	    !release_take_ima(release))
		return false;
	release->view.log = appraisal_log_state(appraisal);
	release->view.claims = appraisal_claims(appraisal);
	release->secure_boot = appraisal_secure_boot(appraisal);
	claims_select(release->view.claims, &w, &release->claims);
	return true;
}

static enum wire_status
phase_b(struct worker *worker, struct release *release)
{
	struct wire_examine_log request = {
		.pcrs = release->request.pcrs,
		.event_log = release->request.event_log,
	};

	if (release->examined ||
	    (release->request.event_log.size == 0 && release->ima == WIRE_IMA_NONE))
		return WIRE_OK;
	release_ask_ima(release, &request);
	bool large = appraise_is_apart(&request);
	if (large && !release_enter_ima(release->machine)) {
		audit_check(worker, "ima", false, "few large lists of one machine at once",
			    "another");
		return WIRE_BUSY;
	}
	enum appraise_outcome outcome =
		appraise_log(&worker->keeper->appraisers, &request, &release->appraisal);
	if (large)
		release_leave_ima(release->machine);
	if (outcome == APPRAISE_HUNG)
		keeper_give_up(worker->keeper, "the appraiser hangs");
	if (outcome != APPRAISE_DONE || !take_appraisal(release)) {
		audit_check(worker, "eventlog", false, "an appraisal",
			    outcome != APPRAISE_DONE ? "none in time" : "one that cannot be");
		return WIRE_BUSY;
	}
	if (release->ima == WIRE_IMA_REST && release->view.ima != IMA_VERIFIED) {
		/* It may be no rest of what the keeper knows: the whole list will tell. */
		release_check_ima(worker, release);
		return WIRE_IMA;
	}
	release->examined = true;
	return WIRE_OK;
}

/* ---- phase C: baselines, policy, and what leaves ---- */

/* One line for each PCR in which the nearest baseline differs. */
static void
explain_nearest(struct worker *worker, const struct release *release)
{
	const struct trust *trust = &worker->keeper->trust;
	const struct baseline *nearest = NULL;
	char expected[NAME_SIZE + ATTEST_PCR_COUNT * 80];
	char seen[ATTEST_PCR_COUNT * 80];
	int expected_size = 0;
	int seen_size = 0;

	for (size_t i = 0; i < trust->baseline_count; i++) {
		const struct baseline *baseline = &trust->baselines[i];
		if (baseline_state(baseline, release->now) == BASELINE_ACTIVE &&
		    (!nearest || baseline_distance(baseline, release->quote.pcrs[0]) <
					 baseline_distance(nearest, release->quote.pcrs[0])))
			nearest = baseline;
	}
	if (!nearest) {
		audit_check(worker, "baseline", false, "an active baseline", "there is none");
		return;
	}
	expected_size = snprintf(expected, sizeof(expected), "%s:", nearest->name);
	seen[0] = '\0';
	for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++) {
		char hex[2 * ATTEST_HASH_SIZE + 1];
		if (!(nearest->pcrs.mask & (1u << i)) ||
		    memcmp(nearest->pcrs.values[i], release->quote.pcrs[i], ATTEST_HASH_SIZE) == 0)
			continue;
		sodium_bin2hex(hex, sizeof(hex), nearest->pcrs.values[i], ATTEST_HASH_SIZE);
		expected_size +=
			snprintf(expected + expected_size, sizeof(expected) - (size_t)expected_size,
				 " pcr %u: %s", i, hex);
		sodium_bin2hex(hex, sizeof(hex), release->quote.pcrs[i], ATTEST_HASH_SIZE);
		seen_size += snprintf(seen + seen_size, sizeof(seen) - (size_t)seen_size,
				      "%spcr %u: %s", seen_size ? " " : "", i, hex);
	}
	audit_check(worker, "baseline", false, expected, seen);
}

static enum wire_status
check_baselines(struct worker *worker, struct release *release)
{
	struct release_view *view = &release->view;

	view->machine = release->machine;
	view->record = &release->record;
	view->now = release->now;
	if (!facts_match_baselines(&worker->keeper->trust, release->quote.pcrs[0], view)) {
		audit_check(worker, "baseline", false, "at most 64 that match at once", "more");
		return WIRE_POLICY;
	}
	if (view->baseline_count > 0)
		audit_check(worker, "baseline", true, NULL, view->baselines[0]->name);
	else
		explain_nearest(worker, release);
	if (release->request.event_log.size > 0)
		audit_check(worker, "eventlog", view->log == LOG_REPLAYS, "replays",
			    log_state_text(view->log));
	release_check_ima(worker, release);
	return WIRE_OK;
}

static enum wire_status
check_policy(struct worker *worker, struct release *release)
{
	const struct trust *trust = &worker->keeper->trust;
	char why[FACTS_WHY_SIZE];
	char expected[WIRE_PATH_MAX + 32];

	release->view.named = trust->named_claims;
	facts_release_start(worker->common, &release->view, &release->facts);
	for (size_t i = 0; i < release->wanted.count; i++) {
		struct bytes path = release->wanted.secrets[i].path;
		bool allowed = facts_release_allowed(trust->set, trust, worker->facts,
						     &release->facts, path, why);
		snprintf(expected, sizeof(expected), "a permit for %.*s", (int)path.size,
			 (const char *)path.data);
		audit_check(worker, "policy", allowed, expected, why);
		if (!allowed)
			return WIRE_POLICY;
	}
	return WIRE_OK;
}

/* True: `ret_status` is what the caller is told, and where it is WIRE_OK that has been sent. */
static bool
phase_c(struct worker *worker, const struct frame *frame, struct release *release,
	enum wire_status *ret_status)
{
	struct bytes payload;
	enum wire_status status = check_baselines(worker, release);

	if (status == WIRE_OK)
		status = check_policy(worker, release);
	release->moved = false;
	if (status == WIRE_OK)
		status = release_gather(worker, release);
	if (release->moved)
		return false;
	if (status == WIRE_OK)
		status = release_seal(worker, release, &payload);
	*ret_status = status;
	if (status != WIRE_OK)
		return true;
	switch (release_commit(worker, release)) {
	case RELEASE_COMMITTED:
		/* While the shared lock is held: an act's answer comes before it or after it, and
		 * says so. */
		worker_answer(worker, frame->id, WIRE_OK, payload);
		return true;
	case RELEASE_AGAIN:
		return false;
	case RELEASE_STALE:
		audit_check(worker, "quote.clock", false, "not before what was accepted meanwhile",
			    "an earlier boot");
		*ret_status = WIRE_CHALLENGE;
		return true;
	case RELEASE_SUSPENDED:
		audit_check(worker, "identity", false, "admitted", "suspended meanwhile");
		*ret_status = WIRE_IDENTITY;
		return true;
	case RELEASE_BROKEN:
		break;
	}
	*ret_status = worker_refusal(worker);
	return true;
}

static enum wire_status
attempt(struct worker *worker, const struct frame *frame, struct release *release, bool *ret_again)
{
	struct keeper *keeper = worker->keeper;
	enum wire_status status;

	*ret_again = false;
	pthread_rwlock_rdlock(&keeper->lock);
	status = phase_a(worker, release);
	pthread_rwlock_unlock(&keeper->lock);
	if (status == WIRE_OK)
		status = phase_b(worker, release);
	if (status != WIRE_OK)
		return status;
	pthread_rwlock_rdlock(&keeper->lock);
	status = keeper_standing(keeper);
	*ret_again = status == WIRE_OK && (keeper->trust.revision != release->trust_revision ||
					   !phase_c(worker, frame, release, &status));
	pthread_rwlock_unlock(&keeper->lock);
	return status;
}

static enum wire_status
decode(struct worker *worker, const struct frame *frame, struct release *release)
{
	struct wire_release_request *request = &release->request;

	if (!wire_release_request_read(frame->body, request) ||
	    !wanted_read(request->wanted, &release->wanted))
		return WIRE_MALFORMED;
	if (request->event_log.size > ATTEST_EVENTLOG_MAX)
		return WIRE_LIMIT;
	ak_name_of(request->ak_public, release->ak_name);
	transcript_release(BYTES_OF(worker->keeper->keys.release_public), request->challenge,
			   request->recipient_key, request->wanted, release->transcript);
	release->now = unix_now();
	return WIRE_OK;
}

void
handle_release(struct worker *worker, const struct frame *frame)
{
	bool again = true;

	if (!worker->release)
		worker->release = malloc(sizeof(*worker->release));
	struct release *release = worker->release;
	if (!release) {
		worker_answer(worker, frame->id, WIRE_FAILED, (struct bytes){0});
		return;
	}
	*release = (struct release){0};
	enum wire_status status = decode(worker, frame, release);
	if (status != WIRE_OK) {
		worker_answer(worker, frame->id, status, (struct bytes){0});
		return;
	}
	for (size_t i = 0; again && i < RELEASE_ATTEMPTS; i++)
		status = attempt(worker, frame, release, &again);
	if (again) {
		audit_check(worker, "revision", false, "one that stands still",
			    "acts or changes of the secret, one after another");
		status = WIRE_BUSY;
	}
	if (status != WIRE_OK)
		refuse(worker, frame, release, status);
	else
		atomic_fetch_add(&worker->keeper->counters.released, 1);
	ima_rules_drop(release->ima_rules);
	release->ima_rules = NULL;
}
