/* SPDX-License-Identifier: Apache-2.0 */
/* postern backup: one moment of the whole store, as the keeper streams it, into a new file. */
#include "commands.h"
#include "control.h"
#include "output.h"
#include "progress.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* clang-format off: these lines are as wide as they will be read. */
const char help_backup[] =
	"postern backup FILE [--progress] [--json] [--control PATH | --config FILE]\n"
	"\n"
	"Writes one moment of the whole store to a new FILE (mode 0600), while the broker serves "
	"on. What\n"
	"is in it stays sealed, and is authenticated under the root key: it is of no use without "
	"the\n"
	"shares, or the key, that are in force now. Keep those apart from it. FILE is there when "
	"all of\n"
	"it is durable, and not before; nothing is overwritten.\n"
	"\n"
	"  --progress      a line now and then where stderr is no terminal\n"
	"  --control PATH  the broker's local socket (default: `control` of posternd.conf): as "
	"root, or\n"
	"                  as the broker's user, on its host\n"
	"\n"
	"Example: postern backup /backup/postern-$(date +%F).backup\n"
	"\n"
	"Try it out, on another host: `postern help restore`.\n";
/* clang-format on */

struct backup {
	char path[FILE_PATH_MAX]; /* absolute, or as given */
	char part[FILE_PATH_MAX];
	int descriptor;
	uint64_t size;
	struct progress progress;
};

static int
piece_take(void *user, uint16_t type, struct bytes body)
{
	struct backup *backup = user;
	struct control_progress progress;

	if (signals_came())
		return complain(EX_TEMPFAIL, "interrupted");
	if (type == FRAME_CONTROL_PROGRESS) {
		if (!control_progress_read(body, &progress))
			return complain(EX_DATAERR, "the broker's progress is malformed");
		backup->progress.bytes = backup->size;
		progress_show(&backup->progress, progress.done, progress.total);
		return 0;
	}
	if (type != FRAME_CONTROL_DATA)
		return complain(EX_DATAERR, "the broker sends what is no backup");
	backup->size += body.size;
	return file_write_all(backup->descriptor, body.data, body.size);
}

static int
part_open(struct backup *backup, const char *path)
{
	struct stat information;
	int size = snprintf(backup->part, sizeof(backup->part), "%s.part", path);

	if (size < 0 || (size_t)size >= sizeof(backup->part))
		return complain(EX_CANTCREAT, "%s: too long a path", path);
	(void)snprintf(backup->path, sizeof(backup->path), "%s", path);
	if (lstat(path, &information) == 0)
		return complain(EX_CANTCREAT, "%s is there already: nothing is overwritten", path);
	backup->descriptor = open(backup->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (backup->descriptor < 0)
		return complain(EX_CANTCREAT, "%s: %s%s", backup->part, strerror(errno),
				errno == EEXIST ? ": of a backup that was cut short? Delete it"
						: "");
	return 0;
}

static int
part_finish(struct backup *backup)
{
	char folder[FILE_PATH_MAX];

	if (fsync(backup->descriptor) != 0)
		return complain(EX_IOERR, "%s: %s", backup->part, strerror(errno));
	if (!file_beside(backup->path, ".", folder))
		return complain(EX_CANTCREAT, "%s: too long a path", backup->path);
	if (!file_rename_new(backup->part, backup->path))
		return complain(EX_CANTCREAT, "%s: %s", backup->path, strerror(errno));
	return file_folder_sync(folder);
}

/* What its label says: at least `least`, at most `most`, which acts meanwhile made of it. */
struct span {
	uint64_t least;
	uint64_t most;
};

static int
backup_report(const struct backup *backup, const struct span *revision, bool json)
{
	char size[32];

	if (json) {
		auto_json *object = json_pack("{s:s,s:I,s:I}", "file", backup->path, "size",
					      (json_int_t)backup->size, "trust_revision",
					      (json_int_t)revision->least);
		return object != NULL ? output_json(object)
				      : complain(EX_DATAERR, "the file's name is not UTF-8");
	}
	progress_size_text(backup->size, size);
	(void)printf("%s: %s, at trust revision %llu", backup->path, size,
		     (unsigned long long)revision->least);
	if (revision->most != revision->least)
		(void)printf(", or one of those up to %llu that came meanwhile",
			     (unsigned long long)revision->most);
	(void)printf(
		"\nIt opens with the root key, or the shares, that are in force now: keep them "
		"elsewhere.\n");
	return 0;
}

static int
backup_stream(struct backup *backup, struct control *control)
{
	struct control_reply reply = {.status = CONTROL_FAILED};
	int status = control_ask(control, FRAME_CONTROL_BACKUP, (struct bytes){NULL, 0}, piece_take,
				 backup, &reply);

	progress_end(&backup->progress);
	if (status == 0)
		status = control_say(&reply);
	control_warn(&reply);
	if (status == 0 && backup->size == 0)
		status = complain(EX_DATAERR, "the broker sent nothing");
	return status != 0 ? status : part_finish(backup);
}

int
cmd_backup(int argc, char **argv)
{
	struct control_place place = {.socket = NULL};
	struct text_list positional;
	bool json = false, wanted = false;
	const struct option_rule rules[] = {CONTROL_RULES(place),
					    {"--json", OPTION_FLAG, &json},
					    {"--progress", OPTION_FLAG, &wanted}};
	struct backup backup = {.descriptor = -1};
	struct control_state state;
	auto_control *control = NULL;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "FILE") != 0)
		return EX_USAGE;
	int status = control_open(&place, &control);
	if (status == 0)
		status = control_status(control, &state);
	if (status == 0 && state.sealed)
		status = complain(EX_TEMPFAIL, "the broker is sealed: `postern unseal` first");
	if (status != 0)
		return status;
	struct span revision = {state.trust_revision, state.trust_revision};
	signals_note(); /* ^C takes the part away too */
	status = part_open(&backup, positional.items[0]);
	if (status != 0)
		return status;
	progress_begin(&backup.progress, "backup", wanted);
	status = backup_stream(&backup, control);
	(void)close(backup.descriptor);
	if (status == 0) {
		if (control_status(control, &state) == 0)
			revision.most = state.trust_revision;
		return backup_report(&backup, &revision, json);
	}
	(void)unlink(backup.part);
	remark("%s: no backup was made", backup.path);
	return status;
}
