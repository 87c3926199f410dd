/* SPDX-License-Identifier: Apache-2.0 */
/* Events, device paths and names in words, whole and spoilt. */
#include "../attest/spoil.h"
#include "command/device_path.h"
#include "command/encode.h"
#include "command/event_describe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SAMPLE_MAX 1024

static struct bytes
unhex(const char *hex, uint8_t memory[SAMPLE_MAX])
{
	size_t size = strlen(hex) / 2;

	assert_true(size <= SAMPLE_MAX);
	if (size > 0)
		assert_true(hex_decode(hex, memory, size));
	return (struct bytes){memory, size};
}

static void
assert_tame(const struct words *words)
{
	assert_int_equal(strlen(words->text), words->size);
	assert_true(words->size < sizeof(words->text));
	assert_true(utf8_wellformed((const uint8_t *)words->text, words->size));
	for (size_t i = 0; i < words->size; i++)
		assert_true((uint8_t)words->text[i] >= 0x20 && words->text[i] != 0x7f);
}

/* ---- texts ---- */

static void
others_texts_are_tamed(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		const char *want;
	} cases[] = {
		{"plain", "abc \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		 "abc \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"escape", "a\x1b[31mb", "a?[31mb"},
		{"lines", "a\nb\r\tc", "a b  c"},
		{"DEL and C1", "a\x7f\xc2\x9b", "a??"},
		{"marks of direction", "a\xe2\x80\xae\xe2\x81\xa6\xd8\x9c", "a???"},
		{"a byte that begins nothing", "a\x80z\xff", "a?z?"},
		{"overlong", "\xc0\xaf\xe0\x80\xaf", "?????"},
		{"half a character", "a\xe2\x82", "a??"},
		{"a surrogate", "\xed\xa0\x80", "?"},
		{"above Unicode", "\xf7\xbf\xbf\xbf", "?"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct words words = {.size = 0};
		print_message("%s\n", cases[i].name);
		words_add_text(&words, (struct bytes){(const uint8_t *)cases[i].text,
						      strlen(cases[i].text)});
		assert_string_equal(words.text, cases[i].want);
		assert_tame(&words);
	}
}

static void
text_is_told_from_bytes(void **state)
{
	static const struct {
		const char *name;
		const char *hex;
		const char *want; /* NULL: no text */
	} cases[] = {
		{"nothing", "", NULL},
		{"NULs", "00000000", NULL},
		{"narrow", "6162", "ab"},
		{"narrow with NULs", "61620000", "ab"},
		{"wide", "6100e9000000", "a\xc3\xa9"},
		{"wide pair", "61003dd800de", "a\xf0\x9f\x98\x80"},
		{"wide, half a pair", "61003dd8", NULL},
		{"wide, pair turned round", "610000de3dd8", NULL},
		{"wide, half of its NUL",
		 "610062000000"
		 "00",
		 "ab"},
		{"a control character", "6107", NULL},
		{"a line", "610a62", "a b"},
		{"bytes", "ff00ff00", NULL},
		{"a NUL within", "610062", NULL},
		{"not UTF-8", "61ff", NULL},
	};
	uint8_t memory[SAMPLE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct words words = {.size = 0};
		print_message("%s\n", cases[i].name);
		assert_int_equal(words_add_if_text(&words, unhex(cases[i].hex, memory)),
				 cases[i].want != NULL);
		assert_string_equal(words.text, cases[i].want != NULL ? cases[i].want : "");
	}
}

static void
what_does_not_fit_is_cut_between_characters(void **state)
{
	static uint8_t text[WORDS_MAX];
	struct words words = {.size = 0};

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 1; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	words_add_text(&words, BYTES_OF(text));
	assert_true(words.cut);
	assert_tame(&words);
	assert_string_equal(words.text + words.size - 3, "...");
	words_add(&words, "more");
	words_add_quoted(&words, BYTES_OF(text));
	assert_string_equal(words.text + words.size - 3, "...");
	assert_tame(&words);
}

/* ---- device paths ---- */

