/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy-check: what a proposed policy would change, decided on what is recorded of every admitted
 * machine (its newest quoted PCR values and claims) and every secret. Of a machine whose record
 * leaves out a claim that a policy names, nothing is said but that there is one. Whoever may only
 * read may ask it, with a text of his own that is slow to decide: so it is bounded, and lets the
 * lock go again and again, or he could hold up revocations, and behind those all releases.
 */
#include "operations.h"

#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX   20000 /* decisions on machine and secret, each made twice */
#define CHANGES_MAX 1000
#define SECRETS_MAX 2000
#define SLICE_MS    20 /* that the shared lock is held at a stretch */
#define TIME_MAX_MS 5000

struct paths {
	char (*paths)[WIRE_PATH_MAX + 1];
	size_t count;
	bool truncated;
};

struct comparison {
	struct worker *worker;
	struct operation_call *call;
	const struct policy_set *proposed;
	struct paths paths;
	size_t pairs;
	size_t machines;
	size_t changes;
	size_t unsure; /* machines whose claims are not all kept, and a policy names one that is not
			*/
	uint64_t named; /* claims, by either set */
	bool truncated;
	uint64_t started; /* on the clock of challenges_now, like the next */
	uint64_t slice_began;
	uint64_t revision; /* of the trust that all of it is decided on */
	bool moved;	   /* that is no longer the one in force: nothing of it may be touched */
};

static bool
collect_path(void *user, const char *key, uint64_t revision)
{
	struct paths *paths = user;
	const char *path = key + strlen("secret/");

	(void)revision;
	if (paths->count == SECRETS_MAX) {
		paths->truncated = true;
		return false;
	}
	if (strlen(path) <= WIRE_PATH_MAX)
		memcpy(paths->paths[paths->count++], path, strlen(path) + 1);
	return true;
}

/* Between two decisions: an act that waits has its turn. False: no more of them. */
static bool
go_on(struct comparison *comparison)
{
	struct keeper *keeper = comparison->worker->keeper;
	uint64_t now = challenges_now(keeper->challenges);

	if (comparison->pairs == PAIRS_MAX || now - comparison->started > TIME_MAX_MS) {
		comparison->truncated = true;
		return false;
	}
	if (now - comparison->slice_began < SLICE_MS)
		return true;
	pthread_rwlock_unlock(&keeper->lock);
	pthread_rwlock_rdlock(&keeper->lock);
	comparison->slice_began = challenges_now(keeper->challenges);
	comparison->moved = keeper->trust.revision != comparison->revision;
	return !comparison->moved;
}

static void
compare_one(struct comparison *comparison, const struct release_view *view,
	    const struct release_facts *facts, const char *path)
{
	struct worker *worker = comparison->worker;
	const struct trust *trust = &worker->keeper->trust;
	struct json *json = &worker->text;
	struct bytes text = text_bytes(path);
	char why[FACTS_WHY_SIZE];

	bool before = facts_release_allowed(trust->set, NULL, worker->facts, facts, text, why);
	bool after =
		facts_release_allowed(comparison->proposed, NULL, worker->facts, facts, text, why);
	comparison->pairs++;
	if (before == after)
		return;
	if (comparison->changes == CHANGES_MAX) {
		comparison->truncated = true;
		return;
	}
	comparison->changes++;
	out_object(json, NULL);
	out_text(json, "machine", view->machine->id);
	out_text(json, "name", view->machine->name[0] ? view->machine->name : NULL);
	out_text(json, "path", path);
	out_text(json, "before", before ? "permit" : "deny");
	out_text(json, "after", after ? "permit" : "deny");
	out_object_end(json);
}

/* Everything that the policies may ask of this machine's claims is known. */
static bool
know_claims(struct comparison *comparison, struct release_view *view)
{
	struct claims_record claims;

	if (!operation_claims(comparison->worker, view->machine->id, view->record, &claims) ||
	    memcmp(claims.hash, view->record->claims, sizeof(claims.hash)) != 0)
		return false;
	for (size_t i = 0; i < claims.left_out_count; i++) {
		if (facts_claim_is_named(comparison->named, claims.left_out[i]))
			return false;
	}
	view->claims = claims.kept;
	return true;
}

static void
compare_machine(struct comparison *comparison, struct machine *machine)
{
	const struct trust *trust = &comparison->worker->keeper->trust;
	struct machine_record record;
	struct release_view view = {
		.machine = machine, .record = &record, .now = comparison->call->now};
	struct release_facts facts;

	if (!go_on(comparison))
		return;
	machine_snapshot(machine, &record, NULL);
	if (!machine->enrolled ||
	    trust_machine_state(trust, machine, &record, NULL) != MACHINE_ADMITTED)
		return;
	comparison->machines++;
	view.log = record.log;
	view.ima = record.ima;
	view.named = comparison->named;
	if (!facts_match_baselines(trust, record.pcrs[0], &view))
		return;
	if (!know_claims(comparison, &view)) {
		comparison->unsure++;
		return;
	}
	facts_release_start(comparison->worker->common, &view, &facts);
	for (size_t i = 0; i < comparison->paths.count; i++) {
		if (!go_on(comparison))
			return;
		compare_one(comparison, &view, &facts, comparison->paths.paths[i]);
	}
}

static void
compare_all(struct comparison *comparison)
{
	const struct trust *trust = &comparison->worker->keeper->trust;
	struct json *json = operation_text(comparison->worker);

	out_number(json, "policies", policy_set_count(comparison->proposed));
	out_array(json, "changes");
	for (size_t i = 0; i < trust->machine_count && !comparison->moved && !comparison->truncated;
	     i++)
		compare_machine(comparison, trust->machines[i]);
	out_array_end(json);
	out_number(json, "machines", comparison->machines);
	out_number(json, "unsure", comparison->unsure);
	out_boolean(json, "truncated", comparison->truncated || comparison->paths.truncated);
	out_object_end(json);
}

static enum operation_outcome
refuse(struct worker *worker, enum operation_outcome outcome, const struct act_change *change)
{
	return operation_error(worker, outcome, "%s",
			       change->problem_count ? change->problems[0] : "?");
}

enum operation_outcome
operation_policy_check(struct worker *worker, struct operation_call *call)
{
	struct keeper *keeper = worker->keeper;
	auto_change change = {0};
	struct comparison comparison = {
		.worker = worker,
		.call = call,
		.started = challenges_now(keeper->challenges),
		.revision = keeper->trust.revision,
	};
	struct store_error err;

	enum operation_outcome outcome =
		act_policies_with(&keeper->trust, call->request.fields[FIELD_NAME],
				  call->request.fields[FIELD_POLICY], call->request.operator_name,
				  keeper->trust.revision + 1, &change);
	if (outcome != OUTCOME_OK)
		return refuse(worker, outcome, &change);
	comparison.proposed = change.set;
	comparison.named = keeper->trust.named_claims | facts_claims_named(change.set);
	comparison.slice_began = comparison.started;
	comparison.paths.paths = calloc(SECRETS_MAX, WIRE_PATH_MAX + 1);
	if (!comparison.paths.paths)
		return operation_error(worker, OUTCOME_FAILED, "no memory");
	enum store_status status =
		store_list(keeper->store, "secret/", NULL, collect_path, &comparison.paths, &err);
	if (status == STORE_OK)
		compare_all(&comparison);
	free(comparison.paths.paths);
	if (comparison.moved)
		return operation_error(worker, OUTCOME_STALE, "an act came between: ask again");
	return status == STORE_OK
		       ? OUTCOME_OK
		       : operation_error(worker, OUTCOME_FAILED, "the store cannot be listed");
}
