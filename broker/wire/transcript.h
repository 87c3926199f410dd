/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a quote is qualified with, and what a release's sealed body holds: shared by guest and
 * keeper, so that both hash and parse the same bytes. DESIGN 5; PARAMETERS, "MACs and transcripts".
 */
#ifndef POSTERN_WIRE_TRANSCRIPT_H
#define POSTERN_WIRE_TRANSCRIPT_H

#include "message.h"

#define TRANSCRIPT_SIZE 32
#define LEASE_ID_SIZE	16

/* Components [A-Za-z0-9_.-]+ joined by '/', none "." or "..", 1..WIRE_PATH_MAX bytes. */
bool path_valid(struct bytes path);
/* One component, at most 64 bytes: names of machines, groups, operators, roles, baselines,
 * policies. */
bool name_valid(struct bytes name);

struct wanted_secret {
	struct bytes path;
	uint32_t version; /* 0: the newest */
};
/* wanted = count:u16 || (lp(path) || version:u32)*, strictly ascending by path;
 * 1..WIRE_WANTED_MAX. */
struct wanted {
	uint16_t count;
	struct wanted_secret secrets[WIRE_WANTED_MAX];
};
void wanted_write(struct writer *w, const struct wanted *wanted);
__attribute__((warn_unused_result)) bool wanted_read(struct bytes encoded,
						     struct wanted *ret_wanted);

/* H(lp("postern/release/v1") || lp(release_key) || lp(challenge) || lp(recipient_key) ||
 * lp(wanted)) */
void transcript_release(struct bytes release_key, struct bytes challenge,
			struct bytes recipient_key, struct bytes wanted,
			uint8_t ret_transcript[TRANSCRIPT_SIZE]);
/* H(lp("postern/enroll/v1") || lp(release_key) || lp(challenge) || lp(ek_public) ||
 * lp(ak_public)) */
void transcript_enroll(struct bytes release_key, struct bytes challenge, struct bytes ek_public,
		       struct bytes ak_public, uint8_t ret_transcript[TRANSCRIPT_SIZE]);
/* HMAC-SHA256(secret, lp("postern/activation-proof/v1") || transcript) */
void activation_proof(struct bytes secret, const uint8_t transcript[TRANSCRIPT_SIZE],
		      uint8_t ret_proof[TRANSCRIPT_SIZE]);
/* HPKE info of a release: lp("postern/release/v1") || transcript */
#define RELEASE_INFO_SIZE (4 + 18 + TRANSCRIPT_SIZE)
void release_info(const uint8_t transcript[TRANSCRIPT_SIZE], uint8_t ret_info[RELEASE_INFO_SIZE]);
/* HPKE aad of a value on its way in: lp("postern/intake/v1") || lp(path) || cas:u64 ||
 * lp(operator); info is lp("postern/intake/v1"). */
#define INTAKE_AAD_MAX (4 + 17 + 4 + WIRE_PATH_MAX + 8 + 4 + 64)
size_t intake_aad(struct bytes path, uint64_t cas, struct bytes operator_name,
		  uint8_t ret_aad[INTAKE_AAD_MAX]);

/* The newest signed statement of the audit log's head. signature = Ed25519 by the answer key over
 * lp("postern/checkpoint/v1") || number:u64 || hash:32 || time:u64 */
struct checkpoint {
	uint64_t number;
	uint8_t hash[32];
	int64_t time;
	uint8_t signature[64];
};
#define CHECKPOINT_MESSAGE_SIZE (4 + 21 + 8 + 32 + 8)
void checkpoint_message(const struct checkpoint *checkpoint,
			uint8_t ret_message[CHECKPOINT_MESSAGE_SIZE]);

/* The one sealed body of a release:
 * lp("postern/body/v1") || lease_id:16 || lifetime:u32 || trust_revision:u64 || checkpoint
 * (number:u64 || hash:32 || time:u64 || signature:64) || count:u16 || (lp(path) || version:u32 ||
 * lp(value))* */
struct release_secret {
	struct bytes path;
	uint32_t version;
	struct bytes value;
};
struct release_body {
	uint8_t lease_id[LEASE_ID_SIZE];
	uint32_t lifetime; /* seconds */
	uint64_t trust_revision;
	struct checkpoint checkpoint;
	uint16_t count;
	struct release_secret secrets[WIRE_WANTED_MAX];
};
void release_body_write(struct writer *w, const struct release_body *body);
__attribute__((warn_unused_result)) bool release_body_read(struct bytes encoded,
							   struct release_body *ret_body);

#endif
