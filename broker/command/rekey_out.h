/* SPDX-License-Identifier: Apache-2.0 */
/* Where a new root key goes before it is in force: into files of shares, onto the terminal, or into
 * a file of its own. */
#ifndef POSTERN_COMMAND_REKEY_OUT_H
#define POSTERN_COMMAND_REKEY_OUT_H

#include "wire/control.h"

struct rekey_target {
	const char *folder;   /* of new shares */
	const char *key_file; /* no shares */
};

/* Before anything is asked: can it go there? 0 or EX_CANTCREAT, EX_USAGE. */
int rekey_target_check(const struct rekey_target *target, unsigned count);
/* Durable on return, or noted down, as somebody has said. On failure nothing of it is left. */
int rekey_target_put(const struct rekey_target *target, const struct control_rekeyed *rekeyed);
/* It came to nothing. */
void rekey_target_remove(const struct rekey_target *target, const struct control_rekeyed *rekeyed);
void rekey_target_report(const struct rekey_target *target, const struct control_rekeyed *rekeyed);

#endif
