/* SPDX-License-Identifier: Apache-2.0 */
/* Files: read whole and bounded; written new and whole, or not at all. Each call says itself what
 * failed. */
#ifndef POSTERN_COMMAND_FILE_H
#define POSTERN_COMMAND_FILE_H

#include "store/secret.h"

#include <sys/types.h>

#define FILE_PATH_MAX 1024

struct file_text {
	char *data; /* NUL-terminated beyond its size; freed by file_text_clear */
	size_t size;
};
void file_text_clear(struct file_text *text);
#define auto_file_text __attribute__((cleanup(file_text_clear))) struct file_text

/* `path` "-" is stdin. More than `max` bytes are refused, not cut. 0, EX_NOINPUT, EX_DATAERR or
 * EX_IOERR. */
int file_read(const char *path, size_t max, struct file_text *ret_text);
int file_read_secret(const char *path, size_t max, struct secret **ret_secret);
/* The same without complaint where the file is not there or may not be read: *ret_text stays empty.
 */
int file_read_optional(const char *path, size_t max, struct file_text *ret_text);

/* Makes a file that must not exist yet. 0 or EX_CANTCREAT. */
int file_write_new(const char *path, mode_t mode, const void *data, size_t size);
/* Writes beside `path`, then puts that in its place: whoever reads, and a crash, find the old file or
 * the new one. 0 or EX_CANTCREAT. */
int file_replace(const char *path, mode_t mode, const void *data, size_t size);
/* Not over what somebody has made there meanwhile, where the file system knows how. False: errno
 * says why. */
bool file_rename_new(const char *from, const char *to);
/* Names made or moved in `folder` outlive a crash from here on. 0 or EX_CANTCREAT. */
int file_folder_sync(const char *folder);
/* Removes the files in it, of a folder that has nothing else: a store that was not finished. */
void file_folder_empty(const char *path);
/* All bytes to a descriptor. 0 or EX_IOERR. */
int file_write_all(int descriptor, const void *data, size_t size);
/* "folder/name". 0 or EX_CANTCREAT. */
int file_join(const char *folder, const char *name, char ret_path[FILE_PATH_MAX]);
/* `path` as it stands if absolute, else beside the file `beside`. False: too long. */
bool file_beside(const char *beside, const char *path, char ret_path[FILE_PATH_MAX]);

#endif
