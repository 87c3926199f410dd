/* SPDX-License-Identifier: Apache-2.0 */
/* postern init: everything that a new broker, its guests and its first operator need. All or
 * nothing. */
#include "certificate.h"
#include "commands.h"
#include "encode.h"
#include "host_tpm.h"
#include "init.h"
#include "key.h"
#include "prompt.h"
#include "shares_out.h"
#include "signals.h"
#include "store/store.h"
#include "wire/local.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* clang-format off: these lines are as wide as they will be read. */
const char help_init[] =
	"postern init --config-dir DIR --state DIR [--listen HOST:PORT] [--name NAME]...\n"
	"             [--operator NAME] [--passphrase-file FILE | --no-passphrase]\n"
	"             [--shares N --threshold K [--shares-dir DIR] [--tpm [--tcti T] [--pcrs "
	"LIST]]]\n"
	"\n"
	"Makes a new broker: its keys, its sealed store, its TLS certificate, the first operator, "
	"and\n"
	"the two files that guests and operators pin it by. Refuses to overwrite anything.\n"
	"\n"
	"  --config-dir DIR        where configuration and keys go (made if it is not there)\n"
	"  --state DIR             where the sealed store goes, as DIR/store\n"
	"  --listen HOST:PORT      where posternd listens (default 127.0.0.1:8200)\n"
	"  --name NAME             DNS name or address by which guests reach it; repeat for more\n"
	"  --operator NAME         the first operator, with role admin (default admin)\n"
	"  --passphrase-file FILE  seal the operator's key under the first line of FILE\n"
	"  --no-passphrase         keep the operator's key in the clear (default: asks)\n"
	"  --shares N              split the root key in N shares and keep it nowhere: the broker\n"
	"                          starts sealed (default: the key goes to root.key)\n"
	"  --threshold K           so many of the shares unseal it\n"
	"  --shares-dir DIR        the shares go to DIR/share-1.txt ... (default: they are "
	"printed,\n"
	"                          once)\n"
	"  --tpm                   seal the root key to this host's TPM too, in root.tpm beside "
	"the "
	"store:\n"
	"                          `postern unseal --tpm` opens it at start, and the shares are "
	"for "
	"when\n"
	"                          the TPM refuses, as after new firmware\n"
	"  --tcti T                that TPM, as tpm2-tools name it (default /dev/tpmrm0)\n"
	"  --pcrs LIST             to which PCRs of SHA-256 (default 7, Secure Boot's policy)\n"
	"\n"
	"Example:\n"
	"  postern init --config-dir /etc/postern --state /var/lib/postern \\\n"
	"          --listen 0.0.0.0:8200 --name broker.example.net --operator alice\n"
	"\n"
	"Next: start `posternd --config DIR/posternd.conf`. Copy guest.conf and ca.crt into the "
	"image\n"
	"of your guests, under /etc/postern. Move operator.conf, ca.crt and NAME.key to where the\n"
	"operator works, under ~/.config/postern. root.key opens the store: back it up "
	"elsewhere.\n"
	"With shares, hand each to another person, and `postern unseal` after each start. Keep a "
	"copy of\n"
	"posternd.conf, tls.crt and tls.key elsewhere: `postern backup` has the store alone.\n";
/* clang-format on */

/* ---- arguments ---- */

/* "HOST:PORT" or "[ADDRESS]:PORT". */
static int
listen_split(struct init *init, const char **ret_port)
{
	const char *colon = strrchr(init->listen, ':');
	size_t size = colon != NULL ? (size_t)(colon - init->listen) : 0;
	const char *host = init->listen;
	char *end = NULL;

	if (size > 2 && host[0] == '[' && host[size - 1] == ']') {
		host++;
		size -= 2;
	}
	bool digits = colon != NULL && colon[1] >= '0' && colon[1] <= '9';
	long port = digits ? strtol(colon + 1, &end, 10) : 0;
	if (size == 0 || size >= sizeof(init->host) || port < 1 || port > 65535 || *end != '\0')
		return complain(EX_USAGE, "--listen wants HOST:PORT, not '%s'", init->listen);
	memcpy(init->host, host, size);
	init->host[size] = '\0';
	*ret_port = colon + 1;
	return server_name_valid(init->host)
		       ? 0
		       : complain(EX_USAGE, "--listen: '%s' is neither a name nor an address",
				  init->host);
}

