/* SPDX-License-Identifier: Apache-2.0 */
/* postern store check: is every record what was written? */
#include "commands.h"
#include "control.h"
#include "keyholder.h"
#include "output.h"
#include "progress.h"
#include "signals.h"
#include "store/upkeep.h"

#include <stdio.h>
#include <string.h>

/* clang-format off: these lines are as wide as they will be read. */
const char help_store_check[] =
	"postern store check [--progress] [--json] [--control PATH | --config FILE]\n"
	"postern store check --offline --store DIR [--root-key FILE | --share-file FILE ...]\n"
	"\n"
	"Opens every record of the store, computes the digest over them and the audit log's chain "
	"anew,\n"
	"and holds the index against the log. Each defect is one line on standard output. The "
	"broker\n"
	"serves on meanwhile; with --offline no broker runs on that store, and the root key, or "
	"shares,\n"
	"are given here.\n"
	"\n"
	"Ends with 0 if all is as it was written, with 1 if there are defects.\n"
	"\n"
	"  --offline       without a broker\n"
	"  --store DIR     the store's folder, as `store` in posternd.conf\n"
	"  --progress      a line now and then where stderr is no terminal\n"
	"\n"
	"Example: postern store check\n"
	"\n"
	"A defect is a broken disk or somebody's hand: keep the files as they are, and restore the "
	"last\n"
	"good backup beside them (`postern help restore`).\n";
/* clang-format on */

struct checking {
	json_t *defects; /* NULL: for people */
	bool broken;	 /* no memory for them */
	struct progress progress;
};

static void
defect_take(void *user, const char *text)
{
	struct checking *checking = user;
	char tame[CONTROL_PIECE_MAX / 64];

	text_tame(text, strlen(text), tame, sizeof(tame));
	if (checking->defects != NULL) {
		if (json_array_append_new(checking->defects, json_string(tame)) != 0)
			checking->broken = true;
		return;
	}
	progress_clear(&checking->progress);
	(void)printf("%s\n", tame);
	(void)fflush(stdout);
}

static int
checked_say(struct checking *checking, const struct control_checked *checked, bool json)
{
	int status = checked->defects > 0 ? 1 : 0;

	if (json) {
		auto_json *object = json_pack(
			"{s:O,s:I,s:I,s:I,s:I,s:b}", "defects", checking->defects, "records",
			(json_int_t)checked->records, "entries", (json_int_t)checked->entries,
			"tags", (json_int_t)checked->tags, "bytes", (json_int_t)checked->bytes,
			"clean", checked->defects == 0);
		if (object == NULL || checking->broken)
			return complain(EX_SOFTWARE, "out of memory");
		int written = output_json(object);
		return written != 0 ? written : status;
	}
	char size[32];
	progress_size_text(checked->bytes, size);
	(void)printf("%llu records of %s, %llu log entries, %llu tags: ",
		     (unsigned long long)checked->records, size,
		     (unsigned long long)checked->entries, (unsigned long long)checked->tags);
	if (checked->defects == 0)
		(void)printf("all as they were written\n");
	else
		(void)printf("%llu defect%s\n", (unsigned long long)checked->defects,
			     checked->defects == 1 ? "" : "s");
	return status;
}

/* ---- through the broker ---- */

static int
piece_take(void *user, uint16_t type, struct bytes body)
{
	struct checking *checking = user;
	struct control_progress progress;
	char text[CONTROL_PIECE_MAX / 64];

	if (type == FRAME_CONTROL_DEFECT) {
		size_t size = body.size < sizeof(text) - 1 ? body.size : sizeof(text) - 1;
		memcpy(text, body.data, size);
		text[size] = '\0';
		defect_take(checking, text);
		return 0;
	}
	if (type != FRAME_CONTROL_PROGRESS || !control_progress_read(body, &progress))
		return complain(EX_DATAERR, "the broker sends what is no check");
	progress_show(&checking->progress, progress.done, progress.total);
	return 0;
}

