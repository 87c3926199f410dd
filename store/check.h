/* SPDX-License-Identifier: Apache-2.0 */
/* A check under way: what each room's look at its records shares. */
#ifndef POSTERN_STORE_CHECK_H
#define POSTERN_STORE_CHECK_H

#include "state.h"

#define FOUND_MAX 4 /* defects of one record */

struct check {
	struct store *store;
	store_progress *progress;
	store_defect *defect;
	void *user;
	struct store_check report;
	uint64_t done, total;
	struct secret *opened;

	struct head head; /* at the beginning; entries after it are not looked at */
	bool head_known;
	uint64_t number; /* of the last entry that was seen */
	uint8_t hash[STORE_HASH_SIZE];
	bool hash_known;
	uint64_t tagged;   /* entries that the index names */
	bool compare_tags; /* each with its entry */

	bool settled; /* what is wrong now is a defect */
	char found[FOUND_MAX][sizeof((struct store_error *)0)->message];
	size_t found_count;
};

/* Looks at one record. STORE_TAMPERED: something seems wrong with it; if the store is settled, what
 * is has been noted. */
typedef enum store_status look_at(struct check *check, const struct view *view, const char *name,
				  const struct backend_record *record, struct store_error *err);

/* Returns STORE_TAMPERED, and keeps the message, where it is one, until no view is open. */
__attribute__((format(printf, 2, 3))) enum store_status check_note(struct check *check,
								   const char *format, ...);
/* ... which is when the caller hears of it. */
void check_report(struct check *check);
__attribute__((warn_unused_result)) enum store_status
check_room(struct check *check, const char *room, look_at *look, struct store_error *err);

/* ---- check_records.c ---- */

/* The value is in check->opened. */
__attribute__((warn_unused_result)) enum store_status
check_open(struct check *check, const struct view *view, const char *name,
	   const struct backend_record *record, struct store_bytes *ret_value,
	   struct store_error *err);
/* Why did it not open? */
enum store_status check_note_sealed(struct check *check, const struct view *view, const char *name,
				    const struct backend_record *record,
				    const struct store_error *err);
look_at check_record;
look_at check_erasure;
look_at check_own;

/* ---- check_log.c ---- */

/* Entries, the chain, and the index. */
__attribute__((warn_unused_result)) enum store_status check_log(struct check *check,
								struct store_error *err);

#endif