static int
names_settle(struct init *init)
{
	bool everywhere = strcmp(init->host, "0.0.0.0") == 0 || strcmp(init->host, "::") == 0;
	bool listed = false;

	if (everywhere && init->names.count == 0)
		return complain(EX_USAGE,
				"--listen %s is every address: give --name, by which "
				"guests reach the broker",
				init->listen);
	for (size_t i = 0; i < init->names.count; i++) {
		if (!server_name_valid(init->names.items[i]))
			return complain(EX_USAGE, "--name: '%s' is neither a name nor an address",
					init->names.items[i]);
		listed = listed || strcmp(init->names.items[i], init->host) == 0;
	}
	bool added = !everywhere && !listed;
	if (init->names.count + added > CERTIFICATE_NAMES_MAX)
		return complain(EX_USAGE, "at most %d names, the listening address among them",
				CERTIFICATE_NAMES_MAX);
	if (added)
		init->names.items[init->names.count++] = init->host;
	return 0;
}

static int
shares_check(const struct init *init)
{
	if (init->share_count == 0 && init->threshold == 0)
		return init->shares_dir == NULL
			       ? 0
			       : complain(EX_USAGE, "--shares-dir wants --shares N --threshold K");
	if (init->share_count >= 1 && init->share_count <= SHARES_MAX && init->threshold >= 1 &&
	    init->threshold <= init->share_count && (init->threshold > 1 || init->share_count == 1))
		return 0;
	return complain(EX_USAGE,
			"--shares N --threshold K: at most %d shares, and a threshold from 2 to "
			"their number (or 1 of 1)",
			SHARES_MAX);
}

/* Shares are wanted beside it: whoever changes the firmware must not lose the store. */
static int
tpm_check(struct init *init, const char *pcrs)
{
	if (!init->tpm)
		return init->tcti == NULL && pcrs == NULL
			       ? 0
			       : complain(EX_USAGE, "--tcti and --pcrs go with --tpm");
	if (init->share_count == 0)
		return complain(EX_USAGE, "--tpm wants --shares N --threshold K beside it: they "
					  "open the store when the TPM refuses");
	return host_tpm_pcrs(pcrs != NULL ? pcrs : HOST_TPM_PCRS, &init->pcrs);
}

static int
init_parse(int argc, char **argv, struct init *init, const char **ret_port)
{
	struct text_list positional;
	const char *pcrs = NULL;
	const struct option_rule rules[] = {
		{"--config-dir", OPTION_TEXT, &init->config_dir},
		{"--state", OPTION_TEXT, &init->state},
		{"--listen", OPTION_TEXT, &init->listen},
		{"--name", OPTION_LIST, &init->names},
		{"--operator", OPTION_TEXT, &init->operator_name},
		{"--passphrase-file", OPTION_TEXT, &init->passphrase_file},
		{"--no-passphrase", OPTION_FLAG, &init->no_passphrase},
		{"--shares", OPTION_NUMBER, &init->share_count},
		{"--threshold", OPTION_NUMBER, &init->threshold},
		{"--shares-dir", OPTION_TEXT, &init->shares_dir},
		{"--tpm", OPTION_FLAG, &init->tpm},
		{"--tcti", OPTION_TEXT, &init->tcti},
		{"--pcrs", OPTION_TEXT, &pcrs},
	};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	if (init->config_dir == NULL || init->state == NULL)
		return complain(EX_USAGE, "wanted: --config-dir DIR --state DIR (--help explains)");
	if (!name_valid(text_bytes(init->operator_name)))
		return complain(EX_USAGE, "--operator: '%s' is no name (1-64 of A-Z a-z 0-9 _ . -)",
				init->operator_name);
	if (strcmp(init->operator_name, "root") == 0 || strcmp(init->operator_name, "tls") == 0)
		return complain(EX_USAGE, "--operator: %s.key is the broker's own; another name",
				init->operator_name);
	if (init->no_passphrase && init->passphrase_file != NULL)
		return complain(EX_USAGE, "either --passphrase-file or --no-passphrase");
	int status = shares_check(init);
	if (status == 0)
		status = tpm_check(init, pcrs);
	if (status == 0)
		status = listen_split(init, ret_port);
	return status != 0 ? status : names_settle(init);
}

