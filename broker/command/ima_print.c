/* SPDX-License-Identifier: Apache-2.0 */
/* An IMA list for people: what it is, what it says, what of it holds, and what nobody knows. */
#include "claims_out.h"
#include "encode.h"
#include "ima_view.h"
#include "words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_FIRST   5
#define SHOWN_PROBLEM 20

static const struct {
	const char *name;
	const char *meaning;
} TEMPLATES[] = {
	{"ima", "SHA-1 digest, name padded to 256 bytes: no sizes are hashed"},
	{"ima-ng", "algorithm and digest, name; each behind its size"},
	{"ima-ngv2", "the same, and whether the digest is fs-verity's"},
	{"ima-sig", "algorithm and digest, name, security.ima's signature"},
	{"ima-sigv2", "the same, and whether the digest is fs-verity's"},
	{"ima-buf", "digest of a buffer, what it is for, the buffer: a key, a command line..."},
	{"ima-modsig", "as ima-sig, and a signature appended to the file, not verified here"},
	{"evm-sig", "as ima-sig, with the inode's attributes"},
};

static const char *
template_meaning(const char *name)
{
	for (size_t i = 0; i < sizeof(TEMPLATES) / sizeof(*TEMPLATES); i++)
		if (strcmp(name, TEMPLATES[i].name) == 0)
			return TEMPLATES[i].meaning;
	return strchr(name, '|') != NULL ? "fields as its name spells them" : "not known here";
}

static const char *
kind_word(enum attest_ima_kind kind)
{
	switch (kind) {
	case ATTEST_IMA_UNREADABLE:
		return "unreadable";
	case ATTEST_IMA_VIOLATION:
		return "violation";
	case ATTEST_IMA_AGGREGATE:
		return "boot";
	case ATTEST_IMA_FILE:
		return "file";
	case ATTEST_IMA_BUFFER:
		return "buffer";
	}
	return "";
}

static void
entry_print(const struct attest_ima_entry *entry, const struct attest_ima_verdict *verdict)
{
	struct words words = {.size = 0};

	words_add(&words, "  %6" PRIu64 "  %-9s  ", entry->number, kind_word(verdict->kind));
	if (entry->readable) {
		words_add_text(&words, entry->algorithm);
		words_add(&words, ":");
		words_add_hex(&words, entry->file_digest, 8);
		words_add(&words, "  ");
		words_add_text(&words, entry->name);
	}
	if (entry->violation)
		words_add(&words, " (not authenticated)");
	if (verdict->kind == ATTEST_IMA_BUFFER) {
		words_add(&words, "  ");
		(void)words_add_if_text(&words, entry->third);
	}
	(void)puts(words.text);
}

struct shown {
	const struct ima_view *view;
	enum ima_problem problem;
	unsigned count;
};

static bool
show_first(const struct attest_ima_entry *entry, const struct attest_ima_verdict *verdict,
	   void *user)
{
	struct shown *shown = user;

	entry_print(entry, verdict);
	return ++shown->count < SHOWN_FIRST;
}

static bool
show_violation(const struct attest_ima_entry *entry, const struct attest_ima_verdict *verdict,
	       void *user)
{
	struct shown *shown = user;

	if (verdict->kind != ATTEST_IMA_VIOLATION)
		return true;
	entry_print(entry, verdict);
	return ++shown->count < SHOWN_PROBLEM;
}

static bool
show_problem(const struct attest_ima_entry *entry, const struct attest_ima_verdict *verdict,
	     void *user)
{
	struct shown *shown = user;

	if ((ima_view_problems(shown->view, entry, verdict) >> shown->problem & 1) == 0)
		return true;
	entry_print(entry, verdict);
	return ++shown->count < SHOWN_PROBLEM;
}

static void
more_print(uint64_t all, unsigned shown)
{
	if (all > shown)
		(void)printf("  ... and %" PRIu64 " more (--json names them)\n", all - shown);
}

static void
summary_print(const struct ima_view *view)
{
	(void)printf("%s list of the kernel's Integrity Measurement Architecture: %" PRIu64
		     " entries\n",
		     view->ascii ? "ASCII" : "Binary", view->entries);
	(void)printf("  %s%" PRIu64 " files, %" PRIu64 " buffers, %" PRIu64 " violations, %" PRIu64
		     " unreadable; %" PRIu64 " not in PCR 10\n",
		     view->aggregate ? "boot_aggregate, " : "", view->kinds[ATTEST_IMA_FILE],
		     view->kinds[ATTEST_IMA_BUFFER], view->kinds[ATTEST_IMA_VIOLATION],
		     view->kinds[ATTEST_IMA_UNREADABLE], view->other_pcrs);
	if (!view->ascii)
		(void)printf("  template digests of %zu bytes\n", view->digest_size);
	(void)puts("\nTemplates: what is hashed for an entry. Their names are not.");
	for (size_t i = 0; i < view->templates.count; i++)
		(void)printf("  %-10s %6" PRIu64 "  %s\n", view->templates.words[i].text,
			     view->templates.words[i].times,
			     template_meaning(view->templates.words[i].text));
	(void)puts("\nDigests of files and buffers. What SHA-1 says of a file counts for nothing.");
	for (size_t i = 0; i < view->algorithms.count; i++)
		(void)printf("  %-10s %6" PRIu64 "\n", view->algorithms.words[i].text,
			     view->algorithms.words[i].times);
}

