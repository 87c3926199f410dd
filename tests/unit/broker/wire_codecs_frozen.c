/* SPDX-License-Identifier: Apache-2.0 */
/* The table's rows of wire/frozen.h. */
#include "wire_codecs.h"

#include "wire/frozen.h"

static struct bytes
word(const char *text)
{
	return (struct bytes){(const uint8_t *)text, __builtin_strlen(text)};
}

bool
recode_frozen_record(struct bytes encoded, struct writer *w)
{
	struct frozen_record record;

	if (!frozen_record_read(encoded, &record))
		return false;
	frozen_record_write(w, &record);
	return true;
}

void
sample_frozen_record(struct writer *w)
{
	const struct frozen_record record = {word("restored from a backup, \xc3\xbc"), 1700000000};

	frozen_record_write(w, &record);
}

bool
recode_witness_record(struct bytes encoded, struct writer *w)
{
	uint64_t counter;

	if (!witness_record_read(encoded, &counter))
		return false;
	witness_record_write(w, counter);
	return true;
}

void
sample_witness_record(struct writer *w)
{
	witness_record_write(w, 41);
}

bool
recode_backup_label(struct bytes encoded, struct writer *w)
{
	struct backup_label label;

	if (!backup_label_read(encoded, &label))
		return false;
	backup_label_write(w, &label);
	return true;
}

void
sample_backup_label(struct writer *w)
{
	const struct backup_label label = {1700000000, 12, 345, word("0.1.0")};

	backup_label_write(w, &label);
}
