/* SPDX-License-Identifier: Apache-2.0 */
#include "shares_out.h"

#include "command.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
share_path(const char *folder, unsigned number, char ret_path[FILE_PATH_MAX])
{
	char name[32];

	(void)snprintf(name, sizeof(name), "share-%u.txt", number);
	return file_join(folder, name, ret_path);
}

int
share_files_absent(const char *folder, unsigned count)
{
	char path[FILE_PATH_MAX];
	struct stat information;

	for (unsigned number = 1; number <= count; number++) {
		int status = share_path(folder, number, path);
		if (status != 0)
			return status;
		if (lstat(path, &information) == 0)
			return complain(EX_CANTCREAT,
					"%s is there already, and nothing is overwritten: `postern "
					"shares verify` tells whether it is of use",
					path);
	}
	return 0;
}

/* The share's line, with its end. */
static int
line_make(const struct share *share, struct secret **ret_line)
{
	auto_secret *line = secret_new(SHARE_TEXT_SIZE + 1);

	if (line == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	share_write(share, (char *)line->bytes);
	line->size = strlen((char *)line->bytes);
	line->bytes[line->size++] = '\n';
	*ret_line = line;
	line = NULL;
	return 0;
}

static int
share_file_write(const char *folder, const struct share *share)
{
	char path[FILE_PATH_MAX];
	auto_secret *line = NULL;
	int status = share_path(folder, share->number, path);

	if (status == 0)
		status = line_make(share, &line);
	return status != 0 ? status : file_write_new(path, 0600, line->bytes, line->size);
}

int
share_files_write(const char *folder, const struct share *shares, unsigned count)
{
	int status = 0;
	unsigned written = 0;

	for (; status == 0 && written < count; written++)
		status = share_file_write(folder, &shares[written]);
	if (status == 0)
		status = file_folder_sync(folder);
	else
		written--; /* the last one took itself back */
	if (status != 0)
		share_files_remove(folder, written);
	return status;
}

void
share_files_remove(const char *folder, unsigned count)
{
	char path[FILE_PATH_MAX];

	for (unsigned number = 1; number <= count; number++)
		if (share_path(folder, number, path) == 0)
			(void)unlink(path);
}

int
shares_print(const struct share *shares, unsigned count)
{
	int status = fflush(stdout) == 0 ? 0 : complain(EX_IOERR, "stdout cannot be written");

	for (unsigned i = 0; status == 0 && i < count; i++) {
		auto_secret *line = NULL;
		status = line_make(&shares[i], &line);
		if (status == 0)
			status = file_write_all(STDOUT_FILENO, line->bytes, line->size);
	}
	return status;
}
