/* SPDX-License-Identifier: Apache-2.0 */
/* postern init: everything that a new broker, its guests and its first operator need. All or
 * nothing. */
#include "certificate.h"
#include "commands.h"
#include "encode.h"
#include "founding.h"
#include "key.h"
#include "prompt.h"
#include "shares_out.h"
#include "store/store.h"
#include "wire/local.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MADE_MAX    (16 + SHARES_MAX)
#define ADDRESS_MAX 300
#define CONFIG_MAX  4096
#define SOCKET_NAME "control.sock"

/* clang-format off: these lines are as wide as they will be read. */
const char help_init[] =
	"postern init --config-dir DIR --state DIR [--listen HOST:PORT] [--name NAME]...\n"
	"             [--operator NAME] [--passphrase-file FILE | --no-passphrase]\n"
	"             [--shares N --threshold K [--shares-dir DIR]]\n"
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
	"With shares, hand each to another person, and `postern unseal` after each start.\n";
/* clang-format on */

/* What was made so far, to be taken back unless all of it was. */
struct made {
	size_t count;
	char paths[MADE_MAX][FILE_PATH_MAX];
};

static void
made_add(struct made *made, const char *path)
{
	if (made->count < MADE_MAX)
		(void)snprintf(made->paths[made->count++], FILE_PATH_MAX, "%s", path);
}

/* The store's folder: files only, and ours alone, since store_make made it. */
static void
folder_empty(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	if (folder == NULL)
		return;
	while ((entry = readdir(folder)) != NULL)
		(void)unlinkat(dirfd(folder), entry->d_name, 0);
	(void)closedir(folder);
}

static void
made_undo(struct made *made)
{
	while (made->count > 0) {
		const char *path = made->paths[--made->count];
		struct stat information;
		if (lstat(path, &information) != 0)
			continue;
		if (S_ISDIR(information.st_mode) && strcmp(strrchr(path, '/') + 1, "store") == 0)
			folder_empty(path);
		if ((S_ISDIR(information.st_mode) ? rmdir(path) : unlink(path)) != 0)
			remark("%s was made and could not be removed again: delete it", path);
	}
}
#define auto_made __attribute__((cleanup(made_undo))) struct made

struct init {
	const char *config_dir;
	const char *state;
	const char *listen;
	const char *operator_name;
	const char *passphrase_file;
	bool no_passphrase;
	uint64_t share_count; /* 0: a key file */
	uint64_t threshold;
	const char *shares_dir; /* NULL: they are printed */
	struct secret *shares;	/* share_count of them, once they are made */
	struct text_list names; /* with the listening address where that is one */
	char host[ADDRESS_MAX];
	char config_path[FILE_PATH_MAX]; /* absolute, once they are there */
	char state_path[FILE_PATH_MAX];
	struct made *made;
};

/* ---- arguments ---- */

static const struct share *
shares_of(const struct init *init)
{
	return (const struct share *)(const void *)init->shares->bytes;
}

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

