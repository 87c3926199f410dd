/* SPDX-License-Identifier: Apache-2.0 */
/* postern unseal, postern seal-status, postern shares verify: the holders of the root key, and the
 * broker that waits for them. */
#include "commands.h"
#include "control.h"
#include "control_words.h"
#include "host_tpm.h"
#include "keyholder.h"
#include "output.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define UNSEALED_TRIES 600 /* ... 100 milliseconds apart: until the broker answers */

/* clang-format off: these lines are as wide as they will be read. */
const char help_unseal[] =
	"postern unseal [--share-file FILE | -]... [--root-key FILE] [--reset]\n"
	"               [--json] [--control PATH | --config FILE]\n"
	"postern unseal --tpm [--tcti T] [--sealed FILE] [--witness INDEX]\n"
	"               [--json] [--control PATH | --config FILE]\n"
	"\n"
	"Gives a sealed broker one share of its root key, on its local socket: run it on the "
	"broker's\n"
	"host, as root or as the broker's user. Asks for the share without echo. Each holder runs "
	"it "
	"once;\n"
	"with the last share that is needed the broker is unsealed, and this says so. A share that "
	"is\n"
	"mistyped is found here and not sent; one of another set, or wrong, is named, and those "
	"given\n"
	"before stay.\n"
	"\n"
	"  --share-file FILE  a share in a file, or - for standard input; repeat for more\n"
	"  --root-key FILE    the root key itself, where it is in a file and posternd.conf has no\n"
	"                     root_key\n"
	"  --reset            forget the shares given so far, and give none\n"
	"  --tpm              the host's TPM holds the key (`postern init --tpm`, `postern tpm "
	"seal`):\n"
	"                     asks nobody, so that a service does it at start. Where the host has "
	"booted\n"
	"                     something else, the TPM refuses and the shares are what is left; "
	"a broker\n"
	"                     with a counter is frozen then until `postern witness`\n"
	"  --tcti T           that TPM, as tpm2-tools name it (default /dev/tpmrm0)\n"
	"  --sealed FILE      the sealed key (default: root.tpm beside the store)\n"
	"  --witness INDEX    the counter of `postern witness`, or none (default 0x01805053, if it "
	"is\n"
	"                     there): its value goes along, and an older copy of the store starts "
	"frozen\n"
	"  --json             what `postern seal-status --json` says, afterwards\n"
	"  --control PATH     the local socket (default: `control` of posternd.conf)\n"
	"  --config FILE      posternd's configuration (default /etc/postern/posternd.conf)\n"
	"\n"
	"Example:\n"
	"  postern unseal\n"
	"  ssh -t broker.example.net sudo postern unseal\n"
	"\n"
	"Next: `postern seal-status`. `postern seal` seals it again.\n";

const char help_seal_status[] =
	"postern seal-status [--json] [--control PATH | --config FILE]\n"
	"\n"
	"On the broker's host: whether it is sealed, how many shares were given, whether it is "
	"frozen\n"
	"and why, how far a rotation of the data key has come, and the revisions it is at.\n"
	"\n"
	"Example: postern seal-status --json\n";

const char help_shares_verify[] =
	"postern shares verify [--share-file FILE | -]... [--json] [--control PATH | --config "
	"FILE]\n"
	"\n"
	"Tells of each share whether it is good, of an older set, or wrong. Unseals nothing, and "
	"works\n"
	"while the broker is sealed and while it is not: let each holder do it twice a year. "
	"Without\n"
	"files it asks for one share after the other, until an empty line.\n"
	"\n"
	"Ends with 1 if any share is not good.\n"
	"\n"
	"Example: postern shares verify --share-file /media/stick/share-2.txt\n";
/* clang-format on */

/* ---- unseal ---- */

/* True once it answers as an unsealed broker does. The connection may end meanwhile. */
static bool
unsealed_wait(const struct control_place *place, struct control_state *ret_state,
	      struct control **ret_control)
{
	const struct timespec pause = {.tv_nsec = 100000000};