static void
device_paths_are_told(void **state)
{
	static const struct {
		const char *name;
		const char *hex;
		const char *want;
	} cases[] = {
		{"empty", "", ""},
		{"the end alone", "7fff0400", ""},
		{"PCI",
		 "02010c00d041030a00000000"
		 "010106000203"
		 "7fff0400",
		 "PciRoot(0x0)/Pci(0x3,0x2)"},
		{"without end", "010106000003", "Pci(0x3,0x0)"},
		{"what follows the end", "7fff0400010106000003", ""},
		{"two paths",
		 "010106000003"
		 "7f010400"
		 "010106000004"
		 "7fff0400",
		 "Pci(0x3,0x0),Pci(0x4,0x0)"},
		{"MAC",
		 "030b2500525400123456"
		 "0000000000000000000000000000000000000000000000000000"
		 "017fff0400",
		 "MAC(525400123456,0x1)"},
		{"URI", "03180700612f627fff0400", "Uri(a/b)"},
		{"URI that speaks to a terminal", "031807001b5b6d7fff0400", "Uri(?[m)"},
		{"NVMe",
		 "0317100001000000"
		 "0102030405060708"
		 "7fff0400",
		 "NVMe(0x1,0102030405060708)"},
		{"MBR",
		 "04012a0001000000"
		 "0008000000000000"
		 "0000080000000000"
		 "78563412"
		 "000000000000000000000000"
		 "0101"
		 "7fff0400",
		 "HD(1,MBR,0x12345678,0x800,0x80000)"},
		{"not known", "09090500ff7fff0400", "Path(9,9)"},
		{"a node that is too short", "0101040000037fff0400", "Pci(0x0,0x0)?/?"},
		{"a node of size 0", "01010000", "/?"},
		{"a node of size 3", "01010300", "/?"},
		{"a node larger than the path", "010107000003", "/?"},
	};
	uint8_t memory[SAMPLE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct words words = {.size = 0};
		print_message("%s\n", cases[i].name);
		words_add_device_path(&words, unhex(cases[i].hex, memory));
		assert_string_equal(words.text, cases[i].want);
	}
}

static void
a_path_without_end_is_bounded(void **state)
{
	static const uint8_t node[] = {1, 1, 6, 0, 0, 3};
	uint8_t path[200 * sizeof(node)];
	struct words words = {.size = 0};

	(void)state;
	for (size_t i = 0; i < sizeof(path); i += sizeof(node))
		memcpy(path + i, node, sizeof(node));
	words_add_device_path(&words, BYTES_OF(path));
	assert_true(words.size < 64 * sizeof("/Pci(0x3,0x0)"));
	assert_string_equal(words.text + words.size - 2, "/?");
}

/* ---- events ---- */

