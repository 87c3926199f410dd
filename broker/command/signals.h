/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever interrupts a command that makes files gets them whole or not at all. */
#ifndef POSTERN_COMMAND_SIGNALS_H
#define POSTERN_COMMAND_SIGNALS_H

#include <stdbool.h>

/* From here on SIGINT, SIGTERM and SIGHUP are noted, and end what waits; a file that may not grow
 * is an error like others. */
void signals_note(void);
/* From here on they wait. */
void signals_hold(void);
/* Whether one came, since either. */
bool signals_came(void);

#endif