static int
init_parse(int argc, char **argv, struct init *init, const char **ret_port)
{
	struct text_list positional;
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

static int
file_make(struct init *init, const char *name, mode_t mode, const void *data, size_t size)
{
	char path[FILE_PATH_MAX];
	int status = file_join(init->config_path, name, path);

	if (status == 0)
		status = file_write_new(path, mode, data, size);
	if (status == 0)
		made_add(init->made, path);
	return status;
}

static int text_make(struct init *init, const char *name, mode_t mode, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int
text_make(struct init *init, const char *name, mode_t mode, const char *format, ...)
{
	char text[CONFIG_MAX];
	va_list list;

	va_start(list, format);
	int size = vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	if (size < 0 || (size_t)size >= sizeof(text))
		return complain(EX_CANTCREAT, "%s: names or paths are too long", name);
	return file_make(init, name, mode, text, (size_t)size);
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
		status = share_files_write(folder, shares_of(init), count);
	for (unsigned number = 1; status == 0 && number <= count; number++)
		if (share_path(folder, number, path) == 0)
			made_add(init->made, path);
	return status;
}

/* Keeps the root key: in a file, or in shares alone, of whose set the note tells. */
static int
root_key_put(struct init *init, const struct secret *root_key, uint8_t note[SHARES_NOTE_SIZE],
	     size_t *ret_size)
{
	struct share_set set = {.count = 0};

	*ret_size = 0;
	if (init->share_count == 0)
		return file_make(init, "root.key", 0600, root_key->bytes, root_key->size);
	init->shares = secret_new(SHARES_MAX * sizeof(struct share));
	if (init->shares == NULL ||
	    !shares_split(root_key, (uint8_t)init->threshold, (uint8_t)init->share_count,
			  (struct share *)(void *)init->shares->bytes, &set))
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	*ret_size = share_set_write(&set, note);
	return shares_put(init);
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
		status = file_make(init, "ca.crt", 0644, identity.ca.data, identity.ca.size);
	if (status == 0)
		status = file_make(init, "tls.crt", 0644, identity.certificate.data,
				   identity.certificate.size);
	if (status == 0)
		status = file_make(init, "tls.key", 0600, identity.key->bytes, identity.key->size);
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

static int
configuration_make(struct init *init, const char *port, const struct founding *founding)
{
	char release[KEY_BASE64_SIZE], intake[KEY_BASE64_SIZE], answer[KEY_BASE64_SIZE];
	const char *name = init->names.items[0];
	const char *open = strchr(name, ':') != NULL ? "[" : "";
	const char *close = open[0] != '\0' ? "]" : "";
	bool shared = init->share_count > 0;

	base64_encode_key(founding->release_key, release);
	base64_encode_key(founding->intake_key, intake);
	base64_encode_key(founding->answer_key, answer);
	int status = text_make(init, "posternd.conf", 0644,
			       "# posternd(8), made by postern init\n"
			       "listen = %s\n"
			       "tls_certificate = %s/tls.crt\n"
			       "tls_key = %s/tls.key\n"
			       "store = %s/store\n"
			       "control = %s/" SOCKET_NAME "\n"
			       "%s%s%s",
			       init->listen, init->config_path, init->config_path, init->state_path,
			       init->state_path,
			       shared ? "" : "root_key = file:", shared ? "" : init->config_path,
			       shared ? "" : "/root.key\n");
	if (status == 0)
		status = text_make(init, "guest.conf", 0644,
				   "# What a guest pins its broker by. Belongs into the measured "
				   "image, beside ca.crt.\n"
				   "# A further line 'broker' names one to try where those before "
				   "are not reachable.\n"
				   "broker = https://%s%s%s:%s\n"
				   "ca = ca.crt\n"
				   "release_key = %s\n",
				   open, name, close, port, release);
	if (status == 0)
		status = text_make(init, "operator.conf", 0644,
				   "# What an operator pins the broker by, and signs with. Paths "
				   "are beside this file.\n"
				   "broker = https://%s%s%s:%s\n"
				   "ca = ca.crt\n"
				   "answer_key = %s\n"
				   "intake_key = %s\n"
				   "operator = %s\n"
				   "operator_key = %s.key\n",
				   open, name, close, port, answer, intake, init->operator_name,
				   init->operator_name);
	return status;
}

static void
init_report(const struct init *init)
{
	(void)printf("A new broker, in %s:\n"
		     "  posternd.conf, tls.crt, tls.key   what posternd runs with\n",
		     init->config_path);
	if (init->share_count == 0)
		(void)printf("  root.key                          opens the store: back it up, "
			     "elsewhere\n");
	(void)printf("  guest.conf, ca.crt                for guests, in /etc/postern of their "
		     "image\n"
		     "  operator.conf, ca.crt, %s.key  for the operator %s, in ~/.config/postern\n"
		     "The sealed store is %s/store.\n"
		     "\n"
		     "The certificate names:",
		     init->operator_name, init->operator_name, init->state_path);
	for (size_t i = 0; i < init->names.count; i++)
		(void)printf(" %s", init->names.items[i]);
	(void)printf("\n\nNext:\n"
		     "  posternd --config %s/posternd.conf\n",
		     init->config_path);
	if (init->share_count > 0)
		(void)printf("  postern unseal --config %s/posternd.conf    (%u times, each with "
			     "another share)\n",
			     init->config_path, (unsigned)init->threshold);
	(void)printf("  postern status --config %s/operator.conf\n"
		     "and then, on a guest: postern enroll\n",
		     init->config_path);
}

/* The last thing that can fail: on standard output, past stdio, or already in files. */
static int
shares_report(const struct init *init)
{
	unsigned count = (unsigned)init->share_count, threshold = (unsigned)init->threshold;

	if (count == 0)
		return 0;
	if (init->shares_dir != NULL) {
		(void)printf(
			"The root key is in %u shares, any %u of which unseal the broker, and "
			"nowhere else:\n"
			"  %s/share-1.txt to share-%u.txt\n"
			"Give each to another person, and delete them here. With fewer than %u "
			"left the store is lost.\n\n",
			count, threshold, init->shares_dir, count, threshold);
		return 0;
	}
	(void)printf("The root key is in these %u shares, any %u of which unseal the broker, and "
		     "nowhere else. They\nare shown this once: give each line to another person, "
		     "to be kept offline. With fewer\nthan %u left the store is lost.\n\n",
		     count, threshold, threshold);
	int status = shares_print(shares_of(init), count);
	(void)printf("\n");
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
	return init->shares_dir == NULL
		       ? 0
		       : share_files_absent(init->shares_dir, (unsigned)init->share_count);
}

static int
socket_fits(const struct init *init)
{
	if (strlen(init->state_path) + sizeof("/" SOCKET_NAME) - 1 <= LOCAL_PATH_MAX)
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
		status = configuration_make(init, port, &founding);
	return status;
}

/* Whoever interrupts gets all or nothing too: signals wait until it is made, or taken back. */
static void
signals_hold(void)
{
	sigset_t held;

	(void)sigemptyset(&held);
	(void)sigaddset(&held, SIGINT);
	(void)sigaddset(&held, SIGTERM);
	(void)sigaddset(&held, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &held, NULL);
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
	signals_hold();
	if (status == 0)
		status = init_make(&init, port);
	if (status == 0)
		status = shares_report(&init);
	secret_free(init.shares);
	if (status != 0)
		return status;
	made.count = 0; /* all of it: keep it */
	init_report(&init);
	return 0;
}
