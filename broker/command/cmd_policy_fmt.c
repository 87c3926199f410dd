/* SPDX-License-Identifier: Apache-2.0 */
/* postern policy fmt: policies in one layout. Asks no broker. */
#include "commands.h"
#include "file.h"
#include "policy/format.h"
#include "policy_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* clang-format off: these lines are as wide as they will be read. */
const char help_policy_fmt[] =
	"postern policy fmt [--check | --write] FILE...\n"
	"\n"
	"Cedar policies in one layout: two blanks of indent, 80 columns, an empty line between "
	"policies.\n"
	"Only blanks change: comments stay, and the policies mean what they meant. `-` is standard "
	"input.\n"
	"\n"
	"  --check  print nothing but the names of files that are not in this layout, and exit "
	"with "
	"1 if\n"
	"           there are any\n"
	"  --write  put the result in the file's place\n"
	"\n"
	"Exit status: 0 done, 1 (--check) some are not in this layout, 65 a file does not parse.\n"
	"Asks no broker.\n"
	"\n"
	"Example: postern policy fmt --write *.cedar\n";
/* clang-format on */

struct format_options {
	bool check;
	bool write;
};

static int
write_back(const char *path, const char *text, size_t size)
{
	struct stat info;

	if (stat(path, &info) < 0)
		return complain(EX_CANTCREAT, "%s: cannot be replaced: %s", path, strerror(errno));
	return file_replace(path, info.st_mode & 0777, text, size);
}

static int
format_one(const char *path, const struct format_options *options, bool *ret_differs)
{
	auto_file_text file = {.data = NULL};
	struct policy_error err;
	char *text = NULL;
	size_t size = 0;

	int status = file_read(path, POLICY_SOURCE_MAX, &file);
	if (status != 0)
		return status;
	if (policy_format((struct policy_text){file.data, file.size}, &text, &size, &err) !=
	    POLICY_OK)
		return policy_complain(path, &err);
	bool differs = size != file.size || (size > 0 && memcmp(text, file.data, size) != 0);
	if (options->check && differs)
		(void)printf("%s\n", path);
	else if (options->write && differs)
		status = write_back(path, text, size);
	else if (!options->check && !options->write)
		(void)fwrite(text, 1, size, stdout);
	free(text);
	*ret_differs = *ret_differs || differs;
	return status;
}

int
cmd_policy_fmt(int argc, char **argv)
{
	struct format_options options = {.check = false};
	const struct option_rule rules[] = {
		{"--check", OPTION_FLAG, &options.check},
		{"--write", OPTION_FLAG, &options.write},
	};
	struct text_list files;
	bool differs = false;
	int status = 0;

	if (ARGUMENTS_PARSE(argc, argv, rules, &files) != 0 ||
	    arguments_expect(&files, 1, COMMAND_LIST_MAX, "FILE...") != 0)
		return EX_USAGE;
	if (options.check && options.write)
		return complain(EX_USAGE, "--check or --write, not both");
	/* Each file, whatever another one has: the last problem is the status. */
	for (size_t i = 0; i < files.count; i++) {
		if (options.write && strcmp(files.items[i], "-") == 0)
			return complain(EX_USAGE, "standard input cannot be written to");
		int one = format_one(files.items[i], &options, &differs);
		status = one != 0 ? one : status;
	}
	return status != 0 ? status : options.check && differs ? 1 : 0;
}
