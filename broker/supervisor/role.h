/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every role of posternd has in common: the descriptors it starts with, how it gets its part
 * of the configuration, how it confines itself, and how it reports that it is ready. PROTOCOL.md,
 * "Processes".
 *
 * A role's main is called hardened (no core dumps, not dumpable, no new privileges, dies with the
 * supervisor, SIGPIPE, SIGINT, SIGTERM and SIGHUP ignored, libsodium ready) and does:
 *
 *	auto_settings *settings = role_begin(keys);
 *	if (settings == NULL)
 *		return ROLE_EXIT_FAILED;
 *	... open what is its own; where that is wrong: role_complain(...), ROLE_EXIT_CONFIGURATION
 *	if (!role_confine(ROLE_KEEPER) || !role_ready())
 *		return ROLE_EXIT_FAILED;
 *	... serve until a channel closes, which is the end of the daemon
 *	return ROLE_EXIT_ORPHANED;
 */
#ifndef POSTERN_SUPERVISOR_ROLE_H
#define POSTERN_SUPERVISOR_ROLE_H

#include "wire/frame.h"
#include "wire/settings.h"

enum role_kind { ROLE_DOOR, ROLE_GATEWAY, ROLE_KEEPER, ROLE_APPRAISER };
#define ROLE_COUNT 4

/* "door", "gateway", "keeper", "appraiser". */
const char *role_name(enum role_kind kind);

/* Descriptors that a role starts with. */
#define ROLE_SUPERVISOR_CHANNEL	 3
#define DOOR_GATEWAY_CHANNEL	 4
#define GATEWAY_DOOR_CHANNEL	 4
#define GATEWAY_KEEPER_CHANNEL	 5
#define KEEPER_GATEWAY_CHANNEL	 4
#define KEEPER_APPRAISER_CHANNEL 5
#define APPRAISER_KEEPER_CHANNEL 4

/* Exit statuses. The supervisor passes 78 on and turns any other into 1. ORPHANED says that a
 * peer's channel has closed: the supervisor then names the peer, whose own end may come to it a
 * moment later. SEALED is the keeper's alone: it was told to forget its key, and all roles are
 * started anew, with `sealed = yes`. */
#define ROLE_EXIT_OK		0
#define ROLE_EXIT_FAILED	1
#define ROLE_EXIT_USAGE		64
#define ROLE_EXIT_ORPHANED	69
#define ROLE_EXIT_SEALED	70
#define ROLE_EXIT_CONFIGURATION 78

/* Keys that reach each role in its SETUP; all values are checked by the supervisor, defaults are
 * filled in.
 *   door       listen (repeated), tls_certificate, tls_key, max_connections
 *   gateway    max_connections
 *   keeper     store, root_key (a path; may be absent), control (a path; may be absent where
 *              root_key is there), workers, challenge_lifetime, lease_lifetime, pending_max,
 *              stale_crls, min_revision (0: any), sealed (present where the keeper must not read
 *              root_key: it was told to forget it)
 *   appraiser  once (present where it is for one enrolment) */

/* Receives SETUP. NULL: said on stderr. */
struct settings *role_begin(const struct settings_key *keys);
/* The role's part of the confinement, to be called once all it needs is open and before any
 * outside byte is read. Threads started later inherit it; none may run yet. False: said on
 * stderr. */
__attribute__((warn_unused_result)) bool role_confine(enum role_kind kind);
/* The same, but files that are in `folder` may be opened for reading and writing, where the kernel
 * has Landlock to see to it that it is these alone: a store whose disk has failed is opened again.
 */
__attribute__((warn_unused_result)) bool role_confine_beside(enum role_kind kind,
							     const char *folder);
/* Answers READY. */
__attribute__((warn_unused_result)) bool role_ready(void);
/* One line on stderr: "posternd keeper: ...". Never with bytes from outside in it. */
__attribute__((format(printf, 1, 2))) void role_complain(const char *format, ...);

static inline void
settings_free_at(struct settings **settings)
{
	settings_free(*settings);
}
#define auto_settings __attribute__((cleanup(settings_free_at))) struct settings

/* Each in its own folder and library; what they return is the process's exit status. */
int door_main(void);
int gateway_main(void);
int keeper_main(void);
int appraiser_main(void);

#endif
