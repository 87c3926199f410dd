/* SPDX-License-Identifier: Apache-2.0 */
/* Values as files: in a folder in memory, or as descriptors of a program that is started. */
#include "deliver.h"

#include "command.h"
#include "encode.h"
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TEMPORARY_SIZE 32

static void
descriptor_close(const int *descriptor)
{
	if (*descriptor >= 0)
		(void)close(*descriptor);
}
#define auto_descriptor __attribute__((cleanup(descriptor_close))) int

/* ---- files ---- */

/* One file under way: written beside its place, then renamed into it. */
struct placing {
	int folder;
	char temporary[TEMPORARY_SIZE]; /* empty: none */
	const char *name;
};

static int
memory_check(int folder, const char *path)
{
	struct statfs information;

	if (fstatfs(folder, &information) != 0)
		return complain(EX_CANTCREAT, "%s: %s", path, strerror(errno));
	if (information.f_type != TMPFS_MAGIC && information.f_type != RAMFS_MAGIC)
		return complain(EX_CANTCREAT,
				"%s is not in memory (tmpfs, ramfs): secrets would "
				"stay on the disk. --allow-disk if you mean it",
				path);
	return 0;
}

/* Below a folder that all may write to, such as /dev/shm, others may have made one in our way: they
 * could put another value in the place of ours. */
