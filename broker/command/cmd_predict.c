/* SPDX-License-Identifier: Apache-2.0 */
/* postern baseline predict: what an image will boot to, from its file alone. */
#include "commands.h"
#include "file.h"
#include "predict_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PHASES_ALL    "enter-initrd:leave-initrd:sysinit:ready"
#define PHASE_DEFAULT "enter-initrd:leave-initrd:sysinit"
#define PHASE_STUB    "stub"

/* clang-format off: these lines are as wide as they will be read. */
const char help_baseline_predict[] =
	"postern baseline predict --uki FILE [--via FILE]... [--direct] [--secure-boot]\n"
	"        [--cmdline TEXT | --cmdline-file FILE] [--phase WORD:WORD...] [--os-separator]\n"
	"        [--bank sha256|sha384] [--name NAME]\n"
	"\n"
	"Computes PCR 4, 11 and 12 of a machine that boots this unified kernel image, without "
	"booting it: a\n"
	"build can make the baseline together with the image. Needs no broker and no TPM.\n"
	"\n"
	"  PCR 4   code that the firmware starts: the image as a whole (its Authenticode digest, "
	"which signing\n"
	"          does not change but for padding), and what was started before it\n"
	"  PCR 11  the image's sections as systemd's stub measures them: name, contents, name, "
	"contents...\n"
	"          then, while the system starts, words that stand in no log: enter-initrd, "
	"leave-initrd,\n"
	"          sysinit, ready\n"
	"  PCR 12  a command line passed from outside of the image; all zeros, if none was\n"
	"\n"
	"  --via FILE         a boot loader in between, such as shim or systemd-boot; repeat it in "
	"their order\n"
	"  --direct           QEMU's -kernel starts the image: PCR 4 then has another order\n"
	"  --secure-boot      Secure Boot is enabled: the stub then takes no command line from "
	"outside if it\n"
	"                     has its own, and before 258 vouches for the kernel itself instead of "
	"measuring it\n"
	"  --cmdline TEXT     the command line that comes from outside: a boot entry's options, or "
	"-append\n"
	"  --phase WORDS      the point at which the machine will quote (default\n"
	"                     enter-initrd:leave-initrd:sysinit); `stub`: before all of them, "
	"where systemd's\n"
	"                     pcrphase services do not run\n"
	"  --os-separator     systemd extends \"os-separator\" into PCR 4 and 12 when it starts\n"
	"  --bank NAME        sha256 (default; baselines are of it) or sha384\n"
	"  --name NAME        what the command line shown at the end calls the baseline\n"
	"\n"
	"Which point? A service that fetches a secret, ordered After=basic.target and\n"
	"Before=systemd-pcrphase.service, quotes after `sysinit`. Without that order it may quote "
	"before or\n"
	"after `ready`, and match by luck. In the initrd it quotes after `enter-initrd`.\n"
	"\n"
	"Assumed: the firmware's first boot option is this image (an option that failed before it, "
	"or a shell,\n"
	"extends more); no credentials, extensions or add-ons beside it and no SMBIOS strings for "
	"the stub,\n"
	"which would go to PCR 12 and 13. Compared with boots of 252, 254, 257 and 262.\n"
	"Of an image with profiles the first is taken. What the image alone does not decide is "
	"refused.\n"
	"Boot it once, and compare.\n"
	"\n"
	"Example: postern baseline predict --uki web.efi --via shimx64.efi --secure-boot --name "
	"web-2\n"
	"Next: the command line that it prints; `postern baseline lint` says what a baseline "
	"leaves open.\n";
/* clang-format on */

struct asked {
	const char *uki;
	struct text_list via;
	bool direct;
	bool secure_boot;
	bool os_separator;
	const char *line;
	const char *line_file;
	const char *phase;
	const char *bank;
	const char *name;
	bool json;
};

struct opened { /* an image, and the file that it points into */
	struct file_text file;
	struct attest_image image;
};

struct images {
	struct opened uki;
	struct opened loaders[ATTEST_IMAGE_LOADERS_MAX];
};

