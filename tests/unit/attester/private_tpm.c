/* SPDX-License-Identifier: Apache-2.0 */
#include "private_tpm.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TRIES_MAX 500 /* of 10 ms */

static bool
installed(const char *program)
{
	const char *folder = getenv("PATH");
	char path[512];

	while (folder != NULL && *folder != '\0') {
		size_t size = strcspn(folder, ":");

		snprintf(path, sizeof(path), "%.*s/%s", (int)size, folder, program);
		if (access(path, X_OK) == 0)
			return true;
		folder += size + (folder[size] == ':');
	}
	return false;
}

bool
private_tpm_possible(void)
{
	return installed("swtpm") && installed("swtpm_setup") && installed("swtpm_localca");
}

__attribute__((format(printf, 3, 4))) static bool
write_file(const struct private_tpm *tpm, const char *name, const char *format, ...)
{
	char path[128];
	va_list arguments;

	snprintf(path, sizeof(path), "%s/%s", tpm->folder, name);
	FILE *file = fopen(path, "we");
	if (file == NULL)
		return false;
	va_start(arguments, format);
	vfprintf(file, format, arguments);
	va_end(arguments);
	return fclose(file) == 0;
}

/* The installation's own configuration names a CA under /var/lib, which is not the test's to touch.
 */
static bool
write_configuration(const struct private_tpm *tpm, const char *banks)
{
	return write_file(tpm, "setup.conf",
			  "create_certs_tool=swtpm_localca\n"
			  "create_certs_tool_config=%s/localca.conf\n"
			  "create_certs_tool_options=%s/localca.options\n"
			  "active_pcr_banks=%s\n",
			  tpm->folder, tpm->folder, banks) &&
	       write_file(tpm, "localca.conf",
			  "statedir=%s/ca\n"
			  "signingkey=%s/ca/signkey.pem\n"
			  "issuercert=%s/ca/issuercert.pem\n"
			  "certserial=%s/ca/certserial\n",
			  tpm->folder, tpm->folder, tpm->folder, tpm->folder) &&
	       write_file(tpm, "localca.options",
			  "--platform-manufacturer Postern\n"
			  "--platform-version 1\n"
			  "--platform-model tests\n");
}

/* The child never outlives the test, and says what it has to say into a file. */
static pid_t
spawn(const struct private_tpm *tpm, char *const arguments[])
{
	char log[128];
	pid_t parent = getpid();

	snprintf(log, sizeof(log), "%s/log", tpm->folder);
	pid_t child = fork();
	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	int output = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (output < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
		_exit(126);
	execvp(arguments[0], arguments);
	_exit(127);
}

static bool
manufacture(const struct private_tpm *tpm, const char *banks)
{
	char setup[] = "swtpm_setup", tpm2[] = "--tpm2", state_option[] = "--tpmstate";
	char config_option[] = "--config", ek[] = "--create-ek-cert";
	char platform[] = "--create-platform-cert", banks_option[] = "--pcr-banks";
	char state[128], config[128], bank_list[64];
	int status;

	snprintf(state, sizeof(state), "%s/state", tpm->folder);
	snprintf(config, sizeof(config), "%s/setup.conf", tpm->folder);
	snprintf(bank_list, sizeof(bank_list), "%s", banks);
	if (mkdir(state, 0700) != 0 || !write_configuration(tpm, banks))
		return false;
	pid_t child = spawn(tpm, (char *[]){setup, tpm2, state_option, state, config_option, config,
					    ek, platform, banks_option, bank_list, NULL});
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static bool
listening(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool connected = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return connected;
}

static bool
serve(struct private_tpm *tpm, bool started)
{
	char swtpm[] = "swtpm", mode[] = "socket", tpm2[] = "--tpm2";
	char state_option[] = "--tpmstate", server_option[] = "--server", ctrl_option[] = "--ctrl";
	char flags_option[] = "--flags", flags[] = "not-need-init,startup-clear";
	char flags_unstarted[] = "not-need-init";
	char state[128], server[128], ctrl[128], path[72];

	snprintf(path, sizeof(path), "%s/tpm", tpm->folder);
	snprintf(state, sizeof(state), "dir=%s/state", tpm->folder);
	snprintf(server, sizeof(server), "type=unixio,path=%s", path);
	/* The name is tpm2-tss's: it looks for the control channel at the server's path and
	 * ".ctrl". */
	snprintf(ctrl, sizeof(ctrl), "type=unixio,path=%s.ctrl", path);
	snprintf(tpm->tcti, sizeof(tpm->tcti), "swtpm:path=%s", path);
	tpm->process = spawn(tpm, (char *[]){swtpm, mode, tpm2, state_option, state, server_option,
					     server, ctrl_option, ctrl, flags_option,
					     started ? flags : flags_unstarted, NULL});
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	for (int i = 0; i < START_TRIES_MAX && tpm->process > 0; i++) {
		if (listening(path))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

bool
private_tpm_start(struct private_tpm *tpm, const char *banks)
{
	*tpm = (struct private_tpm){.folder = "/tmp/postern-tpm-XXXXXX"};

	if (mkdtemp(tpm->folder) == NULL) {
		fprintf(stderr, "no folder for a TPM: %s\n", strerror(errno));
		return false;
	}
	if (manufacture(tpm, banks) && serve(tpm, true))
		return true;
	fprintf(stderr, "no software TPM: see %s/log\n", tpm->folder);
	private_tpm_kill(tpm);
	return false;
}

void
private_tpm_kill(struct private_tpm *tpm)
{
	if (tpm->process <= 0)
		return;
	kill(tpm->process, SIGKILL);
	waitpid(tpm->process, NULL, 0);
	tpm->process = 0;
}

bool
private_tpm_restart(struct private_tpm *tpm)
{
	private_tpm_kill(tpm);
	return serve(tpm, true);
}

bool
private_tpm_restart_unstarted(struct private_tpm *tpm)
{
	private_tpm_kill(tpm);
	return serve(tpm, false);
}

static int
remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

void
private_tpm_stop(struct private_tpm *tpm)
{
	private_tpm_kill(tpm);
	if (tpm->folder[0] != '\0')
		nftw(tpm->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	tpm->folder[0] = '\0';
}
