/* SPDX-License-Identifier: Apache-2.0 */
/* A look at each entry of the log: its seal, its place in the chain, and its name in the index. */
#include "check.h"

#include <stdio.h>
#include <string.h>

static enum store_status
look_for_tag(struct check *check, const struct view *view, const struct entry *entry,
	     uint64_t revision, struct store_error *err)
{
	char name[BACKEND_KEY_MAX + 1];
	struct backend_record record;

	if (entry->tag.size == 0)
		return STORE_OK;
	snprintf(name, sizeof name, TAG_PREFIX "%.*s/%016llx", (int)entry->tag.size,
		 (const char *)entry->tag.data, (unsigned long long)entry->public.number);
	enum store_status status = view_get(view, name, &record, err);
	if (status == STORE_MISSING)
		return check_note(check, "%s: gone from the index", name);
	if (status != STORE_OK)
		return status;
	const bool as_written = record.revision == revision && record.body.size == 0;
	check->tagged += as_written || check->settled;
	if (!as_written)
		return check_note(check, "%s: not as its entry wrote it", name);
	return STORE_OK;
}

/* From the entry that was seen last to `number`, none between, and linked to it. */
static enum store_status
look_at_link(struct check *check, const struct entry *entry)
{
	const uint64_t number = entry->public.number, wanted = check->number + 1;
	uint8_t hash[STORE_HASH_SIZE];

	memcpy(hash, check->hash, sizeof hash);
	store_log_chain(hash, entry->public.entry);
	if (check->hash_known && number == wanted &&
	    memcmp(hash, entry->public.hash, sizeof hash) != 0)
		return check_note(check, "log: the chain breaks at %llu",
				  (unsigned long long)number);
	return STORE_OK;
}

static enum store_status
look_for_gap(struct check *check, uint64_t number)
{
	const uint64_t wanted = check->number + 1;

	if (number == wanted)
		return STORE_OK;
	if (number == wanted + 1)
		return check_note(check, LOG_PREFIX "%016llx: the log's entry is gone",
				  (unsigned long long)wanted);
	return check_note(check, LOG_PREFIX "%016llx to %016llx: the log's entries are gone",
			  (unsigned long long)wanted, (unsigned long long)number - 1);
}

static enum store_status
worse(enum store_status a, enum store_status b)
{
	return a == STORE_OK ? b : a;
}

static enum store_status
look_at_opened(struct check *check, const struct view *view, const struct entry *entry,
	       const struct backend_record *record, struct store_error *err)
{
	enum store_status status = look_at_link(check, entry);

	if (status != STORE_OK && !check->settled)
		return status;
	return worse(status, look_for_tag(check, view, entry, record->revision, err));
}

static enum store_status
look_at_entry(struct check *check, const struct view *view, const char *name,
	      const struct backend_record *record, struct store_error *err)
{
	uint64_t number = 0;
	struct entry entry = {0};
	struct store_bytes value = {0};

	if (!store_log_parse_number(name + strlen(LOG_PREFIX), &number) || number == 0)
		return check_note(check, "%s: no log key", name);
	if (number > check->head.number) /* newer than the check; later ones are noticed there */
		return STORE_MISSING;
	enum store_status status = look_for_gap(check, number);
	if (status == STORE_TAMPERED && !check->settled)
		return status;
	enum store_status opened = check_open(check, view, name, record, &value, err);
	if (opened == STORE_OK)
		opened = store_log_parse(name, number, value, &entry, err);
	if (opened == STORE_OK)
		status = worse(status, look_at_opened(check, view, &entry, record, err));
	else if (opened == STORE_TAMPERED)
		status = check_note_sealed(check, view, name, record, err);
	else
		return opened;
	if (status != STORE_OK && !check->settled)
		return status;
	check->number = number;
	check->hash_known = opened == STORE_OK;
	memcpy(check->hash, entry.public.hash, sizeof check->hash);
	check->done++;
	check->report.entries++;
	check->report.bytes += value.size;
	return status;
}

/* Does the entry that the index names have this tag? */
static enum store_status
compare_tag(struct check *check, const struct view *view, const char *name, uint64_t number,
	    struct store_error *err)
{
	const char *tag = name + strlen(TAG_PREFIX);
	const size_t tag_size = (size_t)(strrchr(name, '/') - tag);
	char entry_name[LOG_KEY_SIZE];
	struct backend_record record;
	struct store_bytes value;
	struct entry entry = {0};

	store_log_name_entry(entry_name, number);
	enum store_status status = view_get(view, entry_name, &record, err);
	if (status == STORE_OK)
		status = check_open(check, view, entry_name, &record, &value, err);
	if (status == STORE_OK)
		status = store_log_parse(entry_name, number, value, &entry, err);
	if (status == STORE_MISSING || status == STORE_TAMPERED)
		return check_note(check, "%s: names an entry that cannot be read", name);
	if (status != STORE_OK)
		return status;
	if (entry.tag.size != tag_size || memcmp(entry.tag.data, tag, tag_size) != 0)
		return check_note(check, "%s: the entry has another tag", name);
	return STORE_OK;
}

/* One that is newer than the check need only be there: the next check compares it. */
static enum store_status
look_for_entry(struct check *check, const struct view *view, const char *name, uint64_t number,
	       struct store_error *err)
{
	char entry_name[LOG_KEY_SIZE];
	struct backend_record record;

	store_log_name_entry(entry_name, number);
	enum store_status status = view_get(view, entry_name, &record, err);
	if (status == STORE_MISSING)
		return check_note(check, "%s: names an entry that is not there", name);
	return status;
}

static enum store_status
look_at_tag(struct check *check, const struct view *view, const char *name,
	    const struct backend_record *record, struct store_error *err)
{
	const char *digits = strrchr(name, '/') + 1;
	uint64_t number = 0;

	(void)record;
	const bool sound = digits != name + strlen(TAG_PREFIX) &&
			   store_log_parse_number(digits, &number) && number > 0;
	if (check->compare_tags) /* for the second time here */
		return sound && number <= check->head.number
			       ? compare_tag(check, view, name, number, err)
			       : STORE_OK;
	if (!sound)
		return check_note(check, "%s: no index entry", name);
	if (number > check->head.number)
		return look_for_entry(check, view, name, number, err);
	check->report.tags++;
	return STORE_OK;
}

enum store_status
check_log(struct check *check, struct store_error *err)
{
	enum store_status status;

	check->hash_known = true;
	status = check_room(check, LOG_PREFIX, look_at_entry, err);
	if (status != STORE_OK)
		return status;
	check->settled = true;
	if (check->number < check->head.number)
		look_for_gap(check, check->head.number + 1);
	else if (check->hash_known &&
		 memcmp(check->hash, check->head.hash, sizeof check->hash) != 0)
		check_note(check, "log: its head is not its newest entry's");
	check->settled = false;
	check_report(check);
	status = check_room(check, TAG_PREFIX, look_at_tag, err);
	/* Each entry with a tag was found in the index: if there are no more, all are theirs. */
	check->compare_tags = check->report.tags != check->tagged;
	if (status == STORE_OK && check->compare_tags)
		status = check_room(check, TAG_PREFIX, look_at_tag, err);
	return status;
}