static void
images_free_at(struct images **images)
{
	if (*images == NULL)
		return;
	file_text_clear(&(*images)->uki.file);
	for (size_t i = 0; i < ATTEST_IMAGE_LOADERS_MAX; i++)
		file_text_clear(&(*images)->loaders[i].file);
	free(*images);
}
#define auto_images __attribute__((cleanup(images_free_at))) struct images

static int
image_read(const char *path, struct opened *opened)
{
	struct attest_error err;
	int status = file_read(path, ATTEST_IMAGE_MAX, &opened->file);

	if (status != 0)
		return status;
	struct bytes file = {(const uint8_t *)opened->file.data, opened->file.size};
	if (attest_image_open(file, &opened->image, &err) != ATTEST_OK)
		return complain(err.status == ATTEST_MEMORY ? EX_SOFTWARE : EX_DATAERR,
				"%s: %s (%s)", path, err.message, err.check);
	return 0;
}

static int
images_read(const struct asked *asked, struct images *images)
{
	int status = image_read(asked->uki, &images->uki);

	for (size_t i = 0; status == 0 && i < asked->via.count; i++)
		status = image_read(asked->via.items[i], &images->loaders[i]);
	return status;
}

/* The first line of a file, as boot entries have them. */
static int
line_read(const struct asked *asked, struct file_text *text, const char **ret_line)
{
	*ret_line = asked->line;
	if (asked->line_file == NULL)
		return 0;
	int status = file_read(asked->line_file, ATTEST_IMAGE_LINE_MAX + 1, text);
	if (status != 0)
		return status;
	if (text->size > 0 && text->data[text->size - 1] == '\n')
		text->data[--text->size] = '\0';
	if (strlen(text->data) != text->size)
		return complain(EX_DATAERR, "%s: no text", asked->line_file);
	*ret_line = text->data;
	return 0;
}

/* Words of `path` one after another, each a point of its own. */
static int
phases_walk(enum attest_bank bank, const uint8_t *start, const char *path,
	    struct phases *ret_phases)
{
	struct phases phases = {.count = 1};
	struct attest_error err;

	(void)snprintf(phases.items[0].path, PHASE_PATH_MAX, "%s", PHASE_STUB);
	memcpy(phases.items[0].value, start, ATTEST_DIGEST_MAX);
	const char *at = path;
	do {
		char word[PHASE_WORD_MAX];
		size_t size = strcspn(at, ":");
		if (size == 0 || size >= sizeof(word) || phases.count > PHASES_MAX ||
		    (at[size] == ':' && at[size + 1] == '\0'))
			return complain(EX_USAGE,
					"--phase: wanted up to %d words between colons, "
					"such as " PHASE_DEFAULT,
					PHASES_MAX);
		(void)snprintf(word, sizeof(word), "%.*s", (int)size, at);
		struct phase *to = &phases.items[phases.count];
		(void)snprintf(to->path, sizeof(to->path), "%.*s",
			       (int)((size_t)(at - path) + size), path);
		if (attest_phase_extend(bank, to[-1].value, word, to->value, &err) != ATTEST_OK)
			return complain(EX_SOFTWARE, "%s", err.message);
		phases.count++;
		at += size + (at[size] == ':' ? 1 : 0);
	} while (*at != '\0');
	*ret_phases = phases;
	return 0;
}

/* All usual points where the one asked for is among them, else those that lead to it. */
static int
phases_find(enum attest_bank bank, const uint8_t *start, const char *wanted,
	    struct phases *ret_phases)
{
	bool stub = strcmp(wanted, PHASE_STUB) == 0;
	bool usual = stub || (strncmp(PHASES_ALL, wanted, strlen(wanted)) == 0 &&
			      strchr(":", PHASES_ALL[strlen(wanted)]) != NULL);
	int status = phases_walk(bank, start, usual ? PHASES_ALL : wanted, ret_phases);

