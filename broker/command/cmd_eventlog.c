/* SPDX-License-Identifier: Apache-2.0 */
/* postern eventlog: a firmware's event log, read aloud. */
#include "commands.h"
#include "eventlog_view.h"
#include "file.h"
#include "json.h"
#include "output.h"

#define NOT_VERIFIED 1

/* clang-format off: these lines are as wide as they will be read. */
const char help_eventlog[] =
	"postern eventlog FILE [--pcrs FILE] [--json]\n"
	"\n"
	"Reads the event log that a machine's firmware and boot loaders wrote, and says for each "
	"PCR what\n"
	"was measured into it, in words, and how much of these words the event's digest proves. "
	"Then the\n"
	"claims that policy may build on. It needs no broker and no TPM.\n"
	"\n"
	"A log proves nothing by itself: --pcrs compares it with a TPM's values. Each PCR is then "
	"exact (the\n"
	"log leads to its value), prefix (and known words of the operating system follow) or "
	"unexplained.\n"
	"Without --pcrs, claims are those that would hold if a quote confirmed the log.\n"
	"\n"
	"  --pcrs FILE   values: JSON {\"sha256\": {\"0\": \"<hex>\", ...}}, the file that "
	"`tpm2_quote -o` writes,\n"
	"                or what `tpm2_pcrread` prints. Nobody vouches for them: see `postern "
	"quote verify`\n"
	"  --json        everything as JSON\n"
	"\n"
	"SHA-1 digests are shown and never believed. Exit status: 0 the log parses, and with "
	"--pcrs explains\n"
	"PCR 0-9, and 11-14 where it has events, as far as they are given; 1 it does not; 65 it is "
	"no log;\n"
	"66 there is no such file.\n"
	"\n"
	"Example:\n"
	"  tpm2_pcrread > pcrs\n"
	"  postern eventlog /sys/kernel/security/tpm0/binary_bios_measurements --pcrs pcrs\n";
/* clang-format on */

static int
view_show(const struct eventlog_view *view, bool json)
{
	if (!json) {
		eventlog_print(view);
		return 0;
	}
	auto_json *object = eventlog_json(view);
	return object != NULL ? output_json(object) : complain(EX_SOFTWARE, "out of memory");
}

int
cmd_eventlog(int argc, char **argv)
{
	const char *pcrs = NULL;
	bool json = false;
	struct text_list positional;
	const struct option_rule rules[] = {{"--pcrs", OPTION_TEXT, &pcrs},
					    {"--json", OPTION_FLAG, &json}};
	auto_file_text log = {.data = NULL};
	struct pcr_file given;
	struct eventlog_view view;
	struct attest_error err = {.status = ATTEST_OK};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "FILE") != 0)
		return EX_USAGE;
	int status = file_read(positional.items[0], ATTEST_EVENTLOG_MAX, &log);
	if (status == 0 && pcrs != NULL)
		status = pcr_file_read(pcrs, &given);
	if (status != 0)
		return status;
	if (eventlog_view_make((struct bytes){(const uint8_t *)log.data, log.size},
			       pcrs != NULL ? &given : NULL, &view, &err) != ATTEST_OK)
		return complain(err.status == ATTEST_MEMORY ? EX_SOFTWARE : EX_DATAERR, "%s: %s",
				positional.items[0], err.message);
	status = view_show(&view, json);
	if (status != 0)
		return status;
	if (view.refused != NULL)
		remark("%s: %s", positional.items[0], view.refused);
	return view.compared && !view.verified ? NOT_VERIFIED : 0;
}
