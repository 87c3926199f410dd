/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list against a quoted PCR 10. Each extension hashes the value before it, so one prefix at most
 * leads to the quoted value: nothing of it can be left out, put in, or put elsewhere. What follows
 * that prefix nobody vouches for, and it is not even read.
 */
#include "attest/error.h"
#include "internal.h"

#include <string.h>

/* Microseconds that verifying may take in one examination, as ima_key.cost has them: whoever sends
 * the list chooses how many signatures there are. Some 40,000 files by P-256, 30,000 by RSA-4096,
 * 4,000 by slow curves. Past it, not all are known to be signed. */
#define COST_MAX 2000000

struct examination {
	const struct attest_ima_input *input;
	struct attest_ima_judge *judge;
	struct hasher hasher;
	size_t size;
	struct attest_ima_list list;
	struct attest_ima_report report;
};

static void
examination_close(struct examination *examination)
{
	attest_ima_judge_free(examination->judge);
	hasher_close(&examination->hasher);
}
#define auto_examination __attribute__((cleanup(examination_close))) struct examination

/* Where to begin. Without something to compare with nothing is known, also not later. */
static void
start(struct examination *e)
{
	const struct attest_ima_input *input = e->input;
	bool sound = input->bank != ATTEST_SHA1;

	e->report = (struct attest_ima_report){
		.listed_known = sound && input->allowed != NULL,
		.signed_known = sound && input->key_count > 0,
	};
	if (input->from != NULL) {
		e->report.point = *input->from;
	} else {
		e->report.point = (struct attest_ima_point){
			.reset_count = input->reset_count,
			.restart_count = input->restart_count,
			.bank = input->bank,
			.all_listed = true,
			.all_signed = true,
		};
	}
	e->report.point.all_listed &= e->report.listed_known;
	e->report.point.all_signed &= e->report.signed_known;
}

/* Violations are of files, but say of which in vain: with one, not all are known. */
static void
conclude(struct attest_ima_point *point, const struct attest_ima_verdict *verdict)
{
	switch (verdict->kind) {
	case ATTEST_IMA_AGGREGATE:
		return;
	case ATTEST_IMA_BUFFER: /* no file, if its digest can be trusted to say so */
		point->all_listed &= verdict->sound;
		point->all_signed &= verdict->sound;
		return;
	case ATTEST_IMA_UNREADABLE:
	case ATTEST_IMA_VIOLATION:
		point->all_listed = false;
		point->all_signed = false;
		return;
	case ATTEST_IMA_FILE:
		point->all_listed &= verdict->listed;
		point->all_signed &= verdict->signature == ATTEST_IMA_SIGNATURE_GOOD;
		return;
	}
}

static enum attest_status
count_entry(struct examination *e, const struct attest_ima_entry *entry, struct attest_error *err)
{
	struct attest_ima_point *point = &e->report.point;
	struct attest_ima_verdict verdict;
	bool first = e->input->from == NULL && entry->number == 0;

	if (!ima_extend(&e->hasher, point->pcr, e->size, entry))
		return attest_fail_memory(err);
	point->entries++;
	point->violations += entry->violation;
	point->all_signed &= ima_judge_cost(e->judge) < COST_MAX;
	if (!first && !point->all_listed && !point->all_signed)
		return ATTEST_OK;
	enum attest_status status =
		ima_judge_content(e->judge, entry, first, point->all_signed, &verdict, err);
	if (status != ATTEST_OK)
		return status;
	if (verdict.kind == ATTEST_IMA_AGGREGATE)
		e->report.boot_aggregate = ima_aggregate_matches(entry, e->input->boot);
	conclude(point, &verdict);
	return ATTEST_OK;
}

static bool
arrived(const struct examination *e)
{
	return memcmp(e->report.point.pcr, e->input->quoted.data, e->size) == 0;
}

