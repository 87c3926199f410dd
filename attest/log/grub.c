/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GRUB measures every command and every kernel command line into PCR 8, as texts, and every file
 * that it reads into PCR 9. What kind a text is of stands in its prefix, which is not measured; so
 * a claim has every text that may be a kernel's command line: GRUB's loaders begin it with the name
 * of the file, and where they do not, the command that called them is measured too.
 */
#include "list.h"
#include "text.h"
#include "witnesses.h"

struct grub {
	struct list lines; /* PCR 8 */
	struct list files; /* PCR 9 */
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
begins_with(struct bytes text, const char *start)
{
	struct reader r = reader_of(text);
	struct bytes wanted = log_text_of(start);

	return bytes_equal(read_bytes(&r, wanted.size), wanted);
}

/* What GRUB measures is a text without its NUL; Red Hat's once had it with commands. */
static bool
is_text(struct bytes text, struct bytes digest, struct witness_hash *hash, struct bytes *ret_text)
{
	*ret_text = text;
	if (text.size > 0 && text.data[text.size - 1] == '\0')
		ret_text->size--;
	return witness_hash_matches(hash, digest, *ret_text, (struct bytes){0}) ||
	       witness_hash_matches(hash, digest, text, (struct bytes){0});
}

/* A prefix is only how GRUB logs: which one is taken does not matter, for no second text has the
 * digest. */
static bool
recompute(const struct attest_event *event, struct witness_hash *hash, struct bytes *ret_text)
{
	static const char *const prefixes[] = {
		"grub_cmd: ", "kernel_cmdline: ",     "module_cmdline: ",
		"grub_cmd ",  "grub_kernel_cmdline ", "",
	};

	for (size_t i = 0; i < COUNT(prefixes); i++) {
		struct reader r = reader_of(event->data);

		if (!begins_with(event->data, prefixes[i]))
			continue;
		read_bytes(&r, log_text_of(prefixes[i]).size);
		if (is_text(read_bytes(&r, r.left), event->digests[hash->bank], hash, ret_text))
			return true;
	}
	return false;
}

/* Commands that start a kernel, or call one that does, whose own text is not measured or does not
 * begin with the file's name: the command itself stands for it. */
static bool
is_loader(struct bytes text)
{
	static const char *const loaders[] = {
		"chainloader ", "multiboot ", "multiboot2 ", "module ",
		"module2 ",	"xen_",	      "kfreebsd",    "knetbsd",
		"kopenbsd",	"xnu_",	      "time ",	     "legacy_kernel ",
	};
	static const char *const linux_loaders[] = {"linux ", "linux16 ", "linuxefi "};

	for (size_t i = 0; i < COUNT(loaders); i++)
		if (begins_with(text, loaders[i]))
			return true;
	for (size_t i = 0; i < COUNT(linux_loaders); i++) {
		struct reader r = reader_of(text);

		if (!begins_with(text, linux_loaders[i]))
			continue;
		/* The file's name begins what is measured next. From a network it may look like a
		 * command there. */
		read_bytes(&r, log_text_of(linux_loaders[i]).size);
		uint8_t c = read_u8(&r);
		return c != '/' && c != '(';
	}
	return false;
}

/* Names of files begin with '/', '(', a block list's digit, a quotation mark; commands with a
 * letter, or are a test in brackets. What begins otherwise is unknown, and so counts. IA-64's
 * loader measured what it gave the kernel. */
static bool
may_be_command_line(struct bytes text)
{
	struct reader r = reader_of(text);
	uint8_t c = read_u8(&r);
	bool command = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '[';

	if (text.size == 0)
		return false;
	return !command || begins_with(text, "BOOT_IMAGE=") || is_loader(text);
}

static void
text_event(struct grub *grub, const struct attest_event *event, struct witness_hash *hash)
{
	static const uint8_t separator[4];
	struct bytes text;

	if (witness_hash_matches_word(hash, event->digests[hash->bank], BYTES_OF(separator)))
		return;
	if (!recompute(event, hash, &text))
		grub->lines.broken = true;
	else if (may_be_command_line(text))
		list_add(&grub->lines, text);
}

static void
witness_event(void *state, const struct attest_event *event, struct witness_hash *hash)
{
	struct grub *grub = state;

	if (event->pcr == 9)
		list_add(&grub->files, event->digests[hash->bank]);
	else if (!grub->lines.broken)
		text_event(grub, event, hash);
}

static void
conclude(const void *state, uint32_t held, struct witness_hash *hash, struct attest_claims *claims)
{
	const struct grub *grub = state;

	(void)hash;
	if ((held >> 8 & 1) != 0)
		list_claim(&grub->lines, claims, CLAIM_GRUB_COMMAND_LINES);
	if ((held >> 9 & 1) != 0)
		list_claim(&grub->files, claims, CLAIM_BOOT_FILES);
}

const struct witness witness_grub = {
	.name = "GRUB",
	.pcrs = 1U << 8 | 1U << 9,
	.state_size = sizeof(struct grub),
	.event = witness_event,
	.conclude = conclude,
};
