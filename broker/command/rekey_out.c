/* SPDX-License-Identifier: Apache-2.0 */
#include "rekey_out.h"

#include "command.h"
#include "file.h"
#include "prompt.h"
#include "shares_out.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
printed(const struct rekey_target *target)
{
	return target->folder == NULL && target->key_file == NULL;
}

int
rekey_target_check(const struct rekey_target *target, unsigned count)
{
	struct stat information;

	if (target->key_file != NULL)
		return lstat(target->key_file, &information) != 0
			       ? 0
			       : complain(EX_CANTCREAT,
					  "%s is there already: nothing is overwritten",
					  target->key_file);
	if (printed(target))
		return prompt_possible()
			       ? 0
			       : complain(EX_USAGE,
					  "no terminal at which to ask whether the new "
					  "shares were noted down: give --shares-dir DIR");
	if (stat(target->folder, &information) != 0 || !S_ISDIR(information.st_mode))
		return complain(EX_CANTCREAT, "%s: not a folder: make it, mode 0700",
				target->folder);
	return share_files_absent(target->folder, count);
}

/* As the store's library has them, in locked memory. */
static int
shares_of(const struct control_rekeyed *rekeyed, struct secret **ret_shares)
{
	struct secret *memory = secret_new(SHARES_MAX * sizeof(struct share));
	if (memory == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	struct share *shares = (struct share *)(void *)memory->bytes;
	for (uint8_t i = 0; i < rekeyed->count; i++) {
		const struct control_share *from = &rekeyed->shares[i];
		shares[i].threshold = from->threshold;
		shares[i].count = from->count;
		shares[i].number = from->number;
		memcpy(shares[i].set, from->set, sizeof(shares[i].set));
		memcpy(shares[i].bytes, from->bytes, sizeof(shares[i].bytes));
	}
	*ret_shares = memory;
	return 0;
}

/* The folder that a file is in. */
static int
file_folder(const char *path, char ret_folder[FILE_PATH_MAX])
{
	if (!file_beside(path, ".", ret_folder))
		return complain(EX_CANTCREAT, "%s: too long a path", path);
	return 0;
}

static int
key_file_put(const struct rekey_target *target, const struct control_rekeyed *rekeyed)
{
	char folder[FILE_PATH_MAX];
	int status = file_folder(target->key_file, folder);

	if (status == 0)
		status = file_write_new(target->key_file, 0600, rekeyed->key, sizeof(rekeyed->key));
	if (status == 0 && file_folder_sync(folder) != 0) {
		(void)unlink(target->key_file);
		status = EX_CANTCREAT;
	}
	return status;
}

static int
shares_note_down(const struct share *shares, unsigned count)
{
	static const char yes[] = "yes";
	auto_secret *answer = NULL;

	(void)printf("The new shares, one a line. They are shown this once:\n\n");
	int status = shares_print(shares, count);
	if (status == 0)
		status = prompt_secret("\nAre all of them noted down, each by its holder? Type yes "
				       "to put them in force: ",
				       "give --shares-dir DIR", &answer);
	if (status != 0)
		return status;
	if (answer->size == sizeof(yes) - 1 && memcmp(answer->bytes, yes, sizeof(yes) - 1) == 0)
		return 0;
	return complain(EX_TEMPFAIL, "not noted down: the new shares are void, forget them");
}

int
rekey_target_put(const struct rekey_target *target, const struct control_rekeyed *rekeyed)
{
	auto_secret *memory = NULL;

	if (target->key_file != NULL)
		return key_file_put(target, rekeyed);
	int status = shares_of(rekeyed, &memory);
	if (status != 0)
		return status;
	const struct share *shares = (const struct share *)(const void *)memory->bytes;
	return printed(target) ? shares_note_down(shares, rekeyed->count)
			       : share_files_write(target->folder, shares, rekeyed->count);
}

void
rekey_target_remove(const struct rekey_target *target, const struct control_rekeyed *rekeyed)
{
	if (target->key_file != NULL)
		(void)unlink(target->key_file);
	else if (target->folder != NULL)
		share_files_remove(target->folder, rekeyed->count);
}

void
rekey_target_report(const struct rekey_target *target, const struct control_rekeyed *rekeyed)
{
	if (target->key_file != NULL) {
		(void)printf(
			"The new root key is in force, and in %s. The old one, and its shares if "
			"it had any, are void.\n"
			"Next: set root_key = %s in posternd.conf, or hand it over by\n"
			"`postern unseal --root-key` after each start; delete the old file.\n",
			target->key_file, target->key_file);
	} else {
		(void)printf("The new shares are in force, any %u of %u; the old ones are void.\n",
			     rekeyed->shares[0].threshold, rekeyed->count);
		if (target->folder != NULL)
			(void)printf(
				"They are in %s/share-1.txt to share-%u.txt: hand them out, and "
				"delete them here.\n",
				target->folder, rekeyed->count);
		(void)printf("Let each holder run `postern shares verify`. A root_key line in "
			     "posternd.conf opens\nnothing any more: take it out.\n");
	}
	(void)printf(
		"Backups made before open with the old ones only: make a new one, and keep the "
		"old ones\nas long as those backups.\n");
}
