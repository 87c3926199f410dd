/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever root does with a log, no claim of PCR 0, 4, 8, 9, 11-14 becomes false: it stays, or is
 * gone, or a list grows. By name, on boots that are built here, each against one claim.
 */
#include "forge.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EV_NO_ACTION 3U
#define EV_SEPARATOR 4U
#define EV_TAG	     6U
#define EV_VERSION   8U
#define EV_IPL	     13U
#define EV_IMAGE     0x80000003U
#define EV_ACTION    0x80000007U
#define EV_BLOB	     0x80000008U

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* char16_t is UTF-16LE where the tests run; the terminating NUL is measured. */
#define CALLING "Calling EFI Application from Boot Option"
#define UTF16(text) ((struct bytes){(const uint8_t *)(u"" text), sizeof(u"" text)})

static const uint8_t ZEROS[4];
static const uint8_t IMAGE[] = "MZ: what Authenticode hashes of an image";
static const uint8_t VERSION[] = {'v', 0, '1', 0, 0, 0};
#define LINE "/vmlinuz root=/dev/vda1 ro"

static void
measure_digest(struct forge *forge, uint32_t pcr, uint32_t type, uint8_t first, struct bytes data)
{
	uint8_t digest[ATTEST_HASH_SIZE] = {first, 0x16, 0xe5, 0x70};

	forge_measure_digest(forge, pcr, type, digest, data);
}

/* GRUB measures the text behind the prefix, and logs both with a NUL. */
static void
measure_text(struct forge *forge, const char *logged, const char *text)
{
	uint8_t digest[ATTEST_HASH_SIZE];

	EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL);
	forge_measure_digest(forge, 8, EV_IPL, digest,
			     (struct bytes){(const uint8_t *)logged, strlen(logged) + 1});
}

static void
boot_firmware(struct forge *forge)
{
	forge_begin(forge);
	forge_measure(forge, 0, EV_VERSION, BYTES_OF(VERSION));
	measure_digest(forge, 0, EV_BLOB, 0xb1, FORGE_TEXT("blob"));
	forge_measure(forge, 0, 0x11, UTF16("other text"));
	forge_measure(forge, 4, EV_ACTION, FORGE_TEXT(CALLING));
	for (uint32_t pcr = 0; pcr < 8; pcr++)
		forge_measure(forge, pcr, EV_SEPARATOR, BYTES_OF(ZEROS));
	/* Its digest is of bytes that its owner has. */
	forge_measure(forge, 4, EV_IMAGE, BYTES_OF(IMAGE));
	forge->events[forge->count - 1].data = FORGE_TEXT("device path");
	measure_digest(forge, 4, EV_IMAGE, 0x1a, FORGE_TEXT("device path"));
}

static void
boot_grub(struct forge *forge)
{
	boot_firmware(forge);
	measure_digest(forge, 14, EV_IPL, 0x51, FORGE_TEXT("MokList"));
	measure_digest(forge, 14, EV_IPL, 0x52, FORGE_TEXT("MokListX"));
	measure_digest(forge, 9, EV_IPL, 0x91, FORGE_TEXT("/grub.cfg"));
	measure_text(forge, "grub_cmd: set root=hd0", "set root=hd0");
	measure_text(forge, "grub_cmd: linux " LINE, "linux " LINE);
	measure_digest(forge, 9, EV_IPL, 0x92, FORGE_TEXT("/vmlinuz"));
	measure_text(forge, "kernel_cmdline: " LINE, LINE);
}

static void
measure_section(struct forge *forge, const char *name, uint8_t contents)
{
	forge_measure(forge, 11, EV_IPL, (struct bytes){(const uint8_t *)name, strlen(name) + 1});
	measure_digest(forge, 11, EV_IPL, contents, FORGE_TEXT("section"));
}