static int
ours_check(int folder, const char *path)
{
	struct stat information;

	if (fstat(folder, &information) != 0)
		return complain(EX_CANTCREAT, "%s: %s", path, strerror(errno));
	if ((information.st_uid != geteuid() && information.st_uid != 0) ||
	    (information.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return complain(EX_CANTCREAT,
				"%s is there, and others may write to it: secrets could be "
				"exchanged there",
				path);
	return 0;
}

static int
folder_open(const char *path, bool disk, int *ret_folder)
{
	auto_descriptor folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		return complain(EX_CANTCREAT, "%s: %s", path, strerror(errno));
	int status = disk ? 0 : memory_check(folder, path);
	if (status != 0)
		return status;
	*ret_folder = folder;
	folder = -1;
	return 0;
}

/* The folder of "a/b/name" below `top`, made where it is not there; links are not followed. */
static int
folder_descend(int top, const char *path, bool disk, struct placing *placing)
{
	char component[WIRE_PATH_MAX + 1];
	const char *slash;
	auto_descriptor folder = dup(top);

	while ((slash = strchr(path, '/')) != NULL && folder >= 0) {
		(void)snprintf(component, sizeof(component), "%.*s", (int)(slash - path), path);
		if (mkdirat(folder, component, 0700) != 0 && errno != EEXIST)
			return complain(EX_CANTCREAT, "%s: %s", component, strerror(errno));
		int next =
			openat(folder, component, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		(void)close(folder);
		folder = next;
		path = slash + 1;
		if (folder >= 0 && ours_check(folder, component) != 0)
			return EX_CANTCREAT;
		if (folder >= 0 && !disk && memory_check(folder, component) != 0)
			return EX_CANTCREAT;
	}
	if (folder < 0)
		return complain(EX_CANTCREAT, "%s: %s", path, strerror(errno));
	placing->folder = folder;
	placing->name = path;
	folder = -1;
	return 0;
}

static int
temporary_write(struct placing *placing, struct bytes value)
{
	uint8_t random[8];
	char digits[17];

	randombytes_buf(random, sizeof(random));
	hex_encode(random, sizeof(random), digits);
	(void)snprintf(placing->temporary, sizeof(placing->temporary), ".postern-%s", digits);
	auto_descriptor file = openat(placing->folder, placing->temporary,
				      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0) {
		placing->temporary[0] = '\0';
		return complain(EX_CANTCREAT, "%s: %s", placing->name, strerror(errno));
	}
	int status = file_write_all(file, value.data, value.size);
	if (status == 0 && (fchmod(file, 0600) != 0 || fsync(file) != 0))
		status = complain(EX_IOERR, "%s: %s", placing->name, strerror(errno));
	return status;
}

static void
placings_end(struct placing *placings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (placings[i].temporary[0] != '\0')
			(void)unlinkat(placings[i].folder, placings[i].temporary, 0);
		if (placings[i].folder >= 0)
			(void)close(placings[i].folder);
	}
}

/* All are written before the first is renamed, so that only a failing rename leaves a part. */
int
deliver_files(const struct delivery *delivery, const char *folder, bool disk)
{
	struct placing placings[WIRE_WANTED_MAX];
	auto_descriptor top = -1;
	int status = folder_open(folder, disk, &top);

	if (status != 0)
		return status;
	for (size_t i = 0; i < delivery->count; i++)
		placings[i] = (struct placing){.folder = -1};
	for (size_t i = 0; i < delivery->count && status == 0; i++) {
		status = folder_descend(top, delivery->secrets[i].path, disk, &placings[i]);
		if (status == 0)
			status = temporary_write(&placings[i], delivery->secrets[i].value);
	}
	for (size_t i = 0; i < delivery->count && status == 0; i++) {
		if (renameat(placings[i].folder, placings[i].temporary, placings[i].folder,
			     placings[i].name) != 0)
			status =
				complain(EX_CANTCREAT, "%s: %s", placings[i].name, strerror(errno));
		else
			placings[i].temporary[0] = '\0';
	}
	placings_end(placings, delivery->count);
	return status;
}

/* ---- a program ---- */

void
deliver_variable(const char *path, char ret_name[DELIVER_VARIABLE_SIZE])
{
	size_t used = 15;

	memcpy(ret_name, "POSTERN_SECRET_", used);
	for (; *path != '\0' && used + 1 < DELIVER_VARIABLE_SIZE; path++) {
		bool lower = *path >= 'a' && *path <= 'z';
		bool kept = (*path >= 'A' && *path <= 'Z') || (*path >= '0' && *path <= '9');
		ret_name[used++] = lower ? (char)(*path - 'a' + 'A') : kept ? *path : '_';
	}
	ret_name[used] = '\0';
}

/* Read-only from here on. Readable by all, because a program that has dropped its privileges opens
 * it by its path in /proc; nobody else gets there. */
static int
memory_file(struct bytes value, int *ret_descriptor)
{
	int file = memfd_create("postern-secret", MFD_ALLOW_SEALING);

	if (file < 0)
		return complain(EX_SOFTWARE, "memfd_create: %s", strerror(errno));
	int status = file_write_all(file, value.data, value.size);
	if (status == 0 && (fcntl(file, F_ADD_SEALS,
				  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0 ||
			    fchmod(file, 0444) != 0 || lseek(file, 0, SEEK_SET) != 0))
		status = complain(EX_SOFTWARE, "memfd: %s", strerror(errno));
	if (status != 0)
		(void)close(file);
	else
		*ret_descriptor = file;
	return status;
}

static int
variables_distinct(const struct delivery *delivery)
{
	char one[DELIVER_VARIABLE_SIZE], other[DELIVER_VARIABLE_SIZE];

	for (size_t i = 0; i < delivery->count; i++) {
		deliver_variable(delivery->secrets[i].path, one);
		for (size_t k = 0; k < i; k++) {
			deliver_variable(delivery->secrets[k].path, other);
			if (strcmp(one, other) == 0)
				return complain(EX_USAGE, "%s and %s would both be %s",
						delivery->secrets[k].path,
						delivery->secrets[i].path, one);
		}
	}
	return 0;
}

int
deliver_exec(const struct delivery *delivery, char **argv)
{
	char name[DELIVER_VARIABLE_SIZE], path[32];
	int status = variables_distinct(delivery);

	for (size_t i = 0; i < delivery->count && status == 0; i++) {
		int file = -1;
		status = memory_file(delivery->secrets[i].value, &file);
		if (status != 0)
			break;
		deliver_variable(delivery->secrets[i].path, name);
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
		if (setenv(name, path, 1) != 0)
			status = complain(EX_SOFTWARE, "out of memory");
	}
	if (status != 0)
		return status;
	process_unlock();
	(void)execvp(argv[0], argv);
	return complain(EX_UNAVAILABLE, "%s: %s", argv[0], strerror(errno));
}
