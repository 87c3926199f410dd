/* SPDX-License-Identifier: Apache-2.0 */
/* Events of boot loaders and operating systems, and the few that stand in all PCRs. */
#include "event_describe.h"

#include <string.h>

#define PCR_IMAGES	    4
#define PCR_GRUB_COMMANDS   8
#define PCR_GRUB_FILES	    9
#define PCR_STUB_IMAGE	    11
#define PCR_STUB_OPTIONS    12
#define PCR_STUB_EXTENSIONS 13
#define PCR_SHIM	    14

static void
add_quoted(struct words *words, const char *before, struct bytes text)
{
	words_add(words, "%s", before);
	words_add_quoted(words, text);
}

void
describe_bytes(struct words *words, const struct attest_event *event)
{
	words_add_quoted(words, event->data);
}

/* PFP 1.05, 10.4.1: zero, or all ones, or 1 and then an error; others in PCR 12-14. */
void
describe_separator(struct words *words, const struct attest_event *event)
{
	struct reader r = reader_of(event->data);
	uint32_t value = read_le32(&r);

	if (!reader_finished(&r))
		add_quoted(words, "separator, of no usual form: ", event->data);
	else if (value == 0x4c434257) /* "WBCL" */
		words_add(words, "separator: Windows' own measurements end");
	else if (value == 1)
		words_add(words, "separator that reports an ERROR: the firmware could not measure");
	else if (value != 0 && value != 0xffffffff)
		add_quoted(words, "separator, of no usual form: ", event->data);
	else if (event->pcr <= 7)
		words_add(words, "separator: the firmware hands over to the operating system; "
				 "what follows in this PCR is of its boot");
	else
		words_add(words, "separator: what follows is of another stage");
}

static bool
text_is(struct bytes text, const char *own)
{
	return bytes_equal(text, (struct bytes){(const uint8_t *)own, strlen(own)});
}

/* What the firmware says that it did: PFP 1.05, 10.4.3 and 10.4.4. */
void
describe_action(struct words *words, const struct attest_event *event)
{
	static const struct {
		const char *text;
		const char *meaning;
	} known[] = {
		{"Calling EFI Application from Boot Option", "a boot option is tried"},
		{"Returning from EFI Application from Boot Option", "that boot option gave up"},
		{"Exit Boot Services Invocation", "the operating system takes over"},
		{"Exit Boot Services Returned with Success", "the firmware has let go"},
		{"Exit Boot Services Returned with Failure", "the firmware has not let go"},
		{"UEFI Debug Mode", "a debugger may be attached to the firmware"},
		{"DMA Protection Disabled", "devices may write to any memory"},
	};

	add_quoted(words, "the firmware says: ", event->data);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (text_is(event->data, known[i].text))
			words_add(words, ": %s", known[i].meaning);
}

/* ---- EV_IPL: what wrote it is known by the PCR alone ---- */

static bool
begins(struct bytes text, const char *prefix, struct bytes *ret_rest)
{
	struct reader r = reader_of(text);

	if (!text_is(read_bytes(&r, strlen(prefix)), prefix))
		return false;
	*ret_rest = read_bytes(&r, r.left);
	return true;
}

static void
grub_command(struct words *words, struct bytes text)
{
	static const struct {
		const char *prefix;
		const char *what;
	} known[] = {
		{"grub_cmd: ", "GRUB ran: "},
		{"kernel_cmdline: ", "GRUB gives the kernel this command line: "},
		{"module_cmdline: ", "GRUB gives a module this command line: "},
		{"grub_cmd ", "GRUB ran: "},
		{"grub_kernel_cmdline ", "GRUB gives the kernel this command line: "},
	};
	struct bytes rest;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (begins(text, known[i].prefix, &rest)) {
			add_quoted(words, known[i].what, rest);
			return;
		}
	/* GRUB writes no UTF-16; systemd-boot does, and once used this PCR */
	bool wide = text.size > 1 && text.data[1] == 0;
	add_quoted(words,
		   wide ? "systemd-boot gives the kernel this command line: " : "GRUB: ", text);
}

void
describe_ipl(struct words *words, const struct attest_event *event)
{
	switch (event->pcr) {
	case PCR_GRUB_COMMANDS:
		grub_command(words, event->data);
		return;
	case PCR_GRUB_FILES:
		add_quoted(words, "GRUB read the file ", event->data);
		return;
	case PCR_STUB_IMAGE:
		add_quoted(words,
			   "systemd-stub: section of the unified kernel image: ", event->data);
		return;
	case PCR_STUB_OPTIONS:
		add_quoted(words, "given from outside of the kernel's image: ", event->data);
		return;
	case PCR_STUB_EXTENSIONS:
		add_quoted(words, "system extension: ", event->data);
		return;
	case PCR_SHIM:
		add_quoted(words, "shim: the owner's ", event->data);
		return;
	case PCR_IMAGES:
		add_quoted(words, "boot loader: ", event->data);
		return;
	default:
		add_quoted(words, "boot loader's data: ", event->data);
	}
}

/* ---- EV_EVENT_TAG: a number, a size, and that many bytes ---- */

/* Linux' EFI stub and systemd-stub. */
static const struct {
	uint32_t tag;
	const char *what;
} TAGS[] = {
	{0x8f3b22ec, "Linux: the initrd was loaded"},
	{0x8f3b22ed, "Linux: the kernel's load options (its command line)"},
	{0xf5bc582a, "systemd-boot: its configuration"},
	{0x6c46f751, "systemd-stub: device tree from an addon"},
	{0x49dffe0f, "systemd-stub: initrd from an addon"},
	{0xdac08e1a, "systemd-stub: microcode from an addon"},
	{0x13aed6db, "systemd-stub: profile of the unified kernel image"},
	{0xd5cb7cbc, "systemd-stub: SMBIOS, the machine"},
	{0xe0d47bc8, "systemd-stub: SMBIOS, its board"},
	{0xc0b3bd23, "systemd-stub: SMBIOS, texts of its maker"},
};

void
describe_tag(struct words *words, const struct attest_event *event)
{
	struct reader r = reader_of(event->data);
	uint32_t tag = read_le32(&r), size = read_le32(&r);

	for (size_t i = 0; i < sizeof(TAGS) / sizeof(*TAGS); i++)
		if (TAGS[i].tag == tag && size == r.left) {
			words_add(words, "%s: ", TAGS[i].what);
			words_add_quoted(words, read_bytes(&r, size));
			return;
		}
	if (sipa_tag_known(tag)) {
		words_add(words, "Windows: ");
		words_add_sipa(words, event->data);
		return;
	}
	words_add(words, "tagged 0x%08x: ", tag);
	words_add_quoted(words, r.failed || size != r.left ? event->data : read_bytes(&r, size));
}
