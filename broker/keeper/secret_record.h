/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret/<path>: all that is known of a secret but its values, which lie in records of their own
 * (records.h, record_value_key). Versions go from 1 without gaps; the oldest to the newest are
 * kept. Settings and custom metadata may be there before the first version is.
 */
#ifndef POSTERN_KEEPER_SECRET_RECORD_H
#define POSTERN_KEEPER_SECRET_RECORD_H

#include "wire/operation.h"

#define SECRET_VERSIONS_DEFAULT 10 /* kept of one secret where its settings do not say */
#define SECRET_OPERATOR_MAX	64
#define SECRET_CUSTOM_MAX	(2 + CUSTOM_MAX * (4 + CUSTOM_NAME_MAX + 4 + CUSTOM_VALUE_MAX))
#define SECRET_VERSION_MAX	(8 + 8 + 1 + 4 + 4 + SECRET_OPERATOR_MAX)
#define RECORD_SECRET_MAX                                                                          \
	(64 + SECRET_CUSTOM_MAX + OPERATION_VERSIONS_MAX * SECRET_VERSION_MAX) /* bytes */

struct secret_version {
	int64_t created;
	int64_t deletion; /* from then on nobody gets it; 0: never. It may lie ahead */
	bool deleted;	  /* an operator said so, at `deletion` */
	bool destroyed;	  /* there is no value any more */
	uint32_t size;
	struct bytes operator_name;
};

/* 2:u8 || newest:u32 || oldest:u32 || created:u64 || updated:u64 || settings:14 || lp(custom) ||
 * for each version from oldest to newest
 *   created:u64 || deletion:u64 || flags:u8 (1 destroyed, 2 deleted) || size:u32 || lp(operator)
 */
struct secret_record {
	uint32_t newest; /* 0: none was put yet, and then oldest is 0 */
	uint32_t oldest;
	int64_t created;
	int64_t updated; /* when the newest version was put; before the first: created */
	struct secret_settings settings; /* mask: all */
	struct bytes custom;		 /* a struct custom_metadata, encoded */
	struct secret_version versions[OPERATION_VERSIONS_MAX]; /* the oldest first */
};
/* Without versions, settings or custom metadata. */
struct secret_record secret_record_new(int64_t now);
void secret_record_write(struct writer *w, const struct secret_record *record);
__attribute__((warn_unused_result)) bool secret_record_read(struct bytes encoded,
							    struct secret_record *ret_record);

/* How many are kept, destroyed ones among them. */
uint32_t secret_version_count(const struct secret_record *record);
/* NULL: not kept, any more or yet. */
struct secret_version *secret_version_at(struct secret_record *record, uint32_t number);

enum secret_state {
	SECRET_ACTIVE,
	SECRET_EXPIRED, /* its deletion time is reached; undelete gives it back, as below */
	SECRET_DELETED,
	SECRET_DESTROYED,
};
enum secret_state secret_version_state(const struct secret_version *version, int64_t now);
/* "active" */
const char *secret_state_text(enum secret_state state);

/* Makes it the newest; its deletion time comes from the settings. The oldest beyond the maximum
 * are dropped: `ret_dropped` many, from what was the oldest on. There must be a number left. */
void secret_version_add(struct secret_record *record, int64_t now, uint32_t size,
			struct bytes operator_name, uint32_t *ret_dropped);

#endif
