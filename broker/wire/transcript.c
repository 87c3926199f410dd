/* SPDX-License-Identifier: Apache-2.0 */
#include "transcript.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define NAME_MAX_SIZE 64

#define RELEASE_LABEL	 "postern/release/v1"
#define ENROLL_LABEL	 "postern/enroll/v1"
#define PROOF_LABEL	 "postern/activation-proof/v1"
#define INTAKE_LABEL	 "postern/intake/v1"
#define CHECKPOINT_LABEL "postern/checkpoint/v1"
#define BODY_LABEL	 "postern/body/v1"

/* ---- paths and names ---- */

static bool
component_valid(struct bytes component)
{
	if (component.size == 0)
		return false;
	bool dots = true;
	for (size_t i = 0; i < component.size; i++) {
		uint8_t c = component.data[i];
		bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			       (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
		if (!allowed)
			return false;
		dots = dots && c == '.';
	}
	return !dots || component.size > 2;
}

bool
path_valid(struct bytes path)
{
	if (path.size == 0 || path.size > WIRE_PATH_MAX)
		return false;
	struct bytes component = {path.data, 0};
	for (size_t i = 0; i < path.size; i++) {
		if (path.data[i] != '/') {
			component.size++;
			continue;
		}
		if (!component_valid(component))
			return false;
		component = (struct bytes){path.data + i + 1, 0};
	}
	return component_valid(component);
}

bool
name_valid(struct bytes name)
{
	return name.size <= NAME_MAX_SIZE && component_valid(name);
}

/* As strings of bytes; a prefix comes first. */
static bool
ascends(struct bytes before, struct bytes after)
{
	size_t common = before.size < after.size ? before.size : after.size;
	int order = memcmp(before.data, after.data, common);
	return order != 0 ? order < 0 : before.size < after.size;
}

/* ---- wanted ---- */

void
wanted_write(struct writer *w, const struct wanted *wanted)
{
	write_be16(w, wanted->count);
	for (uint16_t i = 0; i < wanted->count; i++) {
		write_lp(w, wanted->secrets[i].path);
		write_be32(w, wanted->secrets[i].version);
	}
}

bool
wanted_read(struct bytes encoded, struct wanted *ret_wanted)
{
	struct reader r = reader_of(encoded);
	struct wanted wanted;
	wanted.count = (uint16_t)read_count(&r, read_be16(&r), WIRE_WANTED_MAX);
	for (uint16_t i = 0; i < wanted.count; i++) {
		struct wanted_secret *secret = &wanted.secrets[i];
		secret->path = read_lp(&r, WIRE_PATH_MAX);
		secret->version = read_be32(&r);
	}
	if (!reader_finished(&r) || wanted.count == 0)
		return false;
	for (uint16_t i = 0; i < wanted.count; i++) {
		if (!path_valid(wanted.secrets[i].path))
			return false;
		if (i > 0 && !ascends(wanted.secrets[i - 1].path, wanted.secrets[i].path))
			return false;
	}
	ret_wanted->count = wanted.count;
	memcpy(ret_wanted->secrets, wanted.secrets, wanted.count * sizeof(wanted.secrets[0]));
	return true;
}

/* ---- transcripts ---- */

static void
hash_lp(crypto_hash_sha256_state *state, struct bytes piece)
{
	uint8_t size[4];
	struct writer w = writer_of(size, sizeof(size));
	write_be32(&w, (uint32_t)piece.size);
	crypto_hash_sha256_update(state, size, sizeof(size));
	crypto_hash_sha256_update(state, piece.data, piece.size);
}

static void
transcript(const char *label, const struct bytes *pieces, size_t count, uint8_t *ret)
{
	crypto_hash_sha256_state state;
	crypto_hash_sha256_init(&state);
	hash_lp(&state, (struct bytes){(const uint8_t *)label, strlen(label)});
	for (size_t i = 0; i < count; i++)
		hash_lp(&state, pieces[i]);
	crypto_hash_sha256_final(&state, ret);
}

void
transcript_release(struct bytes release_key, struct bytes challenge, struct bytes recipient_key,
		   struct bytes wanted, uint8_t ret_transcript[TRANSCRIPT_SIZE])
{
	const struct bytes pieces[] = {release_key, challenge, recipient_key, wanted};
	transcript(RELEASE_LABEL, pieces, 4, ret_transcript);
}

void
transcript_enroll(struct bytes release_key, struct bytes challenge, struct bytes ek_public,
		  struct bytes ak_public, uint8_t ret_transcript[TRANSCRIPT_SIZE])
{
	const struct bytes pieces[] = {release_key, challenge, ek_public, ak_public};
	transcript(ENROLL_LABEL, pieces, 4, ret_transcript);
}

void
activation_proof(struct bytes secret, const uint8_t transcript_hash[TRANSCRIPT_SIZE],
		 uint8_t ret_proof[TRANSCRIPT_SIZE])
{
	uint8_t message[4 + sizeof(PROOF_LABEL) - 1 + TRANSCRIPT_SIZE];
	struct writer w = writer_of(message, sizeof(message));
	write_lp_text(&w, PROOF_LABEL);
	write_bytes(&w, (struct bytes){transcript_hash, TRANSCRIPT_SIZE});
	assert(!w.failed && w.size == sizeof(message));

	crypto_auth_hmacsha256_state state;
	crypto_auth_hmacsha256_init(&state, secret.data, secret.size);
	crypto_auth_hmacsha256_update(&state, message, sizeof(message));
	crypto_auth_hmacsha256_final(&state, ret_proof);
	sodium_memzero(&state, sizeof(state));
}

void
release_info(const uint8_t transcript_hash[TRANSCRIPT_SIZE], uint8_t ret_info[RELEASE_INFO_SIZE])
{
	struct writer w = writer_of(ret_info, RELEASE_INFO_SIZE);
	write_lp_text(&w, RELEASE_LABEL);
	write_bytes(&w, (struct bytes){transcript_hash, TRANSCRIPT_SIZE});
	assert(!w.failed && w.size == RELEASE_INFO_SIZE);
}

size_t
intake_aad(struct bytes path, uint64_t cas, struct bytes operator_name,
	   uint8_t ret_aad[INTAKE_AAD_MAX])
{
	struct writer w = writer_of(ret_aad, INTAKE_AAD_MAX);
	write_lp_text(&w, INTAKE_LABEL);
	write_lp(&w, path);
	write_be64(&w, cas);
	write_lp(&w, operator_name);
	assert(!w.failed); /* path and name were checked before */
	return w.size;
}

void
checkpoint_message(const struct checkpoint *checkpoint,
		   uint8_t ret_message[CHECKPOINT_MESSAGE_SIZE])
{
	struct writer w = writer_of(ret_message, CHECKPOINT_MESSAGE_SIZE);
	write_lp_text(&w, CHECKPOINT_LABEL);
	write_be64(&w, checkpoint->number);
	write_bytes(&w, BYTES_OF(checkpoint->hash));
	write_be64(&w, (uint64_t)checkpoint->time);
	assert(!w.failed && w.size == CHECKPOINT_MESSAGE_SIZE);
}

/* ---- the sealed body ---- */

void
release_body_write(struct writer *w, const struct release_body *body)
{
	write_lp_text(w, BODY_LABEL);
	write_bytes(w, BYTES_OF(body->lease_id));
	write_be32(w, body->lifetime);
	write_be64(w, body->trust_revision);
	write_be64(w, body->checkpoint.number);
	write_bytes(w, BYTES_OF(body->checkpoint.hash));
	write_be64(w, (uint64_t)body->checkpoint.time);
	write_bytes(w, BYTES_OF(body->checkpoint.signature));
	write_be16(w, body->count);
	for (uint16_t i = 0; i < body->count; i++) {
		write_lp(w, body->secrets[i].path);
		write_be32(w, body->secrets[i].version);
		write_lp(w, body->secrets[i].value);
	}
}

static void
read_checkpoint(struct reader *r, struct checkpoint *ret_checkpoint)
{
	ret_checkpoint->number = read_be64(r);
	read_copy(r, ret_checkpoint->hash, sizeof(ret_checkpoint->hash));
	uint64_t time = read_be64(r);
	if (time > INT64_MAX)
		reader_fail(r);
	ret_checkpoint->time = (int64_t)time;
	read_copy(r, ret_checkpoint->signature, sizeof(ret_checkpoint->signature));
}

/* Paths as in `wanted`, and no more bytes of values than one release may hold. */
static bool
body_consistent(const struct release_body *body)
{
	size_t total = 0;
	for (uint16_t i = 0; i < body->count; i++) {
		if (!path_valid(body->secrets[i].path))
			return false;
		if (i > 0 && !ascends(body->secrets[i - 1].path, body->secrets[i].path))
			return false;
		total += body->secrets[i].value.size;
	}
	return body->count > 0 && total <= WIRE_SECRET_MAX;
}

bool
release_body_read(struct bytes encoded, struct release_body *ret_body)
{
	struct reader r = reader_of(encoded);
	struct release_body body = {0};
	struct bytes label = read_lp(&r, sizeof(BODY_LABEL));
	read_copy(&r, body.lease_id, sizeof(body.lease_id));
	body.lifetime = read_be32(&r);
	body.trust_revision = read_be64(&r);
	read_checkpoint(&r, &body.checkpoint);
	body.count = (uint16_t)read_count(&r, read_be16(&r), WIRE_WANTED_MAX);
	for (uint16_t i = 0; i < body.count; i++) {
		body.secrets[i].path = read_lp(&r, WIRE_PATH_MAX);
		body.secrets[i].version = read_be32(&r);
		body.secrets[i].value = read_lp(&r, WIRE_SECRET_MAX);
	}
	const struct bytes want = {(const uint8_t *)BODY_LABEL, sizeof(BODY_LABEL) - 1};
	if (!reader_finished(&r) || !bytes_equal(label, want) || !body_consistent(&body))
		return false;
	*ret_body = body;
	return true;
}
