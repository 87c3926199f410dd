/* SPDX-License-Identifier: Apache-2.0 */
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG	    8
#define OTHERS	    (S_IWGRP | S_IWOTH)
#define SOCKET_MODE 0600

_Static_assert(LOCAL_PATH_MAX == sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1,
	       "what a socket's address holds");

static void
close_at(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
}
#define auto_close __attribute__((cleanup(close_at))) int

static int
take(int *descriptor)
{
	int taken = *descriptor;
	*descriptor = -1;
	return taken;
}

__attribute__((format(printf, 2, 3))) static int
refuse(char ret_problem[LOCAL_PROBLEM_SIZE], const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(ret_problem, LOCAL_PROBLEM_SIZE, format, arguments);
	va_end(arguments);
	return -1;
}

static bool
address_of(const char *path, struct sockaddr_un *ret_address)
{
	size_t size = strlen(path);
	if (size == 0 || size > LOCAL_PATH_MAX) {
		errno = ENAMETOOLONG;
		return false;
	}
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret_address->sun_path, path, size);
	return true;
}

static int
new_socket(int flags)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
}

static int
connect_socket(const char *path, int flags)
{
	struct sockaddr_un address;
	if (!address_of(path, &address))
		return -1;
	auto_close connection = new_socket(flags);
	int connected;
	if (connection < 0)
		return -1;
	do
		connected = connect(connection, (const struct sockaddr *)&address, sizeof(address));
	while (connected < 0 && errno == EINTR);
	return connected == 0 ? take(&connection) : -1;
}

int
local_connect(const char *path)
{
	return connect_socket(path, 0);
}

bool
local_peer(int connection, uid_t *ret_uid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	if (size != sizeof(peer)) {
		errno = EPROTO;
		return false;
	}
	*ret_uid = peer.uid;
	return true;
}

int
local_accept(int listener, uid_t *ret_uid)
{
	int accepted;
	do
		accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while (accepted < 0 && (errno == EINTR || errno == ECONNABORTED));
	auto_close connection = accepted;
	if (connection < 0 || !local_peer(connection, ret_uid))
		return -1;
	return take(&connection);
}

/* ---- listening ---- */

/* The folder's descriptor. Whoever else may write there could put a socket of theirs in this one's
 * place, and be handed shares. */
static int
open_folder(const char *path, char ret_problem[LOCAL_PROBLEM_SIZE])
{
	char folder[LOCAL_PATH_MAX + 1];
	struct stat info;
	const char *slash = strrchr(path, '/');
	if (path[0] != '/' || slash[1] == '\0')
		return refuse(ret_problem, "%.120s: write a socket's whole path, from /", path);
	if (strlen(path) > LOCAL_PATH_MAX)
		return refuse(ret_problem, "%.60s...: longer than the %d bytes of a socket's path",
			      path, LOCAL_PATH_MAX);
	size_t size = slash == path ? 1 : (size_t)(slash - path);
	memcpy(folder, path, size);
	folder[size] = '\0';
	auto_close descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (descriptor < 0 || fstat(descriptor, &info) < 0)
		return refuse(ret_problem, "the folder %s: %s: make it first", folder,
			      strerror(errno));
	if ((info.st_mode & OTHERS) != 0)
		return refuse(ret_problem,
			      "the folder %s: others than its owner can write there: take one of "
			      "the broker's own",
			      folder);
	if (info.st_uid != 0 && info.st_uid != geteuid() && geteuid() != 0)
		return refuse(ret_problem, "the folder %s belongs to another user: chown it",
			      folder);
	return take(&descriptor);
}

bool
local_check(const char *path, char ret_problem[LOCAL_PROBLEM_SIZE])
{
	auto_close folder = open_folder(path, ret_problem);
	return folder >= 0;
}

/* Of two that find a stale socket one replaces it, and the other then finds that it lives. */
static bool
lock_folder(int folder, char ret_problem[LOCAL_PROBLEM_SIZE])
{
	int locked;
	do
		locked = flock(folder, LOCK_EX);
	while (locked < 0 && errno == EINTR);
	if (locked < 0)
		refuse(ret_problem, "the socket's folder: %s", strerror(errno));
	return locked == 0;
}

/* Only a socket that refuses connections is nobody's: with any other answer, or another thing at
 * that path, it is somebody's. */
static bool
make_way(const char *path, char ret_problem[LOCAL_PROBLEM_SIZE])
{
	struct stat info;
	if (lstat(path, &info) < 0) {
		if (errno == ENOENT)
			return true;
		refuse(ret_problem, "%s: %s", path, strerror(errno));
		return false;
	}
	if (!S_ISSOCK(info.st_mode)) {
		refuse(ret_problem, "%s is there and no socket: move it away", path);
		return false;
	}
	/* Who is too busy to answer listens, too. */
	auto_close connection = connect_socket(path, SOCK_NONBLOCK);
	if (connection >= 0 || errno != ECONNREFUSED) {
		refuse(ret_problem, "%s: another process listens there: is a broker running?",
		       path);
		return false;
	}
	if (unlink(path) < 0) {
		refuse(ret_problem, "%s: cannot be replaced: %s", path, strerror(errno));
		return false;
	}
	return true;
}

int
local_listen(const char *path, char ret_problem[LOCAL_PROBLEM_SIZE])
{
	struct sockaddr_un address;
	auto_close folder = open_folder(path, ret_problem);
	if (folder < 0 || !lock_folder(folder, ret_problem) || !make_way(path, ret_problem))
		return -1;
	if (!address_of(path, &address))
		return refuse(ret_problem, "%.60s: %s", path, strerror(errno));
	auto_close listener = new_socket(0);
	/* bind gives the path the mode of the socket's own inode: at no moment may others connect,
	 * and the umask, which all threads share, stays what it is. */
	if (listener < 0 || fchmod(listener, SOCKET_MODE) < 0 ||
	    bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, BACKLOG) < 0)
		return refuse(ret_problem, "%s: %s", path, strerror(errno));
	return take(&listener);
}
