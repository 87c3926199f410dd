/* SPDX-License-Identifier: Apache-2.0 */
#include "secret_record.h"

#include <assert.h>
#include <string.h>

#define RECORD_VERSION 2 /* 1 had one size for all versions, and values that could not be erased   \
			  */
#define SETTINGS_SIZE 14
#define SETTINGS_ALL  (SETTING_VERSIONS_MAX | SETTING_CAS_REQUIRED | SETTING_DELETE_VERSION_AFTER)

#define FLAG_DESTROYED 1
#define FLAG_DELETED   2

static const uint8_t no_custom[2];

struct secret_record
secret_record_new(int64_t now)
{
	return (struct secret_record){
		.created = now,
		.updated = now,
		.settings = {.mask = SETTINGS_ALL},
		.custom = BYTES_OF(no_custom),
	};
}

uint32_t
secret_version_count(const struct secret_record *record)
{
	return record->newest == 0 ? 0 : record->newest - record->oldest + 1;
}

struct secret_version *
secret_version_at(struct secret_record *record, uint32_t number)
{
	if (number == 0 || number < record->oldest || number > record->newest)
		return NULL;
	return &record->versions[number - record->oldest];
}

/* ---- the codec ---- */

static void
version_write(struct writer *w, const struct secret_version *version)
{
	write_be64(w, (uint64_t)version->created);
	write_be64(w, (uint64_t)version->deletion);
	write_u8(w, (uint8_t)((version->destroyed ? FLAG_DESTROYED : 0) |
			      (version->deleted ? FLAG_DELETED : 0)));
	write_be32(w, version->size);
	write_lp(w, version->operator_name);
}

void
secret_record_write(struct writer *w, const struct secret_record *record)
{
	write_u8(w, RECORD_VERSION);
	write_be32(w, record->newest);
	write_be32(w, record->oldest);
	write_be64(w, (uint64_t)record->created);
	write_be64(w, (uint64_t)record->updated);
	secret_settings_write(w, &record->settings);
	write_lp(w, record->custom);
	for (uint32_t i = 0; i < secret_version_count(record); i++)
		version_write(w, &record->versions[i]);
}

/* False: no such version can be. */
static bool
version_read(struct reader *r, struct secret_version *ret_version)
{
	struct secret_version version;

	version.created = (int64_t)read_be64(r);
	version.deletion = (int64_t)read_be64(r);
	uint8_t flags = read_u8(r);
	version.size = read_be32(r);
	version.operator_name = read_lp(r, SECRET_OPERATOR_MAX);
	version.destroyed = (flags & FLAG_DESTROYED) != 0;
	version.deleted = (flags & FLAG_DELETED) != 0;
	*ret_version = version;
	return version.created >= 0 && version.deletion >= 0 &&
	       flags <= (FLAG_DESTROYED | FLAG_DELETED) && version.size <= WIRE_SECRET_MAX &&
	       (version.deletion != 0 || !version.deleted);
}

/* Both ends 0, or at most OPERATION_VERSIONS_MAX from one to the other. */
static bool
range_possible(const struct secret_record *record)
{
	if (record->newest == 0 || record->oldest == 0)
		return record->newest == record->oldest;
	return record->oldest <= record->newest &&
	       record->newest - record->oldest < OPERATION_VERSIONS_MAX;
}

bool
secret_record_read(struct bytes encoded, struct secret_record *ret_record)
{
	struct reader r = reader_of(encoded);
	struct secret_record record;
	struct custom_metadata custom;

	uint8_t format = read_u8(&r);
	record.newest = read_be32(&r);
	record.oldest = read_be32(&r);
	record.created = (int64_t)read_be64(&r);
	record.updated = (int64_t)read_be64(&r);
	struct bytes settings = read_bytes(&r, SETTINGS_SIZE);
	record.custom = read_lp(&r, SECRET_CUSTOM_MAX);
	if (format != RECORD_VERSION || !range_possible(&record) || record.created < 0 ||
	    record.updated < 0 || !secret_settings_read(settings, &record.settings) ||
	    record.settings.mask != SETTINGS_ALL || !custom_metadata_read(record.custom, &custom))
		return false;
	for (uint32_t i = 0; i < secret_version_count(&record); i++) {
		if (!version_read(&r, &record.versions[i]))
			return false;
	}
	if (!reader_finished(&r))
		return false;
	*ret_record = record;
	return true;
}

/* ---- versions ---- */

enum secret_state
secret_version_state(const struct secret_version *version, int64_t now)
{
	if (version->destroyed)
		return SECRET_DESTROYED;
	if (version->deleted)
		return SECRET_DELETED;
	return version->deletion != 0 && version->deletion <= now ? SECRET_EXPIRED : SECRET_ACTIVE;
}

const char *
secret_state_text(enum secret_state state)
{
	switch (state) {
	case SECRET_ACTIVE:
		return "active";
	case SECRET_EXPIRED:
		return "expired";
	case SECRET_DELETED:
		return "deleted";
	case SECRET_DESTROYED:
		return "destroyed";
	}
	return "destroyed";
}

void
secret_version_add(struct secret_record *record, int64_t now, uint32_t size,
		   struct bytes operator_name, uint32_t *ret_dropped)
{
	const struct secret_settings *settings = &record->settings;
	uint32_t most =
		settings->versions_max == 0 ? SECRET_VERSIONS_DEFAULT : settings->versions_max;
	uint32_t count = secret_version_count(record);
	uint32_t dropped = count >= most ? count - most + 1 : 0;
	int64_t after = (int64_t)settings->delete_version_after; /* a hundred years at most */

	assert(record->newest < UINT32_MAX && most <= OPERATION_VERSIONS_MAX);
	memmove(record->versions, record->versions + dropped,
		(count - dropped) * sizeof(record->versions[0]));
	record->versions[count - dropped] = (struct secret_version){
		.created = now,
		.deletion = after == 0 ? 0 : now + after,
		.size = size,
		.operator_name = operator_name,
	};
	record->newest++;
	record->oldest = record->oldest == 0 ? 1 : record->oldest + dropped;
	record->updated = now;
	*ret_dropped = dropped;
}
