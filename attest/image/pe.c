/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of a PE/COFF image (Microsoft's PE Format; offsets below are its). Stricter than
 * loaders: where a file can be read in two ways, its digest could be of one and its contents of the
 * other.
 */
#include "attest/image.h"

#include "attest/error.h"

#include <string.h>

#define DOS_MAGIC	  0x5a4d     /* "MZ" */
#define PE_MAGIC	  0x00004550 /* "PE\0\0" */
#define PE_OFFSET_AT	  0x3c
#define PE32_MAGIC	  0x10b
#define PE32_PLUS_MAGIC	  0x20b
#define COFF_SIZE	  24 /* signature and file header */
#define VERSION_AT	  44 /* MajorImageVersion */
#define HEADERS_SIZE_AT	  60 /* in the optional header, of both forms */
#define CHECKSUM_AT	  64
#define DIRECTORIES_MAX	  16
#define CERTIFICATE_ENTRY 4 /* of the data directories */
#define SECTION_NAME_SIZE 8

struct layout { /* what is needed only while reading */
	uint32_t section_count;
	size_t optional_at;
	size_t optional_size;
	struct {
		uint64_t start;
		uint64_t end;
	} raw[ATTEST_IMAGE_SECTIONS_MAX];
	uint32_t raw_count;
	uint32_t certificates_at;
	uint32_t certificates_size;
};

static struct reader
reader_at(struct bytes file, uint64_t offset)
{
	struct reader r = reader_of(file);

	if (offset > file.size)
		reader_fail(&r);
	else
		read_bytes(&r, (size_t)offset);
	return r;
}

static bool
read_coff(struct bytes file, struct layout *layout)
{
	struct reader r = reader_of(file);

	if (read_le16(&r) != DOS_MAGIC)
		return false;
	r = reader_at(file, PE_OFFSET_AT);
	uint32_t at = read_le32(&r);
	r = reader_at(file, at);
	if (read_le32(&r) != PE_MAGIC)
		return false;
	read_le16(&r); /* Machine */
	layout->section_count = read_count(&r, read_le16(&r), ATTEST_IMAGE_SECTIONS_MAX);
	read_bytes(&r, 12); /* TimeDateStamp, PointerToSymbolTable, NumberOfSymbols */
	layout->optional_size = read_le16(&r);
	read_le16(&r); /* Characteristics */
	layout->optional_at = (size_t)at + COFF_SIZE;
	return !r.failed && layout->section_count > 0;
}

/* The optional header is read within its own size: its directories must not reach past it. */
static bool
read_optional(struct attest_image *image, struct layout *layout)
{
	struct reader file = reader_at(image->file, layout->optional_at);
	struct reader r = reader_of(read_bytes(&file, layout->optional_size));
	uint16_t magic = read_le16(&r);

	if (file.failed || (magic != PE32_MAGIC && magic != PE32_PLUS_MAGIC))
		return false;
	image->pe32_plus = magic == PE32_PLUS_MAGIC;
	read_bytes(&r, VERSION_AT - 2);
	image->version = read_le16(&r);
	read_bytes(&r, HEADERS_SIZE_AT - VERSION_AT - 2);
	image->headers_size = read_le32(&r);
	read_le32(&r); /* CheckSum */
	image->checksum = layout->optional_at + CHECKSUM_AT;
	/* Subsystem, DllCharacteristics, four sizes of stack and heap, LoaderFlags */
	read_bytes(&r, image->pe32_plus ? 2 + 2 + 4 * 8 + 4 : 2 + 2 + 4 * 4 + 4);
	uint32_t directories = read_count(&r, read_le32(&r), DIRECTORIES_MAX);
	for (uint32_t i = 0; i < directories; i++) {
		size_t at = layout->optional_at + layout->optional_size - r.left;
		uint32_t address = read_le32(&r), size = read_le32(&r);
		if (i != CERTIFICATE_ENTRY)
			continue;
		image->certificate_directory = at;
		layout->certificates_at = address;
		layout->certificates_size = size;
	}
	return !r.failed;
}

/* Certificates, the one directory whose address is an offset in the file, end it: whatever stood
 * behind them would be hashed by some loaders and not by others. */
static bool
read_certificates(struct attest_image *image, const struct layout *layout)
{
	if (layout->certificates_size == 0)
		return true;
	struct reader r = reader_at(image->file, layout->certificates_at);
	image->certificates = read_bytes(&r, layout->certificates_size);
	return reader_finished(&r) && layout->certificates_at >= image->headers_size;
}

static bool
read_section(struct reader *r, struct attest_image *image, struct layout *layout)
{
	struct attest_image_section *section = &image->sections[image->section_count];

	read_copy(r, (uint8_t *)section->name, SECTION_NAME_SIZE);
	section->size = read_le32(r);
	section->address = read_le32(r);
	uint32_t size = read_le32(r), at = read_le32(r);
	read_bytes(r, 16); /* relocations, line numbers, Characteristics */
	if (r->failed)
		return false;
	image->section_count++;
	if (size == 0)
		return true;
	struct reader file = reader_at(image->file, at);
	section->data = read_bytes(&file, size);
	layout->raw[layout->raw_count].start = at;
	layout->raw[layout->raw_count].end = (uint64_t)at + size;
	layout->raw_count++;
	return !file.failed && at >= image->headers_size &&
	       (uint64_t)at + size <= image->file.size - image->certificates.size;
}

static bool
overlaps(const struct layout *layout)
{
	for (uint32_t i = 0; i < layout->raw_count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (layout->raw[i].start < layout->raw[j].end &&
			    layout->raw[j].start < layout->raw[i].end)
				return true;
	return false;
}

/* "#### LoaderInfo: systemd-stub 252.39-1 ####": both of systemd's programs say so of themselves.
 * 0: this is not `program`. */
static unsigned
program_version(const struct attest_image *image, const char *program)
{
	static const char BEFORE[] = "#### LoaderInfo: ";

	for (uint32_t i = 0; i < image->section_count; i++) {
		struct reader r = reader_of(image->sections[i].data);
		unsigned version = 0;
		if (strcmp(image->sections[i].name, ".sdmagic") != 0)
			continue;
		struct bytes before = read_bytes(&r, sizeof(BEFORE) - 1);
		struct bytes name = read_bytes(&r, strlen(program));
		if (!bytes_equal(before, (struct bytes){(const uint8_t *)BEFORE, before.size}) ||
		    !bytes_equal(name, (struct bytes){(const uint8_t *)program, name.size}) ||
		    read_u8(&r) != ' ')
			return 0;
		for (uint8_t c = read_u8(&r); c >= '0' && c <= '9' && version < 1000;
		     c = read_u8(&r))
			version = version * 10 + (unsigned)(c - '0');
		return r.failed ? 0 : version;
	}
	return 0;
}

enum attest_status
attest_image_open(struct bytes file, struct attest_image *ret_image, struct attest_error *err)
{
	struct attest_image image = {.file = file};
	struct layout layout = {.section_count = 0};

	if (file.size > ATTEST_IMAGE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "image.size", "%zu bytes, %u allowed",
				   file.size, ATTEST_IMAGE_MAX);
	if (!read_coff(file, &layout) || !read_optional(&image, &layout))
		return attest_fail(err, ATTEST_MALFORMED, "image.headers",
				   "no PE/COFF image (headers do not parse)");
	size_t table = layout.optional_at + layout.optional_size;
	struct reader r = reader_at(file, table);
	if (image.headers_size < table || image.headers_size > file.size ||
	    !read_certificates(&image, &layout))
		return attest_fail(err, ATTEST_MALFORMED, "image.certificates",
				   "certificates do not end the file, or headers reach past it");
	for (uint32_t i = 0; i < layout.section_count; i++)
		if (!read_section(&r, &image, &layout))
			return attest_fail(err, ATTEST_MALFORMED, "image.section",
					   "section %u is cut short or not within the file", i);
	if (file.size - r.left > image.headers_size)
		return attest_fail(err, ATTEST_MALFORMED, "image.section",
				   "the table of sections reaches past the headers");
	if (overlaps(&layout))
		return attest_fail(err, ATTEST_MALFORMED, "image.overlap",
				   "two sections share bytes of the file");
	image.stub = program_version(&image, "systemd-stub");
	image.boot = program_version(&image, "systemd-boot");
	*ret_image = image;
	return ATTEST_OK;
}
