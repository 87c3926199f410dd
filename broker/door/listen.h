/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POSTERN_DOOR_LISTEN_H
#define POSTERN_DOOR_LISTEN_H

/* A listening, non-blocking TCP socket for "host:port", "[v6]:port" or ":port". -1 and a problem in
 * words. */
int listen_at(const char *address, char problem[200]);

#endif
