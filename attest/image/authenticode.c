/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows Authenticode Portable Executable Signature Format, "Calculating the PE Image Hash". UEFI
 * firmware extends this digest (PFP 1.05, 10.2.3) of what it loads: signing an image again does not
 * change it.
 */
#include "attest/image.h"

#include "attest/crypto.h"
#include "attest/error.h"

#include <string.h>

#define CHECKSUM_SIZE  4
#define DIRECTORY_SIZE 8
/* Three of the headers, sections, and what is behind them. */
#define PIECES_MAX (3 + ATTEST_IMAGE_SECTIONS_MAX + 1)

struct pieces {
	size_t count;
	struct bytes items[PIECES_MAX];
};

/* file[from...until); both were checked when the image was opened. */
static void
add(struct pieces *pieces, struct bytes file, size_t from, size_t until)
{
	struct reader r = reader_of(file);

	read_bytes(&r, from);
	pieces->items[pieces->count] = read_bytes(&r, until - from);
	pieces->count++;
}

/* Sections go in the order in which they lie in the file. */
static void
add_sections(struct pieces *pieces, const struct attest_image *image)
{
	size_t first = pieces->count;

	for (uint32_t i = 0; i < image->section_count; i++) {
		struct bytes data = image->sections[i].data;
		size_t at = pieces->count;
		if (data.size == 0)
			continue;
		for (; at > first && pieces->items[at - 1].data > data.data; at--)
			pieces->items[at] = pieces->items[at - 1];
		pieces->items[at] = data;
		pieces->count++;
	}
}

enum attest_status
attest_image_authenticode(const struct attest_image *image, enum attest_bank bank,
			  uint8_t ret_digest[ATTEST_DIGEST_MAX], struct attest_error *err)
{
	struct pieces pieces = {.count = 0};
	uint8_t digest[ATTEST_DIGEST_MAX] = {0};
	auto_hasher hasher = {.state = NULL};
	size_t from = 0, hashed = image->headers_size;

	if (bank == ATTEST_SHA1)
		return attest_fail(err, ATTEST_UNSUPPORTED, "image.bank", "SHA-1 proves nothing");
	add(&pieces, image->file, from, image->checksum);
	from = image->checksum + CHECKSUM_SIZE;
	if (image->certificate_directory != 0) {
		add(&pieces, image->file, from, image->certificate_directory);
		from = image->certificate_directory + DIRECTORY_SIZE;
	}
	add(&pieces, image->file, from, image->headers_size);
	add_sections(&pieces, image);
	for (uint32_t i = 0; i < image->section_count; i++)
		hashed += image->sections[i].data.size;
	/* What lies behind the last section is counted by sums, not by offsets: of a file with gaps
	 * between its sections some bytes are then hashed twice. So does firmware. */
	if (hashed < image->file.size - image->certificates.size)
		add(&pieces, image->file, hashed, image->file.size - image->certificates.size);
	if (!hasher_open(&hasher, attest_bank_name(bank)) ||
	    !hash_pieces(&hasher, pieces.items, pieces.count, digest))
		return attest_fail_memory(err);
	memcpy(ret_digest, digest, sizeof(digest));
	return ATTEST_OK;
}
