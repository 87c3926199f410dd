/* SPDX-License-Identifier: Apache-2.0 */
/* What postern init writes for people and programs to read: configuration, and its report. */
#include "init.h"

#include "encode.h"
#include "shares_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_MAX 4096

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
	return init_file_make(init, name, mode, text, (size_t)size);
}

int
init_configuration_make(struct init *init, const char *port, const struct founding *founding)
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
			       "control = %s/" INIT_SOCKET_NAME "\n"
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

void
init_report(const struct init *init)
{
	(void)printf("A new broker, in %s:\n"
		     "  posternd.conf, tls.crt, tls.key   what posternd runs with: in no backup, "
		     "so keep a copy\n",
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
	if (init->tpm)
		(void)printf("  postern unseal --tpm --config %s/posternd.conf\n"
			     "  postern witness --define --config %s/posternd.conf\n",
			     init->config_path, init->config_path);
	else if (init->share_count > 0)
		(void)printf("  postern unseal --config %s/posternd.conf    (%u times, each with "
			     "another share)\n",
			     init->config_path, (unsigned)init->threshold);
	(void)printf("  postern status --config %s/operator.conf\n"
		     "and then, on a guest: postern enroll\n",
		     init->config_path);
}

int
init_shares_report(const struct init *init)
{
	unsigned count = (unsigned)init->share_count, threshold = (unsigned)init->threshold;
	const char *elsewhere = init->tpm ? "sealed to this host's TPM" : "nowhere else";

	if (count == 0)
		return 0;
	if (init->shares_dir != NULL) {
		(void)printf(
			"The root key is in %u shares, any %u of which unseal the broker, and "
			"%s:\n"
			"  %s/share-1.txt to share-%u.txt\n"
			"Give each to another person, and delete them here. With fewer than %u "
			"left the store is lost.\n\n",
			count, threshold, elsewhere, init->shares_dir, count, threshold);
		return 0;
	}
	(void)printf("The root key is in these %u shares, any %u of which unseal the broker, and "
		     "%s.\nThey are shown this once: give each line to another person, to be "
		     "kept offline. With\nfewer than %u left the store is lost.\n\n",
		     count, threshold, elsewhere, threshold);
	if (isatty(STDOUT_FILENO) == 0)
		remark("standard output is no terminal: whoever keeps what is written there has "
		       "all %u shares, and so the key. --shares-dir DIR puts each into a file of "
		       "its own",
		       count);
	int status = shares_print(init_shares(init), count);
	(void)printf("\n");
	return status;
}