/* Before systemd's first phase. */
static void
boot_uki_without_phases(struct forge *forge)
{
	boot_firmware(forge);
	measure_section(forge, ".linux", 0x11);
	measure_section(forge, ".osrel", 0x12);
	measure_section(forge, ".cmdline", 0x13);
	measure_section(forge, ".initrd", 0x14);
	measure_section(forge, ".sbat", 0x15);
	forge_measure(forge, 12, EV_IPL, UTF16("debug"));
}

static void
boot_uki(struct forge *forge)
{
	boot_uki_without_phases(forge);
	forge_extend(forge, 11, FORGE_TEXT("enter-initrd"));
	forge_extend(forge, 11, FORGE_TEXT("leave-initrd"));
	forge_extend(forge, 11, FORGE_TEXT("ready"));
}

/* clang-format off */
/* SIPA events, one a line: a boot counter of 7, the loader started, test signing and code integrity
 * on. */
static const uint8_t BOOT_MANAGER[] = {
	0x01, 0x00, 0x01, 0x40, 46, 0, 0, 0,
	0x02, 0x00, 0x02, 0x00, 8, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0,
	0x03, 0x00, 0x02, 0x00, 4, 0, 0, 0, 1, 0, 0, 0,
	0x03, 0x00, 0x05, 0x00, 1, 0, 0, 0, 1,
	0x02, 0x00, 0x05, 0x00, 1, 0, 0, 0, 1,
};
/* The same with test signing off. */
static const uint8_t FORGED[] = {
	0x01, 0x00, 0x01, 0x40, 46, 0, 0, 0,
	0x02, 0x00, 0x02, 0x00, 8, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0,
	0x03, 0x00, 0x02, 0x00, 4, 0, 0, 0, 1, 0, 0, 0,
	0x03, 0x00, 0x05, 0x00, 1, 0, 0, 0, 0,
	0x02, 0x00, 0x05, 0x00, 1, 0, 0, 0, 1,
};
/* clang-format on */
/* Code integrity off alone. */
static const uint8_t WEAKER[] = {0x02, 0x00, 0x05, 0x00, 1, 0, 0, 0, 0};

static void
boot_windows(struct forge *forge)
{
	boot_firmware(forge);
	forge_measure(forge, 12, EV_TAG, BYTES_OF(BOOT_MANAGER));
	forge_measure(forge, 13, EV_TAG, BYTES_OF(BOOT_MANAGER));
	forge_measure(forge, 14, EV_TAG, FORGE_TEXT("authority"));
	for (uint32_t pcr = 12; pcr < 15; pcr++)
		forge_measure(forge, pcr, EV_SEPARATOR, FORGE_TEXT("WBCL"));
}

/* What root can do. */
enum act {
	RELABEL,      /* the type becomes `value` */
	SAY,	      /* the data become `data` */
	LEAVE_OUT,    /* the event */
	MOVE,	      /* the event says PCR `value` */
	SWAP,	      /* with the next event of the PCR */
	MEASURE,      /* extend with `data`, and log it as type `value` */
	EXTEND,	      /* extend with `data`, and log nothing */
	MEASURE_BARE, /* extend with a digest of something, and log it with `data` */
	LOG,	      /* `data` as an event that extends nothing, before the one named */
	LOG_FALSELY,  /* `data` with type `value` before the one named, not extended */
};

struct forgery {
	const char *name;
	void (*boot)(struct forge *forge);
	enum act act;
	uint32_t pcr;
	unsigned nth; /* event of that PCR */
	uint32_t value;
	struct bytes data;
	enum attest_claim_id claim;
	enum forge_fate want;
};

static void
insert(struct forge *forge, size_t at, uint32_t type, const struct forgery *forgery)
{
	memmove(&forge->events[at + 1], &forge->events[at],
		(forge->count - at) * sizeof(forge->events[0]));
	forge->count++;
	forge->events[at] =
		(struct forge_event){.pcr = forgery->pcr, .type = type, .data = forgery->data};
	EVP_Digest(forgery->data.data, forgery->data.size, forge->events[at].digest, NULL,
		   EVP_sha256(), NULL);
}

