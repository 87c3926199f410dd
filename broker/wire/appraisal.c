/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an appraiser answers: the only message from a process that reads what guests made and that
 * the keeper acts on. Every number is bounded and every text is plain ASCII, whatever the
 * appraiser has become.
 *
 *   log:u8 || chain:u8 || cloud:u8 || ima:u8 || report, where log is verified || chain fields,
 * where chain is || chain fields, where cloud is || IMA report, where ima is || lp(log error) ||
 *       lp(chain error) || lp(cloud error) || lp(IMA error)
 *   report = event_count:u32 || pcr:u8 * 16 || replays:u8 || lp(claims)
 *   claims = of the log alone: what the IMA report comes to, the keeper adds itself
 *   IMA report = progress (ima.h) || dropped:u64 || other_pcrs:u64 || listed_known:u8 ||
 *       signed_known:u8 || boot_aggregate:u8
 *   chain fields = ca_count:u8 || ca_id:32 * ca_count || link_count:u8 || link:32 * link_count ||
 *       lp(manufacturer) || lp(model) || lp(version) || expires:u64 || 0:u8 || or 1:u8 || instance
 *   instance = lp(zone) || lp(project) || project_number:u64 || number:u64 || lp(name)
 */
#include "ima.h"
#include "message.h"

#include "text.h"

#include <string.h>

/* Texts from certificates and logs are shown to operators: what is not plain becomes '?'. */
static void
write_text(struct writer *w, const char *text, size_t capacity)
{
	size_t size = strnlen(text, capacity - 1);
	write_be32(w, (uint32_t)size);
	for (size_t i = 0; i < size; i++) {
		const uint8_t byte = (uint8_t)text[i];
		write_u8(w, text_plain((struct bytes){&byte, 1}) ? byte : '?');
	}
}

static void
read_text(struct reader *r, char *ret_text, size_t capacity)
{
	struct bytes text = read_lp(r, capacity - 1);
	if (!text_plain(text)) {
		reader_fail(r);
		return;
	}
	if (text.size > 0)
		memcpy(ret_text, text.data, text.size);
	ret_text[text.size] = '\0';
}

static bool
read_flag(struct reader *r)
{
	return read_count(r, read_u8(r), 1) == 1;
}

static void
write_report(struct writer *w, const struct attest_report *report)
{
	write_be32(w, report->event_count);
	for (size_t i = 0; i < ATTEST_PCR_COUNT; i++)
		write_u8(w, (uint8_t)report->pcrs[i]);
	write_u8(w, report->replays);
	write_lp(w, (struct bytes){report->claims.encoded, report->claims.size});
}

static bool
claims_of_log(struct bytes claims)
{
	struct reader r = reader_of(claims);
	struct attest_claim claim;

	while (attest_claim_next(&r, &claim)) {
		if (claim.rule->id >= CLAIM_IMA_ENTRIES)
			return false;
	}
	return true;
}

static void
read_report(struct reader *r, struct attest_report *ret_report)
{
	ret_report->event_count = read_be32(r);
	for (size_t i = 0; i < ATTEST_PCR_COUNT; i++)
		ret_report->pcrs[i] =
			(enum attest_pcr_verdict)read_count(r, read_u8(r), ATTEST_PCR_PREFIX);
	ret_report->replays = read_count(r, read_u8(r), 1) == 1;
	struct bytes claims = read_lp(r, ATTEST_CLAIMS_MAX);
	if (!attest_claims_valid(claims) || !claims_of_log(claims))
		reader_fail(r);
	else if (claims.size > 0)
		memcpy(ret_report->claims.encoded, claims.data, claims.size);
	ret_report->claims.size = claims.size;
}

static void
write_instance(struct writer *w, const struct attest_instance *instance)
{
	write_u8(w, instance->known);
	if (!instance->known)
		return;
	write_text(w, instance->zone, sizeof(instance->zone));
	write_text(w, instance->project, sizeof(instance->project));
	write_be64(w, instance->project_number);
	write_be64(w, instance->number);
	write_text(w, instance->name, sizeof(instance->name));
}

static void
read_instance(struct reader *r, struct attest_instance *ret_instance)
{
	ret_instance->known = read_flag(r);
	if (!ret_instance->known)
		return;
	read_text(r, ret_instance->zone, sizeof(ret_instance->zone));
	read_text(r, ret_instance->project, sizeof(ret_instance->project));
	ret_instance->project_number = read_be64(r);
	ret_instance->number = read_be64(r);
	read_text(r, ret_instance->name, sizeof(ret_instance->name));
}

static void
write_ids(struct writer *w, const uint8_t (*ids)[ATTEST_HASH_SIZE], uint32_t count)
{
	write_u8(w, (uint8_t)count);
	for (uint32_t i = 0; i < count; i++)
		write_bytes(w, BYTES_OF(ids[i]));
}

static uint32_t
read_ids(struct reader *r, uint32_t max, uint8_t (*ret_ids)[ATTEST_HASH_SIZE])
{
	uint32_t count = read_count(r, read_u8(r), max);

	for (uint32_t i = 0; i < count; i++)
		read_copy(r, ret_ids[i], ATTEST_HASH_SIZE);
	return count;
}

