/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes stand beside the structs in message.h. */
#include "message.h"

#include "control.h"
#include "operation.h"
#include "text.h"

#include <string.h>

#define MACHINE_ID_MAX 64

/* Logs and certificates are nearly all of the largest messages. */
#define REST_MAX  (64 * 1024)
#define CLOUD_MAX (ATTEST_CERTIFICATES_MAX * (4 + ATTEST_CERTIFICATE_MAX))
_Static_assert(ATTEST_EVENTLOG_MAX + WIRE_IMA_LOG_MAX + REST_MAX +
			       WIRE_IMA_ALLOWED_MAX * ATTEST_HASH_SIZE +
			       ATTEST_IMA_KEYS_MAX * (4 + ATTEST_CERTIFICATE_MAX) <=
		       FRAME_BODY_MAX,
	       "a release's logs fit a frame, also with what they are compared with");
_Static_assert(ATTEST_EVENTLOG_MAX +
			       (ATTEST_ANCHORS_MAX + ATTEST_CERTIFICATES_MAX) *
				       (4 + ATTEST_CERTIFICATE_MAX) +
			       CLOUD_MAX + WIRE_CRLS_SIZE_MAX + 4 * ATTEST_CRLS_MAX + REST_MAX <=
		       FRAME_BODY_MAX,
	       "an enrolment's anchors and CRLs fit a frame");
_Static_assert(WIRE_CRL_MAX <= ATTEST_CRL_MAX, "a CRL that is kept can be read");

/* ---- statuses ---- */

static const struct {
	const char *word;
	unsigned http;
} statuses[] = {
	[WIRE_OK] = {"ok", 200},
	[WIRE_MALFORMED] = {"malformed", 400},
	[WIRE_CHALLENGE] = {"challenge", 403},
	[WIRE_IDENTITY] = {"identity", 403},
	[WIRE_QUOTE] = {"quote", 403},
	[WIRE_POLICY] = {"policy", 403},
	[WIRE_OPERATOR] = {"operator", 403},
	[WIRE_IMA] = {"ima", 409},
	[WIRE_LIMIT] = {"limit", 413},
	[WIRE_BUSY] = {"busy", 503},
	[WIRE_FAILED] = {"failed", 500},
	[WIRE_SEALED] = {"sealed", 503},
	[WIRE_FROZEN] = {"frozen", 503},
	[WIRE_STORE] = {"store", 507},
};
#define STATUS_COUNT (sizeof(statuses) / sizeof(statuses[0]))

const char *
wire_status_word(enum wire_status status)
{
	return (size_t)status < STATUS_COUNT ? statuses[status].word : "failed";
}

unsigned
wire_status_http(enum wire_status status)
{
	return (size_t)status < STATUS_COUNT ? statuses[status].http : 500;
}

/* ---- pieces ---- */

/* A piece of one possible size: another is the caller's mistake or a guest's, and nothing is
 * sent. */
static void
write_exact(struct writer *w, struct bytes value, size_t size)
{
	if (value.size != size)
		w->failed = true;
	write_bytes(w, value);
}

static void
write_challenge(struct writer *w, struct bytes challenge)
{
	if (challenge.size != WIRE_CHALLENGE_SIZE)
		w->failed = true;
	write_lp(w, challenge);
}

static struct bytes
read_challenge(struct reader *r)
{
	struct bytes challenge = read_lp(r, WIRE_CHALLENGE_SIZE);
	if (challenge.size != WIRE_CHALLENGE_SIZE)
		reader_fail(r);
	return challenge;
}

/* TPM structures: 2-byte size; never empty. */
static struct bytes
read_tpm(struct reader *r, size_t max)
{
	struct bytes value = read_bytes_be16(r);
	if (value.size == 0 || value.size > max)
		reader_fail(r);
	return value;
}

static struct bytes
read_peer(struct reader *r)
{
	struct bytes peer = read_lp(r, WIRE_PEER_MAX);
	if (!text_plain(peer))
		reader_fail(r);
	return peer;
}

static bool
read_flag(struct reader *r)
{
	return read_count(r, read_u8(r), 1) == 1;
}

static int64_t
read_time(struct reader *r)
{
	uint64_t time = read_be64(r);
	if (time > INT64_MAX)
		reader_fail(r);
	return (int64_t)time;
}

static void
write_list(struct writer *w, const struct bytes *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		write_lp(w, list[i]);
}

static void
read_certificates(struct reader *r, struct bytes *ret_list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		ret_list[i] = read_lp(r, ATTEST_CERTIFICATE_MAX);
		if (ret_list[i].size == 0)
			reader_fail(r);
	}
}