static enum attest_status
run(struct examination *e, struct bytes list, struct attest_error *err)
{
	struct attest_ima_entry entry;
	bool end = false;

	start(e);
	if (arrived(e) && e->input->from == NULL && list.size > 0)
		return attest_fail(err, ATTEST_REFUSED, "ima.pcr",
				   "PCR 10 was never extended: nothing of this list was measured");
	e->list.reader = reader_of(list);
	if (!arrived(e)) {
		enum attest_status status = attest_ima_open(list, &e->list, err);
		if (status != ATTEST_OK)
			return status;
	}
	while (!arrived(e)) {
		enum attest_status status = attest_ima_next(&e->list, &entry, &end, err);
		if (status != ATTEST_OK)
			return status;
		if (end)
			return attest_differs(err, ATTEST_REFUSED, "ima.pcr", e->input->quoted,
					      (struct bytes){e->report.point.pcr, e->size},
					      "no prefix of the IMA list leads to PCR 10");
		if (entry.pcr != ATTEST_IMA_PCR) {
			e->report.other_pcrs++;
			continue;
		}
		status = count_entry(e, &entry, err);
		if (status != ATTEST_OK)
			return status;
	}
	e->report.dropped = e->list.reader.left;
	e->report.point.offset += list.size - e->list.reader.left;
	return ATTEST_OK;
}

/* The list from the point on, where it is whole, and else as it is. */
static enum attest_status
run_on(struct examination *e, struct attest_error *err)
{
	const struct attest_ima_input *input = e->input;
	struct reader r = reader_of(input->list);

	if (input->from == NULL)
		return run(e, input->list, err);
	if (input->from->offset > 0 && input->from->offset <= input->list.size) {
		(void)read_bytes(&r, (size_t)input->from->offset);
		enum attest_status status = run(e, read_bytes(&r, r.left), err);
		if (status == ATTEST_OK || status == ATTEST_MEMORY)
			return status;
	}
	return run(e, input->list, err);
}

static enum attest_status
check_input(const struct attest_ima_input *input, struct attest_error *err)
{
	const struct attest_ima_point *from = input->from;

	if (input->list.size > ATTEST_IMA_MAX)
		return attest_fail(err, ATTEST_LIMIT, "ima.size",
				   "IMA list of %zu bytes, at most %d", input->list.size,
				   ATTEST_IMA_MAX);
	if (input->quoted.size != attest_bank_size(input->bank))
		return attest_fail(err, ATTEST_MALFORMED, "ima.quoted",
				   "a value of %zu bytes is none of %s", input->quoted.size,
				   attest_bank_name(input->bank));
	if (from != NULL && (from->bank != input->bank || from->reset_count != input->reset_count ||
			     from->restart_count != input->restart_count))
		return attest_fail(err, ATTEST_REFUSED, "ima.point",
				   "the point to go on from is of another boot, or another bank");
	return ATTEST_OK;
}

enum attest_status
attest_ima_examine(const struct attest_ima_input *input, struct attest_ima_report *ret_report,
		   struct attest_error *err)
{
	auto_examination examination = {.input = input};
	enum attest_status status = check_input(input, err);

	if (status == ATTEST_OK)
		status = attest_ima_judge_new(input->allowed, input->keys, input->key_count,
					      &examination.judge, err);
	if (status != ATTEST_OK)
		return status;
	examination.size = attest_bank_size(input->bank);
	if (!hasher_open(&examination.hasher, attest_bank_name(input->bank)))
		return attest_fail_memory(err);
	status = run_on(&examination, err);
	if (status == ATTEST_OK)
		*ret_report = examination.report;
	return status;
}

void
attest_ima_claims(const struct attest_ima_report *report, struct attest_claims *claims)
{
	const struct attest_ima_point *point = &report->point;

	/* A claim that does not fit is left out: it was then not proved. */
	(void)attest_claim_number(claims, CLAIM_IMA_ENTRIES, point->entries);
	(void)attest_claim_number(claims, CLAIM_IMA_VIOLATIONS, point->violations);
	if (point->entries > 0 && report->listed_known)
		(void)attest_claim_boolean(claims, CLAIM_IMA_ALL_LISTED, point->all_listed);
	if (point->entries > 0 && report->signed_known)
		(void)attest_claim_boolean(claims, CLAIM_IMA_ALL_SIGNED, point->all_signed);
}
