/* SPDX-License-Identifier: Apache-2.0 */
/* What operators say of secrets beside their values: versions, settings, custom metadata. */
#include "operation.h"
#include "text.h"

#define SETTINGS_ALL	 (SETTING_VERSIONS_MAX | SETTING_CAS_REQUIRED | SETTING_DELETE_VERSION_AFTER)
#define DELETE_AFTER_MAX ((uint64_t)100 * 366 * 24 * 3600) /* a time of 63 bits can hold the end   \
							    */

void
version_list_write(struct writer *w, const struct version_list *list)
{
	for (uint16_t i = 0; i < list->count; i++)
		write_be32(w, list->versions[i]);
}

bool
version_list_read(struct bytes encoded, struct version_list *ret_list)
{
	struct reader r = reader_of(encoded);
	struct version_list list = {0};

	if (encoded.size % 4 != 0 || encoded.size == 0 || encoded.size / 4 > OPERATION_VERSIONS_MAX)
		return false;
	list.count = (uint16_t)(encoded.size / 4);
	for (uint16_t i = 0; i < list.count; i++) {
		list.versions[i] = read_be32(&r);
		if (list.versions[i] <= (i > 0 ? list.versions[i - 1] : 0))
			return false;
	}
	*ret_list = list;
	return true;
}

void
secret_settings_write(struct writer *w, const struct secret_settings *settings)
{
	write_u8(w, settings->mask);
	write_be32(w, settings->versions_max);
	write_u8(w, settings->cas_required ? 1 : 0);
	write_be64(w, settings->delete_version_after);
}

/* What is not set is 0, so that one meaning has one form. */
bool
secret_settings_read(struct bytes encoded, struct secret_settings *ret_settings)
{
	struct reader r = reader_of(encoded);
	struct secret_settings settings;

	settings.mask = read_u8(&r);
	settings.versions_max = read_be32(&r);
	uint8_t cas_required = read_u8(&r);
	settings.delete_version_after = read_be64(&r);
	settings.cas_required = cas_required == 1;
	if (!reader_finished(&r) || settings.mask == 0 || (settings.mask & ~SETTINGS_ALL) != 0 ||
	    settings.versions_max > OPERATION_VERSIONS_MAX || cas_required > 1 ||
	    settings.delete_version_after > DELETE_AFTER_MAX)
		return false;
	if ((!(settings.mask & SETTING_VERSIONS_MAX) && settings.versions_max != 0) ||
	    (!(settings.mask & SETTING_CAS_REQUIRED) && settings.cas_required) ||
	    (!(settings.mask & SETTING_DELETE_VERSION_AFTER) && settings.delete_version_after != 0))
		return false;
	*ret_settings = settings;
	return true;
}

void
custom_metadata_write(struct writer *w, const struct custom_metadata *metadata)
{
	write_be16(w, metadata->count);
	for (uint16_t i = 0; i < metadata->count; i++) {
		write_lp(w, metadata->names[i]);
		write_lp(w, metadata->values[i]);
	}
}

static bool
name_is_new(const struct custom_metadata *metadata, uint16_t index)
{
	for (uint16_t i = 0; i < index; i++) {
		if (bytes_equal(metadata->names[i], metadata->names[index]))
			return false;
	}
	return true;
}

bool
custom_metadata_read(struct bytes encoded, struct custom_metadata *ret_metadata)
{
	struct reader r = reader_of(encoded);
	struct custom_metadata metadata = {0};

	metadata.count = (uint16_t)read_count(&r, read_be16(&r), CUSTOM_MAX);
	for (uint16_t i = 0; i < metadata.count; i++) {
		metadata.names[i] = read_lp(&r, CUSTOM_NAME_MAX);
		metadata.values[i] = read_lp(&r, CUSTOM_VALUE_MAX);
		if (metadata.names[i].size == 0 || !text_printable(metadata.names[i]) ||
		    !text_printable(metadata.values[i]) || !name_is_new(&metadata, i))
			return false;
	}
	if (!reader_finished(&r))
		return false;
	*ret_metadata = metadata;
	return true;
}
