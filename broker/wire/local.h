/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket at a path, for processes of one host: SOCK_SEQPACKET, so that channel_send and
 * channel_receive (frame.h) work on what is connected. Who the other end is, the kernel says.
 */
#ifndef POSTERN_WIRE_LOCAL_H
#define POSTERN_WIRE_LOCAL_H

#include <stdbool.h>
#include <sys/types.h>

#define LOCAL_PATH_MAX	   107 /* bytes: what a socket's address holds, without the NUL */
#define LOCAL_PROBLEM_SIZE 300

/* Whether a socket may be made there: a whole path, in a folder that nobody but root and its owner
 * can write to. */
__attribute__((warn_unused_result)) bool local_check(const char *path,
						     char ret_problem[LOCAL_PROBLEM_SIZE]);
/* A listening socket that its owner alone may connect to (mode 0600), close-on-exec. Takes the
 * place of a socket that nobody listens on any more; anything else that is there stays. -1: the
 * problem says what to do. */
__attribute__((warn_unused_result)) int local_listen(const char *path,
						     char ret_problem[LOCAL_PROBLEM_SIZE]);
/* Blocks until somebody connects. -1: errno. With `ret_uid`: the effective user that connected. */
__attribute__((warn_unused_result)) int local_accept(int listener, uid_t *ret_uid);
/* -1: errno; ENAMETOOLONG for what can be no socket's path. */
__attribute__((warn_unused_result)) int local_connect(const char *path);
/* The effective user of the process that listened, or connected, at the other end. */
__attribute__((warn_unused_result)) bool local_peer(int connection, uid_t *ret_uid);

#endif
