/* SPDX-License-Identifier: Apache-2.0 */
/* postern: one table of sub-commands, and help. */
#include "commands.h"

#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROW(words_, function, summary_)                                                            \
	{                                                                                          \
		.words = words_, .run = cmd_##function, .summary = summary_,                       \
		.help = help_##function                                                            \
	}

/* Of the list in the help: a row that no words find. */
#define HEADING(text)                                                                              \
	{                                                                                          \
		.words = "", .summary = text                                                       \
	}

static const struct command commands[] = {
	HEADING("On a guest"),
	ROW("fetch", fetch, "get secrets by proving what this machine booted"),
	ROW("enroll", enroll, "make this machine known to the broker"),
	HEADING("On the broker's host: its keys and its store"),
	ROW("init", init, "make a new broker and its first operator"),
	ROW("unseal", unseal, "give a sealed broker a share of its root key"),
	ROW("tpm seal", tpm_seal, "seal the root key to this host's TPM and state"),
	ROW("witness", witness, "count in the TPM, so that an older store is noticed"),
	ROW("seal", seal, "make the broker forget its keys, at once"),
	ROW("seal-status", seal_status, "sealed or not, frozen or not, and how far a rotation is"),
	ROW("shares verify", shares_verify, "whether shares are good, without unsealing"),
	ROW("rotate", rotate, "a new data key"),
	ROW("rekey authorize", rekey_authorize, "allow a new root key, once"),
	ROW("rekey", rekey, "a new root key and new shares; no data is touched"),
	ROW("backup", backup, "the whole store into a file, while the broker serves"),
	ROW("restore", restore, "a store out of a backup"),
	ROW("store check", store_check, "whether every record is what was written"),
	ROW("thaw", thaw, "let a broker serve whose store may be an older one"),
	HEADING("An operator: secrets"),
	ROW("secret put", secret_put, "seal a secret and send it in"),
	ROW("secret list", secret_list, "names of secrets"),
	ROW("secret show", secret_show, "what is known about a secret, but its values"),
	ROW("secret delete", secret_delete, "take versions away, so that they can be given back"),
	ROW("secret undelete", secret_undelete, "give deleted versions back"),
	ROW("secret destroy", secret_destroy, "erase the values of versions for good"),
	ROW("secret settings", secret_settings, "how much of a secret is kept, and for how long"),
	ROW("secret remove", secret_remove, "erase a secret with all that is known of it"),
	HEADING("An operator: machines and what they may boot"),
	ROW("machine register", machine_register, "let a machine in before it first boots"),
	ROW("machine pending", machine_pending, "machines that wait for admission"),
	ROW("machine admit", machine_admit, "admit a machine that waits"),
	ROW("machine list", machine_list, "all machines"),
	ROW("machine show", machine_show, "one machine: keys, chain, PCR values"),
	ROW("machine suspend", machine_suspend,
	    "release nothing to a machine until it is readmitted"),
	ROW("machine readmit", machine_readmit, "lift a suspension"),
	ROW("machine group", machine_group, "set the groups a machine is in"),
	ROW("baseline capture", baseline_capture, "make a baseline of what a machine booted"),
	ROW("baseline add", baseline_add, "make a baseline of given PCR values"),
	ROW("baseline predict", baseline_predict, "what an image will boot to, from its file"),
	ROW("baseline lint", baseline_lint, "what a baseline leaves open, and why"),
	ROW("baseline list", baseline_list, "all baselines"),
	ROW("baseline end", baseline_end, "let a baseline end"),
	HEADING("An operator: policies"),
	ROW("policy show", policy_show, "policies in force"),
	ROW("policy authorize", policy_authorize, "decide a request by policies in files"),
	ROW("policy validate", policy_validate, "hold policies in files against a schema"),
	ROW("policy check-parse", policy_check_parse, "whether files are Cedar"),
	ROW("policy fmt", policy_fmt, "policies in one layout"),
	ROW("policy schema", policy_schema, "what policies may speak of"),
	ROW("policy check", policy_check, "what a policy would change"),
	ROW("policy apply", policy_apply, "put a policy in force"),
	ROW("policy delete", policy_delete, "take a policy out of force"),
	HEADING("An operator: who is trusted"),
	ROW("anchor add", anchor_add, "trust a CA of TPM manufacturers"),
	ROW("anchor list", anchor_list, "trusted CAs"),
	ROW("crl add", crl_add, "bring what a CA has revoked"),
	ROW("crl list", crl_list, "CRLs, and when they have to be renewed"),
	ROW("crl end", crl_end, "ask a CRL no longer"),
	ROW("ima-key add", ima_key_add, "trust a key that signs files"),
	ROW("ima-key list", ima_key_list, "keys that sign files"),
	ROW("ima-allow add", ima_allow_add, "add a list of files that are known to be good"),
	ROW("ima-allow list", ima_allow_list, "lists of good files"),
	ROW("ima-allow end", ima_allow_end, "take a list of good files away"),
	ROW("operator keygen", operator_keygen, "make an operator's key"),
	ROW("operator add", operator_add, "make somebody an operator"),
	ROW("operator list", operator_list, "all operators"),
	ROW("revoke", revoke, "end trust in a CA, key, machine, baseline or operator"),
	HEADING("An operator: what happened"),
	ROW("status", status, "what the broker holds and how it does"),
	ROW("explain", explain, "why a machine got what it got, check by check"),
	ROW("audit tail", audit_tail, "the newest audit entries"),
	ROW("audit verify", audit_verify, "check the whole audit log and every act"),
	HEADING("Evidence in files: no broker is asked"),
	ROW("ek verify", ek_verify, "whether a TPM's endorsement key is vouched for"),
	ROW("eventlog", eventlog, "what a firmware's event log says, and what of it is proved"),
	ROW("ima", ima, "what a Linux kernel measured of files, and what of it is proved"),
	ROW("quote verify", quote_verify, "what a TPM signed of its PCRs, and whether it did"),
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(*commands))

