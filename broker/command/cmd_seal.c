/* SPDX-License-Identifier: Apache-2.0 */
/* postern seal, postern rotate, postern thaw. */
#include "client.h"
#include "commands.h"
#include "control.h"
#include "control_words.h"
#include "encode.h"
#include "output.h"
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* clang-format off: these lines are as wide as they will be read. */
const char help_seal[] = "postern seal [--config FILE]\n"
			 "postern seal --local [--control PATH | --config FILE]\n"
			 "\n"
			 "Seals the broker at once: it forgets all keys, ends what it was about, "
			 "and from then on answers\n"
			 "its status and nothing else, until `postern unseal`. By default an "
			 "operator's signed request,\n"
			 "from anywhere, which policy must permit; with --local on the broker's "
			 "host, as root or as its\n"
			 "user, through its local socket. A broker whose root key lies in a file "
			 "that posternd.conf names\n"
			 "opens itself again when it is restarted.\n"
			 "\n"
			 "Example: postern seal\n";

const char help_rotate[] =
	"postern rotate [--json] [--config FILE]\n"
	"postern rotate --local [--wait] [--progress] [--json] [--control PATH | --config FILE]\n"
	"\n"
	"Makes a new data key. What is written from now on is sealed under it; what is there is "
	"sealed\n"
	"anew in the background, which goes on after a restart, and the old key is forgotten when "
	"nothing\n"
	"is under it any more. All can be read all the time. The root key and its shares stay\n"
	"(`postern rekey` makes new ones). By default an operator's signed request.\n"
	"\n"
	"  --local     on the broker's host, through its local socket\n"
	"  --wait      until all is sealed anew, with a progress bar (on the broker's host; also "
	"after\n"
	"              a signed request, where --control PATH is given)\n"
	"  --progress  a line now and then where stderr is no terminal\n"
	"\n"
	"Example: postern rotate --local --wait\n"
	"`postern seal-status` tells how far it has come.\n";

const char help_thaw[] =
	"postern thaw --revision N --reason TEXT [--json] [--control PATH | --config FILE]\n"
	"\n"
	"A broker starts frozen where its store may be an older one: restored from a backup, "
	"below\n"
	"--min-revision, or behind its host's TPM. It answers readings and releases nothing then, "
	"for an\n"
	"older store may trust what was revoked since. This says why it is frozen; with both "
	"options, on\n"
	"the broker's host, that it may serve as it is. It goes into the audit log.\n"
	"\n"
	"  --revision N   the trust revision it is at: who thaws has looked. Compare it with what\n"
	"                 operators (`postern status`) and guests (`fetch --seen`) saw last, and "
	"make\n"
	"                 the acts again that are missing, revocations first, once it is thawed\n"
	"  --reason TEXT  for the audit log\n"
	"\n"
	"Example: postern thaw --revision 41 --reason 'restored last night; disk of db-host-2 "
	"died'\n";
/* clang-format on */

static const struct bytes nothing = {NULL, 0};

/* ---- seal ---- */

int
cmd_seal(int argc, char **argv)
{
	struct control_place place = {.socket = NULL};
	struct text_list positional;
	bool json = false, local = false;
	const struct option_rule rules[] = {CONTROL_RULES(place),
					    {"--json", OPTION_FLAG, &json},
					    {"--local", OPTION_FLAG, &local}};
	struct operation_request request = {.operation = OPERATION_SEAL};
	struct control_reply reply = {.status = CONTROL_OK};
	auto_control *control = NULL;
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	local = local || place.socket != NULL;
	int status = local ? control_open(&place, &control)
			   : client_once(place.config, &request, &answer);
	if (status == 0 && local)
		status = control_demand(control, FRAME_CONTROL_SEAL, nothing, &reply);
	if (status != 0)
		return status;
	if (json && local)
		answer.json = json_pack("{s:b}", "sealed", 1);
	if (json)
		return output_json(answer.json);
	(void)printf("sealed: it answers its status and nothing else, until `postern unseal`\n");
	return 0;
}

/* ---- rotate ---- */

#define WAIT_PAUSE 200000000L /* nanoseconds between two looks */
#define WAIT_LOOKS (5L * 3600 * 24 * 7)

struct rotate {
	struct control_place place;
	bool json;
	bool local;
	bool wait;
	bool progress;
};

static int
rotation_wait(const struct rotate *rotate, struct control *control, struct control_state *ret_state)
{
	const struct timespec pause = {.tv_nsec = WAIT_PAUSE};
	struct progress progress;
	int status = 0;

	progress_begin(&progress, "re-sealing", rotate->progress);
	for (long i = 0; i < WAIT_LOOKS; i++) {
		status = control_status(control, ret_state);
		if (status != 0)
			break;
		if (ret_state->sealed)
			status = complain(EX_TEMPFAIL, "the broker was sealed: it goes on when it "
						       "is unsealed");
		if (ret_state->sealed || !rotate->wait ||
		    ret_state->generation == ret_state->oldest)
			break;
		progress_show(&progress, ret_state->resealed, ret_state->records);
		(void)nanosleep(&pause, NULL);
	}
	progress_end(&progress);
	return status;
}

