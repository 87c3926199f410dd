/* SPDX-License-Identifier: Apache-2.0 */
#include "words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CUT_MARK    "..."
#define BYTES_SHOWN 32

static const struct {
	const char *guid;
	const char *name;
} GUIDS[] = {
	/* variables' name spaces, and owners of their entries */
	{"8be4df61-93ca-11d2-aa0d-00e098032b8c", "UEFI"},
	{"d719b2cb-3d3a-4596-a3bc-dad00e67656f", "UEFI image security"},
	{"605dab50-e046-4300-abb6-3dd810dd8b23", "shim"},
	{"4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", "systemd-boot"},
	{"77fa9abd-0359-4d32-bd60-28f4e78f784b", "Microsoft"},
	/* kinds of entries: UEFI 2.10, 32.4.1 */
	{"a5c059a1-94e4-4aa7-87b5-ab155c2bf072", "certificate"},
	{"c1c41626-504c-4092-aca9-41f936934328", "image hash"},
	{"826ca512-cf10-4ac9-b187-be01496631bd", "SHA-1 image hash"},
	{"3bd2a492-96c0-4079-b420-fcf98ef103ed", "certificate hash"},
	{"3c5766e8-269c-4e34-aa14-ed776e85b3b6", "RSA-2048 key"},
	/* partitions */
	{"c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "EFI system"},
	{"21686148-6449-6e6f-744e-656564454649", "BIOS boot"},
	{"0fc63daf-8483-4772-8e79-3d69d8477de4", "Linux data"},
	{"e6d6d379-f507-44c2-a23c-238f2a3df928", "Linux LVM"},
	{"0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "Linux swap"},
	{"4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "Linux root (x86-64)"},
	{"bc13c2ff-59e6-4262-a352-b275fd6f7172", "Linux boot"},
	{"e3c9e316-0b5c-4db8-817d-f92df00215ae", "Microsoft reserved"},
	{"ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "Microsoft data"},
	{"de94bba4-06d1-4d40-a16a-bfd50179d6ac", "Windows recovery"},
	{"fe3a2a5d-4f32-41a7-b725-accc3285a309", "ChromeOS kernel"},
	{"3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec", "ChromeOS root"},
	{"2e0a753d-9e48-43b0-8337-b15192cb1b5e", "ChromeOS reserved"},
	/* tables that firmware hands over */
	{"eb9d2d30-2d88-11d3-9a16-0090273fc14d", "ACPI 1.0"},
	{"8868e871-e4f1-11d3-bc22-0080c73c8881", "ACPI 2.0"},
	{"eb9d2d31-2d88-11d3-9a16-0090273fc14d", "SMBIOS"},
	{"f2fd1544-9794-4a2c-992e-e5bbcf20e394", "SMBIOS 3"},
};

static bool
append(struct words *words, const char *text, size_t size)
{
	if (words->cut)
		return false;
	if (words->size + size + sizeof(CUT_MARK) > sizeof(words->text)) {
		words->cut = true;
		memcpy(words->text + words->size, CUT_MARK, sizeof(CUT_MARK));
		words->size += strlen(CUT_MARK);
		return false;
	}
	memcpy(words->text + words->size, text, size);
	words->size += size;
	words->text[words->size] = '\0';
	return true;
}

void
words_add(struct words *words, const char *format, ...)
{
	char text[1024];
	va_list list;

	va_start(list, format);
	int size = vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	if (size > 0)
		append(words, text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1);
}

/* C0, DEL, C1, marks of direction and of byte order, and what is no character. */
static bool
printable(uint32_t c)
{
	return c >= 0x20 && (c < 0x7f || c > 0x9f) && c != 0x200e && c != 0x200f && c != 0x61c &&
	       !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069) && c != 0xfeff &&
	       !(c >= 0xd800 && c <= 0xdfff) && (c & 0xfffe) != 0xfffe && c <= 0x10ffff;
}

static bool
white(uint32_t c)
{
	return c == '\n' || c == '\r' || c == '\t';
}

static bool
add_character(struct words *words, uint32_t c)
{
	char bytes[4];
	size_t size = 1;

	if (!printable(c))
		c = white(c) ? ' ' : '?';
	if (c < 0x80) {
		bytes[0] = (char)c;
	} else if (c < 0x800) {
		bytes[0] = (char)(0xc0 | c >> 6);
		size = 2;
	} else if (c < 0x10000) {
		bytes[0] = (char)(0xe0 | c >> 12);
		size = 3;
	} else {
		bytes[0] = (char)(0xf0 | c >> 18);
		size = 4;
	}
	for (size_t i = 1; i < size; i++)
		bytes[i] = (char)(0x80 | (c >> 6 * (size - 1 - i) & 0x3f));
	return append(words, bytes, size);
}

/* One character of UTF-8 (RFC 3629); false for a byte that begins none. */
static bool
next_utf8(struct reader *r, uint32_t *ret_character)
{
	uint8_t first = read_u8(r);
	unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	struct reader ahead = *r;

	*ret_character = first;
	if (first < 0x80)
		return true;
	if (first < 0xc0 || first > 0xf7 || r->left < more)
		return false;
	uint32_t c = first & (0x3fU >> more);
	for (unsigned i = 0; i < more; i++) {
		uint8_t byte = read_u8(&ahead);
		if ((byte & 0xc0) != 0x80)
			return false;
		c = c << 6 | (byte & 0x3f);
	}
	if (c < least[more])
		return false;
	*ret_character = c;
	*r = ahead;
	return true;
}

/* One character of UTF-16LE; half a pair is none. */
static bool
next_utf16(struct reader *r, uint32_t *ret_character)
{
	uint32_t c = read_le16(r);
	struct reader ahead = *r;

	*ret_character = c;
	if (c < 0xd800 || c > 0xdfff)
		return true;
	uint32_t second = read_le16(&ahead);
	if (c > 0xdbff || ahead.failed || second < 0xdc00 || second > 0xdfff)
		return false;
	*ret_character = 0x10000 + ((c & 0x3ff) << 10 | (second & 0x3ff));
	*r = ahead;
	return true;
}

void
words_add_text(struct words *words, struct bytes text)
{
	struct reader r = reader_of(text);
	bool room = true;
	uint32_t c;

	while (r.left > 0 && room)
		room = add_character(words, next_utf8(&r, &c) ? c : 0);
}

void
words_add_utf16(struct words *words, struct bytes text)
{
	struct reader r = reader_of(text);
	bool room = true;
	uint32_t c;

	while (r.left > 1 && room) {
		bool good = next_utf16(&r, &c);
		if (good && c == 0)
			return;
		room = add_character(words, good ? c : 0);
	}
}

void
words_add_hex(struct words *words, struct bytes bytes, size_t max)
{
	struct reader r = reader_of(bytes);

	for (size_t i = 0; i < max && r.left > 0; i++)
		words_add(words, "%02x", read_u8(&r));
	if (r.left > 0)
		words_add(words, "...");
}

static struct bytes
without_nuls(struct bytes bytes, size_t unit)
{
	static const uint8_t nul[2];

	while (bytes.size >= unit && memcmp(bytes.data + bytes.size - unit, nul, unit) == 0)
		bytes.size -= unit;
	return bytes;
}

static bool
is_text(struct bytes text, bool (*next)(struct reader *, uint32_t *))
{
	struct reader r = reader_of(text);
	uint32_t c;

	while (r.left > 0)
		if (!next(&r, &c) || r.failed || !(printable(c) || white(c)))
			return false;
	return text.size > 0;
}

bool
words_add_if_text(struct words *words, struct bytes bytes)
{
	struct bytes narrow = without_nuls(bytes, 1), wide = without_nuls(bytes, 2);

	if (is_text(narrow, next_utf8)) {
		words_add_text(words, narrow);
		return true;
	}
	/* systemd-boot once logged its texts a byte short, which is half of the NUL at their end */
	if (bytes.size % 2 == 1 && bytes.data[bytes.size - 1] == 0)
		wide = without_nuls((struct bytes){bytes.data, bytes.size - 1}, 2);
	/* Nearly any two bytes are a character: texts of firmware begin in ASCII. */
	if (wide.size < 2 || wide.size % 2 != 0 || wide.data[0] > 0x7e || wide.data[1] != 0 ||
	    !is_text(wide, next_utf16))
		return false;
	words_add_utf16(words, wide);
	return true;
}

void
words_add_words(struct words *words, const struct words *more)
{
	words_add_text(words, (struct bytes){(const uint8_t *)more->text, more->size});
}

void
words_add_quoted(struct words *words, struct bytes bytes)
{
	struct words text = {.size = 0};

	if (bytes.size == 0) {
		words_add(words, "no data");
	} else if (words_add_if_text(&text, bytes)) {
		words_add(words, "\"");
		words_add_words(words, &text);
		words_add(words, "\"");
	} else {
		words_add(words, "%zu bytes, ", bytes.size);
		words_add_hex(words, bytes, BYTES_SHOWN);
	}
}

void
guid_text(struct bytes guid, char ret_text[GUID_TEXT])
{
	struct reader r = reader_of(guid);
	uint32_t first = read_le32(&r);
	unsigned second = read_le16(&r), third = read_le16(&r), fourth = read_be16(&r);
	unsigned fifth = read_be16(&r);

	(void)snprintf(ret_text, GUID_TEXT, "%08x-%04x-%04x-%04x-%04x%08x", first, second, third,
		       fourth, fifth, read_be32(&r));
}

const char *
guid_name(const char *text)
{
	for (size_t i = 0; i < sizeof(GUIDS) / sizeof(*GUIDS); i++)
		if (strcmp(GUIDS[i].guid, text) == 0)
			return GUIDS[i].name;
	return NULL;
}

void
words_add_guid(struct words *words, struct bytes guid)
{
	char text[GUID_TEXT];

	guid_text(guid, text);
	words_add(words, "%s", guid_name(text) != NULL ? guid_name(text) : text);
}