static void
write_chain(struct writer *w, const struct attest_chain *chain)
{
	if (chain->ca_count > ATTEST_CHAIN_MAX || chain->link_count > ATTEST_LINKS_MAX ||
	    chain->expires < 0) {
		w->failed = true;
		return;
	}
	write_ids(w, chain->ca_ids, chain->ca_count);
	write_ids(w, chain->links, chain->link_count);
	write_text(w, chain->manufacturer, sizeof(chain->manufacturer));
	write_text(w, chain->model, sizeof(chain->model));
	write_text(w, chain->version, sizeof(chain->version));
	write_be64(w, (uint64_t)chain->expires);
	write_instance(w, &chain->instance);
}

static void
read_chain(struct reader *r, struct attest_chain *ret_chain)
{
	ret_chain->ca_count = read_ids(r, ATTEST_CHAIN_MAX, ret_chain->ca_ids);
	ret_chain->link_count = read_ids(r, ATTEST_LINKS_MAX, ret_chain->links);
	read_text(r, ret_chain->manufacturer, sizeof(ret_chain->manufacturer));
	read_text(r, ret_chain->model, sizeof(ret_chain->model));
	read_text(r, ret_chain->version, sizeof(ret_chain->version));
	uint64_t expires = read_be64(r);
	if (expires > INT64_MAX)
		reader_fail(r);
	ret_chain->expires = (int64_t)expires;
	read_instance(r, &ret_chain->instance);
}

/* ---- IMA ---- */

void
wire_ima_progress_write(struct writer *w, const struct attest_ima_point *point)
{
	write_be64(w, point->offset);
	write_be64(w, point->entries);
	write_be64(w, point->violations);
	write_u8(w, point->all_listed);
	write_u8(w, point->all_signed);
}

uint64_t
wire_ima_number_read(struct reader *r)
{
	uint64_t number = read_be64(r);

	if (number > INT64_MAX)
		reader_fail(r);
	return number;
}

void
wire_ima_progress_read(struct reader *r, struct attest_ima_point *point)
{
	point->offset = wire_ima_number_read(r);
	point->entries = wire_ima_number_read(r);
	point->violations = wire_ima_number_read(r);
	point->all_listed = read_flag(r);
	point->all_signed = read_flag(r);
	if (point->violations > point->entries)
		reader_fail(r);
}

static void
write_ima_report(struct writer *w, const struct attest_ima_report *report)
{
	wire_ima_progress_write(w, &report->point);
	write_be64(w, report->dropped);
	write_be64(w, report->other_pcrs);
	write_u8(w, report->listed_known);
	write_u8(w, report->signed_known);
	write_u8(w, (uint8_t)report->boot_aggregate);
}

static void
read_ima_report(struct reader *r, struct attest_ima_report *ret_report)
{
	wire_ima_progress_read(r, &ret_report->point);
	ret_report->point.bank = ATTEST_SHA256;
	ret_report->dropped = wire_ima_number_read(r);
	ret_report->other_pcrs = wire_ima_number_read(r);
	ret_report->listed_known = read_flag(r);
	ret_report->signed_known = read_flag(r);
	ret_report->boot_aggregate = (enum attest_answer)read_count(r, read_u8(r), ATTEST_YES);
}

/* ---- all of it ---- */

void
wire_appraisal_write(struct writer *w, const struct wire_appraisal *message)
{
	write_u8(w, (uint8_t)message->log);
	write_u8(w, (uint8_t)message->chain);
	write_u8(w, (uint8_t)message->cloud);
	write_u8(w, (uint8_t)message->ima);
	if (message->log == WIRE_VERIFIED)
		write_report(w, &message->report);
	if (message->chain == WIRE_VERIFIED)
		write_chain(w, &message->ek_chain);
	if (message->cloud == WIRE_VERIFIED)
		write_chain(w, &message->cloud_chain);
	if (message->ima == WIRE_VERIFIED)
		write_ima_report(w, &message->ima_report);
	write_text(w, message->log_error, sizeof(message->log_error));
	write_text(w, message->chain_error, sizeof(message->chain_error));
	write_text(w, message->cloud_error, sizeof(message->cloud_error));
	write_text(w, message->ima_error, sizeof(message->ima_error));
}

bool
wire_appraisal_read(struct bytes body, struct wire_appraisal *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_appraisal message = {0};
	message.log = (enum wire_verdict)read_count(&r, read_u8(&r), WIRE_VERIFIED);
	message.chain = (enum wire_verdict)read_count(&r, read_u8(&r), WIRE_VERIFIED);
	message.cloud = (enum wire_verdict)read_count(&r, read_u8(&r), WIRE_VERIFIED);
	message.ima = (enum wire_verdict)read_count(&r, read_u8(&r), WIRE_VERIFIED);
	if (message.log == WIRE_VERIFIED)
		read_report(&r, &message.report);
	if (message.chain == WIRE_VERIFIED)
		read_chain(&r, &message.ek_chain);
	if (message.cloud == WIRE_VERIFIED)
		read_chain(&r, &message.cloud_chain);
	if (message.ima == WIRE_VERIFIED)
		read_ima_report(&r, &message.ima_report);
	read_text(&r, message.log_error, sizeof(message.log_error));
	read_text(&r, message.chain_error, sizeof(message.chain_error));
	read_text(&r, message.cloud_error, sizeof(message.cloud_error));
	read_text(&r, message.ima_error, sizeof(message.ima_error));
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}
