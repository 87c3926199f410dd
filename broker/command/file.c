/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include "command.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 16384

static void
descriptor_close(const int *descriptor)
{
	if (*descriptor > STDERR_FILENO)
		(void)close(*descriptor);
}
#define auto_descriptor __attribute__((cleanup(descriptor_close))) int

void
file_text_clear(struct file_text *text)
{
	free(text->data);
	*text = (struct file_text){.data = NULL};
}

static int
open_input(const char *path, int *ret_descriptor)
{
	if (strcmp(path, "-") == 0) {
		*ret_descriptor = STDIN_FILENO;
		return 0;
	}
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (descriptor < 0)
		return complain(EX_NOINPUT, "%s: %s", path, strerror(errno));
	*ret_descriptor = descriptor;
	return 0;
}

/* Up to `size` bytes: short only at the end. -1: error. */
static ssize_t
read_some(int descriptor, void *into, size_t size)
{
	size_t got = 0;

	while (got < size) {
		ssize_t part = read(descriptor, (char *)into + got, size - got);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return -1;
		if (part == 0)
			break;
		got += (size_t)part;
	}
	return (ssize_t)got;
}

static int
read_whole(int descriptor, const char *path, size_t max, struct file_text *ret_text)
{
	auto_file_text text = {.data = NULL};
	size_t capacity = 0;

	for (;;) {
		if (capacity - text.size < READ_STEP) {
			capacity = capacity == 0 ? 2 * READ_STEP : 2 * capacity;
			char *grown = realloc(text.data, capacity);
			if (grown == NULL)
				return complain(EX_SOFTWARE, "out of memory");
			text.data = grown;
		}
		ssize_t part = read_some(descriptor, text.data + text.size, READ_STEP - 1);
		if (part < 0)
			return complain(EX_IOERR, "%s: %s", path, strerror(errno));
		text.size += (size_t)part;
		if (text.size > max)
			return complain(EX_DATAERR, "%s: larger than %zu bytes", path, max);
		if (part < READ_STEP - 1)
			break;
	}
	text.data[text.size] = '\0';
	*ret_text = text;
	text = (struct file_text){.data = NULL};
	return 0;
}

int
file_read(const char *path, size_t max, struct file_text *ret_text)
{
	auto_descriptor descriptor = -1;
	int status = open_input(path, &descriptor);

	return status != 0 ? status : read_whole(descriptor, path, max, ret_text);
}

int
file_read_optional(const char *path, size_t max, struct file_text *ret_text)
{
	auto_descriptor descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	*ret_text = (struct file_text){.data = NULL};
	return descriptor < 0 ? 0 : read_whole(descriptor, path, max, ret_text);
}

/* A locked copy with more room; the old one is wiped. */
static bool
secret_grow(struct secret **secret, size_t capacity)
{
	struct secret *grown = secret_new(capacity);

	if (grown == NULL)
		return false;
	memcpy(grown->bytes, (*secret)->bytes, (*secret)->size);
	grown->size = (*secret)->size;
	secret_free(*secret);
	*secret = grown;
	return true;
}

int
file_read_secret(const char *path, size_t max, struct secret **ret_secret)
{
	auto_descriptor descriptor = -1;
	auto_secret *secret = secret_new(READ_STEP);
	int status = open_input(path, &descriptor);

	if (status != 0)
		return status;
	if (secret == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	secret->size = 0;
	for (;;) {
		size_t room = secret->capacity - secret->size;
		ssize_t part = read_some(descriptor, secret->bytes + secret->size, room);
		if (part < 0)
			return complain(EX_IOERR, "%s: %s", path, strerror(errno));
		secret->size += (size_t)part;
		if (secret->size > max)
			return complain(EX_DATAERR, "%s: larger than %zu bytes", path, max);
		if ((size_t)part < room)
			break;
		if (!secret_grow(&secret, 2 * secret->capacity))
			return complain(EX_SOFTWARE, LOCKING_FAILED);
	}
	*ret_secret = secret;
	secret = NULL;
	return 0;
}

int
file_write_all(int descriptor, const void *data, size_t size)
{
	const char *next = data;

	while (size > 0) {
		ssize_t part = write(descriptor, next, size);
		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return complain(EX_IOERR, "write: %s", strerror(errno));
		next += part;
		size -= (size_t)part;
	}
	return 0;
}

int
file_write_new(const char *path, mode_t mode, const void *data, size_t size)
{
	auto_descriptor descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (descriptor < 0 && errno == EEXIST)
		return complain(EX_CANTCREAT, "%s is there already: nothing is overwritten", path);
	if (descriptor < 0)
		return complain(EX_CANTCREAT, "%s: %s", path, strerror(errno));
	/* fchmod, because the mask of the caller may have taken bits away */
	if (file_write_all(descriptor, data, size) == 0 && fchmod(descriptor, mode) == 0 &&
	    fsync(descriptor) == 0)
		return 0;
	(void)unlink(path);
	return complain(EX_CANTCREAT, "%s: cannot be written whole; removed again", path);
}

bool
file_rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return true;
	return (errno == EINVAL || errno == ENOSYS) && access(to, F_OK) != 0 &&
	       rename(from, to) == 0;
}

int
file_folder_sync(const char *folder)
{
	auto_descriptor descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (descriptor >= 0 && fsync(descriptor) == 0)
		return 0;
	return complain(EX_CANTCREAT, "%s: cannot be made durable: %s", folder, strerror(errno));
}

void
file_folder_empty(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	if (folder == NULL)
		return;
	while ((entry = readdir(folder)) != NULL)
		(void)unlinkat(dirfd(folder), entry->d_name, 0);
	(void)closedir(folder);
}

int
file_replace(const char *path, mode_t mode, const void *data, size_t size)
{
	char beside[FILE_PATH_MAX];
	int length = snprintf(beside, sizeof(beside), "%s.new-%ld", path, (long)getpid());

	if (length < 0 || (size_t)length >= sizeof(beside))
		return complain(EX_CANTCREAT, "%s: too long a path", path);
	(void)unlink(beside); /* of a run that was cut short */
	int status = file_write_new(beside, mode, data, size);
	if (status != 0 || rename(beside, path) == 0)
		return status;
	status = complain(EX_CANTCREAT, "%s: cannot be replaced: %s", path, strerror(errno));
	(void)unlink(beside);
	return status;
}

bool
file_beside(const char *beside, const char *path, char ret_path[FILE_PATH_MAX])
{
	const char *slash = strrchr(beside, '/');
	int folder = path[0] == '/' || slash == NULL ? 0 : (int)(slash + 1 - beside);
	int size = snprintf(ret_path, FILE_PATH_MAX, "%.*s%s", folder, beside, path);

	return size > 0 && size < FILE_PATH_MAX;
}

int
file_join(const char *folder, const char *name, char ret_path[FILE_PATH_MAX])
{
	int size = snprintf(ret_path, FILE_PATH_MAX, "%s/%s", folder, name);

	if (size > 0 && size < FILE_PATH_MAX)
		return 0;
	return complain(EX_CANTCREAT, "%s: too long a path", folder);
}
