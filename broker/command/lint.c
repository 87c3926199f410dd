/* SPDX-License-Identifier: Apache-2.0 */
/* What each PCR is of: PFP 1.05, 3.3.4, and the UAPI group's Linux TPM PCR Registry. */
#include "lint.h"

#include <string.h>

static bool
has(const struct lint_subject *subject, unsigned pcr)
{
	return (subject->pcrs.known >> pcr & 1) != 0;
}

static bool
absent(const struct lint_subject *subject, unsigned pcr)
{
	return !has(subject, pcr);
}

static bool
present(const struct lint_subject *subject, unsigned pcr)
{
	return has(subject, pcr);
}

static bool
zeros(const struct lint_subject *subject, unsigned pcr)
{
	static const uint8_t ZEROS[ATTEST_DIGEST_MAX];

	return has(subject, pcr) &&
	       memcmp(subject->pcrs.values[pcr], ZEROS, attest_bank_size(subject->pcrs.bank)) == 0;
}

/* PCR 12 of zeros says that the stub took no line from outside, where there was a stub. */
static bool
zeros_unexplained(const struct lint_subject *subject, unsigned pcr)
{
	return zeros(subject, pcr) && (!has(subject, 11) || zeros(subject, 11));
}

/* The first bytes of a PCR that was extended once, by a separator (PFP 1.05, 10.4.1): of 00 or ff,
 * by which firmware ends what it measures for itself, or of the number 1, by which it says that it
 * failed. Of two banks; in others it is not looked for. */
enum separator { SEPARATOR_ZEROS = 0, SEPARATOR_ONES, SEPARATOR_FAILED, SEPARATORS };

static bool
separator(const struct lint_subject *subject, unsigned pcr, enum separator kind)
{
	static const uint8_t VALUES[2][SEPARATORS][8] = {
		{{0x3d, 0x45, 0x8c, 0xfe, 0x55, 0xcc, 0x03, 0xea},
		 {0xe2, 0x1b, 0x70, 0x3e, 0xe6, 0x9c, 0x77, 0x47},
		 {0x48, 0x6b, 0x10, 0x69, 0x59, 0xe7, 0x7e, 0x23}},
		{{0x51, 0x89, 0x23, 0xb0, 0xf9, 0x55, 0xd0, 0x8d},
		 {0xb7, 0xd7, 0x85, 0x82, 0x45, 0x6c, 0x90, 0x3a},
		 {0x8b, 0x5e, 0x1b, 0xe0, 0xcc, 0xf4, 0x32, 0x94}},
	};
	enum attest_bank bank = subject->pcrs.bank;

	return has(subject, pcr) && (bank == ATTEST_SHA256 || bank == ATTEST_SHA384) &&
	       memcmp(subject->pcrs.values[pcr], VALUES[bank == ATTEST_SHA384][kind],
		      sizeof(VALUES[0][0])) == 0;
}

static bool
bare(const struct lint_subject *subject, unsigned pcr)
{
	return separator(subject, pcr, SEPARATOR_ZEROS) || separator(subject, pcr, SEPARATOR_ONES);
}

static bool
failed(const struct lint_subject *subject, unsigned pcr)
{
	(void)pcr;
	for (unsigned each = 0; each < 8; each++)
		if (separator(subject, each, SEPARATOR_FAILED))
			return true;
	return false;
}

static bool
no_code(const struct lint_subject *subject, unsigned pcr)
{
	(void)pcr;
	return !has(subject, 4) && !has(subject, 11);
}

static bool
stub_alone(const struct lint_subject *subject, unsigned pcr)
{
	(void)pcr;
	return has(subject, 11) && !has(subject, 4);
}

static bool
loader_alone(const struct lint_subject *subject, unsigned pcr)
{
	(void)pcr;
	return has(subject, 4) && !has(subject, 11) && !(has(subject, 8) && has(subject, 9));
}

static bool
line_open(const struct lint_subject *subject, unsigned pcr)
{
	return has(subject, 11) && !has(subject, pcr);
}

static bool
grub_half(const struct lint_subject *subject, unsigned pcr)
{
	return has(subject, pcr == 8 ? 9 : 8) && !has(subject, pcr);
}

static bool
endless(const struct lint_subject *subject, unsigned pcr)
{
	(void)pcr;
	return subject->dated && !subject->ends;
}

static bool
other_bank(const struct lint_subject *subject, unsigned pcr)
{
	(void)pcr;
	return subject->pcrs.bank != ATTEST_SHA256;
}

#define NOTHING_WHY                                                                                \
	"its value is what a PCR has into which nothing was measured: whatever measures nothing "  \
	"has the same"
#define NOTHING_DO "find out why nothing was measured; pin another PCR, or leave it out knowingly"
#define BARE_WHY                                                                                   \
	"nothing but a separator was measured into it: any firmware that measures nothing there "  \
	"has the same"