/* ---- making ---- */

/* Made if it is not there; every folder above must be. */
static int
folder_make(struct init *init, const char *path, mode_t mode, char ret_absolute[FILE_PATH_MAX])
{
	bool made = mkdir(path, mode) == 0;

	if (!made && errno != EEXIST)
		return complain(EX_CANTCREAT, "%s: %s", path, strerror(errno));
	char *absolute = realpath(path, NULL);
	if (absolute == NULL || strlen(absolute) >= FILE_PATH_MAX - 100) {
		free(absolute);
		if (made)
			(void)rmdir(path);
		return complain(EX_CANTCREAT, "%s: not a folder, or too long a path", path);
	}
	(void)snprintf(ret_absolute, FILE_PATH_MAX, "%s", absolute);
	free(absolute);
	if (made)
		made_add(init->made, ret_absolute);
	return 0;
}

/* Into files if there is a folder for them; else they are shown when all else is made. */
static int
shares_put(struct init *init)
{
	char folder[FILE_PATH_MAX], path[FILE_PATH_MAX];
	unsigned count = (unsigned)init->share_count;

	if (init->shares_dir == NULL)
		return 0;
	int status = folder_make(init, init->shares_dir, 0700, folder);
	if (status == 0)
		status = share_files_write(folder, init_shares(init), count);
	for (unsigned number = 1; status == 0 && number <= count; number++)
		if (share_path(folder, number, path) == 0)
			made_add(init->made, path);
	return status;
}

static int
tpm_put(struct init *init, const struct secret *root_key)
{
	auto_host_tpm *attester = NULL;
	char path[FILE_PATH_MAX];

	int status = file_join(init->state_path, HOST_TPM_FILE, path);
	if (status == 0)
		status = host_tpm_open(init->tcti, &attester);
	if (status == 0)
		status = host_tpm_seal(attester, root_key, init->pcrs, path);
	if (status != 0)
		return status;
	made_add(init->made, path);
	host_tpm_warn_counted(attester);
	return 0;
}

/* Keeps the root key: in a file, or in shares and perhaps the TPM, of whose set the note tells. */
static int
root_key_put(struct init *init, const struct secret *root_key, uint8_t note[SHARES_NOTE_SIZE],
	     size_t *ret_size)
{
	struct share_set set = {.count = 0};

	*ret_size = 0;
	if (init->share_count == 0)
		return init_file_make(init, "root.key", 0600, root_key->bytes, root_key->size);
	init->shares = secret_new(SHARES_MAX * sizeof(struct share));
	if (init->shares == NULL ||
	    !shares_split(root_key, (uint8_t)init->threshold, (uint8_t)init->share_count,
			  (struct share *)(void *)init->shares->bytes, &set))
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	*ret_size = share_set_write(&set, note);
	int status = shares_put(init);
	return status == 0 && init->tpm ? tpm_put(init, root_key) : status;
}

