/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postern rekey: a new root key, in new shares or a file, with nothing of the data touched. The old
 * one is in force until the new one is where it belongs and the broker has been told so: whatever
 * ends this before, nothing has changed.
 */
#include "client.h"
#include "commands.h"
#include "control.h"
#include "encode.h"
#include "host_tpm.h"
#include "keyholder.h"
#include "output.h"
#include "rekey_out.h"
#include "signals.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMMIT_TRIES 3
#define COMMIT_PAUSE 3 /* seconds */

/* clang-format off: these lines are as wide as they will be read. */
const char help_rekey_authorize[] =
	"postern rekey authorize --shares N --threshold K [--config FILE]\n"
	"postern rekey authorize --root-key-file [--config FILE]\n"
	"\n"
	"An operator's signed act, which policy must permit: that the root key may be made anew, "
	"once,\n"
	"in N shares K of which open the store; or (--root-key-file) whole, into a file or a TPM. "
	"The act\n"
	"alone changes no key: the holders of the present shares then run `postern rekey` on the "
	"broker's\n"
	"host. Neither can do it without the other.\n"
	"\n"
	"Example: postern rekey authorize --shares 5 --threshold 3\n";

const char help_rekey[] =
	"postern rekey [--shares N --threshold K] [--shares-dir DIR] [--share-file FILE | -]...\n"
	"              [--tpm [--tcti T] [--sealed FILE] [--pcrs LIST]]\n"
	"postern rekey --root-key-file FILE [--share-file FILE | -]... [--root-key FILE]\n"
	"              [--control PATH | --config FILE]\n"
	"\n"
	"Makes a new root key and new shares of it; no secret is touched, and the broker serves "
	"on. First\n"
	"`postern rekey authorize`. Then, on the broker's host: proves by the present shares (in "
	"files, or\n"
	"asked for one after the other) or the present key that its holders agree; gets the new "
	"shares;\n"
	"writes them, or prints them once; and only then puts them in force. The old ones are void "
	"from\n"
	"then on. Whatever ends this before (^C, a crash, a full disk) leaves the old ones in "
	"force.\n"
	"\n"
	"  --shares N --threshold K  as authorized; by default as it is now\n"
	"  --shares-dir DIR          the new shares go to DIR/share-1.txt ..., mode 0600; DIR must "
	"be\n"
	"                            there. Without it they are printed, and this asks that they "
	"were\n"
	"                            noted down\n"
	"  --root-key-file FILE      no shares: the new key goes to a new FILE, mode 0600\n"
	"  --tpm                     seal the new key to this host's TPM too, as `postern tpm "
	"seal` "
	"does\n"
	"  --share-file FILE         a present share; repeat for more\n"
	"  --root-key FILE           the present key, where it is in a file\n"
	"\n"
	"Example:\n"
	"  postern rekey authorize --shares 5 --threshold 3\n"
	"  postern rekey --shares-dir /run/shares\n"
	"\n"
	"Next: hand them out, delete the files here, and let each holder run `postern shares "
	"verify`.\n"
	"Backups made before open with the old ones only: make a new backup.\n";
/* clang-format on */

/* ---- rekey authorize ---- */

struct numbers {
	uint64_t count;
	uint64_t threshold;
};

static int
numbers_check(const struct numbers *numbers)
{
	if (numbers->count >= 1 && numbers->count <= CONTROL_SHARES_MAX &&
	    control_numbers_valid((uint8_t)numbers->count, numbers->threshold <= numbers->count
								   ? (uint8_t)numbers->threshold
								   : 0))
		return 0;
	return complain(EX_USAGE,
			"--shares N --threshold K: at most %d shares, and a threshold from 2 to "
			"their number (or 1 of 1)",
			CONTROL_SHARES_MAX);
}