static int
check_online(struct checking *checking, const struct control_place *place,
	     struct control_checked *ret_checked)
{
	struct control_reply reply = {.status = CONTROL_FAILED};
	auto_control *control = NULL;
	int status = control_open(place, &control);

	if (status == 0)
		status = control_ask(control, FRAME_CONTROL_CHECK, (struct bytes){NULL, 0},
				     piece_take, checking, &reply);
	progress_end(&checking->progress);
	if (status == 0)
		status = control_say(&reply);
	control_warn(&reply);
	if (status == 0 && !control_checked_read(reply.payload, ret_checked))
		status = complain(EX_DATAERR, "the broker's report is malformed");
	return status;
}

/* ---- without one ---- */

static bool
progress_take(void *user, uint64_t done, uint64_t total)
{
	struct checking *checking = user;

	progress_show(&checking->progress, done, total);
	return !signals_came();
}

/* What keeps a store from being opened at all is its first defect. */
static int
offline_open(struct checking *checking, const char *path, const struct secret *key,
	     struct store **ret_store, struct control_checked *ret_checked)
{
	struct store_error err = {.status = STORE_OK};
	enum store_status stored = store_open(path, key, ret_store, &err);

	if (stored == STORE_OK)
		return 0;
	if (stored == STORE_KEY)
		return complain(1, "%s: another root key opens this store", path);
	if (stored != STORE_TAMPERED)
		return complain(
			stored == STORE_MISSING ? EX_NOINPUT : EX_IOERR, "%s%s", err.message,
			stored == STORE_IO ? " (with a broker on it: without --offline)" : "");
	defect_take(checking, err.message);
	ret_checked->defects = 1;
	return 0;
}

static int
check_offline(struct checking *checking, const char *path, const struct secret *key,
	      struct control_checked *ret_checked)
{
	struct store *store = NULL;
	struct store_error err = {.status = STORE_OK};
	struct store_check report = {.records = 0};
	int status = offline_open(checking, path, key, &store, ret_checked);

	if (status != 0 || store == NULL)
		return status;
	enum store_status stored =
		store_check(store, progress_take, defect_take, checking, &report, &err);
	progress_end(&checking->progress);
	store_close(store);
	if (signals_came())
		return complain(EX_TEMPFAIL, "interrupted");
	if (stored != STORE_OK)
		return complain(EX_IOERR, "%s", err.message);
	*ret_checked = (struct control_checked){.records = report.records,
						.entries = report.entries,
						.tags = report.tags,
						.bytes = report.bytes,
						.defects = report.defects};
	return 0;
}

int
cmd_store_check(int argc, char **argv)
{
	struct control_place place = {.socket = NULL};
	struct keyholder holder = {.root_key = NULL};
	struct text_list positional;
	const char *path = NULL;
	bool json = false, wanted = false, offline = false;
	const struct option_rule rules[] = {CONTROL_RULES(place),
					    KEYHOLDER_RULES(holder),
					    {"--offline", OPTION_FLAG, &offline},
					    {"--store", OPTION_TEXT, &path},
					    {"--json", OPTION_FLAG, &json},
					    {"--progress", OPTION_FLAG, &wanted}};
	struct control_checked checked = {.records = 0};
	auto_secret *key = NULL;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0 || keyholder_check(&holder) != 0)
		return EX_USAGE;
	if (offline != (path != NULL) ||
	    (!offline && (holder.root_key != NULL || holder.share_files.count > 0)))
		return complain(EX_USAGE,
				"--offline and --store DIR go together, and a key or shares "
				"with them alone");
	int status = offline ? process_lock() : 0;
	if (status == 0 && offline)
		status = keyholder_key(&holder, &key);
	auto_json *defects = json ? json_array() : NULL;
	struct checking checking = {.defects = defects};
	progress_begin(&checking.progress, "check", wanted);
	if (status == 0 && offline) {
		signals_note();
		status = check_offline(&checking, path, key, &checked);
	} else if (status == 0) {
		status = check_online(&checking, &place, &checked);
	}
	progress_end(&checking.progress);
	return status != 0 ? status : checked_say(&checking, &checked, json);
}