static void
list_print(FILE *to)
{
	(void)fprintf(to, "postern - secrets for machines that prove what they booted\n\n"
			  "usage: postern COMMAND [ARGUMENT]...\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		bool heading = commands[i].run == NULL;
		(void)fprintf(to, heading ? "%s%s\n" : "  %-18s %s\n",
			      heading && i > 0 ? "\n" : commands[i].words, commands[i].summary);
	}
	(void)fprintf(
		to,
		"\n`postern help COMMAND` explains one; postern(1) is the manual. Most that ask a "
		"broker take\n--json, and all of them --config FILE for another configuration. "
		"Exit status: 0 done,\n1 not verified, 64 usage, 65 malformed or refused, 66 no "
		"input file, 69 not there,\n70 internal, 73 cannot create, 74 input or output, 75 "
		"try again, 77 denied, 78 misconfigured.\n");
}

/* The words that `argv` begins with; NULL: no such command. */
static const struct command *
command_find(int argc, char **argv, int *ret_used)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		const char *space = strchr(commands[i].words, ' ');
		size_t first = space != NULL ? (size_t)(space - commands[i].words)
					     : strlen(commands[i].words);
		int words = space != NULL ? 2 : 1;
		if (commands[i].run == NULL || argc < words || strlen(argv[0]) != first ||
		    memcmp(argv[0], commands[i].words, first) != 0)
			continue;
		if (space != NULL && strcmp(argv[1], space + 1) != 0)
			continue;
		*ret_used = words;
		return &commands[i];
	}
	return NULL;
}

/* "secret": the commands that begin with it. False: none does. */
static bool
family_print(const char *word, FILE *to)
{
	bool found = false;

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		size_t size = strlen(word);
		if (strncmp(commands[i].words, word, size) != 0 || commands[i].words[size] != ' ')
			continue;
		(void)fprintf(to, "  postern %-18s %s\n", commands[i].words, commands[i].summary);
		found = true;
	}
	return found;
}

/* No command has these words: says which there are, where the first begins some. */
static int
unknown_complain(int argc, char **argv)
{
	if (argc > 1 && family_print(argv[0], stderr))
		return complain(EX_USAGE, "no such command: %s %s", argv[0], argv[1]);
	if (argc == 1 && family_print(argv[0], stderr))
		return complain(EX_USAGE, "%s what? One of the above", argv[0]);
	if (argv[0][0] == '-')
		return complain(EX_USAGE, "no such option here: %s (options follow the command)",
				argv[0]);
	return complain(EX_USAGE, "no such command: %s (`postern help` lists all)", argv[0]);
}

static int
help_run(int argc, char **argv)
{
	int used = 0;

	if (argc == 0 || strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0) {
		list_print(stdout);
		return 0;
	}
	const struct command *command = command_find(argc, argv, &used);
	if (command != NULL) {
		(void)fputs(command->help, stdout);
		return 0;
	}
	if (argc == 1 && family_print(argv[0], stdout))
		return 0;
	return unknown_complain(argc, argv);
}

/* --help anywhere before "--" and before what --exec starts. */
static bool
help_wanted(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0 || strcmp(argv[i], "--exec") == 0)
			return false;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	}
	return false;
}

static int
dispatch(int argc, char **argv)
{
	int used = 0;

	if (argc == 0) {
		list_print(stderr);
		return EX_USAGE;
	}
	if (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "version") == 0) {
		(void)printf("postern %s\n", POSTERN_VERSION);
		return 0;
	}
	if (strcmp(argv[0], "help") == 0)
		return help_run(argc - 1, argv + 1);
	if (argv[0][0] == '-' && help_wanted(argc, argv))
		return help_run(0, argv);
	const struct command *command = command_find(argc, argv, &used);
	if (command != NULL && help_wanted(argc - used, argv + used)) {
		(void)fputs(command->help, stdout);
		return 0;
	}
	if (command != NULL)
		return command->run(argc - used, argv + used);
	if (argc == 2 && help_wanted(argc, argv) && family_print(argv[0], stdout))
		return 0;
	return unknown_complain(argc, argv);
}

/* Else a connection or a secret's file could become descriptor 1 or 2, and take what is printed.
 * Read-only: writing to what the caller closed still fails. */
static bool
standard_streams_open(void)
{
	int descriptor;

	do
		descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (descriptor >= 0 && descriptor <= STDERR_FILENO);
	return descriptor >= 0 && close(descriptor) == 0;
}

int
main(int argc, char **argv)
{
	if (!standard_streams_open())
		return complain(EX_SOFTWARE, "/dev/null cannot be opened");
	(void)signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0)
		return complain(EX_SOFTWARE, "libsodium does not start");
	int status = dispatch(argc - 1, argv + 1);
	if (fflush(stdout) != 0 || ferror(stdout))
		return status != 0 ? status : complain(EX_IOERR, "stdout cannot be written");
	return status;
}