int
cmd_rekey_authorize(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional;
	struct numbers numbers = {.count = 0};
	bool key_file = false;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--shares", OPTION_NUMBER, &numbers.count},
					    {"--threshold", OPTION_NUMBER, &numbers.threshold},
					    {"--root-key-file", OPTION_FLAG, &key_file}};
	struct operation_request request = {.operation = OPERATION_REKEY};
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	if (key_file && (numbers.count != 0 || numbers.threshold != 0))
		return complain(EX_USAGE, "either --root-key-file or --shares and --threshold");
	if (!key_file && numbers_check(&numbers) != 0)
		return EX_USAGE;
	const uint8_t shares[] = {(uint8_t)numbers.count, (uint8_t)numbers.threshold};
	operation_set(&request, FIELD_SHARES, BYTES_OF(shares));
	int status = client_once(common.config, &request, &answer);
	return status != 0 ? status : output_act(common.json, answer.json, answer.trust_revision);
}

/* ---- rekey ---- */

struct rekey {
	struct control_place place;
	struct keyholder holder;
	struct numbers numbers;
	struct rekey_target target;
	struct host_tpm_options tpm;
	const char *pcrs;
	struct attester *attester;	/* open, with --tpm */
	char sealed[FILE_PATH_MAX];	/* where its file goes */
	char sealed_new[FILE_PATH_MAX]; /* and waits until the key is in force */
	uint32_t pcr_mask;
	struct control *control;
	bool unknown; /* which key is in force */
};

/* What was asked for, or else as it is now. */
static int
numbers_settle(struct rekey *rekey)
{
	struct control_state state;
	bool given = rekey->numbers.count != 0 || rekey->numbers.threshold != 0;
	int status = control_status(rekey->control, &state);

	if (status != 0)
		return status;
	if (state.sealed)
		return complain(EX_TEMPFAIL, "the broker is sealed: `postern unseal` first");
	if (rekey->target.key_file != NULL)
		return given ? complain(EX_USAGE, "either --root-key-file or --shares") : 0;
	if (!given) {
		rekey->numbers = (struct numbers){state.count, state.threshold};
		if (state.count == 0)
			return complain(EX_USAGE, "its root key is not in shares yet: give "
						  "--shares N --threshold K, or --root-key-file");
	}
	return numbers_check(&rekey->numbers);
}

static int
rekey_begin(struct rekey *rekey)
{
	uint8_t memory[8];
	struct writer w = writer_of(memory, sizeof(memory));
	struct control_reply reply = {.status = CONTROL_OK};
	const struct control_rekey message = {.count = (uint8_t)rekey->numbers.count,
					      .threshold = (uint8_t)rekey->numbers.threshold};

	control_rekey_write(&w, &message);
	return control_demand(rekey->control, FRAME_CONTROL_REKEY, writer_bytes(&w), &reply);
}

/* Proves the present key, and gets the new one. */
static int
rekey_prove(struct rekey *rekey, struct control_rekeyed *ret_rekeyed)
{
	struct control_reply reply = {.status = CONTROL_OK};
	int status = keyholder_give(&rekey->holder, rekey->control, CONTROL_TO_REKEY, true, &reply);

	if (status != 0)
		return status;
	if (reply.status != CONTROL_OK || !control_rekeyed_read(reply.payload, ret_rekeyed) ||
	    ret_rekeyed->count != rekey->numbers.count)
		return complain(EX_DATAERR, "the broker's new shares are malformed");
	return 0;
}

/* The connection broke where it was to answer: what is in force, the new key itself tells. True: it
 * is known. */
static bool
outcome_look(const struct rekey *rekey, const struct control_rekeyed *rekeyed, bool *ret_in_force)
{
	struct control_reply reply = {.status = CONTROL_OK};
	auto_control *control = NULL;
	auto_secret *key = secret_new(CONTROL_KEY_SIZE);

	if (key == NULL || control_open_quietly(&rekey->place, &control) != 0)
		return false;
	memcpy(key->bytes, rekeyed->key, CONTROL_KEY_SIZE);
	if (keyholder_give_key(control, CONTROL_TO_VERIFY, key, CONTROL_NO_WITNESS, &reply) != 0)
		return false;
	*ret_in_force = reply.status == CONTROL_OK;
	return reply.status == CONTROL_OK || reply.status == CONTROL_WRONG;
}

