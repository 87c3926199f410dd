/* SPDX-License-Identifier: Apache-2.0 */
/* All or nothing: what postern init has made is remembered, and taken back where it fails. */
#include "init.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
made_add(struct made *made, const char *path)
{
	if (made->count < INIT_MADE_MAX)
		(void)snprintf(made->paths[made->count++], FILE_PATH_MAX, "%s", path);
}

void
made_undo(struct made *made)
{
	while (made->count > 0) {
		const char *path = made->paths[--made->count];
		struct stat information;
		if (lstat(path, &information) != 0)
			continue;
		if (S_ISDIR(information.st_mode) && strcmp(strrchr(path, '/') + 1, "store") == 0)
			file_folder_empty(path); /* made by store_make, and ours alone */
		if ((S_ISDIR(information.st_mode) ? rmdir(path) : unlink(path)) != 0)
			remark("%s was made and could not be removed again: delete it", path);
	}
}

int
init_file_make(struct init *init, const char *name, mode_t mode, const void *data, size_t size)
{
	char path[FILE_PATH_MAX];
	int status = file_join(init->config_path, name, path);

	if (status == 0)
		status = file_write_new(path, mode, data, size);
	if (status == 0)
		made_add(init->made, path);
	return status;
}
