/* SPDX-License-Identifier: Apache-2.0 */
/* Events of the firmware about itself and what it starts: PFP 1.05, 10.2 and 10.4. */
#include "device_path.h"
#include "event_describe.h"

#include <string.h>

#define PARTITIONS_MAX	16 /* of which the names are told */
#define TABLES_MAX	16
#define GPT_HEADER_SIZE 92 /* UEFI 2.10, 5.3.2 */
#define GPT_ENTRY_SIZE	128
#define GPT_NAME_SIZE	72
#define SIGNATURE_SIZE	16

static void
unparsed(struct words *words, const struct attest_event *event, const char *what)
{
	words_add(words, "%s that does not parse: ", what);
	describe_bytes(words, event);
}

/* UEFI_IMAGE_LOAD_EVENT, 10.2.3. */
void
describe_image(struct words *words, const struct attest_event *event)
{
	static const char *const kinds[] = {"an application", "a boot driver", "a runtime driver"};
	struct reader r = reader_of(event->data);
	unsigned kind = event->type - EV_EFI_BOOT_SERVICES_APPLICATION;

	read_le64(&r); /* where in memory */
	unsigned long long size = read_le64(&r);
	read_le64(&r);
	uint64_t path_size = read_le64(&r);
	if (r.failed || path_size > r.left) {
		unparsed(words, event, "a loaded image");
		return;
	}
	words_add(words, "%s of %llu bytes was loaded", kind < 3 ? kinds[kind] : "an image", size);
	if (path_size == 0)
		return;
	words_add(words, " from ");
	words_add_device_path(words, read_bytes(&r, (size_t)path_size));
}

/* An entry of a GPT: UEFI 2.10, 5.3.3. */
static void
add_partition(struct words *words, struct reader *r, bool first)
{
	struct bytes type = read_bytes(r, GUID_BYTES);

	read_bytes(r, GUID_BYTES + 24); /* its own GUID, extent, attributes */
	words_add(words, "%s\"", first ? "" : ", ");
	words_add_utf16(words, read_bytes(r, GPT_NAME_SIZE));
	words_add(words, "\" (");
	words_add_guid(words, type);
	words_add(words, ")");
}

/* UEFI_GPT_DATA, 10.2.5: the header, and those entries that are used. */
void
describe_partitions(struct words *words, const struct attest_event *event)
{
	struct reader r = reader_of(event->data);
	char disk[GUID_TEXT];

	struct bytes header = read_bytes(&r, GPT_HEADER_SIZE);
	uint64_t count = read_le64(&r);
	if (r.failed || memcmp(header.data, "EFI PART", 8) != 0) {
		unparsed(words, event, "a partition table");
		return;
	}
	struct reader h = reader_of(header);
	read_bytes(&h, 56);
	guid_text(read_bytes(&h, GUID_BYTES), disk);
	read_le64(&h);
	read_le32(&h);
	uint32_t entry_size = read_le32(&h);
	words_add(words, "partition table of disk %s, %llu partitions", disk,
		  (unsigned long long)count);
	if (entry_size != GPT_ENTRY_SIZE || count > r.left / GPT_ENTRY_SIZE) {
		words_add(words, ", which do not parse");
		return;
	}
	words_add(words, count > 0 ? ": " : "");
	for (uint64_t i = 0; i < count && i < PARTITIONS_MAX; i++)
		add_partition(words, &r, i == 0);
	words_add(words, count > PARTITIONS_MAX ? ", ..." : "");
}

/* UEFI_PLATFORM_FIRMWARE_BLOB, 10.2.1: the bytes themselves are not in the log. */
static bool
add_blob(struct words *words, struct reader *r, const char *what)
{
	unsigned long long base = read_le64(r), size = read_le64(r);

	if (!reader_finished(r))
		return false;
	words_add(words, "%s of %llu bytes at 0x%llx", what, size, base);
	return true;
}

void
describe_blob(struct words *words, const struct attest_event *event)
{
	struct reader r = reader_of(event->data);

	if (!add_blob(words, &r, "a part of the firmware,"))
		unparsed(words, event, "a part of the firmware");
}

/* A description in front: one byte of size, then text. */
static void
add_description(struct words *words, struct reader *r)
{
	struct bytes description = read_bytes(r, read_u8(r));

	words_add(words, "\"");
	words_add_if_text(words, description);
	words_add(words, "\": ");
}

void
describe_blob2(struct words *words, const struct attest_event *event)
{
	struct reader r = reader_of(event->data);

	add_description(words, &r);
	if (!add_blob(words, &r, "a part of the firmware,"))
		unparsed(words, event, "a part of the firmware");
}

