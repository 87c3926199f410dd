/* SPDX-License-Identifier: Apache-2.0 */
/* postern witness: a counter in the host's TPM that an older copy of the store cannot keep up with.
 */
#include "commands.h"
#include "guest.h"
#include "host_tpm.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAUSE_SECONDS 5 /* between two counts: NV wears out, and operators' acts come in bursts */

/* clang-format off: these lines are as wide as they will be read. */
const char help_witness[] =
	"postern witness [--define] [--index INDEX] [--tcti T] [--watch] [--json]\n"
	"                [--control PATH | --config FILE]\n"
	"\n"
	"Counts on in the host's TPM, and lets the broker write into its store how far. A store "
	"that "
	"was\n"
	"put back from before then knows a lower count than the TPM, and starts frozen: it says "
	"why, "
	"and\n"
	"releases nothing until `postern thaw`. The broker must be unsealed, and only `postern "
	"unseal\n"
	"--tpm` hands it the TPM's count.\n"
	"\n"
	"  --define       first make the counter, where there is none (once; the TPM's owner needs "
	"no\n"
	"                 password for it, and a counter of the TPM never falls, even if made "
	"anew)\n"
	"  --index INDEX  the NV index of the counter (default 0x01805053)\n"
	"  --tcti T       the TPM, as tpm2-tools name it (default /dev/tpmrm0)\n"
	"  --watch        go on: count whenever an act of trust was made, at most every 5 seconds\n"
	"  --control, --config   where the broker is, as in `postern unseal`\n"
	"\n"
	"Examples:\n"
	"  postern witness --define\n"
	"  postern witness --watch      # as a service, beside posternd\n"
	"\n"
	"What happens between two counts can be rolled back unseen; after each, nothing before "
	"it.\n";
/* clang-format on */

struct witness {
	struct control_place place;
	const char *tcti;
	uint32_t index;
	bool define;
	bool watch;
	bool json;
};

static int
parse(int argc, char **argv, struct witness *witness)
{
	struct text_list positional;
	const char *index = NULL;
	const struct option_rule rules[] = {
		CONTROL_RULES(witness->place),
		{"--define", OPTION_FLAG, &witness->define},
		{"--index", OPTION_TEXT, &index},
		{"--tcti", OPTION_TEXT, &witness->tcti},
		{"--watch", OPTION_FLAG, &witness->watch},
		{"--json", OPTION_FLAG, &witness->json},
	};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	return index == NULL ? 0 : host_tpm_index(index, &witness->index);
}

/* Before the TPM counts (1), and after (2). */
static int
tell(struct control *control, uint8_t stage, uint64_t counter)
{
	const struct control_witness message = {.stage = stage, .counter = counter};
	struct control_reply reply = {.status = CONTROL_OK};
	uint8_t memory[16];
	struct writer w = writer_of(memory, sizeof(memory));

	control_witness_write(&w, &message);
	return control_demand(control, FRAME_CONTROL_WITNESS, writer_bytes(&w), &reply);
}

static int
counter_open(const struct witness *witness, struct attester *attester, uint64_t *ret_counter)
{
	struct attester_error err = {.status = ATTESTER_OK};
	enum attester_status status;

	if (witness->define)
		status = host_counter_define(attester, witness->index, ret_counter, &err);
	else
		status = host_counter_read(attester, witness->index, ret_counter, &err);
	if (status == ATTESTER_REFUSED && !witness->define)
		return complain(EX_NOPERM, "%s (`postern witness --define` makes one)",
				err.message);
	return status == ATTESTER_OK ? 0 : complain(attester_exit(status), "%s", err.message);
}

/*
 * The store first writes down what the TPM will come to: a crash in between leaves a store that
 * expects one count more than there is, which is no sign of an older one. Then the TPM counts, and
 * every copy of the store from before is behind it.
 */
static int
count(const struct witness *witness, struct control *control)
{
	struct attester_error err = {.status = ATTESTER_OK};
	auto_host_tpm *attester = NULL;
	uint64_t counter = 0;

	int status = host_tpm_open(witness->tcti, &attester);
	if (status == 0)
		status = counter_open(witness, attester, &counter);
	if (status == 0)
		status = tell(control, 1, counter);
	if (status != 0)
		return status;
	enum attester_status counted =
		host_counter_increment(attester, witness->index, &counter, &err);
	if (counted != ATTESTER_OK)
		return complain(attester_exit(counted), "%s", err.message);
	status = tell(control, 2, counter);
	if (status != 0)
		return status;
	(void)printf(witness->json ? "{\"index\":\"0x%08x\",\"witness\":%llu}\n"
				   : "witnessed: the counter at 0x%08x stands at %llu\n",
		     witness->index, (unsigned long long)counter);
	return fflush(stdout) == 0 ? 0 : complain(EX_IOERR, "stdout cannot be written");
}

/* Answers when the trust revision has moved; at once, the first time. */
static int
moved(struct control *control)
{
	struct control_reply reply = {.status = CONTROL_OK};

	return control_demand(control, FRAME_CONTROL_WATCH, (struct bytes){NULL, 0}, &reply);
}

/* Ends when the broker does, or is sealed; a service manager starts it again. */
static int
watch(struct witness *witness, struct control *control)
{
	const struct timespec pause = {.tv_sec = PAUSE_SECONDS};

	for (;;) {
		int status = moved(control);
		if (status == 0)
			status = count(witness, control);
		if (status != 0)
			return status;
		witness->define = false;
		(void)nanosleep(&pause, NULL);
	}
}

int
cmd_witness(int argc, char **argv)
{
	struct witness witness = {.index = HOST_TPM_INDEX};
	auto_control *control = NULL;

	int status = parse(argc, argv, &witness);
	if (status == 0)
		status = control_open(&witness.place, &control);
	if (status != 0)
		return status;
	return witness.watch ? watch(&witness, control) : count(&witness, control);
}
