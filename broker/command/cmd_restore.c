/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postern restore: a store out of a backup, on whatever host, with no broker. It counts as possibly
 * rolled back: the record `frozen` is in it before it is where a broker would look for it.
 */
#include "commands.h"
#include "encode.h"
#include "file.h"
#include "keyholder.h"
#include "output.h"
#include "progress.h"
#include "signals.h"
#include "store/upkeep.h"
#include "wire/frozen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* clang-format off: these lines are as wide as they will be read. */
const char help_restore[] =
	"postern restore FILE --state DIR [--root-key FILE | --share-file FILE ...] [--progress] "
	"[--json]\n"
	"\n"
	"Makes a store in DIR/store out of a backup, on this host, with no broker running on it. "
	"DIR is\n"
	"made if it is not there; a store that is there is never overwritten. Every byte is "
	"verified\n"
	"before the store is put in its place; one that was cut short or altered is refused. The "
	"shares,\n"
	"or the key, are those that were in force when the backup was made; without files this "
	"asks for\n"
	"shares without echo.\n"
	"\n"
	"A backup is an older store than the one that was lost: what was revoked since is trusted "
	"again.\n"
	"Hence a restored broker starts frozen, answers readings, and releases nothing until "
	"`postern\n"
	"thaw` says what was looked at.\n"
	"\n"
	"  --state DIR        where the store goes, as DIR/store\n"
	"  --root-key FILE    the root key, where it is in a file\n"
	"  --share-file FILE  one of the shares; repeat for the others\n"
	"  --progress         a line now and then where stderr is no terminal\n"
	"\n"
	"Example:\n"
	"  postern restore /backup/postern.backup --state /var/lib/postern\n"
	"\n"
	"Next: posternd.conf, tls.crt and tls.key into /etc/postern (the broker's keys are in the "
	"store,\n"
	"so that guests and operators still pin the same broker), `chown -R` the store to the "
	"broker's\n"
	"user, start posternd, `postern unseal`, `postern thaw`. postern(1) tells it step by "
	"step, and\n"
	"what to do where tls.key is lost.\n";
/* clang-format on */

#define STORE_NAME "store"
#define PART_NAME  "store.restoring"

struct restore {
	char state[FILE_PATH_MAX]; /* absolute */
	char part[FILE_PATH_MAX];
	char path[FILE_PATH_MAX];
	int descriptor;
	uint64_t read;
	int problem; /* errno of reading */
	struct progress progress;
	struct backup_label label;
	uint8_t label_memory[STORE_LABEL_MAX];
};

/* ---- what the store's library asks for ---- */

static long
backup_read(void *user, uint8_t *buffer, size_t size)
{
	struct restore *restore = user;
	ssize_t got;

	do
		got = read(restore->descriptor, buffer, size);
	while (got < 0 && errno == EINTR && !signals_came());
	if (got < 0)
		restore->problem = errno;
	else
		restore->read += (uint64_t)got;
	return got;
}

static bool
progress_take(void *user, uint64_t done, uint64_t total)
{
	struct restore *restore = user;

	restore->progress.bytes = restore->read;
	progress_show(&restore->progress, done, total);
	return !signals_came();
}

/* ---- folders ---- */

/* Of a restore that was killed: ours, or the one that the store's library builds beside it. */
static int
part_absent(const struct restore *restore)
{
	static const char *const ends[] = {"", ".part"};
	char path[FILE_PATH_MAX + 8];
	struct stat information;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", restore->part, ends[i]);
		if (lstat(path, &information) == 0)
			return complain(EX_CANTCREAT,
					"%s is there: of a restore that was cut short? Delete it",
					path);
	}
	return 0;
}

static int
places_find(struct restore *restore, const char *given)
{
	struct stat information;

	if (mkdir(given, 0700) != 0 && errno != EEXIST)
		return complain(EX_CANTCREAT, "%s: %s", given, strerror(errno));
	char *state = realpath(given, NULL);
	if (state == NULL || strlen(state) >= sizeof(restore->state)) {
		free(state);
		return complain(EX_CANTCREAT, "%s: not a folder, or too long a path", given);
	}
	(void)snprintf(restore->state, sizeof(restore->state), "%s", state);
	free(state);
	int status = file_join(restore->state, STORE_NAME, restore->path);
	if (status == 0)
		status = file_join(restore->state, PART_NAME, restore->part);
	if (status != 0)
		return status;
	if (lstat(restore->path, &information) == 0)
		return complain(EX_CANTCREAT,
				"%s is there already: a store is never overwritten. Move it away, "
				"or give another --state",
				restore->path);
	return part_absent(restore);
}

/* ---- restoring ---- */

static int
restore_say(const struct restore *restore, const char *file, enum store_status stored,
	    const struct store_error *err)
{
	if (stored != STORE_OK && signals_came())
		return complain(EX_TEMPFAIL, "interrupted");
	switch (stored) {
	case STORE_OK:
		return 0;
	case STORE_KEY:
		return complain(
			1,
			"%s: another root key opens this backup: give the shares, or the key, "
			"that were in force when it was made",
			file);
	case STORE_TAMPERED:
		return complain(1, "%s: not what a backup wrote, or altered since: %s", file,
				err->message);
	case STORE_IO:
		if (restore->problem != 0)
			return complain(EX_IOERR, "%s: %s", file, strerror(restore->problem));
		break;
	case STORE_CONFLICT:
	case STORE_EXISTS:
	case STORE_MISSING:
	case STORE_LIMIT:
	case STORE_SPACE:
	case STORE_READONLY:
	case STORE_UNSURE:
	case STORE_MEMORY:
	case STORE_SEALED:
		break;
	}
	return complain(stored == STORE_MEMORY ? EX_SOFTWARE : EX_IOERR, "%s", err->message);
}

