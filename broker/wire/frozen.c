/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes stand in frozen.h. */
#include "frozen.h"

#include "text.h"

#define LABEL_VERSION 1

void
frozen_record_write(struct writer *w, const struct frozen_record *record)
{
	if (record->why.size == 0 || record->why.size > FROZEN_WHY_MAX ||
	    !text_printable(record->why) || record->since < 0)
		w->failed = true;
	write_lp(w, record->why);
	write_be64(w, (uint64_t)record->since);
}

bool
frozen_record_read(struct bytes encoded, struct frozen_record *ret_record)
{
	struct reader r = reader_of(encoded);
	struct frozen_record record;

	record.why = read_lp(&r, FROZEN_WHY_MAX);
	record.since = (int64_t)read_be64(&r);
	if (!reader_finished(&r) || record.why.size == 0 || !text_printable(record.why) ||
	    record.since < 0)
		return false;
	*ret_record = record;
	return true;
}

static bool
is_counter(uint64_t counter)
{
	return counter != 0 && counter != UINT64_MAX;
}

void
witness_record_write(struct writer *w, uint64_t counter)
{
	if (!is_counter(counter))
		w->failed = true;
	write_be64(w, counter);
}

bool
witness_record_read(struct bytes encoded, uint64_t *ret_counter)
{
	struct reader r = reader_of(encoded);
	uint64_t counter = read_be64(&r);

	if (!reader_finished(&r) || !is_counter(counter))
		return false;
	*ret_counter = counter;
	return true;
}

void
backup_label_write(struct writer *w, const struct backup_label *label)
{
	if (label->version.size > BACKUP_VERSION_MAX || !text_plain(label->version) ||
	    label->time < 0)
		w->failed = true;
	write_u8(w, LABEL_VERSION);
	write_be64(w, (uint64_t)label->time);
	write_be64(w, label->trust_revision);
	write_be64(w, label->store_revision);
	write_lp(w, label->version);
}

bool
backup_label_read(struct bytes encoded, struct backup_label *ret_label)
{
	struct reader r = reader_of(encoded);
	struct backup_label label;

	uint8_t version = read_u8(&r);
	label.time = (int64_t)read_be64(&r);
	label.trust_revision = read_be64(&r);
	label.store_revision = read_be64(&r);
	label.version = read_lp(&r, BACKUP_VERSION_MAX);
	if (!reader_finished(&r) || version != LABEL_VERSION || label.time < 0 ||
	    !text_plain(label.version))
		return false;
	*ret_label = label;
	return true;
}
