/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Examines what guests made: event logs of admitted machines, and certificates and log of an
 * enrolment. Holds nothing worth stealing, can open nothing, and its answers are claims, never
 * decisions.
 */
#include "supervisor/role.h"
#include "wire/message.h"

#include <string.h>
#include <sys/resource.h>

#define ANSWER_SIZE (4096 + ATTEST_CLAIMS_MAX)
/* Several times what the largest log and chain took; an appraiser beyond them has been taken over
 * by its input. */
#define MEMORY_MAX   (512UL * 1024 * 1024)
#define ONCE_SECONDS 8 /* of CPU: an enrolment's or a large list's appraiser does nothing else */

static const struct settings_key keys[] = {
	{"once", false, false},
	{NULL, false, false},
};

static void
examine_log(struct bytes log, struct bytes pcrs, struct wire_appraisal *appraisal)
{
	if (log.size == 0)
		return;
	struct attest_pcrs quoted;
	struct attest_error err = {0};
	attest_pcrs_of_quote(pcrs, &quoted);
	if (attest_eventlog_examine(log, &quoted, &appraisal->report, &err) == ATTEST_OK) {
		appraisal->log = WIRE_VERIFIED;
		return;
	}
	appraisal->log = WIRE_REFUSED;
	memcpy(appraisal->log_error, err.message, sizeof(appraisal->log_error));
}

/* PCR 10 at the time of the quote; the values that precede it are those of the boot. */
static void
examine_ima(const struct wire_examine_log *request, struct wire_appraisal *appraisal)
{
	if (request->ima == WIRE_IMA_NONE)
		return;
	struct attest_pcrs quoted;
	struct attest_error err = {0};
	attest_pcrs_of_quote(request->pcrs, &quoted);
	const struct attest_ima_allowed allowed = {request->allowed};
	const struct attest_ima_input input = {
		.list = request->ima_log,
		.bank = ATTEST_SHA256,
		.quoted = {quoted.values[ATTEST_IMA_PCR], ATTEST_HASH_SIZE},
		.from = request->ima == WIRE_IMA_REST ? &request->from : NULL,
		.allowed = request->allowed.size > 0 ? &allowed : NULL,
		.keys = request->keys,
		.key_count = request->key_count,
		.boot = &quoted,
	};
	if (attest_ima_examine(&input, &appraisal->ima_report, &err) == ATTEST_OK) {
		appraisal->ima = WIRE_VERIFIED;
		return;
	}
	appraisal->ima = WIRE_REFUSED;
	memcpy(appraisal->ima_error, err.message, sizeof(appraisal->ima_error));
}

/* What both chains of an enrolment rest on. */
static struct attest_trust
trust_of(const struct wire_examine_enrolment *request)
{
	return (struct attest_trust){.anchors = request->anchors,
				     .anchor_count = request->anchor_count,
				     .crls = request->crls,
				     .crl_count = request->crl_count,
				     .stale_crls = request->stale_crls,
				     .now = request->now};
}

static void
examine_cloud(const struct wire_examine_enrolment *request, struct wire_appraisal *appraisal)
{
	const struct wire_cloud *cloud = &request->cloud;

	if (!cloud->sent)
		return;
	const struct attest_trust trust = trust_of(request);
	struct attest_error err = {0};
	struct attest_ak *ak = NULL;
	enum attest_status status = attest_ak_decode(request->ak_public, &ak, &err);
	if (status == ATTEST_OK) {
		struct attest_cloud_input input = {.ak = ak,
						   .cloud_public = cloud->public_area,
						   .certificates = cloud->certificates,
						   .certificate_count = cloud->certificate_count,
						   .message = cloud->message,
						   .signature = cloud->signature};
		memcpy(input.qualifying, request->transcript.data, sizeof(input.qualifying));
		status = attest_cloud_verify(&input, &trust, &appraisal->cloud_chain, &err);
	}
	attest_ak_free(ak);
	appraisal->cloud = status == ATTEST_OK ? WIRE_VERIFIED : WIRE_REFUSED;
	if (status != ATTEST_OK)
		memcpy(appraisal->cloud_error, err.message, sizeof(appraisal->cloud_error));
}

