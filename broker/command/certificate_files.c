/* SPDX-License-Identifier: Apache-2.0 */
#include "certificate_files.h"

#include "command.h"
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define FOLDERS_DEEP_MAX 8
#define FOLDER_FILES_MAX 4096 /* in one folder */

void
certificate_files_clear(struct certificate_files *files)
{
	for (size_t i = 0; i < files->bundle_count; i++)
		attest_bundle_clear(&files->bundles[i]);
	free(files->bundles);
	free(files->items);
	*files = (struct certificate_files){.count = 0};
}

/* Room for one more bundle and for `more` items. */
static bool
grow(struct certificate_files *files, size_t more)
{
	struct attest_bundle *bundles =
		realloc(files->bundles, (files->bundle_count + 1) * sizeof(struct attest_bundle));

	if (bundles == NULL)
		return false;
	files->bundles = bundles;
	struct bytes *items = realloc(files->items, (files->count + more) * sizeof(struct bytes));
	if (items == NULL)
		return false;
	files->items = items;
	return true;
}

/* A remark about one that cannot be an anchor, and false. */
static bool
anchor_fits(const char *path, const struct attest_bundle *bundle, size_t at)
{
	char subject[ATTEST_SUBJECT_SIZE];
	uint8_t id[ATTEST_HASH_SIZE];
	struct attest_error err;

	if (attest_anchor_describe(bundle->items[at], id, subject, &err) == ATTEST_OK)
		return true;
	if (bundle->count > 1)
		remark("%s, certificate %zu: no anchor: %s (%s)", path, at + 1, err.message,
		       err.check);
	else
		remark("%s: no anchor: %s (%s)", path, err.message, err.check);
	return false;
}

static int
bundle_read(const char *path, enum attest_item kind, struct attest_bundle *ret_bundle,
	    struct attest_error *err)
{
	auto_file_text file = {.data = NULL};
	int status = file_read(path, ATTEST_BUNDLE_MAX, &file);

	if (status != 0)
		return status;
	enum attest_status read = attest_bundle_read(
		(struct bytes){(const uint8_t *)file.data, file.size}, kind, ret_bundle, err);
	return read == ATTEST_OK ? 0 : read == ATTEST_MEMORY ? EX_SOFTWARE : EX_DATAERR;
}

static int
take(struct certificate_files *files, const char *path, struct attest_bundle *bundle, bool anchors)
{
	if (!grow(files, bundle->count)) {
		attest_bundle_clear(bundle);
		return complain(EX_SOFTWARE, "out of memory");
	}
	for (size_t i = 0; i < bundle->count; i++)
		if (!anchors || anchor_fits(path, bundle, i))
			files->items[files->count++] = bundle->items[i];
	files->bundles[files->bundle_count++] = *bundle;
	return 0;
}

int
certificate_files_read(struct certificate_files *files, const char *path, enum attest_item kind)
{
	struct attest_bundle bundle;
	struct attest_error err = {.message = ""};
	int status = bundle_read(path, kind, &bundle, &err);

	if (status != 0 && err.message[0] != '\0')
		return complain(status, "%s: %s", path, err.message);
	return status != 0 ? status : take(files, path, &bundle, false);
}

/* ---- folders ---- */

static bool
is_certificate_name(const char *name)
{
	static const char *const endings[] = {".pem", ".crt", ".cer", ".der"};
	const char *ending = strrchr(name, '.');

	for (size_t i = 0; ending != NULL && i < sizeof(endings) / sizeof(*endings); i++)
		if (strcasecmp(ending, endings[i]) == 0)
			return true;
	return false;
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

struct listing {
	struct dirent **entries;
	int count;
};

static void
listing_clear(struct listing *listing)
{
	for (int i = 0; i < listing->count; i++)
		free(listing->entries[i]);
	free((void *)listing->entries);
}
#define auto_listing __attribute__((cleanup(listing_clear))) struct listing

static int folder_read(struct certificate_files *files, const char *folder, unsigned depth);

/* A folder that a link leads to is not gone into: it may lead in a circle. Nothing but files is
 * opened: a pipe would never end. */
static int
entry_read(struct certificate_files *files, const char *folder, const char *name, unsigned depth)
{
	char path[FILE_PATH_MAX];
	struct attest_bundle bundle;
	struct attest_error err = {.message = ""};
	struct stat link;
	struct stat target;

	int status = file_join(folder, name, path);
	if (status != 0)
		return status;
	if (lstat(path, &link) == 0 && S_ISDIR(link.st_mode))
		return folder_read(files, path, depth + 1);
	if (!is_certificate_name(name) || stat(path, &target) != 0 || !S_ISREG(target.st_mode))
		return 0;
	status = bundle_read(path, ATTEST_CERTIFICATE, &bundle, &err);
	if (status == 0)
		return take(files, path, &bundle, true);
	if (err.message[0] != '\0')
		remark("%s: no anchor: %s (%s)", path, err.message, err.check);
	return status == EX_SOFTWARE ? status : 0;
}

/* In the order of the names, so that remarks come in the same order on every machine. */
static int
folder_read(struct certificate_files *files, const char *folder, unsigned depth)
{
	auto_listing listing = {.entries = NULL};

	if (depth > FOLDERS_DEEP_MAX) {
		remark("%s: more than %d folders deep: left out", folder, FOLDERS_DEEP_MAX);
		return 0;
	}
	int found = scandir(folder, &listing.entries, is_visible, alphasort);
	if (found < 0)
		return complain(EX_NOINPUT, "%s: %s", folder, strerror(errno));
	listing.count = found;
	if (found > FOLDER_FILES_MAX)
		return complain(EX_DATAERR, "%s: more than %d files", folder, FOLDER_FILES_MAX);
	for (int i = 0; i < found; i++) {
		int status = entry_read(files, folder, listing.entries[i]->d_name, depth);
		if (status != 0)
			return status;
		if (files->count > ATTEST_PILE_MAX)
			return complain(EX_DATAERR, "%s: more than %d CAs", folder,
					ATTEST_PILE_MAX);
	}
	return 0;
}

int
certificate_files_read_anchors(struct certificate_files *files, const char *path)
{
	struct attest_bundle bundle;
	struct attest_error err = {.message = ""};
	struct stat status_of;

	if (stat(path, &status_of) != 0)
		return complain(EX_NOINPUT, "%s: %s", path, strerror(errno));
	if (S_ISDIR(status_of.st_mode))
		return folder_read(files, path, 0);
	int status = bundle_read(path, ATTEST_CERTIFICATE, &bundle, &err);
	if (status != 0 && err.message[0] != '\0')
		return complain(status, "%s: %s", path, err.message);
	return status != 0 ? status : take(files, path, &bundle, true);
}
