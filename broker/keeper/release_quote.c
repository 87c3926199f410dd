/* SPDX-License-Identifier: Apache-2.0 */
/* Checks 3 and 4 of a release, and what happens to a machine whose TPM's clock went back. */
#include "release.h"

#include <stdio.h>
#include <string.h>

#define CLOCK_CHECK "quote.clock" /* the verifier's names of it begin so */

static int
clock_compare(const struct attest_clock *a, const struct attest_clock *b)
{
	if (a->reset_count != b->reset_count)
		return a->reset_count < b->reset_count ? -1 : 1;
	if (a->restart_count != b->restart_count)
		return a->restart_count < b->restart_count ? -1 : 1;
	return a->clock < b->clock ? -1 : a->clock > b->clock;
}

/*
 * Two services of one guest may fetch at once, and the later quote may arrive first. An earlier
 * clock proves a rollback only if its challenge was issued after the later one had been accepted;
 * before, it is in order within the same boot and about one challenge's lifetime (twice: the TPM's
 * clock may run up to a third fast or slow). Of an earlier boot it is refused, and no more: a
 * gateway that held a quote back over a reboot must not have the machine suspended by it.
 */
bool
release_clock_fair(const struct worker *worker, const struct release *release,
		   const struct machine_record *record, uint64_t accepted_at)
{
	const struct attest_clock *newest = &record->clock;
	const struct attest_clock *seen = &release->quote.clock;
	uint64_t span = (uint64_t)worker->keeper->options.challenge_lifetime * 2000;

	if (!record->clock_known || clock_compare(seen, newest) >= 0)
		return true;
	return seen->reset_count == newest->reset_count &&
	       seen->restart_count == newest->restart_count &&
	       newest->clock - seen->clock <= span && release->issued <= accepted_at;
}

/* In memory first: if the disk refuses, the machine is still suspended until the keeper ends. */
static void
suspend(struct worker *worker, struct release *release, const struct attest_error *err)
{
	struct machine *machine = release->machine;
	uint8_t memory[MACHINE_RECORD_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	char key[RECORD_KEY_SIZE];
	struct store_batch *batch = worker_batch(worker);
	struct store_error store_err;

	struct json *json = audit_begin(worker, "suspend", release->now);
	audit_machine(worker, machine, release->request.peer);
	out_text(json, "outcome", "suspended");
	out_text(json, "reason", "its TPM's clock went back: rolled back, copied or cleared");
	out_text(json, "expected", err->expected);
	out_text(json, "seen", err->seen);
	audit_end(worker, false, release->trust_revision);
	pthread_mutex_lock(&machine->mutex);
	machine->record.suspended = true;
	snprintf(machine->record.reason, sizeof(machine->record.reason), "%s",
		 "its TPM's clock went back: rolled back, copied or cleared");
	machine_record_write(&w, &machine->record);
	record_machine_key(machine->id, key);
	if (!w.failed && audit_append(worker, batch, machine->id)) {
		store_batch_put(batch, key, store_bytes_of(writer_bytes(&w)));
		if (worker_commit(worker, batch, &store_err) != STORE_OK)
			audit_check(worker, "suspension", false, "durable", store_err.message);
	}
	pthread_mutex_unlock(&machine->mutex);
}

static enum wire_status
refuse_quote(struct worker *worker, const struct attest_error *err)
{
	const char *check = strncmp(err->check, "quote.pcrs", 10) == 0 ? "pcrs" : err->check;

	audit_check(worker, check, false, err->expected, err->seen[0] ? err->seen : err->message);
	return WIRE_QUOTE;
}

/* The clock is compared before the signature is: only what the TPM has signed may suspend its
 * machine. */
static enum wire_status
check_clock(struct worker *worker, struct release *release, struct attest_quote_input *input,
	    const struct attest_error *clock_err)
{
	struct machine_record record;
	struct attest_error err = {0};
	uint64_t accepted_at;

	input->previous = NULL;
	if (attest_quote_verify(input, &release->quote, &err) != ATTEST_OK)
		return refuse_quote(worker, &err);
	machine_snapshot(release->machine, &record, &accepted_at);
	if (release_clock_fair(worker, release, &record, accepted_at))
		return WIRE_OK;
	enum challenge_verdict verdict =
		challenge_consume(worker->keeper->challenges, release->request.challenge);
	if (verdict != CHALLENGE_GOOD) {
		audit_check(worker, "challenge", false, "unused", challenge_verdict_text(verdict));
		return WIRE_CHALLENGE;
	}
	release->consumed = true;
	if (release->issued > accepted_at)
		suspend(worker, release, clock_err);
	return refuse_quote(worker, clock_err);
}

enum wire_status
release_check_quote(struct worker *worker, struct release *release)
{
	struct attest_error err = {0};
	struct attest_quote_input input = {
		.ak = machine_ak(release->machine),
		.message = release->request.quote,
		.signature = release->request.signature,
		.previous = release->record.clock_known ? &release->record.clock : NULL,
		.pcrs = release->request.pcrs,
	};
	enum wire_status status = WIRE_OK;

	if (!input.ak)
		return WIRE_FAILED;
	memcpy(input.qualifying, release->transcript, sizeof(input.qualifying));
	if (attest_quote_verify(&input, &release->quote, &err) != ATTEST_OK) {
		bool clock = strncmp(err.check, CLOCK_CHECK, strlen(CLOCK_CHECK)) == 0;
		status = clock ? check_clock(worker, release, &input, &err)
			       : refuse_quote(worker, &err);
	}
	if (status == WIRE_OK) {
		audit_check(worker, "quote", true, NULL, NULL);
		audit_check(worker, "pcrs", true, NULL, NULL);
	}
	return status;
}