	for (int i = 0; i < UNSEALED_TRIES; i++) {
		struct control *control = NULL;
		if (control_open_quietly(place, &control) == 0 &&
		    control_status(control, ret_state) == 0 && !ret_state->sealed) {
			*ret_control = control; /* `why` lies in it */
			return true;
		}
		control_close(control);
		(void)nanosleep(&pause, NULL);
	}
	return false;
}

static int
unsealed_say(const struct control_place *place, bool json)
{
	struct control_state state;
	auto_control *control = NULL;

	if (!unsealed_wait(place, &state, &control))
		return complain(EX_TEMPFAIL, "the key was right, and the broker does not answer "
					     "yet: look at its log");
	if (json)
		return control_state_out(&state);
	(void)printf("unsealed, at trust revision %llu\n",
		     (unsigned long long)state.trust_revision);
	control_frozen_say(&state);
	return 0;
}

static int
shares_forget(struct control *control)
{
	uint8_t memory[8];
	struct writer w = writer_of(memory, sizeof(memory));
	struct control_reply reply = {.status = 0};
	const struct control_reset message = {.purpose = CONTROL_TO_UNSEAL};

	control_reset_write(&w, &message);
	int status = control_demand(control, FRAME_CONTROL_RESET, writer_bytes(&w), &reply);
	return status;
}

/* It is sealed still. */
static int
not_yet_say(struct control *control, bool json, const char *text)
{
	struct control_state state;

	if (!json && text != NULL)
		(void)printf("%s\n", text);
	if (!json)
		return 0;
	int status = control_status(control, &state);
	return status != 0 ? status : control_state_out(&state);
}

struct unseal {
	struct control_place place;
	struct keyholder holder;
	struct host_tpm_options tpm;
	bool reset;
	bool json;
};

static int
unseal_run(const struct unseal *unseal, struct control *control)
{
	struct control_state state;
	struct control_reply reply = {.status = CONTROL_OK};
	int status = control_status(control, &state);

	if (status != 0)
		return status;
	if (!state.sealed && unseal->json)
		return control_state_out(&state);
	if (!state.sealed) {
		(void)printf("it is unsealed already, at trust revision %llu\n",
			     (unsigned long long)state.trust_revision);
		control_frozen_say(&state);
		return 0;
	}
	if (unseal->reset) {
		status = shares_forget(control);
		return status != 0 ? status
				   : not_yet_say(control, unseal->json,
						 "the shares given so far are forgotten");
	}
	if (unseal->tpm.tpm)
		status = host_tpm_give(&unseal->tpm, &unseal->place, control, CONTROL_TO_UNSEAL);
	else
		status = keyholder_give(&unseal->holder, control, CONTROL_TO_UNSEAL, false, &reply);
	if (status != 0)
		return status;
	return reply.status == CONTROL_MORE ? not_yet_say(control, unseal->json, NULL)
					    : unsealed_say(&unseal->place, unseal->json);
}

static int
unseal_check(const struct unseal *unseal)
{
	const struct host_tpm_options *tpm = &unseal->tpm;

	if (tpm->tpm && (unseal->reset || unseal->holder.root_key != NULL ||
			 unseal->holder.share_files.count > 0))
		return complain(EX_USAGE, "--tpm takes the key from the TPM: no shares, no file");
	if (!tpm->tpm && (tpm->tcti != NULL || tpm->sealed != NULL || tpm->witness != NULL))
		return complain(EX_USAGE, "--tcti, --sealed and --witness go with --tpm");
	return keyholder_check(&unseal->holder);
}

int
cmd_unseal(int argc, char **argv)
{
	struct unseal unseal = {.reset = false};
	struct text_list positional;
	const struct option_rule rules[] = {CONTROL_RULES(unseal.place),
					    KEYHOLDER_RULES(unseal.holder),
					    HOST_TPM_RULES(unseal.tpm),
					    {"--reset", OPTION_FLAG, &unseal.reset},
					    {"--json", OPTION_FLAG, &unseal.json}};
	auto_control *control = NULL;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0 || unseal_check(&unseal) != 0)
		return EX_USAGE;
	unseal.holder.quiet = unseal.json;
	int status = control_open(&unseal.place, &control);
	return status != 0 ? status : unseal_run(&unseal, control);
}