static void
swap(struct forge *forge, size_t a, size_t b)
{
	struct forge_event event = forge->events[a];

	forge->events[a] = forge->events[b];
	forge->events[b] = event;
}

static void
commit(struct forge *forge, const struct forgery *f)
{
	switch (f->act) {
	case RELABEL:
		forge->events[forge_find(forge, f->pcr, f->nth)].type = f->value;
		return;
	case SAY:
		forge->events[forge_find(forge, f->pcr, f->nth)].data = f->data;
		return;
	case LEAVE_OUT:
		forge_remove(forge, forge_find(forge, f->pcr, f->nth));
		return;
	case MOVE:
		forge->events[forge_find(forge, f->pcr, f->nth)].pcr = f->value;
		return;
	case SWAP:
		swap(forge, forge_find(forge, f->pcr, f->nth),
		     forge_find(forge, f->pcr, f->nth + 1));
		return;
	case MEASURE:
		forge_measure(forge, f->pcr, f->value, f->data);
		return;
	case EXTEND:
		forge_extend(forge, f->pcr, f->data);
		return;
	case MEASURE_BARE:
		measure_digest(forge, f->pcr, f->value, 0xee, f->data);
		return;
	case LOG:
		insert(forge, forge_find(forge, f->pcr, f->nth), EV_NO_ACTION, f);
		return;
	case LOG_FALSELY:
		insert(forge, forge_find(forge, f->pcr, f->nth), f->value, f);
		return;
	}
}

/* As initializers. */
#define WORD(text)   {(const uint8_t *)(text), sizeof(text) - 1}
#define WIDE(text)   {(const uint8_t *)(u"" text), sizeof(u"" text)}
#define BYTES(array) {(array), sizeof(array)}
#define NONE	     {NULL, 0}

#define FIRMWARE CLAIM_FIRMWARE_VERSION
#define IMAGES	 CLAIM_BOOT_IMAGES
#define LINES	 CLAIM_GRUB_COMMAND_LINES
#define FILES	 CLAIM_BOOT_FILES
#define SECTIONS CLAIM_UKI_SECTIONS
#define CMDLINE	 CLAIM_UKI_COMMAND_LINE
#define STUB	 CLAIM_STUB_COMMAND_LINES
#define SIGNING	 CLAIM_WINDOWS_TEST_SIGNING