/* clang-format off: a table */
static const struct sample {
	const char *name;
	uint32_t pcr;
	uint32_t type;
	const char *hex;
	const char *want;
} SAMPLES[] = {
	{"Secure Boot on", 7, 0x80000001,
	 "61dfe48bca93d211aa0d00e098032b8c0a00000000000000010000000000000053006500"
	 "630075007200650042006f006f00740001",
	 "Secure Boot is on"},
	{"Secure Boot off", 7, 0x80000001,
	 "61dfe48bca93d211aa0d00e098032b8c0a00000000000000010000000000000053006500"
	 "630075007200650042006f006f00740000",
	 "Secure Boot is OFF"},
	{"Secure Boot not set", 7, 0x80000001,
	 "61dfe48bca93d211aa0d00e098032b8c0a00000000000000000000000000000053006500"
	 "630075007200650042006f006f007400",
	 "variable SecureBoot is not set: Secure Boot is OFF"},
	{"Secure Boot of two bytes", 7, 0x80000001,
	 "61dfe48bca93d211aa0d00e098032b8c0a00000000000000020000000000000053006500"
	 "630075007200650042006f006f0074000100",
	 "variable SecureBoot is neither 0 nor 1"},
	{"Secure Boot two", 7, 0x80000001,
	 "61dfe48bca93d211aa0d00e098032b8c0a00000000000000010000000000000053006500"
	 "630075007200650042006f006f00740002",
	 "variable SecureBoot is neither 0 nor 1"},
	{"keys", 7, 0x80000001,
	 "cbb219d73a3d9645a3bcdad00e67656f0200000000000000e40000000000000064006200"
	 "a159c0a5e494a74a87b5ab155c2bf07268000000000000004c0000000000000000000000"
	 "0000000000000000303a3033a00302010202010130003011310f300d06035504030c0649"
	 "737375657230003010310e300c06035504030c054d79204341300030000301002616c4c1"
	 "4c509240aca941f9369343287c0000000000000030000000000000000000000000000000"
	 "000000000000000000000000000000000000000000000000000000000000000000000000"
	 "000000000000000000000000000000000000000000000000000000000000000000000000"
	 "000000000000000000000000",
	 "db (whose images may run): 1 certificate, 2 image hashes (\"My CA\")"},
	{"a signature list larger than its variable", 7, 0x80000001,
	 "cbb219d73a3d9645a3bcdad00e67656f03000000000000004c0000000000000064006200"
	 "78002616c4c14c509240aca941f9369343284d0000000000000030000000000000000000"
	 "000000000000000000000000000000000000000000000000000000000000000000000000"
	 "000000000000",
	 "dbx (images and keys that are forbidden): bytes that do not parse"},
	{"a signature list of size 0", 7, 0x80000001,
	 "cbb219d73a3d9645a3bcdad00e67656f03000000000000004c0000000000000064006200"
	 "78002616c4c14c509240aca941f936934328000000000000000030000000000000000000"
	 "000000000000000000000000000000000000000000000000000000000000000000000000"
	 "000000000000",
	 "dbx (images and keys that are forbidden): bytes that do not parse"},
	{"entries of size 0", 7, 0x80000001,
	 "cbb219d73a3d9645a3bcdad00e67656f03000000000000004c0000000000000064006200"
	 "78002616c4c14c509240aca941f9369343284c0000000000000000000000000000000000"
	 "000000000000000000000000000000000000000000000000000000000000000000000000"
	 "000000000000",
	 "dbx (images and keys that are forbidden): bytes that do not parse"},
	{"a variable of nobody", 1, 0x80000001,
	 "000102030405060708090a0b0c0d0e0f030000000000000003000000000000004f007700"
	 "6e00616263",
	 "variable Own (3 bytes; name space 03020100-0504-0706-0809-0a0b0c0d0e0f"
	 "): \"abc\""},
	{"Secure Boot of nobody", 7, 0x80000001,
	 "000102030405060708090a0b0c0d0e0f0a00000000000000010000000000000053006500"
	 "630075007200650042006f006f00740001",
	 "variable SecureBoot (1 bytes; name space 03020100-0504-0706-0809-0a0b0c0d0e0f"
	 "): 1 bytes, 01"},
	{"db of the name space of PK", 7, 0x80000001,
	 "61dfe48bca93d211aa0d00e098032b8c0200000000000000000000000000000064006200",
	 "variable db (0 bytes; name space UEFI)"},
	{"a signature list without entries", 7, 0x80000001,
	 "cbb219d73a3d9645a3bcdad00e67656f03000000000000001c0000000000000064006200"
	 "78002616c4c14c509240aca941f9369343281c0000000000000030000000",
	 "dbx (images and keys that are forbidden): lists without entries"},
	{"a name larger than its event", 7, 0x80000001,
	 "61dfe48bca93d211aa0d00e098032b8c00000000000000800000000000000000",
	 "a UEFI variable that does not parse: 32 bytes, 61dfe48bca93d211aa0d00e"
	 "098032b8c00000000000000800000000000000000"},
	{"a certificate let an image run", 7, 0x800000e0,
	 "cbb219d73a3d9645a3bcdad00e67656f02000000000000004c0000000000000064006200"
	 "00000000000000000000000000000000303a3033a00302010202010130003011310f300d"
	 "06035504030c0649737375657230003010310e300c06035504030c054d79204341300030"
	 "00030100",
	 "an image was allowed by db's certificate \"My CA\""},
	{"a bare certificate", 7, 0x800000e0,
	 "3044303da00302010202010130003011310f300d06035504030c06497373756572300030"
	 "1a31183016060355040a0c0f416e206f7267616e697a6174696f6e30003000030100",
	 "what vouched for an image: certificate \"An organization\""},
	{"SBAT", 7, 0x800000e0,
	 "50ab5d6046e00043abb63dd810dd8b230900000000000000100000000000000053006200"
	 "610074004c006500760065006c00736261742c312c320a7368696d2c320a",
	 "variable SbatLevel (16 bytes; name space shim): \"sbat,1,2 shim,2 \""},
	{"boot order", 1, 0x80000002,
	 "61dfe48bca93d211aa0d00e098032b8c0900000000000000040000000000000042006f00"
	 "6f0074004f00720064006500720001000a00",
	 "the order in which boot options are tried: Boot0001 Boot000A"},
	{"boot option", 1, 0x80000002,
	 "61dfe48bca93d211aa0d00e098032b8c0800000000000000800000000000000042006f00"
	 "6f0074003000300030003100010000006a004c0069006e0075007800000002010c00d041"
	 "030a0000000001010600000304012a000100000000080000000000000000080000000000"
	 "000102030405060708090a0b0c0d0e0f020204042a005c004500460049005c0078005c00"
	 "7300680069006d007800360034002e0065006600690000007fff04006f707473",
	 "boot option Boot0001: \"Linux\", loads PciRoot(0x0)/Pci(0x3,0x0)/HD(1,"
	 "GPT,03020100-0504-0706-0809-0a0b0c0d0e0f,0x800,0x80000)/\\EFI\\x\\shim"
	 "x64.efi, with 4 bytes of options"},
	{"boot option without end", 1, 0x80000002,
	 "61dfe48bca93d211aa0d00e098032b8c0800000000000000100000000000000042006f00"
	 "6f00740030003000300031000100000000004c0069006e0075007800",
	 "boot option Boot0001: does not parse"},
	{"image", 4, 0x80000003,
	 "01000000000000004d0000000000000000000000000000006a0000000000000002010c00"
	 "d041030a0000000001010600000304012a00010000000008000000000000000008000000"
	 "0000000102030405060708090a0b0c0d0e0f020204042a005c004500460049005c007800"
	 "5c007300680069006d007800360034002e0065006600690000007fff0400",
	 "an application of 77 bytes was loaded from PciRoot(0x0)/Pci(0x3,0x0)/H"
	 "D(1,GPT,03020100-0504-0706-0809-0a0b0c0d0e0f,0x800,0x80000)/\\EFI\\x\\"
	 "shimx64.efi"},
	{"image whose path is larger", 4, 0x80000004,
	 "01000000000000004d0000000000000000000000000000000100000000000000",
	 "a loaded image that does not parse: 32 bytes, 01000000000000004d000000"
	 "0000000000000000000000000100000000000000"},
	{"partitions", 5, 0x80000006,
	 "454649205041525400000000000000000000000000000000000000000000000000000000"
	 "0000000000000000000000000000000000000000000102030405060708090a0b0c0d0e0f"
	 "0200000000000000800000008000000000000000010000000000000028732ac11ff8d211"
	 "ba4b00a0c93ec93b00000000000000000000000000000000000000000000000000000000"
	 "000000000000000000000000450046004900000000000000000000000000000000000000"
	 "000000000000000000000000000000000000000000000000000000000000000000000000"
	 "000000000000000000000000",
	 "partition table of disk 03020100-0504-0706-0809-0a0b0c0d0e0f, 1 partit"
	 "ions: \"EFI\" (EFI system)"},
	{"more partitions than bytes", 5, 0x80000006,
	 "454649205041525400000000000000000000000000000000000000000000000000000000"
	 "0000000000000000000000000000000000000000000102030405060708090a0b0c0d0e0f"
	 "02000000000000008000000080000000000000000000000000000010",
	 "partition table of disk 03020100-0504-0706-0809-0a0b0c0d0e0f, 11529215"
	 "04606846976 partitions, which do not parse"},
	{"blob", 0, 0x80000008, "00100000000000002000000000000000",
	 "a part of the firmware, of 32 bytes at 0x1000"},
	{"described blob", 0, 0x8000000a, "04504f535410000000000000002000000000000000",
	 "\"POST\": a part of the firmware, of 32 bytes at 0x10"},
	{"tables", 1, 0x80000009,
	 "0100000000000000312d9deb882dd3119a160090273fc14d0000000000000000",
	 "tables for the operating system: SMBIOS"},
	{"described tables", 1, 0x8000000b,
	 "01780100000000000000000102030405060708090a0b0c0d0e0f0000000000000000",
	 "\"x\": tables for the operating system: 03020100-0504-0706-0809-0a0b0c"
	 "0d0e0f"},
	{"version as text", 0, 0x8, "31002e0032000000", "the firmware's version: \"1.2\""},
	{"version as GUID", 0, 0x8, "000102030405060708090a0b0c0d0e0f",
	 "the firmware's version, a GUID: 03020100-0504-0706-0809-0a0b0c0d0e0f"},
	{"locality", 0, 0x3, "537461727475704c6f63616c6974790003",
	 "note: the TPM was started at locality 3, so PCR 0 begins at 3"},
	{"manifest", 0, 0x3,
	 "53503830302d313535204576656e740037010000000102030405060708090a0b0c0d0e0f",
	 "note: the maker's reference manifest (SP 800-155) of vendor 311 has id"
	 " 03020100-0504-0706-0809-0a0b0c0d0e0f"},
	{"separator", 4, 0x4, "00000000",
	 "separator: the firmware hands over to the operating system; what follo"
	 "ws in this PCR is of its boot"},
	{"separator of an error", 4, 0x4, "01000000",
	 "separator that reports an ERROR: the firmware could not measure"},
	{"separator of a byte", 4, 0x4, "ff", "separator, of no usual form: 1 bytes, ff"},
	{"Windows separator", 12, 0x4, "5742434c", "separator: Windows' own measurements end"},
	{"action", 4, 0x80000007,
	 "43616c6c696e6720454649204170706c69636174696f6e2066726f6d20426f6f74204f70"
	 "74696f6e",
	 "the firmware says: \"Calling EFI Application from Boot Option\": a boo"
	 "t option is tried"},
	{"GRUB's command line", 8, 0xd,
	 "6b65726e656c5f636d646c696e653a202f766d6c696e757a20717569657400",
	 "GRUB gives the kernel this command line: \"/vmlinuz quiet\""},
	{"GRUB's file", 9, 0xd, "2f626f6f742f766d6c696e757a00",
	 "GRUB read the file \"/boot/vmlinuz\""},
	{"systemd-boot's command line, a byte short", 8, 0xd, "7100750069006500740000",
	 "systemd-boot gives the kernel this command line: \"quiet\""},
	{"section", 11, 0xd, "2e006c0069006e00750078000000",
	 "systemd-stub: section of the unified kernel image: \".linux\""},
	{"MokList", 14, 0xd, "4d6f6b4c69737400", "shim: the owner's \"MokList\""},
	{"initrd", 9, 0x6, "ec223b8f0d0000004c696e757820696e6974726400",
	 "Linux: the initrd was loaded: \"Linux initrd\""},
	{"Windows", 12, 0x6,
	 "010001403b00000002000200080000000700000000000000020005000100000001090005"
	 "00100000005c00570069006e0064006f007700730078563412020000000102",
	 "Windows: TrustBoundary {BootCounter 7, CodeIntegrity yes, SystemRoot \""
	 "\\Windows\", 0x12345678 0102}"},
	{"Windows, an item larger than its list", 12, 0x6,
	 "010001401000000002000200090000000000000000000000", "Windows: TrustBoundary { ...}"},
	{"lists in lists, deeper than is shown", 12, 0x6,
	 "010001403000000001000140280000000100014020000000010001401800000001000140"
	 "1000000001000140080000000100014000000000",
	 "Windows: TrustBoundary {TrustBoundary {TrustBoundary {TrustBoundary {TrustBoundary "
	 "01000140080000000100014000000000}}}}"},
	{"what is no certificate", 7, 0x800000e0,
	 "cbb219d73a3d9645a3bcdad00e67656f02000000000000004c0000000000000064006200"
	 "00000000000000000000000000000000303a3033310302010202010130003011310f300d"
	 "06035504030c0649737375657230003010310e300c06035504030c054d79204341300030"
	 "00030100",
	 "an image was allowed by an entry of db that is no certificate"},
	{"a type of nobody", 3, 0x1234, "", "no data"},
};
/* clang-format on */
#define SAMPLE_COUNT (sizeof(SAMPLES) / sizeof(*SAMPLES))

