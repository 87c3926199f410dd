/* SPDX-License-Identifier: Apache-2.0 */
/* The UAPI group's Unified Kernel Image specification, and systemd-stub(7). */
#include "uki.h"

#include "attest/error.h"

#include <string.h>

/* In the order in which the stub measures them, which is not that of the file. .pcrsig is left out:
 * it signs what comes of this. */
static const struct {
	const char *name;
	unsigned since; /* older stubs pass over it */
	bool by_hardware;
} TAKEN[] = {
	{".linux", 252, false},	  {".osrel", 252, false},   {".cmdline", 252, false},
	{".initrd", 252, false},  {".ucode", 256, false},   {".splash", 252, false},
	{".dtb", 252, false},	  {".uname", 253, false},   {".sbat", 253, false},
	{".pcrpkey", 252, false}, {".profile", 257, false}, {".dtbauto", 257, true},
	{".hwids", 257, false},	  {".efifw", 258, true},
};
#define TAKEN_COUNT (sizeof(TAKEN) / sizeof(*TAKEN))

#define PROFILES_SINCE 257

struct found {
	const struct attest_image_section *section;
	uint32_t count; /* of the one name, where it is there most often */
};

static struct found
find_within(const struct attest_image *image, const char *name, uint32_t from, uint32_t until)
{
	struct found found = {NULL, 0};

	for (uint32_t i = from; i < until; i++) {
		if (strcmp(image->sections[i].name, name) != 0)
			continue;
		found.section = found.count == 0 ? &image->sections[i] : found.section;
		found.count++;
	}
	return found;
}

/* The next .profile from `at` on, or the end. */
static uint32_t
profile_from(const struct attest_image *image, uint32_t at)
{
	while (at < image->section_count && strcmp(image->sections[at].name, ".profile") != 0)
		at++;
	return at;
}

/* As the stub takes it when no profile is asked for: of the first profile, which begins with the
 * first .profile and ends before the next, or else of what stands before all profiles. */
static struct found
find(const struct attest_image *image, const char *name)
{
	uint32_t end = image->section_count;
	uint32_t first = image->stub >= PROFILES_SINCE ? profile_from(image, 0) : end;
	struct found base = find_within(image, name, 0, first);

	if (first == end)
		return base;
	struct found own = find_within(image, name, first, profile_from(image, first + 1));
	if (own.count == 0)
		return base;
	own.count = own.count > base.count ? own.count : base.count;
	return own;
}

/* Sections that overlap in memory are not what they are in the file. */
static bool
overlaps_loaded(const struct attest_image *image)
{
	for (uint32_t i = 0; i < image->section_count; i++) {
		const struct attest_image_section *a = &image->sections[i];
		for (uint32_t j = 0; j < i; j++) {
			const struct attest_image_section *b = &image->sections[j];
			if (a->address < (uint64_t)b->address + b->size &&
			    b->address < (uint64_t)a->address + a->size)
				return true;
		}
	}
	return false;
}

static enum attest_status
check_stub(const struct attest_image *image, struct attest_error *err)
{
	if (image->stub == 0)
		return attest_fail(err, ATTEST_UNSUPPORTED, "image.stub",
				   "no unified kernel image with systemd's stub (.sdmagic says "
				   "nothing of it)");
	if (image->stub < ATTEST_STUB_OLDEST || image->stub > ATTEST_STUB_NEWEST)
		return attest_fail(err, ATTEST_UNSUPPORTED, "image.stub",
				   "systemd-stub %u: known are %d to %d", image->stub,
				   ATTEST_STUB_OLDEST, ATTEST_STUB_NEWEST);
	if (overlaps_loaded(image))
		return attest_fail(err, ATTEST_UNSUPPORTED, "image.loaded",
				   "two sections overlap when they are loaded");
	return ATTEST_OK;
}

static enum attest_status
take(const struct attest_image *image, struct uki *uki, struct attest_error *err)
{
	_Static_assert(TAKEN_COUNT <= UKI_MEASURED_MAX, "each section can be taken once");

	for (size_t i = 0; i < TAKEN_COUNT; i++) {
		struct found found = find(image, TAKEN[i].name);
		if (found.count == 0 || image->stub < TAKEN[i].since)
			continue;
		if (found.count > 1)
			return attest_fail(err, ATTEST_UNSUPPORTED, "image.twice",
					   "section %s is there %u times: stubs differ in which "
					   "they take",
					   TAKEN[i].name, found.count);
		if (TAKEN[i].by_hardware)
			return attest_fail(err, ATTEST_UNSUPPORTED, "image.hardware",
					   "whether %s is taken depends on the machine",
					   TAKEN[i].name);
		if (found.section->size > 0)
			uki->measured[uki->measured_count++] = found.section;
	}
	return ATTEST_OK;
}

enum attest_status
uki_read(const struct attest_image *image, struct uki *ret_uki, struct attest_error *err)
{
	struct uki uki = {.kernel = find(image, ".linux").section};
	const struct attest_image_section *line = find(image, ".cmdline").section;
	enum attest_status status = check_stub(image, err);

	if (status == ATTEST_OK)
		status = take(image, &uki, err);
	if (status != ATTEST_OK)
		return status;
	if (uki.kernel == NULL || uki.kernel->size == 0)
		return attest_fail(err, ATTEST_UNSUPPORTED, "image.kernel",
				   "there is no kernel in it");
	if (line != NULL && line->data.size < line->size)
		return attest_fail(err, ATTEST_UNSUPPORTED, "image.line",
				   ".cmdline is longer when loaded than it is in the file");
	if (line != NULL) {
		struct reader r = reader_of(line->data);
		uki.line = read_bytes(&r, line->size);
		if (line->size > 0 && uki.line.data[line->size - 1] == '\n')
			uki.line.size--;
	}
	*ret_uki = uki;
	return ATTEST_OK;
}

bool
uki_line_plain(struct bytes line)
{
	if (line.size == 0 || line.data[0] == ' ' || line.data[0] == '@' ||
	    line.data[line.size - 1] == ' ')
		return false;
	for (size_t i = 0; i < line.size; i++)
		if (line.data[i] < 0x20 || line.data[i] > 0x7e)
			return false;
	return true;
}
