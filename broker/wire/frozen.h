/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keeper and command both write and read of a store that may be an older one: the records
 * `frozen` and `witness`, and a backup's label. PROTOCOL.md, "Frozen".
 *
 *   frozen  = lp(why) || since:u64
 *   witness = counter:u64
 *   label   = 1:u8 || time:u64 || trust_revision:u64 || store_revision:u64 || lp(version)
 */
#ifndef POSTERN_WIRE_FROZEN_H
#define POSTERN_WIRE_FROZEN_H

#include "attest/bytes.h"

#define FROZEN_KEY	   "frozen"
#define FROZEN_WHY_MAX	   400 /* CONTROL_TEXT_MAX */
#define FROZEN_SIZE_MAX	   (4 + FROZEN_WHY_MAX + 8)
#define WITNESS_KEY	   "witness"
#define WITNESS_SIZE	   8
#define BACKUP_LABEL_MAX   (1 + 3 * 8 + 4 + BACKUP_VERSION_MAX)
#define BACKUP_VERSION_MAX 64

/* The broker that finds it answers readings and nothing else. */
struct frozen_record {
	struct bytes why; /* 1..FROZEN_WHY_MAX bytes of printable text */
	int64_t since;	  /* Unix seconds */
};
void frozen_record_write(struct writer *w, const struct frozen_record *record);
__attribute__((warn_unused_result)) bool frozen_record_read(struct bytes encoded,
							    struct frozen_record *ret_record);

/* The value of the TPM's counter that this store has seen, or is about to see: never 0, never the
 * largest number. */
void witness_record_write(struct writer *w, uint64_t counter);
__attribute__((warn_unused_result)) bool witness_record_read(struct bytes encoded,
							     uint64_t *ret_counter);

struct backup_label {
	int64_t time;
	uint64_t trust_revision;
	uint64_t store_revision;
	struct bytes version; /* of the broker that wrote it */
};
void backup_label_write(struct writer *w, const struct backup_label *label);
__attribute__((warn_unused_result)) bool backup_label_read(struct bytes encoded,
							   struct backup_label *ret_label);

#endif