static void
examine_chain(const struct wire_examine_enrolment *request, struct wire_appraisal *appraisal)
{
	if (request->certificate_count == 0)
		return;
	struct attest_error err = {0};
	struct attest_ek *ek = NULL;
	enum attest_status status = attest_ek_decode(request->ek_public, &ek, &err);
	const struct attest_trust trust = trust_of(request);
	if (status == ATTEST_OK)
		status = attest_chain_verify(ek, request->certificates, request->certificate_count,
					     &trust, &appraisal->ek_chain, &err);
	attest_ek_free(ek);
	appraisal->chain = status == ATTEST_OK ? WIRE_VERIFIED : WIRE_REFUSED;
	if (status != ATTEST_OK)
		memcpy(appraisal->chain_error, err.message, sizeof(appraisal->chain_error));
}

/* False: not a frame of the keeper's. */
static bool
examine(const struct frame *frame, struct wire_appraisal *ret_appraisal)
{
	struct wire_appraisal appraisal = {0};
	struct wire_examine_log log;
	struct wire_examine_enrolment enrolment;
	if (frame->type == FRAME_EXAMINE_LOG && wire_examine_log_read(frame->body, &log)) {
		examine_log(log.event_log, log.pcrs, &appraisal);
		examine_ima(&log, &appraisal);
	} else if (frame->type == FRAME_EXAMINE_ENROLMENT &&
		   wire_examine_enrolment_read(frame->body, &enrolment)) {
		examine_log(enrolment.event_log, enrolment.pcrs, &appraisal);
		examine_chain(&enrolment, &appraisal);
		examine_cloud(&enrolment, &appraisal);
	} else {
		return false;
	}
	*ret_appraisal = appraisal;
	return true;
}

static bool
answer(uint64_t id, const struct wire_appraisal *appraisal)
{
	uint8_t memory[ANSWER_SIZE];
	struct writer w = writer_of(memory, sizeof(memory));
	wire_appraisal_write(&w, appraisal);
	if (w.failed)
		return false;
	const struct frame frame = {
		.type = FRAME_APPRAISED,
		.id = id,
		.body = writer_bytes(&w),
		.descriptor = -1,
	};
	return channel_send(APPRAISER_KEEPER_CHANNEL, &frame) == CHANNEL_OK;
}

static int
serve(bool once)
{
	struct frame_buffer buffer = {0};
	int status = ROLE_EXIT_FAILED;
	for (;;) {
		struct frame frame = {.descriptor = -1};
		struct wire_appraisal appraisal;
		if (channel_receive(APPRAISER_KEEPER_CHANNEL, &buffer, &frame) != CHANNEL_OK) {
			status = ROLE_EXIT_ORPHANED;
			break;
		}
		if (frame.descriptor >= 0 || !examine(&frame, &appraisal)) {
			role_complain("the keeper sent what is not a question");
			break;
		}
		if (!answer(frame.id, &appraisal)) {
			role_complain("an answer could not be sent");
			break;
		}
		if (once) {
			status = ROLE_EXIT_OK;
			break;
		}
	}
	frame_buffer_clear(&buffer);
	return status;
}

static bool
limit_resources(bool once)
{
	const struct rlimit seconds = {ONCE_SECONDS, ONCE_SECONDS};
	if (once && setrlimit(RLIMIT_CPU, &seconds) < 0)
		return false;
#ifndef POSTERN_SANITIZED /* whose shadow memory is terabytes of address space */
	const struct rlimit memory = {MEMORY_MAX, MEMORY_MAX};
	if (setrlimit(RLIMIT_AS, &memory) < 0)
		return false;
#endif
	return true;
}

int
appraiser_main(void)
{
	auto_settings *settings = role_begin(keys);
	if (settings == NULL)
		return ROLE_EXIT_FAILED;
	bool once = settings_get(settings, "once", 0) != NULL;
	if (!limit_resources(once)) {
		role_complain("cannot limit its resources");
		return ROLE_EXIT_FAILED;
	}
	if (!role_confine(ROLE_APPRAISER) || !role_ready())
		return ROLE_EXIT_FAILED;
	return serve(once);
}