static void
events_are_told(void **state)
{
	uint8_t memory[SAMPLE_MAX];

	(void)state;
	for (size_t i = 0; i < SAMPLE_COUNT; i++) {
		struct words words = {.size = 0};
		const struct attest_event event = {.pcr = SAMPLES[i].pcr,
						   .type = SAMPLES[i].type,
						   .data = unhex(SAMPLES[i].hex, memory)};
		print_message("%s\n", SAMPLES[i].name);
		words_add_event(&words, &event);
		assert_string_equal(words.text, SAMPLES[i].want);
	}
}

/* "Accepts" where the words are the whole sample's; tame they are whatever the bytes. */
static bool
reads_as_whole(struct bytes data, void *user)
{
	const struct sample *sample = user;
	const struct attest_event event = {.pcr = sample->pcr, .type = sample->type, .data = data};
	struct words words = {.size = 0};

	words_add_event(&words, &event);
	assert_tame(&words);
	return strcmp(words.text, sample->want) == 0;
}

/* Texts end in NULs that are not told, and devices' paths in a node that is not. */
static size_t
silent_tail(struct bytes data, struct sample *sample)
{
	size_t silent = 0;

	while (silent < data.size && accepts_copy((struct bytes){data.data, data.size - 1 - silent},
						  reads_as_whole, sample))
		silent++;
	return silent;
}