/* A full disk may end: the broker keeps the new key ready for another commit. */
static int
commit_ask(struct rekey *rekey, struct bytes message, struct control_reply *ret_reply)
{
	int status = 0;

	for (int tries = 0; status == 0 && tries < COMMIT_TRIES; tries++) {
		status = control_ask(rekey->control, FRAME_CONTROL_REKEY_COMMIT, message, NULL,
				     NULL, ret_reply);
		if (status != 0 || ret_reply->status != CONTROL_FAILED || tries + 1 == COMMIT_TRIES)
			break;
		remark("%s; once more in %d seconds", ret_reply->text, COMMIT_PAUSE);
		(void)sleep(COMMIT_PAUSE);
	}
	return status;
}

static int
rekey_commit(struct rekey *rekey, const struct control_rekeyed *rekeyed)
{
	uint8_t memory[16];
	struct writer w = writer_of(memory, sizeof(memory));
	struct control_reply reply = {.status = CONTROL_FAILED};
	struct control_rekey_commit message = {.set = {0}};
	bool in_force = false;

	if (rekeyed->count > 0)
		memcpy(message.set, rekeyed->shares[0].set, sizeof(message.set));
	control_rekey_commit_write(&w, &message);
	int status = commit_ask(rekey, writer_bytes(&w), &reply);
	if (status == 0 && reply.status == CONTROL_OK)
		return 0;
	if (status == 0)
		status = control_say(&reply);
	if (outcome_look(rekey, rekeyed, &in_force)) {
		if (in_force)
			remark("the new ones are in force all the same");
		return in_force ? 0 : status != 0 ? status : EX_IOERR;
	}
	rekey->unknown = true;
	remark("it is not known whether the new ones are in force: keep both, and find out by "
	       "`postern shares verify` or the next `postern unseal`");
	return status != 0 ? status : EX_IOERR;
}

/* ---- the TPM's copy ---- */

/* Before anything is asked: a TPM that is not there ends it. */
static int
tpm_prepare(struct rekey *rekey)
{
	const struct host_tpm_options *tpm = &rekey->tpm;

	if (!tpm->tpm)
		return 0;
	int status = host_tpm_path(&rekey->place, tpm->sealed, rekey->sealed);
	if (status == 0 && snprintf(rekey->sealed_new, FILE_PATH_MAX, "%s" HOST_TPM_NEW,
				    rekey->sealed) >= FILE_PATH_MAX)
		status = complain(EX_USAGE, "%s: too long a path", rekey->sealed);
	if (status == 0)
		status = host_tpm_pcrs_for(rekey->pcrs, rekey->sealed, &rekey->pcr_mask);
	return status != 0 ? status : host_tpm_open(tpm->tcti, &rekey->attester);
}

