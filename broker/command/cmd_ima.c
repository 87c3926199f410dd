/* SPDX-License-Identifier: Apache-2.0 */
/* postern ima: the kernel's list of what it measured, read aloud. */
#include "commands.h"
#include "encode.h"
#include "file.h"
#include "ima_allow.h"
#include "ima_key.h"
#include "ima_view.h"
#include "json.h"
#include "output.h"
#include "pcr_file.h"

#include <stdlib.h>
#include <string.h>

#define NOT_VERIFIED 1

/* clang-format off: these lines are as wide as they will be read. */
const char help_ima[] =
	"postern ima FILE [--pcr10 BANK:HEX | --pcrs FILE] [--allow FILE] [--key FILE]... "
	"[--json]\n"
	"\n"
	"Reads the list in which a Linux kernel noted every file it measured, binary or ASCII, "
	"and\n"
	"replays it: each entry's data are hashed, and the hash is extended into PCR 10. Says "
	"which\n"
	"PCR 10 the list leads to in each bank, and what it says of files. It needs no broker and "
	"no\n"
	"TPM.\n"
	"\n"
	"A list proves nothing by itself. With --pcr10 only the entries that lead to that value\n"
	"count, and what follows them is dropped: left-out, changed or moved entries lead "
	"elsewhere.\n"
	"The names of templates are not hashed; a violation proves nothing but itself.\n"
	"\n"
	"  --pcr10 BANK:HEX  the value of PCR 10: sha256:7fac48... Nobody vouches for it: see\n"
	"                    `postern quote verify`\n"
	"  --pcrs FILE       the same from a file: JSON, `tpm2_quote -o` or `tpm2_pcrread`\n"
	"  --allow FILE      SHA-256 digests of good files, a line each, as sha256sum prints them\n"
	"  --key FILE        a key that signs files, or its certificate, PEM or DER; up to 16 "
	"times\n"
	"  --json            everything as JSON\n"
	"\n"
	"A digest or signature by SHA-1 never makes a file listed or signed, nor does a "
	"violation.\n"
	"Exit status: 0 every template digest is of its data, and all that was asked for holds; 1 "
	"it\n"
	"does not; 65 it is no list, or empty; 66 there is no such file.\n"
	"\n"
	"Example:\n"
	"  tpm2_pcrread sha256:10 > pcrs\n"
	"  postern ima /sys/kernel/security/ima/binary_runtime_measurements --pcrs pcrs --allow "
	"good\n";
/* clang-format on */

struct ima_wanted {
	const char *pcr10, *pcrs, *allow;
	struct text_list keys;
	bool json;
};

struct loaded {
	struct file_text list, allow;
	struct attest_ima_allowed allowed;
	struct pcr_file pcrs;
	struct attest_ima_key *keys;
	struct bytes key_bytes[ATTEST_IMA_KEYS_MAX];
	struct ima_given given;
};

static void
loaded_clear(struct loaded *loaded)
{
	file_text_clear(&loaded->list);
	file_text_clear(&loaded->allow);
	free(loaded->keys);
}
#define auto_loaded __attribute__((cleanup(loaded_clear))) struct loaded

/* ---- PCR 10 ---- */

static int
pcr10_parse(const char *text, struct ima_given *given)
{
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		const char *name = attest_bank_name((enum attest_bank)bank);
		size_t size = strlen(name);
		if (strncmp(text, name, size) != 0 || text[size] != ':')
			continue;
		given->bank = (enum attest_bank)bank;
		given->quoted = hex_decode(text + size + 1, given->pcr10,
					   attest_bank_size((enum attest_bank)bank));
		if (given->quoted)
			return 0;
	}
	return complain(EX_USAGE,
			"--pcr10 wants sha1, sha256, sha384 or sha512, ':' and the value "
			"in hex, not '%s'",
			text);
}

