/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_codecs.h"

#include "wire/operation.h"

#include <string.h>

/* Bytes that differ from place to place, so that a mixed up field shows. */
static const uint8_t pool[512] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

static struct bytes
piece(size_t offset, size_t size)
{
	return (struct bytes){pool + offset, size};
}

static struct bytes
word(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

#define RECODE(name)                                                                               \
	static bool recode_##name(struct bytes encoded, struct writer *w)                          \
	{                                                                                          \
		static struct wire_##name message;                                                 \
		if (!wire_##name##_read(encoded, &message))                                        \
			return false;                                                              \
		wire_##name##_write(w, &message);                                                  \
		return true;                                                                       \
	}
RECODE(challenge_request)
RECODE(release_request)
RECODE(enroll_request)
RECODE(activate_request)
RECODE(operator_challenge_request)
RECODE(operator_request)
RECODE(answer)
RECODE(challenge_answer)
RECODE(release_answer)
RECODE(enroll_answer)
RECODE(activate_answer)
RECODE(operator_challenge_answer)
RECODE(operator_answer)
RECODE(health)
RECODE(examine_log)
RECODE(examine_enrolment)
RECODE(appraisal)

static bool
recode_wanted(struct bytes encoded, struct writer *w)
{
	static struct wanted wanted;
	if (!wanted_read(encoded, &wanted))
		return false;
	wanted_write(w, &wanted);
	return true;
}

static bool
recode_release_body(struct bytes encoded, struct writer *w)
{
	static struct release_body body;
	if (!release_body_read(encoded, &body))
		return false;
	release_body_write(w, &body);
	return true;
}

static bool
recode_operation_request(struct bytes encoded, struct writer *w)
{
	struct operation_request request;
	const char *problem = NULL;
	if (!operation_request_read(encoded, &request, &problem)) {
		if (problem == NULL || problem[0] == '\0')
			__builtin_trap(); /* a refusal without a reason */
		return false;
	}
	operation_request_write(w, &request);
	return true;
}

static bool
recode_operation_answer(struct bytes encoded, struct writer *w)
{
	struct operation_answer answer;
	if (!operation_answer_read(encoded, &answer))
		return false;
	operation_answer_write(w, &answer);
	return true;
}

#define RECODE_FIELD(name)                                                                         \
	static bool recode_##name(struct bytes encoded, struct writer *w)                          \
	{                                                                                          \
		static struct name field;                                                          \
		if (!name##_read(encoded, &field))                                                 \
			return false;                                                              \
		name##_write(w, &field);                                                           \
		return true;                                                                       \
	}
RECODE_FIELD(name_list)
RECODE_FIELD(pcr_values)
RECODE_FIELD(version_list)
RECODE_FIELD(secret_settings)
RECODE_FIELD(custom_metadata)

/* ---- samples ---- */

static void
sample_challenge_request(struct writer *w)
{
	const struct wire_challenge_request message = {WIRE_EVIDENCE_TPM2, piece(0, 90)};
	wire_challenge_request_write(w, &message);
}

static void
sample_release_request(struct writer *w)
{
	const struct wire_release_request message = {
		.challenge = piece(1, WIRE_CHALLENGE_SIZE),
		.ak_public = piece(2, 88),
		.recipient_key = piece(3, WIRE_KEY_SIZE),
		.wanted = piece(4, 20),
		.quote = piece(5, 145),
		.signature = piece(6, 72),
		.pcrs = piece(0, WIRE_PCRS_SIZE),
		.event_log = piece(7, 33),
		.ima_log = piece(8, 11),
		.ima_offset = 4711,
		.peer = word("[2001:db8::1]:4711"),
	};
	wire_release_request_write(w, &message);
}

static void
sample_enroll_request(struct writer *w)
{
	const struct wire_enroll_request message = {piece(0, 310), piece(1, 88)};
	wire_enroll_request_write(w, &message);
}

static struct wire_cloud
sample_cloud(void)
{
	return (struct wire_cloud){.sent = true,
				   .public_area = piece(10, 90),
				   .certificate_count = 2,
				   .certificates = {piece(11, 33), piece(12, 34)},
				   .message = piece(13, 150),
				   .signature = piece(14, 70)};
}

static void
sample_activate_request(struct writer *w)
{
	const struct wire_activate_request message = {
		.challenge = piece(1, WIRE_CHALLENGE_SIZE),
		.proof = piece(2, WIRE_KEY_SIZE),
		.ek_public = piece(3, 310),
		.ak_public = piece(4, 88),
		.certificate_count = 2,
		.certificates = {piece(5, 40), piece(6, 41)},
		.cloud = sample_cloud(),
		.quote = piece(7, 145),
		.signature = piece(8, 72),
		.pcrs = piece(0, WIRE_PCRS_SIZE),
		.event_log = piece(9, 9),
		.peer = word("192.0.2.1:80"),
	};
	wire_activate_request_write(w, &message);
}

static void
sample_operator_challenge_request(struct writer *w)
{
	const struct wire_operator_challenge_request message = {word("alice")};
	wire_operator_challenge_request_write(w, &message);
}

static void
sample_operator_request(struct writer *w)
{
	const struct wire_operator_request message = {piece(0, 99), piece(1, WIRE_SIGNATURE_SIZE),
						      word("192.0.2.1:80")};
	wire_operator_request_write(w, &message);
}

static void
sample_answer(struct writer *w)
{
	const struct wire_answer message = {WIRE_OK, piece(0, 60)};
	wire_answer_write(w, &message);
}

static void
sample_challenge_answer(struct writer *w)
{
	const struct wire_challenge_answer message = {piece(0, WIRE_CHALLENGE_SIZE), 60,
						      piece(1, WIRE_KEY_SIZE)};
	wire_challenge_answer_write(w, &message);
}

static void
sample_enroll_answer(struct writer *w)
{
	const struct wire_enroll_answer message = {piece(0, WIRE_CHALLENGE_SIZE), 60, piece(1, 68),
						   piece(2, 256), piece(3, WIRE_KEY_SIZE)};
	wire_enroll_answer_write(w, &message);
}

static void
sample_activate_answer(struct writer *w)
{
	const struct wire_activate_answer message = {true, word("m-0123456789abcdef")};
	wire_activate_answer_write(w, &message);
}

static void
sample_operator_challenge_answer(struct writer *w)
{
	const struct wire_operator_challenge_answer message = {piece(0, WIRE_CHALLENGE_SIZE), 60,
							       7};
	wire_operator_challenge_answer_write(w, &message);
}

static void
sample_operator_answer(struct writer *w)
{
	const struct wire_operator_answer message = {piece(0, 77), piece(1, WIRE_SIGNATURE_SIZE)};
	wire_operator_answer_write(w, &message);
}

static void
sample_release_answer(struct writer *w)
{
	const struct wire_release_answer message = {4711, piece(0, 90)};
	wire_release_answer_write(w, &message);
}

static void
sample_examine_log(struct writer *w)
{
	struct wire_examine_log message = {
		.pcrs = piece(0, WIRE_PCRS_SIZE),
		.event_log = piece(1, 50),
		.ima = WIRE_IMA_REST,
		.ima_log = piece(2, 30),
		.from = {.offset = 1000, .entries = 12, .violations = 3, .all_listed = true},
		.allowed = piece(0, 2 * ATTEST_HASH_SIZE), /* of text, which ascends */
		.key_count = 2,
		.keys = {piece(3, 20), piece(4, 21)},
	};
	memcpy(message.from.pcr, pool + 5, ATTEST_HASH_SIZE);
	wire_examine_log_write(w, &message);
}

static void
sample_examine_whole(struct writer *w)
{
	const struct wire_examine_log message = {
		.pcrs = piece(0, WIRE_PCRS_SIZE),
		.ima = WIRE_IMA_WHOLE,
		.ima_log = piece(2, 30),
	};
	wire_examine_log_write(w, &message);
}

static void
sample_examine_event_log(struct writer *w)
{
	const struct wire_examine_log message = {piece(0, WIRE_PCRS_SIZE), piece(1, 50),
						 .ima = WIRE_IMA_NONE};
	wire_examine_log_write(w, &message);
}

static void
sample_examine_enrolment(struct writer *w)
{
	static const struct wire_examine_enrolment empty;
	static struct wire_examine_enrolment message;
	message = empty;
	message.now = 1700000000;
	message.ek_public = piece(0, 310);
	message.ak_public = piece(3, 88);
	message.transcript = piece(4, ATTEST_HASH_SIZE);
	message.cloud = sample_cloud();
	message.crl_count = 2;
	message.crls[0] = piece(5, 17);
	message.crls[1] = piece(6, 18);
	message.stale_crls = true;
	message.certificate_count = 1;
	message.certificates[0] = piece(1, 30);
	message.anchor_count = 3;
	for (size_t i = 0; i < 3; i++)
		message.anchors[i] = piece(i, 20 + i);
	message.pcrs = piece(0, WIRE_PCRS_SIZE);
	message.event_log = piece(2, 12);
	wire_examine_enrolment_write(w, &message);
}

static void
sample_appraisal(struct writer *w)
{
	struct wire_appraisal message = {
		.log = WIRE_VERIFIED,
		.chain = WIRE_VERIFIED,
		.ima = WIRE_VERIFIED,
		.report = {.event_count = 88,
			   .pcrs = {ATTEST_PCR_EXACT, ATTEST_PCR_PREFIX},
			   .replays = true},
		.ek_chain = {.ca_count = 2,
			     .manufacturer = "id:53544D20",
			     .model = "ST33",
			     .version = "id:0001",
			     .expires = 2000000000},
		.cloud = WIRE_VERIFIED,
		.cloud_chain = {.ca_count = 1,
				.link_count = 2,
				.expires = 1900000000,
				.instance = {.known = true,
					     .zone = "europe-west1-b",
					     .project = "example",
					     .project_number = 12,
					     .number = UINT64_MAX,
					     .name = "web-1"}},
		.cloud_error = "nor there",
		.ima_report = {.point = {.offset = 5000,
					 .entries = 99,
					 .violations = 98,
					 .all_signed = true},
			       .dropped = 7,
			       .other_pcrs = 8,
			       .signed_known = true,
			       .boot_aggregate = ATTEST_NO},
		.log_error = "none",
		.chain_error = "none either",
		.ima_error = "nor here",
	};
	for (size_t i = 0; i < 2; i++)
		memcpy(message.ek_chain.ca_ids[i], pool + i, ATTEST_HASH_SIZE);
	for (size_t i = 0; i < 2; i++)
		memcpy(message.cloud_chain.links[i], pool + i, ATTEST_HASH_SIZE);
	const struct bytes image = piece(0, ATTEST_HASH_SIZE);
	attest_claim_boolean(&message.report.claims, CLAIM_SECURE_BOOT, true);
	attest_claim_values(&message.report.claims, CLAIM_BOOT_IMAGES, &image, 1);
	wire_appraisal_write(w, &message);
}

static void
sample_wanted(struct writer *w)
{
	const struct wanted wanted = {
		3, {{word("a"), 0}, {word("a/b.c-d_e"), 7}, {word("db/prod"), UINT32_MAX}}};
	wanted_write(w, &wanted);
}

static void
sample_release_body(struct writer *w)
{
	const struct release_body body = {
		.lifetime = 3600,
		.trust_revision = 9,
		.checkpoint = {.number = 5, .time = 1700000000},
		.count = 2,
		.secrets = {{word("db/prod"), 3, word("{\"password\":\"x\"}")},
			    {word("db/test"), 1, {NULL, 0}}},
	};
	release_body_write(w, &body);
}

static void
sample_name_list(struct writer *w)
{
	const struct name_list list = {2, {word("web"), word("staging")}};
	name_list_write(w, &list);
}

static void
sample_pcr_values(struct writer *w)
{
	static struct pcr_values values = {.mask = 0x0890};
	for (size_t i = 0; i < ATTEST_PCR_COUNT; i++)
		memcpy(values.values[i], pool + i, ATTEST_HASH_SIZE);
	pcr_values_write(w, &values);
}

static void
sample_health(struct writer *w)
{
	const struct wire_health message = {WIRE_IS_SEALED, 0, 3, 5, 2};
	wire_health_write(w, &message);
}

static void
sample_version_list(struct writer *w)
{
	/* One: what is cut off of several leaves a list. */
	const struct version_list list = {1, {256}};
	version_list_write(w, &list);
}

static void
sample_secret_settings(struct writer *w)
{
	const struct secret_settings settings = {7, 5, true, 3600};
	secret_settings_write(w, &settings);
}

static void
sample_custom_metadata(struct writer *w)
{
	static const struct custom_metadata metadata = {
		2,
		{{(const uint8_t *)"owner", 5}, {(const uint8_t *)"ticket", 6}},
		{{(const uint8_t *)"db \xc3\xbc", 5}, {NULL, 0}},
	};
	custom_metadata_write(w, &metadata);
}

static void
sample_operation_request(struct writer *w)
{
	struct operation_request request = {
		.answer_key = piece(0, WIRE_KEY_SIZE),
		.operator_name = word("alice"),
		.challenge = piece(1, WIRE_CHALLENGE_SIZE),
		.trust_revision = 12,
		.operation = OPERATION_REVOKE,
	};
	operation_set_text(&request, FIELD_KIND, "machine");
	operation_set_text(&request, FIELD_ID, "m-0123456789abcdef");
	operation_set_text(&request, FIELD_REASON, "gestohlen \xc3\xbc");
	operation_request_write(w, &request);
}

static void
sample_operation_answer(struct writer *w)
{
	const struct operation_answer answer = {piece(0, 32), OUTCOME_OK, 13, word("{\"a\":1}")};
	operation_answer_write(w, &answer);
}

#define CODEC(name)                                                                                \
	{                                                                                          \
#name, recode_##name, sample_##name                                                \
	}
const struct wire_codec wire_codecs[] = {
	CODEC(challenge_request),
	CODEC(release_request),
	CODEC(enroll_request),
	CODEC(activate_request),
	CODEC(operator_challenge_request),
	CODEC(operator_request),
	CODEC(answer),
	CODEC(challenge_answer),
	CODEC(release_answer),
	CODEC(enroll_answer),
	CODEC(activate_answer),
	CODEC(operator_challenge_answer),
	CODEC(operator_answer),
	CODEC(examine_log),
	{"examine_whole", recode_examine_log, sample_examine_whole},
	{"examine_event_log", recode_examine_log, sample_examine_event_log},
	CODEC(examine_enrolment),
	CODEC(appraisal),
	CODEC(wanted),
	CODEC(release_body),
	CODEC(name_list),
	CODEC(pcr_values),
	CODEC(operation_request),
	CODEC(operation_answer),
	CODEC(health),
	CODEC(version_list),
	CODEC(secret_settings),
	CODEC(custom_metadata),
	CODEC(control_share),
	CODEC(control_key),
	CODEC(control_reset),
	CODEC(control_rekey),
	CODEC(control_rekeyed),
	CODEC(control_rekey_commit),
	CODEC(control_witness),
	CODEC(control_thaw),
	CODEC(control_state),
	CODEC(control_checked),
	CODEC(control_progress),
	CODEC(control_answer),
	CODEC(frozen_record),
	CODEC(witness_record),
	CODEC(backup_label),
};
const unsigned wire_codec_count = sizeof(wire_codecs) / sizeof(wire_codecs[0]);