/* "restored from the backup of 2026-11-22T03:00:00Z at trust revision 41" */
static void
why_write(const struct restore *restore, char ret_why[FROZEN_WHY_MAX])
{
	char when[TIME_TEXT_SIZE];

	time_format(restore->label.time, when);
	(void)snprintf(ret_why, FROZEN_WHY_MAX,
		       "its store was restored from the backup of %s, at trust revision %llu: what "
		       "was revoked later is trusted again",
		       when, (unsigned long long)restore->label.trust_revision);
}

static int
frozen_commit(struct store *store, const struct frozen_record *record)
{
	uint8_t memory[FROZEN_SIZE_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	struct store_batch *batch = store_batch_new();
	struct store_error err = {.status = STORE_OK};

	frozen_record_write(&w, record);
	if (batch == NULL || w.failed) {
		store_batch_free(batch);
		return complain(EX_SOFTWARE, "the record 'frozen' cannot be made");
	}
	store_batch_put(batch, FROZEN_KEY, (struct store_bytes){w.start, w.size});
	enum store_status stored = store_commit(store, batch, &err);
	store_batch_free(batch);
	return stored == STORE_OK ? 0 : complain(EX_IOERR, "%s", err.message);
}

static int
freeze(const struct restore *restore, const struct secret *key)
{
	char why[FROZEN_WHY_MAX];
	struct store *store = NULL;
	struct store_error err = {.status = STORE_OK};
	const struct frozen_record record = {.since = (int64_t)time(NULL), .why = {NULL, 0}};
	struct frozen_record whole = record;
	enum store_status stored = store_open(restore->part, key, &store, &err);

	if (stored != STORE_OK)
		return complain(EX_IOERR, "%s", err.message);
	why_write(restore, why);
	whole.why = text_bytes(why);
	int status = frozen_commit(store, &whole);
	store_close(store);
	return status;
}

static int
restore_run(struct restore *restore, const char *file, const struct secret *key)
{
	struct store_error err = {.status = STORE_OK};
	size_t size = 0;
	enum store_status stored = store_restore(restore->part, key, backup_read, progress_take,
						 restore, restore->label_memory, &size, &err);

	progress_end(&restore->progress);
	int status = restore_say(restore, file, stored, &err);
	if (status == 0 &&
	    !backup_label_read((struct bytes){restore->label_memory, size}, &restore->label))
		status = complain(EX_DATAERR, "%s: made by another program, or a newer one", file);
	if (status == 0)
		status = freeze(restore, key);
	if (status == 0 && !file_rename_new(restore->part, restore->path))
		status = complain(EX_CANTCREAT, "%s: %s", restore->path, strerror(errno));
	if (status == 0)
		status = file_folder_sync(restore->state);
	return status;
}

static int
restore_report(const struct restore *restore, bool json)
{
	char when[TIME_TEXT_SIZE];

	if (json) {
		auto_json *object =
			json_pack("{s:s,s:I,s:I,s:b}", "store", restore->path, "time",
				  (json_int_t)restore->label.time, "trust_revision",
				  (json_int_t)restore->label.trust_revision, "frozen", 1);
		return object != NULL ? output_json(object)
				      : complain(EX_DATAERR, "the folder's name is not UTF-8");
	}
	time_format(restore->label.time, when);
	(void)printf(
		"%s: the store as of %s, at trust revision %llu, all of it verified\n"
		"\n"
		"Next:\n"
		"  posternd.conf, tls.crt and tls.key into /etc/postern, with\n"
		"    store = %s\n"
		"    control = %s/control.sock\n"
		"  chown -R it all to the broker's user, and start posternd\n"
		"  postern unseal (or root_key in posternd.conf)\n"
		"  postern thaw: it starts frozen, for what was revoked since is trusted again\n",
		restore->path, when, (unsigned long long)restore->label.trust_revision,
		restore->path, restore->state);
	return 0;
}

int
cmd_restore(int argc, char **argv)
{
	struct keyholder holder = {.root_key = NULL};
	struct text_list positional;
	const char *state = NULL;
	bool wanted = false, json = false;
	const struct option_rule rules[] = {KEYHOLDER_RULES(holder),
					    {"--state", OPTION_TEXT, &state},
					    {"--json", OPTION_FLAG, &json},
					    {"--progress", OPTION_FLAG, &wanted}};
	struct restore restore = {.descriptor = -1};
	auto_secret *key = NULL;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "FILE --state DIR") != 0 ||
	    keyholder_check(&holder) != 0)
		return EX_USAGE;
	if (state == NULL)
		return complain(EX_USAGE, "wanted: FILE --state DIR (--help explains)");
	const char *file = positional.items[0];
	int status = process_lock();
	if (status == 0)
		status = places_find(&restore, state);
	if (status != 0)
		return status;
	restore.descriptor = open(file, O_RDONLY | O_CLOEXEC);
	if (restore.descriptor < 0)
		return complain(EX_NOINPUT, "%s: %s", file, strerror(errno));
	status = keyholder_key(&holder, &key);
	if (status == 0) {
		signals_note(); /* then the progress says no, and what was made is taken away */
		progress_begin(&restore.progress, "restore", wanted);
		status = restore_run(&restore, file, key);
	}
	(void)close(restore.descriptor);
	if (status != 0) {
		file_folder_empty(restore.part);
		(void)rmdir(restore.part);
		return status;
	}
	return restore_report(&restore, json);
}
