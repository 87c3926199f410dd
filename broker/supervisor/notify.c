/* SPDX-License-Identifier: Apache-2.0 */
#include "notify.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void
notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = path != NULL ? strlen(path) : 0;
	if (size < 2 || size >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, size);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0)
		return;
	/* An abstract name is as long as it is said to be: no terminator. */
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
	ssize_t sent;
	do
		sent = sendto(descriptor, state, strlen(state), MSG_NOSIGNAL,
			      (const struct sockaddr *)&address, length);
	while (sent < 0 && errno == EINTR);
	close(descriptor);
}

int
notify_watchdog_interval(void)
{
	const char *text = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	if (text == NULL || (pid != NULL && strtol(pid, NULL, 10) != getpid()))
		return -1;
	char *end = NULL;
	errno = 0;
	long long allowed = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || allowed < 2000)
		return -1;
	long long half = allowed / 2000;
	return half > INT_MAX ? INT_MAX : (int)half;
}
