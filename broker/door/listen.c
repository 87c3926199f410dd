/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"

#define LISTEN_BACKLOG 1024

/* Splits at the last colon and takes the brackets off an IPv6 address. */
static bool
split(const char *address, char host[256], const char **ret_port)
{
	const char *colon = strrchr(address, ':');
	size_t size;

	if (colon == NULL || colon[1] == '\0')
		return false;
	size = (size_t)(colon - address);
	if (size >= 2 && address[0] == '[' && address[size - 1] == ']') {
		address++;
		size -= 2;
	}
	if (size >= 256)
		return false;
	memcpy(host, address, size);
	host[size] = '\0';
	*ret_port = colon + 1;
	return true;
}

static int
listen_on(const struct addrinfo *info)
{
	int yes = 1;
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
			info->ai_protocol);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
	    bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
listen_at(const char *address, char problem[200])
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE,
	};
	struct addrinfo *list = NULL;
	const char *port = NULL;
	char host[256];
	int fd = -1;

	if (!split(address, host, &port)) {
		snprintf(problem, 200, "listen = %.100s: want host:port", address);
		return -1;
	}
	int error = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &list);
	if (error != 0) {
		snprintf(problem, 200, "listen = %.100s: %s", address, gai_strerror(error));
		return -1;
	}
	for (const struct addrinfo *info = list; info != NULL && fd < 0; info = info->ai_next)
		fd = listen_on(info);
	if (fd < 0)
		snprintf(problem, 200, "listen = %.100s: %s", address, strerror(errno));
	freeaddrinfo(list);
	return fd;
}