	for (size_t i = 0; status == 0 && i < ret_phases->count; i++)
		if (strcmp(ret_phases->items[i].path, wanted) == 0)
			ret_phases->taken = i;
	return status;
}

/* ---- the command ---- */

static int
bank_parse(const char *text, enum attest_bank *ret_bank)
{
	*ret_bank = ATTEST_SHA256;
	if (text == NULL || strcmp(text, "sha256") == 0)
		return 0;
	*ret_bank = ATTEST_SHA384;
	return strcmp(text, "sha384") == 0
		       ? 0
		       : complain(EX_USAGE, "--bank: '%s' is neither sha256 nor sha384", text);
}

static int
asked_check(const struct asked *asked)
{
	if (asked->uki == NULL)
		return complain(EX_USAGE, "wanted: --uki FILE, a unified kernel image");
	if (asked->via.count > ATTEST_IMAGE_LOADERS_MAX)
		return complain(EX_USAGE, "--via: %d at most", ATTEST_IMAGE_LOADERS_MAX);
	if (asked->direct && asked->via.count > 0)
		return complain(EX_USAGE,
				"--direct: QEMU's -kernel has no boot loader, so no --via");
	if (asked->line != NULL && asked->line_file != NULL)
		return complain(EX_USAGE, "--cmdline or --cmdline-file, not both");
	return 0;
}

static int
predict(const struct asked *asked, enum attest_bank bank, const struct images *images,
	const char *line, struct attest_prediction *ret_prediction)
{
	struct attest_boot boot = {.uki = &images->uki.image,
				   .loader_count = asked->via.count,
				   .direct = asked->direct,
				   .secure_boot = asked->secure_boot,
				   .os_separator = asked->os_separator,
				   .command_line = line};
	struct attest_error err;

	for (size_t i = 0; i < asked->via.count; i++)
		boot.loaders[i] = &images->loaders[i].image;
	if (attest_boot_predict(&boot, bank, ret_prediction, &err) == ATTEST_OK)
		return 0;
	return complain(err.status == ATTEST_MEMORY ? EX_SOFTWARE : EX_DATAERR, "%s: %s (%s)",
			asked->uki, err.message, err.check);
}

int
cmd_baseline_predict(int argc, char **argv)
{
	struct asked asked = {.phase = PHASE_DEFAULT};
	struct text_list positional;
	const struct option_rule rules[] = {{"--uki", OPTION_TEXT, &asked.uki},
					    {"--via", OPTION_LIST, &asked.via},
					    {"--direct", OPTION_FLAG, &asked.direct},
					    {"--secure-boot", OPTION_FLAG, &asked.secure_boot},
					    {"--os-separator", OPTION_FLAG, &asked.os_separator},
					    {"--cmdline", OPTION_TEXT, &asked.line},
					    {"--cmdline-file", OPTION_TEXT, &asked.line_file},
					    {"--phase", OPTION_TEXT, &asked.phase},
					    {"--bank", OPTION_TEXT, &asked.bank},
					    {"--name", OPTION_TEXT, &asked.name},
					    {"--json", OPTION_FLAG, &asked.json}};
	auto_images *images = NULL;
	auto_file_text text = {.data = NULL};
	const char *line = NULL;
	enum attest_bank bank;
	struct attest_prediction prediction;
	struct phases phases;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "nothing but options") != 0 ||
	    asked_check(&asked) != 0 || bank_parse(asked.bank, &bank) != 0)
		return EX_USAGE;
	images = calloc(1, sizeof(*images));
	if (images == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	int status = images_read(&asked, images);
	if (status == 0)
		status = line_read(&asked, &text, &line);
	if (status == 0)
		status = predict(&asked, bank, images, line, &prediction);
	if (status == 0)
		status = phases_find(bank, prediction.pcrs.values[11], asked.phase, &phases);
	if (status != 0)
		return status;
	if (asked.json)
		return prediction_print_json(&prediction, &phases, images->uki.image.stub);
	prediction_print(&prediction, &phases, asked.name);
	return 0;
}