static void
write_cloud(struct writer *w, const struct wire_cloud *cloud)
{
	write_u8(w, cloud->sent);
	if (!cloud->sent)
		return;
	if (cloud->certificate_count == 0)
		w->failed = true;
	write_bytes_be16(w, cloud->public_area);
	write_u8(w, cloud->certificate_count);
	write_list(w, cloud->certificates, cloud->certificate_count);
	write_bytes_be16(w, cloud->message);
	write_bytes_be16(w, cloud->signature);
}

static void
read_cloud(struct reader *r, struct wire_cloud *cloud)
{
	cloud->sent = read_flag(r);
	if (!cloud->sent)
		return;
	cloud->public_area = read_tpm(r, ATTEST_PUBLIC_SIZE_MAX);
	cloud->certificate_count = (uint8_t)read_count(r, read_u8(r), ATTEST_CERTIFICATES_MAX);
	if (cloud->certificate_count == 0)
		reader_fail(r);
	read_certificates(r, cloud->certificates, cloud->certificate_count);
	cloud->message = read_tpm(r, ATTEST_QUOTE_SIZE_MAX);
	cloud->signature = read_tpm(r, ATTEST_QUOTE_SIZE_MAX);
}

/* ---- gateway to keeper ---- */

void
wire_challenge_request_write(struct writer *w, const struct wire_challenge_request *message)
{
	write_u8(w, message->evidence);
	write_bytes_be16(w, message->ak_public);
}

bool
wire_challenge_request_read(struct bytes body, struct wire_challenge_request *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_challenge_request message = {0};
	message.evidence = read_u8(&r);
	message.ak_public = read_tpm(&r, ATTEST_PUBLIC_SIZE_MAX);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}

void
wire_release_request_write(struct writer *w, const struct wire_release_request *message)
{
	write_challenge(w, message->challenge);
	write_bytes_be16(w, message->ak_public);
	write_exact(w, message->recipient_key, WIRE_KEY_SIZE);
	write_lp(w, message->wanted);
	write_bytes_be16(w, message->quote);
	write_bytes_be16(w, message->signature);
	write_exact(w, message->pcrs, WIRE_PCRS_SIZE);
	write_lp(w, message->event_log);
	write_lp(w, message->ima_log);
	write_be64(w, message->ima_offset);
	write_lp(w, message->peer);
}

bool
wire_release_request_read(struct bytes body, struct wire_release_request *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_release_request message = {0};
	message.challenge = read_challenge(&r);
	message.ak_public = read_tpm(&r, ATTEST_PUBLIC_SIZE_MAX);
	message.recipient_key = read_bytes(&r, WIRE_KEY_SIZE);
	message.wanted = read_lp(&r, WIRE_WANTED_SIZE_MAX);
	message.quote = read_tpm(&r, ATTEST_QUOTE_SIZE_MAX);
	message.signature = read_tpm(&r, ATTEST_QUOTE_SIZE_MAX);
	message.pcrs = read_bytes(&r, WIRE_PCRS_SIZE);
	message.event_log = read_lp(&r, ATTEST_EVENTLOG_MAX);
	message.ima_log = read_lp(&r, WIRE_IMA_LOG_MAX);
	message.ima_offset = read_be64(&r);
	message.peer = read_peer(&r);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}

void
wire_enroll_request_write(struct writer *w, const struct wire_enroll_request *message)
{
	write_bytes_be16(w, message->ek_public);
	write_bytes_be16(w, message->ak_public);
}

bool
wire_enroll_request_read(struct bytes body, struct wire_enroll_request *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_enroll_request message = {0};
	message.ek_public = read_tpm(&r, ATTEST_PUBLIC_SIZE_MAX);
	message.ak_public = read_tpm(&r, ATTEST_PUBLIC_SIZE_MAX);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}

void
wire_activate_request_write(struct writer *w, const struct wire_activate_request *message)
{
	write_challenge(w, message->challenge);
	write_exact(w, message->proof, WIRE_KEY_SIZE);
	write_bytes_be16(w, message->ek_public);
	write_bytes_be16(w, message->ak_public);
	write_u8(w, message->certificate_count);
	write_list(w, message->certificates, message->certificate_count);
	write_cloud(w, &message->cloud);
	write_bytes_be16(w, message->quote);
	write_bytes_be16(w, message->signature);
	write_exact(w, message->pcrs, WIRE_PCRS_SIZE);
	write_lp(w, message->event_log);
	write_lp(w, message->peer);
}