static void
an_event_cut_short_never_reads_as_the_whole(void **state)
{
	uint8_t memory[SAMPLE_MAX];

	(void)state;
	for (size_t i = 0; i < SAMPLE_COUNT; i++) {
		struct sample sample = SAMPLES[i];
		struct bytes data = unhex(sample.hex, memory);
		size_t least = data.size - silent_tail(data, &sample);

		print_message("%s\n", sample.name);
		assert_true(data.size - least <= 5);
		for (size_t size = 0; size < least; size++)
			assert_false(accepts_copy((struct bytes){data.data, size}, reads_as_whole,
						  &sample));
	}
}

static void
flipped_bits_are_told_tamely(void **state)
{
	uint8_t memory[SAMPLE_MAX];

	(void)state;
	for (size_t i = 0; i < SAMPLE_COUNT; i++) {
		struct sample sample = SAMPLES[i];
		struct bytes data = unhex(sample.hex, memory);

		for (size_t bit = 0; bit < 8 * data.size; bit++) {
			memory[bit / 8] ^= (uint8_t)(1U << bit % 8);
			(void)accepts_copy(data, reads_as_whole, &sample);
			memory[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
	}
}

static void
types_have_names(void **state)
{
	struct words known = {.size = 0}, unknown = {.size = 0};

	(void)state;
	words_add_event_type(&known, 0x80000007);
	words_add_event_type(&unknown, 0x80000123);
	assert_string_equal(known.text, "EV_EFI_ACTION");
	assert_string_equal(unknown.text, "0x80000123");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_texts_are_tamed),
		cmocka_unit_test(text_is_told_from_bytes),
		cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
		cmocka_unit_test(device_paths_are_told),
		cmocka_unit_test(a_path_without_end_is_bounded),
		cmocka_unit_test(events_are_told),
		cmocka_unit_test(an_event_cut_short_never_reads_as_the_whole),
		cmocka_unit_test(flipped_bits_are_told_tamely),
		cmocka_unit_test(types_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