/* clang-format off: a table */
static const struct forgery FORGERIES[] = {
	/* PCR 0 */
	{"another version in the version's event", boot_grub, SAY, 0, 0, 0, WIDE("v2"), FIRMWARE,
	 FORGE_GONE},
	{"another version logged first", boot_grub, LOG_FALSELY, 0, 0, EV_VERSION, WIDE("v2"),
	 FIRMWARE, FORGE_GONE},
	{"another version noted first, extending nothing", boot_grub, LOG, 0, 0, 0, WIDE("v2"),
	 FIRMWARE, FORGE_SAME},
	{"another version measured after boot", boot_grub, MEASURE, 0, 0, EV_VERSION, WIDE("v2"),
	 FIRMWARE, FORGE_SAME},
	{"the version's event made a blob", boot_grub, RELABEL, 0, 0, EV_BLOB, NONE, FIRMWARE,
	 FORGE_GONE},
	{"the version left out, another text made it", boot_grub, LEAVE_OUT, 0, 0, 0, NONE,
	 FIRMWARE, FORGE_GONE},
	{"another text made the version", boot_grub, RELABEL, 0, 2, EV_VERSION, NONE, FIRMWARE,
	 FORGE_SAME},
	{"the version's event made one that extends nothing", boot_grub, RELABEL, 0, 0,
	 EV_NO_ACTION, NONE, FIRMWARE, FORGE_GONE},
	/* PCR 4 */
	{"an image made an action", boot_grub, RELABEL, 4, 2, EV_ACTION, NONE, IMAGES, FORGE_SAME},
	{"an image that says it is an action", boot_grub, SAY, 4, 2, 0, WORD(CALLING), IMAGES, FORGE_SAME},
	{"an image with the bytes that its digest is of", boot_grub, SAY, 4, 2, 0, BYTES(IMAGE),
	 IMAGES, FORGE_SAME},
	{"an image made a separator", boot_grub, RELABEL, 4, 3, EV_SEPARATOR, NONE, IMAGES,
	 FORGE_SAME},
	{"an image that extends nothing", boot_grub, RELABEL, 4, 3, EV_NO_ACTION, NONE, IMAGES,
	 FORGE_GONE},
	{"an image left out", boot_grub, LEAVE_OUT, 4, 2, 0, NONE, IMAGES, FORGE_GONE},
	{"images in another order", boot_grub, SWAP, 4, 2, 0, NONE, IMAGES, FORGE_GONE},
	{"an image moved to PCR 5", boot_grub, MOVE, 4, 3, 5, NONE, IMAGES, FORGE_GONE},
	{"a known image measured after boot", boot_grub, MEASURE_BARE, 4, 0, EV_IMAGE,
	 WORD("path"), IMAGES, FORGE_MORE},
	{"a known image measured as an action", boot_grub, MEASURE_BARE, 4, 0, EV_ACTION, WORD(CALLING),
	 IMAGES, FORGE_MORE},
	{"an unknown action measured", boot_grub, MEASURE, 4, 0, EV_ACTION,
	 WORD("os-separator"), IMAGES, FORGE_MORE},
	{"an action measured again", boot_grub, MEASURE, 4, 0, EV_IMAGE, WORD(CALLING), IMAGES,
	 FORGE_SAME},
	{"systemd's separator, not logged", boot_grub, EXTEND, 4, 0, 0, WORD("os-separator"),
	 IMAGES, FORGE_SAME},
	{"an image not logged", boot_grub, EXTEND, 4, 0, 0, WORD("image"), IMAGES,
	 FORGE_GONE},
	/* PCR 8 */
	{"another command line in the event", boot_grub, SAY, 8, 2, 0,
	 WORD("kernel_cmdline: /good\0"), LINES, FORGE_GONE},
	{"a command line without its text", boot_grub, SAY, 8, 2, 0, NONE, LINES, FORGE_GONE},
	{"a command line made a command", boot_grub, SAY, 8, 2, 0,
	 WORD("grub_cmd: " LINE "\0"), LINES, FORGE_SAME},
	{"a command line without its prefix", boot_grub, SAY, 8, 2, 0, WORD(LINE), LINES,
	 FORGE_SAME},
	{"a command line with a prefix of no one's", boot_grub, SAY, 8, 2, 0,
	 WORD("note: " LINE), LINES, FORGE_GONE},
	{"a command made a command line", boot_grub, SAY, 8, 0, 0,
	 WORD("kernel_cmdline: set root=hd0\0"), LINES, FORGE_SAME},
	{"a command line made a separator", boot_grub, RELABEL, 8, 2, EV_SEPARATOR, NONE, LINES,
	 FORGE_SAME},
	{"a command line that extends nothing", boot_grub, RELABEL, 8, 2, EV_NO_ACTION, NONE, LINES,
	 FORGE_GONE},
	{"a command line left out", boot_grub, LEAVE_OUT, 8, 2, 0, NONE, LINES, FORGE_GONE},
	{"a command line moved to PCR 9", boot_grub, MOVE, 8, 2, 9, NONE, LINES, FORGE_GONE},
	{"a command without its text", boot_grub, SAY, 8, 0, 0, NONE, LINES, FORGE_GONE},
	{"commands in another order", boot_grub, SWAP, 8, 0, 0, NONE, LINES, FORGE_GONE},
	{"a good command line measured after boot", boot_grub, MEASURE, 8, 0, EV_IPL,
	 WORD("/good ro"), LINES, FORGE_MORE},
	{"a good command line noted", boot_grub, LOG, 8, 2, 0, WORD("/good ro"), LINES,
	 FORGE_SAME},
	{"a separator measured", boot_grub, MEASURE, 8, 0, EV_SEPARATOR, BYTES(ZEROS), LINES,
	 FORGE_SAME},
	{"a control character measured", boot_grub, MEASURE, 8, 0, EV_IPL,
	 WORD("/vmlinuz\nquiet"), LINES, FORGE_GONE},
	{"a text that is no UTF-8", boot_grub, MEASURE, 8, 0, EV_IPL, WORD("/vmlinuz \xff"),
	 LINES, FORGE_GONE},
	{"a digest of something", boot_grub, MEASURE_BARE, 8, 0, EV_IPL,
	 WORD("grub_cmd: echo\0"), LINES, FORGE_GONE},
	/* PCR 9 and 14 */
	{"a file by another name", boot_grub, SAY, 9, 1, 0, WORD("/other"), FILES,
	 FORGE_SAME},
	{"a file made a separator", boot_grub, RELABEL, 9, 1, EV_SEPARATOR, NONE, FILES,
	 FORGE_SAME},
	{"a file left out", boot_grub, LEAVE_OUT, 9, 1, 0, NONE, FILES, FORGE_GONE},
	{"a good file measured after boot", boot_grub, MEASURE_BARE, 9, 0, EV_IPL,
	 WORD("/vmlinuz"), FILES, FORGE_MORE},
	{"a list of keys by another name", boot_grub, SAY, 14, 0, 0, WORD("MokListX"),
	 CLAIM_MOK, FORGE_SAME},
	{"a list of keys left out", boot_grub, LEAVE_OUT, 14, 0, 0, NONE, CLAIM_MOK, FORGE_GONE},
	{"lists of keys in another order", boot_grub, SWAP, 14, 0, 0, NONE, CLAIM_MOK, FORGE_GONE},
	{"an empty list of keys measured after boot", boot_grub, MEASURE, 14, 0, EV_IPL, NONE,
	 CLAIM_MOK, FORGE_MORE},
	{"Windows' cap behind the lists of keys", boot_grub, MEASURE, 14, 0, EV_SEPARATOR,
	 WORD("WBCL"), CLAIM_MOK, FORGE_GONE},
	/* PCR 11 */
	{"a section that says it is another", boot_uki, SAY, 11, 4, 0, WIDE(".osrel"), SECTIONS,
	 FORGE_SAME},
	{"a section's name made an action", boot_uki, RELABEL, 11, 4, EV_ACTION, NONE, SECTIONS,
	 FORGE_SAME},
	{"a section left out", boot_uki, LEAVE_OUT, 11, 5, 0, NONE, SECTIONS, FORGE_GONE},
	{"sections in another order", boot_uki, SWAP, 11, 1, 0, NONE, SECTIONS, FORGE_GONE},
	{"another command line after the phases", boot_uki, MEASURE, 11, 0, EV_IPL,
	 WORD(".cmdline\0"), CMDLINE, FORGE_GONE},
	{"a later phase", boot_uki, EXTEND, 11, 0, 0, WORD("shutdown"), SECTIONS, FORGE_SAME},
	{"an earlier phase", boot_uki, EXTEND, 11, 0, 0, WORD("enter-initrd"), SECTIONS,
	 FORGE_GONE},
	{"a phase in the log", boot_uki_without_phases, MEASURE, 11, 0, EV_IPL,
	 WORD("enter-initrd"), SECTIONS, FORGE_GONE},
	{"a name without contents", boot_uki_without_phases, MEASURE, 11, 0, EV_IPL,
	 WORD(".pcrpkey\0"), SECTIONS, FORGE_GONE},
	{"a section's name again", boot_uki_without_phases, MEASURE, 11, 0, EV_IPL,
	 WORD(".cmdline\0"), CMDLINE, FORGE_GONE},
	{"contents without a name", boot_uki_without_phases, MEASURE_BARE, 11, 0, EV_IPL,
	 WIDE(".pcrpkey"), SECTIONS, FORGE_GONE},
	{"Windows' word", boot_uki_without_phases, MEASURE, 11, 0, 12, WORD("\xff\xff\0\0"),
	 SECTIONS, FORGE_GONE},
	/* PCR 12 */
	{"another line in the stub's event", boot_uki, SAY, 12, 0, 0, WIDE("quiet"), STUB,
	 FORGE_GONE},
	{"the stub's line without its text", boot_uki, SAY, 12, 0, 0, NONE, STUB, FORGE_GONE},
	{"the stub's line left out", boot_uki, LEAVE_OUT, 12, 0, 0, NONE, STUB, FORGE_GONE},
	{"the stub's line that extends nothing", boot_uki, RELABEL, 12, 0, EV_NO_ACTION, NONE, STUB,
	 FORGE_GONE},
	{"the stub's line made a tag", boot_uki, RELABEL, 12, 0, EV_TAG, NONE, STUB, FORGE_SAME},
	{"a good line measured after boot", boot_uki, MEASURE, 12, 0, EV_IPL, WIDE("quiet"), STUB,
	 FORGE_MORE},
	{"credentials", boot_uki, MEASURE_BARE, 12, 0, EV_IPL, WIDE("Credentials initrd"), STUB,
	 FORGE_GONE},
	{"half a pair of surrogates", boot_uki, MEASURE, 12, 0, EV_IPL, WORD("\0\xd8\0\0"),
	 STUB, FORGE_GONE},
	{"a line without its NUL", boot_uki, MEASURE, 12, 0, EV_IPL, WORD("a\0b\0"), STUB,
	 FORGE_GONE},
	{"a line of an odd size", boot_uki, MEASURE, 12, 0, EV_IPL, WORD("a\0\0\0\0"), STUB,
	 FORGE_GONE},
	{"a line with a control character", boot_uki, MEASURE, 12, 0, EV_IPL,
	 WORD("\x1b\0\0\0"), STUB, FORGE_GONE},
	{"a NUL inside of a line", boot_uki, MEASURE, 12, 0, EV_IPL, WORD("a\0\0\0b\0\0\0"),
	 STUB, FORGE_GONE},
	/* PCR 12 and 13 */
	{"Windows' settings rewritten", boot_windows, SAY, 12, 0, 0, BYTES(FORGED), SIGNING,
	 FORGE_GONE},
	{"Windows' settings left out of PCR 13", boot_windows, LEAVE_OUT, 13, 0, 0, NONE, SIGNING,
	 FORGE_GONE},
	{"other settings after the cap", boot_windows, MEASURE, 12, 0, EV_TAG, BYTES(FORGED),
	 SIGNING, FORGE_SAME},
	{"other settings and a cap after the cap", boot_windows, MEASURE, 13, 0, EV_SEPARATOR,
	 WORD("WBCL"), SIGNING, FORGE_SAME},
	{"weaker settings after the cap", boot_windows, MEASURE, 13, 0, EV_TAG, BYTES(WEAKER),
	 CLAIM_WINDOWS_CODE_INTEGRITY, FORGE_SAME},
	{"a digest of something after the cap", boot_windows, MEASURE_BARE, 12, 0, EV_TAG, WORD("x"),
	 SIGNING, FORGE_SAME},
	{"other settings noted first", boot_windows, LOG, 12, 0, 0, BYTES(FORGED), SIGNING,
	 FORGE_SAME},
	{"other settings logged first", boot_windows, LOG_FALSELY, 13, 0, EV_TAG, BYTES(FORGED),
	 SIGNING, FORGE_GONE},
	{"Windows' cap left out", boot_windows, LEAVE_OUT, 12, 1, 0, NONE, SIGNING, FORGE_GONE},
	{"Windows' cap before the settings", boot_windows, SWAP, 12, 0, 0, NONE, SIGNING,
	 FORGE_GONE},
	{"Windows' settings made a loader's text", boot_windows, RELABEL, 12, 0, EV_IPL, NONE,
	 SIGNING, FORGE_SAME},
	{"something not logged after the cap", boot_windows, EXTEND, 12, 0, 0, BYTES(FORGED),
	 SIGNING, FORGE_GONE},
	/* What root can do: a PCR that nothing else extended is his. CLAIMS.md says so of each. */
	{"the stub's line on a machine without one", boot_grub, MEASURE, 12, 0, EV_IPL,
	 WIDE("quiet"), STUB, FORGE_NEW},
	{"a command line on a machine without GRUB", boot_uki, MEASURE, 8, 0, EV_IPL,
	 WORD("/good ro"), LINES, FORGE_NEW},
	{"lists of keys on a machine without shim", boot_uki, MEASURE_BARE, 14, 0, EV_IPL,
	 WORD("MokList"), CLAIM_MOK, FORGE_NEW},
};
/* clang-format on */

