/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "daemon.h"

#define DAEMON_START_MS 30000

static unsigned
free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) != 0)
		bench_die("no free port");
	close(fd);
	return ntohs(address.sin_port);
}

static void
run(char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(null, STDOUT_FILENO);
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		bench_die("%s %s failed", argv[0], argv[1]);
}

/* A socket on which the daemon says READY=1. */
static int
notify_socket(const struct daemon *daemon)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/notify", daemon->folder);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		bench_die("no notification socket");
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	return fd;
}

static void
wait_ready(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char message[256];

	do {
		if (poll(&poll_fd, 1, DAEMON_START_MS) != 1)
			bench_die("posternd does not get ready");
		ssize_t size = recv(fd, message, sizeof(message) - 1, 0);
		message[size > 0 ? size : 0] = '\0';
	} while (strstr(message, "READY=1") == NULL);
	close(fd);
}

/* More connections than the default, for the benchmark's one source. */
static void
configure(const char *config, unsigned workers)
{
	FILE *file = fopen(config, "a");

	if (file == NULL || fprintf(file, "max_connections = 4000\nworkers = %u\n", workers) < 0 ||
	    fclose(file) != 0)
		bench_die("%s cannot be written", config);
}

void
daemon_start(struct daemon *daemon, const char *posternd, const char *postern, unsigned workers)
{
	char config[160];
	char state[160];
	char address[32];

	snprintf(daemon->folder, sizeof(daemon->folder), "%.90s/postern-bench-XXXXXX",
		 getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
	if (mkdtemp(daemon->folder) == NULL)
		bench_die("no temporary folder");
	daemon->port = free_port();
	snprintf(address, sizeof(address), "127.0.0.1:%u", daemon->port);
	snprintf(state, sizeof(state), "%s/state", daemon->folder);
	snprintf(config, sizeof(config), "%s/config", daemon->folder);
	char *const init[] = {
		strdup(postern),      strdup("init"),  strdup("--config-dir"),	  config,
		strdup("--state"),    state,	       strdup("--listen"),	  address,
		strdup("--operator"), strdup("bench"), strdup("--no-passphrase"), NULL};
	run(init);
	strcat(config, "/posternd.conf");
	configure(config, workers);
	int notify = notify_socket(daemon);
	daemon->pid = fork();
	if (daemon->pid == 0) {
		execl(posternd, posternd, "--config", config, (char *)NULL);
		_exit(127);
	}
	wait_ready(notify);
}

static int
remove_one(const char *path, const struct stat *about, int type, struct FTW *where)
{
	(void)about;
	(void)type;
	(void)where;
	return remove(path);
}

void
daemon_stop(struct daemon *daemon)
{
	if (daemon->pid > 0) {
		kill(daemon->pid, SIGTERM);
		waitpid(daemon->pid, NULL, 0);
		daemon->pid = 0;
	}
	if (daemon->folder[0] != '\0')
		nftw(daemon->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	daemon->folder[0] = '\0';
}

/* The role is an argument of the process: --role=NAME. */
static void
role_of(pid_t pid, char ret_role[16])
{
	char path[64];
	char line[512] = "";

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	FILE *file = fopen(path, "re");
	size_t size = file != NULL ? fread(line, 1, sizeof(line) - 1, file) : 0;
	if (file != NULL)
		fclose(file);
	for (size_t i = 0; i < size; i++)
		if (line[i] == '\0')
			line[i] = ' ';
	const char *role = strstr(line, "--role=");
	if (role == NULL || sscanf(role, "--role=%15[a-z]", ret_role) != 1)
		snprintf(ret_role, 16, "supervisor");
}

static void
add_process(struct daemon_cpu *cpu, pid_t pid)
{
	clockid_t clock;
	struct timespec used;

	if (cpu->count == DAEMON_ROLES_MAX || clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &used) != 0)
		return;
	role_of(pid, cpu->role[cpu->count]);
	cpu->us[cpu->count++] = (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
}

void
daemon_cpu(const struct daemon *daemon, struct daemon_cpu *ret_cpu)
{
	char path[96];
	int child;

	*ret_cpu = (struct daemon_cpu){0};
	add_process(ret_cpu, daemon->pid);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)daemon->pid,
		 (int)daemon->pid);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		bench_die("%s: cannot be read", path);
	while (fscanf(file, "%d", &child) == 1)
		add_process(ret_cpu, child);
	fclose(file);
}