static int
tpm_put(const struct rekey *rekey, const struct control_rekeyed *rekeyed)
{
	auto_secret *key = secret_new(CONTROL_KEY_SIZE);

	if (!rekey->tpm.tpm)
		return 0;
	if (key == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	memcpy(key->bytes, rekeyed->key, CONTROL_KEY_SIZE);
	return host_tpm_seal(rekey->attester, key, rekey->pcr_mask, rekey->sealed_new);
}

/* In force: the file that held the old key goes. */
static void
tpm_report(const struct rekey *rekey)
{
	char folder[FILE_PATH_MAX];

	if (!rekey->tpm.tpm)
		return;
	if (rename(rekey->sealed_new, rekey->sealed) != 0 ||
	    !file_beside(rekey->sealed, ".", folder) || file_folder_sync(folder) != 0)
		remark("%s holds the new key, and could not be put in place of %s: do so",
		       rekey->sealed_new, rekey->sealed);
	else
		(void)printf("This host's TPM holds the new key, in %s.\n", rekey->sealed);
}

/* What was written goes again, unless it may be in force. */
static int
rekey_put(struct rekey *rekey, const struct control_rekeyed *rekeyed)
{
	int status = rekey_target_put(&rekey->target, rekeyed);

	if (status != 0)
		return status;
	status = tpm_put(rekey, rekeyed);
	if (status == 0 && signals_came())
		status = complain(EX_TEMPFAIL, "interrupted");
	if (status == 0)
		status = rekey_commit(rekey, rekeyed);
	if (status != 0 && !rekey->unknown) {
		rekey_target_remove(&rekey->target, rekeyed);
		if (rekey->tpm.tpm)
			(void)unlink(rekey->sealed_new);
	}
	return status;
}

static int
rekey_run(struct rekey *rekey, struct control_rekeyed *rekeyed)
{
	int status = rekey_begin(rekey);

	if (status == 0)
		status = rekey_prove(rekey, rekeyed);
	if (status == 0) {
		/* whoever interrupts gets the old key in force and nothing written, or the new one
		 */
		signals_hold();
		status = rekey_put(rekey, rekeyed);
	}
	if (status != 0 && !rekey->unknown)
		remark("nothing was changed: the present root key is in force, and new shares that "
		       "were seen are void; if the commit itself failed, the next try may want "
		       "another `postern rekey authorize`");
	return status;
}

static int
rekey_parse(int argc, char **argv, struct rekey *rekey)
{
	struct text_list positional;
	const struct option_rule rules[] = {
		CONTROL_RULES(rekey->place),
		KEYHOLDER_RULES(rekey->holder),
		{"--shares", OPTION_NUMBER, &rekey->numbers.count},
		{"--threshold", OPTION_NUMBER, &rekey->numbers.threshold},
		{"--shares-dir", OPTION_TEXT, &rekey->target.folder},
		{"--root-key-file", OPTION_TEXT, &rekey->target.key_file},
		{"--tpm", OPTION_FLAG, &rekey->tpm.tpm},
		{"--tcti", OPTION_TEXT, &rekey->tpm.tcti},
		{"--sealed", OPTION_TEXT, &rekey->tpm.sealed},
		{"--pcrs", OPTION_TEXT, &rekey->pcrs},
	};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0 || keyholder_check(&rekey->holder) != 0)
		return EX_USAGE;
	if (rekey->target.folder != NULL && rekey->target.key_file != NULL)
		return complain(EX_USAGE, "either --shares-dir or --root-key-file");
	if (!rekey->tpm.tpm &&
	    (rekey->tpm.tcti != NULL || rekey->tpm.sealed != NULL || rekey->pcrs != NULL))
		return complain(EX_USAGE, "--tcti, --sealed and --pcrs go with --tpm");
	if (rekey->tpm.tpm && rekey->target.key_file != NULL)
		return complain(EX_USAGE, "--tpm wants shares beside it: they open the store when "
					  "the TPM refuses");
	return 0;
}

int
cmd_rekey(int argc, char **argv)
{
	struct rekey rekey = {.unknown = false};
	auto_control *control = NULL;
	auto_secret *memory = NULL;
	auto_host_tpm *attester = NULL;
	int status = rekey_parse(argc, argv, &rekey);

	if (status == 0)
		status = control_open(&rekey.place, &control);
	rekey.control = control;
	if (status == 0)
		status = numbers_settle(&rekey);
	if (status == 0)
		status = rekey_target_check(&rekey.target, (unsigned)rekey.numbers.count);
	if (status == 0)
		status = tpm_prepare(&rekey);
	attester = rekey.attester;
	if (status != 0)
		return status;
	memory = secret_new(sizeof(struct control_rekeyed));
	if (memory == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	struct control_rekeyed *rekeyed = (struct control_rekeyed *)(void *)memory->bytes;
	status = rekey_run(&rekey, rekeyed);
	if (status == 0) {
		rekey_target_report(&rekey.target, rekeyed);
		tpm_report(&rekey);
	}
	return status;
}