static struct forge honest;
static struct forge forged;
static struct attest_report before;
static struct attest_report after;

static void
no_forgery_makes_a_claim_false(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(FORGERIES); i++) {
		FORGERIES[i].boot(&honest);
		forge_examine(&honest, &before);
		FORGERIES[i].boot(&forged);
		commit(&forged, &FORGERIES[i]);
		forge_examine(&forged, &after);
		enum forge_fate fate =
			forge_fate(&before.claims, &after.claims, FORGERIES[i].claim);
		if (fate != FORGERIES[i].want)
			fail_msg("%s: %s, not %s", FORGERIES[i].name, forge_fate_name(fate),
				 forge_fate_name(FORGERIES[i].want));
	}
}

/* On a unified kernel image whose log ends before systemd's first phase, sections that come later
 * in the order can be added, and none before. */
static void
sections_can_only_be_added_behind(void **state)
{
	(void)state;
	boot_uki_without_phases(&honest);
	forge_examine(&honest, &before);
	boot_uki_without_phases(&forged);
	measure_section(&forged, ".pcrpkey", 0x16);
	forge_examine(&forged, &after);
	assert_int_equal(forge_fate(&before.claims, &after.claims, SECTIONS), FORGE_MORE);
	assert_int_equal(forge_fate(&before.claims, &after.claims, CMDLINE), FORGE_SAME);
	measure_section(&forged, ".cmdline", 0x17);
	forge_examine(&forged, &after);
	assert_int_equal(forge_fate(&before.claims, &after.claims, SECTIONS), FORGE_GONE);
	assert_int_equal(forge_fate(&before.claims, &after.claims, CMDLINE), FORGE_GONE);
}

