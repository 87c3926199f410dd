/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and values of the store's records: PROTOCOL.md, "Records". Machines' are machine.h's, and
 * what is known of a secret is secret_record.h's. */
#ifndef POSTERN_KEEPER_RECORDS_H
#define POSTERN_KEEPER_RECORDS_H

#include "claims.h"
#include "secret_record.h"
#include "store/store.h"
#include "wire/transcript.h"

#define RECORD_KEY_SIZE (STORE_KEY_MAX + 1)
#define RECORD_TRUST	"trust"
#define RECORD_LEASE_MAX  (64 + 64 + WIRE_WANTED_MAX * (WIRE_PATH_MAX + 8))
#define RECORD_ACT_MAX	  (OPERATION_REQUEST_MAX + 128)

void record_act_key(uint64_t revision, char ret_key[RECORD_KEY_SIZE]);
void record_machine_key(const char *id, char ret_key[RECORD_KEY_SIZE]);
void record_secret_key(struct bytes path, char ret_key[RECORD_KEY_SIZE]);
void record_value_key(struct bytes path, uint32_t version, char ret_key[RECORD_KEY_SIZE]);
void record_lease_key(const uint8_t id[LEASE_ID_SIZE], char ret_key[RECORD_KEY_SIZE]);

/* claims/<machine id>: claims.h; its machine's record names it by hash, or it is of an earlier
 * quote. False: it does not encode. */
void record_claims_key(const char *id, char ret_key[RECORD_KEY_SIZE]);
__attribute__((warn_unused_result)) bool
record_put_claims(struct store_batch *batch, const char *id, const struct claims_record *record);

/* trust = revision:u64 || SHA-256 of the newest act's record */
#define RECORD_TRUST_SIZE 40
struct trust_record {
	uint64_t revision;
	uint8_t head[32];
};
void trust_record_write(struct writer *w, const struct trust_record *record);
__attribute__((warn_unused_result)) bool trust_record_read(struct bytes encoded,
							   struct trust_record *ret_record);

/* act/... = lp(request) || signature:64 */
struct act_record {
	struct bytes request;
	struct bytes signature;
};
void act_record_write(struct writer *w, const struct act_record *record);
__attribute__((warn_unused_result)) bool act_record_read(struct bytes encoded,
							 struct act_record *ret_record);

/* lease/... = 1:u8 || lp(machine) || issued:u64 || lifetime:u32 || trust_revision:u64 || count:u16
 * || (lp(path) || version:u32)* */
struct lease_record {
	struct bytes machine;
	int64_t issued;
	uint32_t lifetime; /* seconds */
	uint64_t trust_revision;
	uint16_t count;
	struct wanted_secret secrets[WIRE_WANTED_MAX];
};
void lease_record_write(struct writer *w, const struct lease_record *record);
__attribute__((warn_unused_result)) bool lease_record_read(struct bytes encoded,
							   struct lease_record *ret_record);

#endif