/* UEFI_HANDOFF_TABLE_POINTERS, 10.2.4. */
static void
add_tables(struct words *words, struct reader *r)
{
	uint64_t count = read_le64(r);

	words_add(words, "tables for the operating system:");
	for (uint64_t i = 0; i < count && i < TABLES_MAX && !r->failed; i++) {
		struct bytes guid = read_bytes(r, GUID_BYTES);
		read_le64(r);
		if (r->failed)
			break;
		words_add(words, i > 0 ? ", " : " ");
		words_add_guid(words, guid);
	}
	if (r->failed)
		words_add(words, " (and what does not parse)");
	else if (count > TABLES_MAX)
		words_add(words, ", ...");
}

void
describe_tables(struct words *words, const struct attest_event *event)
{
	struct reader r = reader_of(event->data);

	add_tables(words, &r);
}

void
describe_tables2(struct words *words, const struct attest_event *event)
{
	struct reader r = reader_of(event->data);

	add_description(words, &r);
	add_tables(words, &r);
}

/* Text in UTF-16, or a GUID, or whatever a vendor likes: 10.4.1. */
void
describe_crtm_version(struct words *words, const struct attest_event *event)
{
	struct words text = {.size = 0};

	if (words_add_if_text(&text, event->data)) {
		words_add(words, "the firmware's version: ");
		describe_bytes(words, event);
	} else if (event->data.size == GUID_BYTES) {
		words_add(words, "the firmware's version, a GUID: ");
		words_add_guid(words, event->data);
	} else {
		words_add(words, "the firmware's version, not a text: ");
		describe_bytes(words, event);
	}
}

/* The name of a part of the firmware, or where it lies. */
void
describe_post_code(struct words *words, const struct attest_event *event)
{
	struct words text = {.size = 0};
	struct reader r = reader_of(event->data);

	if (words_add_if_text(&text, event->data)) {
		words_add(words, "firmware code: ");
		describe_bytes(words, event);
	} else if (event->data.size != 16 || !add_blob(words, &r, "firmware code,")) {
		unparsed(words, event, "firmware code");
	}
}

void
describe_hcrtm(struct words *words, const struct attest_event *event)
{
	words_add(words, "hardware measured the firmware before it ran (H-CRTM): ");
	describe_bytes(words, event);
}

/* ---- EV_NO_ACTION: notes that extend nothing, 10.4.5 ---- */

static void
note_locality(struct words *words, struct reader *r)
{
	unsigned locality = read_u8(r);

	words_add(words, "note: the TPM was started at locality %u%s", locality,
		  locality == 3	  ? ", so PCR 0 begins at 3"
		  : locality == 4 ? ", so PCR 0 begins at 4 (measured by hardware, H-CRTM)"
				  : "");
}

static void
note_manifest(struct words *words, struct reader *r)
{
	unsigned vendor = read_le32(r);

	words_add(words, "note: the maker's reference manifest (SP 800-155) of vendor %u has id ",
		  vendor);
	words_add_guid(words, read_bytes(r, GUID_BYTES));
}

static void
note_form(struct words *words, struct reader *r)
{
	words_add(words, "the log's header: its form, and which banks its digests are of");
	(void)r;
}

static const struct {
	char signature[SIGNATURE_SIZE];
	void (*words)(struct words *words, struct reader *r);
} NOTES[] = {
	{"Spec ID Event03", note_form},
	{"Spec ID Event02", note_form},
	{"Spec ID Event00", note_form},
	{"StartupLocality", note_locality},
	{"SP800-155 Event", note_manifest},
	{{'S', 'P', '8', '0', '0', '-', '1', '5', '5', ' ', 'E', 'v', 'e', 'n', 't', '2'},
	 note_manifest},
	{{'S', 'P', '8', '0', '0', '-', '1', '5', '5', ' ', 'E', 'v', 'e', 'n', 't', '3'},
	 note_manifest},
};

void
describe_no_action(struct words *words, const struct attest_event *event)
{
	struct reader r = reader_of(event->data);
	struct bytes signature = read_bytes(&r, SIGNATURE_SIZE);

	for (size_t i = 0; i < sizeof(NOTES) / sizeof(*NOTES) && signature.size > 0; i++)
		if (memcmp(signature.data, NOTES[i].signature, SIGNATURE_SIZE) == 0) {
			NOTES[i].words(words, &r);
			if (r.failed)
				words_add(words, " (and does not parse)");
			return;
		}
	struct reader tagged = reader_of(event->data);
	if (sipa_tag_known(read_le32(&tagged))) {
		words_add(words, "note of Windows: ");
		words_add_sipa(words, event->data);
		return;
	}
	words_add(words, "note: ");
	describe_bytes(words, event);
}