/* The best bank that has it. */
static int
pcr10_read(const char *path, struct loaded *loaded)
{
	static const enum attest_bank order[] = {ATTEST_SHA256, ATTEST_SHA384, ATTEST_SHA512,
						 ATTEST_SHA1};
	int status = pcr_file_read(path, &loaded->pcrs);

	if (status != 0)
		return status;
	loaded->given.boot = loaded->pcrs.pcrs;
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		const struct attest_pcrs *pcrs = &loaded->pcrs.pcrs[order[i]];
		if ((pcrs->known >> ATTEST_IMA_PCR & 1) == 0)
			continue;
		loaded->given.bank = order[i];
		loaded->given.quoted = true;
		memcpy(loaded->given.pcr10, pcrs->values[ATTEST_IMA_PCR],
		       sizeof(loaded->given.pcr10));
		return 0;
	}
	return complain(EX_DATAERR, "%s: no PCR 10 in it", path);
}

static int
allow_use(const char *path, struct loaded *loaded)
{
	int status = ima_allow_read(path, &loaded->allow, &loaded->allowed.digests);

	if (status == 0)
		loaded->given.allowed = &loaded->allowed;
	return status;
}

/* ---- keys ---- */

static int
keys_read(const struct text_list *paths, struct loaded *loaded)
{
	if (paths->count > ATTEST_IMA_KEYS_MAX)
		return complain(EX_USAGE, "--key at most %d times", ATTEST_IMA_KEYS_MAX);
	loaded->keys = calloc(paths->count + 1, sizeof(*loaded->keys));
	if (loaded->keys == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	for (size_t i = 0; i < paths->count; i++) {
		int status = ima_key_file(paths->items[i], &loaded->keys[i]);
		if (status != 0)
			return status;
		loaded->key_bytes[i] = (struct bytes){loaded->keys[i].der, loaded->keys[i].size};
	}
	loaded->given.keys = loaded->key_bytes;
	loaded->given.key_count = paths->count;
	return 0;
}

/* ---- the command ---- */

static int
load(const char *path, const struct ima_wanted *wanted, struct loaded *loaded)
{
	int status = 0;

	if (wanted->pcr10 != NULL && wanted->pcrs != NULL)
		return complain(EX_USAGE, "--pcr10 or --pcrs, not both");
	if (wanted->pcr10 != NULL)
		status = pcr10_parse(wanted->pcr10, &loaded->given);
	if (status == 0)
		status = file_read(path, ATTEST_IMA_MAX, &loaded->list);
	if (status == 0 && wanted->pcrs != NULL)
		status = pcr10_read(wanted->pcrs, loaded);
	if (status == 0 && wanted->allow != NULL)
		status = allow_use(wanted->allow, loaded);
	return status == 0 ? keys_read(&wanted->keys, loaded) : status;
}

static int
show(const struct ima_view *view, bool json)
{
	if (!json) {
		ima_print(view);
		return 0;
	}
	auto_json *object = ima_json(view);
	return object != NULL ? output_json(object) : complain(EX_SOFTWARE, "out of memory");
}

int
cmd_ima(int argc, char **argv)
{
	struct ima_wanted wanted = {.json = false};
	struct text_list positional;
	const struct option_rule rules[] = {
		{"--pcr10", OPTION_TEXT, &wanted.pcr10}, {"--pcrs", OPTION_TEXT, &wanted.pcrs},
		{"--allow", OPTION_TEXT, &wanted.allow}, {"--key", OPTION_LIST, &wanted.keys},
		{"--json", OPTION_FLAG, &wanted.json},
	};
	auto_loaded loaded = {.keys = NULL};
	auto_ima_view view = {.judge = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "FILE") != 0)
		return EX_USAGE;
	int status = load(positional.items[0], &wanted, &loaded);
	if (status == 0)
		status = ima_view_make(
			positional.items[0],
			(struct bytes){(const uint8_t *)loaded.list.data, loaded.list.size},
			&loaded.given, &view);
	if (status == 0)
		status = show(&view, wanted.json);
	return status != 0 ? status : view.verified ? 0 : NOT_VERIFIED;
}