bool
wire_activate_request_read(struct bytes body, struct wire_activate_request *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_activate_request message = {0};
	message.challenge = read_challenge(&r);
	message.proof = read_bytes(&r, WIRE_KEY_SIZE);
	message.ek_public = read_tpm(&r, ATTEST_PUBLIC_SIZE_MAX);
	message.ak_public = read_tpm(&r, ATTEST_PUBLIC_SIZE_MAX);
	message.certificate_count = (uint8_t)read_count(&r, read_u8(&r), ATTEST_CERTIFICATES_MAX);
	read_certificates(&r, message.certificates, message.certificate_count);
	read_cloud(&r, &message.cloud);
	message.quote = read_tpm(&r, ATTEST_QUOTE_SIZE_MAX);
	message.signature = read_tpm(&r, ATTEST_QUOTE_SIZE_MAX);
	message.pcrs = read_bytes(&r, WIRE_PCRS_SIZE);
	message.event_log = read_lp(&r, ATTEST_EVENTLOG_MAX);
	message.peer = read_peer(&r);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}

void
wire_operator_challenge_request_write(struct writer *w,
				      const struct wire_operator_challenge_request *message)
{
	write_lp(w, message->operator_name);
}

bool
wire_operator_challenge_request_read(struct bytes body,
				     struct wire_operator_challenge_request *ret_message)
{
	struct reader r = reader_of(body);
	struct bytes name = read_lp(&r, WIRE_PATH_MAX);
	if (!reader_finished(&r) || !name_valid(name))
		return false;
	ret_message->operator_name = name;
	return true;
}

void
wire_operator_request_write(struct writer *w, const struct wire_operator_request *message)
{
	write_lp(w, message->request);
	write_exact(w, message->signature, WIRE_SIGNATURE_SIZE);
	write_lp(w, message->peer);
}

bool
wire_operator_request_read(struct bytes body, struct wire_operator_request *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_operator_request message = {0};
	message.request = read_lp(&r, OPERATION_REQUEST_MAX);
	message.signature = read_bytes(&r, WIRE_SIGNATURE_SIZE);
	message.peer = read_peer(&r);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}

/* ---- keeper to gateway ---- */

void
wire_answer_write(struct writer *w, const struct wire_answer *message)
{
	write_u8(w, (uint8_t)message->status);
	write_lp(w, message->payload);
}

bool
wire_answer_read(struct bytes body, struct wire_answer *ret_message)
{
	struct reader r = reader_of(body);
	uint32_t status = read_count(&r, read_u8(&r), STATUS_COUNT - 1);
	struct bytes payload = read_lp(&r, FRAME_BODY_MAX);
	if (!reader_finished(&r) || (status != WIRE_OK && payload.size > 0))
		return false;
	*ret_message = (struct wire_answer){(enum wire_status)status, payload};
	return true;
}

void
wire_challenge_answer_write(struct writer *w, const struct wire_challenge_answer *message)
{
	write_exact(w, message->challenge, WIRE_CHALLENGE_SIZE);
	write_be32(w, message->expires_in);
	write_exact(w, message->release_key, WIRE_KEY_SIZE);
}

bool
wire_challenge_answer_read(struct bytes body, struct wire_challenge_answer *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_challenge_answer message = {0};
	message.challenge = read_bytes(&r, WIRE_CHALLENGE_SIZE);
	message.expires_in = read_be32(&r);
	message.release_key = read_bytes(&r, WIRE_KEY_SIZE);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}

void
wire_release_answer_write(struct writer *w, const struct wire_release_answer *message)
{
	write_be64(w, message->ima_offset);
	write_lp(w, message->sealed);
}

bool
wire_release_answer_read(struct bytes body, struct wire_release_answer *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_release_answer message = {0};
	message.ima_offset = read_be64(&r);
	message.sealed = read_lp(&r, FRAME_BODY_MAX);
	if (!reader_finished(&r) || message.sealed.size == 0)
		return false;
	*ret_message = message;
	return true;
}

void
wire_enroll_answer_write(struct writer *w, const struct wire_enroll_answer *message)
{
	write_exact(w, message->challenge, WIRE_CHALLENGE_SIZE);
	write_be32(w, message->expires_in);
	write_bytes_be16(w, message->blob);
	write_bytes_be16(w, message->secret);
	write_exact(w, message->release_key, WIRE_KEY_SIZE);
}

bool
wire_enroll_answer_read(struct bytes body, struct wire_enroll_answer *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_enroll_answer message = {0};
	message.challenge = read_bytes(&r, WIRE_CHALLENGE_SIZE);
	message.expires_in = read_be32(&r);
	message.blob = read_tpm(&r, ATTEST_CREDENTIAL_MAX);
	message.secret = read_tpm(&r, ATTEST_CREDENTIAL_MAX);
	message.release_key = read_bytes(&r, WIRE_KEY_SIZE);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}

void
wire_activate_answer_write(struct writer *w, const struct wire_activate_answer *message)
{
	write_u8(w, message->admitted);
	write_lp(w, message->machine);
}

bool
wire_activate_answer_read(struct bytes body, struct wire_activate_answer *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_activate_answer message = {0};
	message.admitted = read_flag(&r);
	message.machine = read_lp(&r, MACHINE_ID_MAX);
	if (!reader_finished(&r) || !name_valid(message.machine))
		return false;
	*ret_message = message;
	return true;
}