/* clang-format off: these lines are as wide as they will be read. */
static const struct lint_rule RULES[] = {
	{"code.absent", LINT_NO_PCR, no_code,
	 "neither PCR 4 nor 11: any boot loader, kernel and initrd matches",
	 "pin 4 and 11 (unified kernel image), or 4, 8 and 9 (GRUB)"},
	{"pcr4.absent", 4, stub_alone,
	 "PCR 11 is what the stub says of itself: another boot loader can measure the same and run "
	 "something else",
	 "pin 4, the code that the firmware started; `postern baseline predict` computes both"},
	{"kernel.absent", LINT_NO_PCR, loader_alone,
	 "PCR 4 covers the kernel and initrd only in a unified kernel image; GRUB's covers GRUB",
	 "pin 11 (unified kernel image), or 8 and 9 (GRUB's commands and the files it read)"},
	{"pcr12.absent", 12, line_open,
	 "a command line passed from outside (init=/bin/sh), credentials and add-ons are in PCR 12 "
	 "alone",
	 "pin 12; all zeros there says that none was passed"},
	{"pcr8.absent", 8, grub_half,
	 "the kernel's command line and all that GRUB was told are in PCR 8",
	 "pin 8 with 9, if GRUB's configuration does not change by itself"},
	{"pcr9.absent", 9, grub_half, "the kernel and initrd that GRUB read are in PCR 9",
	 "pin 9 with 8"},
	{"pcr0.absent", 0, absent,
	 "firmware measures everything else: one that lies about PCR 4 and 7 is seen in PCR 0 "
	 "alone",
	 "pin 0 where you know your firmware; a baseline per firmware version then"},
	{"pcr2.absent", 2, absent, "code of plug-in cards (option ROMs) runs in the firmware",
	 "pin 2; on virtual machines it seldom changes"},
	{"pcr7.absent", 7, absent,
	 "whether Secure Boot was on, and whose keys it trusts, is in PCR 7",
	 "pin 7, or ask for context.claims.secureBoot in the policy"},
	{"pcr14.absent", 14, absent,
	 "machine owner's keys, which shim trusts like Secure Boot's own, are in PCR 14 and not in "
	 "7",
	 "pin 14 if shim is in the boot path; all zeros there says that there was no shim"},
	{"pcr0.zero", 0, zeros, NOTHING_WHY, NOTHING_DO},
	{"pcr4.zero", 4, zeros, NOTHING_WHY, NOTHING_DO},
	{"pcr7.zero", 7, zeros, NOTHING_WHY, NOTHING_DO},
	{"pcr8.zero", 8, zeros, NOTHING_WHY, NOTHING_DO},
	{"pcr9.zero", 9, zeros, NOTHING_WHY, NOTHING_DO},
	{"pcr11.zero", 11, zeros,
	 "no stub measured anything: this is no unified kernel image, or an old one, or the TPM "
	 "came too late",
	 "look at the event log with `postern eventlog`; for GRUB pin 8 and 9 instead"},
	{"pcr12.zero", 12, zeros_unexplained, NOTHING_WHY,
	 "pin 11 with it: then zeros mean that nothing came from outside"},
	{"pcr0.separator", 0, bare, BARE_WHY, NOTHING_DO},
	{"pcr4.separator", 4, bare, BARE_WHY, NOTHING_DO},
	{"pcr7.separator", 7, bare, BARE_WHY, NOTHING_DO},
	{"firmware.failed", LINT_NO_PCR, failed,
	 "a value is that of the separator 1 alone, by which firmware says that measuring failed",
	 "do not trust this boot: look at its event log with `postern eventlog`"},
	{"pcr1.brittle", 1, present,
	 "firmware's settings, boot order and hardware: changes with memory, CPUs and boot entries",
	 "leave it out, unless all machines are alike to the last setting"},
	{"pcr5.brittle", 5, present,
	 "the partition table is in it: differs from disk to disk, and when one grows",
	 "leave it out"},
	{"pcr6.brittle", 6, present, "whatever a vendor likes, such as waking up from sleep",
	 "leave it out"},
	{"pcr10.brittle", 10, present,
	 "IMA extends it with every program that runs: no value of it stays",
	 "leave it out, and send the IMA log: policy then asks for its claims"},
	{"pcr15.brittle", 15, present,
	 "systemd measures the machine's id and volume keys into it: differs on every machine",
	 "leave it out"},
	{"end.absent", LINT_NO_PCR, endless,
	 "it has no end: an image that nobody maintains is released to for ever",
	 "`postern baseline end NAME --at +90d`, and a new baseline with each image"},
	{"bank.other", LINT_NO_PCR, other_bank,
	 "baselines are of the SHA-256 bank; these values are of another",
	 "take the SHA-256 values of the same boot"},
};
/* clang-format on */

const struct lint_rule *
lint_rule_at(size_t index)
{
	return index < sizeof(RULES) / sizeof(*RULES) ? &RULES[index] : NULL;
}

bool
lint_applies(const struct lint_rule *rule, const struct lint_subject *subject)
{
	return rule->applies(subject, rule->pcr == LINT_NO_PCR ? 0 : (unsigned)rule->pcr);
}

bool
lint_covers(const struct lint_subject *broad, const struct lint_subject *narrow)
{
	if (broad->pcrs.bank != narrow->pcrs.bank || (broad->pcrs.known & ~narrow->pcrs.known) != 0)
		return false;
	for (unsigned pcr = 0; pcr < ATTEST_PCRS; pcr++)
		if (has(broad, pcr) && memcmp(broad->pcrs.values[pcr], narrow->pcrs.values[pcr],
					      attest_bank_size(broad->pcrs.bank)) != 0)
			return false;
	return true;
}