static void
entries_print(const struct ima_view *view)
{
	struct shown shown = {.view = view};

	(void)puts("\nFirst entries (boot_aggregate is a hash of PCR 0-7 or 0-9, not a file):");
	(void)ima_view_each(view, show_first, &shown);
	more_print(view->entries, shown.count);
	if (view->kinds[ATTEST_IMA_VIOLATION] == 0)
		return;
	shown.count = 0;
	(void)puts("\nViolations: a file was read while it was written, so the kernel extended PCR "
		   "10 by all\nones. That is authenticated; which file it was is not:");
	(void)ima_view_each(view, show_violation, &shown);
	more_print(view->kinds[ATTEST_IMA_VIOLATION], shown.count);
}

static void
pcrs_print(const struct ima_view *view)
{
	(void)puts(
		"\nPCR 10, if these entries were all: each bank by its own hash of the data. A "
		"kernel that\nlacks a hash when it starts (Debian 12: SHA-384) extends SHA-1 and "
		"zeros: proof of nothing.");
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		const struct attest_pcrs *pcrs = &view->pcrs[bank];
		char hex[2 * ATTEST_DIGEST_MAX + 1];

		hex_encode(pcrs->values[ATTEST_IMA_PCR], attest_bank_size(pcrs->bank), hex);
		(void)printf("  %-6s  %s\n", attest_bank_name(pcrs->bank), hex);
	}
}

static void
quoted_print(const struct ima_view *view)
{
	struct attest_claims claims = {.size = 0};

	if (!view->given.quoted) {
		(void)puts("\nNothing is proved: no PCR 10 was given to compare with (--pcr10, "
			   "--pcrs). "
			   "Whoever has root\ncan write any list.");
		return;
	}
	if (!view->led) {
		(void)printf("\nNOT PROVED: %s.\n", view->wrong.message);
		if (view->wrong.seen[0] != '\0')
			(void)printf("  the list leads to %s\n  given was         %s\n",
				     view->wrong.seen, view->wrong.expected);
		return;
	}
	(void)printf(
		"\nThese entries lead to the given PCR 10 (%s): they are all that was measured, in "
		"this order.\n",
		attest_bank_name(view->given.bank));
	if (view->report.dropped > 0)
		(void)printf("  %" PRIu64
			     " bytes that follow were dropped: they are later, or forged\n",
			     view->report.dropped);
	if (view->report.boot_aggregate != ATTEST_UNKNOWN)
		(void)printf("  boot_aggregate %s the given PCRs\n",
			     view->report.boot_aggregate == ATTEST_YES
				     ? "follows from"
				     : "does not follow from (a kexec, or PCRs extended since)");
	if (view->given.bank == ATTEST_SHA1)
		(void)puts("  by SHA-1, for which collisions are made: no claim rests on it");
	(void)puts("Claims, if a quote vouches for that PCR 10:");
	attest_ima_claims(&view->report, &claims);
	(void)claims_print(&claims);
}

static void
problems_print(const struct ima_view *view)
{
	for (unsigned i = 0; i < IMA_PROBLEMS; i++) {
		struct shown shown = {.view = view, .problem = (enum ima_problem)i};

		if (view->problems[i] == 0)
			continue;
		(void)printf("\n%" PRIu64 " entries: %s\n", view->problems[i],
			     ima_problem_meaning((enum ima_problem)i));
		(void)ima_view_each(view, show_problem, &shown);
		more_print(view->problems[i], shown.count);
	}
}

void
ima_print(const struct ima_view *view)
{
	summary_print(view);
	entries_print(view);
	problems_print(view);
	if (view->given.allowed != NULL)
		(void)printf("\nAllow-list: %" PRIu64 " of %" PRIu64 " files are on it\n",
			     view->listed, view->kinds[ATTEST_IMA_FILE]);
	if (view->given.key_count > 0)
		(void)printf("\nSignatures: %" PRIu64 " of %" PRIu64
			     " files are signed by a given key\n",
			     view->signatures[ATTEST_IMA_SIGNATURE_GOOD],
			     view->kinds[ATTEST_IMA_FILE]);
	pcrs_print(view);
	quoted_print(view);
	(void)puts(
		"\nNot proved by any list: what the kernel's policy did not measure, what was read "
		"after the\nquote, that a name still holds that file, and anything of a kernel "
		"that "
		"a baseline does not name.");
	(void)printf("\n%s\n", ima_status_word(view));
}
