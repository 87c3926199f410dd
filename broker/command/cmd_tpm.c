/* SPDX-License-Identifier: Apache-2.0 */
/* postern tpm seal: the present root key, to the state that the host is in now. */
#include "commands.h"
#include "host_tpm.h"
#include "keyholder.h"
#include "quote_out.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* clang-format off: these lines are as wide as they will be read. */
const char help_tpm_seal[] =
	"postern tpm seal [--pcrs LIST] [--sealed FILE] [--tcti T] [--share-file FILE | -]...\n"
	"                 [--root-key FILE] [--control PATH | --config FILE]\n"
	"\n"
	"Seals the broker's root key to this host's TPM and to what its PCRs say now, so that "
	"`postern\n"
	"unseal --tpm` opens the store at the next start. For after a change of firmware or Secure "
	"Boot's\n"
	"keys, and for a broker that was made without a TPM. Takes as many shares as open the "
	"store, "
	"from\n"
	"files or typed; the broker is asked whether they make its key before anything is "
	"written.\n"
	"\n"
	"  --pcrs LIST        which PCRs (default: those of the sealed key there is, else 7)\n"
	"  --sealed FILE      the sealed key (default: root.tpm beside the store)\n"
	"  --tcti T           the TPM, as tpm2-tools name it (default /dev/tpmrm0)\n"
	"  --share-file FILE  a share in a file, or - for standard input; repeat for more\n"
	"  --root-key FILE    the root key itself, where it is in a file\n"
	"  --control, --config   where the broker is, as in `postern unseal`\n"
	"\n"
	"Example: postern tpm seal --pcrs 7,14\n"
	"\n"
	"Choose PCRs that are what they are before posternd starts, and stay: 11 moves on as "
	"systemd\n"
	"boots. The sealed key opens on this host alone: keep the shares.\n";
/* clang-format on */

struct sealing {
	struct control_place place;
	struct keyholder holder;
	const char *tcti;
	const char *sealed;
	const char *pcrs;
};

static int
parse(int argc, char **argv, struct sealing *sealing)
{
	struct text_list positional;
	const struct option_rule rules[] = {
		CONTROL_RULES(sealing->place),
		KEYHOLDER_RULES(sealing->holder),
		{"--pcrs", OPTION_TEXT, &sealing->pcrs},
		{"--sealed", OPTION_TEXT, &sealing->sealed},
		{"--tcti", OPTION_TEXT, &sealing->tcti},
	};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	return keyholder_check(&sealing->holder);
}

static int
key_verify(struct control *control, const struct secret *key)
{
	struct control_reply reply = {.status = CONTROL_OK};
	int status =
		keyholder_give_key(control, CONTROL_TO_VERIFY, key, CONTROL_NO_WITNESS, &reply);

	return status != 0 ? status : control_say(&reply);
}

static int
seal(const struct sealing *sealing, struct control *control, const char *path)
{
	auto_host_tpm *attester = NULL;
	auto_secret *key = NULL;
	char list[PCR_LIST_SIZE];
	uint32_t pcrs = 0;

	int status = host_tpm_pcrs_for(sealing->pcrs, path, &pcrs);
	if (status == 0)
		status = host_tpm_open(sealing->tcti, &attester);
	if (status == 0)
		status = keyholder_key(&sealing->holder, &key);
	if (status == 0)
		status = key_verify(control, key);
	if (status == 0)
		status = host_tpm_seal(attester, key, pcrs, path);
	if (status != 0)
		return status;
	pcr_list_text(pcrs, list);
	(void)printf("the root key is sealed to this TPM and PCR %s, in %s\n", list, path);
	return 0;
}

int
cmd_tpm_seal(int argc, char **argv)
{
	struct sealing sealing = {.tcti = NULL};
	auto_control *control = NULL;
	char path[FILE_PATH_MAX];

	int status = parse(argc, argv, &sealing);
	if (status == 0)
		status = host_tpm_path(&sealing.place, sealing.sealed, path);
	if (status == 0)
		status = control_open(&sealing.place, &control);
	return status != 0 ? status : seal(&sealing, control, path);
}