/* A kernel can be started by commands whose command line is not measured by itself. */
static void
what_may_start_a_kernel_is_listed(void **state)
{
	static const struct {
		const char *text;
		bool listed;
	} cases[] = {
		{"chainloader /vmlinuz init=/bin/sh", true},
		{"! chainloader /vmlinuz init=/bin/sh", true},
		{"time chainloader /vmlinuz init=/bin/sh", true},
		{"multiboot2 /xen.gz", true},
		{"module2 /vmlinuz placeholder init=/bin/sh", true},
		{"xen_hypervisor /xen.gz", true},
		{"legacy_kernel --type=multiboot /x", true},
		{"xnu_kernel64 /mach", true},
		{"linux vmlinuz init=/bin/sh", true},
		{"linux  /vmlinuz", true},
		{"linuxefi set root=x", true},
		{"linux ", true},
		{"0+2000 init=/bin/sh", true},
		{"\"/a file\" init=/bin/sh", true},
		{"BOOT_IMAGE=/vmlinuz init=/bin/sh", true},
		{"/vmlinuz", true},
		{"(hd0)/vmlinuz", true},
		{"-", true},
		{"linux /vmlinuz init=/bin/sh", false}, /* the next text has it */
		{"linux16 (hd0)/memtest", false},
		{"menuentry x { linux /vmlinuz }", false},
		{"set default=/vmlinuz", false},
		{"[ -e /vmlinuz ]", false},
		{"moduleless", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct attest_claim claim;

		forge_begin(&forged);
		forge_measure(
			&forged, 8, EV_IPL,
			(struct bytes){(const uint8_t *)cases[i].text, strlen(cases[i].text)});
		forge_examine(&forged, &after);
		if (attest_claims_find(&after.claims, LINES, &claim) != cases[i].listed)
			fail_msg("%s", cases[i].text);
	}
}

/* An image's stub measures what it is given, so that nothing in PCR 12 says that it was given
 * nothing; elsewhere it says nothing, as everywhere an empty list would. */
static void
nothing_measured_is_claimed_of_an_image_alone(void **state)
{
	struct attest_claim claim;

	(void)state;
	boot_uki(&honest);
	memset(honest.pcrs[12], 0, sizeof(honest.pcrs[12]));
	forge_remove(&honest, forge_find(&honest, 12, 0));
	forge_examine(&honest, &after);
	assert_true(attest_claims_find(&after.claims, STUB, &claim));
	assert_int_equal(claim.count, 0);
	boot_grub(&honest);
	forge_examine(&honest, &after);
	assert_false(attest_claims_find(&after.claims, STUB, &claim));
	forge_begin(&honest);
	forge_examine(&honest, &after);
	assert_int_equal(after.claims.size, 0);
	forge_measure(&honest, 4, EV_SEPARATOR, BYTES_OF(ZEROS));
	forge_examine(&honest, &after);
	assert_int_equal(after.claims.size, 0);
}

/* An event that extended another bank alone says that firmware left ours out: nothing of the PCR is
 * all that there was. */
static void
an_event_of_another_bank_ends_all_claims(void **state)
{
	static const struct {
		void (*boot)(struct forge *forge);
		uint32_t pcr;
		enum attest_claim_id claim;
	} cases[] = {
		{boot_grub, 0, FIRMWARE},      {boot_grub, 4, IMAGES},
		{boot_grub, 8, LINES},	       {boot_grub, 9, FILES},
		{boot_uki, 11, SECTIONS},      {boot_uki, 12, STUB},
		{boot_windows, 12, SIGNING},   {boot_windows, 13, SIGNING},
		{boot_grub, 14, CLAIM_MOK},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		cases[i].boot(&honest);
		forge_examine(&honest, &before);
		forged = honest;
		const struct forgery bare = {.pcr = cases[i].pcr, .data = FORGE_TEXT("bare")};
		size_t at = forge_find(&forged, cases[i].pcr, 0);
		insert(&forged, at, EV_IPL, &bare);
		forged.events[at].bare = true;
		forge_examine(&forged, &after);
		assert_int_equal(after.pcrs[cases[i].pcr], before.pcrs[cases[i].pcr]);
		if (forge_fate(&before.claims, &after.claims, cases[i].claim) != FORGE_GONE)
			fail_msg("PCR %u", cases[i].pcr);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_forgery_makes_a_claim_false),
		cmocka_unit_test(sections_can_only_be_added_behind),
		cmocka_unit_test(what_may_start_a_kernel_is_listed),
		cmocka_unit_test(nothing_measured_is_claimed_of_an_image_alone),
		cmocka_unit_test(an_event_of_another_bank_ends_all_claims),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
