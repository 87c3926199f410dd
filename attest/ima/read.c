/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists as the kernel prints them (security/integrity/ima/ima_fs.c). Binary, all integers of 4
 * bytes and little-endian:
 *
 *   entry = pcr || template digest || size || template name || size || template data
 *
 * but `ima` has no size of its data, which are a SHA-1 digest, a size, and a name. The template
 * digest is of the size that the file's bank has; the list does not say which, its first entry
 * shows.
 */
#include "attest/error.h"
#include "internal.h"

#include <string.h>

#define OLD_DIGEST_SIZE 20
#define OLD_NAME_MAX	255 /* IMA_EVENT_NAME_LEN_MAX */
#define OLD_DATA_SIZE	(OLD_DIGEST_SIZE + OLD_NAME_MAX + 1)

bool
ima_old_data(struct attest_ima_list *list, struct bytes digest, struct bytes name,
	     struct bytes *ret_data)
{
	struct writer w = writer_of(list->data, OLD_DATA_SIZE);

	if (digest.size != OLD_DIGEST_SIZE || name.size > OLD_NAME_MAX)
		return false;
	write_bytes(&w, digest);
	write_bytes(&w, name);
	while (!w.failed && w.size < OLD_DATA_SIZE)
		write_u8(&w, 0);
	*ret_data = writer_bytes(&w);
	return !w.failed;
}

static bool
binary_next(struct attest_ima_list *list, struct attest_ima_entry *entry)
{
	struct reader *r = &list->reader;

	entry->pcr = read_le32(r);
	entry->digest_size = list->digest_size;
	read_copy(r, entry->digest, list->digest_size);
	entry->template_name = read_bytes(r, read_le32(r));
	if (r->failed || entry->pcr >= ATTEST_PCRS ||
	    !ima_template_name_plausible(entry->template_name))
		return false;
	if (ima_template_is_old(entry->template_name)) {
		struct bytes digest = read_bytes(r, OLD_DIGEST_SIZE);
		struct bytes name = read_bytes(r, read_le32(r));
		return !r->failed && ima_old_data(list, digest, name, &entry->data);
	}
	entry->data = read_bytes(r, read_le32(r));
	return !r->failed;
}

/* By the first entry. A list that could be read in two ways is read in the first: what it says is
 * then hashed as it was read. */
static bool
find_digest_size(struct attest_ima_list *list)
{
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		struct attest_ima_entry entry = {0};

		list->digest_size = attest_bank_size((enum attest_bank)bank);
		bool fits = binary_next(list, &entry);
		list->reader = reader_of(list->whole);
		if (fits)
			return true;
	}
	return false;
}

/* A PCR in text is " 9" or "10"; in binary its second byte is 0. */
static bool
looks_like_text(struct bytes list)
{
	struct reader r = reader_of(list);
	uint8_t first = read_u8(&r);
	uint8_t second = read_u8(&r);

	return (first == ' ' || (first >= '0' && first <= '9')) && second != 0;
}

enum attest_status
attest_ima_open(struct bytes list, struct attest_ima_list *ret_list, struct attest_error *err)
{
	if (list.size > ATTEST_IMA_MAX)
		return attest_fail(err, ATTEST_LIMIT, "ima.size",
				   "IMA list of %zu bytes, at most %d", list.size, ATTEST_IMA_MAX);
	ret_list->ascii = looks_like_text(list);
	ret_list->digest_size = 0;
	ret_list->count = 0;
	ret_list->whole = list;
	ret_list->reader = reader_of(list);
	if (list.size > 0 && !ret_list->ascii && !find_digest_size(ret_list))
		return attest_fail(err, ATTEST_MALFORMED, "ima.form",
				   "neither a binary IMA list, little-endian, nor an ASCII one");
	return ATTEST_OK;
}

static bool
is_zero(const uint8_t *bytes, size_t size)
{
	uint8_t any = 0;

	for (size_t i = 0; i < size; i++)
		any |= bytes[i];
	return any == 0;
}

/* Editors leave empty lines behind a text. Asked where a line begins, so it costs the rest of the
 * list only once: what begins with a line's end and goes on otherwise does not parse. */
static bool
only_line_ends(struct reader rest)
{
	while (rest.left > 0)
		if (read_u8(&rest) != '\n')
			return false;
	return true;
}

enum attest_status
attest_ima_next(struct attest_ima_list *list, struct attest_ima_entry *ret_entry, bool *ret_end,
		struct attest_error *err)
{
	struct attest_ima_entry entry = {.number = list->count,
					 .offset = list->whole.size - list->reader.left};

	if (list->reader.left == 0 || (list->ascii && only_line_ends(list->reader))) {
		*ret_end = true;
		return ATTEST_OK;
	}
	if (list->ascii) {
		enum attest_status status = ima_ascii_next(list, &entry, err);
		if (status != ATTEST_OK)
			return status;
	} else if (!binary_next(list, &entry)) {
		return attest_fail(err, ATTEST_MALFORMED, "ima.parse",
				   "entry %llu of the IMA list, at byte %zu, does not parse",
				   (unsigned long long)entry.number, entry.offset);
	}
	entry.violation = is_zero(entry.digest, entry.digest_size);
	ima_entry_read(&entry);
	list->count++;
	*ret_entry = entry;
	*ret_end = false;
	return ATTEST_OK;
}