static int
store_make(struct init *init, const struct secret *seed, struct founding *ret_founding)
{
	char path[FILE_PATH_MAX];
	uint8_t note[SHARES_NOTE_SIZE];
	size_t note_size = 0;
	auto_secret *root_key = secret_new(STORE_ROOT_KEY_SIZE);

	if (root_key == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	randombytes_buf(root_key->bytes, root_key->size);
	int status = file_join(init->state_path, "store", path);
	/* made here, so that only a folder of our own is ever emptied again */
	if (status == 0 && mkdir(path, 0700) != 0)
		status = complain(EX_CANTCREAT, "%s%s%s", path,
				  errno == EEXIST ? " is there already" : ": ",
				  errno == EEXIST ? ": nothing is overwritten" : strerror(errno));
	if (status != 0)
		return status;
	made_add(init->made, path);
	status = root_key_put(init, root_key, note, &note_size);
	if (status != 0)
		return status;
	return founding_make(path, root_key, (struct store_bytes){note, note_size},
			     init->operator_name, seed, ret_founding);
}

static int
tls_make(struct init *init)
{
	auto_identity identity = {.key = NULL};
	int status =
		server_identity_make(init->names.items, init->names.count, time(NULL), &identity);

	if (status == 0)
		status = init_file_make(init, "ca.crt", 0644, identity.ca.data, identity.ca.size);
	if (status == 0)
		status = init_file_make(init, "tls.crt", 0644, identity.certificate.data,
					identity.certificate.size);
	if (status == 0)
		status = init_file_make(init, "tls.key", 0600, identity.key->bytes,
					identity.key->size);
	return status;
}

static int
operator_key_make(struct init *init, const struct secret *seed)
{
	auto_secret *passphrase = NULL;
	char path[FILE_PATH_MAX], name[80];
	int status = 0;

	if (init->passphrase_file != NULL)
		status = key_passphrase_read(init->passphrase_file, &passphrase);
	else if (!init->no_passphrase)
		status = prompt_secret_twice("New passphrase for the operator's key: ",
					     "give --passphrase-file FILE or --no-passphrase",
					     &passphrase);
	if (status != 0)
		return status;
	(void)snprintf(name, sizeof(name), "%s.key", init->operator_name);
	status = file_join(init->config_path, name, path);
	if (status == 0)
		status = key_write(path, seed, passphrase);
	if (status == 0)
		made_add(init->made, path);
	return status;
}

/* Before anything is asked or made. */
static int
targets_absent(const struct init *init)
{
	static const char *const names[] = {"root.key",	    "ca.crt",	  "tls.crt",
					    "tls.key",	    "guest.conf", "operator.conf",
					    "posternd.conf"};
	struct stat information;
	char path[FILE_PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int status = file_join(init->config_dir, names[i], path);
		if (status != 0)
			return status;
		if (lstat(path, &information) == 0)
			return complain(EX_CANTCREAT, "%s is there already: nothing is overwritten",
					path);
	}
	int status = init->tpm ? file_join(init->state, HOST_TPM_FILE, path) : 0;
	if (status != 0)
		return status;
	if (init->tpm && lstat(path, &information) == 0)
		return complain(EX_CANTCREAT, "%s is there already: nothing is overwritten", path);
	return init->shares_dir == NULL
		       ? 0
		       : share_files_absent(init->shares_dir, (unsigned)init->share_count);
}

static int
socket_fits(const struct init *init)
{
	if (strlen(init->state_path) + sizeof("/" INIT_SOCKET_NAME) - 1 <= LOCAL_PATH_MAX)
		return 0;
	return complain(
		EX_CANTCREAT,
		"%s: the local socket in it would have a longer path than the %d bytes that "
		"sockets have: choose a shorter --state",
		init->state_path, LOCAL_PATH_MAX);
}

static int
init_make(struct init *init, const char *port)
{
	struct founding founding;
	auto_secret *seed = NULL;
	int status = targets_absent(init);

	if (status == 0)
		status = folder_make(init, init->config_dir, 0755, init->config_path);
	if (status == 0)
		status = folder_make(init, init->state, 0700, init->state_path);
	if (status == 0)
		status = socket_fits(init);
	if (status == 0)
		status = key_generate(&seed);
	if (status == 0)
		status = operator_key_make(init, seed);
	if (status == 0)
		status = tls_make(init);
	if (status == 0)
		status = store_make(init, seed, &founding);
	if (status == 0)
		status = init_configuration_make(init, port, &founding);
	return status;
}

int
cmd_init(int argc, char **argv)
{
	auto_made made = {.count = 0};
	struct init init = {.listen = "127.0.0.1:8200", .operator_name = "admin", .made = &made};
	const char *port = NULL;
	int status = process_lock();

	if (status == 0)
		status = init_parse(argc, argv, &init, &port);
	signals_hold(); /* until all is made, or taken back */
	if (status == 0)
		status = init_make(&init, port);
	if (status == 0)
		status = init_shares_report(&init);
	secret_free(init.shares);
	if (status != 0)
		return status;
	made.count = 0; /* all of it: keep it */
	init_report(&init);
	return 0;
}