/* ---- seal-status ---- */

int
cmd_seal_status(int argc, char **argv)
{
	struct control_place place = {.socket = NULL};
	struct text_list positional;
	bool json = false;
	const struct option_rule rules[] = {CONTROL_RULES(place), {"--json", OPTION_FLAG, &json}};
	struct control_state state;
	auto_control *control = NULL;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	int status = control_open(&place, &control);
	if (status == 0)
		status = control_status(control, &state);
	if (status != 0)
		return status;
	if (json)
		return control_state_out(&state);
	control_state_print(&state);
	return 0;
}

/* ---- shares verify ---- */

struct verifying {
	struct control *control;
	json_t *list; /* NULL: for people */
	size_t count;
	size_t bad;
};

/* `name`: its file, or "share 2". */
static int
verdict_say(struct verifying *verifying, const char *name, const struct share *share,
	    const struct control_reply *reply)
{
	bool good = reply->status == CONTROL_OK;

	verifying->count++;
	verifying->bad += good ? 0 : 1;
	if (verifying->list != NULL) {
		json_t *row = json_pack("{s:s,s:b,s:I,s:s}", "share", name, "good", good, "number",
					(json_int_t)share->number, "verdict",
					good ? "good" : reply->text);
		return json_array_append_new(verifying->list, row) == 0
			       ? 0
			       : complain(EX_SOFTWARE, "out of memory");
	}
	if (good)
		(void)printf("%s: good, number %u of %u\n", name, share->number, share->count);
	else
		(void)printf("%s: NOT GOOD: %s\n", name, reply->text);
	(void)fflush(stdout);
	return 0;
}

static int
share_verify(struct verifying *verifying, const char *name, const struct share *share)
{
	struct control_reply reply = {.status = CONTROL_OK};
	int status = keyholder_give_share(verifying->control, CONTROL_TO_VERIFY, share, &reply);

	if (status != 0)
		return status;
	if (reply.status != CONTROL_OK && reply.status != CONTROL_WRONG)
		return control_say(&reply);
	return verdict_say(verifying, name, share, &reply);
}

static int
files_verify(struct verifying *verifying, const struct text_list *files)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < files->count; i++) {
		auto_secret *share = NULL;
		status = share_from_file(files->items[i], &share);
		if (status == 0)
			status = share_verify(verifying, files->items[i], share_of(share));
	}
	return status;
}

static int
typed_verify(struct verifying *verifying)
{
	for (size_t i = 1; i <= 4 * SHARES_MAX; i++) {
		char name[32], question[80];
		auto_secret *share = NULL;
		(void)snprintf(name, sizeof(name), "share %zu", i);
		(void)snprintf(question, sizeof(question), "%s (an empty line ends): ", name);
		int status = share_from_terminal(question, &share);
		if (status == KEYHOLDER_NOTHING)
			return 0;
		if (status == 0)
			status = share_verify(verifying, name, share_of(share));
		if (status != 0)
			return status;
	}
	return 0;
}

int
cmd_shares_verify(int argc, char **argv)
{
	struct control_place place = {.socket = NULL};
	struct keyholder holder = {.root_key = NULL};
	struct text_list positional;
	bool json = false;
	const struct option_rule rules[] = {CONTROL_RULES(place),
					    {"--share-file", OPTION_LIST, &holder.share_files},
					    {"--json", OPTION_FLAG, &json}};
	auto_control *control = NULL;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0 || keyholder_check(&holder) != 0)
		return EX_USAGE;
	int status = control_open(&place, &control);
	if (status != 0)
		return status;
	auto_json *list = json ? json_array() : NULL;
	struct verifying verifying = {.control = control, .list = list};
	status = holder.share_files.count > 0 ? files_verify(&verifying, &holder.share_files)
					      : typed_verify(&verifying);
	if (status == 0 && json)
		status = output_json(list);
	if (status == 0 && verifying.count == 0)
		return complain(EX_USAGE, "no share was given");
	return status != 0 ? status : verifying.bad > 0 ? 1 : 0;
}