void
wire_operator_challenge_answer_write(struct writer *w,
				     const struct wire_operator_challenge_answer *message)
{
	write_exact(w, message->challenge, WIRE_CHALLENGE_SIZE);
	write_be32(w, message->expires_in);
	write_be64(w, message->trust_revision);
}

bool
wire_operator_challenge_answer_read(struct bytes body,
				    struct wire_operator_challenge_answer *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_operator_challenge_answer message = {0};
	message.challenge = read_bytes(&r, WIRE_CHALLENGE_SIZE);
	message.expires_in = read_be32(&r);
	message.trust_revision = read_be64(&r);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}

void
wire_operator_answer_write(struct writer *w, const struct wire_operator_answer *message)
{
	write_lp(w, message->answer);
	write_exact(w, message->signature, WIRE_SIGNATURE_SIZE);
}

bool
wire_operator_answer_read(struct bytes body, struct wire_operator_answer *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_operator_answer message = {0};
	message.answer = read_lp(&r, OPERATION_ANSWER_MAX);
	message.signature = read_bytes(&r, WIRE_SIGNATURE_SIZE);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}

void
wire_health_write(struct writer *w, const struct wire_health *message)
{
	write_u8(w, message->state);
	write_be64(w, message->trust_revision);
	write_u8(w, message->threshold);
	write_u8(w, message->count);
	write_u8(w, message->given);
}

bool
wire_health_read(struct bytes body, struct wire_health *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_health message;

	message.state = (uint8_t)read_count(&r, read_u8(&r), WIRE_IS_FROZEN);
	message.trust_revision = read_be64(&r);
	message.threshold = read_u8(&r);
	message.count = read_u8(&r);
	message.given = read_u8(&r);
	bool sealed = message.state == WIRE_IS_SEALED;
	if (!reader_finished(&r) || !control_numbers_valid(message.count, message.threshold) ||
	    message.given > (sealed ? message.threshold : 0) ||
	    (sealed && message.trust_revision != 0))
		return false;
	*ret_message = message;
	return true;
}

/* ---- keeper to appraiser ---- */

static void
read_crls(struct reader *r, struct wire_examine_enrolment *message)
{
	size_t size = 0;

	message->crl_count = (uint8_t)read_count(r, read_u8(r), ATTEST_CRLS_MAX);
	for (size_t i = 0; i < message->crl_count; i++) {
		message->crls[i] = read_lp(r, WIRE_CRL_MAX);
		size += message->crls[i].size;
		if (message->crls[i].size == 0 || size > WIRE_CRLS_SIZE_MAX)
			reader_fail(r);
	}
}

void
wire_examine_enrolment_write(struct writer *w, const struct wire_examine_enrolment *message)
{
	write_be64(w, (uint64_t)message->now);
	write_bytes_be16(w, message->ek_public);
	write_bytes_be16(w, message->ak_public);
	write_exact(w, message->transcript, ATTEST_HASH_SIZE);
	write_u8(w, message->certificate_count);
	write_list(w, message->certificates, message->certificate_count);
	write_cloud(w, &message->cloud);
	write_be16(w, message->anchor_count);
	write_list(w, message->anchors, message->anchor_count);
	write_u8(w, message->crl_count);
	write_list(w, message->crls, message->crl_count);
	write_u8(w, message->stale_crls);
	write_exact(w, message->pcrs, WIRE_PCRS_SIZE);
	write_lp(w, message->event_log);
}

bool
wire_examine_enrolment_read(struct bytes body, struct wire_examine_enrolment *ret_message)
{
	struct reader r = reader_of(body);
	struct wire_examine_enrolment message = {0};
	message.now = read_time(&r);
	message.ek_public = read_tpm(&r, ATTEST_PUBLIC_SIZE_MAX);
	message.ak_public = read_tpm(&r, ATTEST_PUBLIC_SIZE_MAX);
	message.transcript = read_bytes(&r, ATTEST_HASH_SIZE);
	message.certificate_count = (uint8_t)read_count(&r, read_u8(&r), ATTEST_CERTIFICATES_MAX);
	read_certificates(&r, message.certificates, message.certificate_count);
	read_cloud(&r, &message.cloud);
	message.anchor_count = (uint16_t)read_count(&r, read_be16(&r), ATTEST_ANCHORS_MAX);
	read_certificates(&r, message.anchors, message.anchor_count);
	read_crls(&r, &message);
	message.stale_crls = read_flag(&r);
	message.pcrs = read_bytes(&r, WIRE_PCRS_SIZE);
	message.event_log = read_lp(&r, ATTEST_EVENTLOG_MAX);
	if (!reader_finished(&r))
		return false;
	*ret_message = message;
	return true;
}