/* How far it has come, through the local socket. */
static int
rotation_follow(const struct rotate *rotate, struct control *control)
{
	struct control_state state;
	int status = rotation_wait(rotate, control, &state);

	if (status != 0)
		return status;
	if (rotate->json) {
		auto_json *json = control_state_json(&state);
		return json != NULL ? output_json(json_object_get(json, "rotation"))
				    : complain(EX_SOFTWARE, "out of memory");
	}
	if (rotate->wait)
		(void)printf("all records are sealed under generation %u; older data keys are "
			     "forgotten\n",
			     state.generation);
	return 0;
}

static int
rotate_signed(const struct rotate *rotate)
{
	struct operation_request request = {.operation = OPERATION_ROTATE};
	auto_answer answer = {.json = NULL};
	auto_control *control = NULL;
	int status = client_once(rotate->place.config, &request, &answer);

	if (status != 0)
		return status;
	if (rotate->json && !rotate->wait)
		return output_json(answer.json);
	if (!rotate->json)
		output_line(json_text(answer.json, "effect"));
	(void)fflush(stdout);
	if (rotate->wait)
		status = control_open(&rotate->place, &control);
	return status == 0 && rotate->wait ? rotation_follow(rotate, control) : status;
}

static int
rotate_local(const struct rotate *rotate)
{
	struct control_reply reply = {.status = CONTROL_OK};
	auto_control *control = NULL;
	int status = control_open(&rotate->place, &control);

	if (status == 0)
		status = control_ask(control, FRAME_CONTROL_ROTATE, nothing, NULL, NULL, &reply);
	if (status == 0)
		status = control_say(&reply);
	if (status != 0)
		return status;
	if (!rotate->json)
		output_line(reply.text);
	(void)fflush(stdout);
	return rotation_follow(rotate, control);
}

int
cmd_rotate(int argc, char **argv)
{
	struct rotate rotate = {.json = false};
	struct text_list positional;
	const struct option_rule rules[] = {
		CONTROL_RULES(rotate.place),
		{"--json", OPTION_FLAG, &rotate.json},
		{"--local", OPTION_FLAG, &rotate.local},
		{"--wait", OPTION_FLAG, &rotate.wait},
		{"--progress", OPTION_FLAG, &rotate.progress},
	};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	if (rotate.local)
		return rotate_local(&rotate);
	if (rotate.wait && rotate.place.socket == NULL)
		return complain(EX_USAGE,
				"--wait asks the broker's local socket: give --local, or --control "
				"PATH beside it");
	return rotate_signed(&rotate);
}

/* ---- thaw ---- */

static int
thaw_run(struct control *control, uint64_t revision, const char *reason, bool json)
{
	uint8_t memory[256];
	struct writer w = writer_of(memory, sizeof(memory));
	struct control_state state;
	struct control_reply reply = {.status = CONTROL_OK};
	const struct control_thaw message = {.trust_revision = revision,
					     .reason = text_bytes(reason != NULL ? reason : "")};
	int status = control_status(control, &state);

	if (status != 0)
		return status;
	if (state.sealed)
		return complain(EX_TEMPFAIL, "the broker is sealed: `postern unseal` first, which "
					     "tells whether it is frozen");
	if (!state.frozen && json)
		return control_state_out(&state);
	if (!state.frozen) {
		(void)printf("it is not frozen: nothing was changed\n");
		return 0;
	}
	control_frozen_say(&state);
	if (revision == UINT64_MAX || reason == NULL)
		return complain(EX_USAGE, "wanted: --revision N --reason TEXT");
	control_thaw_write(&w, &message);
	if (w.failed || reason[0] == '\0')
		return complain(EX_USAGE, "--reason: 1 to %d bytes of printable text",
				OPERATION_REASON_MAX);
	status = control_demand(control, FRAME_CONTROL_THAW, writer_bytes(&w), &reply);
	if (status == 0 && json)
		status = control_status(control, &state);
	if (status == 0 && json)
		return control_state_out(&state);
	if (status == 0)
		(void)printf("thawed at trust revision %llu: it serves. Revoke again what was "
			     "revoked since, and\nlet machines be watched that fetched "
			     "meanwhile: `postern audit tail`\n",
			     (unsigned long long)revision);
	return status;
}

int
cmd_thaw(int argc, char **argv)
{
	struct control_place place = {.socket = NULL};
	struct text_list positional;
	uint64_t revision = UINT64_MAX;
	const char *reason = NULL;
	bool json = false;
	const struct option_rule rules[] = {CONTROL_RULES(place),
					    {"--json", OPTION_FLAG, &json},
					    {"--revision", OPTION_NUMBER, &revision},
					    {"--reason", OPTION_TEXT, &reason}};
	auto_control *control = NULL;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	int status = control_open(&place, &control);
	return status != 0 ? status : thaw_run(control, revision, reason, json);
}
